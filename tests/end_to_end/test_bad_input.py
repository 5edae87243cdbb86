"""What hosts should never send, sent to each program directly."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from hosts import web
from hosts.accounts import ACCOUNTS, PASSWORDS
from hosts.extauth import FAILED, NO, YES, frame, helper
from hosts.nginx import hallpassd
from hosts.process_tree import processor_time
from hosts.web import basic, request
from processes import LOOPBACK, eventually, free_port
from programs import HANGS, run

DOMAIN = "chat.example.org"
SLOW = 8_000_000  # iterations: half a second or more, below `max_iterations`

ODD_ACCOUNTS = [
    {"username": "colon", "password": ":"},
    {"username": "colons", "password": ":::"},
    {"username": "newline", "password": "two\nlines"},
    {"username": "back\\slash", "password": "an escape"},
    {"username": "evil\r\nX-Injected: yes", "password": "x"},
    {
        "username": "odd",
        "password": "odd",
        "email": "a@b\r\nX-Injected: yes",
        "first_name": "Zoë\n",
        "last_name": "Ünïcode, jr.",
        "groups": ["a,b", "größe", "line\nend", 'q"uote', "two words"],
    },
]
ALL_PASSWORDS = PASSWORDS | {each["username"]: each["password"] for each in ODD_ACCOUNTS}


@pytest.fixture(scope="module")
def site(new_site):
    site = new_site()
    site.make_accounts(*ACCOUNTS, *ODD_ACCOUNTS)
    return site


@pytest.fixture
def own_site(new_site):
    """A site for one test that changes it."""
    site = new_site()
    site.make_accounts(*ACCOUNTS, *ODD_ACCOUNTS)
    return site


def give_hash(site, user: str, iterations: int) -> None:
    """A hash of the password "slow" with so many iterations."""
    encoded = site.ask("make_password", "slow", "pbkdf2_sha256", iterations=iterations)
    site.ask("update", user, password=encoded)


@contextmanager
def locked(database):
    """Holds a lock on a SQLite file that keeps readers out."""
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        connection.close()


def spoiled(database, how: str) -> None:
    """Puts something in the place of a database."""
    database.unlink()
    if how == "directory":
        database.mkdir()
    elif how == "not a database":
        database.write_bytes(b"<html>" * 1000)
    elif how == "empty":
        database.touch()
    elif how == "truncated":
        database.write_bytes(b"SQLite format 3\0" + bytes(50))


# hallpass-ejabberd


@pytest.fixture(scope="module")
def ejabberd_config(site):
    return site.write_configuration(
        "ejabberd.toml", ejabberd={"domains": [DOMAIN]}, limits={"failures": 0}
    )


@pytest.fixture
def extauth(hallpass_programs, ejabberd_config, tmp_path):
    """A running hallpass-ejabberd."""
    with helper(
        hallpass_programs["hallpass-ejabberd"], ejabberd_config, tmp_path / "log"
    ) as running:
        yield running


@pytest.fixture
def start_extauth(hallpass_programs, tmp_path):
    """Starts a hallpass-ejabberd with a configuration of one's own."""

    def start(config, **options):
        return helper(hallpass_programs["hallpass-ejabberd"], config, tmp_path / "log", **options)

    return start


GOOD = f"auth:alice:{DOMAIN}:{PASSWORDS['alice']}".encode()
WRONG = f"auth:alice:{DOMAIN}:wrong".encode()


def test_frame_in_single_bytes(extauth):
    for message, answer in ((GOOD, YES), (WRONG, NO), (f"isuser:alice:{DOMAIN}".encode(), YES)):
        for byte in frame(message):
            extauth.write(bytes([byte]))
        assert extauth.read(4) == answer
    assert extauth.rest() == b""


def test_requests_in_one_write_are_answered_in_order(extauth):
    order = [YES, NO, NO, YES, NO, YES, YES, NO] * 20
    extauth.write(b"".join(frame(GOOD if answer == YES else WRONG) for answer in order))
    assert extauth.read(4 * len(order)) == b"".join(order)
    assert extauth.rest() == b""


def test_largest_frame(extauth):
    largest = f"auth:alice:{DOMAIN}:".encode().ljust(65535, b"x")
    assert extauth.ask(largest) == NO
    assert extauth.ask(b"isuser:".ljust(65535, b"y")) == NO
    assert extauth.ask(b"\xff" * 65535) == NO
    assert extauth.ask(b":" * 65535) == NO
    assert extauth.ask(GOOD) == YES


