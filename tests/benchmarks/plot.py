"""docs/sizing.svg, drawn from logins.tsv beside this file.

`python tests/benchmarks/plot.py` writes it anew.
"""

import math
from html import escape
from pathlib import Path

TABLE = Path(__file__).with_name("logins.tsv")
PICTURE = Path(__file__).parents[2] / "docs" / "sizing.svg"

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 200, 48, 64
AT_ONCE = [1, 2, 3, 4, 8, 16, 32, 64]
A_SECOND = [4, 8, 16, 32, 64, 128]
CLASSES = ["a", "b", "c", "d", "e"]

# Colours that differ in lightness as well, on either ground.
STYLE = """
svg { font: 13px sans-serif; background: #fff }
.ground { fill: #fff } text { fill: #222 } .grid { stroke: #ddd } .title { font-size: 15px }
.a { stroke: #0b5cad; fill: #0b5cad } .b { stroke: #6a3fb5; fill: #6a3fb5 }
.c { stroke: #1a7f4b; fill: #1a7f4b } .d { stroke: #8a5a00; fill: #8a5a00 }
.e { stroke: #b3261e; fill: #b3261e }
path { stroke-width: 2; fill: none !important } text.a, text.b, text.c, text.d, text.e { stroke: none }
@media (prefers-color-scheme: dark) {
svg { background: #16181d } .ground { fill: #16181d } text { fill: #ddd } .grid { stroke: #383c45 }
.a { stroke: #6cb2ff; fill: #6cb2ff } .b { stroke: #c0a2ff; fill: #c0a2ff }
.c { stroke: #62d297; fill: #62d297 } .d { stroke: #e6b450; fill: #e6b450 }
.e { stroke: #ff8a80; fill: #ff8a80 }
}
"""


def rows() -> list[tuple[str, int, float, bool]]:
    """Of each line: the hash, how many log in at once, how many a second, and whether that was
    measured."""
    lines = [line.split("\t") for line in TABLE.read_text().splitlines() if line[0] != "#"]
    assert {basis for *_, basis in lines} == {"measured", "computed"}
    return [
        (name, int(at_once), float(a_second), basis == "measured")
        for name, at_once, a_second, basis in lines
    ]


def across(at_once: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(at_once) / math.log(AT_ONCE[-1])


def down(a_second: float) -> float:
    part = math.log(a_second / A_SECOND[0]) / math.log(A_SECOND[-1] / A_SECOND[0])
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part


def text(x: float, y: float, words: str, **attributes: str) -> str:
    more = "".join(f' {name.strip("_")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{more.replace("text_anchor", "text-anchor")}>{escape(words)}</text>'


def svg() -> str:
    """The picture."""
    end = WIDTH - RIGHT
    title = "Logins a second on one core, by how many log in at once"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>',
        text(LEFT, 26, title, class_="title"),
    ]
    for value in A_SECOND:
        y = down(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{end}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(text(LEFT - 8, y + 4, str(value), text_anchor="end"))
    for value in AT_ONCE:
        x = across(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(text(x, HEIGHT - BOTTOM + 18, str(value), text_anchor="middle"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        text(18, middle, "logins / second", text_anchor="middle", transform=f"rotate(-90 18 {middle})")
    )
    parts.append(
        text((LEFT + end) / 2, HEIGHT - 26, "logins at once (lanes in use)", text_anchor="middle")
    )
    parts.append(text(LEFT, HEIGHT - 8, "● measured   ○ computed; both axes are logarithmic"))
    table = rows()
    names = list(dict.fromkeys(name for name, *_ in table))
    for name, kind in zip(names, CLASSES, strict=True):
        points = [(across(x), down(y), measured) for at, x, y, measured in table if at == name]
        line = " L".join(f"{x:.1f} {y:.1f}" for x, y, _ in points)
        dashed = "" if any(measured for *_, measured in points[1:]) else ' stroke-dasharray="6 4"'
        parts.append(f'<path class="{kind}" d="M{line}"{dashed}/>')
        for x, y, measured in points:
            hollow = "" if measured else ' style="fill: none"'
            parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"{hollow}/>')
        parts.append(text(points[-1][0] + 10, points[-1][1] + 4, name, class_=kind))
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    PICTURE.write_text(svg())
