"""`hallpass audit`: counts compared with the site's own, as text, JSON and CSV, and the bar."""

import csv
import io
import os
import pty
import re
import select
import sqlite3
import sys
from pathlib import Path

import pytest

from processes import LOOPBACK
from programs import run, toml
from stores.mariadb import PASSWORD

SECRET = "correct horse"
RECORDED = Path(__file__).parents[2] / "crates/core/tests/data"
MANY = 60_000


@pytest.fixture(scope="module")
def site(new_site):
    site = new_site()
    site.make_accounts(
        {"username": "alice", "password": SECRET, "is_staff": True, "is_superuser": True},
        {"username": "bob", "password": SECRET},
        {"username": "gone", "password": SECRET, "is_active": False},
        {"username": "none", "password": None},
        {"username": "odd", "encoded": "rot13$uryyb, \"quoted\""},
        {"username": "md5", "encoded": "md5$salt$" + "a" * 32},
        {"username": "costly", "encoded": f"pbkdf2_sha256$90000000$salt${'A' * 43}="},
    )
    return site


@pytest.fixture(scope="module")
def hallpass(site, shell):
    return shell(site.write_configuration())


def test_counts_are_the_sites(site, hallpass):
    answer = hallpass("audit", "--json").json
    count = "answer = User.objects.filter({}).count()"
    assert answer["accounts"] == site.shell("answer = User.objects.count()") == 7
    for key, condition in [
        ("inactive", "is_active=False"),
        ("staff", "is_staff=True"),
        ("superusers", "is_superuser=True"),
    ]:
        assert answer[key] == site.shell(count.format(condition)) == 1
    assert answer["unusable"] == 1
    assert sum(it["inactive"] for it in answer["passwords"]) == 1
    assert {it["algorithm"] for it in answer["passwords"] if it["inactive"]} == {"pbkdf2_sha256"}
    rows = {(it["algorithm"], it["remark"]): it["accounts"] for it in answer["passwords"]}
    assert rows == {
        ("pbkdf2_sha256", None): 3,
        ("md5", None): 1,
        ("pbkdf2_sha256", "over the limits: these accounts cannot log in"): 1,
        (None, "no password"): 1,
        (None, "unknown: these accounts cannot log in"): 1,
    }
    assert sum(rows.values()) == answer["accounts"]


def test_csv_is_read_by_others(hallpass):
    rows = list(csv.DictReader(io.StringIO(hallpass("audit", "--csv").text)))
    answer = hallpass("audit", "--json").json["passwords"]
    assert len(rows) == len(answer)
    for row, object in zip(rows, answer, strict=True):
        assert row == {key: "" if value is None else str(value) for key, value in object.items()}


def test_no_bar_without_a_terminal(hallpass):
    result = hallpass("audit")
    assert not result.stderr
    assert result.text.startswith("7 accounts: 1 inactive, 1 staff, 1 superusers, 1 without a password\n")
    assert re.search(r"^ +3  pbkdf2_sha256, \d+ iterations \(1 inactive\)$", result.text, re.M)


# Many accounts


@pytest.fixture(scope="module")
def crowd(site, new_directory, shell):
    return crowded(site, new_directory(), shell, MANY)


