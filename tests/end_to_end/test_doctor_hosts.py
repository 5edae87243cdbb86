"""`hallpass doctor` on the other servers: faults planted one at a time in configurations that each
server's own checker accepts, where it has one. Those that let everybody in are tried for real."""

import os
import re
import shutil
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from doctor_faults import Fault, names
from hosts import example, web
from hosts.application import application
from hosts.daemon import hallpassd
from hosts.pam import SERVICES
from hosts.proxies import TRAEFIK
from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged
from programs import toml
from test_doctor import Doctor, as_root, site  # noqa: F401: a fixture

SEVEN = (
    "Remote-User Remote-User-Encoding Remote-Email Remote-Name Remote-Groups Remote-Session "
    "Remote-Session-Expires"
)
SETS = "\n".join(
    f"  http-request set-header {name} "
    f"%[var(req.auth_response_header.{name.lower().replace('-', '_')})]"
    for name in SEVEN.split()
)
DENY = "  http-request deny unless { var(txn.auth_response_successful) -m bool }\n"
ASK = "  http-request lua.auth-request hallpass /auth?basic=0\n"

# Each server's healthy configuration; words in capitals are replaced.
HEALTHY = {
    "Caddy": f"""
{{
	admin off
	auto_https off
}}
http://:PORT {{
	bind 127.0.0.1
	route {{
		request_header -Remote-*
		request_header -Remote_*
		forward_auth /private/* unix/HTTP {{
			uri /auth?basic=0
			copy_headers {SEVEN}
		}}
		request_header -Authorization
		reverse_proxy 127.0.0.1:APPLICATION
	}}
}}
""",
    "HAProxy": f"""
global
  lua-load LUA
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend web
  bind 127.0.0.1:PORT
  http-request del-header Remote- -m beg
  http-request del-header Remote_ -m beg
{ASK}{DENY}{SETS}
  default_backend application
backend hallpass
  server hallpass unix@HTTP
backend application
  server application 127.0.0.1:APPLICATION
""",
    "Traefik": f"""
http:
  routers:
    web: {{ rule: "PathPrefix(`/`)", entryPoints: [web], middlewares: [members], service: application }}
  services:
    application: {{ loadBalancer: {{ servers: [{{ url: "http://127.0.0.1:APPLICATION" }}] }} }}
  middlewares:
    members:
      chain:
        middlewares: [question]
    question:
      forwardAuth:
        address: "http://127.0.0.1:TCP/auth?basic=0"
        authResponseHeaders: [{", ".join(SEVEN.split())}]
        authResponseHeadersRegex: "(?i)^Remote[-_]"
""",
    "lighttpd": """
server.document-root = "DIRECTORY"
server.port = PORT
server.modules += ( "mod_fastcgi" )
fastcgi.server = (
    "/private/" => (( "socket" => "FASTCGI", "mode" => "authorizer",
                      "docroot" => "DIRECTORY", "check-local" => "disable" ))
)
""",
    "Dovecot": """
protocols = imap
auth_mechanisms = plain login
auth_username_format = %u
passdb {
  driver = checkpassword
  args = PROGRAMS/hallpass-checkpassword --config CONFIG
}
userdb {
  driver = static
  args = uid=vmail gid=vmail home=/srv/mail/%u
}
""",
    "Squid": """
http_port 127.0.0.1:PORT
visible_hostname proxy.test
auth_param basic program PROGRAMS/hallpass-squid basic --config CONFIG
auth_param basic children 1 startup=0
auth_param basic realm x
auth_param basic credentialsttl 1 minute
acl members proxy_auth REQUIRED
external_acl_type site_group ttl=60 children-startup=0 concurrency=10 %LOGIN PROGRAMS/hallpass-squid group --concurrency --config CONFIG
acl editors external site_group editors is:superuser
http_access deny !members
http_access allow editors
http_access deny all
""",
    "PAM": """
auth     required  pam_exec.so expose_authtok quiet PROGRAMS/hallpass-pam --config CONFIG
account  required  pam_exec.so quiet PROGRAMS/hallpass-pam --config CONFIG
session  required  pam_permit.so
password required  pam_deny.so
""",
    "Postfix": """
smtpd_sasl_type = dovecot
smtpd_sasl_path = DOVECOT
smtpd_sasl_auth_enable = yes
smtpd_tls_auth_only = yes
""",
    "Exim": """
begin authenticators
plain:
  driver = dovecot
  public_name = PLAIN
  server_socket = DOVECOT
  server_set_id = $auth1
login:
  driver = dovecot
  public_name = LOGIN
  server_socket = DOVECOT
  server_set_id = $auth1
""",
    "Prosody": """
VirtualHost "chat.test"
  authentication = "dovecot"
  dovecot_auth_socket = "DOVECOT"
VirtualHost "other.test"
  authentication = "internal_hashed"
""",
    "Cyrus SASL": """
pwcheck_method: saslauthd
saslauthd_path: SASLAUTHD
mech_list: PLAIN LOGIN
""",
}
OPTION = {"Cyrus SASL": "saslauthd"}


