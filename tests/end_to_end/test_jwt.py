"""JSON Web Tokens of PyJWT, shown to every program that takes sessions, about accounts in SQLite."""

import base64
import hashlib
import json
import signal
import sqlite3
import time
from contextlib import closing
from urllib.parse import quote, urlencode

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from hosts import fastcgi, ldap, web
from hosts.daemon import hallpassd
from hosts.extauth import NO, YES, helper
from hosts.nginx import nginx
from hosts.sasl import Dovecot, counted, saslauthd
from hosts.web import basic
from php_doors import said, write_configuration
from processes import LOOPBACK, eventually, free_port, give_away
from programs import run

ISSUER, AUDIENCE = "https://id.example.org/realms/shop", "shop"
PRIVATE = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "HS256": "0123456789abcdef0123456789abcdef",
}
PASSWORD = "correct horse"
TICKETS = {"key": "fedcba9876543210fedcba9876543210"}


def hashed(password: str) -> str:
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), b"salt", 1)
    return f"pbkdf2_sha256$1$salt${base64.b64encode(key).decode()}"


def public(algorithm: str) -> bytes:
    return PRIVATE[algorithm].public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def token(user: str | None, algorithm: str = "RS256", key=None, headers=None, **claims) -> str:
    now = int(time.time())
    own = {"sub": "1", "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 300, "user": user}
    own = {name: value for name, value in (own | claims).items() if value is not None}
    return jwt.encode(own, key or PRIVATE[algorithm], algorithm, headers)


class Site:
    def __init__(self, directory, shell):
        self.directory, self.shell = directory, shell
        self.database = directory / "site.sqlite3"
        with closing(sqlite3.connect(self.database)) as connection:
            connection.executescript(
                "CREATE TABLE users (id INTEGER, username TEXT, password TEXT, live INTEGER);"
                "CREATE TABLE sessions (token TEXT, user_id INTEGER);"
                "CREATE TABLE members (user_id INTEGER, name TEXT);"
                "INSERT INTO users VALUES (1, 'alice', NULL, 1), (2, 'bob', NULL, 1), (3, 'zoë', NULL, 1),"
                " (4, 'twin', NULL, 1), (5, 'twin', NULL, 1);"
                "INSERT INTO members VALUES (1, 'staff');"
                "INSERT INTO sessions VALUES ('session-of-bob-0123456789', 2);"
            )
        self.run(f"UPDATE users SET password = '{hashed(PASSWORD)}' WHERE id = 1")
        give_away(self.database)
        for algorithm in ("RS256", "ES256", "EdDSA"):
            (directory / f"{algorithm}.pem").write_bytes(public(algorithm))

    def run(self, statement: str) -> None:
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute(statement)
            connection.commit()

    def write(self, name: str, own: dict = {}, **tables):
        select = "SELECT id, username, password, live AS is_active FROM users WHERE"
        everything = {
            "framework": "custom",
            "database": f"sqlite:{self.database}",
            "custom": {
                "user": f"{select} username = :username",
                "user_by_id": f"{select} id = :id",
                "groups": "SELECT name FROM members WHERE user_id = :id",
                "session": "SELECT user_id FROM sessions WHERE token = :session",
                "cookie": "SID",
            },
            "jwt": {
                "public_key": {"file": "RS256.pem"},
                "issuer": ISSUER,
                "audience": AUDIENCE,
                "user": "user",
                "leeway": "1s",
            }
            | own,
            "limits": {"failures": 0},
            "passwords": {"dummy": "pbkdf2_sha256$1"},
        }
        if own.get("key") or own.get("jwks"):
            del everything["jwt"]["public_key"]
        return write_configuration(self.directory / f"{name}.toml", everything | tables)

    def asked(self, name: str, own: dict = {}, **tables):
        return self.shell(self.write(name, own, **tables))


@pytest.fixture(scope="module")
def site(new_directory, shell):
    return Site(new_directory(), shell)


@pytest.fixture(scope="module")
def daemon(site, hallpass_programs):
    socket = site.directory / "http.sock"
    config = site.write(
        "daemon", tickets=TICKETS, daemon={"listen": [f"unix:{socket}?mode=0660"], "realm": "x"}
    )
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as running:
        yield running


def whose(daemon, authorization=None, cookie=None, path="/auth", **headers):
    """Whose it is, by the two paths of the daemon, which must agree."""
    headers = headers | ({"Authorization": authorization} if authorization else {})
    headers = headers | ({"Cookie": cookie} if cookie else {})
    auth, session = daemon.ask("/auth", headers), daemon.ask("/session", headers)
    assert auth.status == session.status in (200, 401), (auth, session)
    return json.loads(session.body)["user"] if session.status == 200 else None


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_each_algorithm(site, algorithm):
    own = {"key": PRIVATE["HS256"]} if algorithm == "HS256" else {"public_key": {"file": f"{algorithm}.pem"}}
    shell = site.asked(f"own-{algorithm}", own | {"algorithms": [algorithm]})
    for user in ("alice", "bob", "zoë"):
        assert said(shell.session(token(user, algorithm))) == user
    assert said(shell.session("session-of-bob-0123456789")) == "bob"
    for other in PRIVATE:
        if other != algorithm:
            assert said(shell.session(token("alice", other))) == "invalid-session"
    good = token("alice", algorithm)
    head, claims, signature = good.split(".")
    forged = token("bob", algorithm).split(".")[1]
    for wrong in (f"{head}.{forged}.{signature}", f"{head}.{claims}.", good[:-5], good + "A"):
        assert said(shell.session(wrong)) in ("invalid-session", "no-session"), wrong


def test_a_set_of_keys(site):
    names = {"one": "RS256", "two": "ES256", "three": "EdDSA"}
    algorithms = jwt.algorithms.get_default_algorithms()
    keys = [
        algorithms[algorithm].to_jwk(PRIVATE[algorithm].public_key(), as_dict=True) | {"kid": kid}
        for kid, algorithm in names.items()
    ]
    (site.directory / "keys.json").write_text(json.dumps({"keys": keys}))
    own = {"jwks": {"file": "keys.json"}, "algorithms": ["RS256", "ES256", "EdDSA"]}
    shell = site.asked("set", own)
    for kid, algorithm in names.items():
        assert said(shell.session(token("alice", algorithm, headers={"kid": kid}))) == "alice"
        assert said(shell.session(token("alice", algorithm, headers={"kid": "four"}))) == "invalid-session"


def test_the_daemon_takes_it_as_a_bearer(daemon, site):
    good = token("alice")
    assert whose(daemon, f"Bearer {good}") == "alice"
    assert whose(daemon, f"bearer  {good}") == "alice"
    answer = daemon.ask("/auth?group=staff", {"Authorization": f"Bearer {good}"})
    assert answer.status == 200 and answer.headers["Remote-Groups"] == "staff"
    assert answer.headers["Remote-Session"] and answer.headers["Remote-Session-Expires"]
    assert good not in answer.headers["Remote-Session"]
    assert daemon.ask("/auth?group=staff", {"Authorization": f"Bearer {token('bob')}"}).status == 403
    for authorization in (
        f"Token {good}", f"Bearer {good} x", f"Bearer {good}.", f"Bearer .{good}", "Bearer", good,
        f"Bearer {token('alice', key=rsa.generate_private_key(65537, 2048))}",
        f"Bearer {jwt.encode({'user': 'alice'}, None, 'none')}",
        f"Bearer {token('nobody')}", f"Bearer {token('twin')}", f"Bearer {token('ALICE')}", f"Bearer {token('')}",
        f"Bearer {token(None)}", f"Bearer {token('alice', iss='https://id.example.org')}",
        f"Bearer {token('alice', aud='other')}", f"Bearer {token('alice', aud=None)}",
        f"Bearer {token('alice', iss=None)}", f"Bearer {token('alice', exp=int(time.time()) - 5)}",
        f"Bearer {token('alice', nbf=int(time.time()) + 60)}",
        f"Bearer {token('alice', headers={'crit': ['x'], 'x': 1})}",
    ):
        assert whose(daemon, authorization) is None, authorization
    assert whose(daemon, f"Bearer {token('alice', aud=['x', AUDIENCE])}") == "alice"
    # No cookie is configured for it, and a session's is not it.
    for name in ("SID", "token"):
        assert whose(daemon, cookie=f"{name}={good}") is None
    assert good not in daemon.log()


def test_a_ticket_is_not_a_token_and_a_token_not_a_ticket(daemon, site):
    answer = daemon.ask("/ticket", {"Cookie": "SID=session-of-bob-0123456789"}, method="POST")
    ticket = json.loads(answer.body)["ticket"]
    assert whose(daemon, f"Bearer {ticket}") == "bob"
    for mixed in (f"{ticket}.{ticket}.{ticket}", f"{token('alice')}.{ticket}", ticket + token("alice")):
        assert whose(daemon, f"Bearer {mixed}") is None
    made = daemon.ask("/ticket", {"Authorization": f"Bearer {token('alice')}"}, method="POST")
    assert made.status == 401
    shell = site.asked("tickets", tickets=TICKETS)
    assert said(shell("ticket", "verify", "--json", token("alice"))) == "invalid-session"
    assert said(shell.session(ticket)) == "no-session"


def test_the_end_comes_on_time(daemon):
    short = token("alice", exp=int(time.time()) + 2)
    assert whose(daemon, f"Bearer {short}") == "alice"
    # Of a leeway of one second nothing is left either.
    time.sleep(3.2)
    assert whose(daemon, f"Bearer {short}") is None


def test_a_closed_account_is_out_at_once(daemon, site):
    good = token("zoë")
    assert whose(daemon, f"Bearer {good}") == "zoë"
    site.run("UPDATE users SET live = 0 WHERE id = 3")
    assert whose(daemon, f"Bearer {good}") is None
    site.run("UPDATE users SET live = 1 WHERE id = 3")
    assert whose(daemon, f"Bearer {good}") == "zoë"
    site.run("DELETE FROM members")
    authorization = {"Authorization": f"Bearer {token('alice')}"}
    assert daemon.ask("/auth?group=staff", authorization).status == 403
    site.run("INSERT INTO members VALUES (1, 'staff')")
    assert daemon.ask("/auth?group=staff", authorization).status == 200


def test_a_cookie_may_hold_it(site, hallpass_programs):
    socket = site.directory / "cookie.sock"
    own, listen = {"cookie": "token"}, {"listen": [f"unix:{socket}?mode=0660"]}
    config = site.write("cookie", own, daemon=listen)
    good = token("alice")
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        assert whose(daemon, cookie=f"a=b; token={good}") == "alice"
        assert whose(daemon, cookie=f"token={good}; token=x") == "alice"
        assert whose(daemon, cookie=f"token=x; token={good}") is None
        assert whose(daemon, cookie=f"SID=session-of-bob-0123456789; token={good}") == "bob"
        assert whose(daemon, cookie=f"SID=x; token={good}") == "alice"
        assert whose(daemon, f"Bearer {good}") is None
        # The host goes on with the name of Basic.
        assert whose(daemon, basic("bob", "x"), f"token={good}") is None
    program = hallpass_programs["hallpass-apache"]
    lines = [f"a=b; token={good}", good, f"token={good[:-4]}", "token=x", "x"]
    result = run([program, "--config", config, "rewritemap"], "\n".join(lines) + "\n")
    assert result.text.splitlines() == ["u:alice", "u:alice", "NULL", "NULL", "NULL"]
    program = [hallpass_programs["hallpass-squid"], "--config", config, "session"]
    shown = [f"token={good}", "SID=session-of-bob-0123456789", f"token={good[:-4]}", f"token=x; token={good}", good]
    result = run(program, "".join(f"{quote(cookie)}\n" for cookie in shown))
    assert result.text.splitlines() == ["OK user=alice", "OK user=bob", "ERR", "ERR", "ERR"]
    named = "".join(f"{user} {quote(f'token={good}')}\n" for user in ("alice", "bob"))
    assert run([*program, "--login"], named).text.splitlines() == ["OK user=alice", "ERR"]
    shell = site.shell(config)
    assert said(shell("session", "--json", "--cookie", f"token={good}")) == "alice"


def test_keys_that_change_are_read_at_sighup(site, hallpass_programs):
    socket, file = site.directory / "rotated.sock", site.directory / "rotated.json"
    rsa_keys = {"one": PRIVATE["RS256"], "two": rsa.generate_private_key(65537, 2048)}

    def publish(*kids: str) -> None:
        to_jwk = jwt.algorithms.RSAAlgorithm.to_jwk
        keys = [to_jwk(rsa_keys[kid].public_key(), as_dict=True) | {"kid": kid} for kid in kids]
        file.write_text(json.dumps({"keys": keys}))

    def granted(daemon, kid: str) -> bool:
        good = token("alice", key=rsa_keys[kid], headers={"kid": kid})
        return daemon.ask("/auth", {"Authorization": f"Bearer {good}"}).status == 200

    publish("one")
    config = site.write(
        "rotated", {"jwks": {"file": str(file)}}, daemon={"listen": [f"unix:{socket}?mode=0660"]}
    )
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        assert granted(daemon, "one") and not granted(daemon, "two")
        publish("one", "two")
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: granted(daemon, "two"), "the new set is not read")
        assert granted(daemon, "one")
        publish("two")
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: not granted(daemon, "one"), "the old key still counts")
        file.write_text("{}")
        daemon.process.send_signal(signal.SIGHUP)
        assert granted(daemon, "two"), "what is wrong leaves the old keys in force"


