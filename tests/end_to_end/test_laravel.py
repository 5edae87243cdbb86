"""A real application of Laravel's (Debian's 8.83), with each of its session drivers: `hallpass init`,
and then everything that the application says of its visitors."""

import json
import shutil
import sqlite3
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pytest

from hosts import example
from hosts.application import application
from hosts.daemon import hallpassd
from hosts.events import Events
from hosts.laravel import Browser, Laravel, laravel
from hosts.nginx import nginx
from hosts.watching import reason
from hosts.web import basic
from php_doors import said
from processes import LOOPBACK, free_port, give_away
from programs import Shell
from stores.mariadb import PASSWORD as DATABASE_PASSWORD

ACCOUNTS = [
    {"name": "Alice", "email": "alice@example.org", "password": "Correct-Horse-9"},
    {"name": "Bob", "email": "bob@example.org", "password": "pässw0rd-ä"},
    {"name": "Carl", "email": "carl@example.org", "password": "hunter22-hunter22"},
]
PASSWORDS = {account["email"]: account["password"] for account in ACCOUNTS}
ALICE, BOB, CARL = PASSWORDS
# The tables of spatie/laravel-permission.
ROLES = """
CREATE TABLE roles (id INTEGER PRIMARY KEY, name TEXT, guard_name TEXT);
CREATE TABLE permissions (id INTEGER PRIMARY KEY, name TEXT, guard_name TEXT);
CREATE TABLE model_has_roles (role_id INTEGER, model_type TEXT, model_id INTEGER);
CREATE TABLE model_has_permissions (permission_id INTEGER, model_type TEXT, model_id INTEGER);
CREATE TABLE role_has_permissions (permission_id INTEGER, role_id INTEGER);
INSERT INTO roles VALUES (1, 'editor', 'web'), (2, 'admin', 'web');
INSERT INTO permissions VALUES (1, 'edit posts', 'web'), (2, 'ban users', 'web');
INSERT INTO role_has_permissions VALUES (1, 1), (2, 2)
"""
DRIVERS = ["database", "file", "redis", "memcached", "cookie", "strict"]


@dataclass
class Site:
    """An application, and Hallpass by the configuration that `hallpass init` wrote."""

    driver: str
    application: Laravel
    shell: Shell
    # Its tables, where they are in SQLite.
    database: object
    daemon: object = None

    def browser(self) -> Browser:
        return self.application.browser()

    def logged_in(self, email: str, **more: str) -> Browser:
        browser = self.browser()
        assert browser.log_in(email, PASSWORDS[email], **more) == {"user": email}
        return browser

    def reason(self, browser: Browser) -> str:
        """The name or the reason by the shell; hallpassd agrees."""
        result = self.shell("session", "--json", "--cookie", "-", input=browser.header)
        reason = said(result)
        answer = self.daemon.ask(f"/{self.driver}/auth?basic=0", {"Cookie": browser.header})
        assert answer.status == (200 if "@" in reason else 401), (answer, reason)
        assert answer.headers["Remote-User"] == (reason if "@" in reason else "")
        return reason

    def agrees(self, browser: Browser) -> str | None:
        """Whom the site and Hallpass take the browser for."""
        reason = self.reason(browser)
        who = browser.whoami()
        assert (reason if "@" in reason else None) == who, (reason, who)
        return who

    def run(self, sql: str) -> None:
        self.database(sql)


