"""What Traefik, Envoy and HAProxy ask, byte by byte as they do: Debian has no Traefik and no Envoy.

Traefik: pkg/middlewares/auth/forward.go. Envoy: ext_authz.proto of the HTTP filter, and
check_request_utils.cc and ext_authz_http_impl.cc of its common part. HAProxy: auth-request.lua of
haproxy-auth-request.
"""

import json
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from hosts import web
from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd
from hosts.fixtures import site_with_accounts
from hosts.web import basic
from processes import LOOPBACK, free_port

LOGIN = "https://shop.example.org/login/?next={url}"
TICKETS = "a key of thirty-two bytes, or more"
IDENTITY = (
    "Remote-User Remote-User-Encoding Remote-Email Remote-Name Remote-Groups Remote-Session "
    "Remote-Session-Expires"
).split()
Question = tuple[str, str, dict[str, str]]


def traefik(method: str, wanted: str, headers: dict[str, str]) -> Question:
    """The client's headers without those of its connection, and its own."""
    asked = {
        "Host": "127.0.0.1:8088",
        "User-Agent": "Mozilla/5.0",
        "Accept-Encoding": "gzip",
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Host": "shop.example.org",
        "X-Forwarded-Method": method,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Server": "proxy",
        "X-Forwarded-Uri": wanted,
        "X-Real-Ip": "192.0.2.7",
    }
    return "GET", "/auth?redirect=1", headers | asked


def traefik_keeping_the_method(method: str, wanted: str, headers: dict[str, str]) -> Question:
    """`preserveRequestMethod: true`"""
    return method, *traefik(method, wanted, headers)[1:]


def _envoy(prefix: str, method: str, wanted: str, headers: dict[str, str]) -> Question:
    """The client's method, its path behind `path_prefix`, its Host, and the headers of
    `allowed_headers`; an empty body."""
    allowed = {"authorization", "cookie", "x-forwarded-for", "x-forwarded-proto"}
    asked = {name.lower(): value for name, value in headers.items() if name.lower() in allowed}
    asked |= {
        "host": "shop.example.org",
        "content-length": "0",
        "x-envoy-internal": "true",
        "x-forwarded-for": "192.0.2.7",
        "x-forwarded-proto": "https",
        "x-envoy-expected-rq-timeout-ms": "200",
    }
    return method, prefix + wanted, asked


def envoy(*client) -> Question:
    return _envoy("/auth", *client)


def envoy_with_conditions(*client) -> Question:
    return _envoy("/auth?group=editors&redirect=1&original=", *client)


def haproxy(_method: str, wanted: str, headers: dict[str, str]) -> Question:
    """By HEAD; the address in a header that the configuration sets."""
    asked = {name.lower(): value for name, value in headers.items()}
    return "HEAD", "/auth", asked | {"host": "127.0.0.1", "x-original-uri": wanted}


HOSTS = [traefik, traefik_keeping_the_method, envoy, envoy_with_conditions, haproxy]


@dataclass
class World:
    site: object
    config: object
    addresses: list
    daemon: object = None

    def ask(
        self, host: Callable[..., Question], method="GET", wanted="/private/x", address=0, **headers
    ) -> web.Answer:
        """hallpassd's answer to what the host asks about somebody's request."""
        method, target, headers = host(method, wanted, headers)
        return web.ask(self.addresses[address], target, headers, method)

    def session(self, user: str, **options) -> str:
        data = self.site.ask("sign", self.site.ask("login_keys", user))
        return "sessionid=" + self.site.ask("put_session", data, **options)

    def ticket(self, cookie: str) -> str:
        answer = self.daemon.ask("/ticket", {"Cookie": cookie}, method="POST")
        return json.loads(answer.body)["ticket"]


def new_world(new_site, directory) -> World:
    site = site_with_accounts(new_site)
    socket, tcp = directory / "http.sock", (LOOPBACK, free_port())
    config = site.write_configuration(
        f"{directory.name}.toml",
        limits={"failures": 0},
        tickets={"key": TICKETS},
        daemon={"listen": [f"unix:{socket}", "tcp:{}:{}".format(*tcp)], "login_url": LOGIN},
    )
    return World(site, config, [socket, tcp])


