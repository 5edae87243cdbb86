"""Sites that are asked by HTTP whose session it is: real PHP and real Django."""

import json
import time
from itertools import count

import pytest

from hosts.daemon import hallpassd
from hosts.daemon import write_configuration as write_configuration_of
from hosts.php import php as running_php
from php_doors import Site, said, write_configuration
from processes import LOOPBACK, free_port

NUMBERS = count()
USER = "/user/username"


@pytest.fixture(scope="module")
def folder(new_directory):
    directory = new_directory()
    with running_php(directory) as php:
        settings = {"session.save_path": str(new_directory())}
        yield php.folder("site", settings, "login.php", "whoami.php", "answers.php")


@pytest.fixture(scope="module")
def configure(folder):
    """Writes a configuration that asks a page of PHP's, or another page."""

    def write(page: str = "whoami.php", tables: dict = {}, **http):
        settings = {
            "url": folder.url(page),
            "cookie": "PHPSESSID",
            "username": USER,
            "timeout": "15s",
        }
        return write_configuration(
            folder.path.parent.parent / f"http-{next(NUMBERS)}.toml",
            {
                "framework": "php",
                "session_source": "http",
                "limits": {"deadline": "30s"},
                "http": settings | http,
            }
            | tables,
        )

    return write


@pytest.fixture(scope="module")
def ask(configure, shell):
    def ask(token: str, page: str = "whoami.php", tables: dict = {}, **http) -> str:
        return said(shell(configure(page, tables, **http)).session(token))

    return ask


def test_the_page_says_whose_session_it_is(folder, ask):
    alice, nobody = folder.log_in("alice"), folder.log_in(None)
    zoe = folder.log_in("zoë")
    assert ask(alice) == ask(alice, session_id="/sid") == "alice"
    assert ask(zoe) == ask(zoe, username={"header": "X-User"}) == "zoë"
    assert ask(nobody) == ask("a" * 26) == "no-session"
    # The token goes as one cookie, or not at all.
    for token in [
        f"x; PHPSESSID={alice}", f"{alice}; a=b", f"{alice}\r\nX: y", f'"{alice}"', f"{alice} ",
        f"{alice}\t", "", "é", "a" * 5000,
    ]:
        assert ask(token) == "no-session", token
    assert ask(alice, cookie="SID") == "no-session"
    assert ask(alice, session_id=USER) == "invalid-session"
    assert ask(alice, session_id="/nothing") == "invalid-session"
    assert ask(alice, username={"header": "X-Other"}) == "unavailable"
    assert ask(alice, username="/user") == "unavailable"
    assert ask(alice, "absent.php") == "unavailable"
    folder.get("login.php", alice, logout="1")
    assert ask(alice) == "no-session"


def test_every_answer_has_its_verdict(folder, ask):
    alice = folder.log_in("alice")
    for answer, expected in [
        ("200", "alice"),
        ("201", "alice"),
        ("created", "alice"),
        ("401", "no-session"),
        ("403", "no-session"),
        # Where it leads, nobody goes: the page there would name alice.
        ("redirect", "no-session"),
        ("permanently", "no-session"),
        ("301", "no-session"),
        ("400", "unavailable"),
        ("404", "unavailable"),
        ("429", "unavailable"),
        ("500", "unavailable"),
        ("503", "unavailable"),
        ("exception", "unavailable"),
        ("no-json", "unavailable"),
        ("half-json", "unavailable"),
        ("two-json", "unavailable"),
        ("null", "unavailable"),
        ("empty", "unavailable"),
        ("list", "unavailable"),
        ("true", "unavailable"),
        ("control", "unavailable"),
        ("endless", "unavailable"),
        ("number", "7"),
    ]:
        assert ask(alice, f"answers.php?{answer}") == expected, answer
    for answer, expected in [
        ("other-session", "invalid-session"),
        ("no-session", "invalid-session"),
        ("200", "invalid-session"),
    ]:
        assert ask(alice, f"answers.php?{answer}", session_id="/sid") == expected, answer
    header = {"header": "X-User"}
    assert ask(alice, "answers.php?header", username=header) == "alice"
    assert ask(alice, "answers.php?200", username=header) == "unavailable"
    assert ask(alice, url=f"http://{LOOPBACK}:{free_port()}/") == "unavailable"
    assert ask(alice, url="http://absent.invalid/") == "unavailable"


