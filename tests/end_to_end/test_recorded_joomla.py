"""A recorded Joomla 4.4.0 in MariaDB and PostgreSQL: its passwords and sessions as Joomla itself
found them, and each of them with something wrong."""

import base64
import hashlib
import os
import time

import pytest

from php_doors import Site, said, write_configuration
from processes import LOOPBACK, give_away
from programs import run
from recorded import HASHES, Recorded, answered, literal, php_literal
from stores.mariadb import PASSWORD as DATABASE_PASSWORD

PASSWORD = "pässw0rd-ä"
SECRET = "TK0JI2K0m4hXPWcE"
RECORDED = 1_795_296_485
LIFETIME = 15 * 60
SESSIONS = {
    "alice": "4c7qc9vb79uef402kj974gqs1j",
    "zoë": "pndbq8o91shr291s62gss42j0r",
    "carol": "ggg4j7d5jpmg7c3d6itidqutrn",
    "admin": "7i4liqttiu6864fg3lllldc0ko",
    None: "mhhh9v3o58hmo6bo2fs7soba2l",
}
COOKIE, ADMIN_COOKIE = "40702c4b0b5df7e9e0ca13edb2943794", "8884afe0780c608d73aa691684eef803"


def configuration_php(recorded: Recorded, **more) -> str:
    settings = {
        "offline": False,
        "dbtype": "mysqli" if recorded.mysql else "pgsql",
        "host": f"{LOOPBACK}:{recorded.server.port}",
        "user": "hallpass",
        "password": DATABASE_PASSWORD,
        "db": recorded.name,
        "dbprefix": "jos_",
        "secret": SECRET,
        "lifetime": 15,
        "session_handler": "database",
        "shared_session": False,
        "session_metadata": True,
    } | more
    lines = [f"\tpublic ${key} = {php_literal(value)};\n" for key, value in settings.items()]
    return "<?php\nclass JConfig {\n" + "".join(lines) + "}\n"


class Joomla:
    """The recorded site, and ways to ask Hallpass about it."""

    def __init__(self, recorded, directory, shell, daemon=None):
        self.recorded, self.directory, self.make_shell = recorded, directory, shell
        self.run, self.changed = recorded.run, recorded.changed
        config = self.write("site", {"name": recorded.name})
        self.site = Site(recorded.name, config, shell(config), daemon, COOKIE)

    def write(self, name: str, tables: dict = {}, joomla: dict = {}, **settings):
        php = self.directory / f"{self.recorded.name}-{name}.php"
        php.write_text(configuration_php(self.recorded, **settings))
        give_away(php)
        tables = {
            "framework": "joomla",
            "joomla": {"configuration": php.name} | joomla,
            "limits": {"failures": 0},
            # What a denial costs is for others to prove.
            "passwords": {"dummy": "pbkdf2_sha256$1"},
        } | tables
        return write_configuration(self.directory / f"{self.recorded.name}-{name}.toml", tables)

    def asked(self, joomla: dict = {}, **settings):
        """The shell by another configuration."""
        return self.make_shell(self.write("changed", {}, joomla, **settings))


@pytest.fixture(scope="module")
def joomlas(new_directory, mariadb, postgresql, hallpass_programs, shell):
    directory = new_directory()
    found = {}
    for kind, server in [("mariadb", mariadb), ("postgresql", postgresql)]:
        tables = ["jos_users", "jos_session", "jos_user_usergroup_map"]
        recorded = Recorded(server, f"joomla_{kind}", "joomla-4.4.0.sql", tables)
        recorded.shift("jos_session", "time", recorded=RECORDED)
        recorded.keep()
        found[kind] = Joomla(recorded, directory, shell)
    with answered(found, directory, hallpass_programs["hallpassd"]):
        yield found


@pytest.fixture(params=["mariadb", "postgresql"])
def joomla(joomlas, request):
    found = joomlas[request.param]
    # However long the tests before took.
    found.run(f'UPDATE "jos_session" SET "time" = {int(time.time())}')
    found.recorded.keep()
    return found


