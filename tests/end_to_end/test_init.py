"""`hallpass init django`: the file that it writes answers right, as it is."""

import os
import shutil
import stat
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

import website
from django_site import LATEST, python_of
from people import SECRET, compare_everything, fill
from processes import LOOPBACK, give_away, unprivileged
from programs import run
from stores.redis import PASSWORD, Redis

WEBSITE = Path(website.__file__).parent.parent

# As `startproject` makes it.
MANAGE = """#!/usr/bin/env python
import os
import sys


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "website.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as exc:
        raise ImportError("Couldn't import Django.") from exc
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
"""

# Without which the tests' settings do not load: they read the environment.
ENVIRONMENT = """# The site's environment.
SITE_DIRECTORY="{directory}"
export PYTHONPATH='{path}'
PYTHONWARNINGS=ignore
"""


# Root, and a machine that lets it mount: some containers do not.
needs_namespaces = pytest.mark.skipif(
    subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0,
    reason="needs a mount namespace",
)


class Init:
    """`hallpass init django` for a site of the tests, and what it wrote."""

    def __init__(self, shell, site, version=None):
        self.shell, self.site = shell, site
        self.version = version or site.version
        self.directory = site.directory
        self.output = self.directory / "hallpass.toml"
        self.manage = self.directory / "manage.py"
        self.manage.write_text(MANAGE)
        self.environment = self.directory / "environment"
        text = ENVIRONMENT.format(directory=self.directory, path=WEBSITE)
        self.environment.write_text(text)

    def __call__(self, *options, path=None, force=True, json=True, **more):
        return self.shell()(
            *(["--json"] if json else []),
            *["init", "django", path or self.directory, "--output", self.output],
            *["--python", python_of(self.version), "--env-file", self.environment],
            *(["--force"] if force else []),
            *options,
            **more,
        )

    def hallpass(self, *options):
        """The program with the file that it writes."""
        result = self(*options)
        assert result.code == 0, result.stderr.decode()
        return self.shell(self.output)

    def compare(self, *options, config=None, path=None, python=None, json=True, **more):
        """`hallpass compare` with that file, or another."""
        return self.shell(config or self.output)(
            *(["--json"] if json else []),
            *["compare", path or self.directory, "--python", python or python_of(self.version)],
            *["--env-file", self.environment, *options],
            **more,
        )

    @property
    def text(self):
        return self.output.read_text()


def approved(hallpass):
    """The doctor finds nothing to mend."""
    findings = hallpass("doctor", "--json").json["findings"]
    problems = [finding for finding in findings if finding["status"] == "problem"]
    assert findings and not problems, problems


def files_of(directory: Path) -> dict:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_mode)
        for path in directory.rglob("*")
        if "hallpass" not in path.name
    }


@pytest.mark.parametrize("version", ["2.2", "3.2", "4.2", "5.2"])
def test_plain_site(new_site, shell, verdicts, version):
    site = new_site(version)
    fill(site)
    init = Init(shell, site)
    before = files_of(site.directory), files_of(WEBSITE / "website")
    hallpass = init.hallpass()
    assert (files_of(site.directory), files_of(WEBSITE / "website")) == before
    names = ["alice", "dave", "erin", "o'brien", "nobody"] if version == LATEST else ["bob", "dave"]
    for name in names:
        compare_everything(site, hallpass, verdicts, name)

    browser = site.login("alice", SECRET)
    assert browser.user == "alice"
    verdicts.compare(hallpass.session(browser.token), True)
    token = browser.token
    verdicts.compare(hallpass.session(token[:-1] + "!"), False)
    approved(hallpass)
    browser.logout()
    verdicts.compare(hallpass.session(token), False)

    secret = site.directory / "hallpass.secret_key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_text() == site.shell("answer = settings.SECRET_KEY") + "\n"
    assert secret.read_text().strip() not in init.text
    assert f'version = "{version}"' in init.text
    # A comment at each line.
    assert all("#" in line for line in init.text.splitlines() if line)


