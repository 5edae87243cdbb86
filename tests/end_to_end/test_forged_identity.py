"""A hostile client before every recipe of docs/http.md, and the examples that belong to them: the
application behind sees what hallpassd said, and nothing that the client said in its place."""

import shutil
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hosts import example, forger, kubernetes, web
from hosts.accounts import PASSWORDS
from hosts.caddy import caddy
from hosts.daemon import Daemon, hallpassd
from hosts.fixtures import site_with_accounts
from hosts.fpm import fpm
from hosts.nginx import nginx
from hosts.page import replaced, snippets
from hosts.proxies import CADDY, envoy, haproxy, traefik
from hosts.web import basic
from processes import LOOPBACK, free_port
from programs import run

SOCKET = "/run/hallpass/http.sock"
APPLICATION = "127.0.0.1:8000"
PAGE = "http.md"


@dataclass
class Setting:
    """What a recipe stands between."""

    directory: Path
    port: int
    program: Path
    daemon: Daemon
    tcp: int
    application: int
    fpm: Path
    pages: Path

    def etc(self) -> Path:
        etc = self.directory / "etc"
        etc.mkdir(exist_ok=True)
        return etc


@dataclass
class Host:
    """A running server that has one of the recipes."""

    recipe: str
    path: str
    port: int
    daemon: Daemon

    def ask(self, headers, path: str = "") -> web.Answer:
        host = [("Host", f"shop.example.org:{self.port}")]
        return web.ask((LOOPBACK, self.port), path or self.path, host + list(headers))


# The recipes. Each is a server, as a page or an example has it.


@contextmanager
def nginx_server(it: Setting, locations: str) -> Iterator[None]:
    """nginx, with these locations in a server."""
    snippet_files = example.EXAMPLES / "nginx-django/snippets"
    shutil.copytree(snippet_files, it.etc() / "snippets", dirs_exist_ok=True)
    # As Debian's package has it, beside nginx.conf.
    shutil.copy("/etc/nginx/fastcgi_params", it.etc())
    (it.etc() / "hallpass.conf").write_text(
        f"server {{ listen {LOOPBACK}:{it.port}; root {it.pages}; {locations} }}"
    )
    with nginx(it.directory, it.port):
        yield


@contextmanager
def nginx_page(it: Setting, language: int = 0) -> Iterator[str]:
    question, php = snippets(PAGE, "nginx", "nginx")
    question = replaced(question, {SOCKET: str(it.daemon.address), APPLICATION: _at(it)})
    php = replaced(php, {"unix:/run/php/php8.2-fpm.sock": f"unix:{it.fpm}"})
    with nginx_server(it, question + php):
        yield "/private/x" if language == 0 else "/reports/page.php"


def nginx_page_for_php(it: Setting):
    return nginx_page(it, 1)


@contextmanager
def nginx_of_help(it: Setting) -> Iterator[str]:
    """What `hallpassd --help` says."""
    text = run([it.program, "--help"]).text
    locations = text.partition("In nginx's configuration:\n")[2].partition("\n\n")[0]
    locations = locations[: locations.rindex("}") + 1]
    with nginx_server(it, replaced(locations, {SOCKET: str(it.daemon.address)})):
        yield "/private/index.html"


@contextmanager
def nginx_of_the_start(it: Setting) -> Iterator[str]:
    """What the tutorial has the reader write."""
    page = snippets("start/django-nginx.md", "sh", "nginx")[0]
    text = page.partition("<<EOT\n")[2].partition("EOT\n")[0].replace("\\$", "$")
    server = text[text.index("    server {") : text.rindex("}")]
    where = {"$PWD/hallpass.sock": str(it.daemon.address), "$PWD/public": str(it.pages)}
    where |= {"127.0.0.1:8080": f"{LOOPBACK}:{it.port}", APPLICATION: _at(it)}
    (it.etc() / "hallpass.conf").write_text(replaced(server, where))
    with nginx(it.directory, it.port):
        yield "/private/index.html"


