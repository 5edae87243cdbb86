//! The sites. A site is a composition: a directory of accounts, a source of sessions, and the
//! rules of its software. Each framework is one file here with what is its own; nothing outside it
//! asks which framework it is.

mod account;
mod custom;
mod described;
mod django;
mod http;
mod joomla;
mod php;
mod phpbb;
mod reason;
mod session;

use hallpass_passwords::{Encoded, ParseError, Rules};
use hallpass_stores::sql::{Database, Location, Queries, identifier};
use hallpass_stores::{Deadline, Unavailable};

pub use self::account::{Account, Id};
pub(crate) use self::account::{Accounts, HashContext, Writable, meets, only};
pub(crate) use self::described::{Described, Overlooked, Required, Table, count};
pub use self::reason::Reason;
pub(crate) use self::reason::Stop;
pub use self::session::{Client, Decoding};
pub(crate) use self::session::{
    Login, SAMPLE, SOME_KEYS, Sample, SessionSource, session_rows, tokens, until,
};
use crate::configuration::{Access, Configuration, Custom, Framework};

/// A site, ready to be asked.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) accounts: Box<dyn Accounts>,
    pub(crate) sessions: Box<dyn SessionSource>,
    /// Whose rules say what a stored hash means: the first that know it.
    pub(crate) rules: &'static [Rules],
    /// The algorithms that are allowed; `None` for all that the rules know.
    pub(crate) algorithms: Option<Vec<String>>,
}

impl Site {
    /// The site that `configuration` describes, names being read as `access` says.
    pub(crate) fn new(configuration: &Configuration, access: &Access) -> Self {
        let site = match &configuration.framework {
            Framework::Custom(custom) => custom::site(custom, access),
            Framework::Django(django) => django::site(django, access),
            Framework::Joomla(joomla) => joomla::site(joomla, access),
            Framework::Php(php, custom) => php::site(php, custom, access),
            Framework::Phpbb(phpbb) => phpbb::site(phpbb, access),
        };
        let Some(http) = &configuration.http else {
            return site;
        };
        Self {
            sessions: Box::new(http::Page::new(http)),
            accounts: match configuration.database.location {
                // There is nowhere to look anybody up: they are what the site calls them.
                Location::Nowhere => {
                    Box::new(custom::CustomAccounts::new(&Custom::default(), access))
                }
                _ => site.accounts,
            },
            ..site
        }
    }

    /// The account that is logged in by `login`, if there is one.
    pub(crate) fn account_of(
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
    pub(crate) fn parse_hash(&self, encoded: &str) -> Result<Encoded, ParseError> {
        Encoded::parse_any(self.rules, encoded)
    }

    /// Parses what a denial shall cost: a hash, or the beginning of one.
    pub(crate) fn parse_cost(&self, cost: &str) -> Option<Encoded> {
        Encoded::parse_cost(*self.rules.first()?, cost)
    }
}

/// Runs `ask`, as [`Database::ask`] does. A denial is an answer of the database's like any other.
pub(crate) fn ask<T>(
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
