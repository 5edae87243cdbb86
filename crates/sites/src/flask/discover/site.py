"""Says what a Flask site is made of: one JSON object, on standard output.

The site's own Python reads this from standard input, in the site's directory. Nothing of the site is
changed: no request is handled and no bytecode written, and of its database a few accounts are read,
which its user loader is asked about.

Arguments: what `flask --app` names, or nothing; the class of accounts as MODULE:CLASS, or nothing;
seconds to live.
"""

import json
import os
import signal
import sys

APP, MODEL, SECONDS = sys.argv[1:4]
# How many accounts are looked at.
SOME = 200


def load():
    """The application, as the command `flask` finds it."""
    sys.path[:1] = [os.getcwd()]
    sys.dont_write_bytecode = True
    try:
        import flask
        from flask.cli import ScriptInfo, load_dotenv
    except ImportError as error:
        sys.exit("{} has no Flask: {}".format(sys.executable, error))
    load_dotenv()
    try:
        return ScriptInfo(app_import_path=APP or os.environ.get("FLASK_APP")).load_app()
    except flask.cli.NoAppException as error:
        sys.exit("{}; --app names the application, as `flask --app` does".format(error))


def name_of(it):
    kind = it if isinstance(it, type) else type(it)
    return "{}.{}".format(kind.__module__, kind.__qualname__)


def secret(key):
    """A key as the bytes that it signs with, each as a character."""
    if key is None or key == "" or key == b"":
        return None
    return (key.encode() if isinstance(key, str) else bytes(key)).decode("latin-1")


# Where sessions are


def sessions(app):
    """How the site keeps sessions."""
    from flask.sessions import SecureCookieSessionInterface, session_json_serializer

    it = app.session_interface
    kind = type(it)
    if kind is SecureCookieSessionInterface:
        usual = (
            it.salt == "cookie-session"
            and it.key_derivation == "hmac"
            and it.digest_method(b"").name == "sha1"
            and it.serializer is session_json_serializer
        )
        return {"store": "cookie"} if usual else {"other": "a signed cookie with a salt, digest or serializer of its own"}
    if kind.__module__.split(".")[0] != "flask_session":
        return {"other": name_of(it)}
    found = {"prefix": it.key_prefix, "use_signer": bool(it.use_signer)}
    client = getattr(it, "client", None) or getattr(it, "redis", None)
    if kind.__name__ == "RedisSessionInterface":
        return dict(found, store="redis", redis=redis(client))
    if kind.__name__ == "SqlAlchemySessionInterface":
        model = it.sql_session_model
        with app.app_context():
            bind = database(model)
        return dict(found, store="sql", table=table_name(model.__table__), database=bind)
    return {"other": "{} (SESSION_TYPE {})".format(name_of(it), app.config.get("SESSION_TYPE"))}


def redis(client):
    """How a client of redis-py connects."""
    pool = getattr(client, "connection_pool", None)
    given = dict(getattr(pool, "connection_kwargs", {}))
    kind = name_of(getattr(pool, "connection_class", None) or object)
    usual = {
        "redis.connection.Connection": "tcp",
        "redis.connection.SSLConnection": "tls",
        "redis.connection.UnixDomainSocketConnection": "unix",
    }
    if kind not in usual or not given:
        return {"other": "{} by {}".format(name_of(client), kind)}
    return {
        "by": usual[kind],
        "host": given.get("host", "localhost"),
        "port": int(given.get("port") or 6379),
        "path": given.get("path"),
        "db": int(given.get("db") or 0),
        "username": given.get("username"),
        "password": secret(given.get("password")),
        "checks": str(given.get("ssl_cert_reqs", "required")) not in ("none", "None", "0", "CERT_NONE"),
    }


# Accounts


