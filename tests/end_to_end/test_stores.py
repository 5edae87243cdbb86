"""The private servers do what the other tests take for granted: each one starts, answers its
own client, stops, and comes back."""

import socket
from contextlib import closing
from pathlib import Path

import pytest

from processes import LOOPBACK, eventually, listening
from stores.hostile import BEHAVIOURS, full_listener, listener, silent
from stores.mariadb import MariaDB
from stores.mariadb import PASSWORD as MARIADB_PASSWORD
from stores.memcached import Memcached
from stores.postgresql import PASSWORD, PostgreSQL, Standby
from stores.proxy import proxy
from stores.redis import Redis, Sentinel
from stores.server import ToolFailed, family

SERVERS = {
    "postgresql": PostgreSQL,
    "mariadb": MariaDB,
    "redis": Redis,
    "protected-redis": lambda directory: Redis(directory, protected=True),
    "memcached": Memcached,
    "memcached-on-a-socket": lambda directory: Memcached(directory, unix=True),
}


@pytest.mark.parametrize("name", SERVERS)
def test_server_starts_answers_and_stops(new_directory, name):
    with SERVERS[name](new_directory()) as server:
        for end in (server.stop, server.kill):
            assert server.ready()
            processes = family(server.process.pid)
            end()
            assert_gone(processes)
            assert not answers(server)
            server.start()
        server.freeze()
        server.thaw()
        assert server.ready()
        server.freeze()
        processes = family(server.process.pid)
    assert_gone(processes)


def answers(server) -> bool:
    try:
        return server.ready()
    except (OSError, ToolFailed):
        return False


def assert_gone(pids):
    eventually(lambda: not any(map(runs, pids)), f"{pids} are gone")


def runs(pid) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_postgresql_checks_passwords_and_certificates(postgresql):
    postgresql.create_database("checks")
    ask = lambda **how: postgresql.execute("SELECT 1", "checks", **how)
    assert ask(user="site") == "1"
    assert ask(user="hallpass", host=LOOPBACK, sslmode="disable") == "1"
    with pytest.raises(ToolFailed, match="password authentication failed"):
        ask(user="site", password="wrong")
    authority = postgresql.certificates.authority
    assert ask(host=LOOPBACK, sslmode="verify-full", ca=authority) == "1"
    with pytest.raises(ToolFailed, match="certificate"):
        ask(host=LOOPBACK, sslmode="verify-full", ca=postgresql.certificates.certificate)
    with pytest.raises(ToolFailed, match="permission denied"):
        postgresql.execute("CREATE TABLE t (i int)", "checks", user="hallpass")


def test_standby_follows_and_takes_over(new_directory):
    with PostgreSQL(new_directory()) as primary:
        primary.execute("CREATE TABLE t (i int); INSERT INTO t VALUES (1)")
        with Standby(new_directory(), primary) as standby:
            assert standby.is_read_only()
            primary.execute("INSERT INTO t VALUES (2)")
            eventually(standby.has_caught_up, "the standby has the row")
            assert standby.execute("SELECT count(*) FROM t", user="postgres") == "2"
            with pytest.raises(ToolFailed, match="read-only"):
                standby.execute("INSERT INTO t VALUES (3)")
            primary.kill()
            assert standby.execute("SELECT count(*) FROM t") == "2"
            standby.promote()
            standby.execute("INSERT INTO t VALUES (3)")


def test_mariadb_checks_passwords_and_certificates(mariadb):
    mariadb.create_database("checks")
    ask = lambda user, password=MARIADB_PASSWORD, *options: mariadb.execute(
        "SELECT 1", "checks", user, password, mariadb.port, list(options)
    )
    for user in ("site", "hallpass", "hallpass25519"):
        assert ask(user) == "1"
        with pytest.raises(ToolFailed, match="Access denied"):
            ask(user, "wrong")
    authority = f"--ssl-ca={mariadb.certificates.authority}"
    assert ask("hallpass", MARIADB_PASSWORD, authority, "--ssl-verify-server-cert") == "1"
    authority = f"--ssl-ca={mariadb.certificates.certificate}"
    with pytest.raises(ToolFailed, match="certificate"):
        ask("hallpass", MARIADB_PASSWORD, authority, "--ssl-verify-server-cert")
    with pytest.raises(ToolFailed, match="denied"):
        mariadb.execute("CREATE TABLE t (i int)", "checks", "hallpass", MARIADB_PASSWORD)


