//! Reads values from Redis and memcached by their keys.
//!
//! Bytes come out as they were put in. A key that a cache does not have is `None`. Anything else
//! than a value or its absence is [`Unavailable`], because a cache that is down knows nothing about
//! any session.

pub(crate) mod connection;
pub(crate) mod memcached;
pub(crate) mod redis;
mod server;

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use self::memcached::Memcached;
use self::redis::{Node, Redis, Sentinels};
use self::server::{Failure, Server};
use crate::{Address, Deadline, Secret, Tls, Unavailable};

/// The longest value that is read, in bytes. memcached takes none that is longer by itself.
pub const LONGEST_VALUE: usize = 1 << 20;

/// Which cache, and how long it may take.
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
    /// The servers by themselves, so that each can be asked, with the name of each. Those that
    /// Sentinels name are asked through them.
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
    /// the server of a key in different ways, so each is asked until one has it; when none has
    /// it and one of them could not be asked, it could have been there.
    Memcached(Vec<Address>),
    /// Servers that speak Redis' protocol.
    Redis {
        /// Where they are, and what each of them has.
        servers: RedisServers,
        /// Who logs in there; `None` where no login is needed.
        login: Option<Arc<Login>>,
        /// The number of the database.
        database: u32,
        /// How the connections are protected.
        tls: Tls,
    },
}

/// Where Redis is, and what each server has.
#[derive(Clone, Debug)]
pub enum RedisServers {
    /// Each has all keys. Django writes to the first of them and reads from any other, which may
    /// lag behind (`RedisCacheClient._get_connection_pool_index` in 5.2's
    /// `core/cache/backends/redis.py`; the default client of django-redis is the same). Here the
    /// first is asked, so that a session that has ended there counts as ended at once; the
    /// others, in their order, where it does not answer. Who answers first decides.
    ///
    /// Nodes of a Redis Cluster are asked likewise: any of them leads to the one that has the key.
    Replicated(Vec<Address>),
    /// Each has a part of the keys, as with the `ShardClient` of django-redis and the session
    /// handler of phpredis: asked as memcached is.
    Sharded(Vec<Address>),
    /// The one that Sentinels take for the master.
    Sentinel {
        /// The Sentinels. Who answers first decides.
        sentinels: Vec<Address>,
        /// The master's name there.
        service: String,
        /// Who logs in to the Sentinels, which know other users than the servers do.
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

/// A value. Its memory is cleared when it goes.
pub struct Entry {
    /// The bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// What memcached keeps beside them, for the client that wrote them.
    pub flags: Option<u32>,
}

/// Values may be sessions, so only their length is shown.
impl std::fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Entry({} bytes, ", self.bytes.len())?;
        write!(formatter, "flags {:?})", self.flags)
    }
}

/// A cache, connected when it is first asked and again whenever a connection is lost.
#[derive(Debug)]
pub struct Cache {
    servers: Servers,
    spread: Spread,
    query_timeout: Duration,
}

/// What each of several servers has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spread {
    /// All keys.
    Copies,
    /// A part of the keys.
    Parts,
}

#[derive(Debug)]
enum Servers {
    Memcached(Vec<Server<Memcached>>),
    Redis(Vec<Node>),
}

