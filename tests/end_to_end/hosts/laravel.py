"""A real application of Laravel's: laravel/framework 8.83 of Debian, served by PHP itself."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import logs
from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged

from . import web
from .web import Address

APPLICATION = Path(__file__).parents[1] / "website/laravel"
KEY = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
QUIET = ["-d", "display_errors=stderr", "-d", "error_reporting=8191"]


@dataclass
class Browser:
    """A visitor, with the cookies that the site has set."""

    address: Address
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, **form: str) -> dict:
        """The page's JSON; a form is posted."""
        headers = {"Accept": "application/json"}
        if self.cookies:
            headers["Cookie"] = self.header
        options = {}
        if form:
            body = urlencode(form).encode()
            headers |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Content-Length": str(len(body)),
            }
            options = {"method": "POST", "body": body}
        answer = web.ask(self.address, path, headers, **options)
        assert answer.status in (200, 401), answer
        for line in answer.headers.get_all("Set-Cookie") or []:
            pair, _, rest = line.partition(";")
            name, _, value = pair.partition("=")
            logs.note(value)
            if "Max-Age=0" in rest:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return json.loads(answer.body)

    @property
    def header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def only(self, *beginnings: str) -> "Browser":
        """Another one with some of its cookies."""
        kept = {name: value for name, value in self.cookies.items() if name.startswith(beginnings)}
        return Browser(self.address, kept)

    def copy(self) -> "Browser":
        return self.only("")

    def log_in(self, email: str, password: str, **more: str) -> dict:
        return self.ask("/login", email=email, password=password, **more)

    def whoami(self) -> str | None:
        """Whom the site takes the bearer of these cookies for. What it sets is thrown away."""
        return self.copy().ask("/whoami").get("user")


@dataclass(frozen=True)
class Laravel:
    """A running application."""

    directory: Path
    address: Address

    def browser(self) -> Browser:
        return Browser(self.address)

    def write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)


def quoted(text: str) -> str:
    """A value of a .env in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def install(directory: Path, accounts: list[dict], authenticates: bool, **variables) -> None:
    """Puts the application into `directory`, with the variables of its .env and its accounts."""
    shutil.copytree(APPLICATION, directory, dirs_exist_ok=True)
    variables = {"APP_NAME": "My Shop", "APP_KEY": KEY, "BCRYPT_ROUNDS": 4} | variables
    lines = [f"{name}={value if isinstance(value, int) else quoted(value)}\n" for name, value in variables.items()]
    (directory / ".env").write_text("".join(lines))
    if variables["DB_CONNECTION"] == "sqlite":
        (directory / "database/database.sqlite").touch()
    if authenticates:
        kernel = directory / "app/Http/Kernel.php"
        line = r"\Illuminate\Session\Middleware\AuthenticateSession::class,"
        text = kernel.read_text()
        assert f"// {line}" in text
        kernel.write_text(text.replace(f"// {line}", line, 1))
    subprocess.run(
        ["php", *QUIET, directory / "database/accounts.php"],
        input=json.dumps(accounts).encode(),
        check=True,
        timeout=60,
    )
    for path in [directory, *directory.rglob("*")]:
        give_away(path)


@contextmanager
def laravel(directory: Path, accounts: list[dict], authenticates: bool = False, **variables) -> Iterator[Laravel]:
    """Runs the application until the end of the block."""
    install(directory, accounts, authenticates, **variables)
    port = free_port()
    command = ["php", *QUIET, "-S", f"{LOOPBACK}:{port}", "-t", "public", "public/index.php"]
    log = directory / "server-log"
    log.touch()
    with running(command, log, lambda: listening(port), cwd=directory, **unprivileged()):
        yield Laravel(directory, (LOOPBACK, port))
