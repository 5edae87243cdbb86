"""`hallpass compare`: what `hallpass init` writes agrees with the site's own software, account by account
and session by session, and what is made wrong is found, with the step at which the two part."""

import shutil
import time

import pytest

import logs
from django_site import python_of
from people import ACCOUNTS, SECRET, fill
from processes import LOOPBACK
from programs import run
from test_init import MEMBER, Init, cached_in, files_of
from test_init_rules import own_backends, own_model

# Enough for every account of the tests, and seen by tests of samples.
SAMPLE = ["--accounts", "100", "--sessions", "100"]


class Compare(Init):
    """`hallpass compare` for a site of the tests."""

    def log_in(self, *names):
        """Live sessions of the accounts, as the site's own login makes them."""
        backend = self.site.shell("answer = settings.AUTHENTICATION_BACKENDS[-1]")
        keys = [self.site.ask("login_keys", name) | {"_auth_user_backend": backend} for name in names]
        tokens = [self.site.ask("save_session", these) for these in keys]
        for token in tokens:
            logs.note(token)
        return tokens


def contents(site):
    """All accounts and sessions of a site."""
    return site.shell(
        "answer = repr([list(model._base_manager.order_by('pk').values_list()) "
        "for model in (User, session_model())])"
    )


def agrees(result, sessions=0, accounts=True):
    """All agree, and that means something."""
    report = result.json
    assert result.code == 0, (report, result.stderr)
    assert (report["verdict"], report["percent"], report["differences"]) == ("agree", 100, [])
    by_name = {it["question"]: it for it in report["questions"]}
    if accounts:
        assert by_name["accounts"]["granted"] > 0 and by_name["other names"]["denied"] > 0
    if sessions:
        assert by_name["sessions"]["granted"] >= sessions, report
        assert by_name["changed sessions"]["denied"] > 0
        assert by_name["changed sessions"]["granted"] == 0
    return report


def differs(result, question, effect, step=None):
    """There is a difference of that kind; answers all of them."""
    report = result.json
    assert result.code == 1, (report, result.stderr)
    found = [it for it in report["differences"] if (it["question"], it["effect"]) == (question, effect)]
    assert found, report["differences"]
    assert report["verdict"] == "differ" and report["percent"] < 100
    if step:
        assert {it["step"] for it in found} == {step}, found
    return found


# What init writes, as it is


@pytest.mark.parametrize("version", ["2.2", "4.2", "5.2"])
def test_plain_site(new_site, shell, version):
    site = new_site(version)
    fill(site)
    compare = Compare(shell, site)
    tokens = compare.log_in("alice", "bob", "erin", "dave")
    site.ask("update", "grace", is_active=False)
    site.ask("save_session", {"theme": "dark"})
    site.ask("age_row", tokens[1], -60)
    compare.hallpass()
    before = contents(site)
    files = files_of(site.directory)
    result = compare.compare(*SAMPLE)
    report = agrees(result, sessions=2)
    assert report["accounts"] == len(ACCOUNTS) and report["sessions"] == 5
    assert report["software"].startswith(f"Django {version}")
    # Nothing was changed, and no session or hash is told.
    assert files_of(site.directory) == files
    assert contents(site) == before
    for token in tokens:
        assert token.encode() not in result.stdout + result.stderr
    text = compare.compare(json=False)
    assert text.code == 0 and "100 % agreement" in text.text, text


