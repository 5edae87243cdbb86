//! Holds the state that the authenticators of one program share.

use std::sync::Arc;
use std::time::SystemTime;

use crate::Request;
use crate::configuration::Configuration;
use crate::denial_cost::DenialCost;
use crate::memory::Memory;
use crate::scans::Scans;
use crate::throttle::{Report, Throttle, Turn};
use crate::verified::{CacheStatistics, Fingerprints, Verified};

/// The state that the authenticators of a long-running program share: counts of wrong passwords, the
/// memory for checks, what a denial costs, and verified passwords.
#[derive(Debug)]
pub struct Shared {
    pub(crate) throttle: Throttle,
    pub(crate) memory: Memory,
    pub(crate) denial_cost: Arc<DenialCost>,
    pub(crate) scans: Scans,
    pub(crate) fingerprints: Option<Fingerprints>,
    pub(crate) verified: Option<Verified>,
}

impl Shared {
    /// The state for the site that `configuration` describes, without remembered passwords.
    #[must_use]
    pub fn new(configuration: &Configuration) -> Self {
        Self {
            throttle: Throttle::new(&configuration.limits),
            memory: Memory::new(configuration.passwords.memory),
            denial_cost: Arc::default(),
            scans: Scans::default(),
            fingerprints: None,
            verified: None,
        }
    }

    /// As [`new`](Self::new), and remembers verified passwords as `[daemon]` says.
    #[must_use]
    pub fn remembering(configuration: &Configuration) -> Self {
        let daemon = &configuration.daemon;
        let verified = |lifetime| Verified::new(lifetime, daemon.verified_cache_size);
        Self {
            fingerprints: Fingerprints::new(),
            verified: daemon.verified_cache.map(verified),
            ..Self::new(configuration)
        }
    }

    /// The same, which goes on counting wrong passwords where `before` does: a configuration that is
    /// read again gives no client new guesses.
    #[must_use]
    pub fn succeeding(self, before: &Self) -> Self {
        Self {
            throttle: self.throttle.succeeding(&before.throttle),
            ..self
        }
    }

    /// The same, whose counts of wrong passwords are shared with other machines where `configuration`
    /// says so. When they are not any more, and when they are again, `report` receives.
    #[must_use]
    pub fn sharing(self, configuration: &Configuration, report: Report) -> Self {
        match &configuration.shared_limits {
            Some(settings) => Self {
                throttle: self.throttle.sharing(settings, report),
                ..self
            },
            None => self,
        }
    }

    /// Connects to the server of the counts that several machines share, where there is one, before
    /// the first question needs it.
    pub fn connect(&self) {
        self.throttle.connect();
    }

    /// Whether counts of wrong passwords are shared with other machines now; `None` where they are
    /// not to be.
    #[must_use]
    pub fn shares_counts(&self) -> Option<bool> {
        self.throttle.shares()
    }

    /// Whose turn `request` takes, at the time `now`.
    #[must_use]
    pub fn turn(&self, request: &Request, now: SystemTime) -> Turn {
        let name = request.name.as_deref().unwrap_or_default();
        let attempt = self.throttle.attempt(name, request.client.address);
        self.throttle.turn(&attempt, now)
    }

    /// Forgets the verified passwords; returns how many there were.
    pub fn forget_verified(&self) -> usize {
        self.verified.as_ref().map_or(0, Verified::forget)
    }

    /// Statistics of the cache of verified passwords at the time `now`.
    #[must_use]
    pub fn cache_statistics(&self, now: SystemTime) -> CacheStatistics {
        let verified = self.verified.as_ref();
        verified.map_or_else(CacheStatistics::default, |it| it.statistics(now))
    }
}
