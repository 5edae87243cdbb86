"""The recipes of docs/more-hosts.md, as they stand there, against the real servers."""

import os
import re
import shutil

import pytest

from book import DOCS
from hosts import cockpit, mumble, ocserv, openvpn, proftpd, pure_ftpd, sshd, vsftpd
from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd
from hosts.fixtures import site_with_accounts
from hosts.freeradius import freeradius
from hosts.pam import SERVICES
from hosts.svnserve import svnserve
from processes import LOOPBACK, eventually, free_port, give_away
from programs import run

PAGE = (DOCS / "more-hosts.md").read_text()
TOKEN = "5f1e2d3c4b5a69788796a5b4c3d2e1f5"

# Names and passwords that no server may get wrong, and whether they are right.
EVERYWHERE = [
    ("alice", PASSWORDS["alice"], True),
    ("carol", PASSWORDS["carol"], True),
    ("alice", "wrong", False),
    ("alice", PASSWORDS["alice"] + " ", False),
    ("erin", PASSWORDS["erin"], False),
    ("nobody at all", "x", False),
    ("alice' OR 1=1 --", PASSWORDS["alice"], False),
    ("--help", "x", False),
    ("$(id)", "`id -u`", False),
    ("%{User-Name}", "%{User-Password}", False),
    ('alice","x":"', PASSWORDS["alice"], False),
    ('alice"}', '","user":"alice', False),
    ("dave", PASSWORDS["dave"], True),
]


def blocks(heading: str, language: str) -> list[str]:
    """The blocks of a language below a heading of the page."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.S)


def replaced(text: str, **pairs: str) -> str:
    for old, new in pairs.items():
        assert old in text, (old, text)
        text = text.replace(old, str(new))
    return text


@pytest.fixture(scope="module")
def site(new_site):
    site = site_with_accounts(new_site)
    # The one account here that every system has, too.
    site.make_accounts({"username": "nobody", "password": "of the site's nobody"},
                       {"username": "root", "password": "of the site's root"},
                       {"username": "SuperUser", "password": "of the site's SuperUser"})
    return site


@pytest.fixture(scope="module")
def config(site):
    return site.write_configuration("more-hosts.toml", limits={"failures": 0})


@pytest.fixture
def script(directory, hallpass_programs, config):
    """Writes a script of the page, that any user can run."""

    def write(text: str):
        path = directory / "script"
        path.write_text(replaced(text, **{
            "/usr/bin/hallpass ": f"{hallpass_programs['hallpass']} ",
            "/etc/hallpass/hallpass.toml": config,
        }))
        path.chmod(0o755)
        return path

    return write


class Away:
    """The site's database is away within the block."""

    def __init__(self, site):
        self.there, self.away = site.database, site.database.with_suffix(".away")

    def __enter__(self):
        shutil.move(self.there, self.away)

    def __exit__(self, *_):
        shutil.move(self.away, self.there)


def let_in_as_the_site_says(server, site, cases) -> None:
    for user, password, expected in cases:
        assert server.login(user, password) == expected, (user, password)
    with Away(site):
        assert not server.login("alice", PASSWORDS["alice"])
    assert server.login("alice", PASSWORDS["alice"])


