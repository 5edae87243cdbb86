"""The story of examples/django-joomla: a Django application accepts the sessions of a Joomla site,
whose recorded tables are in a real MariaDB."""

import base64
import json
import shutil
import signal
import urllib.parse
from pathlib import Path

import pytest

from hosts import example, web
from hosts.browser import chromium
from hosts.daemon import hallpassd
from hosts.fpm import fpm
from hosts.nginx import nginx
from processes import LOOPBACK, free_port, give_away
from stores.mariadb import PASSWORD

JOOMLA = Path(__file__).with_name("stories") / "joomla"
TABLES = Path(__file__).parents[2] / "crates/core/tests/data/joomla-4.4.0.sql"
SECRET = "pässw0rd-ä"  # of everybody in the tables but the administrator
DATABASE = "joomla_story"
CONFIGURATION = """<?php
class JConfig {{
    public $dbtype = 'mysqli';
    public $host = '{host}:{port}';
    public $user = 'site';
    public $password = '{password}';
    public $db = '{database}';
    public $dbprefix = 'jos_';
    public $secret = 'TK0JI2K0m4hXPWcE';
    public $lifetime = 15;
    public $session_handler = 'database';
}}
"""


class World:
    """Joomla, the application, and hallpassd, behind one nginx."""

    def __init__(self, port, mariadb, application, daemon):
        self.port, self.mariadb = port, mariadb
        self.application, self.daemon = application, daemon
        self.seen: list[str] = []

    def ask(self, path: str, cookies: dict | None = None, **options):
        headers = {"Host": f"{LOOPBACK}:{self.port}"} | options.pop("headers", {})
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return web.ask((LOOPBACK, self.port), path, headers, **options)

    def log_in(self, user: str, password: str = SECRET) -> dict:
        """The cookies after a login at Joomla."""
        form = urllib.parse.urlencode({"username": user, "password": password}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self.ask("/index.php", method="POST", body=form, headers=headers)
        assert answer.status == 303, answer
        return self.cookies_of(answer)

    def cookies_of(self, answer) -> dict:
        pairs = (value.partition(";")[0] for value in answer.headers.get_all("Set-Cookie") or [])
        cookies = dict(pair.split("=", 1) for pair in pairs)
        self.seen += cookies.values()
        return cookies

    def user(self, cookies: dict, path="/app/whoami/", **options) -> str | None:
        """Whom the application takes a visitor for; its own cookies are kept."""
        answer = self.ask(path, cookies, **options)
        assert answer.status == 200, answer
        cookies |= self.cookies_of(answer)
        return json.loads(answer.body)["user"]

    def sql(self, statement: str) -> None:
        self.mariadb.execute(statement, DATABASE)


@pytest.fixture
def world(directory, new_site, hallpass_programs, mariadb):
    mariadb.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
    mariadb.create_database(DATABASE)
    mariadb.execute(TABLES.read_text(), DATABASE)
    middleware = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "remote_user.JoomlaUserMiddleware",
    ]
    backends = ["remote_user.JoomlaUserBackend"]
    site = new_site(MIDDLEWARE=middleware, AUTHENTICATION_BACKENDS=backends)
    # Where the application finds its modules.
    shutil.copy(example.EXAMPLES / "django-joomla/remote_user.py", site.directory)
    port, pages, socket = free_port(), directory / "joomla", directory / "http.sock"
    example.install(
        "django-joomla",
        directory / "etc",
        {
            "listen 80;": f"listen {LOOPBACK}:{port};",
            "include snippets/": f"include {directory}/etc/snippets/",
            "server 127.0.0.1:8000;": f"server {site.url.removeprefix('http://')};",
            "/run/hallpass/http.sock": str(socket),
            "/run/php/php8.2-fpm.sock": str(directory / "fpm.sock"),
            "/srv/joomla": str(pages),
        },
    )
    (directory / "etc/nginx.conf").rename(directory / "etc/hallpass.conf")
    shutil.copytree(JOOMLA, pages)
    shutil.copy(directory / "etc/login.php", pages)
    configuration = pages / "configuration.php"
    configuration.touch(mode=0o600)
    password = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    names = {"host": LOOPBACK, "port": mariadb.port, "database": DATABASE}
    configuration.write_text(CONFIGURATION.format(password=password, **names))
    config = directory / "etc/hallpass.toml"
    for path in (directory, config, configuration, pages):
        give_away(path)
    with (
        fpm(directory),
        hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon,
        nginx(directory, port),
    ):
        world = World(port, mariadb, site, daemon)
        world.daemon_config = config
        yield world
        logs = daemon.log() + "".join(
            path.read_text(errors="backslashreplace") for path in directory.glob("*.log")
        )
        for secret in [*world.seen, PASSWORD, SECRET]:
            assert not secret or secret not in logs


