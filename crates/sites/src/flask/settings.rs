//! Reads `[flask]`: Flask's and Flask-Session's own setting names, in lower case.

use hallpass_sessions::MemberPath;
use hallpass_settings::{Error, Life, SecretSource, Table, UrlOr};
use hallpass_stores::{Secret, cache, sql};
use serde::Deserialize;

use crate::cache::CacheTable;
use crate::http::is_token;
use crate::{member, secret};

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct FlaskTable {
    /// Signs the site's sessions. Required for `session_store = "cookie"`, and for signed ids.
    secret_key: Option<SecretSource>,
    /// Older keys that the site still accepts (Flask 3.1). They count for cookies alone, not for
    /// the signed ids of Flask-Session.
    secret_key_fallbacks: Vec<SecretSource>,
    /// The name of the session cookie.
    session_cookie_name: String,
    /// How old a cookie may be: a duration, or whole seconds. With `redis` and `sql` the store
    /// itself says when a session ends.
    permanent_session_lifetime: Life,
    /// `"cookie"`: Flask's own; `"redis"` or `"sql"`: those of Flask-Session (`SESSION_TYPE`
    /// `redis` and `sqlalchemy`).
    session_store: SessionStore,
    /// The Redis that sessions are in, for `session_store = "redis"`.
    cache: Option<UrlOr<CacheTable>>,
    /// `SESSION_KEY_PREFIX` of Flask-Session: what leads the key of a session in Redis and in the
    /// table.
    session_prefix: String,
    /// `SESSION_SQLALCHEMY_TABLE` of Flask-Session: the table of sessions, which may be
    /// `"schema.table"`.
    session_table: String,
    /// `SESSION_USE_SIGNER` of Flask-Session. `true` refuses an unsigned id, `false` reads an id as
    /// it stands.
    #[cfg_attr(feature = "schema", schemars(extend(
        "x-default" = "an id with a dot in it is a signed one"
    )))]
    session_use_signer: Option<bool>,
    /// `LoginManager.session_protection` of Flask-Login: `"basic"` (or none), or `"strong"`. See
    /// *Strong protection*.
    session_protection: Protection,
    /// The path to the account's id in the session, which `user_by_id` of `[custom]` finds.
    user_id: String,
    /// Whether the cookie of a remembered login, which Flask-Login makes, lets in, as it does at the
    /// site. `secret_key` is needed for it.
    #[cfg_attr(feature = "schema", schemars(extend(
        "x-default" = "whether `user_id` is Flask-Login's, and there is a `secret_key`"
    )))]
    remember: Option<bool>,
    /// `REMEMBER_COOKIE_NAME` of Flask-Login: the name of that cookie.
    remember_cookie_name: String,
}

/// Where sessions are.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
enum SessionStore {
    Cookie,
    Redis,
    Sql,
}

/// What Flask-Login does with a session that comes from another address or browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub(super) enum Protection {
    /// Nothing that logs anybody out.
    Basic,
    /// Ends it, unless it is permanent.
    Strong,
}

/// Where Flask-Login has an account's id.
const OF_FLASK_LOGIN: &str = "_user_id";

impl Default for FlaskTable {
    fn default() -> Self {
        Self {
            secret_key: None,
            secret_key_fallbacks: Vec::new(),
            session_cookie_name: "session".to_owned(),
            // `PERMANENT_SESSION_LIFETIME` of Flask's `default_config`.
            permanent_session_lifetime: Life::seconds(31 * 86_400),
            session_store: SessionStore::Cookie,
            cache: None,
            session_prefix: "session:".to_owned(),
            session_table: "sessions".to_owned(),
            session_use_signer: None,
            session_protection: Protection::Basic,
            user_id: OF_FLASK_LOGIN.to_owned(),
            remember: None,
            // `COOKIE_NAME` of Flask-Login's config.py.
            remember_cookie_name: "remember_token".to_owned(),
        }
    }
}

/// A Flask site.
#[derive(Debug)]
pub(super) struct Flask {
    /// `SECRET_KEY` first, then its fallbacks. Empty where none is configured.
    pub(super) secret_keys: Vec<Secret>,
    /// `SESSION_COOKIE_NAME`
    pub(super) cookie_name: String,
    pub(super) store: FlaskStore,
    /// `SESSION_USE_SIGNER`; `None` to see it by each id.
    pub(super) use_signer: Option<bool>,
    pub(super) protection: Protection,
    /// Where a session has the account's id.
    pub(super) user_id: MemberPath,
    /// The name of a remembered login's cookie, where one lets in.
    pub(super) remember_cookie: Option<String>,
}

/// Where sessions are.
#[derive(Debug)]
pub(super) enum FlaskStore {
    /// In the cookie.
    Cookie {
        /// How old it may be, in seconds.
        lifetime: u64,
    },
    /// Flask-Session's `redis`.
    Redis {
        settings: Box<cache::Settings>,
        prefix: String,
    },
    /// Flask-Session's `sqlalchemy`.
    Table { name: String, prefix: String },
}

impl Flask {
    pub(super) fn read(table: &Table<'_>) -> Result<Self, Error> {
        let mut given: FlaskTable = table.read()?;
        let mut secret_keys = Vec::new();
        secret_keys.extend(secret(table, "secret_key", given.secret_key.take())?);
        for fallback in std::mem::take(&mut given.secret_key_fallbacks) {
            // Without the first, Flask makes no signer.
            if secret_keys.is_empty() {
                let message = "has no effect without `secret_key`";
                return Err(table.wrong("secret_key_fallbacks", message));
            }
            secret_keys.extend(secret(table, "secret_key_fallbacks", Some(fallback))?);
        }
        for (key, name) in [
            ("session_cookie_name", &given.session_cookie_name),
            ("remember_cookie_name", &given.remember_cookie_name),
        ] {
            if !is_token(name) {
                return Err(table.wrong(key, "is not a valid cookie name"));
            }
        }
        if given.remember == Some(true) && secret_keys.is_empty() {
            let message = "needs `secret_key`, which signs the cookie of a remembered login";
            return Err(table.wrong("remember", message));
        }
        let remembers = given.remember.unwrap_or(given.user_id == OF_FLASK_LOGIN);
        let remembers = remembers && !secret_keys.is_empty();
        if sql::TableName::parse(&given.session_table).is_none() {
            return Err(table.wrong("session_table", "is not a valid table name"));
        }
        let location = crate::cache::resolve(&table.section("cache")?, given.cache.take())?;
        let prefix = given.session_prefix.clone();
        Ok(Self {
            secret_keys,
            cookie_name: given.session_cookie_name,
            store: match given.session_store {
                SessionStore::Cookie => FlaskStore::Cookie {
                    lifetime: given.permanent_session_lifetime.get().as_secs(),
                },
                SessionStore::Redis => FlaskStore::Redis {
                    settings: member::redis(table, location)?,
                    prefix,
                },
                SessionStore::Sql => FlaskStore::Table {
                    name: given.session_table,
                    prefix,
                },
            },
            use_signer: given.session_use_signer,
            protection: given.session_protection,
            user_id: member::path(table, "user_id", &given.user_id)?,
            remember_cookie: remembers.then_some(given.remember_cookie_name),
        })
    }
}
