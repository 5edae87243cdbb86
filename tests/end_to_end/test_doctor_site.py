"""`hallpass doctor` on a site: faults of its configuration that nothing but its own rows show.
docs/doctor.md has a table of them (see FAULTS)."""

import grp
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import test_recorded_joomla as recorded_joomla
import test_recorded_phpbb as recorded_phpbb
from processes import LOOPBACK, eventually, free_port, give_away
from programs import toml
from recorded import Recorded
from stores.mariadb import MariaDB
from stores.memcached import Memcached
from stores.postgresql import PostgreSQL, Standby
from stores.redis import PASSWORD, Redis
from test_doctor import SECRET, Doctor, OnServer, Patient, as_root

PEOPLE = ["alice", "bob", "carol"]
NEW_YORK = {"USE_TZ": False, "TIME_ZONE": "America/New_York"}


@dataclass(frozen=True)
class Fault:
    """A fault of a site's configuration, and the finding: its weight, and a part of its fix and of
    what is seen."""

    words: str
    plant: Callable[[Patient], None]
    check: str
    status: str
    mend: str
    seen: str = ""
    host: str = "site"
    code: int | None = None

    def is_named(self, doctor: Doctor) -> None:
        """Asserts that the doctor names this fault once, and no other."""
        complaints = doctor.complaints
        assert [it["check"] for it in complaints] == [self.check], complaints
        (finding,) = complaints
        assert finding["status"] == self.status, finding
        assert self.mend in finding["mend"], finding
        assert self.seen in finding["seen"], finding
        code = 1 if self.status == "problem" else 0
        assert doctor.result.code == (code if self.code is None else self.code)


def logged_in(site):
    site.make_accounts(*({"username": name, "password": SECRET} for name in PEOPLE))
    for name in PEOPLE:
        site.login(name, SECRET)
    return site


@pytest.fixture(scope="module")
def site(new_site):
    return logged_in(new_site())


@pytest.fixture
def patient(site, directory, shell):
    return Patient(site, directory, shell)


@pytest.fixture(scope="module")
def in_new_york(new_site):
    return logged_in(new_site(**NEW_YORK))


def read_as(zone: str) -> Callable[[Patient], None]:
    return lambda it: it.configure(django={"time_zone": zone})


def engine(word: str, **more) -> Callable[[Patient], None]:
    return lambda it: it.configure(django={"session_engine": word} | more)


def files(it: Patient):
    sessions = it.directory / "sessions"
    sessions.mkdir()
    engine("file", session_file_path=sessions)(it)


def unknown_hashes(it: Patient):
    it.sql("UPDATE auth_user SET password = 'rot13$' || username")


def no_names(it: Patient):
    it.configure(django={"username_column": "first_name"})


def changed_passwords(it: Patient):
    it.sql("UPDATE auth_user SET password = password || 'x'")


def older_django(it: Patient):
    # As Django 5.2 hashes it.
    hashed = it.site.shell(
        "from django.contrib.auth.hashers import PBKDF2PasswordHasher as Hasher\n"
        "answer = Hasher().encode('a', 'b')"
    )
    assert hashed.startswith("pbkdf2_sha256$1000000$")
    it.sql(f"UPDATE auth_user SET password = '{hashed}' WHERE username = 'bob'")
    it.configure(django={"version": "3.2"})


def missing_file(it: Patient):
    it.configure(database=f"sqlite:{it.directory}/elsewhere.sqlite3")


