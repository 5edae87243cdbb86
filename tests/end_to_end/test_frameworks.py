"""Every framework of the list has what a framework has: its page, `hallpass init`, and its cases.

A new one fails here until it has them. docs/development/adding-a-site.md tells what they are."""

import re
import shlex

import pytest

import book
import test_audit
import test_doctor
import test_express
import test_flask
import test_init
import test_init_php
import test_laravel
import test_names_bind
import test_owners
import test_rails
from book import DOCS
from frameworks import FRAMEWORKS, LIST, ROOT

of_each = pytest.mark.parametrize("framework", FRAMEWORKS)
# Not a framework, but described with them.
BY_HTTP = "http-source"


def test_the_list_is_the_programs_own(hallpass_programs):
    assert book.frameworks(book.schema(hallpass_programs.directory)) == FRAMEWORKS, LIST


# The book


@of_each
def test_a_page_describes_it(framework, hallpass_programs):
    page = DOCS / f"{framework}.md"
    assert page.exists(), "add its page"
    text = page.read_text()
    assert f'framework = "{framework}"' in text, "add an example of its configuration"
    described = {name for _, name, _ in book.MARKED.findall(text)}
    tables = book.tables(book.schema(hallpass_programs.directory), framework)
    assert tables <= described, "add `<!-- settings of NAME -->`, `<!-- end of settings -->`; run book.py"


@pytest.mark.parametrize(
    ("page", "section"),
    [(DOCS / "SUMMARY.md", r"^# Sites\n(.*?)^# "), (ROOT / "README.md", r"^\| site \|.*?\n(.*?)^$")],
    ids=["SUMMARY", "README"],
)
def test_lists_of_sites_are_the_list(page, section):
    lines = re.search(section, page.read_text(), re.M | re.S)[1]
    pages = re.findall(r"\((?:docs/)?([\w-]+)\.md\)", lines)
    assert pages == [*FRAMEWORKS, BY_HTTP], f"{page.name}: add a line for it, in the order of the list"


# `hallpass init`


def example(told: str) -> list[str]:
    """The words of the first example in a help."""
    line = re.search(r"^Examples?:\n  hallpass (.*)$", told, re.M)
    assert line, "give an example in its help"
    return shlex.split(line[1])


@of_each
def test_init_is_explained(framework, shell):
    assert f"`hallpass init {framework} PATH" in (DOCS / "init.md").read_text(), "add a section"
    told = shell()("init", framework, "--help")
    assert told.code == 0 and b"PATH" in told.stdout and b"--output" in told.stdout
    assert example(told.text)[:2] == ["init", framework]


@of_each
def test_init_of_no_site_writes_nothing(framework, shell, directory):
    nowhere, output = directory / "nowhere", directory / "hallpass.toml"
    words = example(shell()("init", framework, "--help").text)
    words = [nowhere if word.startswith("/") else word for word in words]
    assert nowhere in words
    result = shell()(*words, "--output", output)
    assert result.code == 2 and b"nowhere" in result.stderr, result.stderr
    assert not output.exists()


# The configuration


@of_each
def test_a_key_that_is_misspelt_is_named(framework, shell, directory, hallpass_programs):
    keys = book.table(book.schema(hallpass_programs.directory), framework)["x-order"]
    config = directory / "hallpass.toml"
    config.write_text(f'framework = "{framework}"\ndatabase = "sqlite:x"\n[{framework}]\n{keys[0]}x = 1\n')
    result = shell(config)("--check-config")
    assert result.code == 2
    expected = f"hallpass.toml:4: {framework}.{keys[0]}x: no such key; did you mean `{keys[0]}`?"
    assert expected.encode() in result.stderr, result.stderr


# Cases that each framework has for itself, and for the others the test in place of one.

CASES = {
    "test_owners.SITES": (
        [name.partition("_")[0] for name in test_owners.SITES],
        {"django": test_names_bind},
    ),
    "test_audit.RECORDED_SITES": (
        [name for name, *_ in test_audit.RECORDED_SITES],
        {
            "django": test_audit.test_counts_are_the_sites,
            "rails": test_rails.test_devise_is_audited,
            "laravel": test_laravel.test_the_audit_counts_accounts,
            # Their accounts are those of `[custom]`.
            "flask": test_audit.test_custom,
            "express": test_audit.test_custom,
            "php": test_audit.test_custom,
            "custom": test_audit.test_custom,
        },
    ),
    "test_doctor.PREFIXES": (
        [name for name, _ in test_doctor.PREFIXES],
        {
            "django": test_doctor.test_fault_is_named,
            "rails": test_rails.test_devise_faults_are_named,
            "laravel": test_laravel.test_a_wrong_table_is_named,
            "flask": test_doctor.test_session_tables,
            "express": test_doctor.test_session_tables,
            "php": test_doctor.test_sessions_of_php,
            "custom": test_doctor.test_statements_of_custom,
        },
    ),
    "test_init_php.OWN_FILES": (
        [*test_init_php.OWN_FILES],
        {
            "django": test_init,
            "rails": test_rails.test_what_ruby_would_compute_is_not_guessed,
            "laravel": test_laravel.test_rules_that_cannot_be_said_write_nothing,
            "flask": test_flask.test_what_no_configuration_can_say_is_named,
            "express": test_express.test_init_names_what_it_cannot_see,
            "php": test_init_php.test_settings_that_cannot_be_said,
            "custom": test_init_php.test_custom_that_cannot_be_said,
        },
    ),
}


@pytest.mark.parametrize("place", CASES)
def test_every_framework_has_its_case(place):
    here, elsewhere = CASES[place]
    missing = [name for name in FRAMEWORKS if name not in here and name not in elsewhere]
    assert not missing, f"add a case of {missing} to {place}, or the test in place of one to CASES"
    assert {*here, *elsewhere} <= {*FRAMEWORKS}
