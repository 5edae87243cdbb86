"""nginx with auth_request, and hallpassd, from `examples/nginx-django`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import LOOPBACK, give_away, listening, running, unprivileged

from . import web
from .daemon import hallpassd  # noqa: F401: whoever runs nginx runs the daemon, too
from .web import Address, Answer

# What Debian's own nginx.conf provides, with every path below one directory.
BASE = """
daemon off;
pid {directory}/nginx.pid;
worker_processes 1;
error_log {directory}/nginx-error.log info;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {directory}/temporary/body;
    proxy_temp_path {directory}/temporary/proxy;
    fastcgi_temp_path {directory}/temporary/fastcgi;
    uwsgi_temp_path {directory}/temporary/uwsgi;
    scgi_temp_path {directory}/temporary/scgi;
    include {directory}/etc/hallpass.conf;
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A running nginx."""

    directory: Path
    port: int

    @property
    def address(self) -> Address:
        return (LOOPBACK, self.port)

    def ask(self, path: str | bytes, headers=(), **options) -> Answer:
        """The answer to one request; see `web.ask`."""
        return web.ask(self.address, path, headers, **options)

    def log(self) -> str:
        return (self.directory / "nginx-error.log").read_text(errors="backslashreplace")


@contextmanager
def nginx(directory: Path, port: int) -> Iterator[Nginx]:
    """Runs nginx with the example's files, already in `directory/etc`, on `port`."""
    for name in (".", "temporary"):
        (directory / name).mkdir(exist_ok=True)
        give_away(directory / name)
    (directory / "etc/nginx.conf").write_text(BASE.format(directory=directory))
    with running(
        # Without -e it opens /var/log/nginx/error.log before it reads its configuration.
        ["/usr/sbin/nginx", "-e", directory / "nginx-error.log", "-p", directory]
        + ["-c", directory / "etc/nginx.conf"],
        directory / "nginx-console.log",
        lambda: listening(port),
        **unprivileged(),
    ):
        yield Nginx(directory, port)
