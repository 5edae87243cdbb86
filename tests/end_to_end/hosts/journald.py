"""systemd-journald, in a mount namespace whose /run is its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from processes import eventually, running
from programs import run

from .namespace import Namespace, namespace

JOURNALD = "/lib/systemd/systemd-journald"
SOCKET = "/run/systemd/journal/socket"


@dataclass(frozen=True)
class Journal:
    """A namespace in which journald runs, or not."""

    namespace: Namespace
    directory: Path

    def inside(self, command: list) -> list:
        """A command, to be run in the namespace."""
        return self.namespace.inside(command)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Runs journald to the end of the block; its socket goes with it."""
        socket = self.namespace.path(SOCKET)
        with running(self.inside([JOURNALD]), self.directory / "journald-console.log", socket.is_socket):
            yield
        socket.unlink()

    def entries(self, *matches: str, count: int = 1) -> list[dict]:
        """The entries that journalctl finds by `matches`, once there are as many as `count`."""
        words = ["journalctl", "--directory=/run/log/journal", "--output=json", "--all", "--no-pager", "--quiet"]

        def found() -> tuple[list[dict]] | None:
            done = run(self.inside([*words, *matches]))
            logs.look_through(done.stdout, "the journal")
            entries = [json.loads(line) for line in done.text.splitlines()]
            return (entries,) if len(entries) >= count else None

        [entries] = eventually(found, f"{count} of {matches} in the journal", 20)
        return entries


@contextmanager
def journal(directory: Path) -> Iterator[Journal]:
    """Makes the namespace, in which nothing runs yet."""
    set_up = "mount -t tmpfs tmpfs /run\nmkdir -p /run/systemd/journal /run/log/journal"
    with namespace(directory, set_up) as made:
        yield Journal(made, directory)