def test_passwords_are_right_or_wrong_as_joomla_said(joomla):
    shell = joomla.site.shell
    for name, typed, expected in [
        ("admin", "Correct-Horse-9", "admin"),
        ("alice", PASSWORD, "alice"),
        ("zoë", PASSWORD, "zoë"),
        ("erin", PASSWORD, "erin"),
        ("actonly", PASSWORD, "actonly"),
        ("alice", "pässw0rd-a", "wrong-password"),
        ("alice", PASSWORD + " ", "wrong-password"),
        ("alice", "", "wrong-password"),
        ("admin", PASSWORD, "wrong-password"),
        ("nobody", PASSWORD, "unknown-user"),
        ("' OR 1=1 -- ", PASSWORD, "unknown-user"),
        ("%", PASSWORD, "unknown-user"),
        ("277", PASSWORD, "unknown-user"),
        ("bob", PASSWORD, "inactive"),
        ("dave", PASSWORD, "inactive"),
        ("bob", "wrong", "wrong-password"),
        ("carol", PASSWORD, "inactive"),
    ]:
        assert said(shell.check(name, typed)) == expected, name
    # MariaDB's collation of the column knows no case, no accents and no blanks at the end, and so
    # Joomla there; PostgreSQL knows all of them. The name is always the one that is stored.
    for name, stored in [("ALICE", "alice"), ("alice ", "alice"), ("zoe", "zoë"), ("ZOË", "zoë")]:
        expected = stored if joomla.recorded.mysql else "unknown-user"
        assert said(shell.check(name, PASSWORD)) == expected, name


@pytest.mark.parametrize("joomla", ["mariadb"], indirect=True)
def test_every_recorded_hash_has_joomlas_verdict(joomla):
    seen = 0
    for vector in HASHES:
        if not vector["system"].startswith("joomla"):
            continue
        seen += 1
        encoded, typed = vector["encoded"], vector["plaintext"]
        change = f'UPDATE "jos_users" SET "password" = {literal(encoded)} WHERE "id" = 282'
        with joomla.changed(change):
            right = said(joomla.site.shell.check("erin", typed))
            assert (right == "erin") == vector["should_verify"], (vector["note"], right)
            assert said(joomla.site.shell.check("erin", "y" + typed)) != "erin"
    assert seen > 20


def test_recorded_sessions_have_joomlas_verdict(joomla):
    site = joomla.site
    for name, token in SESSIONS.items():
        expected = {
            "alice": "alice",
            "zoë": "zoë",
            # She must choose a new password first.
            "carol": "inactive",
            # His is a session of the other application.
            "admin": "invalid-session",
            None: "anonymous-session",
        }[name]
        if name == "admin" or expected in ("alice", "zoë", "inactive", "anonymous-session"):
            assert site.reason(token) == expected, name
    alice = SESSIONS["alice"]
    for token in [alice[:-1], alice.upper(), f"{alice}0", f"{alice} ", "", "%", "' OR 1=1 -- ", "_" * 26]:
        assert said(site.shell.session(token)) == "no-session", token
    # The cookies are called as Joomla derives it from its secret.
    for name, kind in [(COOKIE, "site"), (ADMIN_COOKIE, "administrator")]:
        inner = hashlib.md5(f"{SECRET}{kind}".encode()).hexdigest()
        assert hashlib.md5(inner.encode()).hexdigest() == name or inner == name
    for name in [ADMIN_COOKIE, "PHPSESSID", COOKIE[:-1], COOKIE.upper(), "joomla_user_state"]:
        assert site.by_header(f"{name}={alice}") is None, name
    remember = "joomla_remember_me_e105567325c9d330b956adc4614a225e"
    value = "cHtwQ837W236SMRp.k4p99pBhxzle40fv4dnG"
    assert site.by_header(f"{remember}={value}; joomla_user_state=logged_in") is None
    assert site.by_header(f"{remember}={value}; {COOKIE}={alice}") == "alice"
    administrators = joomla.asked({"client": "administrator"})
    assert said(administrators.session(SESSIONS["admin"])) == "admin"
    assert said(administrators.session(alice)) == "invalid-session"
    header = f"{ADMIN_COOKIE}={SESSIONS['admin']}"
    assert said(administrators("session", "--json", "--cookie", header)) == "admin"


