//! Holds `[limits] shared`: the Redis or Valkey in which several machines keep one count of wrong
//! passwords, and the key under which they find each other's counts.

use hallpass_stores::cache::{self, Store};
use hallpass_stores::sql::Location;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::TicketSettings;

/// What the key is for, so that the one that it is derived from can have no other meaning.
const PURPOSE: &[u8] = b"hallpass shared counts 1\0";

/// Where several machines keep one count of wrong passwords.
#[derive(Clone)]
pub struct SharedLimits {
    /// The server.
    pub cache: cache::Settings,
    /// The key of the digests of names, accounts and addresses.
    pub(crate) key: Zeroizing<[u8; 32]>,
    prefix: String,
}

impl SharedLimits {
    /// The counts in `cache` of the `site` of this name and `software`, whose accounts are in the
    /// database at `location`.
    ///
    /// All machines of a site must derive one key. It is that of tickets, where there is one, or else
    /// the password of the server: a reader of the server must not learn by trial which names were
    /// typed. The database's name keeps sites apart that have neither. Its address does not count,
    /// because machines may ask different replicas.
    pub(super) fn new(
        cache: cache::Settings,
        tickets: Option<&TicketSettings>,
        software: &str,
        site: &str,
        location: &Location,
    ) -> Self {
        let login = match &cache.store {
            Store::Redis { login, .. } => login.as_deref(),
            Store::Memcached(_) => None,
        };
        let secret = match (tickets, login) {
            (Some(tickets), _) => tickets.key().expose(),
            (None, Some(login)) => login.password.expose(),
            (None, None) => &[],
        };
        let database = match location {
            Location::Postgres(servers) | Location::Mysql(servers) => servers.database.as_str(),
            Location::Nowhere | Location::Sqlite(_) => "",
        };
        let mut digest = Sha256::new().chain_update(PURPOSE);
        for part in [
            secret,
            software.as_bytes(),
            site.as_bytes(),
            database.as_bytes(),
        ] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&digest.finalize());
        let named = Sha256::new().chain_update(b"name\0").chain_update(*key);
        let named: String = named.finalize().iter().take(6).map(hexadecimal).collect();
        Self {
            cache,
            key,
            prefix: format!("hallpass:{{{named}}}:"),
        }
    }

    /// What all keys on the server begin with: the same on every machine that shares these counts.
    /// The braces keep them in one slot of a Redis Cluster.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

fn hexadecimal(byte: &u8) -> String {
    format!("{byte:02x}")
}

/// Never shows the key.
impl std::fmt::Debug for SharedLimits {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SharedLimits")
            .field("cache", &self.cache)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
