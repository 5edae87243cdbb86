"""README.md, as a new user follows it: its commands in their order, and its picture."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

import terminal_picture
from frameworks import ROOT
from hosts.machine import machine
from programs import run

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.M | re.S)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]


@pytest.fixture(scope="module")
def new_machine(new_directory, hallpass_programs):
    """A machine with a site in /srv/shop, whose /etc/hallpass is missing."""
    with machine(new_directory(), hallpass_programs.directory) as made:
        yield made


# What the commands of each block end with, in the order of the README.
ENDS = {
    "cargo build --release && target/release/hallpass demo": "Every answer was right.",
    "sudo install": "",
    "hallpass init django /srv/shop": "All 10 checks are ok.",
    "hallpass check alice": "granted: alice (id 1), in editors",
    "hallpass can alice auth.view_user && echo permitted": "permitted",
    "hallpass session": "granted: alice (id 1), in editors",
    "hallpass compare /srv/shop": "0 differences",
    "hallpass doctor": "ok",
    "tests/run": "",
}


@pytest.mark.skipif(os.geteuid() != 0, reason="it is followed as root")
def test_every_command_of_the_readme(new_machine, new_directory, hallpass_programs, monkeypatch):
    """By a user who has built it: as root, from the checkout."""
    assert len(COMMANDS) == len(ENDS)
    # Built by tests/run; and there may be no sudo.
    checkout, stubs = new_directory(), new_directory()
    (checkout / "target").mkdir()
    (checkout / "target/release").symlink_to(hallpass_programs.directory)
    for stub, text in [("cargo", "true"), ("sudo", 'exec "$@"')]:
        (stubs / stub).write_text(f"#!/bin/sh\n{text}\n")
        (stubs / stub).chmod(0o755)
    monkeypatch.setitem(new_machine.environment, "PATH", f"/usr/local/bin:{stubs}:/usr/sbin:/usr/bin:/sbin:/bin")
    for command, (begin, end) in zip(COMMANDS, ENDS.items(), strict=True):
        assert command.startswith(begin)
        if command == "tests/run":
            continue
        output, code = new_machine.type(f"cd {checkout} && {command}", 200)
        assert code == 0, (command, output)
        assert end in output, (command, output)
    shown = new_machine.run("cat /etc/hallpass/hallpass.toml; rm -r /etc/hallpass").text
    # What the README shows of the file is in it.
    for line in re.search(r"```toml\n(.*?)```", README, re.S)[1].splitlines():
        words = r"\s*=\s*".join(re.escape(part.strip()) for part in line.split(" = "))
        assert re.search(rf"^{words}\s*(#.*)?$", shown, re.M), line


@pytest.mark.skipif(os.geteuid() != 0, reason="it is followed as root")
def test_the_picture_is_of_a_real_session(new_machine):
    """Drawn anew, it is the same; which answers are right, the test knows by itself."""
    lines = terminal_picture.session(new_machine)
    assert terminal_picture.svg(lines) == terminal_picture.PICTURE.read_text(), (
        "python tests/end_to_end/terminal_picture.py writes it anew"
    )
    ElementTree.parse(terminal_picture.PICTURE)
    said = [line for kind, line in lines if kind in ("yes", "no")]
    assert said[:5] == [
        "granted: alice (id 1), in editors", "granted: alice (id 1), in editors", "denied: not-permitted",
        "granted: alice (id 1), in editors", "denied: no-session",
    ]
    assert said[5].startswith("100 % agreement") and said[5].endswith(", 0 differences")


def test_the_command_that_ci_runs_is_the_one_of_the_readme():
    assert re.search(r"exec (\S+)$", (ROOT / ".ci/run").read_text(), re.M)[1] == COMMANDS[-1]


def test_programs_that_are_installed_are_all():
    words = re.search(r"target/release/hallpass\{(.*?)\}", README)[1].split(",")
    assert sorted("hallpass" + word for word in words) == sorted(
        "hallpass hallpassd hallpass-apache hallpass-checkpassword hallpass-ejabberd hallpass-pam hallpass-squid".split()
    )


# A checkout that `nobody` cannot enter


@pytest.fixture
def checkout(tmp_path):
    """`tests/run` below a closed directory, and a set-up that says what others see of it."""
    closed = tmp_path / "root"
    (closed / "checkout/tests").mkdir(parents=True)
    closed.chmod(0o700)
    (closed / "checkout").chmod(0o755)
    (closed / "checkout/tests").chmod(0o755)
    shutil.copy(ROOT / "tests/run", closed / "checkout/tests/run")
    set_up = closed / "checkout/tests/setup"
    set_up.write_text(
        "#!/bin/sh\nsetpriv --reuid=nobody --regid=nogroup --clear-groups cat $PWD/tests/setup && pwd\nexit 7\n"
    )
    set_up.chmod(0o755)
    return closed / "checkout"


@pytest.mark.skipif(os.geteuid() != 0, reason="hosts run as another user only for root")
def test_a_checkout_in_roots_home(checkout):
    done = run([checkout / "tests/run"])
    assert done.code == 7, done
    # Others can read it, and elsewhere nothing has changed.
    assert done.text.endswith("exit 7\n/run/hallpass-tests\n"), done
    assert list(Path("/run/hallpass-tests").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="hosts run as another user only for root")
@pytest.mark.parametrize("path", [".", "tests", "tests/run"])
def test_a_checkout_that_is_closed_itself(checkout, path):
    (checkout / path).chmod(0o700)
    done = run([checkout / "tests/run"])
    assert done.code == 1 and b"chmod -R go+rX" in done.stderr and b"== tests/setup" not in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="hosts run as another user only for root")
def test_a_checkout_in_roots_home_where_nothing_can_be_mounted(checkout):
    command = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", checkout / "tests/run"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "== tests/setup" not in done.stdout
    assert "other users cannot enter" in done.stderr and "chmod o+x" in done.stderr