def test_where_sessions_are_not_accepted_no_token_is(site, hallpass_programs):
    socket = site.directory / "passwords.sock"
    listen = {"listen": [f"unix:{socket}?mode=0660"], "accept": ["password"]}
    with hallpassd(hallpass_programs["hallpassd"], site.write("passwords", daemon=listen), socket) as daemon:
        assert whose(daemon, f"Bearer {token('alice')}") is None


def test_ejabberd_lets_in_the_owner_alone(site, hallpass_programs):
    for accept, answer in ((["session"], YES), (["password"], NO)):
        config = site.write("ejabberd", ejabberd={"accept": accept})
        log = site.directory / "ejabberd.log"
        with helper(hallpass_programs["hallpass-ejabberd"], config, log) as ejabberd:
            assert ejabberd.auth("alice", token("alice")) == answer
            for name in ("bob", "nobody", "", "alice2"):
                assert ejabberd.auth(name, token("alice")) == NO
            assert ejabberd.auth("alice", token("alice", "ES256")) == NO


def test_a_door_for_passwords_takes_a_token_for_a_wrong_one(site, hallpass_programs):
    sockets = {name: site.directory / f"doors-{name}" for name in ("http", "fcgi", "sasl", "dovecot", "ldap", "as")}
    daemon = {
        "listen": [f"unix:{sockets['http']}?mode=0660"],
        "fastcgi": [f"unix:{sockets['fcgi']}"],
        "saslauthd": [f"unix:{sockets['sasl']}"],
        "dovecot_auth": [f"unix:{sockets['dovecot']}"],
        "ldap": [f"unix:{sockets['ldap']}"],
        "dialects": [f"unix:{sockets['as']}"],
    }
    tables = {"tickets": TICKETS, "ejabberd": {"accept": ["password", "session"]}, "daemon": daemon}
    config = site.write("doors", ldap={"base": ldap.BASE}, **tables)
    programs, good = hallpass_programs, token("alice")

    def form(path: str, **fields) -> bool:
        content = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = web.ask(sockets["as"], f"/as/{path}", content, method="POST", body=urlencode(fields).encode())
        return answer.status == 200 and (answer.body.startswith(b"allow") or answer.body == b"true")

    def started(program: str, *words: str, text: str = "", code: int = 0, **environment) -> bool:
        command = [programs[program], "--config", config, *words]
        return run(command, text, env=environment or {"PATH": "/usr/bin"}).code == code

    def checkpassword(secret: str) -> bool:
        script = '"$0" --config "$1" /bin/true 3<&0'
        command = ["/bin/sh", "-c", script, programs["hallpass-checkpassword"], config]
        return run(command, f"alice\0{secret}\0x\0").code == 0

    def squid(secret: str) -> bool:
        command = [programs["hallpass-squid"], "--config", config, "basic"]
        return run(command, f"alice {quote(secret)}\n").text.startswith("OK")

    def plain(secret: str) -> bool:
        with Dovecot(sockets["dovecot"]) as client:
            return client.plain("alice", secret).startswith("OK\t")

    def fast(secret: str) -> bool:
        parameters = {"REMOTE_USER": "alice", "REMOTE_PASSWD": secret, "REQUEST_URI": "/"}
        return fastcgi.ask(sockets["fcgi"], parameters).status == 200

    with hallpassd(programs["hallpassd"], config, *sockets.values()) as running:
        doors = {
            "/check": lambda secret: running.check("alice", secret).status == 200,
            "/auth": lambda secret: running.ask(
                "/auth", {"Authorization": basic("alice", secret)}).status == 200,
            "fastcgi": fast,
            "saslauthd": lambda secret: saslauthd(
                sockets["sasl"], counted(b"alice", secret.encode(), b"imap", b"")) == b"\0\2OK",
            "dovecot": plain,
            "ldap": lambda secret: ldap.whoami(
                ldap.url(sockets["ldap"]), ldap.person("alice"), secret).code == 0,
            "rabbitmq": lambda secret: form("rabbitmq/user", username="alice", password=secret),
            "checkpassword": checkpassword,
            "pam": lambda secret: started("hallpass-pam", text=f"{secret}\0", PAM_USER="alice", PAM_TYPE="auth"),
            "apache": lambda secret: started("hallpass-apache", "auth", text=f"alice\n{secret}\n"),
            "squid": squid,
            "hallpass check": lambda secret: started("hallpass", "check", "alice", text=f"{secret}\n"),
        }
        for name, door in doors.items():
            assert door(PASSWORD), name
            assert not door(good), name
        answer = running.check("alice", good)
        assert json.loads(answer.body)["reason"] == "wrong-password"
        # Where `[ejabberd] accept` has sessions, a token stands for one, and for its account alone.
        for user, secret, expected in [
            ("alice", PASSWORD, True), ("alice", good, True), ("bob", good, False), ("bob", token("bob"), True),
            ("alice", good[:-4], False), ("alice", token("alice", "ES256"), False), ("nobody", good, False),
        ]:
            fields = {"user": user, "server": "x", "pass": secret}
            answer = web.ask(sockets["as"], f"/as/mongooseim/check_password?{urlencode(fields)}")
            assert (answer.body == b"true") == expected, (user, secret, answer)
        assert good not in running.log()