FAULTS = [
    Fault("a time zone for a site whose database is in UTC", read_as("America/New_York"),
          "session-time-zone", "problem", '"UTC", which a site with USE_TZ', "5 h too late"),
    Fault("a time zone east of UTC's for such a site", read_as("Pacific/Auckland"),
          "session-time-zone", "problem", '"UTC"', "13 h too early"),
    Fault('`session_engine = "signed_cookies"`, the sessions in the table',
          engine("signed_cookies"), "session-engine", "problem", '"db" or "cached_db"',
          "in the table django_session"),
    Fault('`session_engine = "file"`, the sessions in the table', files, "session-engine",
          "problem", '"db" or "cached_db"', "in the table django_session"),
    Fault("hashes of unknown algorithms alone", unknown_hashes, "password-hashes", "problem",
          "names the column of the hashes", "3 are"),
    Fault("another column than that of the login names", no_names, "login-names", "problem",
          "[django] username_column", "none of them"),
    Fault("sessions of other passwords alone", changed_passwords, "session-stale", "problem",
          "secret_key", "all 3"),
    Fault("an older `version` than the site's Django", older_django, "django-version", "warning",
          'version = "5.2"', "1000000 iterations"),
    Fault("no file where the database should be", missing_file, "sqlite-file", "problem",
          "where the site's file is", code=75),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.words for fault in FAULTS])
def test_fault_is_named_once(patient, fault):
    fault.plant(patient)
    fault.is_named(patient.doctor())


# What is right


@pytest.mark.parametrize("version", ["4.0", "4.2", "5.2", None])
def test_version_with_the_rules_of_the_sites_is_right(patient, version):
    older_django(patient)
    patient.configure(django={"version": version})
    patient.doctor().is_silent()


def test_unread_rows_of_a_former_engine_are_no_fault(patient):
    """After a change of SESSION_ENGINE, the next login leaves no row."""
    patient.configure(django={"session_engine": "signed_cookies"})
    patient.sql("UPDATE auth_user SET last_login = datetime(last_login, '+2 minutes')")
    patient.doctor().is_silent()


def test_one_account_that_logged_out_is_no_fault(patient):
    patient.sql("DELETE FROM django_session WHERE rowid = 1")
    patient.doctor().is_silent()


def test_one_session_of_another_password_is_a_warning(patient):
    patient.sql(
        "DELETE FROM django_session WHERE rowid > 1", "UPDATE auth_user SET password = password || 'x'"
    )
    patient.doctor().names("session-stale", "secret_key", "warning", 0)


def test_some_hashes_of_unknown_algorithms_are_a_warning(patient):
    patient.sql("UPDATE auth_user SET password = 'rot13$x' WHERE username <> 'bob'")
    patient.doctor().names("password-hashes", "choose new passwords", "warning", 0)


@pytest.mark.parametrize(
    ("zone", "seen", "mend"),
    [
        ("America/New_York", None, None),
        # The same clock for now.
        ("America/Toronto", None, None),
        ("UTC", "read as UTC, they end 5 h too early: live sessions", "at UTC-05:00"),
        ("Pacific/Auckland", "they end 18 h too early", "at UTC-05:00"),
        ("America/Los_Angeles", "they end 3 h too late: ended sessions", "at UTC-05:00"),
        ("Asia/Kathmandu", "they end 10 h 45 min too early", "at UTC-05:00"),
    ],
)
def test_zone_of_a_site_without_time_zones(in_new_york, directory, shell, zone, seen, mend):
    patient = Patient(in_new_york, directory, shell)
    patient.configure(django={"time_zone": zone})
    doctor = patient.doctor()
    if seen is None:
        doctor.is_silent()
    else:
        doctor.names("session-time-zone", mend, "problem", 1)
        assert seen in doctor.complaints[0]["seen"]
        assert len(doctor.complaints) == 1


def test_zone_where_sessions_live_as_long_as_each_wants(new_site, directory, shell):
    """An expiry of a session's own is no time zone's."""
    site = logged_in(new_site(**NEW_YORK))
    site.shell(
        "from django.contrib.sessions.models import Session\n"
        "from django.contrib.sessions.backends.db import SessionStore\n"
        "for hours, row in enumerate(Session.objects.all()):\n"
        "    store = SessionStore(row.session_key)\n"
        "    store.set_expiry(3600 * 8 * (hours + 1)); store.save()\n"
        "answer = None"
    )
    patient = Patient(site, directory, shell)
    patient.configure(django={"time_zone": "America/New_York"})
    patient.doctor().is_silent()
    patient.configure(django={"time_zone": "UTC"})
    patient.doctor().names("session-time-zone", "at UTC-05:00", "problem", 1)


