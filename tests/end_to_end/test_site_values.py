"""Names, passwords, caches and serializers of a Django site as the site's own software reads them: what
`init` writes answers as the site does."""

import pytest

from django_site import python_of
from people import SECRET, fill
from processes import LOOPBACK
from test_compare import agrees
from test_init import Init, approved, cached_in

APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
PEOPLE = {"INSTALLED_APPS": [*APPS, "website.people"]}


def proof(site, hallpass, sessions):
    """The site's own software says the same."""
    environment = site.directory / "environment"
    if environment.exists():
        options = ["--python", python_of(site.version), "--env-file", environment]
        agrees(hallpass("compare", "--json", site.directory, *options), sessions)


def check_session(site, hallpass, verdicts, name):
    """A live session is the account's, and nothing that resembles one is anybody's."""
    token = site.ask("save_session", site.ask("login_keys", name))
    assert site.ask("session_user", token)["user"] == name
    result = hallpass.session(token)
    verdicts.compare(result, True)
    assert result.json["user"] == str(name)
    verdicts.compare(hallpass.session(token[:-1] + "!"), False)
    verdicts.compare(hallpass.session("0" * 32), False)
    proof(site, hallpass, sessions=1)
    return token


# Names that are numbers


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def callers(request, new_site):
    server = None if request.param == "sqlite" else request.getfixturevalue(request.param)
    site = new_site(server=server, AUTH_USER_MODEL="people.Caller", **PEOPLE)
    fill(site, {number: {"groups": ["editors"], "email": f"{number}@example.org"} for number in NUMBERS})
    site.deactivate(NUMBERS[-1])
    return site


NUMBERS = [49301234, 0, -7, 2**62, 1111]

# Whether a site takes what was typed for the number, as Python's `int` does.
TYPED = {
    "49301234": True,
    "049301234": True,
    "+49301234": True,
    " 49301234 ": True,
    "49301234.0": False,
    "4.9301234e7": False,
    "49301234abc": False,
    "0x2f04732": False,
    "alice": False,
    "٤٩٣٠١٢٣٤": None,  # digits to Python, and nobody to Hallpass
    "99999999999999999999": False,
    "": False,
}


@pytest.mark.parametrize("typed", TYPED)
def test_a_number_is_a_name(callers, shell, verdicts, typed):
    hallpass = shell(callers.write_configuration(django=CALLERS))
    expected = TYPED[typed]
    if expected is not None:
        assert (callers.ask("authenticate", typed, SECRET) == NUMBERS[0]) == expected
    result = hallpass.check(typed, SECRET)
    verdicts.compare(result, bool(expected), {"unknown-user", "malformed"})
    if expected:
        assert result.json["user"] == str(NUMBERS[0])


CALLERS = {"user_table": "people_caller", "username_column": "phone", "user_foreign_key": "caller_id"}


@pytest.mark.parametrize("ignore_case", [False, True])
def test_numbers_beside_addresses(callers, shell, verdicts, ignore_case):
    """No database compares an address with a number, and the address is found all the same."""
    access = {"login": ["username", "email"], "ignore_case": ignore_case}
    hallpass = shell(callers.write_configuration(django=CALLERS, access=access))
    number = NUMBERS[0]
    for typed in (str(number), f"{number}@example.org"):
        result = hallpass.check(typed, SECRET)
        verdicts.compare(result, True)
        assert result.json["user"] == str(number)
    for typed in (f"{number}@example.com", f"{number}.0", "0@example", "x"):
        verdicts.compare(hallpass.check(typed, SECRET), False, {"unknown-user"})


def test_init_of_a_site_whose_names_are_numbers(callers, shell, verdicts):
    hallpass = Init(shell, callers).hallpass()
    for number in NUMBERS:
        verdicts.compare(hallpass.check(str(number), SECRET), number != NUMBERS[-1])
        verdicts.compare(hallpass.check(str(number), "wrong"), False)
    check_session(callers, hallpass, verdicts, NUMBERS[0])
    audit = hallpass("audit", "--json").json
    assert audit["accounts"] == len(NUMBERS), audit
    approved(hallpass)


BADGE = "01234567-89ab-4def-8123-456789abcdef"


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_a_uuid_is_a_name(request, new_site, shell, verdicts, database):
    """In 32 digits, as SQLite keeps it, and with hyphens, as the site shows it."""
    server = None if database == "sqlite" else request.getfixturevalue(database)
    site = new_site(server=server, AUTH_USER_MODEL="people.Holder", **PEOPLE)
    site.make_accounts({"username": BADGE, "password": SECRET})
    hallpass = shell(
        site.write_configuration(
            django={"user_table": "people_holder", "username_column": "badge", "active_column": ""}
        )
    )
    for typed, expected in [
        (BADGE, True),
        (BADGE.replace("-", ""), True),
        ("{" + BADGE.upper() + "}", True),
        (BADGE[:-1], False),
        (BADGE[:-1] + "0", False),
        ("alice", False),
    ]:
        django = (
            "try:\n    answer = auth.authenticate(None, username=typed, password=password) is not None\n"
            "except Exception:\n    answer = False"
        )
        assert site.shell(django, typed=typed, password=SECRET) == expected, typed
        result = hallpass.check(typed, SECRET)
        verdicts.compare(result, expected, {"unknown-user"})
        if expected:
            assert result.json["user"] == BADGE


# Accounts without a password


