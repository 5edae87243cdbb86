"""Real sites in Ruby: a Rails with Devise, and Debian's Redmine. Each has a directory of its own, and is
served by Puma on loopback as an unprivileged user."""

import http.client
import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import logs
from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged

HERE = Path(__file__).parent
SECRET = "5ec2e7ba5e" * 12
REDMINE = Path("/usr/share/redmine")


@dataclass
class Visitor:
    """A browser that follows no redirects, and its cookies as they were sent."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def request(self, method: str, path: str, form: dict | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=60)
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with closing(connection):
            connection.request(method, path, form and urlencode(form), headers)
            answer = connection.getresponse()
            for header in answer.headers.get_all("Set-Cookie", []):
                name, _, value = header.split(";")[0].partition("=")
                self.cookies[name] = value
                logs.note(value) if len(value) > 8 else None
            return answer.status, answer.read().decode(errors="replace")

    def get(self, path: str) -> tuple[int, str]:
        return self.request("GET", path)

    def post(self, path: str, form: dict) -> tuple[int, str]:
        return self.request("POST", path, form)


@dataclass
class RubySite:
    """A site: its root as `hallpass init` and `compare` are given it, its database and its port."""

    root: Path
    database: Path
    port: int
    cookie: str
    variables: dict[str, str]

    def run(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            with connection:
                for statement in statements:
                    connection.execute(statement)

    def one(self, query: str):
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            return connection.execute(query).fetchone()[0]

    def visitor(self, **cookies: str) -> Visitor:
        return Visitor(self.port, cookies)

    def holding(self, token: str) -> Visitor:
        return self.visitor(**{self.cookie: token})

    @contextmanager
    def serving(self, directory: Path):
        command = ["ruby", "-W0", shutil.which("puma"), "-b", f"tcp://{LOOPBACK}:{self.port}", "-t", "1:4",
                   "-e", "production", self.root / "config.ru"]  # fmt: skip
        environment = os.environ | self.variables
        ready = lambda: listening(self.port)
        with running(command, directory / "puma.log", ready, 120, cwd=self.root, env=environment, **unprivileged()):
            yield self

    def ruby(self, script: Path) -> None:
        done = subprocess.run(
            ["ruby", "-W0", script], cwd=self.root, env=os.environ | self.variables,
            capture_output=True, timeout=300, **unprivileged(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode(errors="replace")[:4000]


class DeviseSite(RubySite):
    def log_in(self, name: str, password: str) -> Visitor:
        visitor = self.visitor()
        visitor.post("/users/sign_in", {"user[email]": name, "user[password]": password})
        return visitor

    def says(self, visitor: Visitor) -> str | None:
        """Whom the site's own page greets."""
        status, text = visitor.get("/who")
        return text.split()[1] if status == 200 else None


class RedmineSite(RubySite):
    @staticmethod
    def form_token(page: str) -> str:
        return re.findall(r'name="authenticity_token" value="([^"]*)"', page)[-1]

    def log_in(self, name: str, password: str) -> Visitor:
        visitor = self.visitor()
        token = self.form_token(visitor.get("/login")[1])
        visitor.post("/login", {"authenticity_token": token, "username": name, "password": password})
        return visitor

    def says(self, visitor: Visitor) -> str | None:
        status, text = visitor.get("/my/account")
        found = re.search(r'class="user active"[^>]*>([^<]*)<', text) if status == 200 else None
        return found[1] if found else None


@contextmanager
def devise(directory: Path, session_store: str | None = None):
    """A Rails with Devise; `session_store` is another initializer for its sessions."""
    root = directory / "shop"
    shutil.copytree(HERE / "rails_app", root)
    for name in ("db", "log", "tmp"):
        (root / name).mkdir()
    if session_store:
        (root / "config/initializers/session_store.rb").write_text(session_store)
    environment = directory / "shop.env"
    environment.write_text(f"SECRET_KEY_BASE={SECRET}\n")
    for path in [directory, *directory.rglob("*")]:
        give_away(path)
    variables = {"RAILS_ENV": "production", "SECRET_KEY_BASE": SECRET, "HOME": str(directory)}
    logs.note(SECRET)
    site = DeviseSite(root, root / "db/production.sqlite3", free_port(), "_little_shop", variables)
    site.ruby(root / "tables.rb")
    with site.serving(directory):
        yield site


@contextmanager
def redmine(directory: Path):
    """Debian's Redmine, with an instance outside of its own directories: its code looks for it below
    `instances`, from where a relative path leads to any place."""
    instance = directory / "redmine"
    for name in ("config", "tmp/cache", "log", "files"):
        (instance / name).mkdir(parents=True)
    database = instance / "db.sqlite3"
    (instance / "config/database.yml").write_text(f"production:\n  adapter: sqlite3\n  database: {database}\n")
    (instance / "config/secret_key.txt").write_text(SECRET)
    tables = directory / "redmine_tables.rb"
    shutil.copy(HERE / "redmine_tables.rb", tables)
    for path in [directory, *directory.rglob("*")]:
        give_away(path)
    # `instances` is a link: enough for the way that is written and for the one that it leads to.
    up = "../" * 8
    variables = {"RAILS_ENV": "production", "REDMINE_INSTANCE": f"{up}{str(instance)[1:]}", "HOME": str(directory)}
    logs.note(SECRET)
    site = RedmineSite(REDMINE, database, free_port(), "Redmine", variables)
    site.ruby(tables)
    with site.serving(directory):
        yield site
