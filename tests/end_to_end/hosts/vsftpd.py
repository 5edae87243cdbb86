"""vsftpd with PAM, from where `tests/setup` has unpacked it, and a client with TLS."""

import ftplib
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from processes import LOOPBACK, free_port, listening, running
from stores.certificates import make_certificates

from .pam import SERVICES

CAN_RUN = os.geteuid() == 0
PROGRAM = Path(__file__).resolve().parents[2] / ".setup/vsftpd/usr/sbin/vsftpd"
CONFIGURATION = """
listen_address=127.0.0.1
listen_port={port}
secure_chroot_dir={directory}/empty
vsftpd_log_file={directory}/vsftpd.log
# Containers may not change it.
seccomp_sandbox=NO
background=NO
# Debian's own waits for a second after each failure.
delay_failed_login=0
"""


@dataclass(frozen=True)
class Vsftpd:
    """A running vsftpd."""

    port: int
    authority: Path

    def login(self, user: str, password: str, encrypted: bool = True) -> bool:
        """Whether a client gets in."""
        logs.note(password)
        context = ssl.create_default_context(cafile=str(self.authority))
        with ftplib.FTP_TLS(encoding="utf-8", context=context) as client:
            client.connect("localhost", self.port, timeout=60)
            try:
                client.login(user, password, secure=encrypted)
            except ftplib.error_perm as refusal:
                assert str(refusal).startswith(("530", "550 SSL/TLS required")), refusal
                return False
            return client.pwd() == "/"


@contextmanager
def vsftpd(directory: Path, configuration: str, service: str) -> Iterator[Vsftpd]:
    """Runs vsftpd in `directory`, with these lines of configuration, and `service` as its file of
    PAM, whose name is the service's of the configuration."""
    port = free_port()
    certificates = make_certificates(directory / "certificates")
    pem = directory / "vsftpd.pem"
    pem.touch(mode=0o600)
    pem.write_text(certificates.certificate.read_text() + certificates.key.read_text())
    (directory / "empty").mkdir(mode=0o755)
    name = f"hallpass-ftp-{os.getpid()}"
    text = configuration.replace("/etc/ssl/private/vsftpd.pem", str(pem))
    text = text.replace("pam_service_name=vsftpd", f"pam_service_name={name}")
    (directory / "vsftpd.conf").write_text(text + CONFIGURATION.format(port=port, directory=directory))
    (SERVICES / name).write_text(service)
    try:
        log = directory / "console.log"
        with running([PROGRAM, directory / "vsftpd.conf"], log, lambda: listening(port)):
            yield Vsftpd(port, certificates.authority)
    finally:
        (SERVICES / name).unlink()
