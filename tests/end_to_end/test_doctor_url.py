"""`hallpass doctor --url`: a live host, asked from outside. Real nginx and Apache, right and with a
fault planted. docs/doctor.md has a table of them (see FAULTS)."""

import shutil
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import logs
from hosts.accounts import PASSWORDS
from hosts.apache import apache
from hosts.fixtures import site_replacements, site_with_accounts
from hosts.nginx import nginx
from processes import LOOPBACK, free_port, give_away
from stores.certificates import make_certificates
from test_doctor import Doctor
from test_nginx import World

CONF = "hallpass.conf"
QUESTION = "snippets/hallpass-question.conf"
IDENTITY = "snippets/hallpass-identity.conf"
ASK = "        auth_request /_hallpass/session;\n"
OPEN = "    location /open/ { internal; include snippets/hallpass-identity.conf; proxy_pass http://application; }\n"
LOGIN = "    location @login {"


@dataclass(frozen=True)
class Fault:
    """A fault of nginx's configuration, and what shows it from outside."""

    words: str
    # File, what is there, and what is put in its place.
    edits: tuple[tuple[str, str, str], ...]
    check: str
    status: str
    mend: str
    seen: str = ""
    host: str = "live host"
    # Whether it shows to those alone who have a session.
    needs_session: bool = False


def opened_by(condition: str) -> tuple[tuple[str, str, str], ...]:
    """Requests of that kind get the page without a question."""
    return (
        (CONF, ASK, f"        if ({condition}) {{ rewrite ^ /open/ last; }}\n{ASK}"),
        (CONF, LOGIN, OPEN + LOGIN),
    )


FAULTS = [
    Fault("a location that asks nobody", ((CONF, ASK, ""),), "url-open", "problem",
          "have the host ask", "anybody gets in: 200"),
    Fault("a question that another location answers with 200",
          ((CONF, ASK, ASK.replace("session", "sesion")),
           (CONF, LOGIN, "    location / { return 200; }\n" + LOGIN)),
          "url-open", "problem", "have the host ask", "anybody gets in"),
    Fault("a host that cannot ask hallpassd",
          ((CONF, "upstream application", "upstream none { server 127.0.0.1:1; }\nupstream application"),
           (CONF, "proxy_pass http://hallpass/auth?basic=0;", "proxy_pass http://none/auth;")),
          "url-answer", "problem", "error log", "an error of the host's"),
    Fault("any session cookie gets in", opened_by("$http_cookie"), "url-session", "problem",
          "have the host ask", "a made-up session gets in"),
    Fault("any name and password get in", opened_by("$http_authorization"), "url-password",
          "problem", "have the host ask", "a made-up name and password get in"),
    Fault("a client's own `Remote-User` gets in", opened_by("$http_remote_user"), "url-identity",
          "problem", "remove the client's own", "a client that writes them itself gets in"),
    Fault("a method that is not protected", opened_by("$request_method = HEAD"), "url-method",
          "problem", "all methods", "anybody gets in"),
    Fault("answers cached without the cookie",
          ((CONF, "upstream hallpass {", "proxy_cache_path DIRECTORY/temporary/c keys_zone=c:1m;\n"
            "upstream hallpass {"),
           (QUESTION, "proxy_http_version", "proxy_cache c; proxy_cache_key $request_uri;\n"
            "proxy_cache_valid 200 1m; proxy_ignore_headers Cache-Control Expires;\nproxy_http_version")),
          "url-cache", "problem", "cache's key", "what the account before it got", needs_session=True),
    Fault("an identity header of the client's that is not removed",
          ((IDENTITY, "proxy_set_header Remote-Groups          $hallpass_groups;", ""),),
          "url-identity", "problem", "remove the client's own", "Remote-Groups", needs_session=True),
    Fault("`Remote_User` with an underscore that is let through",
          ((CONF, "server {\n    listen", "server {\n    underscores_in_headers on;\n    listen"),),
          "url-identity", "problem", "with underscores", "Remote_User", needs_session=True),
    Fault("a cookie that does not reach hallpassd",
          ((QUESTION, "proxy_http_version", 'proxy_set_header Cookie "";\nproxy_http_version'),),
          "url-account", "problem", "passes Cookie", "Hallpass grants it to alice",
          needs_session=True),
    Fault("a login page that leads to where the client says",
          ((QUESTION, 'proxy_set_header X-Original-URL "";', ""),
           (QUESTION, "proxy_set_header X-Original-URI $request_uri;", "")),
          "url-login-page", "warning", "X-Original-URI", "a host that the client chose"),
]  # fmt: skip


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def world(site, new_directory, hallpass_programs):
    with World(site, new_directory(), hallpass_programs).running() as world:
        yield world


