"""`hallpass explain`: each reason for a denial has the step that explains it, the verdict is that
of the plain question, and no secret is told."""

import base64
import sqlite3

import pytest

from processes import give_away
from programs import toml

SECRET = "correct horse"
KEY = "0123456789abcdefghijklmnopqrstuv"


@pytest.fixture(scope="module")
def site(new_site):
    site = new_site()
    site.make_accounts(
        {"username": "alice", "password": SECRET, "groups": ["editors"]},
        {"username": "gone", "password": SECRET, "is_active": False},
        {"username": "none", "password": None},
        {"username": "odd", "encoded": "rot13$uryyb"},
        {"username": "costly", "encoded": f"pbkdf2_sha256$90000000$salt${'A' * 43}="},
        {"username": "leaver", "password": SECRET},
        {"username": "changer", "password": SECRET},
        {"username": "switched-off", "password": SECRET},
    )
    return site


@pytest.fixture(scope="module")
def hallpass(site, shell):
    return shell(site.write_configuration())


def explained(hallpass, *question, input=b"", secrets=()) -> dict:
    """What is explained, which is what is answered without."""
    result = hallpass("--json", "explain", *question, input=input)
    answer = result.json
    *steps, verdict = answer["steps"]
    assert verdict["step"] == "verdict"
    assert verdict["holds"] == (answer["verdict"] == "granted") == (result.code == 0)
    for step in [*steps, verdict]:
        assert set(step) == {"step", "holds", "said"} and step["said"]
    text = hallpass("explain", *question, input=input)
    assert text.code == result.code
    for secret in secrets:
        assert secret not in result.text and secret not in text.text
    assert text.text.splitlines()[-1 if result.code else 0]
    return answer


def deciding(answer: dict) -> str:
    """The last step before the verdict that speaks against."""
    return [step["step"] for step in answer["steps"][:-1] if step["holds"] is False][-1]


def step(answer: dict, name: str) -> dict:
    return next(step for step in answer["steps"] if step["step"] == name)


# Passwords


@pytest.mark.parametrize(
    ("user", "password", "options", "reason", "decides", "said"),
    [
        ("nobody-here", SECRET, [], "unknown-user", "password", ""),
        ("alice", "wrong", [], "wrong-password", "password", "not the right one"),
        ("none", SECRET, [], "unusable-password", "password", "no password is right"),
        ("odd", SECRET, [], "unsupported-hash", "password", "could not be compared"),
        ("costly", SECRET, [], "unsupported-hash", "password", "could not be compared"),
        ("gone", SECRET, [], "inactive", "active", "switched off"),
        ("alice", SECRET, ["--groups", "chiefs"], "not-permitted", "access", "chiefs"),
        ("alice", SECRET, ["--permission", "a.b"], "not-permitted", "access", "a.b"),
        ("", SECRET, [], "malformed", "question", "empty"),
        ("alice", "nul\0", [], "malformed", "question", "not text"),
    ],
)
def test_denied_password(site, hallpass, user, password, options, reason, decides, said):
    encoded = site.shell("answer = list(User.objects.values_list('password', flat=True))")
    secrets = [SECRET, *(text for text in encoded if text.startswith("pbkdf2"))]
    question = ["check", *options, "--", user]
    answer = explained(hallpass, *question, input=password.encode(), secrets=secrets)
    plain = hallpass("--json", *question, input=password.encode()).json
    assert (answer["verdict"], answer["reason"]) == ("denied", reason)
    assert (plain["verdict"], plain["reason"]) == ("denied", reason)
    assert deciding(answer) == decides
    assert said in step(answer, decides)["said"]


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("nobody-here", "as much is computed"),
        ("none", "no password"),
        ("odd", "unknown algorithm"),
        ("costly", "more than [passwords] allows"),
        ("alice", "pbkdf2_sha256, 1000 iterations"),
    ],
)
def test_hash_is_described(hallpass, user, said):
    answer = explained(hallpass, "check", user, input=b"wrong")
    assert said in step(answer, "hash")["said"]


