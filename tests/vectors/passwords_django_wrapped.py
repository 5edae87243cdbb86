"""Password vectors of the wrapped hashers that Django's documentation describes.

    python passwords_django_wrapped.py > crates/passwords/tests/data/django_wrapped.json   (Django 4.2)

The classes are the site's own there; these do what "Password upgrading without requiring a login"
describes. The verdict is Django's `check_password`.
"""

import json

import django
from django.conf import settings
from django.contrib.auth import hashers

settings.configure(
    PASSWORD_HASHERS=[f"{__name__}.Wrapped{kind}" for kind in ("Md5", "Sha1")]
    + ["django.contrib.auth.hashers.PBKDF2PasswordHasher"])


class Wrapped(hashers.PBKDF2PasswordHasher):
    iterations = 3

    def wrap(self, digest, salt, iterations=None):
        return super().encode(digest, salt, iterations)

    def encode(self, password, salt, iterations=None):
        digest = self.inner().encode(password, salt).rsplit("$", 1)[1]
        return self.wrap(digest, salt, iterations)


class WrappedMd5(Wrapped):
    algorithm = "pbkdf2_wrapped_md5"
    inner = hashers.MD5PasswordHasher


class WrappedSha1(Wrapped):
    algorithm = "pbkdf2_wrapped_sha1"
    inner = hashers.SHA1PasswordHasher


rows = []


def ask(encoded, password):
    try:
        verdict = hashers.check_password(password, encoded)
    except Exception:
        verdict = "raises"
    rows.append({"rules": "django", "note": "wrapped", "password": password, "encoded": encoded,
                 "verdict": verdict, "verdict_by": f"Django {django.__version__} check_password"})


for kind in (WrappedMd5, WrappedSha1):
    for word in ("correct horse", "pässw0rd-ä", "k" * 200, "nul\0byte"):
        encoded = kind().encode(word, "seasalt")
        for typed in (word, word + " ", word.swapcase() + "!", "", encoded):
            ask(encoded, typed)
        # As an upgrade writes them, from the old hash alone.
        old = kind.inner().encode(word, "oldsalt")
        ask(kind().wrap(old.rsplit("$", 1)[1], "oldsalt"), word)
        algorithm, iterations, salt, key = encoded.split("$")
        for changed in (
            [algorithm, "4", salt, key], [algorithm, "03", salt, key], [algorithm, "0", salt, key],
            [algorithm, "x", salt, key], [algorithm, iterations, salt.upper(), key],
            [algorithm, iterations, "", key], [algorithm, iterations, salt, key[:-1]],
            [algorithm, iterations, salt, key + "="], [algorithm, iterations, salt, ""],
            [algorithm, iterations, salt], [algorithm, iterations, salt, key, ""],
            [algorithm + "x", iterations, salt, key], ["pbkdf2_sha256", iterations, salt, key],
            [algorithm, iterations, salt, key + "\n"],
            ["pbkdf2_wrapped_md5" if kind is WrappedSha1 else "pbkdf2_wrapped_sha1", iterations, salt, key],
        ):
            ask("$".join(changed), word)

print("[")
print(",\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
print("]")
