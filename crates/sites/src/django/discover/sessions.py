"""Says where a site's sessions are, and how they are written.

This comes between database.py and site.py, in one text. Of the site's own code the functions are
called that make keys of caches and that write and read sessions, with data that is made up. Runs on
every Python that Django 2.2 to 5.2 runs on.
"""

import json
import pickle
import tempfile

# What stands for a session's key, and what for its data.
SAMPLE_KEYS = ["abcdefghijklmnopqrstuvwxyz012345", "9876543210zyxwvutsrqponmlkjihgfe"]
SAMPLE_DATA = {"_auth_user_id": "1", "_auth_user_backend": "a.B", "_auth_user_hash": "0f", "cart": [1, None]}


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
        "cookie": {
            "domain": str(settings.SESSION_COOKIE_DOMAIN or ""),
            "path": str(settings.SESSION_COOKIE_PATH or ""),
            "same_site": str(settings.SESSION_COOKIE_SAMESITE or ""),
            "secure": bool(settings.SESSION_COOKIE_SECURE),
        },
        "file_path": str(settings.SESSION_FILE_PATH or tempfile.gettempdir()),
        "serializer": settings.SESSION_SERIALIZER,
        "writes": writes(settings.SESSION_SERIALIZER),
        "cache": cache(settings.SESSION_CACHE_ALIAS, getattr(store, "cache_key_prefix", None)),
        "redis": redis_sessions(store),
    }
    model = session_model(store)
    if model is not None:
        alias = alias_of(model)
        found["table"] = table_name(model._meta.db_table, alias)
        found["database"] = database(alias)
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


def writes(path):
    """How a serializer writes sessions: "json" or "pickle", where it reads and writes them as
    Django's own does; else why that is not known."""
    serializer = class_of(path)
    if serializer is None:
        return "it cannot be imported"
    for cls in serializer.__mro__:
        if is_djangos(cls) or cls.__module__.startswith("django.core."):
            break
        if "loads" in vars(cls) and "dumps" not in vars(cls):
            return "it reads sessions in a way of its own"
    try:
        written = serializer().dumps(SAMPLE_DATA)
        if serializer().loads(written) != SAMPLE_DATA:
            return "it does not read what it has written"
    except Exception as error:
        return "it fails: {}".format(type(error).__name__)
    for word, read in (("json", json.loads), ("pickle", pickle.loads)):
        try:
            if read(written) == SAMPLE_DATA:
                return word
        except Exception:
            continue
    return "it writes neither JSON nor pickles"


def cache(alias, session_prefix):
    """An entry of CACHES."""
    from django.conf import settings

    entry = settings.CACHES.get(alias)
    if entry is None:
        return None
    location = entry.get("LOCATION") or []
    location = [location] if isinstance(location, (str, bytes)) or hasattr(location, "__fspath__") else location
    options = dict(entry.get("OPTIONS") or {})
    found = {}
    if "django.core.cache.backends.db.DatabaseCache" in names_of(entry["BACKEND"]):
        from django.core.cache.backends.db import Options

        # As BaseDatabaseCache asks the router.
        of_table = alias_of(type("CacheEntry", (), {"_meta": Options(str(location[0]))}))
        location = [table_name(str(location[0]), of_table)]
        found["database"] = database(of_table)
    return {
        **found,
        "alias": alias,
        "backend": names_of(entry["BACKEND"]),
        "location": [
            ":".join(map(str, item)) if isinstance(item, (list, tuple)) else str(item) for item in location
        ],
        "options": options,
        "client": client(options),
        "key_prefix": str(entry.get("KEY_PREFIX") or ""),
        "version": entry.get("VERSION", 1),
        "key": session_cache_key(entry, session_prefix),
    }


def session_cache_key(entry, session_prefix):
    """What stands before and after a session's key in the cache; why that is not known."""
    from django.core.cache.backends.base import get_key_func

    prefix, version = str(entry.get("KEY_PREFIX") or ""), entry.get("VERSION", 1)
    found = []
    try:
        function = get_key_func(entry.get("KEY_FUNCTION"))
        for sample in SAMPLE_KEYS:
            key = str(function("{}{}".format(session_prefix or "", sample), prefix, version))
            if key.count(sample) != 1:
                return "its KEY_FUNCTION does not put a session's key into the cache's as it is"
            found.append(key.split(sample))
    except Exception as error:
        return "its KEY_FUNCTION fails: {}".format(type(error).__name__)
    if found[0] != found[1]:
        return "its KEY_FUNCTION makes keys that differ in more than the session's"
    return found[0]


def client(options):
    """The classes that the client of django-redis is made of, where an entry names one."""
    try:
        return names_of(options["CLIENT_CLASS"])
    except (ImportError, KeyError, TypeError):
        return []


def redis_sessions(store):
    """Where the sessions of django-redis-sessions are; None for those of others."""
    if not any(cls.__module__ == "redis_sessions.session" for cls in store.__mro__):
        return None
    from redis_sessions import settings

    found = {}
    for name in dir(settings):
        if name.startswith("SESSION_REDIS_"):
            found[name[len("SESSION_REDIS_") :].lower()] = getattr(settings, name)
    keys = [store.__new__(store).get_real_stored_key(sample).split(sample) for sample in SAMPLE_KEYS]
    if len(keys[0]) == 2 and keys[0] == keys[1]:
        found["key"] = keys[0]
    return found
