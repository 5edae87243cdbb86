"""ocserv, from where `tests/setup` has unpacked it, and what OpenConnect asks it to log in."""

import http.client
import os
import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import logs
from processes import LOOPBACK, free_port, listening, running
from stores.certificates import make_certificates

MOUNTS = subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0
CAN_RUN = os.geteuid() == 0 and MOUNTS
PROGRAMS = Path(__file__).resolve().parents[2] / ".setup/ocserv/usr/sbin"
# Nobody gets as far as an interface.
CONFIGURATION = """
listen-host = 127.0.0.1
tcp-port = {port}
run-as-user = nobody
run-as-group = nogroup
socket-file = {directory}/ocserv.sock
server-cert = {certificate}
server-key = {key}
device = vpns
ipv4-network = 10.199.78.0/24
max-clients = 16
use-occtl = false
# The tests are one address.
max-ban-score = 0
"""


@dataclass(frozen=True)
class Ocserv:
    """A running server."""

    port: int
    authority: Path

    def login(self, user: str, password: str) -> bool:
        """Whether the server gives a client the cookie that opens a tunnel."""
        logs.note(password)
        context = ssl.create_default_context(cafile=str(self.authority))
        connection = http.client.HTTPSConnection(LOOPBACK, self.port, timeout=60, context=context)
        cookie = ""

        def ask(path: str, kind: str, body: str) -> tuple[int, str]:
            nonlocal cookie
            connection.request(
                "POST", path,
                f'<?xml version="1.0" encoding="UTF-8"?><config-auth client="vpn" type="{kind}">{body}'
                "</config-auth>".encode(),
                {"User-Agent": "Open AnyConnect VPN Agent v9.01", "X-Aggregate-Auth": "1",
                 "X-Transcend-Version": "1", "Cookie": cookie},
            )
            answer = connection.getresponse()
            cookies = [it.split(";")[0] for it in answer.headers.get_all("Set-Cookie") or []]
            cookie = "; ".join(cookies) or cookie
            return answer.status, answer.read().decode()

        try:
            _, form = ask("/", "init", "<group-access>https://localhost/</group-access>")
            # The name, then as many secrets as PAM asks for.
            for value in (user, password):
                field = re.search(r'<input[^>]*name="(\w+)"', form)
                assert field, form
                name = field.group(1)
                status, form = ask(
                    "/auth", "auth-reply", f"<auth><{name}>{escape(value)}</{name}></auth>"
                )
                if status == 401:
                    return False
                assert status == 200, form
        finally:
            connection.close()
        assert 'id="success"' in form and "webvpn=" in cookie, form
        return True


@contextmanager
def ocserv(directory: Path, configuration: str, service: str) -> Iterator[Ocserv]:
    """Runs ocserv in `directory` with these lines of configuration, and `service` as its file of PAM,
    in a name space of its own: the file's name is fixed."""
    port = free_port()
    certificates = make_certificates(directory / "certificates")
    (directory / "pam.d").mkdir()
    (directory / "pam.d/ocserv").write_text(service)
    (directory / "ocserv.conf").write_text(configuration + CONFIGURATION.format(
        port=port, directory=directory, certificate=certificates.certificate, key=certificates.key,
    ))
    script = f"""
        set -e
        mount --bind {directory}/pam.d /etc/pam.d
        exec {PROGRAMS}/ocserv --foreground --config {directory}/ocserv.conf
    """
    # It starts others by their names.
    environment = {"PATH": f"{PROGRAMS}:/usr/bin:/bin"}
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    with running(command, directory / "console.log", lambda: listening(port), env=environment):
        yield Ocserv(port, certificates.authority)
