"""`hallpass check` and `hallpass hash verify` say what Django says of the same password."""

import hashlib
import unicodedata

import pytest

from django_site import VERSIONS

SECRET = "s3cret"
NOT_VERIFIED = {"wrong-password", "unsupported-hash", "unusable-password"}

# Each is hashed by Django, and tried beside its near misses.
PASSWORDS = {
    "plain": SECRET,
    "empty": "",
    "one-character": "x",
    "mixed-case": "PassWord",
    "accents": "pässwörd-é",
    "accents-decomposed": unicodedata.normalize("NFD", "pässwörd-é"),
    "cyrillic": "пароль",
    "chinese": "密码",
    "emoji": "🔑👩‍👩‍👧",
    "full-width": "ｓ３ｃｒｅｔ",
    "colons": "a:b::c:",
    "quotes": "'\"`’",
    "blanks-at-both-ends": "  two words \t",
    "only-blanks": "   ",
    "exclamation-mark-first": "!s3cret",
    "like-a-hash": "pbkdf2_sha256$1000$salt$hash",
    "dollars-and-backslashes": "$HOME\\n\\0 ${x} %s {0}",
    "newline-inside": "two\nlines",
    "newline-last": "line\n",
    "carriage-return-last": "line\r",
    "control-characters": "\x01\x1b[31m\x7f",
    "longer-than-a-block": "k" * 65,  # HMAC hashes such keys first
    "4096-bytes": "p" * 4096,
    "4096-bytes-of-two-each": "é" * 2048,
}

# Algorithm, and attributes of its hasher; slow ones are tried once each.
HASHES = {
    "default-of-4.2": ("pbkdf2_sha256", {"iterations": 600_000}),
    "default-of-5.2": ("pbkdf2_sha256", {"iterations": 1_000_000}),
    "one-iteration": ("pbkdf2_sha256", {"iterations": 1}),
    "salt-not-ascii": ("pbkdf2_sha256", {"salt": "sälz🧂"}),
    "salt-of-one-character": ("pbkdf2_sha256", {"salt": "x"}),
    "salt-longer-than-a-block": ("pbkdf2_sha256", {"salt": "salt" * 30}),
    "salt-with-blanks": ("pbkdf2_sha256", {"salt": " a b "}),
    "pbkdf2-sha1": ("pbkdf2_sha1", {"iterations": 2000}),
    "argon2": ("argon2", {}),
    "argon2-as-before-3.2": ("argon2", {"time_cost": 2, "memory_cost": 512, "parallelism": 2}),
    "bcrypt-sha256": ("bcrypt_sha256", {"rounds": 4}),
    "bcrypt": ("bcrypt", {"rounds": 4}),
    "bcrypt-default": ("bcrypt", {}),
    "scrypt": ("scrypt", {}),
    "scrypt-small": ("scrypt", {"work_factor": 2, "block_size": 1, "parallelism": 3}),
    "md5": ("md5", {}),
    "sha1": ("sha1", {}),
    "unsalted-md5": ("unsalted_md5", {}),
    "unsalted-sha1": ("unsalted_sha1", {}),
    "crypt": ("crypt", {}),
}


def replace(old: str, new: str):
    return lambda encoded: encoded.replace(old, new, 1)


def field(number: int, text: str):
    """Replaces one of the fields between dollars: algorithm, iterations, salt, digest."""
    return lambda encoded: "$".join(
        text if index == number else part for index, part in enumerate(encoded.split("$"))
    )


