"""A socket.io 4 server, from `examples/socketio-django-silex`, and clients of it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import LOOPBACK, give_away, listening, running, unprivileged
from programs import HANGS

SETUP = Path(__file__).resolve().parents[2] / ".setup"
CLIENT = Path(__file__).with_name("socketio_client.js")


@dataclass(frozen=True)
class SocketIO:
    """A running server."""

    directory: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def connect(self, site: str, ticket=None, transport="websocket", **headers: str) -> dict:
        """What a client of its own is told: {"welcome": …} or {"error": …, "status": …}."""
        asked = {"url": f"{self.url}/{site}", "headers": headers, "transport": transport}
        if ticket is not None:
            asked["auth"] = {"ticket": ticket}
        done = subprocess.run(
            ["node", CLIENT, json.dumps(asked)],
            capture_output=True, text=True, timeout=HANGS, env=environment(),
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[0])

    @contextmanager
    def connected(self, site: str, ticket=None, **headers: str) -> Iterator[subprocess.Popen]:
        """A client that stays: each thing that happens is a line of its output."""
        asked = {"url": f"{self.url}/{site}", "headers": headers, "transport": "websocket",
                 "stay": True, "auth": {"ticket": ticket} if ticket else {}}
        with subprocess.Popen(
            ["node", CLIENT, json.dumps(asked)],
            stdout=subprocess.PIPE, text=True, env=environment(),
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def log(self) -> str:
        return (self.directory / "node.log").read_text(errors="backslashreplace")


def environment() -> dict:
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "NODE_PATH": str(SETUP / "node/node_modules")}


@contextmanager
def socketio(directory: Path, port: int) -> Iterator[SocketIO]:
    """Runs the example's server, already in `directory`, on `port`."""
    # Whoever runs it cannot look into the directory of whoever runs the tests.
    modules = directory / "node_modules"
    shutil.copytree(SETUP / "node/node_modules", modules)
    give_away(directory)
    with running(
        ["node", directory / "server.js"],
        directory / "node.log",
        lambda: listening(port),
        cwd=directory,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        **unprivileged(),
    ):
        yield SocketIO(directory, port)
