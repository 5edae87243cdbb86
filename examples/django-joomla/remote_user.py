"""Django's own RemoteUser for an application behind nginx, whose users are Joomla's.

    MIDDLEWARE = [
        …
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "remote_user.JoomlaUserMiddleware",
    ]
    AUTHENTICATION_BACKENDS = ["remote_user.JoomlaUserBackend"]

Staff, superusers, and users with groups or permissions are not let in this way: whoever registers in
Joomla under such a name would have what they have. Those whose names are theirs in Joomla, too, can be
listed:

    HALLPASS_PRIVILEGED_USERS = ["admin"]
"""

from urllib.parse import unquote

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.backends import RemoteUserBackend
from django.contrib.auth.middleware import RemoteUserMiddleware
from django.core.exceptions import ImproperlyConfigured


class JoomlaUserMiddleware(RemoteUserMiddleware):
    """Logs in whom nginx names, and out whom it names no more."""

    header = "HTTP_REMOTE_USER"

    def process_request(self, request):
        # A name that cannot stand in a header comes percent-encoded.
        encoding = request.META.get("HTTP_REMOTE_USER_ENCODING")
        if encoding == "percent" and self.header in request.META:
            request.META[self.header] = unquote(request.META[self.header])
        return super().process_request(request)

    async def aprocess_request(self, request):
        # Django 5.2's own puts HTTP_ before the name, and finds no header.
        await sync_to_async(self.process_request, thread_sensitive=True)(request)


class JoomlaUserBackend(RemoteUserBackend):
    """Makes the user at the first visit (`create_unknown_user`)."""

    def authenticate(self, request, remote_user):
        user = super().authenticate(request, remote_user=remote_user)
        # A database may find one whose name differs in case or accents, and is another's in Joomla.
        if user is None or user.get_username() != self.clean_username(remote_user):
            return None
        return user

    async def aauthenticate(self, request, remote_user):
        return await sync_to_async(self.authenticate)(request, remote_user)

    async def aget_user(self, user_id):
        return await sync_to_async(self.get_user)(user_id)

    def user_can_authenticate(self, user):
        """Asked at the login, and at every request of a session that it began."""
        return super().user_can_authenticate(user) and (
            not self.is_privileged(user) or user.get_username() in self.listed()
        )

    def is_privileged(self, user):
        """Whether the application gave the user more than everybody has. A user model of its own may
        have none of these fields."""
        if getattr(user, "is_staff", False) or getattr(user, "is_superuser", False):
            return True
        given = [getattr(user, field, None) for field in ("groups", "user_permissions")]
        return any(field is not None and field.exists() for field in given)

    def listed(self):
        names = getattr(settings, "HALLPASS_PRIVILEGED_USERS", ())
        if not isinstance(names, (list, tuple)):
            raise ImproperlyConfigured("HALLPASS_PRIVILEGED_USERS is neither a list nor a tuple")
        return names

    def configure_user(self, request, user, created=True):
        """Takes the address over, too."""
        email = unquote(request.META.get("HTTP_REMOTE_EMAIL", ""))
        if created and email:
            user.email = email
            user.save(update_fields=["email"])
        return user
