"""Password vectors by passlib: its own formats, and a second opinion on those of PHP and Django.

    python passwords_passlib.py > crates/passwords/tests/data/passlib.json   (passlib 1.7.4,
    argon2-cffi 25.1, bcrypt 4.0.1)

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



def variants(encoded):
    """What is damaged, as passlib reads it."""
    fields = encoded.split("$")
    name, digest = fields[1], fields[-1]
    before = "$".join(fields[:-1])
    yield f"{before}${digest[:-1]}"
    yield f"{before}${digest[:-4]}"
    yield f"{before}$"
    yield before
    yield f"{encoded}$"
    yield f"{encoded}\n"
    yield f"{before}${digest.swapcase()}"
    yield f"{before}${digest}="
    yield encoded.replace(name, name.upper(), 1)
    yield encoded.replace(name, name + "x", 1)
    for position in range(2, len(fields) - 1):
        for changed in ("", "0", "-1", "x", "0" + fields[position], fields[position] + "A",
                        fields[position][:-1], fields[position].swapcase(), "4294967296",
                        "é", "a!b!"):
            yield "$".join([*fields[:position], changed, *fields[position + 1:]])


for position, word in enumerate([*WORDS, "nul\0byte", "k" * 4096, "k" * 4097]):
    for name, settings in (
        ("pbkdf2_sha1", {"salt": b"seasalt8", "rounds": 2}),
        ("pbkdf2_sha256", {"salt": b"\xff\xfe\xfb\xbf", "rounds": 3}),
        ("pbkdf2_sha512", {"rounds": 4}),
        ("pbkdf2_sha512", {"salt": b"", "rounds": 1}),
        ("scrypt", {"rounds": 4, "block_size": 8, "parallelism": 1}),
        ("scrypt", {"rounds": 7, "block_size": 2, "parallelism": 3, "salt": b"\xff\xfe\xfb\xbf"}),
        ("bcrypt_sha256", {"rounds": 4}),
        ("bcrypt_sha256", {"rounds": 4, "version": 1}),
        ("bcrypt_sha256", {"rounds": 4, "version": 1, "ident": "2a"}),
        ("bcrypt", {"rounds": 4, "ident": "2a"}),
        ("bcrypt", {"rounds": 4, "ident": "2y"}),
        ("bcrypt", {"rounds": 4}),
        ("argon2", {"rounds": 1, "memory_cost": 64, "parallelism": 1}),
        ("argon2", {"rounds": 2, "memory_cost": 64, "parallelism": 2, "type": "I"}),
        ("argon2", {"rounds": 1, "memory_cost": 64, "parallelism": 1, "type": "D"}),
        ("sha256_crypt", {"rounds": 1000}),
        ("sha512_crypt", {"rounds": 1001}),
        ("md5_crypt", {}),
        ("scrypt", {"ident": "$7$", "rounds": 4, "block_size": 8, "parallelism": 1}),
        ("scrypt", {"ident": "$7$", "rounds": 7, "block_size": 2, "parallelism": 3, "salt": b"!~,{}"}),
        ("apr_md5_crypt", {}), ("apr_md5_crypt", {"salt": ""}),
        ("atlassian_pbkdf2_sha1", {}),
        ("phpass", {"rounds": 7}),
        ("ldap_md5", {}), ("ldap_salted_md5", {}), ("ldap_sha1", {}), ("ldap_salted_sha1", {}),
        ("ldap_salted_sha256", {}), ("ldap_salted_sha512", {"salt_size": 16}),
        ("ldap_pbkdf2_sha256", {"rounds": 3}), ("ldap_pbkdf2_sha512", {"rounds": 2}),
        ("ldap_pbkdf2_sha1", {"rounds": 2}),
    ):
        hasher = getattr(hashers, name)
        try:
            encoded = hasher.using(**settings).hash(word) if settings else hasher.hash(word)
        except Exception:
            # It takes no such password; it may still be asked for one.
            encoded = hasher.using(**settings).hash("x") if settings else hasher.hash("x")
        ask("passlib", hasher, name, encoded, word)
        if position == 1 and encoded.startswith("{PKCS5S2}"):
            for changed in (encoded[:-1], encoded[:-4], encoded + "A", encoded + "=", encoded.lower(),
                            encoded.swapcase(), " " + encoded, encoded.replace("}", "}A"), "{PKCS5S2}"):
                ask("passlib", hasher, name, changed, word)
        if position == 1 and encoded.startswith("$"):
            for changed in variants(encoded):
                ask("passlib", hasher, name, changed, word)

print("[")
print(",\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
print("]")