def test_custom_user_model_in_postgresql_with_compressed_sessions_in_redis(new_site, shell, postgresql, redis):
    """Primary keys are UUIDs, names are e-mail addresses; a session in the cache can be lost for good."""
    apps = {app: None for app in ("auth", "contenttypes", "sessions")}
    options = {"CLIENT_CLASS": "django_redis.client.DefaultClient"}
    options["COMPRESSOR"] = "django_redis.compressors.zlib.ZlibCompressor"
    cache = cached_in(redis.url(6), "django_redis.cache.RedisCache", OPTIONS=options)
    cache["SESSION_ENGINE"] = "django.contrib.sessions.backends.cache"
    site = new_site(server=postgresql, MIGRATION_MODULES=apps, **MEMBER, **cache)
    names = ["alice@example.org", "bob@example.org", "stale@example.org", "older@example.org"]
    fill(site, {name: {"groups": ["editors"]} for name in names})
    site.ask("update", names[1], is_active=False)
    compare = Compare(shell, site)
    compare.log_in(*names[:3])
    site.ask("update", names[2], password="!")
    # Django would give this one a new key: it is of an older secret.
    site.use(SECRET_KEY_FALLBACKS=["an older secret key, long enough for the tests"])
    keys = site.ask("login_keys", names[3])
    keys["_auth_user_hash"] = site.ask("auth_hash", names[3], "an older secret key, long enough for the tests")
    site.ask("save_session", keys)
    compare.site._write_settings()
    compare.hallpass()
    before = everything_in(redis, 6)
    report = agrees(compare.compare(*SAMPLE), sessions=2)
    assert report["sessions"] == 4
    assert everything_in(redis, 6) == before
    # A wrong prefix: the site lists what Hallpass does not find.
    planted(compare, "cache_key_prefix", '"another"')
    differs(compare.compare(), "sessions", "narrower")


def everything_in(redis, database):
    """What is in a database of Redis, without the time that it has to live."""
    keys = redis.execute("KEYS", "*", database=database).decode().split("\n")
    return {key: redis.read(key, database) for key in keys}


def planted(compare, key, value):
    """Writes another value into what init has written."""
    lines = compare.text.splitlines()
    found = [number for number, line in enumerate(lines) if line.startswith(f"{key} = ")]
    if found:
        lines[found[0]] = f"{key} = {value}"
    else:
        table = next(number for number, line in enumerate(lines) if line.startswith("[django]"))
        lines.insert(table + 1, f"{key} = {value}")
    compare.output.write_text("\n".join(lines) + "\n")


def test_mariadb_with_memcached_and_then_with_signed_cookies(new_site, shell, mariadb, memcached):
    cache = cached_in(f"{LOOPBACK}:{memcached.port}", "django.core.cache.backends.memcached.PyMemcacheCache", KEY_PREFIX="c")
    cache["SESSION_ENGINE"] = "django.contrib.sessions.backends.cache"
    site = new_site(server=mariadb, USE_TZ=False, TIME_ZONE="Europe/Warsaw", **cache)
    # Names that are one by MariaDB's collation.
    fill(site, {"alice": {"groups": ["editors"]}, "Élodie": {}, "dave": {"is_active": False}, "o'brien": {}})
    compare = Compare(shell, site)
    compare.log_in("alice", "dave", "o'brien")
    compare.hallpass()
    report = agrees(compare.compare(*SAMPLE), sessions=2)
    assert next(it for it in report["questions"] if it["question"] == "other names")["granted"] > 0
    site.settings["SESSION_ENGINE"] = "django.contrib.sessions.backends.signed_cookies"
    site._write_settings()
    compare.hallpass()
    agrees(compare.compare(*SAMPLE), sessions=3)


def test_soft_deletion_and_two_databases(new_site, shell):
    """A manager leaves accounts out; a router keeps accounts and sessions in a database of their own."""
    site = new_site(**own_model("SoftDeleted"))
    site.settings["DATABASES"] = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(site.directory / "other.sqlite3")},
        "people": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(site.database)},
    }
    site.settings["DATABASE_ROUTERS"] = ["website.rules.routers.People"]
    site._write_settings()
    site.make_accounts(*({"username": name, "password": SECRET} for name in ("alice", "gone", "off")))
    compare = Compare(shell, site)
    compare.log_in("alice", "gone", "off")
    deleted = "User._base_manager.filter(username='gone').update(date_deleted='2031-05-01T10:00:00Z')"
    site.shell(f"{deleted}\nanswer = None")
    site.deactivate("off")
    compare.hallpass()
    report = agrees(compare.compare(*SAMPLE), sessions=1)
    assert report["accounts"] == 3 and report["sessions"] == 3
    # Without the condition: both doors.
    text = "\n".join(line for line in compare.text.splitlines() if not line.startswith("where ="))
    compare.output.write_text(text)
    (account,) = differs(compare.compare(), "accounts", "wider", "active")
    assert account["subject"] == "gone" and account["site"] == "nobody"
    assert len(differs(compare.compare(), "logins", "wider")) == 1
    assert len(differs(compare.compare(), "sessions", "wider")) == 1


