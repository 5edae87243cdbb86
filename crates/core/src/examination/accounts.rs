//! Whether there is anybody.

use super::{Examination, Finding};

impl Examination<'_> {
    /// Whether the site has accounts at all.
    pub(super) fn accounts(&mut self) {
        let deadline = self.deadline();
        let directory = &mut *self.site.directory;
        let counted = self
            .database
            .ask(deadline, |queries| directory.count(queries));
        let tried = "count the accounts";
        match counted {
            Ok(None) => {}
            Ok(Some(0)) => self.add(Finding::warning(
                "accounts",
                tried,
                "there are none: nobody can log in",
                "set `database` right, if this is not the site's",
            )),
            Ok(Some(count)) => {
                self.add(Finding::ok("accounts", tried, format!("there are {count}")));
            }
            // The table has been read: there are too many to count in time.
            Err(cause) => self.add(Finding::ok("accounts", tried, format!("not done: {cause}"))),
        }
    }
}
