"""The story of examples/phpbb-django: a phpBB forum accepts the sessions of a Django site, behind
nginx and behind Apache. A page that reads what phpBB reads stands for the forum."""

import json
import os
import shutil
import signal
import urllib.parse
from pathlib import Path

import pytest

from django_site import Browser
from hosts import example, forger, web
from hosts.accounts import PASSWORDS
from hosts.browser import chromium
from hosts.daemon import hallpassd
from hosts.fixtures import site_replacements, site_with_accounts
from hosts.fpm import fpm
from hosts.httpd import configuration, httpd
from hosts.nginx import nginx
from hosts.web import basic
from processes import LOOPBACK, free_port, give_away
from programs import run

FORUM = Path(__file__).with_name("stories") / "forum"
GUEST = {"user": "guest", "absent": True}

LOADED = "mpm_event authn_core authz_core dir mime rewrite proxy proxy_fcgi".split()


class World:
    """The Django site, hallpassd, php-fpm, and the forum at two addresses."""

    def __init__(self, site, daemon, directory, nginx_port, apache_port):
        self.site, self.daemon, self.directory = site, daemon, directory
        self.ports = {"nginx": nginx_port, "apache": apache_port}
        self.seen: list[str] = []

    def log_in(self, user: str) -> str:
        browser = self.site.login(user, PASSWORDS[user])
        assert browser.user == user
        self.seen.append(browser.token)
        return browser.cookie_header

    def ask(self, server: str, cookie: str | None = None, path="/index.php", **options):
        headers = options.pop("headers", {})
        if cookie is not None:
            headers["Cookie"] = cookie
        return web.ask((LOOPBACK, self.ports[server]), path, headers, **options)

    def forum(self, server: str, cookie: str | None = None, **options) -> dict:
        """What the forum makes of a visitor."""
        answer = self.ask(server, cookie, **options)
        assert answer.status == 200, (answer, (self.directory / "fpm.log").read_text())
        told = json.loads(answer.body)
        return {"user": told["user"], "absent": told["absent"]}

    def logs(self) -> str:
        return "".join(
            path.read_text(errors="backslashreplace") for path in self.directory.rglob("*.log")
        ) + self.daemon.log()


def apache(directory: Path, port: int):
    own = directory / "apache"
    own.mkdir()
    include = f'Include "{directory}/etc/apache.conf"'
    text = configuration(
        own, port, LOADED, include, name="forum.example.org", as_root=True
    )
    return httpd(own, port, text, as_root=True)


@pytest.fixture
def world(directory, new_site, hallpass_programs):
    site = site_with_accounts(new_site)
    ports = free_port(), free_port()
    socket, pages = directory / "http.sock", directory / "forum"
    example.install(
        "phpbb-django",
        directory / "etc",
        site_replacements(site, directory)
        | {
            "listen 80;": f"listen {LOOPBACK}:{ports[0]};",
            "*:80": f"{LOOPBACK}:{ports[1]}",
            "include snippets/": f"include {directory}/etc/snippets/",
            "/run/hallpass/http.sock": str(socket),
            "/run/php/php8.2-fpm.sock": str(directory / "fpm.sock"),
            "/srv/forum": str(pages),
            "/usr/bin/hallpass-apache": str(hallpass_programs["hallpass-apache"]),
            "/etc/hallpass/hallpass.toml": str(directory / "etc/hallpass.toml"),
            " www-data:www-data": " nobody:nogroup" if os.geteuid() == 0 else "",
        },
    )
    (directory / "etc/nginx.conf").rename(directory / "etc/hallpass.conf")
    config = directory / "etc/hallpass.toml"
    shutil.copytree(FORUM, pages)
    for path in (directory, config, pages):
        give_away(path)
    with (
        fpm(directory),
        hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon,
        nginx(directory, ports[0]),
        apache(directory, ports[1]),
    ):
        world = World(site, daemon, directory, *ports)
        yield world
        logs = world.logs()
        for secret in world.seen:
            assert secret not in logs


SERVERS = pytest.mark.parametrize("server", ["nginx", "apache"])


