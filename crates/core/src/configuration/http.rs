//! `[http]`: the site's own page that says who is logged in.

use std::path::PathBuf;
use std::time::Duration;

use hallpass_stores::http;
use toml::de::DeValue;

use super::Error;
use super::custom::cookie_rule;
use super::secret::beside;
use super::section::Section;
use super::values::Most;
use crate::cookie::Reader;

/// How long an answer may take where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(2);

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

impl Http {
    /// Reads the table. `cookie` is the name of the framework's own session cookie, where that is
    /// known.
    pub(super) fn read(mut section: Section<'_>, cookie: Option<&str>) -> Result<Self, Error> {
        let url = section.required_string("url")?;
        let url = url.parse().map_err(|wrong| section.wrong("url", wrong))?;
        let given = section.string("cookie")?;
        let Some(cookie) = given.or(cookie.map(str::to_owned)) else {
            return Err(section.wrong("cookie", "is missing: the name of the session cookie"));
        };
        if !is_token(&cookie) {
            return Err(section.wrong("cookie", "no cookie can be called that"));
        }
        let cookie_rule = cookie_rule(&mut section)?;
        let username = match section.value("username") {
            None => return Err(section.wrong("username", "is missing, as in \"/user/username\"")),
            Some(DeValue::String(pointer)) => {
                NameIn::Body(pointer_of(&section, "username", pointer.as_ref())?)
            }
            Some(DeValue::Table(table)) => {
                let mut options = section.table_of("username", Some(table));
                let header = options.required_string("header")?;
                if !is_token(&header) {
                    return Err(options.wrong("header", "no header can be called that"));
                }
                options.finish()?;
                NameIn::Header(header)
            }
            Some(_) => {
                let message = "is neither a JSON pointer, as in \"/user/username\", nor \
                               { header = \"X-User\" }";
                return Err(section.wrong("username", message));
            }
        };
        let session_id = section.string("session_id")?;
        let session_id = session_id
            .map(|pointer| pointer_of(&section, "session_id", &pointer))
            .transpose()?;
        let ca = section.string("ca")?;
        let ca: Option<PathBuf> = ca.map(|path| beside(section.path(), &path));
        let timeout = section.duration("timeout", Most::Wait)?.unwrap_or(TIMEOUT);
        if timeout.is_zero() {
            return Err(section.wrong("timeout", "leaves no time"));
        }
        section.finish()?;
        Ok(Self {
            page: http::Settings { url, ca, timeout },
            cookie,
            cookie_rule,
            username,
            session_id,
        })
    }
}

/// A JSON pointer to something inside of an answer (RFC 6901, section 3).
fn pointer_of(section: &Section<'_>, key: &str, pointer: &str) -> Result<String, Error> {
    let mut escapes = pointer.split('~').skip(1);
    if !pointer.starts_with('/') || !escapes.all(|rest| rest.starts_with(['0', '1'])) {
        return Err(section.wrong(key, "is no JSON pointer, as in \"/user/username\""));
    }
    Ok(pointer.to_owned())
}

/// Whether a cookie or a header can be called `name`: a token of RFC 9110, section 5.6.2.
pub(super) fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