def test_freeradius(site, directory, new_directory, hallpass_programs):
    port = free_port()
    token = directory / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN)
    give_away(token)
    daemon = {"dialects": [f"tcp:{LOOPBACK}:{port}"], "dialect_token": {"file": str(token)}}
    daemon["listen"] = [f"unix:{directory}/http.sock"]
    config = site.write_configuration("freeradius.toml", daemon=daemon, limits={"failures": 0})
    rest, server = blocks("FreeRADIUS", "freeradius")
    rest = replaced(rest, **{"8090": port, "TOKEN": TOKEN})
    tcp = (LOOPBACK, port)
    with freeradius(directory, rest, server) as radius:
        with hallpassd(hallpass_programs["hallpassd"], config, directory / "http.sock", tcp):
            let_in_as_the_site_says(radius, site, [
                *EVERYWHERE,
                ("zoë", PASSWORDS["zoë"], True),
                ("", PASSWORDS["alice"], False),
                ("alice", "", False),
                ("alice\n", PASSWORDS["alice"], False),
                (b"zo\xeb", PASSWORDS["zoë"], False),
                (b"alice\0", PASSWORDS["alice"], False),
            ])
        # The daemon is away.
        assert not radius.login("alice", PASSWORDS["alice"])
    groups = replaced(rest, **{"/as/freeradius": "/as/freeradius?group=editors"})
    with (
        freeradius(new_directory(), groups, server) as radius,
        hallpassd(hallpass_programs["hallpassd"], config, directory / "http.sock", tcp),
    ):
        for user, expected in [("alice", True), ("bob", False), ("dave", False)]:
            assert radius.login(user, PASSWORDS[user]) == expected, user


OPENVPN = [
    ("alice", PASSWORDS["alice"], True),
    ("zoë", PASSWORDS["zoë"], True),
    ("alice", "wrong", False),
    ("erin", PASSWORDS["erin"], False),
    ("--help", "x", False),
]


@pytest.mark.skipif(not openvpn.CAN_RUN, reason="needs root and /dev/net/tun")
def test_openvpn(site, directory, script):
    path = script(*blocks("OpenVPN", "sh"))
    configuration, _ = blocks("OpenVPN", "openvpn")
    with openvpn.openvpn(directory, replaced(configuration, **{"/etc/openvpn/hallpass": path})) as vpn:
        let_in_as_the_site_says(vpn, site, OPENVPN)


@pytest.mark.skipif(not openvpn.CAN_RUN, reason="needs root and /dev/net/tun")
def test_openvpn_by_pam(site, directory, hallpass_programs, config):
    _, configuration = blocks("OpenVPN", "openvpn")
    (service,) = blocks("vsftpd", "pam")
    name = f"hallpass-vpn-{os.getpid()}"
    (SERVICES / name).write_text(replaced(service, **{
        "/usr/bin/hallpass-pam": hallpass_programs["hallpass-pam"],
        "/etc/hallpass/hallpass.toml": config,
    }))
    configuration = replaced(configuration, **{".so openvpn": f".so {name}"})
    try:
        with openvpn.openvpn(directory, configuration) as vpn:
            let_in_as_the_site_says(vpn, site, OPENVPN[1:3])
    finally:
        (SERVICES / name).unlink()


@pytest.mark.parametrize("deferred", [True, False])
def test_the_script_of_openvpn_reads_two_lines_and_no_more(directory, script, deferred):
    path = script(*blocks("OpenVPN", "sh"))
    alice, answer = PASSWORDS["alice"], directory / "answer"
    for text, expected in [
        (f"alice\n{alice}\n", True),
        (f"alice\n{alice} \n", False),
        ("blank\n  blanks at both ends  \n", True),
        ("alice\nwrong\n", False),
        # A name with a line end in it must not become another.
        (f"al\nice\n{alice}\n", False),
        (f"alice\n{alice}\n\n", False),
        (f"alice\n{alice}", False),
        ("alice\n", False),
        ("alice", False),
        ("", False),
        ("\n\n", False),
        (f"-h\n{alice}\n", False),
        ("$(touch here)\n`touch here`\n", False),
    ]:
        file = directory / "asked"
        file.write_text(text)
        answer.write_text("")
        environment = {"PATH": "/usr/bin:/bin"}
        if deferred:
            environment["auth_control_file"] = str(answer)
        code = run([path, file], env=environment, cwd=directory).code
        if code == 2:
            assert deferred
            eventually(answer.read_text, "the answer comes")
            assert answer.read_text() == ("1" if expected else "0"), text
        else:
            assert code == (0 if expected else 1), text
        assert not (directory / "here").exists()


