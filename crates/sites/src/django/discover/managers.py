"""Says which accounts the default manager of a Django site leaves out, as a condition on their rows.

Of the site's code `get_queryset` is called, which makes no query. This comes between overrides.py and
rules.py, in one text. Runs on every Python that Django 2.2 to 5.2 runs on.
"""

import re
import threading


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
    # Others may compare with a time that passes, which a number is not.
    names = ("exact", "isnull", "in")
    if type(node.rhs) is int:
        names += ("gt", "gte", "lt", "lte")
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
