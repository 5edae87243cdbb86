"""systemd-journald, in a mount namespace whose /run is its own."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from processes import eventually, running
from programs import run

JOURNALD = "/lib/systemd/systemd-journald"
SOCKET = Path("/run/systemd/journal/socket")

# Root of its own user namespace will do where the tests do not run as root.
NAMESPACE = ["unshare", "--mount", "--propagation", "private"]
if os.geteuid() != 0:
    NAMESPACE += ["--map-root-user"]
SET_UP = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/log/journal && exec sleep infinity"


@dataclass(frozen=True)
class Journal:
    """A namespace in which journald runs, or not."""

    process: int
    directory: Path

    def inside(self, command: list) -> list:
        """A command, to be run in the namespace."""
        user = [] if os.geteuid() == 0 else [f"--user=/proc/{self.process}/ns/user", "--preserve-credentials"]
        return ["nsenter", f"--mount=/proc/{self.process}/ns/mnt", *user, *command]

    @property
    def socket(self) -> Path:
        """journald's socket, as seen from outside."""
        return Path(f"/proc/{self.process}/root{SOCKET}")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Runs journald to the end of the block; its socket goes with it."""
        console = self.directory / "journald-console.log"
        with running(self.inside([JOURNALD]), console, self.socket.is_socket):
            yield
        self.socket.unlink()

    def entries(self, *matches: str, count: int = 1) -> list[dict]:
        """The entries that journalctl finds by `matches`, once there are as many as `count`."""
        words = [shutil.which("journalctl"), "--directory=/run/log/journal", "--output=json", "--all"]

        def found() -> tuple[list[dict]] | None:
            done = run(self.inside([*words, "--no-pager", "--quiet", *matches]))
            logs.look_through(done.stdout, "the journal")
            entries = [json.loads(line) for line in done.text.splitlines()]
            return (entries,) if len(entries) >= count else None

        [entries] = eventually(found, f"{count} of {matches} in the journal", 20)
        return entries


@contextmanager
def journal(directory: Path) -> Iterator[Journal]:
    """Makes the namespace, in which nothing runs yet."""
    with running([*NAMESPACE, "sh", "-c", SET_UP], directory / "namespace.log") as process:
        made = Journal(process.pid, directory)
        eventually(made.socket.parent.is_dir, "the namespace is made")
        yield made
