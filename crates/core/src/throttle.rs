//! Guessing passwords, slowed down.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hallpass_stores::sql::fold_case;

use crate::configuration::Limits;

/// How many names, and how many addresses, are counted at once.
const MOST: usize = 100_000;

/// Counts wrong passwords by name and by client address, for a program that runs long. After
/// `failures` of them within `failure_window`, further passwords are refused unseen until the
/// window that began with the first one ends. Sessions are not touched: nobody can be thrown out
/// by guessing their password.
#[derive(Debug)]
pub(crate) struct Throttle {
    failures: u32,
    window: Duration,
    hasher: RandomState,
    counts: Mutex<HashMap<u64, Count>>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    began: SystemTime,
    failures: u32,
}

impl Throttle {
    /// A throttle as `limits` say; no failures at all switch it off.
    #[must_use]
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            failures: limits.failures,
            window: limits.failure_window,
            hasher: RandomState::new(),
            counts: Mutex::default(),
        }
    }

    /// Whether a password for `name`, from `client`, may be looked at now.
    pub(crate) fn admits(&self, name: &str, client: Option<IpAddr>, now: SystemTime) -> bool {
        if self.failures == 0 {
            return true;
        }
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = |key| {
            counts
                .get(&key)
                .is_some_and(|count| self.runs(count, now) && count.failures >= self.failures)
        };
        !reached(self.name(name)) && !client.is_some_and(|client| reached(self.client(client)))
    }

    /// Counts a wrong password.
    pub(crate) fn failed(&self, name: &str, client: Option<IpAddr>, now: SystemTime) {
        if self.failures == 0 {
            return;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= 2 * MOST {
            counts.retain(|_, count| self.runs(count, now));
        }
        for key in [
            Some(self.name(name)),
            client.map(|client| self.client(client)),
        ] {
            let Some(key) = key else { continue };
            if counts.len() >= 2 * MOST && !counts.contains_key(&key) {
                // Somebody guesses with more names or from more addresses than can be counted;
                // those that are counted stay so.
                continue;
            }
            let count = counts.entry(key).or_insert(Count {
                began: now,
                failures: 0,
            });
            if !self.runs(count, now) {
                *count = Count {
                    began: now,
                    failures: 0,
                };
            }
            count.failures = count.failures.saturating_add(1);
        }
    }

    /// Forgets the wrong passwords for `name`, whose owner has just typed the right one.
    pub(crate) fn succeeded(&self, name: &str) {
        if self.failures > 0 {
            let key = self.name(name);
            self.counts
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&key);
        }
    }

    fn runs(&self, count: &Count, now: SystemTime) -> bool {
        // A clock that was set back begins a new window.
        now.duration_since(count.began)
            .is_ok_and(|age| age < self.window)
    }

    /// Names are counted whatever their case, and not kept.
    fn name(&self, name: &str) -> u64 {
        self.hasher.hash_one(("name", fold_case(name)))
    }

    /// An IPv6 client has all addresses of its network of 64 bits.
    fn client(&self, client: IpAddr) -> u64 {
        let network = match client.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        };
        self.hasher.hash_one(("client", network))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(failures: u32) -> Throttle {
        Throttle::new(&Limits {
            deadline: Duration::from_secs(4),
            failures,
            failure_window: Duration::from_secs(60),
            max_password: 4096,
        })
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn a_name_is_refused_after_so_many_failures_until_the_window_ends() {
        let throttle = throttle(3);
        for second in [0, 10, 20] {
            assert!(throttle.admits("alice", None, at(second)));
            throttle.failed("alice", None, at(second));
        }
        assert!(!throttle.admits("alice", None, at(20)));
        assert!(!throttle.admits("ALICE", None, at(59)));
        assert!(throttle.admits("bob", None, at(59)));
        assert!(throttle.admits("alice", None, at(60)));
        throttle.failed("alice", None, at(60));
        assert!(throttle.admits("alice", None, at(61)));
    }

    #[test]
    fn a_client_is_refused_whatever_names_it_tries() {
        let throttle = throttle(2);
        let [client, neighbour, other] =
            ["2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        throttle.failed("a", Some(client), at(0));
        throttle.failed("b", Some(neighbour), at(1));
        assert!(!throttle.admits("c", Some(client), at(2)));
        assert!(throttle.admits("c", Some(other), at(2)));
        assert!(throttle.admits("c", None, at(2)));
        let [plain, mapped] = ["192.0.2.1", "::ffff:192.0.2.1"].map(|text| text.parse().unwrap());
        throttle.failed("d", Some(plain), at(3));
        throttle.failed("e", Some(mapped), at(3));
        assert!(!throttle.admits("f", Some(plain), at(3)));
    }

    #[test]
    fn the_right_password_clears_the_name() {
        let throttle = throttle(2);
        throttle.failed("alice", None, at(0));
        throttle.succeeded("Alice");
        throttle.failed("alice", None, at(1));
        assert!(throttle.admits("alice", None, at(1)));
    }

    #[test]
    fn none_is_off() {
        let throttle = throttle(0);
        throttle.failed("alice", None, at(0));
        assert!(throttle.admits("alice", None, at(0)));
        assert!(throttle.counts.lock().unwrap().is_empty());
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let throttle = throttle(1);
        throttle.failed("alice", None, at(1000));
        assert!(!throttle.admits("alice", None, at(1000)));
        assert!(throttle.admits("alice", None, at(0)));
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = throttle(1);
        for number in 0..2 * MOST + 10 {
            throttle.failed(&number.to_string(), None, at(0));
        }
        assert!(throttle.counts.lock().unwrap().len() <= 2 * MOST);
        assert!(!throttle.admits("0", None, at(0)));
        throttle.failed("new", None, at(61));
        assert_eq!(throttle.counts.lock().unwrap().len(), 1);
    }
}