def test_zone_on_mariadb(new_site, mariadb, directory, shell):
    patient = OnServer(logged_in(new_site(server=mariadb, **NEW_YORK)), directory, shell)
    patient.configure(django={"time_zone": "America/New_York"})
    patient.doctor().is_silent()
    patient.configure(django={"time_zone": "Pacific/Auckland"})
    patient.doctor().names("session-time-zone", "at UTC-05:00", "problem", 1)


def test_zone_means_nothing_to_postgresql(on_postgresql, directory, shell):
    patient = OnServer(on_postgresql, directory, shell)
    patient.configure(django={"time_zone": "Pacific/Auckland"})
    patient.doctor().is_silent()


# The engine, the other way about: the site keeps its sessions elsewhere than in its table


@pytest.mark.parametrize("real", ["signed_cookies", "file"])
def test_sessions_are_not_in_the_table(new_site, new_directory, directory, shell, real):
    site = logged_in(
        new_site(
            SESSION_ENGINE=f"django.contrib.sessions.backends.{real}",
            SESSION_FILE_PATH=str(new_directory()),
        )
    )
    patient = Patient(site, directory, shell)
    patient.doctor().is_silent()
    patient.configure(django={"session_engine": "db"})
    doctor = patient.doctor()
    doctor.names("session-engine", "SESSION_ENGINE", "problem", 1)
    assert "3 accounts have logged in and django_session is empty" in doctor.complaints[0]["seen"]
    # One or two may have logged out, and a login of long ago has no session any more.
    patient.sql("UPDATE auth_user SET last_login = NULL WHERE username <> 'alice'")
    patient.doctor().names("session-engine", "all have logged out", "warning", 0)
    patient.sql("UPDATE auth_user SET last_login = datetime(last_login, '-30 days')")
    patient.doctor().is_silent()


def test_no_files_where_sessions_should_be(new_site, new_directory, directory, shell):
    site = logged_in(
        new_site(
            SESSION_ENGINE="django.contrib.sessions.backends.file",
            SESSION_FILE_PATH=str(new_directory()),
        )
    )
    patient = Patient(site, directory, shell)
    patient.doctor().is_silent()
    patient.configure(django={"session_file_path": new_directory()})
    doctor = patient.doctor()
    doctor.names("session-engine", "SESSION_FILE_PATH into session_file_path", "warning", 0)
    assert "no session where they are looked for" in doctor.complaints[0]["seen"]


# Redis


@pytest.fixture(scope="module")
def in_redis(new_site, redis):
    # Other tests' sessions under other prefixes are found as well.
    redis.execute("FLUSHDB", database=5)
    return logged_in(
        new_site(
            SESSION_ENGINE="django.contrib.sessions.backends.cache",
            CACHES={
                "default": {
                    "BACKEND": "django.core.cache.backends.redis.RedisCache",
                    "LOCATION": f"redis://{LOOPBACK}:{redis.port}/5",
                    "KEY_PREFIX": "doctor",
                }
            },
        )
    )


@pytest.mark.parametrize("number", [0, 7])
def test_another_database_of_redis(in_redis, redis, directory, shell, number):
    patient = Patient(in_redis, directory, shell)
    patient.doctor().is_silent()
    redis.execute("FLUSHDB", database=number)
    patient.configure(django={"cache": f"redis://{LOOPBACK}:{redis.port}/{number}"})
    doctor = patient.doctor()
    doctor.names("session-cache-database", "/5`", "problem", 1)
    assert "in the database 5" in doctor.complaints[0]["seen"]


MANY_KEYS = "for i = 1, 200000 do redis.call('SET', 'shop:' .. i .. '_LOCK', 'x') end"