# From an algorithm's good hash of SECRET to one that must let nobody in.
CORRUPTED = {
    "pbkdf2_sha256": {
        "iterations-with-leading-zero": field(1, "01000"),
        "iterations-with-plus": field(1, "+1000"),
        "iterations-with-blank": field(1, " 1000"),
        "iterations-with-underscore": field(1, "1_000"),
        "iterations-in-other-digits": field(1, "१०००"),
        "iterations-as-a-fraction": field(1, "1000.0"),
        "iterations-in-hexadecimal": field(1, "0x3e8"),
        "iterations-zero": field(1, "0"),
        "iterations-negative": field(1, "-1000"),
        "iterations-empty": field(1, ""),
        "iterations-one-less": field(1, "999"),
        "iterations-beyond-64-bits": field(1, "1" + "0" * 30),
        "salt-empty": field(2, ""),
        "salt-other": field(2, "pepper"),
        "digest-empty": field(3, ""),
        "digest-of-zeros": field(3, "A" * 43 + "="),
        "digest-without-padding": lambda encoded: encoded.rstrip("="),
        "digest-padded-twice": lambda encoded: encoded + "=",
        "digest-truncated": lambda encoded: encoded[:-5],
        "digest-of-16-bytes": lambda encoded: encoded[:-22] + "==",
        "trailing-newline": lambda encoded: encoded + "\n",
        "trailing-blank": lambda encoded: encoded + " ",
        "trailing-nul": lambda encoded: encoded + "\0",
        "leading-blank": lambda encoded: " " + encoded,
        "extra-field": lambda encoded: encoded + "$extra",
        "extra-dollar": lambda encoded: encoded + "$",
        "no-digest": lambda encoded: encoded.rpartition("$")[0],
        "algorithm-alone": lambda encoded: "pbkdf2_sha256",
        "algorithm-and-dollar": lambda encoded: "pbkdf2_sha256$",
        "algorithm-in-capitals": field(0, "PBKDF2_SHA256"),
        "algorithm-sha1": field(0, "pbkdf2_sha1"),
        "algorithm-unknown": field(0, "rot13"),
        "algorithm-empty": field(0, ""),
        "twice": lambda encoded: encoded * 2,
        "locked": lambda encoded: "!" + encoded,
        "empty": lambda encoded: "",
        "plain-text": lambda encoded: SECRET,
        "plain-text-of-32-characters": lambda encoded: "0123456789abcdef0123456789abcdef",
        "no-dollars": lambda encoded: encoded.replace("$", ""),
    },
    "argon2": {
        "argon2-version-18": replace("v=19", "v=18"),
        "argon2-parameters-in-another-order": replace("m=102400,t=2,p=8", "t=2,m=102400,p=8"),
        "argon2-other-count": replace("t=2", "t=3"),
        "argon2-other-variant": replace("argon2id", "argon2i"),
        "argon2-padded": lambda encoded: encoded + "=",
        "argon2-digest-shortened": lambda encoded: encoded[:-4],
        "argon2-trailing-newline": lambda encoded: encoded + "\n",
        "argon2-without-digest": lambda encoded: encoded.rpartition("$")[0],
    },
    "bcrypt": {
        "bcrypt-cost-of-one-digit": replace("$04$", "$4$"),
        "bcrypt-cost-other": replace("$04$", "$05$"),
        "bcrypt-cost-too-low": replace("$04$", "$03$"),
        "bcrypt-cost-too-high": replace("$04$", "$32$"),
        "bcrypt-revision-unknown": replace("$2b$", "$2c$"),
        "bcrypt-truncated": lambda encoded: encoded[:-1],
        "bcrypt-extended": lambda encoded: encoded + "x",
        "bcrypt-called-bcrypt-sha256": replace("bcrypt$", "bcrypt_sha256$"),
        "bcrypt-salt-alone": lambda encoded: encoded[: len("bcrypt$$2b$04$") + 22],
    },
    "scrypt": {
        "scrypt-cost-not-a-power-of-two": field(1, "1000"),
        "scrypt-cost-zero": field(1, "0"),
        "scrypt-cost-negative": field(1, "-2"),
        "scrypt-block-size-zero": field(3, "0"),
        "scrypt-without-parallelism": lambda encoded: encoded.replace("$5$", "$", 1),
        "scrypt-trailing-newline": lambda encoded: encoded + "\n",
    },
    "md5": {
        "md5-in-capitals": lambda encoded: encoded[:-32] + encoded[-32:].upper(),
        "md5-truncated": lambda encoded: encoded[:-1],
        "md5-trailing-newline": lambda encoded: encoded + "\n",
        "md5-named-unsalted": lambda encoded: "unsalted_md5$" + encoded[-32:],
        "md5-salt-empty": lambda encoded: "md5$$" + encoded[-31:],
    },
}
CORRUPTED_IDS = [(algorithm, name) for algorithm, names in CORRUPTED.items() for name in names]

