"""A session of 100 MB, in whatever a site keeps sessions in: it is unavailable, and costs neither
time nor memory that anybody else has need of."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from hosts.daemon import hallpassd
from processes import give_away
from session_cases import SECRET
from stores.memcached import Memcached
from stores.redis import Redis

LARGE = 100 << 20
STORES = ["redis", "memcached", "files of a cache", "files"]
# What it may take while it is asked for such sessions, in KiB: some buffers of a megabyte each.
ROOM = 48 << 10


class Stores:
    """The servers, and how a session in them grows."""

    def __init__(self, open_, new_directory):
        self.redis = open_.enter_context(Redis(new_directory()))
        self.memcached = open_.enter_context(Memcached(new_directory(), largest="128m"))
        self.directory = new_directory()

    def settings(self, store: str) -> dict:
        backends, sessions = "django.core.cache.backends", "django.contrib.sessions.backends"
        if store == "files":
            path = str(self.directory)
            return {"SESSION_ENGINE": f"{sessions}.file", "SESSION_FILE_PATH": path}
        backend, location = {
            "redis": ("redis.RedisCache", self.redis.url(1)),
            "memcached": ("memcached.PyMemcacheCache", self.memcached.location),
            "files of a cache": ("filebased.FileBasedCache", str(self.directory / "cache")),
        }[store]
        cache = {"BACKEND": f"{backends}.{backend}", "LOCATION": location}
        return {"SESSION_ENGINE": f"{sessions}.cache", "CACHES": {"default": cache}}

    def grow(self, site, store: str, token: str) -> None:
        if store == "redis":
            self.redis.execute("SETRANGE", site.ask("stored_key", token), str(LARGE), "x", database=1)
        elif store == "memcached":
            self.memcached.write(site.ask("stored_key", token), 1, b"x" * LARGE)
        else:
            with self.file(site, store, token).open("r+b") as file:
                file.truncate(LARGE)

    def file(self, site, store: str, token: str) -> Path:
        if store == "files":
            return self.directory / f"sessionid{token}"
        path = "answer = str(session_cache()._key_to_file(cache_key(token)))"
        return Path(site.shell(path, token=token))


@pytest.fixture(scope="module")
def stores(new_directory):
    with ExitStack() as open_:
        yield Stores(open_, new_directory)


def most_memory(pid: int) -> int:
    """The most that a process has ever had, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


@pytest.mark.parametrize("store", STORES)
def test_a_session_of_100_megabytes(store, stores, new_site, hallpass_programs, directory):
    site = new_site(**stores.settings(store))
    site.make_accounts({"username": "alice", "password": SECRET})
    keys = site.ask("login_keys", "alice")
    small, large = (site.ask("save_session", keys) for _ in range(2))
    stores.grow(site, store, large)
    if store.startswith("files"):
        for token in (small, large):
            file = give_away(stores.file(site, store, token))
            give_away(file.parent)
    socket = directory / "http.sock"
    config = site.write_configuration(
        daemon={"listen": [f"unix:{socket}"]}, limits={"deadline": "4s", "failures": 0}
    )
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:

        def status(token: str) -> int:
            return daemon.ask("/auth", {"Cookie": f"sessionid={token}"}).status

        for _ in range(8):
            assert status(small) == 200, daemon.log()
        before = most_memory(daemon.process.pid)
        for _ in range(8):
            assert status(large) == 503
            assert status(small) == 200, daemon.log()
            assert status("0" * 32) == 401
        assert most_memory(daemon.process.pid) - before < ROOM
        assert "is not read" in daemon.log()
