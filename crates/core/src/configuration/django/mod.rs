//! `[django]`: Django's own setting names, in lower case.

mod sessions;
mod user_table;

use std::iter;

use hallpass_sessions::django::Version;
use hallpass_stores::sql;
use jiff::tz::TimeZone;

pub use self::sessions::{DjangoCache, DjangoSessions, SessionEngine, SessionProfile};
pub use self::user_table::UserTable;
use super::Error;
use super::section::Section;
use crate::Secret;

/// A Django site.
#[derive(Debug)]
pub struct Django {
    /// The site's Django, which decides what of an old session is legal.
    pub version: Version,
    /// `SECRET_KEY` first, then its fallbacks. Empty where none is configured.
    pub secret_keys: Vec<Secret>,
    /// Where its sessions are, and how they are checked.
    pub sessions: DjangoSessions,
    /// `AUTHENTICATION_BACKENDS`; `None` for any.
    pub authentication_backends: Option<Vec<String>>,
    /// The user model's tables.
    pub user: UserTable,
    /// Whether the tokens of Django REST framework are credentials.
    pub authtoken: bool,
    /// Whether accounts hold the permissions of Django's tables.
    pub permissions: bool,
    /// The tables of second factors, unquoted; `None` where nothing is said of them.
    pub second_factor: Option<Vec<String>>,
    /// The zone of datetimes without one; `None` for UTC.
    pub time_zone: Option<TimeZone>,
    /// The algorithms that are allowed; `None` for all that Django ever shipped.
    pub password_hashers: Option<Vec<String>>,
    /// What is done to a typed name before it is looked up.
    pub normalize: Normalization,
}

/// What is done to a typed name before it is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalization {
    /// Unicode NFKC, as Django's login form does.
    Nfkc,
    /// Nothing, as Django's `authenticate` does.
    None,
}

impl Django {
    pub(in crate::configuration) fn read(mut section: Section<'_>) -> Result<Self, Error> {
        let version = match section.string("version")? {
            None => Version::NEWEST,
            Some(text) => text
                .parse()
                .map_err(|_| section.wrong("version", "is not a version, as in \"5.2\""))?,
        };
        let time_zone = match section.string("time_zone")?.as_deref() {
            None | Some("UTC") => None,
            Some(name) => Some(TimeZone::get(name).map_err(|_| {
                section.wrong(
                    "time_zone",
                    "is no zone of this system's time zone database",
                )
            })?),
        };
        let secret_key = section.secret("secret_key")?;
        let fallbacks = section.secrets("secret_key_fallbacks")?;
        // Django has no site without the first.
        let secret_keys: Vec<_> = secret_key
            .map(|key| iter::once(key).chain(fallbacks).collect())
            .unwrap_or_default();
        let normalize = match section.string("normalize")?.as_deref() {
            None | Some("none") => Normalization::None,
            Some("nfkc") => Normalization::Nfkc,
            Some(_) => return Err(section.wrong("normalize", "is neither \"none\" nor \"nfkc\"")),
        };
        let second_factor = section.strings("second_factor")?;
        let mut tables = second_factor.iter().flatten();
        if tables.any(|table| sql::identifier(table).is_none()) {
            return Err(section.wrong("second_factor", "has a name that no table can have"));
        }
        let django = Self {
            version,
            secret_keys,
            sessions: DjangoSessions::read(&mut section)?,
            authentication_backends: section.strings("authentication_backends")?,
            user: UserTable::read(&mut section)?,
            authtoken: section.boolean("authtoken")?.unwrap_or(false),
            permissions: section.boolean("permissions")?.unwrap_or(true),
            second_factor,
            time_zone,
            password_hashers: section.strings("password_hashers")?,
            normalize,
        };
        section.finish()?;
        Ok(django)
    }

    /// Whether it says enough to read sessions.
    #[must_use]
    pub fn reads_sessions(&self) -> bool {
        !self.secret_keys.is_empty() || self.sessions.trust_store || self.sessions.profile.is_some()
    }
}
