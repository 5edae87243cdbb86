//! Counts wrong passwords, and refuses further ones.

mod counts;
mod familiar;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use hallpass_stores::sql::fold_case;
use unicode_normalization::UnicodeNormalization;

use self::counts::Counts;
use self::familiar::Familiar;
use crate::Id;
use crate::configuration::Limits;

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
#[derive(Debug)]
pub(crate) struct Throttle {
    limits: Limits,
    hasher: RandomState,
    state: Arc<Mutex<State>>,
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
        }
    }

    /// The same limits, with the counts of `before`.
    pub(crate) fn succeeding(self, before: &Self) -> Self {
        Self {
            limits: self.limits,
            hasher: before.hasher.clone(),
            state: Arc::clone(&before.state),
        }
    }

    /// A password for `name`, as typed, from `client`.
    pub(crate) fn attempt(&self, name: &str, client: Option<IpAddr>) -> Attempt {
        let name: String = name.nfkc().collect();
        Attempt {
            name: self.hasher.hash_one(("name", fold_case(&name))),
            account: None,
            client: client.map(|client| self.hasher.hash_one(("client", network(client)))),
        }
    }

    /// The same, once it is known which account the name means.
    pub(crate) fn of_account(&self, attempt: Attempt, id: &Id) -> Attempt {
        Attempt {
            account: Some(self.hasher.hash_one(("account", &id.text))),
            ..attempt
        }
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
            state.succeeded(attempt, now);
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

    fn succeeded(&mut self, attempt: &Attempt, now: SystemTime) {
        let Some(client) = attempt.client else {
            return;
        };
        let identities = [Some(attempt.name), attempt.account];
        for identity in identities.into_iter().flatten() {
            self.familiar.succeeded(identity, client, now);
        }
    }
}

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
