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
    /// The table of sessions.
    pub table: sql::TableName,
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
    /// `redis_sessions.session` of django-redis-sessions
    Redis(DjangoCache),
    /// `signed_cookies`
    SignedCookies {
        /// `SESSION_COOKIE_AGE`, in seconds.
        cookie_age: u64,
    },
}

/// What stands for a session's key in `session_cache_key`.
const SESSION_KEY: &str = "{session_key}";

/// A cache of the site, `SESSION_CACHE_ALIAS`.
#[derive(Debug)]
pub struct DjangoCache {
    /// Where it is.
    pub location: CacheLocation,
    /// What stands before a session's key in a key of the cache, and after it.
    pub around_key: (String, String),
}

/// A table that maps sessions to users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionProfile {
    /// The table.
    pub table: sql::TableName,
    /// Its column of session keys, as a quoted identifier.
    pub session_column: String,
    /// Its column of users, as a quoted identifier.
    pub user_column: String,
}

impl DjangoSessions {
    pub(super) fn resolve(table: &Table<'_>, given: &mut DjangoTable) -> Result<Self, Error> {
        if given.session_cookie_name.is_empty() {
            return Err(table.wrong("session_cookie_name", "is empty"));
        }
        let session_table = sql::TableName::parse(&given.session_table)
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
        let around_key = given
            .session_cache_key
            .as_deref()
            .map(around_key)
            .transpose();
        let around_key = around_key.map_err(|wrong| table.wrong("session_cache_key", wrong))?;
        let cache = |usual: &str| {
            let message = "is missing: the session engine keeps sessions in it";
            Ok(DjangoCache {
                location: location.ok_or_else(|| table.wrong("cache", message))?,
                around_key: around_key.unwrap_or_else(|| (usual.to_owned(), String::new())),
            })
        };
        // `default_key_func` in core/cache/backends/base.py, 5.2.
        let usual = |engine: &str| {
            let (prefix, version) = (&given.cache_key_prefix, given.cache_version.0);
            format!("{prefix}:{version}:django.contrib.sessions.{engine}")
        };
        if given.session_engine == "redis_sessions.session" {
            let cache = cache("")?;
            return match cache.location {
                CacheLocation::Server(_) => Ok(Self::Redis(cache)),
                CacheLocation::Directory(_) | CacheLocation::Table(_) => Err(table.wrong(
                    "cache",
                    "is not a server; django-redis-sessions keeps sessions in Redis",
                )),
            };
        }
        Ok(match last_word(&given.session_engine) {
            "db" => Self::Database,
            "cached_db" => Self::CachedDatabase(cache(&usual("cached_db"))?),
            "cache" => Self::Cache(cache(&usual("cache"))?),
            "file" => {
                let directory = given.session_file_path.as_ref();
                Self::File {
                    directory: directory.map_or_else(std::env::temp_dir, |path| table.beside(path)),
                    cookie_age,
                }
            }
            "signed_cookies" => Self::SignedCookies { cookie_age },
            _ => {
                let message = "is none of Django's (db, cached_db, cache, file, signed_cookies), nor \
                               redis_sessions.session";
                return Err(table.wrong("session_engine", message));
            }
        })
    }
}

impl SessionProfile {
    fn resolve(table: &Table<'_>, given: &ProfileTable) -> Result<Self, Error> {
        let table = table.section("session_profile")?;
        let wrong = |key| table.wrong(key, "is not a valid name of a table or column");
        let name = |key, name: &str| sql::identifier(name).ok_or_else(|| wrong(key));
        let named = sql::TableName::parse(&given.table);
        Ok(Self {
            table: named.ok_or_else(|| wrong("table"))?,
            session_column: name("session_column", &given.session_column)?,
            user_column: name("user_column", &given.user_column)?,
        })
    }
}

/// What stands before and after the session's key in a template of keys.
fn around_key(template: &str) -> Result<(String, String), &'static str> {
    match template.split_once(SESSION_KEY) {
        Some((before, after)) if !after.contains(SESSION_KEY) => {
            Ok((before.to_owned(), after.to_owned()))
        }
        _ => Err("does not hold {session_key} once, as in \"shop:{session_key}\""),
    }
}

fn last_word(dotted: &str) -> &str {
    dotted.rsplit('.').next().unwrap_or(dotted)
}
