"""Clients of saslauthd and of Dovecot's authentication: real ones, and bytes."""

import base64
import socket
import struct
import subprocess
from pathlib import Path

import logs
from processes import unprivileged
from programs import Result, run

# Exim's own configuration, as far as a test of authentication needs one.
EXIM = """
primary_hostname = mail.example.org
spool_directory = {directory}
log_file_path = {directory}/exim-%slog
exim_user = {user}
exim_group = {group}
keep_environment =
acl_smtp_rcpt = accept
begin authenticators
plain:
  driver = dovecot
  public_name = PLAIN
  server_socket = {socket}
  server_set_id = $auth1
login:
  driver = dovecot
  public_name = LOGIN
  server_socket = {socket}
  server_set_id = $auth1
"""


def testsaslauthd(path: Path, user: str, password: str, realm: str = "") -> bool:
    """Whether Cyrus's own client is let in; fails when it gets no answer."""
    command = ["/usr/sbin/testsaslauthd", "-f", path, "-s", "imap", "-u", user, "-p", password]
    result = run(command + (["-r", realm] if realm else []))
    assert (b"Success" in result.stdout) == (result.code == 0), result
    assert result.code == 0 or b"NO" in result.stdout, result
    return result.code == 0


def counted(*fields: bytes) -> bytes:
    """A request to saslauthd."""
    return b"".join(struct.pack(">H", len(field)) + field for field in fields)


def saslauthd(path: Path, request: bytes, pieces: int = 0) -> bytes:
    """All that is answered to these bytes, sent `pieces` at a time."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(path))
        pieces = pieces or len(request) or 1
        for at in range(0, len(request), pieces):
            client.sendall(request[at : at + pieces])
        received = b""
        try:
            while more := client.recv(4096):
                received += more
        except ConnectionResetError:
            pass
        return received


def doveadm(path: Path, user: str, password: str, *options: str) -> Result:
    """Asks as Dovecot's own services do."""
    return run(["/usr/bin/doveadm", "-c", "/dev/null", "auth", "test", "-a", path]
               + [*options, user, password])


class Dovecot:
    """A client of Dovecot's authentication."""

    HELLO = b"VERSION\t1\t2\nCPID\t4711\n"

    def __init__(self, path: Path, hello: bytes = HELLO):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(path))
        self.received = self.socket.makefile("rb")
        self.greeting = []
        while (line := self.line()) != "DONE":
            self.greeting.append(line)
        self.send(hello)

    def __enter__(self) -> "Dovecot":
        return self

    def __exit__(self, *_: object) -> None:
        self.received.close()
        self.socket.close()

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def line(self) -> str | None:
        """The next line; None once the connection is closed."""
        try:
            line = self.received.readline()
        except ConnectionResetError:
            return None
        return line.decode().removesuffix("\n") if line else None

    def plain(self, user: str, password: str, id: int = 1, parameters: str = "") -> str | None:
        """The answer to a PLAIN login."""
        message = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        logs.note(password, message)
        self.send(f"AUTH\t{id}\tPLAIN\tservice=smtp\t{parameters}resp={message}\n".encode())
        return self.line()


def exim(directory: Path, path: Path, mechanism: str, *lines: str) -> str:
    """What real Exim says to somebody who logs in; `lines` come after AUTH and its mechanism."""
    options = unprivileged()
    user, group = options.get("user", "root"), options.get("group", "root")
    configuration = directory / "exim.conf"
    configuration.write_text(
        EXIM.format(directory=directory, socket=path, user=user, group=group)
    )
    script = "\r\n".join(["EHLO client.example.org", f"AUTH {mechanism} {lines[0]}", *lines[1:]])
    done = subprocess.run(
        ["/usr/sbin/exim4", "-C", configuration, "-bh", "192.0.2.25"],
        input=f"{script}\r\nQUIT\r\n".encode(),
        capture_output=True,
        timeout=60,
    )
    return done.stdout.decode(errors="replace")
