"""PAM with pam_exec, from `examples/pam-django`, asked by pamtester."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from programs import HANGS, Programs

from . import example

# libpam looks nowhere else.
SERVICES = Path("/etc/pam.d")


@dataclass(frozen=True)
class Pam:
    """The services of the example, in place."""

    directory: Path
    names: dict[str, str]

    def ask(
        self, user: str, password: str | bytes, *operations: str, service: str = "shop"
    ) -> subprocess.CompletedProcess:
        """pamtester's answer; `operations` are `authenticate`, `acct_mgmt` and others."""
        password = password.encode() if isinstance(password, str) else password
        logs.note(password)
        return subprocess.run(
            ["pamtester", self.names[service], user, *(operations or ("authenticate",))],
            input=password + b"\n",
            capture_output=True,
            timeout=HANGS,
        )

    def granted(self, user: str, password: str | bytes = "", *operations: str, **where) -> bool:
        return self.ask(user, password, *operations, **where).returncode == 0

    def log(self) -> str:
        """What the program wrote to its standard error."""
        return (self.directory / "pam.log").read_text(errors="backslashreplace")


@contextmanager
def pam(directory: Path, programs: Programs, replacements: dict[str, str]) -> Iterator[Pam]:
    """Puts the services of `examples/pam-django` where PAM finds them, as long as the block
    lasts; that takes root. Their names are the directory's."""
    example.install(
        "pam-django",
        directory / "etc",
        {
            "/usr/bin/hallpass-pam": str(programs["hallpass-pam"]),
            "/etc/hallpass/hallpass.toml": str(directory / "etc/hallpass.toml"),
            # There is no syslog to read here.
            " quiet ": f" quiet log={directory}/pam.log ",
            'to = "syslog"': 'to = "stderr"',
        }
        | replacements,
    )
    files = [file for file in (directory / "etc").iterdir() if file.suffix != ".toml"]
    names = {file.name: f"hallpass-{os.getpid()}-{directory.name}-{file.name}" for file in files}
    (directory / "pam.log").touch()
    try:
        for file in files:
            (SERVICES / names[file.name]).write_text(file.read_text())
        yield Pam(directory, names)
    finally:
        for name in names.values():
            (SERVICES / name).unlink(missing_ok=True)
