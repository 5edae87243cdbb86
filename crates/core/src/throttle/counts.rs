//! Counts failures within a time window, in bounded memory.

use std::time::{Duration, SystemTime};

/// How many sets there are, and how many counts each has room for.
const SETS: usize = 4096;
const WAYS: usize = 32;

/// Counts within a window that begins with the first one counted. A key has a place in one of
/// many small sets. Where a set is full, the smallest count makes room: a client that floods the
/// table with new names displaces those, and not the names that are being guessed.
#[derive(Debug)]
pub(super) struct Counts {
    sets: Vec<Vec<Count>>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    key: u64,
    window: Window,
}

/// A number of failures, and when the first was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    began: SystemTime,
    failures: u32,
}

impl Window {
    /// A window without any failure, that begins at `now`.
    pub(super) fn beginning(now: SystemTime) -> Self {
        Self {
            began: now,
            failures: 0,
        }
    }

    /// How many failures there are in it.
    pub(super) fn failures(&self, length: Duration, now: SystemTime) -> u32 {
        // A clock that was set back begins a new window.
        let runs = now.duration_since(self.began).is_ok_and(|age| age < length);
        if runs { self.failures } else { 0 }
    }

    /// Counts a failure.
    pub(super) fn add(&mut self, length: Duration, now: SystemTime) {
        let before = self.failures(length, now);
        if before == 0 {
            self.began = now;
        }
        self.failures = before.saturating_add(1);
    }

    /// Counts at least as many as another machine has counted, whose window goes on for `left`.
    pub(super) fn raise(&mut self, told: Told, length: Duration, now: SystemTime) {
        if told.failures > self.failures(length, now) {
            let age = length.saturating_sub(told.left);
            self.began = now.checked_sub(age).unwrap_or(now);
            self.failures = told.failures;
        }
    }
}

/// What several machines have counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) failures: u32,
    /// How long the window goes on.
    pub(super) left: Duration,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            sets: vec![Vec::new(); SETS],
        }
    }
}

impl Counts {
    /// How many failures are counted for `key`.
    pub(super) fn of(&self, key: u64, length: Duration, now: SystemTime) -> u32 {
        let count = self
            .sets
            .get(set_of(key, SETS))
            .and_then(|set| set.iter().find(|count| count.key == key));
        count.map_or(0, |count| count.window.failures(length, now))
    }

    /// Counts a failure for `key`.
    pub(super) fn add(&mut self, key: u64, length: Duration, now: SystemTime) {
        self.change(key, length, now, |window| window.add(length, now));
    }

    /// Counts at least as many failures for `key` as were counted elsewhere.
    pub(super) fn raise(&mut self, key: u64, told: Told, length: Duration, now: SystemTime) {
        if told.failures > 0 {
            self.change(key, length, now, |window| window.raise(told, length, now));
        }
    }

    fn change(
        &mut self,
        key: u64,
        length: Duration,
        now: SystemTime,
        change: impl FnOnce(&mut Window),
    ) {
        let Some(set) = self.sets.get_mut(set_of(key, SETS)) else {
            return;
        };
        if let Some(count) = set.iter_mut().find(|count| count.key == key) {
            change(&mut count.window);
            return;
        }
        let mut window = Window::beginning(now);
        change(&mut window);
        let new = Count { key, window };
        if set.len() < WAYS {
            set.push(new);
        } else if let Some(least) = set
            .iter_mut()
            .min_by_key(|count| (count.window.failures(length, now), count.window.began))
        {
            *least = new;
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.sets.iter().map(Vec::len).sum()
    }

    #[cfg(test)]
    pub(super) const MOST: usize = SETS * WAYS;
}

/// The set of `key`, which is a digest, among `sets`.
pub(super) fn set_of(key: u64, sets: usize) -> usize {
    usize::try_from(key % sets as u64).unwrap_or_default()
}
