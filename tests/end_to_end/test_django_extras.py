"""Sessions and tokens that other packages keep in a site's tables: a table of session profiles,
django-user-sessions, and the tokens of Django REST framework."""

import pytest

from django_site import VERSIONS
from hosts.extauth import NO, YES, helper
from hosts.daemon import hallpassd
from session_cases import ANONYMOUS, EXPIRED, INACTIVE, INVALID, NO_SESSION, STALE, UNKNOWN_USER
from test_compare import agrees
from test_init import Init

SECRET = "s3cret"
APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
DATABASES = ["sqlite", "postgresql", "mariadb"]


@pytest.fixture(scope="module", params=DATABASES)
def server(request):
    return None if request.param == "sqlite" else request.getfixturevalue(request.param)


# A table that maps sessions to users

PROFILE = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute(
        "CREATE TABLE usermanagement_sessionprofile (id integer NOT NULL PRIMARY KEY,"
        " session_id varchar(40) NOT NULL UNIQUE, user_id integer NULL)"
    )
"""
PROFILE_ROW = """
from django.db import connection
user = User.objects.filter(username=username).values_list("pk", flat=True).first()
user = user if user is not None else number
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM usermanagement_sessionprofile")
    row = cursor.fetchone()[0]
    cursor.execute("INSERT INTO usermanagement_sessionprofile VALUES (%s, %s, %s)",
                   [row + 1, token, user])
"""


@pytest.fixture(scope="module", params=VERSIONS)
def profiles(request, new_site, server):
    site = new_site(request.param, server)
    site.make_accounts(
        {"username": "alice", "password": SECRET, "groups": ["editors"]},
        {"username": "bob", "password": SECRET, "is_active": False},
    )
    site.shell(PROFILE)
    return site


def profile(site, username, payload=None, number=None, **how):
    """A session that the table says is this user's."""
    token = site.ask("save_session", payload or {}, **how)
    site.shell(PROFILE_ROW, token=token, username=username, number=number)
    return token


PROFILES = {
    "alices": (lambda s: profile(s, "alice"), "alice"),
    "alices-with-a-login-of-bob": (
        lambda s: profile(s, "alice", s.ask("login_keys", "bob")),
        "alice",
    ),
    "inactive": (lambda s: profile(s, "bob"), INACTIVE),
    "of-a-visitor": (lambda s: profile(s, "nobody"), ANONYMOUS),
    "of-a-deleted-user": (lambda s: profile(s, "nobody", number=9999), UNKNOWN_USER),
    "expired": (lambda s: aged(s, profile(s, "alice"), -60), EXPIRED),
    "not-yet-expired": (lambda s: aged(s, profile(s, "alice"), 60), "alice"),
    "logged-out": (lambda s: without_session(s, profile(s, "alice")), NO_SESSION | EXPIRED),
    "not-in-the-table": (
        lambda s: s.ask("save_session", s.ask("login_keys", "alice")),
        NO_SESSION | ANONYMOUS,
    ),
    "unknown": (lambda s: "0" * 32, NO_SESSION),
    "empty": (lambda s: "", NO_SESSION),
    "wildcard": (lambda s: "%" * 32, NO_SESSION),
}


def aged(site, token, seconds):
    site.ask("age_row", token, seconds)
    return token


def without_session(site, token):
    site.ask("delete_row", token)
    return token


@pytest.mark.parametrize("name", PROFILES)
def test_session_profile(profiles, shell, name):
    make, expected = PROFILES[name]
    table = {
        "table": "usermanagement_sessionprofile",
        "session_column": "session_id",
        "user_column": "user_id",
    }
    for keys in ({}, {"secret_key": None}):
        config = profiles.write_configuration(
            "profile.toml", django={"session_profile": table} | keys
        )
        result = shell(config).session(make(profiles))
        if isinstance(expected, str):
            assert result.json["user"] == expected, result
            assert result.json["groups"] == ["editors"]
        else:
            assert (result.code, result.json["reason"] in expected) == (1, True), result


# django-user-sessions


