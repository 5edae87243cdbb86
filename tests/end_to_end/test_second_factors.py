"""Accounts with a second factor of django-otp's or django-allauth's: their passwords are not enough, and
a session of django-otp's counts when a device was shown in it. The real packages say who has one."""

import pytest

from hosts.daemon import hallpassd
from people import SECRET
from test_compare import agrees, differs
from test_init import Init

APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
PLUGINS = [f"django_otp.plugins.otp_{name}" for name in ("totp", "static", "email", "hotp")]
OTP = {"INSTALLED_APPS": [*APPS, "django_otp", *PLUGINS]}
ALLAUTH = {
    "INSTALLED_APPS": [*APPS, "django.contrib.messages", "allauth", "allauth.account", "allauth.mfa"],
    "AUTHENTICATION_BACKENDS": ["allauth.account.auth_backends.AuthenticationBackend"],
    "MIDDLEWARE": [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "allauth.account.middleware.AccountMiddleware",
    ],
}
MEMBER = {
    "AUTH_USER_MODEL": "people.Member",
    "INSTALLED_APPS": [*APPS, "website.people", "django_otp", *PLUGINS],
}

# Whether the site's own pages take a session for that of an account which has shown what it has to.
VERIFIED = """
from django_otp import user_has_device
from django_otp.middleware import OTPMiddleware
request = RequestFactory().get("/")
request.COOKIES[settings.SESSION_COOKIE_NAME] = token
SessionMiddleware(lambda request: None).process_request(request)
AuthenticationMiddleware(lambda request: None).process_request(request)
OTPMiddleware(lambda request: None)(request)
user = request.user
try:
    answer = user.is_authenticated and (user.is_verified() or not user_has_device(user))
except AttributeError:
    # django-otp fails where the session names a model that is no device.
    answer = False
"""
MAKE = """
from importlib import import_module
model = getattr(import_module("django_otp.plugins.otp_%s.models" % kind), name)
user = User.objects.get(**{User.USERNAME_FIELD: username})
answer = model.objects.create(user=user, name="mine", confirmed=confirmed).persistent_id
"""
KINDS = {"totp": "TOTPDevice", "static": "StaticDevice", "email": "EmailDevice", "hotp": "HOTPDevice"}


def give(site, username, kind, confirmed=True):
    """Gives an account a device; answers what names it in a session."""
    return site.shell(MAKE, username=username, kind=kind, name=KINDS[kind], confirmed=confirmed)


def log_in(site, username, device=None):
    keys = site.ask("login_keys", username)
    return site.ask("save_session", keys | ({} if device is None else {"otp_device_id": device}))


def compare(site, hallpass, verdicts, names, sessions):
    for name in names:
        has = site.shell(
            "from django_otp import user_has_device\n"
            "answer = user_has_device(User.objects.get(**{User.USERNAME_FIELD: name}))",
            name=name,
        )
        expected = site.ask("authenticate", name, SECRET) is not None and not has
        verdicts.compare(hallpass.check(name, SECRET), expected, {"unusable-password"})
        verdicts.compare(hallpass.check(name, "wrong"), False, {"unusable-password", "wrong-password"})
    for what, token in sessions.items():
        expected = site.shell(VERIFIED, token=token)
        assert expected == (not what.startswith("not")), what
        verdicts.compare(hallpass.session(token), expected, {"invalid-session"})


