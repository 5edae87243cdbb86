"""Replicas that really follow a primary: one that is further behind than `max_lag` is not asked, one
without its primary only where that cannot be reached."""

import json
import time
from base64 import b64encode
from contextlib import ExitStack
from hashlib import pbkdf2_hmac

import pytest

from hosts.daemon import hallpassd
from php_doors import write_configuration
from processes import LOOPBACK, eventually, free_port, give_away
from stores.mariadb import PASSWORD, MariaDB
from stores.patroni import Etcd, Member
from stores.pgbouncer import PgBouncer
from stores.postgresql import PostgreSQL, Standby

SECRET = "right"
GALERA = "/usr/lib/galera/libgalera_smm.so"
DEADLINE = 4.0


def steadily(holds, words: str) -> None:
    """Waits until all threads of a daemon agree: each finds a server for itself."""
    eventually(lambda: all(holds() for _ in range(16)), words)


class Primary(MariaDB):
    """A MariaDB that others may follow."""

    def command(self) -> list:
        return [*super().command(), "--log-bin=binlog", "--server-id=1"]

    def make_users(self) -> None:
        super().make_users()
        self.execute(
            "CREATE USER follower IDENTIFIED BY 'follower'; "
            "GRANT REPLICATION SLAVE ON *.* TO follower"
        )


class Follower(MariaDB):
    """One that has followed it from the beginning."""

    def __init__(self, directory, primary: Primary):
        super().__init__(directory)
        self.primary = primary

    def command(self) -> list:
        return [*super().command(), "--server-id=2", "--skip-slave-start"]

    def make_users(self) -> None:
        self.execute(
            f"CHANGE MASTER TO MASTER_HOST='{LOOPBACK}', MASTER_PORT={self.primary.port}, "
            "MASTER_USER='follower', MASTER_PASSWORD='follower', MASTER_USE_GTID=slave_pos, "
            "MASTER_CONNECT_RETRY=1; START SLAVE"
        )

    def has_caught_up(self) -> bool:
        position = self.primary.execute("SELECT @@gtid_binlog_pos")
        return self.execute("SELECT @@gtid_slave_pos") == position


class Asked:
    """A daemon that asks some servers."""

    def __init__(self, daemon, config):
        self.daemon, self.config = daemon, config
        self.slowest = 0.0

    def reason(self, user: str) -> str:
        begun = time.monotonic()
        answer = self.daemon.check(user, SECRET)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        body = json.loads(answer.body)
        return "granted" if answer.status == 200 else body.get("reason") or str(answer.status)

    def is_unavailable(self, user: str = "bob") -> bool:
        return self.daemon.check(user, SECRET).status == 503

    def grants(self, user: str = "bob") -> bool:
        return self.reason(user) == "granted"

    def lag(self) -> float | None:
        text = self.daemon.ask("/metrics").body.decode()
        name = "hallpass_database_lag_seconds{"
        found = [line for line in text.splitlines() if line.startswith(name)]
        return float(found[0].rpartition(" ")[2]) if found else None


@pytest.fixture
def asking(new_directory, hallpass_programs):
    """Starts a daemon that asks `servers`, in this order."""
    with ExitStack() as stack:

        def start(site, *servers, max_lag="1s") -> Asked:
            database = servers[0].hallpass(site.database_name)
            hosts = ",".join(f"{LOOPBACK}:{server.port}" for server in servers)
            database["url"] = database["url"].replace(f"{LOOPBACK}:{servers[0].port}", hosts)
            socket = new_directory() / "http.sock"
            config = site.write_configuration(
                f"{socket.parent.name}.toml",
                database=database | ({"max_lag": max_lag} if max_lag else {}),
                daemon={"listen": [f"unix:{socket}"], "verified_cache": "0s"},
                limits={"failures": 0},
            )
            running = hallpassd(hallpass_programs["hallpassd"], config, socket)
            return Asked(stack.enter_context(running), config)

        yield start


def people(site) -> None:
    site.make_accounts(*({"username": name, "password": SECRET} for name in ("alice", "bob")))


def doctors_replicas(shell, config) -> list[tuple]:
    """What the doctor says of each server."""
    findings = shell(config)("doctor", "--json").json["findings"]
    return [(it["status"], it["seen"]) for it in findings if it["check"] == "replica"]