def fault(host, words, old, new, check, status, mend, seen="", lets_in=None) -> Fault:
    return Fault(host, words, old, new, check, status, mend, seen, lets_in)


FAULTS = [
    # Caddy
    fault("Caddy", "the application answers before the question", "\t\tforward_auth /private/*",
          "\t\treverse_proxy 127.0.0.1:APPLICATION\n\t\tforward_auth /private/*", "caddy-order", "problem",
          "after forward_auth", "everybody gets in", "/private/x"),
    fault("Caddy", "the matcher is one address", "/private/*", "/private/", "caddy-matcher", "problem",
          "write /private/*", "this one address", "/private/x"),
    fault("Caddy", "an unknown parameter", "auth?basic=0", "auth?basic=0&groups=editors", "host-question", "problem",
          "group=NAME", "groups=editors"),
    fault("Caddy", "a group that the site does not have", "auth?basic=0", "auth?basic=0&group=editor", "host-group",
          "problem", "in place of", '"editor"'),
    fault("Caddy", "no server is at the socket", "unix/HTTP", "unix/HTTP-hallpass", "host-socket", "problem",
          "same socket"),
    fault("Caddy", "the client's own headers are not removed", "\t\trequest_header -Remote-*\n", "",
          "caddy-identity", "warning", "request_header -Remote-*"),
    fault("Caddy", "the client's own spellings are not removed", "\t\trequest_header -Remote_*\n", "",
          "caddy-identity", "warning", "request_header -Remote_*"),
    fault("Caddy", "a Basic name that nobody checks goes on", "\t\trequest_header -Authorization\n", "",
          "caddy-remote-user", "warning", "request_header -Authorization"),
    # HAProxy
    fault("HAProxy", "nothing denies by the answer", DENY, "", "haproxy-deny", "problem", "deny unless",
          "everybody gets in", "/"),
    fault("HAProxy", "the denial is the wrong way round", "deny unless", "deny if", "haproxy-deny", "problem",
          "deny unless", "lets in all others", "/"),
    fault("HAProxy", "the denial comes before the question", ASK + DENY, DENY + ASK, "haproxy-deny", "problem",
          "after the question", "comes before"),
    fault("HAProxy", "`http-request allow` comes before", ASK, "  http-request allow\n" + ASK, "haproxy-deny",
          "problem", "take it away", "everybody gets in", "/"),
    fault("HAProxy", "some are allowed before", ASK, "  http-request allow if { src 192.0.2.0/24 }\n" + ASK,
          "haproxy-deny", "warning", "take it away", "192.0.2.0/24"),
    fault("HAProxy", "the denial is about some paths", DENY,
          DENY.replace("unless {", "if private !{").replace("  http", "  acl private path_beg /private/\n  http"),
          "haproxy-deny", "problem", "deny on every page", "get past it", "//private/"),
    fault("HAProxy", "the denial is about something else", DENY,
          DENY.replace("unless {", "if inside !{").replace("  http", "  acl inside src 192.0.2.0/24\n  http"),
          "haproxy-unresolved", "warning", "alone", "inside"),
    fault("HAProxy", "nothing is asked", ASK + DENY, "", "haproxy-question", "problem", "lua.auth-request",
          "everybody gets in", "/"),
    fault("HAProxy", "an unknown parameter", "/auth?basic=0", "/auth?basic=0&groups=editors", "host-question",
          "problem", "group=NAME", "groups=editors"),
    fault("HAProxy", "no server is at the socket", "unix@HTTP", "unix@HTTP-hallpass", "host-socket", "problem",
          "same socket"),
    fault("HAProxy", "the client's own spellings are not removed", "  http-request del-header Remote_ -m beg\n", "",
          "haproxy-identity", "warning", "del-header Remote_"),
    fault("HAProxy", "only one identity header is set",
          f"  http-request del-header Remote- -m beg\n  http-request del-header Remote_ -m beg\n{ASK}{DENY}{SETS}",
          "  http-request del-header Remote_ -m beg\n" + ASK + DENY + SETS.splitlines()[0], "haproxy-identity",
          "warning", "del-header Remote-", "Remote-Groups"),
    # Traefik
    fault("Traefik", "no router uses the middleware", "middlewares: [members], ", "", "traefik-router", "problem",
          "write middlewares: [question]", "everybody gets in", "/"),
    fault("Traefik", "another router leads to the same application", "  services:\n",
          "    more: { rule: \"PathPrefix(`/more`)\", entryPoints: [web], service: application }\n  services:\n",
          "traefik-router", "problem", "into it, too", "the router more", "/more"),
    fault("Traefik", "headers are not copied", f"[{', '.join(SEVEN.split())}]\n"
          '        authResponseHeadersRegex: "(?i)^Remote[-_]"', "[Remote-User]", "traefik-identity", "warning",
          "authResponseHeadersRegex", "Remote-Groups"),
    fault("Traefik", "underscores are let through", '        authResponseHeadersRegex: "(?i)^Remote[-_]"\n', "",
          "traefik-identity", "warning", "authResponseHeadersRegex", "Remote_User"),
    fault("Traefik", "`trustForwardHeader`", "        address:", "        trustForwardHeader: true\n        address:",
          "traefik-client-address", "warning", "trustForwardHeader"),
    fault("Traefik", "the path is missing", "TCP/auth?basic=0", "TCP", "host-question", "problem", "ask for /auth"),
    # lighttpd
    fault("lighttpd", "not an authorizer", '"mode" => "authorizer",', "", "lighttpd-mode", "problem", "authorizer"),
    fault("lighttpd", "pages that are not files", ', "check-local" => "disable"', "", "lighttpd-check-local",
          "warning", "check-local"),
    fault("lighttpd", "no server is at the socket", '"FASTCGI"', '"FASTCGI-hallpass"', "host-socket", "problem",
          "fastcgi"),
    # Dovecot
    fault("Dovecot", "another passdb", "userdb {", "passdb {\n  driver = pam\n}\nuserdb {", "dovecot-passdb", "problem",
          "take it out", "whatever the site says"),
    fault("Dovecot", "a cache", "protocols = imap", "protocols = imap\nauth_cache_size = 10M", "dovecot-cache",
          "problem", "take auth_cache_size away"),
    fault("Dovecot", "names are folded", "auth_username_format = %u\n", "", "dovecot-names", "warning",
          "auth_username_format = %u"),
    fault("Dovecot", "the program does not exist", "PROGRAMS/hallpass-c", "PROGRAMS/x/hallpass-c", "host-program",
          "problem", "is there"),
    # Squid
    fault("Squid", "`http_access allow all` comes first", "http_access deny !members",
          "http_access allow all\nhttp_access deny !members", "squid-access", "problem", "after them",
          "everybody gets in", "/"),
    fault("Squid", "no rule asks", "http_access deny !members\nhttp_access allow editors\nhttp_access deny all",
          "http_access allow all", "squid-access", "problem", "http_access deny !members", "not asked at all"),
    fault("Squid", "a group is denied", "http_access allow editors", "http_access deny editors\nhttp_access allow members",
          "squid-access", "warning", "allow the members", "gets past it"),
    fault("Squid", "passwords are believed for two hours", "auth_param basic credentialsttl 1 minute\n", "",
          "squid-ttl", "warning", "credentialsttl 1 minute", "120 minutes"),
    fault("Squid", "groups are believed for an hour", "ttl=60 ", "", "squid-ttl", "warning", "ttl=60"),
    fault("Squid", "channels on one side", "--concurrency ", "", "squid-concurrency", "problem", "--concurrency"),
    fault("Squid", "channels on the other side", "concurrency=10 ", "", "squid-concurrency", "problem",
          "take --concurrency away"),
    fault("Squid", "a group that the site does not have", "site_group editors is:superuser", "site_group editor",
          "host-group", "problem", "in place of", '"editor"'),
    fault("Squid", "a word that is not a condition", "is:superuser", "is:boss", "host-question", "problem",
          "is:superuser", "is:boss"),
    # PAM
    fault("PAM", "no `expose_authtok`", "expose_authtok ", "", "pam-password", "problem", "write expose_authtok"),
    fault("PAM", "sufficient before `pam_permit`",
          "required  pam_exec.so expose_authtok quiet PROGRAMS/hallpass-pam --config CONFIG\n",
          "sufficient pam_exec.so expose_authtok quiet PROGRAMS/hallpass-pam --config CONFIG\n"
          "auth required pam_permit.so\n", "pam-control", "problem",
          "write required", "lets everybody in"),
    fault("PAM", "optional beside others", "auth     required", "auth required pam_unix.so\nauth optional",
          "pam-control", "problem", "required in place of optional"),
    fault("PAM", "a group that the site does not have", "CONFIG\naccount", "CONFIG [--group=chief editors]\naccount",
          "host-group", "problem", "in place of", "chief editors"),
    fault("PAM", "another configuration", "CONFIG\naccount", "CONFIG-x\naccount", "host-program", "problem",
          "write --config"),
    # Postfix
    fault("Postfix", "`smtpd_sasl_type` is missing", "smtpd_sasl_type = dovecot\n", "", "postfix-sasl", "problem",
          "smtpd_sasl_type = dovecot", "nobody gets in"),
    fault("Postfix", "`smtpd_sasl_auth_enable` is missing", "smtpd_sasl_auth_enable = yes\n", "", "postfix-sasl",
          "problem", "smtpd_sasl_auth_enable = yes"),
    fault("Postfix", "passwords in clear", "smtpd_tls_auth_only = yes\n", "", "postfix-sasl", "warning",
          "smtpd_tls_auth_only = yes"),
    fault("Postfix", "no server is at the socket", "DOVECOT", "DOVECOT-hallpass", "host-socket", "problem",
          "dovecot_auth"),
    # Exim
    fault("Exim", "no server is at the socket", "server_socket = DOVECOT", "server_socket = DOVECOT-hallpass",
          "host-socket", "problem", "dovecot_auth"),
    fault("Exim", "nobody knows who logged in", "  server_set_id = $auth1\nlogin:", "login:", "exim-id", "warning",
          "server_set_id"),
    # Prosody
    fault("Prosody", "a host has another method", 'authentication = "dovecot"', 'authentication = "internal_plain"',
          "prosody-method", "problem", 'authentication = "dovecot"', "never asked"),
    fault("Prosody", "the program speaks the other protocol",
          'authentication = "dovecot"\n  dovecot_auth_socket = "DOVECOT"',
          'authentication = "external"\n  external_auth_command = "PROGRAMS/hallpass-ejabberd --config CONFIG"',
          "prosody-protocol", "problem", "--protocol generic"),
    # Cyrus SASL
    fault("Cyrus SASL", "another method beside", "saslauthd\n", "saslauthd auxprop\n", "saslauthd-method", "problem",
          "pwcheck_method: saslauthd", "whatever the site says"),
    fault("Cyrus SASL", "another method", "pwcheck_method: saslauthd", "pwcheck_method: auxprop", "saslauthd-method",
          "problem", "pwcheck_method: saslauthd", "never asked"),
    fault("Cyrus SASL", "mechanisms that no hash can answer", "PLAIN LOGIN", "PLAIN CRAM-MD5", "saslauthd-mechanisms",
          "warning", "mech_list: PLAIN LOGIN"),
]  # fmt: skip

