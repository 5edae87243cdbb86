//! Reads `[django]`: Django's own setting names, in lower case.

mod sessions;
mod user_table;

use std::iter;

use hallpass_sessions::django::{SESSION_SALT, Version};
use hallpass_settings::{Error, Life, Number, SecretSource, Table, UrlOr};
use hallpass_stores::Secret;
use hallpass_stores::sql;
use jiff::tz::TimeZone;
use serde::Deserialize;

pub use self::sessions::{DjangoCache, DjangoSessions, SessionEngine, SessionProfile};
pub use self::user_table::UserTable;
use crate::cache::CacheTable;
use crate::secret;

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct DjangoTable {
    /// The site's Django, as in `"5.2"`: see *Older Djangos*.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the newest rules")))]
    version: Option<String>,
    /// Signs the site's sessions. Required for them.
    secret_key: Option<SecretSource>,
    /// Accepted as `secret_key` is: for the signature and for the hash of the password.
    secret_key_fallbacks: Vec<SecretSource>,
    /// `"db"`, `"cached_db"`, `"cache"`, `"file"` or `"signed_cookies"`: the last word of the
    /// dotted path, or the whole path; or `"redis_sessions.session"` of django-redis-sessions,
    /// whose Redis is the `cache`.
    session_engine: String,
    /// The name of the session cookie.
    session_cookie_name: String,
    /// How long a session lives: a duration, or whole seconds. Used by `file` and
    /// `signed_cookies`.
    session_cookie_age: Life,
    /// The directory of sessions, for the `file` engine.
    #[cfg_attr(
        feature = "schema",
        schemars(extend("x-default" = "the system's temporary directory"))
    )]
    session_file_path: Option<String>,
    /// Where `cache` and `cached_db` store their sessions: see *Caches*.
    cache: Option<UrlOr<CacheTable>>,
    /// `KEY_PREFIX` of the cache that `SESSION_CACHE_ALIAS` names.
    cache_key_prefix: String,
    /// `VERSION` of that cache.
    cache_version: Number<0, { u32::MAX - 1 }>,
    /// The whole key of a session in the cache, where the site makes its keys in another way
    /// (`KEY_FUNCTION`, `SessionStore.cache_key_prefix`): see *Caches*.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "Django's: `cache_key_prefix:cache_version:…{session_key}`")))]
    session_cache_key: Option<String>,
    /// A session that another backend created is refused.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "any")))]
    authentication_backends: Option<Vec<String>>,
    /// The table of a custom user model, with the columns below. Every table may be
    /// `"schema.table"`; a part in double quotes is taken as it is: `'"Site"."people"'`.
    user_table: String,
    /// Its primary key.
    user_id_column: String,
    /// The model's `USERNAME_FIELD`.
    username_column: String,
    /// Its column of encoded passwords; `""` if the model has no such column: then no account has
    /// a password.
    password_column: String,
    /// Whether the account is active; `""` if the model has no such column.
    active_column: String,
    /// Its column of e-mail addresses.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`email`, if there is one")))]
    email_column: Option<String>,
    /// The table that maps users to groups.
    #[cfg_attr(
        feature = "schema",
        schemars(extend("x-default" = "`<user_table>_groups`, if it exists"))
    )]
    groups_table: Option<String>,
    /// The table that maps users to permissions.
    #[cfg_attr(
        feature = "schema",
        schemars(extend("x-default" = "`<user_table>_user_permissions`, if it exists"))
    )]
    permissions_table: Option<String>,
    /// The column in both that holds the user.
    user_foreign_key: String,
    /// The table of sessions; `"user_sessions_session"` for django-user-sessions.
    session_table: String,
    /// The salt of the signatures, for a site whose `SessionStore` class has another name.
    session_key_salt: String,
    /// The table that maps sessions to users: see *Session profiles*.
    session_profile: Option<ProfileTable>,
    /// Whether to accept the tokens of Django REST framework: see *Tokens*.
    authtoken: bool,
    /// The tables of second factors, as in `["otp_totp_totpdevice", "otp_static_staticdevice"]` or
    /// `["mfa_authenticator"]`: see *Second factors*.
    second_factor: Option<Vec<String>>,
    /// `false` if the site's code decides which permissions an account holds: then no account
    /// holds any, and none is a superuser.
    permissions: bool,
    /// The zone of datetimes without one: `TIME_ZONE` of a site with `USE_TZ = False`.
    time_zone: String,
    /// The accepted algorithms, as in `["pbkdf2_sha256", "argon2"]`; other hashes are
    /// `unsupported-hash`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "all that Django ever shipped")))]
    password_hashers: Option<Vec<String>>,
    /// `"nfkc"` folds the typed name as Django's login form does.
    normalize: Normalization,
    /// Read sessions without `secret_key`: then neither signatures nor password changes can be
    /// checked. Not with `signed_cookies`, whose store is the visitor's browser.
    trust_session_store: bool,
}