MEMBER = {
    "AUTH_USER_MODEL": "people.Member",
    "INSTALLED_APPS": [
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "website.people",
    ],
}


@pytest.fixture(scope="module")
def protected(new_directory):
    with Redis(new_directory(), protected=True) as server:
        yield server


def cached_in(url, backend="django.core.cache.backends.redis.RedisCache", **more):
    return {
        "SESSION_ENGINE": "django.contrib.sessions.backends.cached_db",
        "SESSION_CACHE_ALIAS": "sessions",
        "CACHES": {
            "default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
            "sessions": {
                "BACKEND": backend,
                "LOCATION": url,
                "KEY_PREFIX": 'shop "x"',
                "VERSION": 3,
                **more,
            },
        },
    }


def check_members(site, hallpass, verdicts):
    fill(site, {"alice@example.org": {"groups": ["editors"]}, "bob@example.org": {"is_active": False}})
    for name in ["alice@example.org", "bob@example.org", "alice"]:
        compare_everything(site, hallpass, verdicts, name)
    browser = site.login("alice@example.org", SECRET)
    assert browser.user == "alice@example.org"
    result = hallpass.session(browser.token)
    verdicts.compare(result, True)
    assert result.json["user"] == "alice@example.org"
    return browser


@pytest.mark.parametrize("version", ["4.2", "5.2"])
def test_custom_user_model_in_postgresql_with_sessions_in_redis(
    new_site, shell, verdicts, postgresql, protected, version
):
    # Tables that refer to each other, made without migrations: all at once.
    apps = {app: None for app in ("auth", "contenttypes", "sessions")}
    site = new_site(version, server=postgresql, MIGRATION_MODULES=apps, **MEMBER, **cached_in(protected.url(2)))
    init = Init(shell, site)
    hallpass = init.hallpass()
    browser = check_members(site, hallpass, verdicts)
    approved(hallpass)
    # Neither password is in the file; each has a file of its own.
    assert PASSWORD not in init.text
    for name in ["hallpass.database_password", "hallpass.cache_password"]:
        assert (site.directory / name).read_text() == PASSWORD + "\n"
        assert stat.S_IMODE((site.directory / name).stat().st_mode) == 0o600
    # The cache's copy is what counts.
    site.ask("save_session", {})
    protected.execute("FLUSHALL")
    postgresql.execute("DELETE FROM django_session", site.database_name)
    verdicts.compare(hallpass.session(browser.token), False, {"no-session"})


def test_mariadb_and_django_redis(new_site, shell, verdicts, mariadb, protected):
    backend, url = "django_redis.cache.RedisCache", f"redis://{LOOPBACK}:{protected.port}/4"
    options = {
        "CLIENT_CLASS": "django_redis.client.DefaultClient",
        "PASSWORD": PASSWORD,
        "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
    }
    settings = cached_in(url, backend, OPTIONS=options) | {
        "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
        "SESSION_COOKIE_NAME": "shop_session",
        "USE_TZ": False,
        "TIME_ZONE": "Europe/Warsaw",
    }
    site = new_site("5.2", server=mariadb, **settings)
    fill(site, {"alice": {"groups": ["editors"]}, "dave": {"is_active": False}})
    init = Init(shell, site)
    hallpass = init.hallpass()
    for name in ["alice", "dave", "nobody"]:
        compare_everything(site, hallpass, verdicts, name)
    browser = site.login("alice", SECRET)
    verdicts.compare(hallpass.session(browser.token), True)
    assert 'session_cookie_name = "shop_session"' in init.text
    assert 'time_zone = "Europe/Warsaw"' in init.text
    header = shell(init.output)("session", "--json", "--cookie", browser.cookie_header)
    assert header.granted and header.json["user"] == "alice"


CACHES = {
    "database": lambda site: ("db.DatabaseCache", "cache_table"),
    "files": lambda site: ("filebased.FileBasedCache", str(site.directory / "cache")),
    "memcached": lambda site: ("memcached.PyMemcacheCache", site.memcached),
}