def test_postgresql(new_directory, new_site, asking, shell):
    with ExitStack() as stack:
        primary = stack.enter_context(PostgreSQL(new_directory()))
        site = new_site(server=primary)
        people(site)
        standby = stack.enter_context(Standby(new_directory(), primary))
        eventually(standby.has_caught_up, "the standby has all of it")
        both = asking(site, primary, standby)
        reverse = asking(site, standby, primary)
        alone = asking(site, standby)
        heedless = asking(site, standby, max_lag=None)
        pooler = stack.enter_context(PgBouncer(new_directory(), standby, "transaction", True))
        pooled = asking(site, pooler)
        everyone = (both, reverse, alone, pooled, heedless)
        for asked in everyone:
            assert asked.reason("alice") == asked.reason("bob") == "granted"
        assert alone.lag() == pooled.lag() == 0 and heedless.lag() is None
        seen = doctors_replicas(shell, both.config)
        assert [status for status, _ in seen] == ["ok", "ok"], seen

        # A replica that is paused: what it has is older every second.
        standby.execute("SELECT pg_wal_replay_pause()")
        site.deactivate("alice")
        assert both.reason("alice") == "inactive"
        steadily(alone.is_unavailable, "the replica is too far behind")
        steadily(pooled.is_unavailable, "it is so behind a pooler, too")
        steadily(lambda: reverse.reason("alice") == "inactive", "the primary is asked")
        for _ in range(8):
            assert alone.is_unavailable("alice") and alone.is_unavailable("bob")
            assert reverse.reason("alice") == "inactive"
            assert reverse.reason("bob") == "granted"
        # Without a limit, the page says so: an account is what it was there.
        assert heedless.reason("alice") == "granted"
        assert alone.lag() > 1
        assert "more than `max_lag`" in alone.daemon.log()
        [(status, seen)] = doctors_replicas(shell, alone.config)
        assert status == "problem" and "more than `max_lag` (1.0 s)" in seen
        standby.execute("SELECT pg_wal_replay_resume()")
        steadily(alone.grants, "the replica is recent enough")
        assert alone.reason("alice") == "inactive"

        # The primary is away: the standby is asked where both are named.
        primary.kill()
        for asked in (both, reverse):
            steadily(asked.grants, "the standby is asked")
            asked.slowest = 0.0
            for _ in range(8):
                assert asked.reason("bob") == "granted" and asked.reason("alice") == "inactive"
            assert asked.slowest < DEADLINE / 2, asked.slowest
        # Where it alone is named, nobody knows what it has missed.
        steadily(alone.is_unavailable, "the standby has lost its primary")
        statuses = [status for status, _ in doctors_replicas(shell, alone.config)]
        assert statuses == ["problem"]

        # A primary that is back is asked again, and not only when the standby is lost.
        primary.start()
        site.shell("from django.db import connection; connection.close()")  # the lost one
        standby.execute("SELECT pg_wal_replay_pause()")
        site.shell("User.objects.filter(username='alice').update(is_active=True)")
        eventually(lambda: {both.reason("alice") for _ in range(8)} == {"granted"}, "it is back")
        standby.execute("SELECT pg_wal_replay_resume()")
        eventually(standby.has_caught_up, "the standby has all of it")

        primary.kill()
        standby.promote()
        for asked in everyone:
            steadily(asked.grants, "the new primary is asked")
        assert alone.lag() == 0