def test_the_user_is_made_at_the_first_visit(world):
    assert not world.application.shell("answer = User.objects.exists()")
    alice = world.log_in("alice")
    assert world.user(alice) == "alice"
    assert world.user(alice) == "alice", "by Django's own session beside Joomla's"
    email = world.application.shell("answer = User.objects.get(username='alice').email")
    assert email == "alice@example.org"
    assert world.user(world.log_in("zoë")) == "zoë", "no header could hold it as it is"
    # As the tables spell it, however it was typed.
    assert world.user(world.log_in("ALICE")) == "alice"
    assert world.application.shell("answer = User.objects.count()") == 2


def test_out_of_joomla_is_out_of_django_at_the_next_click(world):
    alice = world.log_in("alice")
    assert world.user(alice, "/app/public/whoami/") == "alice"
    assert "sessionid" in alice, "Django has a session of its own"
    assert world.ask("/index.php?logout=1", alice).body == b"bye"
    assert world.user(alice, "/app/public/whoami/") is None
    assert world.ask("/app/whoami/", alice).status == 302
    # Somebody else in the same browser is somebody else at once.
    both = world.log_in("alice")
    assert world.user(both) == "alice"
    both |= world.log_in("zoë")
    assert world.user(both) == "zoë"


def test_a_page_of_joomla_is_compared(world, shell):
    """Its own software is no program that can be asked: a page of it says who is logged in."""
    for _ in range(3):
        world.log_in("alice")
    page = ["--url", f"http://{LOOPBACK}:{world.port}/index.php?whoami=1", "--name-at", "header:X-User"]
    config = world.daemon_config
    result = shell(config)("compare", "--json", *page)
    report = result.json
    assert result.code == 0 and report["percent"] == 100, (report, result.stderr)
    counts = {it["question"]: (it["granted"], it["denied"]) for it in report["questions"]}
    # Those that were recorded have ended.
    assert counts["sessions"][0] == 3 and counts["sessions"][1] > 0
    assert counts["changed sessions"][0] == 0 and counts["changed sessions"][1] > 3
    # Another lifetime than the site's.
    other = config.with_name("lifetime.toml")
    other.write_text(config.read_text().replace("[joomla]", "[joomla]\nlifetime = 10000000"))
    give_away(other)
    found = shell(other)("compare", "--json", *page).json["differences"]
    assert {(it["question"], it["effect"]) for it in found} == {("sessions", "wider")}


def test_sessions_that_joomla_would_not_take(world):
    for statement in (
        "UPDATE jos_session SET time = time - 16 * 60",
        "UPDATE jos_session SET guest = 1",
        "UPDATE jos_session SET userid = 0",
        "UPDATE jos_session SET userid = 99999",
        "UPDATE jos_session SET client_id = 1",
        "UPDATE jos_users SET block = 1 WHERE username = 'alice'",
    ):
        alice = world.log_in("alice")
        assert world.user(alice) == "alice"
        world.sql(statement)
        assert world.ask("/app/whoami/", alice).status == 302, statement
        assert world.user(alice, "/app/public/whoami/") is None, statement
        world.sql("DELETE FROM jos_session; UPDATE jos_users SET block = 0 WHERE username = 'alice'")


def test_nobody_can_say_who_they_are(world):
    forged = {"Remote-User": "admin", "Remote_User": "admin", "REMOTE-USER": "admin"}
    assert world.ask("/app/whoami/", headers=dict(forged)).status == 302
    assert world.user({}, "/app/public/whoami/", headers=dict(forged)) is None
    alice = world.log_in("alice")
    assert world.user(alice, headers=dict(forged)) == "alice"
    names = {"sessionid": "x", "joomla": "x", next(iter(alice)): "x' OR '1'='1"}
    assert world.ask("/app/whoami/", names).status == 302
    assert world.ask("/configuration.php").status == 403
    assert world.ask("/app/whoami.php").status == 302, "an address of the application's"
    assert world.ask("/_hallpass", alice).status == 404
    assert not world.application.shell("answer = User.objects.filter(username='admin').exists()")


