"""Finds the rules of a Django site that stand outside its columns, in the site's own Python.

Only facts are gathered here: which code of the site's own stands where Django's would, and what it
is made of. What follows from them is decided by the program that reads them. Code of the site is
looked at, and not called, but for `get_queryset` of the default manager, which makes no query.

This comes before site.py, in one text. Runs on every Python that Django 2.2 to 5.2 runs on.
"""

import builtins
import dis
import inspect
import re
import threading
import types

# Methods that decide what an account may do, on the user model and on backends.
PERMISSIONS = (
    "has_perm",
    "has_perms",
    "has_module_perms",
    "get_all_permissions",
    "get_group_permissions",
    "get_user_permissions",
    "_get_permissions",
    "_get_group_permissions",
    "_get_user_permissions",
)

# Packages whose backends take no password of the site's own database, and refuse nobody whom the
# next backend takes: SSO, directories, permissions of objects.
ELSEWHERE = {
    "cas",
    "django_auth_adfs",
    "django_auth_ldap",
    "django_cas_ng",
    "django_python3_ldap",
    "djangosaml2",
    "guardian",
    "mozilla_django_oidc",
    "oauth2_provider",
    "rules",
    "sesame",
    "social_core",
    "social_django",
}
# Packages whose backends refuse for a while, and let nobody in.
LOCKOUTS = {"axes", "defender"}
# Packages whose backends take the site's own passwords, as ModelBackend does.
LIKE_DJANGO = {"allauth"}

# Second factors whose tables are known: the application, and the model.
SECOND_FACTORS = [("mfa", "Authenticator")]
# Applications of second factors whose tables are not known: whether a session begins before its
# owner has shown one.
OTHER_SECOND_FACTORS = {
    "deux": False,
    "django_mfa": True,
    "kagi": False,
    "mfa": False,
    "multifactor": True,
    "trench": False,
    "u2f": False,
}

# What a method may mention that looks accounts up and checks their passwords, and does nothing else.
PLAIN_ATTRIBUTES = {
    "DoesNotExist",
    "EMAIL_FIELD",
    "MultipleObjectsReturned",
    "USERNAME_FIELD",
    "_default_manager",
    "authenticate",
    "check_password",
    "exists",
    "filter",
    "first",
    "format",
    "get",
    "get_by_natural_key",
    "get_email_field_name",
    "get_user",
    "is_active",
    "lower",
    "model",
    "objects",
    "order_by",
    "password",
    "set_password",
    "strip",
    "user_can_authenticate",
}
PLAIN_WORDS = {
    "",
    "@",
    "email",
    "email__exact",
    "email__iexact",
    "id",
    "is_active",
    "password",
    "pk",
    "request",
    "user_id",
    "username",
    "username__exact",
    "username__iexact",
    "__exact",
    "__iexact",
    "{}__exact",
    "{}__iexact",
    "%s__iexact",
}


def name_of(thing):
    """The dotted name of a class or function."""
    return "{}.{}".format(getattr(thing, "__module__", "?"), getattr(thing, "__qualname__", "?"))


def package(thing):
    """The package that a class or function is of."""
    return (getattr(thing, "__module__", None) or "").split(".")[0]


def is_djangos(thing):
    """Whether a class or function is of Django's own accounts and sessions."""
    module = (getattr(thing, "__module__", None) or "") + "."
    return module.startswith(("django.contrib.auth.", "django.contrib.sessions."))


def function_of(attribute):
    """The function behind a method, property or class method."""
    for inside in ("fget", "func", "__func__"):
        attribute = getattr(attribute, inside, None) or attribute
    return attribute


def definitions(cls, name):
    """What `cls` and the classes that it is made of call `name`, the first one first."""
    return [function_of(vars(base)[name]) for base in cls.__mro__ if name in vars(base)]


def codes(function):
    """The code of a function, and of those inside it."""
    waiting = [getattr(function, "__code__", None)]
    while waiting:
        code = waiting.pop()
        if code is not None:
            yield code
            waiting.extend(constant for constant in code.co_consts if isinstance(constant, types.CodeType))


