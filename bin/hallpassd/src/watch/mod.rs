//! Watches sessions that were let in, and tells those who subscribed when one has ended.
//!
//! [`Watch`] holds what is watched, one entry for each different question, and outlives a reload of
//! the configuration. A thread of its own ([`rounds`]) asks the usual questions again, over
//! connections of its own, so that no request waits for it.

mod recent;
mod rounds;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use hallpass_core::{
    Configuration, Credential, Ended, Identity, Recorded, Request, Secret, Watched,
};
use hallpass_runtime::Log;
use rustix::process::{Resource, getrlimit};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use self::recent::Recent;
use crate::start::PROGRAM;

/// How many subscriptions there are at once, of all sites, where the system lets the process open
/// twice as many files: each is a connection.
const MOST_SUBSCRIPTIONS: usize = 16_384;
/// When a session is looked at after a hint that it may have ended. A site may give the hint just
/// before it ends the session, as Django's signal `user_logged_out` does.
const AFTER_HINT: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(500),
];
/// The shortest token that a longer one is searched for.
const SHORTEST_PART: usize = 16;

/// Names what is watched: a digest of the whole question.
type Key = [u8; 32];

/// The sessions of one site that are watched.
#[derive(Debug, Default)]
pub struct Watch(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the thread that looks at the sessions.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// When to look at what has been hinted at, and how often that was done.
    hinted: HashMap<Key, (Instant, usize)>,
    /// The soonest moment in `hinted`.
    next_hint: Option<Instant>,
    recent: Recent,
    site: Option<Site>,
    subscriptions: usize,
    /// The number of the next subscription.
    next: u64,
    has_thread: bool,
    closed: bool,
    statistics: Statistics,
}

/// A site as the configuration last read describes it.
#[derive(Clone, Debug)]
struct Site {
    configuration: Arc<Configuration>,
    log: Arc<Log>,
}

#[derive(Debug)]
struct Entry {
    watched: Arc<Watched>,
    /// The account's name, for hints and the log.
    name: String,
    expires: Option<SystemTime>,
    /// The state of the database in which it was last found alive.
    state: Option<hallpass_core::DatabaseState>,
    /// What the last verdict rested on, where that can be read again.
    rests_on: Option<Arc<RestsOn>>,
    subscribers: Vec<(u64, oneshot::Sender<Ended>)>,
}

/// What a verdict rested on.
#[derive(Debug)]
struct RestsOn {
    recorded: Recorded,
    /// When the usual question is asked again, whatever this says.
    until: Instant,
}

/// What has been watched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Statistics {
    /// How many questions are asked again.
    pub watched: usize,
    /// How many wait for their end.
    pub subscriptions: usize,
    /// How many have ended, in the order of [`ENDED`].
    pub ended: [u64; 5],
    /// How long looking at all of them took the last time.
    pub round: Duration,
}

/// Every way to end, in the order of [`Statistics::ended`].
pub const ENDED: [Ended; 5] = [
    Ended::Logout,
    Ended::Expired,
    Ended::Password,
    Ended::Closed,
    Ended::Conditions,
];