@pytest.fixture(scope="module")
def token(site):
    return site.login("alice", PASSWORDS["alice"]).token


@pytest.fixture
def ask(world, shell):
    """What the doctor says of a URL."""

    def ask(url: str, *options, input: str = "", config: Path | None = world.config) -> Doctor:
        logs.note(input)
        return Doctor(shell(config)("doctor", "--json", "--url", url, *options, input=input))

    return ask


@contextmanager
def edited(world, directory: Path, *edits: tuple[str, str, str]):
    """An nginx beside the world's, with the same hallpassd, site and application."""
    etc = directory / "etc"
    shutil.copytree(world.directory / "etc", etc)
    give_away(etc)
    port = free_port()
    edits = ((CONF, f"listen {LOOPBACK}:{world.nginx.port};", f"listen {LOOPBACK}:{port};"), *edits)
    # One fault after the other, but the port first.
    for name, old, new in edits:
        file = etc / name
        text = file.read_text()
        assert old in text, old
        file.write_text(text.replace(old, new.replace("DIRECTORY", str(directory)), 1))
    conf = etc / CONF
    conf.write_text(conf.read_text().replace("include snippets/", f"include {etc}/snippets/"))
    with nginx(directory, port) as server:
        yield f"http://{LOOPBACK}:{server.port}"


def test_right_host_is_silent(world, ask, token):
    world.application.requests.clear()
    doctor = ask(f"http://{LOOPBACK}:{world.nginx.port}/private/", "--session", "-", input=token)
    doctor.is_silent()
    seen = [(it["check"], it["seen"]) for it in doctor.findings]
    checks = [check for check, _ in seen]
    assert checks == [
        "url-open", "url-session", "url-identity", "url-password", "url-method", "url-account",
        "url-identity", "url-cache", "url-cache",
    ]  # fmt: skip
    assert "302 to" in seen[0][1] and "the site's login page" in seen[0][1]
    assert "Hallpass grants it to alice" in dict(seen)["url-account"]
    assert "X-Remote-User" in seen[6][1]
    # Only the account's own requests went through.
    assert 1 <= len(world.application.requests) <= 3
    assert token not in doctor.result.text


@pytest.mark.parametrize("in_file", [True, False])
def test_session_in_a_file_or_in_words(world, ask, token, directory, in_file):
    file = directory / "token"
    file.write_text(token + "\n")
    url = f"http://{LOOPBACK}:{world.nginx.port}/private/"
    doctor = ask(url, "--session", file if in_file else token)
    doctor.is_silent()
    assert "grants it to alice" in {f["check"]: f["seen"] for f in doctor.findings}["url-account"]


def test_right_host_for_programs_is_silent(world, ask):
    url = f"http://{LOOPBACK}:{world.nginx.port}/api/"
    password = PASSWORDS["alice"]
    doctor = ask(url, "--user", "alice", input=password + "\n")
    doctor.is_silent()
    seen = {it["check"]: it["seen"] for it in doctor.findings}
    assert "401 with Basic" in seen["url-open"]
    assert "Hallpass grants it to alice" in seen["url-account"]
    assert password not in doctor.result.text
    # A wrong one is said to be wrong, by the host and by Hallpass.
    doctor = ask(url, "--user", "alice", input="wrong\n")
    doctor.names("url-account", "the right password", "warning", 0)


def test_account_that_may_not_is_known(world, ask, site):
    bob = site.login("bob", PASSWORDS["bob"]).token
    doctor = ask(f"http://{LOOPBACK}:{world.nginx.port}/editors/", "--session", "-", input=bob)
    doctor.is_silent()
    assert "known, and not permitted: 403" in {f["check"]: f["seen"] for f in doctor.findings}["url-account"]


