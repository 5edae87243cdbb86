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

    def __init__(self, directory: Path, server: PostgreSQL, mode: str, ignores: bool = True):
        super().__init__(directory)
        self.server, self.mode, self.ignores = server, mode, ignores

    def prepare(self) -> None:
        assert PROGRAM.exists(), "PgBouncer is missing: run tests/setup"
        users = self.directory / "users"
        password = PASSWORD.replace('"', '""')
        users.write_text("".join(f'"{user}" "{password}"\n' for user in ("site", "hallpass")))
        ignored = "options, extra_float_digits" if self.ignores else "extra_float_digits"
        # In session mode each client has one to itself.
        size = 20 if self.mode == "session" else 2
        settings = self.directory / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host={LOOPBACK} port={self.server.port}\n"
            f"[pgbouncer]\nlisten_addr = {LOOPBACK}\nlisten_port = {self.port}\n"
            f"unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {give_away(users)}\n"
            f"pool_mode = {self.mode}\ndefault_pool_size = {size}\nmax_client_conn = 200\n"
            f"ignore_startup_parameters = {ignored}\n"
        )
        give_away(settings)

    def command(self) -> list:
        return [PROGRAM, self.directory / "pgbouncer.ini"]

    def ready(self) -> bool:
        command = [PROGRAMS / "psql", "-X", "-q", "-A", "-t", "-h", LOOPBACK]
        command += ["-p", str(self.port), "-U", "hallpass", "-d", "postgres", "-c", "SELECT 1"]
        environment = {"PGPASSWORD": PASSWORD, "PGSSLMODE": "disable", "PGCONNECT_TIMEOUT": "20"}
        try:
            return self.run(command, env=environment).strip() == b"1"
        except ToolFailed:
            return False

    def hallpass(self, name: str, user: str = "hallpass", **more) -> dict:
        """The table `database` of hallpass.toml."""
        url = f"postgres://{quote(user)}@{LOOPBACK}:{self.port}/{name}"
        return {"url": url, "password": PASSWORD} | more
