"""Caddy with forward_auth, from `examples/caddy-django`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import LOOPBACK, give_away, listening, running, unprivileged

from . import web
from .web import Answer

# Nothing of a machine's own Caddy is touched.
BASE = """{{
	admin off
	auto_https off
	default_bind {loopback}
}}
import {directory}/etc/Caddyfile
"""


@dataclass(frozen=True)
class Caddy:
    """A running Caddy."""

    port: int

    def ask(self, path: str | bytes, headers=(), **options) -> Answer:
        """The answer to one request; see `web.ask`."""
        return web.ask((LOOPBACK, self.port), path, headers, **options)


@contextmanager
def caddy(
    directory: Path, port: int, program: Path = Path("/usr/bin/caddy")
) -> Iterator[Caddy]:
    """Runs Caddy with the example's files, already in `directory/etc`, on `port`."""
    give_away(directory)
    (directory / "Caddyfile").write_text(BASE.format(directory=directory, loopback=LOOPBACK))
    home = {"XDG_DATA_HOME": str(directory / "data"), "XDG_CONFIG_HOME": str(directory / "config")}
    with running(
        [program, "run", "--config", directory / "Caddyfile", "--adapter", "caddyfile"],
        directory / "caddy.log",
        lambda: listening(port),
        env=os.environ | home,
        cwd="/",
        **unprivileged(),
    ):
        yield Caddy(port)
