"""Finds the rules of a Django site that stand outside its columns, in the site's own Python.

Only facts are gathered here: which code of the site's own stands where Django's would, and what it
is made of. What follows from them is decided by the program that reads them. Code of the site is
looked at, and not called, but for `get_queryset` of the default manager, which makes no query.

This comes between managers.py and database.py, in one text. Runs on every Python that Django 2.2 to 5.2 runs on.
"""

import inspect

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
    elif not field.get_internal_type().endswith(("BooleanField", "IntegerField")):
        # Of a text, every one that is not empty is true.
        found.append("is_active")
    for name in ("is_staff", "is_superuser"):
        if name not in {field.name for field in model._meta.concrete_fields} and getattr(model, name, False):
            found.append(name)
    if not hasattr(model, "get_session_auth_hash"):
        found.append("no get_session_auth_hash")
    return found


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