WAGTAIL_ACCOUNTS = """
from django.contrib import auth
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
User.objects.create_superuser("alice", "alice@example.org")
for name, group in [("bob", "Editors"), ("carol", "Moderators"), ("dave", "Editors")]:
    User.objects.create_user(name, f"{name}@example.org").groups.add(Group.objects.get(name=group))
for user in User.objects.all():
    user.password = "pbkdf2_sha256$1000$salt$" + "A" * 43 + "="
    user.is_active = user.username != "dave"
    user.save()
    session = SessionStore()
    session[auth.SESSION_KEY] = str(user.pk)
    session[auth.BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[auth.HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
"""


def test_a_site_of_wagtail(shell, directory):
    """A site that is not ours, as `wagtail start` makes it."""
    setup = python_of("5.2").parents[2]
    site, python = directory / "site", setup / "wagtail" / "bin" / "python"
    assert python.exists(), f"{python} is missing: run tests/setup"
    shutil.copytree(setup / "wagtail-site", site)
    run([python, "-B", site / "manage.py", "shell"], WAGTAIL_ACCOUNTS, cwd=site)
    config = directory / "hallpass.toml"
    init = shell()("init", "django", site, "--python", python, "--output", config)
    assert init.code == 0, init.stderr
    report = agrees(shell(config)("compare", site, "--python", python, "--json"), sessions=3)
    assert report["accounts"] == 4 and report["sessions"] == 4


# What is made wrong is found


@pytest.fixture(scope="module")
def plain(new_site, shell):
    """A plain site with live sessions, one that has ended, and one that ends soon."""
    site = new_site()
    fill(site)
    compare = Compare(shell, site)
    tokens = compare.log_in("alice", "bob", "carol", "erin")
    site.ask("age_row", tokens[3], -1800)
    compare.hallpass()
    compare.written = compare.text
    return compare


@pytest.fixture
def compare(plain):
    yield plain
    plain.output.write_text(plain.written)


