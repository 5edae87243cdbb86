//! Reads `[laravel]`: Laravel's own names, and what the site's `.env` says of them.

use std::path::PathBuf;
use std::str::FromStr;

use hallpass_sessions::laravel::{Cipher, Encrypter, Guard, Serialization, app_key};
use hallpass_settings::{Error, Number, SecretSource, Table, UrlOr};
use hallpass_stores::sql::{self, TableName};
use hallpass_stores::{Secret, cache};
use serde::Deserialize;

use super::roles::TABLES;
use super::site_environment::SiteEnvironment;
use crate::cache::{CacheLocation, CacheTable, resolve};
use crate::custom::Custom;
use crate::http::is_token;
use crate::secret;

/// `session.lifetime` of Laravel's own configuration, in minutes.
const LIFETIME: u32 = 120;

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct LaravelTable {
    /// The site's `.env`, relative to this file. What it says stands in for `database` and the keys
    /// here that are not given; what `config/*.php` says otherwise has to be given.
    environment: Option<String>,
    /// `APP_KEY`: `"base64:…"`, or the key itself. A secret; needed for sessions.
    app_key: Option<SecretSource>,
    /// `APP_PREVIOUS_KEYS`: older keys whose cookies and sessions still count. A list of secrets.
    app_previous_keys: Option<Vec<SecretSource>>,
    /// `app.cipher`: `"aes-256-cbc"`, `"aes-128-cbc"`, `"aes-256-gcm"` or `"aes-128-gcm"`, in any
    /// case.
    cipher: String,
    /// `session.driver`: `"database"`, `"file"`, `"redis"`, `"memcached"` or `"cookie"`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "\"database\"")))]
    session_driver: Option<Driver>,
    /// `session.lifetime`, in minutes.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "120")))]
    session_lifetime: Option<Number<0, 100_000_000>>,
    /// `session.cookie`: the name of the session cookie. From 12 on, new applications have
    /// `-session` behind their name.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`APP_NAME` in lower case, or `laravel`, and `_session`")))]
    session_cookie: Option<String>,
    /// `session.table`: for the driver `database`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "\"sessions\"")))]
    session_table: Option<String>,
    /// `session.files`: for the driver `file`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`storage/framework/sessions` beside `environment`")))]
    session_files: Option<String>,
    /// `session.encrypt`: whether the site encrypts what it stores.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "false")))]
    session_encrypt: Option<bool>,
    /// `session.serialization`, since 9: `"php"` or `"json"`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "as the session is written")))]
    session_serialization: Option<Format>,
    /// For the drivers `redis` and `memcached`: where the sessions are. A
    /// [cache](django.md#caches), `"redis://host:port/0"` or `"memcached://host:port"`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "what `environment` says")))]
    cache: Option<UrlOr<CacheTable>>,
    /// `cache.prefix`. Up to Laravel 10 a colon follows it in the keys; both spellings are looked
    /// for.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`APP_NAME` in lower case, or `laravel`, and `_cache_`")))]
    cache_prefix: Option<String>,
    /// `database.redis.options.prefix`, which comes before `cache_prefix`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`APP_NAME` in lower case, or `laravel`, and `_database_`")))]
    redis_prefix: Option<String>,
    /// The guard of `config/auth.php` whose accounts are let in.
    guard: String,
    /// Whether the site's pages use the middleware `AuthenticateSession` (`auth.session`), so that a
    /// new password ends the account's other sessions.
    authenticate_session: bool,
    /// Whether the cookie of a remembered login lets in, as it does at the site.
    remember: bool,
    /// The table of the guard's accounts.
    user_table: String,
    /// Its primary key.
    user_id_column: String,
    /// Its column of login names.
    username_column: String,
    /// Its column of e-mail addresses; `""` where there is none.
    email_column: String,
    /// Its column of passwords.
    password_column: String,
    /// Its column of the model's `SoftDeletes`: an account that has a time there is none. `""` where
    /// the model has no such thing.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`deleted_at`, where there is one")))]
    deleted_at_column: Option<String>,
    /// The class of the guard's model, as the column `model_type` of spatie/laravel-permission
    /// names it.
    user_model: String,
    /// The tables of spatie/laravel-permission, with the connection's prefix, in the order of
    /// `table_names` of config/permission.php. Where they are not there, no account has a role.
    role_tables: Vec<String>,
    /// `hashing.driver`, where `hashing.bcrypt.verify` holds, as it does from 11 on: `"bcrypt"`,
    /// `"argon"` or `"argon2id"`. Hashes of other algorithms are `unsupported-hash` then.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "whatever PHP verifies")))]
    hashing_driver: Option<Hashing>,
}

