"""Answers, as a Flask site itself does, who an account or a session is.

site.py of `hallpass init` comes before this, in one text, and TOLD: the statements that Hallpass finds
accounts by. A line of JSON is a question, a line is its answer. Nothing of the site is changed: what
would write to a database is refused, and no response is made that a session would be saved with.
"""

import itertools
import re
import secrets

READS = ("SELECT", "(SELECT", "WITH", "SAVEPOINT", "RELEASE", "ROLLBACK", "SHOW", "EXPLAIN", "PRAGMA")
COMMENTS = re.compile(r"\A(\s|/\*.*?\*/|--[^\n]*\n)+", re.DOTALL)
# How many accounts are read to take a sample of them, and how many keys of a cache are looked at.
MOST = 100000
# How many names or tokens a line of a list holds.
PART = 1000


class WriteRefused(Exception):
    """The site's code writes to a database while it answers."""


class Cannot(Exception):
    """There is no answer, for a reason in words."""


def refuse_writes():
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "before_cursor_execute")
    def check(connection, cursor, statement, parameters, context, executemany):
        if not COMMENTS.sub("", statement).strip().upper().startswith(READS):
            raise WriteRefused(statement[:60])


class Site:
    """The application, and its class of accounts."""

    def __init__(self, app):
        self.app = app
        self.model = model()
        self.columns = {column: name for name, column in attributes(self.model).items()}
        with app.app_context():
            self.key = key_column(self.model)
        if self.key is None:
            raise Cannot("{}.get_id gives what is in no column".format(name_of(self.model)))

    @property
    def session(self):
        if hasattr(self.model, "query"):
            return self.model.query.session
        return self.app.extensions["sqlalchemy"].session

    def told(self, name, **parameters):
        """The rows that one of Hallpass' own statements gives in the site's database."""
        from sqlalchemy import inspect, text

        if not TOLD.get(name):
            raise Cannot("[custom] {} is not configured".format(name))
        bind = self.session.get_bind(inspect(self.model)) if hasattr(self.session, "get_bind") else None
        rows = self.session.execute(text(TOLD[name]), parameters, **({"bind_arguments": {"bind": bind}} if bind is not None else {}))
        return [{key.lower(): value for key, value in row._mapping.items()} for row in rows]

    def load(self, key):
        """The account that the site's user loader gives for a session's id."""
        loader = self.app.login_manager._user_callback
        return loader(key) if loader is not None else None

    def person(self, user):
        """An account, as sessions and hosts name it."""
        if user is None or not getattr(user, "is_authenticated", False):
            return None
        key = str(user.get_id())
        rows = self.told("user_by_id", id=int(key) if key.isdigit() and str(int(key)) == key else key)
        return {"id": key, "name": str(rows[0]["username"]) if rows else ""}

    def named(self, name):
        rows = self.told("user", username=name)
        keys = {str(row["id"]) for row in rows}
        return self.load(keys.pop()) if len(keys) == 1 else None


def account(name):
    user = SITE.named(name)
    if user is None or not user.is_active:
        return None
    found = SITE.person(user)
    for relation in ("roles", "groups"):
        if groups(SITE.model) and groups(SITE.model)["relation"] == relation:
            return dict(found, groups=sorted({str(it.name) for it in getattr(user, relation)}))
    return found


def stored_hash(user):
    column = next((name for name in ("password_hash", "password", "pw_hash", "passwd", "hash", "_password") if name in SITE.columns), None)
    return getattr(user, SITE.columns[column]) if column else None


def login(name):
    """The account that may log in by the right password: one that is active and has one."""
    user = SITE.named(name)
    return SITE.person(user) if user is not None and user.is_active and stored_hash(user) else None


def password(name, password):
    """The account of a name and a password, by the method of the class that checks it."""
    user = SITE.named(name)
    if user is None or not user.is_active or not stored_hash(user):
        return None
    for method in ("check_password", "verify_password", "is_correct_password", "validate_password"):
        if callable(getattr(user, method, None)):
            return SITE.person(user) if getattr(user, method)(password) else None
    try:
        from werkzeug.security import check_password_hash
    except ImportError:
        raise Cannot("nothing says how the site checks a password")
    return SITE.person(user) if check_password_hash(stored_hash(user), password) else None


def wrong(name):
    return password(name, secrets.token_urlsafe())


def session(token):
    """Whose a live session is, by the site's own session interface and user loader."""
    import flask
    from flask_login.utils import _get_user

    from flask_login.config import COOKIE_NAME

    own, semicolon, remembered = token.partition(";")
    cookie = "{}={}".format(SITE.app.config.get("SESSION_COOKIE_NAME", "session"), own)
    if semicolon:
        cookie += "; {}={}".format(SITE.app.config.get("REMEMBER_COOKIE_NAME", COOKIE_NAME), remembered)
    with SITE.app.test_request_context("/", headers={"Cookie": cookie}):
        if flask.session.get("_user_id") is None and not semicolon:
            return None
        user = _get_user()
        return SITE.person(user) if flask.session.get("_user_id") is not None else None


def listed(accounts, sessions):
    """Accounts and sessions, in parts, and whether more follow."""
    tokens, unlisted = [], None
    try:
        tokens = list_sessions(sessions)
    except Cannot as error:
        unlisted = str(error)
    total, names = list_accounts(accounts)
    while True:
        some_names = list(itertools.islice(names, PART))
        some_tokens, tokens = (tokens[:PART], tokens[PART:]) if len(some_names) < PART else ([], tokens)
        more = len(some_names) == PART or len(some_tokens) == PART
        found = {"accounts": {"names": some_names, "count": total}, "sessions": some_tokens, "unlisted": unlisted}
        yield found, more
        if not more:
            return