@pytest.fixture(scope="module")
def sites(new_directory, mariadb, redis, memcached, hallpass_programs, shell):
    mariadb.create_database("laravel")
    drivers = {
        "database": {"SESSION_DRIVER": "database"},
        "file": {"SESSION_DRIVER": "file"},
        "redis": {"SESSION_DRIVER": "redis", "REDIS_HOST": LOOPBACK, "REDIS_PORT": redis.port, "REDIS_DB": 3},
        "memcached": {
            "SESSION_DRIVER": "memcached",
            "MEMCACHED_HOST": LOOPBACK,
            "MEMCACHED_PORT": memcached.port,
        },
        "cookie": {"SESSION_DRIVER": "cookie"},
        "strict": {
            "SESSION_DRIVER": "database",
            "SESSION_ENCRYPT": "true",
            "APP_CIPHER": "AES-256-GCM",
            "SESSION_COOKIE": "shop",
            "DB_CONNECTION": "mysql",
            "DB_HOST": LOOPBACK,
            "DB_PORT": mariadb.port,
            "DB_DATABASE": "laravel",
            "DB_USERNAME": "site",
            "DB_PASSWORD": DATABASE_PASSWORD,
        },
    }
    socket = new_directory() / "http.sock"
    found, configs = {}, []
    with ExitStack() as open_:
        for driver, variables in drivers.items():
            directory = new_directory()
            variables = {"DB_CONNECTION": "sqlite"} | variables
            application = open_.enter_context(
                laravel(directory, ACCOUNTS, driver == "strict", **variables)
            )
            output = directory / "hallpass.toml"
            result = shell()("init", "laravel", directory, "--output", output, "--force")
            assert result.code == 0, result.stderr.decode()
            text = f'name = "{driver}"\n' + output.read_text()
            if not configs:
                text += f'[daemon]\nlisten = ["unix:{socket}?mode=0660"]\n'
            output.write_text(text)
            for path in directory.glob("hallpass*"):
                give_away(path)
            configs.append(output)
            path = directory / "database/database.sqlite"
            run = (lambda sql: mariadb.execute(sql, "laravel")) if driver == "strict" else sqlite_of(path)
            if driver == "database":
                for statement in ROLES.strip().split(";\n"):
                    run(statement)
            found[driver] = Site(driver, application, shell(output), run)
        daemon = open_.enter_context(hallpassd(hallpass_programs["hallpassd"], configs, socket))
        for site in found.values():
            site.daemon = daemon
        yield found


def sqlite_of(path):
    def run(sql: str) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(sql)

    return run


@pytest.fixture(params=DRIVERS)
def site(request, sites) -> Site:
    return sites[request.param]


def test_whoever_is_logged_in(site):
    alice, bob = site.logged_in(ALICE), site.logged_in(BOB)
    assert site.agrees(alice) == ALICE
    assert site.agrees(bob) == BOB
    # Its next page encrypts the same session anew.
    before = alice.copy()
    alice.ask("/whoami")
    assert before.header != alice.header
    assert site.agrees(before) == site.agrees(alice) == ALICE
    nobody = site.browser()
    nobody.ask("/whoami")
    assert site.agrees(nobody) is None
    failed = site.browser()
    assert failed.log_in(ALICE, "wrong") == {"user": None}
    assert site.agrees(failed) is None


def test_a_session_has_one_name_for_its_whole_life(site):
    alice = site.logged_in(ALICE)
    asked = [site.daemon.ask(f"/{site.driver}/auth", {"Cookie": alice.header}).headers]
    alice.ask("/whoami")
    asked += [site.daemon.ask(f"/{site.driver}/auth", {"Cookie": alice.header}).headers]
    assert asked[0]["Remote-Session"] == asked[1]["Remote-Session"] != ""
    assert (asked[0]["Remote-Name"], asked[0]["Remote-Email"]) == ("Alice", ALICE)
    other = site.logged_in(ALICE)
    other = site.daemon.ask(f"/{site.driver}/auth", {"Cookie": other.header}).headers
    assert other["Remote-Session"] not in ("", asked[0]["Remote-Session"])


def test_who_logs_out_is_out(site):
    alice = site.logged_in(ALICE)
    before = alice.copy()
    other = site.logged_in(ALICE)
    assert site.agrees(before) == ALICE
    alice.ask("/logout", x="1")
    assert site.agrees(alice) is None
    # A copy of a session that is in cookies outlives the logout, at the site as well.
    assert site.agrees(before) == (ALICE if site.driver == "cookie" else None)
    assert site.agrees(other) == ALICE


