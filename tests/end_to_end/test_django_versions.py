"""Sites on older Djangos: their containers, their pickles, their caches. What is legal there is
granted where the configuration says `version`, and nowhere else."""

import base64
import pickle

import pytest

from engine_cases import LIVES, EngineSessions, expected_of
from session_cases import BACKEND, GRANTED, HASH, ID

SECRET = "s3cret"
OLDER = ["2.2", "3.2"]
PICKLE = "django.contrib.sessions.serializers.PickleSerializer"
JSON = "django.contrib.sessions.serializers.JSONSerializer"
# These ask for what older Djangos do not have.
NEWER = {"hash-by-fallback-key", "hash-by-dropped-key"}


@pytest.fixture(scope="module")
def sites(new_site, new_directory, redis, memcached):
    made = {}

    def site(version):
        if version not in made:
            caches = old_caches(redis, memcached, new_directory())
            if version == "4.2":
                del caches["memcached"]
            made[version] = new_site(
                version,
                CACHES=caches,
                SESSION_COOKIE_AGE=1000,
                SESSION_FILE_PATH=str(new_directory()),
            )
            made[version].manage("createcachetable")
            made[version].make_accounts(
                {"username": "alice", "password": SECRET}, {"username": "bob", "password": SECRET}
            )
        return made[version]

    return site


def old_caches(redis, memcached, directory):
    django = "django.core.cache.backends"
    return {
        "default": {"BACKEND": f"{django}.dummy.DummyCache"},
        "memcached": {
            "BACKEND": f"{django}.memcached.MemcachedCache",
            "LOCATION": memcached.location,
            "KEY_PREFIX": "old",
        },
        "pylibmc": {
            "BACKEND": f"{django}.memcached.PyLibMCCache",
            "LOCATION": memcached.location,
            "KEY_PREFIX": "old-too",
        },
        "django-redis": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": redis.url(4),
            "OPTIONS": {"COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor"},
        },
        "table": {"BACKEND": f"{django}.db.DatabaseCache", "LOCATION": "cache_table"},
        "files": {"BACKEND": f"{django}.filebased.FileBasedCache", "LOCATION": str(directory)},
    }


PLACES = [
    (version, engine, cache, serializer)
    for version in [*OLDER, "4.2"]
    for engine, cache, serializer in [
        ("db", None, PICKLE),
        ("file", None, PICKLE),
        ("signed_cookies", None, PICKLE),
        *(
            []
            if version == "4.2"  # where test_django_matrix.py has these
            else [
                ("db", None, JSON),
                ("file", None, JSON),
                ("signed_cookies", None, JSON),
                ("cached_db", "memcached", JSON),
                ("cached_db", "pylibmc", PICKLE),
                ("cached_db", "table", JSON),
                ("cache", "memcached", JSON),
                ("cache", "pylibmc", JSON),
                ("cache", "django-redis", JSON),
                ("cache", "table", JSON),
                ("cache", "files", JSON),
            ]
        ),
    ]
]


def name_of(place) -> str:
    version, engine, cache, serializer = place
    kind = "pickle" if serializer == PICKLE else "json"
    return "-".join(filter(None, [version, engine, cache, kind]))


class Place:
    """A site with one engine, and `hallpass` told and not told of its version."""

    def __init__(self, site, engine, cache, serializer, shell):
        site.use(
            SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}",
            SESSION_CACHE_ALIAS=cache or "default",
            SESSION_SERIALIZER=serializer,
        )
        self.site, self.engine, self.shell = site, engine, shell
        self.sessions = EngineSessions(site, engine, cache, None)
        self.hallpass = shell(site.write_configuration())

    def told(self, version: str | None, **django):
        """`hallpass` for a site of another version."""
        tables = {"version": version} | django
        return self.shell(self.site.write_configuration("told.toml", django=tables))

    def compare(self, token, verdicts, expected=None):
        result = self.hallpass.session(token)
        django = self.site.ask("session_user", token)
        if expected is not None:
            assert (django is not None) == expected, f"the expectation is wrong: {django}"
        verdicts.compare(result, django is not None)
        if django:
            assert (result.json["user"], str(result.json["id"])) == (django["user"], django["id"])


@pytest.fixture(scope="module")
def enter(sites, shell):
    """Makes a site one of the places, when it is not that already."""
    here = {}

    def enter(place) -> Place:
        if place not in here:
            version, *how = place
            here.clear()
            here[place] = Place(sites(version), *how, shell)
        return here[place]

    return enter


@pytest.fixture
def place(request, enter):
    return enter(request.param)


CASES = [
    pytest.param(place, case, id=f"{name_of(place)}-{name}")
    for place in PLACES
    for name, case in LIVES.items()
    if name not in NEWER
]


