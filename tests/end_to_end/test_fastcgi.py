"""hallpassd's FastCGI authorizer, asked byte by byte, by real Apache and by real lighttpd."""

import urllib.parse
from contextlib import contextmanager

import pytest

from hosts import fastcgi, httpd, web
from hosts.accounts import CASES, PASSWORDS
from hosts.apache_fcgi import apache
from hosts.daemon import hallpassd
from hosts.fastcgi import (
    ABORT,
    BEGIN,
    CANT_MULTIPLEX,
    COMPLETE,
    DATA,
    END,
    FILTER,
    GET_VALUES,
    KEEP,
    PARAMS,
    RESPONDER,
    STDIN,
    UNKNOWN,
    UNKNOWN_ROLE,
    VALUES,
    Record,
    asked,
    begin,
    pairs,
    record,
)
from hosts.fixtures import UNTHROTTLED, site_replacements, site_with_accounts
from hosts.lighttpd import lighttpd
from hosts.web import basic
from processes import LOOPBACK, free_port, give_away
from programs import run


class World:
    """A site and the daemon, with a FastCGI socket."""

    def __init__(self, site, directory, programs, **daemon):
        self.site, self.programs = site, programs
        self.directory = directory
        self.http = directory / "http.sock"
        self.socket = directory / "fcgi.sock"
        self.tcp = (LOOPBACK, free_port())
        listeners = {
            "listen": [f"unix:{self.http}"],
            "fastcgi": [f"unix:{self.socket}", "tcp:{}:{}".format(*self.tcp)],
        }
        self.config = site.write_configuration(
            f"{directory.name}.toml", limits={"failures": 0}, daemon=listeners | daemon
        )

    @contextmanager
    def running(self):
        program = self.programs["hallpassd"]
        addresses = (self.http, self.socket, self.tcp)
        with hallpassd(program, self.config, *addresses) as self.daemon:
            yield self

    def session(self, user: str, **options) -> str:
        """The Cookie header of a session of somebody's."""
        data = self.site.ask("sign", self.site.ask("login_keys", user))
        return "sessionid=" + self.site.ask("put_session", data, **options)

    def ask(self, **parameters) -> fastcgi.Answer:
        return fastcgi.ask(self.socket, parameters)

    def connection(self) -> fastcgi.Connection:
        return fastcgi.Connection(self.socket)


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def world(new_directory, hallpass_programs, site):
    with World(site, new_directory(), hallpass_programs, realm="Shop").running() as world:
        yield world


def password(user: str, **more) -> dict[str, str]:
    return {"REMOTE_USER": user, "REMOTE_PASSWD": PASSWORDS[user]} | more


# What is answered


@pytest.mark.parametrize("case", CASES, ids=str)
def test_password_is_as_the_site_says(world, site, case):
    allowed = site.ask("modwsgi_check_password", case.user, case.password) is True
    answer = world.ask(REMOTE_USER=case.user, REMOTE_PASSWD=case.password)
    assert answer.status == (200 if allowed else 401)
    if allowed:
        assert answer.variables["REMOTE_USER_NAME"] == case.user
    else:
        assert answer.variables == {}
        assert answer.headers["WWW-Authenticate"].startswith('Basic realm="Shop"')


def test_variables(world):
    variables = world.ask(**password("alice")).variables
    assert variables == {
        "REMOTE_USER_NAME": "alice",
        "REMOTE_USER_ENCODING": "",
        "REMOTE_EMAIL": "alice@example.org",
        "REMOTE_NAME": "Alice Liddell",
        "REMOTE_GROUPS": variables["REMOTE_GROUPS"],
        "REMOTE_SESSION": "",
        "REMOTE_SESSION_EXPIRES": "",
    }
    assert sorted(variables["REMOTE_GROUPS"].split(",")) == ["chess", "editors"]
    session = world.ask(HTTP_COOKIE=world.session("zoë")).variables
    assert session["REMOTE_USER_NAME"] == "zoë"
    assert session["REMOTE_SESSION"] and session["REMOTE_SESSION_EXPIRES"]
    assert session["REMOTE_EMAIL"] == ""