def test_a_new_password_ends_what_the_site_ends(site):
    carl, other = site.logged_in(CARL), site.logged_in(CARL)
    remembered = site.logged_in(CARL, remember="1").only("remember")
    # AuthenticateSession ties a session to a password at its second request.
    for browser in (carl, other):
        assert browser.ask("/whoami")["user"] == CARL
    assert site.agrees(remembered) == CARL
    carl.ask("/password", password="another-Password-1")
    try:
        carl.ask("/whoami")
        assert site.agrees(carl) == CARL
        strict = site.driver == "strict"
        if strict:
            assert site.reason(other) == "stale-session"
        # The site's own answer empties such a session.
        assert site.agrees(other) == (None if strict else CARL)
        assert site.agrees(remembered) == (None if strict else CARL)
        assert not site.shell.check(CARL, PASSWORDS[CARL]).granted
        assert site.shell.check(CARL, "another-Password-1").granted
    finally:
        carl.ask("/password", password=PASSWORDS[CARL])


@pytest.mark.parametrize("driver", ["database", "redis", "memcached", "cookie", "strict"])
def test_a_stream_ends_as_the_site_ends_its_sessions(sites, driver):
    site = sites[driver]
    alice, carl, other = site.logged_in(ALICE), site.logged_in(CARL), site.logged_in(CARL)
    for browser in (carl, other):
        assert browser.ask("/whoami")["user"] == CARL
    with ExitStack() as open_:

        def stream(browser: Browser) -> Events:
            events = Events(site.daemon.address, {"Cookie": browser.header}, f"/{driver}/session/events")
            assert events.status == 200
            return open_.enter_context(events)

        of_alice, of_other = stream(alice), stream(other)
        assert of_alice.next()[0] == of_other.next()[0] == "identity"
        alice.ask("/logout", x="1")
        carl.ask("/password", password="another-Password-1")
        try:
            if driver == "cookie":
                assert of_alice.goes_on(3)
            else:
                assert reason(of_alice) == "logout"
            if driver == "strict":
                assert reason(of_other) == "password"
            else:
                assert of_other.goes_on(0.5), "AuthenticateSession alone ends it"
        finally:
            carl.ask("/whoami")
            carl.ask("/password", password=PASSWORDS[CARL])


def test_remembered_logins_count_until_their_token_is_another(site):
    bob = site.logged_in(BOB, remember="1")
    remembered = bob.only("remember")
    assert list(remembered.cookies) and site.agrees(remembered) == BOB
    anonymous = site.browser()
    anonymous.ask("/whoami")
    anonymous.cookies |= remembered.cookies
    assert site.agrees(anonymous) == BOB
    # Somebody else's session beside it wins.
    alice = site.logged_in(ALICE)
    alice.cookies |= remembered.cookies
    assert site.agrees(alice) == ALICE
    bob.ask("/logout", x="1")
    assert site.agrees(remembered) is None
    assert site.agrees(anonymous) is None


def test_accounts_that_are_deleted_are_out(site):
    alice = site.logged_in(ALICE)
    remembered = site.logged_in(ALICE, remember="1").only("remember")
    assert site.agrees(alice) == site.agrees(remembered) == ALICE
    site.run("UPDATE users SET deleted_at = '2026-01-01 00:00:00' WHERE id = 1")
    try:
        assert site.agrees(alice) is None
        assert site.agrees(remembered) is None
        assert said(site.shell.check(ALICE, PASSWORDS[ALICE])) == "unknown-user"
        assert site.browser().log_in(ALICE, PASSWORDS[ALICE]) == {"user": None}
    finally:
        site.run("UPDATE users SET deleted_at = NULL WHERE id = 1")
    assert site.agrees(alice) == ALICE


