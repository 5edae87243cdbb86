"""A storm of logins, beside Python's hashlib in as many processes as cores.

    storm.py DIRECTORY-OF-PROGRAMS [ITERATIONS]

Two thousand people log in by 64 connections, each once, while somebody with a session asks `/auth`
again and again: first at hallpassd's `/check`, then at an ejabberd with 32 helpers that ask the
same hallpassd.
"""

import hashlib
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

from figures import QUICK, figure
from hosts import web
from hosts.ejabberd import DOMAIN, ejabberd
from hosts.web import Address
from processes import LOOPBACK, give_away, running, unprivileged
from programs import Programs
from scene import scene

PEOPLE = 64 if QUICK else 2_000
CONNECTIONS = 64
HELPERS = 32  # extauth_pool_size
GOALS = """
goals: at least 10 x hashlib with AVX-512, 4 x with SHA-NI alone; through ejabberd 6 x and 3.5 x; no
login lost, none late, no wrong password granted; the sessions' 99th percentile under 5 x the idle
one"""

# Puts one name and password to a host; whether they are let in, or what it said instead.
LogIn = Callable[[web.Connection, str, str], bool | str]


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


def post(path: str, question: dict) -> bytes:
    body = json.dumps(question).encode()
    headers = [("Content-Length", str(len(body))), ("Content-Type", "application/json")]
    return web.request(path, headers, "POST", body=body)


def at_hallpassd(connection: web.Connection, user: str, password: str) -> bool | str:
    connection.send(post("/check", {"user": user, "password": password}))
    status = connection.answer().status
    return {200: True, 401: False}.get(status, f"status {status}")


def at_ejabberd(connection: web.Connection, user: str, password: str) -> bool | str:
    """By its API: what a client's TLS and XML cost is not the question."""
    question = {"user": user, "host": DOMAIN, "password": password}
    connection.send(post("/api/check_password", question))
    answer = connection.answer()
    return {b"0": True, b"1": False}.get(answer.body.strip(), f"status {answer.status}")


def storm(address: Address, log_in: LogIn) -> tuple[float, Counter]:
    """Everybody logs in at once: seconds, and how often which answer came; every tenth is wrong."""
    answers: Counter = Counter()
    lock = threading.Lock()
    numbers = iter(range(PEOPLE))

    def log_in_by_one_connection() -> None:
        with web.Connection(address) as connection:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                wrong = number % 10 == 0
                password = f"wrong {number}" if wrong else f"password {number}"
                answer = log_in(connection, f"person{number}", password)
                with lock:
                    answers["wrong" if wrong else "right", answer] += 1

    began = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(log_in_by_one_connection) for _ in range(CONNECTIONS)]:
            done.result()
    return time.monotonic() - began, answers


def measure(what: str, socket: Path, address: Address, log_in: LogIn, theirs: float,
            iterations: int) -> None:
    with asking(socket) as idle:
        time.sleep(3)
    with asking(socket) as busy:
        took, answers = storm(address, log_in)
    own = PEOPLE / took
    figure(f"a storm of logins of {iterations:,} iterations", (what, own),
           ("hashlib, a process a core", theirs), "logins/s")
    told = {f"{kind} password: {answer}": count for (kind, answer), count in answers.items()}
    print(f"    answers   {told}")
    ratio = busy.percentile() / idle.percentile()
    print(
        f"    sessions  99th percentile idle {idle.percentile() * 1e3:.2f} ms, "
        f"during the storm {busy.percentile() * 1e3:.2f} ms, ratio {ratio:.1f}"
    )
    if answers["wrong", True]:
        sys.exit("a wrong password was granted")


def main(directory_of_programs: str, iterations: int) -> None:
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
        # Where a user without rights can run them.
        for name in ("hallpassd", "hallpass-ejabberd"):
            copy = directory / name
            copy.write_bytes(Path(directory_of_programs, name).read_bytes())
            copy.chmod(0o755)
        give_away(directory)
        daemon = running(
            [directory / "hallpassd", "--config", config],
            directory / "log",
            socket.exists,
            **unprivileged(),
        )
        host = directory / "ejabberd"
        host.mkdir()
        asks_the_daemon = {
            'database = "sqlite:/srv/shop/db.sqlite3"': (
                f'database = "sqlite:{site.database}"\nvia = "unix:{socket}"\nvia_only = true'
            )
        }
        theirs = hashlib_rate(iterations)
        print(f"\n{PEOPLE} logins of {iterations} iterations by {CONNECTIONS} connections")
        print(f"hashlib    {theirs:10.1f}/s")
        with daemon:
            measure("hallpassd", socket, socket, at_hallpassd, theirs, iterations)
            programs = Programs(directory)
            with ejabberd(host, programs, asks_the_daemon, HELPERS) as server:
                address = (LOOPBACK, server.api_port)
                measure("through ejabberd", socket, address, at_ejabberd, theirs, iterations)
        print(GOALS)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
