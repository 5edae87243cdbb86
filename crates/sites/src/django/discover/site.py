"""Says what a Django site is made of: one JSON object, on standard output.

The site's own Python reads this from standard input, in the directory of manage.py. Nothing of
the site is changed: no command is run, no log is opened, no bytecode written, and no query is made
but one that counts accounts, where the default manager leaves some out. rules.py comes before this.

Arguments: the path of manage.py or nothing; the settings module or nothing; seconds to live.
Runs on every Python that Django 2.2 to 5.2 runs on.
"""

import configparser
import importlib
import json
import os
import runpy
import signal
import sys
import tempfile

MANAGE, SETTINGS, SECONDS = sys.argv[1:4]


class Reached(BaseException):
    """manage.py has come to where its command would begin."""


def begin():
    """Does to the environment what the site does before it reads its settings."""
    sys.path[:1] = [os.getcwd()]
    sys.dont_write_bytecode = True
    try:
        import django
        from django.core import management
    except ImportError as error:
        sys.exit("{} has no Django: {}".format(sys.executable, error))
    if django.VERSION < (2, 2):
        sys.exit("Django {} is older than 2.2".format(django.get_version()))
    if SETTINGS:
        os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    if MANAGE:

        def stop(*_):
            raise Reached

        management.ManagementUtility.execute = stop
        sys.argv = [MANAGE, "check"]
        try:
            runpy.run_path(MANAGE, run_name="__main__")
        except Reached:
            pass
    if SETTINGS:
        os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        sys.exit("nothing names the settings: give --settings")
    from django.conf import settings

    # Who asks here may not be who may write to the site's logs, or own them.
    settings.LOGGING_CONFIG = None
    django.setup()


