"""nginx asking hallpassd by session, beside nginx asking gunicorn and a Django view.

    beside_gunicorn.py HALLPASSD

The view reads `request.user`; the sessions are in SQLite; both are asked over a unix socket.
"""

import os
import sys
from pathlib import Path
from statistics import median

from behind_nginx import SECONDS, nginx, wrk
from django_site import python_of
from processes import LOOPBACK, free_port, give_away, running, unprivileged
from scene import scene

ROUNDS = 5
NAMES = {"hallpass": "hallpassd", "django": "gunicorn, 2 workers, and Django"}
GOAL = 25


def main(program: str) -> None:
    with scene() as (directory, site):
        port = free_port()
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
        asked = {"hallpass": "/auth?basic=0", "django": "/whoami/"}
        with (
            running([copy, "--config", config], directory / "log", socket.exists,
                    **unprivileged()),
            running(gunicorn, directory / "gunicorn.log", (directory / "django.sock").exists,
                    env=os.environ | site.environment),
            nginx(directory, port, asked, closing=["django"]),
        ):
            measure(f"http://{LOOPBACK}:{port}", f"sessionid={1234:032}")


def measure(url: str, cookie: str) -> None:
    rates: dict[str, list[float]] = {name: [] for name in NAMES}
    for round_number in range(ROUNDS + 1):
        for name in NAMES:
            rate, _ = wrk(f"{url}/{name}/page", cookie)
            if round_number:  # The first is to warm up.
                rates[name].append(rate)
    print(f"\n{ROUNDS} rounds of {SECONDS} s, medians    requests/s")
    for name, title in NAMES.items():
        print(f"{title:31} {median(rates[name]):13.0f}")
    ratio = median(a / b for a, b in zip(*rates.values(), strict=True))
    print(f"ratio: {ratio:.1f} (goal: at least {GOAL})")


if __name__ == "__main__":
    main(*sys.argv[1:])
