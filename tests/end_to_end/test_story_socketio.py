"""The story of examples/socketio-django-silex: a real socket.io 4 server lets in whoever is logged
in to a Django site, to one of PHP or to one in Express."""

import itertools
import json
import shutil
import signal
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from hosts import example
from hosts.accounts import PASSWORDS
from hosts.browser import chromium
from hosts.daemon import hallpassd
from hosts.fixtures import site_replacements, site_with_accounts
from hosts.socketio import socketio
from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged
from sites import express
from stores.postgresql import PASSWORD

CLUB = Path(__file__).with_name("stories") / "club"


class World:
    """Both sites, hallpassd, and the chat."""

    def __init__(self, shop, club: str, gallery, port: int, chat, daemon):
        self.shop, self.club, self.chat, self.daemon = shop, club, chat, daemon
        self.gallery, self.port = gallery, port
        self.seen: list[str] = []

    def log_in(self, user: str) -> str:
        """The Cookie header after a login at the shop."""
        browser = self.shop.login(user, PASSWORDS[user])
        assert browser.user == user
        self.seen.append(browser.token)
        return browser.cookie_header

    def join(self, user: str) -> str:
        """The Cookie header after a login at the club."""
        jar = CookieJar()
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar)
        )
        with opener.open(f"{self.club}/login?username={user}", timeout=60) as answer:
            assert answer.read().decode() == user
        [cookie] = jar
        self.seen.append(cookie.value)
        return f"{cookie.name}={cookie.value}"

    def leave(self, cookie: str) -> None:
        request = urllib.request.Request(f"{self.club}/logout", headers={"Cookie": cookie})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.read() == b"nobody"


    def enter(self, user: str) -> tuple[express.Visitor, str]:
        """A visitor after a login at the gallery, and the Cookie header."""
        visitor = express.Visitor(self.port).log_in(user, f"Pw-{user}")
        cookie = visitor.cookie("connect.sid")
        self.seen.append(cookie)
        return visitor, f"connect.sid={cookie}"


GALLERIES = itertools.count(1)


@pytest.fixture
def world(directory, new_site, hallpass_programs, postgresql):
    shop = site_with_accounts(new_site)
    gallery = express.shop(
        directory, "pg", postgresql, f"gallery_{next(GALLERIES)}", express.hashes()
    )
    for name, text in [("gallery_secret", express.SECRET), ("gallery_password", PASSWORD)]:
        (directory / name).touch(mode=0o600)
        (directory / name).write_text(text)
        give_away(directory / name)
    port, club_port = free_port(), free_port()
    sessions, socket, key = directory / "sessions", directory / "http.sock", directory / "ticket_key"
    sessions.mkdir(mode=0o700)
    give_away(sessions)
    key.touch(mode=0o600)
    key.write_text("k" * 40)
    give_away(key)
    files = example.install(
        "socketio-django-silex",
        directory / "chat",
        site_replacements(shop, directory)
        | {
            "/run/hallpass/http.sock": str(socket),
            "/etc/hallpass/ticket_key": str(key),
            "/etc/hallpass/gallery_secret": str(directory / "gallery_secret"),
            "/etc/hallpass/gallery_password": str(directory / "gallery_password"),
            "postgres://hallpass@127.0.0.1:5432/gallery": postgresql.hallpass(gallery.name)["url"],
            "/var/lib/php/sessions": str(sessions),
            "https://chat.example.org": f"http://{LOOPBACK}:{port}",
            'server.listen(3000, "127.0.0.1")': f'server.listen({port}, "127.0.0.1")',
        },
    )
    configs = [files / "shop.toml", files / "club.toml", files / "gallery.toml"]
    for config in configs:
        config.chmod(0o600)
        give_away(config)
    pages = directory / "club"
    shutil.copytree(CLUB, pages)
    php = ["php", "-d", f"session.save_path={sessions}", "-S", f"{LOOPBACK}:{club_port}"]
    with (
        running([*php, pages / "router.php"], directory / "php.log",
                lambda: listening(club_port), **unprivileged()),
        hallpassd(hallpass_programs["hallpassd"], configs, socket) as daemon,
        socketio(files, port) as chat,
        gallery.run() as gallery_port,
    ):
        club = f"http://{LOOPBACK}:{club_port}"
        world = World(shop, club, gallery, gallery_port, chat, daemon)
        yield world
        # No secret in any log.
        for log in (chat.log(), daemon.log()):
            for secret in world.seen:
                assert secret not in log


def refused(told: dict) -> bool:
    return told == {"error": "unauthorized", "status": 401}


def test_whoever_is_logged_in_is_let_in(world):
    alice = world.log_in("alice")
    for transport in ("websocket", "polling"):
        told = world.chat.connect("shop", transport=transport, Cookie=alice)
        assert told == {"welcome": {"user": "alice", "groups": ["chess", "editors"]}}
    gonzalo = world.join("gonzalo")
    told = world.chat.connect("club", Cookie=gonzalo)
    assert told["welcome"]["user"] == "gonzalo"
    both = f"{alice}; {gonzalo}"
    assert world.chat.connect("shop", Cookie=both)["welcome"]["user"] == "alice"
    assert world.chat.connect("club", Cookie=both)["welcome"]["user"] == "gonzalo"
    # Nobody else.
    assert refused(world.chat.connect("shop"))
    assert refused(world.chat.connect("shop", Cookie=gonzalo)), "the other site's"
    assert refused(world.chat.connect("club", Cookie=alice))
    assert refused(world.chat.connect("shop", Cookie="sessionid=x"))
    assert refused(world.chat.connect("club", Cookie="PHPSESSID=../../etc/passwd"))
    assert refused(world.chat.connect("shop", Cookie=alice.upper()))
    assert refused(world.chat.connect("shop", **{"Remote-User": "alice", "X-Remote-User": "alice"}))
    # Another page cannot speak in a visitor's name.
    told = world.chat.connect("shop", Cookie=alice, Origin="https://evil.example.net")
    assert "error" in told


