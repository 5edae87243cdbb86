"""Unix sockets whose server is away, hangs, or answers in bad faith."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from processes import give_away

KINDS = ["absent", "refused", "hung", "full", "hangs-up", "drips", "floods"]


@contextmanager
def hung(path: Path, kind: str) -> Iterator[None]:
    """One of these at `path`, where nothing is, until the end of the block."""
    if kind == "absent":
        yield
        return
    listener, stopped = socket.socket(socket.AF_UNIX), threading.Event()
    with listener:
        listener.bind(str(path))
        give_away(path)
        if kind != "refused":
            listener.listen(0 if kind == "full" else 16)
        waiting = [client(path) for _ in range(8 if kind == "full" else 0)]
        answer = {"hangs-up": _hang_up, "drips": _drip, "floods": _flood}.get(kind)
        thread = threading.Thread(target=_serve, args=(listener, answer, stopped), daemon=True)
        if answer:
            thread.start()
        try:
            yield
        finally:
            stopped.set()
            for one in waiting:
                one.close()
            path.unlink()
            if answer:
                thread.join()


def client(path: Path) -> socket.socket:
    """A connection that waits to be accepted, or to be made."""
    one = socket.socket(socket.AF_UNIX)
    one.setblocking(False)
    with suppress(BlockingIOError):
        one.connect(str(path))
    return one


def _serve(listener, answer, stopped: threading.Event) -> None:
    listener.settimeout(0.1)
    while not stopped.is_set():
        with suppress(TimeoutError):
            accepted, _ = listener.accept()
            with accepted, suppress(OSError):
                accepted.settimeout(1)
                answer(accepted, stopped)


def _hang_up(accepted: socket.socket, _: threading.Event) -> None:
    accepted.close()


def _drip(accepted: socket.socket, stopped: threading.Event) -> None:
    while not stopped.is_set():
        accepted.sendall(b"H")
        time.sleep(0.3)


def _flood(accepted: socket.socket, stopped: threading.Event) -> None:
    while not stopped.is_set():
        accepted.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 65536 + b"\r\n")
