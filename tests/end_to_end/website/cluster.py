"""A client of django-redis for a Redis Cluster, as sites have one of their own: redis-py's, which
keeps its connections itself."""

from django_redis.client import DefaultClient
from django_redis.pool import ConnectionFactory
from redis.cluster import RedisCluster


class ClusterConnectionFactory(ConnectionFactory):
    def connect(self, url):
        return RedisCluster.from_url(url, password=self.options.get("PASSWORD"))


class ClusterClient(DefaultClient):
    def __init__(self, server, params, backend):
        super().__init__(server, params, backend)
        self.connection_factory = ClusterConnectionFactory(options=self._options)