def test_tokens_for_passwords_are_counted_as_wrong_ones(site, hallpass_programs):
    socket = site.directory / "counted.sock"
    listen = {"listen": [f"unix:{socket}?mode=0660"]}
    config = site.write("counted", daemon=listen, limits={"failures": 3})
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        reasons = [json.loads(daemon.check("alice", token("alice")).body)["reason"] for _ in range(4)]
        assert reasons == ["wrong-password"] * 3 + ["throttled"]
        assert whose(daemon, f"Bearer {token('alice')}") == "alice"


NGINX = """
server {{
    listen {address};
    location = /auth {{
        internal;
        proxy_pass http://unix:{socket}:/auth?group=staff;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }}
    location / {{
        auth_request /auth;
        auth_request_set $user $upstream_http_remote_user;
        add_header X-Seen $user;
        return 204;
    }}
    location /file {{
        auth_request /auth;
        auth_request_set $user $upstream_http_remote_user;
        add_header X-Seen $user always;
        root {directory};
    }}
}}
"""


def test_nginx_asks_about_a_bearer(daemon, new_directory):
    directory, port = new_directory(), free_port()
    (directory / "etc").mkdir()
    (directory / "file").write_text("here")
    text = NGINX.format(address=f"{LOOPBACK}:{port}", socket=daemon.address, directory=directory)
    (directory / "etc/hallpass.conf").write_text(text)
    with nginx(directory, port) as server:
        for user, status in (("alice", 200), ("bob", 403), ("nobody", 401)):
            headers = [("Authorization", f"Bearer {token(user)}"), ("Remote-User", "admin"), ("Cookie", "SID=x")]
            answer = server.ask("/file", headers)
            assert answer.status == status
            assert answer.headers.get("X-Seen", "") == ("alice" if status == 200 else "")
        assert server.ask("/file").status == 401


