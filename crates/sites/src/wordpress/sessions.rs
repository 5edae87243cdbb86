//! Reads who is logged in by the cookie `logged_in`, as `wp_validate_auth_cookie` does
//! (`wp-includes/pluggable.php` of 6.1 and 6.9).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_sessions::wordpress::{AuthCookie, fragment, session_end};
use hallpass_stores::sql::{Queries, Row, Value, fold_case};
use hallpass_stores::{Secret, Unavailable};
use subtle::ConstantTimeEq as _;

use super::names::{depends_on_locale, sanitize};
use super::settings::Wordpress;
use crate::cookie::{self, Cookie, Reader};
use crate::{
    Account, Client, Decoding, Login, Reason, Required, SessionSource, Stop, session_rows, until,
};

/// How many rows are read of accounts that a collation takes for the same, with their tokens.
const MOST: usize = 16;

/// The sessions of a site.
#[derive(Debug)]
pub(super) struct Sessions {
    site: Wordpress,
}

/// The account that a cookie names.
struct Stored {
    id: i64,
    password: String,
    tokens: Option<String>,
}

impl Sessions {
    pub(super) fn new(site: &Wordpress) -> Self {
        Self { site: site.clone() }
    }

    /// The account called `login`: the first by its key, where a collation takes several for the
    /// same.
    fn stored(&self, queries: &mut Queries<'_>, login: &str) -> Result<Option<Stored>, Stop> {
        let locale = match depends_on_locale(login) {
            true => self.site.locale(queries)?,
            false => String::new(),
        };
        let login = sanitize(login, &locale);
        if login.is_empty() || login == "0" {
            return Ok(None);
        }
        let (users, usermeta) = self.site.tables();
        let column = "account.\"user_login\"";
        let condition = match self.site.collates {
            true => format!("{column} = :name"),
            false => queries.same_but_for_case(column, &login),
        };
        let statement = format!(
            "SELECT account.\"ID\", account.\"user_pass\", account.\"user_login\", \
             meta.\"meta_key\", meta.\"meta_value\" FROM {users} account LEFT JOIN {usermeta} meta ON \
             meta.\"user_id\" = account.\"ID\" AND meta.\"meta_key\" = 'session_tokens' WHERE \
             {condition} ORDER BY account.\"ID\", meta.\"umeta_id\""
        );
        let parameters = [(":name", Value::from(&*login))];
        let rows = session_rows(queries.rows_of_data(&statement, &parameters, MOST))?;
        let mut found: Option<Stored> = None;
        for row in rows {
            let Some((name, key, stored)) = read(row) else {
                continue;
            };
            if !self.site.collates && fold_case(&name) != fold_case(&login) {
                continue;
            }
            let stored = Stored {
                tokens: stored.tokens.filter(|_| key == "session_tokens"),
                ..stored
            };
            match &mut found {
                None => found = Some(stored),
                Some(first) if first.id == stored.id && first.tokens.is_none() => {
                    first.tokens = stored.tokens;
                }
                Some(_) => {}
            }
        }
        Ok(found)
    }
}

/// The login, the name of what is stored beside the account, and the account.
fn read(mut row: Row) -> Option<(String, String, Stored)> {
    let stored = Stored {
        id: row.take(0).integer_like().filter(|id| *id > 0)?,
        password: row.words(1).unwrap_or_default(),
        tokens: row.words(4),
    };
    Some((row.words(2)?, row.words(3).unwrap_or_default(), stored))
}

impl SessionSource for Sessions {
    /// The cookie is called as the site's address says.
    fn token(
        &mut self,
        queries: &mut Queries<'_>,
        header: &[u8],
    ) -> Result<Option<Secret>, Unavailable> {
        let name = self.site.cookie_name(queries)?;
        let reader = Reader::Php;
        let cookie = Cookie {
            name: &name,
            reader,
        };
        let value = cookie::value([header], cookie).map(|value| decoded(&value));
        Ok(value.filter(|value| value.contains(&b'|')).map(Secret::new))
    }

    fn read(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        _client: &Client,
        now: SystemTime,
    ) -> Result<Login, Stop> {
        let decoded = written(token);
        let version = self.site.version;
        if token.is_empty() || !self.site.reads_sessions {
            return Err(Reason::NoSession.into());
        }
        let Some(cookie) = AuthCookie::parse(&decoded, version) else {
            return Err(Reason::InvalidSession.into());
        };
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let tracer = queries.tracer();
        let lives = cookie.expiration >= now;
        if !tracer.decided("expiry", lives, || ended(cookie.expiration)) {
            return Err(Reason::ExpiredSession.into());
        }
        let Some(salt) = self.site.salt(queries)? else {
            return Err(Reason::InvalidSession.into());
        };
        let Some(stored) = self.stored(queries, cookie.login)? else {
            return Err(Reason::UnknownUser.into());
        };
        let part = fragment(&stored.password, version);
        let signed = cookie.is_signed(&salt, part);
        let told = || match signed {
            true => "it is signed with the site's key and the account's password".to_owned(),
            false => "it is signed with another key, or for another password".to_owned(),
        };
        if !queries.tracer().decided("signature", signed, told) {
            return Err(Reason::InvalidSession.into());
        }
        let mut expires = cookie.expiration;
        if let Some(token) = cookie.token {
            let end = stored.tokens.and_then(|tokens| session_end(&tokens, token));
            let Some(end) = end.map(|end| u64::try_from(end).unwrap_or_default()) else {
                return Err(Reason::NoSession.into());
            };
            if !queries.tracer().decided("token", end >= now, || ended(end)) {
                return Err(Reason::ExpiredSession.into());
            }
            expires = expires.min(end);
        }
        Ok(Login {
            key: stored.id.to_string(),
            auth_hash: Some(part.to_owned()),
            expires: moment(expires),
            decoded: Decoding {
                store: "the cookie and the table usermeta",
                container: "",
                format: "",
            },
            from_token: false,
        })
    }

    fn needs(&self) -> Vec<Required> {
        let key = "wordpress.table_prefix";
        let options = format!("{}options", self.site.own_prefix());
        vec![
            Required::table(&self.site.users, key, &["user_login", "ID", "user_pass"]),
            Required::table(
                &self.site.usermeta,
                key,
                &["user_id", "umeta_id", "meta_key", "meta_value"],
            ),
            Required::table(options, key, &["option_name", "option_value"]),
        ]
    }

    /// The password has not changed between the two looks at it.
    fn confirms(&self, login: &Login, account: &Account) -> bool {
        let stored = account.encoded.as_deref().unwrap_or_default();
        let now = fragment(stored, self.site.version);
        let then = login.auth_hash.as_deref().unwrap_or_default();
        now.as_bytes().ct_eq(then.as_bytes()).into()
    }
}

/// The cookie's value as PHP has it: a browser shows it with its bars percent-encoded.
fn written(token: &[u8]) -> Vec<u8> {
    match token.contains(&b'|') {
        true => token.to_vec(),
        false => decoded(token),
    }
}

/// PHP's `rawurldecode`, which it reads cookies by.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        let escaped = match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => u8::try_from(high << 4 | low).ok(),
            _ => None,
        };
        decoded.push(escaped.unwrap_or(*byte));
        rest = match escaped {
            Some(_) => after.get(2..).unwrap_or_default(),
            None => after,
        };
    }
    decoded
}

fn ended(seconds: u64) -> String {
    moment(seconds).map_or_else(|| "it has no end".to_owned(), until)
}

fn moment(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
