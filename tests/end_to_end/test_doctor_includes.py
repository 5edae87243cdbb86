"""`hallpass doctor` follows what a server's configuration includes, and says what it could not
follow. What lets everybody in is tried in the running server."""

import subprocess
from contextlib import ExitStack

import pytest

from hosts import web
from hosts.httpd import httpd
from hosts.pam import SERVICES
from processes import LOOPBACK, give_away
from test_doctor import as_root, site  # noqa: F401: a fixture
from test_doctor_apache import HEALTHY as APACHE
from test_doctor_apache import apache  # noqa: F401: a fixture
from test_doctor_hosts import HEALTHY, host, server  # noqa: F401: a fixture

FITS = "it points here, and fits"


def the_host(doctor) -> dict:
    (finding,) = [it for it in doctor.findings if it["check"] == "host"]
    return finding


# Caddy

REMOVES = "\t\trequest_header -Remote-*\n\t\trequest_header -Remote_*\n"
ASKS = HEALTHY["Caddy"][HEALTHY["Caddy"].index("\t\tforward_auth") :]
ASKS = ASKS[: ASKS.index("\t\t}\n") + len("\t\t}\n")]
SNIPPET = "(ask) {\n" + ASKS.replace("/private/*", "{args.0}") + "}\n"


def caddy(host, inside: str, **files: str):
    """The Caddyfile, which has `inside` in the place of the question, and files beside it."""
    for name, text in files.items():
        file = host.directory / "sites" / name
        file.parent.mkdir(exist_ok=True)
        for word, value in host.words.items():
            text = text.replace(word, value)
        file.write_text(text)
        give_away(file)
    text = HEALTHY["Caddy"].replace(REMOVES + ASKS, inside)
    # Snippets stand behind the global options.
    text = text.replace("http://:PORT", "import sites/*.snippets\nhttp://:PORT")
    file = give_away(host.write("Caddy", text))
    host.accepts("Caddy", file)
    return file


@pytest.mark.parametrize(
    ("inside", "files"),
    [
        ("\t\timport sites/whole\n", {"whole": REMOVES + "import deeper", "deeper": ASKS}),
        (REMOVES + "\t\timport ask /private/*\n", {"a.snippets": SNIPPET}),
        ("\t\timport sites/clean*\n" + ASKS, {"clean": REMOVES}),
    ],
    ids=["files in files", "a snippet with an argument", "a pattern"],
)
def test_what_a_caddyfile_imports(host, inside, files):  # noqa: F811
    file = caddy(host, inside, **files)
    doctor = host.doctor("Caddy", file)
    doctor.is_silent()
    assert the_host(doctor)["seen"] == FITS
    with server(host, "Caddy", file) as port:
        assert web.ask((LOOPBACK, port), "/private/x").status == 401
    for path in (host.directory / "sites").iterdir():
        path.unlink()


def test_a_fault_in_an_imported_file(host):  # noqa: F811
    opens = "\t\treverse_proxy 127.0.0.1:APPLICATION\n"
    file = caddy(host, f"{REMOVES}\t\timport sites/first\n{ASKS}", first=opens)
    (finding,) = host.doctor("Caddy", file).complaints
    assert (finding["check"], finding["status"]) == ("caddy-order", "problem")
    assert "sites/first:1" in finding["tried"]
    with server(host, "Caddy", file) as port:
        assert web.ask((LOOPBACK, port), "/private/x").status == 200


def test_an_import_that_caddy_alone_knows(host):  # noqa: F811
    file = caddy(host, f"{REMOVES}{ASKS}\t\timport sites/{{$MORE}}*\n")
    doctor = host.doctor("Caddy", file)
    doctor.is_silent()
    assert "without `import sites/{$MORE}*`" in the_host(doctor)["seen"]
    # Where nothing else points here, nothing is known.
    finding = the_host(host.doctor("Caddy", caddy(host, "\t\timport sites/{$MORE}*\n")))
    assert "nothing in it points to Hallpass, without" in finding["seen"]


# Traefik

TOML = """
[http.middlewares.hallpass.forwardAuth]
address = "http://127.0.0.1:TCP/auth?basic=0"
authResponseHeaders = ["Remote-User", "Remote-User-Encoding", "Remote-Email", "Remote-Name", "Remote-Groups",
  "Remote-Session", "Remote-Session-Expires"]
authResponseHeadersRegex = "(?i)^Remote[-_]"
[http.services.application.loadBalancer]
servers = [{ url = "http://127.0.0.1:APPLICATION" }]
"""
ROUTER = """
[http.routers.web]
rule = "PathPrefix(`/`)"
service = "application"
"""
USES = 'middlewares = ["hallpass"]\n'