def test_few_sessions_among_many_keys(new_site, new_directory, directory, shell):
    """Each key is looked at, where the deadline leaves time for it; where not, nothing is said of
    sessions that were not found."""
    with Redis(new_directory(), protected=True) as redis:
        site = logged_in(
            new_site(
                SESSION_ENGINE="django.contrib.sessions.backends.cache",
                CACHES={
                    "default": {
                        "BACKEND": "django.core.cache.backends.redis.RedisCache",
                        "LOCATION": redis.url(3),
                        "KEY_PREFIX": "the*[shop]",
                    }
                },
            )
        )
        redis.execute("EVAL", MANY_KEYS, "0", database=3)
        cache = {"url": f"redis://{LOOPBACK}:{redis.port}/3", "password": PASSWORD}
        patient = Patient(site, directory, shell)
        seen = lambda: {it["check"]: it["seen"] for it in patient.doctor().findings}  # noqa: E731
        # Who may read and no more finds them as well, but cannot tell that there are none.
        for user in [{}, {"username": "hallpass"}]:
            patient.configure(django={"cache": cache | user})
            assert seen()["sessions"] == "3 live", user
        patient.configure(django={"cache": cache, "cache_key_prefix": "another"})
        patient.doctor().names("session-cache-key", "the*[shop]", "problem", 1)
        patient.configure(
            django={"cache": cache | {"username": "hallpass"}, "cache_key_prefix": "another"}
        )
        doctor = patient.doctor()
        doctor.is_silent()
        assert "cannot tell" in seen()["sessions"]
        # Whether a session is there is not known before the last key.
        patient.configure(django={"cache": cache, "cache_key_prefix": "another"})
        patient.configure(limits={"deadline": "300ms"})
        redis.execute("EVAL", MANY_KEYS.replace("200000", "1500000"), "0", database=3)
        assert "cannot tell" in seen()["sessions"]
        # Who may not list keys.
        redis.execute("ACL", "SETUSER", "hallpass", "-scan")
        patient.configure(django={"cache": cache | {"username": "hallpass"}})
        assert "cannot be listed" in seen()["sessions"]


def test_sessions_in_redis_of_another_site_are_not_ours(in_redis, redis, directory, shell):
    patient = Patient(in_redis, directory, shell)
    cache = f"redis://{LOOPBACK}:{redis.port}/9"
    patient.configure(django={"cache": cache, "cache_key_prefix": "another"})
    doctor = patient.doctor()
    doctor.names("session-engine", "its cache into cache", "warning", 0)


def test_sessions_in_the_table_and_not_in_redis(patient, redis):
    cache = f"redis://{LOOPBACK}:{redis.port}/11"
    patient.configure(django={"session_engine": "cache", "cache": cache})
    patient.doctor().names("session-engine", '"db" or "cached_db"', "problem", 1)


def test_fixes_by_cause_for_redis(patient, new_directory):
    with Redis(new_directory(), protected=True) as redis:
        for user, password, mend in [
            ("", "wrong", "correct the cache's user and password"),
            ("hallpass", "wrong", "correct the cache's user and password"),
        ]:
            cache = {"url": f"redis://{LOOPBACK}:{redis.port}/0", "password": password}
            cache |= {"username": user} if user else {}
            patient.configure(django={"session_engine": "cached_db", "cache": cache})
            doctor = patient.doctor()
            doctor.names("cache", mend, "problem", 75)
            assert len(doctor.complaints) == 1
        cache = {"url": f"redis://{LOOPBACK}:{redis.port}/99", "password": PASSWORD}
        patient.configure(django={"cache": cache})
        patient.doctor().names("cache", "the number of the database", "problem", 75)
    patient.doctor().names("cache", "start it", "problem", 75)


def test_memcached_servers_in_another_order(new_site, new_directory, directory, shell):
    """Each is asked until one has the session, so that no order is wrong."""
    with Memcached(new_directory()) as one, Memcached(new_directory()) as two:
        site = new_site(
            SESSION_ENGINE="django.contrib.sessions.backends.cache",
            CACHES={
                "default": {
                    "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
                    "LOCATION": [one.location, two.location],
                }
            },
        )
        site.make_accounts({"username": "alice", "password": SECRET})
        cookies = [site.login("alice", SECRET).token for _ in range(10)]
        patient = Patient(site, directory, shell)
        patient.configure(django={"cache": f"memcached://{two.location},{one.location}"})
        patient.doctor().is_silent()
        for cookie in cookies:
            assert patient.make_shell(patient.config)("session", "-", input=cookie).code == 0


