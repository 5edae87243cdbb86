"""`hallpass session` says whose session it is when, and only when, Django does."""

import resource
from datetime import datetime

import pytest

from django_site import VERSIONS
from session_cases import (
    ANONYMOUS,
    CASES,
    DENIED,
    EXPIRED,
    GRANTED,
    INVALID,
    LIVE_KEY,
    OLD_KEY,
    OLDER_KEY,
    SECRET,
    Sessions,
)


@pytest.fixture(scope="module", params=VERSIONS)
def site(request, new_site):
    site = new_site(
        request.param, SECRET_KEY_FALLBACKS=[OLD_KEY], SESSION_COOKIE_NAME="shop_session"
    )
    site.make_accounts(
        {"username": "alice", "password": SECRET, "groups": ["editors"], "email": "a@example.org"},
        {"username": "bob", "password": SECRET},
        {"username": "root", "password": SECRET, "is_superuser": True},
        {"username": "unusable", "password": None},
        {"username": "密码", "password": SECRET},
    )
    site.ask("put_session", site.ask("sign", site.ask("login_keys", "alice")), key=LIVE_KEY)
    return site


@pytest.fixture(scope="module")
def sessions(site):
    return Sessions(site)


@pytest.fixture(scope="module")
def hallpass(site, shell):
    return shell(site.write_configuration())


def compare(site, hallpass, verdicts, token, reasons):
    """Django must say what is expected, and Hallpass what Django says."""
    django = site.ask("session_user", token)
    if reasons is not DENIED:
        expected = reasons == GRANTED
        assert (django is not None) == expected, f"the expectation is wrong: {django}"
    result = hallpass.session(token)
    verdicts.compare(result, django is not None, None if django else reasons)
    if django:
        answer = result.json
        assert answer["user"] == django["user"]
        assert str(answer["id"]) == django["id"]
        assert abs(instant(answer["expires"]) - site.ask("session_expires", token)) <= 1


def instant(expires) -> float:
    """Unix seconds of a number or of a text as in RFC 3339."""
    if isinstance(expires, str):
        return datetime.fromisoformat(expires).timestamp()
    return expires


@pytest.mark.parametrize("name", CASES)
def test_session(site, sessions, hallpass, verdicts, name):
    make, reasons = CASES[name]
    compare(site, hallpass, verdicts, make(sessions), reasons)


def positions(length: int) -> list[int]:
    return sorted({*range(0, length, 11), 1, length // 2, length - 1, length - 2, length - 40})


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_tampered_anywhere(site, sessions, hallpass, verdicts, compressed):
    text = site.ask("sign", sessions.alice | {"cart": "x" * 500}) if compressed else sessions.text
    assert text.startswith(".") == compressed
    payload, time, _ = text.split(":")
    special = [len(payload), len(payload) + 1, len(payload) + 1 + len(time)]  # colons, time
    for position in [*positions(len(text)), *special]:
        other = "B" if text[position] == "A" else "A"
        changed = text[:position] + other + text[position + 1 :]
        compare(site, hallpass, verdicts, sessions.put(changed), INVALID)


def test_truncated_anywhere(site, sessions, hallpass, verdicts):
    for position in positions(len(sessions.text)):
        reasons = INVALID | ANONYMOUS if position == 0 else INVALID
        compare(site, hallpass, verdicts, sessions.put(sessions.text[:position]), reasons)


COOKIES = {
    "alone": ("shop_session={}", True),
    "after-others": ("a=b; csrftoken=xyz; shop_session={}", True),
    "before-others": ("shop_session={}; a=b", True),
    "without-blanks": ("a=b;shop_session={};c=d", True),
    "many-blanks": ("  a=b ;   shop_session = {}  ; ", True),
    "quoted": ('shop_session="{}"', True),
    "empty-parts": (";;; shop_session={};;", True),
    "old-version": ("$Version=1; shop_session={}; $Path=/", True),
    "twice-the-last-good": ("shop_session=other567; shop_session={}", True),
    "after-10-kB": ("x=" + "y" * 10_000 + "; shop_session={}", True),
    "after-other-letters": ("ä=ö; shop_session={}", True),
    "inside-another-cookies-quotes": ('a="b; shop_session={}; c="', True),
    "twice-the-last-bad": ("shop_session={}; shop_session=other567", False),
    "twice-the-last-empty": ("shop_session={}; shop_session=", False),
    "in-capitals": ("SHOP_SESSION={}", False),
    "longer-name": ("xshop_session={}", False),
    "longer-name-after": ("shop_sessionx={}", False),
    "usual-name": ("sessionid={}", False),
    "after-comma": ("a=b, shop_session={}", False),
    "comma-after": ("shop_session={},a=b", False),
    "half-quoted": ('shop_session="{}', False),
    "single-quoted": ("shop_session='{}'", False),
    "percent-encoded-name": ("shop%5Fsession={}", False),
    "percent-encoded-blank": ("shop_session={}%20", False),
    "inside-a-value": ("a=shop_session={}", False),
    "value-alone": ("{}", False),
    "no-name": ("={}", False),
    "colon": ("shop_session:{}", False),
    "empty-value": ("shop_session=", False),
    "no-value": ("shop_session", False),
    "empty": ("", False),
    "blank": (" ", False),
    "another-cookie": ("csrftoken={}", False),
    "quotes-alone": ('shop_session=""', False),
}


@pytest.mark.parametrize("name", COOKIES)
def test_cookie_header(site, hallpass, verdicts, name):
    header, expected = COOKIES[name]
    header = header.replace("{}", LIVE_KEY)
    assert (site.ask("cookie_user", header) is not None) == expected
    result = hallpass("session", "--json", "--cookie", header)
    verdicts.compare(result, expected, {"no-session"})


def test_token_from_standard_input(hallpass):
    for input, code in [
        (LIVE_KEY, 0),
        (LIVE_KEY + "\n", 0),
        (LIVE_KEY + "\n\n", 1),
        (LIVE_KEY + "\0", 1),
        (LIVE_KEY + "\nmore", 1),
        ("\xff", 1),
        ("", 1),
        ("\n", 1),
        ("k" * 1_000_000, 1),
    ]:
        assert hallpass("session", "-", input=input.encode("latin-1")).code == code, input[:50]


def test_what_is_said_of_a_session(hallpass):
    result = hallpass.session(LIVE_KEY)
    answer = result.json
    assert (answer["user"], answer["email"], answer["groups"]) == (
        "alice",
        "a@example.org",
        ["editors"],
    )
    text = hallpass("session", LIVE_KEY).text
    assert "alice" in text
    for output in (result, hallpass("session", LIVE_KEY), hallpass("session", LIVE_KEY + "x")):
        assert LIVE_KEY.encode() not in output.stdout + output.stderr, "a session key is a secret"


def test_decompression_bomb_is_bounded(sessions, hallpass):
    """50 MB, rightly signed, in a row of 65 kB: no more memory than a small machine has."""

    def small_machine():
        resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))

    for text in (
        sessions.site.shell("answer = sign(text='0' * 50_000_000)"),
        sessions.site.shell(
            "answer = sign(text=json.dumps(login_keys('alice') | {'x': '0' * 50_000_000}))"
        ),
    ):
        assert text.startswith(".") and len(text) < 100_000
        token = sessions.put(text)
        result = hallpass("session", "--json", token, preexec_fn=small_machine)
        assert result.code == 1, result
        assert result.json["reason"] == "invalid-session"


