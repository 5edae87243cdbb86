"""Password vectors by real Djangos.

Run under each Django, then merge:

    python passwords_django.py > django-5.2.json        (in an environment with Django,
                                                         argon2-cffi and bcrypt)
    python passwords_django.py --merge django-*.json > crates/passwords/tests/data/django.json

Every verdict is what `django.contrib.auth.hashers.check_password` of that Django said: true,
false or "raises". Hashes are written by Django's own hashers, or by the libraries they call, with
fixed salts, so that every Django is asked the same. Where Djangos differ, the merge keeps the
verdict of each under its own case, and marks it as differing.
"""

import base64
import hashlib
import json
import sys

COUNT = 4  # a few iterations, so that a debug build replays them quickly


def cases():
    from django.contrib.auth import hashers

    out = []

    def add(note, password, encoded):
        out.append({"note": note, "password": password, "encoded": encoded})

    def both(note, password, encoded, wrong="not it"):
        add(note, password, encoded)
        add(note + ", wrong password", wrong, encoded)

    sha256 = hashers.PBKDF2PasswordHasher()
    sha1 = hashers.PBKDF2SHA1PasswordHasher()
    words = {
        "plain": "correct horse",
        "empty": "",
        "non-ASCII": "pässw0rd-ä",
        "emoji": "🐎 staple",
        "colon": "a:b:c",
        "long": "x" * 4096,
        "64 bytes": "k" * 64,
        "65 bytes": "k" * 65,
        "inner NUL": "abc\0def",
        "spaces": "  spaces  ",
        "72 bytes": "b" * 72,
        "73 bytes": "b" * 73,
    }
    for hasher in (sha256, sha1):
        name = hasher.algorithm
        for word, password in words.items():
            both(f"{name}: {word}", password, hasher.encode(password, "seasalt", COUNT))
        good = hasher.encode("lètmein", "seasalt", COUNT)
        algorithm, _, salt, digest = good.split("$", 3)
        for count in ("04", "+4", " 4", "4 ", "-4", "0", "", "x", "4.0", "0x4", "4_0", "٤", "4e0", "5"):
            add(f"{name}: iterations {count!r}", "lètmein", f"{algorithm}${count}${salt}${digest}")
        add(f"{name}: no padding", "lètmein", good.rstrip("="))
        add(f"{name}: more padding", "lètmein", good + "=")
        add(f"{name}: trailing newline", "lètmein", good + "\n")
        add(f"{name}: leading space", "lètmein", " " + good)
        add(f"{name}: extra field", "lètmein", good + "$extra")
        add(f"{name}: trailing dollar", "lètmein", good + "$")
        add(f"{name}: upper-case name", "lètmein", good.upper())
        add(f"{name}: other name", "lètmein", good.replace(name, "pbkdf2_sha512"))
        add(f"{name}: no salt", "lètmein", f"{algorithm}${COUNT}$${digest}")
        add(f"{name}: no digest", "lètmein", f"{algorithm}${COUNT}${salt}$")
        add(f"{name}: three fields", "lètmein", f"{algorithm}${COUNT}${salt}")
        add(f"{name}: two fields", "lètmein", f"{algorithm}${COUNT}")
        add(f"{name}: one field", "lètmein", algorithm)
        add(f"{name}: url-safe base64", "lètmein", good.replace("+", "-").replace("/", "_") + "-")
        add(f"{name}: hex digest", "lètmein", f"{algorithm}${COUNT}${salt}$" + base64.b64decode(digest).hex())
        add(f"{name}: digest cut", "lètmein", good[:-8])
        add(f"{name}: lock", "lètmein", "!" + good)
        add(f"{name}: case of password", "LÈTMEIN", good)
        add(f"{name}: NFD of an NFC password", "le\u0300tmein", good)
        add(f"{name}: trailing NUL is HMAC's padding", "lètmein\0", good)
        add(f"{name}: trailing space typed", "lètmein ", good)
        both(f"{name}: non-ASCII salt", "lètmein", hasher.encode("lètmein", "sältz🧂", COUNT))
        both(f"{name}: one iteration", "lètmein", hasher.encode("lètmein", "s", 1))
    # At default cost (the count of 5.2), one that is right.
    add("pbkdf2_sha256: default cost", "lètmein", sha256.encode("lètmein", "VkhLZGtlc2FsdHNhbHRzYQ", 1000000))
    add("pbkdf2_sha1: default cost of 1.11", "lètmein", sha1.encode("lètmein", "seasaltseas1", 36000))

    unusable = {
        "!": "1.5's mark",
        "!" + "a" * 40: "1.6's mark",
        "": "empty",
        "plain text": "plain text",
        "$": "a dollar",
        "$$": "two dollars",
        "unsalted_md5$$" + "0" * 32: "the name of an algorithm that is not written so",
        "unsalted_sha1$$" + "0" * 40: "the other",
        "foo$bar$baz": "unknown",
        "x" * 32: "32 characters that are no digest",
        "ä" * 32: "32 characters, 64 bytes",
        "*": "an asterisk",
    }
    for encoded, note in unusable.items():
        add(f"no hash: {note}", "lètmein", encoded)
        add(f"no hash: {note}, typed the same", encoded, encoded)

    for name, digest in (("md5", hashlib.md5), ("sha1", hashlib.sha1)):
        for word, password in words.items():
            both(f"{name}: {word}", password,
                 f"{name}$seasalt$" + digest(("seasalt" + password).encode()).hexdigest())
        hexes = digest("seasaltlètmein".encode()).hexdigest()
        good = f"{name}$seasalt${hexes}"
        both(f"{name}: non-ASCII salt", "lètmein", f"{name}$sälz$" + digest("sälzlètmein".encode()).hexdigest())
        both(f"{name}: 5 hex characters of salt", "lètmein", f"{name}$a1b2c$" + digest("a1b2clètmein".encode()).hexdigest())
        for note, encoded in {
            "upper-case hex": f"{name}$seasalt${hexes.upper()}",
            "upper-case name": f"{name.upper()}$seasalt${hexes}",
            "extra field": good + "$extra",
            "trailing newline": good + "\n",
            "cut": good[:-1],
            "one more": good + "0",
            "no salt": f"{name}$${hexes}",
            "no digest": f"{name}$seasalt$",
            "two fields": f"{name}$seasalt",
            "lock": "!" + good,
            "salt and password swapped": f"{name}$lètmein$" + digest("lètmeinseasalt".encode()).hexdigest()[::-1],
        }.items():
            add(f"{name}: {note}", "lètmein", encoded)
        bare = digest("lètmein".encode()).hexdigest()
        both(f"unsalted_{name}: bare", "lètmein", bare)
        both(f"unsalted_{name}: {name}$$", "lètmein", f"{name}$${bare}")
        both(f"unsalted_{name}: empty password", "", f"{name}$$" + digest(b"").hexdigest())
        both(f"unsalted_{name}: empty password, bare", "", digest(b"").hexdigest())
        for note, encoded in {
            "bare, upper-case": bare.upper(),
            "upper-case": f"{name}$${bare.upper()}",
            "bare, cut": bare[:-1],
            "cut": f"{name}$${bare[:-1]}",
            "one more": f"{name}$${bare}0",
            "bare, one more": f"{bare}0",
            "bare, newline": bare + "\n",
            "bare, newline in its last place": bare[:-1] + "\n",
        }.items():
            add(f"unsalted_{name}: {note}", "lètmein", encoded)

    try:
        import crypt
    except ImportError:
        crypt = None
    if crypt and hasattr(hashers, "CryptPasswordHasher"):
        for setting in ("ab", "./", "zZ", "$1$seasalt$", "$1$$", "$5$rounds=1000$seasalt$",
                        "$6$rounds=1000$seasalt$", "$5$seasalt$", "$6$sixteencharacter$", "$5$$",
                        "_J9..rasm", "$2b$04$abcdefghijklmnopqrstuu"):
            for password in ("lètmein", "", "short", "longer than eight", "k" * 511):
                both(f"crypt {setting}: {password[:20]!r}", password,
                     "crypt$$" + crypt.crypt(password, setting))
        good = crypt.crypt("lètmein", "ab")
        long = crypt.crypt("lètmein", "$5$rounds=1000$seasalt$")
        for note, encoded in {
            "old style, salt given twice": f"crypt$ab${good}",
            "the first salt is ignored": f"crypt$zz${good}",
            "no salt field": f"crypt${good}",
            "nothing stored": "crypt$$",
            "failure token": "crypt$$*0",
            "other failure token": "crypt$$*1",
            "cut": f"crypt$${good[:-1]}",
            "one more": f"crypt$${good}.",
            "newline": f"crypt$${good}\n",
            "bad salt": "crypt$$a:" + good[2:],
            "SHA-256, rounds with a zero before": "crypt$$" + long.replace("=1000", "=01000"),
            "SHA-256, too few rounds": "crypt$$" + long.replace("=1000", "=999"),
            "SHA-256, colon in the salt": "crypt$$" + long.replace("sea", "s:a"),
            "SHA-256, salt of 17": "crypt$$" + crypt.crypt("lètmein", "$5$sixteencharacter$").replace("character$", "characterX$"),
            "SHA-256, cut": "crypt$$" + long[:-1],
            "SHA-256, extra": "crypt$$" + long + "$",
            "MD5, salt of 9": "crypt$$" + crypt.crypt("lètmein", "$1$eightchr$").replace("chr$", "chrX$"),
        }.items():
            add(f"crypt: {note}", "lètmein", encoded)
        add("crypt: more than eight characters typed", "longer t", "crypt$$" + crypt.crypt("longer than eight", "ab"))
        add("crypt: differs in the eighth", "longer x", "crypt$$" + crypt.crypt("longer than eight", "ab"))
        for length in (511, 512, 513, 4096):
            add(f"crypt: {length} bytes over DES", "k" * length, "crypt$$" + crypt.crypt("k" * 8, "ab"))
        add("crypt: NUL", "abc\0", "crypt$$" + crypt.crypt("abc", "ab"))

    try:
        import bcrypt
    except ImportError:
        bcrypt = None
    if bcrypt:
        salt = "$2b$04$abcdefghijklmnopqrstuu"

        def hashed(password, salt=salt):
            return bcrypt.hashpw(password[:72], salt.encode()).decode()

        for word, password in words.items():
            data = password.encode()
            # What python-bcrypt does with more than 72 bytes or a NUL depends on its version.
            if b"\0" not in data:
                if len(data) <= 72:
                    both(f"bcrypt: {word}", password, "bcrypt$" + hashed(data))
            prehashed = hashlib.sha256(data).hexdigest().encode()
            both(f"bcrypt_sha256: {word}", password, "bcrypt_sha256$" + hashed(prehashed))
        for variant in ("2a", "2y"):
            both(f"bcrypt: {variant}", "lètmein",
                 "bcrypt$" + hashed("lètmein".encode(), f"${variant}$04$abcdefghijklmnopqrstuu"))
        good = hashed("lètmein".encode())
        five = hashed("lètmein".encode(), "$2b$05$abcdefghijklmnopqrstuu")
        for name, good in (("bcrypt", good),
                           ("bcrypt_sha256", hashed(hashlib.sha256("lètmein".encode()).hexdigest().encode()))):
            for note, encoded in {
                "one dollar": good[1:],
                "three dollars": "$" + good,
                "cost of one digit": good.replace("$04$", "$4$"),
                "cost of three digits": good.replace("$04$", "$004$"),
                "cost with a sign": good.replace("$04$", "$+4$"),
                "cost 03": good.replace("$04$", "$03$"),
                "cost 00": good.replace("$04$", "$00$"),
                "cost 32": good.replace("$04$", "$32$"),
                "no cost": good.replace("$04$", "$$"),
                "variant 2": good.replace("$2b$", "$2$"),
                "variant 2c": good.replace("$2b$", "$2c$"),
                "spare bits of the salt": good.replace("stuu", "stuv"),
                "cut": good[:-1],
                "salt alone": good[:29],
                "salt cut": good[:28],
                "one more": good + ".",
                "newline": good + "\n",
                "extra field": good + "$x",
                "bad character": good[:40] + "!" + good[41:],
                "last character": good[:-1] + ("." if good[-1] != "." else "/"),
                "upper-case": good.upper(),
                "nothing": "",
            }.items():
                add(f"{name}: {note}", "lètmein", f"{name}${encoded}")
            add(f"{name}: lock", "lètmein", f"!{name}${good}")
        add("bcrypt: under the other name", "lètmein", "bcrypt_sha256$" + hashed("lètmein".encode()))
        add("bcrypt_sha256: typed digest", hashlib.sha256("lètmein".encode()).hexdigest(),
            "bcrypt_sha256$" + hashed(hashlib.sha256("lètmein".encode()).hexdigest().encode()))
        both("bcrypt: cost 5", "lètmein", "bcrypt$" + five)
        add("bcrypt: default cost", "lètmein", "bcrypt$" + hashed("lètmein".encode(), "$2b$12$abcdefghijklmnopqrstuu"))
        add("bcrypt_sha256: default cost", "lètmein", "bcrypt_sha256$" + hashed(
            hashlib.sha256("lètmein".encode()).hexdigest().encode(), "$2b$12$abcdefghijklmnopqrstuu"))

    try:
        from argon2 import low_level
    except ImportError:
        low_level = None
    if low_level:
        def argon(password, kind=low_level.Type.ID, version=19, time_cost=1, memory_cost=64,
                  parallelism=2, hash_len=16, salt=b"seasaltseasalt"):
            return "argon2" + low_level.hash_secret(
                password, salt, time_cost=time_cost, memory_cost=memory_cost,
                parallelism=parallelism, hash_len=hash_len, type=kind, version=version).decode()

        for word, password in words.items():
            both(f"argon2: {word}", password, argon(password.encode()))
        password = "lètmein".encode()
        for kind in low_level.Type:
            for version in (16, 19):
                good = argon(password, kind, version)
                both(f"argon2{kind.name.lower()}: version {version}", "lètmein", good)
                if version == 16:
                    both(f"argon2{kind.name.lower()}: no version", "lètmein", good.replace("$v=16", ""))
                else:
                    add(f"argon2{kind.name.lower()}: version dropped", "lètmein", good.replace("$v=19", ""))
        both("argon2: two passes", "lètmein", argon(password, time_cost=2))
        both("argon2: three passes, other lanes", "lètmein", argon(password, time_cost=3, parallelism=5, memory_cost=100))
        both("argon2: hash of 4 bytes", "lètmein", argon(password, hash_len=4))
        both("argon2: hash of 64 bytes", "lètmein", argon(password, hash_len=64))
        both("argon2: hash of 65 bytes", "lètmein", argon(password, hash_len=65))
        both("argon2: salt of 8", "lètmein", argon(password, salt=b"8bytesal"))
        both("argon2: salt of 80", "lètmein", argon(password, salt=b"8bytesal" * 10))
        good = argon(password)
        for note, encoded in {
            "other order": good.replace("m=64,t=1", "t=1,m=64"),
            "v=18": good.replace("v=19", "v=18"),
            "v=20": good.replace("v=19", "v=20"),
            "v=019": good.replace("v=19", "v=019"),
            "padding": good + "=",
            "salt padding": good.replace("c2Vhc2FsdHNlYXNhbHQ", "c2Vhc2FsdHNlYXNhbHQ="),
            "hash cut by one": good[:-1],
            "hash cut by four": good[:-4],
            "one more": good + "A",
            "newline": good + "\n",
            "extra field": good + "$x",
            "m=064": good.replace("m=64", "m=064"),
            "m=+64": good.replace("m=64", "m=+64"),
            "m= 64": good.replace("m=64", "m= 64"),
            "m=0": good.replace("m=64", "m=0"),
            "m=15": good.replace("m=64", "m=15"),
            "m=65": good.replace("m=64", "m=65"),
            "m huge": good.replace("m=64", "m=4294967296"),
            "t=0": good.replace("t=1", "t=0"),
            "t=2": good.replace("t=1", "t=2"),
            "p=0": good.replace("p=2", "p=0"),
            "p=1": good.replace("p=2", "p=1"),
            "no t": good.replace(",t=1", ""),
            "keyid": good.replace("p=2", "p=2,keyid=AAAA"),
            "data": good.replace("p=2", "p=2,data=AAAA"),
            "argon2x": good.replace("argon2id", "argon2x"),
            "argon2i instead": good.replace("argon2id", "argon2i"),
            "upper-case": good.replace("argon2id", "ARGON2ID"),
            "no kind": good.replace("$argon2id", ""),
            "two dollars": good.replace("argon2$", "argon2$$", 1),
            "short salt": good.replace("c2Vhc2FsdHNlYXNhbHQ", "c2Vhc2E"),
            "no salt": good.replace("c2Vhc2FsdHNlYXNhbHQ", ""),
            "spare bits in the salt": good.replace("c2Vhc2FsdHNlYXNhbHQ", "c2Vhc2FsdHNlYXNhbHR"),
            "url-safe": good.replace("$v=19", "$v=19").rsplit("$", 1)[0] + "$" + "-_" * 11,
            "nothing": "argon2$",
            "name alone": "argon2",
            "three fields": "$".join(good.split("$")[:3]),
            "lock": "!" + good,
            "raw, without Django's name": good[len("argon2"):],
        }.items():
            add(f"argon2: {note}", "lètmein", encoded)
        add("argon2: default cost", "lètmein", hashers.Argon2PasswordHasher().encode("lètmein", "VkhLZGtlc2FsdHNhbHRzYQ"))

    if hasattr(hashers, "ScryptPasswordHasher"):
        hasher = hashers.ScryptPasswordHasher()
        for word, password in words.items():
            both(f"scrypt: {word}", password, hasher.encode(password, "seasalt", 16, 1, 1))
        for n, r, p in ((2, 1, 1), (2, 8, 1), (1024, 8, 1), (16, 8, 5), (16, 3, 2)):
            both(f"scrypt: N={n} r={r} p={p}", "lètmein", hasher.encode("lètmein", "sältz", n, r, p))
        good = hasher.encode("lètmein", "seasalt", 16, 1, 1)
        _, _, salt, _, _, digest = good.split("$")
        for note, fields in {
            "N=0": ("0", salt, "1", "1"), "N=1": ("1", salt, "1", "1"), "N=15": ("15", salt, "1", "1"),
            "N=-16": ("-16", salt, "1", "1"), "N=016": ("016", salt, "1", "1"), "N=+16": ("+16", salt, "1", "1"),
            "N=' 16'": (" 16", salt, "1", "1"), "N=x": ("x", salt, "1", "1"), "N=''": ("", salt, "1", "1"),
            "N=32": ("32", salt, "1", "1"), "r=0": ("16", salt, "0", "1"), "r=01": ("16", salt, "01", "1"),
            "r=2": ("16", salt, "2", "1"), "p=0": ("16", salt, "1", "0"), "p=2": ("16", salt, "1", "2"),
            "p=01": ("16", salt, "1", "01"), "no salt": ("16", "", "1", "1"),
            "salt first": (salt, "16", "1", "1"), "log2 N": ("4", salt, "1", "1"),
        }.items():
            add(f"scrypt: {note}", "lètmein", "$".join(("scrypt",) + fields + (digest,)))
        for note, encoded in {
            "no padding": good.rstrip("="), "newline": good + "\n", "extra field": good + "$x",
            "five fields": good.rsplit("$", 1)[0], "cut": good[:-4], "lock": "!" + good,
            "no digest": good.rsplit("$", 1)[0] + "$", "upper-case": good.replace("scrypt", "SCRYPT"),
        }.items():
            add(f"scrypt: {note}", "lètmein", encoded)
        big = "$".join(("scrypt", "32768", salt, "8", "1", base64.b64encode(hashlib.scrypt(
            "lètmein".encode(), salt=salt.encode(), n=32768, r=8, p=1, dklen=64, maxmem=1 << 27)).decode()))
        add("scrypt: right, but more memory than OpenSSL's default allows", "lètmein", big)
        add("scrypt: default cost", "lètmein", hasher.encode("lètmein", "VkhLZGtlc2FsdHNhbHRzYQ"))
    return out


