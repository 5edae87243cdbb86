"""A storm of logins at hallpassd, beside Python's hashlib in as many processes as cores.

    storm.py HALLPASSD [ITERATIONS]

Two thousand people log in by 64 connections that ask `/check`, each once, while somebody with a
session asks `/auth` again and again.
"""

import hashlib
import json
import os
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

from hosts import web
from processes import give_away, running, unprivileged
from scene import USER, scene

PEOPLE = 2_000
CONNECTIONS = 64
GOALS = """goals: at least 10 x hashlib with AVX-512, 4 x with SHA-NI alone; no login lost, none late, no
wrong password granted; the sessions' 99th percentile under 5 x the idle one"""


def derive(arguments: tuple[str, int]) -> None:
    password, iterations = arguments
    hashlib.pbkdf2_hmac("sha256", password.encode(), b"salt", iterations)


def hashlib_rate(iterations: int) -> float:
    """Checks a second with Django's own means."""
    cores = len(os.sched_getaffinity(0))
    count = max(cores, min(PEOPLE, 40_000_000 // iterations))
    with ProcessPoolExecutor(cores) as pool:
        list(pool.map(derive, [("warm up", 1000)] * cores))
        began = time.monotonic()
        list(pool.map(derive, [(f"password {n}", iterations) for n in range(count)]))
        return count / (time.monotonic() - began)


class Sessions(threading.Thread):
    """Somebody who asks by a session, and how long each answer took."""

    def __init__(self, socket: Path):
        super().__init__()
        self.socket, self.ended, self.took = socket, threading.Event(), []

    def run(self) -> None:
        request = web.request("/auth", {"Cookie": f"sessionid={1234:032}"})
        with web.Connection(self.socket) as connection:
            while not self.ended.wait(0.002):
                began = time.monotonic()
                connection.send(request)
                assert connection.answer().status == 200
                self.took.append(time.monotonic() - began)

    def percentile(self) -> float:
        return quantiles(self.took, n=100)[98]


@contextmanager
def asking(socket: Path):
    sessions = Sessions(socket)
    sessions.start()
    try:
        yield sessions
    finally:
        sessions.ended.set()
        sessions.join()


def storm(socket: Path) -> tuple[float, dict]:
    """Everybody logs in at once: seconds, and how often which answer came; every tenth is wrong."""
    answers: dict = {}
    lock = threading.Lock()
    numbers = iter(range(PEOPLE))

    def log_in() -> None:
        with web.Connection(socket) as connection:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                wrong = number % 10 == 0
                password = f"wrong {number}" if wrong else f"password {number}"
                body = json.dumps({"user": f"person{number}", "password": password}).encode()
                headers = [("Content-Length", str(len(body)))]
                connection.send(web.request("/check", headers, "POST", body=body))
                status = connection.answer().status
                with lock:
                    key = ("wrong" if wrong else "right", status)
                    answers[key] = answers.get(key, 0) + 1

    began = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(log_in) for _ in range(CONNECTIONS)]:
            done.result()
    return time.monotonic() - began, answers


def main(program: str, iterations: int) -> None:
    with scene() as (directory, site):
        site.shell(
            """
import hashlib, base64
def encoded(n):
    key = hashlib.pbkdf2_hmac("sha256", f"password {n}".encode(), b"salt", iterations)
    return f"pbkdf2_sha256${iterations}$salt${base64.b64encode(key).decode()}"
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor() as pool:
    hashes = list(pool.map(encoded, range(people)))
User.objects.bulk_create(
    User(username=f"person{n}", password=each) for n, each in enumerate(hashes)
)
""",
            iterations=iterations,
            people=PEOPLE,
        )
        socket = directory / "http.sock"
        config = site.write_configuration(
            "storm.toml",
            daemon={"listen": [f"unix:{socket}"], "verified_cache": "0s"},
            limits={"failures": 0},
            log={"level": "warning"},
        )
        copy = directory / "hallpassd"
        copy.write_bytes(Path(program).read_bytes())
        copy.chmod(0o755)
        give_away(directory)
        daemon = running(
            [copy, "--config", config], directory / "log", socket.exists, **unprivileged()
        )
        with daemon:
            with asking(socket) as idle:
                time.sleep(3)
            with asking(socket) as busy:
                took, answers = storm(socket)
        own, theirs = PEOPLE / took, hashlib_rate(iterations)
        print(f"\n{PEOPLE} logins of {iterations} iterations by {CONNECTIONS} connections")
        print(f"hallpassd {own:10.1f}/s")
        print(f"hashlib   {theirs:10.1f}/s  ratio {own / theirs:.1f}")
        print(f"answers   {answers}")
        ratio = busy.percentile() / idle.percentile()
        print(
            f"sessions  99th percentile idle {idle.percentile() * 1e3:.2f} ms, "
            f"during the storm {busy.percentile() * 1e3:.2f} ms, ratio {ratio:.1f}"
        )
        print(GOALS)
        if answers.get(("wrong", 200)):
            sys.exit("a wrong password was granted")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
