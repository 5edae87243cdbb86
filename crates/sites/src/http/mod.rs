//! Asks the site's own page who is logged in.

mod settings;

use std::time::SystemTime;

use hallpass_stores::Unavailable;
use hallpass_stores::http::{Answer, Http as Pages};
use hallpass_stores::sql::{Location, Queries};
use serde_json::Value;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub(crate) use self::settings::is_token;
pub use self::settings::{Http, HttpTable, NameIn};
use crate::custom::{Custom, CustomAccounts};
use crate::{
    Account, AccountLookup, Client, Decoding, Login, Reason, Required, SessionSource, Site, Stop,
};

/// The longest token that is sent, in bytes: as long as a cookie can be.
const LONGEST_TOKEN: usize = 4096;
/// The longest name that is taken, in bytes.
const LONGEST_NAME: usize = 1024;

/// `site`, whose sessions are what the page of `http` says of them.
#[must_use]
pub fn asking(site: Site, http: &Http, database: &Location, lookup: &AccountLookup) -> Site {
    Site {
        sessions: Box::new(Page::new(http)),
        accounts: match database {
            // There is no database to look accounts up in: the site's name for one is the account.
            Location::Nowhere => Box::new(CustomAccounts::new(&Custom::default(), lookup)),
            _ => site.accounts,
        },
        ..site
    }
}

/// A page of the site that says who is logged in.
#[derive(Debug)]
pub(super) struct Page {
    http: Pages,
    cookie: String,
    username: NameIn,
    session_id: Option<String>,
    /// The page, as messages call it.
    name: String,
}

impl Page {
    pub(super) fn new(settings: &Http) -> Self {
        Self {
            http: Pages::new(&settings.page),
            cookie: settings.cookie.clone(),
            username: settings.username.clone(),
            session_id: settings.session_id.clone(),
            name: settings.page.url.to_string(),
        }
    }

    /// What an answer of the status 2xx says.
    fn login(&self, answer: &Answer, token: &[u8]) -> Result<Login, Stop> {
        let in_body = matches!(self.username, NameIn::Body(_)) || self.session_id.is_some();
        let body = if in_body {
            // What the parser says may quote the body.
            serde_json::from_slice(&answer.body).map_err(|_| self.failed("answers no JSON"))?
        } else {
            Value::Null
        };
        if let Some(pointer) = &self.session_id {
            let session = body.pointer(pointer).and_then(Value::as_str);
            let same = session.is_some_and(|session| session.as_bytes().ct_eq(token).into());
            if !same {
                return Err(Reason::InvalidSession.into());
            }
        }
        let name = match &self.username {
            NameIn::Body(pointer) => match body.pointer(pointer) {
                Some(Value::String(name)) => Some(name.clone()),
                Some(Value::Number(number)) if !number.is_f64() => Some(number.to_string()),
                _ => None,
            },
            NameIn::Header(header) => answer
                .header(header)
                .and_then(|value| std::str::from_utf8(value).ok())
                .map(str::to_owned),
        };
        let whole = |name: &String| {
            !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(char::is_control)
        };
        let Some(name) = name.filter(whole) else {
            return Err(self
                .failed(
                    "answers that a user is logged in, but has no name where `username` points; for \
                 a session without a user it must answer 401",
                )
                .into());
        };
        Ok(Login {
            key: name,
            auth_hash: None,
            expires: None,
            decoded: Decoding {
                store: "the site's own answer",
                ..Decoding::default()
            },
        })
    }

    fn failed(&self, message: &str) -> Unavailable {
        Unavailable::new(format!("the site's page {} {message}", self.name))
    }
}

impl SessionSource for Page {
    fn read(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        _client: &Client,
        _now: SystemTime,
    ) -> Result<Login, Stop> {
        if !is_cookie_value(token) {
            return Err(Reason::NoSession.into());
        }
        let cookie = Zeroizing::new([self.cookie.as_bytes(), b"=", token].concat());
        let answer = self.http.get(&cookie, queries.deadline())?;
        queries.tracer().read("page", || {
            format!("{} answers {}", self.name, answer.status)
        });
        match answer.status {
            200..=299 => self.login(&answer, token),
            300..=399 | 401 | 403 => Err(Reason::NoSession.into()),
            status => Err(self
                .failed(&format!("answers with the status {status}"))
                .into()),
        }
    }

    fn needs(&self) -> Vec<Required> {
        Vec::new()
    }

    fn confirms(&self, _login: &Login, _account: &Account) -> bool {
        true
    }

    fn names_users(&self) -> bool {
        true
    }
}

/// Whether a cookie can have this value, and nothing in it could be read as another cookie: what
/// RFC 6265, section 4.1.1, calls cookie-octets, and the comma, which sites use.
fn is_cookie_value(token: &[u8]) -> bool {
    !token.is_empty()
        && token.len() <= LONGEST_TOKEN
        && token
            .iter()
            .all(|byte| byte.is_ascii_graphic() && !b"\";\\".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_a_cookie() {
        for token in [&b"abc"[..], b"a=b", b"a,b", b"%2C", b"eyJ.x-y_z"] {
            assert!(is_cookie_value(token));
        }
        for token in [
            &b""[..],
            b"a; admin=1",
            b"a;",
            b"a b",
            b"a\r\nX: y",
            b"a\0",
            b"\"a\"",
            b"a\\",
            b"a\x7f",
            "ä".as_bytes(),
            &[b'a'; 4097],
        ] {
            assert!(!is_cookie_value(token), "{token:?}");
        }
    }
}
