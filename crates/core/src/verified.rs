//! Remembers verified passwords for a while.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

/// What stands for a stored hash and a password that was checked against it. Without the key, which
/// is this process's own, nothing can be found from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// Makes fingerprints, under a key that is made at the start and kept in memory that is never
/// written to disk, where the system allows that.
pub(crate) struct Fingerprints {
    // Unlocked before the key goes.
    _locked: Option<region::LockGuard>,
    key: Box<Zeroizing<[u8; 64]>>,
}

/// Remembers fingerprints of verified passwords for a while, and neither the passwords nor the
/// accounts. A fingerprint includes the stored hash, which the caller reads from the row every time:
/// after a password change, the old fingerprint no longer matches.
#[derive(Debug)]
pub(crate) struct Verified {
    lifetime: Duration,
    most: usize,
    entries: Mutex<Entries>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Debug, Default)]
struct Entries {
    known: HashSet<Fingerprint>,
    /// The same, the oldest first, and when each was remembered.
    order: VecDeque<(Fingerprint, SystemTime)>,
}

/// Statistics of the cache of verified passwords.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStatistics {
    /// How many passwords are remembered.
    pub entries: usize,
    /// The most that are remembered.
    pub limit: usize,
    /// How many checks found their password here.
    pub hits: u64,
    /// How many did not.
    pub misses: u64,
}

impl Fingerprints {
    /// `None` where the system gives no random bytes: nothing can be remembered then.
    pub(crate) fn new() -> Option<Self> {
        let mut key = Box::new(Zeroizing::new([0; 64]));
        getrandom::fill(&mut **key).ok()?;
        Some(Self {
            _locked: region::lock(key.as_ptr(), key.len()).ok(),
            key,
        })
    }

    /// The fingerprint of `parts`, in this order.
    pub(crate) fn of(&self, parts: &[&[u8]]) -> Fingerprint {
        // The key fills a block of the hash.
        let mut keyed = Hmac::<Sha256>::new((&**self.key).into());
        for part in parts {
            keyed.update(&(part.len() as u64).to_be_bytes());
            keyed.update(part);
        }
        Fingerprint(keyed.finalize().into_bytes().into())
    }
}

impl std::fmt::Debug for Fingerprints {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Fingerprints(…)")
    }
}

impl Verified {
    /// Remembers `most` passwords, each for `lifetime`.
    pub(crate) fn new(lifetime: Duration, most: usize) -> Self {
        Self {
            lifetime,
            most,
            entries: Mutex::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Whether this password has been right lately.
    pub(crate) fn knows(&self, fingerprint: &Fingerprint, now: SystemTime) -> bool {
        let mut entries = self.lock();
        entries.forget_old(self.lifetime, now);
        let known = entries.known.contains(fingerprint);
        let counter = if known { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        known
    }

    /// Remembers that this password was right.
    pub(crate) fn remember(&self, fingerprint: Fingerprint, now: SystemTime) {
        let mut entries = self.lock();
        // Its time is not prolonged by another check that was under way.
        if !entries.known.insert(fingerprint) {
            return;
        }
        entries.order.push_back((fingerprint, now));
        while entries.order.len() > self.most {
            entries.forget_first();
        }
    }

    /// Forgets all of them; returns how many there were.
    pub(crate) fn forget(&self) -> usize {
        let mut entries = self.lock();
        let count = entries.order.len();
        while !entries.order.is_empty() {
            entries.forget_first();
        }
        count
    }

    /// The statistics at the time `now`.
    pub(crate) fn statistics(&self, now: SystemTime) -> CacheStatistics {
        let mut entries = self.lock();
        entries.forget_old(self.lifetime, now);
        CacheStatistics {
            entries: entries.order.len(),
            limit: self.most,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn forget_old(&mut self, lifetime: Duration, now: SystemTime) {
        // A clock that was set back ends the life of what is from the future.
        let old = |since: &SystemTime| !now.duration_since(*since).is_ok_and(|age| age < lifetime);
        while self.order.front().is_some_and(|(_, since)| old(since)) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((mut fingerprint, _)) = self.order.pop_front() {
            self.known.remove(&fingerprint);
            fingerprint.0.zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    fn verified(most: usize) -> Verified {
        Verified::new(Duration::from_secs(300), most)
    }

    fn fingerprint(number: u8) -> Fingerprint {
        Fingerprint([number; 32])
    }

    #[test]
    fn what_was_right_is_known_for_a_while() {
        let verified = verified(10);
        assert!(!verified.knows(&fingerprint(1), at(0)));
        verified.remember(fingerprint(1), at(0));
        // To be asked again does not make it younger, nor does another check.
        for second in [0, 100, 299] {
            assert!(verified.knows(&fingerprint(1), at(second)));
            assert!(!verified.knows(&fingerprint(2), at(second)));
            verified.remember(fingerprint(1), at(second));
        }
        assert!(!verified.knows(&fingerprint(1), at(300)));
        let statistics = CacheStatistics {
            entries: 0,
            limit: 10,
            hits: 3,
            misses: 5,
        };
        assert_eq!(verified.statistics(at(300)), statistics);
    }

    #[test]
    fn a_clock_set_back_prolongs_nothing() {
        let verified = verified(10);
        verified.remember(fingerprint(1), at(1000));
        assert!(!verified.knows(&fingerprint(1), at(0)));
        assert!(!verified.knows(&fingerprint(1), at(1000)));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let verified = verified(100);
        for number in 0..=200 {
            verified.remember(fingerprint(number), at(number.into()));
        }
        assert_eq!(verified.statistics(at(200)).entries, 100);
        assert!(!verified.knows(&fingerprint(100), at(200)));
        assert!(verified.knows(&fingerprint(101), at(200)));
        assert_eq!(verified.lock().known.len(), 100);
    }

    #[test]
    fn everything_can_be_forgotten() {
        let verified = verified(10);
        verified.remember(fingerprint(1), at(0));
        verified.remember(fingerprint(2), at(0));
        assert_eq!(verified.forget(), 2);
        assert_eq!(verified.forget(), 0);
        assert!(!verified.knows(&fingerprint(1), at(0)));
    }

    #[test]
    fn fingerprints_are_of_all_their_parts_in_order_and_of_one_process() {
        let one = Fingerprints::new().unwrap();
        let same = one.of(&[b"hash", b"password"]);
        assert_eq!(one.of(&[b"hash", b"password"]), same);
        for other in [
            &[&b"hashp"[..], b"assword"][..],
            &[b"password", b"hash"],
            &[b"hash", b"password", b""],
            &[b"hashpassword"],
        ] {
            assert_ne!(one.of(other), same);
        }
        let other = Fingerprints::new().unwrap();
        assert_ne!(other.of(&[b"hash", b"password"]), same);
    }
}
