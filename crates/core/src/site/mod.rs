//! The sites. A site is a composition: a directory of accounts, a source of sessions, and the
//! rules of its software. Each framework is one file here with what is its own; nothing outside it
//! asks which framework it is.

mod django;

use std::time::SystemTime;

use hallpass_passwords::Rules;
use hallpass_stores::Unavailable;
use hallpass_stores::sql::Queries;

use crate::configuration::{Access, Configuration, Framework};
use crate::{Account, Client, Decoding, Id, Reason};

/// A site, ready to be asked.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) directory: Box<dyn Directory>,
    pub(crate) sessions: Box<dyn SessionSource>,
    /// Whose rules say what a stored hash means.
    pub(crate) rules: Rules,
    /// The algorithms that are allowed; `None` for all that the rules know.
    pub(crate) algorithms: Option<Vec<String>>,
}

impl Site {
    /// The site that `configuration` describes, names being read as `access` says.
    pub(crate) fn new(configuration: &Configuration, access: &Access) -> Self {
        match &configuration.framework {
            Framework::Django(django) => django::site(django, access),
        }
    }
}

/// Where a site keeps its accounts.
pub(crate) trait Directory: std::fmt::Debug + Send {
    /// The account that `name`, as typed, means. Two accounts that it could mean are none.
    fn by_name(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Option<Account>, Unavailable>;

    /// The account whose primary key a session spells as `key`.
    fn by_key(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<Account>, Unavailable>;

    /// The account that `token`, given to a program of its owner's, belongs to.
    fn by_token(
        &mut self,
        _queries: &mut Queries<'_>,
        _token: &str,
    ) -> Result<Option<Account>, Unavailable> {
        Ok(None)
    }

    /// The names of the groups that `account` is in, in alphabetical order.
    fn groups(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Vec<String>, Unavailable>;

    /// Whether `account`, which is active and no superuser, holds `permission`.
    fn holds(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        permission: &str,
    ) -> Result<bool, Unavailable>;

    /// The tables that are read.
    fn tables(&self) -> Vec<String>;

    /// The next accounts after the one whose primary key is `last`, by their primary keys.
    fn after(
        &mut self,
        _queries: &mut Queries<'_>,
        _last: Option<&Id>,
    ) -> Result<Vec<Account>, Unavailable> {
        Err(Unavailable::new(
            "the accounts of this site cannot be listed",
        ))
    }

    /// The encoded hashes of a few accounts, newest first.
    fn some_hashes(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable>;
}

/// Where a site keeps its sessions.
pub(crate) trait SessionSource: std::fmt::Debug + Send {
    /// Who is logged in to the session that `token`, the cookie's value, names; or why nobody is.
    /// `client` is where it is shown.
    fn read(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        client: &Client,
        now: SystemTime,
    ) -> Result<Result<Login, Reason>, Unavailable>;

    /// The tables that are read.
    fn tables(&self) -> Vec<String>;

    /// Whether the session still holds for `account`, as it is now.
    fn confirms(&self, login: &Login, account: &Account) -> bool;
}

/// Who is logged in to a session.
#[derive(Debug)]
pub(crate) struct Login {
    /// The account's primary key, as the session spells it.
    pub(crate) key: String,
    /// What ties the session to the account's password, where the framework has such a thing.
    pub(crate) auth_hash: Option<String>,
    /// When the session ends.
    pub(crate) expires: Option<SystemTime>,
    /// How the session was read, in words for the administrator.
    pub(crate) decoded: Decoding,
}
