"""nginx asking hallpassd by session, beside nginx asking gunicorn and a Django view.

    beside_gunicorn.py HALLPASSD

The view reads `request.user`; the sessions are in SQLite; both are asked over a unix socket.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

from django_site import python_of
from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged
from scene import scene

ROUNDS = 5
SECONDS = 2
NAMES = {"hallpass": "hallpassd", "django": "gunicorn, 2 workers, and Django"}
GOAL = 25

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
    upstream django {{ server unix:{directory}/django.sock; }}
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    server {{
        listen {loopback}:{port};
        root {directory}/www;
        location = /_hallpass {{ internal; proxy_pass http://hallpass/auth?basic=0; }}
        location = /_django {{ internal; proxy_pass http://django/whoami/; }}
        location /hallpass/ {{ auth_request /_hallpass; }}
        location /django/ {{ auth_request /_django; }}
    }}
}}
"""


def wrk(url: str, cookie: str) -> float:
    """Requests a second, all of them answered 200."""
    output = subprocess.run(
        ["wrk", "-t1", "-c16", f"-d{SECONDS}s", "-H", f"Cookie: {cookie}", url],
        check=True, capture_output=True, text=True,
    ).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        sys.exit(output)
    return float(re.search(r"Requests/sec:\s*([\d.]+)", output)[1])


def main(program: str) -> None:
    with scene() as (directory, site):
        port = free_port()
        for name in NAMES:
            page = directory / "www" / name / "page"
            page.parent.mkdir(parents=True)
            page.write_text("x" * 1024)
        (directory / "nginx.conf").write_text(
            NGINX.format(directory=directory, loopback=LOOPBACK, port=port)
        )
        socket = directory / "hallpass.sock"
        config = site.write_configuration(
            daemon={"listen": [f"unix:{socket}"]}, log={"level": "warning"}
        )
        copy = directory / "hallpassd"
        copy.write_bytes(Path(program).read_bytes())
        copy.chmod(0o755)
        for path in (directory, site.directory, site.database):
            give_away(path)
        gunicorn = [python_of(site.version), "-m", "gunicorn", "--workers", "2", "--bind",
                    f"unix:{directory}/django.sock", "django.core.wsgi:get_wsgi_application()"]
        nginx = ["/usr/sbin/nginx", "-e", directory / "error.log", "-p", directory]
        with (
            running([copy, "--config", config], directory / "log", socket.exists,
                    **unprivileged()),
            running(gunicorn, directory / "gunicorn.log", (directory / "django.sock").exists,
                    env=os.environ | site.environment),
            running([*nginx, "-c", directory / "nginx.conf"], directory / "console.log",
                    lambda: listening(port)),
        ):
            measure(f"http://{LOOPBACK}:{port}", f"sessionid={1234:032}")


def measure(url: str, cookie: str) -> None:
    rates: dict[str, list[float]] = {name: [] for name in NAMES}
    for round_number in range(ROUNDS + 1):
        for name in NAMES:
            rate = wrk(f"{url}/{name}/page", cookie)
            if round_number:  # The first is to warm up.
                rates[name].append(rate)
    print(f"\n{ROUNDS} rounds of {SECONDS} s, medians    requests/s")
    for name, title in NAMES.items():
        print(f"{title:31} {median(rates[name]):13.0f}")
    ratio = median(a / b for a, b in zip(*rates.values(), strict=True))
    print(f"ratio: {ratio:.1f} (goal: at least {GOAL})")


if __name__ == "__main__":
    main(*sys.argv[1:])
