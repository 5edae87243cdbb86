"""A machine with a Django site in /srv/shop, without Hallpass, and its terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import logs
from django_site import LATEST, python_of
from programs import HANGS, Result, run

from .namespace import Namespace, namespace

# Accounts are root's and the system's own. What is not readable is not missed.
SET_UP = """
mount -t tmpfs tmpfs /srv
mkdir /srv/etc /srv/shop
cp --archive /etc/. /srv/etc/ 2>/dev/null || true
rm -rf /srv/etc/hallpass
mount --bind /srv/etc /etc
mount -t tmpfs tmpfs /usr/local/bin
"""

PASSWORD = "Rabbit-Hole-7"
SESSION = "wx2jf0wyz4bp6qno41ijm7ts5kc9re3h"
SITE = f"""
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from datetime import datetime, timezone
editors = Group.objects.create(name="editors")
editors.permissions.add(Permission.objects.get(codename="view_user"))
alice = User.objects.create_user("alice", "alice@example.org", "{PASSWORD}")
alice.groups.add(editors)
User.objects.create_user("bob", "bob@example.org", "builder")
data = {{SESSION_KEY: str(alice.pk), HASH_SESSION_KEY: alice.get_session_auth_hash(),
        BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend"}}
Session.objects.create(session_key="{SESSION}", session_data=SessionStore().encode(data),
                       expire_date=datetime(2036, 1, 1, tzinfo=timezone.utc))
"""


@dataclass(frozen=True)
class Machine:
    """The machine, with the programs under test on its PATH."""

    namespace: Namespace
    environment: dict[str, str]

    def run(self, command: str, input: str = "") -> Result:
        """Runs a line of the shell."""
        words = self.namespace.inside(["/bin/bash", "-c", command])
        return run(words, input, env=self.environment, cwd="/")

    def python(self, *arguments: str) -> None:
        """Runs the site's Python in its directory."""
        words = ["sh", "-c", 'cd /srv/shop && exec venv/bin/python "$@"', "sh", *arguments]
        done = run(self.namespace.inside(words), env=self.environment, cwd="/")
        assert done.code == 0, done

    def make_site(self) -> None:
        self.namespace.path("/srv/shop/venv").symlink_to(python_of(LATEST).parents[1])
        self.python("-m", "django", "startproject", "shop", ".")
        self.python("manage.py", "migrate", "--verbosity=0")
        self.python("manage.py", "shell", "--verbosity=0", "--command", SITE)

    def log_out(self) -> None:
        """What Django does with the session at a logout."""
        self.python("manage.py", "shell", "--verbosity=0", "--command", (
            "from django.contrib.sessions.backends.db import SessionStore\n"
            f"SessionStore('{SESSION}').flush()"
        ))

    def type(self, command: str, columns: int = 80) -> tuple[str, int]:
        """Types a line at a terminal, and the password where one is asked for. Returns what the
        terminal was sent, and the exit code."""
        words = self.namespace.inside(["/bin/bash", "-c", command])
        process, terminal = pty.fork()
        if process == 0:
            try:
                os.chdir("/")
                os.execvpe(words[0], words, self.environment | {"TERM": "xterm"})
            finally:
                os._exit(127)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        output, asked, end = b"", False, time.monotonic() + HANGS
        while True:
            # Not before the echo is off: what is typed earlier would be shown.
            if not asked and b"assword" in output and not echoes(terminal):
                os.write(terminal, f"{PASSWORD}\n".encode())
                asked = True
            ready, _, _ = select.select([terminal], [], [], 0.05)
            if time.monotonic() > end:
                os.kill(process, signal.SIGKILL)
            try:
                output += os.read(terminal, 4096) if ready else b""
            except OSError:
                break
        # Closed before, it would hang up on what still ends.
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        os.close(terminal)
        logs.look_through(output.replace(SESSION.encode(), b""), f"the terminal of {command}")
        return output.decode().replace("\r\n", "\n"), code


def echoes(terminal: int) -> bool:
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


@contextmanager
def machine(directory: Path, programs: Path) -> Iterator[Machine]:
    """Makes the machine and its site; `directory` is an empty one, `programs` that of the programs."""
    logs.note(PASSWORD)
    environment = {
        "PATH": f"{programs}:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with namespace(directory, SET_UP) as made:
        it = Machine(made, environment)
        it.make_site()
        yield it
