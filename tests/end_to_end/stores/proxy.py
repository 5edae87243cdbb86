"""A TCP proxy that cuts, freezes, delays or changes what passes through it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from processes import LOOPBACK


class Proxy:
    """Passes bytes between its own port and a server's, as long as it is let."""

    def __init__(self, port_of_server: int, host: str):
        self.port_of_server = port_of_server
        # How many bytes of each new connection pass towards the server and towards the
        # client; None for all. What comes then is cut off, or waits for ever.
        self.request_limit: int | None = None
        self.answer_limit: int | None = None
        self.at_limit = "cut"
        # What becomes of a piece of an answer, on which of the connections, counted from 1.
        self.change: Callable[[int, bytes], bytes] = lambda _connection, piece: piece
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._refusing = False
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = socket.create_server((host, 0), family=family)
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Cuts every connection there is."""
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            _end(connection)

    def refuse(self, refusing: bool = True) -> None:
        """Hangs up on everybody, from now on."""
        self._refusing = refusing
        if refusing:
            self.cut()

    def freeze(self) -> None:
        """Connections stay, new ones are taken, and nothing passes."""
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def close(self) -> None:
        _end(self._server)
        self._thread.join()
        self._server.close()
        self._flowing.set()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self.connections += 1
                if self._refusing:
                    client.close()
                    continue
                try:
                    server = socket.create_connection((LOOPBACK, self.port_of_server))
                except OSError:
                    client.close()
                    continue
                with self._lock:
                    self._open |= {client, server}
                change = partial(self.change, self.connections)
                for source, target, limit, changed in (
                    (client, server, self.request_limit, bytes),
                    (server, client, self.answer_limit, change),
                ):
                    arguments = [source, target, limit, self.at_limit, changed]
                    threading.Thread(target=self._pump, args=arguments, daemon=True).start()

    def _pump(
        self,
        source: socket.socket,
        target: socket.socket,
        limit: int | None,
        at_limit: str,
        change: Callable[[bytes], bytes],
    ) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                self._flowing.wait()
                piece = change(piece)
                if limit is None:
                    target.sendall(piece)
                    continue
                target.sendall(piece[:limit])
                limit = max(0, limit - len(piece))
                if limit == 0:
                    # Until the client gives up.
                    while at_limit == "wait" and source.recv(65536):
                        pass
                    break
        for connection in (source, target):
            _end(connection)


@contextmanager
def proxy(port_of_server: int, host: str = LOOPBACK) -> Iterator[Proxy]:
    """A proxy of a server on this machine, until the end of the block."""
    it = Proxy(port_of_server, host)
    try:
        yield it
    finally:
        it.close()


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
