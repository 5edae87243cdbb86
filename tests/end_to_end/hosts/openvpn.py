"""OpenVPN's server with a script, and its client."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from processes import LOOPBACK, eventually, free_port, listening, running
from stores.certificates import make_certificates

# OpenVPN makes the interface before it gives its rights up.
CAN_RUN = os.geteuid() == 0 and os.access("/dev/net/tun", os.R_OK | os.W_OK)
CONFIGURATION = """
local 127.0.0.1
port {port}
proto tcp-server
dev tun
server 10.199.77.0 255.255.255.0
ifconfig-noexec
route-noexec
dh none
ca certificates/ca.pem
cert certificates/server.pem
key certificates/server-key.pem
tmp-dir {directory}
user nobody
group nogroup
"""


@dataclass(frozen=True)
class OpenVPN:
    """A running server."""

    directory: Path
    port: int

    def login(self, user: str, password: str) -> bool:
        """Whether a client gets a connection."""
        logs.note(password)
        credentials = self.directory / "credentials"
        credentials.touch(mode=0o600)
        credentials.write_text(f"{user}\n{password}\n")
        command = [
            "openvpn", "--client", "--dev", "null", "--dev-type", "tun", "--ifconfig-noexec",
            "--route-noexec", "--proto", "tcp-client", "--remote", LOOPBACK, str(self.port),
            "--ca", "certificates/ca.pem", "--auth-user-pass", "credentials", "--auth-retry", "none",
            "--connect-retry-max", "1", "--nobind",
        ]
        with subprocess.Popen(
            command, cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as client:
            try:
                for line in client.stdout:
                    if "Initialization Sequence Completed" in line:
                        return True
                    if "AUTH_FAILED" in line:
                        return False
            finally:
                client.kill()
        raise AssertionError("OpenVPN's client ended without an answer")


@contextmanager
def openvpn(directory: Path, configuration: str) -> Iterator[OpenVPN]:
    """Runs the server in `directory`, with these lines of configuration."""
    port = free_port()
    make_certificates(directory / "certificates")
    text = CONFIGURATION.format(port=port, directory=directory) + configuration
    (directory / "server.conf").write_text(text)
    command = ["openvpn", "--cd", directory, "--config", "server.conf"]
    log = directory / "openvpn-server.log"
    with running(command, log, lambda: b"Initialization Sequence Completed" in log.read_bytes()):
        eventually(lambda: listening(port), "OpenVPN listens")
        yield OpenVPN(directory, port)
