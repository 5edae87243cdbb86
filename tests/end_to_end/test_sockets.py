"""hallpassd in the place of saslauthd and of Dovecot's authentication."""

import base64
import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from hosts.accounts import CASES, PASSWORDS
from hosts.daemon import hallpassd
from hosts.fixtures import site_with_accounts
from hosts.sasl import Dovecot, counted, doveadm, exim, saslauthd, testsaslauthd
from processes import give_away

testsaslauthd.__test__ = False


class World:
    """A site and the daemon."""

    def __init__(self, site, directory, programs, **tables):
        self.site, self.program = site, programs["hallpassd"]
        self.http, self.mux, self.auth = (
            directory / name for name in ("http.sock", "mux", "auth-client")
        )
        self.config = site.write_configuration(
            f"{directory.name}.toml",
            **{
                "limits": {"failures": 0},
                "daemon": {
                    "listen": [f"unix:{self.http}"],
                    "saslauthd": [f"unix:{self.mux}?mode=0666"],
                    "dovecot_auth": [f"unix:{self.auth}"],
                    "sasl_realms": ["shop.example.org"],
                },
            }
            | tables,
        )

    def running(self):
        return hallpassd(self.program, self.config, self.http, self.mux, self.auth)


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def world(new_directory, hallpass_programs, site):
    world = World(site, new_directory(), hallpass_programs)
    with world.running() as world.daemon:
        yield world


@pytest.fixture
def own(directory, hallpass_programs, new_site):
    world = World(site_with_accounts(new_site), directory, hallpass_programs)
    with world.running() as world.daemon:
        yield world


def allowed(site, case) -> bool:
    return site.ask("modwsgi_check_password", case.user, case.password) is True


# saslauthd


@pytest.mark.parametrize("case", CASES, ids=str)
def test_saslauthd_is_as_the_site_says(world, site, case):
    # saslauthd knows no empty password.
    expected = b"\0\2OK" if case.password and allowed(site, case) else b"\0\2NO"
    request = counted(case.user.encode(), case.password.encode(), b"imap", b"")
    # The realm comes apart from the name, as its clients send it.
    local, at, realm = case.user.rpartition("@")
    if at:
        request = counted(local.encode(), case.password.encode(), b"imap", realm.encode())
    assert saslauthd(world.mux, request) == expected


def test_cyrus_own_client(world):
    assert testsaslauthd(world.mux, "alice", PASSWORDS["alice"])
    assert not testsaslauthd(world.mux, "alice", "wrong")
    assert not testsaslauthd(world.mux, "nobody", "wrong")
    assert testsaslauthd(world.mux, "carol", PASSWORDS["carol"])
    assert testsaslauthd(world.mux, "zoë", PASSWORDS["zoë"])


def test_realms(world):
    assert testsaslauthd(world.mux, "alice", PASSWORDS["alice"], realm="shop.example.org")
    assert testsaslauthd(world.mux, "alice", PASSWORDS["alice"], realm="SHOP.example.org")
    # Anybody else's alice is somebody else.
    assert not testsaslauthd(world.mux, "alice", PASSWORDS["alice"], realm="example.com")
    assert testsaslauthd(world.mux, "joe", PASSWORDS["joe@example.org"], realm="example.org")


@pytest.mark.parametrize("login", [["username"], ["username", "email"]], ids="-".join)
def test_a_realm_does_not_make_anybody_somebody_else(
    directory, hallpass_programs, new_site, login
):
    site = site_with_accounts(new_site)
    world = World(site, directory, hallpass_programs, access={"login": login})
    realm, right = "shop.example.org", "right password"

    def account(name, email):
        site.make_accounts({"username": name, "password": right, "email": email})

    # Whose mail is victoria@shop.example.org's? Mallory has registered the names before the `@`.
    account("vs", f"victoria@{realm}")
    account("victoria", "mallory@example.com")
    account(f"wanda@{realm}", "")
    account("wanda", "")
    account("x1", f"xenia@{realm}")
    account("x2", f"xenia@{realm}")
    account("xenia", f"xenia@{realm}")
    # Their own addresses are no harm.
    account("yann", f"yann@{realm}")
    account("zack", "")
    by_email = "email" in login
    with world.running():
        for name, expected in [
            ("victoria", not by_email),
            ("wanda", False),
            ("xenia", not by_email),
            ("yann", True),
            ("zack", True),
        ]:
            assert testsaslauthd(world.mux, name, right, realm=realm) == expected, name
            with Dovecot(world.auth) as client:
                answer = client.plain(f"{name}@{realm}", right)
            whole = f"OK\t1\tuser={name}" if expected else f"FAIL\t1\tuser={name}@{realm}"
            assert answer == whole
            # Without a realm they are whom the site calls so.
            assert testsaslauthd(world.mux, name, right), name


