"""Django's own RemoteUser for an application behind nginx, whose users are Joomla's.

    MIDDLEWARE = [
        …
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "remote_user.JoomlaUserMiddleware",
    ]
    AUTHENTICATION_BACKENDS = ["remote_user.JoomlaUserBackend"]
"""

from urllib.parse import unquote

from django.contrib.auth.backends import RemoteUserBackend
from django.contrib.auth.middleware import RemoteUserMiddleware


class JoomlaUserMiddleware(RemoteUserMiddleware):
    """Logs in whom nginx names, and out whom it names no more."""

    header = "HTTP_REMOTE_USER"

    def process_request(self, request):
        # A name that cannot stand in a header comes percent-encoded.
        if request.META.get("HTTP_REMOTE_USER_ENCODING") == "percent":
            request.META[self.header] = unquote(request.META[self.header])
        return super().process_request(request)


class JoomlaUserBackend(RemoteUserBackend):
    """Makes the user at the first visit (`create_unknown_user`)."""

    def configure_user(self, request, user, created=True):
        """Takes the address over, too."""
        email = unquote(request.META.get("HTTP_REMOTE_EMAIL", ""))
        if created and email:
            user.email = email
            user.save(update_fields=["email"])
        return user
