"""The configuration file: where it is found, where secrets come from, what mistakes say."""

import os
import re
import shutil

import pytest

from people import ACCOUNTS, SECRET, fill
from programs import toml


@pytest.fixture(scope="module")
def site(new_site):
    site = new_site()
    fill(site, {"alice": ACCOUNTS["alice"]})
    return site


# Some TOML, the key that is wrong, and the known key that comes nearest.
MISTAKES = {
    "unknown-key": ("[django]\nsecret_keys = 'x'", "secret_keys", "secret_key"),
    "unknown-key-at-the-top": ("databse = 'sqlite:x'", "databse", "database"),
    "unknown-table": ("[acess]\ngroups = []", "acess", "access"),
    "unknown-access-key": ("[access]\ngroup = ['a']", "group", "groups"),
    "unknown-limit": ("[limits]\nfailure = 3", "failure", "failures"),
    "wrong-type": ("[access]\nignore_case = 'yes'", "ignore_case", None),
    "not-a-list": ("[access]\ngroups = 'staff'", "groups", None),
    "not-a-duration": ("[limits]\ndeadline = '4 parsecs'", "deadline", None),
    "not-a-login": ("[access]\nlogin = ['phone']", "login", None),
    "no-such-secret-file": ("[django]\nsecret_key = { file = 'absent' }", "secret_key", None),
    "no-such-variable": ("[django]\nsecret_key = { env = 'ABSENT_SECRET' }", "secret_key", None),
    "no-such-credential": ("[django]\nsecret_key = { credential = 'no' }", "secret_key", None),
    "not-a-secret": ("[django]\nsecret_key = { file = 1 }", "secret_key", None),
    "not-toml": ("[django", None, None),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_in_the_configuration(shell, directory, name):
    text, key, suggestion = MISTAKES[name]
    start = 'framework = "django"\n'
    if "databse" not in text:
        start += 'database = "sqlite:db.sqlite3"\n'
    path = directory / "hallpass.toml"
    path.write_text(f"{start}\n# a comment\n{text}\n")
    lines = path.read_text().splitlines()
    line = 1 + next(i for i, content in enumerate(lines) if (key or "[django") in content)
    for arguments in (["--check-config"], ["check", "alice"], ["user", "alice"]):
        result = shell(path)(*arguments, input="s3cret\n")
        assert result.code == 2, result
        assert result.stdout == b""
        message = result.stderr.decode()
        assert str(path) in message
        assert re.search(rf"\b{line}\b", message.replace(str(path), "")), message
        if key:
            assert key in message
        if suggestion:
            assert re.search(rf"\b{suggestion}\b", message), message


@pytest.mark.parametrize(
    "text",
    [
        "",
        'framework = "django"\n',
        'framework = "zope"\ndatabase = "sqlite:x"\n',
        "\xff",
        "a = 1\na = 2",
        'framework = "django"\ndatabase = "oracle:x"\n',
        'database = "sqlite:db.sqlite3"\n',
    ],
    ids=ascii,
)
def test_configuration_that_says_too_little(shell, directory, text):
    path = directory / "hallpass.toml"
    path.write_bytes(text.encode("latin-1"))
    result = shell(path)("check", "alice", input="s3cret\n")
    assert result.code == 2
    assert str(path) in result.stderr.decode()


def test_configuration_is_absent(shell, directory):
    result = shell(directory / "absent.toml")("check", "alice", input="s3cret\n")
    assert result.code == 2
    assert str(directory / "absent.toml") in result.stderr.decode()


def test_where_the_configuration_is_found(site, shell, directory):
    path = site.write_configuration("found.toml")
    environment = os.environ | {"HALLPASS_CONFIG": str(path)}
    assert shell()("check", "alice", input="s3cret\n", env=environment).code == 0
    # --config comes before the environment.
    absent = shell(directory / "absent.toml")
    assert absent("check", "alice", input="s3cret\n", env=environment).code == 2


def test_paths_are_relative_to_the_file(site, shell, directory):
    shutil.copy(site.database, directory / "copy.sqlite3")
    (directory / "secret").write_text("a secret of a file\n")
    keys = {"secret_key": {"file": "secret"}}
    tables = site.configuration(database="sqlite:copy.sqlite3", django=keys)
    (directory / "hallpass.toml").write_text(toml(tables))
    hallpass = shell(directory / "hallpass.toml")
    assert hallpass.check("alice", SECRET).code == 0
    assert hallpass("check", "alice", input="s3cret\n", cwd="/").code == 0


@pytest.mark.parametrize("source", ["file", "env", "credential"])
def test_where_a_secret_may_come_from(site, shell, directory, source):
    """Shown by a session, whose signature the secret decides."""
    token = site.ask("save_session", site.ask("login_keys", "alice"))
    for secret, code in [(site.shell("answer = settings.SECRET_KEY"), 0), ("another secret", 1)]:
        (directory / "secret").write_text(secret + "\n")
        environment = os.environ | {"THE_SECRET": secret, "CREDENTIALS_DIRECTORY": str(directory)}
        name = {"file": str(directory / "secret"), "env": "THE_SECRET", "credential": "secret"}
        tables = {"secret_key": {source: name[source]}}
        hallpass = shell(site.write_configuration("secret.toml", django=tables))
        assert hallpass("session", token, env=environment).code == code


def test_literal_secret_that_others_can_read_is_warned_about(site, shell):
    path = site.write_configuration("readable.toml")
    quiet = shell(path)("check", "alice", input="s3cret\n")
    path.chmod(0o644)
    loud = shell(path)("check", "alice", input="s3cret\n")
    assert (quiet.code, loud.code) == (0, 0)
    assert str(path) in loud.stderr.decode() and len(loud.stderr) > len(quiet.stderr)
    secret = site.shell("answer = settings.SECRET_KEY")
    assert secret not in loud.stderr.decode()


def test_newest_rules_without_a_version(new_site, shell):
    site = new_site()
    fill(site, {"alice": ACCOUNTS["alice"]})
    hallpass = shell(site.write_configuration(django={"version": None}))
    token = site.ask("save_session", site.ask("login_keys", "alice"))
    assert hallpass.check("alice", SECRET).code == 0
    assert hallpass.session(token).code == 0
