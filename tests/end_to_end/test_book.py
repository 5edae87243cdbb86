"""The pages of docs/: their links lead somewhere, and what they say there is, there is."""

import re
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

import book
from book import DOCS
from frameworks import FRAMEWORKS

ROOT = DOCS.parent
BENCHMARKS = ROOT / "tests/benchmarks"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", *(ROOT / ".github").glob("*.md")])
# Images are links, too.
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# A package of PyPI's that has mdBook's own program.
MDBOOK = Path(sys.executable).with_name("mdbook")


def without_code(text: str) -> str:
    """Markdown without its blocks of code and what stands between backticks."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "code", text)


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called, by GitHub and mdBook alike."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    found = set()
    for heading in re.findall(r"^#+ +(.+)$", text, re.M):
        words = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(words.strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in LINK.findall(without_code(page.read_text())):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert ROOT in [target, *target.parents], f"{page.name}: {link} leaves the project"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}: {sorted(anchors(target))}"


def test_links_to_our_own_repository():
    """Written out where a page is read outside of the tree."""
    ours = re.compile(r"https://github\.com/hallpass/hallpass/(?:tree|blob)/main/([\w./-]+)")
    for page in PAGES:
        for path in ours.findall(page.read_text()):
            assert (ROOT / path.rstrip(".")).exists(), f"{page.name}: {path}"


def test_tests_that_are_named_are_there():
    """In security.md, beside what they keep from happening."""
    section = (DOCS / "security.md").read_text().partition("## Mistakes of others\n")[2]
    named = set(re.findall(r"`([a-z0-9_]{12,})`", section.partition("\n## ")[0])) - {"auth_use_cache"}
    assert len(named) > 10
    sources = [*ROOT.glob("tests/end_to_end/*.py"), *ROOT.glob("*/*/src/**/*.rs")]
    sources += ROOT.glob("*/*/tests/**/*.rs")
    found = set()
    for source in sources:
        found |= set(re.findall(r"^ *(?:def|fn) (\w+)\(", source.read_text(), re.M))
    assert named <= found, named - found


def test_every_page_is_in_the_book():
    listed = LINK.findall((DOCS / "SUMMARY.md").read_text())
    assert len(listed) == len(set(listed))
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"SUMMARY.md"}
    assert set(listed) == pages


def test_every_picture_is_drawn_of_its_figures(monkeypatch):
    names = ["figures.svg", "sizing.svg", "terminal.svg"]
    assert sorted(path.name for path in DOCS.rglob("*.svg")) == names
    monkeypatch.syspath_prepend(BENCHMARKS)
    drawing = runpy.run_path(str(BENCHMARKS / "plot.py"))
    picture = (DOCS / "sizing.svg").read_text()
    assert picture == drawing["svg"](), "python tests/benchmarks/plot.py writes it anew"
    ElementTree.fromstring(picture)
    drawing = runpy.run_path(str(BENCHMARKS / "picture.py"))
    figures = drawing["read"]((BENCHMARKS / "figures.jsonl").read_text())
    picture, page = ((DOCS / name).read_text() for name in ("figures.svg", "sizing.md"))
    assert picture == drawing["svg"](*figures), "tests/benchmarks/run picture writes it anew"
    assert page == drawing["page"](page, *figures), "tests/benchmarks/run picture writes it anew"
    ElementTree.fromstring(picture)


@pytest.fixture(scope="module")
def built(new_directory):
    """The book, as its readers get it."""
    made = new_directory() / "book"
    done = subprocess.run(
        [MDBOOK, "build", DOCS, "--dest-dir", made], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert not re.search("WARN|ERROR", done.stderr + done.stdout), done.stderr
    return made


class Links(HTMLParser):
    """What an HTML page leads to, and where in it others may lead."""

    def __init__(self, page: Path):
        super().__init__()
        self.to, self.names = set(), set()
        self.feed(page.read_text())

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.to.add(value)
            elif name == "id":
                self.names.add(value)


def test_links_of_the_book_lead_somewhere(built):
    # The pages as they are read one by one: not all in one, and not the one for what is missing.
    pages = [path for path in built.rglob("*.html") if path.name not in ("print.html", "404.html")]
    links = {page.resolve(): Links(page) for page in pages}
    expected = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    expected = expected - {Path("SUMMARY.html"), Path("README.html")} | {Path("index.html")}
    assert expected <= {page.relative_to(built) for page in pages}
    pictures = 0
    for page, found in links.items():
        for link in found.to:
            if re.match("[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / unquote(path)).resolve() if path else page
            assert target.exists(), f"{page}: {link}"
            assert not anchor or unquote(anchor) in links[target].names, f"{page}: {link}"
            pictures += path == "sizing.svg"
    assert pictures == 1


def test_the_command_line_is_as_the_programs_say(hallpass_programs):
    expected = book.page(hallpass_programs.directory)
    assert expected.count("\n## ") == len(book.PROGRAMS)
    assert book.PAGE.read_text() == expected, "python tests/end_to_end/book.py writes it anew"


# The keys of the configuration


def keys_in(schema: dict) -> set[str]:
    """The keys of a schema and of all tables in it."""
    keys = set(schema.get("properties", {}))
    for inner in [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]:
        keys |= keys_in(inner)
    return keys


def test_every_key_that_is_read_is_on_a_page(hallpass_programs):
    read = keys_in(book.schema(hallpass_programs.directory))
    # That this finds them, and not words of something else.
    assert {"secret_key", "user_table", "login_url", "dbprefix", "groups", "cookie"} <= read
    assert len(read) > 100
    text = "\n".join(page.read_text() for page in DOCS.glob("*.md"))
    words = set(re.findall(r"(?<![\w.])([a-z][a-z_]+)(?![\w])", text))
    # Some are written with the part that they have in common left out: `…_host`, `_port`.
    short = set(re.findall(r"`(_[a-z]+)`", text))
    missing = {
        key for key in read if key not in words and not any(key.endswith(end) for end in short)
    }
    assert not missing


def test_the_tables_of_settings_are_as_the_program_says(hallpass_programs):
    schema = book.schema(hallpass_programs.directory)
    pages = book.pages_with_settings()
    assert DOCS / "configuration.md" in pages
    for page in pages:
        expected = book.with_settings(page.read_text(), schema)
        assert page.read_text() == expected, "python tests/end_to_end/book.py writes it anew"


TABLES = ["configuration.md", *(f"{name}.md" for name in FRAMEWORKS), "http-source.md"]
# Without which the other keys of a table are not looked at.
URLS = {
    "database": lambda _: "postgres://host/name",
    "django.cache": lambda key: "redis+sentinel://host/m" if "sentinel" in key else "redis://host",
}


def keys_on(page: str) -> list[tuple[str, str]]:
    """The table and the key of each line of the page's tables of settings."""
    found = []
    for marked in book.MARKED.finditer((DOCS / page).read_text()):
        table = marked[2] if marked[2] != "site" else ""
        found += [(table, key) for key in re.findall(r"^\| `(\w+)` \|", marked[0], re.M)]
    return found


