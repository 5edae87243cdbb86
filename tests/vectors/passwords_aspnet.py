"""Password vectors of ASP.NET Identity: those of its own tests, and hashes made by Python's hashlib.

    python passwords_aspnet.py > crates/passwords/tests/data/aspnet.json   (Python 3.11)

The first are what ASP.NET Core's PasswordHasherTest asserts (`src/Identity/test/Identity.Test`); the
others have the layout that the comment of PasswordHasher.cs describes, whole or damaged.
"""

import base64
import hashlib
import json
import struct

ASSERTED = [
    (True, "AQAAAAEAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw=="),
    (True, "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJg=="),
    (True, "ANXrDknc7fGPpigibZXXZFMX4aoqz44JveK6jQuwY3eH/UyPhvr5xTPeGYEckLxz9A=="),
    (True, "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw"),
    (True, "AQAAAAIAAAD6AAAAIJbVi5wbMR+htSfFp8fTw8N8GOS/Sje+S/4YZcgBfU7EQuqv4OkVYmc4VJl9AGZzmRTxSkP7LtVi"
           "9IWyUxX8IAAfZ8v+ZfhjCcudtC1YERSqE1OEdXLW9VukPuJWBBjLuw=="),
    (True, "AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M"),
    (True, "AQAAAAEAA9CQAAAAIESkQuj2Du8Y+kbc5lcN/W/3NiAZFEm11P27nrSN5/tId+bR1SwV8CO1Jd72r4C08OLvplNlCDc3"
           "oQZ8efcW+jQ="),
    (False, "AAABAgMEBQYHCAkKCwwNDg+uAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAALtH1uJg=="),
    (False, "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggE="),
    (False, "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJgAAAAAAAAAAAAA="),
    (False, "AQAAAAAAAAD6AAAAEAhftMyfTJyAAAAAAAAAAAAAAAAAAAih5WsjXaR3PA9M"),
    (False, "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4A="),
    (False, "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHwAAAAAAAAAAAA"),
]
DIGESTS = ["sha1", "sha256", "sha512"]

rows = []


def row(verdict, encoded, password, by):
    if isinstance(encoded, bytes):
        encoded = base64.b64encode(encoded).decode()
    rows.append({"rules": "aspnet", "note": "", "password": password, "encoded": encoded,
                 "verdict": verdict, "verdict_by": by})


for verdict, encoded in ASSERTED:
    row(verdict, encoded, "my password", "PasswordHasherTest")
    for other in ("my Password", "my password ", "", "my passwor"):
        row(False, encoded, other, "PasswordHasherTest")

BY = "hashlib, by the layout in PasswordHasher.cs"
for word in ("correct horse", "pässw0rd-ä", "🐎", "nul\0byte", "k" * 200):
    for prf, name in enumerate(DIGESTS):
        for iterations, salt, length in ((1, b"s" * 16, 16), (10, bytes(range(20)), 32), (3, b"\xff" * 64, 64)):
            key = hashlib.pbkdf2_hmac(name, word.encode(), salt, iterations, length)
            header = struct.pack(">BIII", 1, prf, iterations, len(salt))
            whole = header + salt + key
            row(True, whole, word, BY)
            for other in (word + " ", word.swapcase() + "!", ""):
                row(False, whole, other, BY)
            if word != "correct horse":
                continue
            for damaged in (
                whole + b"\0", whole[:12], whole[:13], b"", b"\1", header + salt,
                b"\2" + whole[1:], b"\0" + whole[1:], header + salt[:-1] + b"x" + key,
                struct.pack(">BIII", 1, prf, iterations + 1, len(salt)) + salt + key,
                struct.pack(">BIII", 1, (prf + 1) % 3, iterations, len(salt)) + salt + key,
                struct.pack(">BIII", 1, prf + 3, iterations, len(salt)) + salt + key,
                struct.pack(">BIII", 1, prf, 0, len(salt)) + salt + key,
                struct.pack(">BIII", 1, prf, 1 << 31, len(salt)) + salt + key,
                struct.pack(">BIII", 1, prf, iterations, len(salt) - 1) + salt + key,
                struct.pack(">BIII", 1, prf, iterations, len(salt) + 1) + salt + key,
                struct.pack(">BIII", 1, prf, iterations, 0) + key,
                struct.pack(">BIII", 1, prf, iterations, 0xffffffff) + salt + key,
                struct.pack("<BIII", 1, prf, iterations, len(salt)) + salt + key,
            ):
                row(False, damaged, word, BY)
            # The key is as long as what is left, and a shorter one is the longer one's beginning.
            for cut in (1, 8, 16, 17):
                row(length - cut >= 16, whole[:-cut], word, BY)
            # A salt, and a key, of less than 16 bytes.
            short = hashlib.pbkdf2_hmac(name, word.encode(), b"s" * 15, iterations, length)
            row(False, struct.pack(">BIII", 1, prf, iterations, 15) + b"s" * 15 + short, word, BY)
            short = hashlib.pbkdf2_hmac(name, word.encode(), salt, iterations, 15)
            row(False, header + salt + short, word, BY)
            text = base64.b64encode(whole).decode()
            for damaged in (text[:-1], text + "=", text.replace("A", "-", 1), text.swapcase(), text[4:]):
                row(False, damaged, word, BY)
    key = hashlib.pbkdf2_hmac("sha1", word.encode(), b"s" * 16, 1000, 32)
    row(True, b"\0" + b"s" * 16 + key, word, BY)
    for damaged in (b"\1" + b"s" * 16 + key, b"\0" + b"s" * 16 + key[:-1], b"\0" + b"s" * 15 + key,
                    b"\0" + b"t" + b"s" * 15 + key, b"\0" + b"s" * 16 + key + b"\0", b"s" * 16 + key):
        row(False, damaged, word, BY)

print("[")
print(",\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
print("]")
