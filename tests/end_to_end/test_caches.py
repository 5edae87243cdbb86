"""The ways to a cache, and the shapes that django-redis gives its values."""

import pytest

from django_site import VERSIONS
from processes import LOOPBACK
from session_cases import ANONYMOUS, HASH, NO_SESSION, SECRET, STALE
from stores.certificates import make_certificates
from stores.redis import PASSWORD, Redis

BUILT_IN = "django.core.cache.backends.redis.RedisCache"
DJANGO_REDIS = "django_redis.cache.RedisCache"
PYMEMCACHE = "django.core.cache.backends.memcached.PyMemcacheCache"
PYLIBMC = "django.core.cache.backends.memcached.PyLibMCCache"

COMPRESSORS = {
    "zlib": "zlib.ZlibCompressor",
    "gzip": "gzip.GzipCompressor",
    "lz4": "lz4.Lz4Compressor",
    "lzma": "lzma.LzmaCompressor",
    "zstd": "zstd.ZStdCompressor",
    "none": "identity.IdentityCompressor",
}
SERIALIZERS = {
    "pickle": "pickle.PickleSerializer",
    "json": "json.JSONSerializer",
    "msgpack": "msgpack.MSGPackSerializer",
}


def django_redis_options() -> dict[str, dict]:
    """OPTIONS by the name that the tests give them."""
    options = {
        f"{serializer}-{compressor}": {
            "SERIALIZER": f"django_redis.serializers.{SERIALIZERS[serializer]}",
            "COMPRESSOR": f"django_redis.compressors.{COMPRESSORS[compressor]}",
        }
        for serializer in SERIALIZERS
        for compressor in COMPRESSORS
    }
    for protocol in range(6):
        options[f"protocol-{protocol}"] = {"PICKLE_VERSION": protocol}
    return options


SHAPES = django_redis_options()


@pytest.fixture(scope="module")
def protected(new_directory):
    with Redis(new_directory(), protected=True) as server:
        yield server


@pytest.fixture(scope="module")
def ways(redis, protected, memcached, memcached_on_a_socket):
    """Entries of CACHES, and Hallpass's `cache` where it is not as Django has it."""
    authority = str(protected.certificates.authority)
    tls_url = f"{protected.url(1, tls=True)}?ssl_ca_certs={authority}"
    plain_url = f"redis://{LOOPBACK}:{protected.port}/1"
    socket = f"unix://{redis.socket}?db=5"
    built_in = lambda location: {"BACKEND": BUILT_IN, "LOCATION": location}
    return {
        "redis": (built_in(redis.url(5)), None),
        "redis-socket": (built_in(socket), None),
        "redis-socket-and-its-tcp": (built_in(socket), redis.url(5)),
        "redis-another-database": (built_in(redis.url(6)), None),
        "redis-password": (built_in(protected.url(1)), None),
        "redis-password-apart": (
            built_in(protected.url(1)),
            {"url": plain_url, "password": PASSWORD},
        ),
        "redis-user-who-reads": (
            built_in(protected.url(1)),
            {"url": plain_url, "username": "hallpass", "password": PASSWORD},
        ),
        "redis-tls": (
            built_in(tls_url),
            {
                "url": f"rediss://localhost:{protected.tls_port}/1",
                "password": PASSWORD,
                "ca": authority,
            },
        ),
        "redis-default-version": (built_in(redis.url(5)) | {"VERSION": 7}, None),
        "redis-prefix": (built_in(redis.url(5)) | {"KEY_PREFIX": "a b:ü"}, None),
        "django-redis-password-apart": (
            {
                "BACKEND": DJANGO_REDIS,
                "LOCATION": plain_url,
                "OPTIONS": {"PASSWORD": PASSWORD},
            },
            {"url": plain_url, "password": PASSWORD},
        ),
        "pymemcache": ({"BACKEND": PYMEMCACHE, "LOCATION": memcached.location}, None),
        "pylibmc": ({"BACKEND": PYLIBMC, "LOCATION": memcached.location}, None),
        "pymemcache-socket": (
            {"BACKEND": PYMEMCACHE, "LOCATION": memcached_on_a_socket.location},
            None,
        ),
        "pylibmc-socket": (
            {"BACKEND": PYLIBMC, "LOCATION": str(memcached_on_a_socket.socket)},
            memcached_on_a_socket.location.replace("unix:", "memcached:unix:"),
        ),
    }


