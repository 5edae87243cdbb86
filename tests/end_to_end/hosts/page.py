"""The snippets of the pages of docs/, which are run as they stand."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[3] / "docs"


def snippets(page: str, language: str, section: str = "") -> list[str]:
    """The blocks of code of this language, in the section of this heading."""
    text = (DOCS / page).read_text()
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    assert found, f"{page} has no {language} under {section}"
    return found


def replaced(text: str, replacements: dict[str, str]) -> str:
    """The text with each key replaced; one that it does not hold is an error."""
    for key, value in replacements.items():
        assert key in text, f"{key} is not in {text}"
        text = text.replace(key, value)
    return text
