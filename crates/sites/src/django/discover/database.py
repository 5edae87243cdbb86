"""Says where a site's tables are, as the site's own database client finds them.

This comes between rules.py and site.py, in one text. No connection is made: libpq and the option
files of MySQL are asked for what they would connect with. Runs on every Python that Django 2.2 to
5.2 runs on.
"""

import configparser
import ctypes
import os
import pwd
import re
import sys

# An address that no connection leads to: connecting to it fails at once, without any network.
NOWHERE = "255.255.255.255"


def secret(value):
    """The bytes of a secret, as numbers."""
    return list(value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape"))


def alias_of(model):
    """The database that the site writes rows of `model` to: replicas have what it has."""
    from django.db import router

    return router.db_for_write(model)


def table_name(table, alias):
    """A table as Hallpass writes it: Django takes what is in quotes as it is."""
    from django.db import connections

    connection = connections[alias]
    if not re.search(r"[.\"`]", table):
        return table
    quoted = connection.ops.quote_name(table)
    return quoted.replace('"', '""').replace("`", '"') if connection.vendor == "mysql" else quoted


def database(alias):
    """An entry of DATABASES."""
    from django.db import connections

    connection = connections[alias]
    entry = connection.settings_dict
    found = {key: str(entry.get(key.upper()) or "") for key in ("name", "host", "port", "user")}
    found["options"] = dict(entry.get("OPTIONS") or {})
    found["password"] = entry.get("PASSWORD") or None
    if connection.vendor == "postgresql":
        of_libpq(found, connection)
    elif connection.vendor == "mysql":
        of_option_files(found)
    if found["password"]:
        found["password"] = secret(found["password"])
    # The zone of datetimes without one: only where the database has no better.
    zone = connection.timezone_name if connection.vendor != "postgresql" else "UTC"
    return dict(found, alias=alias, engine=entry["ENGINE"], vendor=connection.vendor, zone=zone)


class Parameter(ctypes.Structure):
    """PQconninfoOption of libpq-fe.h."""

    _fields_ = [
        (name, ctypes.c_char_p) for name in ("keyword", "envvar", "compiled", "value", "label", "dispchar")
    ] + [("dispsize", ctypes.c_int)]


def libpq():
    """The libpq that the site's driver has loaded; None where it cannot be found."""
    try:
        with open("/proc/self/maps") as maps:
            paths = {line.split(None, 5)[5].strip() for line in maps if line.count("/")}
        path = next(path for path in sorted(paths) if os.path.basename(path).startswith("libpq"))
        library = ctypes.CDLL(path)
        library.PQconninfo.restype = ctypes.POINTER(Parameter)
        library.PQconnectStartParams.restype = ctypes.c_void_p
        library.PQerrorMessage.restype = library.PQpass.restype = library.PQdb.restype = ctypes.c_char_p
        return library
    except (AttributeError, OSError, StopIteration):
        return None


def resolved(library, given):
    """What libpq makes of parameters, with services, the environment and its defaults: the value
    and the default of each, and the password."""
    names, values = zip(*given.items())

    def array(words):
        return (ctypes.c_char_p * (len(words) + 1))(*[word.encode() for word in words], None)

    connection = ctypes.c_void_p(library.PQconnectStartParams(array(names), array(values), 0))
    try:
        if not library.PQdb(connection):
            message = library.PQerrorMessage(connection) or b""
            sys.exit("libpq: {}".format(message.decode("utf-8", "replace").strip()))
        info, found = library.PQconninfo(connection), {}
        for option in iter(lambda: info[len(found)], None):
            if not option.keyword:
                break
            found[option.keyword.decode()] = (option.value, option.compiled)
        return found, library.PQpass(connection)
    finally:
        library.PQfinish(connection)


def of_libpq(found, connection):
    """Adds what libpq takes from services, password files and the environment."""
    options = found["options"]
    library = libpq()
    if library is None:
        if not options.get("service"):
            return
        sys.exit("the service {} cannot be read: no libpq was found".format(options["service"]))
    given = {"dbname": found["name"], "hostaddr": NOWHERE}
    given.update((key, found[key]) for key in ("host", "port", "user"))
    given.update(password=str(found["password"] or ""))
    given = {key: value for key, value in given.items() if value}
    known = resolved(library, given)[0]
    given.update((key, str(value)) for key, value in options.items() if key in known and key != "hostaddr")
    values, _ = resolved(library, given)
    hosts = (values["host"][0] or b"localhost").decode()
    # The password file is looked into for each of the hosts.
    given.update(host=hosts, hostaddr=",".join([NOWHERE] * len(hosts.split(","))))
    _, password = resolved(library, given)
    for key, (value, compiled) in values.items():
        value = value.decode() if value and value != compiled else ""
        if key in ("host", "port"):
            found[key] = value
        elif key == "dbname":
            found["name"] = value
        elif key == "user":
            # Without a word about it, it is whoever runs the program.
            said = found["user"] or os.environ.get("PGUSER") or value != own_name()
            found["user"] = value if said else ""
        elif key in ("sslmode", "sslrootcert", "options", "sslcert", "sslkey", "connect_timeout"):
            options.pop(key, None)
            if value:
                options[key] = value
    for key in ("service", "passfile"):
        options.pop(key, None)
    found["password"] = password or None


def own_name():
    """The name of the system's user that runs this, who is asked for where no user is said."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return None


def of_option_files(found):
    """Adds what a my.cnf says to clients, where the settings do not."""
    options = found["options"]
    path, group = options.pop("read_default_file", None), options.pop("read_default_group", None)
    if not path:
        return
    for key, value in option_file(os.path.expanduser(str(path)), group).items():
        key = {"database": "name", "socket": "unix_socket"}.get(key, key)
        if key == "password":
            found["password"] = found["password"] or value
        elif key in ("unix_socket", "ssl_mode"):
            options.setdefault(key, value)
        elif key == "ssl_ca":
            options.setdefault("ssl", {}).setdefault("ca", value)
        elif key in ("name", "host", "port", "user"):
            found[key] = found[key] or value


def option_file(path, group):
    """What an option file says, as the site's own driver reads it."""
    import MySQLdb

    if MySQLdb.__name__ == "pymysql":
        from pymysql.optionfile import Parser

        parser, group = Parser(), group or "client"
        parser.read(path)
        names = parser.options(group) if parser.has_section(group) else []
        return {name.replace("-", "_"): parser.get(group, name) for name in names}
    groups = {"client", "client-server", "client-mariadb", group}
    # MariaDB's Connector/C knows no comments behind a value.
    comments = re.match(r"[5-9]\.", MySQLdb.get_client_info()) is not None
    found, read = {}, False
    for line in option_lines(path, 0):
        if line.startswith("["):
            read = line[1:].partition("]")[0].strip() in groups
        elif read:
            line = without_comment(line) if comments else line
            name, _, value = line.partition("=")
            found[name.strip().replace("-", "_")] = unquoted(value.strip(), comments)
    return found


def option_lines(path, depth):
    """The lines of an option file and of those that it includes, without blank ones and comments
    (mysys/my_default.c of MariaDB 10.11)."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        lines = [line.strip() for line in file]
    for line in lines:
        directive, _, place = line[1:].strip().partition(" ")
        if not line or line[0] in "#;":
            continue
        if line[0] != "!":
            yield line
        elif depth < 10 and directive == "include":
            yield from option_lines(place.strip(), depth + 1)
        elif depth < 10 and directive == "includedir":
            for name in sorted(os.listdir(place.strip())):
                if name.endswith(".cnf"):
                    yield from option_lines(os.path.join(place.strip(), name), depth + 1)


def without_comment(line):
    """A line up to the `#` that is in no quotes (remove_end_comment in mysys/my_default.c)."""
    quote, escape = "", False
    for place, letter in enumerate(line):
        if letter in "'\"" and not escape:
            quote = "" if quote == letter else quote or letter
        if letter == "#" and not quote:
            return line[:place]
        escape = bool(quote) and letter == "\\" and not escape
    return line


def unquoted(value, both):
    """A value without its quotes and escapes. Those of MySQL are two alike, those of MariaDB's
    Connector/C one at the beginning and perhaps one at the end (ma_default.c, 3.3)."""
    quotes = "'\""
    if both and len(value) > 1 and value[0] in quotes and value[0] == value[-1]:
        value = value[1:-1]
    elif not both and value[:1] and value[0] in quotes:
        value = value[1:]
        value = value[:-1] if value[-1:] and value[-1] in quotes else value
    escapes = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "s": " ", '"': '"', "'": "'", "\\": "\\"}
    return re.sub(r"\\(.)", lambda found: escapes.get(found.group(1), found.group(0)), value, flags=re.S)


def tenant(schema):
    """The schemas that a tenant's tables are in; None for a site without tenants. Those of
    django-tenants and django-tenant-schemas, whose connections look for tables as this says."""
    from django.conf import settings
    from django.db import connections

    model = getattr(settings, "TENANT_MODEL", None)
    if not model:
        return None
    public = getattr(settings, "PUBLIC_SCHEMA_NAME", "public")
    extra = getattr(settings, "EXTRA_SEARCH_PATHS", getattr(settings, "PG_EXTRA_SEARCH_PATHS", []))
    for connection in connections.all():
        if schema and hasattr(connection, "set_schema"):
            connection.set_schema(schema)
    schemas = list(dict.fromkeys([schema or "", public, *extra]))
    return {"model": str(model), "schema": schema, "schemas": schemas}