@pytest.mark.parametrize(
    "message",
    [
        "",
        ":",
        "::::",
        "\n",
        "auth",
        "auth:",
        "auth:alice",
        f"auth:alice:{DOMAIN}",
        f"auth::{DOMAIN}:{PASSWORDS['alice']}",
        f"auth:alice::{PASSWORDS['alice']}",
        f"auth:alice:other.example:{PASSWORDS['alice']}",
        f"auth:alice:{DOMAIN}.evil.example:{PASSWORDS['alice']}",
        f"auth:alice@{DOMAIN}:{DOMAIN}:{PASSWORDS['alice']}",
        f"auth:alice:{DOMAIN}:{PASSWORDS['alice']}\n",
        f"auth:alice:{DOMAIN}:{PASSWORDS['alice']}\0",
        f"auth:alice\0:{DOMAIN}:{PASSWORDS['alice']}",
        f"auth:alice\n:{DOMAIN}:{PASSWORDS['alice']}",
        f"auth:alice\r:{DOMAIN}:{PASSWORDS['alice']}",
        f"auth: alice:{DOMAIN}:{PASSWORDS['alice']}",
        f"auth:alice :{DOMAIN}:{PASSWORDS['alice']}",
        f"auth:alice%:{DOMAIN}:{PASSWORDS['alice']}",
        f"auth:{'a' * 10_000}:{DOMAIN}:x",
        f"auth:alice:{DOMAIN}:{'p' * 50_000}",
        f"auth :alice:{DOMAIN}:{PASSWORDS['alice']}",
        f" auth:alice:{DOMAIN}:{PASSWORDS['alice']}",
        f"AUTH:alice:{DOMAIN}:{PASSWORDS['alice']}",
        f"auth\0:alice:{DOMAIN}:{PASSWORDS['alice']}",
        f"authenticate:alice:{DOMAIN}:{PASSWORDS['alice']}",
        f"certauth:alice:{DOMAIN}:{PASSWORDS['alice']}",
        "isuser",
        "isuser:",
        "isuser:alice",
        "isuser:alice:",
        f"isuser::{DOMAIN}",
        f"isuser:nobody:{DOMAIN}",
        "isuser:alice:other.example",
        f"isuser:alice:{DOMAIN}:extra",
        f"setpass:alice:{DOMAIN}:changed",
        f"tryregister:newcomer:{DOMAIN}:x",
        f"removeuser:alice:{DOMAIN}",
        f"removeuser3:alice:{DOMAIN}:{PASSWORDS['alice']}",
        b"\xff\xfe\xfd",
        b"\0\0\0\0",
        b"auth:\xff\xfe:chat.example.org:x",
        b"auth:alice:chat.example.org:\xff\xfe",
        b"auth:zo\xeb:chat.example.org:" + PASSWORDS["zoë"].encode(),
        b"auth:alice:\xff:x",
        b"isuser:al\xc3:chat.example.org",
        b"\x80\x02\0\1",
    ],
    ids=lambda message: repr(message)[:40],
)
def test_no_is_the_answer_to_nonsense(extauth, site, message):
    assert extauth.ask(message) == NO
    # It has harmed nothing: neither the protocol, nor the account.
    assert extauth.ask(GOOD) == YES
    assert extauth.rest() == b""
    assert site.ask("authenticate", "alice", PASSWORDS["alice"]) == "alice"


@pytest.mark.parametrize("user", ["colon", "colons", "colin", "carol", "newline", "zoë", "blank"])
def test_password_is_all_that_follows_the_third_colon(extauth, user):
    password = ALL_PASSWORDS[user]
    assert extauth.auth(user, password) == YES
    for other in (password + ":", ":" + password, password[:-1], password.strip(": "), ""):
        if other != password:
            assert extauth.auth(user, other) == NO, other


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (r"joe\40example.org", YES),
        (r"zoe\20smith", YES),
        (r"back\5cslash", YES),
        ("back\\slash", YES),
        ("joe@example.org", YES),
        (r"joe\5c40example.org", NO),
        (r"joe\4example.org", NO),
        (r"joe\40", NO),
        ("joe\\", NO),
        (r"\20joe\40example.org", NO),
        (r"joe\\40example.org", NO),
        (r"joe\00example.org", NO),
    ],
)
def test_escapes_in_names(extauth, typed, answer):
    password = {"b": "an escape", "z": "a blank"}.get(typed[0], "an address")
    assert extauth.auth(typed, password) == answer
    assert extauth.ask(f"isuser:{typed}:{DOMAIN}") == answer


@pytest.mark.parametrize(
    "left", [b"", b"\0", frame(GOOD)[:-1], frame(GOOD)[:3], b"\xff\xff" + GOOD]
)
def test_end_of_input_within_a_frame_is_answered_by_nothing(extauth, left):
    assert extauth.ask(GOOD) == YES
    extauth.write(left)
    assert extauth.rest() == b""
    assert extauth.process.returncode == 0


def test_answer_in_progress_at_the_end_of_input(extauth):
    extauth.write(frame(GOOD) + frame(WRONG) + b"\0")
    assert extauth.rest() == YES + NO


def test_output_that_is_closed_ends_it(extauth):
    extauth.process.stdout.close()
    extauth.write(frame(GOOD))
    extauth.process.wait(HANGS)
    extauth.process.stdout = None


@pytest.mark.parametrize("descriptor", [2, 1, 0])
def test_descriptor_closed_from_the_start(start_extauth, ejabberd_config, descriptor):
    with start_extauth(ejabberd_config, preexec_fn=lambda: os.close(descriptor)) as extauth:
        if descriptor == 2:
            assert extauth.ask(GOOD) == YES
            assert extauth.ask(WRONG) == NO
            assert extauth.rest() == b""
        else:
            with pytest.raises(BrokenPipeError) if descriptor == 0 else ExitStack():
                eventually(lambda: extauth.write(frame(GOOD)) or descriptor == 1, "noticed")
            if descriptor == 1:
                assert extauth.rest() == b""
            extauth.process.wait(HANGS)


def test_sigterm_lets_the_answer_in_progress_out(start_extauth, own_site):
    give_hash(own_site, "alice", SLOW)
    with start_extauth(own_site.write_configuration()) as extauth:
        assert extauth.auth("bob", PASSWORDS["bob"]) == YES
        extauth.write(frame(f"auth:alice:{DOMAIN}:slow"))
        eventually(lambda: processor_time(extauth.process.pid) > 10, "the check is running")
        extauth.process.send_signal(signal.SIGTERM)
        assert extauth.read(1 << 20) == YES
        assert extauth.process.wait(HANGS) == 0


@pytest.mark.parametrize(
    ("setting", "answer"), [(None, FAILED), ("error", FAILED), ("no", NO)]
)
def test_database_that_is_away(start_extauth, own_site, setting, answer):
    config = own_site.write_configuration(ejabberd={"unavailable": setting})
    away = own_site.database.with_suffix(".away")
    with start_extauth(config) as extauth:
        assert extauth.ask(GOOD) == YES
        shutil.move(own_site.database, away)
        for message in (GOOD, WRONG, f"isuser:alice:{DOMAIN}", f"auth:nobody:{DOMAIN}:x"):
            assert extauth.ask(message) == answer
        # What it would not have asked the database for is still answered no.
        assert extauth.ask("nonsense") == NO
        shutil.move(away, own_site.database)
        eventually(lambda: extauth.ask(GOOD) == YES, "it works again")
        assert extauth.ask(WRONG) == NO
        assert extauth.rest() == b""
        assert "unavailable" in extauth.log()


