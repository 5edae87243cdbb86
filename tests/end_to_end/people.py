"""The accounts of most tests, and what Django says of them beside what Hallpass says."""

SECRET = "s3cret"

ACCOUNTS = {
    "alice": {"groups": ["editors"], "email": "alice@example.org", "first_name": "Alice"},
    "bob": {"groups": ["editors", "staff", "späte Gäste, 2"], "email": "bob@Example.org"},
    "carol": {"permissions": ["wiki.edit", "wiki.delete"], "email": "shared@example.org"},
    "dave": {"groups": ["editors"], "is_active": False, "email": "shared@example.org"},
    "erin": {"is_superuser": True, "groups": ["staff"], "email": "twins@example.org"},
    "frank": {"is_superuser": True, "is_active": False, "groups": ["staff"]},
    "grace": {"password": None, "groups": ["editors"], "email": "twins@example.org"},
    "heidi": {"is_staff": True},
    # Names with a trap in them.
    "Ivan": {"groups": ["editors"]},
    "IVAN": {"groups": ["staff"]},
    "Judy": {"groups": ["editors"]},
    "Élodie": {"groups": ["editors"]},
    "mallory@example.org": {"groups": ["editors"]},
    "victim": {"email": "mallory@example.org", "groups": ["staff"]},
    "o'brien": {"groups": ["editors"]},
    'a "quoted" name': {"groups": ["editors"]},
    "100%": {"groups": ["editors"]},
    "under_score": {"groups": ["editors"]},
    "back\\slash": {"groups": ["editors"]},
    "semi;colon": {"groups": ["editors"]},
    "two words": {"groups": ["editors"]},
    "blank at the end ": {"groups": ["editors"]},
    "-dash": {"groups": ["editors"]},
    "ｗｉｄｅ": {"groups": ["editors"]},
    "密码": {"groups": ["editors"]},
    "🔑": {"groups": ["editors"]},
    "n" * 150: {"groups": ["editors"]},
}

PERMISSIONS = [
    "wiki.edit",
    "wiki.publish",
    "auth.change_user",
    "wiki.no_such_permission",
    "nosuchapp.edit",
    "edit",
    "publish",
    "wiki.",
    ".edit",
    "",
    "WIKI.EDIT",
    "wiki.edit ",
    "wiki.edit.more",
    "wiki.%",
    "wiki.publis_",
    "' OR '1'='1",
]


def fill(site, accounts=ACCOUNTS):
    site.make_accounts(
        *({"username": name, "password": SECRET} | fields for name, fields in accounts.items())
    )
    site.ask("grant", "editors", ["wiki.publish", "wiki.read"])
    site.ask("grant", "staff", ["auth.change_user"])
    site.ask("grant", "nobody's group", ["wiki.edit"])


def compare_everything(site, hallpass, verdicts, name):
    """All that Django says of a name: may it log in, what groups, which permissions."""
    django = site.ask("modwsgi_check_password", name, SECRET)
    groups = site.ask("groups_for_user", name)
    check = hallpass.check(name, SECRET)
    verdicts.compare(check, django is True)
    if django is True:
        assert check.json["user"] == name
        assert sorted(check.json["groups"]) == sorted(groups)
    verdicts.compare(hallpass.check(name, "wrong"), False)

    # Django's handler says None of an unknown and of an inactive user alike.
    user = hallpass("user", "--json", "--", name)
    verdicts.compare(user, django is not None, {"unknown-user", "inactive"})

    listed = hallpass("groups", "--", name)
    assert listed.code == (1 if django is None else 0)
    assert sorted(listed.text.splitlines()) == sorted(groups)

    for permission in PERMISSIONS:
        expected = site.ask("has_perms", name, [permission])
        verdicts.compare(hallpass("can", "--json", "--", name, permission), expected)
