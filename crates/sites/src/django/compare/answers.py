"""Answers, as a Django site itself does, who an account, a session or a password is.

The files of `hallpass init` come before this, in one text. A line of JSON is a question, a line is its
answer. Nothing of the site is changed: its databases are read in transactions that are read-only
and rolled back, statements that write are refused, and stores of sessions, caches, signals and
mail are kept from writing.
"""

import contextlib
import functools
import itertools
import re
import secrets
import socket

# How many accounts are listed for a property that few have.
FEW = 10
# How many permissions are looked at for an account: of those that it holds, and of the others.
HELD, OTHERS = 15, 5
# How many accounts are read to take a sample of them, and how many keys of a cache are looked at.
MOST = 100000
# How many names or tokens a line of a list holds.
PART = 1000
# No site has a permission of this name.
MADE_UP = "hallpass.no_such_permission"
# What a statement begins with that changes nothing.
READS = ("SELECT", "(SELECT", "WITH", "SAVEPOINT", "RELEASE", "ROLLBACK", "SHOW", "EXPLAIN", "SET ")
COMMENTS = re.compile(r"\A(\s|/\*.*?\*/|--[^\n]*\n)+", re.DOTALL)
WRITES = ("SET GLOBAL", "SET PERSIST", "SET @@GLOBAL", "SET @@PERSIST")


class WriteRefused(Exception):
    """The site's code writes to a database while it answers."""


class Cannot(Exception):
    """There is no answer, for a reason in words."""


# Nothing is changed


def refuse_writes(execute, sql, params, many, context):
    """Runs a statement that only reads."""
    if hasattr(sql, "as_string"):
        # Psycopg's own composition.
        text = sql.as_string(context["connection"].connection)
    else:
        text = str(sql)
    text = " ".join(COMMENTS.sub("", text).split())
    if text.upper().startswith(READS) and not text.upper().startswith(WRITES):
        return execute(sql, params, many, context)
    raise WriteRefused(text[:60])


