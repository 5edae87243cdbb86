"""A session engine that only writes in a way of its own."""

from website.rules.engine import Writing as Base


class SessionStore(Base):
    pass
