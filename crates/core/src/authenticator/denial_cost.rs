//! What a check of a password costs at most on this site.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hallpass_passwords::{Limits, Rules, identify, is_affordable};

/// What an unknown account costs on a site without any account that has a password: what
/// Django 5.2 would make one cost.
const WITHOUT_ANY: &str = "pbkdf2_sha256$1000000";

/// The costliest hash that has been seen, by any thread of a program.
#[derive(Debug, Default)]
pub(crate) struct DenialCost {
    seen: Mutex<Option<Seen>>,
}

struct Seen {
    encoded: String,
    work: u64,
}

/// Never shows the hash.
impl std::fmt::Debug for Seen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Seen")
            .field("work", &self.work)
            .finish_non_exhaustive()
    }
}

impl DenialCost {
    /// The costliest hash that has been seen.
    pub(super) fn seen(&self) -> Option<String> {
        self.lock().as_ref().map(|seen| seen.encoded.clone())
    }

    /// The costliest hash that has been seen, or what stands for one where none has.
    pub(super) fn hash(&self) -> String {
        self.seen().unwrap_or_else(|| WITHOUT_ANY.to_owned())
    }

    /// Sees `encoded`, a hash by `rules`.
    pub(super) fn learn(&self, rules: Rules, limits: &Limits, encoded: &str) {
        let Some(description) = identify(rules, encoded) else {
            return;
        };
        let work = description.work;
        if !is_affordable(rules, encoded, limits) {
            return;
        }
        let mut seen = self.lock();
        if work > seen.as_ref().map_or(0, |seen| seen.work) {
            *seen = Some(Seen {
                encoded: encoded.to_owned(),
                work,
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
