//! Learns what a check of a password costs at most on this site, which is what a denial must cost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hallpass_passwords::{Encoded, Limits};
use hallpass_stores::sql::Queries;
use hallpass_stores::{Deadline, Unavailable};

use super::Authenticator;

/// What a denial costs on a site without any account that has a password: what Django 5.2 would
/// make one cost.
const DEFAULT: &str = "pbkdf2_sha256$1000000";

/// The costliest hash that any thread of a program has seen.
#[derive(Debug, Default)]
pub(crate) struct DenialCost {
    costliest: Mutex<Option<Arc<Encoded>>>,
}

impl DenialCost {
    /// The costliest hash that has been seen.
    fn costliest(&self) -> Option<Arc<Encoded>> {
        self.lock().clone()
    }

    /// Remembers `encoded` if it fits `limits` and costs more than all before it.
    fn learn(&self, encoded: &Arc<Encoded>, limits: &Limits) {
        let work = |encoded: &Arc<Encoded>| encoded.cost().work;
        if !encoded.fits(limits) {
            return;
        }
        let mut costliest = self.lock();
        if work(encoded) > costliest.as_ref().map_or(0, work) {
            *costliest = Some(Arc::clone(encoded));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Encoded>>> {
        self.costliest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authenticator {
    /// The costliest hash that the newest accounts have; `None` where none of them has a password.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked.
    pub fn denial_cost(&mut self, deadline: Deadline) -> Result<Option<Arc<Encoded>>, Unavailable> {
        self.learn(None, deadline)?;
        Ok(self.denial_cost.costliest())
    }

    /// What a denial costs: as much as the site's costliest hash, `stored` among them, so that the
    /// time does not tell which accounts there are.
    pub(super) fn cost_of_denials(
        &mut self,
        stored: Option<&Arc<Encoded>>,
        deadline: Deadline,
    ) -> Result<Option<Arc<Encoded>>, Unavailable> {
        if let Some(dummy) = &self.dummy {
            return Ok(Some(Arc::clone(dummy)));
        }
        self.learn(stored, deadline)?;
        let costliest = self.denial_cost.costliest();
        Ok(costliest.or_else(|| self.site.parse_cost(DEFAULT).map(Arc::new)))
    }

    /// Learns what hashes cost: that of `checked`, and the first time those of a few others, so
    /// that a program that answers once knows what it must cost, too.
    fn learn(
        &mut self,
        checked: Option<&Arc<Encoded>>,
        deadline: Deadline,
    ) -> Result<(), Unavailable> {
        let others = if self.denial_cost.costliest().is_none() {
            let accounts = &mut *self.site.accounts;
            let ask = |queries: &mut Queries<'_>| accounts.sample_hashes(queries);
            self.database.ask(deadline, ask)?
        } else {
            Vec::new()
        };
        let others = others.iter().filter_map(|it| self.site.parse_hash(it).ok());
        for encoded in others.map(Arc::new).chain(checked.cloned()) {
            self.denial_cost.learn(&encoded, &self.passwords.limits);
        }
        Ok(())
    }
}
