//! Reads `[http]`: the site's own page that says who is logged in.

use std::path::PathBuf;

use hallpass_settings::{Error, Table, Wait};
use hallpass_stores::http;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::cookie::Reader;

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HttpTable {
    /// The page, `http://` or `https://`.
    #[cfg_attr(feature = "schema", schemars(extend("writeOnly" = true)))]
    url: String,
    /// The name of the session cookie.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the framework's own")))]
    cookie: Option<String>,
    /// How the site reads it, and so
    /// [which of two of one name counts](custom.md#two-cookies-of-one-name): `"django"`, `"php"`,
    /// `"first"`, `"last"`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the framework's own")))]
    cookie_rule: Option<Reader>,
    /// Where the login name is: a JSON pointer (RFC 6901) into the body, as in
    /// `"/user/username"`, or `{ header = "X-User" }`.
    username: UsernameIn,
    /// A JSON pointer to the session's token, which must be the one that was sent.
    session_id: Option<String>,
    /// A file of trusted certificates, in PEM.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the system's")))]
    ca: Option<String>,
    /// For one answer, within the `deadline` of `[limits]`.
    #[serde(default = "timeout")]
    timeout: Wait,
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
    /// The name of the cookie that the session's token is sent in.
    pub cookie: String,
    /// How the site reads it; `None` for how its framework does.
    pub cookie_rule: Option<Reader>,
    /// Where in the answer the login name is.
    pub username: NameIn,
    /// Where in the answer the token is, which must be the one that was sent: a JSON pointer.
    pub session_id: Option<String>,
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
        let Some(cookie) = self.cookie.or(cookie.map(str::to_owned)) else {
            return Err(table.wrong("cookie", "is missing: the name of the session cookie"));
        };
        if !is_token(&cookie) {
            return Err(table.wrong("cookie", "is not a valid cookie name"));
        }
        match &self.username.0 {
            NameIn::Body(pointer) => check_pointer(table, "username", pointer)?,
            NameIn::Header(header) if is_token(header) => {}
            NameIn::Header(_) => {
                let message = "is not a valid header name";
                return Err(table.section("username")?.wrong("header", message));
            }
        }
        if let Some(pointer) = &self.session_id {
            check_pointer(table, "session_id", pointer)?;
        }
        let timeout = self.timeout.get();
        if timeout.is_zero() {
            return Err(table.wrong("timeout", "must be longer than 0s"));
        }
        let ca: Option<PathBuf> = self.ca.map(|path| table.beside(path));
        Ok(Http {
            page: http::Settings { url, ca, timeout },
            cookie,
            cookie_rule: self.cookie_rule,
            username: self.username.0,
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
