"""memcached: on TCP, or on a unix socket."""

import socket
from pathlib import Path

from processes import LOOPBACK

from .server import Server


class Memcached(Server):
    """A server on TCP or, with `unix`, on a socket: it never listens on both. It keeps values of a
    megabyte, or of `largest`."""

    def __init__(self, directory: Path, unix: bool = False, largest: str | None = None):
        super().__init__(directory)
        self.unix = unix
        self.sizes = ["-m", "512", "-I", largest] if largest else ["-m", "32"]

    @property
    def socket(self) -> Path:
        return self.directory / "memcached.sock"

    def command(self) -> list:
        where = ["-l", LOOPBACK, "-p", self.port]
        if self.unix:
            where = ["-s", self.socket, "-a", "0666"]
        return ["/usr/bin/memcached", *map(str, where), "-U", "0", *self.sizes, "-c", "256"]

    def ready(self) -> bool:
        try:
            return self.execute(b"version\r\n").startswith(b"VERSION ")
        except OSError:
            return False

    def execute(self, request: bytes, end: bytes = b"\r\n") -> bytes:
        """The answer to a request of the text protocol, up to its `end`."""
        family = socket.AF_UNIX if self.unix else socket.AF_INET
        with socket.socket(family) as client:
            client.settimeout(20)
            client.connect(str(self.socket) if self.unix else (LOOPBACK, self.port))
            client.sendall(request)
            answer = b""
            while not answer.endswith(end):
                if not (more := client.recv(65536)):
                    raise OSError("the server hung up")
                answer += more
        return answer

    def read(self, key: str) -> tuple[int, bytes]:
        """The flags and the bytes of a value."""
        head, _, rest = self.execute(b"get %b\r\n" % key.encode(), b"END\r\n").partition(b"\r\n")
        _, _, flags, size = head.split()
        return int(flags), rest[: int(size)]

    def write(self, key: str, flags: int, value: bytes, seconds: int = 600) -> None:
        head = b"set %b %d %d %d\r\n" % (key.encode(), flags, seconds, len(value))
        assert self.execute(head + value + b"\r\n") == b"STORED\r\n"

    @property
    def location(self) -> str:
        """As Django's CACHES has it."""
        return f"unix:{self.socket}" if self.unix else f"{LOOPBACK}:{self.port}"