def test_cookies_that_are_changed_let_nobody_in(site):
    alice = site.logged_in(ALICE)
    name = "shop" if site.driver == "strict" else "my_shop_session"
    value = alice.cookies[name]
    for changed in [
        "", "x", value[:-8], value[8:], value[:40] + "AAAA" + value[44:], value[:200] + "B" + value[201:],
        value.swapcase(), value * 2, "%00" * 300,
    ]:  # fmt: skip
        browser = alice.only(name)
        browser.cookies[name] = changed
        assert site.agrees(browser) is None, changed
    # What the site encrypts for one cookie is nothing in another.
    browser = alice.copy()
    browser.cookies["another_session"] = browser.cookies.pop(name)
    assert site.agrees(browser) is None


def test_passwords_are_those_of_the_form(site):
    for email, password in PASSWORDS.items():
        result = site.shell.check(email, password)
        assert result.granted and result.json["user"] == email
        assert not site.shell.check(email, password + "x").granted
        assert not site.shell.check(email, password.swapcase()).granted
    assert said(site.shell.check("nobody@example.org", "x")) == "unknown-user"
    # MariaDB compares addresses without case, and so does the form.
    known = site.browser().log_in(ALICE.upper(), PASSWORDS[ALICE]) == {"user": ALICE}
    assert site.shell.check(ALICE.upper(), PASSWORDS[ALICE]).granted == known == (site.driver == "strict")


def test_what_init_wrote_agrees_with_laravel(site):
    sessions = [site.logged_in(ALICE), site.logged_in(BOB, remember="1")]
    for browser in sessions:
        browser.ask("/whoami")
    tokens = site.application.directory / "tokens"
    name = "shop" if site.driver == "strict" else "my_shop_session"
    tokens.write_text("".join(browser.cookies[name] + "\n" for browser in sessions))
    before = sessions[0].copy()
    result = site.shell("compare", site.application.directory, "--tokens", tokens, "--json")
    report = result.json
    assert (result.code, report["percent"], report["differences"]) == (0, 100, []), report
    by_name = {it["question"]: it for it in report["questions"]}
    assert by_name["accounts"]["granted"] == by_name["logins"]["granted"] == len(ACCOUNTS)
    # The driver `cookie` has no session without the other cookie.
    expected = 0 if site.driver == "cookie" else 2
    assert by_name["sessions"]["granted"] >= expected and by_name["changed sessions"]["denied"] > 0
    # Nothing has changed.
    assert site.agrees(before) == ALICE


def test_the_doctor_has_nothing_to_complain_of(site):
    site.logged_in(ALICE)
    result = site.shell("doctor", "--json")
    complaints = [it for it in result.json["findings"] if it["status"] == "problem"]
    assert not complaints, complaints


def test_a_store_that_is_away_is_unavailable(sites, shell):
    site = sites["redis"]
    alice = site.logged_in(ALICE)
    text = site.shell.config.read_text()
    address = next(line for line in text.splitlines() if line.startswith("cache = "))
    config = with_changes(site, "away.toml", (address, 'cache = "redis://127.0.0.1:1/0"'))
    result = shell(config)("session", "--json", "--cookie", "-", input=alice.header)
    assert result.code == 75, result
    assert json.loads(result.stdout)["verdict"] == "unavailable"


def with_changes(site: Site, name: str, *changes: tuple[str, str]):
    """Another configuration of the site."""
    text = site.shell.config.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    config = site.application.directory / name
    config.write_text(text)
    config.chmod(0o600)
    return config


def test_the_audit_counts_accounts(sites):
    site = sites["strict"]
    site.run("UPDATE users SET deleted_at = '2026-01-01 00:00:00' WHERE id = 3")
    try:
        answer = site.shell("audit", "--json").json
    finally:
        site.run("UPDATE users SET deleted_at = NULL WHERE id = 3")
    assert answer["accounts"] == len(ACCOUNTS) - 1
    assert sum(it["accounts"] for it in answer["passwords"]) == len(ACCOUNTS) - 1