def caddy_page(version: str, php: bool) -> Callable:
    @contextmanager
    def start(it: Setting) -> Iterator[str]:
        route, fastcgi = snippets(PAGE, "caddy", "Caddy")
        if php:
            route = replaced(route, {f"  reverse_proxy {APPLICATION}\n": fastcgi})
            route = replaced(route, {"/run/php/php8.2-fpm.sock": str(it.fpm)})
        else:
            route = replaced(route, {APPLICATION: _at(it)})
        route = replaced(route, {SOCKET: str(it.daemon.address)})
        text = f"http://shop.example.org:{it.port} {{\nroot * {it.pages}\n{route}}}\n"
        (it.etc() / "Caddyfile").write_text(text)
        with caddy(it.directory, it.port, CADDY[version]):
            yield "/private/page.php" if php else "/private/x"

    return start


@contextmanager
def haproxy_page(it: Setting) -> Iterator[str]:
    text = snippets(PAGE, "haproxy", "HAProxy")[0]
    text = replaced(
        text, {"bind :80": f"bind {LOOPBACK}:{it.port}", "127.0.0.1:8088": f"{LOOPBACK}:{it.tcp}"}
    )
    lua = example.EXAMPLES / "haproxy-django/hallpass.lua"
    around = f"global\n lua-load {shutil.copy(lua, it.etc())}\n"
    around += "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
    around += f"backend application\n server application {_at(it)}\n"
    (it.etc() / "haproxy.cfg").write_text(around + text)
    with haproxy(it.directory, it.port, it.etc() / "haproxy.cfg"):
        yield "/private/x"


@contextmanager
def traefik_page(it: Setting) -> Iterator[str]:
    text = snippets(PAGE, "yaml", "Traefik")[0]
    text = replaced(text, {"127.0.0.1:8088": f"{LOOPBACK}:{it.tcp}"})
    with traefik(it.directory, it.port, text, it.application):
        yield "/private/x"


@contextmanager
def envoy_page(it: Setting) -> Iterator[str]:
    manager = snippets(PAGE, "yaml", "Envoy")[0]
    with envoy(it.directory, it.port, manager, it.tcp, it.application):
        yield "/private/x"


@contextmanager
def traefik_in_kubernetes(it: Setting) -> Iterator[str]:
    with kubernetes.traefik_gateway(it.directory, it.port, it.tcp, it.application):
        yield "/private/x"


@contextmanager
def envoy_gateway(it: Setting) -> Iterator[str]:
    with kubernetes.envoy_gateway(it.directory, it.port, it.tcp, it.application):
        yield "/private/x"


@contextmanager
def nginx_example(it: Setting) -> Iterator[str]:
    example.install(
        "nginx-django", it.etc(), _of_example(it) | {"listen 80;": f"listen {LOOPBACK}:{it.port};"}
    )
    with nginx(it.directory, it.port):
        yield "/private/x"


@contextmanager
def nginx_for_joomla(it: Setting) -> Iterator[str]:
    """The proxy of the Joomla example: whose sessions they are is nothing to it."""
    replacements = {
        "listen 80;": f"listen {LOOPBACK}:{it.port};",
        SOCKET: str(it.daemon.address),
        APPLICATION: _at(it),
        "/run/php/php8.2-fpm.sock": str(it.fpm),
    }
    example.install("django-joomla", it.etc(), replacements)
    (it.etc() / "nginx.conf").rename(it.etc() / "hallpass.conf")
    with nginx(it.directory, it.port):
        yield "/app/x"


def caddy_example(version: str) -> Callable:
    @contextmanager
    def start(it: Setting) -> Iterator[str]:
        address = "http://shop.example.org"
        example.install("caddy-django", it.etc(), _of_example(it) | {address: f"{address}:{it.port}"})
        with caddy(it.directory, it.port, CADDY[version]):
            yield "/private/x"

    return start


@contextmanager
def haproxy_example(it: Setting) -> Iterator[str]:
    lua = "/etc/haproxy/hallpass.lua"
    replacements = {"bind :80": f"bind {LOOPBACK}:{it.port}", lua: f"{it.etc()}/hallpass.lua"}
    example.install("haproxy-django", it.etc(), _of_example(it) | replacements)
    with haproxy(it.directory, it.port, it.etc() / "haproxy.cfg"):
        yield "/private/x"


