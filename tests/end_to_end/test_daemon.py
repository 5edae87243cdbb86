"""hallpassd, asked by hand: tickets, local programs, several sites, systemd."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from hosts import web
from hosts.accounts import CASES, PASSWORDS
from hosts.daemon import hallpassd, write_configuration
from hosts.fixtures import site_with_accounts
from hosts.web import basic
from processes import LOOPBACK, eventually, free_port, give_away, running, unprivileged
from programs import run

KEY = "a key of thirty-two bytes, or more"
UNTHROTTLED = {"failures": 0}


class World:
    """A site and the daemon."""

    def __init__(self, site, directory, programs, **tables):
        self.site, self.programs = site, programs
        self.socket = directory / "http.sock"
        self.tcp = (LOOPBACK, free_port())
        listen = [f"unix:{self.socket}?mode=0660", "tcp:{}:{}".format(*self.tcp)]
        tables = {
            "tickets": {"key": KEY},
            "limits": UNTHROTTLED,
        } | tables
        tables["daemon"] = {"listen": listen} | tables.get("daemon", {})
        self.config = site.write_configuration(f"{directory.name}.toml", **tables)

    @contextmanager
    def running(self):
        program = self.programs["hallpassd"]
        with hallpassd(program, self.config, self.socket, self.tcp) as self.daemon:
            yield self

    def session(self, user: str, **options) -> str:
        """The Cookie header of a session of somebody's."""
        data = self.site.ask("sign", self.site.ask("login_keys", user))
        return "sessionid=" + self.site.ask("put_session", data, **options)

    def ticket(self, cookie: str) -> str:
        answer = self.daemon.ask("/ticket", {"Cookie": cookie}, method="POST")
        assert answer.status == 200, answer
        return json.loads(answer.body)["ticket"]

    def status(self, path, **headers) -> int:
        return self.daemon.ask(path, headers).status


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def world(new_directory, hallpass_programs, site):
    with World(site, new_directory(), hallpass_programs).running() as world:
        yield world


@pytest.fixture
def own(directory, hallpass_programs, new_site):
    """A world for one test that changes things."""
    with World(site_with_accounts(new_site), directory, hallpass_programs).running() as world:
        yield world


# Tickets


def test_ticket_stands_for_its_session(world):
    cookie = world.session("alice")
    answer = world.daemon.ask("/ticket", {"Cookie": cookie}, method="POST")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    told = json.loads(answer.body)
    assert told.keys() == {"ticket", "user", "expires"}
    assert told["user"] == "alice"
    left = datetime.fromisoformat(told["expires"]).timestamp() - time.time()
    assert 0 < left <= 61
    ticket = told["ticket"]
    assert cookie.removeprefix("sessionid=") not in ticket
    for scheme in ("Bearer", "bearer", "BEARER "):
        answer = world.daemon.ask("/auth", {"Authorization": f"{scheme} {ticket}"})
        assert answer.status == 200
        assert answer.headers["Remote-User"] == "alice"
        assert answer.headers["Remote-Session-Expires"]
    by_cookie = world.daemon.ask("/auth", {"Cookie": cookie}).headers["Remote-Session"]
    assert answer.headers["Remote-Session"] == by_cookie
    identity = json.loads(
        world.daemon.ask("/session", {"Authorization": f"Bearer {ticket}"}).body
    )
    assert identity["user"] == "alice"
    assert sorted(identity["groups"]) == ["chess", "editors"]
    assert world.status("/auth?group=editors", Authorization=f"Bearer {ticket}") == 200
    assert world.status("/auth?group=two", Authorization=f"Bearer {ticket}") == 403


def test_logout_ends_the_ticket(own):
    browser = own.site.login("alice", PASSWORDS["alice"])
    bearer = {"Authorization": "Bearer " + own.ticket(browser.cookie_header)}
    assert own.daemon.ask("/auth", bearer).status == 200
    browser.logout()
    assert own.daemon.ask("/auth", bearer).status == 401
    browser = own.site.login("alice", PASSWORDS["alice"])
    bearer = {"Authorization": "Bearer " + own.ticket(browser.cookie_header)}
    own.site.deactivate("alice")
    assert own.daemon.ask("/auth", bearer).status == 401


