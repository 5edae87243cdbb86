"""docs/behind-a-proxy.md, its snippets as they stand: each application's headers before a hostile client,
and Debian's Icinga Web for real."""

import html
import json
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from hosts import example, forger, web
from hosts.caddy import caddy
from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd
from hosts.fixtures import site_with_accounts
from hosts.forger import FORGED, spellings, variable
from hosts.fpm import fpm
from hosts.nginx import nginx
from hosts.page import DOCS, replaced, snippets
from hosts.proxies import CADDY
from hosts.web import basic
from processes import LOOPBACK, free_port, give_away

PAGE = "behind-a-proxy.md"
COLUMNS = ["Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups"]
ROWS = re.findall(
    r"^\| ([^|]+) \| (`[^|]+`) \| (.*?) ?\| (.*?) ?\| (.*?) ?\|$",
    (DOCS / PAGE).read_text().partition("## By a header")[2].partition("\n## ")[0],
    re.M,
)
# By application: the names of its headers, by those of hallpassd.
APPLICATIONS = {
    re.match(r"\[?([\w ,]+)", row[0])[1]: {
        ours: name.strip("`") for ours, name in zip(COLUMNS, row[1:], strict=True) if name
    }
    for row in ROWS
}
HEADERS, PHP = snippets(PAGE, "nginx")


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def daemon(site, new_directory, hallpass_programs):
    socket = new_directory() / "http.sock"
    config = site.write_configuration(
        "behind.toml",
        limits={"failures": 0},
        daemon={"listen": [f"unix:{socket}"], "login_url": "https://shop.example.org/login/?next={url}"},
    )
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as running:
        yield running


@pytest.fixture(scope="module")
def application():
    with forger.cgi_application() as port:
        yield port


@contextmanager
def server(directory: Path, locations: str):
    """nginx, with these locations and the snippets of the example."""
    port, etc = free_port(), directory / "etc"
    etc.mkdir()
    shutil.copytree(example.EXAMPLES / "nginx-django/snippets", etc / "snippets")
    shutil.copy("/etc/nginx/fastcgi_params", etc)
    (etc / "hallpass.conf").write_text(f"server {{ listen {LOOPBACK}:{port}; {locations} }}")
    with nginx(directory, port) as running:
        yield running


def with_names(names: dict[str, str]) -> str:
    """The snippet with another application's names for Grafana's."""
    lines = []
    for line in HEADERS.splitlines():
        ours = {grafana: ours for ours, grafana in APPLICATIONS["Grafana"].items()}
        found = re.search(r"proxy_set_header (X-WEBAUTH-\w+) ", line)
        # What the application has not, and what hallpass-identity.conf has set already.
        if found and names.get(ours[found[1]]) in (None, *COLUMNS):
            continue
        lines.append(line.replace(found[1], names[ours[found[1]]]) if found else line)
    return "\n".join(lines)


def test_the_table_is_read():
    assert list(APPLICATIONS) == ["Grafana", "Gitea, Forgejo", "Jenkins", "JupyterHub", "OpenSearch Dashboards"]
    assert APPLICATIONS["Grafana"] == {
        "Remote-User": "X-WEBAUTH-USER", "Remote-Email": "X-WEBAUTH-EMAIL", "Remote-Name": "X-WEBAUTH-NAME",
        "Remote-Groups": "X-WEBAUTH-GROUPS",
    }
    assert with_names(APPLICATIONS["Grafana"]) + "\n" == HEADERS


def claims(names: list[str]):
    """What a client writes under the application's names, in every spelling."""
    every = [spelling for name in names for spelling in spellings(name)]
    for case in (str, str.lower, str.upper, str.title, str.swapcase):
        cased = [case(name) for name in every]
        yield [(name, FORGED) for name in cased]
        yield [(name, FORGED) for name in cased for _ in range(2)]
        yield [(name, value) for name in cased for value in ("", FORGED)]
    yield [(name, FORGED) for name in every if "_" in name]
    yield [("Connection", ", ".join(["close", *names])), *[(name, FORGED) for name in every]]


