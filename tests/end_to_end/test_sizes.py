"""Values of any size in a site's tables: what is too long costs neither the time nor the memory that
it takes to read it, lets nobody in, and concerns nobody else."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hosts.daemon import hallpassd
from people import SECRET
from processes import LOOPBACK
from stores.mariadb import MariaDB
from stores.postgresql import PASSWORD

MEGABYTE = 1 << 20
# How much more memory a program may take than it took, where 20 to 100 MB are what it is given.
MEMORY = 40 * MEGABYTE


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def world(request, new_site, new_directory, hallpass_programs, shell):
    server = None if request.param == "sqlite" else request.getfixturevalue(request.param)
    site = new_site(server=server) if server else new_site()
    if isinstance(server, MariaDB):
        server.execute("SET GLOBAL max_allowed_packet = 268435456", "mysql")
    directory = new_directory()
    socket = directory / "http.sock"
    config = site.write_configuration(
        f"{directory.name}.toml",
        daemon={"listen": [f"unix:{socket}"], "accept": ["session", "password"]},
        limits={"failures": 0},
    )
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        yield World(site, server, daemon, shell(config))


class World:
    def __init__(self, site, server, daemon, shell):
        self.site, self.server, self.daemon, self.shell = site, server, daemon, shell
        self.count = 0

    def execute(self, sql: str) -> None:
        if self.server is None:
            with closing(sqlite3.connect(self.site.database)) as connection:
                connection.create_function("repeat", 2, lambda text, count: text * count)
                connection.execute(sql)
                connection.commit()
        elif isinstance(self.server, MariaDB):
            self.server.execute(sql, self.site.database_name)
        else:
            self.server.execute(sql, self.site.database_name, "site", PASSWORD, LOOPBACK)

    def account(self, **fields) -> tuple[str, str]:
        """A name, and a token of a session."""
        self.count += 1
        name = f"sized{self.count}"
        self.site.make_accounts({"username": name, "password": SECRET} | fields)
        return name, self.site.ask("save_session", self.site.ask("login_keys", name))

    def auth(self, token: str):
        return self.daemon.ask("/auth", {"Cookie": f"sessionid={token}"})

    def memory(self) -> int:
        """The most that the daemon has ever held."""
        status = Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024


# Beside what the readers of sessions take, what a row may be, and MariaDB's packets.
@pytest.mark.parametrize("megabytes", [1.5, 3, 5, 20, 100])
def test_session_data_that_is_too_long_is_no_session(world, megabytes):
    (alice, good), (mallory, bad) = world.account(), world.account()
    length = int(megabytes * MEGABYTE)
    if isinstance(world.server, MariaDB) and length > 64 * MEGABYTE:
        pytest.skip("its client sends no more in one statement here")
    assert world.auth(good).headers["Remote-User"] == alice
    assert world.auth(bad).headers["Remote-User"] == mallory
    before = world.memory()
    world.execute(
        f"UPDATE django_session SET session_data = repeat('a', {length}) WHERE session_key = '{bad}'"
    )
    for _ in range(3):
        assert world.auth(bad).status == 401
        # Nobody else hears of it: no server is taken to be down.
        assert world.auth(good).headers["Remote-User"] == alice
    assert world.memory() - before < MEMORY
    verdict = world.shell.session(bad).json
    assert (verdict["verdict"], verdict["reason"]) == ("denied", "invalid-session")


@pytest.mark.parametrize("column", ["email", "first_name", "password"])
@pytest.mark.parametrize("length", [(64 << 10) + 1, 20 * MEGABYTE])
def test_account_with_a_column_that_is_too_long_lets_nobody_in(world, column, length):
    if world.server is None:
        pass
    elif isinstance(world.server, MariaDB):
        world.execute(f"ALTER TABLE auth_user MODIFY {column} longtext NOT NULL")
    else:
        world.execute(f"ALTER TABLE auth_user ALTER COLUMN {column} TYPE text")
    (alice, good), (mallory, bad) = world.account(), world.account()
    assert world.auth(bad).headers["Remote-User"] == mallory
    before = world.memory()
    world.execute(
        f"UPDATE auth_user SET {column} = repeat('a', {length}) WHERE username = '{mallory}'"
    )
    for _ in range(3):
        answer = world.auth(bad)
        assert answer.status == 503 and not answer.headers["Remote-User"], answer
        assert world.auth(good).headers["Remote-User"] == alice
        assert world.daemon.check(mallory, SECRET).status == 503
    assert world.memory() - before < MEMORY
    told = world.shell("user", mallory, "--json").json["cause"]
    assert "is longer than" in told, told
    # MariaDB's driver does not say whose it is of what it does not receive.
    if not (isinstance(world.server, MariaDB) and length > MEGABYTE):
        assert f"the column {column} " in told, told
    assert world.shell.session(good).code == 0


def test_longest_values_that_are_read_are_read(world):
    if isinstance(world.server, MariaDB):
        world.execute("ALTER TABLE auth_user MODIFY email longtext NOT NULL")
    elif world.server:
        world.execute("ALTER TABLE auth_user ALTER COLUMN email TYPE text")
    alice, good = world.account()
    world.execute(
        f"UPDATE auth_user SET email = repeat('a', {64 << 10}) WHERE username = '{alice}'"
    )
    assert world.shell.session(good).code == 0
    # Django itself writes sessions of many kilobytes.
    keys = world.site.ask("login_keys", alice) | {"basket": "x" * (600 << 10)}
    assert world.shell.session(world.site.ask("save_session", keys)).json["user"] == alice
