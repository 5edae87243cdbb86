"""Password vectors by Werkzeug: what `check_password_hash` says of a password and a stored text.

    python passwords_werkzeug.py > 3.1.json   (Werkzeug 3.1.9)
    python passwords_werkzeug.py > 2.0.json   (Werkzeug 2.0.3, which knew the digests alone)
    jq -s add 3.1.json 2.0.json               (crates/passwords/tests/data/werkzeug.json, a row a line)

`generate_password_hash` writes the hashes; each is also asked for damaged, and for other passwords.
"""

import json
from importlib.metadata import version

from werkzeug.security import check_password_hash, generate_password_hash

VERSION = version("Werkzeug")
OLD = VERSION.startswith("2.0")
WORDS = ["correct horse", "pässw0rd-ä", "x", "🐎 staple", "k" * 200, "nul\0byte", " "]
METHODS = (
    ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]
    if OLD
    else ["scrypt:128:8:1", "scrypt:128:1:2", "scrypt:1024:8:1"]
) + [f"pbkdf2:{digest}:{count}"
     for digest, count in (("md5", 3), ("sha1", 2), ("sha224", 5), ("sha256", 4), ("sha384", 7),
                           ("sha512", 6), ("sha256", 1000))]

rows = []


def ask(encoded, password, note):
    try:
        verdict = check_password_hash(encoded, password)
    except Exception:
        verdict = "raises"
    rows.append({"rules": "werkzeug", "note": note, "password": password, "encoded": encoded,
                 "verdict": verdict, "verdict_by": f"Werkzeug {VERSION} check_password_hash"})


def variants(encoded):
    method, salt, digest = encoded.split("$", 2)
    name, *arguments = method.split(":")
    yield "salt of another case", f"{method}${salt.swapcase()}${digest}"
    yield "salt cut", f"{method}${salt[:-1]}${digest}"
    yield "no salt", f"{method}$${digest}"
    yield "digest cut", f"{method}${salt}${digest[:-1]}"
    yield "digest cut by a byte", f"{method}${salt}${digest[:-2]}"
    yield "no digest", f"{method}${salt}$"
    yield "upper-case digest", f"{method}${salt}${digest.upper()}"
    yield "line feed", f"{encoded}\n"
    yield "one more field", f"{encoded}$"
    yield "a field less", f"{method}${salt}"
    yield "digest beyond ASCII", f"{method}${salt}$é{digest}"
    yield "method of another case", f"{method.upper()}${salt}${digest}"
    if name == "pbkdf2":
        yield "digest of another case", f"{name}:{method.split(':', 1)[1].upper()}${salt}${digest}"
    yield "unknown method", f"argon2${salt}${digest}"
    yield "plain", f"plain$${digest}"
    if arguments:
        last = arguments[-1]
        before = ":".join([name, *arguments[:-1]])
        for note, count in [("zero", "0"), ("negative", "-1"), ("leading zero", f"0{last}"),
                            ("plus", f"+{last}"), ("blanks", f" {last} "), ("no number", "x"),
                            ("underscores", "_".join(last) if len(last) > 1 else f"{last}_"),
                            ("fraction", f"{last}.0"), ("hexadecimal", hex(int(last))),
                            ("empty", ""), ("one more", str(int(last) + 1)),
                            ("beyond 32 bits", str(int(last) + (1 << 32))),
                            ("one argument more", f"{last}:1")]:
            yield f"{note} as the last argument", f"{before}:{count}${salt}${digest}"
        if name == "scrypt":
            for arguments in ("2:8:1", "3:8:1", "1:8:1", "0:8:1", "16:8:1", "64:8:1", "128:0:1", "128:8", "65536:1:1"):
                yield f"scrypt:{arguments}", f"scrypt:{arguments}${salt}${digest}"


for position, method in enumerate(METHODS):
    for word in WORDS:
        encoded = generate_password_hash(word, method=method, salt_length=8)
        for typed in (word, word + " ", word.swapcase() + "!", "", encoded):
            ask(encoded, typed, method)
        if word == WORDS[position % 2]:
            for note, changed in variants(encoded):
                ask(changed, word, note)
            # What Python's `int` reads is asked with its own salt.
            ask(encoded.replace("$", "$ä", 1), word, "salt beyond ASCII")

if not OLD:
    for method in ("scrypt", "pbkdf2", "scrypt:32768:8:1"):
        encoded = generate_password_hash("correct horse", method=method)
        ask(encoded, "correct horse", method)
        ask(encoded, "correct Horse", method)
        name, _, rest = encoded.partition("$")
        ask(f"{method.split(':')[0]}${rest}", "correct horse", f"{method} without arguments")
    import hashlib
    for salt in ("", "ä", "$", "$$"):
        digest = hashlib.pbkdf2_hmac("sha256", b"x", salt.encode(), 3).hex()
        ask(f"pbkdf2:sha256:3${salt}${digest}", "x", "salt " + repr(salt))
        digest = hashlib.scrypt(b"x", salt=salt.encode(), n=128, r=8, p=1).hex()
        ask(f"scrypt:128:8:1${salt}${digest}", "x", "salt " + repr(salt))
    for encoded in ("", "$", "$$", "scrypt", "scrypt$$", "pbkdf2:sha256:1$$", "$salt$", "é$é$é",
                    "pbkdf2:sha3_256:1$salt$00", "pbkdf2::1$salt$00", "pbkdf2:sha256:$salt$00",
                    "scrypt:::$salt$00", "!"):
        ask(encoded, "x", "malformed")
        ask(encoded, "", "malformed")

print("[")
print(",\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
print("]")
