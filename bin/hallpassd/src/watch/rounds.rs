//! Looks at all watched sessions, round after round, on a thread of its own.

use std::collections::HashSet;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hallpass_core::{
    Authenticator, Clock, Configuration, DatabaseState, Deadline, Ended, Recorded, Unavailable,
    Verdict,
};

use super::{AFTER_HINT, ENDED, Entry, Key, RestsOn, Shared, Site, State};

/// A round takes at most one part of this many of the time; the rest is a pause.
const SHARE: u32 = 4;
/// The same where next to nothing has changed: looking costs no more than it is worth.
const QUIET_SHARE: u32 = 10;
/// Next to nothing has changed where fewer than one of this many sessions had to be asked about.
const QUIET: usize = 16;
/// How many questions in a row may find a store unavailable before the round is interrupted.
const MOST_UNAVAILABLE: u32 = 3;
/// How long to wait for work at most: the clock is looked at that often.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Looks at the sessions in `shared` until it is closed.
pub(super) fn run(shared: &Shared) {
    let mut looker: Option<Looker> = None;
    // What is left of the round in progress.
    let mut left: Vec<Key> = Vec::new();
    let mut round = Round::begin();
    let mut due = Instant::now();
    let mut state = shared.lock();
    loop {
        if state.closed {
            return;
        }
        let Some(site) = state.site.clone() else {
            state = wait(shared, state, LONGEST_WAIT);
            continue;
        };
        let current = looker.as_ref().is_some_and(|looker| looker.serves(&site));
        if !current {
            drop(state);
            looker = Some(Looker::new(site));
            state = shared.lock();
            // What was found alive is judged by another configuration now.
            for entry in state.entries.values_mut() {
                entry.state = None;
                entry.rests_on = None;
            }
            continue;
        }
        let Some(looker) = &mut looker else { continue };
        let now = Instant::now();
        if let Some(keys) = state.take_hinted(now) {
            (state, _) = looker.look_at(shared, state, keys, None);
            continue;
        }
        if left.is_empty() && now >= due {
            due = now + looker.interval();
            if state.entries.is_empty() {
                continue;
            }
            drop(state);
            round = Round::begin();
            looker.busy = Duration::ZERO;
            looker.asked = 0;
            round.state = looker.database_state();
            looker.is_away &= round.state.is_none();
            state = shared.lock();
            left = state.to_look_at(round.state, SystemTime::now());
            round.count = left.len();
            if left.is_empty() {
                state.statistics.round = Duration::ZERO;
            }
            continue;
        }
        if !left.is_empty() && now >= round.resume {
            // Few at a time, so that hints and a new configuration wait for few.
            let part = left.split_off(left.len().saturating_sub(PART));
            let (changed, rest);
            (state, changed) = looker.pass_unchanged(shared, state, part, round.state);
            (state, rest) = looker.look_at(shared, state, changed, round.state);
            left.extend(rest);
            if looker.unavailable >= MOST_UNAVAILABLE {
                round.resume = Instant::now() + looker.interval();
                looker.unavailable = 0;
            }
            if left.is_empty() {
                // Where several servers are asked in turn, another one may have answered.
                drop(state);
                let is_same = round.state.is_none() || looker.database_state() == round.state;
                state = shared.lock();
                if !is_same {
                    state.forget(round.state);
                }
                state.statistics.round = looker.busy;
                let is_quiet = looker.asked < round.count / QUIET;
                let share = if is_quiet { QUIET_SHARE } else { SHARE };
                let rest = looker.busy.saturating_mul(share - 1);
                due = (round.begun + looker.interval()).max(Instant::now() + rest);
            }
            continue;
        }
        let next = if left.is_empty() { due } else { round.resume };
        let next = state.next_hint.map_or(next, |hint| hint.min(next));
        let longest = match state.entries.is_empty() {
            true => LONGEST_WAIT,
            false => next.saturating_duration_since(now),
        };
        state = wait(shared, state, longest);
    }
}

/// How many sessions are looked at before hints are.
const PART: usize = 128;
/// How long a session is taken for alive at most while what its verdict rested on is the same.
const LONGEST_REST: Duration = Duration::from_secs(600);

/// How long that is for the session `key`: not for all of them the same, so that not all are asked
/// about at once.
fn lifetime(key: &Key) -> Duration {
    let [byte, ..] = key;
    LONGEST_REST / 2 + LONGEST_REST / 2 * u32::from(*byte) / 256
}

