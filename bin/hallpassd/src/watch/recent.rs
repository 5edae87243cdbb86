//! Remembers for a while how sessions ended, for clients that were not connected at that moment.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use hallpass_core::Ended;

use super::Key;

/// How long an end is remembered.
const LIFETIME: Duration = Duration::from_secs(600);
/// How many ends are remembered.
const CAPACITY: usize = 16_384;

/// The sessions that ended lately.
#[derive(Debug, Default)]
pub(super) struct Recent {
    ended: HashMap<Key, (Ended, Instant)>,
    /// Those of `ended`, and some that were forgotten since, the oldest first.
    order: VecDeque<(Key, Instant)>,
}

impl Recent {
    /// Remembers that what `key` names has ended at the time `now`.
    pub(super) fn remember(&mut self, key: Key, ended: Ended, now: Instant) {
        while let Some((oldest, when)) = self.order.front().copied() {
            if self.order.len() < CAPACITY && !is_old(when, now) {
                break;
            }
            self.order.pop_front();
            if self.ended.get(&oldest).is_some_and(|(_, at)| *at == when) {
                self.ended.remove(&oldest);
            }
        }
        self.ended.insert(key, (ended, now));
        self.order.push_back((key, now));
    }

    /// How what `key` names has ended, where that is remembered at the time `now`.
    pub(super) fn get(&self, key: &Key, now: Instant) -> Option<Ended> {
        let (ended, when) = self.ended.get(key)?;
        (!is_old(*when, now)).then_some(*ended)
    }

    /// Forgets what `key` names: it is alive again.
    pub(super) fn forget(&mut self, key: &Key) {
        self.ended.remove(key);
    }
}

fn is_old(when: Instant, now: Instant) -> bool {
    now.saturating_duration_since(when) > LIFETIME
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        let mut key = Key::default();
        key[..8].copy_from_slice(&number.to_be_bytes());
        key
    }

    #[test]
    fn ends_are_remembered_for_a_while_and_up_to_a_limit() {
        let (mut recent, start) = (Recent::default(), Instant::now());
        for number in 0..CAPACITY + 10 {
            recent.remember(key(number), Ended::Logout, start);
        }
        assert_eq!(recent.ended.len(), CAPACITY);
        assert_eq!(recent.order.len(), CAPACITY);
        assert_eq!(recent.get(&key(9), start), None);
        assert_eq!(recent.get(&key(10), start), Some(Ended::Logout));
        let late = start + LIFETIME + Duration::from_secs(1);
        assert_eq!(recent.get(&key(10), late), None);
        recent.remember(key(0), Ended::Expired, late);
        assert_eq!((recent.ended.len(), recent.order.len()), (1, 1));
    }

    #[test]
    fn what_is_alive_again_is_forgotten_and_may_end_again() {
        let (mut recent, start) = (Recent::default(), Instant::now());
        recent.remember(key(1), Ended::Logout, start);
        recent.forget(&key(1));
        assert_eq!(recent.get(&key(1), start), None);
        let later = start + LIFETIME / 2;
        recent.remember(key(1), Ended::Closed, later);
        // The older entry in the order does not take the newer end along.
        let old = start + LIFETIME + Duration::from_secs(1);
        recent.remember(key(2), Ended::Logout, old);
        assert_eq!(recent.get(&key(1), old), Some(Ended::Closed));
    }
}