def test_ticket_is_void_in_time(directory, hallpass_programs, site):
    tickets = {"key": KEY, "lifetime": "1s"}
    with World(site, directory, hallpass_programs, tickets=tickets).running() as world:
        bearer = {"Authorization": "Bearer " + world.ticket(world.session("alice"))}
        eventually(lambda: world.daemon.ask("/auth", bearer).status == 401, "the ticket is void")
        assert "expired-session" in world.daemon.log()


def test_tampered_tickets_are_none(world):
    ticket = world.ticket(world.session("alice"))
    for number in range(0, len(ticket), 7):
        other = "B" if ticket[number] == "A" else "A"
        tampered = ticket[:number] + other + ticket[number + 1 :]
        assert world.status("/auth", Authorization=f"Bearer {tampered}") == 401
    for wrong in ("", ticket[:-1], ticket + "A", ticket + " x", "x", ".", "a" * 20_000):
        assert world.status("/auth", Authorization=f"Bearer {wrong}") == 401
    # In the query it is read by nobody: it would stand in every log.
    assert world.status(f"/auth?ticket={ticket}") == 400
    assert world.status("/auth", **{"X-Original-URI": f"/x?ticket={ticket}"}) == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_tickets_are_posted_for(world, method):
    cookie = {"Cookie": world.session("alice")}
    answer = world.daemon.ask("/ticket", cookie, method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"


def test_only_a_session_gives_a_ticket(world):
    def post(**headers):
        return world.daemon.ask("/ticket", headers, method="POST")

    ticket = world.ticket(world.session("alice"))
    assert post().status == 401
    assert post(Authorization=basic("alice", PASSWORDS["alice"])).status == 401
    # No ticket renews itself.
    assert post(Authorization=f"Bearer {ticket}").status == 401
    assert post(Cookie="sessionid=" + "a" * 32).status == 401
    assert post(Cookie=world.session("alice", expires_in=-5)).status == 401
    answer = post(Cookie=world.session("erin"))
    assert (answer.status, json.loads(answer.body)) == (401, {"verdict": "denied"})
    answer = world.daemon.ask(
        "/ticket?group=two", {"Cookie": world.session("alice")}, method="POST"
    )
    assert answer.status == 403


def test_posting_for_a_ticket_with_an_announced_body(world):
    headers = {"Cookie": world.session("alice"), "Content-Length": "10"}
    assert world.daemon.ask("/ticket", headers, method="POST").status == 200


def test_no_key_no_tickets(directory, hallpass_programs, site, world):
    ticket = world.ticket(world.session("alice"))
    with World(site, directory, hallpass_programs, tickets=None).running() as without:
        answer = without.daemon.ask(
            "/ticket", {"Cookie": without.session("alice")}, method="POST"
        )
        assert answer.status == 404
        assert b"[tickets]" in answer.body
        assert without.status("/auth", Authorization=f"Bearer {ticket}") == 401


def test_other_keys_tickets_are_none(directory, hallpass_programs, site, world):
    ticket = world.ticket(world.session("alice"))
    tickets = {"key": KEY + "!"}
    with World(site, directory, hallpass_programs, tickets=tickets).running() as other:
        assert other.status("/auth", Authorization=f"Bearer {ticket}") == 401


@pytest.mark.parametrize(
    ("accept", "cookie", "bearer", "password"),
    [
        (["session", "password"], 200, 200, 200),
        (["session"], 200, 200, 401),
        (["ticket"], 401, 200, 401),
        (["password"], 401, 401, 200),
        ([], 401, 401, 401),
    ],
    ids=str,
)
def test_what_is_accepted(
    directory, hallpass_programs, site, world, accept, cookie, bearer, password
):
    session = world.session("alice")
    ticket = world.ticket(session)
    daemon = {"accept": accept}
    with World(site, directory, hallpass_programs, daemon=daemon).running() as strict:
        assert strict.status("/auth", Cookie=session) == cookie
        assert strict.status("/auth", Authorization=f"Bearer {ticket}") == bearer
        assert strict.status("/auth", Authorization=basic("bob", PASSWORDS["bob"])) == password
        challenge = strict.daemon.ask("/auth").headers["WWW-Authenticate"]
        assert (challenge is not None) == ("password" in accept)


# Local programs


@pytest.mark.parametrize("case", CASES, ids=str)
def test_check_is_as_the_site_says(world, site, case):
    allowed = site.ask("modwsgi_check_password", case.user, case.password) is True
    answer = world.daemon.check(case.user, case.password)
    told = json.loads(answer.body)
    assert answer.status == (200 if allowed else 401)
    assert told["verdict"] == ("granted" if allowed else "denied")
    if allowed:
        assert told["user"] == case.user
        assert told["reason"] is None
    else:
        assert told.keys() == {"verdict", "reason"}


@pytest.mark.parametrize(
    ("user", "password", "reason"),
    [
        ("alice", "wrong", "wrong-password"),
        ("nobody at all", "wrong", "unknown-user"),
        ("erin", PASSWORDS["erin"], "inactive"),
        ("frank", "", "unusable-password"),
        ("garbled", "x", "unsupported-hash"),
        ("al\nice", "x", "malformed"),
        ("", "x", "malformed"),
        ("alice", "nul\0", "malformed"),
        ("alice", "x" * 5000, "malformed"),
    ],
)
def test_check_tells_the_reason(world, user, password, reason):
    answer = world.daemon.check(user, password)
    assert answer.status == 401
    assert json.loads(answer.body) == {"verdict": "denied", "reason": reason}


def test_conditions_of_check(world):
    password = PASSWORDS["alice"]
    for more, status in [
        ({"groups": ["editors"]}, 200),
        ({"groups": ["nobody's", "chess"]}, 200),
        ({"groups": []}, 200),
        ({"groups": ["nobody's"]}, 403),
        ({"permissions": ["shop.view_report"]}, 403),
        ({"groups": ["chess"], "permissions": ["shop.view_report"]}, 403),
    ]:
        answer = world.daemon.check("alice", password, **more)
        assert answer.status == status, more
        reason = {200: None, 403: "not-permitted"}[status]
        assert json.loads(answer.body)["reason"] == reason
    answer = world.daemon.check("alice", "wrong", groups=["nobody's"])
    assert answer.status == 401, "the password comes first"


def test_check_says_who_asked(world):
    password = PASSWORDS["alice"]
    more = {"host": 'imap" verdict=granted\n', "client": "192.0.2.77"}
    assert world.daemon.check("alice", password, **more).status == 200
    line = next(line for line in world.daemon.log().splitlines() if "192.0.2.77" in line)
    assert " door=check " in line
    assert 'host="imap\\" verdict=granted\\n"' in line


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"alice",
        b'{"user": "alice"}',
        b'{"password": "x"}',
        b'{"user": "alice", "password": null}',
        b'{"user": "alice", "password": 1}',
        b'{"user": ["alice"], "password": "x"}',
        b'{"user": "alice", "password": "x", "group": ["editors"]}',
        b'{"user": "alice", "password": "x", "groups": "editors"}',
        b'{"user": "alice", "password": "x", "groups": null}',
        b'{"user": "alice", "password": "x", "permissions": {"a": 1}}',
        b'{"user": "alice", "password": "x", "client": "nowhere"}',
        b'{"user": "alice", "password": "x"} {}',
        b'{"user": "alice", "password": "x"',
        b'{"user": "alice", "password": "x", "user": "bob"}',
        b'{"user": "alice", "password": "\xff"}',
        b'{"user": "alice", "password": "\\ud800"}',
        b"[" * 16_000,
    ],
    ids=lambda body: body[:60],
)
def test_what_cannot_be_read_is_refused(world, body):
    with web.Connection(world.socket) as connection:
        length = [("Content-Length", str(len(body)))]
        connection.send(web.request("/check", length, "POST", body=body))
        answer = connection.answer()
        assert answer.status == 400
        assert json.loads(answer.body) == {"verdict": "denied", "reason": "malformed"}
        # What comes next on the connection is told from it.
        connection.send(web.request("/healthz"))
        assert connection.answer().status == 200