def test_session_cookie(world):
    cookie = world.session("alice")
    assert world.ask(HTTP_COOKIE=cookie).status == 200
    assert world.ask(HTTP_COOKIE=f"a=b; {cookie}; c=d").status == 200
    assert world.ask(HTTP_COOKIE="sessionid=" + "a" * 32).status == 401
    assert world.ask(HTTP_COOKIE="").status == 401
    assert world.ask(HTTP_COOKIE=world.session("alice", expires_in=-5)).status == 401
    assert world.ask(HTTP_COOKIE=world.session("erin")).status == 401
    # Either will do, of the account that the server goes on with.
    wrong = {"REMOTE_USER": "alice", "REMOTE_PASSWD": "wrong"}
    assert world.ask(HTTP_COOKIE=cookie, **wrong).status == 200
    assert world.ask(HTTP_COOKIE="sessionid=gone", **password("bob")).status == 200
    assert world.ask(HTTP_COOKIE="sessionid=gone", **wrong).status == 401


def test_authorization_header(world):
    header = basic("alice", PASSWORDS["alice"])
    assert world.ask(HTTP_AUTHORIZATION=header).status == 200
    assert world.ask(HTTP_AUTHORIZATION=basic("alice", "wrong")).status == 401


def test_a_name_is_no_proof(world):
    for parameters in (
        {"REMOTE_USER": "alice"},
        {"REMOTE_USER": "alice", "FCGI_APACHE_ROLE": "AUTHENTICATOR"},
        {"REMOTE_USER": "alice", "FCGI_ROLE": "AUTHORIZER"},
        {"REMOTE_USER": "alice", "HTTP_FCGI_APACHE_ROLE": "AUTHORIZER"},
        {"HTTP_REMOTE_USER": "alice", "HTTP_REMOTE_PASSWD": PASSWORDS["alice"]},
        {"REMOTE_PASSWD": PASSWORDS["alice"]},
        {"REMOTE_IDENT": "alice", "AUTH_TYPE": "Basic"},
        {},
    ):
        assert world.ask(**parameters).status == 401, parameters


def test_apache_vouches_for_whom_it_let_in(world):
    def role(user: str) -> int:
        return world.ask(FCGI_APACHE_ROLE="AUTHORIZER", REMOTE_USER=user).status

    assert role("alice") == 200
    assert [role(name) for name in ("erin", "nobody", "", "al\nice")] == [401] * 4


VOUCHED = {"FCGI_APACHE_ROLE": "AUTHORIZER"}
SOMEBODY_AND_NOBODY = ("alice", "bob", "erin", "nobody", "root", "Alice")


def test_without_vouch_tcp_tells_nothing_of_a_name(world):
    """Any local user can ask there."""
    answers = [
        fastcgi.ask(world.tcp, VOUCHED | {"REMOTE_USER": user}) for user in SOMEBODY_AND_NOBODY
    ]
    assert {answer.status for answer in answers} == {403}
    assert all(answer == answers[0] and not answer.variables for answer in answers)
    assert "daemon.vouch" in world.daemon.log()
    # A password is asked about there as before.
    good = fastcgi.ask(world.tcp, VOUCHED | password("alice"))
    assert good.variables["REMOTE_EMAIL"]


@pytest.mark.parametrize("empty", [True, False])
def test_who_vouches_is_what_vouch_says(directory, hallpass_programs, site, empty):
    tcp = (LOOPBACK, free_port())
    listener = "tcp:{}:{}".format(*tcp)
    vouch = [] if empty else [listener]
    listeners = {"fastcgi": [f"unix:{directory / 'fcgi.sock'}", listener], "vouch": vouch}
    world = World(site, directory, hallpass_programs, **listeners)
    world.tcp = tcp
    with world.running():
        for address, vouches in ((world.socket, False), (world.tcp, not empty)):
            told = {
                user: fastcgi.ask(address, VOUCHED | {"REMOTE_USER": user}).status
                for user in SOMEBODY_AND_NOBODY
            }
            if vouches:
                assert (told["alice"], told["erin"], told["nobody"]) == (200, 401, 401)
            else:
                assert set(told.values()) == {403}
        # The programs that ask the daemon stand under the same rule.
        via = site.write_configuration(
            f"{directory.name}-via.toml", **{"via": f"unix:{world.http}", "via_only": True}
        )
        member = run(
            [hallpass_programs["hallpass-apache"], "group", "--config", via],
            b"alice\neditors\n",
        )
        assert member.code != 0


def test_a_vouch_that_names_no_listener_is_warned_of(directory, hallpass_programs, site):
    for listed, words in (
        (["tcp:127.0.0.1:9999"], "has an effect only where systemd"),
        (["tcp"], "daemon.vouch"),
        (["127.0.0.1"], "daemon.vouch"),
        (["fastcgi"], "daemon.vouch"),
    ):
        config = site.write_configuration("vouch.toml", daemon={"vouch": listed})
        result = run([hallpass_programs["hallpassd"], "--check-config", "--config", config])
        assert words in result.stderr.decode(), result


