"""A machine of a test's own: a mount namespace in which some directories are other ones."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import eventually, running

# Root of its own user namespace will do where the tests do not run as root.
UNSHARE = ["unshare", "--mount", "--propagation", "private"]
if os.geteuid() != 0:
    UNSHARE += ["--map-root-user"]


@dataclass(frozen=True)
class Namespace:
    """A namespace, as long as this process of it lives."""

    process: int

    def inside(self, command: list) -> list:
        """A command, to be run in the namespace."""
        user = [] if os.geteuid() == 0 else [f"--user=/proc/{self.process}/ns/user", "--preserve-credentials"]
        return ["nsenter", f"--mount=/proc/{self.process}/ns/mnt", *user, *command]

    def path(self, path: str | Path) -> Path:
        """A path of the namespace, as seen from outside."""
        return Path(f"/proc/{self.process}/root{path}")


@contextmanager
def namespace(directory: Path, set_up: str) -> Iterator[Namespace]:
    """Makes a namespace, and runs the shell script `set_up` in it; its log goes to `directory`."""
    script = f"set -e\n{set_up}\ntouch {directory}/ready\nexec sleep infinity"
    with running([*UNSHARE, "sh", "-c", script], directory / "namespace.log") as process:
        def ready() -> bool:
            assert process.poll() is None, (directory / "namespace.log").read_text()
            return (directory / "ready").exists()

        eventually(ready, "the namespace is made")
        yield Namespace(process.pid)
