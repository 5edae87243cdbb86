"""What watching sessions costs, and how soon a logout arrives.

    watching.py HALLPASSD [STREAMS [ROWS [STORE...]]]

A Django site has ROWS sessions (1,000,000; in a cache as many as streams), of which STREAMS (10,000) are
watched, each by a stream of its own. Shown are the memory a stream, the share of one core that watching
takes of hallpassd and of the store while nothing is written and while something else is written all the
time, a round, and the delay from a logout to the event. Stores are sqlite, postgresql, mariadb, redis and
memcached: all of them, where none is named.
"""

import re
import resource
import selectors
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from django_site import DjangoSite
from hosts import web
from hosts.daemon import hallpassd, write_configuration
from proc import children, processor_time, resident
from processes import LOOPBACK, free_port, give_away
from stores.mariadb import MariaDB
from stores.memcached import Memcached
from stores.postgresql import PostgreSQL
from stores.redis import Redis

LOGOUTS = 100
SECONDS = 20
COLUMNS = "INSERT INTO django_session (session_key, session_data, expire_date)"
CACHE = "django.core.cache.backends"


def key(number: int) -> str:
    return f"{number:032}"


class InFile:
    """SQLite."""

    server = None

    def settings(self) -> dict:
        return {}

    def open(self, site: DjangoSite) -> None:
        self.database = sqlite3.connect(site.database, isolation_level=None)
        self.database.execute("CREATE TABLE written (n)")

    def fill(self, first: str, rows: int) -> None:
        self.run(f"{COLUMNS} WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) "
                 f"SELECT printf('%032d', n), session_data, expire_date FROM s, django_session "
                 f"WHERE session_key = '{first}'")

    def run(self, statement: str) -> None:
        self.database.execute(statement)

    def write(self) -> None:
        self.run("INSERT INTO written VALUES (1)")

    def log_out(self, number: int) -> None:
        self.run(f"DELETE FROM django_session WHERE session_key = '{key(number)}'")


class OnServer(InFile):
    """PostgreSQL or MariaDB."""

    def __init__(self, kind, directory: Path):
        self.server = kind(directory)
        self.key, self.numbers = {
            PostgreSQL: ("lpad(n::text, 32, '0')", "generate_series(1, {}) n"),
            MariaDB: ("lpad(seq, 32, '0')", "seq_1_to_{}"),
        }[kind]

    def open(self, site: DjangoSite) -> None:
        self.name = site.database_name
        self.run("CREATE TABLE written (n integer)")

    def fill(self, first: str, rows: int) -> None:
        data, end = (
            f"(SELECT {column} FROM django_session WHERE session_key = '{first}')"
            for column in ("session_data", "expire_date")
        )
        self.run(f"{COLUMNS} SELECT {self.key}, {data}, {end} FROM {self.numbers.format(rows)}")
        self.run("ANALYZE django_session" if isinstance(self.server, PostgreSQL) else "ANALYZE TABLE django_session")

    def run(self, statement: str) -> None:
        self.server.execute(statement, self.name)


class Cached:
    """Redis or memcached."""

    def __init__(self, kind, directory: Path):
        self.server = kind(directory) if kind is Redis else kind(directory, largest="4m")

    def settings(self) -> dict:
        redis = isinstance(self.server, Redis)
        backend = "redis.RedisCache" if redis else "memcached.PyMemcacheCache"
        location = self.server.url(1) if redis else self.server.location
        return {
            "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
            "CACHES": {"default": {"BACKEND": f"{CACHE}.{backend}", "LOCATION": location}},
        }

    def open(self, site: DjangoSite) -> None:
        self.site = site

    def fill(self, first: str, rows: int) -> None:
        self.site.shell(
            "from django.core.cache import cache\n"
            "value = cache.get(cache_key(first))\n"
            "for start in range(1, rows + 1, 1000):\n"
            "    numbers = range(start, min(start + 1000, rows + 1))\n"
            "    cache.set_many({cache_key(f'{n:032}'): value for n in numbers}, 86400)",
            first=first, rows=rows,
        )

    def write(self) -> None:
        self.site.shell("from django.core.cache import cache\ncache.set('written', 1)")

    def log_out(self, number: int) -> None:
        self.site.shell("from django.core.cache import cache\ncache.delete(cache_key(token))", token=key(number))


STORES = {
    "sqlite": lambda _: InFile(),
    "postgresql": lambda directory: OnServer(PostgreSQL, directory),
    "mariadb": lambda directory: OnServer(MariaDB, directory),
    "redis": lambda directory: Cached(Redis, directory),
    "memcached": lambda directory: Cached(Memcached, directory),
}


