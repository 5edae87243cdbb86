"""A wiki of Debian's MediaWiki, on SQLite, served by PHP's own server."""

import json
import os
import re
import sqlite3
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged
from programs import run

MEDIAWIKI = Path("/usr/share/mediawiki")
PHP = "/usr/bin/php8.2"


class MediaWiki:
    """A running wiki, and its maintenance scripts."""

    def __init__(self, directory: Path):
        self.directory, self.port = directory, free_port()
        self.settings = directory / "LocalSettings.php"
        self.database = directory / "data" / "wiki.sqlite"
        self.url = f"http://{LOOPBACK}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"MW_CONFIG_FILE": str(self.settings), "PHP_CLI_SERVER_WORKERS": "3"}

    def install(self) -> None:
        self.maintain(
            "install", "--dbtype", "sqlite", "--dbpath", self.database.parent, "--dbname", "wiki",
            "--confpath", self.directory, "--pass", "Correct-Horse-9", "--server", self.url,
            "--scriptpath", "", "--lang", "en", "Wiki", "Admin",
        )
        with self.settings.open("a") as settings:
            settings.write(f'$wgCacheDirectory = "{self.directory}";\n')
            settings.write("$wgPasswordAttemptThrottle = [];\n")
        for path in [self.directory, *self.directory.rglob("*")]:
            give_away(path)

    def maintain(self, script: str, *arguments) -> str:
        """Runs one of MediaWiki's maintenance scripts."""
        path = MEDIAWIKI / "maintenance" / f"{script}.php"
        done = run([PHP, path, *map(str, arguments)], env=self.environment, **unprivileged())
        assert done.code == 0, (script, done)
        return done.text

    def create(self, name: str, password: str, *groups: str) -> None:
        options = ["--custom-groups", ",".join(groups)] if groups else []
        self.maintain("createAndPromote", *options, name, password)

    def query(self, statement: str, *values) -> list[tuple]:
        with closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            return connection.execute(statement, values).fetchall()


class Visitor:
    """A browser's cookies at a wiki."""

    def __init__(self, wiki: MediaWiki):
        self.wiki, self.cookies = wiki, CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.cookies), urllib.request.ProxyHandler({})
        )

    def get(self, path: str, **form: str) -> str:
        data = urllib.parse.urlencode(form).encode() if form else None
        with self.opener.open(f"{self.wiki.url}/{path}", data, timeout=60) as answer:
            return answer.read().decode()

    def api(self, *, post: bool = False, **query: str) -> dict:
        query = query | {"format": "json"}
        if post:
            return json.loads(self.get("api.php", **query))
        return json.loads(self.get(f"api.php?{urllib.parse.urlencode(query)}"))

    def log_in(self, name: str, password: str, remember: bool = False) -> str | None:
        """Fills in the log-in page, and says who is logged in then."""
        page = self.get("index.php?title=Special:UserLogin")
        token = re.search(r'name="wpLoginToken" type="hidden" value="([^"]*)"', page)[1]
        form = {"wpName": name, "wpPassword": password, "wpLoginToken": token,
                "wpEditToken": "+\\", "authAction": "login", "wploginattempt": "Log in"}
        if remember:
            form["wpRemember"] = "1"
        self.get("index.php?title=Special:UserLogin", **form)
        return self.who()

    def who(self) -> str | None:
        user = self.api(action="query", meta="userinfo")["query"]["userinfo"]
        return user["name"] if user["id"] else None

    def log_out(self) -> None:
        token = self.api(action="query", meta="tokens")["query"]["tokens"]["csrftoken"]
        self.api(post=True, action="logout", token=token)

    def header(self, *without: str) -> str:
        """The Cookie header that a browser sends, but for some cookies."""
        named = (c for c in self.cookies if c.name not in without)
        return "; ".join(f"{c.name}={c.value}" for c in named)


@contextmanager
def mediawiki(directory: Path) -> Iterator[MediaWiki]:
    """Installs and runs a wiki until the end of the block."""
    wiki = MediaWiki(directory)
    wiki.install()
    server = [PHP, "-S", f"{LOOPBACK}:{wiki.port}", "-t", MEDIAWIKI]
    ready = lambda: listening(wiki.port)  # noqa: E731
    log = directory / "server.log"
    with running(server, log, ready, env=wiki.environment, **unprivileged()):
        yield wiki
