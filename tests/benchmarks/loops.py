"""Requests a second of hallpassd on two cores, beside those on one: an event loop a core.

    loops.py HALLPASSD LOAD

One session, as many as the site has, and one that it does not know. Those who ask run on the same
cores, unless the machine has others for them.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from figures import figure
from proc import processor_time
from scene import ACCOUNTS, daemon, load, scene

ROUNDS = 7
SECONDS = 1.5
GOAL = "at least 1.8"
SESSIONS = {"one session": 1, f"{ACCOUNTS} sessions": ACCOUNTS}


def pinned(cores: list[int]) -> list[str]:
    return ["taskset", "-c", ",".join(map(str, cores))]


def main(program: str, client: str, seconds: float = SECONDS, rounds: int = ROUNDS) -> None:
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
        for what, sessions in SESSIONS.items():
            rates = {1: [], 2: []}
            costs = {1: [], 2: []}
            for round_number in range(rounds + 1):
                for count, (pid, socket) in daemons.items():
                    begun = processor_time(pid)
                    before = pinned(spare or cores[:count])

                    def ask(_, socket=socket, before=before, sessions=sessions):
                        return load(client, f"unix:{socket}", "/auth?basic=0", seconds=seconds,
                                    sessions=sessions, before=before)[0]

                    with ThreadPoolExecutor(2) as pool:
                        rate = sum(pool.map(ask, range(2)))
                    if round_number:  # The first is to warm up.
                        rates[count].append(rate)
                        costs[count].append((processor_time(pid) - begun) / rate / seconds * 1e6)
            ratio = median(b / a for a, b in zip(*rates.values(), strict=True))
            figure(f"/auth on two cores, {what}", ("two cores", median(rates[2])),
                   ("one core", median(rates[1])), "requests/s", goal=GOAL, ratio=ratio)
            print(f"    hallpassd's own: {median(costs[1]):.1f} us a request on one core, "
                  f"{median(costs[2]):.1f} us on two")


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(float, sys.argv[3:4]), *map(int, sys.argv[4:5]))