@pytest.mark.parametrize("page", TABLES)
def test_every_key_on_a_page_is_known(page, shell, tmp_path):
    keys = keys_on(page)
    assert len(keys) > 2
    config = tmp_path / "hallpass.toml"
    for table, key in keys:
        # A value of a type that no key has: what is known says so, or something before it does.
        framework = table.partition(".")[0]
        framework = framework if framework in FRAMEWORKS else "django"
        lines = [f'framework = "{framework}"'] if key != "framework" else []
        if table == "http":
            lines.append('session_source = "http"')
        lines.append(f"{key} = 1979-05-27" if not table else f"[{table}]\n{key} = 1979-05-27")
        if key != "url" and table in URLS:
            lines.append(f'url = "{URLS[table](key)}"')
        config.write_text("\n".join(lines) + "\n")
        result = shell(config)("--check-config")
        assert result.code == 2, (table, key, result)
        assert b"no such key" not in result.stderr, (table, key, result.stderr)
    config.write_text('framework = "django"\n[django]\nno_key_at_all_of_this_name = 1979-05-27\n')
    assert b"no such key" in shell(config)("--check-config").stderr


def test_no_key_stands_twice_in_the_tables():
    """The tables of keys on all pages: each key of a section once, on one page."""
    places = {}
    for page in sorted(DOCS.rglob("*.md")):
        section = None
        for line in page.read_text().splitlines():
            if start := re.fullmatch(r"<!-- settings of (\S+) -->", line):
                section = start[1]
            elif line == "<!-- end of settings -->":
                section = None
            elif section and (key := re.match(r"\| `([^`]+)` \|", line)):
                places.setdefault((section, key[1]), []).append(page.name)
    assert len(places) > 100
    assert {key: pages for key, pages in places.items() if len(pages) > 1} == {}
