"""Clients of LDAP: OpenLDAP's tools, and bytes written by hand."""

import base64
import os
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import logs
from processes import free_port
from programs import HANGS

from .daemon import hallpassd

BASE = "dc=example,dc=org"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"

SUCCESS, OPERATIONS, PROTOCOL, TIME, SIZE, FALSE, TRUE, SASL = 0, 1, 2, 3, 4, 5, 6, 7
ADMIN_LIMIT, CRITICAL, CONFIDENTIALITY, NO_ATTRIBUTE, NO_OBJECT = 11, 12, 13, 16, 32
BAD_DN, WRONG, ACCESS, BUSY, UNAVAILABLE, UNWILLING = 34, 49, 50, 51, 52, 53


def escaped(value: str) -> str:
    """`value` as it stands in a name (RFC 4514): every byte but letters and digits in hexadecimal."""
    plain = lambda byte: chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\{byte:02x}"
    return "".join(map(plain, value.encode()))


def person(name: str) -> str:
    return f"uid={escaped(name)},{PEOPLE}"


def group(name: str) -> str:
    return f"cn={escaped(name)},{GROUPS}"


def url(address: Path | int) -> str:
    if isinstance(address, int):
        return f"ldap://127.0.0.1:{address}"
    return "ldapi://" + quote(str(address), safe="")


@dataclass
class Result:
    """What a tool says."""

    code: int
    entries: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    output: str = ""


def tool(program: str, at: str, *words: str, bind=None, password=None, env=None) -> Result:
    """Runs one of OpenLDAP's tools; its exit code is the result code of the server."""
    credentials = []
    if bind is not None:
        credentials = ["-D", bind, "-w", password]
        logs.note(password)
    done = subprocess.run(
        [program, "-x", "-H", at, "-o", "nettimeout=20", *credentials, *words],
        capture_output=True,
        timeout=HANGS,
        # That variable has all others ignored, too.
        env=os.environ | (env or {"LDAPNOINIT": "1"}),
    )
    text = done.stdout.decode(errors="surrogateescape")
    return Result(done.returncode, entries(text), text + done.stderr.decode())


def whoami(at: str, bind=None, password=None) -> Result:
    return tool("ldapwhoami", at, bind=bind, password=password)


def compare(at: str, dn: str, attribute: str, value: str, **options) -> int:
    """The result code: 6 for true, 5 for false."""
    encoded = base64.b64encode(value.encode()).decode()
    return tool("ldapcompare", at, dn, f"{attribute}::{encoded}", **options).code


def entries(text: str) -> dict[str, dict[str, list[str]]]:
    """What LDIF without folded lines holds, by the names of entries."""
    found: dict[str, dict[str, list[str]]] = {}
    entry: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if not colon or line.startswith("#"):
            continue
        if value.startswith(":"):
            value = base64.b64decode(value[1:]).decode(errors="surrogateescape")
        else:
            value = value.removeprefix(" ")
        if name == "dn":
            assert value not in found, value
            entry = found[value] = {}
        else:
            entry.setdefault(name, []).append(value)
    return found