def ask():
    import django
    from django.conf import settings
    from django.contrib.auth import hashers

    names = ["PBKDF2PasswordHasher", "PBKDF2SHA1PasswordHasher", "Argon2PasswordHasher",
             "BCryptSHA256PasswordHasher", "BCryptPasswordHasher", "ScryptPasswordHasher",
             "SHA1PasswordHasher", "MD5PasswordHasher", "UnsaltedSHA1PasswordHasher",
             "UnsaltedMD5PasswordHasher", "CryptPasswordHasher"]
    settings.configure(PASSWORD_HASHERS=[
        "django.contrib.auth.hashers." + name for name in names if hasattr(hashers, name)])
    built = cases()
    # The default hasher is also run for unusable and unknown hashes: let that be cheap.
    hashers.PBKDF2PasswordHasher.iterations = 1
    here = "Django " + ".".join(map(str, django.VERSION[:3]))
    rows = []
    for case in built:
        try:
            verdict = hashers.check_password(case["password"], case["encoded"])
        except BaseException:  # python-bcrypt's Rust panics are no Exceptions
            verdict = "raises"
        rows.append(dict(case, verdict=verdict, by=here))
    json.dump(rows, sys.stdout)


def merge(paths):
    merged = {}
    for path in paths:
        with open(path) as file:
            for row in json.load(file):
                key = (row["password"], row["encoded"])
                merged.setdefault(key, (row["note"], {}))[1].setdefault(
                    json.dumps(row["verdict"]), []).append(row["by"])
    rows = []
    for (password, encoded), (note, verdicts) in merged.items():
        # False of a Django that lacks the hasher, or of a library that lacks the variant, is no
        # verdict on the hash where another Django says true.
        chosen = "true" if "true" in verdicts else sorted(verdicts)[0]
        row = {"rules": "django", "note": note, "password": password, "encoded": encoded,
               "verdict": json.loads(chosen), "verdict_by": ", ".join(verdicts[chosen])}
        others = {json.loads(verdict): by for verdict, by in verdicts.items() if verdict != chosen}
        if others:
            row["differs"] = {str(verdict).lower(): ", ".join(by) for verdict, by in others.items()}
        rows.append(row)
    print("[")
    print(",\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    print("]")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--merge"]:
        merge(sys.argv[2:])
    else:
        ask()
