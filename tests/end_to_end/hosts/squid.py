"""Squid with Basic authentication and external access lists, from `examples/squid-django`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged
from programs import Programs

from . import example, web
from .application import Application, application
from .process_tree import command_line, running_in
from .web import Answer, basic

# What Debian's own squid.conf provides; every request goes to the tests' application.
BASE = """
http_port {loopback}:{port}
visible_hostname proxy.example.org
pid_filename {directory}/squid.pid
cache_log {directory}/cache.log
logformat named %Ss %>Hs %un %ru
access_log stdio:{directory}/access.log named
coredump_dir {directory}
cache deny all
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
cache_peer {loopback} parent {application} 0 no-query no-digest originserver
never_direct allow all
include {directory}/etc/hallpass.conf
http_access deny all
"""


@dataclass(frozen=True)
class Squid:
    """A running Squid, and the application behind it."""

    directory: Path
    port: int
    application: Application

    def ask(
        self,
        host: str,
        user: str | bytes | None = None,
        password: str | bytes = b"",
        **headers: str,
    ) -> Answer:
        """The answer to a request for a page of `host`."""
        if user is not None:
            headers["Proxy-Authorization"] = basic(user, password)
        headers["Host"] = host
        return web.ask((LOOPBACK, self.port), f"http://{host}/page", headers)

    def status(self, host: str, *credentials: str | bytes, **headers: str) -> int:
        return self.ask(host, *credentials, **headers).status

    def helpers(self, word: str = "") -> list[int]:
        """The processes of hallpass-squid that run, or those with `word` in the command line."""
        def is_one(pid: int) -> bool:
            words = command_line(pid)
            return any("hallpass-squid" in each for each in words) and (not word or word in words)

        return [pid for pid in running_in(self.directory) if is_one(pid)]

    def log(self) -> str:
        """What Squid and its helpers wrote."""
        return "".join(
            (self.directory / name).read_text(errors="backslashreplace")
            for name in ("cache.log", "console.log")
            if (self.directory / name).exists()
        )

    def access(self) -> str:
        return (self.directory / "access.log").read_text(errors="backslashreplace")


@contextmanager
def squid(
    directory: Path,
    programs: Programs,
    replacements: dict[str, str],
    before_start: Callable[[Path], object] = lambda file: None,
) -> Iterator[Squid]:
    """Runs Squid in `directory`, as `examples/squid-django` says.

    `replacements` are those of the example's hallpass.toml, and what else is to differ;
    `before_start` is given the hallpass.toml.
    """
    port = free_port()
    example.install(
        "squid-django",
        directory / "etc",
        {
            "/usr/bin/hallpass-squid": str(programs["hallpass-squid"]),
            "/etc/hallpass/hallpass.toml": str(directory / "etc/hallpass.toml"),
            "/etc/squid/clubs": str(directory / "etc/clubs"),
        }
        | replacements,
    )
    before_start(directory / "etc/hallpass.toml")
    with application() as behind:
        (directory / "squid.conf").write_text(
            BASE.format(
                directory=directory, loopback=LOOPBACK, port=port, application=behind.port
            )
        )
        give_away(directory)
        with running(
            ["/usr/sbin/squid", "-N", "-d", "1", "-f", directory / "squid.conf"],
            directory / "console.log",
            lambda: listening(port),
            cwd="/",
            **unprivileged(),
        ):
            yield Squid(directory, port, behind)
