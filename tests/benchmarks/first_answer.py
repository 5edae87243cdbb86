"""From the start of hallpassd to its first answer, beside gunicorn and Django.

    first_answer.py HALLPASSD PYTHON

PYTHON has gunicorn and Django.
"""

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from figures import figure
from hosts import web
from processes import running, unprivileged
from scene import daemon, scene

ROUNDS = 9


def first_answer(start, socket: Path, path: str) -> float:
    """Seconds from `start`, which gives a running server, to the answer at `path`."""
    socket.unlink(missing_ok=True)
    begun = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(start())
        while True:
            try:
                answer = web.ask(socket, path, {"Cookie": f"sessionid={1234:032}"})
                break
            except OSError:
                time.sleep(0.0005)
        assert answer.status == 200, answer
        return time.monotonic() - begun


def main(program: str, python: str, rounds: int = ROUNDS) -> None:
    with scene() as (directory, site):
        # Writes the configuration, and sees that it works.
        with daemon(program, directory, site) as (_, socket):
            pass
        gunicorn_socket = directory / "django.sock"
        commands = {
            "hallpassd": ([directory / "hallpass", "--config", site.directory / "hallpass.toml"],
                          socket, "/auth?basic=0", unprivileged()),
            "gunicorn and Django": ([python, "-m", "gunicorn", "--bind", f"unix:{gunicorn_socket}",
                                     "django.core.wsgi:get_wsgi_application()"],
                                    gunicorn_socket, "/whoami/",
                                    {"env": os.environ | site.environment}),
        }
        took = {name: [] for name in commands}
        for _ in range(rounds):
            for name, (command, at, path, options) in commands.items():
                def start(command=command, options=options):
                    return running(command, directory / "first.log", **options)

                took[name].append(first_answer(start, at, path) * 1000)
        (own, mine), (peer, theirs) = ((name, median(times)) for name, times in took.items())
        figure("start to first answer", (own, mine), (peer, theirs), "ms", less=True,
               goal="within 50 ms")


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:]))
