"""The recipes of docs/my-site-is-not-listed.md, as they stand there.

MediaWiki is Debian's own, and its log-in page the oracle. The tables of the others are what the recipe
reads of their schemas (Moodle's lib/db/install.xml, Flarum's migrations, Nextcloud's core/Migrations, Spring
Session's schema-postgresql.sql and Spring Security's users.ddl); their hashes are PHP's, or recorded
from Spring Security.
"""

import base64
import hashlib
import json
import re
import sqlite3
import time
from contextlib import closing

import pytest

from book import DOCS
from frameworks import ROOT
from hosts.mediawiki import Visitor, mediawiki
from php_doors import said
from processes import LOOPBACK, give_away
from programs import run, toml
from stores.postgresql import PASSWORD

PAGE = (DOCS / "my-site-is-not-listed.md").read_text()
DATA = ROOT / "crates" / "passwords" / "tests" / "data"


def recipe(heading: str) -> str:
    """The first block of TOML below a heading of the page."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.search(r"```toml\n(.*?)```", section, re.S)[1]


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert text.count(old) == 1, (old, text)
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def configured(new_directory, shell):
    """Writes a recipe's file, and makes the shell for it."""

    def make(text: str):
        path = new_directory() / "hallpass.toml"
        path.touch(mode=0o600)
        path.write_text(f"{text}\n[limits]\ndeadline = \"30s\"\n")
        return shell(give_away(path))

    return make


def php(code: str) -> str:
    return run(["/usr/bin/php8.2", "-r", f"echo {code};"]).text


def database(server, name: str, statements: list[str]) -> str:
    """A database with these tables, as the recipe names one."""
    server.create_database(name)
    text = ";\n".join(statements)
    if hasattr(server, "socket"):
        server.execute(text, name)
    else:
        server.execute(text, name, "site", PASSWORD, LOOPBACK)
    return toml({"it": {"database": server.hallpass(name)}}).split("database = ")[1].strip()


# MediaWiki


@pytest.fixture(scope="module")
def wiki(new_directory):
    with mediawiki(new_directory()) as running_wiki:
        running_wiki.create("Alice", "Rabbit-Hole-7", "sysop", "interface-admin")
        running_wiki.create("Bob", "Builder-Can-It-8")
        running_wiki.create("Zoë", "pässwörd-Ünï 9")
        yield running_wiki


@pytest.fixture(scope="module")
def asked(wiki, configured):
    return configured(replaced(
        recipe("MediaWiki"),
        ("sqlite:/var/lib/mediawiki/data/wiki.sqlite", f"sqlite:{wiki.database}"),
        ("https://wiki.example.org/", f"{wiki.url}/"),
        ("[http]\n", '[http]\ntimeout = "20s"\n'),
    ))


def old(kind: str, password: str) -> str:
    """A hash as MediaWiki before 1.24 wrote it."""
    digest = hashlib.md5(password.encode()).hexdigest()
    if kind == "A":
        return f":A:{digest}"
    return f":B:5a17:{hashlib.md5(f'5a17-{digest}'.encode()).hexdigest()}"


def test_mediawiki_takes_the_passwords_that_its_page_takes(wiki, asked):
    cases = [
        ("Alice", "Rabbit-Hole-7"), ("alice", "Rabbit-Hole-7"), ("Alice", "rabbit-hole-7"),
        ("Alice", "Rabbit-Hole-7 "), ("ALICE", "Rabbit-Hole-7"), ("Bob", "Rabbit-Hole-7"),
        ("Zoë", "pässwörd-Ünï 9"),
        # Letter and accent apart.
        ("Zoë", "pa\u0308sswo\u0308rd-U\u0308ni\u0308 9"),
        ("Zoë", "passwörd-Ünï 9"),
    ]
    for name, password in cases:
        page, ours = Visitor(wiki).log_in(name, password), said(asked.check(name, password))
        assert ours == (page or ours) and (page is None) == (ours not in ("Alice", "Bob", "Zoë")), (
            name, password, page, ours)
    for kind in "AB":
        wiki.query("UPDATE user SET user_password = ? WHERE user_name = 'Bob'",
                   old(kind, "Builder-Can-It-8"))
        assert said(asked.check("Bob", "Builder-Can-It-9")) == "wrong-password"
        assert said(asked.check("Bob", "Builder-Can-It-8")) == "Bob"
    # The page writes it anew.
    assert Visitor(wiki).log_in("Bob", "Builder-Can-It-8") == "Bob"
    assert wiki.query("SELECT user_password FROM user WHERE user_name = 'Bob'")[0][0].startswith(":pbkdf2:")
    assert said(asked.check("Bob", "Builder-Can-It-8")) == "Bob"
    # No password, and one that has expired.
    wiki.query("UPDATE user SET user_password = '' WHERE user_name = 'Bob'")
    assert said(asked.check("Bob", "")) == "unusable-password"
    wiki.maintain("changePassword", "--user", "Bob", "--password", "Builder-Can-It-8")
    assert said(asked.check("Bob", "Builder-Can-It-8")) == "Bob"
    wiki.query("UPDATE user SET user_password_expires = '20200101000000' "
               "WHERE user_name = 'Bob'")
    assert said(asked.check("Bob", "Builder-Can-It-8")) == "unusable-password"
    wiki.query("UPDATE user SET user_password_expires = NULL")