@SERVERS
def test_whoever_is_logged_in_there_is_logged_in_here(world, server):
    for user in ("alice", "zoë", "zoe smith", "joe@example.org", "Walter"):
        expected = {"user": user, "absent": False}
        told = world.forum(server, world.log_in(user))
        # What cannot stand in a header is not passed on by nginx, and its owner is a guest.
        assert told == expected or (server == "nginx" and user == "zoë" and told == GUEST), user
    alice = world.log_in("alice")
    answer = world.ask(server, alice, method="POST", body=b"a=1")
    told = json.loads(answer.body)
    assert (told["user"], told["method"], told["body"]) == ("alice", "POST", "a=1")


@SERVERS
def test_everybody_else_is_a_guest_and_can_read(world, server):
    for cookie in (None, "", "sessionid=x", "sessionid=", "phpbb3_sid=1", "x" * 2000):
        assert world.forum(server, cookie) == GUEST
    told = json.loads(world.ask(server, "sessionid=x", method="POST", body=b"a=1").body)
    assert (told["user"], told["method"], told["body"]) == ("guest", "POST", "a=1")


@SERVERS
def test_nobody_can_say_who_they_are(world, server):
    forged = {
        "Authorization": basic("ursula", "x"),
        "PHP_AUTH_USER": "ursula",
        "PHP-AUTH-USER": "ursula",
        "Remote-User": "ursula",
        "HALLPASS_USER": "ursula",
    }
    assert world.forum(server, headers=dict(forged)) == GUEST
    alice = world.log_in("alice")
    assert world.forum(server, alice, headers=dict(forged))["user"] == "alice"
    for path in (
        "/config.php",
        "/config/production/config.yml",
        "/composer.json",
        "/composer.lock",
        "/images/avatars/upload/x.png",
        "/includes/x.php",
        "/ext/hallpass/auth/config/services.yml",
    ):
        assert world.ask(server, path=path).status == 403, path


@SERVERS
def test_php_is_told_nothing_else_of_an_identity(world, server):
    page = world.directory / "forum/variables.php"
    page.write_text(forger.PAGE)
    alice, nobody = world.log_in("alice"), "sessionid=x"
    for cookie, user in ((alice, "alice"), (nobody, None)):
        for word, claims in forger.forgeries():
            headers = [("Cookie", cookie), *claims, *forger.PLACES]
            headers.append(("Authorization", basic("ursula", "x")))
            address = (LOOPBACK, world.ports[server])
            answer = web.ask(address, "/variables.php", headers)
            assert answer.status == 200, word
            seen = json.loads(answer.body)
            assert forger.FORGED not in json.dumps(seen), (word, seen)
            assert not any(seen[name] for name in seen if name.startswith("HTTP_REMOTE")), word
            assert seen.get("PHP_AUTH_USER") == user, word
            assert seen.get("REMOTE_USER") in ((user, None) if server == "apache" else (user,))
            assert not seen.get("HTTP_AUTHORIZATION"), word


@SERVERS
def test_out_of_the_one_is_out_of_the_other_at_the_next_click(world, server):
    browser = world.site.login("alice", PASSWORDS["alice"])
    cookie = browser.cookie_header
    assert world.forum(server, cookie)["user"] == "alice"
    browser.logout()
    assert world.forum(server, cookie) == GUEST
    bob = world.log_in("bob")
    assert world.forum(server, bob)["user"] == "bob"
    world.site.deactivate("bob")
    assert world.forum(server, bob) == GUEST
    carol = world.log_in("carol")
    world.site.ask("update", "carol", password=world.site.ask("make_password", "new"))
    assert world.forum(server, carol) == GUEST


def test_while_nobody_can_say_nobody_is_logged_in(world):
    alice = world.log_in("alice")
    away = world.site.database.rename(world.site.database.with_suffix(".away"))
    assert world.ask("nginx", alice).status == 500
    assert world.forum("apache", alice) == GUEST
    away.rename(world.site.database)
    world.daemon.process.send_signal(signal.SIGTERM)
    world.daemon.process.wait()
    assert world.ask("nginx", alice).status == 500


def test_in_a_browser(world, directory):
    forum = f"http://{LOOPBACK}:{world.ports['nginx']}/"
    with chromium(directory) as browser:
        browser.visit(forum)
        assert '"user":"guest"' in browser.text
        browser.visit(f"{world.site.url}/login/")
        browser.fill_in(username="alice", password=PASSWORDS["alice"])
        browser.wait_until(lambda: "alice" in browser.text, "nobody was logged in")
        browser.visit(forum)
        assert '"user":"alice"' in browser.text
        browser.visit(f"{world.site.url}/whoami/")
        browser.forget("sessionid")
        browser.visit(forum)
        assert '"user":"guest"' in browser.text