/// `session_profile`: a table that maps sessions to users.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct ProfileTable {
    /// The table.
    table: String,
    /// Its column of session keys.
    session_column: String,
    /// Its column of users.
    user_column: String,
}

impl Default for DjangoTable {
    fn default() -> Self {
        Self {
            version: None,
            secret_key: None,
            secret_key_fallbacks: Vec::new(),
            session_engine: "db".to_owned(),
            session_cookie_name: "sessionid".to_owned(),
            // `SESSION_COOKIE_AGE` of Django's global settings: two weeks.
            session_cookie_age: Life::seconds(1_209_600),
            session_file_path: None,
            cache: None,
            cache_key_prefix: String::new(),
            cache_version: Number(1),
            session_cache_key: None,
            authentication_backends: None,
            // The tables of `django.contrib.auth.models.User`.
            user_table: "auth_user".to_owned(),
            user_id_column: "id".to_owned(),
            username_column: "username".to_owned(),
            password_column: "password".to_owned(),
            active_column: "is_active".to_owned(),
            email_column: None,
            groups_table: None,
            permissions_table: None,
            user_foreign_key: "user_id".to_owned(),
            session_table: "django_session".to_owned(),
            session_key_salt: SESSION_SALT.to_owned(),
            session_profile: None,
            authtoken: false,
            second_factor: None,
            permissions: true,
            time_zone: "UTC".to_owned(),
            password_hashers: None,
            normalize: Normalization::None,
            trust_session_store: false,
        }
    }
}

impl Default for ProfileTable {
    fn default() -> Self {
        Self {
            table: "usermanagement_sessionprofile".to_owned(),
            session_column: "session_id".to_owned(),
            user_column: "user_id".to_owned(),
        }
    }
}

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub enum Normalization {
    /// Nothing, as Django's `authenticate` does.
    None,
    /// Unicode NFKC, as Django's login form does.
    Nfkc,
}

impl Django {
    pub(super) fn read(table: &Table<'_>) -> Result<Self, Error> {
        let mut given: DjangoTable = table.read()?;
        let version = match &given.version {
            None => Version::NEWEST,
            Some(text) => {
                let version = text.parse();
                version.map_err(|_| table.wrong("version", "is not a version, as in \"5.2\""))?
            }
        };
        let time_zone = match given.time_zone.as_str() {
            "UTC" => None,
            name => {
                let message = "is unknown to this system's time zone database";
                let zone = TimeZone::get(name);
                Some(zone.map_err(|_| table.wrong("time_zone", message))?)
            }
        };
        let secret_key = secret(table, "secret_key", given.secret_key.take())?;
        let mut fallbacks = Vec::new();
        for fallback in std::mem::take(&mut given.secret_key_fallbacks) {
            fallbacks.extend(secret(table, "secret_key_fallbacks", Some(fallback))?);
        }
        // Django has no site without the first.
        let secret_keys: Vec<_> = secret_key
            .map(|key| iter::once(key).chain(fallbacks).collect())
            .unwrap_or_default();
        let mut tables = given.second_factor.iter().flatten();
        if tables.any(|table| sql::TableName::parse(table).is_none()) {
            return Err(table.wrong(
                "second_factor",
                "holds a name that is not a valid table name",
            ));
        }
        Ok(Self {
            version,
            secret_keys,
            sessions: DjangoSessions::resolve(table, &mut given)?,
            user: UserTable::resolve(table, &given)?,
            authentication_backends: given.authentication_backends,
            authtoken: given.authtoken,
            permissions: given.permissions,
            second_factor: given.second_factor,
            time_zone,
            password_hashers: given.password_hashers,
            normalize: given.normalize,
        })
    }

    /// Whether it says enough to read sessions.
    #[must_use]
    pub fn reads_sessions(&self) -> bool {
        !self.secret_keys.is_empty() || self.sessions.trust_store || self.sessions.profile.is_some()
    }
}
