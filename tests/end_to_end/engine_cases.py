"""Sessions in every engine: how they are made, spoilt and outlived, and what becomes of each.

As in session_cases.py a case is a function from the maker of sessions to the token, beside
who gets in: GRANTED, the reasons for a denial, or DJANGO_DECIDES where that depends on the
engine and the database. Which engines a case is for, its table says.
"""

import os
import pickle
import time
import zlib
from collections.abc import Callable
from itertools import count
from pathlib import Path

from caches import Caches
from django_site import DjangoSite
from session_cases import (
    ANONYMOUS,
    BACKEND,
    EXPIRED,
    FILLER,
    GRANTED,
    HASH,
    ID,
    INACTIVE,
    INVALID,
    NO_SESSION,
    OLD_KEY,
    OLDER_KEY,
    SECRET,
    STALE,
    UNKNOWN_USER,
)

# Django tells, and we follow; no reason is expected.
DJANGO_DECIDES = "as Django decides"
DENIED = None  # whatever the reason

AGE = 1000  # SESSION_COOKIE_AGE of these sites, in seconds
_numbers = count(1)


class EngineSessions:
    """Makes sessions on a site by its engine and its cache; every maker answers the token."""

    def __init__(self, site: DjangoSite, engine: str, cache: str | None, caches: Caches):
        self.site, self.engine, self.cache, self.caches = site, engine, cache, caches
        self.alice = site.ask("login_keys", "alice")
        self.text = site.ask("sign", self.alice, compress=False)
        # Made first and asked for last, when it is over.
        self.short_lived = self.save(self.alice, expires_in=1)
        self.short_lived_ends = time.time() + 2  # memcached counts in whole seconds
        self.live = self.save(self.alice)

    def account(self, **fields) -> str:
        """A new account's name."""
        name = f"user-{next(_numbers)}"
        self.site.make_accounts({"username": name, "password": SECRET} | fields)
        return name

    def save(self, payload: dict, **how) -> str:
        return self.site.ask("save_session", payload, **how)

    def of(self, username: str) -> str:
        return self.save(self.site.ask("login_keys", username))

    def with_keys(self, *without: str, **keys) -> str:
        """Alice's login, but for some keys."""
        return self.save({k: v for k, v in (self.alice | keys).items() if k not in without})

    def of_changed_account(self, change: Callable[[DjangoSite, str], object]) -> str:
        name = self.account()
        token = self.of(name)
        change(self.site, name)
        return token

    def contain(self, text: str) -> str:
        """A session whose container is this text."""
        if self.engine == "signed_cookies":
            return text
        if self.engine == "file":
            token = self.of("alice")
            self.path(token).write_text(text)
            return token
        return self.site.ask("put_session", text)

    def signed(self, payload: dict | None = None, **how) -> str:
        return self.contain(self.site.ask("sign", payload or self.alice, **how))

    def path(self, token: str) -> Path:
        return Path(self.site.ask("session_file", token))

    def uncached(self, token: str) -> str:
        self.site.ask("cache_delete", token)
        return token

    def cached(self, value: object) -> str:
        """A session of which the cache has any value."""
        token = self.of("alice")
        self.site.ask("cache_put", token, value)
        return token

    def changed_bytes(self, change: Callable[[bytes], bytes], payload: dict | None = None) -> str:
        """A session whose bytes in the cache are changed."""
        token = self.save(payload or self.alice)
        self.caches.change(self.site, self.cache, token, change)
        return token

    def pickled(self, value: object, protocol: int = 4) -> str:
        """A session of which the cache has this pickle."""
        value = pickle.dumps(value, protocol)
        return self.changed_bytes(lambda old: self._packed_like(old, value))

    def _packed_like(self, old: bytes, value: bytes) -> bytes:
        if self.cache != "files":
            return value
        expiry = pickle.dumps(time.time() + 600, 4)
        return expiry + zlib.compress(value)


def in_a_moment(s):
    """What was made to last a second, when it is over."""
    time.sleep(max(0, s.short_lived_ends - time.time()))
    return s.short_lived


def logged_in(s):
    browser = s.site.login("alice", SECRET)
    assert browser.user == "alice"
    return browser.token


def logged_out(s):
    browser = s.site.login("alice", SECRET)
    token = browser.token
    browser.logout()
    assert browser.user is None
    return token