def test_mediawiki_sessions_end_with_the_logout(wiki, asked):
    def ours(header: str, *options: str) -> str:
        return said(asked("session", "--json", *options, "--cookie", header))

    alice, bob = Visitor(wiki), Visitor(wiki)
    assert alice.log_in("Alice", "Rabbit-Hole-7") == "Alice"
    assert ours(alice.header()) == "Alice"
    for group, expected in [("interface-admin", "Alice"), ("sysop", "Alice"), ("bureaucrat", "not-permitted")]:
        assert ours(alice.header(), "--groups", group) == expected
    wiki.query("DELETE FROM user_groups WHERE ug_group = 'interface-admin'")
    assert ours(alice.header(), "--groups", "interface-admin") == "not-permitted"
    # A visitor has a session, too, and nobody is in it.
    bob.get("index.php?title=Special:UserLogin")
    assert "wiki_session" in bob.header() and ours(bob.header()) == "no-session"
    assert ours("wiki_session=" + "a" * 32) == ours("other=x") == "no-session"
    # The session is gone, and the cookie of those who stay logged in makes another.
    assert bob.log_in("Bob", "Builder-Can-It-8", remember=True) == "Bob"
    assert ours(bob.header("wiki_session")) == "Bob"
    assert ours(bob.header("wiki_session", "wikiToken")) == "no-session"
    assert ours(bob.header().replace("wikiToken=", "wikiToken=0")) in ("no-session", "Bob")
    header = alice.header()
    alice.log_out()
    assert alice.who() is None and ours(header) == "no-session"
    header = bob.header()
    wiki.maintain("changePassword", "--user", "Bob", "--password", "Another-One-10")
    # What becomes of the session then is for the wiki to say.
    assert ours(header) == (bob.who() or "no-session")
    assert said(asked.check("Bob", "Builder-Can-It-8")) == "wrong-password"
    wiki.maintain("changePassword", "--user", "Bob", "--password", "Builder-Can-It-8")


# Tables


