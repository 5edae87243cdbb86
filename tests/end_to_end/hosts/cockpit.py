"""Cockpit's web server, from where `tests/setup` has unpacked it, in an /etc and a /run of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from processes import LOOPBACK, free_port, listening, running

from . import web

MOUNTS = subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0
CAN_RUN = os.geteuid() == 0 and MOUNTS
SETUP = (Path(__file__).resolve().parents[2] / ".setup").resolve()
# Without a session of its own for systemd, which a container has not.
COPIED = ["pam.d", "security", "group", "hosts", "ld.so.cache", "login.defs", "nsswitch.conf"]


@dataclass(frozen=True)
class Cockpit:
    """A running server."""

    port: int

    def login(self, user: str, password: str) -> bool:
        """Whether a session has begun."""
        logs.note(password)
        headers = {"Authorization": web.basic(user, password)}
        status = web.ask((LOOPBACK, self.port), "/cockpit/login", headers).status
        # A module of PAM that fails is an error to Cockpit, not a refusal.
        assert status in (200, 401, 403, 500), status
        return status == 200


@contextmanager
def cockpit(directory: Path, service: str, users: list[str]) -> Iterator[Cockpit]:
    """Runs Cockpit in `directory`, with `service` as its file of PAM, and these users of the system."""
    port, etc = free_port(), directory / "etc"
    etc.mkdir()
    for name in COPIED:
        source = Path("/etc", name)
        if source.is_dir():
            shutil.copytree(source, etc / name)
        elif source.exists():
            shutil.copy(source, etc)
    (etc / "pam.d/cockpit").write_text(service)
    for file, line in [("passwd", "{}:x:{}:100::/tmp:/bin/sh"), ("shadow", "{}:!:{}:0:99999:7:::")]:
        numbers = enumerate(users, 20001 if file == "passwd" else 19001)
        lines = [line.format(name, number) for number, name in numbers]
        (etc / file).write_text(Path("/etc", file).read_text() + "\n".join(lines) + "\n")
    (etc / "shadow").chmod(0o600)
    (directory / "run").mkdir()
    script = f"""
        set -e
        mount -t overlay overlay -o lowerdir={SETUP}/cockpit-ws/usr:{SETUP}/cockpit-bridge/usr:/usr /usr
        mount --bind {etc} /etc
        mount --bind {directory}/run /run
        exec /usr/lib/cockpit/cockpit-ws --no-tls --port {port} --address {LOOPBACK}
    """
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    with running(command, directory / "console.log", lambda: listening(port)):
        yield Cockpit(port)
