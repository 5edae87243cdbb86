"""Pickles of random structures, and what Python itself finds in them.

    python3.13 tests/vectors/django_sessions_pickles.py > crates/sessions/tests/data/pickles.json

Every row is `[pickle, user id, backend, hash]`: Base64, and the members of the dict with their
kinds, by `pickle.loads`. A structure is written in every protocol, by the C and the Python pickler,
and as `pickletools.optimize` leaves it.
"""

import base64
import collections
import datetime
import decimal
import io
import json
import pickle
import pickletools
import random
import sys
import uuid

KEYS = ("_auth_user_id", "_auth_user_backend", "_auth_user_hash")
here = random.Random(20)


class Thing:
    """Of a class with a state of its own."""

    def __init__(self, state):
        self.state = state
        self._auth_user_id = "of the thing"


class Slots:
    __slots__ = ("one", "_auth_user_id")


class Sub(dict):
    pass


class Named(collections.namedtuple("Named", "a b")):
    pass


def text():
    return here.choice(("", "x", "zoë", "😀\n\\u0041", "'\"\\", "_auth_user", "a" * here.randrange(220),
                        *KEYS))


def scalar():
    return here.choice((
        None, True, False, here.randrange(-5, 300), here.getrandbits(here.randrange(1, 90)),
        -here.getrandbits(here.randrange(1, 90)), here.random(), float("inf"), -0.0, 2 ** 1000,
        text(), text(), text().encode(), bytearray(text().encode()), b"\xff" * 300,
        datetime.datetime(2020, 1, 2, 3, 4, 5, 6), datetime.timedelta(1), decimal.Decimal("1.50"),
        uuid.UUID(int=here.getrandbits(128)), len, Thing, 1j, ...))


def key():
    return here.choice((text(), text(), here.randrange(9), b"_auth_user_id", (1, text()), None,
                        frozenset((text(),)), "_auth_user_id "))


def structure(depth, known):
    if depth == 0 or here.random() < 0.3:
        return here.choice(known) if known and here.random() < 0.3 else scalar()
    inner = [structure(depth - 1, known) for _ in range(here.choice((0, 1, 2, 3, 4, 7)))]
    kind = here.randrange(11)
    if kind == 0:
        made = inner
    elif kind == 1:
        made = tuple(inner)
    elif kind in (2, 3):
        made = {key(): value for value in inner}
    elif kind == 4:
        made = collections.OrderedDict((key(), value) for value in inner)
    elif kind == 5:
        made = {text() for _ in inner}
    elif kind == 6:
        made = Thing(inner)
    elif kind == 7:
        made = Sub({key(): value for value in inner})
        made.more = inner
    elif kind == 8:
        made = Slots()
        made.one = inner
        made._auth_user_id = 5
    elif kind == 9:
        made = Named(inner, text())
    else:
        made = collections.defaultdict(list, {key(): value for value in inner})
    if isinstance(made, list) and here.random() < 0.2:
        made.append(made)
    if isinstance(made, dict) and here.random() < 0.2:
        made["self"] = made
    known.append(made)
    return made


def session():
    known, pairs = [], []
    for _ in range(here.randrange(4)):
        pairs.append((key(), structure(3, known)))
    for name in KEYS:
        if here.random() < 0.9:
            pairs.append((name, here.choice((
                "7", 7, "é", "a.b.C", "x" * 64, 2 ** 40, -1, 2 ** 63, -2 ** 63, 2 ** 63 - 1, 2 ** 64,
                7.5, None, True, b"7", [1]))))
    here.shuffle(pairs)
    return dict(pairs)


def spelled(value):
    if value is None:
        return "null"
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return "other"
    if isinstance(value, int) and not -2 ** 63 <= value < 2 ** 63:
        return "other"
    return {int: "integer ", float: "fraction ", str: "text "}[type(value)] + str(value)


def dumps(value, protocol, pickler):
    stream = io.BytesIO()
    pickler(stream, protocol).dump(value)
    return stream.getvalue()


rows = []
for number in range(220):
    value = session()
    protocol = number % 6
    try:
        written = {dumps(value, protocol, pickler)
                   for pickler in (pickle.Pickler, pickle._Pickler)}
    except (TypeError, RecursionError, pickle.PicklingError):
        continue  # slots before protocol 2, recursion through a reduction
    try:
        written.add(pickletools.optimize(min(written)))
    except ValueError:
        pass  # it does not know every memo
    for data in sorted(written):
        try:
            found = pickle.loads(data)
        except Exception:
            # A recursive structure that is a key or a member of a class with a state.
            continue
        members = [spelled(found[name]) if name in found else None for name in KEYS]
        rows.append(json.dumps([base64.b64encode(data).decode(), *members]))
sys.stdout.write("[\n" + ",\n".join(rows) + "\n]\n")
