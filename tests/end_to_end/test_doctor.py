"""`hallpass doctor`: faults planted one at a time in real sites and in the configuration of real
hosts. The doctor names each, and how to mend it; where there is none, it is silent."""

import os
import pty
import re
import select
import shutil
import socket
import sqlite3
import subprocess
import threading
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hosts import example
from hosts.apache import INCLUDE, LOADED
from hosts.httpd import configuration, load
from hosts.nginx import BASE as NGINX
from hosts.daemon import hallpassd
from processes import LOOPBACK, free_port, give_away
from programs import Result, toml
from stores.mariadb import MariaDB

SECRET = "correct horse"
CHEAP = "pbkdf2_sha256$1000"
OTHER_KEY = "a key of another site, long enough for anybody's taste"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@dataclass
class Doctor:
    """What the doctor said."""

    result: Result
    findings: list[dict] = field(init=False)

    def __post_init__(self):
        assert self.result.stdout, self.result.stderr.decode()
        self.findings = self.result.json["findings"]
        for finding in self.findings:
            assert set(finding) == {"check", "status", "tried", "seen", "mend"}
            assert (finding["mend"] is None) == (finding["status"] == "ok"), finding
            assert finding["tried"] and finding["seen"], finding

    @property
    def complaints(self) -> list[dict]:
        return [finding for finding in self.findings if finding["status"] != "ok"]

    def names(self, check: str, mend: str, status: str, code: int) -> None:
        """Asserts that this fault is named, and no other."""
        complaints = self.complaints
        assert {it["check"] for it in complaints} == {check}, complaints
        assert any(mend in it["mend"] for it in complaints), complaints
        assert {it["status"] for it in complaints} == {status}, complaints
        assert self.result.code == code
        assert self.result.json["status"] == status

    def is_silent(self) -> None:
        assert self.complaints == []
        assert self.result.code == 0
        assert self.result.json["status"] == "ok"


@pytest.fixture(scope="module")
def site(new_site):
    site = new_site()
    site.make_accounts(
        # The groups that the examples name.
        {"username": "alice", "password": SECRET, "groups": ["editors", "two words", "secret-agents"]},
        {"username": "bob", "password": SECRET},
    )
    for name in ("alice", "bob"):
        site.login(name, SECRET)
    return site


class Patient:
    """A copy of the site, with a configuration of its own."""

    def __init__(self, site, directory: Path, shell):
        self.site, self.directory, self.make_shell = site, directory, shell
        self.database = directory / "db.sqlite3"
        shutil.copy(site.database, self.database)
        give_away(self.database)
        self.tables = site.configuration(database=f"sqlite:{self.database}")

    @property
    def config(self) -> Path:
        return self.directory / "hallpass.toml"

    def configure(self, **tables):
        for name, table in tables.items():
            both = isinstance(table, dict) and isinstance(self.tables.get(name), dict)
            self.tables[name] = self.tables[name] | table if both else table

    def sql(self, *statements: str):
        with sqlite3.connect(self.database) as database:
            for statement in statements:
                database.execute(statement)
        database.close()

    def doctor(self, *options, write: bool = True) -> Doctor:
        if write:
            self.config.touch(mode=0o600)
            self.config.write_text(toml(self.tables))
            give_away(self.config)
        return Doctor(self.make_shell(self.config)("doctor", "--json", *options))


@pytest.fixture
def patient(site, directory, shell):
    return Patient(site, directory, shell)


def test_healthy_site_is_ok(patient):
    doctor = patient.doctor()
    doctor.is_silent()
    by_check = {finding["check"]: finding["seen"] for finding in doctor.findings}
    assert by_check["accounts"] == "there are 2"
    assert by_check["sessions"] == "2 live"
    assert "2 of pbkdf2_sha256" in by_check["password-hashes"]
    assert "all 8 tables" in by_check["tables"]


@as_root
def test_healthy_site_is_ok_as_the_hosts_user(patient):
    doctor = patient.doctor("--as-user", "nobody")
    doctor.is_silent()
    assert doctor.findings[0]["check"] == "user"


# Faults of the site and its configuration. Each plants itself in a patient, and may say as whom
# it shows.


def literal_secret_for_all(it: Patient):
    it.doctor()
    it.config.chmod(0o644)
    return {"write": False}


def writable_for_all(it: Patient):
    it.doctor()
    it.config.chmod(0o602)
    return {"write": False}


def secret_file_for_all(it: Patient):
    secret = it.directory / "secret_key"
    secret.write_text(it.tables["django"]["secret_key"] + "\n")
    secret.chmod(0o644)
    it.configure(django={"secret_key": {"file": secret}})


def misspelt_key(it: Patient):
    it.configure(django={"sercet_key": "x"})


def missing_secret_file(it: Patient):
    it.configure(django={"secret_key": {"file": "/nowhere/secret"}})


def no_database(it: Patient):
    it.configure(database=f"sqlite:{it.directory}/elsewhere.sqlite3")


def empty_database(it: Patient):
    it.database.write_bytes(b"")


def garbage(it: Patient):
    it.database.write_bytes(b"this is no database at all. " * 1000)


def no_groups(it: Patient):
    it.sql("DROP TABLE auth_user_groups")


def other_user_table(it: Patient):
    it.configure(django={"user_table": "accounts_user"})


def renamed_column(it: Patient):
    it.sql("ALTER TABLE auth_user RENAME COLUMN is_active TO enabled")


def no_index(it: Patient):
    it.sql(
        "CREATE TABLE copy AS SELECT * FROM django_session",
        "DROP TABLE django_session",
        "ALTER TABLE copy RENAME TO django_session",
    )


def nobody_there(it: Patient):
    it.sql("DELETE FROM auth_user", "DELETE FROM django_session")


def unknown_hash(it: Patient):
    it.sql("UPDATE auth_user SET password = 'rot13$uryyb' WHERE username = 'bob'")


def refused_hash(it: Patient):
    it.configure(django={"password_hashers": ["argon2"]})


def costly_hash(it: Patient):
    it.sql(
        "UPDATE auth_user SET password = 'pbkdf2_sha256$90000000$salt$' || "
        "'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' WHERE username = 'bob'"
    )


def dear_hash(it: Patient):
    # As many iterations as may be computed at all take longer than this anywhere.
    it.configure(limits={"deadline": "300ms"})
    it.sql(
        "UPDATE auth_user SET password = 'pbkdf2_sha256$20000000$salt$' || "
        "'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' WHERE username = 'bob'"
    )


def other_key(it: Patient):
    it.configure(django={"secret_key": OTHER_KEY})


def forgotten_fallback(it: Patient):
    # Django signs with the new key; one session is of the old one.
    it.site.use(SECRET_KEY=OTHER_KEY, SECRET_KEY_FALLBACKS=[it.tables["django"]["secret_key"]])
    try:
        browser = it.site.login("alice", SECRET)
        shutil.copy(it.site.database, it.database)
        browser.logout()
    finally:
        it.site.use(SECRET_KEY=it.tables["django"]["secret_key"], SECRET_KEY_FALLBACKS=[])
    it.configure(django={"secret_key": OTHER_KEY})


def other_backend(it: Patient):
    it.configure(django={"authentication_backends": ["shop.backends.Ldap"]})


def garbled_sessions(it: Patient):
    key = it.tables["django"]["secret_key"]
    payload = it.site.shell(
        "from django.core import signing\n"
        "class Odd:\n"
        "    def dumps(self, value): return b'[1, 2'\n"
        "answer = signing.dumps(1, salt='django.contrib.sessions.SessionStore', serializer=Odd)"
    )
    assert key
    with sqlite3.connect(it.database) as database:
        database.execute("UPDATE django_session SET session_data = ?", [payload])
    database.close()


def no_secret_key(it: Patient):
    it.configure(django={"secret_key": None})


def trusted_store(it: Patient):
    it.configure(django={"secret_key": None, "trust_session_store": True})


def no_session_directory(it: Patient):
    it.configure(django={"session_engine": "file", "session_file_path": "/nowhere/sessions"})


