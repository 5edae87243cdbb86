"""Password vectors by passlib, a second opinion on the formats that PHP software shares.

    python passwords_passlib.py > crates/passwords/tests/data/passlib.json   (passlib 1.7.4)

passlib's own hashers write the hashes; the verdict is `verify` of the same hasher.
"""

import json

import passlib
from passlib import hash as hashers

WORDS = ["correct horse", "pässw0rd-ä", "x", "🐎 staple", "k" * 72, "k" * 64, "k" * 63, "k" * 128,
         "tab\there", "q\"'\\"]

rows = []


def ask(rules, hasher, name, encoded, password):
    for typed in (password, password + " ", password.swapcase() + "!", ""):
        try:
            verdict = hasher.verify(typed, encoded)
        except Exception:
            verdict = "raises"
        rows.append({"rules": rules, "note": name, "password": typed, "encoded": encoded,
                     "verdict": verdict, "verdict_by": f"passlib {passlib.__version__} {name}"})


for password in WORDS:
    for name, rules, settings in (
        ("des_crypt", "php", {"salt": "ab"}),
        ("bsdi_crypt", "php", {"salt": "rasm", "rounds": 101}),
        ("md5_crypt", "php", {"salt": "seasalt"}),
        ("sha256_crypt", "php", {"salt": "seasalt", "rounds": 1000}),
        ("sha512_crypt", "php", {"salt": "seasaltseasalt12", "rounds": 1001}),
        ("phpass", "php", {"salt": "seasalt8", "rounds": 7}),
        ("phpass", "php", {"salt": "seasalt8", "rounds": 8, "ident": "H"}),
        ("django_salted_md5", "django", {"salt": "seasalt"}),
        ("django_salted_sha1", "django", {"salt": "seasalt"}),
        ("django_pbkdf2_sha1", "django", {"salt": "seasalt", "rounds": 2}),
        ("django_pbkdf2_sha256", "django", {"salt": "seasalt", "rounds": 3}),
        ("django_des_crypt", "django", {"salt": "ab"}),
    ):
        hasher = getattr(hashers, name)
        encoded = hasher.using(**settings).hash(password)
        ask(rules, hasher, name, encoded, password)

print("[")
print(",\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
print("]")
