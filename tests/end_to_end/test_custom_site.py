"""Sites that their own SQL describes, in SQLite, MariaDB and PostgreSQL."""

import sqlite3
import time
from contextlib import closing

import pytest

from php_doors import said, write_configuration
from processes import LOOPBACK, give_away
from programs import run
from recorded import literal
from stores.postgresql import PASSWORD

TABLES = [
    "CREATE TABLE people (id integer, login varchar(80), secret varchar(255), live smallint, "
    "mail varchar(80))",
    "CREATE TABLE clubs (id integer, title varchar(80))",
    "CREATE TABLE members (person integer, club integer)",
    "CREATE TABLE rights (person integer, code varchar(80))",
    "CREATE TABLE tokens (token varchar(80), person integer, until integer)",
    "INSERT INTO clubs VALUES (1, 'chess'), (2, 'späte Gäste, 2')",
    "INSERT INTO members VALUES (1, 1), (1, 2), (2, 2)",
    "INSERT INTO rights VALUES (1, 'shop.sell')",
]
CUSTOM = {
    "user": "SELECT id, login AS username, secret AS password, live AS is_active, mail AS email "
    "FROM people WHERE login = :username OR mail = :username",
    "user_by_id": "SELECT id, login AS username, secret AS password, live AS is_active "
    "FROM people WHERE id = :id",
    "groups": "SELECT c.title FROM clubs c JOIN members m ON m.club = c.id WHERE m.person = :id",
    "permissions": "SELECT code FROM rights WHERE person = :id",
    "session": "SELECT person AS user_id FROM tokens WHERE token = :session AND until > :now",
    "cookie": "SID",
}


class Site:
    def __init__(self, kind, server, directory, shell):
        self.kind, self.server, self.directory, self.make_shell = kind, server, directory, shell
        self.file = directory / "custom.sqlite3"
        if server:
            server.create_database("custom")
            self.database = server.hallpass("custom")
        else:
            self.database = f"sqlite:{self.file}"
        self.run(*TABLES)
        self.shell = self.asked()

    def run(self, *statements: str) -> None:
        if self.kind == "sqlite":
            with closing(sqlite3.connect(self.file)) as connection:
                connection.executescript(";\n".join(statements))
            give_away(self.file)
        elif self.kind == "mariadb":
            self.server.execute(";\n".join(statements), "custom")
        else:
            self.server.execute(";\n".join(statements), "custom", "site", PASSWORD, LOOPBACK)

    def asked(self, **changes):
        tables = {
            "framework": "custom",
            "database": self.database,
            "custom": CUSTOM | changes,
            "passwords": {"dummy": "pbkdf2_sha256$1"},
        }
        name = "-".join(["custom", *changes])
        return self.make_shell(write_configuration(self.directory / f"{name}.toml", tables))


@pytest.fixture(scope="module", params=["sqlite", "mariadb", "postgresql"])
def site(request, new_directory, shell):
    server = None if request.param == "sqlite" else request.getfixturevalue(request.param)
    site = Site(request.param, server, new_directory(), shell)
    # What PHP itself makes of a password.
    code = "echo password_hash('s3cret', PASSWORD_BCRYPT, ['cost' => 4]);"
    bcrypt = run(["/usr/bin/php8.2", "-r", code]).text
    rows = [
        (1, "alice", bcrypt, 1, "alice@example.org"),
        (2, "zoë", bcrypt, 1, "shared@example.org"),
        (3, "dave", bcrypt, 0, "shared@example.org"),
        (4, "erin", None, 1, ""),
        (5, "frank", "", 1, ""),
        (6, "grace", "s3cret", 1, ""),
        (7, "heidi", bcrypt, None, ""),
        (8, "twin", bcrypt, 1, "mallory"),
        (9, None, bcrypt, 1, "nameless@example.org"),
        (10, "o'brien \"x\"", bcrypt, 1, ""),
        (11, "mallory", bcrypt, 1, ""),
    ]
    for row in rows:
        values = ["NULL" if v is None else literal(v) if isinstance(v, str) else str(v) for v in row]
        site.run(f"INSERT INTO people VALUES ({', '.join(values)})")
    now = int(time.time())
    for token, person, until in [
        ("a" * 26, 1, now + 600), ("z" * 26, 2, now + 600), ("d" * 26, 3, now + 600),
        ("e" * 26, 1, now - 1), ("n" * 26, None, now + 600), ("x" * 26, 99, now + 600),
        ("t" * 26, 1, now + 600), ("t" * 26, 2, now + 600),
    ]:
        person = "NULL" if person is None else person
        site.run(f"INSERT INTO tokens VALUES ('{token}', {person}, {until})")
    return site