def test_a_ticket_lets_in_where_no_cookie_goes(world):
    alice = world.log_in("alice")
    answer = world.daemon.ask("/shop/ticket", {"Cookie": alice}, method="POST")
    ticket = json.loads(answer.body)["ticket"]
    world.seen.append(ticket)
    assert world.chat.connect("shop", ticket)["welcome"]["user"] == "alice"
    assert refused(world.chat.connect("club", ticket))
    assert refused(world.chat.connect("shop", ticket[:-1]))
    assert refused(world.chat.connect("shop", "x\r\nRemote-User: alice"))
    assert refused(world.chat.connect("shop", {"not": "text"}))
    with world.chat.connected("shop", ticket) as client:
        assert "welcome" in json.loads(client.stdout.readline())
        world.shop.shell("session_model().objects.all().delete()")
        assert json.loads(client.stdout.readline()) == {"disconnect": "io server disconnect"}
    assert refused(world.chat.connect("shop", ticket))


def test_a_logout_ends_the_connection(world):
    gonzalo, again = world.join("gonzalo"), world.join("gonzalo")
    answer = world.daemon.ask("/club/ticket", {"Cookie": gonzalo}, method="POST")
    ticket = json.loads(answer.body)["ticket"]
    world.seen.append(ticket)
    with (
        world.chat.connected("club", Cookie=gonzalo) as client,
        world.chat.connected("club", ticket) as by_ticket,
        world.chat.connected("club", Cookie=again) as other,
    ):
        for one in (client, by_ticket, other):
            assert json.loads(one.stdout.readline())["welcome"]["user"] == "gonzalo"
        world.leave(gonzalo)
        for one in (client, by_ticket):
            assert json.loads(one.stdout.readline()) == {"disconnect": "io server disconnect"}
        assert world.chat.connect("club", Cookie=again)["welcome"]["user"] == "gonzalo"
        world.leave(again)
        assert json.loads(other.stdout.readline()) == {"disconnect": "io server disconnect"}
    assert refused(world.chat.connect("club", Cookie=gonzalo))
    assert refused(world.chat.connect("club", ticket))


def test_express_lets_in_and_out(world):
    visitor, zoe = world.enter("zoë ö")
    assert world.chat.connect("gallery", Cookie=zoe)["welcome"] == {"user": "zoë ö", "groups": []}
    assert refused(world.chat.connect("gallery"))
    assert refused(world.chat.connect("shop", Cookie=zoe))
    assert refused(world.chat.connect("gallery", Cookie=zoe[:-1]))
    assert refused(world.chat.connect("gallery", Cookie=zoe.replace("s%3A", "")))
    with world.chat.connected("gallery", Cookie=zoe) as client:
        assert "welcome" in json.loads(client.stdout.readline())
        visitor.ask("/logout")
        assert json.loads(client.stdout.readline()) == {"disconnect": "io server disconnect"}
    assert refused(world.chat.connect("gallery", Cookie=zoe))
    _, bob = world.enter("bob")
    with world.chat.connected("gallery", Cookie=bob) as client:
        assert "welcome" in json.loads(client.stdout.readline())
        world.gallery.sql("UPDATE users SET active = false WHERE username = 'bob'")
        assert "disconnect" in json.loads(client.stdout.readline())


def test_an_expired_session_and_a_changed_password(world):
    alice, bob = world.log_in("alice"), world.log_in("bob")
    expire = "session_model().objects.filter(session_key=key).update(expire_date=timezone.now())"
    world.shop.shell(expire, key=world.seen[0])
    assert refused(world.chat.connect("shop", Cookie=alice))
    with world.chat.connected("shop", Cookie=bob) as client:
        assert "welcome" in json.loads(client.stdout.readline())
        encoded = world.shop.ask("make_password", "new")
        world.shop.ask("update", "bob", password=encoded)
        assert "disconnect" in json.loads(client.stdout.readline())


def test_while_nobody_can_say_nobody_comes_in_and_nobody_is_thrown_out(world):
    alice = world.log_in("alice")
    with world.chat.connected("shop", Cookie=alice) as client:
        assert "welcome" in json.loads(client.stdout.readline())
        world.daemon.process.send_signal(signal.SIGTERM)
        world.daemon.process.wait()
        told = world.chat.connect("shop", Cookie=alice)
        assert told == {"error": "unavailable", "status": 503}
        assert client.poll() is None


def test_in_a_browser(world, directory):
    with chromium(directory) as browser:
        browser.visit(world.chat.url)
        browser.wait_for("#shop", "unauthorized")
        browser.visit(f"{world.shop.url}/login/")
        browser.fill_in(username="alice", password=PASSWORDS["alice"])
        browser.wait_until(lambda: "alice" in browser.text, "nobody was logged in")
        browser.visit(f"{world.club}/login?username=gonzalo")
        browser.visit(world.chat.url)
        browser.wait_for("#shop", "alice")
        browser.wait_for("#club", "gonzalo")
        browser.wait_until(lambda: "alice: hello" in browser.text, "nothing was said")
        assert "sessionid" not in browser.run("return document.cookie"), "HttpOnly stays so"
        # Logged out in another window: the chat ends by itself.
        world.shop.shell("session_model().objects.all().delete()")
        browser.wait_for("#shop", "io server disconnect")
        browser.wait_for("#club", "gonzalo")
        leave = f"fetch('{world.club}/logout', {{credentials: 'include', mode: 'no-cors'}})"
        browser.run(leave)
        browser.wait_for("#club", "io server disconnect")