@pytest.mark.skipif(not pure_ftpd.CAN_RUN, reason="needs root")
def test_pure_ftpd(site, directory, script):
    program, commands = blocks("Pure-FTPd", "sh")
    home = directory / "srv"
    home.mkdir(mode=0o755)
    path = script(replaced(program, **{"/srv/ftp": home}))
    commands = replaced(commands, **{
        "/run/pure-authd.sock": directory / "authd.sock", "/etc/pure-ftpd/hallpass": path,
    })
    with pure_ftpd.pure_ftpd(directory, commands) as server:
        for user, password, expected in [
            ("alice", PASSWORDS["alice"], True),
            ("zoë", PASSWORDS["zoë"], True),
            # Each refusal takes seconds, which are Pure-FTPd's own.
            ("erin", PASSWORDS["erin"], False),
        ]:
            assert server.login(user, password) == expected, user
        with Away(site):
            assert not server.login("alice", PASSWORDS["alice"])


@pytest.mark.parametrize("code", [1, 2, 75, 127])
def test_the_script_of_pure_ftpd_refuses_whatever_goes_wrong(directory, code):
    text = blocks("Pure-FTPd", "sh")[0].replace("/usr/bin/hallpass", str(directory / "hallpass"))
    (directory / "script").write_text(text)
    (directory / "hallpass").write_text(f"#!/bin/sh\necho auth_ok:1\nexit {code}\n")
    (directory / "hallpass").chmod(0o755)
    answer = run(["/bin/sh", directory / "script"], env={"AUTHD_ACCOUNT": "a", "AUTHD_PASSWORD": "b"})
    assert answer.text == "auth_ok:-1\nend\n"


@pytest.mark.skipif(not vsftpd.CAN_RUN, reason="needs root")
def test_vsftpd(site, directory, hallpass_programs, config):
    (service,) = blocks("vsftpd", "pam")
    (configuration,) = blocks("vsftpd", "vsftpd")
    home = directory / "srv"
    home.mkdir(mode=0o755)
    os.chown(home, 0, 0)
    service = replaced(service, **{
        "/usr/bin/hallpass-pam": hallpass_programs["hallpass-pam"],
        "/etc/hallpass/hallpass.toml": config,
    })
    # An account of every system, whose home is there.
    guest = {"guest_username=ftp": "guest_username=daemon", "/srv/ftp": home}
    with vsftpd.vsftpd(directory, replaced(configuration, **guest), service) as server:
        for user, password, expected in [
            ("alice", PASSWORDS["alice"], True),
            # vsftpd itself refuses names that are not ASCII.
            ("zoë", PASSWORDS["zoë"], False),
            ("alice", "wrong", False),
            ("erin", PASSWORDS["erin"], False),
            ("--help", "x", False),
        ]:
            assert server.login(user, password) == expected, user
        assert not server.login("alice", PASSWORDS["alice"], encrypted=False)
        with Away(site):
            assert not server.login("alice", PASSWORDS["alice"])
        assert server.login("alice", PASSWORDS["alice"])


def pam_service(hallpass_programs, config) -> str:
    """The page's file of PAM, in place."""
    (service,) = blocks("vsftpd", "pam")
    return replaced(service, **{
        "/usr/bin/hallpass-pam": hallpass_programs["hallpass-pam"],
        "/etc/hallpass/hallpass.toml": config,
    })


def files_of(directory):
    """A directory for files that are to be had by FTP."""
    home = directory / "srv"
    home.mkdir(mode=0o755)
    return home


# Each refusal takes a part of a second, which is the servers' own.
FTP = [
    ("alice", PASSWORDS["alice"], True),
    ("zoë", PASSWORDS["zoë"], True),
    ("alice", "wrong", False),
    ("alice", "", False),
    ("erin", PASSWORDS["erin"], False),
    ("al*", PASSWORDS["alice"], False),
    ("*)(uid=alice", PASSWORDS["alice"], False),
]


