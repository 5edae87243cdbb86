"""A session that hallpassd is asked about again, after something has changed: it may remember whose
the session was, to read session and account at once, and what the rows proved that it read; but the
answer is that of what is there now, and Django's."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from hosts.daemon import hallpassd
from session_cases import SECRET

DATABASE = "django.contrib.sessions.backends.db"
CACHED_DATABASE = "django.contrib.sessions.backends.cached_db"
CACHE = "django.contrib.sessions.backends.cache"
CACHE_TABLE = "django.core.cache.backends.db.DatabaseCache"
REDIS = "django.core.cache.backends.redis.RedisCache"
PYMEMCACHE = "django.core.cache.backends.memcached.PyMemcacheCache"

# The database, the engine, and the cache that it is for.
WORLDS = {
    "sqlite": (None, DATABASE, None),
    "postgresql": ("postgresql", DATABASE, None),
    "mariadb": ("mariadb", DATABASE, None),
    "postgresql-cached-memcached": ("postgresql", CACHED_DATABASE, "memcached"),
    "mariadb-redis": ("mariadb", CACHE, "redis"),
    "postgresql-memcached": ("postgresql", CACHE, "memcached"),
    "sqlite-redis": (None, CACHE, "redis"),
    "mariadb-table": ("mariadb", CACHE, "table"),
}
THREADS = 4
# Of the daemon's two threads at least one is asked often enough to read, to read both at once and to
# know the rows.
TIMES = 9


class World:
    """A site, and the daemon that lives as long."""

    def __init__(self, site, daemon):
        self.site, self.daemon = site, daemon
        self.numbers = count(1)

    def account(self, **fields) -> str:
        name = f"user{next(self.numbers)}"
        self.site.make_accounts({"username": name, "password": SECRET} | fields)
        return name

    def login(self, user: str, **how) -> str:
        """The token of a session of somebody's."""
        return self.site.ask("save_session", self.site.ask("login_keys", user), **how)

    def user(self, token: str) -> str | None:
        """Whom the daemon lets in."""
        answer = self.daemon.ask("/auth", {"Cookie": f"sessionid={token}"})
        assert answer.status in (200, 401, 403), answer
        return answer.headers["Remote-User"] if answer.status == 200 else None

    def is_of(self, token: str, user: str | None) -> None:
        """Fails unless the next answers are these, and Django's is the same."""
        assert [self.user(token) for _ in range(TIMES)] == [user] * TIMES
        found = self.site.ask("session_user", token)
        assert (found and found["user"]) == user

    def is_stale(self, token: str) -> None:
        """Fails unless nobody is let in. Django is not asked: it would end the session."""
        assert [self.user(token) for _ in range(TIMES)] == [None] * TIMES


@pytest.fixture(scope="module", params=WORLDS)
def world(request, new_site, new_directory, hallpass_programs):
    database, engine, cache = WORLDS[request.param]
    server = request.getfixturevalue(database) if database else None
    settings = {"SESSION_ENGINE": engine}
    if cache == "table":
        settings["CACHES"] = {"default": {"BACKEND": CACHE_TABLE, "LOCATION": "cache"}}
    elif cache:
        store = request.getfixturevalue(cache)
        location = store.url(11) if cache == "redis" else store.location
        backend = REDIS if cache == "redis" else PYMEMCACHE
        own = {"KEY_PREFIX": request.param}
        settings["CACHES"] = {"default": {"BACKEND": backend, "LOCATION": location} | own}
    site = new_site(server=server, **settings)
    if cache == "table":
        site.manage("createcachetable")
    directory = new_directory()
    socket = directory / "http.sock"
    database = site.configuration()["database"]
    if isinstance(database, str):
        database = {"url": database}
    config = site.write_configuration(
        f"{directory.name}.toml",
        daemon={"listen": [f"unix:{socket}"]},
        # Threads that ask, each of which remembers what it has seen.
        database=database | {"pool": 2},
    )
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        yield World(site, daemon)


@pytest.fixture
def one(world):
    """An account, and a session of its owner's that the daemon has been asked about."""
    user = world.account()
    token = world.login(user)
    world.is_of(token, user)
    return user, token


def test_session_of_another_under_the_same_key(world, one):
    user, token = one
    other = world.account()
    for now in (other, user, other):
        world.login(now, key=token)
        world.is_of(token, now)


def test_nobody_is_logged_in_any_more(world, one):
    user, token = one
    world.site.ask("save_session", {}, key=token)
    world.is_of(token, None)
    world.login(user, key=token)
    world.is_of(token, user)


def test_session_of_an_inactive_account_under_the_same_key(world, one):
    user, token = one
    world.login(world.account(is_active=False), key=token)
    world.is_of(token, None)


def test_inactive_account(world, one):
    user, token = one
    for active in (False, True, False):
        world.site.ask("update", user, is_active=active)
        world.is_of(token, user if active else None)


def test_deleted_account(world, one):
    user, token = one
    world.site.ask("delete", user)
    world.is_of(token, None)
    world.account(username=user)
    world.is_of(token, None)


def test_changed_password(world, one):
    user, token = one
    before = world.site.ask("encoded_password", user)
    world.site.ask("update", user, password=world.site.ask("make_password", "changed"))
    world.is_stale(token)
    world.site.ask("update", user, password=before)
    world.is_of(token, user)


def test_renamed_account(world, one):
    user, token = one
    world.site.ask("update", user, username=f"{user}-renamed")
    world.is_of(token, f"{user}-renamed")


def test_id_of_another(world, one):
    """The session says an id; whoever has it now has the session, if the password is the same."""
    user, token = one
    id = int(world.site.ask("session_user", token)["id"])
    encoded = world.site.ask("encoded_password", user)
    world.site.ask("update", user, id=id + 1000)
    world.is_stale(token)
    world.site.make_accounts({"username": f"{user}-other", "password": SECRET, "id": id})
    world.is_stale(token)
    world.site.ask("update", f"{user}-other", password=encoded)
    world.is_of(token, f"{user}-other")


def test_deleted_session(world, one):
    user, token = one
    world.site.shell("session_store(token).delete()\nanswer = None", token=token)
    world.is_of(token, None)


def test_expired_session(world, one):
    user, token = one
    world.login(user, key=token, expires_in=-1)
    world.is_of(token, None)


def test_sessions_of_two_at_once(world):
    """Each answer is of the session that was asked about, whichever thread gives it; and when the
    two have changed places, the very next."""
    users = [world.account(), world.account()]
    tokens = [world.login(user) for user in users]
    for owners in (users, users[::-1], users):
        for token, owner in zip(tokens, owners):
            world.login(owner, key=token)
        asked = [number % 2 for number in range(200)]
        with ThreadPoolExecutor(THREADS) as threads:
            answers = list(threads.map(lambda which: world.user(tokens[which]), asked))
        assert answers == [owners[which] for which in asked]