def logged_in_in_vain(s):
    browser = s.site.login("alice", "wrong")
    assert browser.user is None
    return browser.cookies.get("sessionid", "")


def password_changed(s, answer):
    name = s.account()
    here, elsewhere = s.site.login(name, SECRET), s.site.login(name, SECRET)
    before = elsewhere.token
    elsewhere.change_password(SECRET, "changed")
    assert elsewhere.user == name
    return {"here": elsewhere.token, "before": before, "elsewhere": here.token}[answer]


def fallback_hash(s, key):
    return s.with_keys(**{HASH: s.site.ask("auth_hash", "alice", key)})


def other_letter(text: str, position: int) -> str:
    letter = "b" if text[position] == "a" else "a"
    return text[:position] + letter + text[position + 1 :]


# For every place of the matrix
LIVES = {
    "logged-in-over-http": (logged_in, GRANTED),
    # Nothing that the site could forget keeps a signed cookie from being used again.
    "logged-out": (logged_out, {"signed_cookies": GRANTED, "others": NO_SESSION}),
    "password-changed-here": (lambda s: password_changed(s, "here"), GRANTED),
    "password-changed-elsewhere": (lambda s: password_changed(s, "elsewhere"), STALE),
    "deactivated": (lambda s: s.of_changed_account(DjangoSite.deactivate), INACTIVE),
    "deleted": (
        lambda s: s.of_changed_account(lambda site, name: site.ask("delete", name)),
        UNKNOWN_USER,
    ),
    "anonymous-with-data": (lambda s: s.save({"theme": "dark"}), ANONYMOUS),
    "id-of-somebody-else": (
        lambda s: s.with_keys(**{ID: s.site.ask("login_keys", "bob")[ID]}),
        STALE,
    ),
    "hash-wrong": (lambda s: s.with_keys(**{HASH: "0" * 64}), STALE),
    "hash-by-fallback-key": (lambda s: fallback_hash(s, OLD_KEY), GRANTED),
    "hash-by-dropped-key": (lambda s: fallback_hash(s, OLDER_KEY), STALE),
    "backend-not-listed": (
        lambda s: s.with_keys(**{BACKEND: "django.contrib.auth.backends.RemoteUserBackend"}),
        DENIED,
    ),
    "ends-in-10-minutes": (lambda s: s.save(s.alice, expires_in=600), GRANTED),
    "large": (lambda s: s.save(s.alice | {"cart": ["thing"] * 200}), GRANTED),
    "token-changed": (lambda s: other_letter(s.live, 9), NO_SESSION | INVALID),
    # MariaDB compares keys without regard to case, and to blanks at the end.
    "token-in-capitals": (lambda s: s.live.upper(), DJANGO_DECIDES),
    "token-and-blank": (lambda s: s.live + " ", DJANGO_DECIDES),
    "token-of-nobody": (lambda s: "0" * 32, NO_SESSION | INVALID),
}

# For every engine, and every cache
DETAILS = {
    "saved-by-the-site": (lambda s: s.of("alice"), GRANTED),
    "logged-in-in-vain": (logged_in_in_vain, NO_SESSION | ANONYMOUS),
    "password-changed-here-before": (lambda s: password_changed(s, "before"), NO_SESSION | STALE),
    "password-set-past-the-site": (
        lambda s: s.of_changed_account(lambda site, n: site.ask("update", n, password="!")),
        STALE,
    ),
    "anonymous-empty": (lambda s: s.save({}), DENIED),
    "id-of-nobody": (lambda s: s.with_keys(**{ID: "999999"}), UNKNOWN_USER),
    "id-missing": (lambda s: s.with_keys(ID), ANONYMOUS),
    "id-as-number": (lambda s: s.with_keys(**{ID: int(s.alice[ID])}), GRANTED),
    "id-is-a-name": (lambda s: s.with_keys(**{ID: "alice"}), DENIED),
    "hash-missing": (lambda s: s.with_keys(HASH), STALE),
    "backend-missing": (lambda s: s.with_keys(BACKEND), ANONYMOUS),
    "ends-with-the-browser": (lambda s: s.save(s.alice, expires_in=0), GRANTED),
    "ends-at-a-time": (lambda s: s.save(s.alice, expires_at=time.time() + 600), GRANTED),
    "token-cut": (lambda s: s.live[:-1], NO_SESSION | INVALID),
    "token-and-more": (lambda s: s.live + "b", NO_SESSION | INVALID),
    "token-of-nothing": (lambda s: "", NO_SESSION),
    "token-a-path": (lambda s: "../" + "0" * 32, NO_SESSION | INVALID),
    "token-sql": (lambda s: "' OR '1'='1' --", NO_SESSION | INVALID),
    "still-there": (lambda s: s.live, GRANTED),
}