def test_a_configuration_that_could_be_fooled_is_refused(site):
    for own, word in [
        ({"algorithms": ["none"]}, "jwt.algorithms"),
        ({"algorithms": ["HS256"]}, "jwt.algorithms"),
        ({"key": {"file": "RS256.pem"}, "algorithms": ["HS256"]}, "jwt.key"),
        ({"key": "too short", "algorithms": ["HS256"]}, "jwt.key"),
        ({"user_id": "sub"}, "jwt.user_id"),
        ({"public_key": {"file": "nowhere.pem"}}, "jwt.public_key"),
    ]:
        result = site.asked("refused", own)("--check-config")
        assert result.code == 2 and word.encode() in result.stderr, result.stderr


def test_the_doctor_asks_for_an_audience(site):
    def found(own, **tables):
        text = site.asked("doctor", own, **tables)("doctor", "--json")
        return [it for it in text.json["findings"] if it["check"] == "jwt"]

    assert [it["status"] for it in found({})] == ["ok"]
    config = site.write("doctor")
    for line in (f'issuer = "{ISSUER}"\n', f'audience = "{AUDIENCE}"\n'):
        text = config.read_text()
        assert line in text
        config.write_text(text.replace(line, ""))
        (finding,) = [it for it in site.shell(config)("doctor", "--json").json["findings"] if it["check"] == "jwt"]
        assert finding["status"] == "warning" and line.split()[0] in finding["mend"]
    (finding,) = found({}, daemon={"accept": ["password"]})
    assert finding["status"] == "warning" and "no program takes tokens" in finding["seen"]


def test_explain_says_why(site):
    shell = site.asked("explain")
    request = f"GET / HTTP/1.1\r\nAuthorization: Bearer {token('alice', aud='other')}\r\n\r\n"
    result = shell("explain", "request", input=request)
    assert b"its aud is not `audience`" in result.stdout + result.stderr, result