def test_session_that_has_ended(world, ask):
    url = f"http://{LOOPBACK}:{world.nginx.port}/private/"
    doctor = ask(url, "--session", "-", input="a" * 32)
    doctor.names("url-account", "take the new session", "warning", 0)
    assert "denies it: no-session" in doctor.complaints[0]["seen"]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.words for fault in FAULTS])
def test_fault_is_named_once(world, ask, token, directory, fault):
    with edited(world, directory, *fault.edits) as url:
        url += "/private/"
        if fault.needs_session:
            ask(url).is_silent()
        doctor = ask(url, "--session", "-", input=token)
    complaints = doctor.complaints
    # A page that anybody gets shows the application what anybody writes.
    complaints = [it for it in complaints if fault.check != "url-open" or it["check"] == "url-open"]
    assert [it["check"] for it in complaints] == [fault.check], complaints
    (finding,) = complaints
    assert finding["status"] == fault.status
    assert fault.mend in finding["mend"], finding
    assert fault.seen in finding["seen"], finding
    assert doctor.result.code == (1 if fault.status == "problem" else 0)


def test_header_that_lets_in_is_named(world, ask, directory):
    with edited(world, directory, *opened_by("$http_remote_user")) as url:
        (finding,) = ask(url + "/private/").complaints
    assert "a made-up Remote-User, and nothing else" in finding["tried"]


def test_page_that_is_not_there(world, ask):
    ask(f"http://{LOOPBACK}:{world.nginx.port}/nowhere/").names("url-answer", "--url", "problem", 1)


def test_host_that_is_not_there(ask):
    doctor = ask(f"http://{LOOPBACK}:{free_port()}/")
    doctor.names("url-answer", "start the host", "problem", 75)


def test_tls(world, ask, token, directory):
    certificates = make_certificates(directory / "tls")
    edit = (
        CONF,
        "server {\n    listen",
        f"server {{\n    ssl_certificate {certificates.certificate};\n"
        f"    ssl_certificate_key {certificates.key};\n    listen",
    )
    give_away(certificates.key)
    plain = f"listen {LOOPBACK}:"
    with edited(world, directory, edit) as url:
        port = url.rsplit(":", 1)[1]
        conf = directory / "etc" / CONF
        assert plain in conf.read_text()
    conf.write_text(conf.read_text().replace(f"{plain}{port};", f"{plain}{port} ssl;"))
    with nginx(directory, int(port)):
        url = f"https://{LOOPBACK}:{port}/private/"
        doctor = ask(url, "--ca", certificates.authority, "--session", "-", input=token)
        doctor.is_silent()
        doctor = ask(url)
        doctor.names("url-answer", "--ca", "problem", 75)


def test_without_a_configuration(world, ask, token):
    url = f"http://{LOOPBACK}:{world.nginx.port}/private/"
    doctor = ask(url, config=None)
    doctor.is_silent()
    assert "--cookie" in {it["check"]: it["seen"] for it in doctor.findings}["url-session"]
    options = ["--cookie", "sessionid", "--session", "-"]
    doctor = ask(url, *options, input=token, config=None)
    doctor.is_silent()
    assert "Hallpass is not asked" in {f["check"]: f["seen"] for f in doctor.findings}["url-account"]
    ask(url, "--session", "-", input=token, config=None).names("url-account", "--cookie", "problem", 1)


@pytest.mark.parametrize(
    "options",
    [
        ["--url", "ftp://localhost/"],
        ["--url", "localhost/private"],
        ["--url", "http://user:password@localhost/"],
        ["--url", "http://localhost/", "--host", "nginx"],
        ["--url", "http://localhost/", "--as-user", "nobody"],
        ["--url", "http://localhost/", "--session", "/nowhere/token"],
        ["--url", "http://localhost/", "--session", "-", "--user", "alice"],
        ["--url", "http://localhost/", "--session", "-"],
        ["--session", "-"],
        ["--user", "alice"],
    ],
    ids=" ".join,
)
def test_mistakes(world, shell, options):
    assert shell(world.config)("doctor", *options).code == 2


# Apache