# What Django would compute for minutes, or run out of memory over: not to be asked.
TOO_COSTLY = {
    "iterations": "pbkdf2_sha256$1000000000$salt$" + "A" * 43 + "=",
    "memory": "argon2$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43,
    "passes": "argon2$argon2id$v=19$m=8,t=4294967295,p=1$c2FsdHNhbHQ$" + "A" * 43,
    "scrypt-memory": "scrypt$1073741824$salt$8$1$" + "A" * 86 + "==",
    "scrypt-parallelism": "scrypt$16384$salt$8$1000000$" + "A" * 86 + "==",
    "bcrypt-cost": "bcrypt$$2b$31$" + "a" * 53,
}

ACCOUNTS = {
    "active": ({"password": SECRET}, "granted"),
    "staff": ({"password": SECRET, "is_staff": True}, "granted"),
    "superuser": ({"password": SECRET, "is_superuser": True}, "granted"),
    "inactive": ({"password": SECRET, "is_active": False}, "inactive"),
    "inactive-superuser": (
        {"password": SECRET, "is_active": False, "is_superuser": True},
        "inactive",
    ),
    "unusable": ({"password": None}, "unusable-password"),
    "unusable-superuser": ({"password": None, "is_superuser": True}, "unusable-password"),
    "unusable-as-before-1.6": ({"encoded": "!"}, "unusable-password"),
}


def near_misses(password: str) -> set[str]:
    """Passwords that are not this one, though a careless program might take them for it."""
    tries = {
        password + "x",
        "x" + password,
        password[:-1],
        password[1:],
        password.strip(),
        password + " ",
        password.swapcase(),
        password.replace("\\", ""),
        password.split(":")[0],
        password.split("\n")[0],
        unicodedata.normalize("NFC", password),
        unicodedata.normalize("NFD", password),
        unicodedata.normalize("NFKC", password),
        "",
        "*",
    }
    return {attempt for attempt in tries if attempt != password and len(attempt.encode()) <= 4096}


# What Django 4.2 would store for SECRET, for the algorithms that 5.2 has dropped.
DROPPED = {
    "sha1": "sha1$salt$" + hashlib.sha1(b"salt" + SECRET.encode()).hexdigest(),
    "unsalted_md5": hashlib.md5(SECRET.encode()).hexdigest(),
    "unsalted_sha1": "sha1$$" + hashlib.sha1(SECRET.encode()).hexdigest(),
    "crypt": "crypt$$abhWCwoTZY2c6",
}


@pytest.fixture(scope="module", params=VERSIONS)
def site(request, new_site):
    site = new_site(request.param)
    known = site.ask("algorithms")
    good = {
        "pbkdf2_sha256": site.ask("make_password", SECRET),
        "argon2": site.ask("make_password", SECRET, "argon2"),
        "bcrypt": site.ask("make_password", SECRET, "bcrypt", rounds=4),
        # Django 4.2 has 1 where 5.2 has 5.
        "scrypt": site.ask("make_password", SECRET, "scrypt", work_factor=2, parallelism=5),
        "md5": site.ask("make_password", SECRET, "md5"),
    }
    assert all(site.ask("check_password", SECRET, encoded) for encoded in good.values())
    site.make_accounts(
        *({"username": f"password-{name}", "password": p} for name, p in PASSWORDS.items()),
        *(
            {
                "username": f"hash-{name}",
                "encoded": site.ask("make_password", SECRET, algorithm, **options)
                if algorithm in known
                else DROPPED[algorithm],
            }
            for name, (algorithm, options) in HASHES.items()
        ),
        *({"username": name, **fields} for name, (fields, _) in ACCOUNTS.items()),
        {"username": "empty-column"},
    )
    for algorithm, name in CORRUPTED_IDS:
        column = CORRUPTED[algorithm][name](good[algorithm])
        assert column != good[algorithm], name
        site.make_accounts({"username": f"corrupted-{name}"})
        # Not by make_accounts, to which an empty text is none.
        site.ask("update", f"corrupted-{name}", password=column)
    site.make_accounts(*({"username": f"costly-{n}", "encoded": e} for n, e in TOO_COSTLY.items()))
    return site