def test_long_bodies_are_not_read(world):
    def ask(length, body):
        with web.Connection(world.socket) as connection:
            headers = [("Content-Length", str(length))]
            connection.send(web.request("/check", headers, "POST", body=body))
            return connection.answer()

    body = b'{"user": "alice", "password": "%s"}'
    full = body % (b"x" * (16 * 1024 - len(body) + 2))
    assert len(full) == 16 * 1024
    assert ask(len(full), full).status == 401
    assert ask(16 * 1024 + 1, b"").status == 413
    assert ask(1 << 40, b"").status == 413
    with web.Connection(world.socket) as connection:
        chunked = [("Transfer-Encoding", "chunked")]
        connection.send(web.request("/check", chunked, "POST"))
        connection.send(b"4001\r\n" + b"x" * 0x4001 + b"\r\n0\r\n\r\n")
        assert connection.answer().status == 413


def test_a_body_that_does_not_come_is_not_waited_for(directory, hallpass_programs, site):
    limits = UNTHROTTLED | {"deadline": "1s"}
    with World(site, directory, hallpass_programs, limits=limits).running() as world:
        with web.Connection(world.socket) as connection:
            connection.send(web.request("/check", [("Content-Length", "40")], "POST", body=b"{"))
            assert connection.answer().status == 408
            assert connection.ended()


