"""php-fpm on a unix socket, for the pages of a story."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import running, unprivileged

CONFIGURATION = """
[global]
error_log = {directory}/fpm.log
daemonize = no
[pages]
listen = {directory}/fpm.sock
listen.mode = 0666
pm = static
pm.max_children = 3
catch_workers_output = yes
"""


@contextmanager
def fpm(directory: Path, **settings: str | int) -> Iterator[Path]:
    """Runs php-fpm in `directory`, with these settings of php.ini; its socket."""
    file, socket = directory / "fpm.conf", directory / "fpm.sock"
    lines = [f"php_admin_value[{key}] = {value}\n" for key, value in settings.items()]
    file.write_text(CONFIGURATION.format(directory=directory) + "".join(lines))
    with running(
        ["/usr/sbin/php-fpm8.2", "-y", file],
        directory / "fpm-console.log",
        socket.exists,
        **unprivileged(),
    ):
        yield socket
