"""`hallpass user`, `groups` and `can` say what Django says, for whatever name is asked."""

import unicodedata

import pytest

from django_site import VERSIONS
from people import ACCOUNTS, SECRET, compare_everything, fill

# Names of nobody, though some look like somebody's.
STRANGERS = {
    "unknown": "nobody-here",
    "empty": "",
    "blank": " ",
    "capitals": "ALICE",
    "one-capital": "Alice",
    "small": "judy",
    "small-of-two": "ivan",
    "blank-before": " alice",
    "blank-after": "alice ",
    "no-blank-after": "blank at the end",
    "newline-after": "alice\n",
    "carriage-return-after": "alice\r",
    "tab-after": "alice\t",
    "control-character": "\x01alice",
    "delete-character": "alice\x7f",
    "escape-sequence": "\x1b[2Jalice",
    "second-line": "nobody-here\nalice",
    "zero-width": "alice\u200b",
    "right-to-left": "\u202ealice",
    "full-width": "ａｌｉｃｅ",
    "not-so-wide": "wide",
    "decomposed": unicodedata.normalize("NFD", "Élodie"),
    "without-accent": "Elodie",
    "cyrillic-a": "аlice",
    "like-any": "%",
    "like-prefix": "al%",
    "like-one": "al_ce",
    "like-of-underscore": "underXscore",
    "glob": "al*",
    "sql-true": "' OR '1'='1",
    "sql-comment": "alice'--",
    "sql-union": "' UNION SELECT id, password FROM auth_user --",
    "sql-double-quote": '" OR ""="',
    "sql-statement": "alice'; DROP TABLE auth_user; --",
    "sql-parameter": ":username",
    "sql-question-mark": "?",
    "sql-named-parameter": "@alice",
    "backslash": "alice\\",
    "without-backslash": "backslash",
    "e-mail": "alice@example.org",
    "id": "1",
    "star": "*",
    "null": "NULL",
    "option": "--help",
    "path": "../alice",
    "longer-by-one": "n" * 151,
    "shorter-by-one": "n" * 149,
    "10-kB": "n" * 10_000,
    "100-kB": "é" * 50_000,
}


@pytest.fixture(scope="module", params=VERSIONS)
def site(request, new_site):
    site = new_site(request.param)
    fill(site)
    return site


@pytest.fixture(scope="module")
def hallpass(site, shell):
    return shell(site.write_configuration())


@pytest.mark.parametrize("name", ACCOUNTS, ids=ascii)
def test_account(site, hallpass, verdicts, name):
    compare_everything(site, hallpass, verdicts, name)


@pytest.mark.parametrize("name", STRANGERS.values(), ids=STRANGERS)
def test_name_of_nobody(site, hallpass, verdicts, name):
    assert site.ask("modwsgi_check_password", name, SECRET) is None
    verdicts.compare(hallpass.check(name, SECRET), False, {"unknown-user", "malformed"})
    verdicts.compare(hallpass("user", "--json", "--", name), False, {"unknown-user", "malformed"})
    assert hallpass("groups", "--", name).stdout == b""
    assert hallpass("can", "--", name, "wiki.edit").code == 1


def test_oracle_knows_the_accounts(site):
    """The comparisons above are worth something: Django grants what it should."""
    assert site.ask("groups_for_user", "alice") == ["editors"]
    assert site.ask("groups_for_user", "dave") == []
    assert site.ask("has_perms", "alice", ["wiki.publish"])
    assert not site.ask("has_perms", "alice", ["wiki.edit"])
    assert site.ask("has_perms", "carol", ["wiki.edit", "wiki.delete"])
    assert site.ask("has_perms", "erin", ["nosuchapp.edit"])
    assert not site.ask("has_perms", "frank", ["wiki.edit"])


def test_name_that_is_no_utf8_is_nobodys(hallpass):
    for name in (b"alice\xff", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf"):
        result = hallpass("check", "--json", "--", name, input="s3cret\n")
        assert result.code in (1, 2), name


@pytest.mark.parametrize("name", ["bob", "carol", "dave", "erin", "nobody-here"])
def test_several_permissions_must_all_be_held(site, hallpass, verdicts, name):
    for permissions in (
        ["wiki.edit", "wiki.delete"],
        ["wiki.publish", "auth.change_user"],
        ["wiki.edit", "auth.change_user"],
        ["wiki.publish", "nosuchapp.edit"],
    ):
        expected = site.ask("has_perms", name, permissions)
        verdicts.compare(hallpass("can", "--json", "--", name, *permissions), expected)


def test_what_is_said_of_an_account(site, hallpass):
    result = hallpass("user", "--json", "bob")
    assert result.code == 0
    answer = result.json
    assert (answer["user"], answer["email"]) == ("bob", "bob@Example.org")
    assert str(answer["id"]) == site.shell("answer = User.objects.get(username='bob').pk.__str__()")
    assert sorted(answer["groups"]) == sorted(["editors", "staff", "späte Gäste, 2"])
    text = hallpass("user", "bob").text
    assert "pbkdf2_sha256" in text and "1000" in text
    encoded = site.ask("encoded_password", "bob")
    assert encoded.rpartition("$")[2] not in text + result.text
