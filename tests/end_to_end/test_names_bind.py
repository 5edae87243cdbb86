"""Whoever is granted is the one whose name the host goes on with, and has proved it: all pairs of
accounts, and all mixes of credentials, at every door."""

import base64
import json
from itertools import product
from urllib.parse import quote

import pytest

from hosts import fastcgi
from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd
from hosts.extauth import NO, YES, helper
from hosts.fixtures import site_with_accounts
from hosts.sasl import Dovecot, counted, saslauthd
from hosts.web import basic
from programs import run

MEMBERS = ["alice", "bob", "zoë", "ursula"]
# Names that mean no account, and forms of names that something on the way might take for one.
OTHERS = ["", "admin", "Alice", "alice ", " alice", "alice\\", "1", "*", "erin", "frank"]
CLAIMED = [*MEMBERS, *OTHERS]
WRONG = "anything"


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


class World:
    """The daemon with all its sockets, and a session and a ticket of each member."""

    def __init__(self, site, directory, programs):
        self.site, self.directory, self.programs = site, directory, programs
        self.http, self.fastcgi, self.mux, self.dovecot = (
            directory / name for name in ("http.sock", "fcgi.sock", "mux", "dovecot")
        )
        self.config = site.write_configuration(
            "names.toml",
            limits={"failures": 0},
            tickets={"key": "a key of thirty-two bytes, or more"},
            ejabberd={"accept": ["password", "session", "ticket"], "ignore_case": False},
            daemon={
                "listen": [f"unix:{self.http}"],
                "fastcgi": [f"unix:{self.fastcgi}"],
                "saslauthd": [f"unix:{self.mux}"],
                "dovecot_auth": [f"unix:{self.dovecot}"],
            },
        )

    def log_in(self):
        def key(user: str) -> str:
            data = self.site.ask("sign", self.site.ask("login_keys", user))
            return self.site.ask("put_session", data)

        self.sessions = {user: key(user) for user in MEMBERS}
        self.tickets = {}
        for user, session in self.sessions.items():
            headers = {"Cookie": f"sessionid={session}"}
            answer = self.daemon.ask("/ticket", headers, method="POST")
            self.tickets[user] = json.loads(answer.body)["ticket"]

    def cookie(self, user: str | None) -> dict[str, str]:
        return {"Cookie": f"sessionid={self.sessions[user]}"} if user else {}


@pytest.fixture(scope="module")
def world(new_directory, hallpass_programs, site):
    world = World(site, new_directory(), hallpass_programs)
    addresses = (world.http, world.fastcgi, world.mux, world.dovecot)
    with hallpassd(hallpass_programs["hallpassd"], world.config, *addresses) as world.daemon:
        world.log_in()
        yield world


def proofs():
    """A claimed name, whether its password beside it is right, and whose session is shown."""
    for claimed, session in product(CLAIMED, [None, *MEMBERS]):
        yield claimed, WRONG, session, claimed if session == claimed else None
    for claimed, session in product(MEMBERS, [None, *MEMBERS]):
        yield claimed, PASSWORDS[claimed], session, claimed


@pytest.mark.parametrize("path", ["/auth", "/session"])
def test_http(world, path):
    for claimed, password, session, expected in proofs():
        headers = world.cookie(session) | {"Authorization": basic(claimed, password)}
        answer = world.daemon.ask(path, headers)
        assert answer.status == (200 if expected else 401), (claimed, session)
        if path == "/session" and expected:
            assert json.loads(answer.body)["user"] == expected
        # A host that has said that it does not go on with the Basic name: it counts for nothing.
        answer = world.daemon.ask(f"{path}?basic=0", headers)
        assert answer.status == (200 if session else 401), (claimed, session)
        assert "WWW-Authenticate" not in answer.headers
        if path == "/session" and session:
            assert json.loads(answer.body)["user"] == session


def test_a_ticket_is_given_to_the_account_of_the_basic_name_alone(world):
    for claimed, session in product(CLAIMED, MEMBERS):
        headers = world.cookie(session) | {"Authorization": basic(claimed, WRONG)}
        answer = world.daemon.ask("/ticket", headers, method="POST")
        assert answer.status == (200 if claimed == session else 401), (claimed, session)