def test_moodle(mariadb, configured):
    now = int(time.time())
    sha512 = php("crypt('secret', '$6$rounds=10000$seasaltseasalt12$')")
    bcrypt = php("password_hash('secret', PASSWORD_BCRYPT, ['cost' => 4])")
    user = "INSERT INTO mdl_user VALUES "
    where = database(mariadb, "moodle_recipe", [
        "CREATE TABLE mdl_user (id bigint PRIMARY KEY, auth varchar(20), confirmed tinyint, deleted tinyint, "
        "suspended tinyint, mnethostid bigint, username varchar(100), password varchar(255), "
        "firstname varchar(100), lastname varchar(100), email varchar(100)) DEFAULT CHARSET utf8mb4",
        "CREATE TABLE mdl_config (id bigint, name varchar(255), value longtext)",
        "CREATE TABLE mdl_sessions (id bigint, state bigint, sid varchar(128), userid bigint, "
        "timecreated bigint, timemodified bigint)",
        "CREATE TABLE mdl_cohort (id bigint, name varchar(254))",
        "CREATE TABLE mdl_cohort_members (cohortid bigint, userid bigint)",
        "INSERT INTO mdl_config VALUES (1, 'sessiontimeout', '28800')",
        "INSERT INTO mdl_cohort VALUES (1, 'Teachers')",
        "INSERT INTO mdl_cohort_members VALUES (1, 2)",
        *[f"{user}({row[0]}, '{row[1]}', {row[2]}, {row[3]}, {row[4]}, {row[5]}, '{row[6]}', '{row[7]}', 'A', 'B', 'x')"
          for row in [
              (1, "manual", 1, 0, 0, 1, "guest", bcrypt), (2, "manual", 1, 0, 0, 1, "alice", sha512),
              (3, "email", 1, 0, 0, 1, "bob", bcrypt), (4, "manual", 0, 0, 0, 1, "carol", bcrypt),
              (5, "manual", 1, 1, 0, 1, "dave", bcrypt), (6, "manual", 1, 0, 1, 1, "erin", bcrypt),
              (7, "ldap", 1, 0, 0, 1, "frank", bcrypt), (8, "nologin", 1, 0, 0, 1, "grace", bcrypt),
              (9, "manual", 1, 0, 0, 2, "heidi", bcrypt), (10, "manual", 1, 0, 0, 1, "ivan", "not cached"),
          ]],
        *[f"INSERT INTO mdl_sessions VALUES ({n}, 0, '{sid}', {userid}, 0, {modified})"
          for n, (sid, userid, modified) in enumerate([
              ("a" * 26, 2, now), ("b" * 26, 3, now - 28000), ("c" * 26, 3, now - 28801), ("n" * 26, 0, now),
              ("g" * 26, 1, now), ("e" * 26, 6, now), ("x" * 26, 99, now),
          ])],
    ])
    shell = configured(replaced(recipe("Moodle"), ('"mysql://hallpass@localhost/moodle"', where)))
    for name, password, expected in [
        ("alice", "secret", "alice"), ("ALICE", "secret", "alice"), ("bob", "secret", "bob"),
        ("alice", "Secret", "wrong-password"), ("alice", "", "wrong-password"), ("carol", "secret", "inactive"),
        ("dave", "secret", "inactive"), ("erin", "secret", "inactive"), ("frank", "secret", "unusable-password"),
        ("grace", "secret", "unusable-password"), ("heidi", "secret", "unknown-user"), ("guest", "secret", "inactive"),
        ("ivan", "not cached", "unsupported-hash"), ("mallory", "secret", "unknown-user"),
    ]:
        assert said(shell.check(name, password)) == expected, name
    for sid, expected in [("a", "alice"), ("b", "bob"), ("c", "no-session"), ("n", "anonymous-session"),
                          ("g", "inactive"), ("e", "inactive"), ("x", "unknown-user"), ("y", "no-session")]:
        assert said(shell.session(sid * 26)) == expected, sid
    assert shell("groups", "alice").text == "Teachers\n"


def test_flarum(mariadb, configured):
    now = int(time.time())
    bcrypt = php("password_hash('secret', PASSWORD_BCRYPT, ['cost' => 4])")
    when = lambda seconds: time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now - seconds))  # noqa: E731
    where = database(mariadb, "flarum_recipe", [
        "CREATE TABLE users (id int unsigned PRIMARY KEY, username varchar(100), email varchar(150), "
        "password varchar(100)) DEFAULT CHARSET utf8mb4",
        "CREATE TABLE `groups` (id int unsigned, name_singular varchar(100))",
        "CREATE TABLE group_user (user_id int unsigned, group_id int unsigned)",
        "CREATE TABLE access_tokens (id int, token varchar(40), user_id int unsigned, last_activity_at datetime, "
        "type varchar(100))",
        f"INSERT INTO users VALUES (1, 'alice', 'alice@example.org', '{bcrypt}'), "
        f"(2, 'bob', 'bob@example.org', '{bcrypt}'), (3, 'mallory', 'alice', '{bcrypt}')",
        "INSERT INTO `groups` VALUES (4, 'Mod')", "INSERT INTO group_user VALUES (2, 4)",
        *[f"INSERT INTO access_tokens VALUES ({n}, '{token * 40}', {user}, '{when(age)}', '{kind}')"
          for n, (token, user, age, kind) in enumerate([
              ("a", 1, 60, "session_remember"), ("b", 2, 157000000, "session_remember"),
              ("c", 2, 157680001, "session_remember"), ("d", 2, 60, "session"), ("e", 2, 60, "developer"),
              ("f", 99, 60, "session_remember"),
          ])],
    ])
    shell = configured(replaced(recipe("Flarum"), ('"mysql://hallpass@localhost/flarum"', where)))
    for name, password, expected in [
        ("bob", "secret", "bob"), ("bob@example.org", "secret", "bob"), ("bob", "Secret", "wrong-password"),
        # Two answer to it.
        ("alice", "secret", "unknown-user"), ("alice@example.org", "secret", "alice"),
        ("nobody", "secret", "unknown-user"),
    ]:
        assert said(shell.check(name, password)) == expected, name
    for token, expected in [("a", "alice"), ("b", "bob"), ("c", "no-session"), ("d", "no-session"),
                            ("e", "no-session"), ("f", "unknown-user"), ("g", "no-session")]:
        assert said(shell.session(token * 40)) == expected, token
    assert shell("groups", "bob").text == "Mod\n"


