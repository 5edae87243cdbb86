"""A FastCGI server's side of the protocol, which sends exactly what it is told to."""

import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from .web import Address

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, VALUES, UNKNOWN = range(1, 12)
COMPLETE, CANT_MULTIPLEX, OVERLOADED, UNKNOWN_ROLE = range(4)
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
KEEP = 1


@dataclass(frozen=True)
class Record:
    """A record that was received."""

    kind: int
    request: int
    content: bytes


@dataclass(frozen=True)
class Answer:
    """What an authorizer said of a request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def variables(self) -> dict[str, str]:
        """The variables that go to the application."""
        prefix = "Variable-"
        return {
            name.removeprefix(prefix): value
            for name, value in self.headers.items()
            if name.startswith(prefix)
        }


def record(kind: int, content: bytes = b"", request: int = 1, padding: int = 0) -> bytes:
    """The bytes of a record."""
    header = struct.pack(">BBHHBB", 1, kind, request, len(content), padding, 0)
    return header + content + b"\xaa" * padding


def begin(role: int = AUTHORIZER, flags: int = 0, request: int = 1) -> bytes:
    return record(BEGIN, struct.pack(">HB5x", role, flags), request)


def length(number: int) -> bytes:
    return bytes([number]) if number < 128 else struct.pack(">I", number | 1 << 31)


def pairs(parameters: dict[str, str | bytes]) -> bytes:
    """Name-value pairs."""
    text = b""
    for name, value in parameters.items():
        value = value.encode() if isinstance(value, str) else value
        text += length(len(name)) + length(len(value)) + name.encode() + value
    return text


def asked(parameters: dict[str, str | bytes], flags: int = 0, request: int = 1) -> bytes:
    """A whole request, its parameters in records of at most 16 KiB, as Apache sends them."""
    text = pairs(parameters)
    pieces = [text[at : at + 16384] for at in range(0, len(text), 16384)]
    records = [record(PARAMS, piece, request) for piece in [*pieces, b""]]
    return begin(flags=flags, request=request) + b"".join(records)


class Connection:
    """A connection to an authorizer."""

    def __init__(self, address: Address):
        if isinstance(address, Path):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(60)
            self.socket.connect(str(address))
        else:
            self.socket = socket.create_connection(address, timeout=60)
        self.received = self.socket.makefile("rb")

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.received.close()
        self.socket.close()

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def record(self) -> Record | None:
        """The next record; None once the connection is closed."""
        try:
            header = self.received.read(8)
        except ConnectionResetError:
            return None
        if not header:
            return None
        version, kind, request, size, padding, _ = struct.unpack(">BBHHBB", header)
        assert version == 1
        content = self.received.read(size)
        self.received.read(padding)
        return Record(kind, request, content)

    def answer(self, request: int = 1) -> Answer:
        """The answer to a request, up to the record that ends it."""
        output = b""
        while (received := self.record()).kind == STDOUT:
            assert received.request == request
            output += received.content
        assert received == Record(END, request, bytes(8)), received
        head, _, body = output.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        headers = {name: value for name, value in lines}
        assert len(headers) == len(lines), "a header is there twice"
        return Answer(int(headers["Status"].split()[0]), headers, body)


def ask(address: Address, parameters: dict[str, str | bytes]) -> Answer:
    """The answer to one request on a connection of its own."""
    with Connection(address) as connection:
        connection.send(asked(parameters))
        answer = connection.answer()
        assert connection.record() is None, "the connection was not to be kept"
        return answer