def list_accounts(count):
    """How many accounts there are, and the names of some."""
    from sqlalchemy import func, select

    column = getattr(SITE.model, SITE.columns[SITE.key])
    total = SITE.session.execute(select(func.count()).select_from(SITE.model)).scalar()
    keys = list(SITE.session.execute(select(column).order_by(column).limit(None if count is None else MOST)).scalars())
    if count is not None and len(keys) > count:
        step = len(keys) / count
        keys = [keys[int(number * step)] for number in range(count)]
    return total, names_of(keys)


def names_of(keys):
    for key in keys:
        for row in SITE.told("user_by_id", id=key):
            if row["username"] not in (None, ""):
                yield {"name": str(row["username"]), "email": str(row.get("email") or "")}


def list_sessions(count):
    it = SITE.app.session_interface
    found = sessions(SITE.app)
    if found.get("store") == "cookie":
        return signed_cookies(count)
    prefix = found.get("prefix", "")
    if found.get("store") == "redis":
        client = getattr(it, "client", None) or it.redis
        keys = []
        for key in client.scan_iter(count=1000):
            key = key.decode("utf-8", "replace") if isinstance(key, bytes) else key
            if key.startswith(prefix):
                keys.append(key)
            if count is not None and len(keys) >= count:
                break
    elif found.get("store") == "sql":
        from sqlalchemy import select

        model = it.sql_session_model
        rows = select(model.session_id).order_by(model.expiry.desc()).limit(count)
        keys = [key for key in model.query.session.execute(rows).scalars() if key.startswith(prefix)]
    else:
        raise Cannot("{} does not tell which sessions it has".format(found.get("other")))
    ids = [key[len(prefix) :] for key in keys]
    return [signed(it, sid) for sid in ids] if found["use_signer"] else ids


def signed(interface, sid):
    from itsdangerous import Signer

    signer = Signer(SITE.app.secret_key, salt="flask-session", key_derivation="hmac")
    return signer.sign(sid.encode()).decode()


def signed_cookies(count):
    """Nobody keeps them: they are made here as the site would, in memory."""
    from sqlalchemy import select

    serializer = SITE.app.session_interface.get_signing_serializer(SITE.app)
    if serializer is None:
        return []
    column = getattr(SITE.model, SITE.columns[SITE.key])
    keys = SITE.session.execute(select(column).order_by(column.desc()).limit(count)).scalars()
    return [serializer.dumps({"_user_id": str(key), "_fresh": True}) for key in keys]


QUESTIONS = {
    "account": account,
    "login": login,
    "password": password,
    "session": session,
    "wrong": wrong,
}


def away(error):
    """Whether an exception says that a store cannot be asked."""
    from sqlalchemy.exc import InterfaceError, OperationalError

    kinds = [InterfaceError, OperationalError, OSError, TimeoutError]
    try:
        from redis.exceptions import ConnectionError as RedisAway

        kinds.append(RedisAway)
    except ImportError:
        pass
    return isinstance(error, tuple(kinds))


def answers(question):
    """The answer to a question; of a list, one after the other. Where the site raises, a visitor sees an
    error page and is nobody."""
    name = question.pop("ask")
    with SITE.app.app_context():
        try:
            if name == "list":
                for part, more in listed(**question):
                    yield {"answer": part, "more": more}
            else:
                yield {"answer": QUESTIONS[name](**question)}
        except Cannot as error:
            yield {"cannot": str(error)}
        except WriteRefused as error:
            # What has ended is taken away where it is found, and is nobody's.
            if name == "session" and str(error).upper().startswith("DELETE"):
                yield {"answer": None}
            else:
                yield {"cannot": "the site's code writes to the database while it answers: {}".format(error)}
        except Exception as error:
            if name == "list" or away(error):
                yield {"cannot": "{}: {}".format(type(error).__name__, error)}
            else:
                yield {"answer": None, "raised": type(error).__name__}
        finally:
            SITE.session.rollback()


def tell(line, output):
    output.write("hallpass:" + json.dumps(line) + "\n")
    output.flush()


def converse():
    global SITE
    output = os.fdopen(os.dup(1), "w")
    # What the site prints does not mix with the answers.
    os.dup2(2, 1)
    questions = sys.stdin.buffer
    # Should nobody be left to wait for it.
    signal.alarm(int(SECONDS) + 5)
    app = load()
    if getattr(app, "login_manager", None) is None:
        sys.exit("the site has no Flask-Login to be asked")
    refuse_writes()
    SITE = Site(app)
    import flask_login
    from importlib import metadata

    notes = [
        "its login form is code of the site's own, and is not asked: what is compared is the class {}".format(name_of(SITE.model))
    ]
    if sessions(app).get("store") == "cookie":
        notes.append("its sessions are with the visitors: those compared are made here")
    software = "Flask {} with Flask-Login {} and {}".format(metadata.version("flask"), flask_login.__version__, app.import_name)
    tell({"software": software, "notes": notes}, output)
    for line in questions:
        signal.alarm(int(SECONDS) + 5)
        for said in answers(json.loads(line.decode())):
            tell(said, output)
            signal.alarm(int(SECONDS) + 5)
    output.flush()
    # Whatever the site has started does not go on.
    os._exit(0)


converse()