def crowded(site, directory, shell, accounts: int):
    """A site with many more accounts."""
    path = directory / "db.sqlite3"
    with sqlite3.connect(site.database) as source, sqlite3.connect(path) as database:
        source.backup(database)
        columns = [row[1] for row in database.execute("PRAGMA table_info(auth_user)")]
        values = ["id + ?", "username || '-' || ?"]
        names = [name for name in columns if name not in ("id", "username")]
        statement = (
            f"INSERT INTO auth_user (id, username, {', '.join(names)}) "
            f"SELECT {', '.join(values)}, {', '.join(names)} FROM auth_user WHERE id <= 7"
        )
        rounds = range(1, accounts // 7)
        database.executemany(statement, [(7 * number, number) for number in rounds])
    source.close()
    database.close()
    config = directory / "hallpass.toml"
    config.write_text(toml(site.configuration(database=f"sqlite:{path}")))
    return shell(config)


def test_bar_on_a_terminal(crowd):
    child, terminal = pty.fork()
    if child == 0:
        program = os.fspath(crowd.program)
        os.execv(program, [program, "--config", os.fspath(crowd.config), "audit"])
    screen = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            screen += os.read(terminal, 65536)
        except OSError:  # what Linux says when the other side is closed
            break
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    total = 7 * (MANY // 7)
    frames = re.findall(r"\r\[(#*)(-*)\] +(\d+) %, (\d+) of (\d+) accounts", screen.decode())
    assert frames
    for full, empty, percent, done, of in frames:
        assert len(full + empty) == 20
        assert int(of) == total >= int(done)
        assert int(percent) == 100 * int(done) // total
    assert f"{total} accounts" in screen.decode()


# Tells the most that a program had in memory, in KiB. Of a small process's child, for what is
# counted begins with what the parent has.
PEAK = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak(shell) -> int:
    command = [sys.executable, "-I", "-S", "-c", PEAK]
    result = run([*command, shell.program, "--config", shell.config, "audit", "--csv"])
    assert result.code == 0, result.stderr
    return max(int(line) for line in result.text.splitlines() if line.isdigit())


def test_memory_does_not_grow_with_the_site(site, directory, shell, crowd):
    # Fewer accounts, but more than are read at a time. An account takes half a KiB: all of them
    # would take 25 MiB.
    fewer = crowded(site, directory, shell, MANY // 10)
    least = peak(fewer)
    assert least < 64 * 1024
    assert peak(crowd) < least + 2 * 1024


# Every framework

RECORDED_SITES = [
    ("joomla", "joomla-4.4.0.sql", "dbprefix", "SELECT COUNT(*) FROM {}users"),
    ("phpbb", "phpbb-3.3.10.sql", "table_prefix",
     "SELECT COUNT(*) FROM {}users WHERE user_type <> 2"),
    ("wordpress", "wordpress-6.9.1.sql", "table_prefix", "SELECT COUNT(*) FROM {}users"),
    ("drupal", "drupal-10.3.10.sql", "prefix", "SELECT COUNT(*) FROM {}users_field_data WHERE uid > 0"),
]  # fmt: skip


@pytest.mark.parametrize(("framework", "dump", "own", "query"), RECORDED_SITES)
def test_recorded_sites(mariadb, directory, shell, framework, dump, own, query):
    text = (RECORDED / dump).read_text()
    prefix = re.search(r"CREATE TABLE `(\w*?)users`", text)[1]
    name = f"audited_{framework}"
    mariadb.create_database(name)
    mariadb.execute(text, name)
    config = directory / "hallpass.toml"
    config.touch(mode=0o600)
    tables = {own: prefix}
    if framework == "joomla":
        tables |= {"secret": "0123456789abcdef", "session_handler": "database"}
    if framework == "wordpress":
        tables |= {"logged_in_key": "a key", "logged_in_salt": "a salt"}
    if framework == "drupal":
        tables |= {"base_url": "http://d10.example.org"}
    config.write_text(
        toml({"framework": framework, "database": mariadb.hallpass(name), framework: tables})
    )
    hallpass = shell(config)
    answer = hallpass("audit", "--json").json
    assert answer["accounts"] == int(mariadb.execute(query.format(prefix), name)) > 0
    assert sum(it["accounts"] for it in answer["passwords"]) == answer["accounts"]
    doctor = hallpass("doctor", "--json")
    complaints = [it for it in doctor.json["findings"] if it["status"] != "ok"]
    # The recorded sites were visited long ago, and hold hashes of many kinds.
    # That of Drupal lacks the list of its modules.
    known = {"modules"} if framework == "drupal" else set()
    known |= {"sessions", "session-user", "password-hashes", "session-stale", "session-format"}
    assert {it["check"] for it in complaints} <= known, complaints
    assert PASSWORD not in doctor.text and LOOPBACK in doctor.text


def test_custom(site, directory, shell):
    accounts = "SELECT id, username, password, is_active, is_staff, is_superuser FROM auth_user"
    custom = {
        "user": f"{accounts} WHERE username = :username",
        "accounts": f"{accounts} WHERE id > :id ORDER BY id LIMIT 3",
    }
    config = directory / "hallpass.toml"
    tables = {
        "framework": "custom",
        "database": f"sqlite:{site.database}",
        "custom": custom,
        "passwords": {"dummy": "pbkdf2_sha256$1"},
    }
    config.write_text(toml(tables))
    answer = shell(config)("audit", "--json").json
    assert answer["accounts"] == 7 and answer["inactive"] == 1
    del custom["accounts"]
    config.write_text(toml(tables))
    result = shell(config)("audit", "--json")
    assert result.code == 75
    assert b"[custom] accounts" in result.stderr


def test_what_was_counted_is_told_where_twins_cannot_be_looked_up(directory, shell):
    path, config = directory / "site.sqlite3", directory / "hallpass.toml"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE users (id integer PRIMARY KEY, username text, password text)")
        database.executemany("INSERT INTO users VALUES (?, ?, '!')", [(1, "alice"), (2, "ALICE")])
    columns = "SELECT id, username, password FROM users WHERE"
    custom = {
        "user": "SELECT id, username, password FROM nowhere WHERE username = :username",
        "accounts": f"{columns} id > :id ORDER BY id LIMIT 1000",
    }
    config.touch(mode=0o600)
    for user, complete in ((custom["user"], False), (f"{columns} username = :username", True)):
        tables = {"framework": "custom", "database": f"sqlite:{path}", "custom": custom | {"user": user}}
        config.write_text(toml(tables))
        result = shell(config)("audit", "--json")
        assert result.code == 0, result
        assert result.json["accounts"] == 2
        assert result.json["twins_complete"] is complete, result
        assert (b"there may be twins" in result.stderr) is not complete, result
        assert b"2 accounts" in shell(config)("audit").stdout