@pytest.mark.parametrize("name", CACHES)
def test_other_caches(new_site, shell, verdicts, memcached, name):
    site = new_site()
    site.memcached = f"{LOOPBACK}:{memcached.port}"
    backend, location = CACHES[name](site)
    backend = f"django.core.cache.backends.{backend}"
    settings = cached_in(location, backend, KEY_PREFIX="shop")
    settings["SESSION_ENGINE"] = "django.contrib.sessions.backends.cache"
    site.settings |= settings
    site._write_settings()
    if name == "database":
        site.manage("createcachetable")
    fill(site, {"alice": {}})
    hallpass = Init(shell, site).hallpass()
    browser = site.login("alice", SECRET)
    assert browser.user == "alice"
    verdicts.compare(hallpass.session(browser.token), True)
    verdicts.compare(hallpass.session("0" * 32), False)


@pytest.mark.parametrize("engine", ["file", "signed_cookies"])
def test_other_engines(new_site, shell, verdicts, engine):
    site = new_site(SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}")
    (site.directory / "sessions").mkdir()
    site.settings["SESSION_FILE_PATH"] = str(site.directory / "sessions")
    site.settings["SECRET_KEY_FALLBACKS"] = ["an older key"]
    site._write_settings()
    fill(site, {"alice": {}})
    init = Init(shell, site)
    hallpass = init.hallpass()
    browser = site.login("alice", SECRET)
    verdicts.compare(hallpass.session(browser.token), True)
    older = site.directory / "hallpass.secret_key_fallback_1"
    assert older.read_text() == "an older key\n"
    assert stat.S_IMODE(older.stat().st_mode) == 0o600


@pytest.mark.parametrize("cache", ["locmem.LocMemCache", "dummy.DummyCache"])
def test_the_table_alone_where_nobody_else_sees_the_cache(new_site, shell, verdicts, cache):
    """Django's own cache, if a site has set none, is each process's."""
    site = new_site(
        SESSION_ENGINE="django.contrib.sessions.backends.cached_db",
        CACHES={"default": {"BACKEND": f"django.core.cache.backends.{cache}"}},
    )
    fill(site, {"alice": {}})
    hallpass = Init(shell, site).hallpass()
    token = site.login("alice", SECRET).token
    verdicts.compare(hallpass.session(token), True)
    site.shell("session_model().objects.filter(session_key=token).delete()\nanswer = None", token=token)
    verdicts.compare(hallpass.session(token), False)


# What there is to be read of a site, and what there is not


@pytest.fixture(scope="module")
def site(new_site):
    site = new_site()
    fill(site, {"alice": {"groups": ["editors"]}})
    return site


@pytest.fixture
def init(shell, site):
    init = Init(shell, site)
    settings = dict(site.settings)
    yield init
    site.settings.clear()
    site.settings |= settings
    site._write_settings()
    for path in site.directory.glob("hallpass.*"):
        path.unlink()


def alter(init, **settings):
    """Changes the settings in the file alone."""
    init.site.settings |= settings
    init.site._write_settings()


SECRETS = [
    "two\nlines",
    "one newline\n",
    "carriage return\r",
    "both\r\n",
    " blanks ",
    "\"quotes\" 'and' \\backslashes\\ # no comment",
    "{ file = \"/etc/passwd\" }",
    "ключ 🔑",
    "x" * 5000,
]


@pytest.mark.parametrize("secret", SECRETS, ids=range(len(SECRETS)))
def test_any_secret_key(init, verdicts, secret):
    """What was signed with it is believed, so it arrived as it was."""
    init.site.use(SECRET_KEY=secret)
    alter(init, SECRET_KEY=secret)
    try:
        token = init.site.ask("save_session", init.site.ask("login_keys", "alice"))
        assert init.site.ask("session_user", token)["user"] == "alice"
        verdicts.compare(init.hallpass().session(token), True)
        alter(init, SECRET_KEY=secret + "!")
        verdicts.compare(init.hallpass().session(token), False, {"invalid-session"})
    finally:
        init.site.use(SECRET_KEY="a secret key of the tests, not long but long enough")