# A key, a wrong value, what differs, how, and at which step.
WRONG = {
    "secret-key": ("secret_key", '"another"', "sessions", "narrower", "signature"),
    "engine": ("session_engine", '"signed_cookies"', "sessions", "narrower", None),
    "session-table": ("session_table", '"cache_table"', None, None, None),
    "time-zone": ("time_zone", '"America/New_York"', "sessions", "wider", None),
    "backends": ("authentication_backends", '["x.Backend"]', "sessions", "narrower", "backend"),
    "activity": ("active_column", '"is_staff"', "accounts", "narrower", "active"),
    "no-activity": ("active_column", '""', "accounts", "wider", "active"),
    "hashers": ("password_hashers", '["argon2"]', "logins", "narrower", None),
    "no-permissions": ("permissions", "false", "permissions", "narrower", "access"),
    "names": ("username_column", '"email"', "accounts", "narrower", "account"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_found(compare, name):
    key, value, question, effect, step = WRONG[name]
    planted(compare, key, value)
    result = compare.compare(*SAMPLE)
    if question is None:
        # Of sessions alone there is no answer; all else agrees.
        report = result.json
        assert result.code == 75 and report["differences"] == [], report
        assert any("Hallpass: " in note and "cache_table" in note for note in report["notes"])
        return
    found = differs(result, question, effect, step)
    assert all(it["step"] for it in found)


def test_a_wrong_rule_of_access_is_found(compare):
    """What people may type is the site's to say; who of them may in is not."""
    compare.output.write_text(compare.written + '[access]\nlogin = ["username", "email"]\n')
    found = differs(compare.compare(*SAMPLE), "logins", "wider")
    assert "alice@example.org" in {it["subject"] for it in found}
    compare.output.write_text(compare.written + '[access]\ngroups = ["nobody here"]\nstaff = true\n')
    report = agrees(compare.compare(*SAMPLE), sessions=3)
    assert any("[access] are left out" in note for note in report["notes"])
    compare.output.write_text(compare.written + "[access]\npasswords = false\n")
    report = agrees(compare.compare(*SAMPLE), sessions=3)
    assert any("passwords are not compared" in note for note in report["notes"])
    assert not {"logins", "wrong passwords"} & {it["question"] for it in report["questions"]}


CUSTOM = """
framework = "custom"
database = "sqlite:{database}"

[custom]
user = "SELECT id, username, password, is_active, email FROM auth_user WHERE username = :username"
user_by_id = "SELECT id, username, password, is_active, email FROM auth_user WHERE id = :id"
groups = "{groups}"
permissions = "SELECT 'none.such' AS name WHERE :id = 0"

[passwords]
dummy = "pbkdf2_sha256$1000"
"""
GROUPS = "SELECT name FROM auth_group g JOIN auth_user_groups u ON u.group_id = g.id WHERE u.user_id = :id"


@pytest.mark.parametrize("groups", [GROUPS, GROUPS.replace("WHERE", "AND g.id > 1 WHERE"), "SELECT name FROM auth_group WHERE :id > 0"])
def test_wrong_statements_of_custom_are_found(plain, groups):
    config = plain.directory / "hallpass.custom.toml"
    config.write_text(CUSTOM.format(database=plain.site.database, groups=groups))
    result = plain.compare("--framework", "django", "--accounts", "30", config=config)
    assert any("sessions are not compared" in note for note in result.json["notes"]), result.json
    found = [it for it in result.json["differences"] if it["question"] == "groups"]
    effects = {it["effect"] for it in found}
    if groups == GROUPS:
        assert not found
    else:
        assert effects == ({"narrower"} if "g.id > 1" in groups else {"wider"}), found
        assert {it["step"] for it in found} == {"database"}
    # It has no permissions, and superusers are none: that is found as well.
    differs(result, "permissions", "narrower", "access")
    differs(result, "staff and superusers", "narrower", "access")
    # Without a word about the software there is none to ask.
    refused = plain.shell(config)("compare", plain.directory)
    assert refused.code == 2 and b"--framework" in refused.stderr, refused.stderr


@pytest.mark.parametrize("backend", ["Approving", "Refusing", "Gate"])
def test_a_backend_that_refuses_is_found(new_site, shell, backend):
    """By its own methods, whatever they do, in a configuration that knows nothing of it."""
    names = [backend] + ([] if backend != "Gate" else ["django.contrib.auth.backends.ModelBackend"])
    site = new_site(**own_backends(*names))
    fill(site, {"alice": {}, "mallory": {}})
    compare = Compare(shell, site)
    compare.log_in("alice", "mallory")
    site.ask("update", "mallory", first_name="closed")
    config = site.write_configuration()
    result = compare.compare(config=config)
    assert {it["subject"] for it in differs(result, "logins", "wider")} == {"mallory"}
    doors = {it["question"] for it in result.json["differences"]}
    assert doors == ({"accounts", "logins", "sessions"} if backend == "Approving" else {"logins"})


def test_passwords_that_are_typed(compare):
    for name, password, code, granted in [
        ("alice", SECRET, 0, 1),
        ("alice", "wrong", 0, 0),
        ("dave", SECRET, 0, 0),
        ("nobody", SECRET, 0, 0),
    ]:
        result = compare.compare("--user", name, "--accounts", "3", "--sessions", "1", input=password + "\n")
        assert result.code == code, result.json
        (typed,) = [it for it in result.json["questions"] if it["question"] == "typed password"]
        assert (typed["granted"], typed["denied"]) == (granted, 1 - granted)
        assert password == "wrong" or password.encode() not in result.stdout + result.stderr


def test_sessions_that_are_named(compare):
    (token,) = compare.log_in("heidi")
    tokens = compare.directory / "hallpass.tokens"
    tokens.write_text(f"{token}\n\n{'x' * 32}\n")
    result = compare.compare("--accounts", "1", "--sessions", "0", "--tokens", tokens)
    # No sessions means none.
    assert "sessions" not in {it["question"] for it in result.json["questions"]}
    for where, options in [(tokens, {}), ("-", {"input": tokens.read_text()})]:
        result = compare.compare("--accounts", "1", "--sessions", "1", "--tokens", where, **options)
        (sessions,) = [it for it in result.json["questions"] if it["question"] == "sessions"]
        assert sessions["granted"] >= 1 and sessions["denied"] >= 1, result.json
        assert token.encode() not in result.stdout + result.stderr
    assert compare.compare("--tokens", "-", "--user", "alice", input="x").code == 2
    assert compare.compare("--tokens", compare.directory / "none").code == 2


def test_samples_are_spread_and_bounded(compare):
    result = compare.compare("--accounts", "5", "--sessions", "2")
    report = agrees(result, sessions=1)
    assert 5 <= report["accounts"] <= len(ACCOUNTS) and report["sessions"] >= 2
    report = agrees(compare.compare("--all"), sessions=3)
    assert report["accounts"] == len(ACCOUNTS)
    assert compare.compare("--all", "--accounts", "1").code == 2


def test_an_empty_site_proves_nothing(new_site, shell):
    compare = Compare(shell, new_site())
    compare.hallpass()
    result = compare.compare()
    assert result.code == 75 and result.json["verdict"] == "unavailable"
    assert "Nothing was compared" in compare.compare(json=False).text


# Nothing is changed


def test_lock_outs_and_writing_backends_write_nothing(new_site, shell):
    """axes counts wrong passwords in its tables; another backend writes a row itself."""
    apps = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "axes"]
    axes = "axes.backends.AxesStandaloneBackend"
    site = new_site(INSTALLED_APPS=apps, AXES_ENABLED=True, **own_backends(axes, "django.contrib.auth.backends.ModelBackend"))
    fill(site, {"alice": {}})
    compare = Compare(shell, site)
    compare.hallpass()
    report = agrees(compare.compare("--user", "alice", input="wrong"))
    assert any("locks accounts out" in note for note in report["notes"])
    tables = "answer = [getattr(import_module('axes.models'), name).objects.count() for name in ('AccessAttempt', 'AccessLog')]"
    assert site.shell(tables) == [0, 0]
    # A row that the site's code writes is not written, and nothing is said of its answer.
    site.settings["AUTHENTICATION_BACKENDS"] = ["website.rules.backends.Recording"]
    site._write_settings()
    config = site.write_configuration(django={"authentication_backends": ["website.rules.backends.Recording"]})
    before = contents(site)
    result = compare.compare(config=config)
    assert result.code == 75 and result.json["verdict"] == "unavailable", result.json
    assert any("writes to the database" in note and "UPDATE" in note for note in result.json["notes"])
    assert contents(site) == before


def test_middleware_that_ends_sessions_is_asked(new_site, shell):
    middleware = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "website.rules.middleware.ending",
        "website.rules.middleware.Counting",
    ]
    site = new_site(MIDDLEWARE=middleware)
    fill(site, {"alice": {}, "mallory": {}})
    compare = Compare(shell, site)
    compare.log_in("alice", "mallory")
    site.ask("update", "mallory", first_name="closed")
    compare.hallpass()
    before = contents(site)
    found = differs(compare.compare(), "sessions", "wider")
    assert [it["hallpass"].split()[0] for it in found] == ["mallory"]
    assert contents(site) == before