def test_permission_is_told_from_identity(directory, hallpass_programs, site):
    access = {"groups": ["editors"]}
    world = World(site, directory, hallpass_programs)
    tables = site.configuration(
        access=access, daemon={"listen": [], "fastcgi": [f"unix:{world.socket}"]}
    )
    config = site.write_configuration("access.toml", **tables)
    with hallpassd(hallpass_programs["hallpassd"], config, world.socket):
        assert world.ask(**password("alice")).status == 200
        assert world.ask(**password("bob")).status == 403
        assert world.ask(HTTP_COOKIE=world.session("bob")).status == 403
        assert world.ask(REMOTE_USER="bob", REMOTE_PASSWD="wrong").status == 401


def test_browsers_are_sent_to_the_login_page(directory, hallpass_programs, site):
    with World(
        site, directory, hallpass_programs, login_url="https://shop.example.org/login?next={url}"
    ).running() as world:

        def wanted(**parameters) -> str:
            answer = world.ask(**parameters)
            assert answer.status == 302
            query = urllib.parse.urlsplit(answer.headers["Location"]).query
            return urllib.parse.parse_qs(query, keep_blank_values=True)["next"][0]

        path = "/private/a%20b?c=d&e=%26#f"
        assert wanted(REQUEST_URI=path) == path
        host = {"HTTP_HOST": "files.example.org", "REQUEST_SCHEME": "https"}
        assert wanted(REQUEST_URI=path, **host) == "https://files.example.org" + path
        assert wanted(REQUEST_URI=path, HTTP_COOKIE="sessionid=gone") == path
        assert wanted() == ""
        assert wanted(REQUEST_URI="/x\r\nSet-Cookie: a=b") == "/x\r\nSet-Cookie: a=b"
        # A program has no use for a page.
        assert world.ask(REQUEST_URI=path, REMOTE_USER="alice", REMOTE_PASSWD="x").status == 401
        assert world.ask(REQUEST_URI=path, **password("alice")).status == 200


def test_store_that_is_away_is_an_error(directory, hallpass_programs, new_site):
    site = site_with_accounts(new_site)
    with World(site, directory, hallpass_programs).running() as world:
        cookie = world.session("alice")
        site.database.rename(site.database.with_suffix(".away"))
        assert world.ask(HTTP_COOKIE=cookie).status == 500
        assert world.ask(**password("alice")).status == 500
        site.database.with_suffix(".away").rename(site.database)
        assert world.ask(HTTP_COOKIE=cookie).status == 200
        assert world.ask(REMOTE_USER="alice", REMOTE_PASSWD="wrong").status == 401


def test_who_asked_is_in_the_log(world):
    world.ask(REMOTE_USER="alice", REMOTE_PASSWD="wr0ng s3cret", REMOTE_ADDR="192.0.2.99")
    line = next(line for line in world.daemon.log().splitlines() if "192.0.2.99" in line)
    assert "reason=wrong-password" in line and " door=fastcgi " in line
    assert "s3cret" not in world.daemon.log()


def test_nobody_else_says_where_a_client_is(directory, hallpass_programs, site):
    with World(site, directory, hallpass_programs, trusted_proxies=[]).running() as world:
        world.ask(REMOTE_USER="alice", REMOTE_PASSWD="wrong", REMOTE_ADDR="192.0.2.98")
        assert "192.0.2.98" not in world.daemon.log()


# How it is asked


def test_bytes_may_come_one_by_one(world):
    with world.connection() as connection:
        for byte in asked(password("alice")):
            connection.send(bytes([byte]))
        assert connection.answer().status == 200


def test_long_parameters(world):
    big = {f"HTTP_X_{n}": "x" * 8000 for n in range(40)}
    assert world.ask(**big, **password("alice")).status == 200
    short = {f"HTTP_X_{n}": "x" * n for n in (0, 1, 126, 127, 128, 129, 255, 256, 65535, 65536)}
    assert world.ask(**short, **password("alice")).status == 200


def test_too_many_parameters_are_not_read(world):
    with world.connection() as connection:
        connection.send(begin())
        with pytest.raises(OSError):
            for _ in range(100):
                connection.send(record(PARAMS, b"\0" * 65535))
            assert connection.record() is None
            raise ConnectionResetError
    assert world.ask(**password("alice")).status == 200