def attack(ask, names: dict[str, str], site, daemon) -> None:
    """Asks by `ask` with everything forged: the application hears of the account of the session alone."""
    basics = [("Authorization", basic("ursula", "anything")), ("Authorization", "Basic dXJzdWxhOg")]
    # Of the second of them, e-mail and groups are not known: what is empty is not the client's.
    for user in ("alice", "al"):
        session = ("Cookie", site.login(user, PASSWORDS[user]).cookie_header)
        expected = forger.identity(daemon, session)
        for claim in claims(list(names.values())):
            # Caddy takes a header of the connection away after it has been set: nothing is told, then.
            hidden = any(name == "Connection" for name, _ in claim)
            for more in ([], *([header] for header in basics)):
                answer = ask([session, *claim, *forger.PLACES, *more])
                assert answer.status == 200, (claim, answer)
                seen = json.loads(answer.body)
                assert FORGED not in answer.body.decode(), (claim, seen)
                for ours, theirs in names.items():
                    value = seen.get(variable(theirs), "")
                    assert value == expected[ours] or (hidden and not value), (claim, theirs)
                assert not seen.get("HTTP_AUTHORIZATION")
    for claim in claims(list(names.values())):
        for more in ([], [("Cookie", "sessionid=x")], basics[:1]):
            answer = ask([*claim, *forger.PLACES, *more])
            assert answer.status == 302, claim
            [wanted] = parse_qs(urlsplit(answer.headers["Location"]).query)["next"]
            assert urlsplit(wanted).path == "/x" and forger.FORGED_PLACE not in wanted


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_application_hears_no_client(name, site, daemon, application, new_directory):
    names = APPLICATIONS[name]
    locations = replaced(with_names(names), {
        "/run/hallpass/http.sock": str(daemon.address), "127.0.0.1:3000": f"{LOOPBACK}:{application}",
    })
    with server(new_directory(), locations) as nginx_server:
        attack(lambda headers: nginx_server.ask("/x", headers), names, site, daemon)


@pytest.mark.parametrize("version", CADDY)
def test_caddy_renames(version, site, daemon, application, new_directory):
    directory, port = new_directory(), free_port()
    [route] = snippets(PAGE, "caddy")
    route = replaced(route, {
        "/run/hallpass/http.sock": str(daemon.address), "127.0.0.1:3000": f"{LOOPBACK}:{application}",
    })
    (directory / "etc").mkdir()
    (directory / "etc/Caddyfile").write_text(f"http://shop.example.org:{port} {{\n{route}}}\n")
    host = ("Host", f"shop.example.org:{port}")
    with caddy(directory, port, CADDY[version]):
        ask = lambda headers: web.ask((LOOPBACK, port), "/x", [host, *headers])  # noqa: E731
        attack(ask, APPLICATIONS["Grafana"], site, daemon)


# Icinga Web

ICINGA = {
    "config.ini": '[global]\nconfig_resource = "none"\nshow_stacktraces = "1"\nmodule_path = "/nowhere"\n'
    '[logging]\nlog = "php"\nlevel = "ERROR"\n',
    "resources.ini": "",
    "authentication.ini": "[autologin]\nbackend = external\n",
    "roles.ini": '[everybody]\nusers = "*"\npermissions = "application/announcements"\n',
}


@pytest.fixture(scope="module")
def icinga(new_directory):
    """What Icinga Web needs: its configuration, and php-fpm, whose sessions are its own."""
    directory = new_directory()
    configuration = directory / "icingaweb2"
    configuration.mkdir()
    for name, text in ICINGA.items():
        (configuration / name).write_text(text)
    (directory / "sessions").mkdir()
    for path in (configuration, directory / "sessions"):
        give_away(path)
    with fpm(directory, **{"session.save_path": directory / "sessions"}) as socket:
        yield configuration, socket


