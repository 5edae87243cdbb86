"""Symfony's sessions: those that its own classes (Debian's 5.4) write here, in every store they
know, and the rows that 4.4 and 6.4 wrote elsewhere."""

import base64
import json
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from hosts.daemon import hallpassd
from hosts.php import php as running_php
from php_doors import Site, said, write_configuration
from processes import LOOPBACK
from recorded import literal
from stores.mariadb import PASSWORD

RECORDED = json.loads((Path(__file__).parent / "data/symfony.json").read_text())
TOKEN = "_sf2_attributes._security_main"
STORES = ["mariadb", "postgresql", "sqlite", "redis", "memcached"]
DATABASES = ["mariadb", "postgresql"]
NUMBERS = count()


class Symfony:
    """A site with one of Symfony's handlers."""

    def __init__(self, folder, tables, directory, shell):
        self.folder, self.tables, self.directory, self.make_shell = folder, tables, directory, shell
        self.site: Site | None = None

    def ask(self, cookie: str | None = None, query: str = "") -> dict:
        """What the page says: the session's id, and whose it is."""
        headers = {"Cookie": f"PHPSESSID={cookie}"} if cookie else {}
        answer = self.folder.ask(f"symfony.php?{query}", headers)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def asked(self, **changes):
        """The shell by another [php]."""
        tables = self.tables | {"php": self.tables["php"] | changes}
        path = self.directory / f"{self.folder.name}-{next(NUMBERS)}.toml"
        return self.make_shell(write_configuration(path, tables))


@pytest.fixture(scope="module")
def symfonies(new_directory, mariadb, postgresql, redis, memcached, hallpass_programs, shell):
    directory = new_directory()
    socket = directory / "http.sock"
    for server in (mariadb, postgresql):
        server.create_database("symfony")
    sqlite = directory / "symfony.sqlite3"
    account = {"user": "site", "password": PASSWORD}
    at = f"host={LOOPBACK};dbname=symfony;port="
    php_side = {
        "mariadb": {"dsn": f"mysql:{at}{mariadb.port};charset=utf8mb4"} | account,
        "postgresql": {"dsn": f"pgsql:{at}{postgresql.port}"} | account,
        "sqlite": {"dsn": f"sqlite:{sqlite}", "user": None, "password": None},
        "redis": {"redis": [LOOPBACK, redis.port]},
        "memcached": {"memcached": [LOOPBACK, memcached.port]},
    }
    our_side = {
        "mariadb": {"database": mariadb.hallpass("symfony")},
        "postgresql": {"database": postgresql.hallpass("symfony")},
        "sqlite": {"database": f"sqlite:{sqlite}"},
        "redis": {
            "php": {
                "save_handler": "redis",
                "save_path": f"tcp://{LOOPBACK}:{redis.port}",
                "prefix": "sf_s",
            }
        },
        "memcached": {
            "php": {
                "save_handler": "memcached",
                "save_path": memcached.location,
                "prefix": "sf2s",
            }
        },
    }
    with ExitStack() as open_:
        php = open_.enter_context(running_php(directory))
        found, configs = {}, []
        for store in STORES:
            folder = php.folder(store, {}, "symfony.php")
            (folder.path / "store.json").write_text(json.dumps(php_side[store]))
            tables = {"name": store, "framework": "php"} | our_side[store]
            if store == STORES[0]:
                tables["daemon"] = {"listen": [f"unix:{socket}?mode=0660"]}
            tables["php"] = {"save_handler": "pdo"} | tables.get("php", {}) | {"user": TOKEN}
            found[store] = Symfony(folder, tables, directory, shell)
            configs.append(write_configuration(directory / f"{store}.toml", tables))
            if "dsn" in php_side[store]:
                assert folder.ask("symfony.php?create=1").status == 200
        daemon = open_.enter_context(hallpassd(hallpass_programs["hallpassd"], configs, socket))
        for store, config in zip(STORES, configs, strict=True):
            found[store].site = Site(store, config, shell(config), daemon)
        yield found