def test_a_session_ends_fifteen_minutes_after_its_last_request(joomla):
    alice = SESSIONS["alice"]
    for age, expected in [(LIFETIME - 60, "alice"), (LIFETIME + 1, "expired-session")]:
        with joomla.changed(f'UPDATE "jos_session" SET "time" = {int(time.time()) - age}'):
            assert joomla.site.reason(alice) == expected
    with joomla.changed(f'UPDATE "jos_session" SET "time" = {int(time.time()) - 61}'):
        assert said(joomla.asked(lifetime=1).session(alice)) == "expired-session"
        assert said(joomla.asked({"lifetime": 2}, lifetime=1).session(alice)) == "alice"


def test_whatever_is_wrong_with_a_row_lets_nobody_in(joomla):
    alice = SESSIONS["alice"]
    for change, expected in [
        ('DELETE FROM "jos_session"', "no-session"),
        ('UPDATE "jos_session" SET "guest" = 1', "anonymous-session"),
        ('UPDATE "jos_session" SET "guest" = NULL', "anonymous-session"),
        ('UPDATE "jos_session" SET "userid" = 0', "anonymous-session"),
        ('UPDATE "jos_session" SET "userid" = NULL', "anonymous-session"),
        ('UPDATE "jos_session" SET "client_id" = 1', "invalid-session"),
        ('UPDATE "jos_session" SET "client_id" = NULL', "invalid-session"),
        ('UPDATE "jos_session" SET "time" = -1', "invalid-session"),
        # Somebody else's id beside alice's data.
        ('UPDATE "jos_session" SET "userid" = 276', "invalid-session"),
        ("UPDATE \"jos_session\" SET \"data\" = 'joomla|s:4:\"AAAA\";'", "anonymous-session"),
        ('UPDATE "jos_session" SET "data" = substr("data", 1, 500)', "invalid-session"),
        ('UPDATE "jos_users" SET "block" = 1', "inactive"),
        ('UPDATE "jos_users" SET "requireReset" = 1', "inactive"),
        ('DELETE FROM "jos_users"', "unknown-user"),
        # The name in the row is of no account.
        ("UPDATE \"jos_session\" SET \"username\" = 'admin'", "alice"),
        ('UPDATE "jos_session" SET "data" = NULL', "alice"),
    ]:
        with joomla.changed(change):
            assert joomla.site.reason(alice) == expected, change
    assert joomla.site.reason(alice) == "alice"


def test_another_prefix_is_another_site(joomla):
    other = joomla.asked(dbprefix="other_")
    assert said(other.session(SESSIONS["alice"])) == "unavailable"
    assert said(other.check("alice", PASSWORD)) == "unavailable"
    wrong = joomla.asked(password="wrong")
    assert said(wrong.session(SESSIONS["alice"])) == "unavailable"


def test_groups_are_inherited(joomla):
    shell = joomla.site.shell
    groups = shell("groups", "admin").text.splitlines()
    assert groups[0] and "Super Users" in groups and "Public" in groups, groups
    assert "Super Users" not in shell("groups", "alice").text
    for name, typed, group, expected in [
        ("admin", "Correct-Horse-9", "8", "admin"),
        ("admin", "Correct-Horse-9", "Super Users", "admin"),
        ("admin", "Correct-Horse-9", "1", "admin"),
        ("alice", PASSWORD, "8", "not-permitted"),
        ("alice", PASSWORD, "Super Users", "not-permitted"),
        ("alice", PASSWORD, "2", "alice"),
    ]:
        assert said(shell.check(name, typed, "--groups", group)) == expected, (name, group)


def test_a_second_factor_that_was_not_shown_keeps_out(joomla):
    alice = SESSIONS["alice"]
    table = 'CREATE TABLE "jos_user_mfa" ("id" int, "user_id" int, "method" varchar(100))'
    joomla.run(table, "INSERT INTO \"jos_user_mfa\" VALUES (1, 277, 'totp')")
    try:
        assert said(joomla.site.shell.check("alice", PASSWORD)) == "unusable-password"
        # What was recorded says that it was shown; without data nobody knows.
        assert said(joomla.site.shell.session(alice)) == "alice"
        with joomla.changed('UPDATE "jos_session" SET "data" = NULL'):
            assert said(joomla.site.shell.session(alice)) == "invalid-session"
    finally:
        joomla.run('DROP TABLE "jos_user_mfa"')


