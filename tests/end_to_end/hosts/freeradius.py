"""FreeRADIUS with rlm_rest, and a client that sends passwords (PAP)."""

import hashlib
import hmac
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from processes import LOOPBACK, free_port, give_away, running, unprivileged

SECRET = b"of the tests"
CONFIGURATION = """
prefix = /usr
libdir = /usr/lib/freeradius
name = hallpass
logdir = {directory}
run_dir = {directory}
pidfile = {directory}/freeradius.pid
security {{
    reject_delay = 0
    status_server = no
}}
client localhost {{
    ipaddr = 127.0.0.1
    secret = "{secret}"
}}
thread pool {{
    start_servers = 2
    max_servers = 4
}}
modules {{
    always reject {{
        rcode = reject
    }}
    $INCLUDE rest
}}
server default {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {port}
    }}
    $INCLUDE site
}}
"""


@dataclass(frozen=True)
class FreeRADIUS:
    """A running FreeRADIUS."""

    port: int

    def login(self, user: str | bytes, password: str | bytes) -> bool:
        """Whether an Access-Request is accepted (RFC 2865)."""
        logs.note(password)
        user, password = (it.encode() if isinstance(it, str) else it for it in (user, password))
        authenticator = os.urandom(16)
        hidden, last = b"", authenticator
        padded = password + b"\0" * (-len(password) % 16 or (0 if password else 16))
        for at in range(0, len(padded), 16):
            key = hashlib.md5(SECRET + last).digest()
            last = bytes(a ^ b for a, b in zip(padded[at : at + 16], key, strict=True))
            hidden += last
        attributes = b"".join(
            struct.pack("BB", kind, len(value) + 2) + value for kind, value in [(1, user), (2, hidden)]
        )
        # Message-Authenticator, which is all zeros while it is computed (RFC 3579).
        length = 20 + len(attributes) + 18
        head = struct.pack(">BBH", 1, 7, length) + authenticator + attributes + b"\x50\x12"
        signature = hmac.digest(SECRET, head + b"\0" * 16, "md5")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(30)
            client.sendto(head + signature, (LOOPBACK, self.port))
            answer = client.recv(4096)
        assert answer[1] == 7 and answer[0] in (2, 3), answer
        return answer[0] == 2


@contextmanager
def freeradius(directory: Path, rest: str, site: str) -> Iterator[FreeRADIUS]:
    """Runs FreeRADIUS in `directory`, with these files of its module and its server."""
    port = free_port()
    main = CONFIGURATION.format(directory=directory, secret=SECRET.decode(), port=port)
    for name, text in [("radiusd.conf", main), ("rest", rest), ("site", site)]:
        (directory / name).write_text(text)
        give_away(directory / name)
    log = directory / "console.log"
    command = ["freeradius", "-f", "-l", "stdout", "-d", directory]
    with running(command, log, lambda: b"Ready to process" in log.read_bytes(), **unprivileged()):
        yield FreeRADIUS(port)