# Databases on servers


@pytest.fixture(scope="module")
def on_postgresql(new_site, postgresql):
    return logged_in(new_site(server=postgresql))


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        ({"password": "wrong"}, "correct the user and the password"),
        ({"user": "nosuch"}, "correct the user and the password"),
        ({"name": "nosuch"}, "correct the name of the database"),
        ({"port": 1}, "start it, or correct its address"),
    ],
    ids=["password", "user", "name", "port"],
)
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_fixes_by_cause_for_databases(request, kind, patient, change, mend):
    server = request.getfixturevalue(kind)
    scheme = {"postgresql": "postgres", "mariadb": "mysql"}[kind]
    database = server.hallpass(request.getfixturevalue(f"on_{kind}").database_name)
    port = change.get("port", server.port)
    name = change.get("name", database["url"].rsplit("/", 1)[1])
    user = change.get("user", "hallpass")
    database |= {"url": f"{scheme}://{user}@{LOOPBACK}:{port}/{name}"}
    database |= {"password": change["password"]} if "password" in change else {}
    patient.configure(database=database)
    doctor = patient.doctor()
    if (kind, "name" in change) == ("mariadb", True):
        # MariaDB does not tell users without a right to it whether there is a database.
        mend = "hallpass grants"
    doctor.names("database", mend, "problem", 75)
    assert len(doctor.complaints) == 1


@pytest.fixture(scope="module")
def on_mariadb(new_site, mariadb):
    return logged_in(new_site(server=mariadb))


def test_missing_rights_are_one_finding(on_postgresql, postgresql, directory, shell):
    it = OnServer(on_postgresql, directory, shell)
    name = on_postgresql.database_name
    postgresql.execute("REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM hallpass", name)
    try:
        doctor = it.doctor()
        doctor.names("rights", "hallpass grants", "problem", 1)
        assert len(doctor.complaints) == 1
        assert "auth_user, " in doctor.complaints[0]["tried"]
    finally:
        postgresql.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO hallpass", name)
    it.doctor().is_silent()


def test_replica_that_does_not_follow(new_directory, new_site, directory, shell):
    with PostgreSQL(new_directory()) as primary:
        site = logged_in(new_site(server=primary))
        with Standby(new_directory(), primary) as standby:
            eventually(standby.has_caught_up, "the standby has all of it")
            it = OnServer(site, directory, shell)
            it.configure(database=standby.hallpass(site.database_name))
            doctor = it.doctor()
            doctor.is_silent()
            assert {f["check"]: f["seen"] for f in doctor.findings}["replica"].endswith("follows")
            standby.execute("SELECT pg_wal_replay_pause()")
            it.doctor().names("replica", "pg_wal_replay_resume", "problem", 1)
            standby.execute("SELECT pg_wal_replay_resume()")
            primary.stop()
            alone = lambda: it.doctor().result.code == 1  # noqa: E731
            eventually(alone, "the standby notices")
            it.doctor().names("replica", "start its replication again", "problem", 1)
            it.configure(database=standby.hallpass(site.database_name))
            primary.start()


def test_mariadb_that_has_stopped_to_follow(new_directory, new_site, directory, shell):
    """A server that was a replica, that clients cannot write to, and that runs no replication."""
    with MariaDB(new_directory()) as server:
        site = logged_in(new_site(server=server))
        it = OnServer(site, directory, shell)
        it.doctor().is_silent()
        server.execute("SET GLOBAL gtid_slave_pos = '0-1-5'")
        # A primary that was one once.
        it.doctor().is_silent()
        server.execute("SET GLOBAL read_only = 1")
        it.doctor().names("replica", "start its replication again", "problem", 1)


# Files


def test_no_configuration_at_all(shell, directory):
    doctor = Doctor(shell(directory / "hallpass.toml")("doctor", "--json"))
    doctor.names("configuration", "hallpass init", "problem", 2)