def test_granted_password(hallpass):
    answer = explained(
        hallpass, "check", "alice", "--groups", "editors", input=SECRET.encode(), secrets=[SECRET]
    )
    assert answer["verdict"] == "granted"
    assert not [step for step in answer["steps"] if step["holds"] is False]
    steps = [step["step"] for step in answer["steps"]]
    assert steps.index("account") < steps.index("access") < steps.index("password")
    read = [step["said"] for step in answer["steps"] if step["step"] == "database"]
    assert any('FROM "auth_user"' in said and ':name = "alice": 1 row' in said for said in read)


# Sessions


def session_rows(site, *statement):
    with sqlite3.connect(site.database) as database:
        database.execute(*statement)
    database.close()


def live(site, user="alice"):
    return site.login(user, SECRET).token


def expired(site):
    token = live(site)
    statement = "UPDATE django_session SET expire_date = '2001-01-01 00:00:00' WHERE session_key = ?"
    session_rows(site, statement, [token])
    return token


def forged(site):
    token = live(site)
    statement = (
        "UPDATE django_session SET session_data = replace(session_data, ':', ':A') "
        "WHERE session_key = ?"
    )
    session_rows(site, statement, [token])
    return token


def anonymous(site):
    return site.shell(
        "from django.contrib.sessions.backends.db import SessionStore\n"
        "store = SessionStore(); store['basket'] = [1]; store.save(); answer = store.session_key"
    )


def stale(site):
    token = live(site, "changer")
    site.shell("u = User.objects.get(username='changer'); u.set_password('new'); u.save()")
    return token


def deleted(site):
    token = live(site, "leaver")
    site.shell("User.objects.get(username='leaver').delete()")
    return token


def inactive(site):
    token = live(site, "switched-off")
    site.deactivate("switched-off")
    return token


def absent(_):
    return KEY


def too_short(_):
    return "short"


