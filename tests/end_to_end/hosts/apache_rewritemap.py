"""Apache 2.4 with a map of mod_rewrite, from `examples/apache-rewritemap-django`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import LOOPBACK, free_port, give_away
from programs import Programs

from . import example, web
from .apache import INCLUDE
from .httpd import TELLS, configuration, httpd
from .web import Answer

LOADED = "mpm_event authn_core authz_core cgid dir mime headers proxy proxy_http rewrite".split()
PROGRAM = """#!/bin/sh
printf 'Content-Type: text/plain\\n\\n%s|%s\\n' "$HALLPASS_USER" "$HTTP_REMOTE_USER"
"""


@dataclass
class Apache:
    """A running Apache. Below each location, `user` tells whom Apache takes the visitor for: the
    variable, a bar, and the header."""

    directory: Path
    port: int

    def ask(self, path: str, cookie: str | bytes | None = None, **headers: str) -> Answer:
        """The answer to one request, on a connection of its own."""
        items = list(headers.items())
        if cookie is not None:
            items.append(("Cookie", cookie))
        return web.ask((LOOPBACK, self.port), path, items)

    def user(self, path: str, cookie: str | bytes | None = None, **headers: str) -> str:
        """Whom Apache takes the visitor for; nobody is empty."""
        answer = self.ask(path, cookie, **headers)
        assert answer.status == 200, answer
        return answer.body.decode().strip()

    def log(self) -> str:
        """All that Apache and the program wrote."""
        return "".join(
            path.read_text(errors="backslashreplace")
            for path in (self.directory / name for name in
                         ("server-error.log", "hallpass-error.log", "console.log"))
            if path.exists()
        )


@contextmanager
def apache(
    directory: Path, programs: Programs, replacements: dict[str, str]
) -> Iterator[Apache]:
    """Runs Apache in `directory`, as `examples/apache-rewritemap-django` says; `replacements` are
    those of the example's hallpass.toml."""
    port = free_port()
    root = os.geteuid() == 0
    example.install(
        "apache-rewritemap-django",
        directory / "etc",
        {
            "*:80": f"{LOOPBACK}:{port}",
            "/srv/files": str(directory),
            "/usr/bin/hallpass-apache": str(programs["hallpass-apache"]),
            "/etc/hallpass/hallpass.toml": str(directory / "etc/hallpass.toml"),
            "/var/log/apache2": str(directory),
            # Whoever is not root can start the program as nobody else.
            " www-data:www-data": " nobody:nogroup" if root else "",
        }
        | replacements,
    )
    for location in ("private", "quiet", "open"):
        program = directory / "www" / location / "user"
        program.parent.mkdir(parents=True)
        program.write_text(PROGRAM)
        program.chmod(0o755)
    give_away(directory)
    # Started by root where there is one, as Apache is: the program's user is to count.
    text = configuration(directory, port, LOADED, TELLS, INCLUDE, as_root=True)
    with httpd(directory, port, text, as_root=True):
        yield Apache(directory, port)
