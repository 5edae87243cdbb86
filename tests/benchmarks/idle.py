"""The memory of hallpassd at rest, and of ten thousand idle kept connections, beside nginx and Django.

    idle.py HALLPASSD PYTHON

Each connection has asked `/auth` once. PYTHON has gunicorn and Django. Memory is what the processes
hold of their own, plus their share of what they hold together (PSS).
"""

import os
import re
import resource
import socket
import sys
import time
from pathlib import Path

from behind_nginx import nginx
from figures import QUICK, figure
from hosts import web
from processes import LOOPBACK, free_port, give_away, running, unprivileged
from proc import children
from scene import answers, daemon, scene

# More than a listener of hallpassd takes: it has several.
CONNECTIONS = 500 if QUICK else 10_000
LISTENERS = 4
KIB, MIB = 1024, 1024 * 1024


def memory(*pids: int) -> int:
    """Bytes."""
    rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids)
    return sum(int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) * KIB for text in rollups)


def kept(addresses: list, path: str, count: int) -> list[web.Connection]:
    """So many connections, each of which has had an answer."""
    request = web.request(path, {"Cookie": f"sessionid={1234:032}"})
    connections = []
    for number in range(count):
        connection = web.Connection(addresses[number % len(addresses)])
        connection.send(request)
        status = connection.answer().status
        assert status in (200, 204), status
        connections.append(connection)
    # Until both have put away what they need for a request alone.
    time.sleep(1)
    return connections


def per_connection(addresses: list, path: str, count: int, *pids: int) -> float:
    """The bytes that the processes hold more for each of so many connections."""
    # What the first requests need is not the connections'.
    for connection in kept(addresses, path, 64):
        connection.__exit__()
    before = memory(*pids)
    connections = kept(addresses, path, count)
    result = (memory(*pids) - before) / count
    for connection in connections:
        connection.__exit__()
    return result


def main(program: str, python: str) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with scene() as (directory, site):
        more = [f"unix:{directory}/more{number}.sock" for number in range(LISTENERS - 1)]
        peer = free_port()
        nothing = f"server {{ listen {LOOPBACK}:{peer}; keepalive_timeout 1h; return 204; }}"
        gunicorn = [python, "-m", "gunicorn", "--workers", "2", "--bind",
                    f"unix:{directory}/django.sock", "django.core.wsgi:get_wsgi_application()"]
        with (
            daemon(program, directory, site, listen=more) as (process, socket_path),
            nginx(directory, free_port(), {}, servers=nothing, connections=2 * CONNECTIONS,
                  **unprivileged()) as master,
            running(gunicorn, directory / "gunicorn.log",
                    lambda: answers(directory / "django.sock", "/whoami/"), env=os.environ | site.environment) as django,
        ):
            paths = [socket_path, *(Path(each.removeprefix("unix:")) for each in more)]
            web.ask(socket_path, "/auth", {"Cookie": f"sessionid={1234:032}"})
            for _ in range(16):
                web.ask(directory / "django.sock", "/whoami/", {"Cookie": f"sessionid={1234:032}"})
            figure("memory at rest", ("hallpassd", memory(process.pid) / MIB),
                   ("gunicorn, 2 workers, and Django", memory(django.pid, *children(django.pid)) / MIB),
                   "MiB", less=True, goal="below 10 MiB")
            own_memory = per_connection(paths, "/auth?basic=0", CONNECTIONS, process.pid)
            theirs = per_connection([(LOOPBACK, peer)], "/", CONNECTIONS, *children(master.pid))
            figure("memory of an idle kept connection", ("hallpassd", own_memory / KIB),
                   ("nginx, return 204", theirs / KIB), "KiB", less=True, goal="at most 8 KiB")
            time.sleep(2)
            print(f"    after {CONNECTIONS:,} connections: {memory(process.pid) / MIB:.1f} MiB")


if __name__ == "__main__":
    main(*sys.argv[1:])
