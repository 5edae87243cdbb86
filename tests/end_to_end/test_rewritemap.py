"""`hallpass-apache rewritemap`, line by line and behind real Apache; `auth --accept session`."""

import os
import signal
import sqlite3
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from hosts import forger, web
from hosts.accounts import PASSWORDS
from hosts.apache import apache as apache_external
from hosts.apache_rewritemap import apache
from hosts.fixtures import site_replacements, site_with_accounts
from hosts.process_tree import command_line, running_in
from processes import LOOPBACK, give_away
from programs import HANGS, run


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def config(site):
    return site.write_configuration("map.toml")


@pytest.fixture(scope="module")
def server(new_directory, hallpass_programs, site):
    directory = new_directory()
    replacements = site_replacements(site, directory)
    with apache(directory, hallpass_programs, replacements) as server:
        yield server


@pytest.fixture
def own(directory, hallpass_programs, new_site):
    """An Apache and a site for one test that changes things: (server, site)."""
    site = site_with_accounts(new_site)
    with apache(directory, hallpass_programs, site_replacements(site, directory)) as server:
        yield server, site


def token(site, user: str) -> str:
    """The cookie of a session of `user`."""
    return site.ask("put_session", site.ask("sign", site.ask("login_keys", user)))


class Map:
    """A running `hallpass-apache rewritemap`."""

    def __init__(self, process: subprocess.Popen):
        self.process = process

    def send(self, raw: bytes) -> None:
        self.process.stdin.write(raw)

    def line(self) -> bytes:
        return self.process.stdout.readline()

    def ask(self, key: str | bytes) -> bytes:
        self.send((key.encode() if isinstance(key, str) else key) + b"\n")
        return self.line()