def test_a_name_that_a_host_might_read_otherwise_is_refused(world):
    session = world.cookie("bob")["Cookie"].encode()
    alice, bob = (basic(user, PASSWORDS[user]).encode() for user in ("alice", "bob"))
    encoded = base64.b64encode
    for values in [
        [b"Basic"],
        [b"Basic "],
        [b"Basic !"],
        [b"Basic " + encoded(b"alice")],
        [b"Basic " + encoded(b"alice:x") + b"=" + encoded(b"bob:x")],
        [b"Basic " + encoded("zoë:x".encode("latin-1"))],
        [b"Basic\t" + encoded(b"bob:x")],
        [alice, bob],
        [bob, alice],
        [bob, bob],
        [b"Bearer x", bob],
    ]:
        headers = [("Cookie", session), *(("Authorization", value) for value in values)]
        for path in ["/auth", "/session"]:
            assert world.daemon.ask(path, headers).status == 401, values
            assert world.daemon.ask(f"{path}?basic=0", headers).status == 200, values
    for parameters in [
        [("REMOTE_USER", "bob"), ("REMOTE_USER", "alice"), ("REMOTE_PASSWD", "x")],
        [("REMOTE_USER", "bob"), ("REMOTE_PASSWD", PASSWORDS["bob"]), ("REMOTE_PASSWD", "x")],
        [("REMOTE_PASSWD", PASSWORDS["bob"])],
        [("REMOTE_USER", "zoë".encode("latin-1")), ("REMOTE_PASSWD", "x")],
        [("HTTP_AUTHORIZATION", alice), ("HTTP_AUTHORIZATION", bob)],
        [("HTTP_AUTHORIZATION", "Basic !")],
    ]:
        parameters = [*parameters, ("HTTP_COOKIE", session)]
        with fastcgi.Connection(world.fastcgi) as connection:
            text = b"".join(fastcgi.pairs({name: value}) for name, value in parameters)
            params = fastcgi.record(fastcgi.PARAMS, text) + fastcgi.record(fastcgi.PARAMS)
            connection.send(fastcgi.begin() + params)
            assert connection.answer().status == 401, parameters


@pytest.mark.parametrize("role", ["", "AUTHENTICATOR", "AUTHORIZER"])
def test_fastcgi(world, role):
    more = {"FCGI_APACHE_ROLE": role} if role else {}
    for claimed, password, session, expected in proofs():
        cookie = {"HTTP_COOKIE": value for value in world.cookie(session).values()}
        server = {"REMOTE_USER": claimed, "REMOTE_PASSWD": password}
        header = {"HTTP_AUTHORIZATION": basic(claimed, password)}
        shown = [server | cookie | more]
        if role != "AUTHORIZER":
            shown += [header | cookie | more, header | cookie | more | {"REMOTE_USER": claimed}]
        if claimed == "":
            # Without a password beside it, an empty name is none.
            shown = shown[:2]
        for parameters in shown:
            answer = fastcgi.ask(world.fastcgi, parameters)
            assert answer.status == (200 if expected else 401), (claimed, session, parameters)
            if expected:
                assert answer.variables["REMOTE_USER_NAME"] == expected
    # A client's header that names another than the server is refused, whatever else it shows: an
    # application such as PHP reads the header.
    for claimed, session in product(MEMBERS, MEMBERS):
        parameters = {"REMOTE_USER": claimed, "HTTP_AUTHORIZATION": basic(session, PASSWORDS[session])}
        cookie = {"HTTP_COOKIE": value for value in world.cookie(claimed).values()}
        if role != "AUTHORIZER":
            for shown in ({}, cookie, cookie | {"REMOTE_PASSWD": PASSWORDS[claimed]}):
                answer = fastcgi.ask(world.fastcgi, parameters | shown | more)
                assert answer.status == (200 if claimed == session else 401)


def test_ejabberd(world, hallpass_programs):
    log = world.directory / "ejabberd.log"
    with helper(hallpass_programs["hallpass-ejabberd"], world.config, log) as ejabberd:
        for claimed, member in product(CLAIMED, MEMBERS):
            expected = YES if claimed == member else NO
            for secret in [PASSWORDS[member], world.sessions[member], world.tickets[member]]:
                assert ejabberd.auth(claimed, secret) == expected, (claimed, member)


def test_apache(world, hallpass_programs):
    program = hallpass_programs["hallpass-apache"]
    command = [program, "--config", world.config, "auth", "--accept", "session"]
    for claimed, password, session, expected in proofs():
        if password == WRONG and session not in (None, "alice", "ursula"):
            continue  # A program started for each: pairs of these will do.
        environment = {"PATH": "/usr/bin"}
        if session:
            environment["COOKIE"] = f"a=b; sessionid={world.sessions[session]}"
        piped = run(command, f"{claimed}\n{password}\n", env=environment)
        variables = environment | {"USER": claimed, "PASS": password}
        handed = run([*command, "--method", "environment"], env=variables)
        for result in (piped, handed):
            assert (result.code == 0) == bool(expected), (claimed, session, result)