def test_the_login_leads_back_and_to_this_host_alone(world):
    answer = world.ask("/app/whoami/?a=1&b=2")
    assert answer.status == 302
    there = urllib.parse.urlsplit(answer.headers["Location"])
    assert there.path == "/login.php"
    here = f"http://{LOOPBACK}:{world.port}"

    def back(path: str, headers=None) -> str:
        location = world.ask(path, headers=headers or {}).headers["Location"]
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)
        assert location.startswith("/index.php?option=com_users&view=login&return=")
        return base64.b64decode(query["return"][0]).decode()

    # Joomla wants scheme and host, and its own.
    assert back(f"{there.path}?{there.query}") == f"{here}/app/whoami/?a=1&b=2"
    behind_tls = back(f"{there.path}?{there.query}", {"X-Forwarded-Proto": "https"})
    assert behind_tls == f"https://{LOOPBACK}:{world.port}/app/whoami/?a=1&b=2"
    for evil in ("//evil.example.net/", "https:evil", "javascript:alert(1)", "/\\evil", "\\\\evil",
                 "/%0d%0aSet-Cookie:x", ""):
        there = back("/login.php?next=" + urllib.parse.quote(evil, safe=""))
        assert there in (f"{here}/", f"{here}/%0d%0aSet-Cookie:x"), evil
    assert back("/login.php?next[]=x") == f"{here}/"
    assert back("/login.php") == f"{here}/"
    away = urllib.parse.quote("https://evil.example.net/app/", safe="")
    assert back(f"/login.php?next={away}") == f"{here}/app/", "the host is left out"
    for host in ("evil.example.net@x", "a b", "a/b", "a?b", "a\\b", "<a>"):
        location = world.ask("/login.php?next=/app/", headers={"Host": host})
        told = location.headers["Location"] or ""
        assert "return=" not in told, (host, told)


