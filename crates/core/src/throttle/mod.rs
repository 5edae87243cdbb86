//! Counts wrong passwords, and refuses further ones.

mod counts;
mod familiar;
mod link;
mod shared_keys;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use hallpass_stores::sql::fold_case;
use unicode_normalization::UnicodeNormalization;

use self::counts::Counts;
use self::familiar::Familiar;
use self::link::{Backlog, Link};
pub use self::link::{Report, SharingNews};
use self::shared_keys::{Digests, SharedKeys, Wanted};
use crate::Id;
use crate::configuration::{Limits, SharedLimits};

/// Counts wrong passwords, for a program that runs long: for the name as typed, for the account
/// that it means, and for the client's address. After `failures` of them within `failure_window`,
/// further passwords are refused unseen until the window that began with the first one ends.
/// Sessions are not touched: guessing a password ends none.
///
/// The account counts because many spellings mean one name: those that NFKC folds, those that a
/// database's collation takes for equal, an e-mail address. The typed name counts because most
/// names that are guessed mean no account.
///
/// An address that has recently logged in by a name, or to an account, keeps a budget of its own for
/// it, whatever other clients have guessed, even at the same address: many may share one. A right
/// password clears no count and no budget, or a guesser would gain from every login of the owner's.
///
/// Where several machines [share](Self::sharing) one count, each asks for it before a password is
/// looked at, and counts no less by itself. What it has counted and heard stays when the server of the
/// shared count is away.
#[derive(Debug)]
pub(crate) struct Throttle {
    limits: Limits,
    hasher: RandomState,
    state: Arc<Mutex<State>>,
    shared: Option<SharedCounts>,
}

/// How one count is shared with other machines.
#[derive(Debug)]
struct SharedCounts {
    settings: SharedLimits,
    keys: SharedKeys,
    /// The thread that asks the server, once it is needed; `None` where it cannot be started.
    link: OnceLock<Option<Link>>,
    /// What the server has not been told yet.
    backlog: Arc<Mutex<Backlog>>,
    report: Report,
}

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    familiar: Familiar,
}

/// What one password is counted for, as keyed digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    name: u64,
    account: Option<u64>,
    client: Option<u64>,
    /// The same for other machines, where a count is shared with them.
    shared: Option<Digests>,
}

/// The queue that a check waits in, so that one client's checks do not delay all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Whose: the client's network, or the name where the host tells no address.
    pub of: u64,
    /// Whether the client has lately logged in by this name, or to this account.
    pub familiar: bool,
    /// How many wrong passwords came lately from the client's address.
    pub failures: u32,
}

