"""Draws the figures of a run of the benchmarks: the table in docs/sizing.md, and docs/figures.svg.

    picture.py [LINES]

LINES are what `figures.py` wrote in a run, which replaces the last one's in figures.jsonl beside this
file. A test compares what is drawn with that.
"""

import json
import math
import os
import sys
from datetime import date
from html import escape
from pathlib import Path

from proc import processor

KEPT = Path(__file__).with_name("figures.jsonl")
DOCS = Path(__file__).parents[2] / "docs"
PICTURE, PAGE = DOCS / "figures.svg", DOCS / "sizing.md"
BEGIN, END = "<!-- Written by tests/benchmarks/run picture. -->\n", "<!-- As far as here. -->\n"

WIDTH, LEFT, RIGHT, TOP, LINE = 920, 560, 70, 60, 20
# Colours that differ in lightness as well, on either ground.
STYLE = """
svg { font: 13px sans-serif } .ground { fill: #f6f8fa; stroke: #d0d7de } text { fill: #24292f }
.title { font-size: 15px } .peer { fill: #57606a } .grid { stroke: #d0d7de } .same { stroke: #57606a }
.more { fill: #1a7f37 } .less { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
.ground { fill: #161b22; stroke: #30363d } text { fill: #e6edf3 } .peer { fill: #8b949e }
.grid { stroke: #30363d } .same { stroke: #8b949e } .more { fill: #56d364 } .less { fill: #ffa657 }
}
"""


def read(lines: str) -> tuple[dict, list[dict]]:
    """What a run was made on, and its figures."""
    about, *rows = map(json.loads, lines.splitlines())
    return about, rows


def number(value: float) -> str:
    """Three digits of it."""
    if value >= 1000:
        return f"{round(value, 2 - math.floor(math.log10(value))):,.0f}"
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{digits}f}"


def table(about: dict, rows: list[dict]) -> str:
    """In Markdown."""
    lines = [
        f"On {about['cores']} cores of an {about['processor']}, {about['date']}. The last column says how many "
        "times better than its peer the first is, whether more is better or less.",
        "",
        "| | | its peer | |", "|---|---|---|---|",
    ]
    for row in rows:
        own, peer = (f"{row[name]}: {number(row[value])} {row['unit']}"
                     for name, value in (("candidate", "value"), ("peer", "peer_value")))
        lines.append(f"| {row['what']} | {own} | {peer} | {number(row['ratio'])} × |")
    return "\n".join(lines) + "\n"


def svg(about: dict, rows: list[dict]) -> str:
    """The picture: a bar for each figure, to the right where it is better than its peer."""
    height = TOP + len(rows) * LINE + 24
    ratios = [row["ratio"] for row in rows] or [1]
    low, high = math.floor(math.log10(min(*ratios, 0.5))), math.ceil(math.log10(max(*ratios, 2)))

    def across(ratio: float) -> float:
        part = (math.log10(ratio) - low) / (high - low)
        return LEFT + (WIDTH - LEFT - RIGHT) * part

    title = "Times better than its peer, each in one run with it"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
        f'<text class="title" x="16" y="28">{title}</text>',
    ]
    for power in range(low, high + 1):
        x = across(10**power)
        kind = "grid" if power else "same"
        parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - 20}"/>')
        parts.append(f'<text class="peer" x="{x:.1f}" y="{TOP - 14}" text-anchor="middle">{10**power:g} ×</text>')
    for index, row in enumerate(rows):
        y = TOP + index * LINE
        begin, end = sorted((across(1), across(row["ratio"])))
        words = f'{escape(row["what"])}: {escape(row["candidate"])} <tspan class="peer">/ {escape(row["peer"])}</tspan>'
        kind = "more" if row["ratio"] >= 1 else "less"
        parts.append(f'<text x="16" y="{y + 13}">{words}</text>')
        parts.append(f'<rect class="{kind}" x="{begin:.1f}" y="{y + 3}" width="{max(end - begin, 1):.1f}" height="12"/>')
        parts.append(f'<text x="{max(end, across(1)) + 6:.1f}" y="{y + 13}">{number(row["ratio"])}</text>')
    on = f"{about['cores']} cores of an {about['processor']}"
    parts.append(f'<text class="peer" x="16" y="{height - 8}">{escape(on)}; the axis is logarithmic</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def page(text: str, about: dict, rows: list[dict]) -> str:
    """The page with the table of these figures."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{table(about, rows)}\n{END}{after}"


def main(lines: str | None = None) -> None:
    if lines:
        about = {"processor": processor(), "cores": len(os.sched_getaffinity(0)),
                 "date": date.today().strftime("%-d %B %Y")}
        KEPT.write_text(json.dumps(about) + "\n" + Path(lines).read_text())
    about, rows = read(KEPT.read_text())
    PICTURE.write_text(svg(about, rows))
    PAGE.write_text(page(PAGE.read_text(), about, rows))
    print(table(about, rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