def test_passwords(site):
    for name, typed, expected in [
        ("alice", "s3cret", "alice"),
        ("alice@example.org", "s3cret", "alice"),
        ("zoë", "s3cret", "zoë"),
        ("o'brien \"x\"", "s3cret", "o'brien \"x\""),
        ("alice", "S3cret", "wrong-password"),
        ("alice", "", "wrong-password"),
        ("dave", "s3cret", "inactive"),
        ("heidi", "s3cret", "inactive"),
        ("erin", "s3cret", "unusable-password"),
        ("frank", "", "unusable-password"),
        ("grace", "s3cret", "unsupported-hash"),
        ("nobody", "s3cret", "unknown-user"),
        # Two whom it could mean are none, and nobody has no name.
        ("shared@example.org", "s3cret", "unknown-user"),
        ("mallory", "s3cret", "unknown-user"),
        ("twin", "s3cret", "twin"),
        ("nameless@example.org", "s3cret", "unknown-user"),
        ("' OR 1=1 -- ", "s3cret", "unknown-user"),
        ("%", "s3cret", "unknown-user"),
        (":username", "s3cret", "unknown-user"),
    ]:
        assert said(site.shell.check(name, typed)) == expected, name


def test_groups_and_permissions(site):
    assert sorted(site.shell("groups", "alice").text.splitlines()) == ["chess", "späte Gäste, 2"]
    assert site.shell("groups", "erin").text == ""
    for group, expected in [("chess", "alice"), ("Chess", "not-permitted"), ("1", "not-permitted")]:
        assert said(site.shell.check("alice", "s3cret", "--groups", group)) == expected
    for name, code, expected in [
        ("alice", "shop.sell", 0), ("alice", "shop.%", 1), ("zoë", "shop.sell", 1),
    ]:
        assert site.shell("can", name, code).code == expected


def test_sessions(site):
    for token, expected in [
        ("a" * 26, "alice"),
        ("z" * 26, "zoë"),
        ("d" * 26, "inactive"),
        ("e" * 26, "no-session"),
        ("n" * 26, "anonymous-session"),
        ("x" * 26, "unknown-user"),
        # A token of two people is nobody's.
        ("t" * 26, "invalid-session"),
        ("a" * 25, "no-session"),
        ("", "no-session"),
        ("' OR 1=1 -- ", "no-session"),
        ("%", "no-session"),
        ("\u00e9" * 20, "no-session"),
    ]:
        assert said(site.shell.session(token)) == expected, token
    for header, expected in [
        (f"SID={'a' * 26}", "alice"),
        (f"a=b; SID={'z' * 26}", "zoë"),
        (f"sid={'a' * 26}", "no-session"),
        ("", "no-session"),
    ]:
        assert said(site.shell("session", "--json", "--cookie", header)) == expected, header


def test_statements_that_do_not_run_are_unavailable(site):
    for key, statement in [
        ("session", "SELECT person AS user_id FROM absent WHERE token = :session"),
        ("user_by_id", "SELECT id, absent AS username FROM people WHERE id = :id"),
    ]:
        assert said(site.asked(**{key: statement}).session("a" * 26)) == "unavailable", key
