"""PostgreSQL: SCRAM passwords on TCP and the unix socket, TLS, and hot standbys."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from processes import LOOPBACK, give_away

from .certificates import make_certificates
from .server import Server, ToolFailed

# Debian keeps the programs of each version apart, and none of them in PATH.
PROGRAMS = max(
    Path("/usr/lib/postgresql").glob("*/bin"),
    key=lambda path: float(path.parent.name),
    default=None,
)

# Characters with a meaning in URLs and SQL, which a password may have all the same.
PASSWORD = "p@ss/w:rd?'#&=%41"


class Session:
    """A running psql."""

    def __init__(self, psql: subprocess.Popen):
        self.psql = psql

    def run(self, sql: str) -> None:
        """Returns once the statements have been run."""
        self.psql.stdin.write(f"{sql};\n\\echo done\n")
        self.psql.stdin.flush()
        assert self.psql.stdout.readline() == "done\n"


class PostgreSQL(Server):
    """A cluster whose superuser is `postgres`; the site's own role is `site`, and `hallpass`
    may read, as may `hallpass_tls`, but never without TLS. All of them have PASSWORD. It offers
    TLS, or does not."""

    ending = signal.SIGINT  # "fast shutdown": does not wait for clients

    def __init__(self, directory: Path, tls: bool = True):
        super().__init__(directory)
        self.tls = tls

    def prepare(self) -> None:
        assert PROGRAMS, "PostgreSQL is missing: run tests/setup"
        self.certificates = make_certificates(self.directory / "tls")
        password = self.directory / "password"
        password.write_text(PASSWORD + "\n")
        self.run(
            [PROGRAMS / "initdb", "-D", self.data, "-U", "postgres", "-E", "UTF8", "-N"]
            + ["--locale=C.UTF-8", "--auth=scram-sha-256", "--pwfile", give_away(password)]
        )
        access = self.data / "pg_hba.conf"
        access.write_text(f"hostnossl all hallpass_tls all reject\n{access.read_text()}")

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def command(self) -> list:
        settings = {
            "ssl": "on" if self.tls else "off",
            "ssl_cert_file": self.certificates.certificate,
            "ssl_key_file": self.certificates.key,
            "fsync": "off",
            "max_connections": 60,
            "wal_keep_size": "64MB",
            "hot_standby_feedback": "on",
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        where = ["-D", self.data, "-k", self.directory, "-h", LOOPBACK, "-p", str(self.port)]
        return [PROGRAMS / "postgres", *where, *options]

    def ready(self) -> bool:
        try:
            return self.execute("SELECT 1") == "1"
        except ToolFailed:
            return False

    def start(self) -> None:
        first = not self._prepared
        super().start()
        if first:
            self.make_roles()

    def make_roles(self) -> None:
        password = "'" + PASSWORD.replace("'", "''") + "'"
        for role in ("site", "hallpass", "hallpass_tls IN ROLE hallpass"):
            role, _, more = role.partition(" ")
            self.execute(f"CREATE ROLE {role} LOGIN PASSWORD {password} {more}")

    def execute(
        self,
        sql: str,
        database: str = "postgres",
        user: str = "postgres",
        password: str = PASSWORD,
        host: str | None = None,
        sslmode: str = "prefer",
        ca: Path | None = None,
    ) -> str:
        """What psql prints of some statements: values by `|`, rows by newlines."""
        command = [PROGRAMS / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", host or self.directory, "-p", str(self.port), "-U", user, "-d", database]
        environment = {"PGPASSWORD": password, "PGSSLMODE": sslmode, "PGCONNECT_TIMEOUT": "20"}
        if ca:
            environment["PGSSLROOTCERT"] = str(ca)
        return self.run(command, sql, env=environment).decode().rstrip("\n")

    @contextmanager
    def session(self, database: str) -> Iterator["Session"]:
        """A connection that is kept, for transactions over several statements."""
        command = [PROGRAMS / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", LOOPBACK]
        command += ["-p", str(self.port), "-U", "site", "-d", database]
        environment = os.environ | {"PGPASSWORD": PASSWORD, "PGCONNECT_TIMEOUT": "20"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=environment, **pipes) as psql:
            try:
                yield Session(psql)
            finally:
                psql.stdin.close()
                psql.wait(60)

    # As a site's database

    @property
    def databases(self) -> list[str]:
        return self.execute("SELECT datname FROM pg_database").split("\n")

    def create_database(self, name: str) -> None:
        self.execute(f"CREATE DATABASE {name} OWNER site")
        # What the tests' reader may do; test_grants.py gives it less.
        self.execute(
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO hallpass; ALTER DEFAULT PRIVILEGES "
            "FOR ROLE site IN SCHEMA public GRANT SELECT ON TABLES TO hallpass",
            name,
        )

    def copy_database(self, name: str, copy: str) -> None:
        self.execute(f"CREATE DATABASE {copy} TEMPLATE {name} OWNER site")

    def django(self, name: str) -> dict:
        """The entry of DATABASES."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": "site",
            "PASSWORD": PASSWORD,
            "HOST": LOOPBACK,
            "PORT": self.port,
        }

    def hallpass(self, name: str, user: str = "hallpass", socket: bool = False, **more) -> dict:
        """The table `database` of hallpass.toml."""
        if socket:
            socket = f"host={quote(str(self.directory), safe='')}&port={self.port}"
            where = f"/{name}?{socket}&user={user}"
        else:
            where = f"{user}@{LOOPBACK}:{self.port}/{name}"
        return {"url": f"postgres://{where}", "password": PASSWORD} | more


class Standby(PostgreSQL):
    """A hot standby that follows a primary, until it is promoted."""

    def __init__(self, directory: Path, primary: PostgreSQL):
        super().__init__(directory)
        self.primary = primary

    def prepare(self) -> None:
        self.certificates = self.primary.certificates
        self.run(
            [PROGRAMS / "pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast"]
            + ["-h", self.primary.directory, "-p", str(self.primary.port), "-U", "postgres"],
            env={"PGPASSWORD": PASSWORD},
        )

    def make_roles(self) -> None:
        """They come from the primary."""

    def has_caught_up(self) -> bool:
        """Whether all that the primary has written so far is here."""
        position = self.primary.execute("SELECT pg_current_wal_lsn()")
        return self.execute(f"SELECT pg_last_wal_replay_lsn() >= '{position}'") == "t"

    def is_read_only(self) -> bool:
        return self.execute("SELECT pg_is_in_recovery()") == "t"

    def promote(self) -> None:
        assert self.execute("SELECT pg_promote()") == "t"
