"""`[log] to = "journald"`, read back by a real systemd-journald and journalctl."""

import re
import shlex
import subprocess
import unicodedata

import pytest

from book import DOCS
from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd, write_configuration
from hosts.fixtures import site_with_accounts
from hosts.journald import journal
from programs import run


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def namespace(new_directory):
    with journal(new_directory()) as made:
        yield made


@pytest.fixture(scope="module")
def daemon(site, namespace, new_directory, hallpass_programs):
    """hallpassd in the namespace of a journald that runs."""
    socket = new_directory() / "http.sock"
    config = write_configuration(
        site,
        "journald.toml",
        log={"to": "journald"},
        limits={"failures": 0},
        daemon={"listen": [f"unix:{socket}"]},
    )
    program = namespace.directory / "hallpassd"
    words = namespace.inside([hallpass_programs["hallpassd"]])
    program.write_text(f"#!/bin/sh\nexec {shlex.join(map(str, words))} \"$@\"\n")
    program.chmod(0o755)
    with namespace.running():
        # nsenter takes the rights that the tests run with.
        with hallpassd(program, config, socket, user=None, group=None, extra_groups=None) as daemon:
            yield daemon


def own(entry: dict) -> dict[str, str]:
    """The fields of an entry that are ours, but for the duration."""
    return {
        name.removeprefix("HALLPASS_").lower(): value
        for name, value in entry.items()
        if name.startswith("HALLPASS_") and name != "HALLPASS_MS"
    }


def test_a_decision_has_its_fields(daemon, namespace):
    daemon.check("alice", PASSWORDS["alice"], host="imap", client="192.0.2.7")
    [entry] = namespace.entries("HALLPASS_VERDICT=granted")
    assert own(entry) == {
        "verdict": "granted", "user": "alice", "client": "192.0.2.7", "door": "check", "host": "imap",
    }
    assert float(entry["HALLPASS_MS"]) > 0
    assert (entry["SYSLOG_IDENTIFIER"], entry["PRIORITY"]) == ("hallpassd", "6")
    assert entry["MESSAGE"].startswith('verdict=granted user="alice" client=192.0.2.7 door=check')

    daemon.check("bob", "wrong", client="2001:db8::7")
    [entry] = namespace.entries("HALLPASS_REASON=wrong-password")
    assert own(entry) == {
        "verdict": "denied", "reason": "wrong-password", "user": "bob", "client": "2001:db8::7", "door": "check",
    }


@pytest.mark.parametrize(
    "name",
    [
        "eve\nHALLPASS_VERDICT=granted",
        "eve\nHALLPASS_USER=alice\n",
        "\n",
        "eve\nMESSAGE=alice was let in\nPRIORITY=0\nSYSLOG_IDENTIFIER=sshd",
        "eve\nHALLPASS_USER\n\x05\0\0\0\0\0\0\0alice\n",
        "eve=alice",
        "zoë \U0001f600",
        "eve\r\u2028\u0085",
    ],
    ids=repr,
)
def test_a_name_adds_no_field(daemon, namespace, name):
    before = len(namespace.entries("HALLPASS_DOOR=check", count=0))
    assert daemon.check(name, "x").status == 401
    entry = namespace.entries("HALLPASS_DOOR=check", count=before + 1)[-1]
    found = own(entry)
    # Other bytes than text are told as numbers.
    if isinstance(found["user"], list):
        found["user"] = bytes(found["user"]).decode()
    reason = "malformed" if any(unicodedata.category(c) == "Cc" for c in name) else "unknown-user"
    assert found == {"verdict": "denied", "reason": reason, "user": name, "door": "check"}
    assert (entry["SYSLOG_IDENTIFIER"], entry["PRIORITY"]) == ("hallpassd", "6")
    assert entry["MESSAGE"].startswith(f"verdict=denied reason={reason} user=")


def test_a_long_name_is_cut(daemon, namespace):
    assert daemon.check("l" * 200 + "\nPRIORITY=0", "x").status == 401
    [entry] = namespace.entries("HALLPASS_USER=" + "l" * 150)
    assert entry["PRIORITY"] == "6"


def test_the_commands_of_the_page(daemon, namespace):
    section = (DOCS / "metrics.md").read_text().partition("\n## The journal\n")[2].partition("\n## ")[0]
    commands = re.findall(r"^journalctl (.+?)(?: +#.*)?$", section, re.M)
    assert len(commands) >= 3
    daemon.check("bob", "wrong", client="192.0.2.7")
    namespace.entries("HALLPASS_USER=bob", "HALLPASS_CLIENT=192.0.2.7")
    for command in commands:
        # All but where the journal is.
        words = ["journalctl", "--directory=/run/log/journal", "--quiet", *shlex.split(command)]
        done = run(namespace.inside(words))
        assert done.code == 0 and "bob" in done.text, (command, done)


def test_a_program_that_runs_once(site, daemon, namespace, hallpass_programs):
    config = write_configuration(site, "journald-once.toml", log={"to": "journald"})
    command = namespace.inside([hallpass_programs["hallpass-apache"], "--config", config, "auth"])
    assert run(command, "carol\nwrong\n").code == 2
    [entry] = namespace.entries("SYSLOG_IDENTIFIER=hallpass-apache")
    assert own(entry) == {"verdict": "denied", "reason": "wrong-password", "user": "carol"}


def test_a_journald_that_was_away(site, new_directory, hallpass_programs):
    """A line that it cannot take goes to standard error; once it is back, it is told the next."""
    config = write_configuration(site, "journald-away.toml", log={"to": "journald"})

    def question(name: str) -> bytes:
        words = f"auth:{name}:shop.example.org:wrong".encode()
        return len(words).to_bytes(2, "big") + words

    with journal(new_directory()) as other:
        command = other.inside([hallpass_programs["hallpass-ejabberd"], "--config", config])
        helper = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        # Before journald has ever run, too.
        helper.stdin.write(question("early"))
        assert helper.stdout.read(4) == b"\0\x02\0\0"
        with other.running():
            helper.stdin.write(question("first"))
            assert helper.stdout.read(4) == b"\0\x02\0\0"
            other.entries("HALLPASS_USER=first")
        helper.stdin.write(question("second"))
        assert helper.stdout.read(4) == b"\0\x02\0\0"
        with other.running():
            helper.stdin.write(question("third"))
            assert helper.stdout.read(4) == b"\0\x02\0\0"
            other.entries("HALLPASS_USER=third")
            assert other.entries("HALLPASS_USER=second", count=0) == []
            _, stderr = helper.communicate(timeout=60)
    lines = [line for line in stderr.decode().splitlines() if "verdict=" in line]
    assert ['user="early"' in lines[0], 'user="second"' in lines[1]] == [True, True] and len(lines) == 2
    for line in lines:
        assert re.match(r"\d{4}-\d\d-\d\dT\S+Z info hallpass-ejabberd: verdict=denied ", line)
    assert "cannot log to /run/systemd/journal/socket" in stderr.decode()
