# -*- coding: utf-8 -*-
"""Sessions that real Djangos make, and what every real Django reads out of each.

In three rounds, the first two under each Django (Python 2.7 for 1.4 to 1.11; pytz beside those
before 4.0):

    python django_sessions.py make > made-VERSION.json
    python django_sessions.py judge made-*.json > judged-VERSION.json
    python django_sessions.py merge judged-*.json > crates/sessions/tests/data/django_sessions.json

`make` lets that Django encode sessions, damages what came out, and signs oddities with its own
signers. `judge` has that Django read what all of them made: `decode` of the `db` store, `load` of
`signed_cookies` and of `file`, `get_user` of contrib.auth. `merge` keeps for each reading which
versions came to it. The clock stands still, so that what two Djangos make alike is one case.

A reading is `{...}` (a login's members with their types, without those that are as in LOGIN),
`"anonymous"` (a session without a login), `"refused"` (not believed, malformed, expired or an error),
or `"unpicklable"`: signed well, but this Python cannot load it. The readers go by the versions of
Django and Python, as in `3.2/3.8`.
"""

from __future__ import unicode_literals

import base64
import collections
import datetime
import decimal
import hashlib
import hmac
import json
import os
import pickle
import random
import shutil
import sys
import tempfile
import time
import uuid

PYTHON_2 = sys.version_info[0] == 2
NOW = 1790000000
SALT = "django.contrib.sessions.SessionStore"
COOKIE_SALT = "django.contrib.sessions.backends.signed_cookies"
LOGIN = {
    "_auth_user_id": "7",
    "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
    "_auth_user_hash": "0123456789abcdef" * 4,
}
MEMBERS = ("_auth_user_id", "_auth_user_backend", "_auth_user_hash", "_session_expiry")


def set_up():
    import django
    from django.conf import settings

    global VERSION
    VERSION = "%d.%d" % django.VERSION[:2]
    options = {
        "SECRET_KEY": str("first"), "SECRET_KEY_FALLBACKS": [], "USE_TZ": True,
        "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        "INSTALLED_APPS": ["django.contrib.auth", "django.contrib.contenttypes",
                           "django.contrib.sessions"],
        "MIDDLEWARE_CLASSES": ["django.contrib.auth.middleware.SessionAuthenticationMiddleware"],
        "AUTHENTICATION_BACKENDS": ["__main__.Backend"],
        "SESSION_FILE_PATH": tempfile.mkdtemp(), "SESSION_SERIALIZER": "__main__.Serializer",
    }
    settings.configure(**options)
    if hasattr(django, "setup"):
        django.setup()


def version():
    return tuple(map(int, VERSION.split(".")))


class Serializer(object):
    """The one that the case names, remembering whether it was asked and what went wrong."""
    name = "json"
    asked = failed = False

    @classmethod
    def real(cls):
        if cls.name == "json":
            from django.core.signing import JSONSerializer
            return JSONSerializer()
        try:
            from django.contrib.sessions.serializers import PickleSerializer
            return PickleSerializer()
        except ImportError:
            return Pickles()

    def dumps(self, value):
        return self.real().dumps(value)

    def loads(self, data):
        Serializer.asked = True
        try:
            return self.real().loads(data)
        except BaseException:
            Serializer.failed = True
            raise


class Pickles(object):
    """As a project keeps its own once Django has none any more."""
    HIGHEST_PROTOCOL = pickle.HIGHEST_PROTOCOL

    def dumps(self, value, protocol=pickle.HIGHEST_PROTOCOL):
        return pickle.dumps(value, protocol)

    def loads(self, data):
        return pickle.loads(data)


class Backend(object):
    user = None

    def get_user(self, user_id):
        return self.user


def use(case):
    """Settings and the session class for a case."""
    from django.conf import settings
    from django.contrib.sessions.backends import base, db

    settings.SECRET_KEY = case["secret_key"]
    settings.SECRET_KEY_FALLBACKS = case["fallbacks"]
    settings.SESSION_COOKIE_AGE = case.get("age", 1209600)
    Serializer.name = case["serializer"]
    Serializer.asked = Serializer.failed = False
    if version() < (1, 5):
        base.pickle = Serializer()
        Serializer.HIGHEST_PROTOCOL = pickle.HIGHEST_PROTOCOL
        Serializer.dumps = lambda self, value, protocol=2: pickle.dumps(value, protocol)
    now = case.get("now", NOW)
    time.time = lambda: now
    return type(str(case["class"]), (db.SessionStore,), {"__module__": str("shop.sessions")})