def test_spring_session(postgresql, configured):
    now = int(time.time())
    rows = json.loads((DATA / "spring.json").read_text())
    bcrypt = next(row["encoded"] for row in rows if row["verdict"] is True and row["password"] == "correct horse"
                  and row["encoded"].startswith("{bcrypt}$2a$"))
    ids = {name: f"{n:08d}-0000-4000-8000-00000000000{n}" for n, name in enumerate("abcde")}
    where = database(postgresql, "spring_recipe", [
        "CREATE TABLE users (username varchar(50) PRIMARY KEY, password varchar(500), enabled boolean)",
        "CREATE TABLE authorities (username varchar(50), authority varchar(50))",
        "CREATE TABLE spring_session (primary_id char(36), session_id char(36), creation_time bigint, "
        "last_access_time bigint, max_inactive_interval int, expiry_time bigint, principal_name varchar(100))",
        f"INSERT INTO users VALUES ('alice', '{bcrypt}', true), ('bob', '{{noop}}correct horse', true), "
        f"('carol', '{bcrypt}', false)",
        "INSERT INTO authorities VALUES ('alice', 'ROLE_USER'), ('alice', 'ROLE_ADMIN')",
        *[f"INSERT INTO spring_session VALUES ('{ids[name]}', '{ids[name]}', 0, 0, 1800, {expiry}, {principal})"
          for name, expiry, principal in [
              ("a", (now + 600) * 1000, "'alice'"), ("b", (now - 1) * 1000, "'alice'"), ("c", (1 << 63) - 1, "'carol'"),
              ("d", (now + 600) * 1000, "NULL"), ("e", (now + 600) * 1000, "'nobody'"),
          ]],
    ])
    shell = configured(replaced(recipe("Spring Session"), ('"postgres://hallpass@/shop"', where)))
    for name, password, expected in [
        ("alice", "correct horse", "alice"), ("alice", "Correct horse", "wrong-password"),
        ("bob", "correct horse", "unsupported-hash"), ("carol", "correct horse", "inactive"),
        ("Alice", "correct horse", "unknown-user"),
    ]:
        assert said(shell.check(name, password)) == expected, name
    token = lambda name: base64.b64encode(ids[name].encode()).decode()  # noqa: E731
    for value, expected in [
        (token("a"), "alice"), (token("b"), "no-session"), (token("c"), "inactive"),
        (token("d"), "anonymous-session"), (token("e"), "unknown-user"), (ids["a"], "no-session"),
        (token("a")[:-1], "no-session"), (token("a").swapcase(), "no-session"), ("/" * 48, "no-session"),
        ("!" * 48, "no-session"), ("' OR true -- ", "no-session"),
    ]:
        assert said(shell.session(value)) == expected, value
    assert sorted(shell("groups", "alice").text.split()) == ["ROLE_ADMIN", "ROLE_USER"]