FITS = {
    "Caddy: other pages are answered first": (
        "Caddy", "\t\tforward_auth", "\t\treverse_proxy /open/* 127.0.0.1:APPLICATION\n\t\tforward_auth"),
    "HAProxy: the login page comes first": (
        "HAProxy", DENY, "  http-request redirect code 302 location %[var(req.auth_response_header.x_login_url)] if "
        "{ var(txn.auth_response_code) -m int 401 }\n" + DENY),
    "Traefik: another application": (
        "Traefik", "  services:\n", "    more: { rule: \"PathPrefix(`/more`)\", service: more }\n  services:\n"
        "    more: { loadBalancer: { servers: [{ url: \"http://127.0.0.1:1\" }] } }\n"),
    "Dovecot: a passdb that denies": (
        "Dovecot", "userdb {", "passdb {\n  driver = passwd-file\n  deny = yes\n  args = /etc/dovecot/deny\n}\nuserdb {"),
    "Squid: this machine first": (
        "Squid", "http_access deny !members", "http_access allow localhost\nhttp_access deny !members"),
    "PAM: another site's service": (
        "PAM", "session", "auth sufficient pam_exec.so PROGRAMS/hallpass-pam --config DIRECTORY/other.toml\nsession"),
    "Exim: another authenticator": (
        "Exim", "login:", "other:\n  driver = plaintext\n  public_name = X\nlogin:"),
    "Cyrus SASL: another program": ("Cyrus SASL", "mech_list:", "log_level: 3\nmech_list:"),
}  # fmt: skip


