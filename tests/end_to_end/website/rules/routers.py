"""Routers of sites with several databases."""


class People:
    """Accounts and sessions are in a database of their own."""

    def db_for_read(self, model, **hints):
        return "people"

    db_for_write = db_for_read
