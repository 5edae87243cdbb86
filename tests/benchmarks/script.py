"""What an administrator writes in place of hallpass-apache: the peer of the benchmark.

No worse than it has to be: standard library alone, and no more than the question takes.
"""

import base64
import hashlib
import hmac
import sqlite3
import sys

name, password = sys.stdin.read().split("\n")[:2]
row = (
    sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    .execute("SELECT password, is_active FROM auth_user WHERE username = ?", (name,))
    .fetchone()
)
if row is None:
    sys.exit(1)
algorithm, iterations, salt, expected = row[0].split("$")
digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), int(iterations))
if not hmac.compare_digest(base64.b64encode(digest).decode(), expected):
    sys.exit(2)
sys.exit(0 if row[1] else 3)