def test_a_rewritemap_names_the_account_of_the_session(world, hallpass_programs):
    command = [hallpass_programs["hallpass-apache"], "--config", world.config, "rewritemap"]
    lines = [f"sessionid={world.sessions[member]}\n" for member in MEMBERS]
    result = run(command, "".join(lines))
    assert result.text.splitlines() == [f"u:{member}" for member in MEMBERS]


def test_squid(world, hallpass_programs):
    program = hallpass_programs["hallpass-squid"]
    # Squid writes "-" where it has no name.
    pairs = [(claimed, member) for claimed, member in product(CLAIMED, MEMBERS) if claimed]
    lines = [
        f"{quote(claimed, safe='')} {quote(f'sessionid={world.sessions[member]}')}\n"
        for claimed, member in pairs
    ]
    result = run([program, "--config", world.config, "session", "--login"], "".join(lines))
    for (claimed, member), answer in zip(pairs, result.text.splitlines(), strict=True):
        expected = f"OK user={quote(member, safe='')}" if claimed == member else "ERR"
        assert answer == expected, (claimed, member)


def passwords():
    """A claimed name, and the password of a member: right where that is the one."""
    return [(claimed, member, claimed == member) for claimed, member in product(CLAIMED, MEMBERS)]


def test_check(world):
    for claimed, member, expected in passwords():
        answer = world.daemon.check(claimed, PASSWORDS[member])
        assert (answer.status == 200) == expected, (claimed, member, answer)
        if expected:
            assert json.loads(answer.body)["user"] == claimed


def test_dovecot_acts_for_nobody_else(world):
    with Dovecot(world.dovecot) as client:
        number = 0
        for acts_for, (claimed, member, expected) in product(["", *MEMBERS], passwords()):
            if "\0" in claimed:
                continue
            number += 1
            message = base64.b64encode(f"{acts_for}\0{claimed}\0{PASSWORDS[member]}".encode())
            client.send(b"AUTH\t%d\tPLAIN\tservice=smtp\tresp=%s\n" % (number, message))
            answer = client.line()
            right = expected and acts_for in ("", claimed)
            assert answer.startswith("OK\t" if right else "FAIL\t"), (acts_for, claimed, member)
            if right:
                assert f"user={claimed}" in answer.split("\t")


def test_saslauthd(world):
    for claimed, member, expected in passwords():
        request = counted(claimed.encode(), PASSWORDS[member].encode(), b"imap", b"")
        answer = b"\0\2OK" if expected else b"\0\2NO"
        assert saslauthd(world.mux, request) == answer, (claimed, member)


def test_checkpassword_and_pam(world, hallpass_programs):
    for claimed, member, expected in passwords():
        if member not in ("alice", "ursula"):
            continue  # A program started for each: pairs of these will do.
        secret = PASSWORDS[member]
        script = '"$0" --config "$1" /bin/true 3<&0'
        checkpassword = hallpass_programs["hallpass-checkpassword"]
        result = run(
            ["/bin/sh", "-c", script, checkpassword, world.config],
            f"{claimed}\0{secret}\0x\0",
        )
        assert (result.code == 0) == expected, (claimed, member, result)
        result = run(
            [hallpass_programs["hallpass-pam"], "--config", world.config],
            f"{secret}\0",
            env={"PAM_USER": claimed, "PAM_TYPE": "auth"},
        )
        assert (result.code == 0) == expected, (claimed, member, result)


def test_a_question_by_via_keeps_the_name(world, hallpass_programs):
    config = world.directory / "via.toml"
    config.write_text(world.config.read_text().replace(
        "framework =", f'via = "unix:{world.http}"\nframework =', 1
    ))
    config.chmod(0o600)
    log = world.directory / "via.log"
    with helper(hallpass_programs["hallpass-ejabberd"], config, log) as ejabberd:
        for claimed, member in product(["alice", "ursula", "admin"], MEMBERS):
            expected = YES if claimed == member else NO
            for secret in [world.sessions[member], world.tickets[member]]:
                assert ejabberd.auth(claimed, secret) == expected, (claimed, member)
