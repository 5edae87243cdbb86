"""Writes down what of `hallpass-apache` one question touches, for its linker.

    order.py HALLPASSD HELPER MAP SCRIPT

HELPER is a static program, and MAP what its linker wrote about it (-Map); valgrind runs it (apt-get
install valgrind). SCRIPT is the linker script to write.
"""

import re
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from processes import running
from scene import PASSWORD, USER, scene

QUESTIONS = {
    "auth": [f"{USER}\n{PASSWORD}\n", f"{USER}\nwrong\n", f"nobody\n{PASSWORD}\n"],
    "group": [f"{USER}\nstaff\n", f"{USER}\nperm:auth.add_user\n"],
}
VERDICTS = range(4)
# The first table is for these very sections, the second for what a newer compiler makes of them.
SCRIPT = """\
/* What one question goes through, to a Django site on SQLite or to hallpassd, side by side in the
 * order of its use. It is a tenth of the program: scattered over all of it, it would have the kernel
 * map nearly all of it, and each piece takes as long as thousands of instructions. Written by
 * tests/benchmarks/order.py; what is called otherwise by now is linked wherever it comes, and the
 * program is none the worse but for some microseconds. */
SECTIONS
{{
  .rodata.start_up :
  {{
    *(.rodata.cst*)
    *libsqlite3_sys*:*(.rodata.*str*)
    *libc.a:*(.rodata.*str*)
{constants}
  }}
  .text.start_up :
  {{
    *crt1.o(.text)
{functions}
{alike}
  }}
}}
INSERT BEFORE .text;
"""


class Section(NamedTuple):
    """What the linker took from an object file: where it put it, and what it is called there."""

    address: int
    size: int
    name: str
    file: str

    def pattern(self) -> str:
        """How a linker script names it."""
        archive = re.fullmatch(r"(lib\w+\.a)\((\S+)\)", self.file)
        # Those of the C library are called after what a function is called within it, or not at all.
        return f"*{archive[1]}:{archive[2]}({self.name})" if archive else f"*({self.name})"


def main(daemon: str, helper: str, listing: str, script: str) -> None:
    sections = list(sections_of(Path(listing).read_text()))
    used: dict[Section, None] = {}
    with scene() as (directory, site):
        socket = directory / "http.sock"
        quiet = {"log": {"level": "error"}}
        listens = {"listen": [f"unix:{socket}"]}
        served = site.write_configuration("daemon.toml", daemon=listens, **quiet)
        alone = site.write_configuration("alone.toml", **quiet)
        via = site.write_configuration("via.toml", via=f"unix:{socket}", via_only=True, **quiet)
        with running([daemon, "--config", served], directory / "log", socket.exists):
            for config in (alone, via):
                for command, inputs in QUESTIONS.items():
                    for text in inputs:
                        trace = directory / "trace"
                        run(trace, [helper, command, "--config", config], text)
                        used |= dict.fromkeys(touched(sections, trace))
    constants = [each.pattern() for each in used if each.name.startswith(".rodata")]
    functions = [each.pattern() for each in used if each.name.startswith(".text")]
    Path(script).write_text(
        SCRIPT.format(
            constants=lines(constants),
            functions=lines(functions),
            alike=lines(map(unversioned, functions)),
        )
    )


def sections_of(listing: str) -> Iterator[Section]:
    """The sections with code and constants, by address."""
    layout = listing[listing.index("Linker script and memory map") :]
    found = re.findall(
        r"^ (\.(?:text|rodata)\S*)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S+)", layout, re.MULTILINE
    )
    sections = (
        Section(int(address, 16), int(size, 16), name, Path(file).name)
        for name, address, size, file in found
    )
    return iter(sorted(each for each in sections if each.address and each.size))


def run(trace: Path, command: list, text: str) -> None:
    lackey = ["valgrind", "--tool=lackey", "--trace-mem=yes", f"--log-file={trace}"]
    code = subprocess.run([*lackey, *command], input=text, text=True, check=False).returncode
    if code not in VERDICTS:
        sys.exit(f"{command} ended with {code}")


def touched(sections: list[Section], trace: Path) -> Iterator[Section]:
    """The sections that a run read or executed, again and again, in the order of its use."""
    starts = [each.address for each in sections]
    with trace.open(errors="replace") as lines:
        for line in lines:
            access = re.match(r"(?:I | L| S| M) ([0-9a-f]+),", line)
            if not access:
                continue
            address = int(access[1], 16)
            section = sections[max(bisect_right(starts, address) - 1, 0)]
            if section.address <= address < section.address + section.size:
                yield section


def unversioned(pattern: str) -> str:
    """The pattern without the hashes that compilers put into names."""
    pattern = re.sub(r"17h[0-9a-f]{16}E", "17h*E", pattern)
    pattern = re.sub(r"Cs[0-9A-Za-z]+_", "Cs*_", pattern)
    return re.sub(r"\.\d+\)$", "*)", pattern)


def lines(patterns: Iterable[str]) -> str:
    return "\n".join(f"    {pattern}" for pattern in dict.fromkeys(patterns))


if __name__ == "__main__":
    main(*sys.argv[1:])
