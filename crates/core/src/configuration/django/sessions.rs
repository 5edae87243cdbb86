//! Where a Django site keeps its sessions.

use std::path::PathBuf;

use hallpass_sessions::django::SESSION_SALT;
use hallpass_stores::sql;

use crate::configuration::Error;
use crate::configuration::cache::{self, CacheLocation};
use crate::configuration::secret::beside;
use crate::configuration::section::Section;
use crate::configuration::values::Most;

/// `SESSION_COOKIE_AGE` of Django's global settings: two weeks, in seconds.
const TWO_WEEKS: u64 = 1_209_600;

/// Where a Django site keeps its sessions, and how they are checked.
#[derive(Debug)]
pub struct DjangoSessions {
    /// `SESSION_COOKIE_NAME`
    pub cookie_name: String,
    /// `SESSION_ENGINE`
    pub engine: SessionEngine,
    /// The table of sessions, as a quoted identifier.
    pub table: String,
    /// The salt that sessions are signed with.
    pub salt: String,
    /// The table that maps sessions to users, for sites that keep one.
    pub profile: Option<SessionProfile>,
    /// Whether sessions are read without checking who signed them.
    pub trust_store: bool,
}

/// The module of `django.contrib.sessions.backends` that a site uses.
#[derive(Debug)]
pub enum SessionEngine {
    /// `cache`
    Cache(DjangoCache),
    /// `cached_db`
    CachedDatabase(DjangoCache),
    /// `db`
    Database,
    /// `file`
    File {
        /// `SESSION_FILE_PATH`
        directory: PathBuf,
        /// `SESSION_COOKIE_AGE`, in seconds.
        cookie_age: u64,
    },
    /// `signed_cookies`
    SignedCookies {
        /// `SESSION_COOKIE_AGE`, in seconds.
        cookie_age: u64,
    },
}

/// A cache of the site, `SESSION_CACHE_ALIAS`.
#[derive(Debug)]
pub struct DjangoCache {
    /// Where it is.
    pub location: CacheLocation,
    /// `KEY_PREFIX`
    pub key_prefix: String,
    /// `VERSION`
    pub version: u64,
}

/// A table that maps sessions to users. All three as quoted identifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionProfile {
    /// The table.
    pub table: String,
    /// Its column of session keys.
    pub session_column: String,
    /// Its column of users.
    pub user_column: String,
}

impl DjangoSessions {
    pub(super) fn read(section: &mut Section<'_>) -> Result<Self, Error> {
        let cookie_name = section
            .string("session_cookie_name")?
            .unwrap_or_else(|| "sessionid".to_owned());
        if cookie_name.is_empty() {
            return Err(section.wrong("session_cookie_name", "is empty"));
        }
        let table = section.string("session_table")?;
        let table = sql::identifier(table.as_deref().unwrap_or("django_session"))
            .ok_or_else(|| section.wrong("session_table", "no table can be called that"))?;
        let trust_store = section.boolean("trust_session_store")?.unwrap_or(false);
        let engine = SessionEngine::read(section)?;
        let profile = SessionProfile::read(section)?;
        if matches!(engine, SessionEngine::SignedCookies { .. }) {
            if trust_store {
                let message = "cannot be trusted: signed_cookies keeps sessions with the visitor";
                return Err(section.wrong("trust_session_store", message));
            }
            if profile.is_some() {
                let message = "has no use: signed_cookies keeps sessions with the visitor";
                return Err(section.wrong("session_profile", message));
            }
        }
        Ok(Self {
            cookie_name,
            engine,
            table,
            salt: section
                .string("session_key_salt")?
                .unwrap_or_else(|| SESSION_SALT.to_owned()),
            profile,
            trust_store,
        })
    }
}

impl SessionEngine {
    fn read(section: &mut Section<'_>) -> Result<Self, Error> {
        // Asked for whatever the engine, so that a site's settings can be written down whole.
        let cookie_age = section
            .seconds("session_cookie_age", Most::Life)?
            .map_or(TWO_WEEKS, |age| age.as_secs());
        let directory = section.string("session_file_path")?;
        let cache = DjangoCache::read(section)?;
        let engine = section.string("session_engine")?;
        let needed = |cache: Option<DjangoCache>| {
            cache.ok_or_else(|| {
                section.wrong(
                    "cache",
                    "is missing: the session engine keeps sessions in it",
                )
            })
        };
        Ok(match engine.as_deref().map(last_word) {
            None | Some("db") => Self::Database,
            Some("cached_db") => Self::CachedDatabase(needed(cache)?),
            Some("cache") => Self::Cache(needed(cache)?),
            Some("file") => Self::File {
                directory: directory.map_or_else(std::env::temp_dir, |directory| {
                    beside(section.path(), &directory)
                }),
                cookie_age,
            },
            Some("signed_cookies") => Self::SignedCookies { cookie_age },
            Some(_) => {
                let message = "is none of Django's: db, cached_db, cache, file, signed_cookies";
                return Err(section.wrong("session_engine", message));
            }
        })
    }
}

impl DjangoCache {
    fn read(section: &mut Section<'_>) -> Result<Option<Self>, Error> {
        let location = cache::read(section, "cache")?;
        let key_prefix = section.string("cache_key_prefix")?.unwrap_or_default();
        let version = section.integer("cache_version", 0..u64::from(u32::MAX))?;
        Ok(location.map(|location| Self {
            location,
            key_prefix,
            version: version.unwrap_or(1),
        }))
    }
}

impl SessionProfile {
    fn read(section: &mut Section<'_>) -> Result<Option<Self>, Error> {
        let Some(mut profile) = section.optional_section("session_profile")? else {
            return Ok(None);
        };
        let mut name = |key, default: &str| {
            let name = profile.string(key)?;
            sql::identifier(name.as_deref().unwrap_or(default))
                .ok_or_else(|| profile.wrong(key, "no table or column can be called that"))
        };
        let read = Self {
            table: name("table", "usermanagement_sessionprofile")?,
            session_column: name("session_column", "session_id")?,
            user_column: name("user_column", "user_id")?,
        };
        profile.finish()?;
        Ok(Some(read))
    }
}

fn last_word(dotted: &str) -> &str {
    dotted.rsplit('.').next().unwrap_or(dotted)
}
