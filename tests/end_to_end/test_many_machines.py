"""Three daemons as on three machines: wrong passwords are counted together in one Redis, and by each
alone while it is away, hung, full or a replica, without anybody waiting for it; tickets of one are good
at the others."""

import json
import re
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd
from hosts.extauth import NO, YES, helper
from hosts.fixtures import site_with_accounts
from processes import LOOPBACK, eventually, free_port
from stores.redis import PASSWORD, Cluster, Redis, Sentinel

PAGE = Path(__file__).parents[2] / "docs/many-machines.md"
MACHINES = 3
FAILURES = 6
# The share of `deadline` that a question may wait for the shared count, and what else it takes.
DEADLINE = 4.0
SHARE = DEADLINE / 10
TICKETS = {"key": "0123456789abcdef0123456789abcdef"}


class Machines:
    """Daemons of one site that share a count."""

    def __init__(self, daemons: list, configs: list):
        self.daemons, self.configs = daemons, configs
        self.asked = 0
        self.slowest = 0.0

    def reason(self, user: str, password: str, machine: int | None = None, **more) -> str:
        """`granted`, or the reason why not, of one machine after the other."""
        number = self.asked % len(self.daemons) if machine is None else machine
        self.asked += machine is None
        begun = time.monotonic()
        answer = self.daemons[number].check(user, password, **more)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        return "granted" if answer.status == 200 else json.loads(answer.body)["reason"]

    def guess(self, user: str, times: int, **more) -> list[str]:
        return [self.reason(user, f"guess {number}", **more) for number in range(times)]

    def shares(self) -> list[str]:
        """What each says of it in its metrics."""
        lines = [
            [
                line.rpartition(" ")[2]
                for line in daemon.ask("/metrics").body.decode().splitlines()
                if line.startswith("hallpass_limits_shared{")
            ]
            for daemon in self.daemons
        ]
        return sum(lines, [])

    def all_share(self) -> bool:
        return self.shares() == ["1"] * len(self.daemons)

    def none_shares(self) -> bool:
        return self.shares() == ["0"] * len(self.daemons)


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture
def machines(site, new_directory, hallpass_programs):
    """Starts daemons that share a count at `url`."""
    with ExitStack() as stack:

        def start(url, tickets=TICKETS, many=MACHINES, **limits) -> Machines:
            daemons, configs = [], []
            for _ in range(many):
                socket = new_directory() / "http.sock"
                config = site.write_configuration(
                    f"{socket.parent.name}.toml",
                    limits={"failures": FAILURES, "shared": url} | limits,
                    daemon={
                        "listen": [f"unix:{socket}"],
                        "accept": ["session", "password", "ticket"],
                    },
                    **{"tickets": tickets} if tickets else {},
                )
                running = hallpassd(hallpass_programs["hallpassd"], config, socket)
                daemons.append(stack.enter_context(running))
                configs.append(config)
            return Machines(daemons, configs)

        yield start


@pytest.fixture(scope="module")
def redis(new_directory):
    with Redis(new_directory()) as running:
        yield running


@pytest.fixture
def empty(redis):
    redis.execute("FLUSHALL")
    return redis