def test_hostile_values_stay_values(init):
    """No setting ends its string, or its comment, and begins a line of its own."""
    evil = 'a"\nframework = "custom"\n[access]\n#'
    alter(init, SESSION_COOKIE_NAME="b", TIME_ZONE="UTC", SESSION_COOKIE_AGE=60)
    alter(init, DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": evil}})
    result = init()
    assert result.code == 0, result.stderr
    document = tomllib.loads(init.text)
    assert document["framework"] == "django" and "access" not in document
    assert document["database"] == f"sqlite:{init.directory}/{evil}"
    assert document["django"]["session_cookie_name"] == "b"
    assert b"manage.py" in result.stderr  # relative, so warned about


# Settings, and words of the warning that they cost. Accounts are read all the same.
NO_SESSIONS = {
    "in-memory": (
        {
            "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
            "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        },
        "LocMemCache",
    ),
    "no-cache": (
        {
            "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
            "CACHES": {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}},
        },
        "DummyCache",
    ),
    "own-keys": (
        {
            "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
            "CACHES": {
                "default": {
                    "BACKEND": "django.core.cache.backends.db.DatabaseCache",
                    "LOCATION": "t",
                    "KEY_FUNCTION": "website.hashers.key",
                }
            },
        },
        "KEY_FUNCTION",
    ),
    "own-engine": ({"SESSION_ENGINE": "website.odd_sessions"}, "website.odd_sessions"),
    "own-serializer": ({"SESSION_SERIALIZER": "website.odd_sessions.Odd"}, "website.odd_sessions"),
}

ODD_SESSIONS = """
from django.contrib.sessions.backends.base import SessionBase


class SessionStore(SessionBase):
    pass


class Odd:
    pass
"""


@pytest.mark.parametrize("name", NO_SESSIONS)
def test_sessions_that_cannot_be_read(init, verdicts, name, tmp_path):
    settings, words = NO_SESSIONS[name]
    alter(init, **settings)
    # A package of the same name, of which one part is there and the other is here.
    (tmp_path / "odd_sessions.py").write_text(ODD_SESSIONS)
    text = init.environment.read_text() + f"ODD={tmp_path}\n"
    init.environment.write_text(text)
    manage = MANAGE.replace("def main", "import website\nwebsite.__path__.append(os.environ['ODD'])\n\n\ndef main")
    init.manage.write_text(manage)
    result = init()
    assert result.code == 0, result.stderr.decode()
    assert b"sessions are not read" in result.stderr and words.encode() in result.stderr
    hallpass = init.shell(init.output)
    verdicts.compare(hallpass.check("alice", SECRET), True)
    assert not (init.directory / "hallpass.secret_key").exists()
    assert hallpass("session", "x" * 32).code == 2


def test_single_sign_on_alone(init, verdicts):
    """An old password that is still in its column is good for nothing."""
    alter(init, AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.RemoteUserBackend"])
    result = init()
    assert result.code == 0
    assert b"single sign-on alone" in result.stderr
    hallpass = init.shell(init.output)
    verdicts.compare(hallpass.check("alice", SECRET), False, {"unusable-password"})


BROKEN = {
    "no-such-module": ("import nothing_of_this_name\n", b"nothing_of_this_name"),
    "syntax": ("def\n", b"SyntaxError"),
    "raises": ("raise RuntimeError('the \\x1b[31mreason')\n", b"RuntimeError"),
    "ends": ("import sys; sys.exit('enough')\n", b"enough"),
    "killed": ("import os; os.kill(os.getpid(), 9)\n", b"signal 9"),
    "prints": ("print('x' * 1_000_000, flush=True); raise SystemExit(3)\n", b"xxx"),
    "leaves": ("import os; os._exit(0)\n", b"cannot be understood"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_settings(init, name):
    code, words = BROKEN[name]
    init.manage.write_text(code + MANAGE)
    before = set(os.listdir(init.directory))
    result = init()
    assert result.code == 2, result
    assert words in result.stderr and b"\x1b" not in result.stderr
    assert set(os.listdir(init.directory)) == before


def test_settings_that_print(init, verdicts):
    """To standard output, to its descriptor, and to a child's."""
    noise = "import os, sys; print('{'); os.write(1, b'noise'); os.system('echo more'); input\n"
    init.manage.write_text(noise + MANAGE)
    verdicts.compare(init.hallpass().check("alice", SECRET), True)


def test_settings_that_hang(init):
    hanging = "import os, subprocess\nsubprocess.Popen(['sleep', '997'])\nos.system('sleep 998')\n"
    init.manage.write_text(hanging + MANAGE)
    started = time.monotonic()
    result = init("--timeout", "2s")
    assert result.code == 2 and b"--timeout" in result.stderr
    assert time.monotonic() - started < 50
    # Nothing that it started is left.
    time.sleep(0.2)
    left = [Path(f"/proc/{pid}/cmdline") for pid in os.listdir("/proc") if pid.isdigit()]
    assert not [path for path in left if reads(path) in (b"sleep\x00997\x00", b"sleep\x00998\x00")]
    assert not init.output.exists()


def reads(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_site_that_logs_to_a_file_gets_no_file(init):
    log = init.directory / "site.log"
    handler = {"class": "logging.FileHandler", "filename": str(log)}
    alter(init, LOGGING={"version": 1, "handlers": {"file": handler}, "root": {"handlers": ["file"]}})
    assert init().code == 0
    assert not log.exists()


# Where things are


def test_manage_py_is_found_below(init, verdicts):
    below = init.directory / "src" / "shop"
    below.mkdir(parents=True)
    try:
        init.manage.rename(below / "manage.py")
        assert init().code == 0
        verdicts.compare(init.shell(init.output).check("alice", SECRET), True)
        assert init(path=below / "manage.py").code == 0
        (below.parent / "blog").mkdir()
        (below.parent / "blog" / "manage.py").write_text(MANAGE)
        result = init()
        assert result.code == 2 and b"several sites" in result.stderr
    finally:
        shutil.rmtree(below.parent)


def test_no_manage_py(init, verdicts):
    init.manage.unlink()
    result = init()
    assert result.code == 2 and b"there is no manage.py in" in result.stderr
    assert init(path=init.directory / "nowhere").code == 2
    # Who says which settings needs none.
    hallpass = init.hallpass("--settings", "website.settings")
    verdicts.compare(hallpass.check("alice", SECRET), True)
    result = init("--settings", "website.no_settings")
    assert result.code == 2 and b"no_settings" in result.stderr


def test_the_virtual_environment_beside_the_site(init, verdicts):
    (init.directory / "venv").symlink_to(python_of("5.2").parents[1])
    try:
        result = init.shell()(
            *["init", "django", init.directory, "-o", init.output, "--force"],
            *["--env-file", init.environment],
            env={key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"},
        )
        assert result.code == 0, result.stderr
        verdicts.compare(init.shell(init.output).check("alice", SECRET), True)
    finally:
        (init.directory / "venv").unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give something away")
def test_somebody_elses_environment_is_not_run(init):
    """Beside a site in a directory that many share, anybody could have put one there."""
    planted, ran = init.directory / "a-planted-one", init.directory / "it-ran"
    (planted / "bin").mkdir(parents=True)
    (planted / "pyvenv.cfg").touch()
    (planted / "bin/python").write_text(f"#!/bin/sh\ntouch {ran}\n")
    (planted / "bin/python").chmod(0o755)
    os.chown(planted, 12345, 12345)
    try:
        run(
            [init.shell().program, "init", "django", init.directory, "-o", init.output, "--force"],
            env={key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"},
        )
        assert not ran.exists()
        # Of an owner who is trusted, it would have been run.
        os.chown(planted, 0, 0)
        run(
            [init.shell().program, "init", "django", init.directory, "-o", init.output, "--force"],
            env={key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"},
        )
        assert ran.exists()
    finally:
        ran.unlink(missing_ok=True)
        shutil.rmtree(planted)


@pytest.mark.parametrize(
    "python, words",
    [("/no/such/python", b"--python"), ("/bin/false", b"cannot load the site"), (sys.executable, b"no Django")],
)
def test_another_python(init, python, words):
    result = run(
        [init.shell().program, "init", "django", init.directory, "-o", init.output]
        + ["--python", python, "--env-file", init.environment]
    )
    assert result.code == 2 and words in result.stderr, result.stderr
    assert not init.output.exists()


@pytest.mark.parametrize("text", ["nonsense\n", "A='open\n", "=1\n"])
def test_broken_environment_file(init, text):
    init.environment.write_text(text)
    result = init()
    assert result.code == 2 and b"environment:1" in result.stderr


# What is written


def test_nothing_is_overwritten(init):
    assert init(force=False).code == 0
    first = init.text
    alter(init, SESSION_COOKIE_NAME="another")
    result = init(force=False)
    assert result.code == 2 and b"--force" in result.stderr and init.text == first
    init.output.unlink()
    # Nor is a secret of something else.
    secret = init.directory / "hallpass.secret_key"
    secret.write_text("precious")
    result = init(force=False)
    assert result.code == 2 and b"--force" in result.stderr
    assert secret.read_text() == "precious" and not init.output.exists()
    secret.unlink()
    # A link that leads nowhere is there, too.
    init.output.symlink_to(init.directory / "elsewhere")
    assert init(force=False).code == 2 and not (init.directory / "elsewhere").exists()
    init.output.unlink()


def test_what_is_replaced_keeps_its_owner_and_its_readers(init):
    assert init().code == 0
    secret = init.directory / "hallpass.secret_key"
    secret.chmod(0o640)
    init.output.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(secret, 12345, 12346)
    assert init().code == 0
    assert stat.S_IMODE(secret.stat().st_mode) == 0o640
    assert stat.S_IMODE(init.output.stat().st_mode) == 0o640
    if os.geteuid() == 0:
        assert (secret.stat().st_uid, secret.stat().st_gid) == (12345, 12346)


@pytest.mark.parametrize("output", ["no/such/directory/hallpass.toml", "/proc/hallpass.toml", "/"])
def test_places_that_cannot_be_written_to(init, output):
    before = set(os.listdir(init.directory))
    init.output = init.directory / output
    result = init()
    assert result.code == 2 and result.stderr
    assert set(os.listdir(init.directory)) == before


def test_nothing_is_left_of_what_would_not_load(init):
    """A zone that this system does not know."""
    alter(init, USE_TZ=False, TIME_ZONE="UTC")
    init.manage.write_text(
        MANAGE.replace(
            "    execute_from", "    from django.conf import settings\n    settings.SESSION_COOKIE_NAME = ''\n    execute_from"
        )
    )
    before = set(os.listdir(init.directory))
    result = init()
    assert result.code == 2 and b"session_cookie_name" in result.stderr, result.stderr
    assert set(os.listdir(init.directory)) == before


def test_what_is_said(init):
    result = init()
    assert result.json["configuration"] == str(init.output)
    assert result.json["secrets"] == [str(init.directory / "hallpass.secret_key")]
    assert result.json["warnings"] == []
    text = init(json=False).text
    assert f"hallpass --config {init.output} doctor" in text
    assert "SQLite has no users" in text
    # It ends by asking the doctor, who may find the sessions that other tests have left behind.
    said = text.partition("What the doctor says:")[2]
    last = said.splitlines()[-1]
    assert last.startswith("All ") or last.endswith(" ok, 0 warnings, 1 problem"), said
    assert last.startswith("All ") or "signed with another key" in said, said


def test_the_configuration_that_the_environment_names(init):
    """`--config` is where it goes, when `--output` does not say otherwise."""
    result = run(
        [init.shell().program, "init", "django", init.directory, "--env-file", init.environment]
        + ["--python", python_of("5.2"), "--config", init.directory / "hallpass.other.toml"]
    )
    assert result.code == 0, result.stderr
    assert (init.directory / "hallpass.other.toml").exists()
    assert (init.directory / "hallpass.other.secret_key").exists()


def asked_without_a_path(init) -> list:
    return [
        *[init.shell().program, "init", "django", init.directory, "--env-file", init.environment],
        *["--python", python_of("5.2")],
    ]


def without_a_configuration() -> dict:
    return {key: value for key, value in os.environ.items() if key != "HALLPASS_CONFIG"}


def test_without_a_path_it_is_here(init):
    here = init.directory / "here"
    here.mkdir()
    give_away(here)
    result = run(asked_without_a_path(init), cwd=here, env=without_a_configuration(), **unprivileged())
    assert result.code == 0, result.stderr
    assert {path.name for path in here.iterdir()} == {"hallpass.toml", "hallpass.secret_key"}


@needs_namespaces
def test_without_a_path_it_is_the_systems_for_root(init):
    """In an /etc/hallpass of its own, which the machine does not see."""
    (init.directory / "etc").mkdir()
    script = """
        mount -t tmpfs tmpfs /etc/hallpass && rmdir /etc/hallpass 2>/dev/null
        "$@" && cp -a /etc/hallpass/. etc/ && "$@" --diff && ! "$@"
    """
    Path("/etc/hallpass").mkdir(exist_ok=True)
    result = run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *asked_without_a_path(init)],
        cwd=init.directory,
        env=without_a_configuration(),
    )
    assert result.code == 0, result.stderr
    assert "written: /etc/hallpass/hallpass.toml" in result.text
    assert b"exists already; replace it with --force" in result.stderr
    assert {path.name for path in (init.directory / "etc").iterdir()} == {
        "hallpass.toml",
        "hallpass.secret_key",
    }
    assert not init.output.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to change groups")
def test_the_commands_that_give_access(init):
    text = init(json=False).text.partition("As root:\n\n")[2].partition("\n\n")[0]
    commands = [line.strip() for line in text.splitlines()]
    group = commands[-2].split()[1]
    assert commands[-2:] == [
        f"chgrp {group} {init.directory}/hallpass.secret_key",
        f"chmod g+r {init.directory}/hallpass.secret_key",
    ]
    # Accounts of the machine are not made for a test: its other groups will do.
    for command in commands[-2:]:
        run(["sh", "-c", command.replace(f" {group} ", " nogroup ")])
    secret = init.directory / "hallpass.secret_key"
    reader = run(["cat", secret], **unprivileged())
    assert reader.code == 0 and reader.stdout, reader.stderr


def test_a_table_for_the_daemon(init):
    init("--daemon")
    listen = tomllib.loads(init.text)["daemon"]["listen"]
    assert listen == ["unix:/run/hallpass/http.sock?mode=0660"]
    daemon = init.shell().program.with_name("hallpassd")
    assert run([daemon, "--config", init.output, "--check-config"]).code == 0
    init()
    assert "[daemon]" not in init.text


def test_what_has_changed_since(init):
    init()
    before = init.text
    same = init("--diff", force=False, json=False)
    assert (same.code, same.text) == (0, f"{init.output} is what the site says.\n")
    assert init("--diff", force=False).json["differences"] == []

    # What is the operator's own is no difference.
    init.output.write_text(
        before.replace('hallpass.secret_key" }', 'hallpass.secret_key" } # mine').replace('"', "'")
        + "[limits]\nfailures = 3\n[daemon]\nrealm = 'mine'\n"
    )
    assert init("--diff", force=False).code == 0

    alter(init, SESSION_COOKIE_NAME="sid", SECRET_KEY="another secret " * 4)
    alter(init, CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}})
    changed = init("--diff", force=False, json=False)
    assert changed.code == 1
    assert changed.text.splitlines() == [
        "! django.secret_key: another secret",
        "- django.session_cookie_name = 'sessionid'",
        '+ django.session_cookie_name = "sid"',
    ]
    assert b"another secret another" not in changed.stdout + changed.stderr
    listed = init("--diff", force=False).json["differences"]
    assert [item["key"] for item in listed] == ["django.secret_key", "django.session_cookie_name"]
    assert listed[0]["file"] == listed[0]["site"] == '"…"'

    # A setting that the site no longer has, and one that it did not have.
    alter(init, USE_TZ=False, TIME_ZONE="America/New_York")
    added = init("--diff", force=False, json=False).text.splitlines()
    assert '+ django.time_zone = "America/New_York"' in added
    init()
    alter(init, USE_TZ=True)
    removed = init("--diff", force=False, json=False).text.splitlines()
    assert removed == ['- django.time_zone = "America/New_York"']

    assert sorted(path.name for path in init.directory.glob("*hallpass*")) == [
        "hallpass.secret_key",
        "hallpass.toml",
    ]


def test_nothing_to_compare_with(init):
    missing = init("--diff", force=False)
    assert missing.code == 2 and b"cannot read" in missing.stderr
    init.output.write_text("framework = ")
    broken = init("--diff", force=False)
    assert broken.code == 2 and b"hallpass.toml" in broken.stderr
    assert init("--diff").code == 2  # and --force


COOKIES = {
    "to the site's own host name alone": {},
    "to example.org and all names below it, for paths below /shop, by HTTPS alone": {
        "SESSION_COOKIE_DOMAIN": ".example.org",
        "SESSION_COOKIE_PATH": "/shop",
        "SESSION_COOKIE_SECURE": True,
    },
    "to the site's own host name alone, and not where a page of another site leads "
    "(SameSite=Strict)": {"SESSION_COOKIE_SAMESITE": "Strict"},
}


@pytest.mark.parametrize("told", COOKIES)
def test_where_browsers_send_the_cookie(init, told):
    alter(init, **COOKIES[told])
    text = init(json=False).text
    assert f"Note: browsers send the session cookie {told}." in text
    assert f"# browsers send the session cookie {told}: a host elsewhere never gets it." in init.text


@needs_namespaces
def test_a_site_in_a_container(init):
    """Its Python is run by a wrapper, as by `docker compose exec -T web python "$@"`.

    There the site is in /mnt, its own path is not there, and neither is our environment.
    """
    container = init.directory / "container"
    container.mkdir()
    wrapper = init.directory / "python-of-the-site"
    environment = ["SITE_DIRECTORY=/mnt", f"PYTHONPATH={WEBSITE}", "PATH=/usr/bin:/bin"]
    wrapper.write_text(
        f"""#!/bin/sh
exec unshare --mount sh -c '
    mount --bind {init.directory} /mnt && mount -t tmpfs tmpfs {init.directory} && cd / &&
    exec env -i {" ".join(environment)} {python_of("5.2")} "$@"
' sh "$@"
"""
    )
    wrapper.chmod(0o755)
    server = {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "db"}
    cache = {"BACKEND": "django.core.cache.backends.redis.RedisCache"}
    alter(
        init,
        DATABASES={"default": server},
        CACHES={"default": cache | {"LOCATION": "redis://cache:6379/1"}},
        SESSION_ENGINE="django.contrib.sessions.backends.cache",
    )
    output = init.directory / "hallpass.toml"
    command = [
        *[init.shell().program, "init", "django", init.directory, "--output", output, "--force"],
        *["--python", wrapper, "--map", "db:5432=127.0.0.1:15432"],
    ]
    there = [*command, "--map", f"/mnt={init.directory}", "--map", "cache=127.0.0.1:16379"]
    assert run(there).code == 0
    written = tomllib.loads(output.read_text())
    assert written["database"]["url"] == "postgres://127.0.0.1:15432/shop"
    assert written["django"]["cache"]["url"] == "redis://127.0.0.1:16379/1"
    # A path that the container does not have.
    missing = run(command)
    assert missing.code == 2 and b"manage.py" in missing.stderr
    for wrong in ("db", "db=/app", "=x"):
        assert run([*command, "--map", wrong]).code == 2


def test_usage(shell):
    assert b"--env-file" in shell()("init", "django", "--help").stdout
    assert shell()("init").code == 2
    assert shell()("init", "drupal", "/").code == 2
