"""Listeners that are no store: silent ones, rude ones, and ones that talk nonsense."""

import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from processes import LOOPBACK

GARBAGE = random.Random(1).randbytes(70_000)

# What a listener does with a connection that it has accepted.
Behaviour = Callable[[socket.socket], None]


def silent(client: socket.socket) -> None:
    """Reads all, answers nothing, and never hangs up."""
    while client.recv(65536):
        pass


def hangs_up(client: socket.socket) -> None:
    """Hangs up at once."""


def talks_garbage(client: socket.socket) -> None:
    """Says what no protocol says, at once and after each request."""
    client.sendall(GARBAGE)
    while client.recv(65536):
        client.sendall(GARBAGE)


def answers_garbage(client: socket.socket) -> None:
    """Says what no protocol says, but waits for the request."""
    while client.recv(65536):
        client.sendall(GARBAGE)


def echoes(client: socket.socket) -> None:
    """Answers each request with the request."""
    while request := client.recv(65536):
        client.sendall(request)


def talks_for_ever(client: socket.socket) -> None:
    """Never comes to the end of its answer, a byte at a time."""
    stop = threading.Event()
    while not stop.wait(0.05):
        client.sendall(b"1")


def speaks_http(client: socket.socket) -> None:
    """Is a web server, at the wrong port."""
    client.recv(65536)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


BEHAVIOURS = [
    silent,
    hangs_up,
    talks_garbage,
    answers_garbage,
    echoes,
    talks_for_ever,
    speaks_http,
]


@contextmanager
def listener(behaviour: Behaviour, port: int = 0) -> Iterator[int]:
    """Treats each connection to a loopback port so; the port, a free one unless told."""
    clients: set[socket.socket] = set()

    def serve(client: socket.socket) -> None:
        with suppress(OSError):
            behaviour(client)
        client.close()

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                clients.add(client)
                threading.Thread(target=serve, args=[client], daemon=True).start()

    with socket.create_server((LOOPBACK, port)) as server:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            _end(server)
            for client in clients:
                _end(client)
            thread.join()


@contextmanager
def full_listener() -> Iterator[int]:
    """A port whose queue of connections is full, so that connecting to it takes for ever."""
    with socket.create_server((LOOPBACK, 0), backlog=0) as server:
        port = server.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex((LOOPBACK, port))
        try:
            yield port
        finally:
            for client in waiting:
                client.close()


def _end(connection: socket.socket) -> None:
    """Wakes whoever waits for it in another thread, which closing alone does not."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
