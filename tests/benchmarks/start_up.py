"""One run of `hallpass-apache auth`, whole process, beside /bin/true and beside a script.

    start_up.py SPAWN HELPER

The password's hash has one iteration, so that what is measured is everything else.
"""

import subprocess
import sys
from pathlib import Path
from statistics import median

from scene import PASSWORD, USER, scene

ROUNDS = 101
GOALS = "goals: at most 1.5 x /bin/true, at least 20 x faster than the script, below 4 MB"


def main(spawn: str, helper: str) -> None:
    with scene() as (directory, site):
        config = site.write_configuration(log={"level": "error"})
        question = directory / "question"
        question.write_text(f"{USER}\n{PASSWORD}\n")
        script = Path(__file__).with_name("script.py")
        commands = {
            "/bin/true": ["/bin/true"],
            "hallpass-apache": [helper, "auth", "--config", str(config)],
            "Python script": ["/usr/bin/python3", str(script), str(site.database)],
        }
        words = [word for command in commands.values() for word in ["--", *command]][1:]
        lines = subprocess.run(
            [spawn, str(ROUNDS), question, *words], check=True, capture_output=True, text=True
        ).stdout.splitlines()
    runs = [[] for _ in commands]
    for line in lines:
        number, wall, processor, resident, code = map(int, line.split())
        if code != 0:
            sys.exit(f"{list(commands)[number]} ended with {code}")
        runs[number].append((wall / 1000, processor, resident))
    print(f"\n{ROUNDS} rounds, medians       wall us     CPU us     RSS KiB")
    medians = {}
    for name, measured in zip(commands, runs, strict=True):
        wall, processor, resident = (median(column) for column in zip(*measured, strict=True))
        medians[name] = (wall, processor)
        print(f"{name:24} {wall:12.0f} {processor:10.0f} {max(m[2] for m in measured):11}")
    helper_costs = medians["hallpass-apache"]
    for what, index in (("wall", 0), ("CPU", 1)):
        true, script_cost = medians["/bin/true"][index], medians["Python script"][index]
        print(
            f"{what:4} hallpass-apache / /bin/true: {helper_costs[index] / true:.2f}, "
            f"script / hallpass-apache: {script_cost / helper_costs[index]:.1f}"
        )
    print(GOALS)


if __name__ == "__main__":
    main(*sys.argv[1:])
