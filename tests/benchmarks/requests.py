"""hallpassd behind nginx's auth_request, beside an nginx that answers `return 204`.

    requests.py HALLPASSD

By session, on SQLite; unix sockets and kept connections both; the same page of 1 KiB.
"""

import os
import sys
from pathlib import Path
from statistics import median

from behind_nginx import SECONDS, nginx, wrk
from processes import LOOPBACK, free_port, give_away, running, unprivileged
from scene import scene

ROUNDS = 7
GOALS = "goals: at least 0.6 x the nginx that does nothing, at most 12 us of hallpassd a request"

def processor_time(pid: int) -> float:
    """The seconds of processor time a process has used (proc_pid_stat(5), utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(program: str) -> None:
    with scene() as (directory, site):
        cookie = f"sessionid={1234:032}"
        port = free_port()
        give_away(directory)
        def daemon(name: str, level: str):
            socket = directory / f"{name}.sock"
            config = site.write_configuration(
                f"{name}.toml", daemon={"listen": [f"unix:{socket}"]}, log={"level": level}
            )
            copy = directory / name
            copy.write_bytes(Path(program).read_bytes())
            copy.chmod(0o755)
            return running(
                [copy, "--config", config],
                directory / f"{name}.log",
                socket.exists,
                **unprivileged(),
            )

        nothing = f"server {{ listen unix:{directory}/nothing.sock; return 204; }}"
        asked = {"hallpass": "/auth?basic=0", "quiet": "/auth?basic=0", "nothing": ""}
        front = nginx(directory, port, asked, servers=nothing, **unprivileged())
        with (
            daemon("hallpass", "info") as logging,
            daemon("quiet", "warning") as quiet,
            front as master,
        ):
            # For a yardstick: what nginx itself needs on this machine to answer twice, once as
            # the front and once as the one that is asked.
            children = Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text()
            processes = {"nothing": int(children), "hallpass": logging.pid, "quiet": quiet.pid}
            measure(f"http://{LOOPBACK}:{port}", cookie, processes)


def measure(url: str, cookie: str, processes: dict[str, int]) -> None:
    names = {
        "nothing": "nginx, return 204",
        "hallpass": "hallpassd, a line of log each",
        "quiet": "hallpassd, level warning",
    }
    rates = {name: [] for name in names}
    costs = {name: [] for name in names}
    for round_number in range(ROUNDS + 1):
        for name in names:
            before = processor_time(processes[name])
            rate, count = wrk(f"{url}/{name}/page", cookie)
            if round_number == 0:
                continue  # To warm up.
            rates[name].append(rate)
            costs[name].append((processor_time(processes[name]) - before) / count * 1e6)
    print(f"\n{ROUNDS} rounds of {SECONDS} s, medians    requests/s    / nginx    CPU us/request")
    for name, title in names.items():
        ratios = [own / bare for own, bare in zip(rates[name], rates["nothing"], strict=True)]
        cost = median(costs[name])
        print(f"{title:31} {median(rates[name]):13.0f} {median(ratios):10.2f} {cost:17.1f}")
    print(GOALS)


if __name__ == "__main__":
    main(*sys.argv[1:])