impl Cache {
    /// A cache that nothing has been asked of yet: nothing is connected here.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let (servers, spread) = match &settings.store {
            Store::Memcached(addresses) => {
                let server = |address: &Address| {
                    let memcached = Memcached::new(address.clone());
                    Server::new(memcached, settings.connect_timeout)
                };
                let servers = addresses.iter().map(server).collect();
                (Servers::Memcached(servers), Spread::Parts)
            }
            Store::Redis {
                servers,
                login,
                database,
                tls,
            } => {
                let server = |location| {
                    let redis = Redis::new(location, login.clone(), *database, tls.clone());
                    Node::new(redis, settings.connect_timeout)
                };
                let each = |addresses: &[Address]| {
                    let locations = addresses.iter().cloned().map(redis::Location::Address);
                    Servers::Redis(locations.map(server).collect())
                };
                match servers {
                    RedisServers::Replicated(addresses) => (each(addresses), Spread::Copies),
                    RedisServers::Sharded(addresses) => (each(addresses), Spread::Parts),
                    RedisServers::Sentinel {
                        sentinels,
                        service,
                        login,
                    } => {
                        let sentinels = Sentinels::new(sentinels, service, login.as_ref(), tls);
                        let location = redis::Location::Sentinels(sentinels);
                        (Servers::Redis(vec![server(location)]), Spread::Copies)
                    }
                }
            }
        };
        Self {
            servers,
            spread,
            query_timeout: settings.query_timeout,
        }
    }

    /// Whether there can be no value under `key`, and clients raise where they are asked for it.
    #[must_use]
    pub fn refuses(&self, key: &[u8]) -> bool {
        matches!(self.servers, Servers::Memcached(_)) && !memcached::may_be_key(key)
    }

    /// Some of the keys there are, `most` of each server; `None` where they cannot be told: in
    /// memcached, and where this user may not ask for them.
    pub fn some_keys(&mut self, most: usize, deadline: Deadline) -> Option<Vec<Vec<u8>>> {
        let Servers::Redis(servers) = &mut self.servers else {
            return None;
        };
        let mut keys = Vec::new();
        for server in servers {
            keys.extend(server.some_keys(most, deadline).ok()?);
        }
        keys.sort();
        keys.dedup();
        Some(keys)
    }

    /// The value of `key`; `None` where there is none.
    ///
    /// # Errors
    /// [`Unavailable`] when no server that could have it answers by `deadline`, or when what it
    /// has is no string of at most [`LONGEST_VALUE`] bytes.
    pub fn get(&mut self, key: &[u8], deadline: Deadline) -> Result<Option<Entry>, Unavailable> {
        if self.refuses(key) {
            return Ok(None);
        }
        let (spread, query_timeout) = (self.spread, self.query_timeout);
        match &mut self.servers {
            Servers::Memcached(servers) => ask(servers, spread, key, query_timeout, deadline),
            Servers::Redis(servers) => ask(servers, spread, key, query_timeout, deadline),
        }
    }
}

/// What has values under keys.
trait Source {
    /// The value of `key`.
    fn get(
        &mut self,
        key: &[u8],
        query_timeout: Duration,
        deadline: Deadline,
    ) -> Result<Option<Entry>, Failure>;
}

impl Source for Server<Memcached> {
    fn get(
        &mut self,
        key: &[u8],
        query_timeout: Duration,
        deadline: Deadline,
    ) -> Result<Option<Entry>, Failure> {
        self.query(key, query_timeout, deadline)
    }
}

fn ask(
    servers: &mut [impl Source],
    spread: Spread,
    key: &[u8],
    query_timeout: Duration,
    deadline: Deadline,
) -> Result<Option<Entry>, Unavailable> {
    let mut down = None;
    let count = servers.len();
    for (index, server) in servers.iter_mut().enumerate() {
        // Each gets its share of what is left, so that a silent one leaves some to the others.
        let left = u32::try_from(count - index).unwrap_or(u32::MAX);
        let share = deadline.at_most(deadline.remaining() / left);
        match server.get(key, query_timeout, share) {
            Ok(Some(entry)) => return Ok(Some(entry)),
            Ok(None) if spread == Spread::Copies => return Ok(None),
            Ok(None) => {}
            Err(Failure::Value(message)) => return Err(Unavailable::new(message)),
            Err(failure) => {
                down.get_or_insert(failure);
            }
        }
    }
    match down {
        Some(failure) => Err(failure.into()),
        None if count == 0 => Err(Unavailable::new("the cache has no servers")),
        None => Ok(None),
    }
}