@as_root
def test_secret_that_the_user_may_not_read(patient):
    secret = patient.directory / "secret_key"
    secret.write_text(patient.tables["django"]["secret_key"])
    secret.chmod(0o640)
    os.chown(secret, 0, 0)
    patient.configure(django={"secret_key": {"file": secret}})
    doctor = patient.doctor("--as-user", "nobody")
    doctor.names("configuration", f"setfacl -m u:nobody:r {secret}", "problem", 2)
    # The fix fixes it, and so does the right for a group that the user is in.
    os.chown(secret, 0, grp.getgrnam("nogroup").gr_gid)
    secret.chmod(0o600)
    doctor = patient.doctor("--as-user", "nobody")
    doctor.names("configuration", f"chmod g+r {secret}", "problem", 2)
    secret.chmod(0o640)
    patient.doctor("--as-user", "nobody").is_silent()


@as_root
@pytest.mark.parametrize(
    ("mode", "mend"),
    [(0o660, "usermod -aG adm nobody"), (0o600, "?mode=0660")],
)
def test_socket_of_a_group(patient, mode, mend):
    path = patient.directory / "fastcgi.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()
        path.chmod(mode)
        os.chown(path, 0, grp.getgrnam("adm").gr_gid)
        patient.configure(daemon={"fastcgi": [f"unix:{path}?mode={mode:04o}"]})
        patient.doctor("--as-user", "nobody").names("socket", mend, "problem", 1)


def test_site_without_sessions_is_silent(patient):
    """Of passwords alone."""
    patient.tables = {
        "framework": "custom",
        "database": f"sqlite:{patient.database}",
        "custom": {
            "user": "SELECT id, username, password, is_active FROM auth_user WHERE username = :username"
        },
        "passwords": {"dummy": "pbkdf2_sha256$1"},
    }
    patient.doctor().names("session-configuration", 'accept = ["password"]', "warning", 0)
    patient.configure(daemon={"accept": ["password"]})
    patient.doctor().is_silent()
    # ejabberd may be shown a session all the same.
    patient.configure(ejabberd={"accept": ["session"]})
    patient.doctor().names("session-configuration", "[custom] session", "warning", 0)


def test_words_for_one(patient):
    patient.sql(
        "DELETE FROM auth_user WHERE username <> 'alice'",
        "DELETE FROM django_session WHERE rowid <> 1",
    )
    doctor = patient.doctor()
    doctor.is_silent()
    tried = {it["tried"] for it in doctor.findings}
    assert "look at the hash of the newest account" in tried
    assert "read the newest session" in tried
    patient.sql("DELETE FROM django_session", "UPDATE auth_user SET last_login = NULL")
    doctor = patient.doctor()
    doctor.is_silent()
    by_check = {it["check"]: it["seen"] for it in doctor.findings}
    assert by_check["sessions"].startswith("there are none yet")


# Joomla


@pytest.fixture(scope="module")
def joomla(mariadb):
    recorded = Recorded(
        mariadb, "doctor_joomla", "joomla-4.4.0.sql", ["jos_session", "jos_users"]
    )
    recorded.shift("jos_session", "time", recorded=recorded_joomla.RECORDED)
    recorded.keep()
    return recorded


@dataclass
class Board:
    """The recorded site, and a configuration for it."""

    recorded: Recorded
    directory: Path
    shell: Callable

    def doctor(self, **settings) -> Doctor:
        (self.directory / "configuration.php").write_text(
            recorded_joomla.configuration_php(self.recorded, **settings)
        )
        config = self.directory / "hallpass.toml"
        tables = {
            "framework": "joomla",
            "joomla": {"configuration": "configuration.php"},
            "passwords": {"dummy": "pbkdf2_sha256$1"},
        }
        for path, text in [(config, toml(tables))]:
            path.touch(mode=0o600)
            path.write_text(text)
            give_away(path)
        (self.directory / "configuration.php").chmod(0o600)
        return Doctor(self.shell(config)("doctor", "--json"))

    def sessions(self, **settings) -> dict:
        return {it["check"]: it for it in self.doctor(**settings).findings}