WAYS = [
    "redis",
    "redis-socket",
    "redis-socket-and-its-tcp",
    "redis-another-database",
    "redis-password",
    "redis-password-apart",
    "redis-user-who-reads",
    "redis-tls",
    "redis-default-version",
    "redis-prefix",
    "django-redis-password-apart",
    "pymemcache",
    "pylibmc",
    "pymemcache-socket",
    "pylibmc-socket",
]


@pytest.fixture(scope="module", params=VERSIONS)
def site(request, new_site, ways, redis):
    shapes = {
        name: {"BACKEND": DJANGO_REDIS, "LOCATION": redis.url(7), "OPTIONS": options}
        for name, options in SHAPES.items()
    }
    site = new_site(
        request.param,
        CACHES=shapes
        | {name: settings for name, (settings, _) in ways.items()}
        | {"default": ways["redis"][0]},
        SESSION_ENGINE="django.contrib.sessions.backends.cache",
    )
    site.make_accounts(
        {"username": "alice", "password": SECRET}, {"username": "bob", "password": SECRET}
    )
    return site


def compare_life(site, hallpass, verdicts):
    """A session's life, and some that were not to be."""
    keys = site.ask("login_keys", "alice")

    def compare(token, expected, reasons=None):
        result = hallpass.session(token)
        django = site.ask("session_user", token)
        assert (django is not None) == expected, f"the expectation is wrong: {django}"
        verdicts.compare(result, expected, reasons)
        if django:
            assert result.json["user"] == django["user"]

    browser = site.login("alice", SECRET)
    token = browser.token
    compare(token, True)
    browser.logout()
    compare(token, False, NO_SESSION)
    for size in (1, 30, 200, 3000, 70_000):
        compare(site.ask("save_session", keys | {"x": "ab" * size}), True)
    compare(site.ask("save_session", keys | {"n": [1, -1, 2.5, None, True, {"é": []}]}), True)
    compare(site.ask("save_session", keys | {HASH: "0" * 64}), False, STALE)
    compare(site.ask("save_session", keys | {"_auth_user_id": "999"}), False)
    compare(site.ask("save_session", {"x": "ab" * 200}), False, ANONYMOUS)
    compare("0" * 32, False, NO_SESSION)


@pytest.mark.parametrize("way", WAYS)
def test_way_to_the_cache(site, ways, shell, verdicts, way):
    _, cache = ways[way]
    site.use(SESSION_CACHE_ALIAS=way)
    tables = {"django": {"cache": cache}} if cache else {}
    compare_life(site, shell(site.write_configuration(**tables)), verdicts)


@pytest.mark.parametrize("shape", SHAPES)
def test_shape_of_the_value(site, shell, verdicts, shape):
    site.use(SESSION_CACHE_ALIAS=shape)
    compare_life(site, shell(site.write_configuration()), verdicts)


def test_wrong_password_for_the_cache(site, ways, shell, protected):
    site.use(SESSION_CACHE_ALIAS="redis-password")
    token = site.ask("save_session", site.ask("login_keys", "alice"))
    url = f"redis://{LOOPBACK}:{protected.port}/1"
    for keys, code in [
        ({"password": PASSWORD}, 0),
        ({"password": "wrong"}, 75),
        ({"username": "nobody", "password": PASSWORD}, 75),
        ({}, 75),
    ]:
        config = site.write_configuration("cache.toml", django={"cache": {"url": url} | keys})
        result = shell(config).session(token)
        assert result.code == code, keys
        assert PASSWORD.encode() not in result.stderr + result.stdout


def test_certificate_that_nobody_stands_for(site, shell, protected, directory):
    stranger = str(make_certificates(directory / "tls").authority)
    cache = {"url": f"rediss://localhost:{protected.tls_port}/1", "password": PASSWORD}
    for more in ({}, {"ca": stranger}):
        config = site.write_configuration("cache.toml", django={"cache": cache | more})
        result = shell(config).session("0" * 32)
        assert result.code == 75
        assert "certificate" in result.json.get("cause", "") + result.stderr.decode()


def test_cache_of_somebody_else(site, ways, shell):
    """The right server, but another database, prefix or version: there is nobody."""
    site.use(SESSION_CACHE_ALIAS="redis")
    token = site.ask("save_session", site.ask("login_keys", "alice"))
    right = ways["redis"][0]["LOCATION"]
    for keys, code in [
        ({}, 0),
        ({"cache": right.removesuffix("/5") + "/6"}, 1),
        ({"cache_key_prefix": "shop"}, 1),
        ({"cache_version": 2}, 1),
        ({"cache_key_prefix": ":1"}, 1),
    ]:
        result = shell(site.write_configuration("cache.toml", django=keys)).session(token)
        assert result.code == code, keys
