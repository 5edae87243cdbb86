"""Postfix's SMTP server, which asks by Dovecot's protocol."""

import base64
import os
import pwd
import shutil
import smtplib
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from processes import LOOPBACK, stop, unprivileged

UNPACKED = Path(__file__).resolve().parents[2] / ".setup/postfix"

# What smtpd wants to know before it listens to anybody. `mail_owner` is the user it runs as: for
# others it takes a mail program that runs it by hand, and asks for no password.
CONFIGURATION = """
compatibility_level = 3.6
queue_directory = {directory}
data_directory = {directory}
command_directory = {directory}
daemon_directory = {directory}
shlib_directory = {directory}
meta_directory = {directory}
mail_owner = {user}
default_privs = daemon
setgid_group = mail
myhostname = mail.example.org
mydestination =
alias_maps =
local_recipient_maps =
smtpd_peername_lookup = no
smtpd_client_auth_rate_limit = 0
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
line_length_limit = 12288
smtpd_sasl_type = dovecot
smtpd_sasl_path = {socket}
smtpd_sasl_auth_enable = yes
"""


@dataclass(frozen=True)
class Postfix:
    """An installed Postfix. Its smtpd serves one client and needs nothing else of it running."""

    directory: Path

    @contextmanager
    def session(self) -> Iterator[smtplib.SMTP]:
        """A connection to smtpd, after EHLO."""
        with socket.create_server((LOOPBACK, 0)) as listener:
            client = socket.create_connection(listener.getsockname(), timeout=60)
            server, _ = listener.accept()
        with server:
            process = subprocess.Popen(
                [self.directory / "smtpd", "-S"],
                stdin=server,
                stdout=server,
                env={"MAIL_CONFIG": str(self.directory), "LD_LIBRARY_PATH": str(self.directory)},
                start_new_session=True,
                **unprivileged(),
            )
        try:
            with smtplib.SMTP() as smtp:
                smtp.sock = client
                code, greeting = smtp.getreply()
                assert code == 220, greeting
                smtp.ehlo("client.example.org")
                yield smtp
        finally:
            stop(process)

    def plain(self, user: str, password: str) -> tuple[int, str]:
        """The reply to a login by PLAIN: its code, and its enhanced one with the text."""
        return self.message(f"\0{user}\0{password}".encode())

    def message(self, message: bytes) -> tuple[int, str]:
        """The reply to these bytes sent by PLAIN."""
        logs.note(message.rpartition(b"\0")[2], encoded(message))
        with self.session() as smtp:
            return replied(smtp, "AUTH", f"PLAIN {encoded(message)}")

    def login(self, user: str, password: str) -> tuple[int, str]:
        """The reply to a login by LOGIN, which asks for the name and then for the password."""
        logs.note(password, encoded(password.encode()))
        with self.session() as smtp:
            for command in ("AUTH LOGIN", encoded(user.encode())):
                code, prompt = replied(smtp, command)
                if code != 334:
                    return code, prompt
            return replied(smtp, encoded(password.encode()))


def encoded(message: bytes) -> str:
    return base64.b64encode(message).decode()


def replied(smtp: smtplib.SMTP, command: str, arguments: str = "") -> tuple[int, str]:
    code, text = smtp.docmd(command, arguments)
    return code, text.decode(errors="backslashreplace")


def postfix(directory: Path, socket: Path) -> Postfix:
    """Postfix in `directory`, configured to ask at `socket`."""
    library = UNPACKED / "usr/lib/postfix"
    assert library.exists(), f"{library} is missing: run tests/setup"
    # Copied to where the user that it runs as may go.
    for file in (library / "sbin/smtpd", *library.glob("*.so")):
        shutil.copy(file, directory)
    user = unprivileged().get("user") or pwd.getpwuid(os.geteuid()).pw_name
    (directory / "main.cf").write_text(
        CONFIGURATION.format(directory=directory, user=user, socket=socket)
    )
    return Postfix(directory)
