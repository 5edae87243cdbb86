"""Makes session containers with the installed Django, and says what Django reads out of each.

    python tests/vectors/sessions_django.py > crates/sessions/tests/data/django-VERSION.json

Run once under each Django that is to speak. Every verdict is Django's own: `decode` of the `db`
session store under the settings that the case names. What it takes for an empty session because it
does not believe it is a null payload.
"""

import base64
import json
import random
import sys
import zlib

import django
from django.conf import settings

settings.configure(SECRET_KEY="first", SECRET_KEY_FALLBACKS=[], USE_TZ=True)
django.setup()

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.db import SessionStore
from django.core import signing

LOGIN = {
    "_auth_user_id": "7",
    "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
    "_auth_user_hash": "0123456789abcdef" * 4,
}
cases = []


def login_of(payload):
    keys = ("_auth_user_id", "_auth_user_backend", "_auth_user_hash")
    return {key: payload.get(key) for key in keys}


def add(note, container, secret_key="first", fallbacks=()):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = secret_key, list(fallbacks)
    payload = SessionStore().decode(container)
    cases.append({
        "note": note,
        "secret_keys": [secret_key, *fallbacks],
        "container": container,
        "login": login_of(payload) if payload else None,
    })


def encode(payload, secret_key="first"):
    settings.SECRET_KEY = secret_key
    return SessionStore().encode(payload)


def sign(value, secret_key="first", salt="django.contrib.sessions.SessionStore"):
    """A container with any text for a payload, signed as Django signs."""
    settings.SECRET_KEY = secret_key
    return signing.TimestampSigner(key=secret_key, salt=salt).sign(value)


def base64url(data):
    return base64.urlsafe_b64encode(data).strip(b"=").decode()


random.seed(7)
plain = signing.dumps(LOGIN, key="first", salt="django.contrib.sessions.SessionStore",
                      serializer=signing.JSONSerializer)
large = encode({**LOGIN, "cart": [{"item": n, "name": "thing" * 9} for n in range(200)]})
assert plain[0] != "." and large[0] == "."
add("a login", plain)
add("a compressed login", large)
add("an empty session", encode({}))
add("an anonymous session", encode({"cart": [1, 2, 3]}))
add("a login with an integer id", encode({**LOGIN, "_auth_user_id": 7}))
add("non-ASCII text", encode({**LOGIN, "name": "Zoë 😀 \ud800"}))
add("floats that are no JSON", encode({**LOGIN, "x": [float("nan"), float("inf"), -float("inf")]}))
add("deep nesting", encode({**LOGIN, "x": json.loads("[" * 500 + "]" * 500)}))
add("a fallback's signature", encode(LOGIN, "old"), "first", ["other", "old"])
add("an unknown key's signature", encode(LOGIN, "old"))
add("an unknown key's signature, with fallbacks", encode(LOGIN, "old"), "first", ["other"])
add("another salt", sign(plain.split(":")[0], salt="django.core.signing"))
add("a salt with a colon in place of the dot", sign(plain.split(":")[0],
    salt="django.contrib.sessions:SessionStore"))
for container, kind in ((plain, "plain"), (large, "compressed")):
    positions = sorted({0, 1, len(container) - 1, len(container) - 20, len(container) - 44,
                        len(container) - 46, len(container) - 50, *random.sample(
                            range(len(container)), 12)})
    for position in positions:
        letter = "A" if container[position] != "A" else "B"
        add(f"{kind}, byte {position} changed",
            container[:position] + letter + container[position + 1:])
        add(f"{kind}, cut at {position}", container[:position])
    add(f"{kind}, a line end after it", container + "\n")
    add(f"{kind}, a space before it", " " + container)
    add(f"{kind}, padding after it", container + "=")
    add(f"{kind}, the signature twice", container + container[container.rindex(":"):])
    add(f"{kind}, no signature", container[:container.rindex(":")])
    add(f"{kind}, upper case", container.upper())
payload = base64url(json.dumps(LOGIN).encode())
add("signed, with spaces in the JSON", sign(payload))
add("signed, not Base64", sign("%%%"))
add("signed, not JSON", sign(base64url(b"{not json")))
add("signed, empty", sign(""))
add("signed, JSON with a line end after it", sign(base64url(json.dumps(LOGIN).encode() + b"\n")))
add("signed, a pickle", sign(base64url(b"\x80\x05}\x94.")))
add("signed, compressed garbage", sign("." + base64url(b"garbage")))
add("signed, compressed and cut", sign("." + base64url(zlib.compress(json.dumps(LOGIN).encode())[:-9])))
add("signed, compressed without its checksum", sign("." + base64url(zlib.compress(
    json.dumps(LOGIN).encode())[:-4])))
add("the container of Django 3.0", base64.b64encode(b"0" * 40 + b":" + json.dumps(LOGIN).encode()).decode())
add("the container of signed_cookies", signing.dumps(
    LOGIN, key="first", salt="django.contrib.sessions.backends.signed_cookies"))
for text in ("", ":", "::", ":::", "a:b:c", "😀:1:2", "x" * 200):
    add(f"{text[:9]!r}", text)


class User(AbstractBaseUser):
    class Meta:
        app_label = "vectors"


hashes = []
for secret_key in ("first", "", "ключ", "k" * 100):
    if not secret_key:
        continue
    settings.SECRET_KEY = secret_key
    for password in ("", "!", "pbkdf2_sha256$1000000$salt$x=", "zoë", "p" * 128):
        user = User(password=password)
        hashes.append({
            "secret_key": secret_key,
            "password": password,
            "hash": user.get_session_auth_hash(),
        })

json.dump({"django": django.__version__, "cases": cases, "auth_hashes": hashes}, sys.stdout,
          indent=1)
