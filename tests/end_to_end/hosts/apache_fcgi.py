"""Apache 2.4 with mod_authnz_fcgi, from `examples/apache-fcgi-django`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import LOOPBACK, free_port, give_away

from . import example, web
from .apache import INCLUDE
from .daemon import Daemon
from .httpd import TELLS, configuration, httpd
from .web import Answer, basic

LOADED = (
    "mpm_event authn_core authz_core authz_user auth_basic authnz_fcgi cgid dir mime"
).split()


@dataclass
class Apache:
    """A running Apache. Below each location, `user` answers with the name of who asks."""

    directory: Path
    port: int
    daemon: Daemon | None = None

    def ask(self, path: str, user=None, password: str | bytes = b"", **headers: str) -> Answer:
        """The answer to one request, on a connection of its own."""
        if user is not None:
            headers["Authorization"] = basic(user, password)
        return web.ask((LOOPBACK, self.port), path, headers)

    def log(self) -> str:
        return (self.directory / "server-error.log").read_text(errors="backslashreplace")


@contextmanager
def apache(directory: Path, replacements: dict[str, str]) -> Iterator[Apache]:
    """Runs Apache in `directory`, as `examples/apache-fcgi-django` says; `replacements` are
    those of the example's hallpass.toml."""
    port = free_port()
    example.install(
        "apache-fcgi-django",
        directory / "etc",
        {
            "*:80": f"{LOOPBACK}:{port}",
            "/srv/files": str(directory),
            "/var/log/apache2": str(directory),
        }
        | replacements,
    )
    for location in ("members", "private", "editors"):
        program = directory / "www" / location / "user"
        program.parent.mkdir(parents=True)
        program.write_text('#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n%s\\n" "$REMOTE_USER"\n')
        program.chmod(0o755)
    give_away(directory)
    text = configuration(directory, port, LOADED, TELLS, INCLUDE)
    with httpd(directory, port, text):
        yield Apache(directory, port)