@pytest.mark.parametrize(
    ("make", "reason", "explains", "said"),
    [
        (absent, "no-session", "session", "no such session"),
        (too_short, "no-session", "session", "no such session"),
        (expired, "expired-session", "expiry", "until 2001-01-01"),
        (forged, "invalid-session", "signature", "none of the 1 keys"),
        (anonymous, "anonymous-session", "payload", "nobody is logged in"),
        (stale, "stale-session", "session-password", "password has changed"),
        (deleted, "unknown-user", "account", "no such account"),
        (inactive, "inactive", "active", "switched off"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_denied_session(site, hallpass, make, reason, explains, said):
    token = make(site)
    secrets = [token, site.configuration()["django"]["secret_key"]]
    answer = explained(hallpass, "session", "-", input=token.encode(), secrets=secrets)
    assert (answer["verdict"], answer["reason"]) == ("denied", reason)
    assert hallpass.session(token).json["reason"] == reason
    assert step(answer, explains)["holds"] is False
    assert said in step(answer, explains)["said"]


def test_backend_that_is_not_listed(site, shell):
    config = site.write_configuration("other.toml", django={"authentication_backends": ["a.B"]})
    answer = explained(shell(config), "session", "-", input=live(site).encode())
    assert answer["reason"] == "invalid-session"
    assert step(answer, "backend")["said"].endswith('"django.contrib.auth.backends.ModelBackend"')


def test_granted_session(site, hallpass):
    browser = site.login("alice", SECRET)
    answer = explained(
        hallpass, "session", "--cookie", f"a=b; {browser.cookie_header}", secrets=[browser.token]
    )
    assert (answer["verdict"], answer["user"]) == ("granted", "alice")
    assert [it["holds"] for it in answer["steps"] if it["step"] == "signature"] == [True]


def test_no_cookie_of_the_site(hallpass):
    answer = explained(hallpass, "session", "--cookie", "other=1")
    assert answer["reason"] == "no-session"
    assert deciding(answer) in ("session", "cookie")


# Other sites


@pytest.mark.parametrize(
    ("session", "reason", "explains", "said"),
    [
        (b'login|a:1:{s:4:"name";s:5:"alice";}', None, "payload", "somebody is logged in"),
        (b'login|a:1:{s:4:"name";s:0:"";}', "anonymous-session", "payload", "nothing that is true"),
        (b'login|a:1:{s:4:"name";a:0:{}}', "anonymous-session", "payload", "nothing that is true"),
        (b'login|a:1:{s:4:"name";a:1:{i:0;i:1;}}', "invalid-session", "payload", "neither a name"),
        (b'login|a:1:{s:4:"na', "invalid-session", "payload", "format"),
        (None, "no-session", "session", "no such session"),
    ],
)
def test_sessions_of_php(directory, shell, session, reason, explains, said):
    if session is not None:
        (directory / f"sess_{KEY}").write_bytes(session)
        give_away(directory / f"sess_{KEY}")
    php = {"save_handler": "files", "save_path": directory, "user": "login.name"}
    config = directory / "hallpass.toml"
    config.write_text(toml({"framework": "php", "php": php}))
    answer = explained(shell(config), "session", "-", input=KEY.encode(), secrets=[KEY])
    assert answer["reason"] == reason
    assert said in step(answer, explains)["said"]
    assert shell(config).session(KEY).json["reason"] == reason


# Users and requests


def test_user_whom_somebody_vouches_for(hallpass):
    assert explained(hallpass, "user", "alice")["verdict"] == "granted"
    answer = explained(hallpass, "user", "alice", "--groups", "chiefs")
    assert (answer["reason"], deciding(answer)) == ("not-permitted", "access")
    assert explained(hallpass, "user", "nobody-here")["reason"] == "unknown-user"


def test_request(site, hallpass):
    browser = site.login("alice", SECRET)
    head = "GET /private/ HTTP/1.1\r\nHost: x\r\n"
    cookie = f"Cookie: {browser.cookie_header}\r\n"
    basic = base64.b64encode(f"alice:{SECRET}".encode()).decode()

    def ask(*headers: str) -> dict:
        request = (head + "".join(headers)).encode()
        return explained(hallpass, "request", input=request, secrets=[SECRET, basic, browser.token])

    assert step(ask(cookie), "session")["holds"] is True
    assert step(ask(f"authorization: Basic {basic}\r\n"), "password")["holds"] is True
    # The cookie is looked at first, as hallpassd does.
    assert "session" in [it["step"] for it in ask(cookie, f"Authorization: Basic {basic}\r\n")["steps"]]
    wrong = base64.b64encode(b"alice:wrong").decode()
    assert ask(f"Authorization: Basic {wrong}\r\n")["reason"] == "wrong-password"


@pytest.mark.parametrize(
    "request_text", ["", "GET / HTTP/1.1", "Authorization: Bearer x", "Authorization: Basic %"]
)
def test_request_without_a_credential(hallpass, request_text):
    result = hallpass("explain", "request", input=request_text)
    assert result.code == 2
    assert not result.stdout


# Stores, and the option


def test_store_that_cannot_be_asked(site, shell):
    config = site.write_configuration("away.toml", database="sqlite:/nowhere/db.sqlite3")
    result = shell(config)("explain", "check", "alice", "--json", input=SECRET)
    assert result.code == 75
    answer = result.json
    assert answer["verdict"] == "unavailable"
    assert "/nowhere/db.sqlite3" in answer["steps"][-1]["said"]


def test_option_of_check_and_session(site, hallpass):
    token = live(site)
    for question, input in [(["check", "alice"], SECRET), (["session", "-"], token)]:
        explained_there = hallpass("explain", *question, "--json", input=input).json
        explained_here = hallpass(*question, "--explain", "--json", input=input).json
        names = [[it["step"] for it in one["steps"]] for one in (explained_there, explained_here)]
        assert names[0] == names[1]
        assert "steps" not in hallpass(*question, "--json", input=input).json


def test_lines_fit(hallpass):
    result = hallpass("explain", "check", "alice", input=SECRET)
    lines = result.text.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[-1] == "granted: alice (id 1), in editors"
    assert any(line.startswith("yes  password") for line in lines)