def test_four_fields_and_five(world):
    good = [b"alice", PASSWORDS["alice"].encode(), b"imap", b""]
    assert saslauthd(world.mux, counted(*good)) == b"\0\2OK"
    assert saslauthd(world.mux, counted(*good, b"192.0.2.31;5143")) == b"\0\2OK"
    assert saslauthd(world.mux, counted(*good, b"")) == b"\0\2OK"
    bad = [b"alice", b"wr0ng s3cret", b"sieve", b"", b"192.0.2.32;1"]
    assert saslauthd(world.mux, counted(*bad)) == b"\0\2NO"
    line = next(line for line in world.daemon.log().splitlines() if "192.0.2.32" in line)
    assert " door=saslauthd " in line and 'host="sieve"' in line
    assert "s3cret" not in world.daemon.log()


def test_requests_may_come_byte_by_byte(world):
    request = counted(b"alice", PASSWORDS["alice"].encode(), b"imap", b"")
    for pieces in (1, 2, 3, 7):
        assert saslauthd(world.mux, request, pieces) == b"\0\2OK"


@pytest.mark.parametrize(
    "request_",
    [
        counted(b"", b"x", b"imap", b""),
        counted(b"alice", b"", b"imap", b""),
        counted(b"", b"", b"", b""),
        counted(b"al\nice", b"x", b"imap", b""),
        counted(b"alice\0", PASSWORDS["alice"].encode(), b"imap", b""),
        counted(b"\xff", b"x", b"imap", b""),
        counted(b"alice", b"x", b"\xff", b""),
        counted(b"alice", b"x" * 5000, b"imap", b""),
        counted(b"alice", b"x" * 9000, b"imap", b""),
        b"\xff\xff",
        b"\xff\xff" + b"x" * 65535,
        counted(b"alice", b"x", b"imap") + b"\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=range(13),
)
def test_what_is_no_login_is_refused(world, request_):
    assert saslauthd(world.mux, request_) == b"\0\2NO"
    assert testsaslauthd(world.mux, "alice", PASSWORDS["alice"])


def test_saslauthd_says_nothing_when_it_knows_nothing(own):
    request = counted(b"alice", PASSWORDS["alice"].encode(), b"imap", b"")
    own.site.database.rename(own.site.database.with_suffix(".away"))
    assert saslauthd(own.mux, request) == b""
    own.site.database.with_suffix(".away").rename(own.site.database)
    assert saslauthd(own.mux, request) == b"\0\2OK"


def test_saslauthd_is_asked_by_many(world):
    good = counted(b"alice", PASSWORDS["alice"].encode(), b"imap", b"")
    bad = counted(b"alice", b"wrong", b"imap", b"")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: saslauthd(world.mux, (good, bad)[n % 2]), range(200)))
    assert answers == [b"\0\2OK", b"\0\2NO"] * 100


def test_saslauthd_is_on_unix_sockets_alone(site, hallpass_programs, shell):
    config = site.write_configuration("tcp.toml", daemon={"saslauthd": ["tcp:127.0.0.1:1"]})
    result = shell(config)("user", "alice")
    assert result.code == 2
    assert b"daemon.saslauthd" in result.stderr


# Dovecot


@pytest.mark.parametrize("case", CASES, ids=str)
def test_dovecot_is_as_the_site_says(world, site, case):
    with Dovecot(world.auth) as client:
        answer = client.plain(case.user, case.password)
    if allowed(site, case):
        assert answer == f"OK\t1\tuser={case.user}"
    else:
        assert answer == f"FAIL\t1\tuser={case.user}"


def test_dovecots_greeting(world):
    with Dovecot(world.auth) as one, Dovecot(world.auth) as other:
        version, *rest = one.greeting
        assert version.startswith("VERSION\t1\t")
        words = [line.split("\t")[0] for line in rest]
        assert words == ["MECH", "MECH", "SPID", "CUID", "COOKIE"]
        assert {"MECH\tPLAIN\tplaintext", "MECH\tLOGIN\tplaintext"} <= set(rest)
        # Each connection has a cookie of its own.
        assert one.greeting[-1] != other.greeting[-1]
        assert len(one.greeting[-1]) == len("COOKIE\t") + 32


def test_dovecots_own_client(world):
    for options in ([], ["-x", "rip=192.0.2.41"]):
        result = doveadm(world.auth, "alice", PASSWORDS["alice"], *options)
        assert result.code == 0, result.stderr
        assert b"auth succeeded" in result.stdout
        assert doveadm(world.auth, "alice", "wrong", *options).code != 0
    assert doveadm(world.auth, "nobody", "x").code != 0
    assert doveadm(world.auth, "erin", PASSWORDS["erin"]).code != 0
    result = doveadm(world.auth, "zoë", PASSWORDS["zoë"])
    assert "user=zoë" in result.text


