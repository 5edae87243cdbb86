"""Password vectors by OpenLDAP: whether slapd takes a simple bind with a password.

    python passwords_ldap.py > crates/passwords/tests/data/ldap.json

(slapd 2.5.13 of Debian 12 with pw-sha2, pw-pbkdf2 and argon2 of slapd-contrib, ldap3 2.9, passlib
1.7.4.) `SLAPD` names the program, `MODULES` the directory of its modules. The hashes are slapd's
own, by the extended operation that changes a password, and passlib's, damaged in every part.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ldap3
from passlib import hash as hashers

SLAPD = os.environ.get("SLAPD", "/usr/sbin/slapd")
MODULES = os.environ.get("MODULES", "/usr/lib/ldap")
SCHEMAS = os.environ.get("SCHEMAS", "/etc/ldap/schema")
PORT = 38991
BASE = "dc=example,dc=org"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def cases():
    for word in ("correct horse", "pässw0rd-ä", "k" * 200):
        raw = word.encode()
        for name in ("md5", "sha1", "sha256", "sha384", "sha512"):
            scheme = name.upper().replace("SHA1", "SHA")
            salted = "SMD5" if name == "md5" else "S" + scheme
            digest = hashlib.new(name, raw).digest()
            yield word, f"{{{scheme}}}{b64(digest)}"
            for salt in (b"", b"s", b"saltsalt", b"\xff\0\xfe", b"s" * 40):
                yield word, f"{{{salted}}}{b64(hashlib.new(name, raw + salt).digest() + salt)}"
            yield word, f"{{{salted}}}{b64(hashlib.new(name, b'salt' + raw).digest() + b'salt')}"
            encoded = b64(hashlib.new(name, raw + b"salt").digest() + b"salt")
            if word.startswith("c"):
                for changed in damaged(salted, encoded):
                    yield word, changed
                for changed in damaged(scheme, b64(digest)):
                    yield word, changed
        for hasher, settings in (
            (hashers.ldap_pbkdf2_sha1, {"rounds": 3}),
            (hashers.ldap_pbkdf2_sha256, {"rounds": 2}),
            (hashers.ldap_pbkdf2_sha512, {"rounds": 4}),
            (hashers.ldap_sha256_crypt, {"rounds": 1000}),
            (hashers.ldap_sha512_crypt, {"rounds": 1000}),
            (hashers.ldap_md5_crypt, {}),
            (hashers.ldap_bcrypt, {"rounds": 4}),
        ):
            encoded = hasher.using(**settings).hash(word)
            yield word, encoded
            scheme, rest = encoded[1:].split("}", 1)
            if word.startswith("c"):
                for changed in damaged(scheme, rest):
                    yield word, changed
                for count in ("0", "1", "01", "-2", "x", ""):
                    yield word, "$".join(["{" + scheme + "}" + count, *rest.split("$")[1:]])
        for kind in ("ID", "I"):
            argon2 = hashers.argon2.using(rounds=1, memory_cost=64, parallelism=1, type=kind)
            encoded = argon2.hash(word)
            yield word, "{ARGON2}" + encoded
            if word.startswith("c"):
                for changed in damaged("ARGON2", encoded):
                    yield word, changed
        yield word, "{CRYPT}" + "abhfCpXqd4GrI"
    for nothing in ("{SSHA}", "{}", "{SSHA", "SSHA}", "{UNKNOWN}abcd", "{CRYPT}", "{CRYPT}*", "{CRYPT}x",
                    "{SASL}x", "{SMD5}AAAA", "{SHA}AAAA"):
        yield "x", nothing
    yield "x", "x"
    yield "x", "{CLEARTEXT}x"


def damaged(scheme, rest):
    encoded = "{" + scheme + "}" + rest
    yield "{" + scheme.lower() + "}" + rest
    yield "{" + scheme.title() + "}" + rest
    yield rest
    yield f"{{X{scheme}}}{rest}"
    yield f"{{{scheme}X}}{rest}"
    yield " " + encoded
    yield encoded[:-1]
    yield encoded[:-4]
    yield encoded + "="
    yield encoded + "A"
    yield encoded + "AAAA"
    yield encoded.rstrip("=") if encoded.endswith("=") else encoded + "=="
    yield "{" + scheme + "}" + rest.swapcase()
    yield "{" + scheme + "}" + rest.replace("/", "_").replace("+", "-").replace("a", "b")
    for at in range(0, len(rest), 9):
        yield "{" + scheme + "}" + rest[:at] + ("c" if rest[at] == "b" else "b") + rest[at + 1:]
        yield "{" + scheme + "}" + rest[:at] + rest[at + 1:]


def main():
    with tempfile.TemporaryDirectory() as directory:
        configuration = Path(directory, "slapd.conf")
        Path(directory, "data").mkdir()
        configuration.write_text(f"""
include {SCHEMAS}/core.schema
include {SCHEMAS}/cosine.schema
include {SCHEMAS}/inetorgperson.schema
modulepath {MODULES}
moduleload back_mdb
moduleload pw-sha2
moduleload pw-pbkdf2
moduleload argon2
pidfile {directory}/pid
database mdb
suffix {BASE}
rootdn cn=root,{BASE}
rootpw secret
directory {directory}/data
""")
        server = subprocess.Popen([SLAPD, "-d", "0", "-f", configuration, "-h",
                                   f"ldap://127.0.0.1:{PORT}"])
        try:
            time.sleep(2)
            rows = list(verdicts())
        finally:
            server.terminate()
            server.wait()
    print("[")
    print(",\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    print("]")


def verdicts():
    server = ldap3.Server(f"ldap://127.0.0.1:{PORT}", get_info=ldap3.NONE)
    root = ldap3.Connection(server, f"cn=root,{BASE}", "secret", auto_bind=True)
    root.add(BASE, ["dcObject", "organization"], {"dc": "example", "o": "x"})
    for number, (word, encoded) in enumerate(dict.fromkeys(cases())):
        name = f"cn=u{number},{BASE}"
        added = root.add(name, ["person"], {"sn": "x", "userPassword": encoded.encode()})
        if not added:
            print(encoded, root.result, file=sys.stderr)
            continue
        asked = [word] if number % 4 else [word, word + " ", word.upper() + "!"]
        for typed in asked:
            person = ldap3.Connection(server, name, typed)
            verdict = person.bind()
            row = {"rules": "ldap", "note": "simple bind", "password": typed, "encoded": encoded,
                   "verdict": verdict, "verdict_by": "OpenLDAP 2.5.13"}
            # What stores the password itself is refused, whatever slapd says.
            if verdict and (encoded == typed or encoded == "{CLEARTEXT}" + typed):
                row["refused"] = True
            yield row
            person.unbind()


main()
