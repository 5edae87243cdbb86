//! Examines the accounts: whether there are any, and whether each name means one account.

use hallpass_sites::Problem;
use hallpass_stores::sql::Queries;
use hallpass_stores::{Deadline, Unavailable};

use super::{Examination, Finding, Status};
use crate::{Twin, TwinFinder, Twins};

/// A name that no account has to have.
const NAME: &str = "hallpass-doctor";

impl Examination<'_> {
    /// Whether the database understands `[access] where`.
    pub(super) fn condition(&mut self) -> bool {
        if self.configuration.access.lookup.account_where.is_none() {
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

impl Examination<'_> {
    /// Rules of the site's that its database shows, and that nothing here honours.
    pub(super) fn overlooked(&mut self) {
        let deadline = self.deadline();
        let accounts = &mut *self.site.accounts;
        let found = self
            .database
            .ask(deadline, |queries| accounts.overlooked(queries));
        // A table that may not be read is not one that is read.
        self.add_overlooked(found.unwrap_or_default());
    }
}

/// How many accounts are compared at most; `hallpass audit` compares them all.
const MOST_ACCOUNTS: u64 = 200_000;
/// How many names are looked up that look alike.
const MOST_NAMES: usize = 100;
/// How many are shown.
const SHOWN: usize = 5;
/// How many accounts are read in next to no time.
const FEW: u64 = 10_000;

impl Examination<'_> {
    /// Whether names mean one account each, of `count` accounts.
    pub(super) fn names(&mut self, count: Option<u64>) {
        self.indexes_but_for_case(count.unwrap_or_default());
        let tried = "compare the names of all accounts";
        if let Some(count) = count.filter(|count| *count > MOST_ACCOUNTS) {
            let seen = format!("not done: there are {count}; `hallpass audit` compares them");
            self.add(Finding::ok("twins", tried, seen));
            return;
        }
        let twins = match self.twins() {
            Ok(twins) => twins,
            // Not every site can list its accounts.
            Err(cause) => {
                self.add(Finding::ok("twins", tried, format!("not done: {cause}")));
                return;
            }
        };
        if twins.nameless {
            // An index of the wrong column would not help.
            self.findings.retain(|finding| finding.check != "index");
            let seen = "none of them has a login name";
            let mend = self.advice(Problem::AccountsWithoutName);
            self.add(Finding::problem("login-names", tried, seen, mend));
            return;
        }
        if twins.found.is_empty() {
            let seen = "none of them could mean two accounts";
            self.add(Finding::ok("twins", tried, seen));
            return;
        }
        let locks_out = |twin: &&Twin| {
            let is_login_name = twin
                .accounts
                .iter()
                .any(|(_, name)| name.to_lowercase() == twin.name.to_lowercase());
            is_login_name && (!twin.xmpp_alone || self.configuration.ejabberd.configured)
        };
        let (problems, warnings): (Vec<&Twin>, Vec<&Twin>) =
            twins.found.iter().partition(locks_out);
        for (status, twins) in [(Status::Problem, problems), (Status::Warning, warnings)] {
            if !twins.is_empty() {
                self.add(finding(status, tried, &twins));
            }
        }
    }

    fn twins(&self) -> Result<Twins, Unavailable> {
        let mut finder = TwinFinder::new(self.configuration);
        let deadline = || Deadline::after(self.configuration.limits.deadline);
        finder.see_all(deadline)?;
        finder.twins(MOST_NAMES, deadline)
    }

    /// Whether names are found by an index where their case counts for nothing.
    fn indexes_but_for_case(&mut self, count: u64) {
        if count < FEW {
            return;
        }
        let deadline = self.deadline();
        let accounts = &mut *self.site.accounts;
        let ask = |queries: &mut Queries<'_>| -> Result<Vec<_>, Unavailable> {
            let Some((table, columns)) = accounts.folded(queries)? else {
                return Ok(Vec::new());
            };
            let mut missing = Vec::new();
            for column in columns {
                if !queries.indexed_but_for_case(&table, &column)? {
                    let index = queries.index_but_for_case(&table, &column);
                    missing.push((table.clone(), column, index));
                }
            }
            Ok(missing)
        };
        // What keeps them from being read is said elsewhere.
        let missing = self.database.ask(deadline, ask).unwrap_or_default();
        for (table, column, index) in missing {
            let none = "no index of this database helps: give the column a collation that ignores \
                        case, or keep to `ignore_case = false`";
            self.add(Finding::warning(
                "index",
                format!("look for an index on {table} ({column}) that ignores case"),
                format!(
                    "there is none: where the case of names is ignored, each name reads all {count} \
                     accounts, and one after the other"
                ),
                index.unwrap_or_else(|| none.to_owned()),
            ));
        }
    }
}

/// What is found of names that could mean two accounts.
fn finding(status: Status, tried: &str, twins: &[&Twin]) -> Finding {
    let one = |twin: &&Twin| {
        let account = |(id, name): &(String, String)| format!("{name:?} (id {id})");
        let accounts: Vec<String> = twin.accounts.iter().map(account).collect();
        let xmpp = if twin.xmpp_alone {
            " at XMPP hosts"
        } else {
            ""
        };
        format!("{:?} could mean {}{xmpp}", twin.name, accounts.join(" or "))
    };
    let mut shown: Vec<String> = twins.iter().take(SHOWN).map(one).collect();
    if twins.len() > SHOWN {
        shown.push(format!("and {} more", twins.len() - SHOWN));
    }
    let seen = format!(
        "{}; a name that could mean two accounts lets neither in",
        shown.join("; ")
    );
    let mend = "give one of them another name or e-mail address on the site; `hallpass audit` lists \
                all of them";
    Finding {
        status,
        ..Finding::warning("twins", tried, seen, mend)
    }
}