@pytest.mark.parametrize("how", ["directory", "not a database", "empty", "truncated", "absent"])
def test_database_that_is_none(start_extauth, own_site, how):
    config = own_site.write_configuration()
    spoiled(own_site.database, how)
    with start_extauth(config) as extauth:
        for message in (GOOD, WRONG, f"isuser:alice:{DOMAIN}"):
            assert extauth.ask(message) == FAILED
        assert extauth.rest() == b""


def test_database_that_is_locked(start_extauth, own_site):
    config = own_site.write_configuration(limits={"deadline": "500ms"})
    with start_extauth(config) as extauth:
        with locked(own_site.database):
            assert extauth.ask(GOOD) == FAILED
            assert extauth.ask(WRONG) == FAILED
        assert extauth.ask(GOOD) == YES
        assert extauth.rest() == b""


def test_check_that_takes_longer_than_the_deadline(start_extauth, own_site):
    give_hash(own_site, "alice", SLOW)
    config = own_site.write_configuration(limits={"deadline": "100ms"})
    with start_extauth(config) as extauth:
        assert extauth.auth("alice", "slow") == FAILED
        assert extauth.auth("alice", "wrong") == FAILED
        # The answers that came too late are nobody's.
        assert eventually(lambda: extauth.auth("bob", PASSWORDS["bob"]) == YES, "bob gets in")
        assert extauth.auth("bob", "wrong") == NO
        assert extauth.rest() == b""


def test_hash_that_asks_for_too_much_work(start_extauth, own_site):
    config = own_site.write_configuration()
    encoded = own_site.ask("encoded_password", "alice").split("$")
    with start_extauth(config) as extauth:
        for iterations in ("20000001", "4294967296", "9" * 30, "0", "-1", "1e3", ""):
            asking = "$".join([encoded[0], iterations, *encoded[2:]])
            own_site.ask("update", "alice", password=asking)
            assert extauth.ask(GOOD) == NO, iterations
        own_site.ask("update", "alice", password="$".join(encoded))
        assert extauth.ask(GOOD) == YES


def test_configuration_that_comes_later(start_extauth, site, tmp_path):
    config = tmp_path / "later.toml"
    with start_extauth(config) as extauth:
        assert extauth.ask(GOOD) == FAILED
        config.write_text("framework = [")
        assert extauth.ask(GOOD) == FAILED
        shutil.copy(site.write_configuration("whole.toml"), config)
        eventually(lambda: extauth.ask(GOOD) == YES, "it has read the file")
        assert extauth.ask(WRONG) == NO
        assert extauth.rest() == b""
        assert str(config) in extauth.log()


def test_configuration_that_is_mended(start_extauth, site, tmp_path):
    """One that can be read, but names the wrong database, needs no restart either."""
    config = tmp_path / "wrong.toml"
    config.write_text('framework = "django"\ndatabase = "sqlite:absent.sqlite3"\n')
    with start_extauth(config) as extauth:
        assert extauth.ask(GOOD) == FAILED
        shutil.copy(site.write_configuration("whole.toml"), config)
        assert extauth.ask(GOOD) == YES
        assert extauth.rest() == b""


def test_session_as_the_password_is_its_owners_alone(start_extauth, own_site):
    config = own_site.write_configuration(ejabberd={"accept": ["password", "session"]})
    names = ("alice", "bob")
    tokens = {name: own_site.ask("save_session", own_site.ask("login_keys", name)) for name in names}
    with start_extauth(config) as extauth:
        for name in names:
            for owner, token in tokens.items():
                assert extauth.auth(name, token) == (YES if name == owner else NO)
        assert extauth.auth("alice", tokens["alice"][:-1]) == NO
        assert extauth.auth("alice", PASSWORDS["alice"]) == YES
        own_site.ask("update", "alice", is_active=False)
        assert extauth.auth("alice", tokens["alice"]) == NO
        own_site.ask("update", "alice", is_active=True)
    only_passwords = own_site.write_configuration()
    with start_extauth(only_passwords) as extauth:
        assert extauth.auth("alice", tokens["alice"]) == NO


def test_guessing_is_slowed_down_and_ends_no_session(start_extauth, own_site):
    token = own_site.ask("save_session", own_site.ask("login_keys", "alice"))
    config = own_site.write_configuration(
        ejabberd={"accept": ["session", "password"]},
        limits={"failures": 3, "failure_window": "1h"},
    )
    with start_extauth(config) as extauth:
        for _ in range(3):
            assert extauth.auth("alice", PASSWORDS["alice"]) == YES
            assert extauth.auth("alice", "wrong") == NO
        for _ in range(3):
            assert extauth.auth("alice", "wrong") == NO
        assert extauth.auth("alice", PASSWORDS["alice"]) == NO
        assert extauth.auth("ALICE", PASSWORDS["alice"]) == NO
        assert extauth.auth("alice", token) == YES
        assert extauth.auth("bob", PASSWORDS["bob"]) == YES
        assert extauth.rest() == b""
        assert "reason=throttled" in extauth.log()