def sessions_of(site, names):
    alice, bob, carol, dave, erin = names
    totp = give(site, bob, "totp")
    give(site, carol, "totp", confirmed=False)
    static, email = give(site, dave, "static"), give(site, dave, "email")
    unconfirmed = give(site, dave, "hotp", confirmed=False)
    gone = give(site, erin, "totp")
    kept = give(site, erin, "static")
    site.shell(
        "from django_otp.plugins.otp_totp.models import TOTPDevice\n"
        "TOTPDevice.objects.filter(pk=int(gone.split('/')[1])).delete()\nanswer = None",
        gone=gone,
    )
    return {
        "alice": log_in(site, alice),
        # Somebody else's device makes her no worse than she is.
        "alice-with-his": log_in(site, alice, totp),
        "bob-showed": log_in(site, bob, totp),
        "not-bob": log_in(site, bob),
        "not-bob-with-hers": log_in(site, bob, static),
        "not-bob-with-none": log_in(site, bob, "otp_totp.totpdevice/999"),
        "not-bob-with-words": log_in(site, bob, "otp_totp.totpdevice/' OR '1'='1"),
        "not-bob-with-another-model": log_in(site, bob, "auth.user/1"),
        "not-bob-with-nothing": log_in(site, bob, ""),
        "carol-unconfirmed": log_in(site, carol),
        "dave-showed": log_in(site, dave, static),
        "dave-showed-another": log_in(site, dave, email),
        "not-dave-unconfirmed": log_in(site, dave, unconfirmed),
        "not-erin-with-what-is-gone": log_in(site, erin, gone),
        "erin-showed": log_in(site, erin, kept),
    }


@pytest.mark.parametrize("server", [None, "postgresql", "mariadb"])
def test_devices_of_django_otp(new_site, shell, verdicts, request, server):
    site = new_site(server=server and request.getfixturevalue(server), **OTP)
    names = ["alice", "bob", "carol", "dave", "erin"]
    site.make_accounts(*({"username": name, "password": SECRET} for name in names))
    sessions = sessions_of(site, names)
    init = Init(shell, site)
    hallpass = init.hallpass()
    assert "otp_totp_totpdevice" in init.text
    compare(site, hallpass, verdicts, names, sessions)
    if server is None:
        agrees(init.compare("--sessions", "100"), sessions=6)
        # A configuration that knows nothing of devices lets in whom the site has show one first.
        text = [line for line in init.text.splitlines() if not line.startswith("second_factor")]
        init.output.write_text("\n".join(text))
        result = init.compare("--sessions", "100")
        assert {it["subject"] for it in differs(result, "logins", "wider")} == {"bob", "dave", "erin"}
        assert len(differs(result, "sessions", "wider")) >= 6


@pytest.mark.parametrize("server", [None, "postgresql", "mariadb"])
def test_devices_of_accounts_with_uuids(new_site, shell, verdicts, request, server):
    site = new_site(server=server and request.getfixturevalue(server), **MEMBER)
    names = [f"{name}@example.org" for name in ("alice", "bob", "carol", "dave", "erin")]
    site.make_accounts(*({"username": name, "password": SECRET} for name in names))
    sessions = sessions_of(site, names)
    compare(site, Init(shell, site).hallpass(), verdicts, names, sessions)


@pytest.mark.parametrize("engine", ["signed_cookies", "file"])
def test_devices_in_sessions_that_no_table_keeps(new_site, shell, verdicts, engine):
    site = new_site(SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}", **OTP)
    (site.directory / "sessions").mkdir()
    site.use(SESSION_FILE_PATH=str(site.directory / "sessions"))
    site._write_settings()
    names = ["alice", "bob", "carol", "dave", "erin"]
    site.make_accounts(*({"username": name, "password": SECRET} for name in names))
    sessions = sessions_of(site, names)
    compare(site, Init(shell, site).hallpass(), verdicts, names, sessions)


def test_authenticators_of_allauth(new_site, shell, verdicts):
    site = new_site(**ALLAUTH)
    site.make_accounts(*({"username": name, "password": SECRET} for name in ("alice", "bob")))
    site.shell(
        "from allauth.mfa.models import Authenticator\n"
        "user = User.objects.get_by_natural_key('bob')\n"
        "Authenticator.objects.create(user=user, type='totp', data={'secret': 'x'})\nanswer = None"
    )
    enabled = "from allauth.mfa.utils import is_mfa_enabled\nanswer = is_mfa_enabled(User.objects.get_by_natural_key(name))"
    init = Init(shell, site)
    hallpass = init.hallpass()
    assert 'second_factor = ["mfa_authenticator"]' in init.text
    assert b"takes names in any case" in init().stderr.replace(b"\n", b" ")
    for name in ("alice", "bob"):
        expected = site.ask("authenticate", name, SECRET) is not None and not site.shell(enabled, name=name)
        verdicts.compare(hallpass.check(name, SECRET), expected, {"unusable-password"})
        # It logs nobody in before the second step, so a session has passed it.
        token = log_in(site, name)
        verdicts.compare(hallpass.session(token), site.ask("session_user", token) is not None)
    assert not hallpass.check("bob", SECRET).granted
    # allauth takes a name in another case.
    (twin,) = differs(init.compare(), "other names", "narrower", "account")
    assert (twin["subject"], twin["site"]) == ("ALICE", "alice (id 1)")
    init.output.write_text(init.text + "[access]\nignore_case = true\n")
    report = agrees(init.compare(), sessions=2)
    assert [(it["granted"], it["denied"]) for it in report["questions"] if it["question"] == "logins"] == [(1, 1)]


