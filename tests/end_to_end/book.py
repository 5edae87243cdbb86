"""docs/command-line.md and the tables of settings, from what the programs say of themselves.

`python tests/end_to_end/book.py DIRECTORY` writes them anew, from the programs in DIRECTORY.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "command-line.md"

PROGRAMS = (
    "hallpass hallpassd hallpass-ejabberd hallpass-apache hallpass-checkpassword hallpass-pam hallpass-squid"
).split()

HEAD = """# The command line

What each program says with `--help`. In place of `--config`, the environment variable
`HALLPASS_CONFIG` may name the configuration.
"""


def page(directory: Path) -> str:
    """The text of the page."""
    parts = [HEAD]
    for program in PROGRAMS:
        parts += describe(directory, [program], 2)
    return "\n".join(parts)


def describe(directory: Path, words: list[str], depth: int) -> list[str]:
    """The sections of a command and of those below it."""
    text = help_of(directory, words)
    parts = [f"{'#' * depth} `{' '.join(words)}`\n\n```text\n{text}\n```\n"]
    for command in commands_in(text):
        parts += describe(directory, [*words, command], min(depth + 1, 4))
    return parts


def help_of(directory: Path, words: list[str]) -> str:
    done = subprocess.run(
        [directory / words[0], *words[1:], "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        # No terminal's width, and nobody's settings.
        env={"PATH": "/usr/bin:/bin"},
        check=True,
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def commands_in(text: str) -> list[str]:
    """The commands that a help lists."""
    listed = re.search(r"^Commands:\n((?:  .*\n|\n)+)", text + "\n", re.M)
    names = re.findall(r"^  ([a-z][\w-]*)(?:  |$)", listed[1], re.M) if listed else []
    return [name for name in names if name != "help"]


def schema(directory: Path) -> dict:
    """The JSON Schema of the configuration."""
    command = [directory / "hallpass", "config", "--schema"]
    return json.loads(subprocess.run(command, capture_output=True, timeout=60, check=True).stdout)


def table(schema: dict, name: str) -> dict:
    """The schema of the table `name`, as in `django.cache`; of the whole file where it is empty."""
    for part in filter(None, name.split(".")):
        schema = schema["properties"][part]
        # It may be written as a URL.
        schema = schema.get("anyOf", [schema])[-1]
    return schema


def frameworks(schema: dict) -> list[str]:
    """The frameworks, in the order of the book."""
    return schema["properties"]["framework"]["enum"]


def tables(schema: dict, name: str) -> set[str]:
    """The table `name` and those in it, as in `django.cache`."""
    keys = table(schema, name)["properties"]
    inner = [f"{name}.{key}" for key in keys if "x-order" in table(schema, f"{name}.{key}")]
    return {name}.union(*[tables(schema, each) for each in inner])


# What stands between two of these is a table of the settings of that name.
MARKED = re.compile(r"(<!-- settings of (\S+) -->\n).*?(<!-- end of settings -->\n)", re.S)


def with_settings(text: str, schema: dict) -> str:
    """A page, its tables of settings as the schema has them."""

    def rows(match: re.Match) -> str:
        name = match[2] if match[2] != "site" else ""
        return match[1] + "\n" + settings(table(schema, name)) + "\n" + match[3]

    return MARKED.sub(rows, text)


def settings(table: dict) -> str:
    lines = ["| key | default | |", "|---|---|---|"]
    for key in table["x-order"]:
        about = table["properties"][key]
        if "properties" in about:
            continue
        description = " ".join(about["description"].split()).replace("|", "\\|")
        lines.append(f"| `{key}` | {default(about, key in table.get('required', []))} | {description} |")
    return "\n".join(lines) + "\n"


def default(about: dict, needed: bool) -> str:
    words = about.get("x-default")
    if words is None and "default" in about:
        return f"`{json.dumps(about['default'], ensure_ascii=False)}`"
    if words is None:
        return "" if needed else "none"
    return f"`{words}`" if re.fullmatch(r'"[^"]*"|\d+|true|false', words) else words


def pages_with_settings() -> list[Path]:
    return [page for page in sorted(DOCS.glob("*.md")) if MARKED.search(page.read_text())]


if __name__ == "__main__":
    programs = Path(sys.argv[1]).resolve()
    PAGE.write_text(page(programs))
    for each in pages_with_settings():
        each.write_text(with_settings(each.read_text(), schema(programs)))