def icinga_locations(daemon, icinga, more: str = "") -> str:
    configuration, socket = icinga
    around = HEADERS.partition("location / {")[0]
    text = replaced(around + PHP, {
        "/run/hallpass/http.sock": str(daemon.address), "/etc/icingaweb2;": f"{configuration};",
        "/run/php/php8.2-fpm.sock": str(socket),
    })
    return text.replace("  fastcgi_pass", f"{more}  fastcgi_pass")


def icinga_user(nginx_server, *headers) -> str | None:
    """The account that Icinga Web shows in the menu of one of its pages; None for the log-in."""
    answer = nginx_server.ask("/icingaweb2/about", list(headers))
    if answer.status == 302:
        assert answer.headers["Location"].endswith("/login/?next=%2Ficingaweb2%2Fabout")
        return None
    assert answer.status == 200, answer.body
    [user] = re.findall(r'class="user-ball">[^<]*</i>([^<]*)</a>', answer.body.decode())
    return html.unescape(user)


def cookie_of(site, user: str) -> tuple[str, str]:
    return ("Cookie", site.login(user, PASSWORDS[user]).cookie_header)


def test_icinga_web(site, daemon, icinga, new_directory):
    with server(new_directory(), icinga_locations(daemon, icinga)) as nginx_server:
        assert nginx_server.ask("/icingaweb2/img/icinga-logo.svg").status == 200
        for user in ("alice", "al", "joe@example.org"):
            assert icinga_user(nginx_server, cookie_of(site, user)) == user
        # No account, whatever a client claims.
        alice = cookie_of(site, "alice")
        names = ["Remote-User", "REMOTE-USER", "REDIRECT-REMOTE-USER", "Php-Auth-User", "Auth-User"]
        for claim in [*claims(names), *(found for _, found in forger.forgeries())]:
            for value in (None, basic("ursula", "anything"), basic("alice", "x"), "Basic dXJzdWxhOg", "Negotiate x"):
                more = [("Authorization", value)] if value else []
                assert icinga_user(nginx_server, *claim, *more) is None, (claim, value)
                assert icinga_user(nginx_server, ("Cookie", "sessionid=gone"), *claim, *more) is None
                assert icinga_user(nginx_server, alice, *claim, *more) == "alice", (claim, value)


def test_a_session_of_icinga_web_is_not_enough(site, daemon, icinga, new_directory):
    """Its cookie is worth nothing without the site's session, or with another account's."""
    with server(new_directory(), icinga_locations(daemon, icinga)) as nginx_server:
        browser = site.login("alice", PASSWORDS["alice"])
        answer = nginx_server.ask("/icingaweb2/about", [("Cookie", browser.cookie_header)])
        own = "; ".join(cookie.partition(";")[0] for cookie in answer.headers.get_all("Set-Cookie"))
        assert "icingaweb2" in own.lower()
        assert icinga_user(nginx_server, ("Cookie", f"{browser.cookie_header}; {own}")) == "alice"
        assert icinga_user(nginx_server, ("Cookie", own)) is None
        bob = site.login("bob", PASSWORDS["bob"]).cookie_header
        assert icinga_user(nginx_server, ("Cookie", f"{bob}; {own}")) == "bob"
        site.ask("delete_row", browser.token)
        assert icinga_user(nginx_server, ("Cookie", f"{browser.cookie_header}; {own}")) is None


def test_what_the_page_warns_of(site, daemon, icinga, new_directory):
    """With `$remote_user` after the snippet, a client chooses its account: the tests above would see it."""
    trap = "  fastcgi_param REMOTE_USER $remote_user;\n"
    with server(new_directory(), icinga_locations(daemon, icinga, trap)) as nginx_server:
        forged = ("Authorization", basic("ursula", "anything"))
        assert icinga_user(nginx_server, cookie_of(site, "alice"), forged) == "ursula"
