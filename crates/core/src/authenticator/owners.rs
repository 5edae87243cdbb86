//! Whose session it was the last time.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// How many sessions are remembered.
const MOST: usize = 16_384;

/// A key as long as a session can be is not worth remembering.
const LONGEST_KEY: usize = 128;

/// Remembers whose the sessions were that were asked about lately, so that a session and its
/// account can be read at once. That is a guess and no more: both are read anew each time, and an
/// account that is not the one that the session names is not looked at.
///
/// A session is known by a digest of its token, under a key that is this authenticator's own. Two
/// sessions with one digest spoil each other's guess, and nothing else.
#[derive(Default)]
pub(super) struct Owners {
    digests: RandomState,
    keys: HashMap<u64, String>,
}

impl Owners {
    /// The primary key of the account that `token` was a session of, as the session spelt it.
    pub(super) fn of(&self, token: &[u8]) -> Option<&str> {
        let digest = self.digests.hash_one(token);
        self.keys.get(&digest).map(String::as_str)
    }

    /// Remembers that `token` is a session of the account with the primary key `key`.
    pub(super) fn remember(&mut self, token: &[u8], key: &str) {
        let digest = self.digests.hash_one(token);
        if self.keys.get(&digest).is_some_and(|known| known == key) {
            return;
        }
        if key.len() > LONGEST_KEY {
            self.keys.remove(&digest);
            return;
        }
        if self.keys.len() >= MOST {
            self.keys.clear();
        }
        self.keys.insert(digest, key.to_owned());
    }
}

impl std::fmt::Debug for Owners {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Owners({} sessions)", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_owner_is_remembered() {
        let mut owners = Owners::default();
        assert_eq!(owners.of(b"token"), None);
        owners.remember(b"token", "7");
        owners.remember(b"other", "8");
        assert_eq!(owners.of(b"token"), Some("7"));
        owners.remember(b"token", "9");
        assert_eq!(owners.of(b"token"), Some("9"));
        assert_eq!(owners.of(b"other"), Some("8"));
        assert_eq!(owners.of(b"toke"), None);
        owners.remember(b"token", &"9".repeat(LONGEST_KEY + 1));
        assert_eq!(owners.of(b"token"), None);
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let mut owners = Owners::default();
        for number in 0..3 * MOST {
            owners.remember(&number.to_be_bytes(), "7");
            assert!(owners.keys.len() <= MOST);
        }
        assert_eq!(owners.of(&(3 * MOST - 1).to_be_bytes()), Some("7"));
        assert_eq!(owners.of(&0_usize.to_be_bytes()), None);
    }

    #[test]
    fn nothing_of_a_token_is_shown() {
        let mut owners = Owners::default();
        owners.remember(b"secret", "7");
        assert_eq!(format!("{owners:?}"), "Owners(1 sessions)");
    }
}