@pytest.mark.parametrize("store", STORES)
def test_whoever_symfony_lets_in(symfonies, store):
    symfony = symfonies[store]
    site = symfony.site
    alice = symfony.ask(query="name=alice")["sid"]
    zoe = symfony.ask(query="name=zo%C3%AB%40example.org")["sid"]
    for token, name in [(alice, "alice"), (zoe, "zoë@example.org")]:
        assert symfony.ask(token) == {"sid": token, "user": name}
        assert site.reason(token) == name
    # It does not even keep a session in which there is nothing.
    nobody = symfony.ask()["sid"]
    assert symfony.ask(nobody)["user"] is None
    assert site.reason(nobody) == "no-session"
    for path, expected in [
        ("_sf2_attributes.user.username", "alice"),
        (f"{TOKEN}.username", "alice"),
        # What somebody typed is nobody.
        ("_sf2_attributes._security\\.last_username", "typed"),
        (f"{TOKEN}.password", "hash"),
        ("_sf2_attributes._security_other", "anonymous-session"),
    ]:
        assert said(symfony.asked(user=path).session(alice)) == expected, path
    for token in [alice[:-1], alice.upper(), alice + "0", "' OR 1=1 -- ", "%" * 26, "_" * 26]:
        assert said(site.shell.session(token)) == "no-session", token
    # Somebody logs out of the session, and somebody out of theirs altogether.
    assert symfony.ask(alice, "forget=1") == {"sid": alice, "user": None}
    assert site.reason(alice) == "anonymous-session"
    symfony.ask(zoe, "logout=1")
    assert site.reason(zoe) == "no-session"


@pytest.mark.parametrize("store", ["mariadb", "postgresql", "sqlite"])
def test_a_row_ends_when_symfony_says(symfonies, store):
    symfony = symfonies[store]
    alice = symfony.ask(query="name=alice&ttl=2")["sid"]
    assert said(symfony.site.shell.session(alice)) in ("alice", "expired-session")
    time.sleep(3.1)
    assert symfony.site.reason(alice) == "expired-session"
    assert symfony.ask(alice)["user"] is None


@pytest.mark.parametrize("kind", DATABASES)
def test_recorded_rows(symfonies, request, kind):
    symfony = symfonies[kind]
    server = request.getfixturevalue(kind)
    now = int(time.time())

    def run(sql: str) -> None:
        if kind == "mariadb":
            server.execute(sql, "symfony")
        else:
            server.execute(sql, "symfony", "site", host=LOOPBACK)

    def put(token: str, data: bytes, lifetime: int, moment: int) -> None:
        binary = f"x'{data.hex()}'" if kind == "mariadb" else f"'\\x{data.hex()}'"
        run(
            f"DELETE FROM sessions WHERE sess_id = {literal(token)}; INSERT INTO sessions "
            f"(sess_id, sess_data, sess_lifetime, sess_time) VALUES "
            f"({literal(token)}, {binary}, {lifetime}, {moment})"
        )

    attributes = symfony.asked(user="_sf2_attributes.user.username")
    seen = 0
    for row in RECORDED:
        seen += 1
        token, data = row["sess_id"], base64.b64decode(row["sess_data_b64"])
        shell = attributes if row["case"] in ("silex", "no_user") else symfony.site.shell
        expected = row["expected_username"]
        if expected and row["case"].endswith("+entity"):
            # Its class keeps the name where it likes: it is to be said where.
            shell = symfony.asked(user=f"{TOKEN}.email")
        put(token, data, row["sess_lifetime"] - row["sess_time"] + now, now)
        assert said(shell.session(token)) == (expected or "anonymous-session"), row["case"]
        # Expired by a second.
        put(token, data, now - 1, now - 100)
        assert said(shell.session(token)) == "expired-session", row["case"]
    assert seen == len(RECORDED) > 10
    # What a lifetime was before 4.4: seconds.
    shell, token, data = attributes, RECORDED[0]["sess_id"], base64.b64decode(RECORDED[0]["sess_data_b64"])
    name = RECORDED[0]["expected_username"]
    for lifetime, moment, expected in [
        (1440, now, name),
        (1440, now - 1380, name),
        (1440, now - 1441, "expired-session"),
        (0, now - 1, "expired-session"),
        (2**31 - 1, now, name),
    ]:
        put(token, data, lifetime, moment)
        assert said(shell.session(token)) == expected, (lifetime, moment)
    # The row of a session that is being made; a torn one; one of another table.
    put(token, b"", 0, now)
    assert said(shell.session(token)) == "no-session"
    put(token, data[:-20], 1440, now)
    assert said(shell.session(token)) == "invalid-session"
    put(token, data, 1440, now)
    assert said(shell.session(token)) == name
    for changes in [{"table": "other"}, {"data_column": "absent"}]:
        asked = symfony.asked(user="_sf2_attributes.user.username", **changes)
        assert said(asked.session(token)) == "unavailable", changes
    without = symfony.asked(user="_sf2_attributes.user.username", lifetime_column="", gc_maxlifetime=60)
    assert said(without.session(token)) == name
    put(token, data, 1440, now - 61)
    assert said(without.session(token)) == "expired-session"
