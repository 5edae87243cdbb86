"""Writes down which functions one run of `hallpass-apache` goes through, for its linker.

    order.py HELPER SCRIPT

HELPER is a static program with its symbols; valgrind runs it (apt-get install valgrind). SCRIPT is
the linker script to write.
"""

import re
import subprocess
import sys
from pathlib import Path

from scene import PASSWORD, USER, scene

QUESTIONS = {
    "auth": [f"{USER}\n{PASSWORD}\n", f"{USER}\nwrong\n", f"nobody\n{PASSWORD}\n"],
    "group": [f"{USER}\nstaff\n", f"{USER}\nperm:auth.add_user\n"],
}
VERDICTS = range(4)
HEAD = """\
/* The functions that one question to a Django site on SQLite goes through, side by side. They are
 * a tenth of the program: scattered over all of it, they would have the kernel map nearly all of
 * it. Written by tests/benchmarks/order.py; what a newer compiler calls otherwise is linked
 * wherever it comes, and the program is none the worse but for some microseconds. */
SECTIONS
{
  .text.start_up :
  {
    *("""
TAIL = """\
    )
  }
}
INSERT BEFORE .text;"""


def main(helper: str, script: str) -> None:
    called = set()
    with scene() as (directory, site):
        config = site.write_configuration(log={"level": "error"})
        for command, inputs in QUESTIONS.items():
            for text in inputs:
                profile = directory / "profile"
                run(profile, [helper, command, "--config", str(config)], text)
                called |= functions(profile.read_text())
    patterns = [f"      .text.{name}" for name in sorted(called)]
    Path(script).write_text("\n".join([HEAD, *patterns, TAIL, ""]))


def run(profile: Path, command: list[str], text: str) -> None:
    callgrind = ["valgrind", "--quiet", "--tool=callgrind", "--demangle=no"]
    command = [*callgrind, f"--callgrind-out-file={profile}", *command]
    code = subprocess.run(command, input=text, text=True, check=False).returncode
    if code not in VERDICTS:
        sys.exit(f"{command} ended with {code}")


def functions(profile: str) -> set[str]:
    """The functions of a callgrind profile, as patterns: compilers put hashes into names."""
    names = re.findall(r"^c?fn=\(\d+\) ([A-Za-z_][\w.$]*)", profile, re.MULTILINE)
    return {pattern(name) for name in names}


def pattern(name: str) -> str:
    name = re.sub(r"17h[0-9a-f]{16}E", "17h*E", name)
    name = re.sub(r"Cs[0-9A-Za-z]+_", "Cs*_", name)
    return re.sub(r"\.\d+$", "*", name)


if __name__ == "__main__":
    main(*sys.argv[1:])
