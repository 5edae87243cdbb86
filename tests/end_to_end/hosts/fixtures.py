"""The site that the hosts' examples are about."""

from collections.abc import Callable
from pathlib import Path

from django_site import DjangoSite
from processes import give_away

from .accounts import ACCOUNTS


# Hundreds of wrong passwords come from the tests, all from one address.
UNTHROTTLED = {"failures = 10": "failures = 0"}


def site_with_accounts(new_site: Callable[..., DjangoSite]) -> DjangoSite:
    """A site whose people are those of `accounts.py`."""
    site = new_site()
    site.make_accounts(*ACCOUNTS)
    return site


def site_replacements(site: DjangoSite, directory: Path | None = None) -> dict[str, str]:
    """What an example's hallpass.toml says of a site, and what it is here.

    With a `directory` the site's secret key is put there too, where the example has it in
    a file.
    """
    replacements = {
        "sqlite:/srv/shop/db.sqlite3": f"sqlite:{site.database}",
        'version = "5.2"': f'version = "{site.version}"',
    }
    if directory:
        key = directory / "secret_key"
        key.touch(mode=0o600)
        key.write_text(site.shell("answer = settings.SECRET_KEY") + "\n")
        replacements["/etc/hallpass/secret_key"] = str(give_away(key))
    return replacements
