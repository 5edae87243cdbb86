"""Watched sessions in every store: what ends them, and what does not: a store that is away or silent,
writes to other sessions, clocks that step, clients that do not read."""

import os
import signal
import socket
import sqlite3
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hosts import web
from hosts.accounts import ACCOUNTS
from hosts.fixtures import site_with_accounts
from hosts.watching import World, reason
from processes import eventually, give_away
from stores.memcached import Memcached
from stores.proxy import proxy
from stores.redis import Redis

CACHE = "django.core.cache.backends"
LIBFAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
PEOPLE = ["alice", "bob", "carol", "dave"]
AWAY = "ends none of them"


class InFile:
    """SQLite: another program has the file locked, or it is gone for a while."""

    def __init__(self, site):
        self.path = site.database
        self.other = Path(f"{site.database}.other")

    @contextmanager
    def silent(self):
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    @contextmanager
    def away(self):
        self.path.rename(self.other)
        try:
            yield
        finally:
            self.other.rename(self.path)


class Behind:
    """A server of a database: it falls silent, or hangs up on all."""

    def __init__(self, proxy):
        self.proxy = proxy

    @contextmanager
    def silent(self):
        self.proxy.freeze()
        try:
            yield
        finally:
            self.proxy.thaw()

    @contextmanager
    def away(self):
        self.proxy.refuse()
        try:
            yield
        finally:
            self.proxy.refuse(False)


class Cached:
    """A cache: it hangs, or its place is nobody's. Restarted, it is empty."""

    def __init__(self, server):
        self.server = server

    @contextmanager
    def silent(self):
        self.server.freeze()
        try:
            yield
        finally:
            self.server.thaw()

    away = silent


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb", "redis", "memcached"])
def store(request, new_site, new_directory, hallpass_programs):
    """A site, its daemon, and what can befall the store of its sessions."""
    with ExitStack() as open_:
        tables = {"limits": {"deadline": "2s"}}
        if request.param in ("postgresql", "mariadb"):
            server = request.getfixturevalue(request.param)
            site = new_site("5.2", server=server)
            between = open_.enter_context(proxy(server.port))
            database = dict(server.hallpass(site.database_name), query_timeout="500ms", connect_timeout="500ms")
            url = database["url"].replace(f":{server.port}", f":{between.port}")
            tables["database"] = database | {"url": url}
            fate = Behind(between)
        elif request.param == "sqlite":
            site = new_site()
            tables["database"] = {"url": f"sqlite:{site.database}", "query_timeout": "500ms"}
            fate = InFile(site)
        else:
            kind = {"redis": Redis, "memcached": Memcached}[request.param]
            server = open_.enter_context(kind(new_directory()))
            where = {
                "redis": ("redis.RedisCache", server.url(1)) if kind is Redis else None,
                "memcached": ("memcached.PyMemcacheCache", getattr(server, "location", None)),
            }[request.param]
            site = new_site(
                SESSION_ENGINE="django.contrib.sessions.backends.cache",
                CACHES={"default": {"BACKEND": f"{CACHE}.{where[0]}", "LOCATION": where[1]}},
            )
            url = site.configuration()["django"]["cache"]
            tables["django"] = {"cache": {"url": url, "query_timeout": "500ms", "connect_timeout": "500ms"}}
            fate = Cached(server)
        site.make_accounts(*(account for account in ACCOUNTS if account["username"] in PEOPLE))
        world = World(site, new_directory(), hallpass_programs, **tables)
        with world.running():
            world.kind, world.fate = request.param, fate
            yield world


def test_a_store_that_is_silent_or_away_ends_nothing_and_logouts_count_again_then(store):
    alice, other, bob = store.log_in("alice"), store.log_in("alice"), store.log_in("bob")
    with store.events(alice) as stream, store.events(other) as second, store.events(bob) as of_bob:
        for one in (stream, second, of_bob):
            assert one.next()[0] == "identity"
        # Others come and go.
        store.log_in("carol").logout()
        assert stream.goes_on(0.6)
        for fate in (store.fate.silent, store.fate.away):
            said = store.daemon.log().count(AWAY)
            with fate():
                # Whether a file has changed is told without its lock.
                if fate.__func__ is not InFile.silent:
                    eventually(lambda said=said: store.daemon.log().count(AWAY) > said, "a warning")
                assert stream.goes_on(0.6)
            assert second.goes_on(0.6) and of_bob.goes_on(0.1)
        alice.logout()
        assert reason(stream) == "logout"
        assert second.goes_on(0.5)
        # The account counts as well as the session.
        store.site.ask("update", "bob", is_active=False)
        try:
            assert reason(of_bob) == "closed"
        finally:
            store.site.ask("update", "bob", is_active=True)
        assert second.goes_on(0.5)
        old = store.site.shell("from django.contrib.auth.models import User\n"
                               "answer = User.objects.get(username='alice').password")
        store.site.ask("update", "alice", password=store.site.ask("make_password", "new"))
        try:
            assert reason(second) == "password"
        finally:
            store.site.ask("update", "alice", password=old)


