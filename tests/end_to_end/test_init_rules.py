"""`hallpass init django` of sites with rules that stand in no column: whoever the site keeps out is kept
out by the file that is written, or none is written. Asked of real Djangos, account by account."""

import pytest

from people import SECRET
from test_init import Init

APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


def own_model(name, **more):
    return {"AUTH_USER_MODEL": f"rules.{name}", "INSTALLED_APPS": [*APPS, "website.rules"], **more}


def own_backends(*names, **more):
    paths = [name if "." in name else f"website.rules.backends.{name}" for name in names]
    return {"AUTHENTICATION_BACKENDS": paths, **more}


def own_middleware(*names):
    replaced = "website.rules.middleware.Replacing" in names
    return {
        "MIDDLEWARE": [
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            *([] if replaced else ["django.contrib.auth.middleware.AuthenticationMiddleware"]),
            *names,
        ]
    }


class Ruled:
    """A site, an account of which nothing is to be said, and one that the site's rule is about."""

    def __init__(self, site, shell, ruled: dict, **changed):
        self.site, self.ruled = site, ruled
        self.init = Init(shell, site)
        site.make_accounts(
            {"username": "alice", "password": SECRET, **changed.get("alice", {})},
            {"username": "mallory", "password": SECRET, **changed.get("mallory", {})},
        )
        self.tokens = {name: self.log_in(name) for name in ("alice", "mallory")}
        site.shell(
            "User._base_manager.filter(**{User.USERNAME_FIELD: 'mallory'}).update(**ruled)\nanswer = None",
            ruled=ruled,
        ) if ruled else None

    def log_in(self, name):
        """A session as the site's own login makes it."""
        return self.site.shell(
            "user = User._base_manager.get(**{User.USERNAME_FIELD: name})\n"
            "backend = next(path for path in settings.AUTHENTICATION_BACKENDS if "
            "hasattr(import_string(path), 'get_user') and 'axes' not in path)\n"
            "answer = save_session({auth.SESSION_KEY: user._meta.pk.value_to_string(user),"
            " auth.BACKEND_SESSION_KEY: backend,"
            " auth.HASH_SESSION_KEY: user.get_session_auth_hash()})",
            name=name,
        )

    def django(self, name):
        """Whether the site takes the password, and whether it takes the session."""
        password = self.site.ask("authenticate", name, SECRET)
        session = self.site.ask("session_user", self.tokens[name])
        return password is not None, session is not None

    def hallpass(self, name):
        hallpass = self.init.shell(self.init.output)
        password = hallpass.check(name, SECRET).granted
        # Without sessions in the configuration, to ask for one is an error.
        session = hallpass.session(self.tokens[name])
        assert session.code in (0, 1, 2), session.stderr
        return password, session.code == 0

    def check(self):
        """Runs init; answers what it says and, for both accounts, what Hallpass says then: of
        nobody whom the site keeps out."""
        result = self.init()
        if result.code != 0:
            assert result.code == 2 and not self.init.output.exists(), result
            assert not list(self.site.directory.glob("hallpass.*"))
            return result, None, None
        verdicts = []
        for name in ("alice", "mallory"):
            ours, django = self.hallpass(name), self.django(name)
            for granted, expected in zip(ours, django):
                assert expected or not granted, (name, ours, django, self.init.text)
            verdicts.append(ours)
        return result, *verdicts


BOTH, PASSWORD, SESSION, NEITHER = (True, True), (True, False), (False, True), (False, False)