impl Throttle {
    /// A throttle as `limits` say; no failures at all switch it off.
    #[must_use]
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            hasher: RandomState::new(),
            state: Arc::default(),
            shared: None,
        }
    }

    /// The same, which shares its counts with other machines as `settings` say.
    pub(crate) fn sharing(self, settings: &SharedLimits, report: Report) -> Self {
        let shared = SharedCounts {
            keys: SharedKeys::new(settings, self.limits.failure_window),
            settings: settings.clone(),
            link: OnceLock::new(),
            backlog: Arc::default(),
            report,
        };
        Self {
            shared: Some(shared),
            ..self
        }
    }

    /// The same limits, with the counts of `before`.
    pub(crate) fn succeeding(mut self, before: &Self) -> Self {
        if let (Some(shared), Some(before)) = (&mut self.shared, &before.shared) {
            shared.backlog = Arc::clone(&before.backlog);
        }
        Self {
            limits: self.limits,
            hasher: before.hasher.clone(),
            state: Arc::clone(&before.state),
            shared: self.shared,
        }
    }

    /// Connects to the server of the shared counts, before the first question needs it.
    pub(crate) fn connect(&self) {
        _ = self.link();
    }

    /// Whether counts are shared with other machines now; `None` where they are not to be.
    pub(crate) fn shares(&self) -> Option<bool> {
        let shared = self.shared.as_ref()?;
        let link = shared.link.get().and_then(Option::as_ref);
        Some(link.is_some_and(Link::shares))
    }

    /// A password for `name`, as typed, from `client`.
    pub(crate) fn attempt(&self, name: &str, client: Option<IpAddr>) -> Attempt {
        let name: String = name.nfkc().collect();
        let name = fold_case(&name);
        let client = client.map(network);
        let shared = self.shared.as_ref();
        Attempt {
            shared: shared.map(|shared| shared.keys.attempt(&name, client)),
            name: self.hasher.hash_one(("name", name)),
            account: None,
            client: client.map(|client| self.hasher.hash_one(("client", client))),
        }
    }

    /// The same, once it is known which account the name means.
    pub(crate) fn of_account(&self, attempt: Attempt, id: &Id) -> Attempt {
        Attempt {
            account: Some(self.hasher.hash_one(("account", &id.text))),
            shared: attempt.shared.map(|digests| match &self.shared {
                Some(shared) => shared.keys.of_account(digests, &id.text),
                None => digests,
            }),
            ..attempt
        }
    }

    /// Learns what other machines have counted for the name and the address of `attempt`. It takes a
    /// [share](share) of the deadline at most, and nothing while the server is away.
    pub(crate) fn look(&self, attempt: &Attempt, now: SystemTime) {
        self.ask(attempt, now, |keys| keys.of_name(attempt));
    }

    /// Learns what other machines have counted for the account of `attempt`. It takes as much time
    /// where the name means none.
    pub(crate) fn look_for_account(&self, attempt: &Attempt, now: SystemTime) {
        self.ask(attempt, now, |keys| keys.of_account_or_none(attempt));
    }

    /// Learns what other machines have counted by now, and tells them of a wrong password. It takes as
    /// long as [`look`](Self::look).
    pub(crate) fn exchange(&self, attempt: &Attempt, right: bool, now: SystemTime) {
        let known = self.known(attempt, now);
        self.ask(attempt, now, |keys| keys.of_outcome(attempt, right, known));
    }

    /// As [`exchange`](Self::exchange), but does not wait: `done` is called then, perhaps by another
    /// thread, and perhaps at once.
    pub(crate) fn exchange_then(
        &self,
        attempt: &Attempt,
        right: bool,
        now: SystemTime,
        done: Box<dyn FnOnce() + Send>,
    ) {
        match self.link() {
            Some((link, shared)) => {
                let known = self.known(attempt, now);
                link.send(shared.keys.of_outcome(attempt, right, known), now, done);
            }
            None => done(),
        }
    }

    /// Whether the client has lately logged in by the name, and to the account.
    fn known(&self, attempt: &Attempt, now: SystemTime) -> [bool; 2] {
        let state = self.lock();
        [Some(attempt.name), attempt.account].map(|identity| {
            let known = identity.zip(attempt.client);
            known.is_some_and(|(identity, client)| state.familiar.knows(identity, client, now))
        })
    }

    fn ask(
        &self,
        attempt: &Attempt,
        now: SystemTime,
        wanted: impl FnOnce(&SharedKeys) -> Vec<Wanted>,
    ) {
        if attempt.shared.is_some()
            && let Some((link, shared)) = self.link()
        {
            link.ask(wanted(&shared.keys), now);
        }
    }

    /// The thread that asks the server of the shared counts.
    fn link(&self) -> Option<(&Link, &SharedCounts)> {
        let shared = self.shared.as_ref()?;
        let start = || {
            Link::start(
                &shared.settings,
                &self.limits,
                Arc::clone(&self.state),
                Arc::clone(&shared.backlog),
                shared.report.clone(),
            )
        };
        let link = shared.link.get_or_init(start).as_ref()?;
        Some((link, shared))
    }

    /// Whether a password may be looked at now, as far as the typed name and the address tell:
    /// what they say is the same whether there is such an account or not.
    pub(crate) fn admits(&self, attempt: &Attempt, now: SystemTime) -> bool {
        let limits = &self.limits;
        limits.failures == 0 || self.lock().admits(attempt, limits, now)
    }

    /// Whether a password for the account may be looked at now. To be told only after as much
    /// work as any denial takes: it differs between two spellings of one account and two unknown
    /// names.
    pub(crate) fn admits_account(&self, attempt: &Attempt, now: SystemTime) -> bool {
        let limits = &self.limits;
        limits.failures == 0 || self.lock().admits_account(attempt, limits, now)
    }

    /// Counts a password that was looked at; `false` when by now there have been too many, and
    /// what came of it must not be told. Many guesses at a time learn no more than as many one
    /// after the other.
    pub(crate) fn settle(&self, attempt: &Attempt, right: bool, now: SystemTime) -> bool {
        let limits = &self.limits;
        let mut state = self.lock();
        if limits.failures > 0 {
            if !state.admits(attempt, limits, now) {
                return false;
            }
            // The name and the address count on while the account is refused, as they would if
            // the name meant none.
            if !state.admits_account(attempt, limits, now) {
                state.failed(attempt, limits, now);
                return false;
            }
        }
        if right {
            let is_news = state.succeeded(attempt, now);
            drop(state);
            if is_news && let Some((link, shared)) = self.link() {
                link.send(shared.keys.of_login(attempt), now, Box::new(|| ()));
            }
        } else if limits.failures > 0 {
            state.failed(attempt, limits, now);
        }
        true
    }

    /// Whose turn `attempt` takes.
    pub(crate) fn turn(&self, attempt: &Attempt, now: SystemTime) -> Turn {
        let state = self.lock();
        let familiar = |identity| match attempt.client {
            Some(client) => state.familiar.knows(identity, client, now),
            None => false,
        };
        let identity = attempt
            .account
            .filter(|account| familiar(*account))
            .or(Some(attempt.name).filter(|name| familiar(*name)));
        let failures = attempt.client.map_or(0, |client| {
            state.counts.of(client, self.limits.failure_window, now)
        });
        Turn {
            // Those who share an address with a guesser do not share its turns.
            of: match (attempt.client, identity) {
                (Some(client), Some(identity)) => self.hasher.hash_one((client, identity)),
                (Some(client), None) => client,
                (None, _) => attempt.name,
            },
            familiar: identity.is_some(),
            failures,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn admits(&self, attempt: &Attempt, limits: &Limits, now: SystemTime) -> bool {
        let reached = |key| self.reached(key, limits, now);
        let held = reached(attempt.name) || attempt.client.is_some_and(reached);
        !held || self.has_budget(attempt.name, attempt.client, limits, now)
    }

    fn admits_account(&self, attempt: &Attempt, limits: &Limits, now: SystemTime) -> bool {
        attempt.account.is_none_or(|account| {
            !self.reached(account, limits, now)
                || self.has_budget(account, attempt.client, limits, now)
        })
    }

    /// Whether `client` has recently logged in to `identity`, and has budget left.
    fn has_budget(
        &self,
        identity: u64,
        client: Option<u64>,
        limits: &Limits,
        now: SystemTime,
    ) -> bool {
        client.is_some_and(|client| self.familiar.admits(identity, client, limits, now))
    }

    fn reached(&self, key: u64, limits: &Limits, now: SystemTime) -> bool {
        self.counts.of(key, limits.failure_window, now) >= limits.failures
    }

    fn failed(&mut self, attempt: &Attempt, limits: &Limits, now: SystemTime) {
        let identities = [Some(attempt.name), attempt.account];
        for identity in identities.into_iter().flatten() {
            self.counts.add(identity, limits.failure_window, now);
            if let Some(client) = attempt.client {
                self.familiar.failed(identity, client, limits, now);
            }
        }
        if let Some(client) = attempt.client {
            self.counts.add(client, limits.failure_window, now);
        }
    }

    /// Remembers a login; returns whether that is worth telling other machines.
    fn succeeded(&mut self, attempt: &Attempt, now: SystemTime) -> bool {
        let Some(client) = attempt.client else {
            return false;
        };
        let identities = [Some(attempt.name), attempt.account];
        let mut is_news = false;
        for identity in identities.into_iter().flatten() {
            is_news |= self.familiar.succeeded(identity, client, now);
        }
        is_news
    }
}

/// How long one question to the server of the shared counts may take: a request asks it three times, and
/// the last time may have to wait for its turn, so that all of it is at most a tenth of `deadline`.
pub(crate) fn share(limits: &Limits) -> Duration {
    (limits.deadline / 40).clamp(SHORTEST_SHARE, LONGEST_SHARE)
}

const SHORTEST_SHARE: Duration = Duration::from_millis(1);
const LONGEST_SHARE: Duration = Duration::from_millis(250);

/// An IPv6 client has all addresses of its network of 64 bits.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests;