impl Default for LaravelTable {
    fn default() -> Self {
        Self {
            environment: None,
            app_key: None,
            app_previous_keys: None,
            cipher: "aes-256-cbc".to_owned(),
            session_driver: None,
            session_lifetime: None,
            session_cookie: None,
            session_table: None,
            session_files: None,
            session_encrypt: None,
            session_serialization: None,
            cache: None,
            cache_prefix: None,
            redis_prefix: None,
            guard: "web".to_owned(),
            authenticate_session: false,
            remember: true,
            user_table: "users".to_owned(),
            user_id_column: "id".to_owned(),
            username_column: "email".to_owned(),
            email_column: "email".to_owned(),
            password_column: "password".to_owned(),
            deleted_at_column: None,
            user_model: "App\\Models\\User".to_owned(),
            role_tables: TABLES.iter().map(|&name| name.to_owned()).collect(),
            hashing_driver: None,
        }
    }
}

/// `session.driver`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub(super) enum Driver {
    Database,
    File,
    Redis,
    Memcached,
    Cookie,
}

impl Driver {
    /// The drivers, by Laravel's words.
    const WORDS: [(&'static str, Self); 6] = [
        ("database", Self::Database),
        ("file", Self::File),
        ("native", Self::File),
        ("redis", Self::Redis),
        ("memcached", Self::Memcached),
        ("cookie", Self::Cookie),
    ];

    pub(super) fn from_word(word: &str) -> Option<Self> {
        let is_it = |(known, _): &&(&str, Self)| *known == word;
        Self::WORDS.iter().find(is_it).map(|(_, driver)| *driver)
    }
}

/// `session.serialization`.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
enum Format {
    Php,
    Json,
}

/// `hashing.driver`.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
enum Hashing {
    Bcrypt,
    Argon,
    Argon2id,
}

/// A site of Laravel's.
#[derive(Debug)]
pub(super) struct Laravel {
    /// What opens its cookies; `None` where no key is known.
    pub(super) encrypter: Option<Encrypter>,
    /// The text of `APP_KEY`.
    pub(super) app_key: Option<Secret>,
    /// The name of its session cookie; `None` where it cannot be told.
    pub(super) session_cookie: Option<String>,
    /// Where its sessions are.
    pub(super) store: SessionStore,
    /// Whether it encrypts them.
    pub(super) session_encrypt: bool,
    /// How it writes them; `None` for either.
    pub(super) serialization: Option<Serialization>,
    /// The guard.
    pub(super) guard: Guard,
    /// Its name.
    pub(super) guard_name: String,
    /// Whether a new password ends sessions.
    pub(super) authenticate_session: bool,
    /// Whether remembered logins count.
    pub(super) remember: bool,
    /// Its accounts.
    pub(super) users: Users,
    /// The algorithms of hashes that count; `None` for all that PHP knows.
    pub(super) algorithms: Option<Vec<String>>,
    /// Groups and permissions, where its database has no tables of them.
    pub(super) custom: Custom,
}

/// The table of accounts. Names without quotes.
#[derive(Clone, Debug)]
pub(super) struct Users {
    pub(super) table: String,
    pub(super) id: String,
    pub(super) name: String,
    /// Empty where there is none.
    pub(super) email: String,
    pub(super) password: String,
    /// `None` for `deleted_at`, where there is one; empty where there is none.
    pub(super) deleted_at: Option<String>,
    pub(super) model: String,
    /// The tables of spatie/laravel-permission, in the order of `roles::TABLES`.
    pub(super) role_tables: [String; 5],
}

/// Where sessions are, and what decides their end.
#[derive(Debug)]
pub(super) enum SessionStore {
    /// A table.
    Table { name: String, lifetime: u64 },
    /// A directory.
    Files { directory: PathBuf, lifetime: u64 },
    /// Redis, whose values are serialized once more.
    Redis(Cached),
    /// memcached
    Memcached(Cached),
    /// Another cookie.
    Cookie,
    /// Somewhere that is not said, or cannot be asked: the key that would say it.
    Unplaced(&'static str),
}

/// Sessions in a cache.
#[derive(Debug)]
pub(super) struct Cached {
    pub(super) servers: Box<cache::Settings>,
    /// What the keys may begin with.
    pub(super) prefixes: Vec<String>,
}

impl Laravel {
    /// Reads the table; the site's database is what its `.env` says, unless one is `given`.
    pub(super) fn read(
        table: &Table<'_>,
        custom: Custom,
        given: Option<sql::Settings>,
    ) -> Result<(Self, sql::Settings), Error> {
        let mut own: LaravelTable = table.read()?;
        let site = own.environment.as_deref();
        let site = SiteEnvironment::read(table, site)?;
        let database = match given {
            Some(given) => given,
            None => site.database(table)?,
        };
        let (app_key, encrypter) = keys(table, &mut own, &site)?;
        let guard = Guard::from_str(&own.guard)
            .map_err(|wrong| table.wrong("guard", &format!("is not a guard: {wrong}")))?;
        let session_cookie = own.session_cookie.take().or_else(|| site.session_cookie());
        if session_cookie
            .as_deref()
            .is_some_and(|name| !is_token(name))
        {
            return Err(table.wrong("session_cookie", "is not a valid cookie name"));
        }
        let store = store(table, &mut own, &site, database.sessions.is_some())?;
        let laravel = Self {
            encrypter,
            app_key,
            session_cookie,
            store,
            session_encrypt: own
                .session_encrypt
                .unwrap_or_else(|| site.truth("SESSION_ENCRYPT")),
            serialization: own.session_serialization.map(|format| match format {
                Format::Php => Serialization::Php,
                Format::Json => Serialization::Json,
            }),
            guard,
            guard_name: own.guard.clone(),
            authenticate_session: own.authenticate_session,
            remember: own.remember,
            algorithms: own.hashing_driver.map(|driver| {
                vec![match driver {
                    Hashing::Bcrypt => "bcrypt".to_owned(),
                    Hashing::Argon => "argon2i".to_owned(),
                    Hashing::Argon2id => "argon2id".to_owned(),
                }]
            }),
            users: users(table, own)?,
            custom,
        };
        Ok((laravel, database))
    }

