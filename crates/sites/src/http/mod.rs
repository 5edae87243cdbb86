//! Asks the site's own page who is logged in.

mod settings;

use std::ops::RangeInclusive;
use std::time::SystemTime;

use hallpass_stores::http::{Answer, Http as Pages};
use hallpass_stores::sql::{Location, Queries};
use hallpass_stores::{Secret, Unavailable};
use serde_json::Value;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub(crate) use self::settings::is_token;
pub use self::settings::{Http, HttpTable, NameIn};
use crate::cookie::{Cookie, Reader, value};
use crate::custom::{Custom, CustomAccounts};
use crate::{
    Account, AccountLookup, Client, Decoding, Login, Reason, Required, SessionSource, Site, Stop,
};

/// The longest token that is sent, in bytes: as long as a cookie can be.
const LONGEST_TOKEN: usize = 4096;
/// What stands between the cookies of a token that is made of several; no cookie's value has it.
const SEPARATOR: u8 = b';';
/// The longest name that is taken, in bytes.
const LONGEST_NAME: usize = 1024;

/// `site`, whose sessions are what the page of `http` says of them. `reader` is how the site reads
/// cookies.
#[must_use]
pub fn asking(
    site: Site,
    http: &Http,
    reader: Reader,
    database: &Location,
    lookup: &AccountLookup,
) -> Site {
    Site {
        sessions: Box::new(Page::new(http, reader)),
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
    cookies: Vec<String>,
    reader: Reader,
    username: NameIn,
    authenticated: Option<String>,
    no_session: Vec<RangeInclusive<u16>>,
    session_id: Option<String>,
    /// The page, as messages call it.
    name: String,
}

impl Page {
    pub(super) fn new(settings: &Http, reader: Reader) -> Self {
        Self {
            http: Pages::new(&settings.page),
            cookies: settings.cookies.clone(),
            reader,
            username: settings.username.clone(),
            authenticated: settings.authenticated.clone(),
            no_session: settings.no_session.clone(),
            session_id: settings.session_id.clone(),
            name: settings.page.url.to_string(),
        }
    }

    /// What an answer of the status 2xx says.
    fn login(&self, answer: &Answer, token: &[u8]) -> Result<Login, Stop> {
        let in_body = matches!(self.username, NameIn::Body(_))
            || self.session_id.is_some()
            || self.authenticated.is_some();
        let body = if in_body {
            // What the parser says may quote the body.
            serde_json::from_slice(&answer.body).map_err(|_| self.failed("answers no JSON"))?
        } else {
            Value::Null
        };
        if let Some(pointer) = &self.authenticated
            && !body.pointer(pointer).is_some_and(truth)
        {
            return Err(Reason::NoSession.into());
        }
        if let Some(pointer) = &self.session_id {
            let session = body.pointer(pointer).and_then(Value::as_str);
            let (_, token) = self.cookies_in(token).next().unwrap_or_default();
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
            from_token: false,
        })
    }

    /// The cookies that a token stands for, each with its name. The token of several cookies is made
    /// by [`token`](SessionSource::token); a bare one is the value of the first.
    fn cookies_in<'a>(&'a self, token: &'a [u8]) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let named = |pair: &'a [u8]| {
            let mut names = self.cookies.iter();
            names.find_map(|name| {
                let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
                Some((name.as_str(), value))
            })
        };
        let several = self.cookies.len() > 1;
        let pairs = token.split(|byte| *byte == SEPARATOR);
        let whole = pairs.map(named).collect::<Option<Vec<_>>>();
        let first = self.cookies.first().map_or("", String::as_str);
        whole
            .filter(|_| several)
            .unwrap_or_else(|| vec![(first, token)])
            .into_iter()
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
        let mut cookie = Zeroizing::new(Vec::with_capacity(token.len() + 64));
        for (name, value) in self.cookies_in(token) {
            if !is_cookie_value(value) {
                return Err(Reason::NoSession.into());
            }
            if !cookie.is_empty() {
                cookie.extend_from_slice(b"; ");
            }
            for part in [name.as_bytes(), b"=", value] {
                cookie.extend_from_slice(part);
            }
        }
        let answer = self.http.get(&cookie, queries.deadline())?;
        queries.tracer().read("page", || {
            format!("{} answers {}", self.name, answer.status)
        });
        let status = answer.status;
        if self.no_session.iter().any(|range| range.contains(&status)) {
            return Err(Reason::NoSession.into());
        }
        match status {
            200..=299 => self.login(&answer, token),
            status => Err(self
                .failed(&format!("answers with the status {status}"))
                .into()),
        }
    }

    /// Where the session needs several cookies: those that are there, with their names.
    fn token(
        &mut self,
        _queries: &mut Queries<'_>,
        header: &[u8],
    ) -> Result<Option<Secret>, Unavailable> {
        let mut token = Zeroizing::new(Vec::new());
        for name in &self.cookies {
            let cookie = Cookie {
                name,
                reader: self.reader,
            };
            let Some(value) = value([header], cookie).map(Zeroizing::new) else {
                continue;
            };
            if !is_cookie_value(&value) {
                return Ok(None);
            }
            if !token.is_empty() {
                token.push(SEPARATOR);
            }
            for part in [name.as_bytes(), b"=", &value] {
                token.extend_from_slice(part);
            }
        }
        Ok((!token.is_empty()).then(|| Secret::new(std::mem::take(&mut *token))))
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

/// Whether a value in an answer says yes.
fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.as_str(), "" | "0" | "false"),
        Value::Array(values) => !values.is_empty(),
        Value::Object(values) => !values.is_empty(),
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
