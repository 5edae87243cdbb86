"""tests/metrics counts what it says that it counts."""

import re
import runpy
import subprocess
from pathlib import Path

import pytest

METRICS = Path(__file__).resolve().parents[1] / "metrics"
ROOT = METRICS.parents[1]

FILES = {
    "Cargo.toml": '[workspace]\nresolver = "3"\nmembers = ["crates/*"]\n',
    "crates/core/Cargo.toml": '[package]\nname = "core"\nversion = "0.1.0"\nedition = "2024"\n',
    # Passes one's name on, and needs two: no circle with one.
    "crates/core/src/lib.rs": """\
mod one;
mod three;
mod two;
pub use self::one::One;
use self::two::Two;
/// The frameworks.
pub enum Kind { Django, Joomla(u8) }
/// Formats, of which some have a framework's name.
pub enum Rules { Django, Php }
fn ask(kind: &Kind, rules: &Rules, word: &str) -> bool {
    let _ = "Kind::Django"; // Kind::Django
    matches!(kind, Kind::Django) || matches!(rules, Rules::Django) || word == "joomla"
}
#[cfg(test)]
mod tests;
#[cfg(test)]
mod more { fn f() { super::three::f() } }
""",
    "crates/core/src/one.rs": "use crate::two::Two;\npub struct One(pub Two);\n",
    # A circle: two needs three, and three needs two.
    "crates/core/src/two.rs": "pub struct Two;\npub fn f() { crate::three::f() }\n",
    "crates/core/src/three.rs": "pub fn f() -> super::two::Two { super::two::Two }\n",
    "crates/core/src/tests.rs": "use super::*;\n" * 100,
    "crates/sites/Cargo.toml": '[package]\nname = "sites"\nversion = "0.1.0"\nedition = "2024"\n',
    "crates/sites/src/lib.rs": "mod django;\nmod joomla;\n",
    "crates/sites/src/django/mod.rs": 'fn f(word: &str) -> bool { word == "django" }\n',
    "crates/sites/src/joomla/mod.rs": "",
}


@pytest.fixture
def checkout(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def figures(*arguments) -> tuple[dict[str, str], str]:
    done = subprocess.run([METRICS, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(re.findall(r"^ *(.+?) {2,}([\d.,]+)$", done.stdout, re.M)), done.stdout


def test_a_small_checkout_is_counted(checkout):
    programs = checkout / "programs"
    programs.mkdir()
    (programs / "hallpass").write_bytes(b"x" * 2_000_000)
    (programs / "hallpass").chmod(0o755)
    # Another name of the same file takes no more room.
    (programs / "hallpassd").hardlink_to(programs / "hallpass")
    (programs / "hallpass.d").write_text("not a program")
    found, text = figures(checkout, "--programs", programs, "--list")
    assert found["source files"] == "7"
    assert found["lines of Rust without tests"] == "21"
    assert found["places outside of sites that name a framework"] == "2"
    assert found["import circles"] == "1" and found["files in them"] == "2"
    assert "three.rs" in text and "two.rs" in text and "circle:" in text
    assert found["crates in the tree"] == "2"
    assert found["hallpassd, MB"] == "2.0" and found["programs together, MB"] == "2.0"


def test_this_checkout_is_counted():
    found, _ = figures()
    assert int(found["source files"]) > 100
    assert int(found["crates in the tree"]) > 100
    assert found["places outside of sites that name a framework"] == "0"


# A site is a folder

SITES = ROOT / "crates/sites/src"
FRAMEWORKS = sorted(
    path.parent.name for path in SITES.glob("*/mod.rs") if "impl Framework for" in path.read_text()
)
LIST = "crates/sites/src/lib.rs"
# Hashes and payloads are called by what writes them, and one example is of phpBB's hashes. A framework
# that is not here needs nothing but its line in the list.
NAMED = {
    "flask": {LIST, "crates/sessions/src/lib.rs"},
    "joomla": {
        LIST,
        "crates/passwords/src/rules/mod.rs",
        "crates/sessions/src/php/joomla.rs",
        "crates/sessions/src/php/mod.rs",
    },
    "drupal": {
        LIST,
        "crates/passwords/src/rules/mod.rs",
        "crates/sessions/src/php/mod.rs",
    },
    "laravel": {LIST, "crates/sessions/src/lib.rs", "crates/sites/src/fuzzing.rs"},
    "phpbb": {
        LIST,
        "bin/hallpass/src/options.rs",
        "crates/passwords/src/algorithms/mod.rs",
        "crates/passwords/src/algorithms/phpbb_converted.rs",
        "crates/passwords/src/parsed.rs",
        "crates/passwords/src/rules/mod.rs",
    },
    "rails": {LIST, "crates/sessions/src/lib.rs"},
    "wordpress": {LIST, "crates/passwords/src/rules/mod.rs", "crates/sessions/src/lib.rs"},
}
# These are also the software of the demo and of the usual hashes, a language, and words.
AMBIGUOUS = {"custom", "django", "express", "php"}


@pytest.fixture(scope="module")
def code():
    """The code of each source file without comments and tests, by its path."""
    metrics = runpy.run_path(str(METRICS))
    sources = [source for src in ROOT.glob("*/*/src") for source in metrics["sources_of"](src)]
    return {str(it.path.relative_to(ROOT)): it.code_with_strings for it in sources}


@pytest.mark.parametrize("framework", sorted({*FRAMEWORKS} - AMBIGUOUS))
def test_a_framework_is_named_in_its_folder_and_the_list_alone(framework, code):
    own = f"{SITES.relative_to(ROOT)}/{framework}/"
    expected = NAMED.get(framework, {LIST})
    named = {
        path
        for path, text in code.items()
        if framework in text.lower() and not path.startswith(own)
        # The rules of a framework's hashes are a file or folder of their own, too.
        and not path.startswith(f"crates/passwords/src/rules/{framework}")
        # So is what its cookies and sessions mean.
        and not path.startswith(f"crates/sessions/src/{framework}/")
    }
    advice = "move what is the framework's own into its folder; a name that means more is in AMBIGUOUS"
    assert named == expected, advice


def test_the_frameworks_that_are_looked_for_are_there():
    assert {*NAMED, *AMBIGUOUS} <= {*FRAMEWORKS}
