"""ejabberd with external authentication, from `examples/ejabberd-django`."""

import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import LOOPBACK, free_port, give_away, running, unprivileged
from programs import Programs

from . import example, xmpp
from .process_tree import command_line, kill, running_in

DOMAIN = "chat.example.org"
EJABBERDCTL = Path("/usr/sbin/ejabberdctl")


@dataclass(frozen=True)
class Ejabberd:
    """A running ejabberd."""

    process: subprocess.Popen
    configuration: Path
    log: Path
    client_port: int
    api_port: int

    def login(self, user: str | bytes, password: str | bytes, domain: str = DOMAIN) -> bool:
        """Whether an XMPP client gets in."""
        return xmpp.login((LOOPBACK, self.client_port), domain, user, password)

    def stream(self) -> xmpp.XmppStream:
        """A client's connection up to the point where it may log in."""
        return xmpp.XmppStream((LOOPBACK, self.client_port), DOMAIN)

    def api(self, command: str, **arguments: str) -> object:
        """The answer of ejabberd's HTTP API, as decoded from JSON; None for a refusal."""
        request = urllib.request.Request(
            f"http://{LOOPBACK}:{self.api_port}/api/{command}",
            json.dumps(arguments).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return None

    def account_exists(self, user: str, domain: str = DOMAIN) -> bool:
        """`check_account`: asks the program `isuser`."""
        return self.api("check_account", user=user, host=domain) == 0

    def password_is(self, user: str, password: str, domain: str = DOMAIN) -> bool:
        """`check_password`: asks the program `auth`."""
        return self.api("check_password", user=user, host=domain, password=password) == 0

    def helpers(self) -> list[int]:
        """The process ids of its running `hallpass-ejabberd`."""
        # Between fork and exec they are still called by the shell that starts them.
        return [
            pid
            for pid in running_in(self.configuration)
            if any(word.endswith("/hallpass-ejabberd") for word in command_line(pid))
        ]


@contextmanager
def ejabberd(
    directory: Path,
    programs: Programs,
    replacements: dict[str, str],
    pool: int | None = None,
    before_start: Callable[[Path], object] = lambda _: None,
    name: str = "ejabberd-django",
    by_ejabberdctl: bool = False,
) -> Iterator[Ejabberd]:
    """Runs ejabberd in `directory`, as `examples/NAME` says.

    `replacements` are those of the example's hallpass.toml; `before_start` is called with
    that file, in place. `by_ejabberdctl` starts it as Debian does, and has connections ended so.
    """
    client_port, api_port = free_port(), free_port()
    configuration = example.install(
        name,
        directory / "etc",
        {
            "/etc/ejabberd/chat.example.org.pem": str(directory / "certificate.pem"),
            '"::"': f'"{LOOPBACK}"',
            "5222": str(client_port),
            "5280": str(api_port),
            "/usr/bin/hallpass-ejabberd": str(programs["hallpass-ejabberd"]),
            "/etc/hallpass/hallpass.toml": str(directory / "etc/hallpass.toml"),
        }
        | ({"extauth_pool_size: 2": f"extauth_pool_size: {pool}"} if pool else {})
        | ({'"http://127.0.0.1:5280/api"': '"ejabberdctl"'} if by_ejabberdctl else {})
        | replacements,
    )
    self_signed_certificate(directory / "certificate.pem")
    for path in (directory, directory / "certificate.pem"):
        give_away(path)
    before_start(configuration / "hallpass.toml")
    log = directory / "ejabberd.log"

    def ready() -> bool:
        try:
            return server(None).api("status") is not None
        except OSError:
            return False

    def server(process: subprocess.Popen | None) -> Ejabberd:
        return Ejabberd(process, configuration, log, client_port, api_port)

    # Debian's ejabberdctl insists on root or on the user ejabberd. Without -sname no
    # epmd is started and no cookie is wanted.
    command = ["erl", "-noinput", "-mnesia", "dir", f'"{directory}/spool"', "-s", "ejabberd"]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "ERL_LIBS": "/usr/lib/x86_64-linux-gnu",
        "ERL_CRASH_DUMP": str(directory / "erl_crash.dump"),
        "EJABBERD_CONFIG_PATH": str(configuration / "ejabberd.yml"),
        "EJABBERD_LOG_PATH": str(log),
    }
    if by_ejabberdctl:
        command = [ejabberdctl(directory), "foreground"]
        environment |= {
            "PATH": f"{directory}/bin:{os.environ['PATH']}",
            "CONFIG_DIR": str(configuration),
            "LOGS_DIR": str(directory),
            "SPOOL_DIR": str(directory / "spool"),
        }
    try:
        with running(
            command,
            directory / "console.log",
            ready,
            env=environment,
            cwd=directory,
            **unprivileged(),
        ) as process:
            yield server(process)
    finally:
        for pid in running_in(configuration):
            kill(pid)


def ejabberdctl(directory: Path) -> Path:
    """Debian's ejabberdctl in `directory`/bin, for a node of its own, that any user may run."""
    program = directory / "bin/ejabberdctl"
    program.parent.mkdir()
    text, found = re.subn("^INSTALLUSER=.*$", "INSTALLUSER=", EJABBERDCTL.read_text(), flags=re.M)
    assert found == 1
    program.write_text(text)
    program.chmod(0o755)
    # With a port of its own there is no epmd, which all nodes of a machine share.
    port = free_port()
    (directory / "etc/ejabberdctl.cfg").write_text(
        f"ERLANG_NODE=chat{port}@localhost\nERL_DIST_PORT={port}\nINET_DIST_INTERFACE={LOOPBACK}\n"
    )
    (directory / "etc/inetrc").touch()
    return program


def self_signed_certificate(path: Path) -> None:
    """A certificate and its key in one file, as ejabberd wants them."""
    key = path.with_suffix(".key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-days", "2", "-subj", f"/CN={DOMAIN}", "-keyout", key, "-out", path],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + key.read_bytes())
    key.unlink()
