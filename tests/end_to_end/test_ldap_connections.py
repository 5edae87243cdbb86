"""Connections of LDAP: TLS, clients that are slow or gone, and a daemon that is killed, stopped or hung."""

import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import time
from contextlib import closing, contextmanager

import pytest

from hosts import ldap
from hosts.accounts import PASSWORDS
from hosts.fixtures import site_with_accounts
from hosts.ldap import BASE, Raw, World, message, person
from processes import eventually, free_port
from stores.certificates import make_certificates

ALICE = person("alice")
# A second and more.
COSTLY = 8_000_000


def own_address() -> str:
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return probe.getsockname()[0]


class Secured(World):
    """The daemon at an address of the network, with a certificate."""

    def __init__(self, site, directory, programs, **more):
        self.address = own_address()
        self.outside = free_port()
        names = f"DNS:localhost,IP:127.0.0.1,IP:{self.address}"
        self.certificates = make_certificates(directory / "tls", names)
        super().__init__(
            site,
            directory,
            programs,
            daemon={
                "listen": [f"unix:{directory / 'http.sock'}"],
                "ldap": [f"unix:{directory / 'ldap.sock'}", f"tcp:{self.address}:{self.outside}"],
            },
            ldap={
                "base": BASE,
                "certificate": str(self.certificates.certificate),
                "certificate_key": str(self.certificates.key),
            }
            | more,
        )

    def at(self, scheme="ldap"):
        return f"{scheme}://{self.address}:{self.outside}"

    @property
    def trust(self):
        return {"LDAPTLS_CACERT": str(self.certificates.authority)}


@pytest.fixture(scope="module")
def secured(new_directory, hallpass_programs, new_site):
    world = Secured(site_with_accounts(new_site), new_directory(), hallpass_programs)
    with world.running() as world.daemon:
        yield world


WHO = {"bind": ALICE, "password": PASSWORDS["alice"]}


def test_from_another_machine_passwords_need_tls(secured):
    plain = ldap.tool("ldapwhoami", secured.at(), **WHO)
    assert plain.code == ldap.CONFIDENTIALITY
    # Not looked at: a wrong one has the same answer.
    assert ldap.tool("ldapwhoami", secured.at(), bind=ALICE, password="wrong").code == ldap.CONFIDENTIALITY
    for at, options in [(secured.at(), ["-ZZ"]), (secured.at("ldaps"), [])]:
        right = ldap.tool("ldapwhoami", at, *options, **WHO, env=secured.trust)
        assert right.code == 0 and right.output.strip() == f"dn:{ALICE}", right.output
        assert ldap.tool("ldapwhoami", at, *options, bind=ALICE, password="x", env=secured.trust).code == ldap.WRONG
        # A client that does not trust the certificate says so.
        assert ldap.tool("ldapwhoami", at, *options, **WHO).code != 0
    # The same at the unix socket.
    socket_url = ldap.url(secured.socket)
    assert ldap.tool("ldapwhoami", socket_url, **WHO).code == 0


def test_from_another_machine_only_the_bound_look_anything_up(secured):
    def search(*options, **who):
        return ldap.tool(
            "ldapsearch", secured.at("ldaps"), "-LLL", "-b", BASE, *options, "(uid=bob)", "uid", env=secured.trust, **who
        )

    assert search().code == ldap.ACCESS
    assert list(search(**WHO).entries) == [person("bob")]
    root = ldap.tool("ldapsearch", secured.at(), "-LLL", "-b", "", "-s", "base", "+")
    assert root.code == 0 and "1.3.6.1.4.1.1466.20037" in root.entries[""]["supportedExtension"]


@contextmanager
def tls(world):
    """A connection by hand, behind TLS."""
    context = ssl.create_default_context(cafile=world.certificates.authority)
    with closing(socket.create_connection((world.address, world.outside), timeout=60)) as plain:
        with context.wrap_socket(plain, server_hostname=world.address) as secure:
            raw = Raw.__new__(Raw)
            raw.socket, raw.received = secure, b""
            yield raw


def test_whoever_is_closed_while_bound_sees_nothing_more(directory, hallpass_programs, new_site):
    world = Secured(site_with_accounts(new_site), directory, hallpass_programs)
    look = ldap.find(BASE, ldap.equal("uid", "bob"))
    with world.running(), tls(world) as raw:
        raw.send(message(1, ldap.bind(ALICE, PASSWORDS["alice"])), message(2, look))
        assert [raw.response() for _ in range(3)] == [(1, 0x61, 0), (2, 0x64, None), (2, 0x65, 0)]
        world.site.deactivate("alice")
        raw.send(message(3, look))
        assert raw.response() == (3, 0x65, ldap.ACCESS)
        raw.send(message(4, ldap.bind(person("bob"), PASSWORDS["bob"])), message(5, look))
        assert [raw.response() for _ in range(3)] == [(4, 0x61, 0), (5, 0x64, None), (5, 0x65, 0)]
        # A bind that fails leaves nobody bound.
        raw.send(message(6, ldap.bind(person("bob"), "wrong")), message(7, look))
        assert [raw.response() for _ in range(2)] == [(6, 0x61, ldap.WRONG), (7, 0x65, ldap.ACCESS)]