@pytest.mark.parametrize(("place", "case"), CASES, indirect=["place"])
def test_session(place, case, verdicts):
    make, _ = case
    expected = expected_of(case, place.engine)
    known = expected == GRANTED or isinstance(expected, set)
    place.compare(make(place.sessions), verdicts, expected == GRANTED if known else None)


@pytest.mark.parametrize("place", PLACES, indirect=True, ids=name_of)
def test_session_is_refused_where_the_version_is_not_said(place, verdicts):
    """What SHA-1 vouches for is nothing to a newer Django, or to one that is not named."""
    site, token = place.site, place.sessions.of("alice")
    assert place.hallpass.session(token).granted
    # By 3.1 and later: SHA-256, in today's container.
    modern = site.version >= "3.1"
    for version in (None, "4.0", "5.2"):
        result = place.told(version).session(token)
        verdicts_differ = result.granted != modern
        assert not verdicts_differ, (version, result.json)
        if not modern:
            assert result.json["reason"] in {"invalid-session", "stale-session"}


RICH = """
from decimal import Decimal
from uuid import UUID
import datetime
session = session_store()
session.update(login_keys("alice"))
session["sum"], session["id"] = Decimal("1.50"), UUID(int=5)
session["set"], session["bytes"], session["tuple"] = {1, 2}, b"\\x00\\xff", (1, None, 1.5)
session["seen"] = timezone.now()
session["day"], session["lapse"] = datetime.date(2020, 1, 2), datetime.timedelta(days=1)
session["nested"] = {"again": [session["set"], session["tuple"]] * 3, "long": 1 << 80}
session["large"] = "word " * 300
session.set_expiry(timezone.now() + datetime.timedelta(hours=1))
session.save()
answer = session.session_key
"""


@pytest.mark.parametrize(
    "place", [place for place in PLACES if place[3] == PICKLE], indirect=True, ids=name_of
)
def test_pickle_of_many_types(place, verdicts):
    token = place.site.shell(RICH)
    place.compare(token, verdicts, True)
    if place.engine != "signed_cookies":
        place.compare(token[:-1] + ("a" if token[-1] != "a" else "b"), verdicts, False)


@pytest.fixture(params=OLDER)
def rows(request, enter):
    """A site that keeps pickles in its table."""
    return enter((request.param, "db", None, PICKLE))


@pytest.mark.parametrize("protocol", range(6))
def test_pickle_protocol(rows, verdicts, protocol):
    payload = rows.site.ask("login_keys", "alice") | {"cart": [1, 2.5, None, True, "é", 2**70]}
    put = lambda value: rows.site.shell(PUT_PICKLE, value=as_text(pickle.dumps(value, protocol)))
    rows.compare(put(payload), verdicts, True)
    rows.compare(put(payload | {ID: int(payload[ID])}), verdicts, True)
    rows.compare(put(payload | {HASH: "0" * 40}), verdicts, False)
    rows.compare(put(payload | {ID: "999"}), verdicts, False)
    rows.compare(put(payload | {BACKEND: "no.such.Backend"}), verdicts, False)
    rows.compare(put([payload]), verdicts, False)
    rows.compare(put("alice"), verdicts, False)
    rows.compare(put({}), verdicts, False)
    shared = {key: value for key, value in payload.items()}
    rows.compare(put(shared | {"copies": [shared, shared, payload[HASH]]}), verdicts, True)


PUT_PICKLE = """
class Done:
    def dumps(self, value): return base64.b64decode(value)
store = session_store()
store.serializer = Done
answer = put_session(store.encode(value))
"""


def as_text(value: bytes) -> str:
    return base64.b64encode(value).decode()


