"""`hallpass compare`: what `hallpass init` writes agrees with the site's own software, account by account
and session by session, and what is made wrong is found, with the step at which the two part."""

import json
import os
import stat
import time

import pytest

import logs
from django_site import python_of
from people import ACCOUNTS, SECRET, fill
from processes import LOOPBACK
from test_init import MEMBER, Init, cached_in, files_of
from test_init_rules import own_backends, own_model

# Enough for every account of the tests, and seen by tests of samples.
SAMPLE = ["--accounts", "100", "--sessions", "100"]


class Compare(Init):
    """`hallpass compare` for a site of the tests."""

    def compare(self, *options, config=None, path=None, json=True, **more):
        return self.shell(config or self.output)(
            *(["--json"] if json else []),
            *["compare", path or self.directory, "--python", python_of(self.version)],
            *["--env-file", self.environment, *options],
            **more,
        )

    def log_in(self, *names):
        """Live sessions of the accounts, as the site's own login makes them."""
        tokens = [self.site.ask("save_session", self.site.ask("login_keys", name)) for name in names]
        for token in tokens:
            logs.note(token)
        return tokens


def contents(site):
    """All accounts and sessions of a site."""
    return site.shell(
        "answer = repr([list(model._base_manager.order_by('pk').values_list()) "
        "for model in (User, session_model())])"
    )


def agrees(result, sessions=0):
    """All agree, and that means something."""
    report = result.json
    assert result.code == 0, (report, result.stderr)
    assert (report["verdict"], report["percent"], report["differences"]) == ("agree", 100, [])
    by_name = {it["question"]: it for it in report["questions"]}
    assert by_name["accounts"]["granted"] > 0 and by_name["other names"]["denied"] > 0
    if sessions:
        assert by_name["sessions"]["granted"] >= sessions, report
        assert by_name["changed sessions"]["denied"] > 0
        assert by_name["changed sessions"]["granted"] == 0
    return report


def differs(result, question, effect, step=None):
    """There is a difference of that kind; answers all of them."""
    report = result.json
    assert result.code == 1, (report, result.stderr)
    found = [it for it in report["differences"] if (it["question"], it["effect"]) == (question, effect)]
    assert found, report["differences"]
    assert report["verdict"] == "differ" and report["percent"] < 100
    if step:
        assert {it["step"] for it in found} == {step}, found
    return found


# What init writes, as it is


@pytest.mark.parametrize("version", ["2.2", "3.2", "4.2", "5.2"])
def test_plain_site(new_site, shell, version):
    site = new_site(version)
    fill(site)
    compare = Compare(shell, site)
    tokens = compare.log_in("alice", "bob", "erin", "dave")
    site.ask("update", "grace", is_active=False)
    site.ask("save_session", {"theme": "dark"})
    site.ask("age_row", tokens[1], -60)
    compare.hallpass()
    before = contents(site)
    files = files_of(site.directory)
    result = compare.compare(*SAMPLE)
    report = agrees(result, sessions=2)
    assert report["accounts"] == len(ACCOUNTS) and report["sessions"] == 5
    assert report["software"].startswith(f"Django {version}")
    # Nothing was changed, and no session or hash is told.
    assert files_of(site.directory) == files
    assert contents(site) == before
    for token in tokens:
        assert token.encode() not in result.stdout + result.stderr
    text = compare.compare(json=False)
    assert text.code == 0 and "100 % agreement" in text.text, text