@dataclass
class Host:
    """A site with hallpassd, and a place for the configuration of other servers."""

    directory: Path
    words: dict[str, str]
    shell: object

    def write(self, host: str, text: str) -> Path:
        for word, value in self.words.items():
            text = text.replace(word, value)
        file = self.directory / {"Postfix": "main.cf", "Traefik": "dynamic.yml"}.get(host, host.split()[0])
        file.write_text(text)
        return file

    def doctor(self, host: str, file: Path) -> Doctor:
        option = OPTION.get(host, host.lower())
        return Doctor(self.shell("doctor", "--json", "--host", option, "--host-config", file))

    def accepts(self, host: str, file: Path) -> None:
        """Asserts that the server's own checker takes the file."""
        checker = {
            "Caddy": ["/usr/bin/caddy", "validate", "--adapter", "caddyfile", "--config", file],
            "HAProxy": ["/usr/sbin/haproxy", "-c", "-f", file],
            "lighttpd": ["/usr/sbin/lighttpd", "-tt", "-f", file],
            "Dovecot": ["/usr/bin/doveconf", "-n", "-c", file],
            "Squid": ["/usr/sbin/squid", "-k", "parse", "-f", file],
            "Exim": ["/usr/sbin/exim4", "-bV", "-C", file],
        }.get(host)
        if checker is None:
            return
        home = {name: str(self.directory) for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        done = subprocess.run(checker, capture_output=True, timeout=60, env=os.environ | home)
        assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()


@pytest.fixture(scope="module")
def host(site, new_directory, hallpass_programs, shell):  # noqa: F811
    directory = new_directory()
    shutil.copy(site.database, directory / "db.sqlite3")
    files = {"HTTP": "http.sock", "FASTCGI": "fcgi.sock", "DOVECOT": "auth.sock", "SASLAUTHD": "mux"}
    sockets = {word: str(directory / name) for word, name in files.items()}
    tcp = free_port()
    daemon = {
        "listen": [f"unix:{sockets['HTTP']}?mode=0660", f"tcp:{LOOPBACK}:{tcp}"],
        "fastcgi": [f"unix:{sockets['FASTCGI']}?mode=0660"],
        "dovecot_auth": [f"unix:{sockets['DOVECOT']}?mode=0660"],
        "saslauthd": [f"unix:{sockets['SASLAUTHD']}?mode=0660"],
    }
    config = directory / "hallpass.toml"
    for file in (config, directory / "other.toml"):
        file.touch(mode=0o600)
        file.write_text(toml(site.configuration(database=f"sqlite:{directory}/db.sqlite3", daemon=daemon)))
    lua = Path(__file__).resolve().parents[2] / "examples/haproxy-django/hallpass.lua"
    shutil.copy(lua, directory)
    for path in directory.rglob("*"):
        give_away(path)
    with application() as behind, hallpassd(hallpass_programs["hallpassd"], config, directory / "http.sock"):
        words = sockets | {
            "APPLICATION": str(behind.port), "PORT": str(free_port()), "TCP": str(tcp), "CONFIG": str(config),
            "PROGRAMS": str(hallpass_programs["hallpass"].parent), "DIRECTORY": str(directory),
            "LUA": str(directory / "hallpass.lua"),
        }
        yield Host(directory, words, shell(config))


HEALTHY_TEXTS = {name: (name, "", "") for name in HEALTHY} | FITS


@pytest.mark.parametrize("change", HEALTHY_TEXTS.values(), ids=HEALTHY_TEXTS)
def test_healthy_host_is_silent(host, change):
    name, old, new = change
    assert old in HEALTHY[name]
    file = host.write(name, HEALTHY[name].replace(old, new, 1) if old else HEALTHY[name])
    host.accepts(name, file)
    doctor = host.doctor(name, file)
    doctor.is_silent()
    assert any(it["seen"] == "it points here, and fits" for it in doctor.findings)


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{it.host}: {it.words}" for it in FAULTS])
def test_fault_is_named(host, fault):
    file = host.write(fault.host, fault.plant(HEALTHY[fault.host]))
    host.accepts(fault.host, file)
    fault.is_named(host.doctor(fault.host, file))


@contextmanager
def server(host: Host, name: str, file: Path):
    """The server itself."""
    port = int(host.words["PORT"])
    directory = host.directory
    files = f"--providers.file.filename={file}"
    entry = f"--entrypoints.web.address={LOOPBACK}:{port}"
    quiet = ["--global.checknewversion=false", "--global.sendanonymoususage=false"]
    command = {
        "Caddy": ["/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", file],
        "HAProxy": ["/usr/sbin/haproxy", "-db", "-f", file],
        "Traefik": [TRAEFIK, entry, files, "--providers.file.watch=false", *quiet],
    }[name]
    home = {it: str(directory) for it in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    options = {"env": os.environ | home, "cwd": directory} | unprivileged()

    def is_ready() -> bool:
        # Traefik listens before it has read its files.
        return listening(port) and web.ask((LOOPBACK, port)).status != 404

    with running(command, directory / "console.log", is_ready, **options):
        yield port


LET_IN = [fault for fault in FAULTS if fault.lets_in and fault.host != "Squid"]
TRIED = [(it, it.host, it.lets_in, 200) for it in LET_IN]
TRIED += [(None, "Caddy", "/private/x", 401), (None, "HAProxy", "/", 403), (None, "Traefik", "/", 401)]


@pytest.mark.parametrize(
    ("fault", "name", "path", "expected"), TRIED,
    ids=[f"{name}: {fault.words if fault else 'none'}" for fault, name, *_ in TRIED],
)
def test_fault_lets_in(host, fault, name, path, expected):
    """As the running server answers a client without any credential."""
    healthy = HEALTHY[name]
    file = host.write(name, fault.plant(healthy) if fault else healthy)
    give_away(file)
    with ExitStack() as stack:
        port = stack.enter_context(server(host, name, file))
        answer = web.ask((LOOPBACK, port), path)
    assert answer.status == expected
    # The application's own answer tells what it was sent.
    assert (b'"path"' in answer.body) == (expected == 200)


SQUID = """
pid_filename DIRECTORY/squid.pid
cache_log DIRECTORY/squid.log
access_log none
coredump_dir DIRECTORY
cache deny all
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
"""
OPEN_PROXY = [fault for fault in FAULTS if fault.lets_in and fault.host == "Squid"]


@pytest.mark.parametrize("fault", [None, *OPEN_PROXY], ids=["none", *names(OPEN_PROXY)])
def test_fault_opens_the_proxy(host, fault):
    healthy = HEALTHY["Squid"] + SQUID
    file = give_away(host.write("Squid", fault.plant(healthy) if fault else healthy))
    port = int(host.words["PORT"])
    page = f"http://{LOOPBACK}:{host.words['APPLICATION']}/"
    command = ["/usr/sbin/squid", "-N", "-f", file]
    with running(command, host.directory / "console.log", lambda: listening(port), **unprivileged()):
        status = web.ask((LOOPBACK, port), page).status
    assert status == (200 if fault else 407)


PERMITS = [fault for fault in FAULTS if "pam_permit" in fault.new]


@as_root
@pytest.mark.parametrize("fault", [None, *PERMITS], ids=["none", *names(PERMITS)])
def test_fault_lets_in_by_pam(host, fault):
    """As PAM answers a stranger; libpam looks for services in one place."""
    file = host.write("PAM", fault.plant(HEALTHY["PAM"]) if fault else HEALTHY["PAM"])
    service = SERVICES / f"hallpass-{host.directory.parent.name}-doctor"
    shutil.copy(file, service)
    try:
        command = ["pamtester", service.name, "stranger", "authenticate"]
        done = subprocess.run(command, input=b"anything\n", capture_output=True, timeout=60)
    finally:
        service.unlink()
    assert (done.returncode == 0) == bool(fault), done.stderr


@pytest.mark.parametrize(
    ("name", "option", "file"),
    [
        ("haproxy-django", "haproxy", "haproxy.cfg"),
        ("caddy-django", "caddy", "Caddyfile"),
        ("dovecot-django", "dovecot", "hallpass.conf"),
        ("squid-django", "squid", "hallpass.conf"),
        ("pam-django", "pam", "shop"),
    ],
)
def test_examples_are_silent(host, name, option, file):
    etc = host.directory / name
    example.install(name, etc, {})
    for path in etc.rglob("*"):
        if path.is_file():
            text = path.read_text().replace("/run/hallpass/http.sock", host.words["HTTP"])
            text = text.replace("/usr/bin/hallpass-", f"{host.words['PROGRAMS']}/hallpass-")
            path.write_text(text.replace("/etc/hallpass/hallpass.toml", host.words["CONFIG"]))
    doctor = Doctor(host.shell("doctor", "--json", "--host", option, "--host-config", etc / file))
    doctor.is_silent()
    assert any(it["seen"] == "it points here, and fits" for it in doctor.findings)


def test_recipes_are_silent(host):
    """Those of docs/http.md and docs/sasl.md."""
    docs = Path(__file__).resolve().parents[2] / "docs"
    recipe = re.search(r"## Traefik\n\n```yaml\n(.*?)```", (docs / "http.md").read_text(), re.S)[1]
    router = "  routers:\n    web: { rule: x, middlewares: [hallpass], service: application }\n"
    recipe = recipe.replace("127.0.0.1:8088", f"127.0.0.1:{host.words['TCP']}")
    host.doctor("Traefik", host.write("Traefik", recipe + router)).is_silent()
    recipe = re.search(r"\*\*Exim\*\*\n```\n(.*?)```", (docs / "sasl.md").read_text(), re.S)[1]
    recipe = recipe.replace("/run/hallpass/auth.sock", "DOVECOT")
    host.doctor("Exim", host.write("Exim", "begin authenticators\n" + recipe)).is_silent()
    recipe = re.search(r"\*\*Postfix\*\*\n```\n(.*?)```", (docs / "sasl.md").read_text(), re.S)[1]
    recipe = recipe.replace("private/hallpass", "DOVECOT")
    host.doctor("Postfix", host.write("Postfix", recipe)).is_silent()
