"""The tables of Joomla 1.5 to 3.10 in MariaDB, with the columns that each had, and the sessions and
hashes of theirs: the sessions are those of `crates/sessions/tests/data/joomla.json`, and the
verdicts on hashes are Joomla 3's own."""

import base64
import json
import time
from pathlib import Path

import pytest

from php_doors import said, write_configuration
from recorded import literal

CRATES = Path(__file__).parents[2] / "crates"
SESSIONS = {
    session["note"]: base64.b64decode(session["session"]).decode()
    for session in json.loads((CRATES / "sessions/tests/data/joomla.json").read_text())
    if session["handler"] == "php"
}
HASHES = json.loads((CRATES / "passwords/tests/data/joomla3.json").read_text())
TOKEN = "k7c7cgpe4i93rpqmm0n1cppnnq"

USERS_15 = """
    id int AUTO_INCREMENT PRIMARY KEY, name varchar(255) NOT NULL DEFAULT '',
    username varchar(150) NOT NULL DEFAULT '', email varchar(100) NOT NULL DEFAULT '',
    password varchar(100) NOT NULL DEFAULT '', usertype varchar(25) NOT NULL DEFAULT '',
    block tinyint NOT NULL DEFAULT 0, sendEmail tinyint DEFAULT 0, {more}
    activation varchar(100) NOT NULL DEFAULT '', params text"""
SESSION_15 = """
    username varchar(150) DEFAULT '', time varchar(14) DEFAULT '',
    session_id varchar(200) NOT NULL PRIMARY KEY, guest tinyint DEFAULT 1, userid int DEFAULT 0,
    usertype varchar(50) DEFAULT '', client_id tinyint unsigned NOT NULL DEFAULT 0,
    data longtext"""
SESSION_3 = """
    session_id varchar(191) NOT NULL PRIMARY KEY, client_id tinyint unsigned DEFAULT NULL,
    guest tinyint unsigned DEFAULT 1, time varchar(14) DEFAULT '', data mediumtext,
    userid int DEFAULT 0, username varchar(150) DEFAULT ''"""
SESSION_39 = """
    session_id varbinary(192) NOT NULL PRIMARY KEY, client_id tinyint unsigned DEFAULT NULL,
    guest tinyint unsigned DEFAULT 1, time int NOT NULL DEFAULT 0, data mediumtext,
    userid int DEFAULT 0, username varchar(150) DEFAULT ''"""
GROUPS = [
    "CREATE TABLE jos_usergroups (id int, parent_id int, lft int, rgt int, title varchar(100))",
    "CREATE TABLE jos_user_usergroup_map (user_id int, group_id int)",
    "INSERT INTO jos_usergroups VALUES (1, 0, 1, 6, 'Public'), (2, 1, 2, 5, 'Registered'), "
    "(3, 2, 3, 4, 'Author')",
]
ACL_15 = [
    "CREATE TABLE jos_core_acl_aro_groups (id int, parent_id int, name varchar(255), lft int, "
    "rgt int, value varchar(255))",
    "INSERT INTO jos_core_acl_aro_groups VALUES (17, 0, 'ROOT', 1, 8, 'ROOT'), "
    "(28, 17, 'USERS', 2, 7, 'USERS'), (18, 28, 'Registered', 3, 6, 'Registered'), "
    "(19, 18, 'Author', 4, 5, 'Author')",
]
OTP = "otpKey varchar(1000) NOT NULL DEFAULT '', otep varchar(1000) NOT NULL DEFAULT '',"
RESET = "lastResetTime datetime, resetCount int NOT NULL DEFAULT 0,"
# Version: users' columns, the session's, groups, the session's data, whose it is, a guest's data.
VERSIONS = {
    "1.5": ("gid tinyint NOT NULL DEFAULT 1,", SESSION_15, ACL_15, "1.5", 62, "1.5, a guest"),
    "2.5": (RESET, SESSION_15, GROUPS, "2.5, text", 42, "2.5, an id and a guest"),
    "3.1": (RESET, SESSION_3, GROUPS, "3.4, all of the user", 277, "3.4, a guest"),
    "3.6": (
        f"{RESET} {OTP} requireReset tinyint NOT NULL DEFAULT 0,",
        SESSION_3, GROUPS, "3.4, all of the user", 277, "3.4, a guest",
    ),
    "3.10": (
        f"{RESET} {OTP} requireReset tinyint NOT NULL DEFAULT 0,",
        SESSION_39, GROUPS, "3.10", 22, "3.10, a guest",
    ),
}


