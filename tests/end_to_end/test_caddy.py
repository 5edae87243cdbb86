"""Real Caddy with forward_auth."""

import json
import urllib.parse

import pytest

from hosts import example, web
from hosts.accounts import PASSWORDS
from hosts.application import application
from hosts.caddy import caddy
from hosts.daemon import hallpassd
from hosts.fixtures import UNTHROTTLED, site_replacements, site_with_accounts
from hosts.web import basic
from processes import LOOPBACK, free_port


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


class World:
    pass


@pytest.fixture(scope="module", params=["unix", "tcp"])
def world(request, new_directory, hallpass_programs, site):
    directory, port = new_directory(), free_port()
    if request.param == "unix":
        address = directory / "http.sock"
        listeners = {"/run/hallpass/http.sock": str(address)}
    else:
        address = (LOOPBACK, free_port())
        listeners = {
            "unix//run/hallpass/http.sock": "{}:{}".format(*address),
            "unix:/run/hallpass/http.sock?mode=0660": "tcp:{}:{}".format(*address),
        }
    world = World()
    world.site = site
    with application() as world.application:
        example.install(
            "caddy-django",
            directory / "etc",
            {
                "http://shop.example.org": f"http://shop.example.org:{port}",
                "127.0.0.1:8000": f"{LOOPBACK}:{world.application.port}",
                "https://shop.example.org/accounts/login/": site.url + "/login/",
            }
            | listeners
            | site_replacements(site, directory)
            | UNTHROTTLED,
        )
        config = directory / "etc/hallpass.toml"
        with hallpassd(hallpass_programs["hallpassd"], config, address) as world.daemon:
            with caddy(directory, port) as world.caddy:
                world.address = f"http://shop.example.org:{port}"
                yield world


def cookie_of(site, user: str, **options) -> str:
    data = site.ask("sign", site.ask("login_keys", user))
    return "sessionid=" + site.ask("put_session", data, **options)


