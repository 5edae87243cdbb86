"""Session checks of one process on one connection, beside bare look-ups of the same sessions.

    sessions.py CLIENT [SIZE...]

CLIENT is the example session_checks of hallpass-core. Each SIZE (1000 and 1000000, unless others
are given) is how many accounts and sessions the site has; those that are asked for are a thousand.
Beside the checks two bare look-ups are made: of the session alone, and of all that a check reads. That is
the session and its account, which in a database are two rows of two tables, read in one statement; where
the sessions are in a cache, the account is a row of SQLite all the same. A SQLite file is asked as it is,
and with something committed before each turn, so that nothing is remembered of the turn before.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

from django_site import DjangoSite
from figures import QUICK, figure
from processes import LOOPBACK
from stores.mariadb import PASSWORD, MariaDB
from stores.memcached import Memcached
from stores.postgresql import PostgreSQL
from stores.redis import Redis

SIZES = [1000] if QUICK else [1000, 1_000_000]
ASKED_FOR = 1000
SERVERS = {
    "sqlite": None,
    "sqlite, written": None,
    "postgresql": PostgreSQL,
    "mariadb": MariaDB,
    "redis": Redis,
    "memcached": Memcached,
}
CACHES = {"redis": "redis.RedisCache", "memcached": "memcached.PyMemcacheCache"}
GOAL = "at least 0.8"

# Those that are asked for are as Django itself makes them; all others are copies of the first, by SQL.
FILL = """
from django.db import connection
step = max(1, count // asked_for)
ids = list(range(1, count + 1, step))[:asked_for]
keys, expires = {n: f"{n:032}" for n in ids}, timezone.now() + timedelta(days=1)
encoded = make_password("secret", "pbkdf2_sha256", iterations=1)
User.objects.bulk_create(User(id=n, username=f"user{n}", password=encoded) for n in ids)
login_hash = User.objects.get(id=1).get_session_auth_hash()
logins = {n: {
    auth.SESSION_KEY: str(n),
    auth.BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
    auth.HASH_SESSION_KEY: login_hash,
} for n in ids}
series, padded = {
    "sqlite": (
        f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count})"
        " SELECT n FROM s)", "printf('%032d', n)"),
    "postgresql": (f"(SELECT n FROM generate_series(1, {count}) n)", "lpad(n::text, 32, '0')"),
    "mysql": (f"(SELECT seq n FROM seq_1_to_{count})", "lpad(n, 32, '0')"),
}[connection.vendor]

def copy(model, first, **made):
    columns = [field.column for field in model._meta.concrete_fields]
    values = ", ".join(made.get(column, f"t.{column}") for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) SELECT {values}"
            f" FROM {series} s, {model._meta.db_table} t"
            f" WHERE t.{model._meta.pk.column} = {first} AND ((n - 1) % {step} <> 0 OR n > {ids[-1]})"
        )

username = "concat('user', n)" if connection.vendor == "mysql" else "'user' || n"
copy(User, "1", id="n", username=username)
if settings.SESSION_ENGINE.endswith(".cache"):
    prefix, cache = session_store().cache_key_prefix, session_cache()
    for start in range(1, count + 1, 10_000):
        others = range(start, min(start + 10_000, count + 1))
        cache.set_many({f"{prefix}{n:032}": logins[1] for n in others}, 86400)
    cache.set_many({prefix + keys[n]: login for n, login in logins.items()}, 86400)
else:
    store = session_store()
    store.model.objects.bulk_create(
        store.model(session_key=keys[n], session_data=store.encode(login), expire_date=expires)
        for n, login in logins.items()
    )
    copy(store.model, f"'{keys[1]}'", session_key=padded)
if connection.vendor != "sqlite":
    with connection.cursor() as cursor:
        for table in ("auth_user", "django_session"):
            cursor.execute(("ANALYZE TABLE " if connection.vendor == "mysql" else "ANALYZE ") + table)
answer = [keys[n] for n in ids]
"""


def main(client: str, *sizes: str) -> None:
    print(f"{'':15} sessions  checks/s  sessions/s  share  with accounts/s  share")
    for kind in SERVERS:
        times = []
        for size in map(int, sizes or SIZES):
            checks, alone, of_alone, both, of_both = measure(client, kind, size)
            times.append(1 / checks)
            print(
                f"{kind:15} {size:8} {checks:9.0f} {alone:11.0f} {of_alone:6.2f}"
                f" {both:16.0f} {of_both:6.2f}",
                flush=True,
            )
            figure(f"checks of {size:,} sessions", (kind, checks), ("bare reads of the rows", both),
                   "sessions/s", ratio=of_both, goal=GOAL)
        if len(times) > 1:
            print(f"{'':15} {times[-1] / times[0]:.2f} x the time of the first", flush=True)


def measure(client: str, kind: str, size: int) -> list[float]:
    directory = Path(tempfile.mkdtemp(prefix="hallpass-benchmark-"))
    directory.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        server = None
        if SERVERS[kind]:
            where = directory / "server"
            where.mkdir()
            where.chmod(0o777)
            server = stack.enter_context(SERVERS[kind](where))
            if kind == "mariadb":
                # As much as a server of a site this large has; the tests' own have hardly any.
                server.execute("SET GLOBAL innodb_buffer_pool_size = 1 << 30")
        settings = {}
        if kind in CACHES:
            location = server.url(1) if kind == "redis" else server.location
            backend = f"django.core.cache.backends.{CACHES[kind]}"
            settings["CACHES"] = {"default": {"BACKEND": backend, "LOCATION": location}}
            settings["SESSION_ENGINE"] = "django.contrib.sessions.backends.cache"
        on = None if kind in CACHES else server
        site = DjangoSite(directory / "site", directory / "templates", "5.2", settings, on)
        stack.enter_context(site)
        tokens = site.shell(FILL, count=size, asked_for=ASKED_FOR)
        tables = {"database": on.hallpass(site.database_name, tls="disable")} if on else {}
        config = site.write_configuration(log={"level": "error"}, **tables)
        store = bare(kind, site, server)
        command = [client, config, store, "" if on else site.database]
        done = subprocess.run(command, input="\n".join(tokens), capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        return [float(figure) for figure in done.stdout.split()]


def bare(kind: str, site: DjangoSite, server) -> str:
    """The store in the client's words."""
    if kind == "sqlite":
        return f"sqlite:{site.database}"
    if kind == "sqlite, written":
        return f"written:{site.database}"
    if kind == "postgresql":
        password = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
        where = f"host={LOOPBACK} port={server.port} dbname={site.database_name}"
        return f"postgres:{where} user=hallpass password='{password}'"
    if kind == "mariadb":
        who = f"hallpass:{quote(PASSWORD, safe='')}"
        return f"mysql:mysql://{who}@{LOOPBACK}:{server.port}/{site.database_name}"
    prefix = site.ask("stored_key", "")
    database = "1/" if kind == "redis" else ""
    return f"{kind}:{LOOPBACK}:{server.port}/{database}{prefix}"


if __name__ == "__main__":
    # Ends as by Ctrl-C: every server is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main(*sys.argv[1:])
