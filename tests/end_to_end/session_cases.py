"""How sessions are made, spoilt and outlived: a table of cases, and what becomes of each.

A case is a function from `Sessions`, the maker of them on one site, to the token; beside it
stands who gets in: GRANTED, or the reasons for a denial.
"""

import json
import random

from django_site import DjangoSite

SECRET = "s3cret"
OLD_KEY = "the secret key before, still accepted"
OLDER_KEY = "the secret key before that, accepted no more"

GRANTED = "granted"
NO_SESSION = {"no-session"}
EXPIRED = {"expired-session", "no-session"}  # Django deletes expired sessions when it sees them
INVALID = {"invalid-session"}
ANONYMOUS = {"anonymous-session"}
STALE = {"stale-session"}
UNKNOWN_USER = {"unknown-user"}
INACTIVE = {"inactive"}
DENIED = None  # whatever the reason

ID, BACKEND, HASH = "_auth_user_id", "_auth_user_backend", "_auth_user_hash"

LIVE_KEY = "livesessionkeyofalice0123456789a"
FILLER = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=20_000))


class Sessions:
    """Makes sessions on a site; every maker answers the token."""

    def __init__(self, site: DjangoSite):
        self.site = site
        self.alice = site.ask("login_keys", "alice")
        self.text = site.ask("sign", self.alice, compress=False)

    def put(self, text: str, **row) -> str:
        return self.site.ask("put_session", text, **row)

    def with_keys(self, *without: str, **keys) -> str:
        """Alice's login, but for some keys."""
        payload = {k: v for k, v in (self.alice | keys).items() if k not in without}
        return self.put(self.site.ask("sign", payload))

    def signed(self, text: str | None = None, **how) -> str:
        """The serializer's output as text, or Alice's login, signed as told."""
        return self.put(self.site.ask("sign", self.alice, text=text, **how))

    def json(self, extra: str) -> str:
        """Alice's login with more JSON in the object."""
        return self.signed(json.dumps(self.alice)[:-1] + f", {extra}}}")

    def raw(self, text: str) -> str:
        """Any text in place of the payload, rightly signed."""
        return self.put(self.site.ask("sign_text", text))

    def of(self, username: str) -> str:
        return self.site.ask("save_session", self.site.ask("login_keys", username))

    def id(self, value) -> str:
        return self.with_keys(**{ID: value})

    def backend(self, value) -> str:
        return self.with_keys(**{BACKEND: value})

    def hash(self, value) -> str:
        return self.with_keys(**{HASH: value})


def logged_out(s):
    browser = s.site.login("alice", SECRET)
    token = browser.token
    assert browser.user == "alice"
    browser.logout()
    return token


def logged_in_over_http(s):
    browser = s.site.login("alice", SECRET)
    assert browser.user == "alice"
    return browser.token


def logged_in_in_vain(s):
    browser = s.site.login("alice", "wrong")
    assert browser.user is None
    return browser.cookies.get("shop_session", "")


def password_changed_elsewhere(s):
    s.site.make_accounts({"username": "pat", "password": SECRET})
    here, elsewhere = s.site.login("pat", SECRET), s.site.login("pat", SECRET)
    elsewhere.change_password(SECRET, "changed")
    assert elsewhere.user == "pat"
    return here.token


def password_changed_here(s):
    s.site.make_accounts({"username": "quinn", "password": SECRET})
    browser = s.site.login("quinn", SECRET)
    browser.change_password(SECRET, "changed")
    return browser.token


def hash_renewed_by_login(s):
    """Django renews an outdated hash at login, which ends the account's other sessions."""
    encoded = s.site.ask("make_password", SECRET, iterations=10)
    s.site.make_accounts({"username": "rita", "encoded": encoded})
    token = s.of("rita")
    s.site.login("rita", SECRET)
    return token


def of_changed_account(s, username, change):
    s.site.make_accounts({"username": username, "password": SECRET})
    token = s.of(username)
    change(s.site, username)
    return token


def timestamp(s, text: str) -> str:
    """Another text where the signing time stands."""
    return s.raw(s.text.split(":")[0] + ":" + text)


