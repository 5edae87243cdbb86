"""Django's own answers: reads one question a line as JSON, writes one answer a line.

Runs inside a site's virtual environment. Where Django raises, the answer is a denial: the
visitor of such a site gets an error page, and nobody is let in. Nothing that a question for
a verdict does to the database stays.
"""

import base64
import json
import logging
import sys
import threading
import traceback
from contextlib import nullcontext
from datetime import datetime, timedelta
from datetime import timezone as datetime_timezone
from functools import lru_cache, wraps
from importlib import import_module
from unittest import mock

import django

django.setup()

from django.conf import settings
from django.contrib import auth
from django.contrib.auth import hashers
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.handlers import modwsgi
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import signing
from django.core.cache import caches
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers import basehttp
from django.db import transaction
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from django.test import RequestFactory, override_settings
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.module_loading import import_string

User = auth.get_user_model()


@receiver(connection_created)
def do_not_wait_for_the_disk(connection, **_):
    """The tests' databases need not outlive a power cut."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous = OFF")


# The site


changed = override_settings()
changed.enable()


def use(**changes):
    """Changes settings, as the test framework of Django does, of what is served too."""
    global changed
    changed.disable()
    changed = override_settings(**{**changed.options, **changes})
    changed.enable()
    server().set_app(WSGIHandler())


@lru_cache(maxsize=None)
def server():
    """The site over HTTP, served as `runserver` does."""
    logging.getLogger("django.server").setLevel(logging.ERROR)
    address = ("127.0.0.1", 0)
    it = basehttp.ThreadedWSGIServer(address, basehttp.WSGIRequestHandler)
    it.daemon_threads = True
    it.set_app(WSGIHandler())
    threading.Thread(target=it.serve_forever, daemon=True).start()
    return it


def serve():
    """Serves the site; answers the port."""
    return server().server_port


def session_store(key=None):
    return import_string(settings.SESSION_ENGINE + ".SessionStore")(key)


def verdict(denied):
    """A question whose answer is `denied` where Django raises, and that changes nothing."""

    def decorate(function):
        @wraps(function)
        def ask(*arguments, **named):
            with transaction.atomic():
                try:
                    return function(*arguments, **named)
                except transaction.TransactionManagementError:
                    raise
                except Exception:
                    return denied
                finally:
                    transaction.set_rollback(True)

        return ask

    return decorate


# Passwords and accounts


@verdict(denied=False)
def check_password(password, encoded):
    return hashers.check_password(password, encoded)


@verdict(denied=None)
def authenticate(username, password):
    """The name of the user whom the site's backends let in, or None."""
    user = auth.authenticate(username=username, password=password)
    return user and user.get_username()


@verdict(denied=None)
def login_form(username, password):
    """The name of the user whom the login form lets in, or None."""
    form = AuthenticationForm(data={"username": username, "password": password})
    return form.get_user().get_username() if form.is_valid() else None


@verdict(denied=False)
def modwsgi_check_password(username, password):
    """True, False for a wrong password, None for no such or an inactive user."""
    return modwsgi.check_password({}, username, password)


@verdict(denied=[])
def groups_for_user(username):
    return [name.decode() for name in modwsgi.groups_for_user({}, username)]


@verdict(denied=False)
def has_perms(username, permissions):
    return User.objects.get_by_natural_key(username).has_perms(permissions)


def make_password(password, algorithm="default", **options):
    """An encoded hash. Options replace the hasher's attributes, such as iterations."""
    salt = options.pop("salt", None)
    hasher_class = type(hashers.get_hasher(algorithm))
    hasher = type("Hasher", (hasher_class,), options)()
    return hasher.encode(password, salt or hasher.salt())


def algorithms():
    return [hasher.algorithm for hasher in hashers.get_hashers()]


def make_accounts(accounts):
    """Accounts of the names, with the fields of User that are given, of which `password`
    (None: unusable), `encoded` (the column's text), `groups` and `permissions` are special.
    Answers their ids as text."""
    ids = {}
    with transaction.atomic():
        for fields in accounts:
            fields = dict(fields)
            name = fields.pop("username")
            password = fields.pop("password", None)
            encoded = fields.pop("encoded", None) or hashers.make_password(password)
            groups = fields.pop("groups", [])
            permissions = fields.pop("permissions", [])
            user = User.objects.create(**{User.USERNAME_FIELD: name}, password=encoded, **fields)
            for group in groups:
                user.groups.add(Group.objects.get_or_create(name=group)[0])
            for permission in permissions:
                user.user_permissions.add(permission_named(permission))
            ids[name] = user._meta.pk.value_to_string(user)
    return ids


def grant(group, permissions):
    """Gives a group permissions."""
    row = Group.objects.get_or_create(name=group)[0]
    row.permissions.add(*map(permission_named, permissions))


def permission_named(name):
    app_label, codename = name.split(".", 1)
    content_type = ContentType.objects.get_or_create(app_label=app_label, model="thing")[0]
    found = Permission.objects.filter(content_type__app_label=app_label, codename=codename)
    return found.first() or Permission.objects.create(
        content_type=content_type, codename=codename, name=codename
    )


def update(username, /, **fields):
    """Changes columns of an account, past any check."""
    assert User.objects.filter(**{User.USERNAME_FIELD: username}).update(**fields) == 1


def delete(username):
    User.objects.get_by_natural_key(username).delete()