impl Entry {
    /// What the last verdict rested on, where it counts at `instant` and by the clock at `now`.
    fn rests_on_until(&self, instant: Instant, now: SystemTime) -> Option<Arc<RestsOn>> {
        let lives = self.expires.is_none_or(|expires| expires > now);
        let rests_on = self.rests_on.as_ref()?;
        (lives && instant < rests_on.until).then(|| Arc::clone(rests_on))
    }
}

struct Round {
    begun: Instant,
    /// When it goes on, where a store was unavailable.
    resume: Instant,
    state: Option<DatabaseState>,
    /// How many sessions are looked at.
    count: usize,
}

impl Round {
    fn begin() -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            resume: now,
            state: None,
            count: 0,
        }
    }
}

fn wait<'a>(
    shared: &'a Shared,
    state: MutexGuard<'a, State>,
    longest: Duration,
) -> MutexGuard<'a, State> {
    let waited = shared.changed.wait_timeout(state, longest);
    waited.unwrap_or_else(PoisonError::into_inner).0
}

impl State {
    /// The sessions that were hinted at and whose turn has come by `now`.
    fn take_hinted(&mut self, now: Instant) -> Option<Vec<Key>> {
        if self.next_hint.is_none_or(|next| next > now) {
            return None;
        }
        let mut keys = Vec::new();
        self.hinted.retain(|key, (when, count)| {
            if !self.entries.contains_key(key) {
                return false;
            }
            if *when > now {
                return true;
            }
            keys.push(*key);
            *count += 1;
            match AFTER_HINT.get(*count) {
                Some(pause) => {
                    *when = now + *pause;
                    true
                }
                None => false,
            }
        });
        self.next_hint = self.hinted.values().map(|(when, _)| *when).min();
        Some(keys)
    }

    /// The sessions that may have ended by `now`: not those that were found alive in this very
    /// `database` state, and are to end later.
    fn to_look_at(&self, database: Option<DatabaseState>, now: SystemTime) -> Vec<Key> {
        let lives = |entry: &Entry| {
            database.is_some()
                && entry.state == database
                && entry.expires.is_some_and(|expires| expires > now)
        };
        let entries = self.entries.iter();
        let entries = entries.filter(|(_, entry)| !lives(entry));
        entries.map(|(key, _)| *key).collect()
    }

    /// Has those that were found alive in the state `database` looked at again.
    fn forget(&mut self, database: Option<DatabaseState>) {
        let entries = self.entries.values_mut();
        for entry in entries.filter(|entry| entry.state == database) {
            entry.state = None;
        }
    }

    /// Tells the subscribers of `key` that it has ended.
    fn end(&mut self, key: &Key, ended: Ended, site: &Site) {
        let Some(entry) = self.entries.remove(key) else {
            return;
        };
        self.hinted.remove(key);
        self.recent.remember(*key, ended, Instant::now());
        for (place, other) in ENDED.iter().enumerate() {
            if let Some(count) = self.statistics.ended.get_mut(place) {
                *count += u64::from(*other == ended);
            }
        }
        let message = format!("a session of {:?} has ended: {}", entry.name, ended.word());
        site.log.info(&message);
        for (_, subscriber) in entry.subscribers {
            // One that no longer waits needs no word.
            let _ = subscriber.send(ended);
        }
    }
}

/// Asks about the sessions of one configuration.
struct Looker {
    site: Site,
    authenticator: Authenticator,
    clock: Clock,
    /// What the questions of this round took that were answered: waiting for a store that is away costs
    /// nothing.
    busy: Duration,
    /// How many sessions of this round the usual question was asked about.
    asked: usize,
    /// How many questions in a row found a store unavailable.
    unavailable: u32,
    /// Whether the log says that a store is unavailable.
    is_away: bool,
}

impl Looker {
    fn new(site: Site) -> Self {
        Self {
            authenticator: Authenticator::new(&site.configuration),
            site,
            clock: Clock::new((Instant::now(), SystemTime::now())),
            busy: Duration::ZERO,
            asked: 0,
            unavailable: 0,
            is_away: false,
        }
    }

    fn serves(&self, site: &Site) -> bool {
        Arc::ptr_eq(&self.site.configuration, &site.configuration)
    }

    fn configuration(&self) -> &Configuration {
        &self.site.configuration
    }

