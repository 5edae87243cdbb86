"""Apache 2.4 with mod_authnz_external, Subversion and WebDAV, from `examples/apache-django`."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import LOOPBACK, free_port, give_away
from programs import Programs

from . import example, web
from .httpd import configuration, httpd
from .web import Answer, basic

# With threads, mod_authnz_external 3.3.2 now and then stops the whole server: see the example.
LOADED = (
    "mpm_prefork authn_core authz_core authz_user auth_basic authnz_external alias dir mime "
    "dav dav_fs dav_svn"
).split()
INCLUDE = 'Include "{directory}/etc/hallpass.conf"'


@dataclass(frozen=True)
class Apache:
    """A running Apache."""

    directory: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def ask(
        self,
        path: str,
        user: str | bytes | None = None,
        password: str | bytes = b"",
        method: str = "GET",
        body: bytes = b"",
        **headers: str,
    ) -> Answer:
        """The answer to one request, on a connection of its own."""
        if user is not None:
            headers["Authorization"] = basic(user, password)
        return web.ask((LOOPBACK, self.port), path, headers, method, body)

    def status(self, path: str, *credentials: str | bytes) -> int:
        """The status of the answer to GET."""
        return self.ask(path, *credentials).status

    def log(self) -> str:
        """All that Apache and its helpers wrote to the error logs."""
        return "".join(
            (self.directory / name).read_text(errors="backslashreplace")
            for name in ("server-error.log", "hallpass-error.log", "console.log")
        )


@contextmanager
def apache(
    directory: Path, programs: Programs, replacements: dict[str, str]
) -> Iterator[Apache]:
    """Runs Apache in `directory`, as `examples/apache-django` says.

    `replacements` are those of the example's hallpass.toml. Below `www` there is a page
    `index.html` in a folder for each of the example's locations.
    """
    port = free_port()
    example.install(
        "apache-django",
        directory / "etc",
        {
            "*:80": f"{LOOPBACK}:{port}",
            "/srv/files": str(directory),
            "/usr/bin/hallpass-apache": str(programs["hallpass-apache"]),
            "/etc/hallpass/hallpass.toml": str(directory / "etc/hallpass.toml"),
            "/var/log/apache2": str(directory),
            "/var/lock/apache2/dav": str(directory / "locks/dav"),
        }
        | replacements,
    )
    for location in (
        "members", "session", "editors", "agents", "reports", "staff", "superusers", "environment"
    ):
        page = directory / "www" / location / "page.txt"
        page.parent.mkdir(parents=True)
        page.write_text(f"the page of /{location}/\n")
    for name in ("dav", "locks"):
        give_away_new(directory / name)
    subprocess.run(["svnadmin", "create", directory / "repository"], check=True)
    for path in (directory, directory / "repository", *(directory / "repository").rglob("*")):
        give_away(path)
    text = configuration(directory, port, LOADED, INCLUDE)
    with httpd(directory, port, text):
        yield Apache(directory, port)


def give_away_new(path: Path) -> None:
    """A new directory that belongs to the user Apache runs as."""
    path.mkdir()
    give_away(path)