@pytest.mark.skipif(not proftpd.CAN_RUN, reason="needs root")
def test_proftpd_by_ldap(site, directory, hallpass_programs):
    port, http = free_port(), directory / "http.sock"
    daemon = {"ldap": [f"tcp:{LOOPBACK}:{port}"], "listen": [f"unix:{http}"]}
    tables = {"daemon": daemon, "ldap": {"base": "dc=example,dc=org"}, "limits": {"failures": 0}}
    config = site.write_configuration("proftpd.toml", **tables)
    by_ldap, _ = blocks("ProFTPD", "proftpd")
    text = replaced(by_ldap, **{"3893": port, "/srv/ftp": files_of(directory)})
    with (
        proftpd.proftpd(directory, text) as server,
        hallpassd(hallpass_programs["hallpassd"], config, http, (LOOPBACK, port)) as daemon,
    ):
        # The machine's own account, with the site's password or another: the one user of all is not root.
        let_in_as_the_site_says(server, site, [*FTP, ("daemon", "x", False)])
        assert not server.login("alice", PASSWORDS["alice"], encrypted=False)
        daemon.process.kill()
        daemon.process.wait()
        assert not server.login("alice", PASSWORDS["alice"])


@pytest.mark.skipif(not proftpd.CAN_RUN, reason="needs root")
def test_proftpd_by_pam(site, directory, hallpass_programs, config):
    _, by_pam = blocks("ProFTPD", "proftpd")
    (line,) = blocks("ProFTPD", "passwd")
    users = directory / "users"
    users.touch(mode=0o600)
    line = replaced(line, **{"/srv/ftp": files_of(directory)})
    users.write_text("".join(line.replace("alice", name) for name in ("alice", "zoë", "erin", "al*")))
    name = f"hallpass-proftpd-{os.getpid()}"
    (SERVICES / name).write_text(pam_service(hallpass_programs, config))
    text = replaced(by_pam, **{"AuthPAMConfig proftpd": f"AuthPAMConfig {name}", "/etc/proftpd/users": users})
    try:
        with proftpd.proftpd(directory, text) as server:
            # Right, and without a line in the file.
            let_in_as_the_site_says(server, site, [*FTP, ("bob", PASSWORDS["bob"], False)])
    finally:
        (SERVICES / name).unlink()


@pytest.mark.skipif(not ocserv.CAN_RUN, reason="needs root, and a name space of its own")
def test_ocserv(site, directory, hallpass_programs, config):
    (configuration,) = blocks("ocserv", "ocserv")
    with ocserv.ocserv(directory, configuration, pam_service(hallpass_programs, config)) as server:
        let_in_as_the_site_says(server, site, [
            ("alice", PASSWORDS["alice"], True),
            ("zoë", PASSWORDS["zoë"], True),
            ("alice", "wrong", False),
            ("alice", "", False),
            ("erin", PASSWORDS["erin"], False),
            ("--help", "x", False),
            ("alice' OR 1=1 --", PASSWORDS["alice"], False),
        ])


@pytest.mark.skipif(not cockpit.CAN_RUN, reason="needs root, and a name space of its own")
def test_cockpit(site, directory, hallpass_programs, config):
    (service,) = blocks("OpenSSH", "pam")
    service = replaced(service, **{
        "/usr/bin/hallpass-pam": hallpass_programs["hallpass-pam"],
        "/etc/hallpass/hallpass.toml": config,
    })
    with cockpit.cockpit(directory, service, ["alice", "erin"]) as server:
        let_in_as_the_site_says(server, site, [
            ("alice", PASSWORDS["alice"], True),
            ("alice", "wrong", False),
            ("alice", "", False),
            ("erin", PASSWORDS["erin"], False),
            # On the site alone, and on both, but the machine's own.
            ("bob", PASSWORDS["bob"], False),
            ("root", "of the site's root", False),
            ("--help", "x", False),
        ])


