//! Reads the sessions of a site.

use std::net::IpAddr;
use std::time::SystemTime;

use hallpass_stores::cache::Cache;
use hallpass_stores::sql::{LookUp, Queries, Row, Value};
use hallpass_stores::{Secret, Unavailable};

use super::described::tables;
use super::{Account, Overlooked, Reason, Required, Stop};

/// Where a site keeps its sessions.
pub trait SessionSource: std::fmt::Debug + Send {
    /// The account that is logged in to the session `token`, the cookie's value, or why none is.
    /// `client` is where it is shown.
    fn read(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        client: &Client,
        now: SystemTime,
    ) -> Result<Login, Stop>;

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

    /// What stays the same for a session's life and is no other session's, where that is not the
    /// whole `token`; `None` where it is, and for what is not a session.
    fn lasting(&self, _token: &[u8]) -> Option<Secret> {
        None
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

    /// Whether all of a session is in its cookie, so that a logout at the site changes nothing that
    /// can be read.
    fn keeps_in_cookie(&self) -> bool {
        false
    }

    /// What the answer of [`read`](Self::read) rests on.
    fn rests_on(&mut self) -> RestsOn<'_> {
        RestsOn::More
    }

    /// What the database must have, column by column.
    fn needs(&self) -> Vec<Required>;

    /// The tables that are read.
    fn tables(&self) -> Vec<String> {
        tables(self.needs())
    }

    /// A few sessions; `None` where they cannot be listed.
    fn sample(&mut self, _queries: &mut Queries<'_>) -> Result<Option<Sample>, Unavailable> {
        Ok(None)
    }

    /// What the store of sessions shows at the time `now`, and the configuration does not honour.
    /// What cannot be read shows nothing.
    fn overlooked(
        &mut self,
        _queries: &mut Queries<'_>,
        _now: SystemTime,
    ) -> Result<Vec<Overlooked>, Unavailable> {
        Ok(Vec::new())
    }

    /// Whether the session still holds for `account`, as it is now.
    fn confirms(&self, login: &Login, account: &Account) -> bool;
}

/// What the answer about a session rests on, besides the token and the client.
#[derive(Debug)]
pub enum RestsOn<'a> {
    /// On more than the others say, such as files or the site's own page.
    More,
    /// On what is read of the database, and until [`Login::expires`] on nothing else: where all that
    /// was read is the same, so is the answer.
    Database,
    /// The same, and on what is read from this cache.
    Cache(&'a mut Cache),
}

/// Who is logged in to a session.
#[derive(Debug)]
pub struct Login {
    /// The account's primary key, as the session spells it; its login name where that is what the
    /// session says.
    pub key: String,
    /// What ties the session to the account's password, where the framework has such a thing.
    pub auth_hash: Option<String>,
    /// When the session ends.
    pub expires: Option<SystemTime>,
    /// How the session was read, in words for the administrator.
    pub decoded: Decoding,
    /// Whether the token alone says all of this: no store was asked, and who the client is does not
    /// count. Without `expires`, such a login does not end by itself.
    pub from_token: bool,
}

/// What the host knows of the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The address.
    pub address: Option<IpAddr>,
    /// The browser, as it names itself in `User-Agent`: empty where it does not, or not in UTF-8,
    /// which PHP's `htmlspecialchars` makes the same. `None` where the host knows nothing of it.
    pub browser: Option<String>,
    /// All of `X-Forwarded-For`, empty where there is none; its last address is that of `address`
    /// where the proxy in front of Hallpass added it. `None` where the host knows nothing of it.
    pub forwarded_for: Option<String>,
}

impl Client {
    /// A client of which at most the address is known.
    #[must_use]
    pub fn at(address: Option<IpAddr>) -> Self {
        Self {
            address,
            ..Self::default()
        }
    }
}

/// How a session was read, in words for the administrator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoding {
    /// Where it was.
    pub store: &'static str,
    /// What it was wrapped in; empty where it was in nothing.
    pub container: &'static str,
    /// How it was written; empty where there is nothing to say.
    pub format: &'static str,
}

impl std::fmt::Display for Decoding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.store)?;
        for word in [self.container, self.format] {
            if !word.is_empty() {
                write!(formatter, ", {word}")?;
            }
        }
        Ok(())
    }
}

/// Some of a site's sessions.
#[derive(Debug, Default)]
pub struct Sample {
    /// Their tokens, the newest first unless they are `unordered`.
    pub tokens: Vec<Secret>,
    /// Whether the tokens are in no order.
    pub unordered: bool,
    /// Whether only a part of the store was looked at, so that no tokens do not mean no sessions.
    pub partial: bool,
    /// Where sessions are found, where there are none in the configured place.
    pub elsewhere: Option<Elsewhere>,
    /// Whether each token is that of an account that is logged in, by a row beside the session's
    /// data, so that a session without data is a fault.
    pub people: bool,
}

/// Where sessions are found that are not in the configured place.
#[derive(Debug)]
pub enum Elsewhere {
    /// Under keys that begin so.
    Keys(String),
    /// In the database of this number, of the same Redis.
    Database(u32),
}

impl Sample {
    /// Those of `tokens`, and nothing else.
    #[must_use]
    pub fn of(tokens: Vec<Secret>) -> Self {
        Self {
            tokens,
            ..Self::default()
        }
    }
}

/// The rows that a session was looked for in. One that is too long to be read is not a session: its
/// data is the visitor's to fill, and no fault of the database.
pub fn session_rows<T>(rows: Result<T, Unavailable>) -> Result<T, Stop> {
    match rows {
        Err(cause) if cause.is_too_long() => Err(Reason::InvalidSession.into()),
        rows => Ok(rows?),
    }
}

/// How many sessions are a sample.
pub const SAMPLE: usize = 20;

/// The tokens that `statement` gives in its first column.
pub fn tokens(queries: &mut Queries<'_>, statement: &str) -> Result<Option<Sample>, Unavailable> {
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

/// When a session ends, for the administrator.
pub fn until(time: SystemTime) -> String {
    match jiff::Timestamp::try_from(time) {
        Ok(time) => format!("the session lives until {time:.0}"),
        Err(_) => "the session lives until a date too far away to show".to_owned(),
    }
}
