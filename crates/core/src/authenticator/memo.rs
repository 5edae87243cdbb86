//! Remembers what live sessions proved, until the rows that this rests on change.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::SystemTime;

use hallpass_stores::sql::{Row, State};

use crate::{Account, Session};
use hallpass_sites::Login;

/// How many sessions are remembered at most.
const CAPACITY: usize = 8192;

/// The longest primary key that is remembered, in bytes, and the longest field of an account.
const LONGEST: usize = 1024;

/// A live session, and the account that it proves.
#[derive(Debug)]
pub(super) struct Proof {
    /// Without its password's hash.
    pub(super) account: Account,
    pub(super) session: Session,
    /// The account's primary key, as the session spells it.
    pub(super) key: String,
}

/// What a proof rests on besides the time. It holds while either of them stays the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// The state that the whole database is in, where it tells.
    pub(super) state: Option<State>,
    /// A digest of the rows of the session and its account, where these are all that is read.
    pub(super) rows: Option<u64>,
}

/// The sessions that were asked about lately, and what they proved.
///
/// A page is dozens of requests with one session, and most of the time nothing changes between them.
/// What the proof rests on is read again at each request, so that a session that ends, or an account
/// that is switched off, counts at once. That is worth three times the requests per second on
/// SQLite, whose file tells its state, and twice those on PostgreSQL, where session and account are
/// read in one statement because the account's key is known (`tests/benchmarks/run sessions`).
///
/// A session is known by the digest of its token. When the memo is full, a session that has not been
/// asked about since the last round makes room.
///
/// Where a session is in its token, sealed or signed, only what the token says is remembered: it stays
/// the same until it ends. The account is read and compared at each request.
#[derive(Default)]
pub(super) struct SessionMemo {
    digests: RandomState,
    proofs: Entries<(Arc<Proof>, Snapshot)>,
    /// With the time when each was read.
    logins: Entries<(Arc<Login>, SystemTime)>,
}

/// Values by the digests of tokens, [`CAPACITY`] at most.
struct Entries<T> {
    places: HashMap<[u8; 32], usize>,
    slots: Vec<Slot<T>>,
    /// The slot that is looked at next when room is needed.
    hand: usize,
}

struct Slot<T> {
    digest: [u8; 32],
    value: T,
    /// Whether it has been asked for since the hand passed.
    used: bool,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            slots: Vec::new(),
            hand: 0,
        }
    }
}

impl<T> Entries<T> {
    fn get(&mut self, digest: &[u8; 32]) -> Option<&mut T> {
        let slot = self.slots.get_mut(*self.places.get(digest)?)?;
        Some(&mut slot.value)
    }

    /// The same, and the value has been of use.
    fn used(&mut self, digest: &[u8; 32]) -> Option<&T> {
        let slot = self.slots.get_mut(*self.places.get(digest)?)?;
        slot.used = true;
        Some(&slot.value)
    }

    fn insert(&mut self, digest: [u8; 32], value: T) {
        let slot = Slot {
            digest,
            value,
            used: false,
        };
        let place = match self.places.get(&digest) {
            Some(place) => *place,
            None if self.slots.len() < CAPACITY => self.slots.len(),
            None => self.evict(),
        };
        self.places.insert(digest, place);
        match self.slots.get_mut(place) {
            Some(old) => *old = slot,
            None => self.slots.push(slot),
        }
    }

    /// Makes room: the place of a session that has not been asked about since the hand passed it.
    fn evict(&mut self) -> usize {
        loop {
            let place = self.hand;
            self.hand = (place + 1) % CAPACITY;
            let Some(slot) = self.slots.get_mut(place) else {
                return place;
            };
            if !std::mem::take(&mut slot.used) {
                self.places.remove(&slot.digest);
                return place;
            }
        }
    }
}

impl SessionMemo {
    /// The digest of `row`, of a session and its account. Its key is this memo's own, so that another
    /// row has the same digest by chance alone, which is one in 2^64.
    pub(super) fn digest_of(&self, row: &Row) -> u64 {
        self.digests.hash_one(row)
    }

    /// What the session that `digest` is of proved the last time. Whether that still holds is not
    /// known.
    pub(super) fn last(&mut self, digest: &[u8; 32]) -> Option<Arc<Proof>> {
        self.proofs.used(digest).map(|(proof, _)| Arc::clone(proof))
    }