def test_a_guesser_spread_over_machines_is_throttled_as_by_one(empty, machines):
    three = machines(empty.url())
    eventually(three.all_share, "all count together")
    # For the name as typed, whether it means an account or not.
    for name in ("alice", "nobody"):
        guesses = three.guess(name, FAILURES + 3)
        reason = "wrong-password" if name == "alice" else "unknown-user"
        assert guesses == [reason] * FAILURES + ["throttled"] * 3, name
    assert three.guess("alice", 3) == ["throttled"] * 3
    assert three.reason("alice", PASSWORDS["alice"]) == "throttled"
    assert three.reason("bob", PASSWORDS["bob"]) == "granted"
    # For the address, whatever the name.
    names = [f"somebody{number}" for number in range(FAILURES + 3)]
    reasons = [three.reason(name, "guess", client="192.0.2.9") for name in names]
    assert reasons == ["unknown-user"] * FAILURES + ["throttled"] * 3
    assert three.reason("bob", PASSWORDS["bob"], client="192.0.2.9") == "throttled"
    # A client that has logged in at one machine is known at all, and has one budget at all.
    at_home = {"client": "198.51.100.1"}
    assert three.reason("bob", PASSWORDS["bob"], **at_home) == "granted"
    for number in range(FAILURES):
        assert three.reason("bob", "guess", client=f"203.0.113.{number}") == "wrong-password"
    for number in range(MACHINES):
        assert three.reason("bob", PASSWORDS["bob"], number, **at_home) == "granted"
        assert three.reason("bob", PASSWORDS["bob"], number, client="192.0.2.77") == "throttled"
    assert three.guess("bob", 5, **at_home) == ["wrong-password"] * 3 + ["throttled"] * 2
    # No name, address or password is told to the server, and nothing stays there for ever.
    keys = empty.execute("KEYS", "*").decode().split()
    assert len({key.rpartition(":")[0] for key in keys}) == 1, keys
    assert all(key.startswith("hallpass:{") for key in keys), keys
    for key in keys:
        assert 0 < int(empty.execute("PTTL", key)) <= 7 * 24 * 3600 * 1000, key
        assert empty.execute("TYPE", key) == b"string"
    for word in ("alice", "bob", "192.0.2", "198.51"):
        assert word not in " ".join(keys)


def test_spellings_of_an_account_are_one_account_everywhere(empty, machines, site):
    three = machines(empty.url(), tickets=None, many=1)
    other = machines(empty.url(), tickets=None, many=1)
    both = Machines(three.daemons + other.daemons, [])
    eventually(both.all_share, "both count together")
    assert both.guess("alice", FAILURES) == ["wrong-password"] * FAILURES
    # Another key of tickets is another site's count.
    apart = machines(empty.url(), many=1)
    assert apart.reason("alice", PASSWORDS["alice"]) == "granted"


def test_a_server_that_dies_keeps_nobody_waiting_and_is_used_again(redis, machines, empty):
    three = machines(redis.url())
    eventually(three.all_share, "all count together")
    assert three.guess("alice", FAILURES) == ["wrong-password"] * FAILURES
    assert three.guess("alice", MACHINES) == ["throttled"] * MACHINES
    redis.kill()
    try:
        three.slowest = 0.0
        # What a machine has heard stays.
        assert three.guess("alice", MACHINES) == ["throttled"] * MACHINES
        # Each counts by itself: so many for each of them, and no more.
        guesses = three.guess("nobody", (FAILURES + 2) * MACHINES)
        assert guesses.count("unknown-user") == FAILURES * MACHINES
        assert guesses[-2 * MACHINES :] == ["throttled"] * 2 * MACHINES
        assert three.reason("bob", PASSWORDS["bob"]) == "granted"
        assert three.slowest < 1.5, three.slowest
        eventually(three.none_shares, "none counts together")
        # What was counted meanwhile is told when the server is back.
        assert three.guess("carol", 2, machine=0)[1] in ("wrong-password", "unknown-user")
    finally:
        redis.start()
    eventually(three.all_share, "all count together again")
    assert three.reason("nobody", "guess") == "throttled"
    guesses = [three.reason("carol", "guess", 1 + number % 2) for number in range(FAILURES)]
    assert guesses[FAILURES - 2 :] == ["throttled"] * 2, guesses
    assert "throttled" not in guesses[: FAILURES - 2], guesses
    # Once each. They write into one file.
    log = three.daemons[0].log()
    assert log.count("until it answers, this machine counts wrong passwords by itself") == MACHINES
    assert log.count("it answers again; wrong passwords are counted together") == MACHINES