def _of_example(it: Setting) -> dict[str, str]:
    return {SOCKET: str(it.daemon.address), APPLICATION: _at(it)}


def _at(it: Setting) -> str:
    return f"{LOOPBACK}:{it.application}"


RECIPES = {
    "nginx": nginx_page,
    "nginx with PHP": nginx_page_for_php,
    "nginx, example": nginx_example,
    "nginx for Joomla": nginx_for_joomla,
    "HAProxy": haproxy_page,
    "HAProxy, example": haproxy_example,
    "Traefik": traefik_page,
    "Envoy": envoy_page,
    "Traefik in Kubernetes": traefik_in_kubernetes,
    "Envoy Gateway": envoy_gateway,
}
for version in CADDY:
    RECIPES[f"Caddy {version}"] = caddy_page(version, False)
    RECIPES[f"Caddy {version} with PHP"] = caddy_page(version, True)
    RECIPES[f"Caddy {version}, example"] = caddy_example(version)
# These hand nothing on: what is behind are files.
OF_FILES = {"nginx of --help": nginx_of_help, "nginx of the start": nginx_of_the_start}


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def application():
    with forger.cgi_application() as port:
        yield port


@pytest.fixture(scope="module")
def pages(new_directory):
    """What php-fpm, or nginx itself, serves."""
    directory = new_directory()
    for name in ("reports", "private"):
        (directory / name).mkdir()
        (directory / name / "page.php").write_text(forger.PAGE)
        (directory / name / "index.html").write_text("This is for you alone.\n")
    with fpm(directory) as socket:
        yield directory, socket


def hosts(names: list[str]):
    """A test of these recipes."""
    return pytest.mark.parametrize("host", names, indirect=True, scope="module")


ALL = [*RECIPES, *OF_FILES]
EXAMPLES = [name for name in RECIPES if name.endswith("example")]


@pytest.fixture(scope="module")
def host(request, new_directory, hallpass_programs, site, application, pages):
    directory, tcp = new_directory(), free_port()
    socket = directory / "http.sock"
    config = site.write_configuration(
        f"{directory.name}.toml",
        limits={"failures": 0},
        daemon={
            "listen": [f"unix:{socket}", f"tcp:{LOOPBACK}:{tcp}"],
            "login_url": "https://shop.example.org/login/?next={url}",
        },
    )
    with ExitStack() as stack:
        program = hallpass_programs["hallpassd"]
        daemon = stack.enter_context(hallpassd(program, config, socket, (LOOPBACK, tcp)))
        port = free_port()
        setting = Setting(directory, port, program, daemon, tcp, application, pages[1], pages[0])
        path = stack.enter_context((RECIPES | OF_FILES)[request.param](setting))
        yield Host(request.param, path, port, daemon)


def session_of(site, user: str) -> tuple[str, str]:
    data = site.ask("sign", site.ask("login_keys", user))
    return "Cookie", "sessionid=" + site.ask("put_session", data)


# Both are among the editors, whom some recipes ask for; of `al`, little else is known.
@hosts([*RECIPES])
@pytest.mark.parametrize("user", ["alice", "al"])
def test_application_sees_what_hallpass_said_and_nothing_else(host, site, user):
    session = session_of(site, user)
    expected = forger.identity(host.daemon, session)
    assert expected["Remote-User"] == user
    assert (expected["Remote-Email"] == "") == (user == "al")
    variables = ("REMOTE_USER", "PHP_AUTH_USER") if "PHP" in host.recipe else ()
    forger.attack(host.ask, session, expected, variables)


@hosts(EXAMPLES)
def test_programs_are_who_their_password_says(host, site):
    for user in ("joe@example.org", "alice", "zoë"):
        password = ("Authorization", basic(user, PASSWORDS[user]))
        expected = forger.identity(host.daemon, password)
        assert expected["Remote-Session"] == ""
        forger.attack(lambda headers: host.ask(headers, "/api/x"), password, expected)
    wrong = host.ask([("Authorization", basic("alice", "wrong"))], "/api/x")
    assert wrong.status == 401
    assert wrong.headers["WWW-Authenticate"].startswith("Basic realm=")


