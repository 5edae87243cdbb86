//! The sites. A site is a composition: a directory of accounts, a source of sessions, and the
//! rules of its software. Each framework is one file here with what is its own; nothing outside it
//! asks which framework it is.

mod custom;
mod django;
mod http;
mod joomla;
mod php;
mod phpbb;
mod required;

use std::time::SystemTime;

use hallpass_passwords::{Encoded, ParseError, Rules};
use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Changes, Location, LookUp, Queries, Row, Value, identifier};

pub(crate) use self::required::{Overlooked, Required, Table};
use crate::account::HashContext;
use crate::configuration::{Access, Configuration, Custom, Framework};
use crate::{Account, Client, Decoding, Id, Reason, Secret};

/// A site, ready to be asked.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) directory: Box<dyn Directory>,
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
            directory: match configuration.database.location {
                // There is nowhere to look anybody up: they are what the site calls them.
                Location::Nowhere => Box::new(custom::Accounts::new(&Custom::default(), access)),
                _ => site.directory,
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
            self.directory.by_session_name(queries, &login.key)
        } else {
            self.directory.by_key(queries, &login.key)
        }
    }

    /// Says that the session to be read is probably that of the account whose primary key sessions
    /// spell as `key`.
    pub(crate) fn foresee(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<(), Unavailable> {
        if self.sessions.names_users() {
            return Ok(());
        }
        if let Some((look_up, value)) = self.directory.look_up(queries, key)? {
            queries.foresee(&look_up, value);
        }
        Ok(())
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

/// Where a site keeps its accounts.
pub(crate) trait Directory: std::fmt::Debug + Send {
    /// The accounts that `name`, as typed, could mean: by any of the login fields, in whatever
    /// spelling the site or the configuration takes for the same. One may be among them twice, and
    /// of several only two need be.
    fn candidates(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable>;

    /// Whether looking `name` up may read all accounts.
    fn scans(&self, _name: &str) -> bool {
        false
    }

    /// The table of the accounts and the columns that hold what people may type, where it is looked
    /// for without regard to case.
    fn folded(
        &mut self,
        _queries: &mut Queries<'_>,
    ) -> Result<Option<(String, Vec<String>)>, Unavailable> {
        Ok(None)
    }

    /// The account that `name`, as typed, means. Two accounts that it could mean are none, since
    /// hosts go on with the name as typed: the mail, the roster or the files of one would be the
    /// other's.
    fn by_name(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Option<Account>, Unavailable> {
        Ok(only(self.candidates(queries, name)?))
    }

    /// Whether an account may have an empty login name, and a password of it counts.
    fn takes_empty_names(&self) -> bool {
        false
    }

    /// The account whose primary key a session spells as `key`.
    fn by_key(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<Account>, Unavailable>;

    /// What [`by_key`](Self::by_key) looks up, and nothing else, where it is known beforehand: it can
    /// be read together with something else then, which spares a way to the database.
    fn look_up(
        &mut self,
        _queries: &mut Queries<'_>,
        _key: &str,
    ) -> Result<Option<(LookUp, Value)>, Unavailable> {
        Ok(None)
    }

    /// The account that the site itself calls `name`, in a session of its own. Nothing that a name
    /// may mean when it is typed counts here.
    fn by_session_name(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let mut found = self.candidates(queries, name)?;
        found.retain(|account| account.name == name);
        Ok(only(found))
    }

    /// Whether `name`, as a host has it, means `account`.
    fn answers_to(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        name: &str,
    ) -> Result<bool, Unavailable> {
        let named = self.by_name(queries, name)?;
        Ok(named.is_some_and(|named| named.id == account.id))
    }

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

    /// Whether `account` is in the group called `name`; `groups` are the names of those it is in.
    fn is_in(
        &mut self,
        _queries: &mut Queries<'_>,
        _account: &Account,
        groups: &[String],
        name: &str,
    ) -> Result<bool, Unavailable> {
        Ok(groups.iter().any(|group| group == name))
    }

    /// Whether `account`, which is active, is kept out at the time `now`, or from where `client`
    /// is.
    fn is_banned(
        &mut self,
        _queries: &mut Queries<'_>,
        _account: &Account,
        _client: &Client,
        _now: SystemTime,
    ) -> Result<bool, Unavailable> {
        Ok(false)
    }

    /// Why no password is good for `account`, where the site asks for more than one, or has them
    /// checked elsewhere. Its sessions are good all the same.
    fn refuses_passwords(
        &mut self,
        _queries: &mut Queries<'_>,
        _account: &Account,
    ) -> Result<Option<Reason>, Unavailable> {
        Ok(None)
    }

    /// Why the site's passwords are not checked by itself, in words for the administrator; `None`
    /// where they are.
    fn passwords_elsewhere(
        &mut self,
        _queries: &mut Queries<'_>,
    ) -> Result<Option<String>, Unavailable> {
        Ok(None)
    }

    /// Whether `account`, which is active and no superuser, holds `permission`.
    fn has_permission(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        permission: &str,
    ) -> Result<bool, Unavailable>;

    /// What the database must have, column by column.
    fn needs(&self) -> Vec<Required>;

    /// The tables that are read.
    fn tables(&self) -> Vec<String> {
        required::tables(self.needs())
    }

    /// Rules of the site's that its database shows, and that the configuration does not honour.
    fn overlooked(&mut self, _queries: &mut Queries<'_>) -> Result<Vec<Overlooked>, Unavailable> {
        Ok(Vec::new())
    }

    /// How many accounts there are, where that can be counted.
    fn count(&mut self, _queries: &mut Queries<'_>) -> Result<Option<u64>, Unavailable> {
        Ok(None)
    }

    /// The next accounts after the one whose primary key is `last`, by their primary keys.
    fn page_after(
        &mut self,
        _queries: &mut Queries<'_>,
        _last: Option<&Id>,
    ) -> Result<Vec<Account>, Unavailable> {
        Err(Unavailable::new(
            "the accounts of this site cannot be listed",
        ))
    }

    /// What the row of `account` keeps beside its hash, where the hash wants it.
    fn hash_context(
        &mut self,
        _queries: &mut Queries<'_>,
        _account: &Account,
    ) -> Result<HashContext, Unavailable> {
        Ok(HashContext::default())
    }

    /// The table that changes of accounts are made in, and which columns of its rows.
    fn writable_columns(&self) -> Option<(String, Vec<String>)> {
        None
    }

    /// `password` as the site would keep it.
    fn encode(&self, _password: &[u8]) -> Result<Result<String, Reason>, Unavailable> {
        Ok(Err(Reason::NotPermitted))
    }

    /// Gives `account` the password that `encoded` keeps.
    fn set_password(
        &mut self,
        _changes: &mut Changes<'_>,
        _account: &Account,
        _encoded: &str,
    ) -> Result<Result<(), Reason>, Unavailable> {
        Ok(Err(Reason::NotPermitted))
    }

    /// Makes an active account called `name`, unless there is one that the name could mean; returns
    /// what it is called then.
    fn register(
        &mut self,
        _changes: &mut Changes<'_>,
        _name: &str,
        _encoded: &str,
        _now: SystemTime,
    ) -> Result<Result<String, Reason>, Unavailable> {
        Ok(Err(Reason::NotPermitted))
    }

    /// Switches `account` off.
    fn deactivate(
        &mut self,
        _changes: &mut Changes<'_>,
        _account: &Account,
    ) -> Result<Result<(), Reason>, Unavailable> {
        Ok(Err(Reason::NotPermitted))
    }

    /// The encoded hashes of a few accounts, newest first.
    fn sample_hashes(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable>;

    /// Whether [`sample_hashes`](Self::sample_hashes) can tell what a check costs on this site.
    fn lists_hashes(&self) -> bool {
        true
    }
}

/// The account that all of `found` are.
pub(crate) fn only(mut found: Vec<Account>) -> Option<Account> {
    let account = found.pop()?;
    let same = |other: &Account| other.id == account.id;
    found.iter().all(same).then_some(account)
}

/// The column that is 1 in the rows of accounts that meet `[access] where`, and 0 in others. Their
/// table is called `account` in the statement.
pub(crate) fn meets(condition: Option<&str>) -> String {
    condition.map_or("1".to_owned(), |condition| {
        format!("CASE WHEN ({condition}) THEN 1 ELSE 0 END")
    })
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

    /// What [`read`](Self::read) looks up for `token`, and nothing else counts but the time, where it
    /// is known beforehand.
    fn look_up(&self, _token: &[u8]) -> Option<(LookUp, Value)> {
        None
    }

    /// The token in the value of a request's header `Cookie`, for sites whose cookie has a name
    /// that no configuration knows.
    fn token(
        &mut self,
        _queries: &mut Queries<'_>,
        _header: &[u8],
    ) -> Result<Option<Secret>, Unavailable> {
        Ok(None)
    }

    /// Whether a session says the login name of its user, and not the primary key.
    fn names_users(&self) -> bool {
        false
    }

    /// Whether no store is asked for a session but the site's database, and that by a key alone,
    /// and nothing else counts but the time: not who the client is.
    fn asks_only_database(&self) -> bool {
        false
    }

    /// What the database must have, column by column.
    fn needs(&self) -> Vec<Required>;

    /// The tables that are read.
    fn tables(&self) -> Vec<String> {
        required::tables(self.needs())
    }

    /// A few sessions; `None` where they cannot be listed.
    fn sample(&mut self, _queries: &mut Queries<'_>) -> Result<Option<Sample>, Unavailable> {
        Ok(None)
    }

    /// Whether the session still holds for `account`, as it is now.
    fn confirms(&self, login: &Login, account: &Account) -> bool;
}

/// `name` as an identifier. The configuration lets no name through that cannot be quoted, and a
/// column of the database has one that can.
pub(crate) fn quoted(name: &str) -> String {
    identifier(name).unwrap_or_else(|| "\"\"".to_owned())
}

/// When a session ends, for the administrator.
pub(crate) fn until(time: SystemTime) -> String {
    match jiff::Timestamp::try_from(time) {
        Ok(time) => format!("the session lives until {time:.0}"),
        Err(_) => "the session lives until some other age".to_owned(),
    }
}

/// Some of a site's sessions.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// Their tokens, the newest first where that is known.
    pub(crate) tokens: Vec<Secret>,
    /// How the keys of sessions begin that are looked for elsewhere, where there are none here.
    pub(crate) elsewhere: Option<String>,
}

impl Sample {
    pub(crate) fn of(tokens: Vec<Secret>) -> Self {
        Self {
            tokens,
            elsewhere: None,
        }
    }
}

/// The rows that a session was looked for in. One that is too long to be read is not a session: its
/// data is the visitor's to fill, and no fault of the database.
pub(crate) fn session_rows<T>(
    rows: Result<T, Unavailable>,
) -> Result<Result<T, Reason>, Unavailable> {
    match rows {
        Err(cause) if cause.is_too_long() => Ok(Err(Reason::InvalidSession)),
        rows => rows.map(Ok),
    }
}

/// How many keys of a cache are looked at for sessions.
pub(crate) const SOME_KEYS: usize = 128;

/// How many sessions are a sample.
pub(crate) const SAMPLE: usize = 20;

/// The tokens that `statement` gives in its first column.
pub(crate) fn tokens(
    queries: &mut Queries<'_>,
    statement: &str,
) -> Result<Option<Sample>, Unavailable> {
    let rows = queries.rows(statement, &[], SAMPLE)?;
    let token = |mut row: Row| match row.take(0) {
        Value::Text(text) => Some(Secret::new(text)),
        Value::Bytes(bytes) => Some(Secret::new(bytes)),
        _ => None,
    };
    Ok(Some(Sample::of(
        rows.into_iter().filter_map(token).collect(),
    )))
}

/// How many rows `table`, a quoted identifier, has where `condition` holds.
pub(crate) fn count(
    queries: &mut Queries<'_>,
    table: &str,
    condition: &str,
) -> Result<Option<u64>, Unavailable> {
    let mut rows = queries.rows(&format!("SELECT COUNT(*) FROM {table}{condition}"), &[], 1)?;
    Ok(match rows.pop().map(|mut row| row.take(0)) {
        Some(Value::Integer(count)) => u64::try_from(count).ok(),
        _ => None,
    })
}

/// Who is logged in to a session.
#[derive(Debug)]
pub(crate) struct Login {
    /// The account's primary key, as the session spells it; its login name where that is what the
    /// session says.
    pub(crate) key: String,
    /// What ties the session to the account's password, where the framework has such a thing.
    pub(crate) auth_hash: Option<String>,
    /// When the session ends.
    pub(crate) expires: Option<SystemTime>,
    /// How the session was read, in words for the administrator.
    pub(crate) decoded: Decoding,
}