@pytest.mark.parametrize("key", ["user_table", "session_table"])
def test_a_wrong_table_is_named(sites, shell, key):
    site = sites["database"]
    name = {"user_table": "users", "session_table": "sessions"}[key]
    config = with_changes(site, f"wrong-{key}.toml", (f'{key} = "{name}"', f'{key} = "wrong"'))
    result = shell(config)("doctor", "--json")
    found = [it for it in result.json["findings"] if it["status"] == "problem"]
    assert result.code == 1 and any(f"[laravel] {key}" in json.dumps(it) for it in found), found


def test_roles_are_groups_and_permissions(sites, shell):
    site = sites["database"]
    alice = site.logged_in(ALICE)
    model = "App\\Models\\"
    site.run(f"INSERT INTO model_has_roles VALUES (1, '{model}User', 1), (2, '{model}Admin', 1)")
    try:
        assert site.shell("groups", ALICE).text.split("\n")[:-1] == ["editor"]
        assert site.shell("groups", BOB).text == ""
        for permission, holds in [("edit posts", True), ("ban users", False), ("Edit posts", False)]:
            assert site.shell("can", ALICE, permission).granted == holds, permission
        for query, status in [("group=editor", 200), ("group=admin", 403), ("permission=edit%20posts", 200)]:
            path = f"/{site.driver}/auth?basic=0&{query}"
            assert site.daemon.ask(path, {"Cookie": alice.header}).status == status, query
        site.run("DELETE FROM model_has_roles")
        path = f"/{site.driver}/auth?basic=0&group=editor"
        assert site.daemon.ask(path, {"Cookie": alice.header}).status == 403
    finally:
        site.run("DELETE FROM model_has_roles")


# nginx, as in examples/nginx-laravel


def test_the_example_of_nginx(sites, new_directory, hallpass_programs):
    site = sites["database"]
    directory, port = new_directory(), free_port()
    socket = directory / "http.sock"
    with application() as behind:
        example.install(
            "nginx-laravel",
            directory / "etc",
            {
                "listen 80;": f"listen {LOOPBACK}:{port};",
                "127.0.0.1:8000": f"{LOOPBACK}:{behind.port}",
                "unix:/run/hallpass/http.sock?mode=0660": f"unix:{socket}?mode=0660",
                "unix:/run/hallpass/http.sock;": f"unix:{socket};",
                "/srv/shop/.env": str(site.application.directory / ".env"),
            },
        )
        config = directory / "etc/hallpass.toml"
        with nginx(directory, port) as server, hallpassd(hallpass_programs["hallpassd"], config, socket):

            def ask(path: str, browser: Browser | None = None, **headers: str):
                cookies = {"Cookie": browser.header} if browser else {}
                # A client's own copy of what the application believes.
                claims = {
                    "Remote-User": BOB, "Remote-Groups": "editor", "X-Forwarded-For": "10.0.0.1",
                    "X-Original-URI": "/", "Remote_User": BOB,
                }  # fmt: skip
                return server.ask(path, cookies | claims | headers)

            def told(answer, name: str) -> list[str]:
                headers = json.loads(answer.body)["headers"]
                return [value for key, value in headers if key == name]

            alice = site.logged_in(ALICE)
            answer = ask("/private/x", alice)
            assert answer.status == 200 and told(answer, "remote-user") == [ALICE]
            assert told(answer, "remote-groups") in ([""], [])
            assert ask("/editors/", alice).status == 403
            for browser in [None, site.browser().only("")]:
                answer = ask("/private/x?a=b&c", browser)
                assert answer.status == 302
                assert answer.headers["Location"].startswith("https://shop.example.org/login?next=")
            assert ask("/_hallpass/session", alice).status == 404
            assert ask("/api/").status == 401
            password = PASSWORDS[BOB]
            answer = ask("/api/", Authorization=basic(BOB, password))
            assert answer.status == 200 and told(answer, "remote-user") == [BOB]
            assert ask("/api/", Authorization=basic(BOB, password + "x")).status == 401
            # The cookie's owner is not the name of Basic.
            assert ask("/api/", alice, Authorization=basic(BOB, "wrong")).status == 401
            alice.ask("/logout", x="1")
            assert ask("/private/x", alice).status == 302