def test_the_login_page_that_stands_for_joomlas_leads_where_joomlas_does(world):
    """By what was seen on real ones, 4.4.0 and 5.3.2, of the same code."""
    here = f"{LOOPBACK}:{world.port}"
    profile = "/index.php/component/users/profile"
    for wanted, led in [
        (f"http://{here}/app/x?y=1&z=ä", f"http://{here}/app/x?y=1&z=ä"),
        (f"http://{here}/", f"http://{here}/"),
        ("index.php?option=com_content", "index.php?option=com_content"),
        ("/app/x?y=1", profile),
        ("/index.php", profile),
        (f"//{here}/app/", profile),
        (f"https://{here}/app/", profile),
        (f"http://{here}.evil.example.net/", profile),
        (f"http://evil.example.net/{here}/", profile),
        (f"http://{LOOPBACK}/app/", profile),
        ("javascript:alert(1)", profile),
        ("", profile),
    ]:
        told = base64.b64encode(wanted.encode()).decode()
        form = {"username": "alice", "password": SECRET, "return": told}
        answer = world.ask(
            "/index.php",
            method="POST",
            body=urllib.parse.urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        world.cookies_of(answer)
        location = answer.headers["Location"].encode("latin-1").decode()
        assert (answer.status, location) == (303, led), wanted


def test_nobody_becomes_an_administrator_by_a_name_in_joomla(world):
    application, alice = world.application, world.log_in("alice")
    assert world.user(alice) == "alice"
    for field in ("is_staff", "is_superuser"):
        change = "User.objects.filter(username='alice').update({}={})".format
        application.shell(change(field, True) + "; answer = None")
        # In a session that she had before, in a new one, and wherever guests may be.
        assert world.user(alice) is None, field
        assert world.user(world.log_in("alice")) is None, field
        assert world.user(alice, "/app/public/whoami/") is None, field
        # A name that is listed.
        application.use(HALLPASS_PRIVILEGED_USERS=["root", "alice"])
        assert world.user(alice) == "alice", field
        assert world.user(world.log_in("alice")) == "alice", field
        application.use(HALLPASS_PRIVILEGED_USERS=["ALICE", "alic"])
        assert world.user(alice) is None, field
        application.use(HALLPASS_PRIVILEGED_USERS=[])
        application.shell(change(field, False) + "; answer = None")
        assert world.user(alice) == "alice", field
    application.shell("User.objects.filter(username='alice').update(is_active=False); answer = None")
    assert world.user(alice) is None


def test_nobody_gets_groups_or_permissions_by_a_name_in_joomla(world):
    application, alice = world.application, world.log_in("alice")
    assert world.user(alice) == "alice"
    for give, take in [
        ("user.groups.add(Group.objects.create(name='editors'))", "user.groups.clear()"),
        ("user.user_permissions.add(Permission.objects.first())", "user.user_permissions.clear()"),
    ]:
        of_alice = (
            "from django.contrib.auth.models import Group, Permission\n"
            "user = User.objects.get(username='alice')\n{}\nanswer = None"
        ).format
        application.shell(of_alice(give))
        assert world.user(alice) is None, give
        assert world.user(world.log_in("alice")) is None, give
        application.use(HALLPASS_PRIVILEGED_USERS=("alice",))
        assert world.user(alice) == "alice", give
        application.use(HALLPASS_PRIVILEGED_USERS=[])
        application.shell(of_alice(take))
        assert world.user(alice) == "alice", give


# What a user of the application is, where Joomla has somebody of this name.
COMES_IN = """
import asyncio
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

if listed is not None:
    settings.HALLPASS_PRIVILEGED_USERS = listed
request = RequestFactory().get("/")
try:
    user = auth.authenticate(request, remote_user=name)
    if hasattr(auth, "aauthenticate"):
        assert asyncio.run(auth.aauthenticate(request, remote_user=name)) == user
    answer = user and user.get_username()
except ImproperlyConfigured as wrong:
    answer = str(wrong)
"""


def test_a_name_that_the_database_takes_for_another_lets_nobody_in(new_site, mariadb):
    backends = ["remote_user.JoomlaUserBackend"]
    application = new_site(server=mariadb, AUTHENTICATION_BACKENDS=backends)
    shutil.copy(example.EXAMPLES / "django-joomla/remote_user.py", application.directory)
    application.make_accounts(
        {"username": "alice", "password": SECRET},
        {"username": "admin", "password": SECRET, "is_staff": True},
    )
    for name, listed, expected in [
        ("alice", None, "alice"),
        ("Alice", None, None),
        ("ALICE", None, None),
        ("álice", None, None),
        ("admin", None, None),
        ("admin", ["admin"], "admin"),
        ("Admin", ["admin"], None),
        ("Ádmin", ["admin"], None),
        ("admin", ["Admin"], None),
        # A part of a text would do.
        ("admin", "administrators", "HALLPASS_PRIVILEGED_USERS is neither a list nor a tuple"),
        ("admin", {"admin": 1}, "HALLPASS_PRIVILEGED_USERS is neither a list nor a tuple"),
    ]:
        assert application.shell(COMES_IN, name=name, listed=listed) == expected, (name, listed)


def test_while_nobody_can_say_nobody_comes_in(world):
    alice = world.log_in("alice")
    assert world.user(alice) == "alice"
    world.daemon.process.send_signal(signal.SIGTERM)
    world.daemon.process.wait()
    assert world.ask("/app/whoami/", alice).status == 500


def test_in_a_browser(world, directory):
    here = f"http://{LOOPBACK}:{world.port}"
    with chromium(directory) as browser:
        browser.visit(f"{here}/app/whoami/?a=1&b=2")
        browser.fill_in(username="alice", password=SECRET)
        browser.wait_until(lambda: '"user": "alice"' in browser.text, "never came back")
        assert browser.url == f"{here}/app/whoami/?a=1&b=2"
        browser.visit(f"{here}/index.php")
        assert browser.text == "Joomla knows alice"
        browser.visit(f"{here}/index.php?logout=1")
        browser.visit(f"{here}/app/public/whoami/")
        assert '"user": null' in browser.text
        browser.visit(f"{here}/app/whoami/")
        assert "view=login" in browser.url


ASYNCHRONOUS = """
import asyncio
from django.test import AsyncClient

async def asked():
    headers = {"Remote-User": name, "Remote-User-Encoding": "percent"}
    return (await AsyncClient().get("/whoami/", headers=headers)).json()["user"]

answer = asyncio.run(asked())
"""


def test_the_application_may_be_served_asynchronously(world):
    application = world.application
    assert application.shell(ASYNCHRONOUS, name="zo%C3%AB") == "zoë"
    application.shell("User.objects.filter(username='zoë').update(is_superuser=True); answer = None")
    assert application.shell(ASYNCHRONOUS, name="zo%C3%AB") is None
