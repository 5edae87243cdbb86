"""Fixtures of the end-to-end tests.

hallpass_programs["hallpassd"]  the path of a built program, runnable by any user
new_site("5.2", **settings)     a real Django site (django_site.DjangoSite); `server=postgresql`
                                puts its tables there
site.write_configuration(...)   its hallpass.toml
shell(config)                   the program `hallpass` with that file (programs.Shell)
directory                       an empty directory that the hosts' user owns
postgresql, mariadb, redis ...  the servers of stores/, shared by all tests
processes.running(...)          a server, stopped whatever happens
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

# Their assertions are to be explained like those of the tests.
pytest.register_assert_rewrite(
    "django_site", "people", "processes", "programs", "stores", "verdicts"
)

import logs
from django_site import LATEST, DjangoSite
from processes import give_away
from programs import Programs, Shell
from stores.mariadb import MariaDB
from stores.memcached import Memcached
from stores.postgresql import PostgreSQL
from stores.redis import Redis
from verdicts import Enough, Verdicts
from website.wordpress import wordpress as running_wordpress

ROOT = Path(__file__).parents[2]


def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Enough())
    # Ends the tests as Ctrl-C does: every fixture is torn down, every server stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def base_directory() -> Iterator[Path]:
    """The tests' one directory. Hosts run as another user, who must be able to get in; its
    name is short, as those of unix sockets must be."""
    path = Path(tempfile.mkdtemp(prefix="hallpass-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def no_secret_in_any_log(base_directory, tmp_path_factory) -> Iterator[None]:
    """Looks through all that was logged, after the servers of a file of tests have ended."""
    yield
    logs.look_through_all([base_directory, tmp_path_factory.getbasetemp()])


@pytest.fixture(scope="session")
def new_directory(base_directory) -> Callable[[], Path]:
    """Makes empty directories that belong to the hosts' user."""
    numbers = count(1)

    def make() -> Path:
        path = base_directory / str(next(numbers))
        path.mkdir()
        return give_away(path)

    return make


@pytest.fixture
def directory(new_directory) -> Path:
    """An empty directory that belongs to the hosts' user."""
    return new_directory()


@pytest.fixture(scope="session")
def hallpass_programs(base_directory) -> Programs:
    """The built programs, copied to where any user can run them."""
    built = Path(os.environ.get("HALLPASS_PROGRAMS", ROOT / "target" / "release"))
    copies = base_directory / "programs"
    copies.mkdir()
    for program in built.glob("hallpass*"):
        if program.is_file() and os.access(program, os.X_OK):
            shutil.copy(program, copies)
            (copies / program.name).chmod(0o755)
    return Programs(copies)


@pytest.fixture(scope="session")
def shell(hallpass_programs) -> Callable[..., Shell]:
    """Makes the program `hallpass` for a configuration file, or for none."""

    def make(config: Path | None = None) -> Shell:
        return Shell(hallpass_programs["hallpass"], config)

    return make


@pytest.fixture(scope="session")
def site_numbers() -> Iterator[int]:
    """Sites have names of their own, and so have their databases on servers that are shared."""
    return count(1)


@pytest.fixture(scope="module")
def new_site(base_directory, site_numbers) -> Iterator[Callable[..., DjangoSite]]:
    """Makes real Django sites, which are closed after the last test of a file."""
    sites: list[DjangoSite] = []

    def make(version: str = LATEST, server=None, **settings) -> DjangoSite:
        where = base_directory / f"site-{next(site_numbers)}"
        sites.append(DjangoSite(where, base_directory / "templates", version, settings, server))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


def shared(make: Callable[[Path], object]):
    """A server that runs from when a test first asks for it to the end of the tests. Those
    that harm a server start one of their own."""

    @pytest.fixture(scope="session")
    def server(new_directory):
        with make(new_directory()) as running:
            yield running

    return server


postgresql = shared(PostgreSQL)
mariadb = shared(MariaDB)
redis = shared(Redis)
memcached = shared(Memcached)
memcached_on_a_socket = shared(lambda directory: Memcached(directory, unix=True))


@pytest.fixture(scope="session")
def wordpress(mariadb, new_directory):
    """A real WordPress, whose accounts no test changes."""
    with running_wordpress(mariadb, new_directory(), "wordpress") as site:
        yield site


@pytest.fixture
def verdicts(record_property) -> Iterator[Verdicts]:
    """Compares our verdicts with Django's, and counts them."""
    compared = Verdicts()
    yield compared
    record_property("verdicts", (compared.granted, compared.denied))
