//! Whether a rule of the site's is overlooked.

use super::{Examination, Finding};

impl Examination<'_> {
    /// Rules of the site's that its database shows, and that nothing here honours.
    pub(super) fn overlooked(&mut self) {
        let deadline = self.deadline();
        let directory = &mut *self.site.directory;
        let found = self
            .database
            .ask(deadline, |queries| directory.overlooked(queries));
        // A table that may not be read is not one that is read.
        for rule in found.unwrap_or_default() {
            self.add(Finding::warning(
                rule.check, rule.tried, rule.seen, rule.mend,
            ));
        }
    }
}