@contextmanager
def rewritemap(programs, config, directory, *arguments):
    """Runs it; its log is `log` of the directory."""
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(
            [programs["hallpass-apache"], "rewritemap", "--config", config, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0,
            env={},  # as Apache starts it
        )
    hung = threading.Timer(HANGS, process.kill)
    hung.start()
    try:
        yield Map(process)
    finally:
        hung.cancel()
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


# Line by line


def test_cookie_header_and_bare_token(hallpass_programs, config, directory, site):
    alice, bob = token(site, "alice"), token(site, "bob")
    with rewritemap(hallpass_programs, config, directory) as asked:
        assert asked.ask(f"sessionid={alice}") == b"u:alice\n"
        assert asked.ask(bob) == b"u:bob\n"
        assert asked.ask(f"theme=dark; sessionid={alice}; csrftoken=x") == b"u:alice\n"
        assert asked.ask(f"sessionid={alice}; sessionid={bob}") == b"u:bob\n", "as Django reads it"
        for key in (
            "",
            " ",
            "=",
            ";",
            "sessionid",
            "sessionid=",
            "sessionid=;",
            f"SESSIONID={alice}",
            f"session id={alice}",
            f"sessionid={alice}x",
            f"sessionid={alice[:-1]}",
            f"sessionid={alice.upper()}",
            f"csrftoken={alice}",
            f"x{alice}",
            f"{alice} ",
            f"{alice};{bob}",
            "u:alice",
            "alice",
            "NULL",
            "sessionid=%",
            "sessionid=_",
            "sessionid=' OR 1=1 --",
            "sessionid=../../etc/passwd",
            f"sessionid={alice}\0",
            f"sessionid={alice}\x7f",
            f"sessionid=\r{alice}",
            b"sessionid=\xff\xfe",
            b"\xff" * 1000,
            "a" * 8190,
            "sessionid=" + "a" * 100_000,
            "a=b; " * 20_000,
            "a" * 300_000,
        ):
            assert asked.ask(key) == b"NULL\n", key[:60]
        assert asked.ask(alice) == b"u:alice\n", "nothing of that did any harm"


def test_sessions_that_the_site_would_not_take(hallpass_programs, directory, new_site):
    site = site_with_accounts(new_site)
    config = site.write_configuration()
    tokens = {user: token(site, user) for user in ("alice", "bob", "carol", "dave", "erin", "zoë")}
    with rewritemap(hallpass_programs, config, directory) as asked:
        assert asked.ask(tokens["zoë"]) == "u:zoë\n".encode()
        assert asked.ask(tokens["erin"]) == b"NULL\n", "inactive"
        site.ask("update", "alice", password=site.ask("make_password", "new"))
        assert asked.ask(tokens["alice"]) == b"NULL\n", "the password changed"
        site.shell("session_model().objects.filter(session_key=key).delete()", key=tokens["bob"])
        assert asked.ask(tokens["bob"]) == b"NULL\n", "logged out"
        site.deactivate("carol")
        assert asked.ask(tokens["carol"]) == b"NULL\n"
        expire = "session_model().objects.filter(session_key=key).update(expire_date=timezone.now())"
        site.shell(expire, key=tokens["dave"])
        assert asked.ask(tokens["dave"]) == b"NULL\n"


def test_names_are_one_line_whatever_they_hold(hallpass_programs, directory, new_site):
    site = new_site()
    names = ["null", "NULL", "two words", "u:alice", "al\nu:root", "al\rice", "x\u0085y", " "]
    site.make_accounts(*({"username": name, "password": "x"} for name in names))
    config = site.write_configuration()
    with rewritemap(hallpass_programs, config, directory) as asked:
        for name in names:
            answer = asked.ask(token(site, name))
            broken = any(character in name for character in "\n\r\u0085")
            assert answer == (b"NULL\n" if broken else f"u:{name}\n".encode()), name
        # Had one of them been two lines, these answers would be off by one.
        assert asked.ask("") == b"NULL\n"
        assert asked.ask(token(site, "null")) == b"u:null\n"


def test_many_lines_at_once_are_answered_in_order(hallpass_programs, config, directory, site):
    alice = token(site, "alice")
    lines = [alice, "", "junk", f"sessionid={alice}"] * 50
    with rewritemap(hallpass_programs, config, directory) as asked:
        raw = "".join(line + "\n" for line in lines).encode()
        writer = threading.Thread(target=asked.send, args=[raw + b"half a line"])
        writer.start()
        expected = [b"u:alice\n", b"NULL\n", b"NULL\n", b"u:alice\n"] * 50
        assert [asked.line() for _ in lines] == expected
        writer.join()
        asked.process.stdin.close()
        assert asked.line() == b"", "half a line was never asked"
        assert asked.process.wait(HANGS) == 0


def test_conditions_may_be_on_the_command_line(hallpass_programs, config, directory, site):
    with rewritemap(hallpass_programs, config, directory, "--group", "editors") as asked:
        assert asked.ask(token(site, "alice")) == b"u:alice\n"
        assert asked.ask(token(site, "bob")) == b"NULL\n"


def test_it_outlives_a_bad_configuration_and_a_missing_database(
    hallpass_programs, directory, new_site
):
    site = site_with_accounts(new_site)
    alice = token(site, "alice")
    config = site.write_configuration()
    right = config.read_text()
    config.write_text("nonsense")
    with rewritemap(hallpass_programs, config, directory) as asked:
        assert asked.ask(alice) == b"NULL\n"
        config.write_text(right)
        assert asked.ask(alice) == b"u:alice\n"
        away = site.database.rename(site.database.with_suffix(".away"))
        assert asked.ask(alice) == b"NULL\n"
        away.rename(site.database)
        assert asked.ask(alice) == b"u:alice\n"
    log = (directory / "log").read_text()
    assert "unavailable" in log and "granted" in log
    assert alice not in log, "a cookie is as good as a password"


def test_wrong_command_lines_are_outlived_too(hallpass_programs, config, directory, site):
    with rewritemap(hallpass_programs, config, directory, "--no-such-option") as asked:
        assert asked.ask(token(site, "alice")) == b"NULL\n"
        assert asked.process.poll() is None


def test_without_the_secret_key_nobody_has_a_session(hallpass_programs, directory, site):
    config = site.write_configuration("keyless.toml", django={"secret_key": None})
    with rewritemap(hallpass_programs, config, directory) as asked:
        assert asked.ask(token(site, "alice")) == b"NULL\n"
    assert "django.secret_key" in (directory / "log").read_text()


def test_an_answer_comes_while_the_database_is_locked(hallpass_programs, directory, new_site):
    site = site_with_accounts(new_site)
    config = site.write_configuration(limits={"deadline": "500ms"})
    alice = token(site, "alice")
    with rewritemap(hallpass_programs, config, directory) as asked:
        assert asked.ask(alice) == b"u:alice\n"
        with closing(sqlite3.connect(site.database, isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            assert asked.ask(alice) == b"NULL\n"
            assert asked.ask("") == b"NULL\n"
        assert asked.ask(alice) == b"u:alice\n"


# Behind Apache


def test_apache_lets_in_whoever_has_a_session(server, site):
    alice = f"sessionid={token(site, 'alice')}"
    assert server.user("/private/user", alice) == "alice|alice"
    assert server.user("/quiet/user", f"theme=dark; {alice}") == "alice|alice"
    assert server.user("/open/user", alice) == "alice|alice"
    assert server.user("/private/user", f"sessionid={token(site, 'zoë')}") == "zoë|zoë"
    assert server.user("/private/user", f"sessionid={token(site, 'zoe smith')}") == (
        "zoe smith|zoe smith"
    )


def test_apache_sends_the_others_to_the_login_and_back(server):
    answer = server.ask("/private/user")
    assert answer.status == 302
    assert answer.headers["Location"] == (
        "https://shop.example.org/accounts/login/?next=https://files.example.org%2fprivate%2fuser"
    )
    answer = server.ask("/private/a%26b%3Fc%23d")
    assert answer.headers["Location"].endswith("%2fprivate%2fa%26b%3fc%23d")


@pytest.mark.parametrize(
    "cookie",
    [None, "", "sessionid=", "sessionid=x", "theme=dark", "u:alice", "NULL", "sessionid=u:bob",
     "\xff" * 100, "sessionid=" + "a" * 7000],
)
def test_apache_lets_nobody_else_in(server, cookie):
    assert server.ask("/private/user", cookie).status == 302
    assert server.ask("/quiet/user", cookie).status == 403
    assert server.user("/open/user", cookie) == "|"


def test_no_client_can_say_who_it_is(server, site):
    forged = {"Remote-User": "ursula", "HALLPASS_USER": "ursula", "Remote_User": "ursula"}
    assert server.user("/open/user", **forged) == "|"
    assert server.ask("/quiet/user", **forged).status == 403
    alice = f"sessionid={token(site, 'alice')}"
    assert server.user("/quiet/user", alice, **forged) == "alice|alice"


def test_many_at_once_get_each_their_own_answer(server, site):
    cookies = {user: f"sessionid={token(site, user)}" for user in ("alice", "bob", "carol")}
    users = ["alice", "bob", "carol", None] * 25

    def visit(user):
        return user, server.user("/open/user", cookies.get(user))

    with ThreadPoolExecutor(16) as pool:
        for user, seen in pool.map(visit, users):
            assert seen == (f"{user}|{user}" if user else "|")


def map_of(server) -> int:
    return next(
        pid for pid in running_in(server.directory)
        if "rewritemap" in command_line(pid)
    )


def test_the_program_runs_as_the_user_that_the_map_names(server):
    if os.geteuid() != 0:
        pytest.skip("only root can start it as another user")
    pid = map_of(server)
    assert os.stat(f"/proc/{pid}").st_uid != 0


def test_once_the_program_has_died_nobody_comes_in(own):
    server, site = own
    alice = f"sessionid={token(site, 'alice')}"
    assert server.user("/quiet/user", alice) == "alice|alice"
    os.kill(map_of(server), signal.SIGKILL)
    for _ in range(5):
        assert server.ask("/quiet/user", alice).status == 403
        assert server.ask("/private/user", alice).status == 302


def test_what_changes_on_the_site_counts_at_the_next_request(own):
    server, site = own
    alice = token(site, "alice")
    cookie = f"sessionid={alice}"
    assert server.user("/quiet/user", cookie) == "alice|alice"
    away = site.database.rename(site.database.with_suffix(".away"))
    assert server.ask("/quiet/user", cookie).status == 403
    away.rename(site.database)
    assert server.user("/quiet/user", cookie) == "alice|alice"
    site.shell("session_model().objects.filter(session_key=key).delete()", key=alice)
    assert server.ask("/quiet/user", cookie).status == 403
    assert alice not in server.log()


# auth --accept session


def auth(programs, config, user, password, cookie=None, *arguments):
    environment = {} if cookie is None else {"COOKIE": cookie}
    command = [programs["hallpass-apache"], "auth", "--config", config, *arguments]
    return run(command, f"{user}\n{password}\n", env=environment)


def test_a_session_counts_for_its_owner_alone(hallpass_programs, config, site):
    alice = f"a=b; sessionid={token(site, 'alice')}"
    accept = ("--accept", "session")
    ask = lambda *asked: auth(hallpass_programs, config, *asked).code
    assert ask("alice", "", alice, *accept) == 0
    assert ask("alice", "wrong", alice, *accept) == 0
    assert ask("bob", "wrong", alice, *accept) == 2, "somebody else's session"
    assert ask("bob", PASSWORDS["bob"], alice, *accept) == 0, "with their own password"
    assert ask("nobody", "x", alice, *accept) == 1
    assert ask("Alice", "x", alice, *accept) == 1
    assert ask("alice", "wrong", alice) == 2, "only where it is told to"
    assert ask("alice", PASSWORDS["alice"], None, *accept) == 0
    assert ask("alice", "wrong", None, *accept) == 2
    assert ask("alice", "wrong", "", *accept) == 2
    assert ask("alice", "wrong", "sessionid=x", *accept) == 2
    assert ask("alice", "wrong", "sessionid", *accept) == 2
    assert ask("erin", PASSWORDS["erin"], f"sessionid={token(site, 'erin')}", *accept) == 3


def test_a_session_that_nobody_can_read_is_no_wrong_password(hallpass_programs, site):
    keyless = site.write_configuration("keyless.toml", django={"secret_key": None})
    alice = f"sessionid={token(site, 'alice')}"
    accept = ("--accept", "session")
    assert auth(hallpass_programs, keyless, "alice", "wrong", alice, *accept).code == 53
    right = PASSWORDS["alice"]
    assert auth(hallpass_programs, keyless, "alice", right, alice, *accept).code == 0


def test_apache_hands_the_cookie_over(directory, hallpass_programs, site):
    key = directory / "key"
    key.write_text(site.shell("answer = settings.SECRET_KEY"))
    replacements = site_replacements(site)
    version = f'version = "{site.version}"'
    replacements['version = "5.2"'] = f'{version}\nsecret_key = {{ file = "{give_away(key)}" }}'
    alice = f"sessionid={token(site, 'alice')}"
    with apache_external(directory, hallpass_programs, replacements) as server:
        page = "/session/page.txt"
        assert server.ask(page, "alice", "", Cookie=alice).status == 200
        assert server.ask(page, "bob", "", Cookie=alice).status == 401
        assert server.ask(page, "bob", PASSWORDS["bob"], Cookie=alice).status == 200
        assert server.ask(page, "alice", "").status == 401
        assert server.ask(page, Cookie=alice).status == 401, "Basic wants a name"
        assert server.ask("/members/page.txt", "alice", "", Cookie=alice).status == 401
        assert alice.partition("=")[2] not in server.log()


def test_application_behind_it_is_told_who_it_is_by_apache_alone(
    directory, hallpass_programs, site
):
    place = "    # The name, for what is behind Apache"
    with forger.cgi_application() as port:
        passed_on = f'    ProxyPass "/private/application" "http://127.0.0.1:{port}/"\n{place}'
        replacements = site_replacements(site, directory) | {place: passed_on}
        with apache(directory, hallpass_programs, replacements) as server:
            cookie = f"sessionid={token(site, 'alice')}"
            expected = dict.fromkeys(forger.IDENTITY, "") | {"Remote-User": "alice"}

            def ask(headers):
                return web.ask((LOOPBACK, server.port), "/private/application", headers)

            forger.attack(ask, ("Cookie", cookie), expected)
            for _, claims in forger.forgeries():
                assert ask(claims).status == 302
