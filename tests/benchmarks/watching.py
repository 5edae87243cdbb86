"""What watching sessions costs, and how soon a logout arrives.

    watching.py HALLPASSD [STREAMS [ROWS]]

A Django site on SQLite has ROWS sessions (1,000,000), of which STREAMS (10,000) are watched, each by a
stream of its own. Shown are the memory a stream, the share of one core that watching takes while nothing
is written and while something is written all the time, a round beside bare reads of the same rows, and
the delay from a logout to the event.
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
from contextlib import closing
from pathlib import Path

from django_site import DjangoSite
from hosts import web
from hosts.daemon import hallpassd, write_configuration
from proc import processor_time, resident
from processes import LOOPBACK, free_port, give_away

LOGOUTS = 200
SECONDS = 20
COPY = """
INSERT INTO django_session (session_key, session_data, expire_date)
WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ?)
SELECT printf('%032d', n), session_data, expire_date FROM s, django_session WHERE session_key = ?
"""


def key(number: int) -> str:
    return f"{number:032}"


def open_stream(address: tuple[str, int], number: int) -> socket.socket:
    stream = socket.create_connection(address)
    stream.sendall(web.request("/session/events", {"Cookie": f"sessionid={key(number)}"}))
    received = b""
    while b"event: identity" not in received:
        more = stream.recv(65536)
        assert more, received
        received += more
    return stream


def share(pid: int, meanwhile=lambda: time.sleep(0.5)) -> float:
    """The share of one core that the process takes for a while."""
    begun, before = time.monotonic(), processor_time(pid)
    while time.monotonic() - begun < SECONDS:
        meanwhile()
    return (processor_time(pid) - before) / (time.monotonic() - begun)


def main(program: str, count: int = 10_000, rows: int = 1_000_000) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        directory.chmod(0o755)
        (directory / "templates").mkdir()
        with DjangoSite(directory / "site", directory / "templates") as site:
            site.make_accounts({"username": "alice", "password": "secret"})
            measure(site, Path(program), count, max(count, rows))


def measure(site: DjangoSite, program: Path, count: int, rows: int) -> None:
    first = site.login("alice", "secret").token
    with closing(sqlite3.connect(site.database, isolation_level=None)) as database:
        database.execute(COPY, [rows, first])
        database.execute("CREATE TABLE written (n)")
        step = rows // count
        numbers = range(step, step * count + 1, step)
        give_away(site.directory)
        socket_path, address = site.directory / "http.sock", (LOOPBACK, free_port())
        listen = [f"unix:{socket_path}", "tcp:{}:{}".format(*address)]
        config = write_configuration(site, "hallpass.toml", daemon={"listen": listen},
                                     log={"level": "error"})
        with hallpassd(program, config, socket_path, address) as daemon:
            pid = daemon.process.pid
            web.ask(address, "/auth", {"Cookie": f"sessionid={key(numbers[0])}"})
            before = resident(pid)
            streams = {number: open_stream(address, number) for number in numbers}
            print(f"{count} streams of {rows} sessions")
            print(f"memory a stream              {(resident(pid) - before) / count / 1024:6.1f} KiB")
            time.sleep(5)
            print(f"core, nothing written        {share(pid):6.1%}")

            def write() -> None:
                database.execute("INSERT INTO written VALUES (1)")
                time.sleep(0.1)

            print(f"core, written all the time   {share(pid, write):6.1%}")
            metrics = web.ask(address, "/metrics").body.decode()
            took = float(re.search(r"^hallpass_watch_round_seconds\{.*\} (\S+)$", metrics, re.M)[1])
            begun = time.perf_counter()
            statement = "SELECT session_data, expire_date FROM django_session WHERE session_key = ?"
            for number in numbers:
                database.execute(statement, [key(number)]).fetchone()
            bare = time.perf_counter() - begun
            print(f"a round                      {took:6.3f} s, {took / bare:.1f} x the bare reads")
            delays = sorted(log_out(database, streams, numbers))
            print(f"from a logout to its event   {statistics.median(delays):6.2f} s (median), "
                  f"{delays[int(len(delays) * 0.99)]:.2f} s (99th percentile)")
            for stream in streams.values():
                stream.close()


def log_out(database, streams, numbers) -> list[float]:
    """The delay of each of some logouts."""
    delays = []
    with selectors.DefaultSelector() as selector:
        step = max(1, len(numbers) // LOGOUTS)
        for place, number in enumerate(numbers[::step]):
            stream = streams[number]
            selector.register(stream, selectors.EVENT_READ)
            # At any moment of an interval.
            time.sleep(place * 0.618 % 1 / 10)
            begun = time.monotonic()
            database.execute("DELETE FROM django_session WHERE session_key = ?", [key(number)])
            received = b""
            while b"event: ended" not in received:
                assert selector.select(60), number
                more = stream.recv(65536)
                assert more, received
                received += more
            delays.append(time.monotonic() - begun)
            selector.unregister(stream)
            if sum(delays) > 120:
                break
    return delays


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
