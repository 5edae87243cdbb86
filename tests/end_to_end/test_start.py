"""The ten-minute starts of docs/start, command by command, as they stand on the page.

Only ports, and what stands for something of the reader's own, are others, and what a page says to install is there already. A comment above a block
of the page says what becomes of it:

<!-- run -->                  it is run, and must end well
<!-- prints -->               what the block before has printed in the end, line by line
<!-- keep running until X --> it is started, and X (an address, a socket) waited for
<!-- already there -->        the tests have done it
"""

import json
import re
import socket
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from django_site import LATEST, python_of
from processes import LOOPBACK, free_port, listening, running, unprivileged
from recorded import Recorded, php_literal
from stores.mariadb import PASSWORD

START = Path(__file__).parents[2] / "docs" / "start"
PAGES = sorted(path.name for path in START.glob("*.md"))

BLOCK = re.compile(r"^(?:<!-- (?P<marker>[^\n]*) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$", re.M | re.S)
PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+|(?<=port: )\d+|(?<=listen\()\d+|(?<=127\.0\.0\.1%3A)\d+")


@dataclass(frozen=True)
class Block:
    marker: str
    code: str


def blocks(page: str) -> list[Block]:
    """The blocks of a page. Each must say what becomes of it."""
    found = []
    for match in BLOCK.finditer(page):
        marker = match["marker"]
        assert marker, f"nothing is said of the block {match['code']!r}"
        assert (match["language"] == "") == (marker == "prints"), match["code"]
        found.append(Block(marker, match["code"]))
    assert page.count("\n```") == 2 * len(found), "a block is not seen"
    return found


@pytest.fixture
def joomla(request, directory):
    """What a page about a Joomla site takes for granted: the site, and somebody logged in."""
    server = request.getfixturevalue("mariadb")
    site = Recorded(server, "joomla_start", "joomla-4.4.0.sql", [])
    site.run(f"UPDATE jos_session SET time = {int(time.time())}")
    settings = {
        "dbtype": "mysqli",
        "host": f"{LOOPBACK}:{server.port}",
        "user": "hallpass",
        "password": PASSWORD,
        "db": "joomla_start",
        "dbprefix": "jos_",
        "secret": "TK0JI2K0m4hXPWcE",
    }
    lines = [f"\tpublic ${key} = {php_literal(value)};\n" for key, value in settings.items()]
    manifest = directory / "joomla" / "administrator" / "manifests" / "files" / "joomla.xml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("<extension><version>4.4.0</version></extension>")
    file = directory / "joomla" / "configuration.php"
    file.write_text(f"<?php\nclass JConfig {{\n{''.join(lines)}}}\n")
    return {"/var/www/joomla": str(directory / "joomla"), "correct-horse": "pässw0rd-ä"}


@pytest.mark.parametrize("name", PAGES)
def test_page(request, name, directory, hallpass_programs):
    page = (START / name).read_text()
    if name.startswith("joomla"):
        for said, given in request.getfixturevalue("joomla").items():
            assert said in page
            page = page.replace(said, given)
    ports = {port: str(free_port()) for port in sorted(set(PORT.findall(page)))}
    page = PORT.sub(lambda match: ports[match[0]], page)
    (directory / "venv").symlink_to(python_of(LATEST).parents[1])
    environment = {
        "PATH": f"{hallpass_programs.directory}:/usr/bin:/bin:/usr/sbin",
        "HOME": str(directory),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    options = {"cwd": directory, "env": environment, **unprivileged()}
    printed = None
    commands = 0
    with ExitStack() as stack:
        for number, block in enumerate(blocks(page)):
            until = re.fullmatch(r"keep running until (\S+)", block.marker)
            if until:
                log = directory / f"{number}.log"
                command = ["/bin/bash", "-c", block.code]
                stack.enter_context(
                    running(command, log, lambda: is_there(until[1], directory), **options)
                )
                printed = None
            elif block.marker == "run":
                done = subprocess.run(
                    ["/bin/bash", "-eu", "-o", "pipefail", "-c", block.code],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=120,
                    **options,
                )
                assert done.returncode == 0, (block.code, done.stdout, done.stderr)
                printed = done.stdout
            elif block.marker == "prints":
                assert printed is not None, "nothing was run before"
                lines = [line.rstrip() for line in printed.splitlines()]
                expected = block.code.splitlines()
                # What a first command says of itself goes before what a page is about.
                assert lines[-len(expected) :] == expected, printed
            else:
                assert block.marker == "already there", block.marker
            commands += 1
        doctor_is_silent(name, options)
    assert commands > 5


# The servers whose configuration a page writes.
HOSTS = {
    "django-apache.md": ("apache", "apache.conf"),
    "django-ejabberd.md": ("ejabberd", "ejabberd.yml"),
    "django-nginx.md": ("nginx", "nginx.conf"),
}


# What is true of the end of a page, or of the site that it was recorded from.
SAID = {
    # Its only account has logged out, and left no session.
    "django-nginx.md": {"session-engine": "warning"},
    # Three accounts have hashes that no Joomla makes.
    "joomla-django.md": {"password-hashes": "warning"},
}


def doctor_is_silent(name: str, options: dict) -> None:
    """What a page ends with is healthy, by the doctor."""
    command = ["hallpass", "--config", "hallpass.toml", "doctor", "--json"]
    if name in HOSTS:
        host, file = HOSTS[name]
        command += ["--host", host, "--host-config", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
    findings = json.loads(done.stdout)["findings"]
    said = {it["check"]: it["status"] for it in findings if it["status"] != "ok"}
    assert said == SAID.get(name, {}), findings
    fits = [it for it in findings if it["seen"] == "it points here, and fits"]
    assert len(fits) == (name in HOSTS), findings


def is_there(what: str, directory: Path) -> bool:
    """Whether somebody listens at an address, or at a socket in `directory`."""
    if what.startswith(LOOPBACK):
        return listening(int(what.rpartition(":")[2]))
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(directory / what)) == 0


def test_every_page_is_in_the_list():
    text = START.with_suffix(".md").read_text()
    assert sorted(re.findall(r"\]\(start/([\w-]+\.md)\)", text)) == PAGES
