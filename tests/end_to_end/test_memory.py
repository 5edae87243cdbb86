"""What is left of a password in the memory of the programs, and who can read that memory."""

import os
import resource
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

import logs
from hosts import fastcgi
from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd
from hosts.extauth import NO, YES, frame, helper
from hosts.fixtures import site_with_accounts
from hosts.sasl import Dovecot, counted, saslauthd
from processes import eventually, give_away, unprivileged

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="nobody else can read their memory")

WRONG = "a wrong password that stands nowhere else 7f3a"


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def config(site):
    return site.write_configuration("memory.toml", limits={"failures": 0})


def copies(pid: int, secret: bytes) -> int:
    """How often a secret is found in the memory of a process that can be written."""
    found = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, permissions = line.split()[:2]
            if not permissions.startswith("rw"):
                continue
            start, end = (int(each, 16) for each in span.split("-"))
            memory.seek(start)
            found += memory.read(end - start).count(secret)
    return found


def nothing_left(pid: int, *secrets: str | bytes) -> None:
    """A thread that was asked may be done a moment after its answer is out."""
    for secret in secrets:
        secret = secret.encode() if isinstance(secret, str) else secret
        eventually(lambda secret=secret: copies(pid, secret) == 0, f"{secret!r} is cleared")


@as_root
def test_the_test_finds_what_is_there():
    with subprocess.Popen(
        ["python3", "-c", "x = input(); print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        process.stdin.write(WRONG.encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        assert copies(process.pid, WRONG.encode()) > 0
        process.stdin.close()


@as_root
def test_ejabberds_helper_keeps_no_password(hallpass_programs, config, directory):
    program = hallpass_programs["hallpass-ejabberd"]
    with helper(program, config, directory / "log") as ejabberd:
        assert ejabberd.auth("alice", PASSWORDS["alice"]) == YES
        assert ejabberd.auth("alice", WRONG) == NO
        nothing_left(ejabberd.process.pid, PASSWORDS["alice"], WRONG)
        # Half of the next frame, whose other half has not come, moves up without a trace.
        ejabberd.write(frame(f"auth:alice:h:{WRONG}") + b"\0\x09isu")
        assert ejabberd.read(4) == NO
        ejabberd.write(b"ser:x:")
        ejabberd.read(4)
        nothing_left(ejabberd.process.pid, WRONG)


@as_root
@pytest.mark.parametrize(
    ("arguments", "question", "answer"),
    [
        (["hallpass-ejabberd", "--protocol", "generic"], b"auth:alice:h:%s\n", b"0\n"),
        (["hallpass-squid", "basic"], b"alice %s\n", b"ERR"),
        (["hallpass-apache", "rewritemap"], b"sessionid=%s\n", b"NULL\n"),
    ],
    ids=["prosody", "squid", "rewritemap"],
)
def test_helpers_that_read_lines_keep_none(hallpass_programs, config, arguments, question, answer):
    secret = WRONG.replace(" ", "-").encode()
    logs.note(secret)
    name, *words = arguments
    with subprocess.Popen(
        [hallpass_programs[name], *words, "--config", config],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    ) as process:
        process.stdin.write(question % secret)
        assert process.stdout.readline().startswith(answer)
        nothing_left(process.pid, secret)
        process.stdin.close()
        process.wait()


@as_root
def test_the_daemon_keeps_none_but_what_http_leaves(hallpass_programs, site, directory):
    """With the connections left open; docs/security.md says what hyper keeps."""
    paths = {
        key: directory / key for key in ("listen", "fastcgi", "dovecot_auth", "saslauthd")
    }
    config = site.write_configuration(
        f"{directory.name}.toml",
        limits={"failures": 0},
        daemon={key: [f"unix:{path}"] for key, path in paths.items()},
    )
    with hallpassd(hallpass_programs["hallpassd"], config, paths["listen"]) as daemon:
        connection = fastcgi.Connection(paths["fastcgi"])
        dovecot = Dovecot(paths["dovecot_auth"])
        with connection, dovecot:
            for password, status in ((PASSWORDS["alice"], 200), (WRONG, 401)):
                logs.note(password)
                parameters = {"REMOTE_USER": "alice", "REMOTE_PASSWD": password}
                connection.send(fastcgi.asked(parameters, fastcgi.KEEP))
                assert connection.answer().status == status
                assert dovecot.plain("alice", password).startswith("OK" if status == 200 else "FAIL")
                request = counted(b"alice", password.encode(), b"imap", b"")
                assert saslauthd(paths["saslauthd"], request)[2:] in (b"OK", b"NO")
            # A request of which the rest never comes, and one behind another.
            connection.send(fastcgi.asked(parameters, fastcgi.KEEP)[:-8])
            connection.send(fastcgi.record(fastcgi.ABORT))
            nothing_left(daemon.process.pid, PASSWORDS["alice"], WRONG)


# Core dumps


PROGRAMS = {
    "hallpass": ["check", "alice"],
    "hallpass-apache": ["auth"],
    "hallpass-checkpassword": ["/bin/true"],
    "hallpass-ejabberd": [],
    "hallpass-pam": [],
    "hallpass-squid": ["basic"],
    "hallpassd": [],
}


@contextmanager
def waiting(programs, name: str, config: Path, directory: Path):
    """A program that waits for input, where core dumps are allowed."""
    reading, writing = os.pipe()

    def unlimited():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
        if name == "hallpass-checkpassword":
            os.dup2(reading, 3)

    give_away(directory)
    command, *words = [programs[name], *PROGRAMS[name]]
    process = subprocess.Popen(
        [command, "--config", config, *words],
        stdin=reading,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=directory,
        preexec_fn=unlimited,
        pass_fds=[3] if name == "hallpass-checkpassword" else [],
        env={"HALLPASS_CONFIG": str(config), "PAM_USER": "alice", "PAM_TYPE": "auth"},
        **unprivileged(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        os.close(reading)
        os.close(writing)


def dumpable(pid: int) -> bool:
    """Whether its user's other processes may read its memory: the system gives these files to
    root where they may not (proc(5))."""
    return os.stat(f"/proc/{pid}/mem").st_uid != 0


@as_root
@pytest.mark.parametrize("name", PROGRAMS)
def test_no_program_leaves_a_core_or_can_be_looked_into(hallpass_programs, site, directory, name):
    config = site.write_configuration(
        f"{directory.name}.toml", daemon={"listen": [f"unix:{directory}/http.sock"]}
    )
    with waiting(hallpass_programs, name, config, directory) as process:
        eventually(lambda: not dumpable(process.pid), f"{name} is not dumpable")
        looks = subprocess.run(
            ["/bin/cat", f"/proc/{process.pid}/environ"], capture_output=True, **unprivileged()
        )
        assert looks.returncode != 0 and b"HALLPASS" not in looks.stdout
        os.kill(process.pid, signal.SIGABRT)
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -signal.SIGABRT
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT
        assert not os.WCOREDUMP(status)
        assert not list(directory.glob("core*"))