@pytest.fixture
def board(joomla, directory, shell):
    return Board(joomla, directory, shell)


def complaints_of_sessions(doctor: Doctor) -> list[dict]:
    return [it for it in doctor.complaints if it["check"].startswith("session")]


def test_joomlas_sessions_that_are_not_ours_are_not_undecodable(board):
    """Right after the installation, only the administrator is logged in, at /administrator."""
    with board.recorded.changed("UPDATE jos_session SET client_id = 1"):
        doctor = board.doctor()
        assert complaints_of_sessions(doctor) == []
        seen = {it["check"]: it["seen"] for it in doctor.findings}["sessions"]
        assert "of another application of the site" in seen
    # Rows that were written while shared_session was on.
    with board.recorded.changed("UPDATE jos_session SET client_id = NULL"):
        assert complaints_of_sessions(board.doctor()) == []


def test_joomlas_live_rows_without_data(board):
    sessions = board.directory / "sessions"
    sessions.mkdir()
    give_away(sessions)
    settings = {"session_handler": "filesystem", "session_filesystem_path": str(sessions)}
    doctor = board.doctor(**settings)
    assert complaints_of_sessions(doctor), [it for it in doctor.findings if "session" in it["check"]]
    (finding,) = complaints_of_sessions(doctor)
    assert (finding["check"], finding["status"]) == ("session-data", "problem")
    assert "php_admin_value[session.save_path]" in finding["mend"]
    # Where all have ended, nothing is known.
    ended = f"UPDATE jos_session SET time = {int(time.time()) - 86_400}"
    with board.recorded.changed(ended):
        assert complaints_of_sessions(board.doctor(**settings)) == []


def test_joomla_without_a_directory_of_sessions(board):
    (finding,) = complaints_of_sessions(board.doctor(session_handler="filesystem"))
    assert "session_filesystem_path" in finding["mend"]


def test_joomlas_other_database_of_redis(board, redis):
    settings = {
        "session_handler": "redis",
        "session_redis_server_host": LOOPBACK,
        "session_redis_server_port": redis.port,
        "session_redis_server_db": 12,
    }
    (finding,) = complaints_of_sessions(board.doctor(**settings))
    assert finding["check"] == "session-data"
    redis.execute("SET", "jfwabcdefabcdefabcdefabcdef", "x", database=13)
    (finding,) = complaints_of_sessions(board.doctor(**settings))
    assert (finding["check"], finding["status"]) == ("session-cache-database", "problem")
    assert "session_redis_server_db = 13" in finding["mend"]


# phpBB


def test_phpbbs_sessions_are_read(mariadb, directory, shell):
    tables = ["phpbb_sessions", "phpbb_users"]
    recorded = Recorded(mariadb, "doctor_phpbb", "phpbb-3.3.10.sql", tables)
    board = recorded_phpbb.Board(recorded, directory, shell)
    doctor = lambda: Doctor(board.asked()("doctor", "--json"))  # noqa: E731
    seen = lambda: {it["check"]: it["seen"] for it in doctor().findings}["sessions"]  # noqa: E731
    # One has ended since they were recorded, and one has no end: a persistent login.
    assert seen() == "1 expired, 1 live" and complaints_of_sessions(doctor()) == []
    recorded.shift("phpbb_sessions", "session_time", recorded=recorded_phpbb.RECORDED)
    assert seen() == "2 live" and complaints_of_sessions(doctor()) == []
    # Accounts of another prefix, or of another board.
    with recorded.changed("UPDATE phpbb_sessions SET session_user_id = session_user_id + 100000"):
        (finding,) = complaints_of_sessions(doctor())
        assert (finding["check"], finding["status"]) == ("session-user", "problem")


def test_free_port_is_named_by_its_cause(patient):
    patient.configure(
        django={"session_engine": "cached_db", "cache": f"memcached://{LOOPBACK}:{free_port()}"}
    )
    patient.doctor().names("cache", "start it, or correct its address", "problem", 75)