def test_nextcloud(mariadb, configured):
    now = int(time.time())
    argon2 = "3|" + php("password_hash('secret', PASSWORD_ARGON2ID, ['memory_cost' => 64, 'time_cost' => 1])")
    sha1 = hashlib.sha1(b"secret").hexdigest()
    hashed = lambda sid, secret="s3cr3t": hashlib.sha512((sid + secret).encode()).hexdigest()  # noqa: E731
    token = "INSERT INTO oc_authtoken VALUES "
    where = database(mariadb, "nextcloud_recipe", [
        "CREATE TABLE oc_users (uid varchar(64) PRIMARY KEY, displayname varchar(64), password varchar(255), "
        "uid_lower varchar(64)) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_bin",
        "CREATE TABLE oc_group_user (gid varchar(64), uid varchar(64)) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_bin",
        "CREATE TABLE oc_preferences (userid varchar(64), appid varchar(32), configkey varchar(64), "
        "configvalue longtext) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_bin",
        "CREATE TABLE oc_authtoken (id bigint, uid varchar(64), token varchar(200), type smallint, "
        "last_activity int, expires int, password_invalid tinyint) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_bin",
        f"INSERT INTO oc_users VALUES ('Alice', 'Alice A', '{argon2}', 'alice'), ('bob', '', '{sha1}', 'bob'), "
        f"('carol', '', '{argon2}', 'carol'), ('dave', '', '4|{argon2[2:]}', 'dave')",
        "INSERT INTO oc_group_user VALUES ('admin', 'Alice')",
        "INSERT INTO oc_preferences VALUES ('carol', 'core', 'enabled', 'false'), ('bob', 'core', 'enabled', 'true'), "
        "('bob', 'other', 'enabled', 'false')",
        *[f"{token}({n}, '{uid}', '{value}', {kind}, {activity}, {expires}, {invalid})"
          for n, (uid, value, kind, activity, expires, invalid) in enumerate([
              ("Alice", hashed("a" * 26), 0, now, "NULL", 0), ("bob", hashed("b" * 26), 0, now - 86000, now + 60, 0),
              ("bob", hashed("c" * 26), 0, now - 86401, "NULL", 0), ("bob", hashed("d" * 26), 1, now, "NULL", 0),
              ("bob", hashed("e" * 26), 0, now, now - 1, 0), ("bob", hashed("f" * 26), 0, now, "NULL", 1),
              ("carol", hashed("g" * 26), 0, now, "NULL", 0), ("bob", hashed("h" * 26, "other"), 0, now, "NULL", 0),
              ("bob", hashed("i" * 26, ""), 0, now, "NULL", 0),
          ])],
    ])
    shell = configured(replaced(
        recipe("Nextcloud"), ('"mysql://hallpass@localhost/nextcloud"', where),
        ("THE SECRET OF config.php", "s3cr3t"), ("THE instanceid OF config.php", "ocabc123"),
        ("m=65536,t=4", "m=64,t=1"),
    ))
    for name, password, expected in [
        ("Alice", "secret", "Alice"), ("alice", "secret", "Alice"), ("bob", "secret", "bob"),
        ("Alice", "Secret", "wrong-password"), ("bob", "Secret", "wrong-password"),
        ("carol", "secret", "inactive"), ("dave", "secret", "unsupported-hash"), ("erin", "secret", "unknown-user"),
    ]:
        assert said(shell.check(name, password)) == expected, name
    for sid, expected in [("a", "Alice"), ("b", "bob"), ("g", "inactive"),
                          *[(letter, "no-session") for letter in "cdefhij"]]:
        assert said(shell.session(sid * 26)) == expected, sid
    assert shell("groups", "alice").text == "admin\n"


def test_mybb(new_directory, configured):
    """The block of a salt in a column of its own."""
    section = PAGE.split("### A salt in a column of its own")[1]
    block = re.search(r"```toml\n(.*?)```", section, re.S)[1]
    path = new_directory() / "mybb.sqlite3"
    salted = lambda salt, password: php(f"md5(md5('{salt}') . md5('{password}'))")  # noqa: E731
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE mybb_users (uid int, username text, password text, salt text, email text)")
        connection.executemany("INSERT INTO mybb_users VALUES (?, ?, ?, ?, '')", [
            (1, "Alice", salted("xQ3bT7aa", "secret"), "xQ3bT7aa"),
            (2, "Bob", salted("xQ3bT7aa", "secret"), "another1"),
            (3, "Carol", php("md5('secret')"), ""),
        ])
    give_away(path)
    shell = configured(f'framework = "custom"\ndatabase = "sqlite:{path}"\n{block}\n'
                       '[passwords]\ndummy = "pbkdf2_sha256$1"\n')
    for name, password, expected in [
        ("alice", "secret", "Alice"), ("Alice", "Secret", "wrong-password"), ("bob", "secret", "wrong-password"),
        ("carol", "secret", "Carol"), ("carol", "", "wrong-password"), ("dave", "secret", "unknown-user"),
    ]:
        assert said(shell.check(name, password)) == expected, name