def test_mumble(site, directory, hallpass_programs):
    http = directory / "http.sock"
    daemon = {"listen": [f"unix:{http}"]}
    tables = {"daemon": daemon, "access": {"ignore_case": True}, "limits": {"failures": 0, "deadline": "4s"}}
    config = site.write_configuration("mumble.toml", **tables)
    with (
        hallpassd(hallpass_programs["hallpassd"], config, http) as daemon,
        mumble.mumble(directory, {"/run/hallpass/http.sock": str(http)}) as server,
    ):
        for user, password, expected in [
            ("alice", PASSWORDS["alice"], "alice"),
            # Under the name as the site spells it.
            ("BOB", PASSWORDS["bob"], "bob"),
            ("zoë", PASSWORDS["zoë"], "zoë"),
            ("alice", "wrong", mumble.WRONG_PASSWORD),
            ("alice", "", mumble.WRONG_PASSWORD),
            ("alice", None, mumble.WRONG_PASSWORD),
            ("erin", PASSWORDS["erin"], mumble.WRONG_PASSWORD),
            ("guest", None, mumble.WRONG_PASSWORD),
            ("nobody at all", "", mumble.WRONG_PASSWORD),
            ("SuperUser", "of the site's SuperUser", mumble.WRONG_PASSWORD),
            ("alice' OR 1=1 --", PASSWORDS["alice"], mumble.WRONG_PASSWORD),
        ]:
            assert server.answer(user, password) == expected, (user, password)
        with Away(site):
            assert server.answer("alice", PASSWORDS["alice"]) == mumble.UNVERIFIABLE
        assert server.answer("alice", PASSWORDS["alice"]) == "alice"
        daemon.process.kill()
        daemon.process.wait()
        assert server.answer("alice", PASSWORDS["alice"]) == mumble.UNVERIFIABLE
        # Nobody is let in where the script is away, not even a guest.
        server.authenticator.kill()
        server.authenticator.wait()
        for user, password in [("alice", PASSWORDS["alice"]), ("guest", None), ("guest", "x")]:
            assert server.answer(user, password) == mumble.UNVERIFIABLE, user


def test_svnserve(site, directory, hallpass_programs):
    mux, http = directory / "mux", directory / "http.sock"
    daemon = {"saslauthd": [f"unix:{mux}?mode=0660"], "listen": [f"unix:{http}"],
              "sasl_realms": ["example.org"]}
    config = site.write_configuration("svnserve.toml", daemon=daemon, limits={"failures": 0})
    (repository,) = blocks("svnserve", "ini")
    (sasl,) = blocks("svnserve", "sasl")
    with (
        hallpassd(hallpass_programs["hallpassd"], config, http, mux),
        svnserve(directory, repository, replaced(sasl, **{"/run/saslauthd/mux": mux})) as server,
    ):
        let_in_as_the_site_says(server, site, [*EVERYWHERE, ("zoë", PASSWORDS["zoë"], True)])


@pytest.mark.skipif(not sshd.CAN_RUN, reason="needs root")
def test_openssh(site, directory, hallpass_programs, config):
    (service,) = blocks("OpenSSH", "pam")
    (configuration,) = blocks("OpenSSH", "sshd")
    service = replaced(service, **{
        "/usr/bin/hallpass-pam": hallpass_programs["hallpass-pam"],
        "/etc/hallpass/hallpass.toml": config,
    })
    with sshd.sshd(directory, configuration, service) as server:
        good = "of the site's nobody"
        assert server.login("nobody", good)
        for user, password in [
            ("nobody", "wrong"),
            # On the site alone.
            ("alice", PASSWORDS["alice"]),
            # On both, and the machine's own.
            ("root", "of the site's root"),
        ]:
            assert not server.login(user, password), user
        with Away(site):
            assert not server.login("nobody", good)
        site.deactivate("nobody")
        assert not server.login("nobody", good)