@pytest.mark.parametrize("server", [None, "postgresql", "mariadb"])
def test_a_second_factor_that_is_set_up_meanwhile_counts_at_once(
    new_site, new_directory, hallpass_programs, request, server
):
    """A daemon remembers whose a session is, and asks for second factors all the same."""
    site = new_site(server=server and request.getfixturevalue(server), **OTP)
    site.make_accounts({"username": "alice", "password": SECRET})
    directory = new_directory()
    socket = directory / "http.sock"
    config = site.write_configuration(
        daemon={"listen": [f"unix:{socket}"]},
        django={"second_factor": ["otp_totp_totpdevice", "otp_static_staticdevice"]},
    )
    token = log_in(site, "alice")
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:

        def statuses():
            answers = (daemon.ask("/auth", {"Cookie": f"sessionid={token}"}) for _ in range(9))
            return {answer.status for answer in answers}

        assert statuses() == {200}
        device = give(site, "alice", "totp")
        assert statuses() == {401}
        keys = site.ask("login_keys", "alice")
        site.ask("save_session", keys | {"otp_device_id": device}, key=token)
        assert statuses() == {200}
        site.shell(
            "from django_otp.plugins.otp_totp.models import TOTPDevice\n"
            "TOTPDevice.objects.update(confirmed=False)\nanswer = None"
        )
        # Of nobody is more wanted who has none.
        assert statuses() == {200}
        give(site, "alice", "static")
        assert statuses() == {401}


def test_tables_that_are_not_there_make_it_unavailable(new_site, shell):
    site = new_site()
    site.make_accounts({"username": "alice", "password": SECRET})
    config = site.write_configuration(django={"second_factor": ["otp_totp_totpdevice"]})
    hallpass = shell(config)
    assert hallpass.check("alice", SECRET).code == 75
    token = log_in(site, "alice")
    assert hallpass.session(token).code == 75
    assert "second_factor" in hallpass("doctor").text


def test_the_doctor_sees_what_nothing_honours(new_site, shell):
    site = new_site(**OTP)
    site.make_accounts({"username": "alice", "password": SECRET})
    config = site.write_configuration()

    def findings():
        listed = shell(config)("doctor", "--json").json["findings"]
        return [finding for finding in listed if finding["check"] == "second-factor"]

    # Installed, and nobody has one.
    assert not findings()
    give(site, "alice", "totp", confirmed=False)
    assert not findings()
    give(site, "alice", "totp")
    (finding,) = findings()
    assert finding["status"] == "warning" and "otp_totp_totpdevice" in finding["seen"]
    assert 'second_factor = [' in finding["mend"] and '"otp_totp_totpdevice"' in finding["mend"]
    config = site.write_configuration(django={"second_factor": ["otp_totp_totpdevice"]})
    assert not findings()
    # Who says that there are none knows it.
    config = site.write_configuration(django={"second_factor": []})
    assert not findings()


def test_the_doctor_takes_sessions_that_wait_for_a_device_for_what_they_are(new_site, shell):
    site = new_site(**OTP)
    site.make_accounts({"username": "alice", "password": SECRET})
    give(site, "alice", "totp")
    log_in(site, "alice")
    config = site.write_configuration(django={"second_factor": ["otp_totp_totpdevice"]})
    findings = shell(config)("doctor", "--json").json["findings"]
    assert not [it for it in findings if it["check"].startswith("session") and it["status"] == "problem"]