def case_of(note, container, serializer, **more):
    case = {"note": note, "kind": "stored", "container": container, "serializer": serializer,
            "secret_key": "first", "fallbacks": [], "class": "SessionStore"}
    case.update(more)
    return case


# Making.

def contents():
    """Payloads by name, and the serializers that can write each."""
    both, pickles = ("json", "pickle"), ("pickle",)
    shared = [1, "two", {"three": 3.5}]
    nested = []
    for _ in range(60):
        nested = [nested, {"n": nested and None}]
    yield "a login", both, LOGIN
    yield "an empty session", both, {}
    yield "an anonymous session", both, {"cart": [1, 2, 3], "_session_expiry": 60}
    yield "an integer id", both, dict(LOGIN, _auth_user_id=7)
    yield "an id past 32 bits", both, dict(LOGIN, _auth_user_id=2 ** 40)
    yield "an id past 64 bits", both, dict(LOGIN, _auth_user_id=2 ** 70)
    yield "a negative id", both, dict(LOGIN, _auth_user_id=-300)
    yield "a fraction for an id", both, dict(LOGIN, _auth_user_id=7.9)
    yield "no number for an id", both, dict(LOGIN, _auth_user_id=float("nan"))
    yield "null for an id", both, dict(LOGIN, _auth_user_id=None)
    yield "a list for an id", both, dict(LOGIN, _auth_user_id=["7"])
    yield "a text id", both, dict(LOGIN, _auth_user_id="zo\u00eb \U0001f600")
    yield "a UUID's text for an id", both, dict(
        LOGIN, _auth_user_id="8d8b30b5-4a4b-4b3c-8d7a-0a7a30e8a3c1")
    yield "no id", both, {key: LOGIN[key] for key in LOGIN if key != "_auth_user_id"}
    yield "no backend", both, {key: LOGIN[key] for key in LOGIN if key != "_auth_user_backend"}
    yield "no hash", both, {key: LOGIN[key] for key in LOGIN if key != "_auth_user_hash"}
    yield "a large session", both, dict(LOGIN, cart=[
        {"item": n, "name": "thing" * 9} for n in range(60)])
    yield "other text", both, dict(LOGIN, name="Zo\u00eb \U0001f600 \n\"\\", empty="", **{
        "cl\u00e9": "v", "_auth_user_id2": "8"})
    yield "nesting", both, dict(LOGIN, x=nested)
    yield "values of every kind", both, dict(LOGIN, x=[
        None, True, False, 0, -1, 255, 256, 65535, 65536, 2 ** 31, -2 ** 31, 2 ** 63, -2 ** 63,
        2 ** 2100, 0.1, -1e300, float("inf"), "", "x" * 300])
    yield "shared values", both, dict(LOGIN, a=shared, b=shared, c=LOGIN["_auth_user_hash"],
                                      d=LOGIN["_auth_user_backend"])
    yield "Python's own values", pickles, dict(
        LOGIN, when=datetime.datetime(2020, 2, 29, 1, 2, 3, 4), day=datetime.date(2020, 1, 1),
        how_long=datetime.timedelta(1, 2, 3), price=decimal.Decimal("1.5"), key=uuid.UUID(int=5),
        some={1, 2}, fixed=frozenset(["a"]), pair=(1, 2), four=(1, 2, 3, 4), none=(),
        order=collections.OrderedDict([("_auth_user_id", "8"), ("b", 2)]), z=1j,
        lots=list(range(1500)), data=b"abc", changing=bytearray(b"abc"),
        counts=collections.Counter("hello"), default=collections.defaultdict(list, a=[1]))
    yield "other keys", pickles, with_keys()
    yield "a recursive value", pickles, recursive()
    yield "native text", pickles, {str(key): str(LOGIN[key]) for key in LOGIN}
    yield "bytes past ASCII", pickles, dict(LOGIN, x=b"\xff\x00\x80", y=b"")
    yield "bytes for an id", pickles, dict(LOGIN, _auth_user_id=b"7")
    yield "a boolean for an id", both, dict(LOGIN, _auth_user_id=True)
    yield "a set for an id", pickles, dict(LOGIN, _auth_user_id={7})


def with_keys():
    keys = dict(LOGIN)
    keys.update({1: "a", None: "b", (1, 2): "c", 2.5: "d", frozenset([1]): "e", b"f": "f"})
    return keys


def recursive():
    session = dict(LOGIN)
    session["self"] = session
    session["list"] = [session]
    session["list"].append(session["list"])
    return session