# The settings, what makes mallory one whom the rule is about, what the site says of her password and
# session then, and what Hallpass says of alice's (None where nothing is written), with words of why.
RULES = {
    # A model's
    "computed-activity": (own_model("Computed"), {"state": "shut"}, NEITHER, None, "is_active is computed"),
    "activity-in-words": (own_model("Worded"), {"is_active": ""}, NEITHER, None, "is_active is computed"),
    "own-check-password": (own_model("Locked"), {"locked": True}, SESSION, SESSION, "check_password of its own"),
    "own-session-hash": (
        own_model("Versioned"),
        {"closed": True},
        PASSWORD,
        PASSWORD,
        "get_session_auth_hash of its own",
    ),
    "own-authenticated": (own_model("Ghost"), {"gone": True}, PASSWORD, PASSWORD, "is_authenticated of its own"),
    # A manager's
    "lookup-without-case": (own_model("Folded"), {}, BOTH, BOTH, None),
    "lookup-of-some": (own_model("Listed"), {"listed": False}, SESSION, SESSION, "get_by_natural_key of its own"),
    "another-manager": (own_model("HiddenByAnother"), {"hidden": True}, BOTH, BOTH, None),
    "time-passes": (own_model("Expiring"), {"expires": "2001-01-01T00:00:00Z"}, NEITHER, None, "`where` in [access]"),
    "another-table": (own_model("OfATeam"), "team", NEITHER, None, "`where` in [access]"),
    "a-number": (own_model("Scored"), {"score": 7}, NEITHER, BOTH, None),
    "converted-names": (own_model("Converted"), {}, BOTH, None, "does not hold its values"),
    "own-get": (own_model("GotOtherwise"), {"email": "m@example.org"}, NEITHER, None, "a get of its own"),
    # A backend's
    "own-user-can-authenticate": (
        own_backends("Approving"),
        {"first_name": "closed"},
        NEITHER,
        None,
        "user_can_authenticate of its own",
    ),
    "own-user-can-authenticate-before-django": (
        own_backends("Approving", MODEL_BACKEND),
        {"first_name": "closed"},
        PASSWORD,
        PASSWORD,
        "sessions that it began are refused",
    ),
    "own-authenticate": (
        own_backends("Refusing"),
        {"first_name": "closed"},
        SESSION,
        SESSION,
        "checks passwords in a way of its own",
    ),
    "own-get-user": (own_backends("Forgetting"), {"first_name": "closed"}, PASSWORD, None, "get_user of its own"),
    "fetching": (own_backends("Fetching"), {}, BOTH, BOTH, None),
    "fetching-some": (own_backends("FetchingSome"), "grouped", PASSWORD, None, "get_user of its own"),
    "own-user-can-authenticate-in-a-copied-get-user": (
        own_backends("ApprovingCopied"),
        {"first_name": "closed"},
        NEITHER,
        None,
        "user_can_authenticate of its own",
    ),
    "own-user-can-authenticate-in-a-copied-get-user-before-django": (
        own_backends("ApprovingCopied", MODEL_BACKEND),
        {"first_name": "closed"},
        PASSWORD,
        PASSWORD,
        "sessions that it began are refused",
    ),
    "own-get-user-in-authenticate": (
        own_backends("ForgettingNames"),
        {"first_name": "closed"},
        NEITHER,
        None,
        "get_user of its own",
    ),
    "a-gate": (
        own_backends("Gate", MODEL_BACKEND),
        {"first_name": "closed"},
        SESSION,
        SESSION,
        "checks passwords in a way of its own",
    ),
    "behind-django": (own_backends(MODEL_BACKEND, "Refusing"), {"first_name": "closed"}, BOTH, BOTH, None),
    "by-email": (own_backends("ByEmail"), {}, BOTH, BOTH, 'login = ["username", "email"]'),
    "lookup-of-some-by-backend": (
        own_backends("Some"),
        {"first_name": "closed"},
        SESSION,
        SESSION,
        "checks passwords in a way of its own",
    ),
    "by-address-alone": (
        own_backends("ByAddressAlone"),
        {},
        SESSION,
        SESSION,
        "checks passwords in a way of its own",
    ),
    "inactive-welcome": (own_backends("Welcoming"), {"is_active": False}, BOTH, BOTH, "lets inactive accounts in"),
    "inactive-welcome-django": (
        own_backends("django.contrib.auth.backends.AllowAllUsersModelBackend"),
        {"is_active": False},
        BOTH,
        BOTH,
        "lets inactive accounts in",
    ),
    "single-sign-on": (own_backends("Silent"), {}, SESSION, SESSION, "single sign-on alone"),
    "remote-user": (
        own_backends("django.contrib.auth.backends.RemoteUserBackend"),
        {},
        SESSION,
        SESSION,
        "single sign-on alone",
    ),
    # Sessions'
    "own-engine": ({"SESSION_ENGINE": "website.rules.engine"}, "ended", PASSWORD, PASSWORD, "a load of its own"),
    "engine-that-writes": ({"SESSION_ENGINE": "website.rules.writing_engine"}, {}, BOTH, BOTH, "is not Django's"),
    "own-serializer": (
        {"SESSION_SERIALIZER": "website.rules.engine.Dropping"},
        "ended",
        PASSWORD,
        PASSWORD,
        "website.rules.engine.Dropping",
    ),
    "revoked-sessions": (
        {
            "SESSION_ENGINE": "website.rules.revocable_engine",
            "INSTALLED_APPS": [*APPS, "website.rules.sessions.apps.Sessions"],
        },
        "revoked",
        PASSWORD,
        PASSWORD,
        "leaves sessions out",
    ),
    "own-authentication-middleware": (
        own_middleware("website.rules.middleware.Replacing"),
        {"first_name": "closed"},
        # The tests ask Django's own middleware, not this.
        BOTH,
        PASSWORD,
        "says in a way of its own whose they are",
    ),
}

END = {
    "team": "User._meta.get_field('team').related_model.objects.create(pk=1, open=False)\n"
    "User._base_manager.filter(username='mallory').update(team_id=1)\nanswer = None",
    "grouped": "from django.contrib.auth.models import Group\n"
    "User.objects.get(username='mallory').groups.add(Group.objects.create(name='some'))\nanswer = None",
    "ended": "store = session_store(token)\nstore.load()\nstore['ended'] = True\nstore.save()\nanswer = None",
    "revoked": "session_model()._base_manager.filter(session_key=token).update(revoked=True)\nanswer = None",
}