@pytest.fixture(scope="module")
def world(new_directory, hallpass_programs, new_site):
    world = new_world(new_site, new_directory())
    program = hallpass_programs["hallpassd"]
    with hallpassd(program, world.config, *world.addresses) as world.daemon:
        yield world


@pytest.fixture
def own(directory, hallpass_programs, new_site):
    world = new_world(new_site, directory)
    program = hallpass_programs["hallpassd"]
    with hallpassd(program, world.config, *world.addresses) as world.daemon:
        yield world


def refused(host, answer: web.Answer) -> bool:
    """Whether nobody is let in, and whoever can be is sent to the login page."""
    assert all(answer.headers[name] == "" for name in IDENTITY)
    redirects = host not in (envoy, haproxy)
    assert ("Location" in answer.headers) == redirects
    assert ("WWW-Authenticate" in answer.headers) == (not redirects)
    assert "X-Login-URL" in answer.headers
    return answer.status == (302 if redirects else 401)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("address", [0, 1], ids=["unix", "tcp"])
def test_whoever_is_logged_in_is_let_in(world, host, address):
    cookie = world.session("alice")
    for headers in (
        {"Cookie": cookie},
        {"Cookie": f"theme=dark; {cookie}; other=x"},
        {"Authorization": basic("alice", PASSWORDS["alice"])},
        {"Authorization": f"Bearer {world.ticket(cookie)}"},
    ):
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"):
            answer = world.ask(host, method, address=address, **headers)
            # Envoy takes no other status for a yes.
            assert answer.status == 200, (method, headers)
            assert answer.headers["Remote-User"] == "alice"
            assert answer.headers["Remote-Email"] == "alice@example.org"
            assert sorted(answer.headers["Remote-Groups"].split(",")) == ["chess", "editors"]
            assert all(name in answer.headers for name in IDENTITY)


@pytest.mark.parametrize("host", HOSTS)
def test_nobody_else_is(world, host):
    alice, bob = world.session("alice"), world.session("bob")
    logged_out = world.session("alice")
    world.site.ask("delete_row", logged_out.removeprefix("sessionid="))
    ticket = world.ticket(alice)
    for headers in (
        {},
        {"Cookie": ""},
        {"Cookie": "sessionid="},
        {"Cookie": "sessionid=x"},
        {"Cookie": world.session("alice", expires_in=-5)},
        {"Cookie": logged_out},
        {"Cookie": world.session("erin")},
        {"Cookie": alice.upper()},
        {"Cookie": alice + "x"},
        {"Cookie": "sessionid=' OR 1=1 --"},
        {"Cookie": "sessionid=" + "a" * 8000},
        {"Authorization": basic("alice", "wrong")},
        {"Authorization": basic("alice", PASSWORDS["bob"])},
        {"Authorization": basic("nobody", "wrong")},
        {"Authorization": basic("alice", bob.removeprefix("sessionid="))},
        {"Authorization": basic("erin", PASSWORDS["erin"])},
        {"Authorization": basic("al\nice", "x")},
        {"Authorization": "Basic !"},
        {"Authorization": f"Bearer {ticket[:-1]}"},
        {"Authorization": f"Bearer {alice.removeprefix('sessionid=')}"},
        {"Remote-User": "alice", "X-Forwarded-User": "alice", "X-Remote-User": "alice"},
    ):
        for method in ("GET", "POST"):
            assert refused(host, world.ask(host, method, **headers)), headers
    # Whoever shows somebody's session is that one, whatever else is said.
    answer = world.ask(traefik, Cookie=bob, **{"Remote-User": "alice"})
    assert (answer.status, answer.headers["Remote-User"]) == (200, "bob")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "wanted", ["/", "/private/a%20b?c=d&e=%26", "/x?group=chess&redirect=0&original=/y", "//evil/x"]
)
def test_the_way_back_from_the_login_page(world, host, wanted):
    answer = world.ask(host, "GET", wanted)
    assert refused(host, answer)
    address = answer.headers["X-Login-URL"]
    if "Location" in answer.headers:
        assert answer.headers["Location"] == address
    back = urllib.parse.parse_qs(address.partition("?")[2], keep_blank_values=True)["next"]
    if host is not haproxy:
        assert back == [f"https://shop.example.org{wanted}"]
    else:
        # It says neither scheme nor host, and without them this path is another host's.
        assert back == ["" if wanted == "//evil/x" else wanted]


