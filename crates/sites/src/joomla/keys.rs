//! Names the keys of sessions in caches.

use hallpass_sessions::php::MemcachedClient;
use zeroize::Zeroizing;

use crate::Stop;
use crate::joomla::settings::JoomlaCache;

/// How a session is found in a cache, and its data in what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) prefix: &'static str,
    /// Who wrote it, where it is memcached that has it.
    pub(super) client: Option<MemcachedClient>,
}

/// Data, or why there is none.
pub(super) type Lookup = Result<Zeroizing<Vec<u8>>, Stop>;

impl Keys {
    /// Those of a Joomla of the version `major`. Since 4 it writes by itself (`SessionFactory` of
    /// 4.4); before, PHP's own handlers did (libraries/joomla/session/storage of 3.10).
    pub(super) fn of(client: JoomlaCache, major: Option<u32>) -> Vec<Self> {
        let (by_itself, by_php) = match client {
            JoomlaCache::Memcache => (None, ("", Some(MemcachedClient::Memcache))),
            JoomlaCache::Memcached => {
                let client = Some(MemcachedClient::Memcached);
                (Some(("jfw", client)), ("memc.sess.key.", client))
            }
            JoomlaCache::Redis => (Some(("jfw", None)), ("PHPREDIS_SESSION:", None)),
        };
        let old = major.is_none_or(|major| major < 4);
        let new = major.is_none_or(|major| major >= 4);
        [by_itself.filter(|_| new), Some(by_php).filter(|_| old)]
            .into_iter()
            .flatten()
            .map(|(prefix, client)| Self { prefix, client })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_version() {
        let prefixes = |client, major| -> Vec<&str> {
            let keys = Keys::of(client, major);
            keys.iter().map(|keys| keys.prefix).collect()
        };
        for (client, unknown, old, new) in [
            (
                JoomlaCache::Redis,
                &["jfw", "PHPREDIS_SESSION:"][..],
                "PHPREDIS_SESSION:",
                "jfw",
            ),
            (
                JoomlaCache::Memcached,
                &["jfw", "memc.sess.key."],
                "memc.sess.key.",
                "jfw",
            ),
        ] {
            assert_eq!(prefixes(client, None), unknown);
            assert_eq!(prefixes(client, Some(3)), [old]);
            assert_eq!(prefixes(client, Some(4)), [new]);
            assert_eq!(prefixes(client, Some(5)), [new]);
        }
        assert_eq!(prefixes(JoomlaCache::Memcache, Some(3)), [""]);
        assert!(prefixes(JoomlaCache::Memcache, Some(4)).is_empty());
    }
}
