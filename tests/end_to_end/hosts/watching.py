"""A daemon that watches sessions, and what it says of them."""

import json
from contextlib import contextmanager
from pathlib import Path

from processes import LOOPBACK, free_port

from . import web
from .accounts import PASSWORDS
from .daemon import hallpassd, write_configuration
from .events import Events

# A third of what a stream waits for at most.
INTERVAL = 0.2


class World:
    """A daemon, its sockets, and the site that it watches."""

    def __init__(self, site, directory, programs, **tables):
        self.site, self.directory, self.programs, self.tables = site, directory, programs, tables
        self.socket, self.tcp = directory / "http.sock", (LOOPBACK, free_port())
        self.config = self.write()

    def write(self, **tables):
        daemon = {"listen": [f"unix:{self.socket}", "tcp:{}:{}".format(*self.tcp)],
                  "watch_interval": f"{int(INTERVAL * 1000)}ms"}
        tables = {"tickets": {"key": "k" * 40}} | self.tables | tables
        return write_configuration(
            self.site, f"{self.directory.name}.toml", daemon=daemon, **tables
        )

    @contextmanager
    def running(self, **options):
        program = self.programs["hallpassd"]
        with hallpassd(program, self.config, self.socket, self.tcp, **options) as self.daemon:
            yield self

    def log_in(self, user: str):
        browser = self.site.login(user, PASSWORDS[user])
        assert browser.user == user
        return browser

    def events(self, browser=None, query: str = "", address=None, **headers) -> Events:
        if browser:
            headers["Cookie"] = browser.cookie_header
        return Events(address or self.tcp, headers, f"/session/events{query}")

    def ended(self, **body) -> web.Answer:
        raw = json.dumps(body).encode()
        return web.ask(self.socket, "/ended", method="POST", body=raw)

    def metric(self, name: str) -> float:
        """The sum of a metric's values."""
        lines = web.ask(self.socket, "/metrics").body.decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + "{"))


def reason(stream: Events) -> str:
    """Why the session of `stream` has ended; nothing follows."""
    name, data = stream.next()
    assert name == "ended" and list(data) == ["reason"]
    assert stream.next() is None
    return data["reason"]


@contextmanager
def watching(program, config: Path):
    """hallpassd by a configuration that `hallpass init` has written. Gives what opens a stream by the header
    Cookie."""
    socket = config.parent / "watching.sock"
    copy = config.with_name("watching.toml")
    interval = f"{int(INTERVAL * 1000)}ms"
    table = f'\n[daemon]\nlisten = ["unix:{socket}"]\nwatch_interval = "{interval}"\n'
    copy.touch(mode=0o600)
    copy.write_text(config.read_text() + table)
    # As who runs these sites.
    ourselves = {"user": None, "group": None, "extra_groups": None}
    with hallpassd(program, copy, socket, **ourselves):
        yield lambda cookie, query="": Events(socket, {"Cookie": cookie}, f"/session/events{query}")