def database(model):
    """The URL of the database that a class is mapped to."""
    from sqlalchemy import inspect

    mapper = inspect(model)
    session = getattr(model, "query", None)
    session = getattr(session, "session", None)
    extension = sys.modules["flask"].current_app.extensions.get("sqlalchemy")
    extension = getattr(extension, "db", extension)
    session = session or getattr(extension, "session", None)
    if session is None:
        raise LookupError("nothing says which database {} is in".format(name_of(model)))
    bind = session.get_bind(mapper=mapper) if not hasattr(session, "registry") else session().get_bind(mapper=mapper)
    url = bind.engine.url if hasattr(bind, "engine") else bind.url
    path = url.database
    if url.get_backend_name() == "sqlite" and path and not path.startswith((":", "file:")):
        return "sqlite:///" + os.path.abspath(path)
    return url.render_as_string(hide_password=False)


def table_name(table):
    return "{}.{}".format(table.schema, table.name) if table.schema else table.name


def models():
    """The mapped classes that Flask-Login may load."""
    from sqlalchemy import inspect

    try:
        from flask_login import UserMixin
    except ImportError:
        return []
    found, left = [], list(UserMixin.__subclasses__())
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        if inspect(kind, raiseerr=False) is not None and kind not in found:
            found.append(kind)
    return found


def model():
    if MODEL:
        import importlib

        module, _, name = MODEL.partition(":")
        return getattr(importlib.import_module(module), name)
    found = models()
    tops = [kind for kind in found if not any(kind is not other and issubclass(kind, other) for other in found)]
    if len(tops) != 1:
        names = ", ".join(sorted(name_of(it) for it in tops)) or "none"
        sys.exit("of mapped classes that derive from flask_login.UserMixin there are: {}; --model names the one of accounts, as MODULE:CLASS".format(names))
    return tops[0]


def made(kind, values):
    """An account that is in no database."""
    from sqlalchemy import inspect
    from sqlalchemy.orm.attributes import set_committed_value

    it = inspect(kind).class_manager.new_instance()
    for name, value in values.items():
        set_committed_value(it, name, value)
    return it


def attributes(kind):
    """The attributes of a class that are columns of its own table."""
    from sqlalchemy import inspect

    mapper = inspect(kind)
    table = mapper.local_table
    return {
        name.key: name.columns[0].name
        for name in mapper.column_attrs
        if len(name.columns) == 1 and getattr(name.columns[0], "table", None) is table
    }


def key_column(kind):
    """The column that `get_id` gives as text; None where it gives something else."""
    columns = attributes(kind)
    marks = {name: 900000 + number for number, name in enumerate(columns)}
    try:
        given = str(made(kind, marks).get_id())
    except Exception:
        return None
    return next((columns[name] for name, mark in marks.items() if str(mark) == given), None)


def active_column(kind):
    """The column that says whether an account is active: `""` where all are, None where code says it."""
    columns = attributes(kind)

    def says(values):
        return bool(getattr(made(kind, values), "is_active"))

    try:
        every = says({name: True for name in columns})
        none = says({name: False for name in columns})
        if every and none:
            deciding = [name for name in columns if not says({other: other != name for other in columns})]
            return "" if not deciding else None
        deciding = [name for name in columns if not says({other: other != name for other in columns})]
        if every and len(deciding) == 1:
            alone = says({other: other == deciding[0] for other in columns})
            return columns[deciding[0]] if alone else None
    except Exception:
        pass
    return None


def groups(kind):
    """Relationships to groups or roles by a table of pairs."""
    from sqlalchemy import inspect

    mapper = inspect(kind)
    for relation in mapper.relationships:
        target = relation.mapper.local_table
        if relation.key not in ("roles", "groups") or relation.secondary is None or "name" not in target.columns:
            continue
        pairs = [(pair[0].name, pair[1].name) for pair in relation.synchronize_pairs]
        others = [(pair[0].name, pair[1].name) for pair in relation.secondary_synchronize_pairs]
        if len(pairs) == len(others) == 1 and relation.secondary is not None:
            return {
                "relation": relation.key,
                "table": table_name(target),
                "pairs": table_name(relation.secondary),
                "own": pairs[0],
                "other": others[0],
            }
    return None