# The extension


OWNER = r"""
require $argv[1];
$session = new \hallpass\auth\auth\provider\session($argv[2], $argv[3]);
echo json_encode($session->owner($argv[4], '127.0.0.1'));
"""


def test_the_extension_asks_hallpassd_itself(world):
    file = world.directory / "etc/ext/hallpass/auth/auth/provider/session.php"
    address = f"unix://{world.daemon.address}"

    def owner(cookie: str, path: str = "/session", where: str = address):
        done = run(["php", "-r", OWNER, "--", file, where, path, cookie])
        assert done.code == 0, done
        return json.loads(done.text)

    alice = world.log_in("alice")
    assert owner(alice)["user"] == "alice"
    assert owner(alice)["email"] == "alice@example.org"
    assert owner("") is False
    assert owner("sessionid=x") is False
    assert owner(f"{alice}\r\nX: y") is False
    assert owner(alice, "/nowhere/session") is None, "another answer is none"
    assert owner(alice, where="unix:///nowhere") is None
    world.daemon.process.send_signal(signal.SIGSTOP)
    assert owner(alice) is None
    world.daemon.process.send_signal(signal.SIGCONT)


WHO_IS_WHO = [
    # The site's user, the forum's, and who that is.
    ("alice", "alice", "alice"),
    ("zoë", "zoë", "zoë"),
    ("alice", "", "alice"),  # made at the first visit
    ("joe@example.org", "alice", "joe@example.org"),
    # What phpBB takes for the same name is somebody else's on the site.
    ("kate", "Kate", None),
    ("Kate", "kate", None),
    ("alice", "аlice", None),
    (None, "alice", None),
]


def board(world, visitor: str | None, member: str, where: str | None = None, **given) -> dict:
    """What becomes of a click of somebody of the site, in a browser where a member is logged in."""
    provider = world.directory / "etc/ext/hallpass/auth/auth/provider"
    address = where or f"unix://{world.daemon.address}"
    cookie = world.log_in(visitor) if visitor else "sessionid=x"
    done = run(["php", FORUM / "board.php", provider, address, cookie, member, json.dumps(given)])
    assert done.code == 0, done
    return json.loads(done.text)


# The addresses that the site has.
EMAILS = {"alice": "alice@example.org"}
KEPT = "somebody@forum.example.org"


def test_the_extension_knows_who_is_who(world):
    # phpBB keeps what is typed in its administration escaped for its pages.
    page = "http%3A%2F%2Fforum.example.org%2Findex.php"
    link = {
        "TEMPLATE_FILE": "@hallpass_auth/login_link.html",
        "VARS": {"HALLPASS_LOGIN_URL": f"https://site/login/?from=forum&amp;next={page}"},
    }
    for visitor, member, expected in WHO_IS_WHO:
        emails = {member: KEPT} if member else {}
        if expected:
            emails[expected] = EMAILS.get(visitor, emails.get(expected, ""))
        assert board(world, visitor, member) == {
            "switched_on": expected is not None and expected == member,
            "stays": expected == member if member else None,
            "autologin": expected,
            "login": expected,
            "login_data": link,
            "emails": emails,
        }, (visitor, member)


def test_the_extension_gives_a_profile_the_sites_address(world):
    """Whoever registered at the forum under the name of somebody else gave an address of their own."""
    for before in ("attacker@evil.example.org", "", "ALICE@example.org"):
        told = board(world, "alice", "alice", email=before)
        assert told["emails"]["alice"].lower() == "alice@example.org", before
    # An address is a text for phpBB's pages as every other.
    change = world.site.ask
    for address, kept in [
        ('"<b>"@example.org', "&quot;&lt;b&gt;&quot;@example.org"),
        ("o'x@Example.org", "o'x@example.org"),
        ("a" * 90 + "@example.org", "attacker@evil.example.org"),  # longer than the column
        ("", "attacker@evil.example.org"),
    ]:
        change("update", "alice", email=address)
        told = board(world, "alice", "alice", email="attacker@evil.example.org")
        assert told["emails"] == {"alice": kept}, address
        new = "" if kept.startswith("attacker") else kept
        assert board(world, "alice", "")["emails"] == {"alice": new}, address
    # Somebody else's is left alone.
    change("update", "kate", email="kate@example.org")
    assert board(world, "kate", "Kate")["emails"] == {"Kate": KEPT}


