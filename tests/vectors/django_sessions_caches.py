# -*- coding: utf-8 -*-
"""Sessions as caches keep them, by the cache clients themselves, and what those read out of each.

    python django_sessions_caches.py make > caches-VERSION.json     (under each Django)
    python django_sessions_caches.py merge caches-*.json > \
        crates/sessions/tests/data/django_sessions_caches.json

Asked are those that are installed beside Django: its own Redis, database and file caches,
django-redis with every serializer and compressor, pymemcache, python-memcached, and pylibmc with a
memcached of its own on a Unix socket. Each encodes sessions, and decodes what it encoded, whole and
damaged. The file cache's files never end but where the note says so.

A reading is `{...}` (a login's members), `"anonymous"`, `"no session"` (another value), or
`["raises", the exception's name]`.
"""

from __future__ import print_function, unicode_literals

import base64
import collections
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

KEY = "django.contrib.sessions.cache" + "0" * 32
LOGIN = {
    "_auth_user_id": "7",
    "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
    "_auth_user_hash": "0123456789abcdef" * 4,
}


def set_up():
    import django
    from django.conf import settings

    global VERSION, FOLDER
    VERSION = "%d.%d" % django.VERSION[:2]
    FOLDER = tempfile.mkdtemp()
    os.chmod(FOLDER, 0o777)  # memcached drops root's rights
    settings.configure(
        SECRET_KEY=str("first"), USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}})
    if hasattr(django, "setup"):
        django.setup()


def contents():
    import datetime
    yield "a login", LOGIN
    yield "an empty session", {}
    yield "an anonymous session", {"cart": [1, 2, 3]}
    yield "an integer id", dict(LOGIN, _auth_user_id=7)
    yield "a large session", dict(LOGIN, cart=["thing %d" % n for n in range(30)], text="x" * 300)
    yield "other text", dict(LOGIN, name="Zo\u00eb \U0001f600")
    yield "other values", dict(LOGIN, x=[None, True, -1, 2 ** 40, -2 ** 33, 0.5, {"y": []}])
    yield "Python's own values", dict(LOGIN, when=datetime.datetime(2020, 1, 1), some={1}, b=b"\xff")
    yield "a number", 5
    yield "a negative number", -5
    yield "a text", "{\"_auth_user_id\": \"7\", \"_auth_user_backend\": \"b\"}"
    yield "a list", ["_auth_user_id", "7"]
    yield "a boolean", True
    yield "nothing", None


# Codecs: `encode` gives bytes and memcached's flags, `decode` undoes it.

class Redis(object):
    name, kind = "django.core.cache.backends.redis", "value"

    def __init__(self):
        from django.core.cache.backends.redis import RedisSerializer
        self.serializer = RedisSerializer()

    def encode(self, value):
        data = self.serializer.dumps(value)
        return data if isinstance(data, bytes) else str(data).encode(), None

    def decode(self, data, flags):
        return self.serializer.loads(data)


class DjangoRedis(object):
    kind = "value"

    def __init__(self, serializer, compressor, options=None):
        import django_redis
        from django_redis.client import DefaultClient
        number = getattr(django_redis, "__version__", "")
        self.name = "django-redis %s, %s, %s" % (number, serializer, compressor)
        paths = {
            "SERIALIZER": "django_redis.serializers." + serializer,
            "COMPRESSOR": "django_redis.compressors." + compressor,
        }
        self.client = DefaultClient("redis://127.0.0.1:1/0", {
            "OPTIONS": dict(paths, **(options or {}))}, None)

    def encode(self, value):
        data = self.client.encode(value)
        return data if isinstance(data, bytes) else str(data).encode(), None

    def decode(self, data, flags):
        return self.client.decode(data)


class Pymemcache(object):
    kind = "value"

    def __init__(self, name):
        import pymemcache
        from pymemcache import serde
        self.name = "pymemcache %s, %s" % (pymemcache.__version__, name)
        self.serde = getattr(serde, name)
        if name == "CompressedSerde":
            self.serde = self.serde(min_compress_len=10)

    def encode(self, value):
        data, flags = self.serde.serialize(KEY, value)
        return data if isinstance(data, bytes) else str(data).encode("utf-8"), flags

    def decode(self, data, flags):
        return self.serde.deserialize(KEY, data, flags)


