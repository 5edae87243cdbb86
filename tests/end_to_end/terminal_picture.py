"""docs/terminal.svg: what a terminal shows of a real session.

`PYTHONPATH=tests/end_to_end tests/.setup/venv/bin/python tests/end_to_end/terminal_picture.py target/release`
writes it anew; test_readme.py compares.
"""

import re
import sys
import tempfile
from html import escape
from pathlib import Path

from book import DOCS
from hosts.machine import SESSION, Machine, machine

PICTURE = DOCS / "terminal.svg"

# What is typed. A comment tells what happens on the site.
COMMANDS = [
    "hallpass init django /srv/shop | head -n 1",
    "hallpass check alice",
    "hallpass can alice auth.view_user",
    "hallpass can bob auth.view_user",
    f"hallpass session {SESSION}",
    "# Alice logs out on the site.",
    f"hallpass session {SESSION}",
    "hallpass compare /srv/shop | tail -n 1",
]

COLUMNS, ADVANCE, LINE, MARGIN = 78, 8.4, 20, 20
# Colours that differ in lightness as well, on either ground.
STYLE = """
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #24292f; white-space: pre }
.ground { fill: #f6f8fa; stroke: #d0d7de } .typed { font-weight: bold } .prompt, .comment { fill: #57606a }
.yes { fill: #116329 } .no { fill: #a40e26 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .ground { fill: #161b22; stroke: #30363d } .prompt, .comment { fill: #8b949e }
.yes { fill: #56d364 } .no { fill: #ff7b72 }
}
"""


def session(at: Machine) -> list[tuple[str, str]]:
    """Each line that the terminal shows, and what it is."""
    lines = []
    for command in COMMANDS:
        if command.startswith("#"):
            lines.append(("comment", command))
            at.log_out()
            continue
        lines.append(("typed", command))
        output, _ = at.type(command, COLUMNS)
        for line in re.sub(r"\x1b\[[\d;]*m", "", output).splitlines():
            kind = "no" if line.startswith("denied") else "yes" if re.match("granted|100 %", line) else "said"
            lines.append((kind, line.rstrip()))
    return lines


def svg(lines: list[tuple[str, str]]) -> str:
    """The picture of these lines."""
    width, height = round(COLUMNS * ADVANCE) + 2 * MARGIN, len(lines) * LINE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        "<title>A terminal in which hallpass asks a Django site</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
    ]
    for number, (kind, line) in enumerate(lines):
        assert len(line) <= COLUMNS, line
        words = escape(line)
        if kind == "typed":
            words = f'<tspan class="prompt">$ </tspan>{words}'
        y = MARGIN + number * LINE + 15
        parts.append(f'<text class="{kind}" x="{MARGIN}" y="{y}" xml:space="preserve">{words}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        with machine(Path(directory), Path(sys.argv[1]).resolve()) as made:
            PICTURE.write_text(svg(session(made)))