def test_the_extension_refuses_settings_that_lock_everybody_out(world):
    """As phpBB's administration does it: at a click that began under the settings before."""
    here = f"unix://{world.daemon.address}"
    for settings, words in [
        ({"hallpass_address": "unix:///nowhere.sock"}, ["does not say", "unix:///nowhere.sock"]),
        ({"hallpass_address": f"{here}<b>"}, ["does not say", "&lt;b&gt;"]),
        ({"hallpass_address": "tcp://127.0.0.1:1"}, ["does not say", "tcp://127.0.0.1:1"]),
        ({"hallpass_path": "/nosuch/session"}, ["does not say", "/nosuch/session"]),
        ({"hallpass_path": "/healthz"}, ["does not say"]),
        ({"hallpass_path": "/session"}, None),
        ({"hallpass_address": here, "hallpass_login_url": "https://site/"}, None),
    ]:
        told = board(world, "alice", "alice", acp=settings)
        assert told["began"] is True, settings
        assert told["kept"] == here, settings
        if words is None:
            assert told["error"] is False, settings
        else:
            assert all(word in told["error"] for word in words), told
            assert "Log in" not in told["error"] and "<b>" not in told["error"], told
    # Settings under which members take the names of others.
    for setting, value in (("require_activation", "0"), ("allow_namechange", "1")):
        told = board(world, "alice", "alice", acp={"hallpass_path": "/session"}, config={setting: value})
        assert f"config:set {setting}" in told["error"], told
    told = board(world, "alice", "alice", acp={"allow_namechange": "0"}, config={"allow_namechange": "1"})
    assert told["error"] is False
    # From one that did not work to one that does.
    told = board(world, "alice", "alice", where="unix:///nowhere", acp={"hallpass_address": here})
    assert told == {"began": False, "error": False, "kept": here}


def test_the_extension_says_why_it_cannot_be_chosen(world):
    def refused(visitor, member="alice", **config):
        return board(world, visitor, member, acp={}, config=config)["error"]

    assert refused("alice") is False
    assert "Log in to the other site first" in refused(None)
    assert "knows you as <strong>bob</strong>" in refused("bob")
    # Anybody can register: at once, by mail, by an administrator's leave, or as it was installed.
    for how in ("0", "1", "2", "", "x"):
        assert "require_activation 3" in refused("alice", require_activation=how), how
    world.daemon.process.send_signal(signal.SIGTERM)
    world.daemon.process.wait()
    assert "hallpassd does not say who anybody is" in refused("alice")


def test_nobody_registers_where_the_extension_is_in_use(world):
    register = {"event": "core.ucp_register_requests_after"}
    for how in ("0", "1", "2", "3"):
        closed = board(world, None, "", config={"require_activation": how}, **register)
        assert closed == {"told": "UCP_REGISTER_DISABLE"}, how
    assert board(world, None, "", config={"auth_method": "db"}, **register) == {}


def test_the_forums_login_leads_to_the_sites_and_back(world):
    """By Django's own LoginView, which leads to another host only where it is told to."""
    led = board(world, None, "", event="core.login_box_before")["led_to"]
    assert led.endswith("next=http%3A%2F%2Fforum.example.org%2Findex.php")
    assert board(world, "alice", "alice", event="core.login_box_before") == {}
    forum = "http://forum.example.org/posting.php?mode=post"

    def back_from(next_page: str) -> str:
        browser = Browser(world.site)
        query = urllib.parse.urlencode({"next": next_page})
        return browser.led_to(f"/login/?{query}", username="alice", password=PASSWORDS["alice"])

    assert back_from(forum) == "/whoami/"
    world.site.use(LOGIN_HOSTS=["forum.example.org"])
    assert back_from(forum) == forum
    for evil in ("http://evil.example.net/", "http://forum.example.org.evil.example.net/",
                 "//evil.example.net", "javascript:alert(1)", "http://forum.example.org:81/"):
        assert back_from(evil) == "/whoami/", evil


def test_the_extension_is_whole():
    folder = example.EXAMPLES / "phpbb-django/ext/hallpass/auth"
    names = json.loads((folder / "composer.json").read_text())
    assert (names["name"], names["type"]) == ("hallpass/auth", "phpbb-extension")
    for file in folder.rglob("*.php"):
        assert run(["php", "-l", file]).code == 0, file
