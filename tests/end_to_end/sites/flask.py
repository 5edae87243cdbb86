"""A shop in Flask, from `stories/flask`: a real one, in a process of its own."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import logs
from processes import free_port, listening, running

from .visitor import Visitor

SHOP = Path(__file__).parents[1] / "stories/flask/shop.py"
SETUP = Path(__file__).parents[2] / ".setup"
SECRET = "f1ask-s3cret-of-the-shop"
# In its table before anybody logs in.
NAMES = ["alice", "bob", "zoë ö", "dora"]


class Shop:
    """The shop in a directory: its files, and how it is started."""

    def __init__(self, directory: Path, database: str, environment: str = "flask", **more: str):
        self.directory, self.database = directory, database
        self.python = SETUP / environment / "bin/python"
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SHOP_SECRET": SECRET,
            "SHOP_DATABASE": database,
        } | more
        logs.note(SECRET)
        shutil.copy(SHOP, directory)
        self.flask("fill")

    def flask(self, *words: str) -> None:
        command = [self.python, "-m", "flask", "--app", "shop:create_app", *words]
        subprocess.run(command, cwd=self.directory, env=self.environment, check=True, timeout=60)

    def sql(self, statement: str) -> None:
        """Changes the shop's tables, as the shop itself would."""
        if self.database.startswith("sqlite:///"):
            with closing(sqlite3.connect(self.database.removeprefix("sqlite:///"))) as connection:
                connection.execute(statement)
                connection.commit()
            return
        code = (
            "import shop, sys; app = shop.create_app(); app.app_context().push(); "
            "shop.db.session.execute(shop.db.text(sys.argv[1])); shop.db.session.commit()"
        )
        subprocess.run(
            [self.python, "-c", code, statement],
            cwd=self.directory, env=self.environment, check=True, timeout=60,
        )

    @contextmanager
    def run(self, **more: str) -> Iterator["Running"]:
        port = free_port()
        command = [self.python, "-m", "flask", "--app", "shop:create_app", "run", "--port", str(port)]
        environment = self.environment | more
        log = self.directory / "flask.log"
        with running(command, log, lambda: listening(port), cwd=self.directory, env=environment):
            yield Running(port)


class Running:
    """The shop, as visitors see it."""

    def __init__(self, port: int):
        self.port = port

    def visit(self, name: str | None = None) -> Visitor:
        visitor = Visitor(self.port)
        return visitor.log_in(name, f"Pw-{name}") if name else visitor

    def who(self, token: str) -> str:
        """Whom the shop's own page names for a session cookie."""
        return Visitor(self.port).ask("/who", f"session={token}")


def arguments(shop: Shop) -> list:
    """What `hallpass init` and `hallpass compare` are told of it."""
    files = shop.directory / "shop.env"
    own = {key: value for key, value in shop.environment.items() if key.startswith("SHOP_")}
    files.write_text("".join(f"{key}='{value}'\n" for key, value in own.items()))
    os.chmod(files, 0o600)
    return [shop.directory, "--app", "shop:create_app", "--python", shop.python, "--env-file", files]