# One side cannot be asked


def program(compare, text):
    path = compare.directory / "hallpass.python"
    path.write_text(f"#!/bin/sh\n{text.format(python=python_of(compare.version))}\n")
    path.chmod(0o755)
    return path


# What stands in the place of the site's Python, the exit code, and words.
PYTHONS = {
    "missing": (None, 75, "--python names the site's own"),
    "ends": ("exit 0", 75, "has ended"),
    "complains": ("echo the reason >&2; exit 3", 75, "the reason"),
    "complains-a-lot": ("yes x | head -c 3000000 >&2; echo the reason >&2; exit 3", 75, "the reason"),
    "hangs": ("sleep 1000", 75, "--timeout gives it more time"),
    "hangs-and-reads": ("cat >/dev/null; sleep 1000", 75, "--timeout gives it more time"),
    "is-killed": ("kill -9 $$", 75, "signal 9"),
    "prints-junk": ("yes", 75, "prints more than answers"),
    "prints-a-long-line": ("yes | tr -d '\\n'", 75, "prints more than answers"),
    "answers-junk": ("read x; echo hallpass:nonsense; sleep 1000", 75, "not an answer"),
    "answers-of-another-kind": ("read x; echo 'hallpass:[]'; sleep 1000", 75, "not an answer"),
    "prints-before": ("echo Welcome!; exec {python} \"$@\"", 0, ""),
    "has-no-django": ("exec /usr/bin/python3 -S \"$@\"", 75, "has no Django"),
}


