"""`hallpass config`: the settings in force, without secrets, and the schema of the file."""

import json
import os
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

import book

ROOT = Path(__file__).parents[2]

# A password in the URL and beside it.
TWICE = """\
framework = "django"
database = "postgres://shop:hunter2@db.example.org/shop"

[django]
secret_key = "correct horse battery staple"
secret_key_fallbacks = ["swordfish", { env = "OLD_KEY" }]
session_engine = "cached_db"
cache = { url = "redis://:hunter2@cache/1", password = "hunter2" }

[limits]
deadline = "4s"
failures = 5

[tickets]
key = { file = "ticket.key" }
"""
SECRETS = ["hunter2", "correct horse", "swordfish", "the ticket's own key"]


@pytest.fixture
def config(directory, shell):
    """Runs `hallpass config` on a file of this text."""
    (directory / "ticket.key").write_text("the ticket's own key, which is long enough\n")

    def run(text, *options):
        path = directory / "hallpass.toml"
        path.write_text(text)
        return shell(path)("config", *options, env=os.environ | {"OLD_KEY": "the old one"})

    return run


GOOD = TWICE.replace('redis://:hunter2@cache/1", password', 'redis://cache/1", password')


def test_every_setting_and_where_it_is_from(config):
    result = config(GOOD)
    assert result.code == 0, result.stderr
    lines = result.text.splitlines()
    assert 'framework = "django"  # line 1' in lines
    assert 'deadline = "4s"  # line 11' in lines
    assert "failures = 5  # line 12" in lines
    assert 'failure_window = "1m"  # default' in lines
    assert 'session_cookie_name = "sessionid"  # default' in lines
    assert "# threads: one a core  # default" in lines
    assert "[django.cache]" in lines and "[joomla]" not in lines
    # It is a configuration again.
    read = tomllib.loads(result.text)
    assert read["limits"]["max_password"] == 4096
    assert read["daemon"]["listen"] == ["unix:/run/hallpass/http.sock?mode=0660"]


def test_no_secret_is_shown(config):
    for options in [(), ("--changed",), ("--json",)]:
        result = config(GOOD, *options)
        assert result.code == 0, result.stderr
        for secret in SECRETS:
            assert secret not in result.text, (options, secret)
        assert "db.example.org" not in result.text
        # Where a secret is is none.
        assert "ticket.key" in result.text
    for text in [TWICE, GOOD.replace("failures", "failuers")]:
        result = config(text)
        assert result.code == 2
        assert not any(secret in result.stderr.decode() for secret in SECRETS)


def test_only_what_is_changed(config):
    result = config(GOOD, "--changed")
    keys = re.findall(r"^(\w+) = ", result.text, re.M)
    assert keys == [
        *["framework", "database", "failures", "key", "secret_key", "secret_key_fallbacks"],
        *["session_engine", "url", "password"],
    ]


def test_json_says_the_same(config):
    result = config(GOOD, "--json")
    settings = {setting["key"]: setting for setting in result.json["settings"]}
    assert settings["limits.failures"] == {
        "key": "limits.failures",
        "value": "5",
        "default": "10",
        "line": 12,
        "file": None,
        "changed": True,
    }
    assert settings["limits.deadline"]["changed"] is False
    assert settings["daemon.queue"]["value"] == "1024"
    assert settings["daemon.queue"]["line"] is None


def test_what_a_site_s_own_file_says(config, directory):
    (directory / "configuration.php").write_text(
        """<?php
class JConfig {
    public $dbtype = 'mysqli'; public $db = 'joomla'; public $dbprefix = 'j_';
    public $password = 'hunter2'; public $secret = 'swordfish'; public $lifetime = 30;
}
"""
    )
    result = config('framework = "joomla"\n[joomla]\nconfiguration = "configuration.php"\n')
    assert result.code == 0, result.stderr
    file = directory / "configuration.php"
    assert f'dbprefix = "j_"  # {file}' in result.text.splitlines()
    assert f'lifetime = "30"  # {file}' in result.text.splitlines()
    assert "hunter2" not in result.text and "swordfish" not in result.text


@pytest.mark.parametrize(
    "text, message",
    [
        ('framework = "jango"\n', 'framework: unknown "jango"; did you mean "django"?'),
        ('framework = "django"\n[limits]\ndedline = "1s"\n', "did you mean `deadline`?"),
        ("framework = \n", "hallpass.toml:1: "),
    ],
)
def test_a_wrong_file(config, text, message):
    result = config(text)
    assert (result.code, result.stdout) == (2, b"")
    assert message in result.stderr.decode()


def test_a_file_that_is_not_there(shell, directory):
    result = shell(directory / "absent.toml")("config")
    assert (result.code, result.stdout) == (2, b"")
    assert "absent.toml" in result.stderr.decode()


# The schema


@pytest.fixture(scope="module")
def validator(hallpass_programs):
    schema = book.schema(hallpass_programs.directory)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


EXAMPLES = sorted(ROOT.glob("examples/**/*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_are_valid(validator, path):
    validator.validate(tomllib.loads(path.read_text()))


def snippets():
    """The configurations in the book: what its pages have as TOML."""
    for page in sorted(ROOT.glob("docs/*.md")):
        for number, text in enumerate(re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.M | re.S)):
            yield pytest.param(text, id=f"{page.name}-{number}")


@pytest.mark.parametrize("text", [*snippets()])
def test_snippets_are_valid(validator, text):
    # Some have two forms of one key beside each other, or leave the framework out.
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        pytest.skip("is not a whole file")
    validator.validate({"framework": "django"} | read)


@pytest.mark.parametrize(
    "text",
    [
        "",
        'framework = "jango"',
        'framework = "django"\ndatabse = "sqlite:x"',
        'framework = "django"\n[acess]',
        'framework = "django"\n[access]\ngroup = []',
        'framework = "django"\n[access]\nignore_case = "yes"',
        'framework = "django"\n[limits]\nfailures = -1',
        'framework = "django"\n[limits]\ndeadline = 5',
        'framework = "django"\n[django]\nsecret_key = { fiel = "x" }',
        'framework = "django"\n[django]\nsecret_key = { file = "x", env = "y" }',
        'framework = "django"\n[django.cache]\nulr = "redis://h"',
        'framework = "django"\n[database]\ntls = "require"',
        'framework = "django"\n[daemon]\nlisten = ["127.0.0.1:80"]',
        'framework = "joomla"\n[joomla]\nlivetime = 3',
    ],
)
def test_what_is_wrong_is_not_valid(validator, text):
    assert not validator.is_valid(tomllib.loads(text))


def test_the_schema_is_one_object(shell):
    result = shell()("config", "--schema")
    assert result.code == 0
    assert json.loads(result.stdout)["title"] == "hallpass.toml"
    assert shell()("config", "--schema", "--changed").code == 2
