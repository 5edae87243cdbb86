"""An HTTP/1 client that sends exactly what it is told to, on TCP and unix sockets."""

import base64
import http.client
import io
import socket
from dataclasses import dataclass
from pathlib import Path

import logs

Address = tuple[str, int] | Path


@dataclass(frozen=True)
class Answer:
    """What an HTTP server said."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def basic(user: str | bytes, password: str | bytes) -> str:
    """The value of an Authorization header (RFC 7617; text in UTF-8)."""
    parts = [part.encode() if isinstance(part, str) else part for part in (user, password)]
    encoded = base64.b64encode(b":".join(parts)).decode()
    logs.note(password, encoded)
    return f"Basic {encoded}"


def request(
    path: str | bytes,
    headers: dict[str, str | bytes] | list[tuple[str, str | bytes]] = (),
    method: str = "GET",
    version: str = "1.1",
    body: bytes = b"",
) -> bytes:
    """The bytes of a request; no header is added but Host."""
    lines = [method.encode() + b" " + _bytes(path) + b" HTTP/" + version.encode()]
    items = list(headers.items() if isinstance(headers, dict) else headers)
    if "host" not in {name.lower() for name, _ in items}:
        items.insert(0, ("Host", "shop.example.org"))
    for name, value in items:
        _note_secrets(name.lower(), _bytes(value))
    lines += [name.encode() + b": " + _bytes(value) for name, value in items]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _note_secrets(header: str, value: bytes) -> None:
    if header == "cookie":
        logs.note(*(pair.strip().partition(b"=")[2] for pair in value.split(b";")))
    if header == "authorization":
        logs.note(value.partition(b" ")[2])


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


class Connection:
    """One connection to an HTTP server."""

    def __init__(self, address: Address, timeout: float = 60):
        if isinstance(address, Path):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(timeout)
            self.socket.connect(str(address))
        else:
            self.socket = socket.create_connection(address, timeout=timeout)
        self._received = self.socket.makefile("rb")

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._received.close()
        self.socket.close()

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def answer(self, method: str = "GET") -> Answer:
        """The next answer; `method` is that of its request (a HEAD has no body)."""
        response = http.client.HTTPResponse(_Received(self._received), method=method)
        response.begin()
        return Answer(response.status, response.headers, response.read())

    def rest(self) -> bytes:
        """All that still comes, up to the end of the connection."""
        received = b""
        try:
            while more := self._received.read1():
                received += more
        except ConnectionResetError:
            pass
        return received

    def ended(self) -> bool:
        """Waits for the next byte: whether there is none, the server having closed."""
        try:
            return self._received.read(1) == b""
        except ConnectionResetError:
            return True


class _Received:
    """Stands for a socket before http.client, so that answers share one buffer."""

    def __init__(self, file: io.BufferedReader):
        self._file = file

    def makefile(self, _mode: str) -> io.BufferedReader:
        return _Unclosed(self._file)


class _Unclosed(io.BufferedReader):
    """The same file, left open by the close() with which http.client ends an answer."""

    def __init__(self, file: io.BufferedReader):
        super().__init__(io.BytesIO())
        for name in ("read", "read1", "readinto", "readline", "peek"):
            setattr(self, name, getattr(file, name))


def ask(
    address: Address,
    path: str | bytes = "/",
    headers: dict[str, str | bytes] | list[tuple[str, str | bytes]] = (),
    method: str = "GET",
    body: bytes = b"",
    version: str = "1.1",
) -> Answer:
    """The answer to one request on a connection of its own."""
    items = list(headers.items() if isinstance(headers, dict) else headers)
    if body:
        items.append(("Content-Length", str(len(body))))
    with Connection(address) as connection:
        connection.send(request(path, items, method, version, body))
        return connection.answer(method)
