"""The snippets of docs/live.md, run as they stand: sites that say themselves that somebody has logged
out, and servers that end their connections then."""

import json
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import websocket

from hosts import web
from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd, write_configuration
from hosts.events import Events
from hosts.fixtures import site_with_accounts
from hosts.hung import KINDS, hung
from hosts.page import replaced, snippets
from hosts.socketio import SETUP, environment
from processes import LOOPBACK, eventually, free_port, give_away, listening, running, unprivileged
from programs import toml
from sites.visitor import Visitor

SOCKET = "/run/hallpass/http.sock"
SECTION = "When the site says so itself"
EXAMPLE = Path(__file__).parents[2] / "examples/socketio-django-silex/hallpass.js"
# So long that nothing but the site's own word makes a logout arrive.
LATER = "10m"
# A second for each step of the snippets at most, and a busy machine.
PATIENCE = 10
PAGE = """<?php
{function}
session_start();
switch (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {{
    case '/login':
        $_SESSION['user'] = $_POST['username'];
        exit($_POST['username']);
    case '/logout':
{logout}
        exit('logged out');
}}
echo $_SESSION['user'] ?? 'nobody';
"""


class World:
    """A site, its hallpassd, and `door`, the name by which the site's snippet knows the latter."""

    def __init__(self, directory: Path):
        self.directory, self.door = directory, directory / "door"
        self.socket = directory / "http.sock"
        self.door.symlink_to(self.socket)

    def snippets(self, language: str) -> list[str]:
        found = snippets("live.md", language, SECTION)
        assert any(SOCKET in text for text in found)
        return [text.replace(SOCKET, str(self.door)) for text in found]

    @contextmanager
    def away(self, kind: str):
        """Something else is where the site looks for hallpassd."""
        self.door.unlink()
        try:
            with hung(self.door, kind):
                yield
        finally:
            self.door.symlink_to(self.socket)

    def status(self, cookie: str) -> int:
        return web.ask(self.socket, "/session", {"Cookie": cookie}).status


def daemon(world: World) -> dict:
    return {"listen": [f"unix:{world.socket}"], "watch_interval": LATER}


@contextmanager
def django(new_site, directory, programs):
    """(The world, how somebody logs in)."""
    world = World(directory)
    site = new_site()
    [snippet] = world.snippets("python")
    (site.directory / "shop_urls.py").write_text(f"from website.urls import *\n{snippet}")
    site.use(ROOT_URLCONF="shop_urls")
    site.make_accounts({"username": "alice", "password": "Pw of alice"})
    config = write_configuration(site, "live.toml", daemon=daemon(world))

    def log_in():
        browser = site.login("alice", "Pw of alice")
        assert browser.user == "alice"
        return browser.cookie_header, browser.logout

    with hallpassd(programs["hallpassd"], config, world.socket):
        yield world, log_in


@contextmanager
def php(directory, programs):
    world = World(directory)
    function, logout, _ = world.snippets("php")
    (directory / "page.php").write_text(PAGE.format(function=function, logout=logout))
    sessions, port = directory / "sessions", free_port()
    sessions.mkdir(mode=0o700)
    config = directory / "hallpass.toml"
    config.write_text(toml({
        "framework": "php",
        "php": {"save_handler": "files", "save_path": str(sessions), "user": "user"},
        "daemon": daemon(world) | {"accept": ["session"]},
    }))
    for path in (sessions, config):
        give_away(path)

    def log_in():
        visitor = Visitor(port)
        assert visitor.ask("/login", username="alice") == "alice"

        def log_out():
            assert visitor.ask("/logout") == "logged out"
            assert visitor.ask("/") == "nobody"

        return f"PHPSESSID={visitor.cookie('PHPSESSID')}", log_out

    command = ["php", "-d", "display_errors=1", "-d", "error_reporting=-1"]
    command += ["-d", f"session.save_path={sessions}", "-S", f"{LOOPBACK}:{port}"]
    with (
        running([*command, directory / "page.php"], directory / "php.log",
                lambda: listening(port), **unprivileged()),
        hallpassd(programs["hallpassd"], config, world.socket),
    ):
        yield world, log_in


