"""ProFTPD, from where `tests/setup` has unpacked it, with TLS."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import LOOPBACK, free_port, listening, running
from stores.certificates import make_certificates

from .vsftpd import Vsftpd

CAN_RUN = os.geteuid() == 0
SETUP = Path(__file__).resolve().parents[2] / ".setup"
CONFIGURATION = """
ServerType standalone
DefaultServer on
DefaultAddress 127.0.0.1
Port {port}
User nobody
Group nogroup
PidFile {directory}/proftpd.pid
ScoreboardFile {directory}/scoreboard
SystemLog {directory}/proftpd.log
UseReverseDNS off
WtmpLog off
"""


@contextmanager
def proftpd(directory: Path, configuration: str) -> Iterator[Vsftpd]:
    """Runs ProFTPD in `directory` with these lines of configuration."""
    port = free_port()
    certificates = make_certificates(directory / "certificates")
    # Modules that Debian has in packages of their own, beside the others.
    modules = directory / "modules"
    modules.mkdir()
    for package in ("proftpd-core", "proftpd-mod-crypto", "proftpd-mod-ldap"):
        for module in (SETUP / package / "usr/lib/proftpd").glob("*.so"):
            (modules / module.name).symlink_to(module)
    os.chown(certificates.key, 0, 0)
    text = configuration.replace("/etc/ssl/certs/ftp.pem", str(certificates.certificate))
    text = text.replace("/etc/ssl/private/ftp.pem", str(certificates.key))
    (directory / "proftpd.conf").write_text(
        f"ModulePath {modules}\n" + CONFIGURATION.format(port=port, directory=directory) + text
    )
    command = [SETUP / "proftpd-core/usr/sbin/proftpd", "--nodaemon", "--config", directory / "proftpd.conf"]
    with running(command, directory / "console.log", lambda: listening(port), cwd=directory):
        yield Vsftpd(port, certificates.authority)