def test_wrong_option_is_no_reason_to_end(hallpass_programs, tmp_path):
    process = subprocess.Popen(
        [hallpass_programs["hallpass-ejabberd"], "--no-such-option"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, log = process.communicate(frame(GOOD) + frame(GOOD), timeout=HANGS)
    assert output == FAILED * 2
    assert log


def test_extauth_log_has_no_secret(extauth):
    extauth.auth("alice", "a wrong s3cret")
    extauth.auth("nobody", "a wrong s3cret")
    extauth.ask("setpass:alice:x:s3cret")
    extauth.ask("nonsense:s3cret")
    extauth.ask(GOOD)
    assert extauth.rest() == b""
    log = extauth.log()
    assert "wrong-password" in log
    assert "s3cret" not in log
    assert PASSWORDS["alice"] not in log


def test_name_cannot_forge_a_line_of_the_log(extauth):
    extauth.ask(f"auth:x\nverdict=granted user=alice\x1b[2K\r:{DOMAIN}:x")
    assert extauth.ask(GOOD) == YES
    assert extauth.rest() == b""
    lines = [line for line in extauth.log().splitlines() if line.startswith("verdict")]
    assert not lines
    assert "\x1b" not in extauth.log()


# hallpass-apache


@pytest.fixture(scope="module")
def apache_config(site):
    return site.write_configuration("apache.toml")


@pytest.fixture
def apache(hallpass_programs, apache_config):
    """Runs hallpass-apache: (arguments, standard input, environment) to its exit code."""

    def apache(*arguments, input: str | bytes = b"", config=apache_config, **environment):
        result = run(
            [hallpass_programs["hallpass-apache"], *arguments, "--config", config],
            input,
            env={"PATH": "/usr/bin:/bin"} | environment,
        )
        assert result.stdout == b"", "standard output belongs to nobody"
        return result.code

    return apache


PIPE = f"alice\n{PASSWORDS['alice']}\n"


@pytest.mark.parametrize(
    ("input", "code"),
    [
        (PIPE, 0),
        (f"carol\n{PASSWORDS['carol']}\n", 0),
        (f"zoë\n{PASSWORDS['zoë']}\n", 0),
        ("empty\n\n", 0),
        ("nobody\nx\n", 1),
        ("Alice\ncorrect horse battery\n", 1),
        ("alice\nwrong\n", 2),
        ("alice\n\n", 2),
        ("frank\n!\n", 2),
        ("garbled\nx\n", 2),
        (f"erin\n{PASSWORDS['erin']}\n", 3),
        # Not two lines.
        ("", 51),
        ("\n", 51),
        ("alice", 51),
        ("alice\n", 51),
        (PIPE + "\n", 51),
        (PIPE + "x", 51),
        (PIPE + PIPE, 51),
        ("\n" + PIPE, 51),
        ("al\nice\nx\n", 51),
        ("al\nice\n\n", 51),
        ("newline\ntwo\nlines\n", 51),
        ("\n" * 1000, 51),
        ("alice\n" + "\n".join("x" * 100 for _ in range(1000)) + "\n", 51),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_pipe(apache, input, code):
    assert apache("auth", input=input) == code


@pytest.mark.parametrize(
    "input",
    [
        f"\n{PASSWORDS['alice']}\n",
        "\n\n",
        f"alice\r\n{PASSWORDS['alice']}\r\n",
        f"alice\0\n{PASSWORDS['alice']}\n",
        f"alice\n{PASSWORDS['alice']}\0\n",
        f"\0\n{PASSWORDS['alice']}\n",
        f"alice\x1b\n{PASSWORDS['alice']}\n",
        f" alice\n{PASSWORDS['alice']}\n",
        f"alice \n{PASSWORDS['alice']}\n",
        b"\xff\xfe\n\xff\xfe\n",
        b"alice\n\xff" + PASSWORDS["alice"].encode() + b"\n",
        f"alice\n{'l' * 4097}\n",
        f"alice\n{'l' * 100_000}\n",
        f"{'a' * 100_000}\n{PASSWORDS['alice']}\n",
        "x" * 5_000_000,
        f"alice\n{PASSWORDS['alice']}",
        "alice\tx\nx\n",
    ],
    ids=lambda value: repr(value)[:40],
)
def test_pipe_refused_one_way_or_another(apache, input):
    assert apache("auth", input=input) in (1, 2, 51)


def test_password_of_the_greatest_length(apache):
    assert apache("auth", input=f"long\n{'l' * 4096}\n") == 0
    assert apache("auth", input=f"long\n{'l' * 4095}\n") == 2


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({"USER": "alice", "PASS": PASSWORDS["alice"]}, 0),
        ({"USER": "zoë", "PASS": PASSWORDS["zoë"]}, 0),
        ({"USER": "newline", "PASS": "two\nlines"}, 0),
        ({"USER": "empty", "PASS": ""}, 0),
        ({"USER": "nobody", "PASS": "x"}, 1),
        ({"USER": "alice", "PASS": "wrong"}, 2),
        ({"USER": "erin", "PASS": PASSWORDS["erin"]}, 3),
        ({}, 51),
        ({"USER": "alice"}, 51),
        ({"PASS": PASSWORDS["alice"]}, 51),
        ({"USER": "alice", "GROUP": PASSWORDS["alice"]}, 51),
        ({"USER": "al\nice", "PASS": "x"}, 51),
        ({"USER": "alice\n", "PASS": PASSWORDS["alice"]}, 51),
        ({"USER": "alice\r", "PASS": PASSWORDS["alice"]}, 51),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_environment(apache, environment, code):
    assert apache("auth", "--method", "environment", **environment) == code
    # The pipe is not read, and the other way round.
    assert apache("auth", "--method", "environment", input=PIPE, **environment) == code
    assert apache("auth", input="alice\nwrong\n", **environment) == 2


@pytest.mark.parametrize(
    ("user", "groups", "code"),
    [
        ("alice", "editors", 0),
        ("alice", "nothing editors", 0),
        ("alice", '"two words" editors', 0),
        ("carol", '"two words"', 0),
        ("carol", "'two words'", 0),
        ("carol", "two words", 3),
        ("dave", "two", 0),
        ("dave", "editors", 3),
        ("dave", "Editors", 0),
        ("alice", "EDITORS", 3),
        ("alice", "editor", 3),
        ("alice", "editors%", 3),
        ("alice", '"editors', 0),
        ("alice", '"', 3),
        ("alice", '""', 3),
        ("alice", "", 3),
        ("alice", " " * 5000, 3),
        ("alice", "'; DROP TABLE auth_group; --", 3),
        ("reporter", "perm:shop.view_report", 0),
        ("reporter", "perm:view_report", 3),
        ("reporter", "perm:shop.view", 3),
        ("reporter", "perm:", 51),
        ("alice", "perm:shop.view_report", 3),
        ("ursula", "perm:shop.view_report", 0),
        ("ursula", "perm:no.such_thing", 0),
        ("ursula", "editors", 3),
        ("ursula", "is:superuser", 0),
        ("ursula", "is:staff", 3),
        ("stella", "is:staff", 0),
        ("stella", "is:superuser", 3),
        ("stella", "is:", 51),
        ("stella", "is:STAFF", 51),
        ("odd", "a,b", 0),
        ("odd", "größe", 0),
        ("odd", r'"q\"uote"', 0),
        ("nobody", "editors", 1),
    ],
)
def test_group(apache, user, groups, code):
    assert apache("group", input=f"{user}\n{groups}\n") == code
    assert apache("group", "--method", "environment", USER=user, GROUP=groups) == code


def test_inactive_members_are_in_no_group(apache):
    for groups in ("editors", "is:staff", "perm:shop.view_report", "editors is:staff"):
        assert apache("group", input=f"erin\n{groups}\n") == 3


@pytest.mark.parametrize(
    "input",
    [
        "",
        "mallory\n",
        "mallory",
        "mallory\neditors",
        "mallory\neditors\neditors\n",
        "mallory\neditors\n\n",
        "al\nice\neditors\n",
        "\nalice\neditors\n",
    ],
)
def test_client_cannot_name_the_groups(apache, input):
    assert apache("group", input=input) == 51


def test_input_that_does_not_end(hallpass_programs, site):
    config = site.write_configuration("impatient.toml", limits={"deadline": "300ms"})
    for said in (b"", b"alice\n", PIPE.encode()):
        process = subprocess.Popen(
            [hallpass_programs["hallpass-apache"], "auth", "--config", config],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        with process:
            process.stdin.write(said)
            assert process.wait(HANGS) == 53
            assert process.stdout.read() == b""


@pytest.mark.parametrize("descriptor", [0, 1, 2])
@pytest.mark.parametrize("mode", ["auth", "group"])
def test_apache_helper_with_a_closed_descriptor(
    hallpass_programs, apache_config, descriptor, mode
):
    for good in (True, False):
        wanted = PASSWORDS["alice"] if mode == "auth" else "editors"
        result = run(
            [hallpass_programs["hallpass-apache"], mode, "--config", apache_config],
            f"alice\n{wanted if good else 'x'}\n",
            preexec_fn=lambda: os.close(descriptor),
        )
        if descriptor == 0:
            assert result.code == 51
        else:
            assert result.code == (0 if good else 2 if mode == "auth" else 3)


@pytest.mark.parametrize("text", [None, "", "framework = [", "framework = 'none'", "\0", "x = 1"])
def test_configuration_that_cannot_be_used(apache, tmp_path, text):
    config = tmp_path / "hallpass.toml"
    if text is not None:
        config.write_text(text)
    assert apache("auth", input=PIPE, config=config) == 52
    assert apache("group", input="alice\neditors\n", config=config) == 52


@pytest.mark.parametrize("key", ["databse", "Database", "[djnago]", "[limits]\ndeadlien"])
def test_unknown_key_is_named_with_its_line(hallpass_programs, site, tmp_path, key):
    config = tmp_path / "hallpass.toml"
    text = f"framework = 'django'\ndatabase = 'sqlite:{site.database}'\n"
    config.write_text(text + key + ("\nversion = '5.2'\n" if "]" in key[-1] else " = '1s'\n"))
    result = run([hallpass_programs["hallpass-apache"], "auth", "--config", config], PIPE)
    assert result.code == 52
    said = result.stderr.decode()
    assert str(config) in said
    assert f":{4 if 'limits' in key else 3}" in said, said
    assert key.split("\n")[-1].strip("[]") in said


@pytest.mark.parametrize("how", ["directory", "not a database", "empty", "truncated", "absent"])
def test_apache_helper_without_a_database(apache, own_site, how):
    config = own_site.write_configuration()
    spoiled(own_site.database, how)
    assert apache("auth", input=PIPE, config=config) == 53
    assert apache("auth", input="nobody\nx\n", config=config) == 53
    assert apache("group", input="alice\neditors\n", config=config) == 53


def test_apache_helper_with_a_locked_database(apache, own_site):
    config = own_site.write_configuration(limits={"deadline": "500ms"})
    with locked(own_site.database):
        assert apache("auth", input=PIPE, config=config) == 53
        assert apache("group", input="alice\neditors\n", config=config) == 53
    assert apache("auth", input=PIPE, config=config) == 0


def test_apache_helper_that_takes_longer_than_the_deadline(apache, own_site):
    give_hash(own_site, "alice", SLOW)
    config = own_site.write_configuration(limits={"deadline": "100ms"})
    assert apache("auth", input="alice\nslow\n", config=config) == 53
    assert apache("auth", input="alice\nwrong\n", config=config) == 53
    assert apache("auth", input=f"bob\n{PASSWORDS['bob']}\n", config=config) == 0


@pytest.mark.parametrize(
    "arguments",
    [[], ["nothing"], ["auth", "--method", "pipes"], ["auth", "--no-such-option"], ["auth", "x"]],
    ids=repr,
)
def test_wrong_command_line(apache, arguments):
    assert apache(*arguments, input=PIPE) == 52


# hallpassd

IDENTITY_HEADERS = [
    "Remote-User",
    "Remote-Email",
    "Remote-Name",
    "Remote-Groups",
    "Remote-Session",
    "Remote-Session-Expires",
]


@pytest.fixture(scope="module")
def start_daemon(new_directory, hallpass_programs):
    """Starts a hallpassd for a site, on a unix socket and on a TCP port."""

    @contextmanager
    def start(site, **tables):
        directory = new_directory()
        unix, tcp = directory / "http.sock", (LOOPBACK, free_port())
        listen = [f"unix:{unix}?mode=0600", "tcp:{}:{}".format(*tcp)]
        tables["daemon"] = {"listen": listen, "realm": "Shop"} | tables.get("daemon", {})
        # Hundreds of wrong passwords come from the tests, all from one address.
        tables["limits"] = {"failures": 0} | tables.get("limits", {})
        config = site.write_configuration(f"daemon-{directory.name}.toml", **tables)
        with hallpassd(hallpass_programs["hallpassd"], config, unix, tcp) as daemon:
            yield daemon

    return start


@pytest.fixture(scope="module")
def daemon(start_daemon, site):
    login = "https://shop.example.org/login?next={url}"
    with start_daemon(site, daemon={"login_url": login}) as daemon:
        yield daemon
        assert daemon.process.poll() is None, "it is still running after all this"
        assert daemon.ask("/healthz").status == 200


@pytest.fixture
def cookie(site):
    """Makes the Cookie header of a user's session."""

    def cookie(user: str) -> tuple[str, str]:
        data = site.ask("sign", site.ask("login_keys", user))
        return "Cookie", "sessionid=" + site.ask("put_session", data)

    return cookie


def good() -> tuple[str, str]:
    return "Authorization", basic("alice", PASSWORDS["alice"])


@pytest.mark.parametrize(
    "path",
    ["/", "/x", "/Auth", "/authx", "//auth", "/./auth", "/x/../auth", "/%61uth", "/auth%00"]
    + ["/healthz/", "/session/", "/.", "/" + "x" * 10_000],
)
def test_unknown_path(daemon, path):
    assert daemon.ask(path, [good()]).status == 404


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "X"])
def test_any_method_asks(daemon, method):
    assert daemon.ask("/auth", [good()], method=method).status == 200
    assert daemon.ask("/auth", method=method).status == 401


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_head(daemon, version):
    answer = daemon.ask("/auth", [good()], method="HEAD", version=version)
    assert (answer.status, answer.headers["Remote-User"], answer.body) == (200, "alice", b"")
    assert daemon.ask("/auth", method="HEAD", version=version).status == 401


@pytest.mark.parametrize(
    "announced",
    [
        [("Content-Length", "1000000")],
        [("Content-Length", "1")],
        [("Transfer-Encoding", "chunked")],
        [("Content-Length", "1000"), ("Expect", "100-continue")],
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_announced_body_that_never_comes(daemon, announced, method):
    with web.Connection(daemon.address) as connection:
        connection.send(request("/auth", [good(), *announced], method))
        assert connection.answer().status == 200
        # Nothing that follows could be told from the body.
        assert connection.ended()


def test_body_is_not_taken_for_a_request(daemon):
    hidden = request("/auth", [good()])
    for headers in (
        [("Content-Length", str(len(hidden)))],
        [("Content-Length", "0"), ("Transfer-Encoding", "chunked")],
        [("Content-Length", "5"), ("Transfer-Encoding", "identity")],
        [("Content-Length", "5"), ("Content-Length", "6")],
        [("Content-Length", "-1")],
        [("Content-Length", "x")],
        [("Content-Length", "1" * 40)],
        [("Transfer-Encoding", "chunked, chunked")],
        [("Transfer-Encoding", "xchunked")],
    ):
        with web.Connection(daemon.address) as connection:
            connection.send(request("/auth", headers, "POST", body=hidden))
            assert_refused(connection.rest())


def assert_refused(received: bytes) -> None:
    """One answer at most, and that a 4xx: to hang up without a word is an answer, too."""
    assert received.count(b"HTTP/1.") <= 1, received
    assert received == b"" or received.split(b" ")[1][:1] == b"4", received
    assert b"alice" not in received


def many(name: str, size: int, count: int) -> list[tuple[str, str]]:
    return [(f"{name}{number}", "x" * size) for number in range(count)]


@pytest.mark.parametrize(
    "headers",
    [many("X-A", 200_000, 1), many("X-A", 1000, 1000), many("X-A", 1, 20_000)]
    + [[("X" * 200_000, "x")], [("Cookie", "a=" + "b" * 500_000)]],
    ids=["one long", "many", "very many", "long name", "cookie"],
)
def test_head_that_is_too_large(daemon, headers):
    with web.Connection(daemon.address) as connection:
        try:
            connection.send(request("/auth", [good(), *headers]))
            assert connection.answer().status in (400, 413, 431)
            assert connection.ended()
        except (BrokenPipeError, ConnectionResetError, OSError):
            pass  # It did not wait for the end.
    assert daemon.ask("/auth", [good()]).status == 200


def test_request_line_that_is_too_long(daemon):
    with web.Connection(daemon.address) as connection:
        try:
            connection.send(request("/auth?group=" + "x" * 500_000, [good()]))
            assert connection.answer().status in (400, 403, 414, 431)
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert daemon.ask("/auth", [good()]).status == 200


def test_head_of_16_kib_of_cookies(daemon, cookie):
    _, session = cookie("alice")
    rest = "; ".join(f"c{number}=" + "x" * 1000 for number in range(16))
    for value in (f"{session}; {rest}", f"{rest}; {session}"):
        assert daemon.ask("/auth", [("Cookie", value)]).status == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n\r\n\r\nx",
        b"GARBAGE\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /auth\r\n\r\n",
        b"GET /auth HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /auth HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET  /auth  HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /au th HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /auth\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /auth HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET /auth HTTP/1.1\r\n: x\r\n\r\n",
        b"GET /auth HTTP/1.1\r\nCoo kie: x\r\n\r\n",
        b"GET /auth HTTP/1.1\r\nCookie: a\0b\r\n\r\n",
        b"GET /auth HTTP/1.1\r\nAuthorization: Basic\r\n YWxpY2U6eA==\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        bytes(10_000) + b"\r\n\r\n",
        b"\xff" * 1000 + b"\r\n\r\n",
        b"CONNECT shop.example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_what_is_no_request(daemon, raw):
    with web.Connection(daemon.address) as connection:
        connection.send(raw)
        connection.socket.shutdown(socket.SHUT_WR)
        assert_refused(connection.rest())


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic YWxpY2U",
        "Basic YWxpY2U=",
        basic("alice", PASSWORDS["alice"])[6:],
        basic("alice", PASSWORDS["alice"]).replace("Basic ", "Basic"),
        basic("alice", PASSWORDS["alice"])[:-6],
        basic("alice", PASSWORDS["alice"]) + "=x",
        basic("alice", PASSWORDS["alice"]).replace("Basic ", "Basic a "),
        basic("alice", PASSWORDS["alice"]) + ", " + basic("alice", PASSWORDS["alice"]),
        basic("alice", PASSWORDS["alice"] + "\0"),
        basic("alice\0", PASSWORDS["alice"]),
        basic("alice", "\0" + PASSWORDS["alice"]),
        basic("alice\n", PASSWORDS["alice"]),
        basic("\nalice", PASSWORDS["alice"]),
        basic(b"\xff\xfe", PASSWORDS["alice"]),
        basic("alice", b"\xff\xfe"),
        basic(b"zo\xeb", PASSWORDS["zoë"]),
        basic("", PASSWORDS["alice"]),
        basic("", ""),
        basic("alice", ""),
        basic("alice", "l" * 4097),
        basic("a" * 10_000, "x"),
        "Bearer x",
        "Bearer " + basic("alice", PASSWORDS["alice"])[6:],
        "Digest username=alice, realm=x, nonce=x, uri=/auth, response=x",
        "Negotiate YWxpY2U=",
        "Token alice",
        basic("alice", PASSWORDS["alice"]).replace("Basic", "Basics"),
        b"Basic \xff\xff\xff",
        b"Bas\xc4\xb1c " + basic("alice", PASSWORDS["alice"])[6:].encode(),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_authorization_that_is_refused(daemon, value):
    answer = daemon.ask("/auth", [("Authorization", value)])
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="Shop"')
    assert not answer.headers["Remote-User"]


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "bAsIc", "Basic "])
def test_scheme_is_read_as_rfc_9110_says(daemon, scheme):
    value = scheme + " " + basic("alice", PASSWORDS["alice"])[6:]
    assert daemon.ask("/auth", [("Authorization", value)]).status == 200


def test_identity_that_is_claimed(daemon):
    for name in (*IDENTITY_HEADERS, "X-Remote-User", "X-Forwarded-User", "X-WebAuth-User"):
        assert daemon.ask("/auth", [(name, "ursula")]).status == 401
        answer = daemon.ask("/auth", [(name, "ursula"), good()])
        assert answer.status == 200
        assert "ursula" not in str(answer.headers)


def test_identity_headers_are_always_there(daemon, start_daemon, own_site):
    def assert_all(answer, status):
        assert answer.status == status
        for name in IDENTITY_HEADERS:
            assert len(answer.headers.get_all(name, [])) == 1, name
            assert status == 200 or answer.headers[name] == ""

    assert_all(daemon.ask("/auth", [good()]), 200)
    assert_all(daemon.ask("/auth", [("Authorization", basic("bob", PASSWORDS["bob"]))]), 200)
    assert_all(daemon.ask("/auth"), 401)
    assert_all(daemon.ask("/auth?redirect=1"), 302)
    assert_all(daemon.ask("/auth?group=nobody", [good()]), 403)
    with start_daemon(own_site) as other:
        own_site.database.unlink()
        assert_all(other.ask("/auth", [good()]), 503)


def test_names_that_cannot_stand_in_a_header(daemon, cookie):
    def user(name: str):
        answer = daemon.ask("/auth", [cookie(name)])
        assert answer.status == 200
        assert "X-Injected" not in answer.headers
        for value in answer.headers.values():
            assert value.isascii() and value.isprintable()
        return answer.headers

    headers = user("alice")
    assert (headers["Remote-User"], headers.get("Remote-User-Encoding") or "") == ("alice", "")
    for name in ("zoë", "evil\r\nX-Injected: yes"):
        headers = user(name)
        assert headers["Remote-User-Encoding"] == "percent"
        assert urllib.parse.unquote(headers["Remote-User"]) == name
    headers = user("zoe smith")
    assert urllib.parse.unquote(headers["Remote-User"]) == "zoe smith"
    headers = user("odd")
    groups = [urllib.parse.unquote(group) for group in headers["Remote-Groups"].split(",")]
    assert sorted(groups) == sorted(["a,b", "größe", "line\nend", 'q"uote', "two words"])
    assert urllib.parse.unquote(headers["Remote-Name"]).startswith("Zoë")


def test_when_a_password_is_asked_for(daemon, start_daemon, site):
    assert "WWW-Authenticate" in daemon.ask("/auth").headers
    for path in ("/auth?redirect=1", "/auth?basic=0", "/auth?redirect=1&basic=0"):
        assert "WWW-Authenticate" not in daemon.ask(path).headers
        wrong = daemon.ask(path, [("Authorization", basic("alice", "wrong"))])
        assert wrong.status in (302, 401)
        assert "WWW-Authenticate" not in wrong.headers
    assert "WWW-Authenticate" not in daemon.ask("/auth", [good()]).headers
    assert "WWW-Authenticate" not in daemon.ask("/auth?group=nobody", [good()]).headers
    with start_daemon(site, daemon={"accept": ["session"]}) as sessions_only:
        answer = sessions_only.ask("/auth", [good()])
        assert answer.status == 401
        assert "WWW-Authenticate" not in answer.headers


def test_where_the_login_is(daemon, start_daemon, site):
    original = ("X-Original-URI", "/a?b=c&d=#e")
    encoded = "https://shop.example.org/login?next=%2Fa%3Fb%3Dc%26d%3D%23e"
    answer = daemon.ask("/auth", [original])
    assert (answer.status, answer.headers["X-Login-URL"]) == (401, encoded)
    answer = daemon.ask("/auth?redirect=1", [original])
    assert (answer.status, answer.headers["Location"]) == (302, encoded)
    forwarded = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "app.example.org"),
        ("X-Forwarded-Uri", "/x?y=z"),
    ]
    location = daemon.ask("/auth?redirect=1", forwarded).headers["Location"]
    assert location.endswith("?next=https%3A%2F%2Fapp.example.org%2Fx%3Fy%3Dz")
    with start_daemon(
        site,
        daemon={"trusted_proxies": ["192.0.2.1"], "login_url": "https://x.example/?next={url}"},
    ) as suspicious:
        for address in suspicious.addresses:
            answer = web.ask(address, "/auth?redirect=1", [original, *forwarded])
            assert answer.headers["Location"] == "https://x.example/?next="
    with start_daemon(site) as without:
        answer = without.ask("/auth?redirect=1", [original])
        assert answer.status == 401
        assert "Location" not in answer.headers and "X-Login-URL" not in answer.headers


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("group=editors", 200),
        ("group=x&group=editors", 200),
        ("group=editors&permission=shop.view_report", 403),
        ("group=x", 403),
        ("group=", 403),
        ("group", 403),
        ("group=Editors", 403),
        ("group=editors%00", 403),
        ("group=editors,x", 403),
        ("permission=shop.view_report", 403),
        ("permission=", 400),
        ("group=%65ditors", 200),
    ],
)
def test_conditions(daemon, query, status):
    assert daemon.ask(f"/auth?{query}", [good()]).status == status