def test_check_is_for_local_programs(world):
    body = json.dumps({"user": "alice", "password": PASSWORDS["alice"]}).encode()
    answer = web.ask(world.tcp, "/check", method="POST", body=body)
    assert answer.status == 403
    assert b"alice" not in answer.body
    for method in ("GET", "PUT"):
        assert world.daemon.ask("/check", method=method).status == 405
    # A condition there would be overlooked.
    answer = world.daemon.ask("/check?group=editors", method="POST", body=body)
    assert answer.status == 400


# Whether it works


def test_readiness(own):
    assert own.daemon.ask("/readyz").status == 200
    assert own.daemon.ask("/readyz").body == b"database: ok\nsessions: ok\n"
    assert web.ask(own.tcp, "/readyz").status == 200
    away = own.site.database.with_suffix(".away")
    shutil.move(own.site.database, away)
    answer = own.daemon.ask("/readyz")
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    assert answer.body == b"database: unavailable\nsessions: unavailable\n"
    assert own.daemon.ask("/healthz").status == 200
    shutil.move(away, own.site.database)
    assert own.daemon.ask("/readyz").status == 200


def test_a_locked_database_keeps_nobody_waiting_but_who_asks_it(own):
    alice = own.session("alice")
    assert own.status("/auth", Cookie=alice) == 200
    with sqlite3.connect(own.site.database, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(own.status, "/auth", Cookie=alice) for _ in range(8)]
            for _ in range(20):
                assert own.status("/healthz") == 200
            assert not any(each.done() for each in asked)
            other.execute("UPDATE auth_user SET is_active = 0 WHERE username = 'alice'")
            other.execute("COMMIT")
            assert {each.result() for each in asked} == {401}
        # What is written and not yet there keeps nobody waiting.
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE auth_user SET is_active = 1 WHERE username = 'alice'")
        assert own.status("/auth", Cookie=alice) == 401
        other.execute("COMMIT")
    assert own.status("/auth", Cookie=alice) == 200


