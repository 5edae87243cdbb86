"""Every engine of sessions, on every database, by every cache: `hallpass session` says whose
session it is when, and only when, Django does."""

from collections import Counter
from itertools import product

import pytest

import caches
from caches import Caches
from django_site import LATEST, VERSIONS
from engine_cases import AGE, DJANGO_DECIDES, GRANTED, EngineSessions, cases_of, expected_of
from hosts.daemon import hallpassd
from processes import give_away
from session_cases import OLD_KEY, SECRET

DATABASES = ["sqlite", "postgresql", "mariadb"]
ENGINES = [
    ("db", None),
    ("file", None),
    ("signed_cookies", None),
    *product(["cached_db", "cache"], caches.NAMES),
]
# The older Django on a server is asked with one client of Redis and one of memcached alone.
CELLS = [
    (version, database, (engine, cache))
    for version, database, (engine, cache) in product(VERSIONS, DATABASES, ENGINES)
    if version == LATEST or database == "sqlite" or cache in (None, "redis", "pymemcache")
]

compared = Counter()


@pytest.fixture(scope="module")
def sites(new_site, new_directory, request):
    """Makes one site for each Django and database, whose settings the cells change."""
    made = {}

    def site(version, database):
        if (version, database) not in made:
            server = None if database == "sqlite" else request.getfixturevalue(database)
            servers = [request.getfixturevalue(name) for name in ("redis", "memcached")]
            all_caches = Caches(*servers, new_directory())
            site = new_site(
                version,
                server,
                CACHES=all_caches.settings(),
                SECRET_KEY_FALLBACKS=[OLD_KEY],
                SESSION_COOKIE_AGE=AGE,
                SESSION_FILE_PATH=str(new_directory()),
            )
            site.manage("createcachetable")
            site.make_accounts(
                {"username": "alice", "password": SECRET, "groups": ["editors"]},
                {"username": "bob", "password": SECRET},
            )
            made[version, database] = site, all_caches
        return made[version, database]

    return site


class Cell:
    """One place of the matrix."""

    def __init__(self, place, sites, shell):
        version, database, (engine, cache) = place
        site, all_caches = sites(version, database)
        site.use(
            SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}",
            SESSION_CACHE_ALIAS=cache or "default",
        )
        if cache:
            site.ask("cache_clear")
        self.place, self.site, self.engine = place, site, engine
        self.sessions = EngineSessions(site, engine, cache, all_caches)
        self.config = site.write_configuration()
        self.hallpass = shell(self.config)


@pytest.fixture(scope="module")
def enter(sites, shell):
    """Makes the site one place of the matrix, when it is not that already."""
    here = []

    def enter(place) -> Cell:
        if not here or here[0].place != place:
            here[:] = [Cell(place, sites, shell)]
        return here[0]

    return enter


@pytest.fixture
def cell(request, enter):
    return enter(request.param)


def cells_and_cases():
    for version, database, (engine, cache) in CELLS:
        cases = cases_of(database, engine, cache)
        # What was made to last a second is asked for last.
        for name in sorted(cases, key=lambda name: name == "over-in-a-second"):
            words = [version, database, engine, *([cache] if cache else []), name]
            place = (version, database, (engine, cache))
            yield pytest.param(place, cases[name], id="-".join(words))


@pytest.mark.parametrize(("cell", "case"), list(cells_and_cases()), indirect=["cell"])
def test_session(cell, case, verdicts):
    make, _ = case
    expected = expected_of(case, cell.engine)
    token = make(cell.sessions)
    # Hallpass first: Django deletes what it refuses.
    result = cell.hallpass.session(token) if "\0" not in token else None
    django = cell.site.ask("session_user", token)
    if expected != DJANGO_DECIDES:
        assert (django is not None) == (expected == GRANTED), f"the expectation is wrong: {django}"
    if result is None:
        return
    reasons = None if django or expected in (DJANGO_DECIDES, GRANTED) else expected
    verdicts.compare(result, django is not None, reasons)
    compared[django is not None] += 1
    if django:
        answer = result.json
        assert (answer["user"], str(answer["id"])) == (django["user"], django["id"])
        if django["user"] == "alice":
            assert answer["groups"] == ["editors"]


@pytest.mark.parametrize(
    "cell", CELLS, indirect=True, ids=lambda c: "-".join([*c[:2], *filter(None, c[2])])
)
def test_daemon(cell, hallpass_programs, directory):
    """The daemon, which keeps its connections, sees each change at once."""
    socket = directory / "http.sock"
    config = cell.site.write_configuration(
        "daemon.toml", daemon={"listen": [f"unix:{socket}"]}, limits={"failures": 0}
    )
    name = cell.sessions.account()
    token = readable(cell, cell.sessions.of(name))

    def compare(expected):
        django = cell.site.ask("session_user", token)
        assert (django is not None) == expected
        answer = daemon.ask("/auth", {"Cookie": f"sessionid={token}"})
        assert answer.status == (200 if expected else 401), daemon.log()
        assert answer.headers.get("Remote-User", "") == (name if expected else "")
        compared[expected] += 1

    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        compare(True)
        cell.site.deactivate(name)
        compare(False)
        cell.site.ask("update", name, is_active=True)
        compare(True)
        cell.site.ask("update", name, password="!")
        # Django is asked last: it ends what it refuses.
        assert daemon.ask("/auth", {"Cookie": f"sessionid={token}"}).status == 401
        assert cell.site.ask("session_user", token) is None


def readable(cell, token):
    """Makes what the site has written, the user of the host's to read."""
    if cell.engine == "file":
        give_away(cell.sessions.path(token))
    elif cell.sessions.cache == "files":
        cell.sessions.caches.give_away(cell.site, token)
    return token


def test_enough_was_compared(request):
    names = [item.name for item in request.session.items if item.module is request.module]
    if len(names) < len(CELLS) * 20:
        pytest.skip("only some of the tests were asked for")
    print(f"{compared[True]} granted and {compared[False]} denied sessions over the matrix")
    assert sum(compared.values()) >= 400
    assert compared[False] > compared[True]
