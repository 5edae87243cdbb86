"""Condition words mean the same at every door, and a word that is not understood is never ignored:
not even for a superuser, who holds every permission."""

import json
from urllib.parse import quote

import pytest

from hosts import fastcgi
from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd
from hosts.fixtures import site_with_accounts
from programs import run

# Of alice (in editors), reporter (who holds shop.view_report), stella (staff), ursula (superuser).
PEOPLE = ["alice", "reporter", "stella", "ursula"]
WORDS = {
    "editors": {"alice"},
    "is:staff": {"stella"},
    "is:superuser": {"ursula"},
    "perm:shop.view_report": {"reporter", "ursula"},
    # Names of groups that nobody is in.
    "staff": set(),
    "is": set(),
    "perm": set(),
    "Is:staff": set(),
}
NOT_UNDERSTOOD = ["is:", "is:admin", "is:Staff", "perm:", "perm:shop.", "perm:.view_report", "perm:is:staff"]


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def config(site):
    return site.write_configuration("conditions.toml", limits={"failures": 0})


@pytest.fixture(scope="module")
def daemon(new_directory, hallpass_programs, site):
    socket = new_directory() / "http.sock"
    config = site.write_configuration(
        "conditions-daemon.toml", limits={"failures": 0}, daemon={"listen": [f"unix:{socket}"]}
    )
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def cookies(site):
    def cookie(user: str) -> dict[str, str]:
        data = site.ask("sign", site.ask("login_keys", user))
        return {"Cookie": "sessionid=" + site.ask("put_session", data)}

    return {user: cookie(user) for user in PEOPLE}


@pytest.mark.parametrize("path", ["/auth", "/session"])
def test_http(daemon, cookies, path):
    def status(user: str, query: str) -> int:
        return daemon.ask(f"{path}?{query}", cookies[user]).status

    for user in PEOPLE:
        for word, members in WORDS.items():
            expected = 200 if user in members else 403
            assert status(user, f"group={quote(word)}") == expected, (user, word)
            assert status(user, f"group=nobody&group={quote(word)}") == expected
        for flag in ["staff", "superuser"]:
            expected = 200 if user in WORDS[f"is:{flag}"] else 403
            assert status(user, f"is={flag}") == expected, (user, flag)
        assert status(user, "is=staff&is=superuser") == 403
        for word in NOT_UNDERSTOOD:
            assert status(user, f"group=editors&group={quote(word)}") == 400, (user, word)
        for word in ["", "shop.", ".view_report", "perm:shop.view_report", "is:staff"]:
            assert status(user, f"permission={word}") == 400, (user, word)
        for word in ["", "admin", "Staff", "is:staff"]:
            assert status(user, f"is={word}") == 400, (user, word)


def test_check(daemon):
    for user in PEOPLE:
        for word, members in WORDS.items():
            answer = daemon.check(user, PASSWORDS[user], groups=[word])
            assert answer.status == (200 if user in members else 403), (user, word)
        for word in NOT_UNDERSTOOD:
            answer = daemon.check(user, PASSWORDS[user], groups=["editors", word])
            assert (answer.status, json.loads(answer.body)["reason"]) == (400, "malformed")
        for name in ["", "shop.", "perm:shop.view_report"]:
            assert daemon.check(user, PASSWORDS[user], permissions=[name]).status == 400


def test_apache(hallpass_programs, config):
    command = [hallpass_programs["hallpass-apache"], "--config", config, "group"]
    for user in ["alice", "ursula"]:
        for word, members in WORDS.items():
            result = run(command, f"{user}\n{word}\n")
            assert result.code == (0 if user in members else 3), (user, word)
        for word in NOT_UNDERSTOOD:
            # Apache can show no error of it: it is denied, and the log says which word it is.
            result = run(command, f"{user}\neditors {word}\n")
            assert result.code == 51, (user, word)
            assert f'"{word}" is not a condition' in result.stderr.decode(), result


def test_squid(hallpass_programs, config):
    command = [hallpass_programs["hallpass-squid"], "--config", config, "group"]
    asked = [(user, word) for user in PEOPLE for word in [*WORDS, *NOT_UNDERSTOOD]]
    result = run(command, "".join(f"{user} {quote(word, safe='')}\n" for user, word in asked))
    for (user, word), answer in zip(asked, result.text.splitlines(), strict=True):
        if word in WORDS:
            assert answer == ("OK" if user in WORDS[word] else "ERR"), (user, word)
        else:
            # Neither yes nor no: a rule that keeps out must not let in.
            assert answer.startswith("BH "), (user, word, answer)
    for word in NOT_UNDERSTOOD:
        assert f'"{word}" is not a condition' in result.stderr.decode()


@pytest.mark.parametrize(
    ("program", "arguments", "misused"),
    [
        ("hallpass", ["check", "alice", "--groups"], 2),
        ("hallpass-pam", ["--group"], 2),
        ("hallpass-checkpassword", ["--group"], 2),
        ("hallpass-squid", ["basic", "--group"], 0),
        ("hallpass-apache", ["rewritemap", "--group"], 0),
    ],
)
def test_a_command_line_with_a_word_that_is_not_understood_lets_nobody_in(
    hallpass_programs, config, program, arguments, misused
):
    for word in NOT_UNDERSTOOD:
        result = run(
            [hallpass_programs[program], "--config", config, *arguments, word],
            f"alice {quote(PASSWORDS['alice'])}\n",
            env={"PAM_USER": "alice", "PAM_TYPE": "auth", "PATH": "/usr/bin:/bin"},
        )
        # Those that must not end say so in their log, and grant nobody.
        assert result.code == misused, (program, word, result)
        assert not result.stdout.startswith((b"OK", b"u:", b"granted")), result
        assert "is not a condition" in result.stderr.decode(), result


@pytest.mark.parametrize("word", [*WORDS, *NOT_UNDERSTOOD])
def test_access(new_directory, hallpass_programs, site, shell, cookies, word):
    socket = new_directory() / "fcgi.sock"
    config = site.write_configuration(
        "access-words.toml",
        access={"groups": [word]},
        limits={"failures": 0},
        daemon={"listen": [], "fastcgi": [f"unix:{socket}"]},
    )
    if word in NOT_UNDERSTOOD:
        result = shell(config).check("ursula", PASSWORDS["ursula"])
        assert result.code == 2
        assert "access.groups" in result.stderr.decode()
        return
    with hallpassd(hallpass_programs["hallpassd"], config, socket):
        for user in PEOPLE:
            permitted = user in WORDS[word]
            assert shell(config).check(user, PASSWORDS[user]).granted == permitted
            answer = fastcgi.ask(socket, {"HTTP_COOKIE": cookies[user]["Cookie"]})
            assert answer.status == (200 if permitted else 403), (user, word)