def test_access_rules_count_for_sessions(site, sessions, shell):
    def result(username, **access):
        hallpass = shell(site.write_configuration("access.toml", access=access))
        return hallpass.session(sessions.of(username))

    assert result("alice", groups=["editors"]).granted
    denied = result("bob", groups=["editors"])
    assert (denied.code, denied.json["reason"]) == (1, "not-permitted")
    assert result("root", permissions=["wiki.edit"]).granted
    assert not result("alice", permissions=["wiki.edit"]).granted


def test_any_backend_will_do_unless_they_are_listed(site, sessions, shell):
    token = sessions.backend("somebodys.allauth.Backend")
    for backends, code in [
        (None, 0),
        (["somebodys.allauth.Backend"], 0),
        (["django.contrib.auth.backends.ModelBackend"], 1),
        ([], 1),
    ]:
        tables = {"authentication_backends": backends}
        hallpass = shell(site.write_configuration("backends.toml", django=tables))
        assert hallpass.session(token).code == code, backends


def test_without_secret_key(site, shell):
    """No signature can be checked, so no session is believed unless that is asked for."""
    path = site.write_configuration("keyless.toml", django={"secret_key": None})
    assert shell(path).session(LIVE_KEY).code == 2
    assert shell(path).check("alice", SECRET).code == 0, "passwords need no key"


def test_trusting_the_session_store(site, sessions, shell):
    tables = {"secret_key": None, "secret_key_fallbacks": None, "trust_session_store": True}
    hallpass = shell(site.write_configuration("trusting.toml", django=tables))
    assert hallpass.session(LIVE_KEY).json["user"] == "alice"
    assert hallpass.session(sessions.signed(key=OLDER_KEY)).json["user"] == "alice"
    for name in [
        "logged-out",
        "expired-a-second-ago",
        "id-of-nobody",
        "id-missing",
        "backend-missing",
        "backend-not-listed",
        "anonymous-empty",
        "payload-list",
        "not-base64",
        "json-cut",
        "text-empty",
        "key-of-7-characters",
        "key-live-in-capitals",
    ]:
        make, _ = CASES[name]
        assert hallpass.session(make(sessions)).code == 1, name
    site.make_accounts({"username": "zoe", "password": SECRET, "is_active": False})
    assert hallpass.session(sessions.of("zoe")).json["reason"] == "inactive"


def test_site_that_keeps_local_time(new_site, shell, verdicts):
    """With USE_TZ = False the tables hold the time of the site's zone, 14 hours ahead here."""
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        site = new_site(USE_TZ=False, TIME_ZONE=zone)
        site.make_accounts({"username": "alice", "password": SECRET})
        hallpass = shell(site.write_configuration(django={"time_zone": zone}))
        text = site.ask("sign", site.ask("login_keys", "alice"))
        for seconds, reasons in [(60, GRANTED), (-60, EXPIRED), (7200, GRANTED), (-7200, EXPIRED)]:
            token = site.ask("put_session", text, expires_in=seconds)
            compare(site, hallpass, verdicts, token, reasons)
