"""Says what a Django site is made of: one JSON object, on standard output.

The site's own Python reads this from standard input, in the directory of manage.py. Nothing of
the site is changed: no command is run, no log is opened, no bytecode written, and no query is made
but one that counts accounts, where the default manager leaves some out. overrides.py,
managers.py, rules.py, database.py and sessions.py come before this.

Arguments: the path of manage.py or nothing; the settings module or nothing; the schema of a tenant or
nothing; seconds to live.
Runs on every Python that Django 2.2 to 5.2 runs on.
"""

import importlib
import json
import os
import runpy
import signal
import sys

MANAGE, SETTINGS, SCHEMA, SECONDS = sys.argv[1:5]


class Reached(BaseException):
    """manage.py has come to where its command would begin."""


def begin():
    """Does to the environment what the site does before it reads its settings."""
    # As of a script; in a container the directory of the site may be another than this one.
    sys.path[:1] = [os.path.dirname(MANAGE) or os.getcwd()]
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


# Types of Django's whose values a database writes in another way than Django.
WRITTEN_OTHERWISE = {
    "BinaryField",
    "BooleanField",
    "DateField",
    "DateTimeField",
    "DecimalField",
    "DurationField",
    "FloatField",
    "JSONField",
    "TimeField",
}


def stored_as(field):
    """What a column holds in place of the value that the site knows: "converted" by the field's own code,
    "related" for another object's key, or the name of a type of Django's that databases write in other
    ways than Django. "looked up" where values are as they are, but not what is looked for; None else."""
    for base in type(field).__mro__:
        if package(base) == "django":
            break
        if "from_db_value" in vars(base):
            return "converted"
        if {"get_prep_value", "get_db_prep_value"} & set(vars(base)):
            return "looked up"
    if field.is_relation:
        return "related"
    if field.get_internal_type() in WRITTEN_OTHERWISE:
        return field.get_internal_type()
    return None


def user():
    """The user model's tables and columns."""
    from django.contrib.auth import get_user_model
    from django.core.exceptions import FieldDoesNotExist

    model = get_user_model()
    meta = model._meta
    alias = alias_of(model)

    def field(name):
        try:
            return meta.get_field(name)
        except FieldDoesNotExist:
            return None

    def column(name):
        found = field(name)
        if found is None or not getattr(found, "column", None):
            return None
        return {
            "table": table_name(found.model._meta.db_table, alias),
            "column": found.column,
            "form": stored_as(found),
        }

    def many(name, target):
        found = field(name)
        if found is None or not found.many_to_many:
            return None
        return {
            "table": table_name(found.m2m_db_table(), alias),
            "user": found.m2m_column_name(),
            "other": found.m2m_reverse_name(),
            "usual": found.related_model._meta.label == target,
        }

    return {
        "model": meta.label,
        "table": table_name(meta.db_table, alias),
        "id": column(meta.pk.name),
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


def site():
    """All of it."""
    import django
    from django.apps import apps
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.contrib.auth.hashers import get_hashers

    tenants = tenant(SCHEMA)
    if tenants and not SCHEMA:
        return {"tenants": tenants}
    store = importlib.import_module(settings.SESSION_ENGINE).SessionStore
    return {
        "version": "{}.{}".format(*django.VERSION[:2]),
        "settings": os.environ["DJANGO_SETTINGS_MODULE"],
        "database": database(alias_of(get_user_model())),
        "tenants": tenants,
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