    /// What the session that `digest` is of proves where the database is as in `snapshot`, if that
    /// is known and the session has not ended at `now`.
    pub(super) fn get(
        &mut self,
        digest: &[u8; 32],
        snapshot: Snapshot,
        now: SystemTime,
    ) -> Option<Arc<Proof>> {
        let (proof, then) = self.proofs.get(digest)?;
        let same = |then: Option<u64>, now: Option<u64>| now.is_some() && then == now;
        let state = snapshot.state.is_some() && then.state == snapshot.state;
        if !state && !same(then.rows, snapshot.rows) {
            return None;
        }
        // A session whose end is not known may have ended.
        let expires = proof.session.expires;
        if expires.is_none_or(|expires| expires <= now) {
            return None;
        }
        if snapshot.rows.is_some() {
            *then = snapshot;
        }
        Some(Arc::clone(proof))
    }

    /// Remembers what the session that `digest` is of proves, and what that rests on.
    pub(super) fn remember(&mut self, digest: [u8; 32], proof: &Arc<Proof>, snapshot: Snapshot) {
        if proof.is_too_long() {
            return;
        }
        self.proofs.insert(digest, (Arc::clone(proof), snapshot));
    }

    /// The login that the token which `digest` is of says by itself, if that is known and it has not
    /// ended at `now`. One that was read later than that may not have begun.
    pub(super) fn login(&mut self, digest: &[u8; 32], now: SystemTime) -> Option<Arc<Login>> {
        let (login, since) = self.logins.used(digest)?;
        let lives = *since <= now && login.expires.is_none_or(|expires| now < expires);
        lives.then(|| Arc::clone(login))
    }

    /// Remembers what the token which `digest` is of says by itself, as it was read at `now`.
    pub(super) fn remember_login(&mut self, digest: [u8; 32], login: &Arc<Login>, now: SystemTime) {
        let texts = [Some(&login.key), login.auth_hash.as_ref()];
        let fits = texts.into_iter().flatten().all(|it| it.len() <= LONGEST);
        if fits && login.from_token {
            self.logins.insert(digest, (Arc::clone(login), now));
        }
    }
}

impl Proof {
    /// Whether it takes more memory than a session is worth.
    fn is_too_long(&self) -> bool {
        let Account {
            name,
            email,
            full_name,
            ..
        } = &self.account;
        [&self.key, name, email, full_name]
            .iter()
            .any(|text| text.len() > LONGEST)
    }
}

/// Shows nothing of a session.
impl std::fmt::Debug for SessionMemo {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sessions = self.proofs.slots.len() + self.logins.slots.len();
        write!(formatter, "SessionMemo({sessions} sessions)")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hallpass_stores::Deadline;
    use hallpass_stores::sql::{Database, Location, Settings};

    use super::*;
    use crate::{Id, Reason};

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn proof(key: &str, expires: Option<SystemTime>) -> Arc<Proof> {
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
        Arc::new(Proof {
            account,
            session,
            key: key.to_owned(),
        })
    }

    fn live() -> Arc<Proof> {
        proof("7", Some(NOW + Duration::from_secs(1)))
    }

    fn rows(digest: u64) -> Snapshot {
        Snapshot {
            state: None,
            rows: Some(digest),
        }
    }

    fn numbered(number: usize) -> [u8; 32] {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        digest
    }

    #[test]
    fn a_proof_holds_while_the_rows_are_the_same_and_until_the_session_ends() {
        let later = NOW + Duration::from_secs(1);
        let mut memo = SessionMemo::default();
        memo.remember([1; 32], &live(), rows(1));
        memo.remember([2; 32], &proof("7", None), rows(1));
        memo.remember([4; 32], &live(), Snapshot::default());
        assert!(memo.get(&[1; 32], rows(1), NOW).is_some());
        for (digest, snapshot, now) in [
            (1, rows(1), later),
            (1, rows(2), NOW),
            (1, Snapshot::default(), NOW),
            // Its end is not known.
            (2, rows(1), NOW),
            // Another session.
            (3, rows(1), NOW),
            // It rests on nothing that is known.
            (4, rows(1), NOW),
            (4, Snapshot::default(), NOW),
        ] {
            assert!(memo.get(&[digest; 32], snapshot, now).is_none(), "{digest}");
        }
        memo.remember([1; 32], &live(), rows(2));
        assert!(memo.get(&[1; 32], rows(1), NOW).is_none());
        assert!(memo.get(&[1; 32], rows(2), NOW).is_some());
    }

    /// The state that `database` is in.
    fn state(database: &mut Database) -> Snapshot {
        let deadline = Deadline::after(Duration::from_secs(60));
        let state = database.ask(deadline, |queries| queries.state()).unwrap();
        assert!(state.is_some());
        Snapshot { state, rows: None }
    }

