//! Reads where a Django site keeps its sessions.

use std::path::PathBuf;

use hallpass_settings::{Error, Table};
use hallpass_stores::sql;

use super::{DjangoTable, ProfileTable};
use crate::cache::{self, CacheLocation};

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
    /// `SESSION_COOKIE_AGE`, in seconds.
    pub cookie_age: u64,
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
    pub(super) fn resolve(table: &Table<'_>, given: &mut DjangoTable) -> Result<Self, Error> {
        if given.session_cookie_name.is_empty() {
            return Err(table.wrong("session_cookie_name", "is empty"));
        }
        let session_table = sql::identifier(&given.session_table)
            .ok_or_else(|| table.wrong("session_table", "is not a valid table name"))?;
        let engine = SessionEngine::resolve(table, given)?;
        let profile = given.session_profile.take();
        let profile = profile.map(|profile| SessionProfile::resolve(table, &profile));
        let profile = profile.transpose()?;
        if matches!(engine, SessionEngine::SignedCookies { .. }) {
            if given.trust_session_store {
                let message = "cannot be trusted: signed_cookies keeps sessions with the visitor";
                return Err(table.wrong("trust_session_store", message));
            }
            if profile.is_some() {
                let message = "has no effect: signed_cookies keeps sessions with the visitor";
                return Err(table.wrong("session_profile", message));
            }
        }
        Ok(Self {
            cookie_name: given.session_cookie_name.clone(),
            engine,
            table: session_table,
            salt: given.session_key_salt.clone(),
            profile,
            trust_store: given.trust_session_store,
            cookie_age: given.session_cookie_age.get().as_secs(),
        })
    }
}

impl SessionEngine {
    fn resolve(table: &Table<'_>, given: &mut DjangoTable) -> Result<Self, Error> {
        let cookie_age = given.session_cookie_age.get().as_secs();
        // Read whatever the engine, so that a site's settings can be written down whole.
        let location = cache::resolve(&table.section("cache")?, given.cache.take())?;
        let cache = || {
            let message = "is missing: the session engine keeps sessions in it";
            Ok(DjangoCache {
                location: location.ok_or_else(|| table.wrong("cache", message))?,
                key_prefix: given.cache_key_prefix.clone(),
                version: given.cache_version.0.into(),
            })
        };
        Ok(match last_word(&given.session_engine) {
            "db" => Self::Database,
            "cached_db" => Self::CachedDatabase(cache()?),
            "cache" => Self::Cache(cache()?),
            "file" => {
                let directory = given.session_file_path.as_ref();
                Self::File {
                    directory: directory.map_or_else(std::env::temp_dir, |path| table.beside(path)),
                    cookie_age,
                }
            }
            "signed_cookies" => Self::SignedCookies { cookie_age },
            _ => {
                let message = "is none of Django's: db, cached_db, cache, file, signed_cookies";
                return Err(table.wrong("session_engine", message));
            }
        })
    }
}

impl SessionProfile {
    fn resolve(table: &Table<'_>, given: &ProfileTable) -> Result<Self, Error> {
        let table = table.section("session_profile")?;
        let name = |key, name: &str| {
            let message = "is not a valid name of a table or column";
            sql::identifier(name).ok_or_else(|| table.wrong(key, message))
        };
        Ok(Self {
            table: name("table", &given.table)?,
            session_column: name("session_column", &given.session_column)?,
            user_column: name("user_column", &given.user_column)?,
        })
    }
}

fn last_word(dotted: &str) -> &str {
    dotted.rsplit('.').next().unwrap_or(dotted)
}
