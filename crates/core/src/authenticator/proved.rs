//! Sessions that have been read, for as long as the database stays as it was.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use hallpass_stores::sql::State;

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

/// What was read of sessions and their accounts since the database last changed.
///
/// A page is dozens of requests with one session, and most of the time nobody commits anything
/// between them. The database is asked for its state at each, so that a session that ends, or an
/// account that is switched off, counts at once.
#[derive(Default)]
pub(super) struct Known {
    state: Option<State>,
    sessions: HashMap<[u8; 32], Arc<Proved>>,
}

impl Known {
    /// Forgets everything unless `state` is the one that it was read in.
    pub(super) fn only_in(&mut self, state: Option<State>) {
        if self.state != state || state.is_none() {
            self.sessions.clear();
            self.state = state;
        }
    }

    /// The session that `digest` is of, if it is known and has not ended at `now`.
    pub(super) fn get(&self, digest: &[u8; 32], now: SystemTime) -> Option<Arc<Proved>> {
        let proved = self.sessions.get(digest)?;
        let lives = proved.session.expires.is_some_and(|expires| now < expires);
        lives.then(|| Arc::clone(proved))
    }

    /// Knows what the session that `digest` is of proves, if the state is known that it was read in.
    pub(super) fn remember(&mut self, digest: [u8; 32], proved: &Arc<Proved>) {
        if self.state.is_none() {
            return;
        }
        if self.sessions.len() >= MOST {
            self.sessions.clear();
        }
        self.sessions.insert(digest, Arc::clone(proved));
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Known({} sessions)", self.sessions.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    /// States come from databases alone.
    fn state() -> State {
        use hallpass_stores::sql::{Database, Location, Settings};
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        rusqlite::Connection::open(&path)
            .and_then(|file| file.execute_batch("CREATE TABLE t (c)"))
            .unwrap();
        let mut database = Database::new(&Settings::new(Location::Sqlite(path)));
        let deadline = hallpass_stores::Deadline::after(std::time::Duration::from_secs(60));
        let state = database.ask(deadline, |queries| queries.state());
        state.unwrap().unwrap()
    }

    #[test]
    fn nothing_is_known_without_a_state_or_an_end() {
        let later = NOW + std::time::Duration::from_secs(1);
        let mut known = Known::default();
        known.remember([1; 32], &proved(Some(later)));
        known.only_in(None);
        assert!(known.get(&[1; 32], NOW).is_none());
        let state = state();
        known.only_in(Some(state));
        known.remember([1; 32], &proved(Some(later)));
        known.remember([2; 32], &proved(None));
        known.only_in(Some(state));
        assert!(known.get(&[1; 32], NOW).is_some());
        assert!(known.get(&[1; 32], later).is_none());
        assert!(known.get(&[2; 32], NOW).is_none());
        assert!(known.get(&[3; 32], NOW).is_none());
        known.only_in(None);
        known.only_in(Some(state));
        assert!(known.get(&[1; 32], NOW).is_none());
    }

    #[test]
    fn no_more_are_known_than_there_is_room_for() {
        let mut known = Known::default();
        known.only_in(Some(state()));
        let proved = proved(Some(NOW + std::time::Duration::from_secs(1)));
        for number in 0..3 * MOST {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_be_bytes());
            known.remember(digest, &proved);
            assert!(known.sessions.len() <= MOST);
            assert!(known.get(&digest, NOW).is_some());
        }
    }
}
