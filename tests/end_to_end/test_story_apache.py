"""The story of examples/apache-django: Apache checks Django's users and groups, and says what Apache
with mod_wsgi says, which asks Django itself. Subversion and WebDAV are in test_apache.py."""

import os

import pytest

from hosts.accounts import CASES, PASSWORDS
from hosts.apache import apache
from hosts.fixtures import site_replacements, site_with_accounts
from hosts.mod_wsgi import mod_wsgi
from processes import give_away

AGENTS = [
    {"username": "james", "password": "shaken", "groups": ["secret-agents"]},
    {"username": "alec", "password": "turned", "groups": ["secret-agents"], "is_active": False},
    {"username": "felix", "password": "other service", "groups": ["secret agents", "secret"]},
]


@pytest.fixture(scope="module")
def site(new_site):
    site = site_with_accounts(new_site)
    site.make_accounts(*AGENTS)
    # mod_wsgi runs Django as Apache's user.
    for path in (site.directory, site.database):
        give_away(path)
    return site


@pytest.fixture(scope="module")
def ours(new_directory, hallpass_programs, site):
    with apache(new_directory(), hallpass_programs, site_replacements(site)) as server:
        yield server


@pytest.fixture(scope="module")
def peer(new_directory, site):
    modules = os.path.exists("/usr/lib/apache2/modules/mod_wsgi.so")
    assert modules, "libapache2-mod-wsgi-py3 is missing: run tests/setup"
    with mod_wsgi(new_directory(), site) as server:
        yield server


@pytest.mark.parametrize("case", CASES, ids=str)
def test_passwords(ours, peer, case):
    expected = peer.status("/members/page.txt", case.user, case.password)
    assert expected in (200, 401, 500), "500 is what Django's handler raised for"
    answer = ours.status("/members/page.txt", case.user, case.password)
    assert answer == (200 if expected == 200 else 401)


def test_groups(ours, peer):
    people = {"james": "shaken", "alec": "turned", "felix": "other service"}
    people |= {user: PASSWORDS[user] for user in ("alice", "bob", "ursula", "erin")}
    for user, password in people.items():
        allowed = peer.status("/agents/page.txt", user, password) == 200
        assert allowed == (user == "james")
        assert (ours.status("/agents/page.txt", user, password) == 200) == allowed, user
        assert ours.status("/agents/page.txt", user, "wrong") == 401


def test_changes_count_at_once_for_both(ours, peer, site):
    page = "/agents/page.txt"
    assert ours.status(page, "james", "shaken") == peer.status(page, "james", "shaken") == 200
    site.shell("Group.objects.get(name='secret-agents').user_set.clear()")
    assert ours.status(page, "james", "shaken") == 403
    assert peer.status(page, "james", "shaken") in (401, 403)