# For those that keep a signed text: db, cached_db (past the cache), file, signed_cookies
CONTAINERS = {
    "signed": (lambda s: s.contain(s.text), GRANTED),
    "compressed": (lambda s: s.signed(s.alice | {"cart": "x" * 500}), GRANTED),
    "large-and-not-compressed": (lambda s: s.signed(s.alice | {"x": FILLER[:3000]}), GRANTED),
    "signed-by-fallback-key": (lambda s: s.signed(key=OLD_KEY), GRANTED),
    "signed-by-dropped-key": (lambda s: s.signed(key=OLDER_KEY), INVALID),
    "signed-for-something-else": (lambda s: s.signed(salt="django.core.signing"), INVALID),
    "signed-by-sha1": (
        lambda s: s.contain(s.site.ask("sign_text", s.text.rpartition(":")[0], "sha1")),
        INVALID,
    ),
    "legacy": (lambda s: s.contain(s.site.ask("sign_legacy", s.alice)), INVALID),
    "of-bob": (lambda s: s.signed(s.site.ask("login_keys", "bob")), GRANTED),
    "changed-at-0": (lambda s: s.contain(other_letter(s.text, 0)), INVALID),
    "changed-inside": (lambda s: s.contain(other_letter(s.text, 50)), INVALID),
    "changed-time": (lambda s: s.contain(other_letter(s.text, s.text.index(":") + 2)), INVALID),
    "changed-signature": (lambda s: s.contain(other_letter(s.text, -9)), INVALID),
    "cut": (lambda s: s.contain(s.text[:-1]), INVALID),
    "signature-missing": (lambda s: s.contain(s.text.rpartition(":")[0]), INVALID),
    "signed-not-json": (lambda s: s.signed(text="{not json"), INVALID),
    "signed-a-pickle": (lambda s: s.signed(text="\x80\x05}\x94."), INVALID | ANONYMOUS),
    "text-no-ascii": (lambda s: s.contain(s.text[:20] + "é" + s.text[20:]), INVALID),
}
TEXTS_AT_REST = {
    "empty": (lambda s: s.contain(""), INVALID | ANONYMOUS),
    "with-newline": (lambda s: s.contain(s.text + "\n"), INVALID),
    "signed-for-cookies": (
        lambda s: s.signed(salt="django.contrib.sessions.backends.signed_cookies"),
        INVALID,
    ),
    "signed-long-ago": (lambda s: s.signed(at=1_000_000_000), GRANTED),
}


def aged_row(s, seconds):
    token = s.of("alice")
    s.site.ask("age_row", token, seconds)
    return token


def without_row(s):
    token = s.of("alice")
    s.site.ask("delete_row", token)
    return token


ROWS = {
    "over-in-a-second": (in_a_moment, EXPIRED),
    "row-expires-in-a-minute": (lambda s: aged_row(s, 60), GRANTED),
    "row-expires-in-2-hours": (lambda s: aged_row(s, 7200), GRANTED),
    "row-expired-a-second-ago": (lambda s: aged_row(s, -1), EXPIRED),
    "row-expired-2-hours-ago": (lambda s: aged_row(s, -7200), EXPIRED),
    "row-expired-a-day-ago": (lambda s: aged_row(s, -86400), EXPIRED),
    "row-deleted": (without_row, NO_SESSION),
    "row-of-somebody-else": (
        lambda s: s.contain(s.site.ask("session_data", s.of("bob"))),
        GRANTED,
    ),
}


def both(s, row, value):
    """A session that is one thing in the table and another in the cache."""
    token = s.save(row)
    s.site.ask("cache_put", token, value)
    return token