def traefik(host, static: str, **files: str):
    directory = host.directory / "traefik"
    for name, text in {"traefik.yml": static, **files}.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        for word, value in host.words.items():
            text = text.replace(word, value)
        file.write_text(text)
        give_away(file)
    return host.doctor("Traefik", directory / "traefik.yml"), directory


DYNAMIC = "providers:\n  file:\n    directory: dynamic\n"


@pytest.mark.parametrize("uses", [True, False])
def test_traefiks_files_in_toml(host, uses):  # noqa: F811
    more = {"dynamic/a.toml": TOML, "dynamic/b.toml": ROUTER + (USES if uses else "")}
    doctor, directory = traefik(host, DYNAMIC, **more)
    whole = directory / "all.toml"
    whole.write_text((directory / "dynamic/a.toml").read_text() + more["dynamic/b.toml"])
    with server(host, "Traefik", give_away(whole)) as port:
        assert web.ask((LOOPBACK, port), "/").status == (401 if uses else 200)
    whole.unlink()
    if uses:
        doctor.is_silent()
        assert the_host(doctor)["seen"] == FITS
    else:
        (finding,) = doctor.complaints
        assert (finding["check"], finding["status"]) == ("traefik-router", "problem")
        assert "dynamic/a.toml:3" in finding["tried"]


def test_routers_of_containers_are_not_read(host):  # noqa: F811
    docker = DYNAMIC + "  docker: {}\n"
    doctor, _ = traefik(host, docker, **{"dynamic/a.toml": TOML, "dynamic/b.toml": ""})
    doctor.is_silent()
    assert "without what the provider docker finds" in the_host(doctor)["seen"]
    doctor, _ = traefik(host, docker, **{"dynamic/a.toml": "", "dynamic/b.toml": ""})
    assert "nothing in it points to Hallpass, without" in the_host(doctor)["seen"]


# PAM

OURS = "auth {} pam_exec.so expose_authtok quiet PROGRAMS/hallpass-pam --config CONFIG\n"
REST = "account required pam_permit.so\n"


@as_root
@pytest.mark.parametrize(
    ("lines", "included", "check", "lets_in"),
    [
        ("@include SHARED\n" + OURS.format("required"), "auth sufficient pam_permit.so\n", "pam-control", True),
        ("auth include SHARED\n" + OURS.format("required"), "auth sufficient pam_permit.so\n", "pam-control", True),
        # What ends a substack does not end the stack.
        ("auth substack SHARED\n" + OURS.format("required"), "auth sufficient pam_permit.so\n", None, False),
        # Lines of another type are not included.
        ("auth include SHARED\n" + OURS.format("required"), "password sufficient pam_permit.so\n", None, False),
        (OURS.format("sufficient") + "auth include SHARED\n", "auth required pam_permit.so\n", "pam-control", True),
        # As in Debian's common-auth.
        (OURS.format("sufficient") + "@include SHARED\n",
         "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
         None, False),
        ("@include SHARED\n", OURS.format("required"), None, False),
        ("@include SHARED-nowhere\n" + OURS.format("required"), "", "unread", False),
    ],
    ids=["@include", "include", "substack", "another type", "permit", "common-auth", "all", "nowhere"],
)  # fmt: skip
def test_what_a_service_of_pam_includes(host, lines, included, check, lets_in):  # noqa: F811
    name = f"hallpass-{host.directory.parent.name}-includes"
    service, shared = SERVICES / name, SERVICES / f"{name}-shared"
    with ExitStack() as stack:
        for file, text in [(service, lines + REST), (shared, included)]:
            for word, value in {**host.words, "SHARED": shared.name}.items():
                text = text.replace(word, value)
            file.write_text(text)
            stack.callback(file.unlink)
        command = ["pamtester", service.name, "stranger", "authenticate"]
        done = subprocess.run(command, input=b"anything\n", capture_output=True, timeout=60)
        doctor = host.doctor("PAM", service)
    assert (done.returncode == 0) == lets_in, done
    if check in (None, "unread"):
        doctor.is_silent()
        assert (the_host(doctor)["seen"] == FITS) == (check is None)
    else:
        assert [it["check"] for it in doctor.complaints] == [check], doctor.complaints


