"""Sites of Node.js from `stories/express`: a shop in Express, and one with Auth.js."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import quote

import logs
from processes import LOOPBACK, free_port, listening, running
from stores.mariadb import PASSWORD as MARIADB_PASSWORD
from stores.postgresql import PASSWORD as POSTGRESQL_PASSWORD

from .visitor import Visitor

STORIES = Path(__file__).parents[1] / "stories/express"
MODULES = Path(__file__).parents[2] / ".setup/express/node_modules"
SECRET = "express-s3cret-of-the-shop"
NAMES = ["alice", "bob", "zoë ö", "dora"]

# As `bcryptjs` makes them, cheap.
HASH = "require('bcryptjs').hashSync(process.argv[1], 4)"


@cache
def hashes() -> dict[str, str]:
    """The hashes of the accounts' passwords, as the package makes them."""
    made = {}
    for name in NAMES:
        environment = {"NODE_PATH": str(MODULES), "PATH": os.environ["PATH"]}
        command = ["node", "-p", HASH, f"Pw-{name}"]
        made[name] = subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, timeout=60
        ).stdout.strip()
    return made


def url_of(server, name: str) -> str:
    """The site's own URL of a database."""
    kind = type(server).__name__
    scheme, password = {
        "PostgreSQL": ("postgres", POSTGRESQL_PASSWORD), "MariaDB": ("mysql", MARIADB_PASSWORD),
    }[kind]
    return f"{scheme}://site:{quote(password, safe='')}@{LOOPBACK}:{server.port}/{name}"


class NodeSite:
    """A site in a directory: its `.env`, its package.json, and how it is started."""

    def __init__(self, directory: Path, script: str, server, name: str, **variables: str):
        self.directory, self.server, self.name = directory, server, name
        server.create_database(name)
        self.variables = {"DATABASE": url_of(server, name), "MODULES": str(MODULES)} | variables
        shutil.copy(STORIES / script, directory)
        self.script = directory / script
        # Whoever imports looks for packages here.
        (directory / "node_modules").symlink_to(MODULES)

    def sql(self, statement: str) -> None:
        if type(self.server).__name__ == "MariaDB":
            self.server.execute(statement, self.name)
        else:
            self.server.execute(statement, self.name, "site", POSTGRESQL_PASSWORD, LOOPBACK)

    @contextmanager
    def run(self, **more: str) -> Iterator[int]:
        """Runs it, on the port that is given."""
        port = free_port()
        environment = {"PATH": os.environ["PATH"], "NODE_PATH": str(MODULES), "PORT": str(port)}
        environment |= self.variables | more
        log = self.directory / "node.log"
        with running(["node", self.script], log, lambda: listening(port), cwd=self.directory, env=environment):
            yield port

    def write(self, package: str, environment: dict[str, str]) -> None:
        """The files that `hallpass init` reads."""
        (self.directory / "package.json").write_text(package)
        lines = [f"{key}='{value}'\n" for key, value in environment.items()]
        (self.directory / ".env").write_text("".join(lines))
        os.chmod(self.directory / ".env", 0o600)


def shop(directory: Path, store: str, server, name: str, hashes: dict[str, str], redis: str = "") -> NodeSite:
    """The shop, with its accounts and the files that a site has."""
    logs.note(SECRET)
    site = NodeSite(directory, "shop.js", server, name, STORE=store, SECRETS=SECRET, REDIS=redis)
    site.sql(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, username VARCHAR(80), email VARCHAR(80), "
        "password VARCHAR(80), active BOOLEAN)"
    )
    for number, user in enumerate(NAMES, 1):
        active = "false" if user == "dora" else "true"
        site.sql(
            f"INSERT INTO users VALUES ({number}, '{user}', '{user[0]}@example.org', '{hashes[user]}', {active})"
        )
    stores = {"redis": "connect-redis", "pg": "connect-pg-simple", "mysql": "express-mysql-session"}
    names = ["express", "express-session", "passport", stores[store]]
    package = ", ".join(f'"{name}": "*"' for name in names)
    variables = {"DATABASE_URL": site.variables["DATABASE"], "SESSION_SECRET": SECRET}
    if redis:
        variables["REDIS_URL"] = redis
    site.write(f'{{"dependencies": {{{package}}}}}', variables)
    return site


def who(port: int, cookie: str, value: str) -> str:
    """Whom the site's own page names for a session cookie."""
    return Visitor(port).ask("/who", f"{cookie}={value}")
