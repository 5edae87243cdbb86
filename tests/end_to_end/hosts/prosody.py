"""Prosody, which asks for its users by Dovecot's protocol, or as `examples/prosody-django` says."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged

from . import example, xmpp
from .ejabberd import self_signed_certificate

DOMAIN = "chat.example.org"
COMMUNITY = Path("/usr/lib/prosody/modules")  # of Debian's prosody-modules

CONFIGURATION = """
pidfile = "{directory}/prosody.pid"
data_path = "{directory}/data"
plugin_paths = {{ "{community}" }}
interfaces = {{ "{host}" }}
c2s_ports = {{ {port} }}
s2s_ports = {{ }}
c2s_require_encryption = true
modules_enabled = {{ "saslauth", "tls", "disco", "ping" }}
modules_disabled = {{ "s2s", "offline", "posix" }}
log = {{ debug = "{directory}/prosody.log" }}
ssl = {{ key = "{directory}/certificate.pem", certificate = "{directory}/certificate.pem" }}
VirtualHost "{domain}"
"""


@dataclass(frozen=True)
class Prosody:
    """A running Prosody."""

    directory: Path
    port: int

    def login(self, user: str | bytes, password: str | bytes) -> str:
        """`success`, or the condition of the failure."""
        user = user.encode() if isinstance(user, str) else user
        password = password.encode() if isinstance(password, str) else password
        with xmpp.XmppStream((LOOPBACK, self.port), DOMAIN) as stream:
            return stream.authenticate(user, password)

    def stream(self) -> xmpp.XmppStream:
        """A client's connection up to the point where it may log in."""
        return xmpp.XmppStream((LOOPBACK, self.port), DOMAIN)

    def log(self) -> str:
        return (self.directory / "prosody.log").read_text(errors="backslashreplace")


@contextmanager
def prosody(directory: Path, **settings: str) -> Iterator[Prosody]:
    """Runs Prosody in `directory`, with these settings of its virtual host."""
    port = free_port()
    (directory / "data").mkdir()
    self_signed_certificate(directory / "certificate.pem")

    text = CONFIGURATION.format(
        directory=directory, community=COMMUNITY, host=LOOPBACK, port=port, domain=DOMAIN
    )
    text += "".join(f'  {name} = "{value}"\n' for name, value in settings.items())
    (directory / "prosody.cfg.lua").write_text(text)
    with started(directory, port) as server:
        yield server


@contextmanager
def prosody_of_example(directory: Path, replacements: dict[str, str]) -> Iterator[Prosody]:
    """Runs Prosody as the example says, in `directory`, where a test has put the rest of it."""
    port = free_port()
    (directory / "data").mkdir()
    self_signed_certificate(directory / "certificate.pem")
    example.install(
        "prosody-django",
        directory,
        {
            "/run/prosody/prosody.pid": f"{directory}/prosody.pid",
            "/var/lib/prosody": f"{directory}/data",
            "info = \"/var/log/prosody/prosody.log\"": f'debug = "{directory}/prosody.log"',
            '"*"': f'"{LOOPBACK}"',
            "5222": str(port),
            "/etc/prosody/modules": str(directory),
            "/etc/prosody/certs/chat.example.org.key": f"{directory}/certificate.pem",
            "/etc/prosody/certs/chat.example.org.crt": f"{directory}/certificate.pem",
        }
        | replacements,
    )
    with started(directory, port) as server:
        yield server


@contextmanager
def started(directory: Path, port: int) -> Iterator[Prosody]:
    for path in (directory, *directory.rglob("*")):
        give_away(path)
    with running(
        ["/usr/bin/prosody", "--config", directory / "prosody.cfg.lua", "-F"],
        directory / "console.log",
        lambda: listening(port),
        cwd=directory,
        env={"PATH": "/usr/bin:/bin", "HOME": str(directory)},
        **unprivileged(),
    ):
        yield Prosody(directory, port)