/// What a site says may have ended.
#[derive(Debug)]
pub enum Hint<'a> {
    /// The session with this token, or with an identifier that the token contains.
    Session(&'a [u8]),
    /// All sessions of the account with this name.
    User(&'a str),
}

/// Waits for one end. When it is dropped, nothing waits any more.
#[derive(Debug)]
pub struct Subscription {
    /// Closed without a value where the site is no longer served.
    pub ended: oneshot::Receiver<Ended>,
    shared: Arc<Shared>,
    key: Key,
    number: u64,
    _counted: Counted,
}

/// How many subscriptions there are, of all sites.
static SUBSCRIPTIONS: AtomicUsize = AtomicUsize::new(0);

/// One of [`SUBSCRIPTIONS`], until it is dropped.
#[derive(Debug)]
struct Counted;

impl Counted {
    /// `None` where there are too many.
    fn new() -> Option<Self> {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let half = usize::try_from(files / 2).unwrap_or(usize::MAX);
        let counted = Self;
        let others = SUBSCRIPTIONS.fetch_add(1, Ordering::Relaxed);
        (others < half.min(MOST_SUBSCRIPTIONS)).then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        SUBSCRIPTIONS.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Watch {
    /// Looks at the sessions as `configuration` says from now on.
    pub fn serve(&self, configuration: &Arc<Configuration>) {
        let mut state = self.0.lock();
        state.site = Some(Site {
            configuration: Arc::clone(configuration),
            log: Arc::new(Log::new(PROGRAM, configuration.log)),
        });
        drop(state);
        self.0.changed.notify_all();
    }

    /// Watches what `request` proved to be `identity`; `None` where that is too much.
    pub fn subscribe(&self, request: Request, identity: &Identity) -> Option<Subscription> {
        let key = key(&request);
        let mut state = self.0.lock();
        if !self.start(&mut state) {
            return None;
        }
        let counted = Counted::new()?;
        let (sender, ended) = oneshot::channel();
        let number = state.next;
        state.next += 1;
        state.subscriptions += 1;
        state.recent.forget(&key);
        let entry = state.entries.entry(key).or_insert_with(|| {
            let watched = Arc::new(Watched::new(request, identity));
            Entry {
                name: identity.name.clone(),
                expires: watched.expires(),
                watched,
                state: None,
                rests_on: None,
                subscribers: Vec::with_capacity(1),
            }
        });
        entry.subscribers.push((number, sender));
        let first = state.entries.len() == 1;
        drop(state);
        if first {
            self.0.changed.notify_all();
        }
        Some(Subscription {
            ended,
            shared: Arc::clone(&self.0),
            key,
            number,
            _counted: counted,
        })
    }

    /// How what `request` asks about ended, where it was watched and that was not long ago.
    pub fn ended(&self, request: &Request) -> Option<Ended> {
        self.0.lock().recent.get(&key(request), Instant::now())
    }

    /// Looks at what `hint` names at once. Returns how many that are.
    pub fn look(&self, hint: &Hint<'_>) -> usize {
        let mut state = self.0.lock();
        let now = Instant::now();
        let named = state.entries.iter().filter(|(_, entry)| hint.means(entry));
        let keys: Vec<Key> = named.map(|(key, _)| *key).collect();
        state.hinted.extend(keys.iter().map(|key| (*key, (now, 0))));
        if !keys.is_empty() {
            state.next_hint = Some(now);
            self.0.changed.notify_all();
        }
        keys.len()
    }

    /// What has been watched so far.
    pub fn statistics(&self) -> Statistics {
        let state = self.0.lock();
        Statistics {
            watched: state.entries.len(),
            subscriptions: state.subscriptions,
            ..state.statistics
        }
    }

    /// Starts the thread, where there is none yet. Returns whether there is one.
    fn start(&self, state: &mut State) -> bool {
        if !state.has_thread {
            let shared = Arc::clone(&self.0);
            let thread = thread::Builder::new().name("watch".to_owned());
            let started = thread.spawn(move || rounds::run(&shared));
            state.has_thread = started.is_ok();
        }
        state.has_thread
    }
}

/// Ends the thread, and the subscriptions without a word of an end.
impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.entries.clear();
        drop(state);
        self.0.changed.notify_all();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.subscriptions = state.subscriptions.saturating_sub(1);
        let Some(entry) = state.entries.get_mut(&self.key) else {
            return;
        };
        entry
            .subscribers
            .retain(|(number, _)| *number != self.number);
        if entry.subscribers.is_empty() {
            state.entries.remove(&self.key);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hint<'_> {
    /// Whether this may mean what `entry` watches. It is only looked at, so that too many are no
    /// mistake.
    fn means(&self, entry: &Entry) -> bool {
        match self {
            Self::User(name) => entry.name.to_lowercase() == name.to_lowercase(),
            Self::Session(token) => {
                let own = secret(&entry.watched.request.credential).map(Secret::expose);
                let contains = |own: &[u8]| {
                    token.len() >= SHORTEST_PART
                        && own.windows(token.len()).any(|part| part == *token)
                };
                own.is_some_and(|own| own == *token || contains(own))
            }
        }
    }
}

/// The token that `credential` is.
fn secret(credential: &Credential) -> Option<&Secret> {
    match credential {
        Credential::Session(secret)
        | Credential::Cookies(secret)
        | Credential::Ticket(secret)
        | Credential::Token(secret)
        | Credential::Jwt(secret)
        | Credential::Password(secret) => Some(secret),
        Credential::Vouched => None,
    }
}

/// The key of `request`: two requests have the same one only if they always get the same verdict.
fn key(request: &Request) -> Key {
    let kind = std::mem::discriminant(&request.credential);
    let Request {
        name,
        credential,
        conditions,
        client,
        ..
    } = request;
    let secret = secret(credential).map_or(&b""[..], Secret::expose);
    // The rest holds no secret, and `Debug` escapes what could look like another.
    let rest = format!("{kind:?} {name:?} {conditions:?} {client:?}");
    Sha256::new()
        .chain_update(secret.len().to_be_bytes())
        .chain_update(secret)
        .chain_update(rest)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests;
