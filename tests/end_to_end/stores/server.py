"""What the private servers have in common: they can be stopped, killed, frozen and started."""

import os
import signal
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

import logs
from processes import free_port, running, unprivileged
from programs import HANGS


class Server:
    """A server in a directory of its own, running from `start` to `stop`.

    Subclasses give its `command`, and say when it is `ready`; `prepare` is called once, before
    its first start.
    """

    # What ends it soon, whoever is connected.
    ending = signal.SIGTERM

    def __init__(self, directory: Path):
        self.directory = directory
        logs.not_ours(directory)
        self.port = free_port()
        self.process: subprocess.Popen | None = None
        self._open = ExitStack()
        self._prepared = False

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    def prepare(self) -> None:
        """Makes what it needs before its first start."""

    def command(self) -> list:
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether it answers its own client."""
        raise NotImplementedError

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self) -> None:
        if not self._prepared:
            self.prepare()
            self._prepared = True
        self.process = self._open.enter_context(
            running(self.command(), self.log, self.ready, cwd=self.directory, **unprivileged())
        )

    def stop(self) -> None:
        """Ends it in an orderly way, or not when that takes long."""
        if self.process and self.process.returncode is None:
            self.thaw()
            os.kill(self.process.pid, self.ending)
        self._open.close()

    def kill(self) -> None:
        """Ends all its processes at once, as a power cut does."""
        self._signal(signal.SIGKILL)
        self._open.close()

    def freeze(self) -> None:
        """Stops all its processes where they are: connections stay, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        for pid in family(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def run(self, command: list, input: bytes | str = b"", **options) -> bytes:
        """The output of one of the server's own tools, run as the server's user."""
        done = subprocess.run(
            [os.fspath(word) for word in command],
            input=input.encode() if isinstance(input, str) else input,
            capture_output=True,
            cwd=self.directory,
            timeout=HANGS,
            **unprivileged() | options,
        )
        if done.returncode:
            error = (done.stdout + done.stderr).decode(errors="replace")
            raise ToolFailed(f"{command[0]}: {error}")
        return done.stdout


def family(pid: int) -> list[int]:
    """A process and all that have come of it, by Linux's /proc: some give themselves process
    groups of their own, as those of PostgreSQL do."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            # The name, in parentheses, may hold blanks and parentheses of its own.
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(entry.name))
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


class ToolFailed(Exception):
    """A server's own tool did not do what was asked."""
