"""Mumble's server, from where `tests/setup` has unpacked it, the example's authenticator, and a client
that speaks just enough of the protocol to log in."""

import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from processes import LOOPBACK, eventually, free_port, give_away, listening, running, unprivileged
from stores.certificates import make_certificates

from . import example

SETUP = Path(__file__).resolve().parents[2] / ".setup/mumble-server/usr"
CONFIGURATION = """
database={directory}/mumble.sqlite
logfile=
pidfile={directory}/mumble.pid
host=127.0.0.1
port={port}
sslCert={certificate}
sslKey={key}
bonjour=false
# The tests are one address.
autobanAttempts=0
"""
# Of Mumble.proto: kinds of messages.
VERSION, AUTHENTICATE, REJECT, SERVER_SYNC, USER_STATE = 0, 2, 4, 5, 9
WRONG_PASSWORD, UNVERIFIABLE = 3, 8


def number(value: int) -> bytes:
    """A number of Protocol Buffers."""
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def text(field: int, value: str) -> bytes:
    encoded = value.encode()
    return bytes([field << 3 | 2]) + number(len(encoded)) + encoded


@dataclass(frozen=True)
class Mumble:
    """A running server."""

    port: int
    authority: Path
    authenticator: subprocess.Popen

    def answer(self, user: str, password: str | None) -> int | str:
        """The name under which a client is let in, or the kind of the refusal."""
        logs.note(password or "")
        context = ssl.create_default_context(cafile=str(self.authority))
        with (
            socket.create_connection((LOOPBACK, self.port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname=LOOPBACK) as stream,
        ):
            secret = b"" if password is None else text(2, password)
            for kind, body in [(VERSION, b"\x08" + number(0x010304)), (AUTHENTICATE, text(1, user) + secret)]:
                stream.sendall(struct.pack(">HI", kind, len(body)) + body)
            file, last = stream.makefile("rb"), b""
            while head := file.read(6):
                kind, length = struct.unpack(">HI", head)
                body = file.read(length)
                if kind == REJECT:
                    return body[1]
                if kind == USER_STATE:
                    last = body
                if kind == SERVER_SYNC:
                    # The last state before it is the client's own: a session, and its name.
                    rest = last[2:] if last[1] < 0x80 else last[3:]
                    assert rest[0] == 3 << 3 | 2, last
                    return rest[2 : 2 + rest[1]].decode()
        raise AssertionError("the server closed the connection")

    def login(self, user: str, password: str | None) -> bool:
        answer = self.answer(user, password)
        assert isinstance(answer, str) or answer in (WRONG_PASSWORD, UNVERIFIABLE), answer
        return isinstance(answer, str)


@contextmanager
def mumble(directory: Path, replacements: dict[str, str]) -> Iterator[Mumble]:
    """Runs the server and the authenticator as the example says."""
    port, ice = free_port(), free_port()
    certificates = make_certificates(directory / "certificates")
    etc = example.install("mumble-django", directory / "etc", {
        "/etc/mumble-server/ice_secret": str(directory / "etc/ice_secret"),
        "/usr/share/slice": str(SETUP / "share/slice"),
        "6502": str(ice),
    } | replacements)
    secret = "a secret of this test's"
    (etc / "ice_secret").write_text(secret + "\n")
    settings = (etc / "mumble-server.ini").read_text().replace("SECRET", secret)
    more = CONFIGURATION.format(
        directory=directory, port=port, certificate=certificates.certificate, key=certificates.key,
    )
    (etc / "mumble-server.ini").write_text(more + settings)
    for path in (directory, *directory.rglob("*")):
        give_away(path)
    options = {"cwd": directory} | unprivileged()
    server = [SETUP / "sbin/murmurd", "-fg", "-ini", etc / "mumble-server.ini"]
    with (
        running(server, directory / "mumble.log", lambda: listening(port), **options),
        running(["/usr/bin/python3", etc / "authenticator.py"], directory / "ice.log", **options) as process,
    ):
        here = Mumble(port, certificates.authority, process)
        # Until then, nobody gets in.
        eventually(lambda: here.answer("nobody", "x") == WRONG_PASSWORD, "the authenticator is there")
        yield here
