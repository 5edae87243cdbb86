"""Postfix asks hallpassd in the place of Dovecot's authentication."""

import smtplib

import pytest

from hosts.accounts import CASES, PASSWORDS
from hosts.daemon import hallpassd
from hosts.fixtures import site_with_accounts
from hosts.postfix import encoded, postfix, replied
from processes import give_away

GRANTED = (235, "2.7.0 Authentication successful")
DENIED = 535
GOOD = b"\0alice\0" + PASSWORDS["alice"].encode()


class World:
    """A site, the daemon, and Postfix before it."""

    def __init__(self, site, directory, programs, **tables):
        self.site, self.program, self.directory = site, programs["hallpassd"], directory
        private = directory / "private"
        private.mkdir()
        give_away(private)
        self.http, self.auth = directory / "http.sock", private / "hallpass"
        self.config = site.write_configuration(
            f"{directory.name}.toml",
            **{
                "limits": {"failures": 0},
                "daemon": {
                    "listen": [f"unix:{self.http}"],
                    "dovecot_auth": [f"unix:{self.auth}?mode=0666"],
                    "sasl_realms": ["shop.example.org"],
                },
            }
            | tables,
        )
        # As its documentation has it: below its own queue directory.
        self.postfix = postfix(directory, "private/hallpass")

    def running(self):
        return hallpassd(self.program, self.config, self.http, self.auth)


@pytest.fixture(scope="module")
def world(new_directory, hallpass_programs, new_site):
    world = World(site_with_accounts(new_site), new_directory(), hallpass_programs)
    with world.running() as world.daemon:
        yield world


@pytest.fixture
def own(directory, hallpass_programs, new_site):
    world = World(site_with_accounts(new_site), directory, hallpass_programs)
    with world.running() as world.daemon:
        yield world


@pytest.mark.parametrize("case", CASES, ids=str)
def test_postfix_is_as_the_site_says(world, case):
    allowed = world.site.ask("modwsgi_check_password", case.user, case.password) is True
    for reply in (
        world.postfix.plain(case.user, case.password),
        world.postfix.login(case.user, case.password),
    ):
        assert reply == GRANTED if allowed else reply[0] == DENIED


def test_a_mail_program_logs_in(world):
    with world.postfix.session() as smtp:
        assert set(smtp.esmtp_features["auth"].split()) == {"PLAIN", "LOGIN"}
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            smtp.login("alice", "wrong")
        assert refused.value.smtp_code == DENIED
        # The connection goes on, as mail programs that ask again expect.
        assert smtp.login("alice", PASSWORDS["alice"])[0] == 235


def test_realms(world):
    assert world.postfix.plain("alice@shop.example.org", PASSWORDS["alice"]) == GRANTED
    assert world.postfix.plain("alice@example.com", PASSWORDS["alice"])[0] == DENIED


@pytest.mark.parametrize(
    "message",
    [
        b"\0",
        b"\0\0",
        b"alice",
        GOOD[1:],
        GOOD + b"\0",
        GOOD + b"\0more",
        # Somebody with a password of his own, in another's name.
        b"bob" + GOOD,
        b"\0al\nice\0x",
        b"\0al\tice\0x",
        b"\0alice\tuser=bob\0x",
        b"\0\xff\0x",
        b"\0" + b"n" * 8000 + b"\0x",
        b"\0alice\0" + b"x" * 9000,
        b"\0alice\0" + b"x" * 20_000,
    ],
    ids=range(14),
)
def test_messages_that_are_none(world, message):
    code, text = world.postfix.message(message)
    assert 500 <= code < 600, text
    assert world.postfix.plain("alice", PASSWORDS["alice"]) == GRANTED


@pytest.mark.parametrize("line", ["=", "*", "no base64!", "AGFs\tresp=AGFs", "%00", "A" * 13_000])
def test_what_is_no_base64(world, line):
    with world.postfix.session() as smtp:
        for command in (f"AUTH PLAIN {line}", "AUTH LOGIN"):
            code, text = replied(smtp, command)
            assert code == 334 or 500 <= code < 600, text
        assert 500 <= replied(smtp, line)[0] < 600
        assert smtp.login("alice", PASSWORDS["alice"])[0] == 235


def test_mechanisms_that_are_not_offered(world):
    with world.postfix.session() as smtp:
        for mechanism in ("CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-256", "XOAUTH2", "EXTERNAL", "ANONYMOUS"):
            assert replied(smtp, f"AUTH {mechanism}")[0] == DENIED
        assert smtp.login("alice", PASSWORDS["alice"])[0] == 235


def test_a_session_is_no_password(world):
    token = world.site.login("alice", PASSWORDS["alice"]).token
    assert world.postfix.plain("alice", token)[0] == DENIED
    assert world.postfix.plain("bob", token)[0] == DENIED


def test_a_changed_password_counts_at_once(own):
    assert own.postfix.plain("alice", PASSWORDS["alice"]) == GRANTED
    own.site.shell("u = User.objects.get(username='alice'); u.set_password('new'); u.save()")
    assert own.postfix.plain("alice", PASSWORDS["alice"])[0] == DENIED
    assert own.postfix.plain("alice", "new") == GRANTED
    own.site.deactivate("alice")
    assert own.postfix.plain("alice", "new")[0] == DENIED


def test_what_is_broken_is_told_from_what_is_wrong(own):
    away = own.site.database.with_suffix(".away")
    own.site.database.rename(away)
    for password in (PASSWORDS["alice"], "wrong"):
        for reply in (own.postfix.plain("alice", password), own.postfix.login("alice", password)):
            # Postfix has one code for all that fails, but tells why.
            assert reply[0] == DENIED and reply[1].endswith("Temporary authentication failure")
    away.rename(own.site.database)
    assert own.postfix.plain("alice", PASSWORDS["alice"]) == GRANTED


def test_without_the_daemon_nobody_gets_in(new_directory, hallpass_programs, world):
    alone = World(world.site, new_directory(), hallpass_programs)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        alone.postfix.plain("alice", PASSWORDS["alice"])
    with alone.running():
        assert alone.postfix.plain("alice", PASSWORDS["alice"]) == GRANTED
    with pytest.raises(smtplib.SMTPServerDisconnected):
        alone.postfix.plain("alice", PASSWORDS["alice"])


def test_it_ends_in_the_middle_of_a_session(own):
    with own.postfix.session() as smtp:
        own.daemon.process.terminate()
        own.daemon.process.wait(60)
        code, text = replied(smtp, "AUTH", f"PLAIN {encoded(GOOD)}")
        assert code == 454, text
        with own.running():
            assert replied(smtp, "AUTH", f"PLAIN {encoded(GOOD)}") == GRANTED


def test_who_asked_is_in_the_log(world):
    world.postfix.plain("alice", "wr0ng s3cret")
    log = world.daemon.log()
    line = [line for line in log.splitlines() if 'user="alice"' in line][-1]
    assert " door=dovecot-auth " in line and 'host="smtp"' in line
    assert "client=127.0.0.1" in line and "reason=wrong-password" in line
    assert "s3cret" not in log
    assert encoded(b"\0alice\0wr0ng s3cret") not in log