def test_readiness_is_of_the_caches_too(directory, hallpass_programs, new_site, redis):
    site = new_site(
        SESSION_ENGINE="django.contrib.sessions.backends.cache",
        CACHES={
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": redis.url(),
            }
        },
    )
    with World(site, directory, hallpass_programs).running() as world:
        assert world.daemon.ask("/readyz").status == 200
    gone = site.configuration()["django"] | {"cache": f"redis://{LOOPBACK}:{free_port()}/0"}
    directory = directory / "gone"
    give_away_new(directory)
    with World(site, directory, hallpass_programs, django=gone).running() as world:
        answer = world.daemon.ask("/readyz")
        assert answer.status == 503
        assert answer.body == b"database: ok\nsessions: unavailable\n"


def give_away_new(path):
    path.mkdir()
    give_away(path)


# Several sites


@pytest.fixture
def two_sites(directory, hallpass_programs, new_site):
    """The addresses of a daemon that serves two sites, and the sites."""
    shop, forum = new_site(), new_site()
    shop.make_accounts({"username": "alice", "password": "of the shop"})
    forum.make_accounts({"username": "alice", "password": "of the forum"})
    sockets = [directory / "shop.sock", directory / "forum.sock"]
    configs = [
        write_configuration(
            site,
            f"{name}.toml",
            name=name,
            limits=UNTHROTTLED,
            daemon={"listen": [f"unix:{path}"], "realm": name},
        )
        for site, name, path in zip((shop, forum), ("shop", "forum"), sockets, strict=True)
    ]
    with hallpassd(hallpass_programs["hallpassd"], configs, *sockets) as daemon:
        yield daemon, shop, forum


def test_each_site_answers_under_its_name(two_sites):
    daemon, shop, forum = two_sites
    of_shop, of_forum = basic("alice", "of the shop"), basic("alice", "of the forum")

    def status(path, authorization, address=daemon.addresses[0]) -> int:
        return web.ask(address, path, {"Authorization": authorization}).status

    for address in daemon.addresses:
        assert status("/shop/auth", of_shop, address) == 200
        assert status("/shop/auth", of_forum, address) == 401
        assert status("/forum/auth", of_forum, address) == 200
        assert status("/forum/auth", of_shop, address) == 401
        assert status("/forum/session", of_forum, address) == 200
    # Without a name, a socket is the site's whose file names it.
    assert status("/auth", of_shop) == 200
    assert status("/auth", of_forum) == 401
    assert status("/auth", of_forum, daemon.addresses[1]) == 200
    assert status("/auth", of_shop, daemon.addresses[1]) == 401
    for path in ("/shop", "/shop/", "/shop/x", "/Shop/auth", "/none/auth", "//auth", "/shop//auth"):
        assert status(path, of_shop) == 404, path
    challenge = web.ask(daemon.address, "/forum/auth").headers["WWW-Authenticate"]
    assert challenge.startswith('Basic realm="forum"')


def test_each_site_has_its_own_readiness(two_sites):
    daemon, shop, forum = two_sites
    assert daemon.ask("/readyz").status == 200
    shutil.move(forum.database, forum.database.with_suffix(".away"))
    assert daemon.ask("/readyz").status == 503
    assert daemon.ask("/shop/readyz").status == 200
    assert daemon.ask("/forum/readyz").status == 503
    assert daemon.ask("/forum/readyz").body.startswith(b"forum/database: unavailable\n")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((None, None), "b.toml: name: is missing"),
        (("shop", None), "b.toml: name: is missing"),
        (("shop", "shop"), "b.toml: name: the site of"),
        (("shop", "fo rum"), "name: must consist of letters"),
    ],
)
def test_sites_that_cannot_be_told_apart(site, hallpass_programs, names, message):
    configs = [
        write_configuration(site, f"{file}.toml", name=name)
        for file, name in zip("ab", names, strict=True)
    ]
    for option in ([], ["--check-config"]):
        words = [word for path in configs for word in ("--config", path)]
        result = run([hallpass_programs["hallpassd"], *words, *option])
        assert result.code == 2
        assert message in result.stderr.decode()