@pytest.fixture(scope="module", params=VERSIONS)
def user_sessions(request, new_site, server):
    site = new_site(
        request.param,
        server,
        INSTALLED_APPS=[*APPS, "user_sessions"],
        SESSION_ENGINE="user_sessions.backends.db",
        MIDDLEWARE=[
            "user_sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        # Its sessions are the site's own, so that they need no look-up of places.
        SILENCED_SYSTEM_CHECKS=["user_sessions.E001"],
    )
    site.make_accounts({"username": "alice", "password": SECRET}, {"username": "bob"})
    return site


def test_django_user_sessions(user_sessions, shell, verdicts):
    site = user_sessions
    hallpass = shell(site.write_configuration(django={"session_table": "user_sessions_session"}))

    def compare(token, expected, reasons=None):
        result = hallpass.session(token)
        django = site.ask("session_user", token)
        assert (django is not None) == expected
        verdicts.compare(result, expected, reasons)
        if django:
            assert result.json["user"] == django["user"]

    here, elsewhere = site.login("alice", SECRET), site.login("alice", SECRET)
    third = site.login("alice", SECRET)
    for browser in (here, elsewhere, third):
        assert browser.user == "alice"
        compare(browser.token, True)
    visitor = site.ask("save_session", {"theme": "dark"})
    compare(visitor, False, ANONYMOUS)
    # Whom the row says it is of does not count, the session does.
    hand_over = "session_row(token).update(user=User.objects.get(username='bob'))"
    site.shell(hand_over, token=third.token)
    compare(third.token, True)
    site.shell(hand_over, token=visitor)
    compare(visitor, False, ANONYMOUS)
    token = elsewhere.token
    elsewhere.logout()
    compare(token, False, NO_SESSION)
    compare(aged(site, third.token, -5), False, EXPIRED)
    site.shell("session_row(token).update(session_data='x')", token=here.token)
    compare(here.token, False, INVALID)
    late = site.login("alice", SECRET).token
    site.ask("update", "alice", password="!")
    compare(late, False, STALE)
    site.ask("save_session", site.ask("login_keys", "bob"))
    agrees(Init(shell, site).compare(config=hallpass.config), sessions=1)


# Django REST framework


@pytest.fixture(scope="module", params=VERSIONS)
def rest(request, new_site, server):
    site = new_site(
        request.param,
        server,
        INSTALLED_APPS=[*APPS, "rest_framework", "rest_framework.authtoken"],
    )
    site.make_accounts(
        {"username": "alice", "password": SECRET, "groups": ["editors"], "email": "a@example.org"},
        {"username": "bob", "password": SECRET},
        {"username": "carol", "password": SECRET, "is_active": False},
        {"username": "dave", "password": None},
        {"username": "erin", "password": SECRET},
    )
    return site


TOKEN = """
from rest_framework.authtoken.models import Token
answer = Token.objects.get_or_create(user=User.objects.get(username=username))[0].key
"""
KNOWN = """
from rest_framework.authtoken.models import Token
answer = Token.objects.filter(key=key).exists()
"""
REVOKE = """
from rest_framework.authtoken.models import Token
Token.objects.get(key=key).delete()
"""
WHOSE = """
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
try:
    found = TokenAuthentication().authenticate(RequestFactory().get("/", HTTP_AUTHORIZATION=header))
    answer = found and found[0].get_username()
except AuthenticationFailed:
    answer = None
"""


def headers_of(key: str, other: str) -> dict:
    return {
        "right": f"Token {key}",
        "another-case-of-the-word": f"tOKEN {key}",
        "many-blanks": f"Token   {key}",
        "wrong-first-digit": f"Token {'0' if key[0] != '0' else '1'}{key[1:]}",
        "cut": f"Token {key[:-1]}",
        "extended": f"Token {key}0",
        "in-capitals": f"Token {key.upper()}",
        "twice": f"Token {key} {key}",
        "two-tokens": f"Token {other} {key}",
        "without-the-word": key,
        "without-the-key": "Token",
        "without-the-key-but-a-blank": "Token ",
        "without-the-blank": f"Token{key}",
        "another-word": f"Bearer {key}",
        "a-comma": f"Token {key},",
        "quoted": f'Token "{key}"',
        "as-a-parameter": f"Token token={key}",
        "wildcard": f"Token {'%' * 40}",
        "sql": "Token ' OR '1'='1",
        "not-ascii": f"Token {key[:-1]}é",
        "a-name": "Token alice",
        "empty": "",
    }


@pytest.fixture(scope="module")
def rest_daemon(rest, hallpass_programs, new_directory):
    directory = new_directory()
    socket = directory / "http.sock"
    config = rest.write_configuration(
        "rest.toml",
        django={"authtoken": True},
        daemon={"listen": [f"unix:{socket}"], "accept": ["session", "password"]},
        limits={"failures": 0},
    )
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        yield daemon


def test_rest_framework_tokens(rest, rest_daemon):
    key, other = rest.shell(TOKEN, username="alice"), rest.shell(TOKEN, username="bob")
    counted = {True: 0, False: 0}
    for name, header in headers_of(key, other).items():
        django = rest.shell(WHOSE, header=header.encode().decode("latin-1"))
        for path in ("/auth", "/session"):
            answer = rest_daemon.ask(path, {"Authorization": header} if header else {})
            assert answer.status == (200 if django else 401), (name, path, rest_daemon.log())
            if django and path == "/auth":
                assert answer.headers["Remote-User"] == django
                assert answer.headers["Remote-Groups"] == "editors"
        counted[django is not None] += 1
    assert counted[True] >= 3 and counted[False] >= 15
    assert key not in rest_daemon.log()


def test_rest_framework_tokens_end_with_their_user(rest, rest_daemon):
    key = rest.shell(TOKEN, username="erin")
    header = {"Authorization": f"Token {key}"}

    def compare(expected):
        assert rest.shell(WHOSE, header=f"Token {key}") == expected
        answer = rest_daemon.ask("/auth", header)
        assert answer.status == (200 if expected else 401)
        assert answer.headers.get("Remote-User", "") == (expected or "")

    compare("erin")
    rest.deactivate("erin")
    compare(None)
    rest.ask("update", "erin", is_active=True)
    compare("erin")
    rest.ask("update", "erin", password="!")
    compare("erin")  # a token is no password
    rest.shell(REVOKE, key=key)
    compare(None)
    for username, expected in [("carol", None), ("dave", "dave")]:
        other = rest.shell(TOKEN, username=username)
        assert rest.shell(WHOSE, header=f"Token {other}") == expected
        answer = rest_daemon.ask("/auth", {"Authorization": f"Token {other}"})
        assert answer.status == (200 if expected else 401)


def test_rest_framework_tokens_as_passwords(rest, hallpass_programs, directory):
    """At ejabberd the token stands for the password, and for the name that it belongs to."""
    tokens = {
        name: rest.shell(TOKEN, username=name) for name in ("alice", "bob", "carol")
    }
    config = rest.write_configuration(
        "rest-ejabberd.toml", django={"authtoken": True}, limits={"failures": 0}
    )
    with helper(hallpass_programs["hallpass-ejabberd"], config, directory / "log") as ask:
        assert ask.auth("alice", tokens["alice"]) == YES
        assert ask.auth("alice", SECRET) == YES
        assert ask.auth("bob", tokens["bob"]) == YES
        assert ask.auth("bob", tokens["alice"]) == NO
        assert ask.auth("alice", tokens["bob"]) == NO
        assert ask.auth("carol", tokens["carol"]) == NO
        assert ask.auth("carol", tokens["alice"]) == NO
        assert ask.auth("nobody", tokens["alice"]) == NO
        assert ask.auth("", tokens["alice"]) == NO
        assert ask.auth("alice", tokens["alice"][:-1]) == NO
        # MariaDB finds it without regard to a blank at the end, for Django as for us.
        known = rest.shell(KNOWN, key=tokens["alice"] + " ")
        assert ask.auth("alice", tokens["alice"] + " ") == (YES if known else NO)
        assert ask.auth("alice", "Token " + tokens["alice"]) == NO
        assert ask.auth("alice", "") == NO
        rest.shell(REVOKE, key=tokens["alice"])
        assert ask.auth("alice", tokens["alice"]) == NO
        assert ask.auth("alice", SECRET) == YES
        assert tokens["alice"] not in ask.log()


def test_rest_framework_tokens_that_are_not_asked_for(rest, hallpass_programs, directory):
    key = rest.shell(TOKEN, username="alice")
    socket = directory / "http.sock"
    config = rest.write_configuration("plain.toml", daemon={"listen": [f"unix:{socket}"]})
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        assert daemon.ask("/auth", {"Authorization": f"Token {key}"}).status == 401
    with helper(hallpass_programs["hallpass-ejabberd"], config, directory / "log") as ask:
        assert ask.auth("alice", key) == NO