    #[test]
    fn a_proof_holds_while_the_database_is_in_the_same_state() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("site.db");
        let site = rusqlite::Connection::open(&path).unwrap();
        site.execute_batch("CREATE TABLE session (id TEXT)")
            .unwrap();
        let mut database = Database::new(&Settings::new(Location::Sqlite(path)));
        let before = state(&mut database);
        let mut memo = SessionMemo::default();
        memo.remember([1; 32], &live(), before);
        assert_eq!(state(&mut database), before);
        assert!(memo.get(&[1; 32], before, NOW).is_some());
        site.execute_batch("INSERT INTO session VALUES ('one')")
            .unwrap();
        let after = state(&mut database);
        assert_ne!(after, before);
        assert!(memo.get(&[1; 32], after, NOW).is_none());
        assert!(memo.get(&[1; 32], Snapshot::default(), NOW).is_none());
        memo.remember([1; 32], &live(), after);
        assert!(memo.get(&[1; 32], after, NOW).is_some());
        assert!(memo.get(&[1; 32], before, NOW).is_none());
    }

    #[test]
    fn the_last_owner_is_remembered() {
        let mut memo = SessionMemo::default();
        assert!(memo.last(&[1; 32]).is_none());
        memo.remember([1; 32], &live(), Snapshot::default());
        memo.remember([1; 32], &proof("8", None), Snapshot::default());
        assert_eq!(memo.last(&[1; 32]).unwrap().key, "8");
        memo.remember([2; 32], &proof(&"9".repeat(LONGEST + 1), None), rows(1));
        assert!(memo.last(&[2; 32]).is_none());
    }

    #[test]
    fn the_least_useful_makes_room_and_never_all() {
        let mut memo = SessionMemo::default();
        for number in 0..CAPACITY {
            memo.remember(numbered(number), &live(), rows(1));
        }
        // What is asked about again and again stays, however many others come once.
        for number in CAPACITY..4 * CAPACITY {
            assert!(
                memo.get(&numbered(0), rows(1), NOW).is_some() || memo.last(&numbered(0)).is_some()
            );
            memo.last(&numbered(0));
            memo.remember(numbered(number), &live(), rows(1));
            assert!(memo.get(&numbered(number), rows(1), NOW).is_some());
        }
        let Entries { slots, places, .. } = &memo.proofs;
        assert_eq!((slots.len(), places.len()), (CAPACITY, CAPACITY));
        assert!(memo.last(&numbered(0)).is_some());
        assert!(memo.last(&numbered(1)).is_none());
        assert!(memo.last(&numbered(4 * CAPACITY - 2)).is_some());
    }

    fn login(key: &str, expires: Option<SystemTime>, from_token: bool) -> Arc<Login> {
        Arc::new(Login {
            key: key.to_owned(),
            auth_hash: None,
            expires,
            decoded: crate::Decoding::default(),
            from_token,
        })
    }

    #[test]
    fn what_a_token_says_by_itself_is_remembered_until_it_ends() {
        let second = Duration::from_secs(1);
        let mut memo = SessionMemo::default();
        memo.remember_login([1; 32], &login("7", Some(NOW + second), true), NOW);
        memo.remember_login([2; 32], &login("8", None, true), NOW);
        // What it rests on besides may have changed.
        memo.remember_login([3; 32], &login("9", None, false), NOW);
        memo.remember_login([4; 32], &login(&"9".repeat(LONGEST + 1), None, true), NOW);
        memo.remember_login([6; 32], &login("6", None, true), NOW + second);
        let key = |memo: &mut SessionMemo, digest, now| {
            let login = memo.login(&[digest; 32], now);
            login.map(|login| login.key.clone())
        };
        for (digest, now, expected) in [
            (1, NOW, Some("7")),
            (1, NOW + second, None),
            (1, NOW + 2 * second, None),
            (2, NOW + 1_000_000 * second, Some("8")),
            (3, NOW, None),
            (4, NOW, None),
            (5, NOW, None),
            // The clock was set back.
            (6, NOW, None),
            (6, NOW + second, Some("6")),
        ] {
            let found = key(&mut memo, digest, now);
            assert_eq!(found.as_deref(), expected, "{digest}");
        }
        // It is not a proof.
        assert!(memo.last(&[1; 32]).is_none());
        assert!(memo.get(&[1; 32], rows(1), NOW).is_none());
    }

    #[test]
    fn nothing_of_a_session_is_shown() {
        let mut memo = SessionMemo::default();
        memo.remember([1; 32], &live(), rows(1));
        assert_eq!(format!("{memo:?}"), "SessionMemo(1 sessions)");
    }
}
