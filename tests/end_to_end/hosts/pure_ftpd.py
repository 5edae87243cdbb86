"""Pure-FTPd, whose pure-authd starts a program for each login."""

import ftplib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from processes import LOOPBACK, free_port, listening, running

CAN_RUN = os.geteuid() == 0


@dataclass(frozen=True)
class PureFTPd:
    """A running server."""

    port: int

    def login(self, user: str, password: str) -> bool:
        """Whether a client gets in."""
        logs.note(password)
        with ftplib.FTP(encoding="utf-8") as client:
            client.connect(LOOPBACK, self.port, timeout=60)
            try:
                client.login(user, password)
            except ftplib.error_perm as refusal:
                assert str(refusal).startswith("530"), refusal
                return False
            return client.pwd() == "/"


@contextmanager
def pure_ftpd(directory: Path, commands: str) -> Iterator[PureFTPd]:
    """Runs the server by the two lines of `commands`."""
    port = free_port()
    authd, server = (line.split() for line in commands.splitlines())
    # In the foreground, and without the TLS that takes a certificate.
    authd.remove("-B")
    server = server[: server.index("-Y")] + ["-S", f"{LOOPBACK},{port}", "-g", f"{directory}/ftpd.pid", "-4", "-H"]
    socket = Path(authd[authd.index("-s") + 1])
    with (
        running([*authd, "-p", directory / "authd.pid"], directory / "authd.log", socket.exists),
        running(server, directory / "ftpd.log", lambda: listening(port)),
    ):
        yield PureFTPd(port)
