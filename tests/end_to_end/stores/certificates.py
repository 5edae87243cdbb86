"""A certificate authority of the tests' own, and a server's certificate by it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from processes import LOOPBACK, give_away


@dataclass(frozen=True)
class Certificates:
    """A server's certificate and key, and the authority that stands for it."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(
    directory: Path, names: str = f"DNS:localhost,IP:{LOOPBACK}"
) -> Certificates:
    """Makes an authority, and a certificate for a server of these names."""
    directory.mkdir(exist_ok=True)
    ca, ca_key = directory / "ca.pem", directory / "ca-key.pem"
    certificate, key = directory / "server.pem", directory / "server-key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    request += ["-nodes", "-days", "2"]
    _run(
        *request, "-keyout", ca_key, "-out", ca, "-subj", "/CN=The tests' authority",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
    )  # fmt: skip
    _run(
        *request, "-keyout", key, "-out", certificate, "-subj", "/CN=server",
        "-CA", ca, "-CAkey", ca_key, "-addext", f"subjectAltName={names}",
        "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth,clientAuth",
    )  # fmt: skip
    for path in (directory, ca, certificate, key):
        give_away(path)
    key.chmod(0o600)
    ca.chmod(0o644)
    return Certificates(ca, certificate, key)


def _run(*command) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