@pytest.mark.parametrize("damage", ["cut", "halved", "without-stop", "garbage", "other-opcode"])
def test_damaged_pickle_is_nobodys(rows, verdicts, damage):
    value = pickle.dumps(rows.site.ask("login_keys", "alice"), 4)
    value = {
        "cut": value[:-10],
        "halved": value[: len(value) // 2],
        "without-stop": value[:-1],
        "garbage": b"\x80\x04" + bytes(range(255, 100, -1)),
        "other-opcode": value[:20] + b"\x81" + value[21:],
    }[damage]
    token = rows.site.shell(PUT_PICKLE, value=as_text(value))
    rows.compare(token, verdicts, False)


def test_pickle_that_would_run_something_runs_nothing(rows, directory):
    """It is only read. Django is not asked: it would run it."""
    made = directory / "made-by-the-pickle"

    class Touch:
        def __reduce__(self):
            return (open, (str(made), "w"))

    login = rows.site.ask("login_keys", "alice")
    for value in (Touch(), login | {"x": Touch()}, [Touch(), login]):
        token = rows.site.shell(PUT_PICKLE, value=as_text(pickle.dumps(value)))
        result = rows.hallpass.session(token)
        assert result.code in (0, 1)
        assert not made.exists()
        if isinstance(value, dict):
            assert result.granted, "the rest of the session is as good as without it"
    made.unlink(missing_ok=True)


LEGACY = {
    "as-written": (lambda text: text, True),
    "with-newline": (lambda text: text + "\n", True),
    "wrapped": (lambda text: "\n".join(text[i : i + 76] for i in range(0, len(text), 76)), True),
    "with-a-blank-inside": (lambda text: text[:30] + " " + text[30:], True),
    "changed-digest": (lambda text: changed(text, 5), False),
    "changed-payload": (lambda text: changed(text, 80), False),
    "changed-end": (lambda text: changed(text, -9), False),
    "cut": (lambda text: text[:-4], False),
    "cut-inside-a-quantum": (lambda text: text[:-5], False),
    "empty": (lambda text: "", False),
    "digest-alone": (lambda text: text[:54], False),
    "not-base64": (lambda text: "*" * 50, False),
    "not-ascii": (lambda text: "é" + text, False),
    "no-colon": (lambda text: as_text(base64.b64decode(text).replace(b":", b".", 1)), False),
    "digest-in-capitals": (
        lambda text: as_text(base64.b64decode(text)[:40].upper() + base64.b64decode(text)[40:]),
        False,
    ),
}


def changed(text: str, position: int) -> str:
    other = "Q" if text[position] != "Q" else "g"
    position %= len(text)
    return text[:position] + other + text[position + 1 :]


@pytest.mark.parametrize("serializer", [JSON, PICKLE], ids=["json", "pickle"])
@pytest.mark.parametrize("name", LEGACY)
@pytest.mark.parametrize("version", OLDER)
def test_container_before_3_1(enter, verdicts, version, name, serializer):
    place = enter((version, "db", None, serializer))
    change, good = LEGACY[name]
    login = place.site.ask("login_keys", "alice")
    token = place.site.ask("put_session", change(legacy(place.site, login)))
    place.compare(token, verdicts, good)
    # Not even a good one, where it is not said that the site is so old.
    for newer in (None, "4.0", "5.2"):
        assert not place.told(newer).session(token).granted


def legacy(site, payload) -> str:
    """As Django up to 3.0 writes it; 3.1 and 3.2 still can."""
    return site.shell(
        "answer = (getattr(session_store(), '_legacy_encode', None) or encode)(payload)",
        payload=payload,
    )


def test_sha1_of_3_2(enter, verdicts):
    """What a site had written before its last update is good for as long as Django reads it."""
    place = enter(("3.2", "db", None, JSON))
    site = place.site
    keys = site.ask("login_keys", "alice")
    sha1_hash = site.shell(
        "answer = User.objects.get(username='alice')._legacy_get_session_auth_hash()"
    )
    assert len(sha1_hash) == 40
    site.use(DEFAULT_HASHING_ALGORITHM="sha1")
    old = site.ask("encode", keys | {HASH: sha1_hash})
    old_sign = site.ask("sign", keys)
    site.use(DEFAULT_HASHING_ALGORITHM="sha256")
    assert ":" not in old and ":" in old_sign
    put = lambda text: site.ask("put_session", text)
    cases = {
        put(old): True,
        put(old_sign): True,
        put(site.ask("sign", keys | {HASH: sha1_hash})): True,
        put(site.ask("sign", keys | {HASH: sha1_hash[:-1]})): False,
        put(site.ask("sign", keys | {HASH: "0" * 40})): False,
        put(site.ask("sign", keys, key="another key")): False,
        put(old_sign[:-1]): False,
    }
    for token, expected in cases.items():
        place.compare(token, verdicts, expected)
        for version in (None, "4.0", "5.2"):
            assert not place.told(version).session(token).granted


@pytest.mark.parametrize("version", OLDER)
def test_passwords_of_older_djangos(sites, shell, verdicts, version):
    site = sites(version)
    # Some of these are slow, and meant to be.
    hallpass = shell(site.write_configuration("passwords.toml", limits={"deadline": "60s"}))
    for algorithm in site.ask("algorithms"):
        options = {"iterations": 10} if algorithm.startswith("pbkdf2") else {}
        if algorithm == "crypt":
            continue  # Python's own module of that name may be gone
        encoded = site.ask("make_password", SECRET, algorithm, **options)
        name = f"user of {algorithm}"
        site.make_accounts({"username": name, "encoded": encoded})
        for password in (SECRET, "wrong", SECRET + " "):
            expected = site.ask("check_password", password, encoded)
            assert expected == (password == SECRET)
            verdicts.compare(hallpass.check(name, password), expected)