def ask(world, path, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    host = {"Host": world.address.removeprefix("http://")}
    return world.caddy.ask(path, host | headers)


def told(answer) -> dict[str, list[str]]:
    """The headers that the application was sent, by their names."""
    headers: dict[str, list[str]] = {}
    for name, value in json.loads(answer.body)["headers"]:
        headers.setdefault(name.lower(), []).append(value)
    return headers


def test_session_cookie(world):
    answer = ask(world, "/private/page", Cookie=cookie_of(world.site, "alice"))
    assert answer.status == 200
    headers = told(answer)
    assert headers["remote-user"] == ["alice"]
    assert headers["remote-email"] == ["alice@example.org"]
    assert sorted(headers["remote-groups"][0].split(",")) == ["chess", "editors"]


@pytest.mark.parametrize(
    "target", ["/private/", "/private/a%20b?c=d&e=%26&f=%23", "/private/%C3%A9?next=/x&y"]
)
def test_no_session_leads_to_the_login_page_and_back(world, target):
    for cookie in ("", "sessionid=gone", cookie_of(world.site, "alice", expires_in=-5)):
        answer = ask(world, target, **({"Cookie": cookie} if cookie else {}))
        assert answer.status == 302
        page, _, query = answer.headers["Location"].partition("?")
        assert page == world.site.url + "/login/"
        assert urllib.parse.parse_qs(query) == {"next": [world.address + target]}
        assert "WWW-Authenticate" not in answer.headers


def test_passwords_are_for_programs(world):
    authorization = basic("alice", PASSWORDS["alice"])
    assert ask(world, "/api/x", Authorization=authorization).status == 200
    answer = ask(world, "/api/x", Authorization=basic("alice", "wrong"))
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="Shop account"')


@pytest.mark.parametrize("path", ["/private/x", "/api/x", "/editors/x"])
def test_nobody_else_is_let_in(world, path):
    alice, bob = cookie_of(world.site, "alice"), cookie_of(world.site, "bob")
    logged_out = cookie_of(world.site, "alice")
    world.site.ask("delete_row", logged_out.removeprefix("sessionid="))
    for headers in (
        {"Cookie": cookie_of(world.site, "alice", expires_in=-5)},
        {"Cookie": logged_out},
        {"Cookie": cookie_of(world.site, "erin")},
        {"Cookie": alice.upper()},
        {"Cookie": "sessionid=' OR 1=1 --"},
        {"Cookie": "sessionid=" + "a" * 8000},
        {"Authorization": basic("nobody", "wrong")},
        {"Authorization": basic("alice", PASSWORDS["bob"])},
        {"Authorization": basic("alice", bob.removeprefix("sessionid="))},
        {"Authorization": basic("erin", PASSWORDS["erin"])},
        {"Authorization": basic("al\nice", "x")},
        {"Authorization": "Basic !"},
        {"Authorization": "Bearer " + alice.removeprefix("sessionid=")},
    ):
        assert ask(world, path, **headers).status in (302, 401), headers
    # Somebody else's session is somebody else's, whatever is said beside it.
    answer = ask(world, "/private/x", Cookie=bob, Remote_User="alice")
    assert (answer.status, told(answer)["remote-user"]) == (200, ["bob"])


def test_a_store_that_is_away(world):
    cookie, right = cookie_of(world.site, "alice"), basic("alice", PASSWORDS["alice"])
    world.site.database.rename(world.site.database.with_suffix(".away"))
    try:
        assert ask(world, "/private/x", Cookie=cookie).status == 503
        assert ask(world, "/api/x", Authorization=right).status == 503
    finally:
        world.site.database.with_suffix(".away").rename(world.site.database)
    assert ask(world, "/private/x", Cookie=cookie).status == 200


def test_groups(world):
    statuses = {"alice": 200, "carol": 200, "bob": 403, "dave": 403, "mallory": 403}
    for user, status in statuses.items():
        assert ask(world, "/editors/x", Cookie=cookie_of(world.site, user)).status == status, user
    assert ask(world, "/editors/x").status == 302


@pytest.mark.parametrize(
    "name",
    "Remote-User Remote-User-Encoding Remote-Email Remote-Name Remote-Groups Remote-Session "
    "Remote-Session-Expires".split(),
)
def test_forged_identity_does_not_reach_the_application(world, name):
    # Somebody of whom there is nothing to say under most of these names.
    authorization = basic("joe@example.org", "an address")
    answer = ask(world, "/api/x", Authorization=authorization, **{name: "forged-ursula"})
    assert answer.status == 200
    assert "forged-ursula" not in json.dumps(told(answer))
    assert ask(world, "/private/x", **{name: "ursula"}).status == 302


def test_client_cannot_choose_where_the_login_leads(world):
    for name, value in [
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "javascript"),
        ("X-Forwarded-Uri", "/evil"),
    ]:
        location = ask(world, "/private/x", **{name: value}).headers["Location"]
        wanted = urllib.parse.parse_qs(location.partition("?")[2])["next"]
        assert wanted == [world.address + "/private/x"], name


def test_bodies_stay_out_of_the_question(world):
    cookie = cookie_of(world.site, "alice")
    host = world.address.removeprefix("http://")
    for _ in range(5):
        answer = world.caddy.ask(
            "/private/form",
            {"Host": host, "Cookie": cookie},
            method="POST",
            body=b"x" * 100_000,
        )
        assert answer.status == 200
        assert world.application.requests[-1]["body"] == "x" * 100_000


FORWARDED = {
    "X-Forwarded-Method": "GET",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example.org",
    "X-Forwarded-Uri": "/private/a%20b?c=d&e",
    "X-Forwarded-For": "192.0.2.7",
}


def test_who_may_not_be_believed(world, directory, hallpass_programs):
    config = world.site.write_configuration(
        "distrust.toml",
        daemon={
            "listen": [f"unix:{directory}/http.sock"],
            "login_url": "/login?next={url}",
            "trusted_proxies": ["192.0.2.1"],
        },
    )
    address = directory / "http.sock"
    with hallpassd(hallpass_programs["hallpassd"], config, address) as daemon:
        answer = web.ask(address, "/auth?redirect=1", FORWARDED)
        assert answer.headers["Location"] == "/login?next="
        assert "192.0.2.7" not in daemon.log()