def test_records_may_be_split_and_padded_anywhere(world):
    text = pairs(password("carol"))
    for size, padding in [(1, 0), (3, 255), (7, 1), (1000, 8)]:
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        records = b"".join(record(PARAMS, piece, padding=padding) for piece in [*pieces, b""])
        with world.connection() as connection:
            connection.send(begin() + records)
            assert connection.answer().variables["REMOTE_USER_NAME"] == "carol"


def test_no_body_is_waited_for_and_one_that_comes_is_ignored(world):
    with world.connection() as connection:
        connection.send(asked(password("alice"), flags=KEEP) + record(STDIN, b"x" * 9000))
        connection.send(record(STDIN) + record(DATA, b"y"))
        assert connection.answer().status == 200
        connection.send(asked(password("bob"), flags=KEEP))
        assert connection.answer().variables["REMOTE_USER_NAME"] == "bob"


def test_connections_are_kept_when_they_shall_be(world):
    with world.connection() as connection:
        for number in range(1, 50):
            user = ("alice", "bob")[number % 2]
            connection.send(asked(password(user), flags=KEEP, request=number))
            assert connection.answer(number).variables["REMOTE_USER_NAME"] == user
        connection.send(asked(password("alice")))
        assert connection.answer().status == 200
        assert connection.record() is None


def test_two_requests_at_once_are_one_too_many(world):
    with world.connection() as connection:
        connection.send(begin(request=1, flags=KEEP) + asked(password("bob"), request=2))
        assert connection.record() == Record(END, 2, bytes([0, 0, 0, 0, CANT_MULTIPLEX, 0, 0, 0]))
        connection.send(record(PARAMS, pairs(password("alice"))) + record(PARAMS))
        assert connection.answer().variables["REMOTE_USER_NAME"] == "alice"


@pytest.mark.parametrize("role", [0, RESPONDER, FILTER, 4, 65535])
def test_other_roles_are_refused(world, role):
    with world.connection() as connection:
        connection.send(begin(role) + record(PARAMS, pairs(password("alice"))) + record(PARAMS))
        assert connection.record() == Record(END, 1, bytes([0, 0, 0, 0, UNKNOWN_ROLE, 0, 0, 0]))
        assert connection.record() is None


def test_requests_can_be_aborted(world):
    with world.connection() as connection:
        connection.send(begin(flags=KEEP) + record(ABORT))
        assert connection.record() == Record(END, 1, bytes([0, 0, 0, 0, COMPLETE, 0, 0, 0]))
        connection.send(asked(password("alice"), flags=KEEP) + record(ABORT))
        # The answer, or the end without one: it may have been too late.
        while (received := connection.record()).kind != END:
            pass
        assert received.request == 1
        connection.send(asked(password("bob"), flags=KEEP, request=3))
        assert connection.answer(3).variables["REMOTE_USER_NAME"] == "bob"


def test_values_can_be_asked_for(world):
    with world.connection() as connection:
        names = ("FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS", "FCGI_UNHEARD_OF")
        connection.send(record(GET_VALUES, pairs(dict.fromkeys(names, "")), request=0))
        received = connection.record()
        assert (received.kind, received.request) == (VALUES, 0)
        assert pairs({"FCGI_MPXS_CONNS": "0"}) in received.content
        assert b"UNHEARD" not in received.content
        connection.send(asked(password("alice")))
        assert connection.answer().status == 200


@pytest.mark.parametrize("kind", [0, 12, 99, 255])
def test_unknown_types_are_called_unknown(world, kind):
    with world.connection() as connection:
        connection.send(record(kind, b"whatever", request=0, padding=3))
        assert connection.record() == Record(UNKNOWN, 0, bytes([kind, 0, 0, 0, 0, 0, 0, 0]))
        connection.send(asked(password("alice")))
        assert connection.answer().status == 200


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET /auth HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\0" * 100,
        b"\x02" + begin()[1:],
        record(BEGIN, b"\0\2"),
        record(BEGIN, b"\0\2" + bytes(20)),
        begin() + begin(),
        begin() + record(PARAMS, b"\xff\xff\xff\xff\xff\xff\xff\xff") + record(PARAMS),
        begin() + record(PARAMS, b"\x05\x05abc") + record(PARAMS),
        record(GET_VALUES, b"\x05", request=0),
    ],
    ids=range(9),
)
def test_nonsense_ends_the_connection(world, nonsense):
    with world.connection() as connection:
        connection.send(nonsense)
        assert connection.record() is None
    assert world.ask(**password("alice")).status == 200