@hosts(EXAMPLES)
def test_who_is_two_people_at_once_is_nobody(host, site):
    """Where the name of Basic counts, it and the session are of one account."""
    session, right = session_of(site, "alice"), ("Authorization", basic("alice", PASSWORDS["alice"]))
    status = lambda *headers: host.ask(headers, "/api/x").status
    assert status(session) == status(right) == status(session, right) == 200
    # Whose password it is, is who has proved it.
    proved = ("Authorization", basic("ursula", PASSWORDS["ursula"]))
    answer = host.ask([session, proved], "/api/x")
    assert answer.status == 401 or b'"HTTP_REMOTE_USER": "ursula"' in answer.body
    for value in (
        basic("ursula", "anything"),
        basic("nobody at all", "anything"),
        basic("ALICE", PASSWORDS["alice"]),
        basic("alice ", PASSWORDS["alice"]),
        basic(b"zo\xeb", PASSWORDS["zoë"]),
        basic(b"\xff", ""),
        "Basic !",
        "Basic dXJzdWxhOng=x",
        "Basic",
    ):
        assert status(session, ("Authorization", value)) == 401, value
    if host.recipe.startswith("nginx"):
        return  # which takes no two, and writes both into its log.
    assert status(session, right, ("Authorization", basic("ursula", "x"))) == 401
    assert status(session, ("Authorization", basic("ursula", "x")), right) == 401


@hosts(["nginx for Joomla"])
def test_guests_have_no_identity(host):
    nothing = dict.fromkeys(forger.IDENTITY, "")
    forger.attack(
        lambda headers: host.ask(headers, "/app/public/x"), ("Cookie", "sessionid=x"), nothing
    )


@hosts(ALL)
def test_claims_let_nobody_in(host, site):
    for _, claims in forger.forgeries():
        for more in ([], [("Authorization", basic("ursula", "anything"))], [("Cookie", "sessionid=x")]):
            answer = host.ask(claims + forger.PLACES + more)
            assert answer.status in (302, 401), answer
    assert host.ask([session_of(site, "alice")]).status == 200


@hosts(ALL)
def test_client_cannot_say_where_it_is(host):
    names = ("X-Forwarded-For", "x_forwarded_for", "X-Real-IP", "Forwarded", "X-Client-IP")
    values = (forger.FORGED_ADDRESS, f"for={forger.FORGED_ADDRESS}", "", "-")
    claims = [[(name, value)] for name in names for value in values]
    claims += [one * 2 for one in claims]
    # As a header of the connection, it might be taken away once it is set.
    claims += [[("Connection", f"close, {name}"), (name, forger.FORGED_ADDRESS)] for name in names]
    for claim in claims:
        answer = host.ask([*claim, ("Cookie", "sessionid=gone")])
        if answer.status == 400:
            continue  # Envoy takes no such header.
        assert answer.status in (302, 401), claim
        line = host.daemon.log().splitlines()[-1]
        assert "no-session" in line and forger.FORGED_ADDRESS not in line, (claim, line)
        # For a peer on loopback, Envoy says another address of this machine.
        assert ("client=" if host.recipe.startswith("Envoy") else f"client={LOOPBACK}") in line, (claim, line)


@hosts(ALL)
def test_client_cannot_say_what_it_wanted(host):
    for claims in (forger.PLACES, *([place] for place in forger.PLACES)):
        answer = host.ask(claims)
        assert answer.status == 302, claims
        query = urllib.parse.urlsplit(answer.headers["Location"]).query
        (wanted,) = urllib.parse.parse_qs(query)["next"]
        # Behind a proxy of yours, its name for the host counts (X-Forwarded-Host); the path is
        # that of the request.
        assert urllib.parse.urlsplit(wanted).path == host.path, claims
        assert forger.FORGED_PLACE not in wanted, claims
        assert not wanted.startswith("javascript"), claims