EXTENSIONS = [
    'CREATE TABLE "jos_extensions" ("extension_id" int, "type" varchar(20), "folder" varchar(100), '
    '"element" varchar(100), "enabled" smallint, "access" int, "params" text, "state" int)',
    'CREATE TABLE "jos_viewlevels" ("id" int, "rules" varchar(5120))',
    'CREATE TABLE "jos_user_mfa" ("id" int, "user_id" int, "method" varchar(100), "options" text)',
    "INSERT INTO \"jos_viewlevels\" VALUES (1, '[1]'), (2, '[6,2,8]'), (5, '[9]')",
    'INSERT INTO "jos_extensions" VALUES '
    "(1, 'component', '', 'com_users', 1, 1, '{\"guest_usergroup\":\"9\"}', 0), "
    "(2, 'plugin', 'authentication', 'joomla', 1, 1, '{}', 0), "
    "(3, 'plugin', 'multifactorauth', 'totp', 1, 1, '{}', 0)",
]


def test_what_joomla_wants_beyond_a_password_is_wanted_here(joomla):
    """What Joomla 4.4, 5.3 and 6.1 do with a group that must have a second factor, with one that is
    exempt, and with plug-ins that are off."""
    alice = SESSIONS["alice"]
    options = "UPDATE \"jos_extensions\" SET \"params\" = '%s' WHERE \"element\" = 'com_users'"
    factor = "INSERT INTO \"jos_user_mfa\" VALUES (1, 277, 'totp', '###AES128###x')"
    plugin = "UPDATE \"jos_extensions\" SET \"enabled\" = 0 WHERE \"folder\" = '%s'"
    try:
        joomla.run(*EXTENSIONS)
        for changes, by_password, by_new_session in [
            ([], "alice", "alice"),
            ([factor], "unusable-password", "invalid-session"),
            ([factor, plugin % "multifactorauth"], "alice", "alice"),
            ([factor, options % '{"neverMFAUserGroups":["2"]}'], "alice", "alice"),
            ([options % '{"forceMFAUserGroups":["2"]}'], "unusable-password", "invalid-session"),
            ([options % '{"forceMFAUserGroups":["8"]}'], "alice", "alice"),
            ([plugin % "authentication"], "unusable-password", "alice"),
        ]:
            joomla.run('DELETE FROM "jos_user_mfa"', 'DELETE FROM "jos_extensions"', EXTENSIONS[-1])
            joomla.run(*changes)
            shell = joomla.site.shell
            assert said(shell.check("alice", PASSWORD)) == by_password, changes
            # What was recorded has been asked; a session without data has not.
            assert said(shell.session(alice)) == "alice", changes
            with joomla.changed('UPDATE "jos_session" SET "data" = NULL'):
                assert said(shell.session(alice)) == by_new_session, changes
    finally:
        for table in ["jos_extensions", "jos_viewlevels", "jos_user_mfa"]:
            joomla.run(f'DROP TABLE IF EXISTS "{table}"')


