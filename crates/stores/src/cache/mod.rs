//! Reads values from Redis and memcached by their keys, and counts in Redis.
//!
//! Bytes are returned as they were written. A missing key is `None`. Anything but a value or its
//! absence is [`Unavailable`], because a cache that is down knows nothing about any session.

pub(crate) mod connection;
mod counters;
mod keys;
pub(crate) mod memcached;
mod recorded;
pub(crate) mod redis;
mod server;
mod settings;

use std::time::Duration;

use self::connection::Failure;
pub use self::connection::LONGEST_VALUE;
pub use self::counters::{Counted, Counter, Counters, MOST_COUNTS};
pub use self::keys::{KeyPattern, Keys};
use self::memcached::Memcached;
pub use self::recorded::Recorded;
use self::recorded::Recorder;
use self::redis::{Node, Redis, Sentinels, Wanted};
pub use self::server::Entry;
use self::server::{Server, Source};
pub use self::settings::{Login, RedisServers, Settings, Store};
use crate::{Address, Deadline, Unavailable};

/// A cache, connected at the first query and again whenever a connection is lost.
#[derive(Debug)]
pub struct Cache {
    servers: Servers,
    spread: Spread,
    query_timeout: Duration,
    recorder: Recorder,
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
    /// A cache. It connects at the first query.
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
            recorder: Recorder::default(),
        }
    }

    /// Whether there can be no value under `key`, so that clients raise an error for it.
    #[must_use]
    pub fn refuses(&self, key: &[u8]) -> bool {
        matches!(self.servers, Servers::Memcached(_)) && !memcached::may_be_key(key)
    }

    /// Keys that fit `pattern` and that `is_wanted` takes, `most` at most; `None` where they cannot
    /// be listed: in memcached, and where this user may not list them.
    ///
    /// At most half of the time to `deadline` is taken. All keys of the servers may have to be
    /// looked at, and only [`Keys::all`] says that they were.
    pub fn keys(
        &mut self,
        pattern: &KeyPattern,
        is_wanted: &dyn Fn(&[u8]) -> bool,
        most: usize,
        deadline: Deadline,
    ) -> Option<Keys> {
        let Servers::Redis(servers) = &mut self.servers else {
            return None;
        };
        let deadline = deadline.at_most(deadline.remaining() / 2);
        let mut found: Option<Keys> = None;
        let mut failed = false;
        let count = servers.len();
        for (index, server) in servers.iter_mut().enumerate() {
            let left = u32::try_from(count - index).unwrap_or(u32::MAX);
            let share = deadline.at_most(deadline.remaining() / left);
            let before = found.as_ref().map_or(0, |it| it.keys.len());
            let wanted = Wanted {
                pattern,
                is_wanted,
                most: most.saturating_sub(before),
            };
            match server.keys(&wanted, share) {
                Ok(keys) => match &mut found {
                    Some(found) => {
                        found.all &= keys.all;
                        found.keys.extend(keys.keys);
                    }
                    None => found = Some(keys),
                },
                Err(_) => failed = true,
            }
            // Each of several copies has all keys.
            if found.is_some() && self.spread == Spread::Copies {
                failed = false;
                break;
            }
        }
        let mut found = found?;
        found.keys.sort_unstable();
        found.keys.dedup();
        found.all &= !failed;
        Some(found)
    }

    /// The numbers of the databases of Redis that have keys, with the number of keys; `None` where
    /// the servers do not tell.
    pub fn databases(&mut self, deadline: Deadline) -> Option<Vec<(u32, u64)>> {
        let Servers::Redis(servers) = &mut self.servers else {
            return None;
        };
        let mut databases = Vec::new();
        for server in servers {
            databases.extend(server.databases(deadline).ok()?);
        }
        databases.sort_unstable();
        databases.dedup_by_key(|(number, _)| *number);
        Some(databases)
    }

    /// The value of `key`; `None` where there is none.
    ///
    /// # Errors
    /// [`Unavailable`] when no server that could have it answers by `deadline`, or when the value
    /// is not a string of at most [`LONGEST_VALUE`] bytes.
    pub fn get(&mut self, key: &[u8], deadline: Deadline) -> Result<Option<Entry>, Unavailable> {
        if self.refuses(key) {
            return Ok(None);
        }
        let (spread, query_timeout) = (self.spread, self.query_timeout);
        let answer = match &mut self.servers {
            Servers::Memcached(servers) => ask(servers, spread, key, query_timeout, deadline),
            Servers::Redis(servers) => ask(servers, spread, key, query_timeout, deadline),
        };
        self.recorder.note(key, &answer);
        answer
    }
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
        // Each gets its share of the remaining time, so that a silent one leaves some to the
        // others.
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
