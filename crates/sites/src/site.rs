//! Opens a site: its accounts, its sessions, and the rules of its hashes.

use hallpass_passwords::{Encoded, ParseError, Rules};
use hallpass_stores::sql::{Database, Queries, TableName, identifier};
use hallpass_stores::{Deadline, Unavailable};

use crate::{Account, Accounts, Login, SessionSource, Stop};

/// A site, ready to be asked.
#[derive(Debug)]
pub struct Site {
    /// Its accounts.
    pub accounts: Box<dyn Accounts>,
    /// Its sessions.
    pub sessions: Box<dyn SessionSource>,
    /// Whose rules say what a stored hash means: the first that know it.
    pub rules: &'static [Rules],
    /// The algorithms that are allowed; `None` for all that the rules know.
    pub algorithms: Option<Vec<String>>,
}

impl Site {
    /// The account that is logged in by `login`, if there is one.
    pub fn account_of(
        &mut self,
        queries: &mut Queries<'_>,
        login: &Login,
    ) -> Result<Option<Account>, Unavailable> {
        if self.sessions.names_users() {
            self.accounts.by_session_name(queries, &login.key)
        } else {
            self.accounts.by_key(queries, &login.key)
        }
    }

    /// Parses a stored hash.
    pub fn parse_hash(&self, encoded: &str) -> Result<Encoded, ParseError> {
        Encoded::parse_any(self.rules, encoded)
    }

    /// Parses what a denial shall cost: a hash, or the beginning of one.
    pub fn parse_cost(&self, cost: &str) -> Option<Encoded> {
        Encoded::parse_cost(*self.rules.first()?, cost)
    }
}

/// Runs `ask`, as [`Database::ask`] does. A denial is an answer of the database's like any other.
pub fn ask<T>(
    database: &mut Database,
    deadline: Deadline,
    ask: impl FnOnce(&mut Queries<'_>) -> Result<T, Stop>,
) -> Result<T, Stop> {
    Ok(database.ask(deadline, |queries| Stop::settle(ask(queries)))??)
}

/// `name` as an identifier. The configuration lets no name through that cannot be quoted, and a
/// column of the database has one that can.
pub(crate) fn quoted(name: &str) -> String {
    identifier(name).unwrap_or_else(|| "\"\"".to_owned())
}

/// The table called `table` or `schema.table`, as a statement names it.
pub(crate) fn quoted_table(name: &str) -> String {
    TableName::parse(name).map_or_else(|| "\"\"".to_owned(), |name| name.quoted())
}

/// The table called `name` behind the site's `prefix`, as an identifier.
pub fn prefixed(prefix: &str, name: &str) -> String {
    quoted(&format!("{prefix}{name}"))
}
