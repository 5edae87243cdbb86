"""A client of server-sent events (HTML Living Standard, section 9.2), without reconnecting."""

import http.client
import io
import json
import select
import time

from . import web
from .web import Address


class Events:
    """One stream of `/session/events`."""

    def __init__(self, address: Address, headers=(), path: str = "/session/events"):
        self.connection = web.Connection(address, timeout=30)
        self.socket = self.connection.socket
        self.socket.sendall(web.request(path, headers))
        self._received, self._text, self._ended = b"", b"", False
        while b"\r\n\r\n" not in self._received:
            more = self.socket.recv(65536)
            assert more, self._received
            self._received += more
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        self.status = int(first.split()[1])
        self.headers = http.client.parse_headers(io.BytesIO(rest + b"\r\n\r\n"))
        self._chunked = self.headers["Transfer-Encoding"] == "chunked"
        self.retry, self.comments = None, 0
        self._decode()

    def __enter__(self) -> "Events":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.__exit__()

    def next(self, seconds: float = 30) -> tuple[str, object] | None:
        """The next event, its data decoded from JSON; None at the end of the stream."""
        deadline = time.monotonic() + seconds
        while True:
            block, found, rest = self._text.partition(b"\n\n")
            if found:
                self._text = rest
                if event := self._event(block.decode()):
                    return event
            elif self._ended:
                assert not block, block
                return None
            else:
                self._receive(deadline - time.monotonic())

    def _event(self, block: str) -> tuple[str, object] | None:
        name, data = "message", []
        for line in block.split("\n"):
            field, colon, value = line.partition(":")
            match field:
                case "event":
                    name = value.removeprefix(" ")
                case "data":
                    data.append(value.removeprefix(" "))
                case "retry":
                    self.retry = int(value)
                case "" if colon:
                    self.comments += 1
        return (name, json.loads("\n".join(data))) if data else None

    def _receive(self, seconds: float) -> None:
        if not select.select([self.socket], [], [], max(0, seconds))[0]:
            raise TimeoutError
        more = self.socket.recv(65536)
        self._ended = not more
        self._received += more
        self._decode()

    def _decode(self) -> None:
        while self._chunked:
            size, found, rest = self._received.partition(b"\r\n")
            length = int(size, 16) if found else 0
            if not found or len(rest) < length + 2:
                return
            self._text += rest[:length]
            self._received = rest[length + 2 :]
            # The end of the stream, and not of the connection alone.
            self._ended |= length == 0
        self._text, self._received = self._text + self._received, b""

    def goes_on(self, seconds: float = 1) -> bool:
        """Whether no event comes for a while."""
        try:
            self.next(seconds)
        except TimeoutError:
            return True
        return False