@pytest.mark.parametrize(
    ("old", "new", "check", "mend"),
    [
        (None, None, None, None),
        ("Require valid-user", "Require all granted", "url-open", "have the host ask"),
        ("Require valid-user", "Require valid-user\nRequire all granted", "url-open", "have the host ask"),
    ],
    ids=["right", "granted", "granted beside"],
)  # fmt: skip
def test_apache(ask, directory, hallpass_programs, site, shell, old, new, check, mend):
    with apache(directory, hallpass_programs, site_replacements(site)) as server:
        conf = directory / "etc/hallpass.conf"
        config = directory / "etc/hallpass.toml"
        url = server.url + "/members/page.txt"
        if old:
            assert old in conf.read_text()
    if old:
        conf.write_text(conf.read_text().replace(old, new))
    with apache_again(directory, server):
        doctor = ask(url, "--user", "alice", input=PASSWORDS["alice"] + "\n", config=config)
        if check is None:
            doctor.is_silent()
            seen = {it["check"]: it["seen"] for it in doctor.findings}
            assert '401 with Basic realm="Shop account"' in seen["url-open"]
            assert "Hallpass grants it to alice" in seen["url-account"]
        else:
            doctor.names(check, mend, "problem", 1)
            assert len(doctor.complaints) == 1


@contextmanager
def apache_again(directory: Path, server):
    """The same Apache once more, with its files as they are now."""
    from hosts.apache import INCLUDE, LOADED
    from hosts.httpd import configuration, httpd

    text = configuration(directory, server.port, LOADED, INCLUDE)
    with httpd(directory, server.port, text):
        yield


# Hosts that do not mean well


class Hostile(socketserver.ThreadingTCPServer):
    """Answers every request with the same bytes, again and again where it is said so."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, answer: bytes, endless: bool = False, address: str = LOOPBACK):
        self.requests: list[bytes] = []
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                outer.requests.append(self.request.recv(65536))
                try:
                    self.request.sendall(answer)
                    while endless:
                        self.request.sendall(b"x" * 65536)
                except OSError:
                    pass

        super().__init__((address, 0), Handler)

    @property
    def port(self) -> int:
        return self.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


def test_redirects_to_other_hosts_are_not_followed(ask):
    with Hostile(b"", address="127.0.0.2") as other:
        location = f"http://127.0.0.2:{other.port}/private/"
        answer = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        with Hostile(answer.encode()) as host:
            ask(f"http://{LOOPBACK}:{host.port}/private/").is_silent()
            assert 1 <= len(host.requests) <= 8
        assert other.requests == []


def test_redirects_without_end(ask):
    answer = b"HTTP/1.1 301 Moved\r\nLocation: /private/\r\nContent-Length: 0\r\n\r\n"
    with Hostile(answer) as host:
        ask(f"http://{LOOPBACK}:{host.port}/private").is_silent()
        assert len(host.requests) <= 12


def test_secrets_go_to_the_host_alone_and_in_no_url(ask, world, token):
    answer = b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"
    with Hostile(answer) as host:
        doctor = ask(f"http://{LOOPBACK}:{host.port}/", "--session", "-", input=token)
        doctor.names("url-account", "passes Cookie", "problem", 1)
        shown = [request for request in host.requests if token.encode() in request]
        assert len(shown) == 1
        assert b"\r\nCookie: sessionid=" + token.encode() + b"\r\n" in shown[0]
        assert len(host.requests) <= 12


@pytest.mark.parametrize(
    ("answer", "endless", "check"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True, "url-open"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", True, "url-open"),
        (b"HTTP/1.1 200 OK\r\nX: ", True, "url-answer"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100, False, "url-answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False, "url-answer"),
        (b"", False, "url-answer"),
        (b"\0" * 100_000, False, "url-answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10_000 + b"\r\n", False, "url-answer"),
        (b"HTTP/1.1 200 OK\r\nServer: \x1b[31mred\r\nContent-Length: 0\r\n\r\n", False, "url-answer"),
        (b"HTTP/1.1 200 OK\r\nServer: \xc2\x9b31mred\r\nContent-Length: 0\r\n\r\n", False, "url-open"),
    ],
    ids=range(10),
)
def test_hostile_hosts(ask, answer, endless, check):
    with Hostile(answer, endless) as host:
        doctor = ask(f"http://{LOOPBACK}:{host.port}/")
        assert {it["check"] for it in doctor.complaints} == {check}
        assert doctor.result.code in (1, 75)
        assert len(host.requests) <= 3
