"""`hallpass-ejabberd --protocol generic`: lines, by pipes and on a pseudo-terminal."""

import os
import pty
import select
import subprocess
import termios
import time
from contextlib import contextmanager

import pytest

from hosts.accounts import PASSWORDS
from hosts.fixtures import site_with_accounts
from programs import HANGS, run


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def config(site):
    return site.write_configuration("generic.toml", limits={"failures": 0})


def command(programs, config):
    return [programs["hallpass-ejabberd"], "--protocol", "generic", "--config", config]


def test_lines_by_pipes(hallpass_programs, config):
    right = PASSWORDS["carol"]
    lines = [
        f"auth:carol:chat.example.org:{right}",
        "auth:carol:chat.example.org:pa",
        "isuser:carol:chat.example.org",
        "isuser:nobody:chat.example.org",
        "setpass:carol:chat.example.org:x",
        "",
        "auth:carol",
        "nonsense",
        "auth:carol:chat.example.org:" + "x" * 300_000,
        f"auth:carol:chat.example.org:{right}\r",
        f"auth:carol:chat.example.org:{right}",
    ]
    raw = "".join(line + "\n" for line in lines) + "auth:half a line"
    assert run(command(hallpass_programs, config), raw).text.split("\n") == [
        "1", "0", "1", "0", "0", "0", "0", "0", "0", "0", "1", ""
    ]


class Terminal:
    """The program on a pseudo-terminal in the mode that terminals begin with, as lua-lpty leaves
    it but for what it switches off: line by line, echoing, with signals."""

    def __init__(self, process, side: int):
        self.process, self.side = process, side

    def read(self) -> bytes:
        """What one read gives."""
        readable, _, _ = select.select([self.side], [], [], HANGS)
        assert readable, "no answer"
        return os.read(self.side, 4096)

    def ask(self, line: str | bytes) -> bytes:
        line = line.encode() if isinstance(line, str) else line
        os.write(self.side, line + b"\n")
        return self.read()

    def is_raw(self) -> bool:
        local = termios.tcgetattr(self.side)[3]
        return not local & (termios.ICANON | termios.ECHO | termios.ISIG)


@contextmanager
def terminal(programs, config):
    ours, its = pty.openpty()
    process = subprocess.Popen(
        command(programs, config), stdin=its, stdout=its, stderr=its, start_new_session=True
    )
    os.close(its)
    try:
        asked = Terminal(process, ours)
        end = time.monotonic() + HANGS
        while not asked.is_raw():
            assert time.monotonic() < end, "never made raw"
            time.sleep(0.01)
        yield asked
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_a_terminal_carries_answers_and_nothing_else(hallpass_programs, config):
    right = PASSWORDS["alice"]
    with terminal(hallpass_programs, config) as asked:
        assert asked.ask(f"auth:alice:chat.example.org:{right}") == b"1\n", "no echo, no CR"
        assert asked.ask("auth:alice:chat.example.org:wrong") == b"0\n"
        assert asked.ask("auth:zoë:chat.example.org:" + PASSWORDS["zoë"]) == b"1\n"
        for character in b"\x03\x04\x11\x13\x15\x16\x1a\x1c\x7f":
            # Each of them would end, stop or empty something.
            line = f"auth:alice:chat.example.org:{right}".encode() + bytes([character])
            assert asked.ask(line) == b"0\n", character
        long = PASSWORDS["long"]
        assert len(long) == 4096, "as long as a line of a terminal may not be"
        assert asked.ask(f"auth:long:chat.example.org:{long}") == b"1\n"
        assert asked.ask("isuser:alice:chat.example.org") == b"1\n"
        assert asked.process.poll() is None


def test_the_log_is_no_answer(hallpass_programs, site):
    config = site.write_configuration("loud.toml", log={"level": "debug"})
    with terminal(hallpass_programs, config) as asked:
        assert asked.ask("auth:alice:chat.example.org:wrong") == b"0\n"
        assert not select.select([asked.side], [], [], 0.2)[0]


def test_who_cannot_say_does_not_say_no(hallpass_programs, site):
    away = {"database": "sqlite:/nowhere/db.sqlite3"}
    line = "auth:alice:chat.example.org:x"
    config = site.write_configuration("away.toml", **away)
    with terminal(hallpass_programs, config) as asked:
        assert asked.ask(line) == b"unavailable\n"
    config = site.write_configuration("no.toml", **away, ejabberd={"unavailable": "no"})
    with terminal(hallpass_programs, config) as asked:
        assert asked.ask(line) == b"0\n"


def test_the_end_of_the_terminal_ends_it(hallpass_programs, config):
    ours, its = pty.openpty()
    process = subprocess.Popen(
        command(hallpass_programs, config), stdin=its, stdout=its, stderr=its,
        start_new_session=True,
    )
    os.close(its)
    os.close(ours)
    assert process.wait(HANGS) in (0, 1, -1)
