"""`hallpass doctor` on nginx: faults planted one at a time in a configuration that nginx accepts.
Those that let everybody in are tried in a running nginx."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from doctor_faults import Fault, names
from hosts import example, web
from hosts.application import application
from hosts.daemon import hallpassd
from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged
from programs import toml
from test_doctor import SECRET, Doctor, site  # noqa: F401: a fixture

BASE = """
daemon off;
pid {directory}/nginx.pid;
worker_processes 1;
error_log {directory}/error.log info;
events {{ worker_connections 64; }}
http {{
    access_log off;
    root {directory}/www;
    client_body_temp_path {directory}/temporary/body;
    proxy_temp_path {directory}/temporary/proxy;
    fastcgi_temp_path {directory}/temporary/fastcgi;
    uwsgi_temp_path {directory}/temporary/uwsgi;
    scgi_temp_path {directory}/temporary/scgi;
    proxy_cache_path {directory}/temporary/cache keys_zone=c:1m;
{text}
}}
"""

# A site of which one part is open, and answers everybody with 200.
HEALTHY = """
upstream hallpass { server unix:SOCKET; }
upstream application { server 127.0.0.1:APPLICATION; }
map $http_x_shop $shop { default 127.0.0.1; }
server {
    listen 127.0.0.1:PORT;
    # questions
    location = /_auth {
        internal;
        proxy_pass http://hallpass/auth?basic=0;
        include snippets/hallpass-question.conf;
    }
    location = /_editors {
        internal;
        proxy_pass http://hallpass/auth?basic=0&group=editors;
        include snippets/hallpass-question.conf;
    }
    location = /_password {
        internal;
        proxy_pass http://hallpass/auth;
        include snippets/hallpass-question.conf;
    }
    # protected
    location /private/ {
        auth_request /_auth;
        include snippets/hallpass-identity.conf;
        proxy_pass http://application;
    }
    location /editors/ {
        auth_request /_editors;
        include snippets/hallpass-identity.conf;
        proxy_pass http://application;
    }
    location /api/ {
        auth_request /_password;
        include snippets/hallpass-identity.conf;
        proxy_pass http://application;
    }
    location /files/ {
        auth_request /_auth;
    }
    location @login { return 302 /login/; }
    location @open { include clear.conf; proxy_pass http://application; }
    location / { include clear.conf; proxy_pass http://application; }
}
"""
IDENTITY = "User User-Encoding Email Name Groups Session Session-Expires".split()
ASKS = "proxy_pass http://hallpass/auth?basic=0;\n"
PRIVATE = "location /private/ {\n        auth_request /_auth;\n"
FILES = "location /files/ {\n        auth_request /_auth;\n"
QUESTION = "        include snippets/hallpass-question.conf;\n    }\n    location = /_editors"
CACHE = "proxy_cache c; proxy_cache_valid 200 1m; proxy_ignore_headers Cache-Control; "
LET_IN = "lets everybody in"


def fault(words, old, new, check, status, mend, seen="", lets_in=None) -> Fault:
    return Fault("nginx", words, old, new, check, status, mend, seen, lets_in)


def in_question(words, line, check, status, mend, seen="", lets_in=None) -> Fault:
    """A line more in the location that asks."""
    return fault(words, ASKS, ASKS + line + "\n", check, status, mend, seen, lets_in)


def in_private(words, line, check, status, mend, seen="", lets_in=None) -> Fault:
    """A line more in the location that is protected."""
    return fault(words, PRIVATE, PRIVATE + line + "\n", check, status, mend, seen, lets_in)


def in_server(words, text, check, status, mend, seen="", lets_in=None) -> Fault:
    return fault(words, "# protected\n", text + "\n", check, status, mend, seen, lets_in)


def asks(words, query, check, status, mend, seen="") -> Fault:
    """Another query in the question."""
    return fault(words, "auth?basic=0;", f"auth?{query};", check, status, mend, seen)


FAULTS = [
    # What answers the sub-request
    fault("`auth_request` with a query, which `location /` answers", PRIVATE,
          PRIVATE.replace("/_auth", "/_auth?group=editors"), "nginx-location", "problem",
          "write auth_request /_auth; and the condition into the proxy_pass", LET_IN, "/private/"),
    fault("`auth_request` with a misspelt target, which `location /` answers", PRIVATE,
          PRIVATE.replace("/_auth", "/_aut"), "nginx-location", "problem",
          "write auth_request /_auth;", LET_IN, "/private/"),
    fault("`auth_request` with a target far from any location", PRIVATE,
          PRIVATE.replace("/_auth", "/somewhere/else"), "nginx-location", "problem",
          "write location = /somewhere/else", LET_IN, "/private/"),
    fault("the target is answered by a location with a regular expression",
          "location = /_auth {", "location ~ ^/_a { proxy_pass http://application; include clear.conf; }"
          "\n    location /_auth {", "nginx-location", "problem", "location = /_auth", LET_IN, "/private/"),
    in_question("the question is answered by `return`", "return 204;", "nginx-location", "problem",
                "location = /_auth", "everybody is let in", "/private/"),
    in_question("the question denies everybody", "return 403;", "nginx-location", "problem",
                "location = /_auth", "nobody gets in"),
    fault("the question is answered by a file", ASKS, "try_files /open.html =404;\n", "nginx-location",
          "problem", "location = /_auth", "everybody is let in", "/private/"),
    in_question("the question is rewritten to another location", "rewrite ^ /open last;",
                "nginx-location", "problem", "location = /_auth", LET_IN, "/private/"),
    in_question("the answer depends on the request", "if ($http_x_shop) { return 200; }",
                "nginx-unresolved", "warning", "curl -i", "it depends on"),
    fault("the target is a named location", PRIVATE, PRIVATE.replace("/_auth", "@hallpass"),
          "nginx-location", "problem", "location = @hallpass", "every request is answered 404 or 500"),
    # Errors that become answers
    in_question("`error_page 502 =200` in the question", "error_page 502 503 =200 /open.html;",
                "nginx-error-page", "problem", "without =200", "while hallpassd cannot be asked"),
    in_question("`error_page 401 =200` in the question",
                "proxy_intercept_errors on; error_page 401 =200 /open.html;", "nginx-error-page",
                "problem", "without =200", "whom hallpassd denies", "/private/"),
    in_private("`error_page 500` leads to the application", "error_page 500 = @open;",
               "nginx-error-page", "problem", "take 500 away", "while hallpassd cannot be asked"),
    in_private("`error_page 403` leads to the application", "error_page 403 = @open;",
               "nginx-error-page", "problem", "take 403 away", "not permitted"),
    # What is not asked
    in_private("`satisfy any` with `allow all`", "satisfy any; allow all;", "nginx-satisfy", "problem",
               "take satisfy any away", "everybody", "/private/"),
    in_private("`satisfy any` with the passwords of a file",
               'satisfy any; auth_basic x; auth_basic_user_file htpasswd;', "nginx-satisfy", "problem",
               "take satisfy any away", "auth_basic"),
    in_private("`satisfy any` with some addresses", "satisfy any; allow 127.0.0.1; deny all;",
               "nginx-satisfy", "warning", "take satisfy any away", "127.0.0.1", "/private/"),
    fault("`return` in a protected location", FILES, FILES + "return 200 secret;\n", "nginx-order",
          "problem", "proxy_pass", "everybody gets it", "/files/"),
    in_private("`rewrite` leads out of a protected location", "rewrite ^/private/(.*)$ /app/$1 last;",
               "nginx-order", "problem", "write break", "everybody gets in", "/private/x"),
    in_private("`auth_request off` in a nested location",
               "location ~ \\.php$ { auth_request off; include clear.conf; proxy_pass http://application; }",
               "nginx-off", "warning", "take it away", "everybody reaches", "/private/x.php"),
    in_server("a regular expression takes pages from a protected prefix",
              "location ~ \\.php$ { include clear.conf; proxy_pass http://application; }", "nginx-regex",
              "problem", "location ^~ /private/", "everybody gets it", "/private/x.php"),
    in_server("a regular expression takes files from a protected prefix",
              "location ~* \\.(png|pdf)$ { expires 1d; }", "nginx-regex", "problem",
              "location ^~ /files/", "everybody gets it", "/files/x.pdf"),
    in_server("a regular expression takes pictures from a protected prefix",
              "location ~* \\.png$ { expires 1d; }", "nginx-regex", "warning", "location ^~ /files/",
              "everybody gets it", "/files/x.png"),
    # The cache
    in_question("cached without any credential in the key", CACHE + "proxy_cache_key $host;",
                "nginx-cache-key", "problem", "add $http_cookie", "one user's answer"),
    in_question("cached under another site's cookie", CACHE + "proxy_cache_key $cookie_sid$http_authorization;",
                "nginx-cache-key", "problem", "add $http_cookie", "the site's cookie is sessionid, and not sid"),
    in_question("cached under a key that is not known here", CACHE + "proxy_cache_key $shop$http_authorization;",
                "nginx-cache-key", "warning", "add $http_cookie", "cannot tell"),
    # Credentials that do not arrive
    fault("nginx speaks TLS with hallpassd", ASKS, ASKS.replace("http:", "https:"), "nginx-scheme", "problem",
          "write http://", "every request is answered 500"),
    in_question("nginx waits less than hallpassd may take", "proxy_read_timeout 1s;", "nginx-timeout", "warning",
                "proxy_read_timeout 31s;", "may take 30 s"),
    in_question("the Cookie header is emptied", 'proxy_set_header Cookie "";', "nginx-credentials",
                "problem", "proxy_set_header Cookie", "nobody gets in"),
    in_question("`proxy_pass_request_headers off`", "proxy_pass_request_headers off;",
                "nginx-credentials", "problem", "proxy_pass_request_headers off", "nobody gets in"),
    in_question("another cookie is passed on", 'proxy_set_header Cookie "sid=$cookie_sid";',
                "nginx-credentials", "problem", "sessionid=$cookie_sessionid", "no sessionid"),
    fault("Authorization is emptied where passwords count", "proxy_pass http://hallpass/auth;\n",
          'proxy_pass http://hallpass/auth; proxy_set_header Authorization "";\n', "nginx-credentials",
          "warning", "basic=0", "again and again"),
    # What is asked
    asks("an unknown parameter", "basic=0&groups=editors", "nginx-query", "problem", "group=NAME",
         "groups=editors"),
    asks("a flag that does not exist", "basic=0&is=boss", "nginx-query", "problem", "is=staff", "is=boss"),
    asks("an empty permission", "basic=0&permission=", "nginx-query", "problem",
         "permission=APP.CODENAME", "permission="),
    asks("a group that the site does not have", "basic=0&group=editor", "host-group", "problem",
         "in place of \"editor\"", "\"editor\""),
    asks("the client's own query in the question", "group=editors&$request_uri", "nginx-path", "problem",
         "/auth?group=staff", "basic=0"),
    asks("a variable that is not known here", "basic=0&group=$shop", "nginx-unresolved", "warning",
         "/auth?group=staff", "$shop"),
    fault("the question's path is wrong", "hallpass/auth?basic=0;", "hallpass/check;", "nginx-path",
          "problem", "end it with /auth", "/check"),
    fault("the question has no path", "hallpass/auth?basic=0;", "hallpass;", "nginx-path", "problem",
          "end it with /auth", "/_auth"),
    fault("a location by prefix adds to the path", "location = /_password {", "location /_passw {",
          "nginx-path", "problem", "end it with /auth", "/authord"),
    # Where is asked
    fault("no server is at the socket", "server unix:SOCKET;", "server unix:SOCKET-hallpass;",
          "nginx-socket", "problem", "same socket", "http.sock"),
    fault("a variable makes nginx resolve a name without a resolver", ASKS,
          "set $where site.test; proxy_pass http://$where:TCP/auth?basic=0;\n", "nginx-resolver",
          "problem", "resolver", "site.test"),
    # What comes through
    fault("the question has no `internal`", "        internal;\n", "", "nginx-internal", "warning",
          "internal"),
    fault("identity headers are not set", PRIVATE + "        include snippets/hallpass-identity.conf;\n",
          PRIVATE, "nginx-identity", "problem", "Remote-User", "Remote-User"),
    fault("an open location leads to the same application", "location / { include clear.conf;",
          "location / {", "nginx-identity", "problem", "Remote-User", "Remote-User"),
    in_private("a client's own `Remote-User` is passed on beside the right one",
               "proxy_set_header Remote-User $http_remote_user;", "nginx-identity", "problem",
               "take proxy_set_header Remote-User $http_remote_user away", "any client writes"),
    in_private("another header is filled with the client's own `Remote-User`",
               "proxy_set_header X-Webauth-User $http_remote_user;", "nginx-identity", "problem",
               "take proxy_set_header X-Webauth-User $http_remote_user away", "any client writes"),
    in_private("the identity is taken of an answer that is not there yet",
               "proxy_set_header X-Webauth-User $upstream_http_remote_user;", "nginx-variable", "problem",
               "auth_request_set $hallpass_value $upstream_http_remote_user;", "always empty"),
    in_private("the identity is taken of a header that does not exist",
               "auth_request_set $hallpass_user $upstream_http_x_remote_user;", "nginx-variable",
               "problem", "$upstream_http_remote_user", "x-remote-user"),
    in_server("underscores in headers are let through", "underscores_in_headers on;", "nginx-identity",
              "warning", "underscores_in_headers on;", "Remote_User"),
]  # fmt: skip

# Changes that a configuration may well have: the doctor stays silent.
FITS = {
    "the question is healthy": ("", ""),
    "variables of its own lead to hallpassd": (
        ASKS, "set $where 127.0.0.1; proxy_pass http://$where:TCP/auth?basic=0;\n"),
    "a variable of the server names the upstream": (
        ASKS + "", "proxy_pass http://$up/auth?basic=0;\n"),
    "the target has hallpassd's own path": (
        "location = /_auth {\n        internal;\n        proxy_pass http://hallpass/auth?basic=0;",
        "location = /_auth { internal; rewrite ^ /auth break; proxy_pass http://hallpass;"),
    "arguments that a sub-request does not have": (
        "auth?basic=0;", "auth?basic=0&$args;"),
    "the question by a prefix": ("location = /_auth {", "location /_auth {"),
    "the question by a regular expression and break": (
        "location = /_auth {\n        internal;\n        proxy_pass http://hallpass/auth?basic=0;",
        "location ~ ^/_auth$ { internal; rewrite ^ /auth break; proxy_pass http://hallpass;"),
    "satisfy any alone": (PRIVATE, PRIVATE + "satisfy any;\n"),
    "satisfy any with deny alone": (PRIVATE, PRIVATE + "satisfy any; deny all;\n"),
    "return that gives nothing away": (FILES, FILES + "return 403;\n"),
    "guests are welcome": (PRIVATE, PRIVATE + "error_page 401 500 = @open;\n"),
    "errors have a page": (PRIVATE, PRIVATE + "error_page 500 502 /50x.html; error_page 401 = @login;\n"),
    "errors of the question keep their status": (ASKS, ASKS + "error_page 401 /open.html;\n"),
    "cached under the site's cookie": (
        ASKS, ASKS + CACHE + "proxy_cache_key $cookie_sessionid$http_authorization;\n"),
    "cached under a key that is set": (
        ASKS, ASKS + CACHE + "set $key $http_cookie; proxy_cache_key $key$http_authorization;\n"),
    "a cache for other pages": ("# questions", "proxy_cache c;"),
    "the site's cookie alone": (
        ASKS, ASKS + 'proxy_set_header Cookie "sessionid=$cookie_sessionid";\n'),
    "a password is not for this question": (ASKS, ASKS + 'proxy_set_header Authorization "";\n'),
    "a regular expression for other files": (
        "# protected", "location ~ \\.php$ { return 404; }"),
    "a regular expression behind ^~": (
        "location /private/ {", "location ~ /private/.*\\.php$ { include clear.conf; proxy_pass http://application; }\n"
        "location ^~ /private/ {"),
    "a part of the server is open": (
        "# protected", "location /static/ { auth_request off; }\nlocation /private/static/ { auth_request off; }"),
    "another service is asked as well": (
        "# protected", "location = /oauth2/auth { internal; proxy_pass http://127.0.0.1:4180; }\n"
        "location /other/ { auth_request /oauth2/auth; proxy_pass http://127.0.0.1:4181; }"),
    "a server that leads to HTTPS": (
        "map ", "server { listen 127.0.0.1:PORT; server_name other.test; auth_request /_auth; "
        "location / { proxy_pass http://127.0.0.1:4181; } return 301 https://other.test; }\nmap "),
    "the condition of the server comes before": (
        "# questions", "if ($http_x_shop = 'x') { return 403; }"),
}  # fmt: skip


@dataclass
class Nginx:
    """A site with hallpassd, and a place for configurations of nginx."""

    directory: Path
    words: dict[str, str]
    shell: object
    # alice's
    cookie: str

    def write(self, text: str) -> None:
        for word, value in self.words.items():
            text = text.replace(word, value)
        if "$up/" in text:
            text = text.replace("# questions", "set $up hallpass;")
        main = self.directory / "nginx.conf"
        main.write_text(BASE.format(directory=self.directory, text=text))

    def command(self, *more) -> list:
        directory = self.directory
        main = directory / "nginx.conf"
        return ["/usr/sbin/nginx", "-e", directory / "error.log", "-p", directory, "-c", main, *more]

    @contextmanager
    def run(self) -> Iterator[int]:
        port = int(self.words["PORT"])
        shutil.rmtree(self.directory / "temporary/cache", ignore_errors=True)
        console = self.directory / "console.log"
        with running(self.command(), console, lambda: listening(port), **unprivileged()):
            yield port

    def accepts(self) -> None:
        # As who runs it later, whose log it opens.
        options = {"capture_output": True, "text": True, "timeout": 60} | unprivileged()
        done = subprocess.run(self.command("-t"), **options)
        assert done.returncode == 0, done.stderr

    def doctor(self) -> Doctor:
        options = ["--host", "nginx", "--host-config", self.directory / "nginx.conf"]
        return Doctor(self.shell("doctor", "--json", *options))


@pytest.fixture(scope="module")
def nginx(site, new_directory, hallpass_programs, shell):  # noqa: F811
    directory = new_directory()
    cookie = site.login("alice", SECRET).cookie_header
    shutil.copy(site.database, directory / "db.sqlite3")
    http, tcp = directory / "http.sock", free_port()
    config = directory / "hallpass.toml"
    config.touch(mode=0o600)
    daemon = {"listen": [f"unix:{http}?mode=0660", f"tcp:{LOOPBACK}:{tcp}"]}
    tables = site.configuration(database=f"sqlite:{directory}/db.sqlite3", daemon=daemon)
    config.write_text(toml(tables))
    snippets = example.EXAMPLES / "nginx-django/snippets"
    shutil.copytree(snippets, directory / "snippets")
    (directory / "clear.conf").write_text(
        "".join(f'proxy_set_header Remote-{name} "";\n' for name in IDENTITY)
    )
    (directory / "htpasswd").write_text("stranger:{PLAIN}x\n")
    for page in ("open.html", "files/index.html", "files/x.pdf", "files/x.png"):
        (directory / "www" / page).parent.mkdir(parents=True, exist_ok=True)
        (directory / "www" / page).write_text("a page\n")
    (directory / "temporary").mkdir()
    for path in [*directory.rglob("*")]:
        give_away(path)
    with application() as behind, hallpassd(hallpass_programs["hallpassd"], config, http):
        words = {"SOCKET": str(http), "APPLICATION": str(behind.port), "PORT": str(free_port())}
        yield Nginx(directory, words | {"TCP": str(tcp)}, shell(config), cookie)


@pytest.mark.parametrize("change", FITS.values(), ids=FITS)
def test_healthy_nginx_is_silent(nginx, change):
    assert change[0] in HEALTHY
    nginx.write(HEALTHY.replace(*change, 1) if change[0] else HEALTHY)
    nginx.accepts()
    doctor = nginx.doctor()
    doctor.is_silent()
    assert any(it["seen"] == "it points here, and fits" for it in doctor.findings)


@pytest.mark.parametrize("fault", FAULTS, ids=names(FAULTS))
def test_fault_is_named(nginx, fault):
    nginx.write(fault.plant(HEALTHY))
    nginx.accepts()
    fault.is_named(nginx.doctor())


OPEN = [fault for fault in FAULTS if fault.lets_in]


@pytest.mark.parametrize("fault", [None, *OPEN], ids=["none", *names(OPEN)])
def test_fault_lets_in(nginx, fault):
    """As a running nginx answers a client without any credential."""
    nginx.write(fault.plant(HEALTHY) if fault else HEALTHY)
    with nginx.run() as port:
        status = web.ask((LOOPBACK, port), fault.lets_in if fault else "/private/").status
    assert status == (200 if fault else 401)


CACHED = [fault for fault in FAULTS if "proxy_cache c;" in fault.new and fault.status == "problem"]


@pytest.mark.parametrize("fault", [None, *CACHED], ids=["none", *names(CACHED)])
def test_cache_lets_in_who_comes_next(nginx, fault):
    key = CACHE + "proxy_cache_key $cookie_sessionid$http_authorization;\n"
    nginx.write(fault.plant(HEALTHY) if fault else HEALTHY.replace(ASKS, ASKS + key, 1))
    with nginx.run() as port:
        assert web.ask((LOOPBACK, port), "/private/").status == 401
        assert web.ask((LOOPBACK, port), "/private/", {"Cookie": nginx.cookie}).status == 200
        status = web.ask((LOOPBACK, port), "/private/").status
    assert status == (200 if fault else 401)


AWAY = [fault for fault in FAULTS if "while hallpassd cannot be asked" in fault.seen]


@pytest.mark.parametrize("fault", [None, *AWAY], ids=["none", *names(AWAY)])
def test_fault_lets_in_while_hallpassd_is_away(nginx, fault):
    text = fault.plant(HEALTHY) if fault else HEALTHY
    nginx.write(text.replace("unix:SOCKET", "unix:SOCKET-nowhere"))
    with nginx.run() as port:
        status = web.ask((LOOPBACK, port), "/private/").status
    assert status == (200 if fault else 500)


def test_other_sites_of_the_machine_are_left_alone(nginx):
    """Another daemon's socket, and another site of this daemon, which has no such site here."""
    other = nginx.directory / "hallpass-other.sock"
    own = HEALTHY.replace("listen 127.0.0.1:PORT;", "listen 127.0.0.1:PORT; server_name other.test;")
    own = own[own.index("server {"):].replace("http://hallpass/", "http://other-hallpass/")
    text = f"upstream other-hallpass {{ server unix:{other}; }}\n{own}"
    nginx.write(HEALTHY + text)
    nginx.accepts()
    # Where nothing listens, it may as well be a misspelt socket of this site's.
    doctor = nginx.doctor()
    assert {it["check"] for it in doctor.complaints} == {"nginx-socket"}, doctor.complaints
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(other))
        listener.listen()
        nginx.doctor().is_silent()
        nginx.write(text.replace("upstream other", "upstream application { server 127.0.0.1:1; }\nupstream other"))
        assert nginx.doctor().complaints[0]["seen"] == "nothing in it points to Hallpass"
    other.unlink()


# Patterns of `include`, and the files that are there.
INCLUDES = ["more/*.conf", "more/sites/[a-c]*", "more/?.part", '"more/with blank.inc"', "more/deep/*/x.conf"]
FILES = """a.conf b.conf .hidden.conf c.conf~ sites/a sites/d x.part xy.part|with blank.inc|deep/1/x.conf
deep/2/x.conf deep/x.conf deep/1/y.conf""".replace("\n", " ")


def test_files_are_those_that_nginx_reads(nginx):
    """Each has a fault of its own; `nginx -T` says which files there are."""
    more = nginx.directory / "more"
    names = [name for part in FILES.split("|") for name in ([part] if "blank" in part else part.split())]
    for number, name in enumerate(names):
        (more / name).parent.mkdir(parents=True, exist_ok=True)
        (more / name).write_text(
            f"location = /_{number} {{ proxy_pass http://hallpass/auth; include snippets/hallpass-question.conf; }}"
            f"\nlocation /n{number}/ {{ auth_request /_{number}; }}\n"
        )
    lines = "".join(f"include {pattern};\n" for pattern in INCLUDES)
    nginx.write(HEALTHY.replace("# protected", lines))
    options = {"capture_output": True, "text": True, "timeout": 60} | unprivileged()
    done = subprocess.run(nginx.command("-T"), **options)
    assert done.returncode == 0, done.stderr
    read = set(re.findall(r"^# configuration file (.*/more/.*):$", done.stdout, re.M))
    (finding,) = nginx.doctor().complaints
    assert finding["check"] == "nginx-internal"
    assert set(re.findall(r"(/[^,]*/more/[^,]*):\d+", finding["tried"])) == read
    assert len(read) == 7


def test_two_faults_are_two_findings(nginx):
    """That the first lets everybody in hides nothing of the second."""
    lines = PRIVATE.replace("/_auth", "/_aut") + "satisfy any; allow all;\n"
    nginx.write(HEALTHY.replace(PRIVATE, lines))
    nginx.accepts()
    checks = [it["check"] for it in nginx.doctor().complaints]
    assert checks == ["nginx-location", "nginx-satisfy"]
