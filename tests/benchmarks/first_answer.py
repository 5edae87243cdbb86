"""From the start of hallpassd to its first answer, and the size of what is installed, beside gunicorn
and Django.

    first_answer.py HALLPASSD PYTHON HALLPASS

PYTHON has gunicorn and Django; HALLPASS is the file that the package installs under every name.
"""

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from figures import figure, rounds
from processes import running, unprivileged
from scene import answers, daemon, scene

ROUNDS = rounds(9)
MIB = 1024 * 1024
# The bytes of the files of packages and of all that these require.
SIZE = """
import re, sys
from importlib.metadata import distribution
seen, todo = {}, sys.argv[1:]
while todo:
    name = todo.pop().lower()
    if name not in seen:
        found = distribution(name)
        paths = (path.locate() for path in found.files)
        seen[name] = sum(path.stat().st_size for path in paths if path.exists())
        todo += [re.match(r"[\\w.-]+", each)[0] for each in found.requires or () if ";" not in each]
print(sum(seen.values()))
"""


def first_answer(start, socket: Path, path: str) -> float:
    """Seconds from `start`, which gives a running server, to the answer at `path`."""
    socket.unlink(missing_ok=True)
    begun = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(start())
        while not answers(socket, path):
            time.sleep(0.0005)
        return time.monotonic() - begun


def packages(python: str, *names: str) -> int:
    """Without Python itself."""
    done = subprocess.run([python, "-c", SIZE, *names], check=True, capture_output=True, text=True)
    return int(done.stdout)


def main(program: str, python: str, installed: str) -> None:
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
        for _ in range(ROUNDS):
            for name, (command, at, path, options) in commands.items():
                def start(command=command, options=options):
                    return running(command, directory / "first.log", **options)

                took[name].append(first_answer(start, at, path) * 1000)
        (own, mine), (peer, theirs) = ((name, median(times)) for name, times in took.items())
        figure("start to first answer", (own, mine), (peer, theirs), "ms", less=True,
               goal="within 50 ms")
    size = Path(installed).stat().st_size
    figure("installed size", ("all programs", size / MIB),
           ("gunicorn, Django and what they need", packages(python, "gunicorn", "django") / MIB),
           "MiB", less=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