# `hallpass init`


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("app/Models/User.php", "use SoftDeletes;\n\n", "use SoftDeletes, Suspendable;\n\n", "--trait"),
        ("app/Models/User.php", "protected $guarded = [];", "protected $authPasswordName = 'hash';", "authPasswordName"),
        ("app/Models/User.php", "protected $guarded = [];",
         "protected static function booted() { static::addGlobalScope('active', fn ($q) => $q); }", "addGlobalScope"),
        ("app/Models/User.php", "extends Authenticatable", "extends Member", "Member"),
        ("config/session.php", "'_').'_session'),", "'_').strtolower('_session')),", "session.cookie"),
        ("config/session.php", "env('SESSION_DRIVER', 'file')", "'array'", "session driver is array"),
        ("config/auth.php", "['driver' => 'session'", "['driver' => 'sanctum'", "driver sanctum"),
        ("config/auth.php", "'driver' => 'eloquent'", "'driver' => 'ldap'", "provider ldap"),
        ("config/app.php", "env('APP_CIPHER', 'AES-256-CBC')", "'aes-256-ctr'", "cipher"),
        (".env", "APP_NAME=", "APP_NAME=\"open\nX=", ".env:1"),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_said_write_nothing(sites, directory, shell, name, old, new, expected):
    shutil.copytree(sites["database"].application.directory, directory / "site")
    file = directory / "site" / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    output = directory / "out.toml"
    result = shell()("init", "laravel", directory / "site", "--output", output)
    assert result.code == 2 and expected in result.stderr.decode(), result.stderr.decode()
    assert not output.exists()


def test_what_php_computes_can_be_given(sites, directory, shell):
    shutil.copytree(sites["database"].application.directory, directory / "site")
    file = directory / "site/config/session.php"
    file.write_text(file.read_text().replace("'_').'_session'),", "'_').strtolower('_session')),"))
    output = directory / "out.toml"
    result = shell()(
        "init", "laravel", directory / "site", "--output", output, "--set", "session.cookie=mine"
    )
    assert result.code == 0, result.stderr.decode()
    assert 'session_cookie = "mine"' in output.read_text()


def test_the_application_itself_says_what_php_computes(sites, directory, shell):
    site = directory / "site"
    shutil.copytree(sites["database"].application.directory, site)
    file = site / "config/session.php"
    file.write_text(file.read_text().replace("'_').'_session'),", "'_').strtoupper('_session')),"))
    (site / "config/permission.php").write_text("<?php return ['table_names' => ['roles' => strtolower('ACL_ROLES')]];")
    asked = lambda *words: shell()("init", "laravel", site, "--output", directory / "out.toml", *words)
    result = asked("--php")
    assert result.code == 0, result.stderr.decode()
    text = (directory / "out.toml").read_text()
    assert '_SESSION"' in text and 'role_tables = ["acl_roles", "permissions",' in text
    assert shell(directory / "out.toml")("--check-config").code == 0
    (directory / "out.toml").unlink()
    # What the operator says counts for more.
    assert asked("--php", "--set", "session.cookie=mine").code == 0
    assert 'session_cookie = "mine"' in (directory / "out.toml").read_text()
    (directory / "out.toml").unlink()
    (site / "broken.php").write_text("<?php throw new RuntimeException('no database here');")
    (site / "config/broken.php").write_text("<?php require __DIR__ . '/../broken.php';")
    slow = directory / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    for words, told in [
        (["--php"], "no database here"),
        (["--php", "/nonexistent/php"], "--php names"),
        (["--php", "/bin/true"], "gave no configuration"),
        (["--php", slow, "--timeout", "1s"], "--timeout gives it more time"),
        ([], "strtoupper"),
    ]:
        result = asked(*words)
        assert result.code == 2, words
        assert told in result.stderr.decode() or "session.cookie" in result.stderr.decode(), result.stderr.decode()
        assert not (directory / "out.toml").exists()