def test_half_a_request_harms_nobody(world):
    for length in (0, 1, 8, 16, 30):
        with world.connection() as connection:
            connection.send(asked(password("alice"))[:length])
    assert world.ask(**password("alice")).status == 200


def test_tcp_is_the_same(world):
    answer = fastcgi.ask(world.tcp, password("alice"))
    assert answer.variables["REMOTE_USER_NAME"] == "alice"
    assert fastcgi.ask(world.tcp, {}).status == 401


# Real Apache


@pytest.fixture(scope="module")
def served(new_directory, hallpass_programs, site):
    """Apache with `examples/apache-fcgi-django`, and the daemon."""
    directory = new_directory()
    fcgi, http = free_port(), directory / "http.sock"
    replacements = site_replacements(site, directory) | UNTHROTTLED
    replacements |= {
        "unix:/run/hallpass/http.sock": f"unix:{http}",
        "127.0.0.1:9010": f"{LOOPBACK}:{fcgi}",
        "https://shop.example.org/accounts/login/": site.url + "/login/",
    }
    with apache(directory, replacements) as server:
        config = directory / "etc/hallpass.toml"
        addresses = (http, (LOOPBACK, fcgi))
        with hallpassd(hallpass_programs["hallpassd"], config, *addresses) as daemon:
            server.daemon = daemon
            yield server


def cookie_of(site, user: str, **options) -> str:
    data = site.ask("sign", site.ask("login_keys", user))
    return "sessionid=" + site.ask("put_session", data, **options)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_apache_asks_for_passwords(served, site, case):
    allowed = site.ask("modwsgi_check_password", case.user, case.password) is True
    answer = served.ask("/members/user", case.user, case.password)
    assert answer.status == (200 if allowed else 401)
    if allowed:
        assert answer.body.decode().strip() == case.user


def test_apache_goes_on_with_no_name_that_is_not_proved(served, site):
    """A member's cookie beside every Basic name, where Apache keeps that name."""
    for owner in ["bob", "mallory"]:
        cookie = cookie_of(site, owner)
        for name in [*PASSWORDS, "admin", "nobody at all", owner.upper(), ""]:
            answer = served.ask("/members/user", name, "anything", Cookie=cookie)
            assert answer.status == (200 if name == owner else 401), (owner, name)
        answer = served.ask("/members/user", "alice", PASSWORDS["alice"], Cookie=cookie)
        assert answer.status == 200
        assert answer.body.decode().strip() == "alice"


def test_apache_takes_the_session(served, site):
    answer = served.ask("/private/user", Cookie=cookie_of(site, "zoë"))
    assert answer.status == 200
    assert answer.body.decode().strip() == "zoë"
    assert "WWW-Authenticate" not in answer.headers


def test_apache_sends_browsers_to_the_login_page(served, site):
    for cookie in ("", "sessionid=gone", cookie_of(site, "alice", expires_in=-5)):
        answer = served.ask("/private/user?a=b&c=%26", **({"Cookie": cookie} if cookie else {}))
        assert answer.status == 302
        location = urllib.parse.urlsplit(answer.headers["Location"])
        wanted = urllib.parse.parse_qs(location.query)["next"][0]
        assert wanted.endswith("/private/user?a=b&c=%26")
        assert answer.headers["Location"].startswith(site.url + "/login/")


def test_apache_knows_groups(served, site):
    # Of an expression Apache cannot tell who is not permitted from who is not known.
    for user, status in {"alice": 200, "carol": 200, "bob": 401, "dave": 401, "mallory": 401}.items():
        assert served.ask("/editors/user", Cookie=cookie_of(site, user)).status == status, user
    assert served.ask("/editors/user").status == 302


def test_apache_ignores_what_a_client_says_it_is(served):
    forged = {
        "Remote-User": "alice",
        "Remote-User-Name": "alice",
        "Variable-Remote-User-Name": "alice",
        "Fcgi-Apache-Role": "AUTHORIZER",
        "Remote-Passwd": PASSWORDS["alice"],
    }
    assert served.ask("/private/user", **forged).status == 302
    assert served.ask("/members/user", **forged).status == 401


