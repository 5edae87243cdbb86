"""Real HAProxy with `hallpass.lua`, from `examples/haproxy-django`."""

import json
import shutil
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from hosts import example, web
from hosts.accounts import PASSWORDS
from hosts.application import application
from hosts.daemon import hallpassd
from hosts.fixtures import UNTHROTTLED, site_replacements, site_with_accounts
from hosts.process_tree import kill
from hosts.proxies import haproxy
from hosts.web import basic
from processes import LOOPBACK, free_port


class World:
    """HAProxy, hallpassd and the application, with a site behind them."""

    def __init__(self, site, directory, program, tcp: bool):
        self.site, self.directory, self.program = site, directory, program
        self.port = free_port()
        self.socket = (LOOPBACK, free_port()) if tcp else directory / "http.sock"

    @contextmanager
    def running(self):
        if isinstance(self.socket, tuple):
            address = "{}:{}".format(*self.socket)
            listens = {
                "unix:/run/hallpass/http.sock?mode=0660": f"tcp:{address}",
                "unix@/run/hallpass/http.sock": address,
            }
        else:
            listens = {"/run/hallpass/http.sock": str(self.socket)}
        with application() as self.application:
            etc = example.install(
                "haproxy-django",
                self.directory / "etc",
                {
                    "bind :80": f"bind {LOOPBACK}:{self.port}",
                    "/etc/haproxy/": f"{self.directory}/etc/",
                    "127.0.0.1:8000": f"{LOOPBACK}:{self.application.port}",
                    "https://shop.example.org/accounts/login/": self.site.url + "/login/",
                }
                | listens
                | site_replacements(self.site, self.directory)
                | UNTHROTTLED,
            )
            with (
                hallpassd(self.program, etc / "hallpass.toml", self.socket) as self.daemon,
                haproxy(self.directory, self.port, etc / "haproxy.cfg"),
            ):
                yield self

    def ask(self, path: str, *headers: tuple[str, str], **options) -> web.Answer:
        return web.ask((LOOPBACK, self.port), path, list(headers), **options)

    def session(self, user: str, **options) -> tuple[str, str]:
        data = self.site.ask("sign", self.site.ask("login_keys", user))
        return "Cookie", "sessionid=" + self.site.ask("put_session", data, **options)


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module", params=["unix", "tcp"])
def world(request, new_directory, hallpass_programs, site):
    program = hallpass_programs["hallpassd"]
    with World(site, new_directory(), program, request.param == "tcp").running() as world:
        yield world


@pytest.fixture
def own(directory, hallpass_programs, new_site):
    """A world for one test that changes things."""
    site = site_with_accounts(new_site)
    with World(site, directory, hallpass_programs["hallpassd"], False).running() as world:
        yield world


def told(answer) -> dict[str, str]:
    return dict(json.loads(answer.body)["headers"])


def test_whoever_is_logged_in_is_let_in(world):
    for user in ("alice", "bob", "zoë"):
        answer = world.ask("/private/x?a=b", world.session(user))
        assert answer.status == 200
        headers = told(answer)
        assert urllib.parse.unquote(headers["remote-user"]) == user
        assert headers["remote-user-encoding"] == ("percent" if user == "zoë" else "")
        assert json.loads(answer.body)["path"] == "/private/x?a=b"


def test_passwords_are_for_programs(world):
    right = ("Authorization", basic("alice", PASSWORDS["alice"]))
    assert told(world.ask("/api/x", right))["remote-user"] == "alice"
    wrong = world.ask("/api/x", ("Authorization", basic("alice", "wrong")))
    assert wrong.status == 401
    assert wrong.headers["WWW-Authenticate"].startswith('Basic realm="Shop account"')
    assert world.ask("/private/x", right).status == 302


def test_nobody_else_is_let_in(world):
    alice, seen = world.session("alice"), len(world.application.requests)
    for headers in (
        [],
        [("Cookie", "")],
        [("Cookie", "sessionid=gone")],
        [world.session("alice", expires_in=-5)],
        [world.session("erin")],
        [("Cookie", alice[1].upper())],
        [("Cookie", "sessionid=' OR 1=1 --")],
        [("Cookie", "sessionid=" + "a" * 8000)],
        [("Authorization", basic("nobody", "wrong"))],
        [("Authorization", basic("alice", PASSWORDS["bob"]))],
        [("Authorization", "Basic !")],
        [("Authorization", "Bearer " + alice[1].removeprefix("sessionid="))],
    ):
        for path, status in (("/private/x", 302), ("/api/x", 401), ("//api/x", 302), ("/", 302)):
            for method in ("GET", "HEAD", "POST", "OPTIONS"):
                answer = world.ask(path, *headers, method=method)
                assert answer.status == status, (path, headers, method)
    assert len(world.application.requests) == seen


@pytest.mark.parametrize(
    "wanted", ["/", "/private/a%20b?c=d&e=%26&f=%23", "/a//evil.example/x", "/x?" + "y&" * 2000]
)
def test_wanted_address_comes_back_whole(world, wanted):
    query = urllib.parse.urlsplit(world.ask(wanted).headers["Location"]).query
    assert urllib.parse.parse_qs(query) == {"next": [wanted]}


@pytest.mark.parametrize("wanted", ["//evil.example/x", "/\\evil.example/x"])
def test_a_path_that_names_another_host_does_not_come_back(world, wanted):
    assert "evil" not in world.ask(wanted).headers.get("Location", "")


def test_bodies_reach_the_application_and_not_the_daemon(world):
    body = b"x" * 300_000
    for _ in range(5):
        answer = world.ask("/private/form", world.session("alice"), method="POST", body=body)
        assert answer.status == 200
        assert world.application.requests[-1]["body"] == body.decode()


def test_cookies_of_16_kib_and_in_several_lines(world):
    _, cookie = world.session("alice")
    large = "; ".join([f"c{n}=" + "x" * 1000 for n in range(16)])
    for lines in (
        [f"{large}; {cookie}"],
        [f"{cookie}; {large}"],
        ["a=b", cookie, "c=d"],
    ):
        assert world.ask("/private/x", *(("Cookie", line) for line in lines)).status == 200


def test_many_at_once(world):
    people = {user: world.session(user) for user in ("alice", "bob", "carol", "ursula")}

    def ask(number: int) -> bool:
        user = list(people)[number % 4]
        if number % 5 == 0:
            return world.ask("/private/x", ("Cookie", "sessionid=gone")).status == 302
        return told(world.ask("/private/x", people[user]))["remote-user"] == user

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(400)))


def test_what_is_away_lets_nobody_in(own):
    session, right = own.session("alice"), ("Authorization", basic("alice", PASSWORDS["alice"]))
    away = own.site.database.with_suffix(".away")
    shutil.move(own.site.database, away)
    assert own.ask("/private/x", session).status == 503
    assert own.ask("/api/x", right).status == 503
    shutil.move(away, own.site.database)
    assert own.ask("/private/x", session).status == 200
    kill(own.daemon.process.pid)
    own.daemon.process.wait()
    for _ in range(3):
        assert own.ask("/private/x", session).status == 503
        assert own.ask("/api/x", right).status == 503
        assert own.ask("/private/x").status == 503
