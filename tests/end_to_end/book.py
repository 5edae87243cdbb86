"""docs/command-line.md, from what the programs say of themselves.

`python tests/end_to_end/book.py DIRECTORY` writes the page anew, from the programs in DIRECTORY.
"""

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


if __name__ == "__main__":
    PAGE.write_text(page(Path(sys.argv[1]).resolve()))