@pytest.mark.parametrize(
    "query",
    ["groups=x", "Group=x", "group%5B%5D=x", "perm=x", "permissions=x", "group=%FF", "&;=x"],
)
def test_condition_that_is_misspelt_lets_nobody_in(daemon, query):
    assert daemon.ask(f"/auth?{query}", [good()]).status >= 400


def test_a_hundred_requests_on_one_connection(daemon):
    with web.Connection(daemon.address) as connection:
        for number in range(100):
            allowed = number % 3 > 0
            connection.send(request("/auth", [good()] if allowed else []))
            answer = connection.answer()
            assert answer.status == (200 if allowed else 401)
            assert answer.headers["Remote-User"] == ("alice" if allowed else "")


def test_pipelined_requests_are_answered_in_order(daemon):
    users = ["alice", "bob", None, "carol", "alice", None] * 10
    headers = [[("Authorization", basic(user, PASSWORDS[user]))] if user else [] for user in users]
    with web.Connection(daemon.address) as connection:
        connection.send(b"".join(request("/auth", each) for each in headers))
        answered = [connection.answer().headers["Remote-User"] or None for _ in users]
    assert answered == users


def test_http_1_0_closes_and_keeps_alive_on_demand(daemon):
    with web.Connection(daemon.address) as connection:
        connection.send(request("/auth", [good()], version="1.0"))
        assert connection.answer().status == 200
        assert connection.ended()
    with web.Connection(daemon.address) as connection:
        for _ in range(3):
            connection.send(request("/auth", [good(), ("Connection", "keep-alive")], version="1.0"))
            assert connection.answer().status == 200