@pytest.fixture(scope="module")
def hallpass(site, shell):
    return shell(site.write_configuration())


def compare(site, hallpass, verdicts, username, password, expected: bool, reasons=None):
    """One password of one account: Django must say what is expected, and we what Django says."""
    django = site.ask("modwsgi_check_password", username, password)
    assert (django is True) == expected, f"the expectation is wrong: Django says {django}"
    assert (site.ask("authenticate", username, password) == username) == expected
    result = hallpass.check(username, password)
    verdicts.compare(result, expected, reasons)
    if expected:
        assert result.json["user"] == username


def compare_hash(site, hallpass, verdicts, encoded, password, expected: bool):
    """The same without an account."""
    assert site.ask("check_password", password, encoded) == expected
    verdicts.compare(hallpass.hash_verify(encoded, password), expected)


@pytest.mark.parametrize("name", PASSWORDS)
def test_password_and_its_near_misses(site, hallpass, verdicts, name):
    password, user = PASSWORDS[name], f"password-{name}"
    encoded = site.ask("encoded_password", user)
    compare(site, hallpass, verdicts, user, password, True)
    compare_hash(site, hallpass, verdicts, encoded, password, True)
    for attempt in sorted(near_misses(password)):
        compare(site, hallpass, verdicts, user, attempt, False, {"wrong-password"})
        compare_hash(site, hallpass, verdicts, encoded, attempt, False)


@pytest.mark.parametrize("name", HASHES)
def test_every_algorithm(site, shell, hallpass, verdicts, name):
    algorithm, user = HASHES[name][0], f"hash-{name}"
    known = site.ask("algorithms")
    if algorithm not in known:
        # What a newer Django has dropped is allowed until the site says what it has.
        listed = {"password_hashers": known}
        hallpass = shell(site.write_configuration("known.toml", django=listed))
        compare(site, hallpass, verdicts, user, SECRET, False, {"unsupported-hash"})
        return
    encoded = site.ask("encoded_password", user)
    compare(site, hallpass, verdicts, user, SECRET, True)
    compare(site, hallpass, verdicts, user, SECRET.upper(), False, {"wrong-password"})
    compare_hash(site, hallpass, verdicts, encoded, SECRET, True)
    compare_hash(site, hallpass, verdicts, encoded, SECRET + " ", False)


def test_bcrypt_ignores_what_follows_72_bytes(site, hallpass, verdicts):
    encoded = site.ask("make_password", "b" * 72, "bcrypt", rounds=4)
    compare_hash(site, hallpass, verdicts, encoded, "b" * 73, True)
    compare_hash(site, hallpass, verdicts, encoded, "b" * 71, False)
    hashed_first = site.ask("make_password", "b" * 72, "bcrypt_sha256", rounds=4)
    compare_hash(site, hallpass, verdicts, hashed_first, "b" * 73, False)


@pytest.mark.parametrize(("algorithm", "name"), CORRUPTED_IDS, ids=[i[1] for i in CORRUPTED_IDS])
def test_corrupted_hash_lets_nobody_in(site, hallpass, verdicts, algorithm, name):
    user = f"corrupted-{name}"
    encoded = site.ask("encoded_password", user)
    reasons = {"unusable-password"} if encoded.startswith("!") else NOT_VERIFIED
    for attempt in (SECRET, "", encoded.replace("\0", "")):
        compare(site, hallpass, verdicts, user, attempt, False, reasons)
    if "\0" not in encoded:
        compare_hash(site, hallpass, verdicts, encoded, SECRET, False)


