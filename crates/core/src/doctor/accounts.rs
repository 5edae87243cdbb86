//! Whether there is anybody, and what `[access] where` says of them.

use hallpass_stores::Unavailable;
use hallpass_stores::sql::Queries;

use super::{Examination, Finding};

/// A name that no account has to have.
const NAME: &str = "hallpass-doctor";

impl Examination<'_> {
    /// Whether the database understands `[access] where`.
    pub(super) fn condition(&mut self) -> bool {
        if self.configuration.access.account_where.is_none() {
            return true;
        }
        let deadline = self.deadline();
        let accounts = &mut *self.site.accounts;
        let ask = |queries: &mut Queries<'_>| -> Result<(), Unavailable> {
            accounts.by_name(queries, NAME)?;
            // Where they can be listed without a statement of the site's own.
            if accounts.count(queries)?.is_some() {
                accounts.page_after(queries, None)?;
            }
            Ok(())
        };
        let tried = "read accounts with [access] where";
        match self.database.ask(deadline, ask) {
            Ok(()) => {
                let seen = "the database understands it";
                self.add(Finding::ok("where", tried, seen));
                true
            }
            Err(cause) => {
                let mend = "correct [access] where: a condition in the database's own SQL, on the \
                            row of an account, whose table is called account there";
                self.add(Finding::problem("where", tried, cause.to_string(), mend));
                false
            }
        }
    }

    /// Whether the site has accounts at all; how many there are, where that can be counted.
    pub(super) fn accounts(&mut self) -> Option<u64> {
        let deadline = self.deadline();
        let accounts = &mut *self.site.accounts;
        let counted = self
            .database
            .ask(deadline, |queries| accounts.count(queries));
        let tried = "count the accounts";
        match &counted {
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
        counted.ok().flatten()
    }
}