@pytest.mark.parametrize("name", PYTHONS)
def test_a_python_that_does_not_answer(compare, name):
    text, code, words = PYTHONS[name]
    python = compare.directory / "nowhere" if text is None else program(compare, text)
    started = time.monotonic()
    timeout = "30s" if code == 0 else "2s"
    result = compare.compare(*["--accounts", "2", "--sessions", "1", "--timeout", timeout], python=python)
    assert result.code == code, (result, result.stderr)
    assert time.monotonic() - started < 20
    assert words in (result.json["cause"] or ""), result.json
    assert len(result.stdout) < 100_000
    if code:
        assert result.json["verdict"] == "unavailable"


def test_a_site_that_does_not_load(compare):
    environment = compare.directory / "hallpass.env"
    environment.write_text(compare.environment.read_text() + "DJANGO_SETTINGS_MODULE=nothing.of.this.name\n")
    result = compare.compare("--settings", "nothing.of.this.name")
    assert result.code == 75 and "nothing" in result.json["cause"], result.json
    text = compare.compare("--settings", "nothing.of.this.name", json=False)
    assert text.code == 75 and b"nothing" in text.stderr


def test_databases_that_are_away(compare):
    """That of one side is not a difference."""
    planted(compare, "database", '"sqlite:/nowhere/db.sqlite3"')
    lines = compare.text.splitlines()
    compare.output.write_text("\n".join(lines))
    result = compare.compare()
    assert result.code == 75 and result.json["cause"].startswith("Hallpass: "), result.json
    compare.output.write_text(compare.written)
    away = compare.directory / "away.sqlite3"
    compare.site.database.rename(away)
    try:
        result = compare.compare()
    finally:
        compare.site.database.unlink(missing_ok=True)
        away.rename(compare.site.database)
    assert result.code == 75 and "Error" in result.json["cause"], result.json


def test_usage(compare):
    assert compare.shell(compare.output)("compare").code == 2
    result = compare.compare(path="/nowhere")
    assert result.code == 2 and b"/nowhere" in result.stderr
    assert compare.compare("--framework", "jango").code == 2
    assert compare.shell(compare.directory / "none.toml")("compare", compare.directory).code == 2


@pytest.mark.parametrize("options, code", [
    (["--url", "http://127.0.0.1:1/"], 75),
    (["--url", "gopher://127.0.0.1/"], 2),
    (["--url", "http://127.0.0.1:1/", "--name-at", "user"], 2),
    (["--url", "http://127.0.0.1:1/", "--cookie", "a b"], 2),
    (["--url", "http://127.0.0.1:1/", "--user", "alice"], 2),
    ([], 2),
])
def test_pages_that_cannot_be_asked(compare, options, code):
    result = compare.shell(compare.output)("compare", *options)
    assert result.code == code, result.stderr