def secret(value):
    """The bytes of a secret, as numbers."""
    return list(value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape"))


def database(model):
    """The database that has the table of `model`."""
    from django.db import connections, router

    alias = router.db_for_read(model)
    connection = connections[alias]
    entry = connection.settings_dict
    options = dict(entry.get("OPTIONS") or {})
    found = {key: str(entry.get(key.upper()) or "") for key in ("name", "host", "port", "user")}
    password = entry.get("PASSWORD") or ""
    path = options.pop("read_default_file", None)
    if path and connection.vendor == "mysql":
        # The client reads it for what the settings do not say.
        groups = ["client", "client-server", options.pop("read_default_group", None)]
        for key, value in option_file(str(path), groups).items():
            key = {"database": "name", "socket": "unix_socket"}.get(key, key)
            if key == "password":
                password = password or value
            elif key == "unix_socket":
                options.setdefault(key, value)
            elif key in found:
                found[key] = found[key] or value
    if password:
        found["password"] = secret(password)
    # The zone of datetimes without one: only where the database has no better.
    zone = connection.timezone_name if connection.vendor != "postgresql" else "UTC"
    return dict(
        found, alias=alias, engine=entry["ENGINE"], vendor=connection.vendor, options=options, zone=zone
    )


def option_file(path, groups):
    """What a my.cnf says to clients."""
    parser = configparser.RawConfigParser(
        allow_no_value=True, strict=False, delimiters=["="], inline_comment_prefixes=["#"]
    )
    with open(os.path.expanduser(path)) as file:
        parser.read_file(file)
    found = {}
    for group in groups:
        if group and parser.has_section(group):
            for key, value in parser.items(group):
                value = (value or "").strip()
                if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                    value = value[1:-1]
                found[key.replace("-", "_")] = value
    return found


def user():
    """The user model's tables and columns."""
    from django.contrib.auth import get_user_model
    from django.core.exceptions import FieldDoesNotExist

    model = get_user_model()
    meta = model._meta

    def field(name):
        try:
            return meta.get_field(name)
        except FieldDoesNotExist:
            return None

    def column(name):
        found = field(name)
        if found is None or not getattr(found, "column", None):
            return None
        return {"table": found.model._meta.db_table, "column": found.column}

    def many(name, target):
        found = field(name)
        if found is None or not found.many_to_many:
            return None
        return {
            "table": found.m2m_db_table(),
            "user": found.m2m_column_name(),
            "other": found.m2m_reverse_name(),
            "usual": found.related_model._meta.label == target,
        }

    return {
        "model": meta.label,
        "table": meta.db_table,
        "id": {"table": meta.pk.model._meta.db_table, "column": meta.pk.column},
        "username_field": model.USERNAME_FIELD,
        "username": column(model.USERNAME_FIELD),
        "password": column("password"),
        "active": column("is_active"),
        "superuser": column("is_superuser"),
        "staff": column("is_staff"),
        "email": column(model.get_email_field_name()) if hasattr(model, "get_email_field_name") else None,
        "groups": many("groups", "auth.Group"),
        "permissions": many("user_permissions", "auth.Permission"),
    }


def session_model(store):
    """The model of the sessions of an engine, where it has one."""
    from django.apps import apps

    if hasattr(store, "get_model_class"):
        return store.get_model_class()
    if apps.is_installed("user_sessions"):
        return apps.get_model("user_sessions", "Session")
    return None


def sessions(store):
    """The session engine, and what is around it."""
    from django.conf import settings

    modules = [cls.__module__ for cls in store.__mro__]
    salt = getattr(store.__new__(store), "key_salt", None)
    found = {
        "engine": settings.SESSION_ENGINE,
        "modules": modules,
        "salt": str(salt or "django.contrib.sessions." + store.__qualname__),
        "cookie_name": settings.SESSION_COOKIE_NAME,
        "cookie_age": settings.SESSION_COOKIE_AGE,
        "file_path": str(settings.SESSION_FILE_PATH or tempfile.gettempdir()),
        "serializer": names_of(settings.SESSION_SERIALIZER),
        "own_loads": own_loads(class_of(settings.SESSION_SERIALIZER)),
        "cache_key_prefix": getattr(store, "cache_key_prefix", None),
        "cache": cache(settings.SESSION_CACHE_ALIAS),
    }
    model = session_model(store)
    if model is not None:
        from django.db import router

        found["table"] = model._meta.db_table
        found["alias"] = router.db_for_read(model)
    return found


def class_of(path):
    """The class of a dotted name, if there is one."""
    from django.utils.module_loading import import_string

    try:
        return import_string(path)
    except ImportError:
        return None


def names_of(path):
    """The dotted name of a class, then those of the classes that it is made of."""
    cls = class_of(path)
    if cls is None:
        return [path]
    return [path] + ["{}.{}".format(base.__module__, base.__name__) for base in cls.__mro__]


def cache(alias):
    """An entry of CACHES."""
    from django.conf import settings

    entry = settings.CACHES.get(alias)
    if entry is None:
        return None
    location = entry.get("LOCATION") or []
    location = [location] if isinstance(location, (str, bytes)) or hasattr(location, "__fspath__") else location
    return {
        "alias": alias,
        "backend": names_of(entry["BACKEND"]),
        "location": [
            ":".join(map(str, item)) if isinstance(item, (list, tuple)) else str(item) for item in location
        ],
        "options": entry.get("OPTIONS") or {},
        "client": client(entry.get("OPTIONS") or {}),
        "key_prefix": str(entry.get("KEY_PREFIX") or ""),
        "version": entry.get("VERSION", 1),
        "own_keys": entry.get("KEY_FUNCTION") is not None,
    }


def client(options):
    """The classes that the client of django-redis is made of, where an entry names one."""
    try:
        return names_of(options["CLIENT_CLASS"])
    except (ImportError, KeyError, TypeError):
        return []


def site():
    """All of it."""
    import django
    from django.apps import apps
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.contrib.auth.hashers import get_hashers

    store = importlib.import_module(settings.SESSION_ENGINE).SessionStore
    return {
        "version": "{}.{}".format(*django.VERSION[:2]),
        "settings": os.environ["DJANGO_SETTINGS_MODULE"],
        "database": database(get_user_model()),
        "user": user(),
        "sessions": sessions(store),
        "secret_keys": [secret(settings.SECRET_KEY)]
        + [secret(key) for key in getattr(settings, "SECRET_KEY_FALLBACKS", [])],
        "rules": rules(store, session_model(store)),
        "hashers": [str(hasher.algorithm) for hasher in get_hashers()],
        "authtoken": apps.is_installed("rest_framework.authtoken"),
    }


def main():
    # What the site prints does not mix with the answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Should nobody be left to wait for it.
    signal.alarm(int(SECONDS) + 5)
    begin()
    json.dump(site(), answer, default=str)
    answer.flush()
    # Whatever the site has started does not go on.
    os._exit(0)
