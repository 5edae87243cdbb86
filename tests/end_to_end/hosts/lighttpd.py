"""lighttpd with a FastCGI authorizer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged

CONFIGURATION = """
server.document-root = "{directory}/www"
server.bind = "{loopback}"
server.port = {port}
server.errorlog = "{directory}/lighttpd.log"
server.modules += ( "mod_fastcgi" )
fastcgi.server = (
    "/private/" => (( "socket" => "{socket}", "mode" => "authorizer",
                      "docroot" => "{directory}/www", "check-local" => "disable" ))
)
mimetype.assign = ( ".txt" => "text/plain" )
"""


@contextmanager
def lighttpd(directory: Path, socket: Path) -> Iterator[int]:
    """Runs lighttpd, which asks at `socket` about what is below /private/; yields its port."""
    port = free_port()
    (directory / "www/private").mkdir(parents=True)
    (directory / "www/private/page.txt").write_text("private\n")
    (directory / "www/open.txt").write_text("open\n")
    configuration = directory / "lighttpd.conf"
    configuration.write_text(
        CONFIGURATION.format(directory=directory, loopback=LOOPBACK, port=port, socket=socket)
    )
    give_away(directory)
    with running(
        ["/usr/sbin/lighttpd", "-D", "-f", configuration],
        directory / "console.log",
        lambda: listening(port),
        cwd="/",
        **unprivileged(),
    ):
        yield port
