"""A model of sessions that the site can revoke."""

from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.db import models


class Unrevoked(BaseSessionManager):
    def get_queryset(self):
        return super().get_queryset().filter(revoked=False)


class LiveSession(AbstractBaseSession):
    revoked = models.BooleanField(default=False)
    objects = Unrevoked()

    class Meta:
        app_label = "rules_sessions"

    @classmethod
    def get_session_store_class(cls):
        from website.rules.revocable_engine import SessionStore

        return SessionStore