def test_redis_keeps_values_and_passwords(redis, new_directory):
    redis.execute("SET", "key", "value", "EX", "100", database=3)
    redis.write("key", b"\x00\xff other", database=3)
    assert redis.read("key", database=3) == b"\x00\xff other"
    assert 0 < int(redis.execute("TTL", "key", database=3)) <= 100
    with Redis(new_directory(), protected=True) as protected:
        command = ["redis-cli", "-e", "-s", protected.socket]
        as_reader = [*command, "--user", "hallpass", "--pass", PASSWORD, "--no-auth-warning"]
        assert protected.run([*as_reader, "GET", "key"]).strip() == b""
        with pytest.raises(ToolFailed, match="NOPERM"):
            protected.run([*as_reader, "SET", "key", "value"])
        with pytest.raises(ToolFailed, match="NOAUTH"):
            protected.run([*command, "GET", "key"])
        tls = ["redis-cli", "-e", "-h", LOOPBACK, "-p", str(protected.tls_port), "--tls"]
        tls += ["--cacert", protected.certificates.authority, "--pass", PASSWORD]
        assert b"PONG" in protected.run([*tls, "--no-auth-warning", "PING"])


def test_sentinel_names_another_primary(new_directory):
    with Redis(new_directory()) as first, Redis(new_directory(), replica_of=first.port) as second:
        with Sentinel(new_directory(), first) as sentinel:
            assert sentinel.master_port() == first.port
            eventually(lambda: sentinel.replicas() == 1, "the sentinel knows the replica")
            first.execute("SET", "key", "value")
            eventually(lambda: second.read("key") == b"value", "the replica has it")
            first.kill()
            eventually(lambda: sentinel.master_port() == second.port, "the replica takes over")
            assert second.read("key") == b"value"


@pytest.mark.parametrize("name", ["memcached", "memcached_on_a_socket"])
def test_memcached_keeps_bytes_and_flags(request, name):
    server = request.getfixturevalue(name)
    server.write("key", 16, b"\r\nEND\r\n")
    assert server.read("key") == (16, b"\r\nEND\r\n")


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.__name__)
def test_hostile_listener(behaviour):
    with listener(behaviour) as port:
        with closing(socket.create_connection((LOOPBACK, port))) as client:
            client.settimeout(0.5)
            client.sendall(b"hello\r\n")
            try:
                answer = client.recv(100)
            except TimeoutError:
                answer = None
            except ConnectionResetError:
                answer = b""
            assert (answer is None) == (behaviour is silent)
    assert not listening(port)


def test_full_listener():
    with full_listener() as port:
        with pytest.raises(TimeoutError):
            socket.create_connection((LOOPBACK, port), timeout=0.5)


def test_proxy_cuts_and_freezes(memcached):
    with proxy(memcached.port) as between:
        with closing(socket.create_connection((LOOPBACK, between.port))) as client:
            client.settimeout(20)

            def ask():
                client.sendall(b"version\r\n")
                return client.recv(100)

            assert ask().startswith(b"VERSION ")
            between.freeze()
            client.settimeout(0.5)
            with pytest.raises(TimeoutError):
                ask()
            between.thaw()
            assert client.recv(100).startswith(b"VERSION ")
            between.cut()
            assert client.recv(100) == b""
        between.answer_limit = 3
        for between.at_limit in ("cut", "wait"):
            with closing(socket.create_connection((LOOPBACK, between.port))) as client:
                client.settimeout(20)
                client.sendall(b"version\r\n")
                assert client.recv(100) == b"VER"
                if between.at_limit == "cut":
                    assert client.recv(100) == b""
                else:
                    client.settimeout(0.5)
                    with pytest.raises(TimeoutError):
                        client.recv(100)
        between.refuse()
        with closing(socket.create_connection((LOOPBACK, between.port))) as client:
            client.settimeout(20)
            assert client.recv(100) == b""
