//! Whether a rule of the site's is overlooked.

use super::{Examination, Finding};

impl Examination<'_> {
    /// Rules of the site's that its database shows, and that nothing here honours.
    pub(super) fn overlooked(&mut self) {
        let deadline = self.deadline();
        let accounts = &mut *self.site.accounts;
        let found = self
            .database
            .ask(deadline, |queries| accounts.overlooked(queries));
        // A table that may not be read is not one that is read.
        for rule in found.unwrap_or_default() {
            self.add(Finding::warning(
                rule.check, rule.tried, rule.seen, rule.mend,
            ));
        }
    }
}