AUTHORIZES = """
AuthnzFcgiDefineProvider authz hallpass-member fcgi://{address}/
<Directory "{directory}/www">
    AuthType Basic
    AuthName "Anybody"
    AuthBasicProvider anon
    Anonymous *
    Anonymous_VerifyEmail Off
    Anonymous_MustGiveEmail Off
    Require hallpass-member
</Directory>
DocumentRoot "{directory}/www"
"""


@pytest.mark.parametrize("vouch", [True, False])
def test_apache_asks_about_whom_it_has_let_in(directory, hallpass_programs, site, vouch):
    fcgi, port = free_port(), free_port()
    listener = f"tcp:{LOOPBACK}:{fcgi}"
    (directory / "www").mkdir()
    (directory / "www/page").write_text("in\n")
    give_away(directory)
    daemon = {"listen": [], "fastcgi": [listener]} | ({"vouch": [listener]} if vouch else {})
    config = site.write_configuration("authorizes.toml", daemon=daemon)
    modules = "mpm_event authn_core authz_core authz_user auth_basic authn_anon authnz_fcgi mime".split()
    names = {"address": f"{LOOPBACK}:{fcgi}", "directory": directory}
    text = httpd.configuration(directory, port, modules, AUTHORIZES.format(**names))
    with (
        hallpassd(hallpass_programs["hallpassd"], config, (LOOPBACK, fcgi)),
        httpd.httpd(directory, port, text),
    ):

        def asked(user: str) -> int:
            headers = {"Authorization": basic(user, "whatever")}
            return web.ask((LOOPBACK, port), "/page", headers).status

        assert asked("alice") == (200 if vouch else 401)
        assert [asked(user) for user in ("erin", "nobody")] == [401] * 2


def test_apache_fails_closed(served, site):
    cookie = cookie_of(site, "alice")
    away = site.database.with_suffix(".away")
    site.database.rename(away)
    try:
        assert served.ask("/private/user", Cookie=cookie).status == 500
        assert served.ask("/members/user", "alice", PASSWORDS["alice"]).status == 500
    finally:
        away.rename(site.database)
    assert served.ask("/private/user", Cookie=cookie).status == 200


def test_apache_without_the_daemon(new_directory, hallpass_programs, site):
    directory = new_directory()
    replacements = site_replacements(site, directory) | {
        "127.0.0.1:9010": f"{LOOPBACK}:{free_port()}",
    }
    with apache(directory, replacements) as server:
        assert server.ask("/private/user", Cookie=cookie_of(site, "alice")).status == 500
        assert server.ask("/members/user", "alice", PASSWORDS["alice"]).status == 500


# Real lighttpd


def test_lighttpd(world, directory):
    with lighttpd(directory, world.socket) as port:
        def status(path: str, **headers) -> int:
            return web.ask((LOOPBACK, port), path, headers).status

        assert status("/open.txt") == 200
        assert status("/private/page.txt") == 401
        assert status("/private/page.txt", Cookie=world.session("alice")) == 200
        assert status("/private/page.txt", Cookie="sessionid=gone") == 401
        authorization = basic("alice", PASSWORDS["alice"])
        assert status("/private/page.txt", Authorization=authorization) == 200
        bob = world.session("bob").removeprefix("sessionid=")
        for user, password in [
            ("alice", "wrong"),
            ("alice", PASSWORDS["bob"]),
            ("alice", bob),
            ("nobody", "x"),
            ("erin", PASSWORDS["erin"]),
            ("' OR 1=1 --", "x"),
            ("al\nice", "x"),
        ]:
            authorization = basic(user, password)
            assert status("/private/page.txt", Authorization=authorization) == 401, user
        for cookie in (
            world.session("alice", expires_in=-5),
            world.session("erin"),
            world.session("alice").upper(),
            "sessionid=" + "a" * 5000,
        ):
            assert status("/private/page.txt", Cookie=cookie) == 401, cookie


def test_lighttpd_fails_closed(directory, new_directory, hallpass_programs, new_site):
    site = site_with_accounts(new_site)
    with (
        World(site, directory, hallpass_programs).running() as world,
        lighttpd(new_directory(), world.socket) as port,
    ):
        def status() -> int:
            return web.ask((LOOPBACK, port), "/private/page.txt", {"Cookie": cookie}).status

        cookie = world.session("alice")
        assert status() == 200
        site.database.rename(site.database.with_suffix(".away"))
        assert status() == 500
        site.database.with_suffix(".away").rename(site.database)
        world.daemon.process.terminate()
        world.daemon.process.wait(60)
        assert status() >= 500