def test_services_of_the_machine(host):  # noqa: F811
    directory = host.directory / "pam.d"
    directory.mkdir()
    for name, text in {
        "sshd": "@include shop-auth\n" + REST,
        "webmail": "@include shop-auth\n" + REST,
        "shop-auth": OURS.format("required"),
        "cron": "auth required pam_unix.so\n",
    }.items():
        for word, value in host.words.items():
            text = text.replace(word, value)
        (directory / name).write_text(text)
    (finding,) = host.doctor("PAM", directory).complaints
    assert (finding["check"], finding["status"]) == ("pam-machine", "problem")
    assert "sshd is for the machine's users" in finding["seen"]
    assert "shop-auth:1" in finding["tried"]
    (directory / "sshd").rename(directory / "smtp")
    host.doctor("PAM", directory).is_silent()
    # Files that all services share.
    (directory / "shop-auth").rename(directory / "common-auth")
    for name in ("smtp", "webmail"):
        (directory / name).write_text("@include common-auth\n" + REST)
    (finding,) = host.doctor("PAM", directory).complaints
    assert "common-auth is for the machine's users" in finding["seen"]


# Postfix

SMTPD = "{} {} n - {} - - smtpd\n"


@pytest.mark.parametrize(
    ("service", "level", "closed"),
    [
        (SMTPD.format("smtp", "inet", "y"), "", True),
        (SMTPD.format("submission", "inet", "y"), "compatibility_level = 3.6\n", True),
        (SMTPD.format("smtp", "inet", "n"), "", False),
        (SMTPD.format("smtp", "inet", "-"), "", True),
        (SMTPD.format("smtp", "inet", "-"), "compatibility_level = 0\n", True),
        (SMTPD.format("smtp", "inet", "-"), "compatibility_level = 2\n", False),
        (SMTPD.format("smtpd", "pass", "y"), "", True),
        ("smtp inet n - n - 1 postscreen\n" + SMTPD.format("smtpd", "pass", "n"), "", False),
        ("smtp unix - - y - - smtp\n", "", False),
    ],
)
def test_postfix_in_a_chroot(host, service, level, closed):  # noqa: F811
    file = host.write("Postfix", HEALTHY["Postfix"] + level)
    master = file.with_name("master.cf")
    master.write_text(service)
    try:
        doctor = host.doctor("Postfix", file)
        if closed:
            (finding,) = doctor.complaints
            assert (finding["check"], finding["status"]) == ("postfix-sasl", "problem")
            assert "closed into its queue directory" in finding["seen"]
        else:
            doctor.is_silent()
        # A socket below the queue directory is seen.
        inside = HEALTHY["Postfix"].replace("DOVECOT", "auth.sock") + f"queue_directory = {host.directory}\n"
        host.doctor("Postfix", host.write("Postfix", inside)).is_silent()
    finally:
        master.unlink()


# Apache


@pytest.mark.parametrize(
    ("override", "text", "opens"),
    [
        ("AuthConfig", "Require all granted\n", True),
        ("All", "<IfModule mod_authz_core.c>\nRequire all granted\n</IfModule>\n", True),
        ("AuthConfig", "AuthMerging And\nRequire all granted\n", False),
        ("AuthConfig", "AuthName Other\n", False),
        ("None", "Require all granted\n", False),
        ("FileInfo", "FileETag None\n", False),
    ],
)
def test_htaccess_files(apache, override, text, opens):  # noqa: F811
    page = apache.directory / "www" / "directory"
    file = page / ".htaccess"
    start = '<Directory "DIRECTORY/www/directory">\n'
    assert start in APACHE
    configuration = APACHE.replace(start, f"{start}AllowOverride {override}\n")
    apache.write(configuration)
    apache.accepts()
    file.write_text(text)
    give_away(file)
    try:
        doctor = apache.doctor()
        with httpd(apache.directory, apache.port, apache.text(configuration)):
            status = web.ask((LOOPBACK, apache.port), "/directory/page.txt").status
    finally:
        file.unlink()
    assert status == (200 if opens else 401)
    if opens:
        (finding,) = doctor.complaints
        assert (finding["check"], finding["status"]) == ("apache-require", "problem")
        assert ".htaccess:" in finding["tried"] and "AllowOverride None" in finding["mend"]
    else:
        doctor.is_silent()
        assert the_host(doctor)["seen"] == FITS
