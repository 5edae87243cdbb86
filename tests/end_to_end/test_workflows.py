"""The workflows of .github: valid, safe by a linter, and in step with Cargo.toml."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
# A package of PyPI's that has the linter's own program.
ZIZMOR = Path(sys.executable).with_name("zizmor")


def test_workflows_pass_a_linter():
    command = [ZIZMOR, "--offline", "--no-progress", "--strict-collection", *WORKFLOWS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_githubs_own_and_pinned_by_major_version(workflow):
    used = re.findall(r"uses: (\S+)", workflow.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[\w-]+@v\d+", action)


def test_the_oldest_compiler_is_the_one_that_cargo_toml_names():
    """The job reads it there; a number of its own would be a second place."""
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    job = text.partition("\n  msrv:\n")[2].partition("\n\n")[0]
    command = re.search(r"msrv=\$\((.+)\)$", job, re.M)[1]
    told = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
    assert told.stdout.split() == [package["rust-version"]]
    assert not re.search(r"toolchain install [\d.]", text)


def test_what_the_workflows_run_is_there():
    for workflow in WORKFLOWS:
        for script in re.findall(r"run: ((?:tests|bin)/\S+)", workflow.read_text()):
            assert (ROOT / script).is_file(), script


def test_only_the_tag_of_the_version_is_released():
    text = (ROOT / ".github/workflows/release.yml").read_text()
    check = re.search(r"The tag is the version\n\s+run: (.+)", text)[1]
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    for tag, code in [(f"v{version}", 0), ("v99.0.0", 1), ("v", 1)]:
        environment = {"PATH": "/usr/bin:/bin", "GITHUB_REF_NAME": tag}
        done = subprocess.run(["bash", "-c", check], cwd=ROOT, env=environment)
        assert done.returncode == code, tag
