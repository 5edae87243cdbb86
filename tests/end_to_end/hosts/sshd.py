"""OpenSSH's server with PAM, and its client."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from processes import LOOPBACK, free_port, listening, running
from programs import HANGS

from .pam import SERVICES

CAN_RUN = os.geteuid() == 0
CONFIGURATION = """
ListenAddress 127.0.0.1:{port}
HostKey {directory}/host_key
PidFile {directory}/sshd.pid
# No command of the client's runs, and no account needs a shell.
Subsystem sftp internal-sftp
ForceCommand internal-sftp
LogLevel VERBOSE
"""


@dataclass(frozen=True)
class Sshd:
    """A running sshd."""

    port: int
    directory: Path

    def login(self, user: str, password: str) -> bool:
        """Whether the client is authenticated."""
        logs.note(password)
        askpass = self.directory / "askpass"
        askpass.write_text('#!/bin/sh\nprintf "%s" "$ASKED"\n')
        askpass.chmod(0o755)
        command = [
            "ssh", "-F", "none", "-v", "-p", str(self.port), "-l", user, "-s",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=1",
            "-o", "ControlPath=none", LOOPBACK, "sftp",
        ]  # fmt: skip
        environment = {"PATH": os.environ["PATH"], "SSH_ASKPASS": str(askpass), "ASKED": password,
                       "SSH_ASKPASS_REQUIRE": "force", "HOME": str(self.directory)}
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=HANGS
        )
        told = done.stderr.decode(errors="replace")
        granted = "Authenticated to" in told
        assert granted or "Permission denied" in told, told
        # The session begins, and ends with the client's standard input.
        assert not granted or done.returncode == 0, told
        return granted


@contextmanager
def sshd(directory: Path, configuration: str, service: str) -> Iterator[Sshd]:
    """Runs sshd in `directory`, with these lines of configuration, and `service` as its file of PAM."""
    port, name = free_port(), f"hallpass-ssh-{os.getpid()}"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / "host_key"], check=True
    )
    text = configuration + CONFIGURATION.format(port=port, directory=directory)
    (directory / "sshd_config").write_text(text)
    # It is called as its PAM service is.
    program = directory / name
    program.symlink_to("/usr/sbin/sshd")
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (SERVICES / name).write_text(service)
    command = [program, "-D", "-e", "-f", directory / "sshd_config"]
    try:
        with running(command, directory / "sshd.log", lambda: listening(port)):
            yield Sshd(port, directory)
    finally:
        (SERVICES / name).unlink()