def test_tables_that_may_not_be_read_let_nobody_in(joomla):
    """A user with rights to single tables, as an earlier version of Hallpass asked for: MySQL tells
    it nothing of the others, and PostgreSQL refuses them."""
    alice, recorded = SESSIONS["alice"], joomla.recorded
    tables = ["jos_users", "jos_session", "jos_usergroups", "jos_user_usergroup_map"]
    user = f"early_{recorded.name}"

    def grant(*tables: str, verb: str = "GRANT", to: str = "TO") -> None:
        joomla.run(*(f'{verb} SELECT ON "{table}" {to} {user}' for table in tables))

    def unavailable(result) -> None:
        assert result.json["verdict"] == "unavailable", result.json
        assert "hallpass grants" in result.json["cause"]

    def needs_rights() -> None:
        found = shell("doctor", "--json").json["findings"]
        problems = [it for it in found if it["status"] == "problem"]
        assert {it["check"] for it in problems} == {"rights"}, problems
        assert all("hallpass grants" in it["mend"] for it in problems), problems

    password = literal(DATABASE_PASSWORD)
    how = "IDENTIFIED BY" if recorded.mysql else "LOGIN PASSWORD"
    plugin = "UPDATE \"jos_extensions\" SET \"enabled\" = 0 WHERE \"folder\" = 'authentication'"
    try:
        recorded.server.execute(f"CREATE USER {user} {how} {password}")
        joomla.run(*EXTENSIONS, plugin)
        grant(*tables, "jos_user_mfa")
        shell = joomla.asked(user=user)
        unavailable(shell.check("alice", PASSWORD))
        # What was recorded says that a second factor was shown; without data nobody knows.
        assert said(shell.session(alice)) == "alice"
        with joomla.changed('UPDATE "jos_session" SET "data" = NULL'):
            unavailable(shell.session(alice))
        needs_rights()
        grant("jos_extensions", "jos_viewlevels")
        assert said(shell.check("alice", PASSWORD)) == "unusable-password"
        joomla.run('UPDATE "jos_extensions" SET "enabled" = 1')
        assert said(shell.check("alice", PASSWORD)) == "alice"
        grant("jos_user_mfa", verb="REVOKE", to="FROM")
        unavailable(shell.check("alice", PASSWORD))
        with joomla.changed('UPDATE "jos_session" SET "data" = NULL'):
            unavailable(shell.session(alice))
        needs_rights()
        # Joomla before 4.2 has no such table, and no such methods.
        joomla.run(
            'DROP TABLE "jos_user_mfa"',
            "DELETE FROM \"jos_extensions\" WHERE \"folder\" = 'multifactorauth'",
        )
        assert said(shell.check("alice", PASSWORD)) == "alice"
        with joomla.changed('UPDATE "jos_session" SET "data" = NULL'):
            assert said(shell.session(alice)) == "alice"
    finally:
        for table in ["jos_extensions", "jos_viewlevels", "jos_user_mfa"]:
            joomla.run(f'DROP TABLE IF EXISTS "{table}"')
        if not recorded.mysql:
            recorded.server.execute(f"DROP OWNED BY {user}", recorded.name)
        recorded.server.execute(f"DROP USER {user}")


def at_this_time(data: str) -> str:
    """A session's data, whose last request is now."""
    encoded = data.split('"')[1]
    plain = base64.b64decode(encoded).decode()
    plain = plain.replace(f'"now";i:{RECORDED};', f'"now";i:{int(time.time())};')
    encoded = base64.b64encode(plain.encode()).decode()
    return f'joomla|s:{len(encoded)}:"{encoded}";'


def test_without_metadata_the_data_in_the_row_decides(joomla):
    """Rows as Joomla writes them with session_metadata off and the handler database."""
    asked = joomla.asked(session_metadata=False)
    alice, nobody = SESSIONS["alice"], SESSIONS[None]
    select = f'SELECT "data" FROM "jos_session" WHERE "session_id" = {literal(alice)}'
    data = literal(at_this_time(joomla.run(select)))
    changes = [
        'UPDATE "jos_session" SET "client_id" = NULL, "guest" = 1, "userid" = 0, "username" = \'\'',
        f'UPDATE "jos_session" SET "data" = {data} WHERE "session_id" = {literal(alice)}',
    ]
    with joomla.changed(*changes):
        assert said(asked.session(alice)) == "alice"
        assert said(asked.session(nobody)) != "alice"
        assert said(joomla.site.shell.session(alice)) == "invalid-session"
        joomla.run('UPDATE "jos_session" SET "data" = NULL')
        assert said(asked.session(alice)) == "no-session"