def mentions(function):
    """The names of attributes and the values of globals that a function mentions, its constants,
    and the attributes that it sets."""
    attributes, values, constants, stored = set(), [], [], set()
    space = getattr(function, "__globals__", {})
    for code in codes(function):
        constants.extend(code.co_consts)
        for instruction in dis.get_instructions(code):
            name, operation = instruction.argval, instruction.opname
            if operation in ("LOAD_GLOBAL", "LOAD_NAME"):
                values.append(space.get(name, getattr(builtins, name, None)))
            elif operation.startswith("STORE_ATTR"):
                stored.add(name)
            elif operation.startswith(("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "LOAD_SUPER_METHOD")):
                attributes.add(name)
            elif operation.startswith(("IMPORT_", "STORE_GLOBAL", "DELETE_", "STORE_SUBSCR", "LOAD_CLASSDEREF")):
                attributes.add(operation)
    return attributes, values, constants, stored


# What a method of each name must come to, so that one which mentions nothing is not plain.
PURPOSE = {
    "authenticate": {"check_password"},
    "check_password": {"check_password"},
    "get_by_natural_key": {"get", "first"},
    "get_user": {"get", "first"},
}


def is_plain(function, name, model, same_objects):
    """Whether a function does nothing but look accounts up by what was typed, and check their
    passwords. It is one that mentions nothing else, so that no rule can be in it."""
    from django.contrib.auth import backends, get_user_model, hashers
    from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist
    from django.db.models import Q

    if not isinstance(function, types.FunctionType) or hasattr(function, "__wrapped__"):
        return False
    defaults = list(function.__defaults__ or ()) + list((function.__kwdefaults__ or {}).values())
    inside = set(function.__code__.co_freevars)
    if inside - {"__class__"} or any(value is not None for value in defaults):
        return False
    known = [model, get_user_model, Q, hashers.check_password, ObjectDoesNotExist, MultipleObjectsReturned]
    known += [super, str, len, isinstance, getattr, print, Exception, ValueError, TypeError]
    known += [getattr(backends, base, None) for base in ("ModelBackend", "BaseBackend")]
    words = PLAIN_WORDS | {function.__doc__, function.__name__, function.__qualname__}
    for field in (model.USERNAME_FIELD, getattr(model, "EMAIL_FIELD", "email")):
        words |= {field, field + "__exact", field + "__iexact"}

    def is_known(constant):
        if isinstance(constant, tuple):
            return all(is_known(item) for item in constant)
        if isinstance(constant, (types.CodeType, bool, type(None), type(Ellipsis))):
            return True
        return isinstance(constant, str) and constant in words

    attributes, values, constants, stored = mentions(function)
    if "objects" in attributes and not same_objects:
        return False
    purpose = PURPOSE[name] & attributes or hashers.check_password in values or super in values
    return (
        bool(purpose)
        and attributes <= PLAIN_ATTRIBUTES
        and not stored
        and all(any(value is it for it in known) for value in values)
        and all(is_known(constant) for constant in constants)
    )


def is_always_true(function):
    """Whether a function says yes to everybody."""
    attributes, values, constants, stored = mentions(function)
    simple = isinstance(function, types.FunctionType) and not (attributes or values or stored)
    return simple and all(it is True or it is None or it == function.__doc__ for it in constants) and True in constants


def how(cls, name, plain):
    """Whose method `name` of `cls` is: "django", "plain", "own", "none", or "elsewhere", "like-django"
    and "lockout" for what other packages have."""
    for function in definitions(cls, name):
        if is_djangos(function):
            return "django"
        for packages, word in (
            (ELSEWHERE, "elsewhere"),
            (LOCKOUTS, "lockout"),
            (LIKE_DJANGO, "like-django"),
        ):
            if package(function) in packages:
                return word
        if name not in PURPOSE or not plain(function, name):
            return "own"
        if super not in mentions(function)[1]:
            return "plain"
    return "none"


def takes_passwords(cls, model):
    """Whether Django gives this backend a name, or an address, and a password: it passes over those
    that take others (`authenticate` in contrib/auth/__init__.py)."""
    for name in {"username", "email", model.USERNAME_FIELD}:
        try:
            inspect.signature(cls.authenticate).bind(None, None, **{name: "", "password": ""})
        except (AttributeError, TypeError, ValueError):
            continue
        return True
    return False


def backend_rules(paths, model, plain):
    """What each authentication backend has of its own."""
    from django.contrib.auth import backends
    from django.utils.module_loading import import_string

    base = getattr(backends, "BaseBackend", None)
    everybody = {
        getattr(backends, name).user_can_authenticate
        for name in ("AllowAllUsersModelBackend", "AllowAllUsersRemoteUserBackend")
        if hasattr(backends, name)
    }

    def method(cls, name):
        if base and getattr(cls, name, None) is getattr(base, name, None):
            return "none"
        return how(cls, name, plain)

    def lets_everybody(cls):
        function = getattr(cls, "user_can_authenticate", None)
        return function in everybody or (function is not None and is_always_true(function))

    found = []
    for path in paths:
        cls = import_string(path)
        may = "all" if lets_everybody(cls) else method(cls, "user_can_authenticate")
        found.append(
            {
                "path": path,
                "takes_passwords": takes_passwords(cls, model),
                "authenticate": method(cls, "authenticate"),
                "user_can_authenticate": may,
                "get_user": method(cls, "get_user"),
                "permissions": [name for name in PERMISSIONS if how(cls, name, plain) not in ("django", "none")],
                "holds_permissions": issubclass(cls, backends.ModelBackend),
            }
        )
    return found


def model_rules(model, plain):
    """What of Django's own the user model replaces, and is not plain."""
    names = ["check_password", "get_username", "is_authenticated"]
    names += ["get_session_auth_hash", "_get_session_auth_hash", "get_session_auth_fallback_hash"]
    names += [name for name in PERMISSIONS if not name.startswith("_")]
    found = [name for name in names if how(model, name, plain) not in ("django", "plain", "none")]
    if "is_authenticated" in found and is_always_true(definitions(model, "is_authenticated")[0]):
        found.remove("is_authenticated")
    field = {field.name: field for field in model._meta.concrete_fields}.get("is_active")
    if field is None:
        if getattr(model, "is_active", True) is not True:
            found.append("is_active")
    elif not type(field).__module__.startswith("django.db.models.") and hasattr(field, "from_db_value"):
        found.append("is_active")
    if not hasattr(model, "get_session_auth_hash"):
        found.append("no get_session_auth_hash")
    return found


class NotSimple(Exception):
    """A condition is more than one on the account's own row."""


def literal(value, vendor):
    """A value as SQL has it."""
    if isinstance(value, bool):
        return str(value).lower() if vendor == "postgresql" else str(int(value))
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, str) and re.match(r"[A-Za-z0-9_. +@/-]*\Z", value):
        return "'{}'".format(str.__str__(value))
    raise NotSimple("it compares with {!r}".format(value))


def must_be_simple(node, model):
    """Raises unless a node of a WHERE compares columns of the account's own row with values."""
    from django.db.models import lookups
    from django.db.models.expressions import Col
    from django.db.models.sql.where import WhereNode

    if isinstance(node, WhereNode):
        for child in node.children:
            must_be_simple(child, model)
        return
    if not isinstance(node, lookups.Lookup):
        raise NotSimple("it is {}".format(type(node).__name__))
    # Others may compare with a time that passes.
    names = ("exact", "isnull", "in")
    if type(node).__module__.split(".")[0] != "django" or node.lookup_name not in names:
        raise NotSimple("it asks for {}".format(node.lookup_name))
    table = model._meta.db_table
    if not isinstance(node.lhs, Col) or node.lhs.alias != table or node.lhs.target.model._meta.db_table != table:
        raise NotSimple("it is about more than the account's own row")
    values = node.rhs if isinstance(node.rhs, (list, tuple, set, frozenset)) else [node.rhs]
    if not all(isinstance(value, (bool, int, str)) for value in values):
        raise NotSimple("it compares {} with what is no plain value".format(node.lhs.target.column))


def condition(manager, model, connection):
    """The condition in SQL that accounts meet which `manager` gives: for Hallpass, where their table
    is called `account`, and for the site's database. None where it gives all."""
    from django.db.models import query as queries

    queryset = manager.all()
    for name in ("get", "filter", "_filter_or_exclude", "_filter_or_exclude_inplace"):
        if getattr(type(queryset), name, None) is not getattr(queries.QuerySet, name, None):
            raise NotSimple("{} has a {} of its own".format(name_of(type(queryset)), name))
    for name in ("get", "filter"):
        function = function_of(getattr(type(manager), name))
        if package(function) != "django":
            raise NotSimple("{} has a {} of its own".format(name_of(type(manager)), name))
    query = queryset.query
    if query.is_sliced if hasattr(query, "is_sliced") else not query.can_filter():
        raise NotSimple("it is a part of the accounts")
    if query.combinator or query.distinct or query.annotations or query.extra:
        raise NotSimple("it is more than a condition")
    if len(query.alias_map) > 1:
        raise NotSimple("it joins other tables")
    if not query.where.children:
        return None
    must_be_simple(query.where, model)
    where = query.where.clone()
    where.relabel_aliases({model._meta.db_table: "account"})
    sql, parameters = where.as_sql(query.get_compiler(connection=connection), connection)
    theirs = sql % tuple(literal(value, connection.vendor) for value in parameters)
    ours = theirs.replace("`", '"')
    if not re.match(r"[A-Za-z0-9_. +@/'\"()=<>,-]*\Z", ours):
        raise NotSimple("it is {}".format(ours))
    return ours, theirs


def count(manager, model, alias, theirs):
    """Whether as many accounts meet the condition as `manager` gives: True, False, or why that is
    not known. It is asked beside, and not for long."""
    answers = []

    def ask():
        from django.db import connections

        connection = connections[alias]
        quote = connection.ops.quote_name
        sql = "SELECT COUNT(*) FROM {} {} WHERE {}".format(quote(model._meta.db_table), quote("account"), theirs)
        try:
            # Accounts come and go meanwhile.
            for _ in range(5):
                with connection.cursor() as cursor:
                    cursor.execute(sql)
                    found = cursor.fetchone()[0]
                if found == manager.using(alias).count():
                    answers.append(True)
                    return
            answers.append(False)
        except Exception as error:
            answers.append(str(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(10)
    return answers[0] if answers else "the database has not answered within 10 seconds"


def manager_rules(model, plain):
    """Which accounts the default manager leaves out, and how it finds one by a name."""
    from django.db import connections, router

    manager, alias = model._default_manager, router.db_for_read(model)
    found = {
        "name": name_of(type(manager)),
        "natural_key": how(type(manager), "get_by_natural_key", plain),
        "where": None,
        "why": None,
        "counted": None,
    }
    try:
        conditions = condition(manager, model, connections[alias])
    except Exception as error:
        found["why"] = str(error) or type(error).__name__
        return found
    if conditions is not None:
        found["where"], theirs = conditions
        found["counted"] = count(manager, model, alias, theirs)
    return found


def objects_are_plain(model):
    """Whether `objects` of the user model gives the accounts that its default manager gives."""
    objects = getattr(model, "objects", None)
    if objects is None or type(objects) is type(model._default_manager):
        return True
    from django.db import connections, router

    try:
        return condition(objects, model, connections[router.db_for_read(model)]) is None
    except Exception:
        return False


# What a session engine may do in its own way, since it only matters when a session is written or
# when it says which table it has.
WRITING = {
    "clear_expired",
    "create",
    "encode",
    "exists",
    "create_model_instance",
    "cycle_key",
    "delete",
    "flush",
    "get_model_class",
    "model",
    "save",
    "set_expiry",
    "acreate",
    "acreate_model_instance",
    "acycle_key",
    "adelete",
    "aflush",
    "asave",
    "aset_expiry",
    "aclear_expired",
    "cache_key_prefix",
    "key_salt",
}


def session_rules(store, model):
    """What of a session engine decides in its own way whose a session is."""
    rules = []
    theirs = set()
    for base in store.__mro__:
        if is_djangos(base):
            theirs |= {name for name in vars(base) if name not in vars(object) and name not in WRITING}
    for base in store.__mro__:
        if base is object or is_djangos(base) or package(base) in ("user_sessions", "redis_sessions"):
            continue
        for name in sorted(theirs.intersection(vars(base))):
            if not name.startswith("__") or name in ("__getitem__", "__contains__"):
                rules.append("{} has a {} of its own".format(name_of(base), name))
    if model is not None:
        try:
            left_out = bool(model.objects.all().query.where.children)
        except Exception as error:
            left_out = error
        if left_out:
            rules.append("the manager of {} leaves sessions out".format(name_of(model)))
    return rules


# Middleware that ends sessions which are idle, the setting that says when, and its default.
IDLE = {
    "django_auto_logout.middleware.auto_logout": ("AUTO_LOGOUT", None),
    "django_session_timeout.middleware.SessionTimeoutMiddleware": ("SESSION_EXPIRE_SECONDS", None),
    "mozilla_django_oidc.middleware.SessionRefresh": ("OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS", 900),
    "session_security.middleware.SessionSecurityMiddleware": ("SESSION_SECURITY_EXPIRE_AFTER", 600),
}
# Packages of middleware that ends no session by a rule that is not known here.
HARMLESS = {"allauth", "corsheaders", "debug_toolbar", "django", "django_otp", "user_sessions", "whitenoise"}


def middleware_rules():
    """What of MIDDLEWARE ends sessions, or says in its own way whose they are."""
    from django.conf import settings
    from django.contrib.auth import logout, middleware
    from django.contrib.auth.models import AnonymousUser
    from django.contrib.sessions.middleware import SessionMiddleware
    from django.utils.module_loading import import_string

    found = []
    for path in getattr(settings, "MIDDLEWARE", None) or []:
        if path.startswith("django."):
            if path.endswith(".RemoteUserMiddleware"):
                found.append({"path": path, "does": "remote-user", "setting": None})
            continue
        try:
            it = import_string(path)
        except Exception as error:
            found.append({"path": path, "does": "broken", "setting": str(error)})
            continue
        bases = it.__mro__ if inspect.isclass(it) else [it]
        idle = next((IDLE[name_of(base)] for base in bases if name_of(base) in IDLE), None)
        if idle or path in IDLE:
            setting, default = idle or IDLE[path]
            value = getattr(settings, setting, default)
            found.append({"path": path, "does": "idle", "setting": "{} = {!r}".format(setting, value)})
            continue
        if package(it) in LOCKOUTS or package(it) in HARMLESS:
            continue
        functions = [it] if not inspect.isclass(it) else []
        for base in bases:
            if inspect.isclass(base) and package(base) not in HARMLESS | {"builtins"}:
                functions.extend(map(function_of, vars(base).values()))
        attributes, values, stored = set(), [], set()
        for function in functions:
            of_one = mentions(function)
            attributes |= of_one[0]
            values += of_one[1]
            stored |= of_one[3]
        does = None
        replaced = [middleware.AuthenticationMiddleware, SessionMiddleware]
        overrides = {getattr(function, "__name__", None) for function in functions}
        if any(base in replaced for base in bases) and overrides & {"process_request", "__call__"}:
            does = "replaces"
        elif attributes & {"logout", "flush", "alogout", "aflush"} or any(
            value is logout or value is AnonymousUser for value in values
        ):
            does = "ends"
        elif stored & {"user", "auser"}:
            does = "user"
        elif "set_expiry" in attributes:
            does = "expiry"
        if does:
            found.append({"path": path, "does": does, "setting": None})
    return found


# Applications that have rules of their own about who may log in, in words.
APPLICATIONS = {
    "axes": "lock-out",
    "defender": "lock-out",
    "lockout": "lock-out",
    "password_expire": "expiry",
    "password_policies": "expiry",
    "django_password_expiry": "expiry",
}


def application_rules():
    """Which applications have rules of their own about who may log in."""
    from django.apps import apps
    from django.conf import settings

    found = []
    for app in apps.get_app_configs():
        kind = APPLICATIONS.get(app.name.split(".")[0])
        if kind:
            found.append({"application": app.name, "does": kind})
    if apps.is_installed("allauth.account") and getattr(settings, "ACCOUNT_EMAIL_VERIFICATION", None) == "mandatory":
        found.append({"application": "allauth.account", "does": "verification"})
    return found


def second_factors(model):
    """Where the site keeps second factors: tables, and applications whose tables are not known."""
    from django.apps import apps

    tables, others, pending = [], [], []
    try:
        from django_otp.models import Device
    except Exception:
        Device = None
    for factor in apps.get_models():
        meta = factor._meta
        is_otp = Device is not None and issubclass(factor, Device)
        if meta.proxy or not (is_otp or (package(factor) == "allauth" and (meta.app_label, factor.__name__) in SECOND_FACTORS)):
            continue
        usual = "{}_{}".format(meta.app_label, meta.model_name)
        user = next((field for field in meta.concrete_fields if field.name == "user"), None)
        own = user is not None and user.model is factor and user.column == "user_id" and user.related_model is model
        if own and (not is_otp or (meta.db_table == usual and meta.pk.column == "id")):
            tables.append(meta.db_table)
        else:
            others.append(name_of(factor))
            pending.extend([name_of(factor)] if is_otp else [])
    for app in apps.get_app_configs():
        name = app.name.split(".")[0]
        if name in OTHER_SECOND_FACTORS:
            others.append(app.name)
            pending.extend([app.name] if OTHER_SECOND_FACTORS[name] else [])
    return {"tables": sorted(tables), "others": sorted(others), "pending": sorted(pending)}


def rules(store, session_model):
    """All of them."""
    from django.conf import settings
    from django.contrib.auth import get_user_model

    model = get_user_model()
    same = objects_are_plain(model)

    def plain(function, name):
        return is_plain(function, name, model, same)

    return {
        "backends": backend_rules(settings.AUTHENTICATION_BACKENDS, model, plain),
        "model": model_rules(model, plain),
        "manager": manager_rules(model, plain),
        "sessions": session_rules(store, session_model),
        "middleware": middleware_rules(),
        "applications": application_rules(),
        "second_factors": second_factors(model),
    }