@contextmanager
def wordpress_club(wordpress, shell, directory, programs):
    world = World(directory)
    function, _, action = world.snippets("php")
    plugins = wordpress.root / "wp-content/mu-plugins"
    had = plugins.is_dir()
    plugins.mkdir(exist_ok=True)
    config = directory / "hallpass.toml"
    result = shell()("init", "wordpress", wordpress.root, "--output", config)
    assert result.code == 0, result.stderr.decode()
    text = config.read_text()
    assert "[daemon]" not in text
    config.write_text(text + toml({"daemon": daemon(world), "limits": {"deadline": "50s"}}))
    give_away(config)
    (plugins / "hallpass.php").write_text(f"<?php\n{function}\n{action}")

    def log_in():
        visitor = wordpress.log_in("alice")
        return visitor.cookie, visitor.log_out

    try:
        with hallpassd(programs["hallpassd"], config, world.socket):
            yield world, log_in
    finally:
        (plugins / "hallpass.php").unlink()
        if not had:
            plugins.rmdir()


@pytest.fixture(scope="module", params=["django", "php", "wordpress"])
def site(request, new_site, new_directory, hallpass_programs, shell):
    directory = new_directory()
    match request.param:
        case "django":
            context = django(new_site, directory, hallpass_programs)
        case "php":
            context = php(directory, hallpass_programs)
        case _:
            wordpress = request.getfixturevalue("wordpress")
            context = wordpress_club(wordpress, shell, directory, hallpass_programs)
    with context as it:
        yield it


def test_a_logout_that_the_site_tells_is_immediate(site):
    world, log_in = site
    (cookie, log_out), (another, _) = log_in(), log_in()
    with (
        Events(world.socket, {"Cookie": cookie}) as stream,
        Events(world.socket, {"Cookie": another}) as second,
    ):
        assert stream.next()[1]["user"] == second.next()[1]["user"] == "alice"
        assert stream.goes_on()
        log_out()
        assert stream.next(PATIENCE) == ("ended", {"reason": "logout"})
        assert second.goes_on(2), "another session of the same person"
    assert world.status(cookie) == 401 and world.status(another) == 200


@pytest.mark.parametrize("kind", KINDS)
def test_a_hallpassd_that_hangs_breaks_no_logout(site, kind):
    world, log_in = site
    cookie, log_out = log_in()
    assert world.status(cookie) == 200
    with world.away(kind):
        begun = time.monotonic()
        log_out()
        assert time.monotonic() - begun < PATIENCE
    assert world.status(cookie) == 401


class Shop:
    """A Django site, and a hallpassd on a socket that watches it closely."""

    def __init__(self, site, directory: Path, programs):
        self.site, self.directory, self.programs = site, directory, programs
        self.socket = directory / "http.sock"

    def log_in(self, user: str):
        browser = self.site.login(user, PASSWORDS[user])
        assert browser.user == user
        return browser

    @contextmanager
    def running(self, **tables):
        settings = {"listen": [f"unix:{self.socket}"], "watch_interval": "200ms"}
        name = f"{self.directory.name}.toml"
        config = write_configuration(self.site, name, daemon=settings, **tables)
        with hallpassd(self.programs["hallpassd"], config, self.socket) as daemon:
            yield daemon


@pytest.fixture(scope="module")
def shop(new_site, new_directory, hallpass_programs):
    return Shop(site_with_accounts(new_site), new_directory(), hallpass_programs)


@contextmanager
def ws_server(shop: Shop, directory: Path, port: int):
    [snippet] = snippets("live.md", "js", "Express with ws")
    snippet = replaced(snippet, {SOCKET: str(shop.socket)})
    shutil.copy(EXAMPLE, directory)
    server = directory / "server.js"
    server.write_text(
        f'const {{ WebSocketServer }} = require("ws");\n'
        f'const wss = new WebSocketServer({{ host: "{LOOPBACK}", port: {port} }});\n{snippet}'
        'wss.on("connection", (ws) => ws.on("message", () => ws.send(ws.user ?? "")));\n'
    )
    modules = directory / "node_modules"
    shutil.copytree(SETUP / "node/node_modules/ws", modules / "ws")
    give_away(directory)
    with running(["node", server], directory / "node.log", lambda: listening(port),
                 env=environment(), **unprivileged()):
        yield