@pytest.mark.parametrize("handler", ["redis", "memcached", "filesystem"])
def test_the_data_of_other_handlers_must_be_there(joomla, redis, memcached, handler, directory):
    select = 'SELECT "data" FROM "jos_session" WHERE "session_id" ='
    data = {token: joomla.run(f"{select} {literal(token)}") for token in SESSIONS.values()}
    redis.execute("FLUSHDB", database=6)
    memcached.execute(b"flush_all\r\n")
    settings = {
        "redis": {
            "session_redis_server_host": LOOPBACK,
            "session_redis_server_port": redis.port,
            "session_redis_server_db": 6,
        },
        "memcached": {
            "session_memcached_server_host": LOOPBACK,
            "session_memcached_server_port": memcached.port,
        },
        "filesystem": {"session_filesystem_path": str(directory)},
    }[handler]

    def put(token: str, text: str, key: str = "jfw") -> None:
        """As the clients of Joomla put it: pecl/memcached compresses what is long."""
        if handler == "redis":
            code = f"$c = new Redis(); $c->connect('{LOOPBACK}', {redis.port}); $c->select(6);"
            code += "$c->setex($argv[1], 900, stream_get_contents(STDIN));"
        elif handler == "memcached":
            code = f"$c = new Memcached(); $c->addServer('{LOOPBACK}', {memcached.port});"
            code += "$c->set($argv[1], stream_get_contents(STDIN), 900);"
        else:
            (directory / f"sess_{token}").write_text(text)
            give_away(directory / f"sess_{token}")
            return
        done = run(["/usr/bin/php8.2", "-r", code, "--", f"{key}{token}"], text)
        assert done.code == 0, done.stderr

    asked = joomla.asked(session_handler=handler, **settings)
    alice, zoe = SESSIONS["alice"], SESSIONS["zoë"]
    with joomla.changed('UPDATE "jos_session" SET "data" = NULL'):
        assert said(asked.session(alice)) == "no-session"
        for token, text in data.items():
            put(token, text)
        assert said(asked.session(alice)) == "alice"
        assert said(asked.session(zoe)) == "zoë"
        assert said(asked.session(SESSIONS[None])) == "anonymous-session"
        put(alice, data[zoe])
        assert said(asked.session(alice)) == "invalid-session"
        put(alice, data[alice][:300])
        assert said(asked.session(alice)) == "invalid-session"
        put(alice, data[alice])
        if handler != "filesystem":
            flags, stored = memcached.read(f"jfw{alice}") if handler == "memcached" else (0, b"")
            assert bool(flags) == (handler == "memcached" and len(stored) < len(data[alice]))
            # Before 4, PHP's own handlers had them.
            native = "PHPREDIS_SESSION:" if handler == "redis" else "memc.sess.key."
            older = joomla.asked({"version": "3.10"}, session_handler=handler, **settings)
            assert said(older.session(zoe)) == "no-session"
            put(zoe, data[zoe], native)
            older = joomla.asked({"version": "3.10"}, session_handler=handler, **settings)
            assert said(older.session(zoe)) == "zoë"
            assert said(older.session(alice)) == "no-session"
            newer = joomla.asked({"version": "4.4"}, session_handler=handler, **settings)
            assert said(newer.session(alice)) == "alice"
            asked = joomla.asked(session_handler=handler, **settings)
    with joomla.changed('UPDATE "jos_session" SET "guest" = 1'):
        assert said(asked.session(alice)) == "anonymous-session"
    with joomla.changed('DELETE FROM "jos_session"'):
        assert said(asked.session(alice)) == "no-session"
        metadata = joomla.asked(session_handler=handler, session_metadata=False, **settings)
        # Joomla's own clock in the data says when the last request was: the day of recording.
        assert said(metadata.session(alice)) in ("expired-session", "alice")
        assert said(metadata.session(SESSIONS[None])) != "alice"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("joomla", ["mariadb"], indirect=True)
def test_nobody_else_can_put_a_file(joomla, directory):
    select = f'SELECT "data" FROM "jos_session" WHERE "session_id" = {literal(SESSIONS["alice"])}'
    file = directory / f"sess_{SESSIONS['alice']}"
    file.write_text(joomla.run(select))
    settings = {"session_handler": "filesystem", "session_filesystem_path": str(directory)}
    asked = joomla.asked(**settings)
    for mode, owner, expected in [
        (0o1777, 0, "alice"),
        (0o1777, 12345, "invalid-session"),
        (0o755, 12345, "alice"),
    ]:
        directory.chmod(mode)
        os.chown(file, owner, owner)
        assert said(asked.session(SESSIONS["alice"])) == expected, (mode, owner)
