//! Reads `[http]`: the site's own page that says who is logged in.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use hallpass_settings::{Error, SecretSource, Table, Wait};
use hallpass_stores::http;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::cookie::Reader;

/// How many cookies a session may need.
const MOST_COOKIES: usize = 16;

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HttpTable {
    /// The page, `http://` or `https://`.
    #[cfg_attr(feature = "schema", schemars(extend("writeOnly" = true)))]
    url: String,
    /// The name of the session cookie, or a list of names where the site's session needs several
    /// cookies.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the framework's own")))]
    cookie: Option<CookieNames>,
    /// How the site reads it, and so
    /// [which of two of one name counts](custom.md#two-cookies-of-one-name): `"django"`, `"php"`,
    /// `"first"`, `"last"`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the framework's own")))]
    cookie_rule: Option<Reader>,
    /// Where the login name is: a JSON pointer (RFC 6901) into the body, as in
    /// `"/user/username"`, or `{ header = "X-User" }`.
    username: UsernameIn,
    /// A JSON pointer to what must be true as well: not `false`, `null`, 0, an empty text or list,
    /// `"0"` or `"false"`. Where it is not, the session is nobody's.
    authenticated: Option<String>,
    /// The statuses that say that nobody is logged in: numbers, and `"3xx"` for all of a hundred.
    #[serde(default = "no_session")]
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "[401, 403, \"3xx\"]")))]
    no_session: Vec<Status>,
    /// Headers that each request has: `{ X-Api-Key = { file = "key" } }`; each value is a secret.
    #[serde(default)]
    headers: BTreeMap<String, SecretSource>,
    /// A JSON pointer to the session's token, which must be the one that was sent (of several
    /// cookies, the first).
    session_id: Option<String>,
    /// A file of trusted certificates, in PEM.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the system's")))]
    ca: Option<String>,
    /// For one answer, within the `deadline` of `[limits]`.
    #[serde(default = "timeout")]
    timeout: Wait,
}

/// One name, or several.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(
    untagged,
    expecting = "is neither the name of a cookie nor a list of names"
)]
enum CookieNames {
    One(String),
    Several(Vec<String>),
}

/// A status, or a hundred of them.
#[derive(Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(
    untagged,
    expecting = "is neither a status, as in 401, nor a class of them, as in \"3xx\""
)]
enum Status {
    One(u16),
    Class(String),
}

fn no_session() -> Vec<Status> {
    vec![
        Status::One(401),
        Status::One(403),
        Status::Class("3xx".to_owned()),
    ]
}

impl Status {
    /// The statuses that it means; `None` where it means none.
    fn range(&self) -> Option<RangeInclusive<u16>> {
        let (first, last) = match self {
            Self::One(status) => (*status, *status),
            Self::Class(class) => {
                let hundred = class.strip_suffix("xx")?.parse::<u16>().ok()?;
                let first = hundred.checked_mul(100)?;
                (first, first.checked_add(99)?)
            }
        };
        (100..=599).contains(&first).then_some(first..=last)
    }
}

fn timeout() -> Wait {
    Wait::seconds(2)
}

/// Where the login name is, as the file says it.
struct UsernameIn(NameIn);

/// A header of the answer.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct HeaderTable {
    /// Its name.
    header: String,
}

