"""Sites whose users live in other tables, under other columns, or without some of them."""

import pytest

from django_site import VERSIONS
from people import SECRET, compare_everything, fill

MEMBER = {
    "AUTH_USER_MODEL": "people.Member",
    "INSTALLED_APPS": [
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "website.people",
    ],
}
MEMBER_COLUMNS = {
    "user_table": "Club members",
    "user_id_column": "member_uuid",
    "username_column": "mail address",
    "password_column": "secret_hash",
    "active_column": "enabled",
    "email_column": "mail address",
    "user_foreign_key": "member_id",
}
MEMBERS = {
    "alice@example.org": {"groups": ["editors"]},
    "bob@example.org": {"permissions": ["wiki.edit"]},
    "carol@example.org": {"is_active": False, "groups": ["editors"]},
    "dave@example.org": {"is_superuser": True},
}


@pytest.mark.parametrize("version", VERSIONS)
def test_custom_user_model(new_site, shell, verdicts, version):
    site = new_site(version, **MEMBER)
    fill(site, MEMBERS)
    hallpass = shell(site.write_configuration(django=MEMBER_COLUMNS))
    for name in [*MEMBERS, "ALICE@example.org", "alice@example.or", "alice", ""]:
        compare_everything(site, hallpass, verdicts, name)

    browser = site.login("alice@example.org", SECRET)
    expected = site.ask("session_user", browser.token)
    assert expected["user"] == "alice@example.org"
    result = hallpass.session(browser.token)
    verdicts.compare(result, True)
    assert (result.json["user"], str(result.json["id"])) == (expected["user"], expected["id"])
    site.deactivate("alice@example.org")
    verdicts.compare(hallpass.session(browser.token), False, {"inactive"})


# Ways to write a UUID; Django reads them as leniently as Python does.
UUIDS = {
    "as-django-does": (lambda uuid: uuid, True),
    "without-hyphens": (lambda uuid: uuid.replace("-", ""), True),
    "in-capitals": (lambda uuid: uuid.upper(), True),
    "in-braces": (lambda uuid: "{" + uuid + "}", True),
    "as-urn": (lambda uuid: "urn:uuid:" + uuid, True),
    "hyphens-elsewhere": (lambda uuid: "-" + uuid.replace("-", "") + "-", True),
    "cut": (lambda uuid: uuid[:-1], False),
    "extended": (lambda uuid: uuid + "0", False),
    "with-blank": (lambda uuid: uuid + " ", False),
    "another": (lambda uuid: "0" * 8 + uuid[8:], False),
    "number": (lambda uuid: 1, False),
    "empty": (lambda uuid: "", False),
}


@pytest.fixture(scope="module")
def members(new_site):
    site = new_site(**MEMBER)
    fill(site, MEMBERS)
    return site


@pytest.mark.parametrize("name", UUIDS)
def test_uuid_in_a_session(members, shell, verdicts, name):
    write, expected = UUIDS[name]
    keys = members.ask("login_keys", "alice@example.org")
    keys["_auth_user_id"] = write(keys["_auth_user_id"])
    token = members.ask("save_session", keys)
    assert (members.ask("session_user", token) is not None) == expected
    hallpass = shell(members.write_configuration(django=MEMBER_COLUMNS))
    verdicts.compare(hallpass.session(token), expected)


@pytest.mark.parametrize("version", VERSIONS)
def test_user_model_without_flags_and_groups(new_site, shell, verdicts, version):
    site = new_site(version, **MEMBER | {"AUTH_USER_MODEL": "people.Visitor"})
    site.make_accounts({"username": "alice", "password": SECRET})
    hallpass = shell(
        site.write_configuration(django={"user_table": "people_visitor", "active_column": ""})
    )
    for name, password in [("alice", SECRET), ("alice", "wrong"), ("bob", SECRET)]:
        expected = site.ask("authenticate", name, password) == name
        assert expected == ((name, password) == ("alice", SECRET))
        verdicts.compare(hallpass.check(name, password), expected)
    browser = site.login("alice", SECRET)
    assert site.ask("session_user", browser.token)["user"] == "alice"
    verdicts.compare(hallpass.session(browser.token), True)
    assert hallpass("groups", "alice").stdout == b""
    assert hallpass("can", "alice", "wiki.edit").code == 1