def test_patroni(new_directory, new_site, asking, shell):
    """A leader that dies, the member that takes its place, and the first one as a replica."""
    with ExitStack() as stack:
        etcd = stack.enter_context(Etcd(new_directory()))
        first = stack.enter_context(Member(new_directory(), "first", etcd))
        site = new_site(server=first)
        people(site)
        second = stack.enter_context(Member(new_directory(), "second", etcd, first))
        eventually(lambda: second.follows(first), "the replica has all of it")
        both = asking(site, first, second)
        reverse = asking(site, second, first)
        for asked in (both, reverse):
            assert asked.reason("alice") == asked.reason("bob") == "granted"

        # The member that will be promoted does not know yet that an account is closed.
        second.execute("SELECT pg_wal_replay_pause()")
        site.deactivate("alice")
        assert both.reason("alice") == "inactive"
        steadily(lambda: reverse.reason("alice") == "inactive", "the leader is asked")
        first.kill()
        reasons = {"alice": set(), "bob": set()}
        until = time.monotonic() + 40
        both.slowest = reverse.slowest = 0.0
        while second.role() != "master":
            assert time.monotonic() < until, second.log.read_text()[-3000:]
            for asked in (both, reverse):
                for name, seen in reasons.items():
                    seen.add(asked.reason(name))
        assert reasons["alice"] <= {"unavailable", "inactive"}, reasons
        assert reasons["bob"] <= {"unavailable", "granted"}, reasons
        assert max(both.slowest, reverse.slowest) < DEADLINE + 1
        for asked in (both, reverse):
            steadily(asked.grants, "the new leader is asked")
            assert asked.reason("alice") == "inactive"
        ahead = asking(site, first, second)
        assert ahead.reason("alice") == "inactive" and ahead.grants()
        assert doctors_replicas(shell, both.config) == [("ok", "it is the primary")]

        # The first is back as a replica, and is asked as one.
        first.first = second
        first.start()
        eventually(lambda: first.follows(second), "it follows the new leader")
        # Right after its start it is behind by all that it has not replayed yet.
        found = lambda: [status for status, _ in doctors_replicas(shell, both.config)]
        eventually(lambda: found() == ["ok", "ok"], "both are good")
        first.execute("SELECT pg_wal_replay_pause()")
        second.execute("UPDATE auth_user SET is_active = false WHERE username = 'bob'", site.database_name)
        for asked in (both, reverse, ahead):
            steadily(lambda asked=asked: asked.reason("bob") == "inactive", "the leader is asked")
            for _ in range(8):
                assert asked.reason("bob") == asked.reason("alice") == "inactive"


def test_mariadb(new_directory, new_site, asking, shell):
    with ExitStack() as stack:
        primary = stack.enter_context(Primary(new_directory()))
        replica = stack.enter_context(Follower(new_directory(), primary))
        site = new_site(server=primary)
        people(site)
        eventually(replica.has_caught_up, "the replica has all of it")
        both = asking(site, primary, replica)
        alone = asking(site, replica)
        # A user who may not know how it follows is told what is missing.
        assert alone.is_unavailable() and both.is_unavailable()
        assert "`hallpass grants`" in alone.daemon.log()
        [(status, _)] = doctors_replicas(shell, alone.config)
        assert status == "problem"
        statements = shell(alone.config)("grants").stdout.decode().splitlines()
        [grant] = [line for line in statements if "REPLICATION CLIENT" in line]
        primary.execute(grant.replace("`hallpass`@`127.0.0.1`", "hallpass"))
        steadily(alone.grants, "the privilege has come to the replica")
        steadily(both.grants, "the primary is asked")
        assert alone.lag() is not None
        assert [status for status, _ in doctors_replicas(shell, both.config)] == ["ok", "ok"]

        replica.execute("STOP SLAVE SQL_THREAD")
        site.deactivate("alice")
        steadily(alone.is_unavailable, "it applies nothing")
        assert both.reason("alice") == "inactive"
        replica.execute("START SLAVE SQL_THREAD")
        steadily(alone.grants, "it applies again")
        eventually(replica.has_caught_up, "the replica has all of it")
        assert alone.reason("alice") == "inactive"
        replica.execute("STOP SLAVE IO_THREAD")
        steadily(alone.is_unavailable, "it does not hear of its primary")
        replica.execute("START SLAVE IO_THREAD")
        steadily(alone.grants, "it follows again")

        # A change that is applied late.
        replica.execute("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=4; START SLAVE")
        steadily(alone.grants, "it follows")
        site.shell("User.objects.filter(username='bob').update(last_name='x')")
        steadily(alone.is_unavailable, "it is too far behind")
        steadily(alone.grants, "it has applied the change")

        primary.kill()
        steadily(both.grants, "the replica is asked")
        assert both.reason("alice") == "inactive"
        steadily(alone.is_unavailable, "it has lost its primary")


@pytest.mark.parametrize("wrong", ["0s", "2h", "x", 5])
def test_what_is_no_lag_is_refused(new_site, wrong, shell):
    site = new_site()
    database = {"url": "postgres://h1,h2/shop", "max_lag": wrong}
    result = shell(site.write_configuration(database=database))("check", "alice", input=b"x")
    assert result.code == 2
    assert b"max_lag" in result.stderr


def test_a_file_has_no_lag(new_site, shell):
    site = new_site()
    database = {"url": f"sqlite:{site.database}", "max_lag": "5s"}
    result = shell(site.write_configuration(database=database))("check", "alice", input=b"x")
    assert result.code == 2 and b"no server" in result.stderr


