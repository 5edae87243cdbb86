"""Accounts whose names are paths, at hosts that make paths of names."""

import os
import subprocess

import pytest

from hosts.daemon import hallpassd
from hosts.dovecot import dovecot
from hosts.fixtures import site_replacements
from hosts.sasl import Dovecot, counted, saslauthd
from programs import HANGS, run

PASSWORD = "the password of all of them"
# What leads out of /srv/mail/%u, or of a directory for each domain and each name in it.
PATHS = ["..", ".", "a/b", "../alice", "/etc", "..@example.org", "alice@.."]
OTHERS = ["alice", "...", ".hidden", "a.b@example.org", "two words"]
# This account's e-mail address is a name like any other; what it is called is not.
EMAIL = "parent@example.org"


@pytest.fixture(scope="module")
def site(new_site):
    site = new_site()
    accounts = [{"username": name, "password": PASSWORD} for name in PATHS + OTHERS]
    accounts[0]["email"] = EMAIL
    site.make_accounts(*accounts)
    return site


@pytest.fixture(scope="module")
def config(site):
    access = {"login": ["username", "email"]}
    return site.write_configuration("paths.toml", limits={"failures": 0}, access=access)


def test_the_site_itself_lets_them_in(site):
    for name in PATHS + OTHERS:
        assert site.ask("modwsgi_check_password", name, PASSWORD) is True


def checkpassword(programs, config, name: str, **environment: str) -> int:
    reading, writing = os.pipe()
    password = b"" if environment else PASSWORD.encode()
    os.write(writing, name.encode() + b"\0" + password + b"\0\0")
    os.close(writing)
    process = subprocess.run(
        [programs["hallpass-checkpassword"], "--config", config, "/bin/true"],
        preexec_fn=lambda: os.dup2(reading, 3),
        pass_fds=[3],
        env={"PATH": os.environ["PATH"]} | environment,
        timeout=HANGS,
        capture_output=True,
    )
    os.close(reading)
    return process.returncode


def test_checkpassword(hallpass_programs, config):
    for name in OTHERS:
        assert checkpassword(hallpass_programs, config, name) == 0, name
    for name in [*PATHS, EMAIL]:
        assert checkpassword(hallpass_programs, config, name) == 1, name
        # Dovecot's code for nobody.
        assert checkpassword(hallpass_programs, config, name, AUTHORIZED="1") == 3, name


@pytest.mark.parametrize("kind", ["auth", "account"])
def test_pam(hallpass_programs, config, kind):
    def asked(name: str) -> int:
        return run(
            [hallpass_programs["hallpass-pam"], "--config", config],
            PASSWORD.encode() if kind == "auth" else b"",
            env={"PAM_USER": name, "PAM_TYPE": kind, "PAM_SERVICE": "shop"},
        ).code

    assert [asked(name) for name in OTHERS] == [0] * len(OTHERS)
    assert 0 not in [asked(name) for name in [*PATHS, EMAIL]]


def test_clients_of_dovecot_and_of_saslauthd(hallpass_programs, site, directory):
    paths = {key: directory / key for key in ("listen", "dovecot_auth", "saslauthd")}
    config = site.write_configuration(
        "path-sockets.toml",
        limits={"failures": 0},
        access={"login": ["username", "email"]},
        daemon={key: [f"unix:{path}"] for key, path in paths.items()}
        | {"sasl_realms": ["shop.example.org"]},
    )
    with (
        hallpassd(hallpass_programs["hallpassd"], config, paths["listen"]) as daemon,
        Dovecot(paths["dovecot_auth"]) as client,
    ):

        def asked(name: str) -> tuple[bool, bool]:
            request = counted(name.encode(), PASSWORD.encode(), b"imap", b"")
            return (
                client.plain(name, PASSWORD).startswith("OK"),
                saslauthd(paths["saslauthd"], request) == b"\0\2OK",
            )

        for name in OTHERS:
            assert asked(name) == (True, True), name
        for name in [*PATHS, EMAIL, "..@shop.example.org"]:
            assert asked(name) == (False, False), name
        # Elsewhere they are who the site says.
        assert daemon.check("..", PASSWORD).status == 200


def test_real_dovecot(new_directory, hallpass_programs, site):
    with dovecot(new_directory(), hallpass_programs, site_replacements(site)) as server:
        for name in ("alice", "...", ".hidden"):
            assert server.login(name, PASSWORD) == "granted"
        for name in ("..", ".", "..@example.org", "alice@.."):
            assert server.login(name, PASSWORD) == "AUTHENTICATIONFAILED"
            assert server.fields(name) is None
        kept = {path.name for path in (server.directory / "mail").iterdir()}
        assert kept == {"alice", "...", ".hidden"}
