"""Guesses at passwords: what they are counted for, and that they keep nobody else waiting."""

import itertools
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd
from hosts.fixtures import site_with_accounts
from processes import eventually
from programs import run

# Ways to write a name that NFKC folds (UAX #15); the site takes them for `alice`.
FOLDED = ["alice", "ａlice", "ⓐlice", "𝐚lice", "𝗮lice", "alⅰce", "aliⅽe"]
# What utf8mb4_general_ci, with PAD SPACE, takes for `alice` (MariaDB's knowledge base, collations).
COLLATED = ["alice", "alice ", "alice  ", "àlice", "álice", "alicé", "ALICE", "Älice "]


class Doors:
    """A daemon, asked without and with a client's address."""

    def __init__(self, program, config, socket):
        self.program, self.config, self.socket = program, config, socket

    def __enter__(self) -> "Doors":
        self.running = hallpassd(self.program, self.config, self.socket)
        self.daemon = self.running.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self.running.__exit__(*error)

    def reason(self, user: str, password: str, client: str | None = None) -> str:
        """`granted`, or the reason why not."""
        more = {"client": client} if client else {}
        answer = self.daemon.check(user, password, **more)
        return "granted" if answer.status == 200 else json.loads(answer.body)["reason"]


@pytest.fixture
def open_doors(directory, hallpass_programs):
    """Runs a daemon for a site, with more tables in its configuration."""

    def open_doors(site, **tables) -> Doors:
        socket = directory / "http.sock"
        listen = {"listen": [f"unix:{socket}"]}
        tables = {"limits": {"failures": 5}} | tables
        tables["daemon"] = listen | tables.get("daemon", {})
        config = site.write_configuration(f"{directory.name}.toml", **tables)
        return Doors(hallpass_programs["hallpassd"], config, socket)

    return open_doors


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.mark.parametrize(
    "tables, spellings",
    [
        ({"django": {"normalize": "nfkc"}}, FOLDED),
        ({"access": {"ignore_case": True}}, ["alice", "Alice", "aLice", "ALICE", "alicE", "AlicE"]),
        (
            {"access": {"login": ["username", "email"], "ignore_case": True}},
            ["alice", "alice@example.org", "Alice@example.org", "ALICE", "alice@EXAMPLE.org"],
        ),
    ],
    ids=["nfkc", "ignore_case", "email"],
)
def test_spellings_share_one_count(site, open_doors, tables, spellings):
    with open_doors(site, **tables) as doors:
        guesses = [
            doors.reason(name, f"guess {number}")
            for number, name in zip(range(12), itertools.cycle(spellings))
        ]
        assert guesses == ["wrong-password"] * 5 + ["throttled"] * 7
        for name in spellings:
            assert doors.reason(name, PASSWORDS["alice"]) == "throttled", name
        assert doors.reason("bob", PASSWORDS["bob"]) == "granted"


def test_what_mariadb_takes_for_equal_shares_one_count(mariadb, new_site, open_doors):
    site = new_site(server=mariadb)
    site.make_accounts({"username": "alice", "password": "right"})
    site.make_accounts({"username": "bob", "password": "right"})
    for name in COLLATED:
        assert site.ask("authenticate", name, "right") == "alice", name
    with open_doors(site) as doors:
        guesses = [doors.reason(name, f"guess {name}") for name in COLLATED]
        assert guesses == ["wrong-password"] * 5 + ["throttled"] * 3
        for name in COLLATED:
            assert doors.reason(name, "right") == "throttled", name
        assert doors.reason("bob", "right") == "granted"


def test_a_lockout_does_not_say_who_has_an_account(site, open_doors):
    """The same names in the same order, for an account and for nobody's name, at a host that is told
    yes or no. What is told by its time is for crates/core/tests/guesses.rs."""
    with open_doors(site, django={"normalize": "nfkc"}) as doors:
        for name in ("alice", "malice"):
            names = [name, name.replace("a", "ａ"), name.upper(), name]
            statuses = [doors.daemon.check(each, "wrong").status for each in names * 5]
            assert statuses == [401] * 20, name


def test_the_owner_is_not_locked_out_where_they_have_logged_in(site, open_doors):
    home, elsewhere = "192.0.2.1", "192.0.2.2"
    right = PASSWORDS["alice"]
    with open_doors(site) as doors:
        assert doors.reason("alice", right, home) == "granted"
        for number in range(5):
            guess = doors.reason("alice", f"guess {number}", f"198.51.100.{number}")
            assert guess == "wrong-password"
        assert doors.reason("alice", "a guess", elsewhere) == "throttled"
        assert doors.reason("alice", right, elsewhere) == "throttled"
        assert doors.reason("alice", right) == "throttled"
        for _ in range(8):
            assert doors.reason("alice", right, home) == "granted"
        # They may err, and not for ever.
        for number in range(3):
            assert doors.reason("alice", f"error {number}", home) == "wrong-password"
        assert doors.reason("alice", right, home) == "throttled"
        # Guesses at others count for the address, but not for whoever has logged in there.
        other = "192.0.2.3"
        assert doors.reason("bob", PASSWORDS["bob"], other) == "granted"
        for number in range(5):
            assert doors.reason(f"name {number}", "guess", other) == "unknown-user"
        assert doors.reason("bob", PASSWORDS["bob"], other) == "granted"
        assert doors.reason("alice", right, other) == "throttled"


