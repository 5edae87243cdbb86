//! Reads sessions from memcached and Redis: the handlers of pecl/memcached, pecl/memcache and
//! phpredis.

use hallpass_sessions::php::{MemcachedClient, unwrap_memcached};
use hallpass_stores::{Deadline, Secret, cache};
use zeroize::Zeroizing;

use super::sessions::{Found, Lookup};
use crate::cache::other_database;
use crate::{Elsewhere, Reason, SAMPLE, SOME_KEYS, Sample};

/// Sessions in a cache, which lets them go by itself.
#[derive(Debug)]
pub(super) struct CachedSessions {
    cache: cache::Cache,
    settings: cache::Settings,
    prefix: String,
    client: Option<MemcachedClient>,
}

impl CachedSessions {
    pub(super) fn new(
        servers: &cache::Settings,
        prefix: &str,
        client: Option<MemcachedClient>,
    ) -> Self {
        Self {
            cache: cache::Cache::new(servers),
            settings: servers.clone(),
            prefix: prefix.to_owned(),
            client,
        }
    }

    /// Some of the sessions; `None` where the cache does not tell its keys.
    pub(super) fn sample(&mut self, deadline: Deadline) -> Option<Sample> {
        let keys = self.cache.some_keys(SOME_KEYS, deadline)?;
        // The locks of phpredis and pecl/memcached, `…_LOCK`, are not sessions.
        let is_id = |id: &&[u8]| {
            id.iter()
                .all(|it| it.is_ascii_alphanumeric() || b",-".contains(it))
        };
        let id = |key: &Vec<u8>| {
            let id = key.strip_prefix(self.prefix.as_bytes());
            id.filter(is_id).map(Secret::new)
        };
        let tokens: Vec<_> = keys.iter().filter_map(id).take(SAMPLE).collect();
        let elsewhere = if tokens.is_empty() {
            let prefix = self.prefix.as_bytes();
            let is_session = |key: &[u8]| !prefix.is_empty() && key.starts_with(prefix);
            other_database(&self.settings, is_session, deadline).map(Elsewhere::Database)
        } else {
            None
        };
        Some(Sample {
            elsewhere,
            ..Sample::of(tokens)
        })
    }

    pub(super) fn find(&mut self, id: &str, deadline: Deadline) -> Lookup<Found> {
        let key = Zeroizing::new(format!("{}{id}", self.prefix));
        let Some(entry) = self.cache.get(key.as_bytes(), deadline)? else {
            return Err(Reason::NoSession.into());
        };
        let store = match self.client {
            None => "Redis",
            Some(_) => "memcached",
        };
        Ok(Found {
            bytes: session_data(entry, self.client)?,
            expires: None,
            store,
        })
    }
}

/// The session's data in `entry`, which the given client wrote where it is memcached's.
pub(crate) fn session_data(
    entry: cache::Entry,
    client: Option<MemcachedClient>,
) -> Result<Zeroizing<Vec<u8>>, Reason> {
    // A running page makes an empty entry, to be the only one with that id.
    if entry.bytes.is_empty() {
        return Err(Reason::NoSession);
    }
    let Some(client) = client else {
        return Ok(entry.bytes);
    };
    let plain = unwrap_memcached(&entry.bytes, entry.flags.unwrap_or_default(), client);
    let plain = plain.map_err(|_| Reason::InvalidSession)?;
    Ok(Zeroizing::new(plain.into_owned()))
}