class OldSite:
    """A site of one version, whose alice is the user of its session."""

    def __init__(self, server, version: str, directory, shell):
        self.server, self.version = server, version
        self.name = "joomla_" + version.replace(".", "_")
        more, session, groups, note, self.id, self.guest = VERSIONS[version]
        self.data = SESSIONS[note]
        server.create_database(self.name)
        self.run(f"CREATE TABLE jos_users ({USERS_15.format(more=more)})")
        self.run(f"CREATE TABLE jos_session ({session})", *groups)
        for number, name in [(self.id, "alice"), (self.id + 1, "bob")]:
            self.run(
                f"INSERT INTO jos_users (id, name, username, email, params) VALUES "
                f"({number}, '', '{name}', '{name}@example.org', '')"
            )
        if version == "1.5":
            self.run(f"UPDATE jos_users SET gid = 19 WHERE id = {self.id}")
        else:
            self.run(f"INSERT INTO jos_user_usergroup_map VALUES ({self.id}, 3)")
        tables = {
            "framework": "joomla",
            "database": server.hallpass(self.name),
            "joomla": {"dbprefix": "jos_", "secret": "x", "version": version},
            "passwords": {"dummy": "pbkdf2_sha256$1"},
        }
        config = write_configuration(directory / f"{self.name}.toml", tables)
        self.shell = shell(config)

    def run(self, *statements: str) -> None:
        self.server.execute(";\n".join(statements), self.name)

    def put(self, data: str | None, user: int, guest: int = 0, age: int = 0, client: int = 0):
        data = None if data is None else data.encode()
        if data and self.version != "1.5":
            # As JSessionStorageDatabase writes it.
            data = data.replace(b"\0*\0", rb"\0\0\0")
        text = "NULL" if data is None else f"x'{data.hex()}'"
        self.run(
            f"REPLACE INTO jos_session (session_id, client_id, guest, time, data, userid, username) "
            f"VALUES ('{TOKEN}', {client}, {guest}, '{int(time.time()) - age}', {text}, {user}, 'x')"
        )


@pytest.fixture(scope="module", params=VERSIONS)
def old(request, mariadb, new_directory, shell):
    return OldSite(mariadb, request.param, new_directory(), shell)


def test_sessions(old):
    alice = old.id
    for row, expected in [
        ((old.data, alice), "alice"),
        ((None, alice), "alice"),
        ((old.data, alice, 0, 840), "alice"),
        ((old.data, alice, 0, 901), "expired-session"),
        ((old.data, alice, 1), "anonymous-session"),
        ((old.data, 0), "anonymous-session"),
        ((old.data, alice, 0, 0, 1), "invalid-session"),
        # Bob's row with alice's data; alice's with a guest's; and torn data.
        ((old.data, alice + 1), "invalid-session"),
        ((SESSIONS[old.guest], alice), "anonymous-session"),
        ((old.data[:-9], alice), "invalid-session"),
        ((SESSIONS["another application"], alice), "anonymous-session"),
    ]:
        old.put(*row)
        assert said(old.shell.session(TOKEN)) == expected, row[1:]
    old.put(old.data, alice)
    for token in [TOKEN.upper(), TOKEN[:-1], TOKEN + " ", "' OR 1=1 -- ", "%"]:
        assert said(old.shell.session(token)) == "no-session"
    old.run("UPDATE jos_users SET block = 1")
    assert said(old.shell.session(TOKEN)) == "inactive"
    old.run("UPDATE jos_users SET block = 0")
    assert said(old.shell.session(TOKEN)) == "alice"


def test_groups(old):
    groups = old.shell("groups", "alice").text.splitlines()
    assert {"Registered", "Author"} <= set(groups), groups
    if old.version != "1.5":
        assert old.shell("groups", "bob").text.splitlines() == ["Public"]


def test_passwords(old):
    seen = 0
    for vector in HASHES:
        if ": plain" not in vector["note"]:
            continue
        if old.version not in ("1.5", "3.10") and not vector["verdict"]:
            continue
        seen += 1
        encoded = literal(vector["encoded"])
        old.run(f"UPDATE jos_users SET password = {encoded} WHERE username = 'alice'")
        found = said(old.shell.check("alice", vector["password"]))
        assert (found == "alice") == vector["verdict"], (vector["note"], found)
    assert seen > 4
    vector = next(vector for vector in HASHES if vector["verdict"] and ": plain" in vector["note"])
    old.run(f"UPDATE jos_users SET password = {literal(vector['encoded'])}")
    old.run("UPDATE jos_users SET block = 1 WHERE username = 'bob'")
    assert said(old.shell.check("bob", vector["password"])) == "inactive"
    assert said(old.shell.check("ALICE", vector["password"])) == "alice"
    if old.version in ("3.6", "3.10"):
        for change, expected in [
            ("requireReset = 1", "inactive"),
            ("requireReset = 0, otpKey = 'totp:x'", "unusable-password"),
            ("otpKey = ''", "alice"),
        ]:
            old.run(f"UPDATE jos_users SET {change} WHERE username = 'alice'")
            assert said(old.shell.check("alice", vector["password"])) == expected, change