@pytest.mark.parametrize("answer", ["slow", "drip"])
def test_a_slow_page_is_not_waited_for(folder, ask, answer):
    alice = folder.log_in("alice")
    started = time.monotonic()
    assert ask(alice, f"answers.php?{answer}", timeout="1s") == "unavailable"
    # The page takes twenty seconds, and hardly any machine ten for nothing.
    assert time.monotonic() - started < 15


def test_the_token_goes_as_the_cookie_it_came_from_and_nowhere_else(
    folder, configure, hallpass_programs, new_directory, shell
):
    directory = new_directory()
    socket = directory / "http.sock"
    asked = folder.path / "asked"
    asked.unlink(missing_ok=True)
    config = configure(
        "answers.php?200",
        {"name": "page", "daemon": {"listen": [f"unix:{socket}?mode=0660"], "threads": 1}},
        cookie="SID",
    )
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        site = Site("page", config, shell(config), daemon, "SID")
        for number in range(20):
            answer = daemon.ask(
                "/auth",
                {
                    "Cookie": f"PHPSESSID=other; SID=token{number}; SID=later; a=b",
                    "Authorization": "Bearer secret",
                    "X-Forwarded-For": "192.0.2.1",
                    "X-User": "mallory",
                    "User-Agent": "browser",
                    "Referer": "http://elsewhere.example/",
                },
            )
            assert answer.status == 200 and answer.headers["Remote-User"] == "alice"
        assert site.by_header("PHPSESSID=abc") is None
        lines = [json.loads(line) for line in asked.read_text().splitlines()]
        assert [headers["Cookie"] for _, headers in lines] == [f"SID=token{n}" for n in range(20)]
        for _, headers in lines:
            # nginx says of a body that is not there that it has no length.
            sent = {name for name, value in headers.items() if value}
            assert sent <= {"Cookie", "Host", "Accept", "Accept-Encoding", "User-Agent"}
            assert "browser" not in headers.get("User-Agent", "")
        # Connections are kept: one for each of those who ask at a time.
        assert len({port for port, _ in lines}) <= len(lines) / 3
        assert "token1" not in daemon.log()


def test_django_itself_is_asked(new_site, shell, hallpass_programs, new_directory):
    site = new_site()
    site.make_accounts(
        {"username": "alice", "password": "x", "groups": ["editors"]},
        {"username": "Ægir", "password": "x"},
        {"username": "bob", "password": "x"},
    )
    directory = new_directory()
    socket = directory / "http.sock"
    config = write_configuration_of(
        site,
        "http.toml",
        name="django",
        session_source="http",
        django={"secret_key": None},
        http={"url": f"{site.url}/identity/", "username": USER, "session_id": "/sid"},
        daemon={"listen": [f"unix:{socket}?mode=0660"]},
        limits={"deadline": "30s"},
    )
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        hallpass = Site("django", config, shell(config), daemon, "sessionid")
        alice, aegir = site.login("alice", "x"), site.login("Ægir", "x")
        assert hallpass.reason(alice.token) == alice.user == "alice"
        assert hallpass.reason(aegir.token) == "Ægir"
        assert hallpass.by_header(alice.cookie_header) == "alice"
        assert said(shell(config)("session", "--json", "--groups", "editors", alice.token)) == "alice"
        assert (
            said(shell(config)("session", "--json", "--groups", "editors", aegir.token))
            == "not-permitted"
        )
        for token in [alice.token[:-1], alice.token.upper(), "a" * 32, "x" * 4096]:
            assert hallpass.reason(token) == "no-session", token
        token = alice.token
        alice.logout()
        assert hallpass.reason(token) == "no-session"
        site.deactivate("Ægir")
        # Django's own page turns her away, and we would, too.
        assert hallpass.reason(aegir.token) in ("no-session", "inactive")
        # An account that is gone from the database, whoever the page names.
        bob = site.login("bob", "x")
        elsewhere = new_site()
        other = site.write_configuration(
            "other.toml",
            session_source="http",
            database=f"sqlite:{elsewhere.database}",
            django={"secret_key": None},
            http={"url": f"{site.url}/identity/", "username": USER},
        )
        assert said(shell(other).session(bob.token)) == "unknown-user"
