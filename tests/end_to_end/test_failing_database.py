"""A database that cannot be asked is never a wrong password, and never a grant."""

import os
import sqlite3

import pytest

from people import ACCOUNTS, SECRET, fill
from processes import unprivileged

QUESTIONS = {
    "check": ["check", "alice"],
    "session": ["session", "k" * 32],
    "user": ["user", "alice"],
    "groups": ["groups", "alice"],
    "can": ["can", "alice", "wiki.edit"],
}


@pytest.fixture
def broken(new_site, shell):
    """A site whose database the test may break, and `hallpass` for it."""
    site = new_site()
    fill(site, {"alice": ACCOUNTS["alice"]})
    hallpass = shell(site.write_configuration())
    assert hallpass.check("alice", SECRET).code == 0
    return site, hallpass


def assert_unavailable(hallpass, **options):
    for question in QUESTIONS.values():
        result = hallpass(*question, "--json", input="s3cret\n", **options)
        assert result.code == 75, (question, result, result.stderr)
        answer = result.json
        assert (answer["verdict"], answer["reason"]) == ("unavailable", "unavailable")
        assert answer.get("cause") or result.stderr, "the cause is told"


def test_database_is_absent(broken):
    site, hallpass = broken
    site.database.unlink()
    assert_unavailable(hallpass)
    assert not site.database.exists(), "nothing is made"


def test_database_is_a_directory(broken):
    site, hallpass = broken
    site.database.unlink()
    site.database.mkdir()
    assert_unavailable(hallpass)


@pytest.mark.parametrize(
    "content", [b"not a database, " * 512, b"SQLite format 3\0" + b"\xff" * 8192]
)
def test_database_is_something_else(broken, content):
    site, hallpass = broken
    site.database.write_bytes(content)
    assert_unavailable(hallpass)


def test_database_is_cut_short(broken):
    site, hallpass = broken
    os.truncate(site.database, 4096)
    assert_unavailable(hallpass)


@pytest.mark.parametrize("content", ["", "CREATE TABLE other (id INTEGER)"])
def test_database_has_no_tables(broken, content):
    site, hallpass = broken
    site.database.unlink()
    with sqlite3.connect(site.database) as connection:
        connection.execute(content)
    assert_unavailable(hallpass)


def test_database_is_locked(broken):
    site, hallpass = broken
    connection = sqlite3.connect(site.database, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    assert_unavailable(hallpass)
    connection.execute("ROLLBACK")
    connection.close()
    assert hallpass.check("alice", SECRET).code == 0, "and answers again at once"


def test_database_is_being_written(broken):
    """A writer that has not committed yet keeps nobody waiting."""
    site, hallpass = broken
    connection = sqlite3.connect(site.database, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE auth_user SET is_active = 0")
    assert hallpass.check("alice", SECRET).code == 0
    connection.execute("COMMIT")
    connection.close()
    assert hallpass.check("alice", SECRET).json["reason"] == "inactive"


def test_database_in_write_ahead_mode(broken):
    site, hallpass = broken
    connection = sqlite3.connect(site.database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("UPDATE auth_user SET is_active = 0")
    assert hallpass.check("alice", SECRET).json["reason"] == "inactive"
    connection.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_database_is_not_readable(broken):
    site, hallpass = broken
    assert hallpass.check("alice", SECRET).code == 0
    assert hallpass("user", "alice", **unprivileged()).code == 0
    site.database.chmod(0o600)
    assert_unavailable(hallpass, **unprivileged())


def test_column_is_missing(broken, shell):
    site, _ = broken
    hallpass = shell(site.write_configuration(django={"password_column": "passwort"}))
    assert hallpass.check("alice", SECRET).code == 75


def test_database_is_left_as_it_was(broken):
    site, hallpass = broken
    before = site.database.read_bytes()
    browser_token = site.ask("save_session", site.ask("login_keys", "alice"))
    before = site.database.read_bytes()
    hallpass.session(browser_token)
    hallpass.check("alice", SECRET)
    hallpass.check("alice", "wrong")
    assert site.database.read_bytes() == before