class PythonMemcached(object):
    name, kind = "python-memcached", "value"

    def __init__(self, least):
        import memcache
        import pickle
        self.client = memcache.Client([], pickleProtocol=pickle.HIGHEST_PROTOCOL)
        self.least = least
        self.name = "python-memcached, compressed from %d" % least

    def encode(self, value):
        flags, _, data = self.client._val_to_store_info(value, self.least)
        return data if isinstance(data, bytes) else str(data).encode("utf-8"), flags

    def decode(self, data, flags):
        class Server(object):
            def recv(self, length):
                return data + b"\r\n"
        value = self.client._recv_value(Server(), flags, len(data))
        if value is None:
            raise ValueError("it says no more")
        return value


class Pylibmc(object):
    """Through a memcached, as its compression is out of reach otherwise."""
    kind = "value"

    def __init__(self, least):
        import pylibmc
        self.name = "pylibmc %s, compressed from %d" % (pylibmc.__version__, least)
        self.path = os.path.join(FOLDER, "memcached%d" % least)
        self.server = subprocess.Popen(["memcached", "-u", "nobody", "-s", self.path, "-a", "0777"])
        for _ in range(200):
            if os.path.exists(self.path):
                break
            time.sleep(0.05)
        self.client, self.least = pylibmc.Client([str(self.path)], binary=False), least

    def ask(self, question):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.path)
            connection.sendall(question)
            answer = b""
            while not answer.endswith((b"END\r\n", b"STORED\r\n")):
                answer += connection.recv(65536)
        return answer

    def encode(self, value):
        self.client.set("key", value, min_compress_len=self.least)
        head, rest = self.ask(b"get key\r\n").split(b"\r\n", 1)
        _, _, flags, length = head.split()
        return rest[:int(length)], int(flags)

    def decode(self, data, flags):
        self.ask(b"set key %d 0 %d\r\n%s\r\n" % (flags, len(data), data))
        return self.client.get("key")


class Row(object):
    name, kind = "django.core.cache.backends.db", "row"

    def __init__(self):
        from django.core.cache.backends.db import DatabaseCache
        from django.db import connection
        self.connection = connection
        connection.cursor().execute("CREATE TABLE cache (cache_key varchar(255) PRIMARY KEY, "
                                    "value text NOT NULL, expires datetime NOT NULL)")
        self.cache = DatabaseCache("cache", {})

    def encode(self, value):
        self.cache.set(KEY, value, 10 ** 6)
        cursor = self.connection.cursor()
        cursor.execute("SELECT value FROM cache")
        return cursor.fetchall()[0][0].encode(), None

    def decode(self, data, flags):
        self.cache.set(KEY, 1, 10 ** 6)
        self.connection.cursor().execute("UPDATE cache SET value = %s", [data.decode("latin-1")])
        return self.cache.get(KEY)


class File(object):
    kind = "file"

    def __init__(self, timeout):
        from django.core.cache.backends.filebased import FileBasedCache
        self.timeout = timeout
        self.name = "django.core.cache.backends.filebased" + (", for ever" if timeout is None else "")
        self.cache = FileBasedCache(os.path.join(FOLDER, "files"), {})

    def path(self):
        [found] = [os.path.join(folder, name) for folder, _, names in
                   os.walk(os.path.join(FOLDER, "files")) for name in names]
        return found

    def encode(self, value):
        self.cache.set(KEY, value, self.timeout)
        with open(self.path(), "rb") as file:
            return file.read(), None

    def decode(self, data, flags):
        self.cache.set(KEY, 1, 10 ** 9)
        with open(self.path(), "wb") as file:
            file.write(data)
        missing = object()
        value = self.cache.get(KEY, missing)
        if value is missing:
            raise ValueError("it says no more")
        return value


