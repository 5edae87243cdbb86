"""Apache 2.4 itself: what is the same in the configuration of all that the tests run."""

import os
from collections.abc import Iterable
from pathlib import Path

from processes import LOOPBACK, listening, running, unprivileged

MODULES = Path("/usr/lib/apache2/modules")

# What Debian's own apache2.conf provides.
BASE = """
ServerRoot "{directory}"
ServerName {name}
Listen {loopback}:{port}
{user}
PidFile "{directory}/apache.pid"
DefaultRuntimeDir "{directory}"
Mutex pthread
ErrorLog "{directory}/server-error.log"
TypesConfig /etc/mime.types
{modules}
<Directory "/">
    AllowOverride None
    Require all denied
</Directory>
"""

# A program called `user`, which tells whom it serves.
TELLS = """
ScriptSock "{directory}/cgid.sock"
<Files "user">
    SetHandler cgi-script
    Options +ExecCGI
</Files>
"""


def load(modules: Iterable[str]) -> str:
    """What `a2enmod` would write."""
    return "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in modules)


def configuration(
    directory: Path,
    port: int,
    modules: Iterable[str],
    *more: str,
    name: str = "files.example.org",
    as_root: bool = False,
) -> str:
    """A configuration that ends with `more`, in which {directory} is replaced; one that is to be
    started `as_root` says whom to become."""
    user = "User nobody\nGroup nogroup" if as_root and os.geteuid() == 0 else ""
    names = {"directory": directory, "loopback": LOOPBACK, "port": port, "name": name, "user": user}
    return "".join(
        text.format(modules=load(modules), **names)
        for text in (BASE, *(text + "\n" for text in more))
    )


def httpd(directory: Path, port: int, text: str, as_root: bool = False, **options):
    """Runs Apache by the configuration `text`, which goes into `directory`."""
    (directory / "httpd.conf").write_text(text)
    return running(
        ["/usr/sbin/apache2", "-f", directory / "httpd.conf", "-DFOREGROUND"],
        directory / "console.log",
        lambda: listening(port),
        cwd="/",
        **({} if as_root else unprivileged()),
        **options,
    )
