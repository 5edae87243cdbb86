"""What sites have of their own around sessions: keys of caches, serializers, routers, a store."""

import base64
import hashlib
import json
import pickle
import random

from django.contrib.sessions.backends.cached_db import SessionStore as CachedDatabaseStore


def without_version(key, prefix, version):
    return f"{prefix}:{key}"


def with_an_end(key, prefix, version):
    return f"{version}|{prefix}|{key}|end"


def as_a_digest(key, prefix, version):
    return hashlib.sha256(key.encode()).hexdigest()


class PickleSerializer:
    """As Django had it until 5.0."""

    def dumps(self, obj):
        return pickle.dumps(obj, pickle.HIGHEST_PROTOCOL)

    def loads(self, data):
        return pickle.loads(data)


class PrettySerializer:
    def dumps(self, obj):
        return json.dumps(obj, indent=2, default=str).encode()

    def loads(self, data):
        return json.loads(data)


class Base64Serializer:
    def dumps(self, obj):
        return base64.b64encode(json.dumps(obj).encode())

    def loads(self, data):
        return json.loads(base64.b64decode(data))


class SessionStore(CachedDatabaseStore):
    cache_key_prefix = "shop.sessions."


class ReplicaRouter:
    """Reads from a replica, whichever."""

    def db_for_read(self, model, **hints):
        return random.choice(["replica1", "replica2"])

    def db_for_write(self, model, **hints):
        return "default"


class SessionsElsewhere:
    def db_for_read(self, model, **hints):
        return "sessions" if model._meta.app_label == "sessions" else None

    db_for_write = db_for_read