def codecs():
    yield Redis
    for serializer in ("pickle.PickleSerializer", "json.JSONSerializer",
                       "msgpack.MSGPackSerializer"):
        for compressor in ("identity.IdentityCompressor", "zlib.ZlibCompressor",
                           "gzip.GzipCompressor", "lz4.Lz4Compressor", "lzma.LzmaCompressor",
                           "zstd.ZStdCompressor"):
            yield lambda: DjangoRedis(serializer, compressor)
    for protocol in (0, 1, 2, 5):
        yield lambda: DjangoRedis("pickle.PickleSerializer", "zlib.ZlibCompressor",
                                  {"PICKLE_VERSION": protocol})
        yield lambda: DjangoRedis("pickle.PickleSerializer", "identity.IdentityCompressor",
                                  {"PICKLE_VERSION": protocol})
    yield lambda: Pymemcache("pickle_serde")
    yield lambda: Pymemcache("CompressedSerde")
    yield lambda: PythonMemcached(0)
    yield lambda: PythonMemcached(50)
    yield lambda: Pylibmc(0)
    yield lambda: Pylibmc(10)
    yield Row
    yield lambda: File(10 ** 9)
    yield lambda: File(None)


def reading(codec, data, flags):
    try:
        value = codec.decode(data, flags)
    except Exception as error:
        return ["raises", type(error).__name__]
    if not isinstance(value, dict):
        return "no session"
    try:
        if value.get("_auth_user_id") is None or "_auth_user_backend" not in value:
            return "anonymous"
        found = {key: value.get(key) for key in LOGIN}
        return found if json.dumps(found) else None
    except (TypeError, UnicodeDecodeError):
        return ["raises", "TypeError"]


def make():
    set_up()
    here, rows = random.Random(3), []
    for build in codecs():
        try:
            codec = build()
            codec.encode({})
        except Exception as error:
            print("no %s: %s" % (build, error), file=sys.stderr) if sys.version_info[0] > 2 else None
            continue

        def add(note, data, flags):
            rows.append({"note": note, "kind": codec.kind, "codec": codec.name, "flags": flags,
                         "value": base64.b64encode(data).decode(), "by": VERSION,
                         "reading": reading(codec, data, flags)})

        for note, value in contents():
            try:
                data, flags = codec.encode(value)
            except Exception:
                continue  # sets in JSON
            add(note, data, flags)
        data, flags = codec.encode(LOGIN)
        length = len(data)
        for cut in (1, 8, length // 2, length - 1):
            add("cut by %d" % cut, data[:-cut], flags)
        for position in sorted(here.sample(range(length), 4)) + [0, 1, length - 1]:
            changed = bytearray(data)
            changed[position] ^= 1 << here.randrange(8)
            add("byte %d changed" % position, bytes(changed), flags)
        if codec.kind != "row":  # SQLite's text ends there
            add("a zero before it", b"\0" + data, flags)
        if flags is not None:
            for other in (0, 1, 2, 4, 8, 9, 16, 17, 32, 256, 2 ** 31):
                if other != flags:
                    add("flags %d" % other, data, other)
        if hasattr(codec, "server"):
            codec.server.kill()
            codec.server.wait()
    shutil.rmtree(FOLDER)
    json.dump(rows, sys.stdout)


def merge(paths):
    known = collections.OrderedDict()
    for path in paths:
        with open(path) as file:
            for row in json.load(file):
                key = json.dumps([row["kind"], row["flags"], row["value"], row["reading"]],
                                 sort_keys=True)
                first = known.setdefault(key, dict(row, by=[]))
                if row["by"] not in first["by"]:
                    first["by"].append(row["by"])
    lines = [json.dumps({key: value for key, value in dict(row, by=" ".join(row["by"])).items()
                         if value is not None}, sort_keys=True) for row in known.values()]
    print("[\n" + ",\n".join(lines) + "\n]")


if __name__ == "__main__":
    make() if sys.argv[1] == "make" else merge(sys.argv[2:])