CASES = {
    # A session's life
    "logged-in-over-http": (logged_in_over_http, GRANTED),
    "saved-by-the-site": (lambda s: s.of("alice"), GRANTED),
    "of-a-superuser": (lambda s: s.of("root"), GRANTED),
    "of-an-unusable-password": (lambda s: s.of("unusable"), GRANTED),
    "named-in-chinese": (lambda s: s.of("密码"), GRANTED),
    "password-changed-here": (password_changed_here, GRANTED),
    "logged-out": (logged_out, NO_SESSION),
    "logged-in-in-vain": (logged_in_in_vain, NO_SESSION),
    "password-changed-elsewhere": (password_changed_elsewhere, STALE),
    "hash-renewed-by-login": (hash_renewed_by_login, STALE),
    "user-deactivated": (lambda s: of_changed_account(s, "uma", DjangoSite.deactivate), INACTIVE),
    "user-deleted": (
        lambda s: of_changed_account(s, "vic", lambda site, name: site.ask("delete", name)),
        UNKNOWN_USER,
    ),
    "user-renamed": (
        lambda s: of_changed_account(s, "wes", lambda site, n: site.ask("update", n, username="w")),
        GRANTED,
    ),
    "password-set-past-the-site": (
        lambda s: of_changed_account(s, "xen", lambda site, n: site.ask("update", n, password="!")),
        STALE,
    ),
    # Expiry
    "expires-in-a-minute": (lambda s: s.put(s.text, expires_in=60), GRANTED),
    "expires-in-a-century": (lambda s: s.put(s.text, expires_in=100 * 365 * 86400), GRANTED),
    "expired-a-second-ago": (lambda s: s.put(s.text, expires_in=-1), EXPIRED),
    "expired-an-hour-ago": (lambda s: s.put(s.text, expires_in=-3600), EXPIRED),
    "expired-a-year-ago": (lambda s: s.put(s.text, expires_in=-365 * 86400), EXPIRED),
    "own-expiry": (
        lambda s: s.site.ask("save_session", s.alice, expires_in=600),
        GRANTED,
    ),
    "own-expiry-in-the-past-is-not-asked": (lambda s: s.json('"_session_expiry": -5'), GRANTED),
    # The user's id
    "id-as-number": (lambda s: s.id(int(s.alice[ID])), GRANTED),
    "id-as-float": (lambda s: s.id(float(s.alice[ID])), GRANTED),
    "id-with-leading-zero": (lambda s: s.id("0" + s.alice[ID]), GRANTED),
    "id-with-blanks": (lambda s: s.id(f" {s.alice[ID]} "), GRANTED),
    "id-with-plus": (lambda s: s.id("+" + s.alice[ID]), GRANTED),
    "id-with-fraction": (lambda s: s.id(s.alice[ID] + ".0"), DENIED),
    "id-with-exponent": (lambda s: s.id(s.alice[ID] + "e0"), DENIED),
    "id-in-hexadecimal": (lambda s: s.id("0x" + s.alice[ID]), DENIED),
    "id-with-letters": (lambda s: s.id(s.alice[ID] + "abc"), DENIED),
    "id-is-a-name": (lambda s: s.id("alice"), DENIED),
    "id-is-sql": (lambda s: s.id(s.alice[ID] + " OR 1=1"), DENIED),
    "id-empty": (lambda s: s.id(""), DENIED),
    "id-null": (lambda s: s.id(None), ANONYMOUS | INVALID),
    "id-missing": (lambda s: s.with_keys(ID), ANONYMOUS),
    "id-false": (lambda s: s.id(False), DENIED),
    "id-list": (lambda s: s.id([s.alice[ID]]), DENIED),
    "id-object": (lambda s: s.id({"id": s.alice[ID]}), DENIED),
    "id-negative": (lambda s: s.id("-" + s.alice[ID]), UNKNOWN_USER),
    "id-of-nobody": (lambda s: s.id("999999"), UNKNOWN_USER),
    "id-beyond-64-bits": (lambda s: s.id("9" * 30), DENIED),
    "id-beyond-reason": (lambda s: s.id("9" * 10_000), DENIED),
    "id-of-somebody-else": (lambda s: s.id(s.site.ask("login_keys", "bob")[ID]), STALE),
    # The backend
    "backend-missing": (lambda s: s.with_keys(BACKEND), ANONYMOUS),
    "backend-not-listed": (
        lambda s: s.backend("django.contrib.auth.backends.RemoteUserBackend"),
        DENIED,
    ),
    "backend-unknown": (lambda s: s.backend("no.such.Backend"), DENIED),
    "backend-in-capitals": (lambda s: s.backend(s.alice[BACKEND].upper()), DENIED),
    "backend-with-blank": (lambda s: s.backend(s.alice[BACKEND] + " "), DENIED),
    "backend-empty": (lambda s: s.backend(""), DENIED),
    "backend-null": (lambda s: s.backend(None), DENIED),
    "backend-number": (lambda s: s.backend(0), DENIED),
    "backend-list": (lambda s: s.backend([s.alice[BACKEND]]), DENIED),
    # The password's fingerprint
    "hash-missing": (lambda s: s.with_keys(HASH), STALE),
    "hash-empty": (lambda s: s.hash(""), STALE),
    "hash-null": (lambda s: s.hash(None), STALE),
    "hash-wrong": (lambda s: s.hash("0" * 64), STALE),
    "hash-truncated": (lambda s: s.hash(s.alice[HASH][:-1]), STALE),
    "hash-extended": (lambda s: s.hash(s.alice[HASH] + "0"), STALE),
    "hash-in-capitals": (lambda s: s.hash(s.alice[HASH].upper()), STALE),
    "hash-not-ascii": (lambda s: s.hash("é" * 64), STALE),
    "hash-list": (lambda s: s.hash([s.alice[HASH]]), DENIED),
    "hash-true": (lambda s: s.hash(True), STALE | INVALID),
    "hash-of-somebody-else": (lambda s: s.hash(s.site.ask("login_keys", "bob")[HASH]), STALE),
    "hash-is-the-password-column": (
        lambda s: s.hash(s.site.ask("encoded_password", "alice")),
        STALE,
    ),
    # Anonymous visitors
    "anonymous-empty": (lambda s: s.site.ask("save_session", {}), ANONYMOUS),
    "anonymous-with-data": (lambda s: s.site.ask("save_session", {"theme": "dark"}), ANONYMOUS),
    "keys-in-capitals": (
        lambda s: s.site.ask("save_session", {k.upper(): v for k, v in s.alice.items()}),
        ANONYMOUS,
    ),
    "keys-one-level-down": (lambda s: s.site.ask("save_session", {"user": s.alice}), ANONYMOUS),
    # Keys of the signature
    "fallback-key-for-both": (
        lambda s: s.put(
            s.site.ask(
                "sign", s.alice | {HASH: s.site.ask("auth_hash", "alice", OLD_KEY)}, key=OLD_KEY
            )
        ),
        GRANTED,
    ),
    "fallback-key-for-the-signature": (lambda s: s.signed(key=OLD_KEY), GRANTED),
    "fallback-key-for-the-hash": (
        lambda s: s.hash(s.site.ask("auth_hash", "alice", OLD_KEY)),
        GRANTED,
    ),
    "dropped-key-for-the-signature": (lambda s: s.signed(key=OLDER_KEY), INVALID),
    "dropped-key-for-the-hash": (
        lambda s: s.hash(s.site.ask("auth_hash", "alice", OLDER_KEY)),
        STALE,
    ),
    "salt-of-legacy": (lambda s: s.signed(salt="django.contrib.sessionsSessionStore"), INVALID),
    "salt-of-signed-cookies": (
        lambda s: s.signed(salt="django.contrib.sessions.backends.signed_cookies"),
        INVALID,
    ),
    "salt-of-another-class": (lambda s: s.signed(salt="django.contrib.sessions.Session"), INVALID),
    "signature-by-sha1": (
        lambda s: s.put(s.site.ask("sign_text", s.text.rpartition(":")[0], "sha1")),
        INVALID,
    ),
    "legacy-container": (lambda s: s.put(s.site.ask("sign_legacy", s.alice)), INVALID),
    # The container
    "compressed": (lambda s: s.site.ask("save_session", s.alice | {"cart": "x" * 5000}), GRANTED),
    "compressed-noise": (lambda s: s.site.ask("save_session", s.alice | {"cart": FILLER}), GRANTED),
    "not-compressed": (lambda s: s.signed(compress=False), GRANTED),
    "not-compressed-and-large": (
        lambda s: s.put(s.site.ask("sign", s.alice | {"cart": FILLER}, compress=False)),
        GRANTED,
    ),
    "200-kB": (
        lambda s: s.put(s.site.ask("sign", s.alice | {"cart": FILLER * 10}, compress=False)),
        GRANTED,
    ),
    "data-of-another-row": (
        lambda s: s.put(s.site.ask("session_data", s.of("bob"))),
        GRANTED,
    ),
    "time-in-the-far-future": (lambda s: timestamp(s, "zzzzzz"), GRANTED),
    "time-in-another-age": (lambda s: timestamp(s, "z" * 100), GRANTED),
    "time-zero": (lambda s: timestamp(s, "0"), GRANTED),
    "time-negative": (lambda s: timestamp(s, "-1"), GRANTED),
    "time-a-minus": (lambda s: timestamp(s, "-"), GRANTED),
    "time-with-minus-inside": (lambda s: timestamp(s, "1-1"), INVALID),
    "time-empty": (lambda s: timestamp(s, ""), INVALID),
    "time-not-a-number": (lambda s: timestamp(s, "!!"), INVALID),
    "time-with-blank": (lambda s: timestamp(s, " 1"), INVALID),
    "time-missing": (lambda s: s.raw(s.text.split(":")[0]), INVALID),
    "marked-compressed-but-not": (lambda s: timestamp_of(s, "." + s.text.split(":")[0]), INVALID),
    "not-base64": (lambda s: timestamp_of(s, "not base64 at all!"), INVALID),
    "payload-empty": (lambda s: timestamp_of(s, ""), INVALID),
    "payload-a-dot": (lambda s: timestamp_of(s, "."), INVALID),
    "compressed-and-cut": (
        lambda s: timestamp_of(
            s, s.site.ask("sign", s.alice | {"x": "x" * 500}).split(":")[0][:-20]
        ),
        INVALID,
    ),
    "text-empty": (lambda s: s.put(""), INVALID | ANONYMOUS),
    "text-colons": (lambda s: s.put(":::"), INVALID),
    "text-not-ascii": (lambda s: s.put("é" + s.text), INVALID),
    "text-nul": (lambda s: s.put(s.text + "\0"), INVALID),
    "text-with-newline": (lambda s: s.put(s.text + "\n"), INVALID),
    "text-with-blank": (lambda s: s.put(s.text + " "), INVALID),
    "text-with-blank-before": (lambda s: s.put(" " + s.text), INVALID),
    "text-with-dot-before": (lambda s: s.put("." + s.text), INVALID),
    "text-with-padding": (lambda s: s.put(s.text + "="), INVALID),
    "text-twice": (lambda s: s.put(s.text + s.text), INVALID),
    "text-and-colon": (lambda s: s.put(s.text + ":"), INVALID),
    "signature-missing": (lambda s: s.put(s.text.rpartition(":")[0]), INVALID),
    "signature-empty": (lambda s: s.put(s.text.rpartition(":")[0] + ":"), INVALID),
    "signature-of-another-text": (
        lambda s: s.put(
            s.text.rpartition(":")[0] + ":" + s.site.ask("sign", {}).rpartition(":")[2]
        ),
        INVALID,
    ),
    "signature-with-other-spare-bits": (
        # 43 characters of base64 hold 258 bits, of which the last two count for nothing.
        lambda s: s.put(s.text[:-1] + chr(ord(s.text[-1]) + 1)),
        INVALID,
    ),
    # The payload, rightly signed
    "json-with-blanks": (lambda s: s.signed("\n " + json.dumps(s.alice, indent=3) + "\n"), GRANTED),
    "json-keys-twice": (
        lambda s: s.signed('{"_auth_user_id": "999", ' + json.dumps(s.alice)[1:]),
        GRANTED,
    ),
    "json-keys-twice-the-wrong-way": (lambda s: s.json('"_auth_user_hash": ""'), STALE),
    "json-escaped-keys": (
        lambda s: s.signed(json.dumps(s.alice).replace("_auth", "\\u005fauth")),
        GRANTED,
    ),
    "json-nan": (lambda s: s.json('"x": [NaN, Infinity, -Infinity]'), GRANTED),
    "json-long-number": (lambda s: s.json('"x": ' + "9" * 400), GRANTED),
    "json-lone-surrogate": (lambda s: s.json('"x": "\\ud800"'), GRANTED),
    "json-surrogate-pair": (lambda s: s.json('"x": "\\ud83d\\udd11"'), GRANTED),
    "json-nul-in-text": (lambda s: s.json('"x": "\\u0000"'), GRANTED),
    "json-raw-latin-1": (lambda s: s.json('"x": "\xe9\xff"'), GRANTED),
    "json-nested-50-deep": (lambda s: s.json('"x": ' + "[" * 50 + "]" * 50), GRANTED),
    "json-nested-too-deep": (lambda s: s.json('"x": ' + "[" * 100_000 + "]" * 100_000), INVALID),
    "json-only-brackets": (lambda s: s.signed("[" * 1_000_000), INVALID),
    "json-with-comma-at-the-end": (lambda s: s.signed(json.dumps(s.alice)[:-1] + ",}"), INVALID),
    "json-followed-by-more": (lambda s: s.signed(json.dumps(s.alice) + "x"), INVALID),
    "json-with-control-character": (lambda s: s.json('"x": "\n"'), INVALID),
    "json-with-single-quotes": (lambda s: s.signed(str(s.alice)), INVALID),
    "json-with-byte-order-mark": (
        lambda s: s.signed("\xef\xbb\xbf" + json.dumps(s.alice)),
        INVALID,
    ),
    "json-cut": (lambda s: s.signed(json.dumps(s.alice)[:-1]), INVALID),
    "payload-nothing": (lambda s: s.signed(""), INVALID),
    "payload-null": (lambda s: s.signed("null"), INVALID | ANONYMOUS),
    "payload-list": (lambda s: s.signed("[]"), INVALID | ANONYMOUS),
    "payload-list-of-the-keys": (
        lambda s: s.signed(json.dumps(list(s.alice))),
        INVALID | ANONYMOUS,
    ),
    "payload-text": (lambda s: s.signed('"_auth_user_id"'), INVALID | ANONYMOUS),
    "payload-number": (lambda s: s.signed("1"), INVALID | ANONYMOUS),
    # Pickled sessions are read, too; nobody is logged in to this one.
    "payload-pickle": (lambda s: s.signed("\x80\x05}\x94."), INVALID | ANONYMOUS),
    # Session keys
    "key-of-8-characters": (lambda s: s.put(s.text, key="short678"), GRANTED),
    "key-of-7-characters": (lambda s: s.put(s.text, key="short67"), NO_SESSION),
    "key-of-40-characters": (lambda s: s.put(s.text, key="k" * 40), GRANTED),
    "key-in-capitals": (lambda s: s.put(s.text, key="CAPITALSESSIONKEY0123456789ABCDE"), GRANTED),
    "key-of-a-capital-row-in-small": (
        lambda s: s.put(s.text, key="OTHERCAPITALSESSIONKEY0123456789").lower(),
        NO_SESSION,
    ),
    "key-not-ascii": (lambda s: s.put(s.text, key="schlüssel-密码"), GRANTED),
    "key-of-7-characters-in-21-bytes": (lambda s: s.put(s.text, key="密" * 7), NO_SESSION),
    "key-of-8-blanks": (lambda s: s.put(s.text, key=" " * 8), GRANTED),
    "key-live": (lambda s: LIVE_KEY, GRANTED),
    "key-live-in-capitals": (lambda s: LIVE_KEY.upper(), NO_SESSION),
    "key-live-one-capital": (lambda s: LIVE_KEY.capitalize(), NO_SESSION),
    "key-live-cut": (lambda s: LIVE_KEY[:-1], NO_SESSION),
    "key-live-cut-before": (lambda s: LIVE_KEY[1:], NO_SESSION),
    "key-live-and-more": (lambda s: LIVE_KEY + "b", NO_SESSION),
    "key-live-and-blank": (lambda s: LIVE_KEY + " ", NO_SESSION),
    "key-live-after-blank": (lambda s: " " + LIVE_KEY, NO_SESSION),
    "key-live-and-newline": (lambda s: LIVE_KEY + "\n", NO_SESSION),
    "key-live-quoted": (lambda s: f'"{LIVE_KEY}"', NO_SESSION),
    "key-live-and-percent": (lambda s: LIVE_KEY[:-1] + "%", NO_SESSION),
    "key-live-and-underscore": (lambda s: LIVE_KEY[:-1] + "_", NO_SESSION),
    "key-live-full-width": (lambda s: LIVE_KEY.replace("a", "ａ"), NO_SESSION),
    "key-empty": (lambda s: "", NO_SESSION),
    "key-like-any": (lambda s: "%" * 32, NO_SESSION),
    "key-like-underscores": (lambda s: "_" * 32, NO_SESSION),
    "key-sql": (lambda s: "' OR '1'='1' --", NO_SESSION),
    "key-sql-union": (lambda s: "' UNION SELECT session_data FROM django_session --", NO_SESSION),
    "key-of-10-kB": (lambda s: "k" * 10_000, NO_SESSION),
    "key-of-10-kB-after-a-live-one": (lambda s: LIVE_KEY + "k" * 10_000, NO_SESSION),
    "key-of-nobody": (lambda s: "0" * 32, NO_SESSION),
    "key-is-the-data": (lambda s: s.text, NO_SESSION),
}


def timestamp_of(s, payload: str) -> str:
    """A payload with the right time, rightly signed."""
    return s.raw(payload + ":" + s.text.split(":")[1])