def test_the_owners_logins_give_no_more_guesses(site, open_doors):
    with open_doors(site) as doors:
        guesses = []
        for number in range(20):
            # By the cache of verified passwords, but for the first.
            doors.reason("alice", PASSWORDS["alice"], "192.0.2.1")
            guesses.append(doors.reason("alice", f"guess {number}", f"198.51.100.{number}"))
        assert guesses == ["wrong-password"] * 5 + ["throttled"] * 15


@pytest.mark.parametrize("failures, addresses", [(0, 1), (10, 1), (10, 20), (10, None)])
def test_a_burst_keeps_nobody_else_out(site, open_doors, failures, addresses):
    """More checks than can be done within the deadline, by one thread, and a few of others'.
    From so many addresses, or each guess from a new one."""
    owners = 4 if addresses else 1
    names = [f"owner{failures}-{addresses}-{number}" for number in range(owners)]
    # Each with a salt of its own: what is equal is computed once.
    encoded = dict.fromkeys(names)
    for name in names:
        code = "echo password_hash('slow', PASSWORD_BCRYPT, ['cost' => 10]);"
        made = run(["/usr/bin/php8.2", "-r", code]).text
        encoded[name] = "bcrypt$" + made.replace("$2y$", "$2b$")
    site.make_accounts(*({"username": name, "encoded": it} for name, it in encoded.items()))
    tables = {
        "limits": {"failures": failures, "deadline": "8s"},
        "passwords": {"dummy": encoded[names[0]]},
        "daemon": {"threads": 1},
    }
    with open_doors(site, **tables) as doors, ThreadPoolExecutor(220) as pool:
        # Each for itself.
        assert doors.reason(names[0], "slow", "192.0.2.1") == "granted"
        doors.daemon.ask("/cache/flush", method="POST")
        stop = threading.Event()

        def guess(number: int) -> list[str]:
            said = []
            while not stop.is_set():
                guess = f"guess {number}-{len(said)}"
                fresh = f"10.{number}.{len(said) // 250}.{len(said) % 250}"
                client = f"198.51.100.{number % addresses}" if addresses else fresh
                said.append(doors.reason(f"name{number}", guess, client))
                if said[-1] == "throttled":
                    stop.wait(0.2)
            return said

        def have_guessed() -> int:
            wrong = re.findall(r"reason=unknown-user .* client=(\S+)", doors.daemon.log())
            return len(set(wrong))

        def guess_from_elsewhere(number: int) -> str:
            return doors.reason(f"victim{number}", "guess", f"203.0.113.{number}")

        guesses = [pool.submit(guess, number) for number in range(200)]
        try:
            eventually(lambda: have_guessed() >= (addresses or 20), "each has guessed")
            others = [pool.submit(guess_from_elsewhere, number) for number in range(3)]
            # One who has logged in here before, and those who have not: they are told from guessers
            # by what came from their address, where that says anything.
            for number, name in enumerate(names):
                assert doors.reason(name, "slow", f"192.0.2.{number + 1}") == "granted"
            assert {other.result() for other in others} <= {"unknown-user", "unavailable"}
        finally:
            stop.set()
        said = {reason for guess in guesses for reason in guess.result()}
        assert said <= {"unknown-user", "throttled", "unavailable"}


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_sessions_wait_for_no_name(request, new_site, open_doors, database):
    """Names are looked for in the whole table where case counts for nothing. Sessions in SQLite are
    answered at once, others by a thread that looks for no names."""
    site = new_site(server=None if database == "sqlite" else request.getfixturevalue(database))
    site.make_accounts({"username": "alice", "password": "right", "email": "a@example.org"})
    site.shell(
        "User.objects.bulk_create((User(username=f'user{number}', password='!',"
        " email=f'user{number}@example.org') for number in range(100_000)), batch_size=900)"
    )
    login = site.ask("sign", site.ask("login_keys", "alice"))
    cookie = "sessionid=" + site.ask("put_session", login)
    access = {"ignore_case": True, "login": ["username", "email"]}
    limits = {"failures": 0, "deadline": "30s"}
    with open_doors(site, access=access, limits=limits) as doors, ThreadPoolExecutor(12) as pool:
        stop = threading.Event()

        def guess(number: int) -> None:
            for attempt in itertools.count():
                if stop.is_set():
                    return
                client = f"198.51.{number}.{attempt % 250}"
                doors.reason(f"nobody {number} {attempt}", "guess", client)

        guesses = [pool.submit(guess, number) for number in range(12)]
        try:
            eventually(lambda: "unknown-user" in doors.daemon.log(), "names are looked for")
            for _ in range(10):
                assert doors.daemon.ask("/auth", {"Cookie": cookie}).status == 200
            lines = doors.daemon.log().splitlines()
        finally:
            stop.set()
        for future in guesses:
            future.result()

    def median(word: str) -> float:
        times = [line.split(" ms=")[1].split()[0] for line in lines if word in line]
        return sorted(map(float, times))[len(times) // 2]

    # Names wait for each other; a session waits for one that is being looked for at most.
    assert median("verdict=granted") < median("reason=unknown-user") / 4
