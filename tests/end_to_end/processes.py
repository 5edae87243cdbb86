"""Starting and stopping the real servers: nothing outlives the tests."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None)


class NotReady(AssertionError):
    """A server ended, or did not answer in time."""


def unprivileged() -> dict:
    """Arguments of Popen by which a host runs as `nobody` when the tests run as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": "nogroup", "extra_groups": []}


def give_away(path: Path) -> Path:
    """Makes `path` the unprivileged user's own, where there is one to give it to."""
    if os.geteuid() == 0:
        import grp
        import pwd

        os.chown(path, pwd.getpwnam("nobody").pw_uid, grp.getgrnam("nogroup").gr_gid)
    return path


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return listener.getsockname()[1]


def listening(port: int) -> bool:
    """Whether somebody accepts connections on this loopback port."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((LOOPBACK, port)) == 0


def eventually(ready: Callable[[], object], what: str, seconds: float = 60) -> object:
    """The first true answer of `ready`, asked again and again for at most `seconds`."""
    end = time.monotonic() + seconds
    while not (answer := ready()):
        if time.monotonic() > end:
            raise NotReady(f"{what}: not within {seconds} s")
        time.sleep(0.02)
    return answer


@contextmanager
def running(
    command: list,
    log: Path,
    ready: Callable[[], object] = lambda: True,
    seconds: float = 60,
    **options,
):
    """A server in a session of its own, from when it is `ready` to the end of the block.

    Its output goes to the file `log`, whose end is shown when it fails to start. `options`
    are those of Popen, such as `**unprivileged()`, `env`, `cwd` and `stdin`.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [os.fspath(word) for word in command],
            **{"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output} | options,
            start_new_session=True,
            # Not even SIGKILL of the tests leaves a server behind.
            preexec_fn=lambda: _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
        )

    def ready_or_dead():
        if process.poll() is not None:
            raise NotReady(f"{command[0]} ended with {process.returncode}")
        return ready()

    try:
        try:
            eventually(ready_or_dead, f"{command[0]} is ready", seconds)
        except NotReady as error:
            raise NotReady(f"{error}\n{log.read_text(errors='replace')[-4000:]}") from None
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen, seconds: float = 10) -> None:
    """Ends a process started by `running` and every process of its group."""
    # Once it has been waited for, its number may be somebody else's.
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        # Not waited for before the group is killed: until then the number stays its own.
        with suppress(NotReady):
            eventually(lambda: os.waitid(
                os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT
            ), "ending", seconds)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            with suppress(BrokenPipeError):
                stream.close()