def asked(app, kind, key, active):
    """What the user loader says of some accounts: those that it refuses though they are active, and
    whether it loads those that are not."""
    from sqlalchemy import select

    loader = getattr(getattr(app, "login_manager", None), "_user_callback", None)
    if loader is None or key is None:
        return {"loader": loader is not None}
    columns = {column: name for name, column in attributes(kind).items()}
    session = kind.query.session if hasattr(kind, "query") else app.extensions["sqlalchemy"].session
    refused, loads_inactive, others = [], None, []
    for it in session.execute(select(kind).limit(SOME)).scalars():
        given = getattr(it, columns[key])
        on = bool(getattr(it, columns[active])) if active else True
        try:
            found = loader(it.get_id())
        except Exception:
            found = None
        if found is not None and getattr(found, columns[key], None) != given:
            others.append(str(given))
        elif found is None and on:
            refused.append(str(given))
        elif not on:
            loads_inactive = loads_inactive or found is not None
    session.rollback()
    return {"loader": True, "refused": refused[:5], "others": others[:5], "loads_inactive": loads_inactive}


def accounts(app):
    try:
        import sqlalchemy  # noqa: F401
    except ImportError:
        return {"other": "the site has no SQLAlchemy"}
    kind = model()
    from sqlalchemy import inspect

    mapper = inspect(kind)
    with app.app_context():
        found = {
            "model": name_of(kind),
            "table": table_name(mapper.local_table),
            "columns": list(attributes(kind).values()),
            "primary_key": [column.name for column in mapper.primary_key],
            "is_inherited": mapper.inherits is not None,
            "key": key_column(kind),
            "active": active_column(kind),
            "groups": groups(kind),
            "database": database(kind),
            "numbers": [
                attribute.columns[0].name
                for attribute in mapper.column_attrs
                if issubclass(attribute.columns[0].type.__class__, sqlalchemy.Integer)
            ],
        }
        found.update(asked(app, kind, found["key"], found["active"]))
    return found


def login(app):
    """Flask-Login's settings."""
    manager = getattr(app, "login_manager", None)
    if manager is None:
        return None
    from flask_login import utils

    from flask_login import config

    mode = app.config.get("SESSION_PROTECTION", manager.session_protection)
    return {
        "protection": mode if mode in ("basic", "strong") else None,
        "usual_identifier": manager._session_identifier_generator is utils._create_identifier,
        "id_attribute": manager.id_attribute,
        "request_loader": manager._request_callback is not None,
        "remember_cookie_name": app.config.get("REMEMBER_COOKIE_NAME", config.COOKIE_NAME),
    }


def site(app):
    from importlib import metadata

    def version(name):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return None

    known = ("security", "principal", "user", "praetorian", "jwt-extended")
    fallbacks = app.config.get("SECRET_KEY_FALLBACKS") or []
    return {
        "versions": {name: version(name) for name in ("flask", "flask-login", "flask-session", "flask-security-too")},
        "app": app.import_name,
        "secret_keys": [secret(key) for key in [app.secret_key, *fallbacks] if secret(key)] if app.secret_key else [],
        "lifetime": int(app.permanent_session_lifetime.total_seconds()),
        "cookie_name": app.config.get("SESSION_COOKIE_NAME", "session"),
        "cookie": {
            "domain": app.session_interface.get_cookie_domain(app) or "",
            "path": app.session_interface.get_cookie_path(app) or "",
            "same_site": app.config.get("SESSION_COOKIE_SAMESITE") or "",
            "secure": bool(app.config.get("SESSION_COOKIE_SECURE")),
        },
        "sessions": sessions(app),
        "login": login(app),
        "accounts": accounts(app),
        "extensions": [name for name in known if name in app.extensions],
    }


def main():
    # What the site prints does not mix with the answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Should nobody be left to wait for it.
    signal.alarm(int(SECONDS) + 5)
    json.dump(site(load()), answer, default=str)
    answer.flush()
    # Whatever the site has started does not go on.
    os._exit(0)