def compared(ruled, ours, django):
    """`hallpass compare` never finds that a credential is worth more than at the site, and does not agree
    where a rule is not expressed."""
    result = ruled.init.compare()
    report = result.json
    assert result.code in (0, 1), (report, result.stderr)
    wider = {it["question"] for it in report["differences"] if it["effect"] != "narrower"}
    assert not wider, report["differences"]
    if ours != django:
        assert report["differences"] or report["notes"], report
    if report["percent"] == 100 and not report["notes"]:
        assert ours == django


@pytest.mark.parametrize("name", RULES)
def test_whom_the_site_keeps_out_is_let_in_nowhere(new_site, shell, name):
    settings, rule, django, hallpass, words = RULES[name]
    site = new_site(**settings)
    ruled = Ruled(site, shell, rule if isinstance(rule, dict) else {})
    if not isinstance(rule, dict):
        site.shell(END[rule], token=ruled.tokens["mallory"])
    alone = name in ("single-sign-on", "remote-user", "by-address-alone")
    assert ruled.django("alice") == (SESSION if alone else BOTH)
    assert ruled.django("mallory") == django
    result, alice, mallory = ruled.check()
    assert alice == hallpass, (alice, result.stderr.decode(), hallpass and ruled.init.text)
    if hallpass is not None:
        compared(ruled, (alice, mallory), (ruled.django("alice"), ruled.django("mallory")))
    said = result.stderr.decode()
    if words is None:
        assert "of its own" not in said and "passwords = false" not in said, said
    else:
        assert words in said, said


@pytest.mark.parametrize("version", ["2.2", "3.2", "4.2"])
@pytest.mark.parametrize("name", ["own-authenticate", "own-get-user", "by-email", "own-user-can-authenticate", "time-passes"])
def test_older_djangos_are_asked_the_same(new_site, shell, version, name):
    settings, rule, django, hallpass, words = RULES[name]
    ruled = Ruled(new_site(version, **settings), shell, rule)
    assert ruled.django("mallory") == django
    result, alice, _ = ruled.check()
    assert alice == hallpass and words in result.stderr.decode(), result.stderr


# Permissions


@pytest.mark.parametrize("backend", ["Restricting", "Grouping"])
def test_permissions_that_a_backend_takes_away_are_nobodys(new_site, shell, backend):
    site = new_site(**own_backends(backend))
    site.make_accounts(
        {"username": "alice", "password": SECRET, "groups": ["editors"]},
        {"username": "erin", "password": SECRET, "is_superuser": True},
    )
    site.ask("grant", "editors", ["wiki.edit"])
    assert not site.ask("has_perms", "alice", ["wiki.edit"])
    init = Init(shell, site)
    result = init()
    assert result.code == 0 and b"permission" in result.stderr
    hallpass = init.shell(init.output)
    assert hallpass("can", "--json", "--", "alice", "wiki.edit").code == 1
    assert hallpass("check", "--json", "--permission", "wiki.edit", "alice", input=SECRET).code == 1
    # What it says of superusers is not known either.
    assert hallpass("can", "--json", "--", "erin", "wiki.edit").code == 1
    assert hallpass.check("alice", SECRET).granted
    # One that Django's own backend stands beside takes nothing away.
    site.settings |= own_backends(backend, MODEL_BACKEND)
    site._write_settings()
    assert init().code == 0
    assert init.shell(init.output)("can", "--json", "--", "alice", "wiki.edit").code == 0


def test_permissions_that_the_model_takes_away_are_nobodys(new_site, shell):
    site = new_site(**own_model("Permitted"))
    site.make_accounts({"username": "alice", "password": SECRET, "permissions": ["wiki.edit"]})
    assert not site.ask("has_perms", "alice", ["wiki.edit"])
    init = Init(shell, site)
    assert init().code == 0
    assert init.shell(init.output)("can", "--json", "--", "alice", "wiki.edit").code == 1


# What ends sessions


def test_middleware_that_ends_sessions_is_named(new_site, shell):
    site = new_site(
        **own_middleware(
            "session_security.middleware.SessionSecurityMiddleware",
            "axes.middleware.AxesMiddleware",
            "website.rules.middleware.ending",
            "website.rules.middleware.Counting",
            "website.rules.middleware.nowhere",
        ),
        INSTALLED_APPS=[*APPS, "axes"],
        SESSION_SECURITY_EXPIRE_AFTER=321,
        **own_backends("axes.backends.AxesStandaloneBackend", MODEL_BACKEND),
    )
    init = Init(shell, site)
    result = init()
    assert result.code == 0
    warnings = result.json["warnings"]

    def about(word):
        return [warning for warning in warnings if word in warning]

    assert "SESSION_SECURITY_EXPIRE_AFTER = 321" in about("SessionSecurityMiddleware")[0]
    assert "may end sessions" in about("middleware.ending")[0]
    assert "throttle" in about("AxesStandaloneBackend")[0] and "throttle" in about("axes locks")[0]
    assert "cannot be looked at" in about("middleware.nowhere")[0]
    assert not about("Counting") and "passwords = false" not in init.text