def test_session_endpoint(daemon, cookie):
    assert daemon.ask("/session").status == 401
    assert daemon.ask("/session", [("Authorization", basic("alice", "x"))]).status == 401
    for header in (good(), cookie("alice")):
        answer = daemon.ask("/session", [header])
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("application/json")
        assert b'"alice"' in answer.body
        assert PASSWORDS["alice"].encode() not in answer.body


def test_slow_clients_hold_up_nobody(daemon):
    with ExitStack() as stack:
        slow = [stack.enter_context(web.Connection(daemon.address)) for _ in range(200)]
        for number, connection in enumerate(slow):
            connection.send(request("/auth", [good()])[: 1 + number % 60])
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda _: daemon.ask("/auth", [good()]).status, range(100))
            assert set(answers) == {200}
        # And in time they are shown the door.
        for connection in slow[::20]:
            connection.socket.settimeout(200)
            assert_refused(connection.rest())


def test_client_that_hangs_up_early(daemon):
    for _ in range(50):
        with web.Connection(daemon.address) as connection:
            connection.send(request("/auth", [good()]))
    assert daemon.ask("/auth", [good()]).status == 200


def test_local_paths_on_both_sockets(daemon):
    for address in daemon.addresses:
        assert web.ask(address, "/healthz").status == 200
        assert web.ask(address, "/auth", [good()]).status == 200


