"""Django's own views for login, logout and password change, and one that says who is there."""

from django.conf import settings
from django.contrib.auth import views
from django.http import JsonResponse
from django.urls import path


def whoami(request):
    user = request.user
    name = user.get_username() if user.is_authenticated else None
    return JsonResponse({"user": name, "session": request.session.session_key})


def identity(request):
    """The same for programs, as `docs/http-source.md` wants it."""
    if not request.user.is_authenticated:
        return JsonResponse({}, status=401)
    user = {"username": request.user.get_username()}
    return JsonResponse({"user": user, "sid": request.session.session_key})


form = {"template_name": "form.html"}


class LoginView(views.LoginView):
    """Leads back to other hosts only where the settings name them, as `success_url_allowed_hosts`
    of a site's own urls.py does."""

    @property
    def success_url_allowed_hosts(self):
        return set(getattr(settings, "LOGIN_HOSTS", ()))


urlpatterns = [
    path("login/", LoginView.as_view(**form)),
    path("logout/", views.LogoutView.as_view(next_page="/whoami/")),
    path("password/", views.PasswordChangeView.as_view(**form, success_url="/whoami/")),
    path("whoami/", whoami),
    path("identity/", identity),
]