impl<'de> Deserialize<'de> for UsernameIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Places;
        impl<'de> Visitor<'de> for Places {
            type Value = UsernameIn;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(
                    "is neither a JSON pointer, as in \"/user/username\", nor \
                     { header = \"X-User\" }",
                )
            }

            fn visit_str<E>(self, pointer: &str) -> Result<UsernameIn, E> {
                Ok(UsernameIn(NameIn::Body(pointer.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<UsernameIn, A::Error> {
                let table = serde::de::value::MapAccessDeserializer::new(table);
                let HeaderTable { header } = HeaderTable::deserialize(table)?;
                Ok(UsernameIn(NameIn::Header(header)))
            }
        }
        deserializer.deserialize_any(Places)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for UsernameIn {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "UsernameIn".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let pointer = schemars::json_schema!({ "type": "string", "pattern": "^/" });
        schemars::json_schema!({ "anyOf": [pointer, HeaderTable::json_schema(generator)] })
    }
}

/// The site's own page that says who is logged in.
#[derive(Debug)]
pub struct Http {
    /// The page, and how long it may take.
    pub page: http::Settings,
    /// The names of the cookies that the session's token is sent in: one, as a rule.
    pub cookies: Vec<String>,
    /// How the site reads it; `None` for how its framework does.
    pub cookie_rule: Option<Reader>,
    /// Where in the answer the login name is.
    pub username: NameIn,
    /// Where in the answer something must be true as well: a JSON pointer.
    pub authenticated: Option<String>,
    /// The statuses that say that nobody is logged in.
    pub no_session: Vec<RangeInclusive<u16>>,
    /// Where in the answer the token is, which must be the one that was sent: a JSON pointer.
    pub session_id: Option<String>,
}

impl Http {
    /// The name of the session cookie; `None` where there are several.
    #[must_use]
    pub fn cookie_name(&self) -> Option<&str> {
        match &*self.cookies {
            [name] => Some(name),
            _ => None,
        }
    }
}

/// Where in an answer the login name is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameIn {
    /// In the JSON of the body, where this pointer (RFC 6901) points.
    Body(String),
    /// In the header of this name.
    Header(String),
}

impl HttpTable {
    /// `cookie` is the name of the framework's own session cookie, where that is known.
    ///
    /// # Errors
    /// [`Error`] at the key that is not what it should be.
    pub fn resolve(self, table: &Table<'_>, cookie: Option<&str>) -> Result<Http, Error> {
        let url = self
            .url
            .parse()
            .map_err(|wrong| table.wrong("url", wrong))?;
        let cookies = match (self.cookie, cookie) {
            (Some(CookieNames::One(name)), _) => vec![name],
            (Some(CookieNames::Several(names)), _) => names,
            (None, Some(name)) => vec![name.to_owned()],
            (None, None) => Vec::new(),
        };
        if cookies.is_empty() {
            return Err(table.wrong("cookie", "is missing: the name of the session cookie"));
        }
        if !cookies.iter().all(|name| is_token(name)) {
            return Err(table.wrong("cookie", "is not a valid cookie name"));
        }
        let twice = |(at, name)| cookies.iter().take(at).any(|other: &String| other == name);
        if cookies.len() > MOST_COOKIES || cookies.iter().enumerate().any(twice) {
            return Err(table.wrong("cookie", "names a cookie twice, or more than 16"));
        }
        let no_session = self.no_session.iter().map(Status::range);
        let Some(no_session) = no_session.collect::<Option<Vec<_>>>() else {
            let message = "has something that is not a status, as in 401, or \"3xx\"";
            return Err(table.wrong("no_session", message));
        };
        match &self.username.0 {
            NameIn::Body(pointer) => check_pointer(table, "username", pointer)?,
            NameIn::Header(header) if is_token(header) => {}
            NameIn::Header(_) => {
                let message = "is not a valid header name";
                return Err(table.section("username")?.wrong("header", message));
            }
        }
        for (key, pointer) in [
            ("session_id", &self.session_id),
            ("authenticated", &self.authenticated),
        ] {
            if let Some(pointer) = pointer {
                check_pointer(table, key, pointer)?;
            }
        }
        let mut headers = Vec::new();
        if !self.headers.is_empty() {
            let section = table.section("headers")?;
            for (name, source) in self.headers {
                let value = section.secret(&name, source)?.unwrap_or_default();
                let header = http::Header::new(&name, &value);
                headers.push(header.map_err(|wrong| section.wrong(&name, wrong))?);
            }
        }
        let timeout = self.timeout.get();
        if timeout.is_zero() {
            return Err(table.wrong("timeout", "must be longer than 0s"));
        }
        let ca: Option<PathBuf> = self.ca.map(|path| table.beside(path));
        Ok(Http {
            page: http::Settings {
                url,
                ca,
                timeout,
                headers,
            },
            cookies,
            cookie_rule: self.cookie_rule,
            username: self.username.0,
            authenticated: self.authenticated,
            no_session,
            session_id: self.session_id,
        })
    }
}

/// Whether it is a JSON pointer to something inside of an answer (RFC 6901, section 3).
fn check_pointer(table: &Table<'_>, key: &str, pointer: &str) -> Result<(), Error> {
    let mut escapes = pointer.split('~').skip(1);
    if !pointer.starts_with('/') || !escapes.all(|rest| rest.starts_with(['0', '1'])) {
        return Err(table.wrong(key, "is not a JSON pointer, as in \"/user/username\""));
    }
    Ok(())
}

/// Whether a cookie or a header can be called `name`: a token of RFC 9110, section 5.6.2.
pub(crate) fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
