"""hallpass-ejabberd driven as ejabberd drives it: frames in, frames out."""

import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import logs
from programs import HANGS

YES, NO, FAILED = b"\0\2\0\1", b"\0\2\0\0", b"\0\2\0\2"


def frame(message: str | bytes) -> bytes:
    """One request: its length in two bytes, the high one first, and the message."""
    message = message.encode() if isinstance(message, str) else message
    return len(message).to_bytes(2, "big") + message


class Helper:
    """A running hallpass-ejabberd."""

    def __init__(self, process: subprocess.Popen, log: Path):
        self.process, self.log_file = process, log

    def write(self, data: bytes) -> None:
        self.process.stdin.write(data)

    def read(self, size: int) -> bytes:
        """Exactly so many bytes, or those up to the end of its output."""
        data, end = b"", time.monotonic() + HANGS
        while len(data) < size:
            readable, _, _ = select.select([self.process.stdout], [], [], end - time.monotonic())
            assert readable, f"no answer within {HANGS} s, after {data!r}"
            if not (more := os.read(self.process.stdout.fileno(), size - len(data))):
                break
            data += more
        return data

    def ask(self, message: str | bytes) -> bytes:
        """The answer to one request."""
        self.write(frame(message))
        return self.read(4)

    def auth(self, user: str, password: str | bytes, domain: str = "chat.example.org") -> bytes:
        password = password.encode() if isinstance(password, str) else password
        logs.note(password)
        return self.ask(f"auth:{user}:{domain}:".encode() + password)

    def silent(self) -> bool:
        """Whether there is no byte more than was asked for, now."""
        return not select.select([self.process.stdout], [], [], 0)[0]

    def rest(self) -> bytes:
        """Ends its input; what it still writes until it has ended by itself."""
        self.process.stdin.close()
        rest = self.read(1 << 20)
        self.process.wait(HANGS)
        return rest

    def log(self) -> str:
        return self.log_file.read_text(errors="backslashreplace")


@contextmanager
def helper(program: Path, config: Path, log: Path, **options) -> Iterator[Helper]:
    """Runs hallpass-ejabberd; options are those of Popen."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [program, "--config", config],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": output} | options,
            bufsize=0,
        )
    try:
        yield Helper(process, log)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                with suppress(BrokenPipeError):
                    stream.close()
