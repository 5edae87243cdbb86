"""Says which of Django's methods a site replaces by its own, and whether those can refuse anybody.

Code of the site is looked at, and not called. This comes before managers.py and rules.py, in one text. Runs
on every Python that Django 2.2 to 5.2 runs on.
"""

import builtins
import dis
import inspect
import types

# What a method may mention that looks accounts up and checks their passwords, and does nothing else.
PLAIN_ATTRIBUTES = {
    "DoesNotExist",
    "EMAIL_FIELD",
    "MultipleObjectsReturned",
    "USERNAME_FIELD",
    "_default_manager",
    "all",
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
    "prefetch_related",
    "select_related",
    "set_password",
    "strip",
    "user_can_authenticate",
}
# What says which rows are fetched along with those that are found, and leaves none of these out.
FETCHES = ("prefetch_related", "select_related")
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


def fetched(function):
    """The constants that a function gives to what fetches rows along, and to nothing else."""
    given, elsewhere = set(), set()
    for code in codes(function):
        fetching = False
        for instruction in dis.get_instructions(code):
            name, operation = instruction.argval, instruction.opname
            if operation.startswith(("LOAD_ATTR", "LOAD_METHOD")):
                fetching = name in FETCHES
            elif operation == "LOAD_CONST":
                (given if fetching else elsewhere).add(name if isinstance(name, str) else None)
            elif operation not in ("PRECALL", "PUSH_NULL", "EXTENDED_ARG", "CACHE"):
                fetching = False
    return given - elsewhere


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
    words, along = PLAIN_WORDS | {function.__doc__, function.__name__, function.__qualname__}, fetched(function)
    for field in (model.USERNAME_FIELD, getattr(model, "EMAIL_FIELD", "email")):
        words |= {field, field + "__exact", field + "__iexact"}

    def is_known(constant, alone=True):
        if isinstance(constant, tuple):
            # Of keywords, too: to fetch a row along is no rule, to look for it is.
            return all(is_known(item, False) for item in constant)
        if isinstance(constant, (types.CodeType, bool, type(None), type(Ellipsis))):
            return True
        return isinstance(constant, str) and (constant in words or alone and constant in along)

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