def encoded_password(username):
    return User.objects.get_by_natural_key(username).password


# Sessions


def whose(request):
    SessionMiddleware(lambda request: None).process_request(request)
    AuthenticationMiddleware(lambda request: None).process_request(request)
    user = request.user
    if not user.is_authenticated:
        return None
    return {"user": user.get_username(), "id": user._meta.pk.value_to_string(user)}


@verdict(denied=None)
def session_user(token):
    """The user of a session token that has come through the cookie parser unchanged."""
    request = RequestFactory().get("/")
    request.COOKIES[settings.SESSION_COOKIE_NAME] = token
    return whose(request)


@verdict(denied=None)
def cookie_user(header):
    """The user of a whole Cookie header."""
    # WSGI hands over a header's bytes as Latin-1.
    return whose(RequestFactory(HTTP_COOKIE=header.encode().decode("latin-1")).get("/"))


def login_keys(username):
    """What a login of this user puts into the session."""
    user = User.objects.get_by_natural_key(username)
    return {
        auth.SESSION_KEY: user._meta.pk.value_to_string(user),
        auth.BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        auth.HASH_SESSION_KEY: user.get_session_auth_hash(),
    }


def auth_hash(username, secret):
    """The session auth hash that a site with this secret key would compute."""
    return User.objects.get_by_natural_key(username)._get_session_auth_hash(secret=secret)


def save_session(payload, expires_in=None, expires_at=None, key=None):
    """A session as the site itself saves it; answers its token. It expires after seconds
    (0: with the browser), or at a time of Unix seconds."""
    session = session_store()
    session.update(payload)
    if expires_in is not None:
        session.set_expiry(expires_in)
    if expires_at is not None:
        session.set_expiry(datetime.fromtimestamp(expires_at, datetime_timezone.utc))
    if key is not None:
        session._session_key = key
    session.save()
    return session.session_key


class Verbatim:
    """A serializer of what is serialized already; Django's own writes Latin-1 too."""

    def dumps(self, text):
        return text.encode("latin-1")


def sign(payload=None, text=None, key=None, salt=None, compress=True, at=None):
    """The session_data of a payload: of a JSON value, or of the serializer's output as text;
    signed at a time of Unix seconds, or now."""
    with mock.patch("time.time", return_value=at) if at else nullcontext():
        return signing.dumps(
            json.dumps(payload) if text is None else text,
            key=key,
            salt=salt or session_salt(),
            serializer=Verbatim,
            compress=compress,
        )


def session_salt():
    """What the session's signature is salted with."""
    if settings.SESSION_ENGINE.endswith(".signed_cookies"):
        return "django.contrib.sessions.backends.signed_cookies"
    # None before Django 3.1.
    return getattr(session_store(), "key_salt", "django.contrib.sessions.SessionStore")


def sign_text(text, algorithm="sha256"):
    """A good signature after any text, in place of a payload and its time."""
    return signing.Signer(salt=session_salt(), algorithm=algorithm).sign(text)


def sign_legacy(payload):
    """The session_data that Django up to 3.0 wrote."""
    text = json.dumps(payload).encode()
    salt = "django.contrib.sessions" + type(session_store()).__name__
    digest = salted_hmac(salt, text, algorithm="sha1").hexdigest()
    return base64.b64encode(digest.encode() + b":" + text).decode()


def encode(payload):
    """The session_data that this Django writes."""
    return session_store().encode(payload)


def put_session(data, expires_in=3600, key=None):
    """A row of session_data as it stands, expiring in so many seconds; answers its key."""
    store = session_store()
    key = key or store._get_new_session_key()
    expire_date = timezone.now() + timedelta(seconds=expires_in)
    row = {"session_data": data, "expire_date": expire_date}
    session_model().objects.update_or_create(session_key=key, defaults=row)
    return key


def session_model():
    """That of Django, or of django-user-sessions."""
    store = session_store()
    return getattr(store, "model", None) or import_module(type(store).__module__).Session


def session_row(token):
    return session_model().objects.filter(session_key=token)


def session_data(token):
    return session_row(token).get().session_data


def session_expires(token):
    """When, in Unix seconds."""
    expires = session_row(token).get().expire_date
    return expires.timestamp()


def age_row(token, seconds):
    """Makes a row expire so many seconds from now."""
    expire_date = timezone.now() + timedelta(seconds=seconds)
    assert session_row(token).update(expire_date=expire_date) == 1


def delete_row(token):
    session_row(token).delete()


# The cache


def session_cache():
    return caches[settings.SESSION_CACHE_ALIAS]


def cache_key(token):
    """A session's key in the cache, without the cache's own prefix and version."""
    return session_store().cache_key_prefix + token


def stored_key(token):
    """A session's key as the cache's server sees it."""
    return session_cache().make_key(cache_key(token))


def cache_put(token, value, seconds=600, **options):
    session_cache().set(cache_key(token), value, seconds, **options)


def cache_get(token):
    return session_cache().get(cache_key(token))


def cache_delete(token):
    session_cache().delete(cache_key(token))


def cache_clear():
    session_cache().clear()


# The file


def session_file(token):
    return session_store(token)._key_to_file()


def run(code, names):
    """Runs statements; the answer is what they leave in the variable `answer`."""
    variables = globals() | names
    exec(code, variables)
    return variables.get("answer")


def main():
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = {"answer": globals()[question["ask"]](*question["of"], **question["with"])}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
