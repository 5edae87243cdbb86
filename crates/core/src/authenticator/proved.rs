//! Sessions that have been read, for as long as what was read stays as it was.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::SystemTime;

use hallpass_stores::sql::{Row, State};

use crate::{Account, Session};

/// How many sessions are known at most.
const MOST: usize = 4096;

/// A live session, and the account that it proves.
#[derive(Debug)]
pub(super) struct Proved {
    /// Without its password's hash.
    pub(super) account: Account,
    pub(super) session: Session,
}

/// What an answer rests on, besides the time: while that is the same, so is the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// The state that the whole database is in.
    State(State),
    /// A digest of the rows of the session and its account.
    Rows(u64),
}

/// What sessions proved, and on what ground.
///
/// A page is dozens of requests with one session, and most of the time nothing is different between
/// them. What the ground is now is asked at each, so that a session that ends, or an account that
/// is switched off, counts at once.
#[derive(Default)]
pub(super) struct Known {
    digests: RandomState,
    sessions: HashMap<[u8; 32], (Ground, Arc<Proved>)>,
}

impl Known {
    /// The ground that `row` is, of a session and its account. The digest is under a key that is
    /// this authenticator's own: nobody can make another row with the same one but by chance, which
    /// is one in 2^64.
    pub(super) fn ground(&self, row: &Row) -> Ground {
        Ground::Rows(self.digests.hash_one(row))
    }

    /// What the session that `digest` is of proves on this ground, if it is known and has not ended
    /// at `now`.
    pub(super) fn get(
        &self,
        digest: &[u8; 32],
        ground: Option<Ground>,
        now: SystemTime,
    ) -> Option<Arc<Proved>> {
        let (known, proved) = self.sessions.get(digest)?;
        let lives = proved.session.expires.is_some_and(|expires| now < expires);
        (Some(*known) == ground && lives).then(|| Arc::clone(proved))
    }

    /// Remembers what the session that `digest` is of proves on this ground.
    pub(super) fn remember(&mut self, digest: [u8; 32], ground: Ground, proved: &Arc<Proved>) {
        if self.sessions.len() >= MOST {
            self.sessions.clear();
        }
        self.sessions.insert(digest, (ground, Arc::clone(proved)));
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Known({} sessions)", self.sessions.len())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Reason;
    use crate::account::Id;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn proved(expires: Option<SystemTime>) -> Arc<Proved> {
        let text = "7".to_owned();
        let account = Account {
            id: Id {
                value: 7.into(),
                text,
            },
            name: "alice".to_owned(),
            encoded: None,
            active: true,
            inactive: Reason::Inactive,
            staff: false,
            superuser: false,
            email: String::new(),
            full_name: String::new(),
        };
        let session = Session {
            digest: String::new(),
            expires,
            decoded: crate::Decoding::default(),
        };
        Arc::new(Proved { account, session })
    }

    #[test]
    fn what_is_known_is_known_on_its_ground_until_its_end() {
        let later = NOW + Duration::from_secs(1);
        let (ground, other) = (Ground::Rows(1), Ground::Rows(2));
        let mut known = Known::default();
        known.remember([1; 32], ground, &proved(Some(later)));
        known.remember([2; 32], ground, &proved(None));
        assert!(known.get(&[1; 32], Some(ground), NOW).is_some());
        assert!(known.get(&[1; 32], Some(ground), later).is_none());
        assert!(known.get(&[1; 32], Some(other), NOW).is_none());
        assert!(known.get(&[1; 32], None, NOW).is_none());
        assert!(known.get(&[2; 32], Some(ground), NOW).is_none());
        assert!(known.get(&[3; 32], Some(ground), NOW).is_none());
        known.remember([1; 32], other, &proved(Some(later)));
        assert!(known.get(&[1; 32], Some(ground), NOW).is_none());
        assert!(known.get(&[1; 32], Some(other), NOW).is_some());
    }

    #[test]
    fn no_more_are_known_than_there_is_room_for() {
        let mut known = Known::default();
        let ground = Ground::Rows(1);
        let proved = proved(Some(NOW + Duration::from_secs(1)));
        for number in 0..3 * MOST {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_be_bytes());
            known.remember(digest, ground, &proved);
            assert!(known.sessions.len() <= MOST);
            assert!(known.get(&digest, Some(ground), NOW).is_some());
        }
    }
}