def test_a_websocket_leads_back_to_its_page(world):
    websocket = traefik("GET", "/private/x", {})[2] | {"X-Forwarded-Proto": "wss"}
    answer = web.ask(world.addresses[0], "/auth?redirect=1", websocket)
    assert "next=https%3A" in answer.headers["Location"]


@pytest.mark.parametrize(
    ("scheme", "host", "back"),
    [
        ("https,http", "shop.example.org, inner.example", "https://shop.example.org/private/x"),
        ("https, http, http", "shop.example.org:8443", "https://shop.example.org:8443/private/x"),
        ("HTTPS", "shop.example.org,", "https://shop.example.org/private/x"),
        ("javascript", "shop.example.org", "/private/x"),
        ("javascript,https", "shop.example.org", "/private/x"),
        ("https", "shop.example.org@evil.example", "/private/x"),
    ],
)
def test_behind_two_proxies_the_browsers_own_address_counts(world, scheme, host, back):
    asked = traefik("GET", "/private/x", {})[2]
    asked |= {"X-Forwarded-Proto": scheme, "X-Forwarded-Host": host}
    answer = web.ask(world.addresses[0], "/auth?redirect=1", asked)
    query = urllib.parse.urlsplit(answer.headers["Location"]).query
    assert urllib.parse.parse_qs(query) == {"next": [back]}


@pytest.mark.parametrize("name", ["X-Original-URI", "X-Original-URL", "X-Forwarded-Uri"])
@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "ftp://x/", "https://a@evil.example/", "x"]
)
def test_nobody_is_led_back_to_what_is_no_page(world, name, address):
    for address_of_daemon in world.addresses:
        answer = web.ask(address_of_daemon, "/auth", {name: address})
        assert answer.status == 401
        assert answer.headers["X-Login-URL"] == LOGIN.format(url="")


def test_what_the_client_wants_is_no_condition(world):
    bob, carol = world.session("bob"), world.session("carol")
    for wanted in (
        "/x",
        "/x?group=chess",
        "/x&group=two%20words",
        "&group=two%20words",
        "/?original=/&group=two%20words",
    ):
        # Neither is in the group that the prefix wants, whatever stands behind it.
        for cookie in (bob, carol):
            answer = world.ask(envoy_with_conditions, "GET", wanted, Cookie=cookie)
            assert answer.status == 403, wanted
            assert answer.headers["Remote-User"] == ""
        assert world.ask(envoy_with_conditions, Cookie=world.session("alice")).status == 200
    for wanted in ("/session", "/../session", "/healthz", "/check", "//auth", "/%2e%2e/metrics"):
        assert refused(envoy, world.ask(envoy, "POST", wanted))
        assert world.ask(envoy, "POST", wanted, Cookie=bob).headers["Remote-User"] == "bob"


@pytest.mark.parametrize("query", ["group=editors", "permission=shop.view_report", "redirect=1"])
def test_a_slash_too_many_loses_no_condition(world, query):
    cookie = {"Cookie": world.session("bob")}
    assert web.ask(world.addresses[0], f"/auth/?{query}", cookie).status == 400


@pytest.mark.parametrize("host", HOSTS)
def test_a_store_that_is_away(own, host):
    cookie, right = own.session("alice"), basic("alice", PASSWORDS["alice"])
    own.site.database.rename(own.site.database.with_suffix(".away"))
    for headers in ({"Cookie": cookie}, {"Authorization": right}):
        answer = own.ask(host, "POST", **headers)
        assert answer.status == 503 and "Retry-After" in answer.headers
        assert "Location" not in answer.headers and answer.headers["Remote-User"] == ""
    own.site.database.with_suffix(".away").rename(own.site.database)
    assert own.ask(host, "POST", Cookie=cookie).status == 200
