"""A session lets in nobody but its owner: for every host that hands over a name beside a token, all
pairs of users are tried; and a token is nobody's password where only passwords are asked for."""

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from hosts import ldap, web
from hosts.daemon import hallpassd
from hosts.extauth import NO, YES, helper
from hosts.laravel import laravel as running_laravel
from hosts.php import php as running_php
from hosts.web import basic
from php_doors import write_configuration
from processes import give_away
from programs import run
from recorded import Recorded
from test_recorded_drupal import DRUPALS, NEW, cookies, set_up
from recorded import DATA, Recorded
from test_recorded_joomla import COOKIE, SESSIONS, Joomla
from test_recorded_phpbb import ALICE, BROWSER, ZOE, ZOE_NAME, Board

SETUP = Path(__file__).resolve().parents[1] / ".setup"
# Names that are nobody's session here, and forms that something might take for a name.
OTHERS = ["bob", "admin", "nobody", "root", "*", "%", "1", "58", "277", "' OR 1=1 -- ", "alice\\", "ali"]


@dataclass(frozen=True)
class Owned:
    """A site, and by the names of users a token each and the cookie that holds it."""

    tables: dict
    directory: Path
    tokens: dict[str, str]
    cookie: str
    # Whether the site, as its own login page does, takes names in another case for the same.
    folds: bool = False

    def configuration(self, name: str, **tables) -> Path:
        everything = self.tables | {"limits": {"failures": 0}} | tables
        return write_configuration(self.directory / f"owners-{name}.toml", everything)

    def pairs(self):
        """Every name with every token, and the name that is to come out, if any."""
        names = [*self.tokens, *(name.upper() for name in self.tokens), *OTHERS]
        for owner, token in self.tokens.items():
            for name in names:
                same = name.lower() == owner.lower() if self.folds else name == owner
                yield name, token, owner if same else None


@pytest.fixture(scope="module")
def php_folder(new_directory):
    directory = new_directory()
    with running_php(directory) as php:
        settings = {"session.save_path": str(new_directory())}
        yield php.folder("owners", settings, "login.php")


def sessions_of(folder) -> str:
    return (folder.path / ".user.ini").read_text().split('"')[1]


@pytest.fixture(scope="module")
def bare_php(php_folder):
    """The name in the session is all there is."""
    names = ["alice", "carol", "zoë"]
    tables = {
        "framework": "php",
        "php": {
            "save_handler": "files",
            "save_path": sessions_of(php_folder),
            "user": "_sf2_attributes.user.username",
        },
    }
    tokens = {name: php_folder.log_in(name) for name in names}
    return Owned(tables, php_folder.path, tokens, "PHPSESSID")


# What a denial costs is for others to prove.
CHEAP = {"passwords": {"dummy": "pbkdf2_sha256$1"}}


@pytest.fixture(scope="module")
def custom(new_directory):
    directory = new_directory()
    database = directory / "custom.sqlite3"
    tokens = {name: f"token-of-{number}-{'x' * 20}" for number, name in enumerate(["alice", "carol", "zoë"], 1)}
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE users (id INTEGER, username TEXT, password TEXT)")
        connection.execute("CREATE TABLE sessions (user_id INTEGER, token TEXT, expires INTEGER)")
        for number, (name, token) in enumerate(tokens.items(), 1):
            connection.execute("INSERT INTO users VALUES (?, ?, NULL)", (number, name))
            later = int(time.time()) + 3600
            connection.execute("INSERT INTO sessions VALUES (?, ?, ?)", (number, token, later))
        connection.commit()
    give_away(database)
    tables = {
        "framework": "custom",
        "database": f"sqlite:{database}",
        "custom": {
            "user": "SELECT id, username, password FROM users WHERE username = :username",
            "user_by_id": "SELECT id, username, password FROM users WHERE id = :id",
            "session": "SELECT user_id FROM sessions WHERE token = :session AND expires > :now",
            "cookie": "session",
        },
        **CHEAP,
    }
    return Owned(tables, directory, tokens, "session")


@pytest.fixture(scope="module")
def php_by_name(bare_php, custom):
    """The same, with accounts."""
    accounts = {key: custom.tables["custom"][key] for key in ("user", "user_by_id")}
    tables = bare_php.tables | CHEAP | {
        "database": custom.tables["database"],
        "custom": accounts,
    }
    return replace(bare_php, tables=tables, directory=custom.directory)