def test_what_comes_before_tls_is_not_taken_for_the_clients(secured):
    start = message(1, ldap.extended("1.3.6.1.4.1.1466.20037"))
    smuggled = message(2, ldap.find(BASE, ldap.equal("uid", "bob")))
    with Raw(secured.socket) as raw:
        raw.send(start + smuggled)
        assert raw.responses() == [(1, 0x78, 0)]
    with Raw(secured.socket) as raw:
        raw.send(message(3, ldap.bind(ALICE, PASSWORDS["alice"])), start)
        assert [raw.response() for _ in range(2)] == [(3, 0x61, 0), (1, 0x78, 0)]
        raw.send(b"no handshake at all")
        # An alert of TLS at the most.
        assert raw.rest()[:1] in (b"", b"\x15")


def test_a_new_certificate_is_taken_at_a_reload(directory, hallpass_programs, new_site):
    world = Secured(site_with_accounts(new_site), directory, hallpass_programs)
    at = world.at("ldaps")
    with world.running() as daemon:
        assert ldap.tool("ldapwhoami", at, **WHO, env=world.trust).code == 0
        names = f"DNS:localhost,IP:127.0.0.1,IP:{world.address}"
        world.certificates = make_certificates(directory / "tls", names)
        assert ldap.tool("ldapwhoami", at, **WHO, env=world.trust).code != 0
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: ldap.tool("ldapwhoami", at, **WHO, env=world.trust).code == 0, "the new certificate")
        # One that cannot be used changes nothing.
        world.certificates.certificate.write_text("no certificate")
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: "old configuration stays in force" in daemon.log(), "the refusal")
        assert "ldap.certificate" in daemon.log()
        assert ldap.tool("ldapwhoami", at, **WHO, env=world.trust).code == 0


@pytest.fixture
def costly(directory, hallpass_programs, new_site):
    """A site where one password takes seconds."""
    site = site_with_accounts(new_site)
    site.make_accounts({"username": "slow", "encoded": f"pbkdf2_sha256${COSTLY}$salt$" + "A" * 43 + "="})
    world = World(site, directory, hallpass_programs)
    with world.running() as world.daemon:
        yield world


def waiting(world):
    """Clients in the middle of a bind."""
    clients = [
        subprocess.Popen(
            ["ldapwhoami", "-x", "-H", world.url, "-D", person("slow"), "-w", "wrong-of-slow"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"LDAPNOINIT": "1"},
        )
        for _ in range(4)
    ]
    time.sleep(0.5)
    assert all(client.poll() is None for client in clients)
    return clients


def test_a_daemon_that_is_killed_logs_nobody_in(costly):
    clients = waiting(costly)
    costly.daemon.process.kill()
    for client in clients:
        output, _ = client.communicate(timeout=60)
        assert client.returncode != 0 and b"dn:" not in output


def test_a_daemon_that_is_stopped_logs_nobody_in(costly):
    clients = waiting(costly)
    costly.daemon.process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(2)
        assert all(client.poll() is None for client in clients)
    finally:
        costly.daemon.process.send_signal(signal.SIGCONT)
    for client in clients:
        output, _ = client.communicate(timeout=60)
        assert client.returncode in (ldap.WRONG, ldap.UNAVAILABLE) and b"dn:" not in output


def test_a_daemon_that_ends_answers_first(costly):
    clients = waiting(costly)
    with Raw(costly.port) as idle:
        idle.send(message(1, ldap.extended("1.3.6.1.4.1.4203.1.11.3")))
        assert idle.response() == (1, 0x78, 0)
        costly.daemon.process.terminate()
        # Those who wait for nothing are told.
        assert idle.responses() == [(0, 0x78, ldap.UNAVAILABLE)]
    for client in clients:
        client.communicate(timeout=60)
        assert client.returncode in (ldap.WRONG, ldap.UNAVAILABLE)


def test_a_store_that_hangs_is_unavailable_in_time(costly):
    with closing(sqlite3.connect(costly.site.database)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        assert ldap.whoami(costly.url, ALICE, PASSWORDS["alice"]).code == ldap.UNAVAILABLE
        assert costly.search("(uid=alice)").code == ldap.UNAVAILABLE
        assert time.monotonic() - begun < 12
        connection.rollback()
    assert ldap.whoami(costly.url, ALICE, PASSWORDS["alice"]).code == 0


def test_a_bind_that_waits_can_be_abandoned_and_left(costly):
    with Raw(costly.port) as raw:
        raw.send(message(1, ldap.bind(person("slow"), "wrong")))
        time.sleep(0.2)
        raw.send(message(2, b"\x50\x01\x01"), message(3, ldap.extended("1.3.6.1.4.1.4203.1.11.3")))
        begun = time.monotonic()
        assert raw.response() == (3, 0x78, 0)
        assert time.monotonic() - begun < 2
    # Many who hang up in the middle keep nobody else out.
    for _ in range(50):
        with Raw(costly.port) as raw:
            raw.send(message(1, ldap.bind(person("nobody"), "wrong")))
    assert ldap.whoami(costly.url, ALICE, PASSWORDS["alice"]).code == 0


def test_slow_clients_are_cut(costly):
    begun = time.monotonic()
    with Raw(costly.port) as silent, Raw(costly.port) as half:
        half.send(message(1, ldap.bind(ALICE, "x"))[:-1])
        assert half.responses() == [(0, 0x78, ldap.UNAVAILABLE)]
        assert silent.responses() == [(0, 0x78, ldap.UNAVAILABLE)]
    assert 8 < time.monotonic() - begun < 20
