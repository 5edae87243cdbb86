"""Programs that know no other logins than LDAP's ask hallpassd, from `examples/ldap-django`."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path

import ldap3
import pytest

import logs
from hosts import example, ldap
from hosts.accounts import CASES, PASSWORDS
from hosts.apache import Apache
from hosts.daemon import hallpassd
from hosts.dovecot import BASE as DOVECOT
from hosts.dovecot import Dovecot
from hosts.fixtures import UNTHROTTLED, site_replacements, site_with_accounts
from hosts.httpd import configuration, httpd
from hosts.ldap import BASE, PEOPLE, group, person
from hosts.postfix import CONFIGURATION
from hosts.postfix import UNPACKED as POSTFIX
from processes import LOOPBACK, eventually, free_port, give_away, listening, running, unprivileged
from programs import HANGS

# Unpacked by tests/setup.
SETUP = Path(__file__).resolve().parents[1] / ".setup"
ALICE = person("alice")
# Those that a web server's header, PHP and a mail server carry as they are; an empty password is
# refused by LDAP, whatever the site says.
LOGINS = [case for case in CASES if case.password and len(case.password) < 4000]


class World:
    """A site, the example put into place, and the daemon."""

    def __init__(self, site, directory, programs):
        self.site, self.directory, self.program = site, directory, programs["hallpassd"]
        self.port, self.etc = free_port(), directory / "etc"
        example.install(
            "ldap-django",
            self.etc,
            {
                "127.0.0.1:3893": f"{LOOPBACK}:{self.port}",
                "/run/hallpass/ldap.sock": str(directory / "ldap.sock"),
            }
            | site_replacements(site)
            | UNTHROTTLED,
        )
        self.config = self.etc / "hallpass.toml"
        text = self.config.read_text()
        listen = f'[daemon]\nlisten = ["unix:{directory}/http.sock"]\n'
        self.config.write_text(text.replace("[daemon]\n", listen))

    @property
    def url(self):
        return ldap.url(self.port)

    @contextmanager
    def running(self):
        with hallpassd(self.program, self.config, self.directory / "ldap.sock") as self.daemon:
            yield self

    def allows(self, case):
        return self.site.ask("modwsgi_check_password", case.user, case.password) is True

    @contextmanager
    def killed(self):
        """The daemon is gone for the time of the block."""
        self.daemon.process.kill()
        self.daemon.process.wait()
        yield


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def world(new_directory, hallpass_programs, site):
    with World(site, new_directory(), hallpass_programs).running() as world:
        yield world


@pytest.fixture
def own(directory, hallpass_programs, new_site):
    with World(site_with_accounts(new_site), directory, hallpass_programs).running() as world:
        yield world


# Python's ldap3


def test_ldap3(world):
    server = ldap3.Server(LOOPBACK, world.port, get_info=ldap3.ALL)
    with ldap3.Connection(server, ALICE, PASSWORDS["alice"], raise_exceptions=False) as connection:
        assert connection.result["result"] == 0
        assert connection.extend.standard.who_am_i() == f"dn:{ALICE}"
        assert connection.search(PEOPLE, "(uid=bob)", attributes=["*", "+"])
        (entry,) = connection.entries
        assert entry.uid.value == "bob" and entry.entry_dn == person("bob")
        assert not connection.search(PEOPLE, "(objectClass=inetOrgPerson)")
        assert connection.result["result"] == ldap.ACCESS
        assert connection.compare(group("chess"), "member", ALICE)
        assert not connection.compare(group("chess"), "member", person("bob"))
        assert not connection.modify(ALICE, {"mail": [(ldap3.MODIFY_REPLACE, ["x"])]})
        assert connection.result["result"] == ldap.UNWILLING
        # What a name may not say in a filter.
        hostile = ldap3.utils.conv.escape_filter_chars("*)(uid=*")
        assert not connection.search(PEOPLE, f"(uid={hostile})") and connection.result["result"] == 0
    # By the schema the client knows which attributes there are.
    assert "inetorgperson" in {name.lower() for name in server.schema.object_classes}
    with pytest.raises(ldap3.core.exceptions.LDAPAttributeError):
        ldap3.Connection(server, auto_bind=True).search(PEOPLE, "(sAMAccountName=alice)")
    for name, password, code in [("alice", "wrong", ldap.WRONG), ("erin", PASSWORDS["erin"], ldap.WRONG)]:
        connection = ldap3.Connection(server, person(name), password)
        assert not connection.bind() and connection.result["result"] == code


# PHP


def php(world, *logins):
    """What `log_in` says of each name and password: a name, nothing, or an error."""
    code = textwrap.dedent("""
        require $argv[1];
        foreach (json_decode(stream_get_contents(STDIN), true) as [$name, $password]) {
            try { echo json_encode(log_in($name, $password)), "\\n"; }
            catch (RuntimeException $error) { echo json_encode(['error' => $error->getMessage()]), "\\n"; }
        }
    """)
    logs.note(*(password for _, password in logins))
    done = subprocess.run(
        ["php8.2", "-r", code, "--", world.etc / "login.php"],
        input=json.dumps(logins).encode(),
        capture_output=True,
        timeout=HANGS,
    )
    assert done.returncode == 0 and not done.stderr, (done.stdout, done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_php(world):
    answers = php(world, *[(case.user, case.password) for case in LOGINS])
    for case, answer in zip(LOGINS, answers, strict=True):
        assert answer == (case.user if world.allows(case) else None), case
    assert php(world, ("ALICE", PASSWORDS["alice"]), ("*", "x"), ("alice", "")) == ["alice", None, None]


def test_php_tells_a_failure_from_a_refusal(own):
    with own.killed():
        (answer,) = php(own, ("alice", PASSWORDS["alice"]))
        assert "error" in answer


# Apache


@contextmanager
def apache(world, directory):
    port = free_port()
    for name in ("members", "chess"):
        (directory / "www" / name).mkdir(parents=True)
        (directory / "www" / name / "page.txt").write_text("the page\n")
    give_away(directory)
    modules = "mpm_prefork authn_core authz_core authz_user auth_basic ldap authnz_ldap dir mime".split()
    text = configuration(
        directory, port, modules,
        'DocumentRoot "{directory}/www"', f'Include "{world.etc}/apache.conf"',
    )
    with httpd(directory, port, text):
        yield Apache(directory, port)


def test_apache(world, new_directory):
    with apache(world, new_directory()) as server:
        for case in LOGINS:
            if ":" in case.user:
                continue
            status = server.status("/members/page.txt", case.user, case.password)
            assert status == (200 if world.allows(case) else 401), case
        for case in [("alice", PASSWORDS["alice"], 200), ("bob", PASSWORDS["bob"], 401), ("alice", "x", 401)]:
            assert server.status("/chess/page.txt", *case[:2]) == case[2]
        assert server.status("/members/page.txt") == 401


def test_apache_remembers_nobody(own, new_directory):
    with apache(own, new_directory()) as server:
        login = ("/members/page.txt", "alice", PASSWORDS["alice"])
        assert server.status(*login) == 200
        own.site.deactivate("alice")
        assert server.status(*login) == 401
        login = ("/members/page.txt", "bob", PASSWORDS["bob"])
        assert server.status(*login) == 200
        with own.killed():
            assert server.status(*login) == 500


# Dovecot


@contextmanager
def dovecot(world, directory):
    names = {"directory": directory, "loopback": LOOPBACK, "port": free_port(), "user": "nobody", "group": "nogroup"}
    (directory / "etc").mkdir()
    (directory / "etc/hallpass.conf").write_text(
        f"""
        auth_mechanisms = plain login
        auth_username_format = %u
        auth_username_chars =
        auth_username_translation = "/_"
        passdb {{
          driver = ldap
          args = {world.etc}/dovecot-ldap.conf.ext
        }}
        userdb {{
          driver = static
          args = uid=nobody gid=nogroup home={directory}/mail/%u
        }}
        mail_location = maildir:~/Maildir
        """
    )
    (directory / "dovecot.conf").write_text(DOVECOT.format(**names))
    for name in ("mail", "state"):
        (directory / name).mkdir()
    for path in (directory, directory / "mail", directory / "state"):
        give_away(path)
    with running(
        ["/usr/sbin/dovecot", "-F", "-c", directory / "dovecot.conf"],
        directory / "console.log",
        lambda: listening(names["port"]),
        **unprivileged(),
    ):
        yield Dovecot(directory, names["port"])


@pytest.mark.skipif(os.geteuid() != 0, reason="its users are nobody's")
def test_dovecot(own, new_directory):
    with dovecot(own, new_directory()) as server:
        for name, password, expected in [
            ("alice", PASSWORDS["alice"], "granted"),
            ("ALICE", PASSWORDS["alice"], "granted"),
            ("zoë", PASSWORDS["zoë"], "granted"),
            ("bob", PASSWORDS["bob"], "granted"),
            ("alice", PASSWORDS["bob"], "AUTHENTICATIONFAILED"),
            ("erin", PASSWORDS["erin"], "AUTHENTICATIONFAILED"),
            ("kate", PASSWORDS["kate"], "AUTHENTICATIONFAILED"),
            ("*", PASSWORDS["alice"], "AUTHENTICATIONFAILED"),
            ("al*", PASSWORDS["alice"], "AUTHENTICATIONFAILED"),
            ("../alice", PASSWORDS["alice"], "AUTHENTICATIONFAILED"),
        ]:
            assert server.login(name, password) == expected, name
        # Under the name as the site spells it.
        assert (server.directory / "mail/alice").is_dir() and not (server.directory / "mail/ALICE").exists()
        with own.killed():
            assert server.login("alice", PASSWORDS["alice"]) == "UNAVAILABLE"


# Postfix


def postmap(world, directory, *addresses):
    """What the map says of each address: names, or None; an error where it cannot say."""
    library = POSTFIX / "usr/lib/postfix"
    for file in library.glob("*.so"):
        shutil.copy(file, directory)
    shutil.copy(SETUP / "postfix-ldap/usr/lib/postfix/postfix-ldap.so", directory)
    user = unprivileged().get("user") or pwd.getpwuid(os.geteuid()).pw_name
    main = CONFIGURATION.format(directory=directory, user=user, socket="none")
    (directory / "main.cf").write_text(main)
    (directory / "dynamicmaps.cf").write_text(f"ldap\t{directory}/postfix-ldap.so\tdict_ldap_open\n")
    answers = []
    for address in addresses:
        done = subprocess.run(
            [POSTFIX / "usr/sbin/postmap", "-c", directory, "-q", address, f"ldap:{world.etc}/postfix-people.cf"],
            env={"LD_LIBRARY_PATH": str(directory)},
            capture_output=True,
            text=True,
            timeout=HANGS,
        )
        if done.returncode == 1 and not done.stderr:
            answers.append(None)
        else:
            answers.append(done.stdout.strip() if done.returncode == 0 else "error")
    return answers


def test_postfix(own, new_directory):
    asked = ["alice@example.org", "ALICE@EXAMPLE.ORG", "bob@example.org", "*", "*@example.org", "a*"]
    assert postmap(own, new_directory(), *asked) == ["alice", "alice", None, None, None, None]
    own.site.deactivate("alice")
    assert postmap(own, new_directory(), "alice@example.org") == [None]
    with own.killed():
        assert postmap(own, new_directory(), "alice@example.org") == ["error"]


# slapd in front


@contextmanager
def slapd(world, directory):
    port = free_port()
    give_away(directory)
    with running(
        ["/usr/sbin/slapd", "-d", "0", "-f", world.etc / "slapd.conf", "-h", f"ldap://{LOOPBACK}:{port}"],
        directory / "console.log",
        lambda: listening(port),
        cwd=directory,
        **unprivileged(),
    ):
        yield ldap.url(port)


def test_slapd_in_front(own, new_directory):
    with slapd(own, new_directory()) as at:
        assert ldap.whoami(at, ALICE, PASSWORDS["alice"]).output.strip() == f"dn:{ALICE}"
        for name, password, code in [
            ("alice", "wrong", ldap.WRONG),
            ("erin", PASSWORDS["erin"], ldap.WRONG),
            ("kate", PASSWORDS["kate"], ldap.WRONG),
            ("alice", "", ldap.UNWILLING),
        ]:
            assert ldap.whoami(at, person(name), password).code == code, name
        found = ldap.tool("ldapsearch", at, "-LLL", "-b", BASE, "(uid=alice)", "uid", "memberOf")
        assert found.entries == {ALICE: {"uid": ["alice"], "memberOf": [group("chess")]}}
        assert ldap.tool("ldapsearch", at, "-LLL", "-b", BASE, "(objectClass=*)").code == ldap.ACCESS
        assert ldap.compare(at, group("chess"), "member", ALICE) == ldap.TRUE
        # slapd waits for an answer as its configuration says, and never takes none for a yes.
        own.daemon.process.send_signal(signal.SIGSTOP)
        try:
            begun = time.monotonic()
            assert ldap.whoami(at, ALICE, PASSWORDS["alice"]).code not in (0, ldap.WRONG)
            assert time.monotonic() - begun < 20
        finally:
            own.daemon.process.send_signal(signal.SIGCONT)
        with own.killed():
            for _ in range(3):
                answer = ldap.whoami(at, ALICE, PASSWORDS["alice"])
                assert answer.code == ldap.UNAVAILABLE, answer.output


# nslcd with pam_ldap

MOUNTS = subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0 or not MOUNTS, reason="it takes a name space of its own")
def test_pam_ldap(own, new_directory):
    """nslcd reads /etc/nslcd.conf and no other file, so it has an /etc and a /run of its own."""
    directory, service = new_directory(), "hallpass-ldap"
    module = SETUP / "libpam-ldapd/lib/x86_64-linux-gnu/security/pam_ldap.so"
    (directory / "etc/pam.d").mkdir(parents=True)
    for name in ("passwd", "group", "nsswitch.conf", "ld.so.cache"):
        shutil.copy(f"/etc/{name}", directory / "etc")
    (directory / "etc/nslcd.conf").write_text((own.etc / "nslcd.conf").read_text())
    (directory / "etc/pam.d" / service).write_text(f"auth required {module} minimum_uid=0\n")
    (directory / "run/nslcd").mkdir(parents=True)
    script = f"""
        set -e
        mount --bind {directory}/etc /etc
        mount --bind {directory}/run /run
        exec {SETUP}/nslcd/usr/sbin/nslcd -n
    """
    with running(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script],
        directory / "console.log",
        lambda: (directory / "run/nslcd/socket").exists(),
    ) as nslcd:

        def granted(name, password):
            logs.note(password)
            done = subprocess.run(
                ["nsenter", "-t", str(nslcd.pid), "-m", "pamtester", service, name, "authenticate"],
                input=password.encode() + b"\n",
                capture_output=True,
                timeout=HANGS,
            )
            return done.returncode == 0

        assert granted("alice", PASSWORDS["alice"]), (directory / "console.log").read_text()
        for name, password in [
            ("alice", "wrong"), ("alice", ""), ("erin", PASSWORDS["erin"]), ("kate", PASSWORDS["kate"]),
        ]:
            assert not granted(name, password), name
        with own.killed():
            assert not granted("alice", PASSWORDS["alice"])


def test_the_daemon_is_there_again(own):
    """After a restart, clients that keep connections find the new daemon."""
    with own.killed():
        assert ldap.whoami(own.url, ALICE, PASSWORDS["alice"]).code not in (0, ldap.WRONG)
    with own.running():
        eventually(lambda: ldap.whoami(own.url, ALICE, PASSWORDS["alice"]).code == 0, "the new daemon")