# BER by hand, for what no library sends.
def tlv(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    length = len(body)
    if length < 128:
        return bytes([tag, length]) + body
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def integer(number: int, tag: int = 2) -> bytes:
    return tlv(tag, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def text(value: str | bytes, tag: int = 4) -> bytes:
    return tlv(tag, value.encode() if isinstance(value, str) else value)


def message(number: int, *operation: bytes) -> bytes:
    return tlv(0x30, integer(number), *operation)


def bind(dn: str, password: str | bytes, version: int = 3) -> bytes:
    return tlv(0x60, integer(version), text(dn), text(password, 0x80))


def find(base: str, filter: bytes, scope: int = 2, size: int = 0, time: int = 0, attributes=()) -> bytes:
    return tlv(
        0x63, text(base), integer(scope, 10), integer(0, 10), integer(size), integer(time),
        tlv(1, b"\0"), filter, tlv(0x30, *map(text, attributes)),
    )


def equal(attribute: str, value: str | bytes) -> bytes:
    return tlv(0xA3, text(attribute), text(value))


def present(attribute: str) -> bytes:
    return text(attribute, 0x87)


UNBIND = b"\x42\x00"
PAGED = "1.2.840.113556.1.4.319"


def paged(number: int, operation: bytes, size: int | bytes, cookie: bytes = b"", critical: bool = True) -> bytes:
    """A message with the control of paged results (RFC 2696); `size` may be its whole value."""
    value = size if isinstance(size, bytes) else tlv(0x30, integer(size), text(cookie))
    control = tlv(0x30, text(PAGED), tlv(1, b"\xff" if critical else b"\0"), text(value))
    return message(number, operation, tlv(0xA0, control))


def extended(oid: str) -> bytes:
    return tlv(0x77, text(oid, 0x80))


class Raw:
    """A connection whose bytes are written by hand."""

    def __init__(self, address: Path | int):
        if isinstance(address, int):
            self.socket = socket.create_connection(("127.0.0.1", address), timeout=HANGS)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(HANGS)
            self.socket.connect(str(address))
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *messages: bytes) -> "Raw":
        self.socket.sendall(b"".join(messages))
        return self

    def exactly(self, count: int) -> bytes | None:
        while len(self.received) < count:
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                piece = b""
            if not piece:
                return None
            self.received += piece
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def response(self) -> tuple[int, int, int | None] | None:
        """The number, the tag and the result code of the next message, None for an entry's;
        None at the end."""
        head = self.exactly(2)
        if head is None:
            return None
        size, length = b"", head[1]
        if length & 0x80:
            size = self.exactly(length & 0x7F)
            length = int.from_bytes(size, "big")
        body = self.exactly(length)
        if body is None:
            return None
        self.whole, self.body = head + size + body, body
        count = body[1]
        number = int.from_bytes(body[2 : 2 + count], "big")
        rest = body[2 + count :]
        tag, start = rest[0], 2 + (rest[1] & 0x7F if rest[1] & 0x80 else 0)
        code = rest[start + 2] if tag != 0x64 and rest[start] == 10 else None
        return number, tag, code

    def page(self) -> tuple[int, int, bytes | None]:
        """How many entries come, the result code, and the cookie of the next page, None without."""
        count = 0
        while True:
            _, tag, code = self.response()
            if tag == 0x65:
                break
            count += 1
        _, oid, value = self.body.partition(text(PAGED))
        if not oid:
            return count, code, None
        # The value is an OCTET STRING around a SEQUENCE of an INTEGER of one byte and the cookie.
        assert value[0] == 4 and value[2] == 0x30 and value[4:7] == b"\x02\x01\x00" and value[7] == 4
        cookie = value[9:]
        assert len(cookie) == value[8]
        return count, code, cookie

    def rest(self) -> bytes:
        """All bytes until the end."""
        while piece := self.socket.recv(65536):
            self.received += piece
        return self.received

    def responses(self) -> list:
        """All until the end."""
        found = []
        while (one := self.response()) is not None:
            found.append(one)
        return found


class World:
    """A site, and the daemon at a unix socket, at loopback, and with TLS."""

    def __init__(self, site, directory, programs, **tables):
        self.site, self.program, self.directory = site, programs["hallpassd"], directory
        self.http, self.socket, self.port = directory / "http.sock", directory / "ldap.sock", free_port()
        self.config = site.write_configuration(
            f"{directory.name}.toml",
            **{
                "limits": {"failures": 0},
                "passwords": {"dummy": "pbkdf2_sha256$1"},
                "daemon": {
                    "listen": [f"unix:{self.http}"],
                    "ldap": [f"unix:{self.socket}", f"tcp:127.0.0.1:{self.port}"],
                },
                "ldap": {"base": BASE},
            }
            | tables,
        )

    @property
    def url(self) -> str:
        return url(self.port)

    def running(self):
        return hallpassd(self.program, self.config, self.http, self.socket)

    def search(self, filter, *attributes, base=BASE, options=(), **more):
        return tool(
            "ldapsearch", self.url, "-LLL", "-o", "ldif-wrap=no", "-b", base, *options, filter, *attributes, **more
        )

    def found(self, filter, *attributes, **more):
        result = self.search(filter, *attributes, **more)
        assert result.code == 0, result.output
        return result.entries

    def names(self, filter, **more):
        return sorted(self.found(filter, "1.1", **more))