def no_redis(it: Patient):
    cache = f"redis://{LOOPBACK}:{free_port()}/0"
    it.configure(django={"session_engine": "cached_db", "cache": cache})


def no_memcached(it: Patient):
    cache = f"memcached:unix:{it.directory}/memcached.sock"
    it.configure(django={"session_engine": "cached_db", "cache": cache})


def no_daemon(it: Patient):
    it.configure(daemon={"listen": [f"unix:{it.directory}/http.sock"]})


def no_daemon_on_tcp(it: Patient):
    it.configure(daemon={"listen": [f"tcp:{LOOPBACK}:{free_port()}"]})


def no_fastcgi(it: Patient):
    it.configure(daemon={"fastcgi": [f"unix:{it.directory}/fastcgi.sock"]})


def file_for_a_socket(it: Patient):
    (it.directory / "fastcgi.sock").write_text("")
    it.configure(daemon={"fastcgi": [f"unix:{it.directory}/fastcgi.sock"]})


def no_page(it: Patient):
    page = {"url": f"http://{LOOPBACK}:{free_port()}/whoami/", "cookie": "sessionid"}
    it.configure(session_source="http", http=page | {"username": "/user"})


FAULTS = [
    (literal_secret_for_all, "configuration-mode", "chmod o-r", "warning", 0),
    (writable_for_all, "configuration-mode", "chmod o-w", "problem", 1),
    (secret_file_for_all, "secret-file", "chmod o-r", "warning", 0),
    (misspelt_key, "configuration", "fix the file", "problem", 2),
    (missing_secret_file, "configuration", "put the file there", "problem", 2),
    (no_database, "sqlite-file", "where the site's file is", "problem", 75),
    (empty_database, "sqlite-file tables", "where the site's file is", "problem", 1),
    (garbage, "database", "put into `database`", "problem", 75),
    (no_groups, "tables", "[django] groups_table", "problem", 1),
    (other_user_table, "tables", "[django] user_table", "problem", 1),
    (renamed_column, "columns", "name the columns", "problem", 1),
    (no_index, "index", "CREATE INDEX django_session_session_key ON", "warning", 0),
    (nobody_there, "accounts", "set `database` right", "warning", 0),
    (unknown_hash, "password-hashes", "choose new passwords", "warning", 0),
    (refused_hash, "password-hashers", 'add "pbkdf2_sha256"', "problem", 1),
    (costly_hash, "password-limits", "max_iterations", "problem", 1),
    (dear_hash, "password-cost", "[limits] deadline", "problem", 1),
    (other_key, "session-signature", "[django] secret_key", "problem", 1),
    (forgotten_fallback, "session-signature", "secret_key_fallbacks", "warning", 0),
    (other_backend, "session-backend", "authentication_backends", "problem", 1),
    (garbled_sessions, "session-format", "version", "problem", 1),
    (no_secret_key, "session-configuration", "[django] secret_key", "warning", 0),
    (trusted_store, "session-trust", "give [django] secret_key", "warning", 0),
    (no_session_directory, "session-files", "where the site keeps", "problem", 75),
    (no_redis, "cache", "start it", "problem", 75),
    (no_memcached, "cache", "start it", "problem", 75),
    (no_daemon, "socket", "systemctl start hallpassd", "problem", 1),
    (no_daemon_on_tcp, "socket", "systemctl start hallpassd", "problem", 1),
    (no_fastcgi, "socket", "systemctl start hallpassd", "problem", 1),
    (file_for_a_socket, "socket-mode socket", "restart hallpassd", "problem", 1),
    (no_page, "session-page", "[http] url", "problem", 75),
]


@pytest.mark.parametrize(
    ("plant", "checks", "mend", "status", "code"),
    FAULTS,
    ids=[fault[0].__name__ for fault in FAULTS],
)
def test_fault_is_named(patient, plant, checks, mend, status, code):
    doctor = patient.doctor(**(plant(patient) or {}))
    complaints = doctor.complaints
    # One fault may keep two checks from being what they should.
    named = [it["check"] for it in complaints]
    assert named and set(named) <= set(checks.split()) and checks.split()[0] in named, complaints
    assert any(mend in it["mend"] for it in complaints), complaints
    assert {it["status"] for it in complaints} == {status}, complaints
    assert doctor.result.code == code


def test_daemon_that_everybody_can_ask(patient):
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        patient.configure(daemon={"listen": [f"tcp:{LOOPBACK}:{port}"]})
        patient.doctor().is_silent()
        # All addresses of this machine: what is asked is the loopback's all the same.
        patient.configure(daemon={"listen": [f"tcp:0.0.0.0:{port}"]})
        patient.doctor().names("socket-open", "127.0.0.1", "warning", 0)


# What only the host's user is kept from


def unreadable_configuration(it: Patient):
    it.doctor()
    os.chown(it.config, 0, 0)
    return {"write": False}


def unreadable_database(it: Patient):
    os.chown(it.database, 0, 0)
    it.database.chmod(0o600)


def closed_directory(it: Patient):
    closed = it.directory / "closed"
    closed.mkdir(mode=0o700)
    shutil.move(it.database, closed / "db.sqlite3")
    it.configure(database=f"sqlite:{closed}/db.sqlite3")


def log_of_the_site_alone(it: Patient):
    data = it.directory / "data"
    data.mkdir(mode=0o755)
    shutil.move(it.database, data / "db.sqlite3")
    it.database = data / "db.sqlite3"
    it.sql("PRAGMA journal_mode = WAL")
    it.database.chmod(0o644)
    it.configure(database=f"sqlite:{it.database}")


def log_of_somebody_else(it: Patient):
    it.sql("PRAGMA journal_mode = WAL")
    for suffix in ("-wal", "-shm"):
        beside = Path(f"{it.database}{suffix}")
        beside.touch(mode=0o644)


def closed_sessions(it: Patient):
    sessions = it.directory / "sessions"
    sessions.mkdir(mode=0o700)
    it.configure(django={"session_engine": "file", "session_file_path": sessions})


def closed_socket(it: Patient):
    path = it.directory / "fastcgi.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fspath(path))
    listener.listen()
    path.chmod(0o660)
    it.configure(daemon={"fastcgi": [f"unix:{path}?mode=0660"]})
    return {"keep": listener}


