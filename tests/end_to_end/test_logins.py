"""What may be typed for a login name, and who gets in with a right password."""

import unicodedata

import pytest

from django_site import VERSIONS
from people import SECRET, fill


@pytest.fixture(scope="module", params=VERSIONS)
def site(request, new_site):
    site = new_site(request.param)
    fill(site)
    return site


@pytest.fixture(scope="module")
def hallpass(site, shell):
    return shell(site.write_configuration())


@pytest.mark.parametrize(
    ("options", "who"),
    [
        (["--groups", "editors"], {"alice", "bob"}),
        (["--groups", "editors,staff"], {"alice", "bob", "erin"}),
        (["--groups", "späte Gäste"], set()),
        (["--groups", "edit"], set()),
        (["--groups", "EDITORS"], set()),
        (["--groups", "nobody's group"], set()),
        (["--permission", "wiki.publish"], {"alice", "bob", "erin"}),
        (["--permission", "wiki.edit"], {"carol", "erin"}),
        (["--permission", "nosuchapp.edit"], {"erin"}),
        (["--permission", "edit"], {"erin"}),
        (["--groups", "staff", "--permission", "wiki.publish"], {"bob", "erin"}),
        (["--groups", "editors", "--permission", "wiki.edit"], set()),
    ],
    ids=lambda words: " ".join(sorted(words) if isinstance(words, set) else words),
)
def test_conditions_of_check(hallpass, options, who):
    for name in ("alice", "bob", "carol", "erin", "heidi"):
        result = hallpass.check(name, SECRET, *options)
        assert result.granted == (name in who), (name, result)
        if name not in who:
            assert result.json["reason"] == "not-permitted"
            wrong = hallpass.check(name, "wrong", *options)
            assert wrong.json["reason"] == "wrong-password", "the password comes first"
        assert not hallpass.check(name, "wrong", *options).granted
    for name in ("dave", "frank", "nobody-here"):
        assert not hallpass.check(name, SECRET, *options).granted


def test_access_rules(site, shell):
    def who(**access) -> set[str]:
        hallpass = shell(site.write_configuration("access.toml", access=access))
        return {
            name
            for name in ("alice", "bob", "carol", "dave", "erin", "frank", "heidi")
            if hallpass.check(name, SECRET).granted
        }

    assert who(groups=["editors"]) == {"alice", "bob"}
    assert who(groups=["editors", "staff"]) == {"alice", "bob", "erin"}
    assert who(permissions=["wiki.publish"]) == {"alice", "bob", "erin"}
    assert who(permissions=["wiki.publish", "auth.change_user"]) == {"bob", "erin"}
    assert who(groups=["editors"], permissions=["wiki.edit"]) == set()
    assert who(groups=["no such group"]) == set()


LOGINS = {
    "alice@example.org": "alice",
    "bob@Example.org": "bob",
    "alice": "alice",
    # The user name of one and the e-mail address of another are neither's.
    "mallory@example.org": None,
    "victim": "victim",
    # Two accounts have these.
    "shared@example.org": None,
    "twins@example.org": None,
    # Nearly somebody's.
    "ALICE@example.org": None,
    "alice@EXAMPLE.ORG": None,
    "bob@example.org": None,
    "alice@example.org ": None,
    "alice@example.or_": None,
    "%@example.org": None,
    "@example.org": None,
    "alice@": None,
    "alice@example.org\n": None,
    "ａlice@example.org": None,
    "' OR email LIKE '%": None,
    "": None,
    " ": None,
}


@pytest.mark.parametrize("login", LOGINS, ids=ascii)
def test_login_by_email(site, shell, login):
    hallpass = shell(
        site.write_configuration("email.toml", access={"login": ["username", "email"]})
    )
    result = hallpass.check(login, SECRET)
    assert result.granted == (LOGINS[login] is not None)
    if result.granted:
        assert result.json["user"] == LOGINS[login], "the name as stored, not as typed"
    assert not hallpass.check(login, "wrong").granted


def test_login_by_email_alone(site, shell):
    hallpass = shell(site.write_configuration("email-only.toml", access={"login": ["email"]}))
    assert hallpass.check("alice@example.org", SECRET).json["user"] == "alice"
    assert hallpass.check("mallory@example.org", SECRET).json["user"] == "victim"
    for login in ("alice", "victim", "shared@example.org", "twins@example.org", ""):
        assert not hallpass.check(login, SECRET).granted


FOLDED = {
    "judy": "Judy",
    "JUDY": "Judy",
    "Judy": "Judy",
    "ALICE": "alice",
    "élodie": "Élodie",
    "ÉLODIE": "Élodie",
    "O'BRIEN": "o'brien",
    "UNDER_SCORE": "under_score",
    # Two are called so but for case, exactly or not.
    "Ivan": None,
    "IVAN": None,
    "ivan": None,
    "iVAN": None,
    # These differ in more than case.
    "judy ": None,
    "jud": None,
    "elodie": None,
    "jud_": None,
    "JUDY%": None,
    "underXscore": None,
    "ｊｕｄｙ": None,
    unicodedata.normalize("NFD", "élodie"): None,
    "": None,
}


@pytest.mark.parametrize("typed", FOLDED, ids=ascii)
def test_ignoring_case(site, shell, typed):
    hallpass = shell(site.write_configuration("case.toml", access={"ignore_case": True}))
    result = hallpass.check(typed, SECRET)
    assert result.granted == (FOLDED[typed] is not None)
    if result.granted:
        assert result.json["user"] == FOLDED[typed], "the name as stored, not as typed"
    assert not hallpass.check(typed, "wrong").granted


@pytest.mark.parametrize(
    "typed",
    [
        "ａｌｉｃｅ",
        "ⓐlice",
        "alice",
        "ﬁ",
        "ALICE",
        "alice2",
        unicodedata.normalize("NFD", "Élodie"),
    ],
)
def test_folding_names_as_the_login_form_does(site, shell, verdicts, typed):
    hallpass = shell(site.write_configuration("nfkc.toml", django={"normalize": "nfkc"}))
    name = site.ask("login_form", typed, SECRET)
    result = hallpass.check(typed, SECRET)
    verdicts.compare(result, name is not None, {"unknown-user"})
    if name:
        assert result.json["user"] == name