def test_exim(world, directory):
    def encoded(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    good, wrong = encoded(f"\0alice\0{PASSWORDS['alice']}"), encoded("\0alice\0wrong")
    give_away(directory)
    assert "235 Authentication succeeded" in exim(directory, world.auth, "PLAIN", good)
    assert "535 Incorrect authentication data" in exim(directory, world.auth, "PLAIN", wrong)
    login = [encoded("alice"), encoded(PASSWORDS["alice"])]
    assert "235 Authentication succeeded" in exim(directory, world.auth, "LOGIN", *login)
    login = [encoded("alice"), encoded("wrong")]
    assert "535 Incorrect authentication data" in exim(directory, world.auth, "LOGIN", *login)


def test_exim_lets_nobody_else_in(world, site, directory):
    give_away(directory)
    token = site.login("alice", PASSWORDS["alice"]).token
    for message in (
        b"\0nobody\0x",
        b"\0erin\0" + PASSWORDS["erin"].encode(),
        b"\0alice\0" + PASSWORDS["bob"].encode(),
        b"\0alice\0" + token.encode(),
        b"bob\0alice\0" + PASSWORDS["alice"].encode(),
        b"\0' OR 1=1 --\0x",
        b"\0alice\tuser=bob\0x",
        b"\0\xff\0x",
        b"alice",
    ):
        said = exim(directory, world.auth, "PLAIN", base64.b64encode(message).decode())
        assert "235" not in said and "535" in said, message


def test_exim_tells_what_is_broken_from_what_is_wrong(own, directory):
    own.site.database.rename(own.site.database.with_suffix(".away"))
    message = base64.b64encode(f"\0alice\0{PASSWORDS['alice']}".encode()).decode()
    said = exim(directory, own.auth, "PLAIN", message)
    assert "235" not in said
    with Dovecot(own.auth) as client:
        answer = client.plain("alice", PASSWORDS["alice"])
        assert answer == (
            "FAIL\t1\tuser=alice\ttemp\tcode=temp_fail\treason=Temporary authentication failure"
        )


def test_names_come_as_the_site_has_them(world):
    with Dovecot(world.auth) as client:
        known = client.plain("alice@shop.example.org", PASSWORDS["alice"])
        assert known == "OK\t1\tuser=alice"
        unknown = client.plain("alice@example.com", PASSWORDS["alice"], id=2)
        assert unknown == "FAIL\t2\tuser=alice@example.com"


def test_many_questions_on_a_connection(world):
    with Dovecot(world.auth) as client:
        lines = b""
        for number in range(1, 101):
            password = PASSWORDS["alice"] if number % 2 else "wrong"
            message = base64.b64encode(f"\0alice\0{password}".encode()).decode()
            lines += f"AUTH\t{number}\tPLAIN\tservice=smtp\tresp={message}\n".encode()
        client.send(lines)
        answers = {}
        for _ in range(100):
            word, number, _ = client.line().split("\t")
            answers[int(number)] = word
        assert answers == {n: "OK" if n % 2 else "FAIL" for n in range(1, 101)}


def test_who_asked_is_in_the_log(world):
    with Dovecot(world.auth) as client:
        client.plain("alice", "wr0ng s3cret", parameters="rip=192.0.2.51\tsecured\t")
    line = next(line for line in world.daemon.log().splitlines() if "192.0.2.51" in line)
    assert " door=dovecot-auth " in line and 'host="smtp"' in line
    assert "s3cret" not in world.daemon.log()


@pytest.mark.parametrize(
    "message",
    [
        b"alice",
        b"alice\0x",
        b"\0alice\0x\0y",
        b"bob\0alice\0" + PASSWORDS["alice"].encode(),
        b"\0\xff\0x",
        b"",
    ],
    ids=range(6),
)
def test_messages_that_are_none(world, message):
    with Dovecot(world.auth) as client:
        encoded = base64.b64encode(message)
        client.send(b"AUTH\t1\tPLAIN\tservice=smtp\tresp=" + encoded + b"\n")
        assert client.line() == "FAIL\t1"
        # And the connection goes on.
        assert client.plain("alice", PASSWORDS["alice"], id=2) == "OK\t2\tuser=alice"


@pytest.mark.parametrize(
    "hello",
    [
        b"AUTH\t1\tPLAIN\tresp=AGEAYg==\n",
        b"VERSION\t2\t0\n",
        b"\n",
        b"GET / HTTP/1.1\r\n\r\n",
        Dovecot.HELLO + b"AUTH\tx\tPLAIN\n",
        Dovecot.HELLO + b"AUTH\n",
        Dovecot.HELLO + b"FLY\n",
        Dovecot.HELLO + b"\xff\n",
        Dovecot.HELLO + b"x" * 40_000,
    ],
    ids=range(9),
)
def test_nonsense_ends_the_connection(world, hello):
    with Dovecot(world.auth, hello) as client:
        try:
            assert client.line() is None
        except (ConnectionResetError, BrokenPipeError):
            pass
    with Dovecot(world.auth) as client:
        assert client.plain("alice", PASSWORDS["alice"]) == "OK\t1\tuser=alice"


def test_clients_that_hang_up_harm_nobody(world):
    for sent in (b"", b"VERS", Dovecot.HELLO, Dovecot.HELLO + b"AUTH\t1\tPLAIN\n"):
        for path in (world.auth, world.mux):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.sendall(sent)
    assert world.daemon.ask("/healthz").status == 200
    answer = world.daemon.check("alice", PASSWORDS["alice"])
    assert json.loads(answer.body)["user"] == "alice"