    /// The key that is missing to read sessions.
    pub(super) fn missing(&self) -> Option<&'static str> {
        match (&self.encrypter, &self.session_cookie, &self.store) {
            (None, _, _) => Some("laravel.app_key"),
            (_, None, _) => Some("laravel.session_cookie"),
            (_, _, SessionStore::Unplaced(key)) => Some(key),
            _ => None,
        }
    }
}

/// `APP_KEY` as it is written, and what opens cookies with it and the previous keys.
fn keys(
    table: &Table<'_>,
    own: &mut LaravelTable,
    site: &SiteEnvironment,
) -> Result<(Option<Secret>, Option<Encrypter>), Error> {
    let cipher = Cipher::from_name(&own.cipher).ok_or_else(|| {
        let known = Cipher::NAMES.map(|(name, _)| name);
        table.unknown_word("cipher", &own.cipher, &known)
    })?;
    let key = secret(table, "app_key", own.app_key.take())?;
    let key = key.or_else(|| site.secret("APP_KEY"));
    let Some(key) = key else {
        return Ok((None, None));
    };
    let mut previous = Vec::new();
    match own.app_previous_keys.take() {
        Some(given) => {
            for source in given {
                previous.extend(secret(table, "app_previous_keys", Some(source))?);
            }
        }
        None => previous = site.previous_keys(),
    }
    let fits = |key: &Secret| app_key(key.expose()).len() == cipher.key_length();
    for (name, known) in [
        ("app_key", fits(&key)),
        ("app_previous_keys", previous.iter().all(fits)),
    ] {
        if !known {
            let message = format!(
                "has another length than the cipher wants: {} bytes, as `php artisan \
                 key:generate` makes them (\"base64:…\")",
                cipher.key_length()
            );
            return Err(table.wrong(name, &message));
        }
    }
    let keys = std::iter::once(&key).chain(&previous);
    let encrypter = Encrypter::new(cipher, keys.map(|key| app_key(key.expose())).collect());
    Ok((Some(key), encrypter))
}

fn store(
    table: &Table<'_>,
    own: &mut LaravelTable,
    site: &SiteEnvironment,
    elsewhere: bool,
) -> Result<SessionStore, Error> {
    let lifetime = own.session_lifetime.map(|minutes| minutes.0);
    let lifetime = match lifetime {
        Some(minutes) => minutes,
        None => site.lifetime(table)?.unwrap_or(LIFETIME),
    };
    let lifetime = u64::from(lifetime) * 60;
    let driver = match own.session_driver {
        Some(driver) => driver,
        None => match site.text("SESSION_DRIVER") {
            None => Driver::Database,
            Some(word) => match Driver::from_word(word) {
                Some(driver) => driver,
                // array, dynamodb, apc, null, or the application's own
                None => return Ok(SessionStore::Unplaced("laravel.session_driver")),
            },
        },
    };
    let of: &[(&str, &[Driver])] = &[
        ("session_table", &[Driver::Database]),
        ("session_files", &[Driver::File]),
        ("cache", &[Driver::Redis, Driver::Memcached]),
        ("cache_prefix", &[Driver::Redis, Driver::Memcached]),
        ("redis_prefix", &[Driver::Redis]),
    ];
    for (key, drivers) in of {
        if table.has(key) && !drivers.contains(&driver) {
            return Err(table.wrong(key, "has no effect with this `session_driver`"));
        }
    }
    Ok(match driver {
        Driver::Cookie => SessionStore::Cookie,
        Driver::Database => {
            // It may be in another database, which `.env` does not describe.
            if !elsewhere && !site.is_in_its_database() {
                return Ok(SessionStore::Unplaced("session_database"));
            }
            let name = own.session_table.take();
            let name = name.or_else(|| site.text("SESSION_TABLE").map(str::to_owned));
            let name = name.unwrap_or_else(|| "sessions".to_owned());
            if TableName::parse(&name).is_none() {
                return Err(table.wrong("session_table", "is not a valid table name"));
            }
            SessionStore::Table { name, lifetime }
        }
        Driver::File => match (own.session_files.take(), site.directory()) {
            (Some(path), _) => SessionStore::Files {
                directory: table.beside(path),
                lifetime,
            },
            (None, Some(site)) => SessionStore::Files {
                directory: site.join("storage/framework/sessions"),
                lifetime,
            },
            (None, None) => SessionStore::Unplaced("laravel.session_files"),
        },
        Driver::Redis | Driver::Memcached => {
            let section = table.section("cache")?;
            let is_redis = driver == Driver::Redis;
            let servers = match resolve(&section, own.cache.take())? {
                Some(CacheLocation::Server(settings)) => Some(settings),
                Some(_) => return Err(table.wrong("cache", "is not a server")),
                None if is_redis => site.redis(table)?.map(Box::new),
                None => site.memcached(table)?.map(Box::new),
            };
            let Some(servers) = servers else {
                return Ok(SessionStore::Unplaced("laravel.cache"));
            };
            if is_redis != matches!(servers.store, cache::Store::Redis { .. }) {
                return Err(table.wrong("cache", "is another server than `session_driver` says"));
            }
            let prefix = own.cache_prefix.take().or_else(|| site.cache_prefix());
            let before = match is_redis {
                true => own.redis_prefix.take().or_else(|| site.redis_prefix()),
                false => Some(String::new()),
            };
            let (Some(prefix), Some(before)) = (prefix, before) else {
                return Ok(SessionStore::Unplaced("laravel.cache_prefix"));
            };
            // `setPrefix` of the stores put a colon behind one that is not empty, until 11.
            let mut prefixes = vec![format!("{before}{prefix}")];
            if !prefix.is_empty() {
                prefixes.push(format!("{before}{prefix}:"));
            }
            let cached = Cached { servers, prefixes };
            match is_redis {
                true => SessionStore::Redis(cached),
                false => SessionStore::Memcached(cached),
            }
        }
    })
}

fn users(table: &Table<'_>, own: LaravelTable) -> Result<Users, Error> {
    if TableName::parse(&own.user_table).is_none() {
        return Err(table.wrong("user_table", "is not a valid table name"));
    }
    let deleted_at = own.deleted_at_column.as_deref().unwrap_or_default();
    for (key, column, needed) in [
        ("user_id_column", own.user_id_column.as_str(), true),
        ("username_column", &own.username_column, true),
        ("password_column", &own.password_column, true),
        ("email_column", &own.email_column, false),
        ("deleted_at_column", deleted_at, false),
    ] {
        let none = column.is_empty() && !needed;
        if !none && (sql::identifier(column).is_none() || column.is_empty()) {
            return Err(table.wrong(key, "is not a valid column name"));
        }
    }
    let valid = |name: &String| TableName::parse(name).is_some();
    let role_tables = Some(own.role_tables).filter(|names| names.iter().all(valid));
    let role_tables = role_tables.and_then(|names| <[String; 5]>::try_from(names).ok());
    let role_tables = role_tables.ok_or_else(|| {
        table.wrong(
            "role_tables",
            "is not the names of the five tables, as in the default",
        )
    })?;
    Ok(Users {
        table: own.user_table,
        id: own.user_id_column,
        name: own.username_column,
        email: own.email_column,
        password: own.password_column,
        deleted_at: own.deleted_at_column,
        model: own.user_model,
        role_tables,
    })
}
