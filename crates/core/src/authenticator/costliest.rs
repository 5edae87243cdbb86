//! What a check of a password costs at most on this site.

use hallpass_passwords::{Limits, Rules, identify, is_affordable};

/// What an unknown account costs on a site without any account that has a password: what
/// Django 5.2 would make one cost.
const WITHOUT_ANY: &str = "pbkdf2_sha256$1000000";

/// The costliest hash that has been seen.
#[derive(Debug, Default)]
pub(super) struct Costliest {
    seen: Option<Seen>,
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

impl Costliest {
    /// The costliest hash that has been seen.
    pub(super) fn seen(&self) -> Option<&str> {
        self.seen.as_ref().map(|seen| &*seen.encoded)
    }

    /// The costliest hash that has been seen, or what stands for one where none has.
    pub(super) fn hash(&self) -> &str {
        self.seen().unwrap_or(WITHOUT_ANY)
    }

    /// Sees `encoded`, a hash by `rules`.
    pub(super) fn learn(&mut self, rules: Rules, limits: &Limits, encoded: &str) {
        let Some(description) = identify(rules, encoded) else {
            return;
        };
        let work = description.work;
        let affordable = is_affordable(rules, encoded, limits);
        if affordable && work > self.seen.as_ref().map_or(0, |seen| seen.work) {
            self.seen = Some(Seen {
                encoded: encoded.to_owned(),
                work,
            });
        }
    }
}
