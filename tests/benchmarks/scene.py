"""The site that is asked about: real Django on SQLite, ten thousand accounts and sessions."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django_site import DjangoSite
from hosts import web
from processes import give_away, running, unprivileged

ACCOUNTS = 10_000
USER, PASSWORD = "user5000", "secret"


@contextmanager
def scene() -> Iterator[tuple[Path, DjangoSite]]:
    """A directory that any user can enter, and the site in it."""
    directory = Path(tempfile.mkdtemp(prefix="hallpass-benchmark-"))
    directory.chmod(0o755)
    try:
        with DjangoSite(directory / "site", directory / "templates") as site:
            site.shell(
                """
encoded = make_password(password, "pbkdf2_sha256", iterations=1)
User.objects.bulk_create(User(username=f"user{n}", password=encoded) for n in range(count))
data = sign(login_keys(user))
expires = timezone.now() + timedelta(days=1)
Session = session_store().model
Session.objects.bulk_create(
    Session(session_key=f"{n:032}", session_data=data, expire_date=expires) for n in range(count)
)
""",
                user=USER,
                password=PASSWORD,
                count=ACCOUNTS,
            )
            yield directory, site
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def daemon(program: str, directory: Path, site: DjangoSite, *before: str, name="hallpass",
           level="warning", listen=(), **tables) -> Iterator[tuple[subprocess.Popen, Path]]:
    """Runs hallpassd, which the command `before` starts, and gives its process and its socket for
    HTTP. It may `listen` elsewhere as well; `tables` are laid over its configuration."""
    for path in (directory, site.directory, site.database):
        give_away(path)
    socket = directory / f"{name}.sock"
    listeners = {"listen": [f"unix:{socket}", *listen]}
    config = site.write_configuration(
        f"{name}.toml", daemon=listeners, log={"level": level}, **tables
    )
    # Where a user without rights can run it.
    copy = directory / name
    copy.write_bytes(Path(program).read_bytes())
    copy.chmod(0o755)
    command = [*before, copy, "--config", config]
    log = directory / f"{name}.log"
    with running(command, log, socket.exists, **unprivileged()) as process:
        yield process, socket


def answers(socket: Path, path: str) -> bool:
    """Whether a site that listens on `socket` answers there."""
    try:
        return web.ask(socket, path, {"Cookie": f"sessionid={1234:032}"}).status == 200
    except OSError:
        return False


def load(program: str, address: str, path: str, *, connections=32, seconds=2.0, rate=0.0,
         sessions=1, before=()) -> tuple[float, int, int]:
    """Requests a second, and the median and 99th percentile of the time to an answer in
    microseconds; see load.c."""
    words = [program, address, path, connections, seconds, f"{rate:.0f}", sessions]
    done = subprocess.run([*before, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{path}: {done.stderr}")
    a_second, middle, late = done.stdout.split()
    return float(a_second), int(middle), int(late)
