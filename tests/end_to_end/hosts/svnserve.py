"""svnserve with Cyrus SASL, and the svn client."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged
from programs import run


@dataclass(frozen=True)
class Svnserve:
    """A running svnserve."""

    port: int
    directory: Path

    def login(self, user: str, password: str) -> bool:
        """Whether the client may list the repository."""
        logs.note(password)
        command = ["svn", "ls", f"svn://{LOOPBACK}:{self.port}/", "--non-interactive", "--no-auth-cache"]
        command += ["--config-dir", self.directory / "client", f"--username={user}", f"--password={password}"]
        result = run(command, env=os.environ | {"LC_ALL": "C.UTF-8"})
        assert result.code == 0 or b"E170001" in result.stderr or b"E170013" in result.stderr, result.stderr
        return result.code == 0


@contextmanager
def svnserve(directory: Path, repository: str, sasl: str) -> Iterator[Svnserve]:
    """Runs svnserve in `directory`, with these files of the repository and of Cyrus SASL."""
    port = free_port()
    path = directory / "repository"
    run(["svnadmin", "create", path], **unprivileged())
    (path / "conf/svnserve.conf").write_text(repository)
    (directory / "sasl2").mkdir()
    (directory / "sasl2/svn.conf").write_text(sasl)
    give_away(directory / "sasl2")
    command = ["svnserve", "--daemon", "--foreground", "--root", path]
    command += ["--listen-host", LOOPBACK, f"--listen-port={port}"]
    environment = {"PATH": "/usr/bin:/bin", "SASL_CONF_PATH": str(directory / "sasl2"), "HOME": str(directory)}
    log = directory / "svnserve.log"
    with running(command, log, lambda: listening(port), env=environment, **unprivileged()):
        yield Svnserve(port, directory)