CHANNELS = """
from django.conf import settings
settings.configure(SECRET_KEY="x", INSTALLED_APPS=["channels"], ALLOWED_HOSTS=["*"])
import django
django.setup()
{snippet}
class Told(Chat):
    async def receive_json(self, content):
        await self.send_json(self.user or "")

application = Told.as_asgi()
"""


@contextmanager
def channels_server(shop: Shop, directory: Path, port: int):
    [snippet] = snippets("live.md", "python", "Django Channels")
    snippet = replaced(snippet, {SOCKET: str(shop.socket)})
    (directory / "chat.py").write_text(CHANNELS.format(snippet=snippet))
    python = SETUP / "channels/bin/python"
    command = [python, "-m", "uvicorn", "--host", LOOPBACK, "--port", str(port)]
    command += ["--lifespan", "off", "chat:application"]
    with running(command, directory / "uvicorn.log", lambda: listening(port), cwd=directory,
                 **unprivileged()):
        yield


class Socket:
    """A client of the chat, and what it is told."""

    def __init__(self, port: int, cookie: str = ""):
        url = f"ws://{LOOPBACK}:{port}/"
        self.socket = websocket.create_connection(url, timeout=1, cookie=cookie or None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def user(self) -> str:
        """Whom the server takes this client for."""
        self.socket.settimeout(PATIENCE)
        self.socket.send('"who"')
        return self.socket.recv().strip('"')

    def closed(self, seconds: float = 2) -> int | None:
        """The code with which the server has closed the connection; None where it is open."""
        self.socket.settimeout(seconds)
        try:
            opcode, data = self.socket.recv_data()
        except websocket.WebSocketTimeoutException:
            return None
        assert opcode == websocket.ABNF.OPCODE_CLOSE, data
        return int.from_bytes(data[:2])


@pytest.mark.parametrize("server", [ws_server, channels_server])
def test_a_server_ends_the_sockets_of_ended_sessions(shop, server, directory):
    named = {"name": "shop"} if server is ws_server else {}
    port = free_port()
    with server(shop, directory, port):
        with shop.running(**named) as daemon:
            alice, bob, again = shop.log_in("alice"), shop.log_in("bob"), shop.log_in("alice")
            with (
                Socket(port, alice.cookie_header) as of_alice,
                Socket(port, bob.cookie_header) as of_bob,
                Socket(port, again.cookie_header) as of_again,
            ):
                eventually(lambda: of_alice.user() == "alice", "alice is known")
                eventually(lambda: of_bob.user() == "bob", "bob is known")
                eventually(lambda: of_again.user() == "alice", "the other session is known")
                for cookie in ("", "sessionid=x", f"sessionid={alice.token[:-1]}"):
                    with Socket(port, cookie) as stranger:
                        assert stranger.closed(PATIENCE) == 4001, cookie
                alice.logout()
                assert of_alice.closed(PATIENCE) == 4001
                assert of_again.closed() is None and of_bob.closed(0.1) is None
                with Socket(port, alice.cookie_header) as late:
                    assert late.closed(PATIENCE) == 4001
                # A hallpassd that is away ends nothing; what ended meanwhile counts once it is back.
                daemon.process.kill()
                daemon.process.wait()
                bob.logout()
                assert of_again.closed(3) is None and of_bob.closed(0.1) is None
                with Socket(port, again.cookie_header) as new:
                    assert new.user() == "" and new.closed(1) is None, "let in by nobody"
                    with shop.running(**named):
                        assert of_bob.closed(PATIENCE) == 4001
                        eventually(lambda: new.user() == "alice", "asked again")
                        assert of_again.user() == "alice"
                        again.logout()
                        assert of_again.closed(PATIENCE) == new.closed(PATIENCE) == 4001