@pytest.fixture(scope="module")
def php_by_id(php_folder, custom):
    """Sessions that hold ids, all of them that of the account 1 but for one that is nobody's."""
    tables = custom.tables | {
        "framework": "php",
        "php": {
            "save_handler": "files",
            "save_path": sessions_of(php_folder),
            "user_id": "_sf2_attributes.user.id",
        },
        "custom": {key: custom.tables["custom"][key] for key in ("user", "user_by_id")},
    }
    with closing(sqlite3.connect(custom.directory / "custom.sqlite3")) as connection:
        connection.execute("INSERT INTO users VALUES (7, 'seven', NULL)")
        connection.commit()
    return Owned(tables, custom.directory, {"seven": php_folder.log_in("alice")}, "PHPSESSID")


@pytest.fixture(scope="module")
def joomla(new_directory, mariadb, shell):
    recorded = Recorded(mariadb, "joomla_owners", "joomla-4.4.0.sql", [])
    recorded.run(f'UPDATE "jos_session" SET "time" = {int(time.time())}')
    site = Joomla(recorded, new_directory(), shell)
    (site.directory / "configuration.php").write_text(
        (site.directory / "joomla_owners-site.php").read_text()
    )
    give_away(site.directory / "configuration.php")
    tables = {"framework": "joomla", "joomla": {"configuration": "configuration.php"}}
    tokens = {name: SESSIONS[name] for name in ("alice", "zoë")}
    return Owned(tables, site.directory, tokens, COOKIE, folds=True)


@pytest.fixture(scope="module")
def phpbb(new_directory, mariadb, shell):
    recorded = Recorded(mariadb, "phpbb_owners", "phpbb-3.3.10.sql", [])
    recorded.run(f'UPDATE "phpbb_sessions" SET "session_time" = {int(time.time())}')
    board = Board(recorded, new_directory(), shell)
    tables = {
        "framework": "phpbb",
        "phpbb": {"configuration": "phpbb_owners-site.php"},
    }
    return Owned(tables, board.directory, {"alice": ALICE, ZOE_NAME: ZOE}, "phpbb3_57hpu_sid", folds=True)


@pytest.fixture(scope="module")
def wordpress_site(wordpress, new_directory):
    tables = {
        "framework": "wordpress",
        "wordpress": {"configuration": str(wordpress.root / "wp-config.php"), "version": "6.1"},
    }
    visitors = {name: wordpress.log_in(name) for name in ["alice", "carol", "o neil.x"]}
    tokens = {name: visitor.token for name, visitor in visitors.items()}
    cookie = visitors["alice"].cookie.split("=")[0]
    return Owned(tables, new_directory(), tokens, cookie, folds=True)


@pytest.fixture(scope="module")
def drupal(new_directory, mariadb):
    recorded = Recorded(mariadb, "drupal_owners", "drupal-10.3.10.sql", [])
    set_up(recorded, NEW, "s0")
    tables = {
        "framework": "drupal",
        "database": mariadb.hallpass(recorded.name),
        "drupal": {"version": NEW, "base_url": f"http://{DRUPALS[NEW]['host']}"},
    }
    tokens = {name: cookies(NEW)[name] for name in ("bob", "carl@example.org")}
    return Owned(tables, new_directory(), tokens, DRUPALS[NEW]["cookie_name"], folds=True)


@pytest.fixture(scope="module")
def laravel(new_directory):
    names = ["alice", "carol", "zoë"]
    passwords = {name: f"password-of-{name}" for name in names}
    accounts = [
        {"name": name, "email": f"{number}@example.org", "password": password}
        for number, (name, password) in enumerate(passwords.items())
    ]
    variables = {"DB_CONNECTION": "sqlite", "SESSION_DRIVER": "database"}
    with running_laravel(new_directory(), accounts, **variables) as application:
        tokens = {}
        for account in accounts:
            browser = application.browser()
            browser.log_in(account["email"], account["password"])
            tokens[account["name"]] = browser.cookies["my_shop_session"]
        table = {"environment": ".env", "username_column": "name"}
        tables = {"framework": "laravel", "laravel": table, **CHEAP}
        yield Owned(tables, application.directory, tokens, "my_shop_session")


