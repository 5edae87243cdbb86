"""A real Django site: its project is the directory `website`, its answers the expected ones."""

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import zlib
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from http.cookiejar import CookieJar
from pathlib import Path

import logs
from processes import LOOPBACK, give_away, stop
from programs import PATIENT, toml
from stores.mariadb import MariaDB
from stores.postgresql import PostgreSQL

HERE = Path(__file__).parent
VERSIONS = ["4.2", "5.2"]
LATEST = VERSIONS[-1]


def python_of(version: str) -> Path:
    """The interpreter that has this Django."""
    python = HERE.parent / ".setup" / f"django-{version}" / "bin" / "python"
    assert python.exists(), f"{python} is missing: run tests/setup"
    return python


@dataclass
class DjangoSite:
    """A site in a directory of its own; close it, or use it in a `with` statement.

    `settings` replace those of website/settings.py. The database is a file of SQLite, or is
    on a `server` of stores/. Sites with the same Django and tables share one migrated database
    as their model, kept in `templates` or on the server.
    """

    directory: Path
    templates: Path
    version: str = LATEST
    settings: dict = field(default_factory=dict)
    server: PostgreSQL | MariaDB | None = None

    def __post_init__(self):
        self._open = ExitStack()
        self.directory.mkdir(parents=True)
        if self.server:
            self._copy_migrated_database_of_server()
        else:
            self._write_settings()
            self._copy_migrated_database()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Stops the site's processes."""
        self._open.close()

    # Inside the site

    @property
    def database(self) -> Path:
        """The file of SQLite."""
        assert not self.server
        return self.directory / "db.sqlite3"

    @property
    def database_name(self) -> str:
        """The name of the database on its server."""
        return self.directory.name.replace("-", "_")

    @property
    def user_model(self) -> str:
        return self.settings.get("AUTH_USER_MODEL", "auth.User")

    @property
    def environment(self) -> dict:
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "website.settings",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(HERE),
            "PYTHONWARNINGS": "ignore",
            "SITE_DIRECTORY": str(self.directory),
        }

    def manage(self, *arguments: str) -> str:
        """Runs a management command and answers its output."""
        done = subprocess.run(
            [python_of(self.version), "-m", "django", *arguments],
            env=self.environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _write_settings(self):
        (self.directory / "settings.json").write_text(json.dumps(self.settings))

    @property
    def _template(self) -> str:
        """Names the tables that this Django makes for the site."""
        tables = [self.user_model, self.settings.get("INSTALLED_APPS")]
        return f"template_{self.version}_{zlib.crc32(json.dumps(tables).encode())}".replace(".", "")

    def _copy_migrated_database(self):
        template = self.templates / f"{self._template}.sqlite3"
        if not template.exists():
            self.manage("migrate", "--run-syncdb")
            self.templates.mkdir(exist_ok=True)
            shutil.move(self.database, template)
        shutil.copyfile(template, self.database)

    def _copy_migrated_database_of_server(self):
        if self._template not in self.server.databases:
            self.server.create_database(self._template)
            self.settings["DATABASES"] = {"default": self.server.django(self._template)}
            self._write_settings()
            self._make_migrations()
            self.manage("migrate", "--run-syncdb")
        self.server.copy_database(self._template, self.database_name)
        self.settings["DATABASES"] = {"default": self.server.django(self.database_name)}
        self._write_settings()

    def _make_migrations(self):
        """Migrations of the site's own models: without, their tables are made before those that
        they refer to, which servers refuse."""
        for app in ("people", "rules"):
            if f"website.{app}" not in self.settings.get("INSTALLED_APPS", []):
                continue
            modules = {"MIGRATION_MODULES": {app: f"{app}_migrations"}}
            self.settings |= modules
            self._write_settings()
            package = self.directory / f"{app}_migrations"
            package.mkdir()
            (package / "__init__.py").touch()
            self.manage("makemigrations", app)

    def use(self, **settings):
        """Changes settings of the running site."""
        self.settings |= settings
        self.ask("use", **settings)

    def ask(self, question: str, /, *of, **named):
        """Asks Django itself: calls a function of website/oracle.py in the site."""
        oracle = self._oracle
        oracle.stdin.write(json.dumps({"ask": question, "of": of, "with": named}) + "\n")
        oracle.stdin.flush()
        reply = json.loads(oracle.stdout.readline() or '{"error": "the oracle ended"}')
        assert "error" not in reply, reply["error"]
        return reply["answer"]

    def shell(self, code: str, **names):
        """Runs statements inside the site; answers what they leave in the variable `answer`."""
        return self.ask("run", code, names)

    @cached_property
    def _oracle(self) -> subprocess.Popen:
        process = subprocess.Popen(
            [python_of(self.version), "-m", "website.oracle"],
            env=self.environment,
            cwd=self.directory,
            stdin=subprocess.PIPE,  # the oracle ends with its input, so also when we are killed
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._open.callback(stop, process)
        return process

    def make_accounts(self, *accounts: dict) -> dict[str, str]:
        """Makes accounts (see `make_accounts` of the oracle); answers their ids by name."""
        return self.ask("make_accounts", accounts)

    def deactivate(self, username: str):
        self.ask("update", username, is_active=False)

    # Over HTTP

    @cached_property
    def url(self) -> str:
        """Where the site is served, from the first time this is asked."""
        return f"http://{LOOPBACK}:{self.ask('serve')}"

    def login(self, username: str, password: str) -> "Browser":
        """A browser that has sent the site's login form; `browser.user` says whether it worked."""
        browser = Browser(self)
        browser.send_form("/login/", username=username, password=password)
        return browser

    # As Hallpass sees it

    def configuration(self, **tables) -> dict:
        """The tables of a hallpass.toml for this site; `tables` are laid over them."""
        setting = self.settings.get
        if self.server:
            database = self.server.hallpass(self.database_name)
        else:
            database = f"sqlite:{self.database}"
        result = {
            "framework": "django",
            "database": database,
            "django": {
                "version": self.version,
                "secret_key": self.shell("answer = settings.SECRET_KEY"),
                "secret_key_fallbacks": setting("SECRET_KEY_FALLBACKS"),
                "session_cookie_name": setting("SESSION_COOKIE_NAME"),
                "authentication_backends": self.shell("answer = settings.AUTHENTICATION_BACKENDS"),
                "session_engine": setting("SESSION_ENGINE"),
                "session_cookie_age": setting("SESSION_COOKIE_AGE"),
                "session_file_path": setting("SESSION_FILE_PATH"),
                **self._cache(),
            },
            # What unknown accounts cost: as little as the tests' own passwords.
            "passwords": {"dummy": "pbkdf2_sha256$1000"},
            "limits": {"deadline": PATIENT},
        }
        for name, table in tables.items():
            both = isinstance(table, dict) and isinstance(result.get(name), dict)
            result[name] = result[name] | table if both else table
        return result

    def _cache(self) -> dict:
        """Hallpass's keys for the cache that keeps the sessions."""
        caches = self.settings.get("CACHES", {})
        cache = caches.get(self.settings.get("SESSION_CACHE_ALIAS", "default"), {})
        if "LOCATION" not in cache:
            return {}
        return {
            "cache": cache_url(cache),
            "cache_key_prefix": cache.get("KEY_PREFIX"),
            "cache_version": cache.get("VERSION"),
        }

    def write_configuration(self, name: str = "hallpass.toml", **tables) -> Path:
        """Writes a hallpass.toml, readable by the user that hosts run as and nobody else."""
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(toml(self.configuration(**tables)))
        return give_away(path)


def cache_url(cache: dict) -> str:
    """What an entry of CACHES is to Hallpass."""
    backend, location = cache["BACKEND"].rpartition(".")[2], cache["LOCATION"]
    location = location if isinstance(location, str) else ",".join(location)
    scheme = {"DatabaseCache": "db:", "FileBasedCache": "file:", "RedisCache": ""}.get(backend)
    if scheme is None:
        scheme = "memcached:" if location.startswith("unix:") else "memcached://"
    return scheme + location


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Browser:
    """One visitor of a site, with cookies."""

    def __init__(self, site: DjangoSite):
        self.site = site
        self.jar = CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar)
        )

    def _open(self, path: str, form: dict | None = None) -> str:
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        with self._opener.open(self.site.url + path, data, timeout=60) as response:
            logs.note(self.cookies.get(self.session_cookie))
            return response.read().decode()

    def send_form(self, path: str, **fields: str) -> str:
        """Fetches a form for its CSRF cookie, then sends it filled in."""
        self._open(path)
        return self._open(path, fields | {"csrfmiddlewaretoken": self.cookies["csrftoken"]})

    def led_to(self, path: str, **fields: str) -> str:
        """Where the answer to a form leads, which is not gone to."""
        self._open(path)
        form = fields | {"csrfmiddlewaretoken": self.cookies["csrftoken"]}
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar), _Stay()
        )
        try:
            opener.open(self.site.url + path, urllib.parse.urlencode(form).encode(), timeout=60)
        except urllib.error.HTTPError as answer:
            assert answer.code == 302, answer
            logs.note(self.cookies.get(self.session_cookie))
            return answer.headers["Location"]
        raise AssertionError(f"{path} leads nowhere")

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value for cookie in self.jar}

    @property
    def cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    @property
    def token(self) -> str:
        """The value of the session cookie."""
        return self.cookies[self.session_cookie]

    @property
    def session_cookie(self) -> str:
        """The session cookie's name."""
        return self.site.settings.get("SESSION_COOKIE_NAME", "sessionid")

    @property
    def user(self) -> str | None:
        """Whom the site itself takes this visitor for."""
        return json.loads(self._open("/whoami/"))["user"]

    def logout(self):
        self.send_form_at_hand("/logout/")

    def change_password(self, old: str, new: str):
        self.send_form("/password/", old_password=old, new_password1=new, new_password2=new)

    def send_form_at_hand(self, path: str, **fields: str) -> str:
        """Sends a form whose CSRF cookie an earlier page has set."""
        return self._open(path, fields | {"csrfmiddlewaretoken": self.cookies["csrftoken"]})
