"""Hallpass reads, and needs no right to do more: `hallpass grants` prints what it needs."""

import os
import sqlite3

import pytest

from django_site import VERSIONS
from people import SECRET, compare_everything, fill
from processes import unprivileged
from stores.postgresql import PostgreSQL
from stores.server import ToolFailed
from test_custom_user_models import MEMBER, MEMBER_COLUMNS, MEMBERS

ACCOUNTS = {
    "alice": {"groups": ["editors"], "email": "alice@example.org"},
    "bob": {"permissions": ["wiki.edit"]},
    "carol": {"is_active": False},
    "erin": {"is_superuser": True},
}


class Guest:
    """A role that is made by what `hallpass grants` prints, and given a password then."""

    def __init__(self, server, site):
        self.server, self.site = server, site
        self.user = f"guest_{site.database_name}"
        self.database = server.hallpass(site.database_name, user=self.user)
        self.password = self.database["password"]
        # MariaDB knows who comes by TCP as somebody else than who comes by the socket.
        self.where = {} if isinstance(server, PostgreSQL) else {"port": server.port}

    def welcome(self, statements: str) -> None:
        self.server.execute(statements, self.site.database_name)
        password = "'" + self.password.replace("'", "''") + "'"
        if isinstance(self.server, PostgreSQL):
            self.server.execute(f"ALTER ROLE {self.user} PASSWORD {password}")
        else:
            host = self.server.execute(f"SELECT host FROM mysql.user WHERE user = '{self.user}'")
            who = f"{self.user}@'{host}'"
            self.server.execute(f"ALTER USER {who} IDENTIFIED BY {password} ACCOUNT UNLOCK")

    def may(self, sql: str) -> bool:
        try:
            self.server.execute(sql, self.site.database_name, self.user, self.password, **self.where)
        except ToolFailed as error:
            assert "denied" in str(error) or "must be owner" in str(error), error
            return False
        return True


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request):
    return request.getfixturevalue(request.param)


WRITING = {"insert", "update", "delete", "create", "all", "superuser", "trigger", "truncate"}


def assert_least(guest: Guest, statements: str, reads: list[str], others: list[str]) -> None:
    """Nothing but questions, and of the site's other tables not even these."""
    rights = [line for line in statements.splitlines() if line.startswith("GRANT")]
    words = {word.strip(",;()").lower() for line in rights for word in line.split()}
    assert rights and not words & WRITING, rights
    for table in reads:
        assert guest.may(f"SELECT count(*) FROM {table}"), table
    for table in others:
        assert not guest.may(f"SELECT count(*) FROM {table}"), table
    for sql in (
        "UPDATE auth_user SET is_active = is_active",
        "DELETE FROM django_session",
        "INSERT INTO auth_group (id, name) VALUES (99, 'x')",
        "CREATE TABLE mine (i integer)",
        "DROP TABLE django_session",
    ):
        assert not guest.may(sql), sql


@pytest.mark.parametrize("version", VERSIONS)
def test_grants(new_site, server, shell, verdicts, version):
    site = new_site(version, server)
    fill(site, ACCOUNTS)
    guest = Guest(server, site)
    hallpass = shell(site.write_configuration(database=guest.database))
    assert hallpass.check("alice", SECRET).code == 75
    printed = hallpass("grants")
    assert printed.code == 0, printed.stderr
    guest.welcome(printed.text)
    # Now that this user exists, it might as well be the site's own: another is proposed.
    assert guest.user not in hallpass("grants").text
    assert hallpass("grants", "--role", guest.user).text == printed.text
    reads = ["auth_user", "django_session", "auth_group", "auth_user_groups"]
    assert_least(guest, printed.text, reads, ["django_migrations"])
    for name in [*ACCOUNTS, "nobody"]:
        compare_everything(site, hallpass, verdicts, name)
    browser = site.login("alice", SECRET)
    verdicts.compare(hallpass.session(browser.token), browser.user == "alice")
    site.deactivate("alice")
    verdicts.compare(hallpass.session(browser.token), False, {"inactive"})


def test_grants_for_other_tables(new_site, server, shell, verdicts):
    site = new_site(server=server, **MEMBER)
    fill(site, MEMBERS)
    guest = Guest(server, site)
    hallpass = shell(site.write_configuration(database=guest.database, django=MEMBER_COLUMNS))
    guest.welcome(hallpass("grants").text)
    for name in [*MEMBERS, "nobody"]:
        compare_everything(site, hallpass, verdicts, name)


def test_grants_for_the_table_of_a_cache(new_site, server, shell):
    cache = {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "my cache"}
    site = new_site(
        server=server,
        CACHES={"default": cache},
        SESSION_ENGINE="django.contrib.sessions.backends.cached_db",
    )
    site.manage("createcachetable")
    fill(site, ACCOUNTS)
    guest = Guest(server, site)
    hallpass = shell(site.write_configuration(database=guest.database))
    guest.welcome(hallpass("grants").text)
    token = site.ask("save_session", site.ask("login_keys", "alice"))
    assert hallpass.session(token).code == 0
    site.ask("cache_delete", token)
    assert hallpass.session(token).code == 0
    assert hallpass.session("0" * 32).code == 1


def test_grants_of_sqlite(new_site, shell):
    """There are none, but file modes: that is said."""
    site = new_site()
    printed = shell(site.write_configuration())("grants")
    assert printed.code == 0, printed.stderr
    assert str(site.database) in printed.text
    assert "GRANT" not in printed.text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_write_ahead_log_of_somebody_else(new_site, shell):
    """SQLite's WAL mode needs files beside the database, which a reader may have to make."""
    site = new_site()
    fill(site, ACCOUNTS)
    hallpass = shell(site.write_configuration())
    with sqlite3.connect(site.database) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE auth_user SET is_active = 0 WHERE username = 'bob'")
        connection.commit()
        # While the site has it open, its files are there to be read.
        assert site.database.with_name("db.sqlite3-wal").exists()
        running = hallpass("check", "alice", "--json", input=SECRET, **unprivileged())
        inactive = hallpass("check", "bob", "--json", input=SECRET, **unprivileged())
    connection.close()
    assert running.code in (0, 75), running
    assert inactive.code in (1, 75), inactive
    for name in ("db.sqlite3-wal", "db.sqlite3-shm"):
        site.database.with_name(name).unlink(missing_ok=True)
    result = hallpass("check", "alice", "--json", input=SECRET, **unprivileged())
    if result.code == 0:
        return  # It can do without them.
    assert result.code == 75
    assert "WAL" in result.json.get("cause", "") + result.stderr.decode()