def test_a_hung_server_takes_no_more_than_its_share(redis, machines, empty):
    three = machines(redis.url())
    eventually(three.all_share, "all count together")
    redis.freeze()
    try:
        for machine in range(MACHINES):
            three.slowest = 0.0
            assert three.reason("bob", PASSWORDS["bob"], machine) == "granted"
            # A check of this machine's own takes less than the rest.
            assert three.slowest < SHARE + 0.6, three.slowest
            three.slowest = 0.0
            assert three.guess("bob", FAILURES, machine=machine) == ["wrong-password"] * FAILURES
            assert three.guess("bob", 1, machine=machine) == ["throttled"]
            assert three.slowest < 0.6, three.slowest
        assert three.none_shares()
    finally:
        redis.thaw()
    eventually(three.all_share, "all count together again")
    assert three.guess("bob", MACHINES) == ["throttled"] * MACHINES


def test_a_server_that_cannot_count_lets_nobody_in(new_directory, machines, redis):
    """A replica, one that is full, one that wants a password, one that forbids it, something else, and
    keys of another type."""
    with Redis(new_directory(), protected=True) as protected:
        port, url = protected.port, protected.url()
        wrong = [
            (f"redis://:no@{LOOPBACK}:{port}", "WRONGPASS"),
            (f"redis://{LOOPBACK}:{port}", "NOAUTH"),
            (protected.url(user="hallpass"), "+eval"),
            (f"redis://{LOOPBACK}:{free_port()}", "cannot connect"),
        ]
        for place, word in wrong:
            one = machines(place, tickets=None, many=1)
            assert one.guess("alice", FAILURES) == ["wrong-password"] * FAILURES
            assert one.reason("alice", PASSWORDS["alice"]) == "throttled"
            assert one.reason("bob", PASSWORDS["bob"]) == "granted"
            assert one.none_shares()
            assert word in one.daemons[0].log(), word
        good = machines(url, tickets=None, many=1)
        eventually(good.all_share, "it counts with a password")
        # With the rights that docs/many-machines.md names, and no others.
        rights = re.search(r"ACL SETUSER hallpass on >PASSWORD ([^`]*)`", PAGE.read_text())[1]
        protected.execute("ACL", "SETUSER", "counter", "on", f">{PASSWORD}", *rights.split())
        limited = machines(protected.url(user="counter", database=1), tickets=None, many=1)
        eventually(limited.all_share, "it counts with these rights")
        assert limited.guess("alice", FAILURES + 1)[FAILURES:] == ["throttled"]
        assert limited.all_share()
        protected.execute("CONFIG", "SET", "maxmemory", "1")
        assert good.guess("alice", FAILURES) == ["wrong-password"] * FAILURES
        assert good.reason("alice", PASSWORDS["alice"]) == "throttled"
        eventually(good.none_shares, "it is full")
        assert "its memory is full" in good.daemons[0].log()
        protected.execute("CONFIG", "SET", "maxmemory", "0")
        eventually(good.all_share, "it counts again")
        # A key that is taken counts here alone.
        for key in protected.execute("KEYS", "hallpass:*").decode().split():
            protected.execute("DEL", key)
            protected.execute("LPUSH", key, "x")
        assert good.guess("alice", 1) == ["throttled"]
        assert good.reason("bob", PASSWORDS["bob"]) == "granted"
        assert good.all_share()
    redis.execute("FLUSHALL")
    with Redis(new_directory(), replica_of=redis.port) as replica:
        synced = lambda: b"master_link_status:up" in replica.execute("INFO", "replication")
        eventually(synced, "the replica follows")
        one = machines(replica.url(), many=1)
        assert one.guess("alice", FAILURES + 1)[FAILURES:] == ["throttled"]
        assert "it is a replica" in one.daemons[0].log()
        # Where both are named, the one that counts does.
        both = machines(f"{replica.url()},{redis.url()}", many=2)
        eventually(both.all_share, "the primary counts")
        assert both.guess("bob", FAILURES + 1)[FAILURES:] == ["throttled"]


