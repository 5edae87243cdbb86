//! Reads sessions from memcached and Redis: the handlers of pecl/memcached, pecl/memcache and
//! phpredis.

use hallpass_sessions::php::{MemcachedClient, unwrap_memcached};
use hallpass_stores::cache::KeyPattern;
use hallpass_stores::{Deadline, Secret, cache};
use zeroize::Zeroizing;

use super::sessions::{Found, Lookup};
use crate::cache::other_database;
use crate::{Elsewhere, Reason, RestsOn, SAMPLE, Sample};

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
        // The locks of phpredis and pecl/memcached, `…_LOCK`, are not sessions.
        let prefix = self.prefix.as_bytes();
        let is_letter = |it: &u8| it.is_ascii_alphanumeric() || b",-".contains(it);
        let is_session = |key: &[u8]| {
            let id = key.strip_prefix(prefix);
            id.is_some_and(|id| !id.is_empty() && id.iter().all(is_letter))
        };
        let pattern = KeyPattern::beginning(prefix);
        let keys = self.cache.keys(&pattern, &is_session, SAMPLE, deadline)?;
        let ids = keys.keys.iter().filter_map(|key| key.strip_prefix(prefix));
        let tokens: Vec<_> = ids.map(Secret::new).collect();
        // Without a prefix, any key might be a session's.
        let elsewhere = if tokens.is_empty() && keys.all && !prefix.is_empty() {
            other_database(&self.settings, &pattern, &is_session, deadline)
        } else {
            None
        };
        Some(Sample {
            elsewhere: elsewhere.map(Elsewhere::Database),
            unordered: true,
            partial: !keys.all,
            ..Sample::of(tokens)
        })
    }

    pub(super) fn rests_on(&mut self) -> RestsOn<'_> {
        RestsOn::Cache(&mut self.cache)
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
