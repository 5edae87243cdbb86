#!/usr/bin/env python3
"""Writes the table of docs/doctor.md: the faults that the tests plant, and what the doctor says.

Run it with the tests' own Python after a change of any FAULTS:

    tests/.setup/venv/bin/python tests/end_to_end/doctor_page.py
"""

import importlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs/doctor.md"
BEGIN = "<!-- faults: written by tests/end_to_end/doctor_page.py -->\n"
END = "<!-- end of the faults -->\n"


def faults() -> list:
    """The FAULTS of all tests of the doctor, each with `host`, `words`, `check` and `status`."""
    found = []
    for file in sorted(HERE.glob("test_doctor_*.py")):
        module = importlib.import_module(file.stem)
        found += getattr(module, "FAULTS", [])
    return found


def table() -> str:
    """One table a server, in alphabetical order."""
    by_host: dict[str, list[str]] = {}
    for fault in faults():
        words = fault.words.replace("|", "\\|")
        row = f"| {words} | `{fault.check}` | {fault.status} |\n"
        by_host.setdefault(fault.host, []).append(row)
    parts = []
    for host in sorted(by_host, key=str.lower):
        title = host[0].upper() + host[1:] if host == "site" else host
        head = f"| {title} | check | |\n|---|---|---|\n"
        parts.append(head + "".join(by_host[host]))
    return "\n".join(parts)


def page(text: str) -> str:
    """The page with the table as it is now."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, f"{PAGE} has no place for the table"
    return before + begin + "\n" + table() + "\n" + end + after


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
