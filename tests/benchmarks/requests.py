"""hallpassd behind nginx's auth_request, beside an nginx that answers `return 204`.

    requests.py HALLPASSD

By session, on SQLite; unix sockets and kept connections both; the same page of 1 KiB.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged
from scene import scene

ROUNDS = 7
SECONDS = 2
GOALS = "goals: at least 0.6 x the nginx that does nothing, at most 12 us of hallpassd a request"

NGINX = """
daemon off;
pid {directory}/nginx.pid;
worker_processes 1;
error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {directory}/t1;
    proxy_temp_path {directory}/t2;
    fastcgi_temp_path {directory}/t3;
    uwsgi_temp_path {directory}/t4;
    scgi_temp_path {directory}/t5;
    upstream hallpass {{
        server unix:{directory}/hallpass.sock;
        keepalive 32;
        keepalive_requests 100000000;
    }}
    upstream quiet {{
        server unix:{directory}/quiet.sock;
        keepalive 32;
        keepalive_requests 100000000;
    }}
    upstream nothing {{
        server unix:{directory}/nothing.sock;
        keepalive 32;
        keepalive_requests 100000000;
    }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    server {{ listen unix:{directory}/nothing.sock; return 204; }}
    server {{
        listen {loopback}:{port};
        root {directory}/www;
        location = /_hallpass {{ internal; proxy_pass http://hallpass/auth?basic=0; }}
        location = /_quiet {{ internal; proxy_pass http://quiet/auth?basic=0; }}
        location = /_nothing {{ internal; proxy_pass http://nothing/auth?basic=0; }}
        location /hallpass/ {{ auth_request /_hallpass; }}
        location /quiet/ {{ auth_request /_quiet; }}
        location /nothing/ {{ auth_request /_nothing; }}
    }}
}}
"""


def processor_time(pid: int) -> float:
    """The seconds of processor time a process has used (proc_pid_stat(5), utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wrk(url: str, cookie: str) -> tuple[float, int]:
    """Requests a second, and how many there were."""
    output = subprocess.run(
        ["wrk", "-t1", "-c16", f"-d{SECONDS}s", "-H", f"Cookie: {cookie}", url],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        sys.exit(output)
    rate = re.search(r"Requests/sec:\s*([\d.]+)", output)
    count = re.search(r"(\d+) requests in", output)
    return float(rate[1]), int(count[1])


def main(program: str) -> None:
    with scene() as (directory, site):
        cookie = f"sessionid={1234:032}"
        port = free_port()
        give_away(directory)
        for name in ("hallpass", "quiet", "nothing"):
            page = directory / "www" / name / "page"
            page.parent.mkdir(parents=True)
            page.write_text("x" * 1024)
        (directory / "nginx.conf").write_text(
            NGINX.format(directory=directory, loopback=LOOPBACK, port=port)
        )

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

        nginx = running(
            ["/usr/sbin/nginx", "-e", directory / "error.log", "-p", directory]
            + ["-c", directory / "nginx.conf"],
            directory / "console.log",
            lambda: listening(port),
            **unprivileged(),
        )
        with (
            daemon("hallpass", "info") as logging,
            daemon("quiet", "warning") as quiet,
            nginx as master,
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