CACHED_ROWS = {
    # The cache's copy wins, whatever has become of the row.
    "cached-and-row-deleted": (without_row, GRANTED),
    "cached-and-row-expired": (lambda s: aged_row(s, -60), GRANTED),
    "row-alone": (lambda s: s.uncached(s.of("alice")), GRANTED),
    "row-alone-expired": (lambda s: s.uncached(aged_row(s, -60)), EXPIRED),
    "neither": (lambda s: s.uncached(without_row(s)), NO_SESSION),
    "over-in-a-second": (in_a_moment, EXPIRED),
    "cached-bob-and-row-alice": (
        lambda s: both(s, s.alice, s.site.ask("login_keys", "bob")),
        GRANTED,
    ),
    "cached-visitor-and-row-alice": (lambda s: both(s, s.alice, {"theme": "dark"}), ANONYMOUS),
    "cached-empty-and-row-alice": (lambda s: both(s, s.alice, {}), DENIED),
    "cached-alice-and-row-visitor": (lambda s: both(s, {"theme": "dark"}, s.alice), GRANTED),
    # Pickled None is what "not there" looks like.
    "cached-none-and-row-alice": (lambda s: both(s, s.alice, None), DJANGO_DECIDES),
}


def recached(s, code):
    token = s.of("alice")
    return s.site.shell(code, token=token)


RICH = """
import datetime, decimal, uuid
value = login_keys("alice")
value["seen"] = datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc)
value["things"] = {"set": {1, 2}, "bytes": b"\\x00", "tuple": (1, None), "float": 1.5}
value["sum"], value["id"] = decimal.Decimal("1.50"), uuid.UUID(int=5)
value["number"], value["same"], value["self"] = 1 << 70, value["things"], value
cache_put(token, value)
answer = token
"""

