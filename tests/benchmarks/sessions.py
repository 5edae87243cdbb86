"""Session checks of one process on one connection, beside bare look-ups of the same sessions.

    sessions.py CLIENT [SIZE...]

CLIENT is the example session_checks of hallpass-core. Each SIZE (1000 and 1000000, unless others
are given) is how many accounts and sessions the site has; those that are asked for are a thousand.
A check reads the session and its account, which in a database are two rows of two tables; the bare
look-up reads the session alone.
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
from processes import LOOPBACK
from stores.mariadb import PASSWORD, MariaDB
from stores.memcached import Memcached
from stores.postgresql import PostgreSQL
from stores.redis import Redis

SIZES = [1000, 1_000_000]
ASKED_FOR = 1000
SERVERS = {
    "sqlite": None,
    "postgresql": PostgreSQL,
    "mariadb": MariaDB,
    "redis": Redis,
    "memcached": Memcached,
}
CACHES = {"redis": "redis.RedisCache", "memcached": "memcached.PyMemcacheCache"}
GOALS = "goals: a share of at least 0.8 (SQLite) and 0.85; at the most at most 1.2 x the time"

FILL = """
encoded = make_password("secret", "pbkdf2_sha256", iterations=1)
expires, keys = timezone.now() + timedelta(days=1), [f"{n:032}" for n in range(1, count + 1)]
for start in range(0, count, 10_000):
    ids = range(start + 1, min(start + 10_000, count) + 1)
    users = [User(id=n, username=f"user{n}", password=encoded) for n in ids]
    User.objects.bulk_create(users, batch_size=5000)
    logins = {key: {
        auth.SESSION_KEY: str(user.pk),
        auth.BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        auth.HASH_SESSION_KEY: users[0].get_session_auth_hash(),
    } for user, key in zip(users, keys[start:])}
    if settings.SESSION_ENGINE.endswith(".cache"):
        prefix = session_store().cache_key_prefix
        session_cache().set_many({prefix + key: login for key, login in logins.items()}, 86400)
    else:
        store = session_store()
        rows = [
            store.model(session_key=key, session_data=store.encode(login), expire_date=expires)
            for key, login in logins.items()
        ]
        store.model.objects.bulk_create(rows, batch_size=5000)
if connection.vendor != "sqlite":
    with connection.cursor() as cursor:
        for table in ("auth_user", "django_session"):
            cursor.execute(("ANALYZE TABLE " if connection.vendor == "mysql" else "ANALYZE ") + table)
answer = keys[:: max(1, count // asked_for)][:asked_for]
"""


def main(client: str, *sizes: str) -> None:
    print(f"{'':12} sessions  checks/s  look-ups/s  share")
    for kind in SERVERS:
        times = []
        for size in map(int, sizes or SIZES):
            checks, lookups, share = measure(client, kind, size)
            times.append(1 / checks)
            print(f"{kind:12} {size:8} {checks:9.0f} {lookups:11.0f} {share:6.2f}", flush=True)
        print(f"{'':12} {times[-1] / times[0]:.2f} x the time of the first", flush=True)
    print(GOALS)


def measure(client: str, kind: str, size: int) -> tuple[float, float, float]:
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
        settings = {}
        if kind in CACHES:
            location = server.url(1) if kind == "redis" else server.location
            backend = f"django.core.cache.backends.{CACHES[kind]}"
            settings["CACHES"] = {"default": {"BACKEND": backend, "LOCATION": location}}
            settings["SESSION_ENGINE"] = "django.contrib.sessions.backends.cache"
        on = None if kind in CACHES else server
        site = DjangoSite(directory / "site", directory / "templates", "5.2", settings, on)
        stack.enter_context(site)
        code = "from django.db import connection\n" + FILL
        tokens = site.shell(code, count=size, asked_for=ASKED_FOR)
        tables = {"database": on.hallpass(site.database_name, tls="disable")} if on else {}
        config = site.write_configuration(log={"level": "error"}, **tables)
        store = bare(kind, site, server)
        done = subprocess.run(
            [client, config, store], input="\n".join(tokens), capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(done.stderr)
        checks, lookups, share = map(float, done.stdout.split())
        return checks, lookups, share


def bare(kind: str, site: DjangoSite, server) -> str:
    """The store in the client's words."""
    if kind == "sqlite":
        return f"sqlite:{site.database}"
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
