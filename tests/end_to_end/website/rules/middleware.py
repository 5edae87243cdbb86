"""Middleware with rules of its own."""

from django.contrib.auth import logout as end_session
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser


def ending(get_response):
    def middleware(request):
        if request.user.is_authenticated and request.user.first_name == "closed":
            end_session(request)
        return get_response(request)

    return middleware


class Replacing(AuthenticationMiddleware):
    def process_request(self, request):
        super().process_request(request)
        if request.user.is_authenticated and request.user.first_name == "closed":
            request.user = AnonymousUser()


class Counting:
    """Has nothing to do with accounts."""

    def __init__(self, get_response):
        self.get_response, self.count = get_response, 0

    def __call__(self, request):
        self.count += 1
        return self.get_response(request)
