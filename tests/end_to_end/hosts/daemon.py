"""hallpassd."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from django_site import DjangoSite
from processes import give_away, running, unprivileged
from programs import toml

from . import web
from .web import Address, Answer


@dataclass(frozen=True)
class Daemon:
    """A running hallpassd."""

    process: subprocess.Popen
    addresses: tuple[Address, ...]
    log_file: Path

    @property
    def address(self) -> Address:
        """Where it is asked, unless somewhere else is said."""
        return self.addresses[0]

    def ask(self, path: str | bytes, headers=(), **options) -> Answer:
        """The answer to one request; see `web.ask`."""
        return web.ask(self.address, path, headers, **options)

    def check(self, user: str, password: str, **more) -> Answer:
        """The answer of `POST /check`."""
        logs.note(password)
        body = json.dumps({"user": user, "password": password} | more).encode()
        return self.ask("/check", method="POST", body=body)

    def log(self) -> str:
        return self.log_file.read_text(errors="backslashreplace")


def write_configuration(site: DjangoSite, file: str, **tables) -> Path:
    """As `site.write_configuration`, for tables that hold the site's `name`."""
    path = site.directory / file
    path.touch(mode=0o600)
    path.write_text(toml(site.configuration(**tables)))
    return give_away(path)


def accepts(address: Address) -> bool:
    """Whether somebody takes connections there."""
    try:
        with web.Connection(address, timeout=5):
            return True
    except OSError:
        return False


@contextmanager
def hallpassd(
    program: Path, config: Path | list[Path], *addresses: Address, **options
) -> Iterator[Daemon]:
    """Runs hallpassd until the end of the block; `addresses` are those it listens on, the one
    for HTTP first. `options` are those of Popen."""
    configs = config if isinstance(config, list) else [config]
    log = configs[0].parent / "hallpassd.log"
    words = [word for path in configs for word in ("--config", path)]
    with running(
        [program, *words],
        log,
        lambda: all(map(accepts, addresses)),
        **{"cwd": "/"} | unprivileged() | options,
    ) as process:
        yield Daemon(process, addresses, log)