CACHE_VALUES = {
    "cached-values-of-many-types": (lambda s: recached(s, RICH), GRANTED),
    "cached-list": (lambda s: s.cached([1, 2]), DENIED),
    "cached-text": (lambda s: s.cached("alice"), DENIED),
    "cached-number": (lambda s: s.cached(1), DENIED),
    "cached-list-of-the-keys": (lambda s: s.cached([*s.alice]), DENIED),
    "cached-signed-text": (lambda s: s.cached(s.text), DENIED),
    "bytes-cut": (lambda s: s.changed_bytes(lambda value: value[:-5]), DJANGO_DECIDES),
    "bytes-halved": (lambda s: s.changed_bytes(lambda v: v[: len(v) // 2]), DJANGO_DECIDES),
    "bytes-none": (lambda s: s.changed_bytes(lambda value: b""), DJANGO_DECIDES),
    "bytes-garbage": (
        lambda s: s.changed_bytes(lambda value: bytes(range(200, 256)) + value),
        DJANGO_DECIDES,
    ),
    "pickle-empty-tuple": (lambda s: s.pickled(()), DENIED),
    "pickle-of-bob": (lambda s: s.pickled(s.site.ask("login_keys", "bob")), GRANTED),
} | {
    f"pickle-protocol-{protocol}": (
        lambda s, protocol=protocol: s.pickled(s.alice | {"x": [s.alice, 1.5]}, protocol),
        GRANTED,
    )
    for protocol in range(6)
}

CACHE_ENTRIES = {
    "over-in-a-second": (in_a_moment, NO_SESSION),
    "evicted": (lambda s: s.uncached(s.of("alice")), NO_SESSION),
    "of-another-version": (
        lambda s: recached(
            s,
            "c, k = session_cache(), cache_key(token); c.set(k, c.get(k), version=2); c.delete(k);"
            "answer = token",
        ),
        NO_SESSION,
    ),
    "of-the-other-engine": (
        lambda s: recached(
            s,
            "c, k = session_cache(), cache_key(token);"
            "c.set(k.replace('.cache', '.cached_db'), c.get(k)); c.delete(k); answer = token",
        ),
        NO_SESSION,
    ),
    "of-no-engine": (
        lambda s: recached(
            s,
            "c, k = session_cache(), cache_key(token); c.set(token, c.get(k)); c.delete(k);"
            "answer = token",
        ),
        NO_SESSION,
    ),
}


def aged_file(s, seconds, **how):
    """Last written so many seconds ago."""
    token = s.save(s.alice, **how)
    then = time.time() - seconds
    os.utime(s.path(token), (then, then))
    return token


def replaced_file(s, replace):
    token = s.of("alice")
    path = s.path(token)
    path.unlink()
    replace(path)
    return token


FILES = {
    "file-just-written": (lambda s: aged_file(s, 0), GRANTED),
    "file-nearly-too-old": (lambda s: aged_file(s, AGE - 100), GRANTED),
    "file-a-little-too-old": (lambda s: aged_file(s, AGE + 5), EXPIRED),
    "file-much-too-old": (lambda s: aged_file(s, AGE * 100), EXPIRED),
    "file-of-the-future": (lambda s: aged_file(s, -AGE), GRANTED),
    # A number of seconds is taken for what is left of them, for ever.
    "over-in-a-second": (in_a_moment, GRANTED),
    "own-expiry-in-an-old-file": (lambda s: aged_file(s, AGE * 5, expires_in=60), GRANTED),
    "browser-length-in-an-old-file": (
        lambda s: aged_file(s, AGE * 5, expires_in=0),
        DJANGO_DECIDES,
    ),
    "time-to-come-in-an-old-file": (
        lambda s: aged_file(s, AGE * 5, expires_at=time.time() + 60),
        GRANTED,
    ),
    "time-gone-by-in-a-new-file": (
        lambda s: aged_file(s, 0, expires_at=time.time() - 60),
        EXPIRED,
    ),
    "file-deleted": (lambda s: replaced_file(s, lambda path: None), NO_SESSION),
    "file-empty": (lambda s: replaced_file(s, Path.touch), ANONYMOUS | INVALID | NO_SESSION),
    "file-of-bob": (
        lambda s: replaced_file(s, lambda path: s.path(s.of("bob")).rename(path)),
        GRANTED,
    ),
    "file-no-text": (
        lambda s: replaced_file(s, lambda path: path.write_bytes(b"\xff\xfe" * 40)),
        DENIED,
    ),
    "token-with-its-prefix": (lambda s: "sessionid" + s.live, NO_SESSION),
    "token-around-a-path": (lambda s: "x/../" + s.live, NO_SESSION),
    "token-with-nul": (lambda s: s.live + "\0", NO_SESSION),
}

COOKIES = {
    # Its own expiry is not asked for, its age is.
    "over-in-a-second": (in_a_moment, GRANTED),
    "as-old-as-can-be": (lambda s: s.signed(at=time.time() - AGE + 100), GRANTED),
    "too-old": (lambda s: s.signed(at=time.time() - AGE - 5), EXPIRED),
    "much-too-old": (lambda s: s.signed(at=1_000_000_000), EXPIRED),
    "of-tomorrow": (lambda s: s.signed(at=time.time() + 86400), GRANTED),
    "without-time": (
        lambda s: s.contain(s.site.ask("sign_text", s.text.split(":")[0])),
        INVALID,
    ),
    "time-no-number": (
        lambda s: s.contain(s.site.ask("sign_text", s.text.split(":")[0] + ":!!")),
        INVALID,
    ),
    "time-negative": (
        lambda s: s.contain(s.site.ask("sign_text", s.text.split(":")[0] + ":-1")),
        EXPIRED,
    ),
    "signed-for-rows": (
        lambda s: s.signed(salt="django.contrib.sessions.SessionStore"),
        INVALID,
    ),
}

OF_ENGINES = {
    "db": CONTAINERS | TEXTS_AT_REST | ROWS,
    "cached_db": CACHED_ROWS | CACHE_VALUES | CONTAINERS | TEXTS_AT_REST,
    "cache": CACHE_ENTRIES | CACHE_VALUES,
    "file": FILES | CONTAINERS | TEXTS_AT_REST,
    "signed_cookies": COOKIES | CONTAINERS,
}


def cases_of(database: str, engine: str, cache: str | None) -> dict:
    """The cases for a place of the matrix: all of them, but only once what does not depend on
    the database, nor on the cache."""
    if engine == "db":
        return LIVES | DETAILS | OF_ENGINES["db"]
    if database == "sqlite":
        cases = LIVES | DETAILS | OF_ENGINES[engine]
        if engine == "cached_db" and cache != "redis":
            cases = {name: case for name, case in cases.items() if name not in CONTAINERS}
        return cases
    return LIVES | (CACHED_ROWS if engine == "cached_db" else {})


def expected_of(case: tuple, engine: str):
    """Who gets in."""
    expected = case[1]
    return expected.get(engine, expected["others"]) if isinstance(expected, dict) else expected