@as_root
@pytest.mark.parametrize(
    ("plant", "check", "mend", "code"),
    [
        (unreadable_configuration, "configuration", "setfacl -m u:nobody:r", 2),
        (unreadable_database, "sqlite-file", "setfacl -m u:nobody:r", 75),
        (closed_directory, "sqlite-file", "setfacl -m u:nobody:x", 75),
        (log_of_the_site_alone, "sqlite-wal", "setfacl -m u:nobody:rwx", 75),
        (log_of_somebody_else, "sqlite-wal-owner", "chown nobody", 0),
        (closed_sessions, "session-files", "setfacl -m u:nobody:rx", 75),
        (closed_socket, "socket", "add nobody to that group", 1),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_hosts_user_is_kept_out(patient, plant, check, mend, code):
    options = plant(patient) or {}
    keep = options.pop("keep", None)
    doctor = patient.doctor("--as-user", "nobody", **options)
    complaints = doctor.complaints
    assert [it["check"] for it in complaints] == [check], complaints
    assert mend in complaints[0]["mend"], complaints
    assert doctor.result.code == code, complaints
    if keep:
        keep.close()


@as_root
def test_program_that_the_user_may_not_run(patient, hallpass_programs):
    closed = patient.directory / "bin"
    closed.mkdir(mode=0o700)
    os.chown(closed, 0, 0)
    shutil.copy(hallpass_programs["hallpass"], closed)
    patient.doctor()
    done = subprocess.run(
        [closed / "hallpass", "--config", patient.config, "--json", "doctor"]
        + ["--as-user", "nobody"],
        capture_output=True,
        timeout=60,
    )
    doctor = Doctor(Result(done.returncode, done.stdout, done.stderr))
    doctor.names("program", "where that user can run them", "problem", 1)


@as_root
def test_environment_is_a_servers(patient):
    # What the shell has, a server's program has not.
    patient.configure(django={"secret_key": {"env": "THE_SITES_KEY"}})
    key = patient.site.configuration()["django"]["secret_key"]
    patient.config.write_text(toml(patient.tables))
    give_away(patient.config)
    shell = patient.make_shell(patient.config)
    environment = os.environ | {"THE_SITES_KEY": key}
    Doctor(shell("doctor", "--json", env=environment)).is_silent()
    doctor = Doctor(shell("doctor", "--json", "--as-user", "nobody", env=environment))
    doctor.names("configuration", "fix the file", "problem", 2)
    assert "THE_SITES_KEY" in doctor.complaints[0]["seen"]


@pytest.mark.parametrize("user", ["no-such-user", ""])
def test_unknown_user_is_a_mistake(patient, user):
    patient.doctor()
    result = patient.make_shell(patient.config)("doctor", "--as-user", user)
    assert result.code == 2
    assert not result.stdout


# Servers


@pytest.fixture(scope="module")
def on_postgresql(new_site, postgresql):
    site = new_site(server=postgresql)
    site.make_accounts({"username": "alice", "password": SECRET})
    site.login("alice", SECRET)
    return site


@pytest.fixture
def patient_on_postgresql(on_postgresql, directory, shell):
    return OnServer(on_postgresql, directory, shell)


class OnServer(Patient):
    """A site whose database is on a server."""

    def __init__(self, site, directory, shell):
        self.site, self.directory, self.make_shell = site, directory, shell
        self.tables = site.configuration()


def test_healthy_site_on_postgresql(patient_on_postgresql):
    doctor = patient_on_postgresql.doctor()
    doctor.is_silent()
    assert "clock" in {finding["check"] for finding in doctor.findings}


def database(it: OnServer, **changes) -> dict:
    return it.tables["database"] | changes


def test_wrong_password_for_postgresql(patient_on_postgresql):
    it = patient_on_postgresql
    it.configure(database=database(it, password="not the one"))
    it.doctor().names("database", "correct the user and the password", "problem", 75)


def test_each_host_is_asked(patient_on_postgresql, postgresql):
    it = patient_on_postgresql
    down = free_port()
    url = f"postgres://hallpass@{LOOPBACK}:{down},{LOOPBACK}:{postgresql.port}/"
    it.configure(database=database(it, url=url + it.site.database_name))
    doctor = it.doctor()
    doctor.names("database", "start it", "problem", 75)
    assert [str(down) in finding["tried"] for finding in doctor.complaints] == [True]


def test_missing_right_on_postgresql(patient_on_postgresql, postgresql):
    it = patient_on_postgresql
    name = it.site.database_name
    postgresql.execute("REVOKE SELECT ON auth_group FROM hallpass", name)
    try:
        it.doctor().names("rights", "hallpass grants", "problem", 1)
    finally:
        postgresql.execute("GRANT SELECT ON auth_group TO hallpass", name)


def test_missing_index_on_postgresql(patient_on_postgresql, postgresql):
    it = patient_on_postgresql
    name = it.site.database_name
    constraint = "auth_user_username_key"
    postgresql.execute(f"ALTER TABLE auth_user DROP CONSTRAINT {constraint}", name)
    postgresql.execute("DROP INDEX IF EXISTS auth_user_username_6821ab7c_like", name)
    try:
        doctor = it.doctor()
        doctor.names("index", "CREATE INDEX auth_user_username ON", "warning", 0)
        # The mend mends it.
        postgresql.execute(doctor.complaints[0]["mend"], name)
        it.doctor().is_silent()
    finally:
        postgresql.execute("DROP INDEX IF EXISTS auth_user_username", name)
        postgresql.execute(
            f"ALTER TABLE auth_user ADD CONSTRAINT {constraint} UNIQUE (username)", name
        )


def test_healthy_site_on_mariadb_and_clocks_that_differ(new_site, mariadb: MariaDB, directory, shell):
    site = new_site(server=mariadb)
    site.make_accounts({"username": "alice", "password": SECRET})
    site.login("alice", SECRET)
    it = OnServer(site, directory, shell)
    it.doctor().is_silent()
    # The server sets the clock of all that connect, but for administrators.
    mariadb.execute("SET GLOBAL init_connect = 'SET timestamp = UNIX_TIMESTAMP() + 7200'")
    try:
        it.doctor().names("clock", "NTP", "problem", 1)
    finally:
        mariadb.execute("SET GLOBAL init_connect = ''")


def test_redis_wants_a_password(patient, new_directory):
    from stores.redis import Redis

    with Redis(new_directory(), protected=True) as redis:
        cache = f"redis://{LOOPBACK}:{redis.port}/0"
        patient.configure(django={"session_engine": "cached_db", "cache": cache})
        doctor = patient.doctor()
    cache = [it for it in doctor.complaints if it["check"] == "cache"]
    assert "password" in cache[0]["seen"]
    assert doctor.result.code == 75


@pytest.mark.parametrize("engine", ["cache", "cached_db"])
def test_sessions_in_redis(new_site, new_directory, directory, shell, engine):
    from stores.redis import Redis

    with Redis(new_directory()) as redis:
        site = new_site(
            SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}",
            CACHES={
                "default": {
                    "BACKEND": "django.core.cache.backends.redis.RedisCache",
                    "LOCATION": f"redis://{LOOPBACK}:{redis.port}/1",
                    "KEY_PREFIX": "the:shop",
                    "VERSION": 7,
                }
            },
        )
        site.make_accounts({"username": "alice", "password": SECRET})
        site.login("alice", SECRET)
        it = Patient(site, directory, shell)
        doctor = it.doctor()
        doctor.is_silent()
        assert {it["check"]: it["seen"] for it in doctor.findings}["sessions"] == "1 live"
        it.configure(django={"cache_key_prefix": "shop", "cache_version": None})
        mend = 'cache_key_prefix = "the:shop" and cache_version = 7'
        it.doctor().names("session-cache-key", mend, "problem", 1)


def test_a_logout_from_a_session_in_a_cookie_cannot_be_seen(new_site, directory, shell):
    site = new_site(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
    site.make_accounts({"username": "alice", "password": SECRET})
    it = Patient(site, directory, shell)
    kick = {"kick": f"http://{LOOPBACK}:1/api"}
    # Passwords alone are not ended by a logout.
    for tables in ({"daemon": {"listen": [f"unix:{directory}/http.sock"]}}, {"ejabberd": kick}):
        it.configure(**tables)
        found = {finding["check"]: finding for finding in it.doctor().findings}
        assert found["logout"]["status"] == "ok" and "leaves no trace" in found["logout"]["seen"]
    it.configure(ejabberd=kick | {"accept": ["session"]})
    found = {finding["check"]: finding for finding in it.doctor().findings}
    assert found["logout"]["status"] == "warning" and "a short life" in found["logout"]["mend"]
    it.configure(ejabberd=kick | {"accept": ["session"]}, django={"session_engine": "db"})
    assert "logout" not in {finding["check"] for finding in it.doctor().findings}


# hallpassd


def test_healthy_daemon_and_a_socket_for_all(patient, hallpass_programs):
    path = patient.directory / "http.sock"
    patient.configure(daemon={"listen": [f"unix:{path}?mode=0660"]})
    patient.doctor()
    with hallpassd(hallpass_programs["hallpassd"], patient.config, path):
        doctor = patient.doctor()
        doctor.is_silent()
        assert "socket" in {finding["check"] for finding in doctor.findings}
        path.chmod(0o666)
        patient.doctor().names("socket-mode", "restart hallpassd", "warning", 0)


def test_somebody_else_at_the_socket(patient):
    path = patient.directory / "http.sock"
    patient.configure(daemon={"listen": [f"unix:{path}?mode=0660"]})

    def refuse(listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(4096)
                client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        path.chmod(0o660)
        listener.listen()
        thread = threading.Thread(target=refuse, args=[listener])
        thread.start()
        try:
            patient.doctor().names("socket", "a socket that is its own", "problem", 1)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


# ejabberd


@pytest.fixture
def ejabberd(patient, hallpass_programs):
    configuration = example.install(
        "ejabberd-django",
        patient.directory / "etc",
        {
            "/usr/bin/hallpass-ejabberd": str(hallpass_programs["hallpass-ejabberd"]),
            "/etc/hallpass/hallpass.toml": str(patient.config),
        },
    )
    return HostFile(patient, "ejabberd", configuration / "ejabberd.yml")


KICK = "http://127.0.0.1:5280/api"


def test_the_example_of_ejabberd_and_php(patient, hallpass_programs):
    program = str(hallpass_programs["hallpass-ejabberd"])
    replacements = {"/usr/bin/hallpass-ejabberd": program, "/etc/hallpass/hallpass.toml": str(patient.config)}
    etc = example.install("ejabberd-php", patient.directory / "etc", replacements)
    patient.configure(ejabberd={"accept": ["session"], "kick": KICK})
    doctor = HostFile(patient, "ejabberd", etc / "ejabberd.yml").doctor()
    doctor.is_silent()
    assert any(it["seen"] == "it points here, and fits" for it in doctor.findings)


@dataclass
class HostFile:
    """A host's own configuration file, and the site that it asks."""

    patient: Patient
    host: str
    path: Path

    def edit(self, old: str, new: str) -> None:
        text = self.path.read_text()
        assert old in text, f"{self.path.name} has no {old!r}"
        self.path.write_text(text.replace(old, new))

    def doctor(self) -> Doctor:
        return self.patient.doctor("--host", self.host, "--host-config", self.path)


def test_healthy_ejabberd(ejabberd):
    ejabberd.doctor().is_silent()


@pytest.mark.parametrize(
    ("old", "new", "check", "mend", "status"),
    [
        ("auth_use_cache: false", "", "ejabberd-cache", "auth_use_cache: false", "problem"),
        ("auth_use_cache: false", "auth_use_cache: true", "ejabberd-cache", "false", "problem"),
        ("[external]", "[internal]", "ejabberd-method", "[external]", "problem"),
        ("[external]", "[internal, external]", "ejabberd-method", "[external]", "warning"),
        ("--config ", "'--config ", "ejabberd-program", "quotes", "problem"),
        ("hallpass-ejabberd --config", "hallpass-ejabbert --config", "ejabberd-program", "see that",
         "problem"),
        ("hallpass.toml", "other.toml", "ejabberd-program", "write --config", "problem"),
        ("extauth_pool_size: 2", "extauth_pool_size: 1", "ejabberd-pool", "processors", "warning"),
        ("extauth_pool_size: 2", "extauth_pool_size: 500", "ejabberd-pool", "processors",
         "warning"),
        ("extauth_pool_size: 2", "extauth_instances: 2", "ejabberd-old-option",
         "extauth_pool_size", "warning"),
        ("auth_use_cache: false", "auth_use_cache: false\nextauth_cache: false",
         "ejabberd-old-option", "auth_use_cache", "warning"),
        ("extauth_program:", "#extauth_program:", "host", "docs/ejabberd.md", "problem"),
        ("hosts:", "hosts: [", "host-configuration", "--host-config", "problem"),
    ],
)  # fmt: skip
def test_ejabberd_does_not_fit(ejabberd, old, new, check, mend, status):
    if old == "extauth_program:":
        ejabberd.edit("\nextauth_program:", "\n#extauth_program:")
    else:
        ejabberd.edit(old, new)
    doctor = ejabberd.doctor()
    doctor.names(check, mend, status, 1 if status == "problem" else 0)


@pytest.mark.parametrize("longest", ["", "1 minute", "25", "21 s", "30000 ms"])
def test_a_resource_that_may_come_late(ejabberd, longest):
    ejabberd.edit("negotiation_timeout: 15 seconds", longest and f"negotiation_timeout: {longest}")
    ejabberd.doctor().is_silent()
    ejabberd.patient.configure(ejabberd={"kick": KICK})
    ejabberd.doctor().names("ejabberd-kick", "15 seconds", "warning", 0)


@pytest.mark.parametrize("longest", ["15 seconds", "20", "10s", "9000 ms"])
def test_a_resource_that_comes_in_time(ejabberd, longest):
    ejabberd.edit("negotiation_timeout: 15 seconds", f"negotiation_timeout: {longest}")
    ejabberd.patient.configure(ejabberd={"kick": KICK})
    ejabberd.doctor().is_silent()


def test_line_is_told(ejabberd):
    ejabberd.edit("extauth_pool_size: 2", "extauth_pool_size: 1")
    lines = ejabberd.path.read_text().splitlines()
    line = lines.index("extauth_pool_size: 1") + 1
    assert ejabberd.doctor().complaints[0]["tried"] == f"read {ejabberd.path}:{line}"


def test_domain_that_is_not_served(ejabberd):
    ejabberd.patient.configure(ejabberd={"domains": ["chat.example.com"]})
    ejabberd.doctor().names("ejabberd-domains", '"chat.example.org"', "problem", 1)


def test_ejabberd_for_one_of_its_hosts(ejabberd):
    ejabberd.edit("auth_method: [external]", "auth_method: [internal]")
    text = ejabberd.path.read_text()
    program = re.search(r"^extauth_program:.*$", text, re.M)[0]
    ejabberd.path.write_text(
        text.replace(program, "")
        + f'host_config:\n  "chat.example.org":\n    auth_method: [external]\n    {program}\n'
    )
    doctor = ejabberd.doctor()
    # The others' method is told, for it lets people in that the site does not know.
    assert {it["check"] for it in doctor.complaints} <= {"ejabberd-method"}


# Apache


@pytest.fixture
def apache(patient, hallpass_programs):
    etc = example.install(
        "apache-django",
        patient.directory / "etc",
        {
            "*:80": f"{LOOPBACK}:80",
            "/usr/bin/hallpass-apache": str(hallpass_programs["hallpass-apache"]),
            "/etc/hallpass/hallpass.toml": str(patient.config),
            "/srv/files": str(patient.directory),
            "/var/log/apache2": str(patient.directory),
        },
    )
    text = configuration(patient.directory, free_port(), LOADED, INCLUDE)
    (patient.directory / "httpd.conf").write_text(text)
    return HostFile(patient, "apache", etc / "hallpass.conf")


def apache_doctor(it: HostFile) -> Doctor:
    main = it.patient.directory / "httpd.conf"
    return it.patient.doctor("--host", "apache", "--host-config", main)


def test_healthy_apache(apache):
    (apache.patient.directory / "www").mkdir()
    checked = subprocess.run(
        ["/usr/sbin/apache2", "-f", apache.patient.directory / "httpd.conf", "-t"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stderr
    apache_doctor(apache).is_silent()


@pytest.mark.parametrize(
    ("old", "new", "check", "mend", "status"),
    [
        ("hallpass         pipe", "hallpass         environment", "apache-method", "--method",
         "problem"),
        ("hallpass         pipe", "hallpass         checkpassword", "apache-method", "write pipe",
         "problem"),
        ("apache group --config", "apache auth --config", "apache-method", "apache group",
         "problem"),
        ('pipe        "/', "pipe        \"'/", "apache-program", "take the quotes away",
         "problem"),
        ("/hallpass-apache auth --config", "/hallpass-apachee auth --config", "apache-program",
         "is there", "problem"),
        ("/hallpass.toml", "/other.toml", "apache-program", "write --config", "problem"),
        ("AuthExternal hallpass\n", "AuthExternal halpass\n", "apache-definition",
         "DefineExternalAuth halpass", "problem"),
        ("        AuthExternal hallpass-environment\n", "", "apache-definition",
         "write AuthExternal", "problem"),
        ("Require external-group is:staff", "Require group is:staff", "apache-group",
         "external-group", "problem"),
        ("AuthBasicProvider external", "AuthBasicProvider socache external", "apache-cache",
         "take socache away", "warning"),
        ("    ErrorLog", "    RewriteMap session \"prg:PROGRAM rewritemap --config CONFIG\"\n"
         "    ErrorLog", "apache-rewritemap-user apache-module", "hallpass:hallpass", None),
    ],
)  # fmt: skip
def test_apache_does_not_fit(apache, hallpass_programs, old, new, check, mend, status):
    new = new.replace("PROGRAM", str(hallpass_programs["hallpass-apache"]))
    apache.edit(old, new.replace("CONFIG", str(apache.patient.config)))
    doctor = apache_doctor(apache)
    if status:
        doctor.names(check, mend, status, 1 if status == "problem" else 0)
    else:
        assert {it["check"] for it in doctor.complaints} == set(check.split())
        assert any(mend in it["mend"] for it in doctor.complaints)
    assert all("hallpass.conf:" in it["tried"] for it in doctor.complaints)


@pytest.mark.parametrize("module", ["authnz_external", "auth_basic", "authn_core", "authz_user"])
def test_apache_misses_a_module(apache, module):
    main = apache.patient.directory / "httpd.conf"
    text = main.read_text()
    main.write_text(re.sub(f"LoadModule {module}_module.*\n", "", text))
    doctor = apache_doctor(apache)
    doctor.names("apache-module", f"a2enmod {module}", "problem", 1)


def test_apache_with_threads(apache):
    main = apache.patient.directory / "httpd.conf"
    main.write_text(main.read_text().replace("mpm_prefork", "mpm_event"))
    apache_doctor(apache).names("apache-mpm", "mpm_prefork", "problem", 1)


def test_definition_in_another_virtual_host(apache):
    text = apache.path.read_text()
    lines = [line for line in text.splitlines() if line.strip().startswith("DefineExternal")]
    for line in lines:
        text = text.replace(line + "\n", "")
    apache.path.write_text("\n".join(lines) + "\n" + text)
    doctor = apache_doctor(apache)
    doctor.names("apache-definition", "inside the same <VirtualHost>", "problem", 1)
    assert "does not inherit" in doctor.complaints[0]["seen"]


SECTIONS = [
    "<IfDefine A>",
    "<IfDefine !A>",
    "<ifdefine STARTED>",
    "<IfDefine !STARTED_TOO>",
    "<IfDefine COMMENT>",
    "Define A\n<IfDefine A>",
    "Define A\n<IfDefine a>",
    "Define A\nUnDefine A\n<IfDefine A>",
    "<IfDefine A>\nDefine B\n</IfDefine>\n<IfDefine B>",
    "<IfDefine !A>\nDefine B\n</IfDefine>\n<IfDefine B>",
    "<IfDefine A>\n<IfModule mod_alias.c>\n</IfModule>\n</IfDefine>\n<IfDefine !A>",
    "<IfDefine A>\n<IfDefine !A>\n</IfDefine>",
    "<IfModule mod_alias.c>",
    "<IfModule !alias_module>",
    "<IfModule mod_so.c>",
    "<IfModule mod_nothing.c>",
    "<IfModule !mod_nothing.c>",
    "Define MODULE alias_module\n<IfModule ${MODULE}>",
    "<IfModule ${FROM_THE_ENVIRONMENT}>",
    "<IfVersion >= 2.4>",
    "<IfVersion < 2.4>",
    "<IfVersion !>= 2.4.1>",
    "<IfVersion <= 2.3.99>",
    "<IfFile /nowhere/at/all>",
    "<IfFile /etc/passwd>",
]
ENVVARS = """\
# export APACHE_ARGUMENTS='-D COMMENT'
unset HOME
export APACHE_ARGUMENTS='-D STARTED -DSTARTED_TOO'
export FROM_THE_ENVIRONMENT=alias_module
"""


@pytest.mark.parametrize("section", SECTIONS)
def test_sections_count_where_apache_reads_them(apache, section):
    directory = apache.patient.directory
    (directory / "www").mkdir()
    (directory / "envvars").write_text(ENVVARS)
    text = apache.path.read_text()
    end = f"</{re.findall(r'<([a-zA-Z]+)', section)[-1]}>\n"
    start = ". ./envvars && exec /usr/sbin/apache2 -f $PWD/httpd.conf $APACHE_ARGUMENTS -t"
    apache.path.write_text(f"{section}\nNoSuchDirective\n{end}{text}")
    asked = ["sh", "-c", start]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, cwd=directory)
    reads = "NoSuchDirective" in done.stderr
    assert reads == (done.returncode != 0), done.stderr

    apache.path.write_text(f"{section}\n{text}\n{end}")
    doctor = apache_doctor(apache)
    if reads:
        doctor.is_silent()
    else:
        doctor.names("host", "docs/apache.md", "problem", 1)
        assert "nothing in it points to Hallpass" in doctor.complaints[0]["seen"]


def test_variables_of_apache(apache, hallpass_programs):
    helper = str(hallpass_programs["hallpass-apache"])
    text = apache.path.read_text().replace(helper, "${HELPER}")
    assert "${HELPER} auth" in text
    apache.path.write_text(f"Define HELPER {helper}\n{text}")
    apache_doctor(apache).is_silent()
    apache.path.write_text(f"Define HELPER {helper}e\n{text}")
    apache_doctor(apache).names("apache-program", "is there", "problem", 1)


def test_fastcgi_of_apache(patient):
    etc = example.install("apache-fcgi-django", patient.directory / "etc", {})
    it = HostFile(patient, "apache", etc / "hallpass.conf")
    main = patient.directory / "httpd.conf"
    modules = [*LOADED, "authnz_fcgi"]
    main.write_text(f'{load(modules)}\nInclude "{it.path}"\n')
    port = free_port()
    with socket.create_server((LOOPBACK, port)):
        patient.configure(daemon={"fastcgi": [f"tcp:{LOOPBACK}:{port}"]})
        apache_doctor(it).names("apache-fcgi", "[daemon] fastcgi", "problem", 1)
        it.edit("127.0.0.1:9010", f"{LOOPBACK}:{port}")
        apache_doctor(it).is_silent()


@pytest.mark.parametrize(
    ("name", "file"),
    [("apache-rewritemap-django", "hallpass.conf"), ("phpbb-django", "apache.conf")],
)
def test_maps_of_apache(patient, hallpass_programs, name, file):
    program = str(hallpass_programs["hallpass-apache"])
    replacements = {"/usr/bin/hallpass-apache": program, "/etc/hallpass/hallpass.toml": str(patient.config)}
    etc = example.install(name, patient.directory / "etc", replacements)
    modules = load([*LOADED, "rewrite", "headers", "proxy", "proxy_fcgi"])
    (patient.directory / "httpd.conf").write_text(f'{modules}\nInclude "{etc / file}"\n')
    doctor = apache_doctor(HostFile(patient, "apache", etc / file))
    doctor.is_silent()
    assert any(it["seen"] == "it points here, and fits" for it in doctor.findings)


# nginx


@pytest.fixture
def nginx(patient, hallpass_programs):
    path = patient.directory / "http.sock"
    etc = example.install(
        "nginx-django",
        patient.directory / "etc",
        {"/run/hallpass/http.sock": str(path), "listen 80;": f"listen {LOOPBACK}:{free_port()};"},
    )
    main = etc / "nginx.conf"
    main.write_text(NGINX.format(directory=patient.directory))
    (patient.directory / "temporary").mkdir()
    login = "https://shop.example.org/login/?next={url}"
    patient.configure(daemon={"listen": [f"unix:{path}?mode=0660"], "login_url": login})
    patient.doctor()
    with hallpassd(hallpass_programs["hallpassd"], patient.config, path):
        yield HostFile(patient, "nginx", etc / "hallpass.conf")


def nginx_doctor(it: HostFile) -> Doctor:
    main = it.patient.directory / "etc/nginx.conf"
    return it.patient.doctor("--host", "nginx", "--host-config", main)


def test_healthy_nginx(nginx):
    directory = nginx.patient.directory
    checked = subprocess.run(
        ["/usr/sbin/nginx", "-e", directory / "error.log", "-p", directory]
        + ["-c", directory / "etc/nginx.conf", "-t"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stderr
    nginx_doctor(nginx).is_silent()


@pytest.mark.parametrize("name", ["phpbb-django", "django-joomla"])
def test_other_examples_of_nginx_fit(nginx, name):
    directory = nginx.patient.directory
    replacements = {"/run/hallpass/http.sock": str(directory / "http.sock")}
    etc = example.install(name, directory / "other", replacements)
    main = etc / "main.conf"
    main.write_text(f"http {{ include {etc}/nginx.conf; }}\n")
    doctor = nginx.patient.doctor("--host", "nginx", "--host-config", main)
    doctor.is_silent()
    assert any(it["seen"] == "it points here, and fits" for it in doctor.findings)
    for snippet, line in (
        ("forum-php.conf", 'fastcgi_param HTTP_REMOTE_GROUPS          "";'),
        ("app-identity.conf", "proxy_set_header Remote-Groups          $hallpass_groups;"),
    ):
        if (file := etc / "snippets" / snippet).exists():
            HostFile(nginx.patient, "nginx", file).edit(line, "")
    doctor = nginx.patient.doctor("--host", "nginx", "--host-config", main)
    doctor.names("nginx-identity", "REMOTE_GROUPS" if "phpbb" in name else "Remote-Groups", "warning", 0)


QUESTION = "proxy_pass http://hallpass/auth;"


@pytest.mark.parametrize(
    ("file", "old", "new", "check", "mend", "status"),
    [
        ("hallpass.conf", "/http.sock;", "/other.sock;", "nginx-socket", "same socket", "problem"),
        ("hallpass.conf", QUESTION, "proxy_pass http://hallpass/check;", "nginx-path", "/auth",
         "problem"),
        ("hallpass.conf", QUESTION, "proxy_pass http://hallpass;", "nginx-path", "/auth",
         "problem"),
        ("hallpass.conf", "location = /_hallpass/password", "location = /_hallpass/passwords",
         "nginx-location", "location = /_hallpass/password", "problem"),
        ("hallpass.conf", "        internal;\n", "", "nginx-internal", "internal", "warning"),
        ("hallpass.conf", QUESTION, QUESTION + " proxy_cache c; proxy_cache_key $http_cookie;",
         "nginx-cache-key", "$http_authorization", "problem"),
        ("hallpass.conf", QUESTION, QUESTION + " proxy_cache c;", "nginx-cache-key",
         "$http_cookie and $http_authorization", "problem"),
        ("hallpass.conf", QUESTION, "proxy_pass http://hallpass/auth?group=editors&$request_uri;",
         "nginx-path", "/auth?group=staff", "problem"),
        ("snippets/hallpass-identity.conf", "Remote-User            $hallpass_user;",
         "Remote-User $http_remote_user;", "nginx-identity", "Remote-User", "problem"),
        ("snippets/hallpass-identity.conf", "Remote-User            $hallpass_user;",
         "Remote-User ${arg_user};", "nginx-identity", "Remote-User", "warning"),
        ("snippets/hallpass-identity.conf", "Remote-User            $hallpass_user;",
         "Remote-User $cookie_user;", "nginx-identity", "Remote-User", "warning"),
        ("hallpass.conf", "        include snippets/hallpass-identity.conf;\n", "",
         "nginx-identity", "Remote-User", "warning"),
        ("snippets/hallpass-question.conf", "proxy_pass_request_body off;", "", "nginx-body",
         "proxy_pass_request_body off;", "warning"),
        ("snippets/hallpass-question.conf", 'proxy_set_header Content-Length "";', "",
         "nginx-body", 'Content-Length ""', "warning"),
        ("snippets/hallpass-question.conf", "proxy_set_header X-Original-URI $request_uri;", "",
         "nginx-original-uri", "X-Original-URI", "warning"),
        ("snippets/hallpass-question.conf", 'proxy_set_header X-Original-URI $request_uri;',
         "proxy_set_header X-Original-URL $request_uri; #",
         "nginx-original-uri", 'X-Original-URI ""', "warning"),
        ("snippets/hallpass-question.conf", "proxy_set_header X-Forwarded-For $remote_addr;", "",
         "nginx-client-address", "X-Forwarded-For $remote_addr", "warning"),
        ("snippets/hallpass-question.conf", "X-Forwarded-For $remote_addr;",
         "X-Forwarded-For $http_x_forwarded_for;",
         "nginx-client-address", "X-Forwarded-For $remote_addr", "warning"),
        ("snippets/hallpass-question.conf", "X-Forwarded-For $remote_addr;",
         'X-Forwarded-For "$remote_addr, $http_x_real_ip";',
         "nginx-client-address", "X-Forwarded-For $remote_addr", "warning"),
        ("snippets/hallpass-identity.conf",
         "proxy_set_header Remote-Groups          $hallpass_groups;", "",
         "nginx-identity", 'proxy_set_header Remote-Groups "";', "warning"),
        ("snippets/hallpass-identity.conf", "Remote-User            $hallpass_user;",
         "Remote-User $remote_user;", "nginx-remote-user", "$hallpass_user", "problem"),
        ("hallpass.conf", "    listen 127", "    underscores_in_headers on; listen 127",
         "nginx-identity", "underscores_in_headers on;", "warning"),
        ("hallpass.conf", "    listen 127", "    ignore_invalid_headers off; listen 127",
         "nginx-identity", "ignore_invalid_headers off;", "warning"),
        ("hallpass.conf", "auth_request /", "# auth_request /", "host", "docs/http.md",
         "problem"),
    ],
)  # fmt: skip
def test_nginx_does_not_fit(nginx, file, old, new, check, mend, status):
    HostFile(nginx.patient, "nginx", nginx.patient.directory / "etc" / file).edit(old, new)
    doctor = nginx_doctor(nginx)
    doctor.names(check, mend, status, 1 if status == "problem" else 0)


# A location for PHP, of which each line but one is there.
PHP = [
    "include /etc/nginx/fastcgi_params;",
    "include {etc}/snippets/hallpass-php.conf;",
    "fastcgi_pass unix:/run/php/php8.2-fpm.sock;",
]


@pytest.mark.parametrize(
    ("place", "lines", "check", "mend"),
    [
        ("/_hallpass/session", PHP, None, None),
        ("/_hallpass/password", PHP, None, None),
        # Debian's REMOTE_USER is the last.
        ("/_hallpass/session", [PHP[1], PHP[0], PHP[2]], "nginx-remote-user", "REMOTE_USER"),
        # Both names are of the account that was let in.
        ("/_hallpass/password", [PHP[1], PHP[0], PHP[2]], None, None),
        ("/_hallpass/session", [*PHP, "fastcgi_param PHP_AUTH_USER $remote_user;"],
         "nginx-remote-user", "PHP_AUTH_USER $hallpass_user"),
        # Nothing but the claims of a client is removed, and PHP reads Authorization.
        ("/_hallpass/session", [PHP[2], "{claims}"], "nginx-remote-user", "HTTP_AUTHORIZATION"),
        ("/_hallpass/password", [PHP[2], "{claims}"], None, None),
        ("/_hallpass/password", [PHP[0], PHP[2]], "nginx-identity", 'HTTP_REMOTE_GROUPS "";'),
        ("/_hallpass/password", ["uwsgi_pass 127.0.0.1:9000;"], "nginx-identity",
         'uwsgi_param HTTP_REMOTE_GROUPS "";'),
        # Below the location in which the question is asked.
        ("/_hallpass/session", ["location ~ \\.php$ {{ " + PHP[0] + PHP[1] + PHP[2] + " }}"], None, None),
        ("/_hallpass/session", ["location ~ \\.php$ {{ " + PHP[1] + PHP[0] + PHP[2] + " }}"],
         "nginx-remote-user", "REMOTE_USER"),
        ("/_hallpass/session", ["location ~ \\.php$ {{ auth_request off; " + PHP[0] + PHP[2] + " }}"],
         "nginx-off", "take it away"),
    ],
)  # fmt: skip
def test_nginx_tells_php_of_nobody_else(nginx, place, lines, check, mend):
    names = "USER USER_ENCODING EMAIL NAME GROUPS SESSION SESSION_EXPIRES".split()
    words = {
        "etc": nginx.patient.directory / "etc",
        "claims": " ".join(f'fastcgi_param HTTP_REMOTE_{name} "";' for name in names),
    }
    inside = "\n".join(line.format(**words) for line in lines)
    login = "location @login {"
    nginx.edit(login, f"location /php/ {{ auth_request {place};\n{inside}\n}}\n{login}")
    doctor = nginx_doctor(nginx)
    if check is None:
        doctor.is_silent()
    else:
        status = "problem" if check == "nginx-remote-user" else "warning"
        doctor.names(check, mend, status, 1 if status == "problem" else 0)


@pytest.mark.parametrize(
    ("line", "check", "mend"),
    [
        ("", "nginx-identity", 'proxy_set_header Remote-User "";'),
        ("include snippets/hallpass-identity.conf;", None, None),
        (PHP[0] + " {claims}", "nginx-remote-user", "REMOTE_USER"),
    ],
)
def test_nginx_tells_nothing_of_guests(nginx, line, check, mend):
    """Who has no session, and is let in without a name."""
    names = "USER USER_ENCODING EMAIL NAME GROUPS SESSION SESSION_EXPIRES".split()
    claims = " ".join(f'fastcgi_param HTTP_REMOTE_{name} "";' for name in names)
    way = "fastcgi_pass 127.0.0.1:9000;" if "fastcgi" in line else "proxy_pass http://application;"
    nginx.edit("        return 302 $hallpass_login;\n", line.format(claims=claims) + way)
    doctor = nginx_doctor(nginx)
    if check is None:
        doctor.is_silent()
    else:
        doctor.names(check, mend, "problem", 1)
        assert len(doctor.complaints) == 1


@pytest.mark.parametrize(
    ("location", "well"),
    [
        ("location /open/ {{ proxy_pass http://application; }}", False),
        ("location /open/ {{ proxy_pass http://application/path; proxy_set_header Host a; }}", False),
        ("location /open/ {{ location /open/further {{ proxy_pass http://application; }} }}", False),
        ("location /private/open {{ auth_request off; proxy_pass http://application; }}", False),
        ("location /open/ {{ include snippets/hallpass-identity.conf; proxy_pass http://application; }}",
         True),
        ("location /open/ {{ {claims} proxy_pass http://application; }}", True),
        ("location /open/ {{ proxy_pass http://127.0.0.1:8001; }}", True),
        ("location /open/ {{ fastcgi_pass application; }}", True),
        ("location /open/ {{ return 204; }}", True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "in another server"])
def test_nginx_leaves_no_other_way_to_the_application(nginx, location, well, elsewhere):
    """Where nothing is asked, a client's own headers would be believed there."""
    names = "User User-Encoding Email Name Groups Session Session-Expires".split()
    claims = " ".join(f'proxy_set_header Remote-{name} "";' for name in names)
    location = location.format(claims=claims)
    if elsewhere:
        upstream = "upstream application {"
        nginx.edit(upstream, f"server {{ listen 127.0.0.1:1; {location} }}\n{upstream}")
    else:
        login = "location @login {"
        nginx.edit(login, f"{location}\n{login}")
    doctor = nginx_doctor(nginx)
    if well:
        doctor.is_silent()
    else:
        doctor.names("nginx-identity", 'proxy_set_header Remote-User "";', "problem", 1)
        assert len(doctor.complaints) == 1


def test_key_with_both_credentials_is_well(nginx):
    key = " proxy_cache c; proxy_cache_key $http_cookie$http_authorization$request_uri;"
    nginx.edit(QUESTION, QUESTION + key)
    nginx_doctor(nginx).is_silent()


@pytest.mark.parametrize(
    ("accept", "question", "well"),
    [
        # The name of Basic binds where nothing else is said, even where no password is accepted.
        (["session"], QUESTION, False),
        (["session"], "proxy_pass http://hallpass/auth?basic=0;", True),
        (["session", "password"], "proxy_pass http://hallpass/auth?basic=0;", True),
        (["session", "ticket"], "proxy_pass http://hallpass/auth?basic=0;", False),
    ],
)
def test_key_has_authorization_where_that_counts(nginx, accept, question, well):
    daemon = nginx.patient.tables["daemon"] | {"accept": accept}
    tickets = {"tickets": {"key": "a key of thirty-two bytes, or more"}} if "ticket" in accept else {}
    nginx.patient.configure(daemon=daemon, **tickets)
    key = " proxy_cache c; proxy_cache_key $http_cookie$request_uri;"
    nginx.edit(question, question + key)
    doctor = nginx_doctor(nginx)
    if well:
        doctor.is_silent()
    else:
        doctor.names("nginx-cache-key", "$http_authorization", "problem", 1)


@as_root
def test_nginxs_user_cannot_open_the_socket(nginx):
    main = nginx.patient.directory / "etc/nginx.conf"
    main.write_text("user www-data;\n" + main.read_text())
    doctor = nginx_doctor(nginx)
    doctor.names("nginx-socket", "usermod -aG hallpass-ask www-data", "problem", 1)
    assert "http.sock has the mode 0660" in doctor.complaints[0]["seen"]


# Hosts of which the lines are looked at that name Hallpass


OTHERS = [
    ("squid", "squid-django/hallpass.conf", "hallpass-squid"),
    ("dovecot", "dovecot-django/hallpass.conf", "hallpass-checkpassword"),
    ("pam", "pam-django/shop", "hallpass-pam"),
]


@pytest.mark.parametrize(("host", "file", "program"), OTHERS)
def test_programs_of_other_hosts(patient, hallpass_programs, host, file, program):
    directory, _, name = file.partition("/")
    etc = example.install(
        directory,
        patient.directory / "etc",
        {
            f"/usr/bin/{program}": str(hallpass_programs[program]),
            "/etc/hallpass/hallpass.toml": str(patient.config),
        },
    )
    it = HostFile(patient, host, etc / name)
    it.doctor().is_silent()
    it.edit("hallpass.toml", "other.toml")
    it.doctor().names("host-program", f"write --config {patient.config}", "problem", 1)
    it.edit("other.toml", "hallpass.toml")
    it.edit(str(hallpass_programs[program]), f"/usr/lib/{program}")
    it.doctor().names("host-program", "see that", "problem", 1)


def test_socket_of_caddy(patient, hallpass_programs):
    path = patient.directory / "http.sock"
    etc = example.install("caddy-django", patient.directory / "etc", {"/run/hallpass/http.sock": str(path)})
    it = HostFile(patient, "caddy", etc / "Caddyfile")
    patient.configure(daemon={"listen": [f"unix:{path}?mode=0660"]})
    patient.doctor()
    with hallpassd(hallpass_programs["hallpassd"], patient.config, path):
        it.doctor().is_silent()
        it.edit("request_header -Remote_*", "")
        it.doctor().names("caddy-identity", "request_header -Remote_*", "warning", 0)
        it.edit("request_header -Remote-*", "request_header -Remote-*\nrequest_header -Remote_*")
        it.edit("request_header -Authorization", "")
        it.doctor().names("caddy-remote-user", "request_header -Authorization", "warning", 0)
        it.edit("reverse_proxy", "request_header -Authorization\nreverse_proxy")
        it.edit(str(path), "/run/hallpass/other.sock")
        it.doctor().names("host-socket", "same socket", "problem", 1)


def test_caddy_that_asks_by_tcp(patient, hallpass_programs):
    port = free_port()
    file = patient.directory / "Caddyfile"
    file.write_text(
        f"site.example {{\n\tforward_auth 127.0.0.1:{port} {{\n\t\turi /auth\n"
        "\t\tcopy_headers Remote-User\n\t}\n}\n"
    )
    it = HostFile(patient, "caddy", file)
    patient.configure(daemon={"listen": [f"tcp:{LOOPBACK}:{port}"]})
    patient.doctor()
    with hallpassd(hallpass_programs["hallpassd"], patient.config, (LOOPBACK, port)):
        doctor = it.doctor()
        doctor.names("caddy-identity", "Remote-Groups", "warning", 0)
        assert "Remote-Groups" in doctor.complaints[0]["seen"]
        it.edit(f"127.0.0.1:{port}", "127.0.0.1:1")
        it.doctor().names("host", "docs/http.md", "problem", 1)


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("apache", 'Include "{itself}"\n'),
        ("apache", "<Location /a>\n" * 100_000),
        ("nginx", "include {itself};\n"),
        ("nginx", "a {" * 100_000),
        ("nginx", 'a "b;\n'),
        ("ejabberd", "[" * 100_000),
        ("ejabberd", "a: b: c"),
        ("ejabberd", "\0\1\2"),
    ],
    ids=range(8),
)
def test_nonsense_is_said_to_be_some(patient, host, text):
    itself = patient.directory / "nonsense.conf"
    itself.write_text(text.replace("{itself}", str(itself)))
    doctor = patient.doctor("--host", host, "--host-config", itself)
    doctor.names("host-configuration", "--host-config", "problem", 1)


@as_root
def test_host_as_its_user(ejabberd):
    options = ["--as-user", "nobody", "--host", "ejabberd", "--host-config", ejabberd.path]
    ejabberd.patient.doctor(*options).is_silent()
    os.chown(ejabberd.path, 0, 0)
    ejabberd.path.chmod(0o600)
    doctor = ejabberd.patient.doctor(*options)
    doctor.names("host-configuration", "may read it", "problem", 1)


@as_root
def test_host_that_may_not_run_the_program(ejabberd, hallpass_programs):
    closed = ejabberd.patient.directory / "closed"
    closed.mkdir(mode=0o700)
    os.chown(closed, 0, 0)
    program = hallpass_programs["hallpass-ejabberd"]
    shutil.copy(program, closed)
    ejabberd.edit(str(program), f"{closed}/hallpass-ejabberd")
    options = ["--host", "ejabberd", "--host-config", ejabberd.path]
    ejabberd.patient.doctor(*options).is_silent()
    doctor = ejabberd.patient.doctor("--as-user", "nobody", *options)
    doctor.names("ejabberd-program", "the server's user may run it", "problem", 1)


# Other frameworks


def test_statements_of_custom(patient):
    user = "SELECT id, {} password, is_active FROM auth_user WHERE username = :username"
    by_id = "SELECT id, username FROM auth_user WHERE id = :id"
    session = "SELECT 1 AS user_id WHERE :session = 'x'"
    custom = {"user": user.format("username,"), "user_by_id": by_id, "session": session}
    patient.tables = {
        "framework": "custom",
        "database": f"sqlite:{patient.database}",
        "custom": custom,
        "passwords": {"dummy": "pbkdf2_sha256$1"},
    }
    patient.doctor().is_silent()
    custom["user"] = user.format("username AS name,")
    patient.doctor().names("statements", "AS username", "problem", 1)
    custom["user"] = user.format("username,").replace("auth_user", "accounts")
    patient.doctor().names("statements", "[custom] user", "problem", 1)


@pytest.mark.parametrize(
    ("framework", "own", "columns"),
    [
        ("flask", {"secret_key": "x" * 16, "session_store": "sql"}, "session_id, data, expiry"),
        ("express", {"secrets": ["x" * 16], "session_table": "sessions", "id_column": "sid",
                     "data_column": "sess", "expires_column": "expire"}, "sid, sess, expire"),
    ],
)
def test_session_tables(patient, framework, own, columns):
    """The table that `sessions` of Flask-Session, or a store of express-session, is in."""
    user = "SELECT id, username, password, is_active FROM auth_user WHERE"
    patient.tables = {
        "framework": framework,
        "database": f"sqlite:{patient.database}",
        framework: own,
        "custom": {"user": f"{user} username = :username", "user_by_id": f"{user} id = :id"},
        "passwords": {"dummy": "pbkdf2_sha256$1"},
    }
    patient.doctor().names("tables", f"[{framework}] session_table", "problem", 1)
    with closing(sqlite3.connect(patient.database)) as connection:
        names = ", ".join(f"{name} TEXT" for name in columns.split(", "))
        connection.execute(f"CREATE TABLE sessions ({names}, PRIMARY KEY ({columns.split(', ')[0]}))")
        connection.commit()
    patient.doctor().is_silent()


def test_sessions_of_php(patient):
    sessions = patient.directory / "sessions"
    sessions.mkdir(mode=0o755)
    give_away(sessions)
    php = {"save_handler": "files", "save_path": sessions, "user": "user"}
    patient.tables = {"framework": "php", "php": php}
    patient.doctor().is_silent()
    store = "session_save_path($argv[1]); session_id($argv[2]); session_start();"
    subprocess.run(
        ["php", "-r", store + " $_SESSION['user'] = 'alice';", "--", sessions, "b" * 26],
        check=True,
        capture_output=True,
        timeout=60,
    )
    doctor = patient.doctor()
    doctor.is_silent()
    assert {it["check"]: it["seen"] for it in doctor.findings}["sessions"] == "1 live"
    php["user"] = "login.name"
    patient.doctor().names("session-user", "where in a session its user is", "warning", 0)
    php["user"] = "user"
    (sessions / f"sess_{'b' * 26}").write_bytes(b'user|s:99:"cut')
    patient.doctor().names("session-format", "serialize_handler", "problem", 1)


def test_sessions_of_php_in_redis(patient, redis):
    # The doctor looks at some keys by chance: those of other tests would hide these.
    redis.execute("FLUSHDB", database=5)
    where = f"tcp://{LOOPBACK}:{redis.port}?database=5&prefix=DOCTOR:"
    store = "session_save_path($argv[1]); session_id($argv[2]); session_start();"
    for number, user in enumerate(["alice", ""]):
        code = f"ini_set('session.save_handler', 'redis'); {store} $_SESSION['user'] = '{user}';"
        done = subprocess.run(
            ["php", "-r", code, "--", where, str(number) * 26],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0 and not done.stdout, done.stdout
    php = {"save_handler": "redis", "save_path": where, "user": "user"}
    patient.tables = {"framework": "php", "php": php}
    doctor = patient.doctor()
    doctor.is_silent()
    seen = {it["check"]: it["seen"] for it in doctor.findings}["sessions"]
    assert seen == "1 anonymous, 1 live"


# Of frameworks whose tables have one: the key that says it.
PREFIXES = [
    ("joomla", "dbprefix"),
    ("phpbb", "table_prefix"),
    ("wordpress", "table_prefix"),
    ("drupal", "prefix"),
]


@pytest.mark.parametrize(("framework", "key"), PREFIXES)
def test_wrong_prefix(patient, framework, key):
    own = {key: "wrong_"}
    if framework == "joomla":
        own |= {"secret": "x" * 16, "session_handler": "database"}
    if framework == "drupal":
        own |= {"base_url": "https://www.example.org"}
    patient.tables = {
        "framework": framework,
        "database": f"sqlite:{patient.database}",
        framework: own,
    }
    patient.doctor().names("tables", f"[{framework}] {key}", "problem", 1)


# On a terminal


def at_terminal(command: list, **environment: str) -> str:
    """What the screen shows, 80 columns wide."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.pop("NO_COLOR", None)
        os.environ.update(environment)
        os.execv(command[0], [os.fspath(word) for word in command])
    screen = b""
    try:
        while select.select([terminal], [], [], 60)[0]:
            try:
                screen += os.read(terminal, 65536)
            except OSError:  # what Linux says when the other side is closed
                break
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    return screen.decode()


def test_screen(patient):
    patient.configure(django={"secret_key": OTHER_KEY})
    patient.doctor()
    command = [patient.make_shell().program, "--config", patient.config, "doctor"]
    coloured = at_terminal(command)
    plain = at_terminal(command, NO_COLOR="1")
    assert "\x1b[31mproblem" in coloured and "\x1b[32mok" in coloured
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[\d+m", "", coloured).split()[:20] == plain.split()[:20]
    # A path is not broken; all else fits.
    for line in plain.splitlines():
        assert len(line) <= 80 or "/" in line, line
    assert "-> put the site's SECRET_KEY" in plain
    assert "1 problem" in plain


def test_no_colour_in_a_file(patient):
    patient.doctor()
    result = patient.make_shell(patient.config)("doctor")
    assert "\x1b" not in result.text
    assert result.text.splitlines()[-1].startswith("All ")