def zones():
    from django.utils import timezone

    moment = datetime.datetime(2040, 7, 1, 12, 30, 15, 123456)
    yield "naive", moment
    yield "naive, whole seconds", moment.replace(microsecond=0)
    yield "naive, past", moment.replace(year=2020)
    try:
        from django.utils.timezone import utc
    except ImportError:
        utc = datetime.timezone.utc
    yield "UTC", moment.replace(tzinfo=utc)
    yield "UTC, past", moment.replace(year=2020, tzinfo=utc)
    if hasattr(timezone, "get_fixed_timezone") and not PYTHON_2:
        yield "an offset", moment.replace(
            tzinfo=datetime.timezone(datetime.timedelta(hours=-3, minutes=-30)))
        yield "an offset with a name", moment.replace(
            tzinfo=datetime.timezone(datetime.timedelta(hours=5.5), "here"))
        if sys.version_info >= (3, 7):
            yield "an offset with seconds", moment.replace(
                tzinfo=datetime.timezone(datetime.timedelta(minutes=84, seconds=1)))
        yield "the second time", moment.replace(fold=1)
    try:
        import pytz
        yield "pytz, summer", pytz.timezone("Europe/Warsaw").localize(moment)
        yield "pytz, winter", pytz.timezone("Europe/Warsaw").localize(moment.replace(month=1))
        yield "pytz, UTC", moment.replace(tzinfo=pytz.utc)
        yield "pytz, fixed", moment.replace(tzinfo=pytz.timezone("Etc/GMT+5"))
    except ImportError:
        pass
    try:
        import zoneinfo
        yield "zoneinfo", moment.replace(tzinfo=zoneinfo.ZoneInfo("Europe/Warsaw"))
        yield "zoneinfo, the second time", moment.replace(
            fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Warsaw"))
    except ImportError:
        pass


def expiries():
    for seconds in (300, 1, 0, -5, 0.5, -0.5, 10 ** 12):
        yield "%r seconds" % seconds, seconds
    for note, moment in zones():
        yield "a datetime: " + note, moment
    yield "a timedelta", datetime.timedelta(days=9000)
    yield "a timedelta, past", datetime.timedelta(days=-9000)


def make():
    set_up()
    from django.core import signing

    cases = []
    serializers = ("pickle",) if version() < (1, 6) else ("json", "pickle")
    here = random.Random(7)

    def encode(payload, serializer, **more):
        case = case_of("", "", serializer, **more)
        store = use(case)()
        return store.encode(payload)

    for note, able, payload in contents():
        for serializer in serializers:
            if serializer in able:
                try:
                    container = encode(payload, serializer)
                except (TypeError, ValueError):
                    continue  # bytes in JSON, under Python 3
                cases.append(case_of(note, container, serializer))
    for note, value in expiries():
        for serializer in serializers:
            case = case_of("", "", serializer)
            store = use(case)()
            store.update(LOGIN)
            store.set_expiry(value)
            try:
                container = store.encode(store._session)
            except (TypeError, ValueError):
                continue  # datetimes in JSON, before 4.1
            cases.append(case_of("expires: " + note, container, serializer, kind="file"))
    for odd in ("", "tomorrow", "2040-07-01", "2040-07-01T12:30:15", [], [1], {}, True, False, None,
                "2020-07-01T12:30:15+00:00"):
        for serializer in serializers:
            container = encode(dict(LOGIN, _session_expiry=odd), serializer)
            cases.append(case_of("expires: %s" % json.dumps(odd), container, serializer,
                                 kind="file"))

    for serializer in serializers:
        plain = encode(LOGIN, serializer)
        large = encode(dict(LOGIN, cart=["thing"] * 40), serializer)
        for secret_key, fallbacks in (("first", ["other", "old"]), ("first", ["other"]),
                                      ("old", ["first"]), ("first", []), ("old", [])):
            container = encode(LOGIN, serializer, secret_key="old")
            cases.append(case_of("signed with \"old\"", container, serializer,
                                 secret_key=secret_key, fallbacks=fallbacks))
        custom = encode(LOGIN, serializer, **{"class": "CustomStore"})
        cases.append(case_of("a class of another name", custom, serializer,
                             **{"class": "CustomStore"}))
        cases.append(case_of("another class's salt", custom, serializer))
        cases.append(case_of("another class's salt", plain, serializer,
                             **{"class": "CustomStore"}))
        for kind, container in (("plain", plain), ("large", large)):
            for note, twin in twins(container, here):
                cases.append(case_of(kind + ", " + note, twin, serializer))
        if ":" in plain:
            cases.append(case_of("another's signature", plain.rsplit(":", 1)[0] + ":" +
                                 large.rsplit(":", 1)[1], serializer))
        else:
            one, other = base64.b64decode(plain), base64.b64decode(large)
            swapped = base64.b64encode(other[:40] + one[40:]).decode()
            cases.append(case_of("another's signature", swapped, serializer))
            upper = base64.b64encode(one[:40].upper() + one[40:]).decode()
            cases.append(case_of("the signature in upper case", upper, serializer))
            cases.append(case_of("no signature", base64.b64encode(one[40:]).decode(), serializer))
            cases.append(case_of("no colon", base64.b64encode(one[:40]).decode(), serializer))

    class Odd(signing.TimestampSigner):
        def timestamp(self):
            return self.written

    def sign(value, salt, timestamp):
        use(case_of("", "", serializers[0]))
        signer = Odd(key=str("first"), salt=str(salt))
        signer.written = timestamp
        return signer.sign(value)

    def base64url(data):
        return base64.urlsafe_b64encode(data).strip(b"=").decode()

    serializer = serializers[0]
    use(case_of("", "", serializer))
    data = Serializer().dumps(LOGIN)
    data = data if isinstance(data, bytes) else data.encode()
    stamp = "1x8ZhK"
    for salt, kind in ((SALT, "stored"), (COOKIE_SALT, "cookie")):
        for timestamp in ("", "-", "0", "-0", "-1", "zz", "a_", "1x8ZhK ", "\u0663", "z" * 12,
                          "z" * 30, "-" + "z" * 30, "0" * 20 + stamp):
            cases.append(case_of("timestamp %s" % json.dumps(timestamp), sign(
                base64url(data), salt, timestamp), serializer, kind=kind))
        for note, value in (
                ("padding", base64url(data) + "="), ("no Base64", "%%%"), ("nothing", ""),
                ("a dot", "."), ("one letter", "A"), ("a line end", base64url(data) + "\n"),
                ("the other alphabet", base64.b64encode(b"\xff\xfb" + data).decode()),
                ("garbage compressed", "." + base64url(b"garbage")),
                ("junk in it", base64url(data)[:8] + "%!*%" + base64url(data)[8:]),
                ("four more letters", base64url(data) + "AAAA")):
            cases.append(case_of("signed: " + note, sign(value, salt, stamp), serializer,
                                 kind=kind))
    if version() >= (1, 5):
        # In a cookie 1.4 pickles, too.
        use(case_of("", "", "json"))
        cookie = signing.dumps(LOGIN, key=str("first"), salt=str(COOKIE_SALT), compress=True)
        for age, now in ((60, NOW), (60, NOW + 59.9), (60, NOW + 60), (60, NOW + 60.5),
                         (60, NOW + 61), (60, NOW - 10 ** 6), (0, NOW), (0, NOW + 0.5)):
            cases.append(case_of("a cookie at %s of %s" % (now - NOW, age), cookie, "json",
                                 kind="cookie", age=age, now=now))
        for note, twin in twins(cookie, here):
            cases.append(case_of("cookie, " + note, twin, "json", kind="cookie"))
        cases.append(case_of("a cookie of the server's salt", plain if ":" in plain else sign(
            base64url(data), SALT, stamp), "json", kind="cookie"))
        cases.append(case_of("a cookie in the server's store", cookie, "json"))
        old = signing.dumps(LOGIN, key=str("old"), salt=str(COOKIE_SALT))
        for fallbacks in ([], ["old"]):
            cases.append(case_of("a cookie signed with \"old\"", old, "json", kind="cookie",
                                 fallbacks=fallbacks))
    if version() in ((3, 1), (3, 2)):
        from django.conf import settings
        settings.DEFAULT_HASHING_ALGORITHM = "sha1"
        for serializer in serializers:
            cases.append(case_of("DEFAULT_HASHING_ALGORITHM sha1", encode(LOGIN, serializer),
                                 serializer))
            for kind, salt in (("cookie", COOKIE_SALT), ("stored", SALT)):
                use(case_of("", "", serializer))
                cases.append(case_of("signed with sha1", signing.dumps(
                    LOGIN, salt=salt, serializer=Serializer), serializer, kind=kind))
    for case in cases:
        case["by"] = VERSION
    json.dump({"cases": cases, "hashes": hashes()}, sys.stdout)


def twins(container, here):
    """The container damaged: text that looks much like it."""
    length = len(container)
    for position in sorted({0, 1, length - 1, length - 2, length - 20, length - 44, length - 46,
                            length - 50, length // 2}):
        letter = "A" if container[position] != "A" else "B"
        yield "byte %d changed" % position, container[:position] + letter + container[position + 1:]
    for cut in (1, 2, 4, 44, length - 1, length):
        yield "cut by %d" % cut, container[:-cut]
    yield "a line end after it", container + "\n"
    yield "a space before it", " " + container
    yield "padding after it", container + "="
    yield "junk in it", container[:9] + "%\n*" + container[9:]
    yield "a dash in it", container[:9] + "-" + container[9:]
    yield "twice", container + container
    yield "a dot before it", "." + container
    yield "a colon before it", ":" + container
    yield "a colon after it", container + ":"
    yield "upper case", container.upper()
    yield "a NUL after it", container + "\0"
    yield "non-ASCII after it", container + "\u00e9"


def hashes():
    """Hashes of a password, right and wrong, made without Django."""
    salt = b"django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
    rows = []
    for password in ("", "!", "pbkdf2_sha256$1000000$salt$x=", "zo\u00eb"):
        for digest in (hashlib.sha1, hashlib.sha256, hashlib.md5, hashlib.sha512):
            for secret_key in ("first", "old", "unknown"):
                key = digest(salt + secret_key.encode()).digest()
                made = hmac.new(key, password.encode("utf-8"), digest).hexdigest()
                rows.append((password, made))
        rows += [(password, made.upper()), (password, made[:-1]), (password, made + "\n"),
                 (password, ""), (password, " ")]
        key = hashlib.sha256(salt + b"first").digest()
        made = hmac.new(key, b"another", hashlib.sha256).hexdigest()
        rows += [(password, made), (password, made.upper())]
    return [{"password": password, "hash": made} for password, made in rows]


# Judging.

def spelled(value):
    """A member in JSON, with its type."""
    if value is None or isinstance(value, bool):
        return ["other", repr(value)] if value is not None else None
    if isinstance(value, float):
        return ["fraction", repr(value)]
    if isinstance(value, int) or type(value).__name__ == "long":
        return ["integer", str(value)]
    if isinstance(value, datetime.datetime):
        offset = None if value.tzinfo is None else value.utcoffset()
        microseconds = None if offset is None else (
            (offset.days * 86400 + offset.seconds) * 10 ** 6 + offset.microseconds)
        return ["datetime", value.replace(tzinfo=None).isoformat(), microseconds,
                getattr(value.tzinfo, "key", None), getattr(value, "fold", 0)]
    if isinstance(value, type("")):
        return ["text", value]
    if isinstance(value, bytes) and PYTHON_2:
        try:
            return ["text", value.decode("ascii")]
        except UnicodeDecodeError:
            pass
    return ["other", type(value).__name__]


def reading(session):
    if Serializer.failed:
        return "unpicklable" if Serializer.name == "pickle" else "refused"
    if not Serializer.asked:
        return "refused"
    if not isinstance(session, dict):
        return "refused"
    if session.get("_auth_user_id") is None or "_auth_user_backend" not in session:
        return "anonymous"
    login = {key: spelled(session.get(key)) for key in MEMBERS}
    login = {key: login[key] for key in login
             if login[key] != (["text", LOGIN[key]] if key in LOGIN else None)}
    from django.db.models import AutoField
    try:
        login["key"] = str(AutoField(primary_key=True).to_python(session["_auth_user_id"]))
    except Exception:
        login["key"] = None
    if login["key"] == "7":
        del login["key"]
    return login


def judge_case(case):
    store = use(case)
    if case["kind"] == "cookie":
        from django.contrib.sessions.backends import signed_cookies
        if version() < (1, 5):
            signed_cookies.PickleSerializer = Serializer
        try:
            session = signed_cookies.SessionStore(case["container"]).load()
        except Exception:
            return "refused"
        lost = Serializer.asked and not Serializer.failed and session == {}
        return "refused" if lost else reading(session)
    try:
        return reading(store().decode(case["container"]))
    except Exception:
        return "unpicklable" if Serializer.failed and Serializer.name == "pickle" else "refused"


def judge_file(case):
    """Whether the file engine still has the login of a session written just now."""
    from django.contrib.sessions.backends.file import SessionStore
    from django.conf import settings
    use(case)
    key = "0" * 32
    path = os.path.join(settings.SESSION_FILE_PATH, "sessionid" + key)
    with open(path, "wb") as file:
        file.write(case["container"].encode("utf-8"))
    os.utime(path, (NOW, NOW))
    real, fixed = datetime.datetime, datetime.datetime.utcfromtimestamp(NOW)
    from django.utils import timezone
    was = timezone.now
    # `timezone.now` reads the clock of C, which does not stand still for anybody.
    aware = fixed.replace(tzinfo=was().tzinfo)
    timezone.now = lambda: aware
    try:
        session = SessionStore(key).load()
        return "login" if session.get("_auth_user_id") else "expired"
    except Exception:
        return "raises"
    finally:
        timezone.now = was
        if os.path.exists(path):
            os.remove(path)


class Session(dict):
    session_key = "0" * 32

    def flush(self):
        self.clear()

    def cycle_key(self):
        pass

    def save(self, **_):
        pass


def judge_hash(row, fallbacks):
    from django.conf import settings
    from django.contrib import auth
    from django.contrib.auth.models import User
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "first", fallbacks
    Backend.user = User(pk=7, password=row["password"])
    request = type(str("Request"), (), {})()
    request.session = Session({"_auth_user_id": "7", "_auth_user_backend": "__main__.Backend",
                               "_auth_user_hash": row["hash"]})
    return auth.get_user(request) is Backend.user


def judge(paths):
    set_up()
    cases, rows = collections.OrderedDict(), []
    for path in paths:
        with open(path) as file:
            made = json.load(file)
        rows = made["hashes"]
        for case in made["cases"]:
            key = json.dumps([case[key] for key in sorted(case) if key not in ("by", "note")])
            known = cases.setdefault(key, dict(case, by=[]))
            if case["by"] not in known["by"]:
                known["by"].append(case["by"])
    judged = []
    for case in cases.values():
        if case["serializer"] == "json" and version() < (1, 6):
            verdict = None  # no JSON there yet
        else:
            verdict = judge_case(case)
            if case["kind"] == "file" and isinstance(verdict, dict) and version() >= (1, 8):
                verdict["file"] = judge_file(case)
        judged.append(dict(case, reading=verdict))
    real = []
    if version() >= (1, 7):
        for row in rows:
            for fallbacks in ([], ["old"]):
                real.append(dict(row, fallbacks=fallbacks, accepted=judge_hash(row, fallbacks)))
    from django.conf import settings
    shutil.rmtree(settings.SESSION_FILE_PATH)
    here = "%s/%d.%d" % (VERSION, sys.version_info[0], sys.version_info[1])
    json.dump({"by": here, "cases": judged, "hashes": real}, sys.stdout)


# Merging.

def merge(paths):
    cases, rows = collections.OrderedDict(), collections.OrderedDict()
    for path in paths:
        with open(path) as file:
            judged = json.load(file)
        for case in judged["cases"]:
            verdict = case.pop("reading")
            key = json.dumps([case[key] for key in sorted(case) if key not in ("by", "note")])
            case = cases.setdefault(key, dict(case, readings=collections.OrderedDict()))
            if verdict is not None:
                case["readings"].setdefault(
                    json.dumps(verdict, sort_keys=True), []).append(judged["by"])
        for row in judged["hashes"]:
            key = (row["password"], row["hash"], ",".join(row["fallbacks"]))
            row_ = rows.setdefault(key, {"password": row["password"], "hash": row["hash"],
                                         "fallbacks": row["fallbacks"], "accepted_by": [],
                                         "refused_by": []})
            row_["accepted_by" if row["accepted"] else "refused_by"].append(judged["by"])
    print("{\"cases\": [")
    lines = []
    for case in cases.values():
        for key, ordinary in (("fallbacks", []), ("class", "SessionStore"), ("kind", "stored"),
                              ("secret_key", "first")):
            if case[key] == ordinary:
                del case[key]
        case["by"] = " ".join(case["by"])
        case["readings"] = [[json.loads(verdict), " ".join(by)]
                            for verdict, by in case["readings"].items()]
        lines.append(json.dumps(case, sort_keys=True))
    print(",\n".join(lines))
    print("], \"hashes\": [")
    print(",\n".join(json.dumps(dict(row, accepted_by=" ".join(row["accepted_by"]),
                                     refused_by=" ".join(row["refused_by"])), sort_keys=True)
                     for row in rows.values()))
    print("]}")


if __name__ == "__main__":
    {"make": lambda _: make(), "judge": judge, "merge": merge}[sys.argv[1]](sys.argv[2:])
