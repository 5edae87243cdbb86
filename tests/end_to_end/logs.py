"""No secret in any log: what the tests know to be secret is looked for in all that is logged.

Passwords and tokens are noted where tests send them, keys where they are put into a
configuration. Hashes are known by their looks. Logs are the files whose names end in `log`.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from hosts.accounts import ACCOUNTS, PASSWORDS
from people import SECRET

# With their digests, as Django, PHP, phpBB and Joomla keep them.
HASH = re.compile(
    rb"(pbkdf2|scrypt)\w*\$[\w$]+\$[\w+/=]{20,}|\$2[abxy]\$\d\d\$[\w./]{53}"
    rb"|\$argon2i?d?\$\S+\$[\w+/]{20,}|\$[PHS]\$[\w./]{31}"
)
# Mallory's password is a group: such words are in every log.
GROUPS = {group.encode() for account in ACCOUNTS for group in account.get("groups", [])}
# What hosts say by themselves of what they are sent: ejabberd of all that its API is asked, and of
# what it was about to ask when a helper died; Squid of a header that cannot be read.
HOSTS_OWN = re.compile(
    rb"API call [a-z_]+ \[.*?\] from \S+|<<\"auth:[^\"]*\">>"
    rb"|Bad characters in authorization header '[^'\n]*'",
    re.DOTALL,
)
# How many bytes are looked through at most: of a log, once for each secret.
MOST_BYTES = 4_000_000_000
# The keys of a configuration whose values are secrets.
KEYS = {"dbpasswd", "dialect_token", "key", "password", "secret", "secret_key", "secret_key_fallbacks"}


class SecretInLog(AssertionError):
    """Something is in a log that is nobody's business."""


_noted: set[bytes] = set()
_read: dict[Path, int] = {}
_not_ours: set[Path] = set()


def note(*secrets: str | bytes | None) -> None:
    """Notes what must not be in a log. Short and monotonous ones may be there by chance."""
    for secret in secrets:
        secret = secret.encode("utf-8", "surrogateescape") if isinstance(secret, str) else secret
        if secret and len(secret) >= 6 and len(set(secret)) >= 5 and secret not in GROUPS:
            _noted.add(secret)


def note_keys(tables: object) -> None:
    """Notes the secrets of a configuration."""
    if isinstance(tables, dict):
        for name, value in tables.items():
            if name in KEYS:
                values = value if isinstance(value, list) else [value]
                note(*(value for value in values if isinstance(value, str)))
            note_keys(value)


def not_ours(directory: Path) -> None:
    """Leaves out a directory: stores may log the statements that write what they keep."""
    _not_ours.add(directory)


def look_through(log: bytes, name: str) -> None:
    """Fails when there is a secret in `log`; shows the line."""
    log = HOSTS_OWN.sub(b"", log)
    # Where thousands were sent and megabytes logged, some tell as much as all.
    every = 1 + len(_noted) * len(log) // MOST_BYTES
    found = {secret for secret in sorted(_noted)[::every] if secret in log}
    found |= {match.group() for match in HASH.finditer(log)}
    lines = [line for line in log.splitlines() if any(secret in line for secret in found)]
    if found:
        raise SecretInLog(f"{name} has {sorted(found)}:\n" + "\n".join(map(ascii, lines[:10])))


def look_through_all(directories: Iterable[Path]) -> None:
    """Fails when there is a secret in what has been logged since this was called last, below
    these directories, and forgets what was noted. What is found in one log is no excuse to leave
    the others to whoever comes next."""
    found = []
    for log in (log for directory in directories for log in _logs(directory)):
        with log.open("rb") as file:
            file.seek(_read.get(log, 0))
            written = file.read()
            _read[log] = file.tell()
        try:
            look_through(written, str(log))
        except SecretInLog as secret:
            found.append(str(secret))
    _noted.clear()
    note(SECRET, *PASSWORDS.values())
    if found:
        raise SecretInLog("\n".join(found))


def _logs(directory: Path) -> Iterable[Path]:
    for path, directories, files in os.walk(directory):
        directories[:] = [name for name in directories if Path(path, name) not in _not_ours]
        for name in files:
            log = Path(path, name)
            if name.endswith("log") and log.is_file():
                yield log


note(SECRET, *PASSWORDS.values())
