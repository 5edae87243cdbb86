"""PHP: php-fpm behind nginx. Each folder below its root has settings and pages of its own."""

import json
import shutil
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged

from . import web
from .web import Address, Answer

PAGES = Path(__file__).parent.parent / "pages"

FPM = """
[global]
error_log = {directory}/fpm.log
daemonize = no
[pages]
listen = {directory}/fpm.sock
pm = static
pm.max_children = 3
catch_workers_output = yes
"""

NGINX = """
daemon off;
pid {directory}/nginx.pid;
worker_processes 1;
error_log {directory}/nginx-error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen {host}:{port};
        root {directory}/root;
        large_client_header_buffers 4 64k;
        fastcgi_read_timeout 120s;
        location ~ [.]php$ {{
            fastcgi_pass unix:{directory}/fpm.sock;
            fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
            fastcgi_param DOCUMENT_ROOT   $document_root;
            fastcgi_param QUERY_STRING    $query_string;
            fastcgi_param REQUEST_METHOD  $request_method;
            fastcgi_param CONTENT_TYPE    $content_type;
            fastcgi_param CONTENT_LENGTH  $content_length;
            fastcgi_param REQUEST_URI     $request_uri;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
            fastcgi_param REMOTE_ADDR     $remote_addr;
            fastcgi_param REMOTE_PORT     $remote_port;
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Folder:
    """Pages that run with the same settings."""

    name: str
    path: Path
    address: Address

    def url(self, page: str) -> str:
        host, port = self.address
        return f"http://{host}:{port}/{self.name}/{page}"

    def ask(self, page: str, headers=(), **options) -> Answer:
        return web.ask(self.address, f"/{self.name}/{page}", headers, **options)

    def get(self, page: str, cookie: str | None = None, **query: str) -> str:
        """The body of a page that is there."""
        headers = {"Cookie": f"PHPSESSID={cookie}"} if cookie else {}
        answer = self.ask(f"{page}?{urllib.parse.urlencode(query)}", headers)
        assert answer.status == 200, answer
        return answer.body.decode()

    def log_in(self, name: str | None, cookie: str | None = None, **query: str) -> str:
        """The id of a session in which `name` is logged in, by the page `login.php`."""
        return self.get("login.php", cookie, **({"name": name} if name else {}), **query)

    def whoami(self, cookies: str | bytes) -> str | None:
        """Whom the page `whoami.php` takes the bearer of a Cookie header for. PHP ends some damaged
        sessions with an error."""
        answer = self.ask("whoami.php", {"Cookie": cookies})
        assert answer.status in (200, 401, 500), answer
        return json.loads(answer.body)["user"]["username"] if answer.status == 200 else None


class Php:
    """A running php-fpm and nginx."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.address = (LOOPBACK, free_port())

    def folder(self, name: str, settings: dict[str, str | int], *pages: str) -> Folder:
        """A new folder with some of the pages that are in `pages/`."""
        path = self.directory / "root" / name
        path.mkdir()
        for page in pages:
            shutil.copy(PAGES / page, path)
        lines = [f'{key} = "{value}"\n' for key, value in settings.items()]
        (path / ".user.ini").write_text("".join(lines))
        give_away(path)
        return Folder(name, path, self.address)


@contextmanager
def php(directory: Path) -> Iterator[Php]:
    """Runs PHP until the end of the block."""
    server = Php(directory)
    (directory / "root").mkdir()
    names = {"directory": directory, "host": LOOPBACK, "port": server.address[1]}
    (directory / "fpm.conf").write_text(FPM.format(**names))
    (directory / "nginx.conf").write_text(NGINX.format(**names))
    fpm = ["/usr/sbin/php-fpm8.2", "-y", directory / "fpm.conf"]
    nginx = ["/usr/sbin/nginx", "-e", directory / "nginx-error.log", "-p", directory]
    socket, port = directory / "fpm.sock", server.address[1]
    with (
        running(fpm, directory / "fpm-console.log", socket.exists, **unprivileged()),
        running(
            [*nginx, "-c", directory / "nginx.conf"],
            directory / "nginx-console.log",
            lambda: listening(port),
            **unprivileged(),
        ),
    ):
        yield server