def test_many_sessions_of_which_one_ends(store):
    """Looked at in one batch; those beside the one that ends go on."""
    browsers = [store.log_in(name) for name in ("alice", "bob", "carol") for _ in range(2)]
    with ExitStack() as open_:
        streams = [open_.enter_context(store.events(browser)) for browser in browsers]
        for stream in streams:
            assert stream.next()[0] == "identity"
        time.sleep(0.6)
        for index in (3, 0):
            browsers[index].logout()
            assert reason(streams[index]) == "logout"
        for index, stream in enumerate(streams):
            assert index in (3, 0) or stream.goes_on(0.1), index


def test_a_cache_that_has_lost_all_has_logged_all_out(store):
    """The site says so as well; while the cache is not there, nobody is."""
    if store.kind not in ("redis", "memcached"):
        pytest.skip("what is in a database stays")
    alice, bob = store.log_in("alice"), store.log_in("bob")
    with store.events(alice) as stream, store.events(bob) as of_bob:
        assert stream.next()[0] == "identity" == of_bob.next()[0]
        server, said = store.fate.server, store.daemon.log().count(AWAY)
        server.kill()
        eventually(lambda: store.daemon.log().count(AWAY) > said, "a warning")
        assert stream.goes_on(0.6) and of_bob.goes_on(0.1)
        server.start()
        if store.kind == "redis":
            server.execute("FLUSHALL")
        assert reason(stream) == "logout" and reason(of_bob) == "logout"
        assert alice.user is None


def test_a_daemon_that_starts_again_watches_anew(store):
    alice = store.log_in("alice")
    with store.events(alice) as stream:
        assert stream.next()[0] == "identity"
        store.daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: "reloaded" in store.daemon.log(), "a reload")
        assert stream.goes_on(0.6)
        alice.logout()
        assert reason(stream) == "logout"


def test_a_client_that_does_not_read_holds_up_nobody(new_site, new_directory, hallpass_programs):
    site = site_with_accounts(new_site)
    with World(site, new_directory(), hallpass_programs).running() as world:
        alice, bob = world.log_in("alice"), world.log_in("bob")
        deaf = []
        for _ in range(50):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            client.connect(world.tcp)
            client.sendall(web.request("/session/events", {"Cookie": alice.cookie_header}))
            deaf.append(client)
        eventually(lambda: world.metric("hallpass_watch_streams") == 50, "all of them are watched")
        status = Path(f"/proc/{world.daemon.process.pid}/status")
        with world.events(bob) as stream:
            assert stream.next()[0] == "identity"
            alice.logout()
            # What is left for them is in the system's hands; of the daemon they take nothing.
            eventually(lambda: world.metric("hallpass_watch_streams") == 1, "they have been told")
            assert stream.goes_on()
            assert "State:\tZ" not in status.read_text()
            bob.logout()
            assert reason(stream) == "logout"
        for client in deaf:
            client.close()


@pytest.mark.skipif(not os.path.exists(LIBFAKETIME), reason="libfaketime is of this architecture")
def test_steps_of_the_clock_end_nothing(new_site, new_directory, hallpass_programs):
    """A year forward, by which all sessions have expired, and back again."""
    site = site_with_accounts(new_site)
    directory = new_directory()
    clock = directory / "clock"

    def step(offset: str) -> None:
        beside = directory / "next"
        beside.write_text(offset + "\n")
        give_away(beside)
        beside.rename(clock)

    step("+0")
    environment = {
        "LD_PRELOAD": LIBFAKETIME,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with World(site, directory, hallpass_programs).running(env=os.environ | environment) as world:
        alice, cookie = world.log_in("alice"), {}
        cookie["Cookie"] = alice.cookie_header

        def status() -> int:
            return web.ask(world.tcp, "/auth?basic=0", cookie).status

        with world.events(alice) as stream:
            assert stream.next()[0] == "identity" and status() == 200
            for offset, expected in [("+365d", 401), ("+0", 200), ("-365d", 200), ("+0", 200)]:
                step(offset)
                eventually(lambda expected=expected: status() == expected, f"the clock is at {offset}")
                assert stream.goes_on(0.8), offset
            alice.logout()
            assert reason(stream) == "logout"
