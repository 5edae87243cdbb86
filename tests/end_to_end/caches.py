"""The caches that a site may keep sessions in, and a way past the site to the bytes in them."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django_site import DjangoSite
from processes import give_away
from stores.memcached import Memcached
from stores.redis import Redis

# Their aliases in CACHES.
NAMES = ["redis", "django-redis", "pymemcache", "pylibmc", "table", "files"]


@dataclass(frozen=True)
class Caches:
    """The servers and the directory that the caches are in."""

    redis: Redis
    memcached: Memcached
    directory: Path

    def settings(self) -> dict:
        """CACHES: half of them have a prefix and a version."""
        prefixed = {"KEY_PREFIX": "shop", "VERSION": 3}
        django = "django.core.cache.backends"
        return {
            "default": {"BACKEND": f"{django}.dummy.DummyCache"},
            "redis": {"BACKEND": f"{django}.redis.RedisCache", "LOCATION": self.redis.url(1)},
            "django-redis": prefixed
            | {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": self.redis.url(2)},
            "pymemcache": {
                "BACKEND": f"{django}.memcached.PyMemcacheCache",
                "LOCATION": self.memcached.location,
            },
            "pylibmc": prefixed
            | {
                "BACKEND": f"{django}.memcached.PyLibMCCache",
                "LOCATION": self.memcached.location,
            },
            "table": {"BACKEND": f"{django}.db.DatabaseCache", "LOCATION": "cache table"},
            "files": prefixed
            | {"BACKEND": f"{django}.filebased.FileBasedCache", "LOCATION": str(self.directory)},
        }

    def read(self, site: DjangoSite, name: str, token: str) -> bytes:
        """The bytes that a cache has for a session."""
        if name == "table":
            return base64.b64decode(site.shell(_TABLE_READ, token=token))
        if name == "files":
            return Path(site.shell(_FILE, token=token)).read_bytes()
        key = site.ask("stored_key", token)
        if name in ("pymemcache", "pylibmc"):
            return self.memcached.read(key)[1]
        return self.redis.read(key, _DATABASES[name])

    def change(self, site: DjangoSite, name: str, token: str, change: Callable[[bytes], bytes]):
        """Changes the bytes of a session, and nothing else of it."""
        value = change(self.read(site, name, token))
        if name == "table":
            encoded = base64.b64encode(value).decode()
            site.shell(_TABLE_WRITE, token=token, value=encoded)
        elif name == "files":
            Path(site.shell(_FILE, token=token)).write_bytes(value)
        elif name in ("pymemcache", "pylibmc"):
            key = site.ask("stored_key", token)
            self.memcached.write(key, self.memcached.read(key)[0], value)
        else:
            self.redis.write(site.ask("stored_key", token), value, _DATABASES[name])

    def give_away(self, site: DjangoSite, token: str) -> None:
        """Makes the file of a session the hosts' user's, who may not read the site's own."""
        give_away(Path(site.shell(_FILE, token=token)))


_DATABASES = {"redis": 1, "django-redis": 2}
_FILE = "answer = str(session_cache()._key_to_file(cache_key(token)))"
_TABLE_READ = """
from django.db import connection
with connection.cursor() as cursor:
    table = connection.ops.quote_name("cache table")
    cursor.execute(f"SELECT value FROM {table} WHERE cache_key = %s", [stored_key(token)])
    answer = cursor.fetchone()[0]
"""
_TABLE_WRITE = """
from django.db import connection
with connection.cursor() as cursor:
    table = connection.ops.quote_name("cache table")
    update = f"UPDATE {table} SET value = %s WHERE cache_key = %s"
    cursor.execute(update, [value, stored_key(token)])
"""