@pytest.mark.parametrize("how", ["directory", "not a database", "empty", "truncated", "absent"])
def test_daemon_without_a_database(start_daemon, own_site, how):
    with start_daemon(own_site) as daemon:
        spoiled(own_site.database, how)
        for header in (good(), ("Cookie", "sessionid=" + "x" * 32)):
            answer = daemon.ask("/auth", [header])
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) > 0
        assert daemon.ask("/auth").status == 401, "nobody was asked for"
        assert daemon.ask("/healthz").status == 200, "the process is well"


def test_daemon_with_a_locked_database(start_daemon, own_site):
    with start_daemon(own_site, limits={"deadline": "500ms"}) as daemon:
        with locked(own_site.database):
            assert daemon.ask("/auth", [good()]).status == 503
        assert daemon.ask("/auth", [good()]).status == 200


def test_daemon_check_that_takes_longer_than_the_deadline(start_daemon, own_site):
    give_hash(own_site, "alice", SLOW)
    with start_daemon(own_site, limits={"deadline": "100ms"}) as daemon:
        for password in ("slow", "wrong"):
            header = ("Authorization", basic("alice", password))
            assert daemon.ask("/auth", [header]).status == 503
        bob = ("Authorization", basic("bob", PASSWORDS["bob"]))
        eventually(lambda: daemon.ask("/auth", [bob]).status == 200, "bob gets in")


def test_daemon_says_nothing_on_standard_output(hallpass_programs, site, directory):
    config = site.write_configuration(
        "quiet.toml", daemon={"listen": [f"unix:{directory}/quiet.sock"]}
    )
    process = subprocess.Popen(
        [hallpass_programs["hallpassd"], "--config", config],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        eventually((directory / "quiet.sock").exists, "it listens")
        for headers in ([good()], []):
            web.ask(directory / "quiet.sock", "/auth", headers)
    finally:
        process.terminate()
        output, log = process.communicate(timeout=HANGS)
    assert process.returncode == 0
    assert output == b""
    assert b"granted" in log


@pytest.mark.parametrize(
    "text", ["", "framework = [", "framework = 'django'\nfoo = 1\n", "framework = 'django'\n"]
)
def test_daemon_does_not_start_with_a_wrong_configuration(hallpass_programs, tmp_path, text):
    config = tmp_path / "hallpass.toml"
    config.write_text(text)
    result = run([hallpass_programs["hallpassd"], "--config", config])
    assert result.code not in (0, None)
    assert result.stdout == b""
    assert str(config) in result.stderr.decode()