def open_stream(address: tuple[str, int], number: int) -> socket.socket:
    stream = socket.create_connection(address)
    stream.sendall(web.request("/session/events", {"Cookie": f"sessionid={key(number)}"}))
    received = b""
    while b"event: identity" not in received:
        more = stream.recv(65536)
        assert more, received
        received += more
    return stream


def used(pid: int) -> float:
    """The processor time of a process and its children, in seconds."""
    spent = processor_time(pid)
    for child in children(pid):
        # One that serves a connection may have ended.
        with suppress(OSError):
            spent += processor_time(child)
    return spent


def shares(pids: list[int], meanwhile=lambda: time.sleep(0.5)) -> str:
    """The shares of one core that processes take for a while."""
    begun, before = time.monotonic(), [used(pid) for pid in pids]
    while time.monotonic() - begun < SECONDS:
        meanwhile()
    took = time.monotonic() - begun
    spent = [used(pid) - was for pid, was in zip(pids, before, strict=True)]
    return " + ".join(f"{one / took:.1%}" for one in spent)


def main(program: str, count: str = "10000", rows: str = "1000000", *stores: str) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for name in stores or STORES:
        with tempfile.TemporaryDirectory() as directory, ExitStack() as open_:
            directory = Path(directory)
            directory.chmod(0o755)
            (directory / "templates").mkdir()
            (directory / "store").mkdir()
            store = STORES[name](give_away(directory / "store"))
            if store.server:
                open_.enter_context(store.server)
            server = store.server if isinstance(store, OnServer) else None
            site = open_.enter_context(
                DjangoSite(directory / "site", directory / "templates", "5.2", store.settings(), server)
            )
            site.make_accounts({"username": "alice", "password": "secret"})
            sessions = int(count) if isinstance(store, Cached) else max(int(count), int(rows))
            print(f"{name}: {int(count)} streams of {sessions} sessions", flush=True)
            measure(store, site, Path(program), int(count), sessions)


def measure(store, site: DjangoSite, program: Path, count: int, rows: int) -> None:
    first = site.login("alice", "secret").token
    store.open(site)
    store.fill(first, rows)
    step = rows // count
    numbers = range(step, step * count + 1, step)
    give_away(site.directory)
    socket_path, address = site.directory / "http.sock", (LOOPBACK, free_port())
    listen = [f"unix:{socket_path}", "tcp:{}:{}".format(*address)]
    config = write_configuration(site, "hallpass.toml", daemon={"listen": listen}, log={"level": "error"})
    with hallpassd(program, config, socket_path, address) as daemon:
        pid = daemon.process.pid
        pids = [pid, store.server.process.pid] if store.server else [pid]
        web.ask(address, "/auth", {"Cookie": f"sessionid={key(numbers[0])}"})
        before = resident(pid)
        streams = {number: open_stream(address, number) for number in numbers}
        time.sleep(5)
        print(f"  memory a stream              {(resident(pid) - before) / count / 1024:6.1f} KiB")
        print(f"  core, nothing written        {shares(pids)}")

        def write() -> None:
            store.write()
            time.sleep(0.1)

        print(f"  core, written all the time   {shares(pids, write)}")
        metrics = web.ask(address, "/metrics").body.decode()
        took = float(re.search(r"^hallpass_watch_round_seconds\{.*\} (\S+)$", metrics, re.M)[1])
        print(f"  a round                      {took:6.3f} s, {took / count * 1e6:.1f} us a session")
        delays = sorted(log_out(store, streams, numbers))
        print(f"  from a logout to its event   {statistics.median(delays):6.2f} s (median), "
              f"{delays[int(len(delays) * 0.99)]:.2f} s (99th percentile)", flush=True)
        for stream in streams.values():
            stream.close()


def log_out(store, streams, numbers) -> list[float]:
    """The delay of each of some logouts."""
    delays = []
    with selectors.DefaultSelector() as selector:
        step = max(1, len(numbers) // LOGOUTS)
        for place, number in enumerate(numbers[::step]):
            stream = streams[number]
            selector.register(stream, selectors.EVENT_READ)
            # At any moment of an interval of two seconds.
            time.sleep(place * 0.618 % 1 * 2)
            store.log_out(number)
            begun = time.monotonic()
            received = b""
            while b"event: ended" not in received:
                assert selector.select(60), number
                more = stream.recv(65536)
                assert more, received
                received += more
            delays.append(time.monotonic() - begun)
            selector.unregister(stream)
            if sum(delays) > 60:
                break
    return delays


if __name__ == "__main__":
    main(*sys.argv[1:])