def test_the_master_that_sentinels_name_counts(new_directory, machines):
    with ExitStack() as stack:
        first = stack.enter_context(Redis(new_directory()))
        second = stack.enter_context(Redis(new_directory(), replica_of=first.port))
        sentinel = stack.enter_context(Sentinel(new_directory(), first))
        eventually(lambda: sentinel.replicas() == 1, "the sentinel knows the replica")
        two = machines(f"redis+sentinel://{LOOPBACK}:{sentinel.port}/{Sentinel.NAME}", many=2)
        eventually(two.all_share, "both count together")
        assert two.guess("alice", FAILURES) == ["wrong-password"] * FAILURES
        assert two.guess("alice", 2) == ["throttled"] * 2
        first.kill()
        assert two.guess("alice", 2) == ["throttled"] * 2
        eventually(lambda: sentinel.master_port() == second.port, "the replica is promoted")
        eventually(two.all_share, "both count together at the new master")
        assert two.guess("bob", FAILURES + 2) == ["wrong-password"] * FAILURES + ["throttled"] * 2


def test_a_cluster_counts_and_tls_is_spoken(new_directory, machines):
    with Cluster(new_directory) as cluster:
        two = machines(cluster.nodes[0].url(), many=1)
        other = machines(cluster.nodes[2].url(), many=1)
        both = Machines(two.daemons + other.daemons, [])
        eventually(both.all_share, "both count together")
        assert both.guess("alice", FAILURES + 2) == ["wrong-password"] * FAILURES + ["throttled"] * 2
        keys = [key for node in cluster.nodes for key in node.execute("KEYS", "*").split()]
        assert keys
    with Redis(new_directory(), protected=True) as redis:
        table = {
            "url": f"rediss://{LOOPBACK}:{redis.tls_port}/3",
            "password": PASSWORD,
            "ca": str(redis.certificates.authority),
        }
        two = machines(table, many=2)
        eventually(two.all_share, "both count together by TLS")
        assert two.guess("alice", FAILURES + 1)[FAILURES:] == ["throttled"]
        assert redis.execute("DBSIZE", database=3) != b"0"


def test_a_helper_shares_the_count_of_daemons(empty, site, machines, hallpass_programs):
    two = machines(empty.url(), many=2)
    eventually(two.all_share, "both count together")
    assert two.guess("alice", FAILURES - 1) == ["wrong-password"] * (FAILURES - 1)
    log = two.configs[0].with_suffix(".log")
    with helper(hallpass_programs["hallpass-ejabberd"], two.configs[0], log) as ejabberd:
        assert ejabberd.auth("bob", PASSWORDS["bob"]) == YES
        assert ejabberd.auth("alice", "guess") == NO
        assert ejabberd.auth("alice", PASSWORDS["alice"]) == NO
    assert two.guess("alice", 2) == ["throttled"] * 2


def test_a_reload_keeps_the_count(empty, machines):
    two = machines(empty.url(), many=2)
    eventually(two.all_share, "both count together")
    assert two.guess("alice", FAILURES) == ["wrong-password"] * FAILURES
    for daemon in two.daemons:
        daemon.process.send_signal(1)
        eventually(lambda d=daemon: "reloaded the configuration" in d.log(), "it is read again")
    assert two.guess("alice", 2) == ["throttled"] * 2
    eventually(two.all_share, "both count together again")
    assert two.guess("bob", FAILURES + 1)[FAILURES:] == ["throttled"]


def test_tickets_of_one_machine_are_good_at_all(empty, site, machines):
    three = machines(empty.url())
    token = site.login("alice", PASSWORDS["alice"]).token
    cookie = {"Cookie": f"sessionid={token}"}
    for giver in three.daemons:
        given = giver.ask("/ticket", cookie, method="POST")
        assert given.status == 200, given.body
        ticket = json.loads(given.body)["ticket"]
        for taker in three.daemons:
            answer = taker.ask("/auth", {"Authorization": f"Bearer {ticket}"})
            assert (answer.status, answer.headers["Remote-User"]) == (200, "alice")
    # Another key is another's.
    stranger = machines(empty.url(), tickets={"key": "f" * 32}, many=1).daemons[0]
    assert stranger.ask("/auth", {"Authorization": f"Bearer {ticket}"}).status == 401
