"""The site that is asked about: real Django on SQLite, ten thousand accounts and sessions."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django_site import DjangoSite

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
