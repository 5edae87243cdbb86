//! Defines the settings of a cache: its servers, login and timeouts.

use std::sync::Arc;
use std::time::Duration;

use crate::{Address, Secret, Tls};

/// The settings of a cache.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cache.
    pub store: Store,
    /// How long connecting to one server may take, name resolution, TLS and logging in included.
    pub connect_timeout: Duration,
    /// How long one server may take to answer.
    pub query_timeout: Duration,
}

impl Settings {
    /// The number of the database of Redis, and the same settings for another of its databases;
    /// `None` for memcached.
    #[must_use]
    pub fn in_database(&self, number: u32) -> Option<(u32, Self)> {
        let mut other = self.clone();
        match &mut other.store {
            Store::Memcached(_) => None,
            Store::Redis { database, .. } => {
                let configured = std::mem::replace(database, number);
                Some((configured, other))
            }
        }
    }

    /// The settings of each server alone, with its name, so that each can be tested. Servers behind
    /// Sentinels are reached through them.
    #[must_use]
    pub fn one_by_one(&self) -> Vec<(String, Self)> {
        let each = |kind: &str, places: &[Address], store: &dyn Fn(Address) -> Store| {
            let one = |place: &Address| {
                let settings = Self {
                    store: store(place.clone()),
                    ..self.clone()
                };
                (format!("{kind} at {place}"), settings)
            };
            places.iter().map(one).collect()
        };
        match &self.store {
            Store::Memcached(places) => {
                each("memcached", places, &|place| Store::Memcached(vec![place]))
            }
            Store::Redis {
                servers: RedisServers::Sentinel { service, .. },
                ..
            } => vec![(format!("Redis, the master {service}"), self.clone())],
            Store::Redis {
                servers: RedisServers::Replicated(places) | RedisServers::Sharded(places),
                login,
                database,
                tls,
            } => each("Redis", places, &|place| Store::Redis {
                servers: RedisServers::Replicated(vec![place]),
                login: login.clone(),
                database: *database,
                tls: tls.clone(),
            }),
        }
    }
}

/// A cache.
#[derive(Clone, Debug)]
pub enum Store {
    /// Servers that speak memcached's protocol, each with its own part of the keys. Clients choose
    /// the server of a key in different ways, so each is queried until one has it. When none has it
    /// and one of them failed, the key could be there.
    Memcached(Vec<Address>),
    /// Servers that speak Redis' protocol.
    Redis {
        /// Their addresses, and how keys are spread over them.
        servers: RedisServers,
        /// The login; `None` where none is needed.
        login: Option<Arc<Login>>,
        /// The number of the database.
        database: u32,
        /// How the connections are protected.
        tls: Tls,
    },
}

/// The addresses of Redis, and how keys are spread over the servers.
#[derive(Clone, Debug)]
pub enum RedisServers {
    /// Each has all keys. Django writes to the first of them and reads from any other, which may
    /// lag behind (`RedisCacheClient._get_connection_pool_index` in 5.2's
    /// `core/cache/backends/redis.py`; the default client of django-redis is the same). Here the
    /// first is queried, so that a session that has ended there counts as ended at once; the
    /// others, in order, where it does not answer. The first answer counts.
    ///
    /// Nodes of a Redis Cluster are queried likewise: any of them leads to the one that has the
    /// key.
    Replicated(Vec<Address>),
    /// Each has a part of the keys, as with the `ShardClient` of django-redis and the session
    /// handler of phpredis: queried as memcached is.
    Sharded(Vec<Address>),
    /// The master that Sentinels name.
    Sentinel {
        /// The Sentinels. The first answer counts.
        sentinels: Vec<Address>,
        /// The master's name there.
        service: String,
        /// The login at the Sentinels, whose users differ from those of the servers.
        login: Option<Arc<Login>>,
    },
}

/// A user of Redis.
#[derive(Debug)]
pub struct Login {
    /// The name, for servers with access control lists; without, the password is that of the
    /// user `default` or of `requirepass`.
    pub username: Option<String>,
    /// The password.
    pub password: Secret,
}
