"""One run of `hallpass-apache auth`, whole process, beside /bin/true, a script, and Django's own check.

    start_up.py SPAWN HELPER

The password's hash has one iteration, so that what is measured is everything else.
"""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from django_site import python_of
from figures import figure, rounds
from scene import PASSWORD, USER, scene

# Each peer takes turns with the helper alone: what a script of some 10 MB leaves in the processor's
# caches is no part of what the others cost.
ROUNDS = {"/bin/true": rounds(501), "Python script": rounds(51), "Django script": rounds(9)}
GOALS = {"/bin/true": "at least 0.67", "Python script": "at least 20"}
DJANGO = """
import sys, django
django.setup()
from django.contrib.auth import authenticate
name, password = sys.stdin.read().split()
sys.exit(authenticate(username=name, password=password) is None)
"""


def main(spawn: str, helper: str) -> None:
    with scene() as (directory, site):
        config = site.write_configuration(log={"level": "error"})
        question = directory / "question"
        question.write_text(f"{USER}\n{PASSWORD}\n")
        script = Path(__file__).with_name("script.py")
        own = [helper, "auth", "--config", str(config)]
        peers = {
            "/bin/true": ["/bin/true"],
            "Python script": ["/usr/bin/python3", str(script), str(site.database)],
            "Django script": [str(python_of(site.version)), "-c", DJANGO],
        }
        os.environ.update(site.environment)
        print(f"\n{'medians':34} wall us     CPU us     RSS KiB")
        for name, command in peers.items():
            rounds = ROUNDS[name]
            ours, theirs = measure([spawn, str(rounds), question, *own, "--", *command])
            print(f"hallpass-apache, {rounds:3} rounds       " + line(ours))
            print(f"{name:34}" + line(theirs))
            figure("a helper that is started for each request", ("hallpass-apache", ours[0] / 1000),
                   (name, theirs[0] / 1000), "ms", less=True, goal=GOALS.get(name, ""))


def line(figures: tuple[float, float, int]) -> str:
    wall, processor, resident = figures
    return f"{wall:8.0f} {processor:10.0f} {resident:11}"


def measure(command: list) -> list[tuple[float, float, int]]:
    """Of each of two commands: median wall and processor time in us, greatest RSS in KiB."""
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    runs = [[], []]
    for text in output.splitlines():
        number, wall, processor, resident, code = map(int, text.split())
        if code != 0:
            sys.exit(f"command {number} ended with {code}")
        runs[number].append((wall / 1000, processor, resident))
    return [
        (median(wall), median(processor), max(resident))
        for wall, processor, resident in (zip(*measured, strict=True) for measured in runs)
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
