"""`hallpass man`: a manual page for each program and each of its commands, which man can show and
which has every option."""

import os
import re
import subprocess
from pathlib import Path

import pytest

import book

ROOT = Path(__file__).parents[2]
# The manual's section of each; most of what servers run is in 8.
SECTIONS = {"hallpass": 1, "hallpass-apache": 1, "hallpass-ejabberd": 1}
PROGRAMS = sorted(path.name for path in (ROOT / "bin").iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def pages(new_directory, hallpass_programs):
    directory = new_directory() / "made" / "here"
    done = subprocess.run(
        [hallpass_programs["hallpass"], "man", directory], capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    return directory


def commands(directory: Path, words: list[str]):
    """A program's command and those below it, each with its help."""
    text = book.help_of(directory, words)
    yield words, text
    for command in book.commands_in(text):
        yield from commands(directory, [*words, command])


def shown(page: Path) -> str:
    """What man shows, in lines of any length; fails where it warns of anything."""
    done = subprocess.run(
        ["man", "--warnings=w", "--local-file", page],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"LC_ALL": "C.UTF-8", "MANWIDTH": "1000", "MAN_KEEP_FORMATTING": ""},
    )
    assert done.returncode == 0 and not done.stderr, (page, done.stderr)
    return done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_has_a_page(pages, hallpass_programs, program):
    section = SECTIONS.get(program, 8)
    for words, text in commands(hallpass_programs.directory, [program]):
        name = "-".join(words)
        page = shown(pages / f"{name}.{section}")
        sections = re.findall(r"^[A-Z][A-Z ]+$", page, re.M)
        assert sections[:4] == ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"], sections
        assert sections[-1] == "SEE ALSO"
        assert [name for name in sections if name in ("EXIT STATUS", "ENVIRONMENT", "FILES")] == [
            "EXIT STATUS",
            "ENVIRONMENT",
            "FILES",
        ]
        assert f"{name} - {text.splitlines()[0][:20]}" in page
        # As they are listed in the help: `-h, --help`, `--config <FILE>`.
        options = re.findall(r"^ +((?:-\w, )?--[a-z][\w-]*)", text, re.M)
        assert "-h, --help" in options
        for option in options:
            assert re.search(rf"^ +{option}(?: |$)", page, re.M), (name, option)
        for command in book.commands_in(text):
            assert f"{name}-{command}({section})" in page
        # What is to be typed is not touched. The help breaks long lines.
        _, _, examples = text.partition("\nExample")
        examples = examples.split()[1:]
        assert " ".join(examples) in " ".join(page.split())
        assert bool(examples) == ("EXAMPLES" in sections)


def test_mandoc_finds_nothing_to_say(pages):
    """BSD's and Alpine's man, whose parser is stricter than groff."""
    done = subprocess.run(
        ["mandoc", "-T", "lint", *sorted(pages.iterdir())], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("hallpass.1", {0: "granted or done", 1: "denied", 75: "unavailable"}),
        ("hallpass-doctor.1", {0: "no problems, but perhaps warnings", 75: "a store cannot be reached"}),
        ("hallpass-user.1", {0: "granted or done", 75: "unavailable"}),
        ("hallpass-apache-group.1", {0: "granted", 2: "wrong password", 53: "unavailable"}),
        ("hallpass-apache-rewritemap.1", {0: "the input has ended"}),
        ("hallpass-checkpassword.8", {1: "denied", 111: "unavailable or configuration"}),
        ("hallpassd.8", {0: "done", 1: "cannot listen"}),
    ],
)
def test_exit_codes_are_a_list(pages, page, expected):
    text = shown(pages / page)
    section = re.search(r"^EXIT STATUS\n(.*?)^ENVIRONMENT$", text, re.M | re.S)[1]
    codes = {int(code): meaning for code, meaning in re.findall(r"^ +(\d+) +(.+)$", section, re.M)}
    assert codes.items() >= expected.items()
    # Said once.
    assert "Exit codes:" not in text


def test_pages_have_the_date_of_their_sources(hallpass_programs, tmp_path):
    def made(epoch: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [hallpass_programs["hallpass"], "man", tmp_path / "man"],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"SOURCE_DATE_EPOCH": epoch},
        )

    assert made("1767225600").returncode == 0
    assert '.TH HALLPASSD 8 2026-01-01 "Hallpass' in (tmp_path / "man/hallpassd.8").read_text()
    for wrong in ["", "yesterday", "99999999999999999"]:
        done = made(wrong)
        assert done.returncode == 2 and "SOURCE_DATE_EPOCH" in done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_has_completions(hallpass_programs, program):
    """Which bash reads, and in which the program's options are."""
    done = subprocess.run(
        [hallpass_programs["hallpass"], "completions", "bash", program],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and "--config" in done.stdout
    loaded = subprocess.run(
        ["bash", "-c", f"source /dev/stdin && complete -p {program}"],
        input=done.stdout,
        capture_output=True,
        text=True,
    )
    assert loaded.returncode == 0, loaded.stderr


@pytest.mark.parametrize("words", [["bash", "hallpass-x"], ["bash", ""], ["cmd"], ["bash", "Hallpass"]])
def test_there_are_no_completions_of_anything_else(hallpass_programs, words):
    done = subprocess.run(
        [hallpass_programs["hallpass"], "completions", *words], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "") and done.stderr


def test_every_setting_is_in_the_page_of_the_configuration(pages, hallpass_programs):
    page = shown(pages / "hallpass.toml.5")
    sections = re.findall(r"^\S.*$", page, re.M)
    assert "NAME" in sections and "[daemon]" in sections and sections[-2] == "SEE ALSO", sections
    schema = book.schema(hallpass_programs.directory)
    for name in ["", "database", "access", "daemon", "django", "django.cache", "php"]:
        table = book.table(schema, name)
        for key, about in table["properties"].items():
            if "properties" not in about:
                assert re.search(rf"^ +{key}(?: |$)", page, re.M), (name, key)
    # Markdown is the book's.
    assert "](" not in page and "`" not in page


def test_examples_stand_line_by_line(pages):
    page = shown(pages / "hallpassd.8")
    assert re.search(r"^ +location = /_hallpass \{\n +internal;\n +proxy_pass http:\S+;$", page, re.M)


def test_there_is_no_page_of_anything_else(pages, hallpass_programs):
    expected = {
        f"{'-'.join(words)}.{SECTIONS.get(program, 8)}"
        for program in PROGRAMS
        for words, _ in commands(hallpass_programs.directory, [program])
    }
    assert {path.name for path in pages.iterdir()} == expected | {"hallpass.toml.5"}


def test_a_directory_that_cannot_be_made(hallpass_programs, tmp_path):
    (tmp_path / "file").touch()
    done = subprocess.run(
        [hallpass_programs["hallpass"], "man", tmp_path / "file" / "man"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert f"cannot write manual pages into {tmp_path}/file/man" in done.stderr