class Galera(MariaDB):
    """A node of a Galera cluster; the first one begins it."""

    def __init__(self, directory, first: "Galera | None" = None):
        super().__init__(directory)
        self.first = first
        self.group, self.transfer, self.state = free_port(), free_port(), free_port()
        self.begins = first is None

    def prepare(self) -> None:
        if not self.first:
            super().prepare()
            return
        # All else comes from the first.
        self.certificates = self.first.certificates
        for directory in (self.temporary, self.data):
            directory.mkdir()
            give_away(directory)

    def command(self) -> list:
        members = [node.group for node in (self.first or self, self)]
        provider = {
            "gmcast.listen_addr": f"tcp://{LOOPBACK}:{self.group}",
            "ist.recv_addr": f"{LOOPBACK}:{self.transfer}",
            "base_port": self.group,
            "gcache.size": "8M",
            # A node that is gone is missed soon.
            "evs.keepalive_period": "PT0.2S",
            "evs.suspect_timeout": "PT1S",
            "evs.inactive_timeout": "PT2S",
            "evs.inactive_check_period": "PT0.5S",
        }
        options = {
            "wsrep-on": "ON",
            "wsrep-provider": GALERA,
            "wsrep-provider-options": ";".join(f"{key}={it}" for key, it in provider.items()),
            "wsrep-cluster-address": "gcomm://" + ",".join(f"{LOOPBACK}:{it}" for it in members),
            "wsrep-node-address": f"{LOOPBACK}:{self.group}",
            "wsrep-sst-method": "rsync",
            "wsrep-sst-receive-address": f"{LOOPBACK}:{self.state}",
            "binlog-format": "ROW",
            "innodb-autoinc-lock-mode": 2,
        }
        more = [f"--{key}={value}" for key, value in options.items()]
        return [*super().command(), *more, *(["--wsrep-new-cluster"] if self.begins else [])]

    def make_users(self) -> None:
        if not self.first:
            super().make_users()
            self.begins = False

    def status(self) -> str:
        """Whether it is of the part of the cluster that may answer."""
        words = self.execute("SHOW STATUS LIKE 'wsrep_cluster_status'").split()
        return words[-1]


def test_galera(new_directory, hallpass_programs):
    """A node that has lost the others is not asked, whatever it still has."""
    with ExitStack() as stack:
        first = stack.enter_context(Galera(new_directory()))
        first.create_database("shop")
        key = b64encode(pbkdf2_hmac("sha256", SECRET.encode(), b"salt", 1000)).decode()
        first.execute(
            "CREATE TABLE people (id INT PRIMARY KEY, login VARCHAR(80) UNIQUE, secret VARCHAR(200), "
            f"live BOOL); INSERT INTO people SELECT 1, 'alice', 'pbkdf2_sha256$1000$salt${key}', 1; "
            "INSERT INTO people SELECT 2, 'bob', secret, 1 FROM people",
            "shop",
        )
        second = stack.enter_context(Galera(new_directory(), first))
        eventually(lambda: second.status() == "Primary", "the second has joined")

        def asking(*servers) -> Asked:
            directory = new_directory()
            hosts = ",".join(f"{LOOPBACK}:{server.port}" for server in servers)
            database = {"url": f"mysql://hallpass@{hosts}/shop", "password": PASSWORD}
            people = "SELECT id, login AS username, secret AS password, live AS is_active FROM people"
            tables = {
                "framework": "custom",
                "database": database,
                "daemon": {"listen": [f"unix:{directory}/http.sock"], "verified_cache": "0s"},
                "limits": {"failures": 0},
                "passwords": {"dummy": "pbkdf2_sha256$1000"},
                "custom": {
                    "user": f"{people} WHERE login = :username",
                    "user_by_id": f"{people} WHERE id = :id",
                },
            }
            config = write_configuration(directory / "hallpass.toml", tables)
            program = hallpass_programs["hallpassd"]
            running = hallpassd(program, config, directory / "http.sock")
            return Asked(stack.enter_context(running), config)

        both, other = asking(first, second), asking(second)
        assert both.grants() and other.grants()
        first.execute("UPDATE people SET live = 0 WHERE login = 'alice'", "shop")
        eventually(lambda: other.reason("alice") == "inactive", "the change has come")
        first.kill()
        steadily(both.is_unavailable, "neither is asked")
        steadily(other.is_unavailable, "the rest is no majority")
        second.execute("SET GLOBAL wsrep_provider_options='pc.bootstrap=1'")
        steadily(other.grants, "the operator says that it is the cluster")
        steadily(both.grants, "it is asked")
        assert both.reason("alice") == "inactive"