@pytest.fixture(scope="module")
def flask(custom):
    """Cookies that Flask's own serializer has signed."""
    code = (
        "import flask, json, sys; app = flask.Flask('owners'); app.secret_key = sys.argv[1]; "
        "sign = app.session_interface.get_signing_serializer(app).dumps; "
        "print(json.dumps([sign({'_user_id': str(number), '_fresh': True}) for number in (1, 2, 3)]))"
    )
    secret = "owners-s3cret"
    made = run([SETUP / "flask/bin/python", "-c", code, secret])
    tables = custom.tables | {
        "framework": "flask",
        "flask": {"secret_key": secret},
        "custom": {key: custom.tables["custom"][key] for key in ("user", "user_by_id")},
    }
    tokens = dict(zip(custom.tokens, json.loads(made.text), strict=True))
    return Owned(tables, custom.directory, tokens, "session")


@pytest.fixture(scope="module")
def express(custom):
    """Cookies that cookie-signature has signed, of rows as connect-pg-simple has them."""
    code = (
        "const { sign } = require('cookie-signature'); console.log(JSON.stringify("
        "['a', 'c', 'z'].map((id) => encodeURIComponent('s:' + sign(id.repeat(32), process.argv[1])))))"
    )
    secret = "owners-s3cret"
    environment = {"NODE_PATH": str(SETUP / "express/node_modules"), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    made = run(["node", "-e", code, secret], env=environment)
    with closing(sqlite3.connect(custom.directory / "custom.sqlite3")) as connection:
        connection.execute("CREATE TABLE session (sid TEXT, sess TEXT, expire INTEGER)")
        for number, id in enumerate("acz", 1):
            sess = json.dumps({"cookie": {}, "passport": {"user": number}})
            later = int(time.time()) + 3600
            connection.execute("INSERT INTO session VALUES (?, ?, ?)", (id * 32, sess, later))
        connection.commit()
    tables = custom.tables | {
        "framework": "express",
        "express": {"secrets": [secret]},
        "custom": {key: custom.tables["custom"][key] for key in ("user", "user_by_id")},
    }
    tokens = dict(zip(custom.tokens, json.loads(made.text), strict=True))
    return Owned(tables, custom.directory, tokens, "connect.sid")


@pytest.fixture(scope="module")
def rails(new_directory):
    directory = new_directory()
    recorded = json.loads((DATA / "rails-devise.json").read_text())["sites"][0]
    with closing(sqlite3.connect(directory / "rails.sqlite3")) as connection:
        columns = list(recorded["users"][0])
        connection.execute(f"CREATE TABLE users ({', '.join(columns)})")
        for user in recorded["users"]:
            connection.execute(f"INSERT INTO users VALUES ({', '.join('?' * len(columns))})", list(user.values()))
        connection.commit()
    give_away(directory / "rails.sqlite3")
    cookies = {case["verdict"]: case["cookie"] for case in recorded["cases"] if case["name"].startswith("valid")}
    own = {key: recorded[key] for key in ("version", "secret_key_base", "session_cookie_name")}
    tables = {"framework": "rails", "database": f"sqlite:{directory}/rails.sqlite3", "rails": own, **CHEAP}
    tokens = {name: cookie.partition("=")[2] for name, cookie in cookies.items()}
    return Owned(tables, directory, tokens, own["session_cookie_name"], folds=True)


# Each begins with the name of its framework.
SITES = [
    "php_by_name",
    "php_by_id",
    "custom",
    "joomla",
    "phpbb",
    "wordpress_site",
    "drupal",
    "laravel",
    "flask",
    "express",
    "rails",
]


@pytest.fixture(params=SITES)
def owned(request) -> Owned:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("owned", ["bare_php", *SITES], indirect=True)
def test_ejabberd(owned, hallpass_programs):
    for ignore_case in [True, False]:
        config = owned.configuration(
            "ejabberd",
            ejabberd={"accept": ["session"], "ignore_case": ignore_case, "unescape_jid": False},
        )
        log = owned.directory / "ejabberd.log"
        with helper(hallpass_programs["hallpass-ejabberd"], config, log) as ejabberd:
            seen = 0
            for name, token, expected in owned.pairs():
                owner = next(name for name, other in owned.tokens.items() if other == token)
                # XMPP's names have no case: the site's own may have.
                folded = ignore_case and name.lower() == owner.lower()
                answer = YES if expected or folded else NO
                if name.lower() == owner.lower() and not (expected or not ignore_case):
                    continue
                assert ejabberd.auth(name, token) == answer, (name, owner)
                seen += answer == YES
            assert seen >= len(owned.tokens)
            for token in owned.tokens.values():
                assert ejabberd.auth("", token) == NO


def test_ejabberd_that_takes_passwords_takes_no_token(owned, hallpass_programs):
    config = owned.configuration("passwords", ejabberd={"accept": ["password"]}, **CHEAP)
    log = owned.directory / "ejabberd.log"
    with helper(hallpass_programs["hallpass-ejabberd"], config, log) as ejabberd:
        for owner, token in owned.tokens.items():
            assert ejabberd.auth(owner, token) == NO


def test_apache(owned, hallpass_programs):
    program = hallpass_programs["hallpass-apache"]
    config = owned.configuration("apache", **CHEAP)

    def code(name: str, token: str, password: str, *accept: str) -> int:
        environment = {"COOKIE": f"a=b; {owned.cookie}={token}", "PATH": "/usr/bin"}
        command = [program, "--config", config, "auth", *accept]
        return run(command, f"{name}\n{password}\n", env=environment).code

    for name, token, expected in owned.pairs():
        found = code(name, token, "wrong", "--accept", "session")
        assert found == 0 if expected else found in (1, 2, 3), (name, token, found)
        if expected:
            # Where nobody says so the session counts for nothing, and the token is no password.
            assert code(name, token, "wrong") == code(name, token, token) == 2


def test_apache_tells_the_board_where_somebody_is(phpbb, hallpass_programs):
    program = hallpass_programs["hallpass-apache"]
    config = phpbb.configuration("address", **CHEAP)
    for address, code in [("127.0.0.9", 0), ("192.0.2.1", 2), ("::1", 2)]:
        result = run(
            [program, "--config", config, "auth", "--accept", "session"],
            "alice\nwrong\n",
            env={"COOKIE": f"phpbb3_57hpu_sid={ALICE}", "IP": address},
        )
        assert result.code == code, (address, result)


def test_checkpassword_and_pam_take_no_token(owned, hallpass_programs):
    config = owned.configuration("once", **CHEAP)
    for owner, token in owned.tokens.items():
        for secret in [token, f"{owned.cookie}={token}"]:
            result = run(
                [
                    "/bin/sh", "-c", '"$0" --config "$1" /bin/true 3<&0',
                    hallpass_programs["hallpass-checkpassword"], config,
                ],
                f"{owner}\0{secret}\0x\0",
            )
            assert result.code == 1, result
            environment = {"PAM_USER": owner, "PAM_TYPE": "auth"}
            result = run(
                [hallpass_programs["hallpass-pam"], "--config", config], f"{secret}\0", env=environment
            )
            assert result.code == 1, result


def test_squid(owned, hallpass_programs):
    program = hallpass_programs["hallpass-squid"]
    config = owned.configuration("squid", **CHEAP)
    lines = [f"{quote(owner)} {quote(token)}" for owner, token in owned.tokens.items()]
    result = run([program, "--config", config, "basic"], "".join(f"{line}\n" for line in lines))
    assert result.text.splitlines() == ["ERR"] * len(lines)
    # Beside a cookie no name is handed over: it is always the owner's.
    cookies = [f"{owned.cookie}={token}" for token in owned.tokens.values()]
    asked = "".join(f"{quote(cookie)}\n" for cookie in cookies)
    result = run([program, "--config", config, "session"], asked)
    answers = result.text.splitlines()
    for answer, owner in zip(answers, owned.tokens, strict=True):
        assert answer.startswith("OK user="), answer
        assert quote(owner, safe="") in answer or owner in answer, answer


def test_hallpassd(owned, hallpass_programs):
    socket = owned.directory / "owners.sock"
    config = owned.configuration(
        "daemon",
        daemon={"listen": [f"unix:{socket}?mode=0660"], "accept": ["session", "password"]},
        tickets={"key": "a key of thirty-two bytes, or more"},
        **CHEAP,
    )
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        there = {"User-Agent": BROWSER, "X-Forwarded-For": "127.0.0.1"}
        for name, token, expected in owned.pairs():
            owner = next(owner for owner, other in owned.tokens.items() if other == token)
            cookie = {"Cookie": f"{owned.cookie}={token}"} | there
            claims = {"Remote-User": name.encode(), "X-Remote-User": name.encode()}
            # Whatever else stands beside it, the session is its owner's.
            answer = daemon.ask("/session", cookie | claims)
            assert answer.status == 200, (name, answer)
            assert json.loads(answer.body)["user"] == owner
            # A host may go on with the Basic name.
            claims = {"Authorization": basic(name, "wrong")}
            answer = daemon.ask("/session", cookie | claims)
            assert answer.status == (200 if expected else 401), (name, answer)
            answer = daemon.ask("/session?basic=0", cookie | claims)
            assert json.loads(answer.body)["user"] == owner
            # And no token is a password, of anybody.
            forged = {"Authorization": basic(name, token)} | there
            assert daemon.ask("/session", forged).status == 401, name
            assert daemon.check(name, token).status in (400, 401), name
            bearer = {"Authorization": f"Bearer {token}".encode()} | there
            assert daemon.ask("/session", bearer).status == 401
        # A ticket is for the session it came from.
        for owner, token in owned.tokens.items():
            cookie = {"Cookie": f"{owned.cookie}={token}"} | there
            answer = daemon.ask("/ticket", cookie, method="POST")
            assert answer.status == 200, answer
            ticket = json.loads(answer.body)["ticket"]
            assert token not in ticket


def test_dialects(owned, hallpass_programs):
    socket, http = owned.directory / "dialects.sock", owned.directory / "owners-http.sock"
    config = owned.configuration(
        "dialects",
        daemon={"listen": [f"unix:{http}"], "dialects": [f"unix:{socket}"], "accept": ["session", "password"]},
        ejabberd={"accept": ["session"], "ignore_case": False, "unescape_jid": False},
        **CHEAP,
    )
    with hallpassd(hallpass_programs["hallpassd"], config, http, socket):
        there = {"User-Agent": BROWSER, "X-Forwarded-For": "127.0.0.1"}

        def said(path: str, fields: dict, headers=()) -> dict:
            body = json.dumps(fields).encode()
            headers = {"Content-Type": "application/json"} | dict(headers)
            return json.loads(web.ask(socket, f"/as/{path}", headers, "POST", body).body)

        for name, token, expected in owned.pairs():
            owner = next(owner for owner, other in owned.tokens.items() if other == token)
            cookie = {"Cookie": f"{owned.cookie}={token}"} | there
            # Without a name, a session is its owner's; with one, it is nobody else's.
            assert said("centrifugo", {"client": "c", "user": name}, cookie)["result"]["user"] == owner
            found = said("centrifugo/refresh", {"client": "c", "user": name}, cookie)["result"]
            assert found.get("expired", False) == (not expected), (name, owner)
            # The XMPP server goes on with its name.
            query = urlencode({"user": name, "server": "x", "pass": token})
            answer = web.ask(socket, f"/as/mongooseim/check_password?{query}")
            assert answer.body == (b"true" if expected else b"false"), (name, owner)
            # Elsewhere, no token is a password.
            fields = {"username": name, "password": token}
            assert said("emqx", fields, cookie) == {"result": "deny"}, (name, owner)
            fields = {"user": name, "password": token}
            answer = web.ask(socket, "/as/freeradius", cookie, "POST", json.dumps(fields).encode())
            assert answer.status == 401


def test_ldap(owned, hallpass_programs):
    """No token is the password of anybody, and no name of the site's binds by it."""
    socket, http = owned.directory / "ldap.sock", owned.directory / "owners-ldap-http.sock"
    config = owned.configuration(
        "ldap",
        daemon={"listen": [f"unix:{http}"], "ldap": [f"unix:{socket}"], "accept": ["session", "password"]},
        ldap={"base": ldap.BASE},
        **CHEAP,
    )
    with hallpassd(hallpass_programs["hallpassd"], config, http, socket), ldap.Raw(socket) as raw:
        for token in owned.tokens.values():
            # Each is compared with a real hash, which takes its time.
            for name in (*owned.tokens, "*", "nobody"):
                raw.send(ldap.message(1, ldap.bind(ldap.person(name), token)))
                assert raw.response() == (1, 0x61, ldap.WRONG), name
                # Whoever was refused is nobody.
                raw.send(ldap.message(2, ldap.extended("1.3.6.1.4.1.4203.1.11.3")))
                assert raw.response() == (2, 0x78, 0) and b"dn:" not in raw.whole