def test_a_model_without_a_password(new_site, shell, verdicts):
    """The sessions count, bound to no password as Django binds them."""
    site = new_site(AUTH_USER_MODEL="people.Stranger", **PEOPLE)
    site.shell("User(username='alice').save()\nanswer = None")
    init = Init(shell, site)
    hallpass = init.hallpass()
    assert 'password_column = ""' in init.text
    token = check_session(site, hallpass, verdicts, "alice")
    for password in (SECRET, "", "None"):
        verdicts.compare(hallpass.check("alice", password), False, {"unusable-password"})
    approved(hallpass)
    keys = site.ask("login_keys", "alice")
    for hash in ("", "0" * 64, None):
        forged = site.ask("save_session", keys | {"_auth_user_hash": hash})
        assert site.ask("session_user", forged) is None
        verdicts.compare(hallpass.session(forged), False, {"stale-session"})
    assert site.ask("session_user", token)


# Caches


KEYS = {
    "without-version": ("website.own.without_version", "shop:django.contrib.sessions.cache{session_key}"),
    "with-an-end": ("website.own.with_an_end", "3|shop|django.contrib.sessions.cache{session_key}|end"),
}


@pytest.mark.parametrize(
    "name,backend",
    list(
        zip(KEYS, ["django.core.cache.backends.redis.RedisCache", "django_redis.cache.RedisCache"])
    ),
    ids=KEYS,
)
def test_keys_of_the_sites_own(new_site, redis, shell, verdicts, name, backend):
    function, template = KEYS[name]
    # Other tests' sessions under other prefixes are found as well.
    redis.execute("FLUSHDB", database=5)
    url = f"redis://{LOOPBACK}:{redis.port}/5"
    settings = cached_in(url, backend, KEY_FUNCTION=function, KEY_PREFIX="shop")
    settings["SESSION_ENGINE"] = "django.contrib.sessions.backends.cache"
    site = new_site(**settings)
    fill(site, {"alice": {}})
    init = Init(shell, site)
    hallpass = init.hallpass()
    assert f'session_cache_key = "{template}"' in init.text
    check_session(site, hallpass, verdicts, "alice")
    approved(hallpass)
    # Under the key that Django would make by itself there is nothing.
    path = site.write_configuration("plain.toml", django={"session_engine": "cache"})
    token = site.ask("save_session", site.ask("login_keys", "alice"))
    verdicts.compare(shell(path).session(token), False, {"no-session"})


def test_keys_that_cannot_be_told(new_site, redis, shell):
    settings = cached_in(f"redis://{LOOPBACK}:{redis.port}/5", KEY_FUNCTION="website.own.as_a_digest")
    settings["SESSION_ENGINE"] = "django.contrib.sessions.backends.cache"
    site = new_site(**settings)
    result = Init(shell, site)()
    assert result.code == 0
    assert b"sessions are not read" in result.stderr and b"KEY_FUNCTION does not put" in result.stderr


def test_a_store_with_a_prefix_of_its_own(new_site, redis, shell, verdicts):
    settings = cached_in(f"redis://{LOOPBACK}:{redis.port}/6")
    settings["SESSION_ENGINE"] = "website.own"
    site = new_site(**settings)
    fill(site, {"alice": {}})
    init = Init(shell, site)
    hallpass = init.hallpass()
    token = check_session(site, hallpass, verdicts, "alice")
    # The cache's copy is what counts.
    site.shell("from django.contrib.sessions.models import Session\nSession.objects.all().delete()\nanswer = 0")
    verdicts.compare(hallpass.session(token), True)
    redis.execute("FLUSHALL")
    verdicts.compare(hallpass.session(token), False, {"no-session"})
    approved(hallpass)


@pytest.mark.parametrize("name", ["bare", "socket", "url"])
def test_django_redis_sessions(new_site, redis, shell, verdicts, name):
    where = {
        "bare": {"host": LOOPBACK, "port": redis.port, "db": 7},
        "socket": {"unix_domain_socket_path": str(redis.socket), "db": 7, "prefix": "shop"},
        "url": {"url": f"redis://{LOOPBACK}:{redis.port}/7", "prefix": "shop"},
    }[name]
    site = new_site(SESSION_ENGINE="redis_sessions.session", SESSION_REDIS=where | {"socket_timeout": 9})
    fill(site, {"alice": {}})
    hallpass = Init(shell, site).hallpass()
    token = check_session(site, hallpass, verdicts, "alice")
    approved(hallpass)
    site.deactivate("alice")
    verdicts.compare(hallpass.session(token), False, {"inactive"})


# Serializers


@pytest.mark.parametrize("name,engine", [("PickleSerializer", "signed_cookies"), ("PrettySerializer", "db")])
def test_a_serializer_that_writes_as_djangos_do(new_site, shell, verdicts, name, engine):
    site = new_site(
        SESSION_SERIALIZER=f"website.own.{name}", SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}"
    )
    fill(site, {"alice": {}})
    hallpass = Init(shell, site).hallpass()
    browser = site.login("alice", SECRET)
    assert browser.user == "alice"
    verdicts.compare(hallpass.session(browser.token), True)
    approved(hallpass)


def test_a_serializer_that_writes_otherwise(new_site, shell):
    site = new_site(SESSION_SERIALIZER="website.own.Base64Serializer")
    result = Init(shell, site)()
    assert result.code == 0
    assert b"sessions are not read" in result.stderr and b"neither JSON nor pickles" in result.stderr