    fn interval(&self) -> Duration {
        self.configuration().daemon.watch_interval
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.configuration().limits.deadline)
    }

    /// The state of the database, where sessions rest on nothing else.
    fn database_state(&mut self) -> Option<DatabaseState> {
        let deadline = self.deadline();
        self.authenticator.database_state(deadline)
    }

    /// Of the sessions `keys`, leaves out those where all is the same that the last verdict rested
    /// on, the database being in the state `database` or a later one. Releases the lock meanwhile.
    fn pass_unchanged<'a>(
        &mut self,
        shared: &'a Shared,
        state: MutexGuard<'a, State>,
        keys: Vec<Key>,
        database: Option<DatabaseState>,
    ) -> (MutexGuard<'a, State>, Vec<Key>) {
        let (begun, now) = (Instant::now(), SystemTime::now());
        let asked: Vec<(Key, Arc<RestsOn>)> = keys
            .iter()
            .filter_map(|key| Some((*key, state.entries.get(key)?.rests_on_until(begun, now)?)))
            .collect();
        if asked.is_empty() {
            return (state, keys);
        }
        drop(state);
        let recorded: Vec<&Recorded> = asked.iter().map(|(_, it)| &it.recorded).collect();
        let deadline = self.deadline();
        // Where a store is unavailable, the usual question says so.
        let unchanged = self.authenticator.unchanged(&recorded, deadline);
        let unchanged = unchanged.inspect(|_| self.answered(begun.elapsed()));
        let unchanged = asked.iter().zip(unchanged.unwrap_or_default());
        let unchanged: HashSet<Key> = unchanged
            .filter(|(_, unchanged)| *unchanged)
            .map(|((key, _), _)| *key)
            .collect();
        let mut state = shared.lock();
        for (key, rests_on) in &asked {
            // Others may have begun to watch the same again.
            if let Some(entry) = state.entries.get_mut(key)
                && unchanged.contains(key)
                && entry
                    .rests_on
                    .as_ref()
                    .is_some_and(|it| Arc::ptr_eq(it, rests_on))
            {
                entry.state = database;
            }
        }
        let changed = keys.into_iter().filter(|key| !unchanged.contains(key));
        (state, changed.collect())
    }

    /// Looks at the sessions `keys`, the database being in the state `database` or a later one.
    /// Releases the lock meanwhile. Returns those that are left because a store is unavailable.
    fn look_at<'a>(
        &mut self,
        shared: &'a Shared,
        mut state: MutexGuard<'a, State>,
        mut keys: Vec<Key>,
        database: Option<DatabaseState>,
    ) -> (MutexGuard<'a, State>, Vec<Key>) {
        while self.unavailable < MOST_UNAVAILABLE
            && let Some(key) = keys.pop()
        {
            // Its subscribers may have gone.
            let Some(entry) = state.entries.get(&key) else {
                continue;
            };
            let (watched, expires) = (Arc::clone(&entry.watched), entry.expires);
            drop(state);
            let (begun, now) = (Instant::now(), SystemTime::now());
            let deadline = self.deadline();
            let request = &watched.request;
            let (verdict, recorded) = self.authenticator.recheck_recorded(request, now, deadline);
            let even = self.clock.is_even((Instant::now(), now));
            let ended = watched.judge(&verdict, expires.filter(|_| even), now);
            let ended = ended.filter(|ended| even || *ended != Ended::Expired);
            self.heard(&verdict, begun.elapsed());
            state = shared.lock();
            // A site that is no longer served ends nothing.
            if state.closed {
                return (state, Vec::new());
            }
            // Others may have begun to watch the same again, after it was looked at.
            let Some(entry) = state.entries.get_mut(&key) else {
                continue;
            };
            if !Arc::ptr_eq(&entry.watched, &watched) {
                continue;
            }
            match (ended, verdict) {
                (Some(ended), _) => state.end(&key, ended, &self.site),
                (None, Verdict::Granted(identity)) => {
                    let session = identity.session.as_ref();
                    entry.expires = session.and_then(|session| session.expires);
                    entry.state = database;
                    entry.rests_on = recorded.map(|recorded| {
                        let until = begun + lifetime(&key);
                        Arc::new(RestsOn { recorded, until })
                    });
                }
                (None, _) => {}
            }
        }
        (state, keys)
    }

    /// Notes whether the stores answer, and what that took, and logs when that changes.
    fn heard(&mut self, verdict: &Verdict, took: Duration) {
        if let Verdict::Unavailable(unavailable) = verdict {
            self.unavailable = self.unavailable.saturating_add(1);
            if !self.is_away {
                self.is_away = true;
                self.log_away(unavailable);
            }
        } else {
            self.asked += 1;
            self.answered(took);
        }
    }

    /// Notes that the stores have answered, and what that took.
    fn answered(&mut self, took: Duration) {
        self.busy += took;
        self.unavailable = 0;
        self.is_away = false;
    }

    fn log_away(&self, unavailable: &Unavailable) {
        self.site.log.warning(&format!(
            "cannot look at watched sessions again, and ends none of them: {unavailable}"
        ));
    }
}