def test_one_socket_for_two_things(site, hallpass_programs, directory):
    daemon = {"fastcgi": [f"unix:{directory}/f"], "saslauthd": [f"unix:{directory}/f"]}
    config = site.write_configuration("twice.toml", daemon=daemon)
    result = run([hallpass_programs["hallpassd"], "--config", config])
    assert result.code == 2
    assert b"daemon.fastcgi" in result.stderr and b"daemon.saslauthd" in result.stderr


# systemd


def systemd_activate(listener: socket.socket, command: list, names: str = "hallpassd.socket"):
    """The command that runs `command` as systemd runs a service with a socket of its own."""
    shell = (
        f'exec 3<&{listener.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES="{names}" '
        + 'exec "$@"'
    )
    return ["/bin/bash", "-c", shell, "bash", *command]


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET], ids=["unix", "tcp"])
def test_sockets_that_systemd_hands_over(site, directory, hallpass_programs, family):
    listener = socket.socket(family)
    address = directory / "handed.sock" if family == socket.AF_UNIX else (LOOPBACK, free_port())
    listener.bind(str(address) if family == socket.AF_UNIX else address)
    listener.listen()
    if family == socket.AF_UNIX:
        give_away(address)
    own = directory / "own.sock"
    config = site.write_configuration("handed.toml", daemon={"listen": [f"unix:{own}"]})
    command = systemd_activate(listener, [hallpass_programs["hallpassd"], "--config", config])
    log = directory / "handed.log"

    def answers() -> bool:
        return web.ask(address, "/healthz").status == 200

    # Whoever asks before it runs is answered once it does.
    with running(command, log, answers, pass_fds=[listener.fileno()], **unprivileged()) as process:
        listener.close()
        assert not own.exists()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    if family == socket.AF_UNIX:
        assert address.exists(), "the socket is systemd's"


def test_what_systemd_is_told(site, directory, hallpass_programs):
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(directory / "notify"))
    notify.settimeout(60)
    give_away(directory / "notify")
    config = site.write_configuration(
        "notify.toml", daemon={"listen": [f"unix:{directory}/http.sock"]}
    )
    environment = os.environ | {
        "NOTIFY_SOCKET": str(directory / "notify"),
        "WATCHDOG_USEC": "300000",
    }
    with running(
        [hallpass_programs["hallpassd"], "--config", config],
        directory / "log",
        env=environment,
        **unprivileged(),
    ) as process:
        first = notify.recv(4096)
        told = {first.strip(), *(notify.recv(4096).strip() for _ in range(4))}
        assert told == {b"READY=1", b"WATCHDOG=1"}
        process.send_signal(signal.SIGTERM)
        eventually(lambda: notify.recv(4096).strip() == b"STOPPING=1", "the end is told")
        assert process.wait(60) == 0


def test_ready_means_answering(site, directory, hallpass_programs):
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(directory / "notify"))
    notify.settimeout(60)
    give_away(directory / "notify")
    path = directory / "http.sock"
    config = site.write_configuration("ready.toml", daemon={"listen": [f"unix:{path}"]})
    with running(
        [hallpass_programs["hallpassd"], "--config", config],
        directory / "log",
        env=os.environ | {"NOTIFY_SOCKET": str(directory / "notify")},
        **unprivileged(),
    ):
        assert notify.recv(4096).strip() == b"READY=1"
        assert web.ask(path, "/healthz").status == 200


# What must not happen


def test_there_is_no_picture_of_its_memory(world):
    limits = Path(f"/proc/{world.daemon.process.pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4] == "0"


def test_no_secret_is_in_the_log(own):
    cookie = own.session("alice")
    ticket = own.ticket(cookie)
    own.status("/auth", Authorization=f"Bearer {ticket}")
    own.daemon.check("alice", PASSWORDS["alice"])
    own.daemon.check("alice", "a wrong s3cret")
    own.daemon.ask("/check", method="POST", body=b'{"user": "alice", "password": "s3cret"')
    log = own.daemon.log()
    assert log.count("verdict=") == 4
    for secret in (cookie.removeprefix("sessionid="), ticket, PASSWORDS["alice"], "s3cret", KEY):
        assert secret not in log