@pytest.mark.parametrize("name", TOO_COSTLY)
def test_hash_beyond_the_limits_is_never_run(hallpass, name):
    result = hallpass.check(f"costly-{name}", SECRET)
    assert result.code == 1
    assert result.json["reason"] == "unsupported-hash"
    assert hallpass.hash_verify(TOO_COSTLY[name], SECRET).code == 1


@pytest.mark.parametrize("name", ACCOUNTS)
def test_state_of_the_account(site, hallpass, verdicts, name):
    reason = ACCOUNTS[name][1]
    compare(site, hallpass, verdicts, name, SECRET, reason == "granted", {reason})
    for attempt in ("wrong", "", "!"):
        compare(site, hallpass, verdicts, name, attempt, False, {reason, "wrong-password"})


def test_unknown_user(site, hallpass, verdicts):
    for attempt in (SECRET, "", "!"):
        compare(site, hallpass, verdicts, "nobody-here", attempt, False, {"unknown-user"})


def test_password_beyond_the_limit_is_denied(site, hallpass):
    site.make_accounts({"username": "long", "password": "p" * 4097})
    assert hallpass.check("long", "p" * 4097).code == 1
    assert hallpass.check("long", "p" * 4096).code == 1
    assert hallpass.check("long", "p" * 10_000_000).code == 1


@pytest.mark.parametrize("password", [b"s3cret\xff", b"\xff\xfe", b"s3cret\xc3", b"\xed\xa0\x80"])
def test_password_that_is_no_utf8_is_denied(hallpass, password):
    assert hallpass.check("active", password.decode("utf-8", "surrogateescape")).code == 1


def test_one_newline_is_dropped_and_no_more(hallpass):
    for user, input, code in [
        ("password-plain", b"s3cret", 0),
        ("password-plain", b"s3cret\n", 0),
        ("password-plain", b"s3cret\n\n", 1),
        ("password-plain", b"\ns3cret\n", 1),
        ("password-newline-last", b"line\n\n", 0),
        ("password-newline-last", b"line\n", 1),
        ("password-empty", b"", 0),
        ("password-empty", b"\n", 0),
        ("password-empty", b"\n\n", 1),
    ]:
        assert hallpass("check", user, input=input).code == code, (user, input)


def test_only_the_listed_hashers_are_used(site, shell):
    listed = {"password_hashers": ["pbkdf2_sha256"]}
    hallpass = shell(site.write_configuration("hashers.toml", django=listed))
    assert hallpass.check("hash-one-iteration", SECRET).code == 0
    for name in ("md5", "pbkdf2-sha1", "bcrypt", "bcrypt-sha256", "argon2", "scrypt"):
        result = hallpass.check(f"hash-{name}", SECRET)
        assert (result.code, result.json["reason"]) == (1, "unsupported-hash")


def test_life_of_an_account(site, hallpass, verdicts):
    """What happens on the site counts at the very next question."""
    site.make_accounts(
        {"username": "lily", "encoded": site.ask("make_password", "first", iterations=500)}
    )

    def only(right: str | None, *wrong: str, reasons: set[str]):
        if right:
            compare(site, hallpass, verdicts, "lily", right, True)
        for attempt in wrong:
            compare(site, hallpass, verdicts, "lily", attempt, False, reasons)

    only("first", "second", reasons={"wrong-password"})
    before = site.ask("encoded_password", "lily")
    browser = site.login("lily", "first")
    assert browser.user == "lily"
    assert site.ask("encoded_password", "lily") != before, "a login renews an outdated hash"
    only("first", "second", reasons={"wrong-password"})
    browser.change_password("first", "second")
    only("second", "first", reasons={"wrong-password"})
    site.deactivate("lily")
    only(None, "first", "second", reasons={"inactive", "wrong-password"})
    site.ask("update", "lily", is_active=True)
    only("second", "first", reasons={"wrong-password"})
    site.ask("delete", "lily")
    only(None, "first", "second", reasons={"unknown-user"})
