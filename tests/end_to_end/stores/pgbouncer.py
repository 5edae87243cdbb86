"""PgBouncer, a pooler of connections to a PostgreSQL server."""

from pathlib import Path
from urllib.parse import quote

from processes import LOOPBACK, give_away

from .postgresql import PASSWORD, PROGRAMS, PostgreSQL
from .server import Server, ToolFailed

PROGRAM = Path("/usr/sbin/pgbouncer")


class PgBouncer(Server):
    """A few connections to a server, handed to whoever asks, in the mode `mode`. Where it `ignores`
    the startup parameter `options`, it drops silently what is asked for by it; otherwise it refuses
    the login."""

    def __init__(self, directory: Path, server: PostgreSQL, mode: str, ignores: bool = True, size=None):
        super().__init__(directory)
        # In session mode each client has one to itself.
        self.size = size or (20 if mode == "session" else 2)
        self.server, self.mode, self.ignores = server, mode, ignores

    def prepare(self) -> None:
        assert PROGRAM.exists(), "PgBouncer is missing: run tests/setup"
        users = self.directory / "users"
        password = PASSWORD.replace('"', '""')
        users.write_text("".join(f'"{user}" "{password}"\n' for user in ("site", "hallpass")))
        ignored = "options, extra_float_digits" if self.ignores else "extra_float_digits"
        settings = self.directory / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host={LOOPBACK} port={self.server.port}\n"
            f"[pgbouncer]\nlisten_addr = {LOOPBACK}\nlisten_port = {self.port}\n"
            f"unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {give_away(users)}\n"
            f"pool_mode = {self.mode}\ndefault_pool_size = {self.size}\nmax_client_conn = 200\n"
            f"ignore_startup_parameters = {ignored}\n"
        )
        give_away(settings)

    def command(self) -> list:
        return [PROGRAM, self.directory / "pgbouncer.ini"]

    def ready(self) -> bool:
        try:
            return self.execute("SELECT 1") == "1"
        except ToolFailed:
            return False

    def execute(self, sql: str, database: str = "postgres") -> str:
        """What psql prints of some statements of another client that logs in as Hallpass does."""
        command = [PROGRAMS / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", LOOPBACK, "-p", str(self.port), "-U", "hallpass", "-d", database]
        environment = {"PGPASSWORD": PASSWORD, "PGSSLMODE": "disable", "PGCONNECT_TIMEOUT": "20"}
        return self.run(command, sql, env=environment).decode().strip()

    def hallpass(self, name: str, user: str = "hallpass", **more) -> dict:
        """The table `database` of hallpass.toml."""
        url = f"postgres://{quote(user)}@{LOOPBACK}:{self.port}/{name}"
        return {"url": url, "password": PASSWORD} | more
