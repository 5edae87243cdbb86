"""Requests a second of hallpassd on two cores, beside those on one: an event loop a core.

    loops.py HALLPASSD LOAD

One session, and as many as the site has, which is more than a loop remembers. The clients run on the
same cores, unless the machine has others for them.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from figures import QUICK, figure, rounds, seconds
from proc import processor_time
from scene import ACCOUNTS, daemon, load, scene

ROUNDS, SECONDS = rounds(7), seconds(1.5)
GOAL = "at least 1.8"
SESSIONS = {"one session": 1, f"{ACCOUNTS:,} sessions": ACCOUNTS}


def pinned(cores: list[int]) -> list[str]:
    return ["taskset", "-c", ",".join(map(str, cores))]


def main(program: str, client: str) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("one core has no other to be compared with")
    spare = cores[2:4] if len(cores) >= 4 else []
    with (
        scene() as (directory, site),
        daemon(program, directory, site, *pinned(cores[:1]), name="one") as (one, at_one),
        daemon(program, directory, site, *pinned(cores[:2]), name="two") as (two, at_two),
    ):
        daemons = {1: (one.pid, at_one), 2: (two.pid, at_two)}

        def ask(count: int, sessions: int) -> float:
            """Requests a second of the daemon on so many cores."""
            before = pinned(spare or cores[:count])
            with ThreadPoolExecutor(2) as pool:
                return sum(pool.map(
                    lambda _: load(client, f"unix:{daemons[count][1]}", "/auth?basic=0",
                                   seconds=SECONDS, sessions=sessions, before=before)[0],
                    range(2),
                ))

        for what, sessions in SESSIONS.items():
            for count in daemons:
                # Until each loop has seen all sessions.
                asked = 0.0
                while asked < (1 if QUICK else 8 * sessions):
                    asked += ask(count, sessions) * SECONDS
            rates = {1: [], 2: []}
            costs = {1: [], 2: []}
            for _ in range(ROUNDS):
                for count, (pid, _socket) in daemons.items():
                    begun = processor_time(pid)
                    rate = ask(count, sessions)
                    rates[count].append(rate)
                    costs[count].append((processor_time(pid) - begun) / rate / SECONDS * 1e6)
            ratio = median(b / a for a, b in zip(*rates.values(), strict=True))
            figure(f"/auth on two cores, {what}", ("two cores", median(rates[2])),
                   ("one core", median(rates[1])), "requests/s", goal=GOAL, ratio=ratio)
            # Which other work on the machine shows less in.
            print(f"    processor time of hallpassd: {median(costs[1]):.1f} us a request on one core, "
                  f"{median(costs[2]):.1f} us on two")


if __name__ == "__main__":
    main(*sys.argv[1:])
