//! Sessions in memcached and Redis: the handlers of pecl/memcached, pecl/memcache and phpredis.

use hallpass_sessions::php::{MemcachedClient, unwrap_memcached};
use hallpass_stores::{Deadline, cache};
use zeroize::Zeroizing;

use super::sessions::{Found, Lookup};
use crate::Reason;

/// Sessions in a cache, which lets them go by itself.
#[derive(Debug)]
pub(super) struct CachedSessions {
    cache: cache::Cache,
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
            prefix: prefix.to_owned(),
            client,
        }
    }

    pub(super) fn find(&mut self, id: &str, deadline: Deadline) -> Lookup<Found> {
        let key = Zeroizing::new(format!("{}{id}", self.prefix));
        let Some(entry) = self.cache.get(key.as_bytes(), deadline)? else {
            return Ok(Err(Reason::NoSession));
        };
        // What a page that runs has made, to be the only one with that id.
        if entry.bytes.is_empty() {
            return Ok(Err(Reason::NoSession));
        }
        let (bytes, store) = match self.client {
            None => (entry.bytes, "Redis"),
            Some(client) => {
                let flags = entry.flags.unwrap_or_default();
                let Ok(bytes) = unwrap_memcached(&entry.bytes, flags, client) else {
                    return Ok(Err(Reason::InvalidSession));
                };
                (Zeroizing::new(bytes.into_owned()), "memcached")
            }
        };
        Ok(Ok(Found {
            bytes,
            expires: None,
            store,
        }))
    }
}
