"""Dovecot 2.3 with its checkpassword driver, from `examples/dovecot-django`."""

import getpass
import grp
import imaplib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged
from programs import HANGS, Programs

from . import example

# What Debian's own dovecot.conf provides, without root and without TLS.
BASE = """
protocols = imap
listen = {loopback}
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0 secs
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
!include {directory}/etc/hallpass.conf
"""


@dataclass(frozen=True)
class Dovecot:
    """A running Dovecot."""

    directory: Path
    port: int

    def login(self, user: str | bytes, password: str | bytes) -> str:
        """ "granted", or the code of the refusal (RFC 5530): AUTHENTICATIONFAILED for a wrong
        password, UNAVAILABLE where nothing is known. Who is granted has seen their inbox."""
        user = user.encode() if isinstance(user, str) else user
        password = password.encode() if isinstance(password, str) else password
        logs.note(password)
        client = imaplib.IMAP4(LOOPBACK, self.port, timeout=HANGS)
        try:
            client.authenticate("PLAIN", lambda _: b"\0" + user + b"\0" + password)
            assert client.select("INBOX")[0] == "OK"
            return "granted"
        except client.error as error:
            code, closed, _ = str(error).removeprefix("b'").removeprefix("[").partition("]")
            assert closed, error
            return code
        finally:
            client.shutdown()

    def login_by_command(self, user: str, password: str) -> bool:
        """The same by the LOGIN command (RFC 3501 section 6.2.3)."""
        client = imaplib.IMAP4(LOOPBACK, self.port, timeout=HANGS)
        try:
            # The library puts the password in quotes, and not the name.
            return client.login(f'"{user}"', password)[0] == "OK"
        except client.error:
            return False
        finally:
            client.shutdown()

    def doveadm(self, *words: str) -> subprocess.CompletedProcess:
        """Dovecot's tool for administrators."""
        return subprocess.run(
            ["doveadm", "-c", self.directory / "dovecot.conf", *words],
            capture_output=True,
            text=True,
            timeout=HANGS,
            **unprivileged(),
        )

    def fields(self, user: str) -> dict[str, str] | None:
        """What a lookup without password says of a user; None when there is no such user."""
        done = self.doveadm("user", user)
        # sysexits.h: EX_NOUSER.
        if done.returncode == 67:
            return None
        assert done.returncode == 0, (done.returncode, done.stderr)
        lines = [line.split("\t") for line in done.stdout.splitlines()]
        return {line[0]: line[1] for line in lines if len(line) == 2 and line[0] != "field"}

    def log(self) -> str:
        return (self.directory / "dovecot.log").read_text(errors="backslashreplace")


@contextmanager
def dovecot(
    directory: Path, programs: Programs, replacements: dict[str, str]
) -> Iterator[Dovecot]:
    """Runs Dovecot in `directory`, as `examples/dovecot-django` says.

    `replacements` are those of the example's hallpass.toml.
    """
    user = "nobody" if os.geteuid() == 0 else getpass.getuser()
    group = "nogroup" if os.geteuid() == 0 else grp.getgrgid(os.getgid()).gr_name
    port = free_port()
    example.install(
        "dovecot-django",
        directory / "etc",
        {
            "/usr/bin/hallpass-checkpassword": str(programs["hallpass-checkpassword"]),
            "/etc/hallpass/hallpass.toml": str(directory / "etc/hallpass.toml"),
            "uid=vmail gid=vmail": f"uid={user} gid={group}",
            "/srv/mail": str(directory / "mail"),
        }
        | replacements,
    )
    configuration = directory / "dovecot.conf"
    configuration.write_text(
        BASE.format(
            directory=directory, loopback=LOOPBACK, port=port, user=user, group=group
        )
    )
    for name in ("mail", "state"):
        (directory / name).mkdir()
        give_away(directory / name)
    with running(
        ["/usr/sbin/dovecot", "-F", "-c", configuration],
        directory / "console.log",
        lambda: listening(port),
        **unprivileged(),
    ):
        yield Dovecot(directory, port)
