"""The benchmarks run: each of these once, for a moment. What they measure then says nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from django_site import LATEST, python_of

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def client(new_directory):
    """The program that sends requests."""
    program = new_directory() / "load"
    source = BENCHMARKS / "load.c"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source], check=True)
    return program


def measured(directory: Path, name: str, *words) -> list[dict]:
    """The figures that a benchmark records."""
    lines = directory / "figures"
    environment = os.environ | {
        "HALLPASS_FIGURES": str(lines),
        "HALLPASS_QUICK": "1",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    done = subprocess.run(
        [sys.executable, BENCHMARKS / name, *words],
        env=environment, capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in lines.read_text().splitlines()]


def test_idle_connections_and_the_first_answer_are_measured(new_directory, hallpass_programs):
    directory, program = new_directory(), hallpass_programs["hallpassd"]
    # It has gunicorn, too.
    rows = measured(directory, "idle.py", program, python_of(LATEST))
    assert [row["unit"] for row in rows] == ["MiB", "KiB"]
    assert 0 < rows[1]["value"] < 16
    rows = measured(directory, "first_answer.py", program, python_of(LATEST), program)
    assert [row["unit"] for row in rows[2:]] == ["ms", "MiB"]


def test_two_cores_are_measured(new_directory, hallpass_programs, client):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is one core")
    rows = measured(new_directory(), "loops.py", hallpass_programs["hallpassd"], client)
    assert [row["peer"] for row in rows] == ["one core", "one core"]
    assert all(row["value"] > 0 and row["ratio"] > 0 for row in rows)
