"""What `bin/hallpass/packaging/build` makes of the programs under test."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "bin/hallpass/packaging/build"
PROGRAMS = [path.name for path in (ROOT / "bin").iterdir() if path.is_dir()]
STATIC = f"{platform.machine()}-unknown-linux-musl"
EPOCH = "1767225600"


def succeed(command, **options) -> str:
    options = {"timeout": 600} | options
    done = subprocess.run(
        [os.fspath(word) for word in command], capture_output=True, text=True, **options
    )
    assert done.returncode == 0, (command, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout


def target_of(directory: Path, programs, static: bool = False) -> Path:
    """A target directory with the program under test, which also stands in for a `static` one."""
    program = directory / "dist/hallpass"
    program.parent.mkdir(parents=True)
    succeed(["strip", "-o", program, programs["hallpass"]])
    if static:
        copy = directory / STATIC / "dist/hallpass"
        copy.parent.mkdir(parents=True)
        shutil.copy2(program, copy)
    return directory


def build(target: Path, output: Path, *kinds: str) -> str:
    """Builds these kinds of artifacts, and gives what is printed."""
    environment = os.environ | {"CARGO_TARGET_DIR": str(target), "SOURCE_DATE_EPOCH": EPOCH}
    command = [BUILD, "--no-build", "--fast", "--output", output, *kinds]
    return succeed(command, env=environment)