# How a transaction that has just begun is made one that only reads. Nothing is set for the whole
# connection, which a pooler may hand over to others; a file of SQLite has none.
READ_ONLY = {
    "postgresql": "SET TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
    "mysql": "START TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}


@contextlib.contextmanager
def reading():
    """Reads, and changes nothing, in the databases that accounts and sessions are in."""
    from django.db import connections, transaction

    for connection in connections.all():
        if connection.errors_occurred:
            connection.close()
    wrappers = contextlib.ExitStack()
    with contextlib.ExitStack() as stack:
        begun = []
        try:
            for alias in aliases():
                connection = connections[alias]
                if connection.vendor != "sqlite":
                    stack.enter_context(transaction.atomic(using=alias))
                    begun.append(alias)
                with connection.cursor() as cursor:
                    if connection.vendor in READ_ONLY:
                        cursor.execute(READ_ONLY[connection.vendor])
            for alias in connections:
                wrappers.enter_context(connections[alias].execute_wrapper(refuse_writes))
            yield
        finally:
            wrappers.close()
            for alias in begun:
                transaction.set_rollback(True, using=alias)


def aliases():
    """The databases that accounts, groups and sessions are read from."""
    from django.apps import apps
    from django.contrib.auth import get_user_model
    from django.db import router

    models = [get_user_model(), session_model(session_store())]
    models += [apps.get_model("auth", name) for name in ("Group", "Permission") if apps.is_installed("django.contrib.auth")]
    return sorted({router.db_for_read(model) for model in models if model is not None})


def nothing(*_, **__):
    """Does nothing."""


def keep_from_writing():
    """Has sessions, caches, signals and mail change nothing in this process."""
    from django.conf import settings
    from django.contrib import auth
    from django.contrib.auth import base_user, hashers
    from django.core.cache import caches

    store = session_store()

    def forget(self, *_, **__):
        self._session_cache = {}
        self._session_key = None

    for name in ("save", "delete", "create", "cycle_key", "clear_expired"):
        setattr(store, name, nothing if name != "clear_expired" else classmethod(nothing))
    store.flush = forget
    for alias in settings.CACHES:
        try:
            cache = caches[alias]
        except Exception:
            # The site fails where it asks for it.
            continue
        for name in ("set", "add", "delete", "touch", "incr", "decr", "set_many", "delete_many", "clear"):
            setattr(cache, name, nothing)
        for name in ("_delete", "_cull", "_base_delete_multi", "_base_set"):
            if hasattr(cache, name):
                setattr(cache, name, nothing)
    for signal in (auth.user_logged_in, auth.user_logged_out, auth.user_login_failed):
        signal.receivers = []
        signal.sender_receivers_cache.clear()
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    # A hash is not written anew.
    check_password = base_user.check_password

    def check(password, encoded, setter=None, preferred="default"):
        return check_password(password, encoded, None, preferred)

    base_user.check_password = check
    if hasattr(hashers, "verify_password"):
        verify_password = hashers.verify_password

        def verify(password, encoded, preferred="default"):
            return verify_password(password, encoded, preferred)[0], False

        hashers.verify_password = verify


def session_store():
    from django.conf import settings

    return importlib.import_module(settings.SESSION_ENGINE).SessionStore


# Accounts


def person(user):
    """An account, as sessions and hosts name it."""
    if user is None:
        return None
    return {"id": user._meta.pk.value_to_string(user), "name": str(user.get_username())}


def request(cookies=None):
    """A visitor's request."""
    from django.http import HttpRequest

    made = HttpRequest()
    made.method = "GET"
    made.path = made.path_info = "/"
    made.META = {"REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "localhost", "SERVER_PORT": "80", "REQUEST_METHOD": "GET"}
    made.COOKIES = cookies or {}
    return made


def named(name):
    """The account that the site calls `name`, where a backend gives it to a session."""
    from django.contrib.auth import get_backends, get_user_model

    model = get_user_model()
    try:
        user = model._default_manager.get_by_natural_key(name)
    except (model.DoesNotExist, model.MultipleObjectsReturned):
        return None
    for backend in get_backends():
        given = backend.get_user(user.pk) if hasattr(backend, "get_user") else None
        if given is not None:
            return given
    return None


def groups_of(user):
    if not hasattr(user, "groups"):
        return []
    return sorted(str(getattr(group, "name", group)) for group in user.groups.all())


@functools.lru_cache(maxsize=None)
def all_permissions():
    """The names of all permissions that there are."""
    from django.apps import apps

    if not apps.is_installed("django.contrib.auth"):
        return []
    from django.contrib.auth.models import Permission

    rows = Permission.objects.values_list("content_type__app_label", "codename")
    return sorted({"{}.{}".format(*row) for row in rows[:10000]})


def some(values, count, start=0):
    """Up to `count` of `values`, spread over all of them."""
    if len(values) <= count:
        return list(values)
    step = len(values) / count
    return [values[(start + int(number * step)) % len(values)] for number in range(count)]


def account(name):
    """What the site says of an account that may log in; None of others."""
    user = named(name)
    if user is None:
        return None
    held, permissions = [], {}
    if hasattr(user, "get_all_permissions"):
        held = sorted(user.get_all_permissions())
    if hasattr(user, "has_perm"):
        others = [it for it in all_permissions() if it not in set(held)]
        wanted = some(held, HELD) + some(others, OTHERS, sum(map(ord, name))) + [MADE_UP]
        permissions = {it: bool(user.has_perm(it)) for it in wanted}
    return dict(
        person(user),
        groups=groups_of(user),
        permissions=permissions,
        staff=bool(getattr(user, "is_staff", False)),
        superuser=bool(getattr(user, "is_superuser", False)),
    )


def wants_more(user, visited=None):
    """Whether an account has a second factor, of packages that are known, which a password does not show,
    and the session of `visited` has not."""
    from django.apps import apps

    if apps.is_installed("allauth.mfa") and visited is None:
        from allauth.mfa.utils import is_mfa_enabled

        if is_mfa_enabled(user):
            return True
    if not apps.is_installed("django_otp"):
        return False
    from django_otp import user_has_device

    if visited is not None:
        from django_otp.middleware import OTPMiddleware

        if not hasattr(user, "is_verified"):
            OTPMiddleware(nothing)(visited)
        if visited.user.is_verified():
            return False
    return user_has_device(user)


# Passwords


@contextlib.contextmanager
def asking(left_out):
    """Has Django ask all backends but those of these kinds."""
    from django.contrib import auth

    every = auth._get_backends

    def kept(return_tuples=False):
        pairs = [(backend, path) for backend, path in every(return_tuples=True) if KINDS.get(path) not in left_out]
        return pairs if return_tuples else [backend for backend, _ in pairs]

    auth._get_backends = kept
    try:
        yield
    finally:
        auth._get_backends = every


@contextlib.contextmanager
def right_passwords():
    """Has every stored hash take any password. None is computed."""
    from django.contrib.auth import hashers

    patches = {"verify": lambda *_, **__: True, "must_update": lambda *_: False, "harden_runtime": nothing}
    patches["encode"] = lambda *_, **__: "hallpass$none"
    for hasher in hashers.get_hashers():
        for name, patch in patches.items():
            setattr(hasher, name, patch)
    try:
        yield
    finally:
        for hasher in hashers.get_hashers():
            for name in patches:
                delattr(hasher, name)


def password(name, password):
    """The account that the site lets in by a name and a password, by all its backends but those that
    lock accounts out for a while."""
    from django.contrib import auth
    from django.core.exceptions import PermissionDenied

    with asking({"lockout"}):
        try:
            user = auth.authenticate(request(), username=name, password=password)
        except PermissionDenied:
            return None
    return None if user is None or wants_more(user) else person(user)


def login(name):
    """The account that the site lets in by a name and the right password, whichever that is. Other
    servers, which would count a wrong one, are not asked."""
    from django.contrib import auth
    from django.core.exceptions import PermissionDenied

    with asking({"lockout", "elsewhere"}), right_passwords():
        try:
            user = auth.authenticate(request(), username=name, password=secrets.token_urlsafe())
        except PermissionDenied:
            return None
    return None if user is None or wants_more(user) else person(user)


def wrong(name):
    """The account that the site lets in by a password that nobody has."""
    with asking({"lockout", "elsewhere"}):
        return password(name, secrets.token_urlsafe())


# Sessions


# Whom a request has been found to be of, where it has come through to the page.
REACHED = []


def page(visited):
    """Where the middleware leads."""
    from django.http import HttpResponse

    user = visited.user
    if not user.is_authenticated or wants_more(user, visited):
        user = None
    REACHED.append(person(user))
    return HttpResponse()


@functools.lru_cache(maxsize=None)
def chain():
    """The site's own middleware of sessions and accounts, and what of it decides about them, in front
    of a page."""
    from django.conf import settings
    from django.contrib.auth.middleware import AuthenticationMiddleware
    from django.contrib.sessions.middleware import SessionMiddleware
    from django.utils.module_loading import import_string

    handler, bases = page, {SessionMiddleware: False, AuthenticationMiddleware: False}
    layers = []
    for path in settings.MIDDLEWARE:
        try:
            it = import_string(path)
        except Exception:
            continue
        base = next((base for base in bases if inspect.isclass(it) and issubclass(it, base)), None)
        if base is not None:
            bases[base] = True
            layers.append(it)
        elif DECIDING.get(path) in ("ends", "user", "expiry", "idle", "replaces"):
            layers.append(it)
    if not bases[AuthenticationMiddleware]:
        layers.insert(0, AuthenticationMiddleware)
    if not bases[SessionMiddleware]:
        layers.insert(0, SessionMiddleware)
    for it in reversed(layers):
        handler = it(handler)
    return handler


def session(token):
    """Whose a live session is."""
    from django.conf import settings

    del REACHED[:]
    chain()(request({settings.SESSION_COOKIE_NAME: token}))
    # Middleware that answers in place of the page lets nobody in.
    return REACHED[0] if REACHED else None


# Lists


def spread(accounts, sessions):
    """Accounts and sessions of the site: at most so many, or all where None. In parts, and whether more
    follow."""
    tokens, unlisted = [], None
    try:
        tokens = [token for token in list_sessions(sessions) if isinstance(token, str)][: sessions and sessions + FEW]
    except Cannot as error:
        unlisted = str(error)
    total, rows = list_accounts(accounts)
    names = named_rows(rows)
    while True:
        some_names = list(itertools.islice(names, PART))
        some_tokens, tokens = (tokens[:PART], tokens[PART:]) if len(some_names) < PART else ([], tokens)
        more = len(some_names) == PART or len(some_tokens) == PART
        listed = {"names": some_names, "count": total}
        yield {"accounts": listed, "sessions": some_tokens, "unlisted": unlisted}, more
        if not more:
            return


def named_rows(rows):
    """What people type to say who they are, of each account once."""
    seen = set()
    for row in rows:
        name = "" if row[0] is None else str(row[0])
        if name and name not in seen:
            seen.add(name)
            yield {"name": name, "email": str(row[1] or "") if len(row) > 1 else ""}


def list_accounts(count):
    """How many accounts there are, and names and e-mail addresses of some, of all sorts, by the database
    and no rule of the site."""
    from django.contrib.auth import get_user_model
    from django.db.models import Manager

    model = get_user_model()
    everybody = Manager()
    everybody.model = model
    field = model.get_email_field_name() if hasattr(model, "get_email_field_name") else "email"
    fields = {field.name for field in model._meta.concrete_fields}
    columns = [model.USERNAME_FIELD] + ([field] if field in fields else [])
    rows = everybody.order_by("pk").values_list(*columns)
    total = everybody.count()
    if count is None or total <= count:
        # Where all are wanted, they are not all kept.
        return total, rows.iterator(chunk_size=2000)
    else:
        if total > MOST:
            half = (count + 1) // 2
            found = list(rows[:half]) + list(rows.reverse()[: count - half])
        else:
            step = total / count
            wanted = {int(number * step) for number in range(count)}
            found = [row for number, row in enumerate(rows.iterator()) if number in wanted]
        # Those that few sites have many of, or that rules are about.
        for name, value in (("is_active", False), ("is_superuser", True), ("is_staff", True)):
            if name in fields:
                found += list(rows.filter(**{name: value})[:FEW])
    return total, found


def list_sessions(count):
    """Tokens of sessions: the newest, and a few that have ended."""
    from django.conf import settings
    from django.contrib.sessions.backends import cache as in_cache
    from django.contrib.sessions.backends import cached_db, file, signed_cookies

    store = session_store()
    model = session_model(store)
    if model is not None:
        return sessions_in_table(model, count)
    if issubclass(store, file.SessionStore):
        directory, prefix = store._get_storage_path(), settings.SESSION_COOKIE_NAME
        with os.scandir(directory) as entries:
            found = [(entry.stat().st_mtime, entry.name) for entry in entries if entry.name.startswith(prefix)]
        found.sort(reverse=True)
        names = [name[len(prefix) :] for _, name in found]
        return [name for name in names if re.match(r"[a-z0-9]{32}\Z", name)][:count]
    if issubclass(store, signed_cookies.SessionStore):
        return sessions_in_cookies(store, count)
    if issubclass(store, (in_cache.SessionStore, cached_db.SessionStore)):
        found = sessions_in_cache(store, count)
        return [token for token in found if store(token).exists(token)]
    raise Cannot("{} does not tell which sessions it has".format(settings.SESSION_ENGINE))


def sessions_in_table(model, count):
    from django.db.models import Manager
    from django.utils import timezone

    every = Manager()
    every.model = model
    rows = every.values_list("session_key", flat=True)
    now = timezone.now()
    live = rows.filter(expire_date__gt=now).order_by("-expire_date")
    ended = rows.filter(expire_date__lte=now).order_by("-expire_date")[:FEW]
    return list(live if count is None else live[:count]) + list(ended)


def sessions_in_cookies(store, count):
    """Nobody keeps them: they are made here as the site would, in memory."""
    from django.contrib import auth
    from django.contrib.auth import get_user_model

    found = []
    model = get_user_model()
    backend = next(path for path in auth.settings.AUTHENTICATION_BACKENDS if KINDS.get(path) != "lockout")
    for user in model._default_manager.order_by("-pk")[: count or 10000]:
        made = store()
        made[auth.SESSION_KEY] = user._meta.pk.value_to_string(user)
        made[auth.BACKEND_SESSION_KEY] = backend
        if hasattr(user, "get_session_auth_hash"):
            made[auth.HASH_SESSION_KEY] = user.get_session_auth_hash()
        found.append(made._get_session_key())
    return found


def sessions_in_cache(store, count):
    """What a cache tells of its keys, whichever way the site makes them."""
    from django.conf import settings
    from django.core.cache import caches

    cache = caches[settings.SESSION_CACHE_ALIAS]
    pattern = re.compile(re.escape(store.cache_key_prefix) + r"([a-z0-9]{32})(?![a-z0-9])")
    found = []
    for looked, key in enumerate(keys_of(cache)):
        if count is not None and looked > MOST:
            break
        match = pattern.search(key)
        if match:
            found.append(match.group(1))
            if count is not None and len(found) >= count:
                break
    return found


def keys_of(cache):
    """The keys that a cache has, as its server sees them."""
    module = " ".join("{}.{}".format(base.__module__, base.__name__) for base in type(cache).__mro__)
    if "django_redis" in module:
        keys = cache.client.get_client(write=False).scan_iter(count=1000)
    elif "RedisCache" in module:
        keys = cache._cache.get_client(None, write=False).scan_iter(count=1000)
    elif "Memcached" in module or "PyMemcache" in module or "PyLibMC" in module:
        keys = (key for server in cache._servers for key in keys_of_memcached(server))
    elif "DatabaseCache" in module:
        keys = keys_of_table(cache)
    else:
        raise Cannot("{} does not tell which keys it has".format(name_of(type(cache))))
    for key in keys:
        yield key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)


def keys_of_table(cache):
    from django.db import connections, router

    connection = connections[router.db_for_read(cache.cache_model_class)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key FROM {}".format(connection.ops.quote_name(cache._table)))
        return [row[0] for row in cursor.fetchall()]


def keys_of_memcached(server):
    """By `lru_crawler metadump`, which memcached has from 1.4.31 on."""
    from urllib.parse import unquote

    if isinstance(server, (list, tuple)):
        server = ":".join(map(str, server))
    if server.startswith(("unix:", "/")):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        connection.connect(server[5:] if server.startswith("unix:") else server)
    else:
        host, _, port = server.rpartition(":")
        connection = socket.create_connection((host.strip("[]") or server, int(port or 11211)), timeout=10)
    with connection, connection.makefile("rwb") as stream:
        stream.write(b"lru_crawler metadump all\r\n")
        stream.flush()
        for line in stream:
            if not line.startswith(b"key="):
                break
            yield unquote(line.split()[0][4:].decode("ascii", "replace"))


# Questions and answers

QUESTIONS = {
    "account": account,
    "login": login,
    "password": password,
    "session": session,
    "wrong": wrong,
}
# What backends do, and what middleware does, by their dotted names.
KINDS, DECIDING = {}, {}


def away(error):
    """Whether an exception says that a store cannot be asked."""
    from django.db import InterfaceError, OperationalError

    return isinstance(error, (InterfaceError, OperationalError, ConnectionError, TimeoutError))


def answers(question):
    """The answer to a question; of a list, one after the other. Where Django raises, a visitor sees an
    error page and is nobody."""
    name = question.pop("ask")
    try:
        with reading():
            if name == "list":
                for part, more in spread(**question):
                    yield {"answer": part, "more": more}
            else:
                yield {"answer": QUESTIONS[name](**question)}
    except WriteRefused as error:
        yield {"cannot": "the site's code writes to the database while it answers: {}".format(error)}
    except Cannot as error:
        yield {"cannot": str(error)}
    except Exception as error:
        if name == "list" or away(error):
            yield {"cannot": "{}: {}".format(type(error).__name__, error)}
        else:
            yield {"answer": None, "raised": type(error).__name__}


def about():
    """What the site is, and what of it is not asked."""
    import django
    from django.conf import settings
    from django.contrib.auth import get_user_model

    notes = []
    found = rules(session_store(), session_model(session_store()))
    for backend in found["backends"]:
        KINDS[backend["path"]] = backend["authenticate"]
        if backend["authenticate"] == "lockout":
            notes.append("{} locks accounts out for a while, which is not compared".format(backend["path"]))
        if backend["authenticate"] == "elsewhere":
            notes.append("{} asks elsewhere, and is asked about no password but a typed one".format(backend["path"]))
    for middleware in found["middleware"]:
        DECIDING[middleware["path"]] = middleware["does"]
        if middleware["does"] in ("broken", "remote-user"):
            notes.append("{} is not asked".format(middleware["path"]))
    factors = found["second_factors"]
    for factor in factors["others"]:
        notes.append("{}: what its login page asks for besides a password".format(factor))
    return {
        "software": "Django {} with {}".format(django.get_version(), settings.SETTINGS_MODULE),
        "notes": notes,
    }


def tell(line, output):
    output.write("hallpass:" + json.dumps(line) + "\n")
    output.flush()


def converse():
    output = os.fdopen(os.dup(1), "w")
    # What the site prints does not mix with the answers.
    os.dup2(2, 1)
    questions = sys.stdin.buffer
    # Should nobody be left to wait for it.
    signal.alarm(int(SECONDS) + 5)
    begin()
    if tenant(SCHEMA) and not SCHEMA:
        sys.exit("each tenant of this site is a site by itself: --schema names one")
    keep_from_writing()
    tell(about(), output)
    for line in questions:
        signal.alarm(int(SECONDS) + 5)
        for said in answers(json.loads(line.decode())):
            tell(said, output)
            signal.alarm(int(SECONDS) + 5)
    output.flush()
    # Whatever the site has started does not go on.
    os._exit(0)


converse()
