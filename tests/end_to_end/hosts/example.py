"""The files of `examples/`, put into place for a test."""

import re
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def install(name: str, directory: Path, replacements: dict[str, str]) -> Path:
    """Copies `examples/NAME` to `directory`, each key replaced by its value.

    The example is tested as it is written, so nothing but names, paths, addresses and
    ports should need replacing. A key that occurs in no file is an error: the example
    and the test have drifted apart.
    """
    keys = sorted(replacements, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, keys))) if keys else re.compile(r"(?!)")
    replaced = set()

    def replace(match: re.Match[str]) -> str:
        replaced.add(match.group())
        return replacements[match.group()]

    source = EXAMPLES / name
    for file in sorted(source.rglob("*")):
        target = directory / file.relative_to(source)
        if file.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(pattern.sub(replace, file.read_text()))
    if absent := set(keys) - replaced:
        raise LookupError(f"examples/{name} has none of {sorted(absent)}")
    return directory
