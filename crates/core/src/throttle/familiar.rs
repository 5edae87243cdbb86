//! Remembers from which addresses an account has recently logged in.

use std::time::{Duration, SystemTime};

use super::counts::{Told, Window, set_of};
use crate::configuration::Limits;

/// How long an address is remembered after a login: a week, so that an address at work is
/// remembered over a weekend.
pub(super) const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// How old a login may be before other machines are told of the next one.
const NEWS: Duration = Duration::from_secs(3600);

/// How many wrong passwords a familiar address may send within a window, when those of the name or
/// of the address are used up.
const BUDGET: u32 = 3;

/// How many addresses of one name or account are remembered.
const PLACES: usize = 8;

/// How many sets there are, and how many addresses each has room for.
const SETS: usize = 2048;
const WAYS: usize = 32;

/// Remembers from which addresses a name or an account has recently logged in. A client with one
/// account displaces only the addresses of that account.
#[derive(Debug)]
pub(super) struct Familiar {
    sets: Vec<Vec<Place>>,
}

/// An address from which an account has logged in.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The name or account.
    identity: u64,
    client: u64,
    last: SystemTime,
    /// The wrong passwords.
    window: Window,
}

impl Place {
    fn is(&self, identity: u64, client: u64) -> bool {
        self.identity == identity && self.client == client
    }
}

impl Default for Familiar {
    fn default() -> Self {
        Self {
            sets: vec![Vec::new(); SETS],
        }
    }
}

impl Familiar {
    /// Whether `client` has recently logged in to `identity`.
    pub(super) fn knows(&self, identity: u64, client: u64, now: SystemTime) -> bool {
        self.find(identity, client, now).is_some()
    }

    /// Whether it has, and has budget left.
    pub(super) fn admits(
        &self,
        identity: u64,
        client: u64,
        limits: &Limits,
        now: SystemTime,
    ) -> bool {
        let budget = BUDGET.min(limits.failures);
        self.find(identity, client, now)
            .is_some_and(|place| place.window.failures(limits.failure_window, now) < budget)
    }

    /// Counts a wrong password from an address that is known.
    pub(super) fn failed(&mut self, identity: u64, client: u64, limits: &Limits, now: SystemTime) {
        let set = self.sets.get_mut(set_of(identity, SETS));
        let place = set.and_then(|set| set.iter_mut().find(|place| place.is(identity, client)));
        if let Some(place) = place {
            place.window.add(limits.failure_window, now);
        }
    }

    /// Remembers a login; returns whether that is worth telling other machines. The budget is not
    /// restored before its window ends.
    pub(super) fn succeeded(&mut self, identity: u64, client: u64, now: SystemTime) -> bool {
        let known = self.find(identity, client, now).map(|place| place.last);
        self.remember(identity, client, now);
        let recent = |last: SystemTime| now.duration_since(last).is_ok_and(|age| age < NEWS);
        !known.is_some_and(recent)
    }

    /// Remembers a login at another machine, at the time `last`.
    pub(super) fn learned(
        &mut self,
        identity: u64,
        client: u64,
        last: SystemTime,
        now: SystemTime,
    ) {
        let known = self.find(identity, client, now);
        if known.is_none_or(|place| place.last < last) {
            self.remember(identity, client, last);
        }
    }

    /// Counts at least as many wrong passwords from an address that is known as were counted
    /// elsewhere.
    pub(super) fn raise(
        &mut self,
        identity: u64,
        client: u64,
        told: Told,
        limits: &Limits,
        now: SystemTime,
    ) {
        let set = self.sets.get_mut(set_of(identity, SETS));
        let place = set.and_then(|set| set.iter_mut().find(|place| place.is(identity, client)));
        if let Some(place) = place {
            place.window.raise(told, limits.failure_window, now);
        }
    }

    fn remember(&mut self, identity: u64, client: u64, now: SystemTime) {
        let Some(set) = self.sets.get_mut(set_of(identity, SETS)) else {
            return;
        };
        let new = Place {
            identity,
            client,
            last: now,
            window: Window::beginning(now),
        };
        if let Some(place) = set.iter_mut().find(|place| place.is(identity, client)) {
            place.last = now;
            return;
        }
        let of_its_own = |place: &&mut Place| place.identity == identity;
        let places = set
            .iter()
            .filter(|place| place.identity == identity)
            .count();
        let replaced = if places >= PLACES {
            set.iter_mut()
                .filter(of_its_own)
                .min_by_key(|place| place.last)
        } else if set.len() >= WAYS {
            set.iter_mut().min_by_key(|place| place.last)
        } else {
            None
        };
        match replaced {
            Some(place) => *place = new,
            None => set.push(new),
        }
    }

    fn find(&self, identity: u64, client: u64, now: SystemTime) -> Option<&Place> {
        let set = self.sets.get(set_of(identity, SETS))?;
        let place = set.iter().find(|place| place.is(identity, client))?;
        // A clock that was set back makes no address familiar for longer.
        let lately = now
            .duration_since(place.last)
            .is_ok_and(|age| age < LIFETIME);
        lately.then_some(place)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.sets.iter().map(Vec::len).sum()
    }

    #[cfg(test)]
    pub(super) const MOST: usize = SETS * WAYS;
}
