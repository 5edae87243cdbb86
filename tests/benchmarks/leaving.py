"""How soon a logout on the site arrives at a client of ejabberd.

    leaving.py PROGRAMS [STREAMS]

STREAMS (200) people of a Django site are logged in there, and chat at a real ejabberd by their sessions, watched
by the two processes of the example, with the default interval. They log out one after the other, at any moment
of an interval. Shown is the delay from each logout to the end of the client's stream.
"""

import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

from django_site import DjangoSite
from hosts.ejabberd import ejabberd
from hosts.fixtures import site_replacements
from processes import give_away


def main(programs: Path, count: int = 200) -> None:
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        directory.chmod(0o755)
        (directory / "templates").mkdir()
        with DjangoSite(directory / "site", directory / "templates") as site:
            names = [f"user{number}" for number in range(count)]
            site.make_accounts(*({"username": name, "password": "secret"} for name in names))
            give_away(site.directory)
            measure(site, directory, programs, names)


def measure(site: DjangoSite, directory: Path, programs: Path, names: list[str]) -> None:
    key = site.shell("answer = settings.SECRET_KEY")
    replacements = site_replacements(site) | {
        'version = "5.2"': f'version = "{site.version}"\nsecret_key = "{key}"',
        'accept = ["password"]': 'accept = ["session", "password"]',
    }
    host = directory / "ejabberd"
    host.mkdir()
    paths = {name: programs / name for name in ("hallpassd", "hallpass-ejabberd")}
    with ejabberd(host, paths, replacements) as server, ExitStack() as open_streams:
        streams = {}
        for name in names:
            token = site.login(name, "secret").token
            stream = open_streams.enter_context(server.stream())
            assert stream.authenticate(name.encode(), token.encode()) == "success"
            stream.bind("chat")
            streams[token] = stream
        time.sleep(5)
        delays = sorted(log_out(site, streams))
    print(f"{len(delays)} logouts: {statistics.median(delays):.2f} s (median), "
          f"{delays[int(len(delays) * 0.99)]:.2f} s (99th percentile), {delays[-1]:.2f} s (longest)")


def log_out(site: DjangoSite, streams: dict) -> list[float]:
    """The delay of each logout."""
    delays = []
    with closing(sqlite3.connect(site.database, isolation_level=None)) as database:
        for place, (token, stream) in enumerate(streams.items()):
            time.sleep(place * 0.618 % 1 / 2)
            begun = time.monotonic()
            database.execute("DELETE FROM django_session WHERE session_key = ?", [token])
            assert "conflict" in (stream.end(60) or "")
            delays.append(time.monotonic() - begun)
    return delays


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), *map(int, sys.argv[2:]))
