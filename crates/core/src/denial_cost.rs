//! Remembers what a check of a password costs at most on this site, which a denial must cost too.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hallpass_passwords::{Encoded, Limits};

/// The costliest hash that any thread of a program has seen.
#[derive(Debug, Default)]
pub(crate) struct DenialCost {
    costliest: Mutex<Option<Arc<Encoded>>>,
}

impl DenialCost {
    /// The costliest hash that has been seen.
    pub(crate) fn costliest(&self) -> Option<Arc<Encoded>> {
        self.lock().clone()
    }

    /// Remembers `encoded` if it fits `limits` and costs more than all before it.
    pub(crate) fn learn(&self, encoded: &Arc<Encoded>, limits: &Limits) {
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
