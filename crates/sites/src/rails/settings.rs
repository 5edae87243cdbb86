//! Reads `[rails]`: what a site's Rails, Devise and session store are told, under their own names.

use std::sync::Arc;
use std::time::Duration;

use hallpass_sessions::rails::{KeyDigest, Serializer, SignedDigest, Version};
use hallpass_settings::{Error, Life, SecretSource, Table, UrlOr};
use hallpass_stores::sql::{self, TableName};
use hallpass_stores::{Secret, cache as cache_store};
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::cache::{self, CacheLocation, CacheTable};
use crate::http::is_token;
use crate::secret;

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct RailsTable {
    /// `"redmine"` for Redmine, whose accounts and logins are its own: see *Redmine*.
    preset: Option<Preset>,
    /// The site's Rails: the number that its `config.load_defaults` says, where it is another one.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "\"7.0\"; of Redmine `\"6.1\"`")))]
    version: Option<String>,
    /// Seals the site's cookies. Required for `cookie`.
    secret_key_base: Option<SecretSource>,
    /// Older ones that the site still takes (`cookies_rotations`).
    secret_key_bases: Vec<SecretSource>,
    /// `config.active_support.key_generator_hash_digest_class`: `"SHA1"` or `"SHA256"`.
    #[cfg_attr(
        feature = "schema",
        schemars(extend("x-default" = "`\"SHA256\"` from version 7.0 on; of Redmine `\"SHA1\"`"))
    )]
    key_generator_hash_digest_class: Option<DigestWord>,
    /// `config.action_dispatch.cookies_serializer`: `"json"`, `"hybrid"` (or `"json_allow_marshal"`) or
    /// `"marshal"`. Under `"json"` a cookie that holds a Marshal dump is refused, as Rails does.
    #[cfg_attr(
        feature = "schema",
        schemars(extend("x-default" = "`\"json\"`; of Redmine `\"marshal\"`"))
    )]
    cookies_serializer: Option<SerializerWord>,
    /// The name of the session cookie: `key` of `config.session_store`. Required for sessions.
    #[cfg_attr(
        feature = "schema",
        schemars(extend("x-default" = "of Redmine `\"_redmine_session\"`"))
    )]
    session_cookie_name: Option<String>,
    /// `"cookie"`, `"active_record"` (activerecord-session_store) or `"redis"` (redis-session-store,
    /// redis-rails).
    session_store: StoreWord,
    /// The Redis that has the sessions, for `redis`: see *Sessions in Redis*.
    cache: Option<UrlOr<CacheTable>>,
    /// What stands before a session's id in Redis: `key_prefix` of redis-session-store, the namespace
    /// and a colon of redis-rails.
    session_prefix: String,
    /// The table of sessions, for `active_record`.
    session_table: String,
    /// Warden's scope: the name of the Devise model in the singular.
    scope: String,
    /// Devise's `config.pepper`.
    pepper: Option<SecretSource>,
    /// Devise's `config.timeout_in`, where the model is `:timeoutable`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "sessions do not time out")))]
    timeout_in: Option<Life>,
    /// The table of accounts. Every table may be `"schema.table"`.
    user_table: String,
    /// Its primary key.
    user_id_column: String,
    /// What people log in with: Devise's `authentication_keys`.
    username_column: String,
    /// Its column of e-mail addresses; `""` if there is none.
    email_column: String,
    /// Its column of hashes.
    password_column: String,
    /// The columns whose typed names are looked for in lower case.
    case_insensitive_keys: Vec<String>,
    /// The columns whose typed names are looked for without white space around them.
    strip_whitespace_keys: Vec<String>,
    /// Whether the model is `:confirmable`, so that an account without `confirmed_at` is closed.
    #[cfg_attr(
        feature = "schema",
        schemars(extend("x-default" = "whether the table has the column `confirmed_at`"))
    )]
    confirmable: Option<bool>,
    /// For how long an account is open before it is confirmed.
    allow_unconfirmed_access_for: Life,
    /// Whether the model is `:lockable`, so that an account with `locked_at` is closed.
    #[cfg_attr(
        feature = "schema",
        schemars(extend("x-default" = "whether the table has the column `locked_at`"))
    )]
    lockable: Option<bool>,
    /// After how long a lock ends by itself: Devise's, where its `unlock_strategy` is `:time` or
    /// `:both`.
    #[cfg_attr(
        feature = "schema",
        schemars(extend("x-default" = "when the site takes `locked_at` away"))
    )]
    unlock_in: Option<Life>,
    /// Whether the model is `:rememberable`, so that the cookie of a remembered login lets in, as it
    /// does at the site. Without `secret_key_base` none does.
    #[cfg_attr(
        feature = "schema",
        schemars(extend("x-default" = "whether the table has the column `remember_created_at`"))
    )]
    rememberable: Option<bool>,
    /// Devise's `config.remember_for`.
    remember_for: Life,
    /// The name of that cookie: `key` of Devise's `config.rememberable_options`; of Redmine
    /// `autologin_cookie_name` of its configuration.yml.
    #[cfg_attr(
        feature = "schema",
        schemars(extend("x-default" = "`\"remember_user_token\"`, with the scope; of Redmine `\"autologin\"`"))
    )]
    remember_cookie_name: Option<String>,
    /// `config.action_dispatch.signed_cookie_digest`, which signs that cookie: `"SHA1"`, `"SHA256"` or
    /// `"SHA512"`.
    signed_cookie_digest: SignedDigestWord,
    /// The zone of times in the database (`config.active_record.default_timezone`).
    #[cfg_attr(
        feature = "schema",
        schemars(extend("x-default" = "`\"UTC\"`; of Redmine this machine's zone"))
    )]
    time_zone: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
enum SignedDigestWord {
    #[serde(rename = "SHA1")]
    Sha1,
    #[serde(rename = "SHA256")]
    Sha256,
    #[serde(rename = "SHA512")]
    Sha512,
}

impl SignedDigestWord {
    fn digest(self) -> SignedDigest {
        match self {
            Self::Sha1 => SignedDigest::Sha1,
            Self::Sha256 => SignedDigest::Sha256,
            Self::Sha512 => SignedDigest::Sha512,
        }
    }
}

/// The applications that are known by name.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
enum Preset {
    Redmine,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
enum DigestWord {
    #[serde(rename = "SHA1")]
    Sha1,
    #[serde(rename = "SHA256")]
    Sha256,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "snake_case")]
enum SerializerWord {
    Json,
    Hybrid,
    JsonAllowMarshal,
    Marshal,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "snake_case")]
enum StoreWord {
    Cookie,
    ActiveRecord,
    Redis,
}

impl Default for RailsTable {
    fn default() -> Self {
        let email = || vec!["email".to_owned()];
        Self {
            preset: None,
            version: None,
            secret_key_base: None,
            secret_key_bases: Vec::new(),
            key_generator_hash_digest_class: None,
            cookies_serializer: None,
            session_cookie_name: None,
            session_store: StoreWord::Cookie,
            cache: None,
            session_prefix: String::new(),
            session_table: "sessions".to_owned(),
            scope: "user".to_owned(),
            pepper: None,
            timeout_in: None,
            user_table: "users".to_owned(),
            user_id_column: "id".to_owned(),
            username_column: "email".to_owned(),
            email_column: "email".to_owned(),
            password_column: "encrypted_password".to_owned(),
            // Devise's own defaults (lib/devise.rb, 4.8).
            case_insensitive_keys: email(),
            strip_whitespace_keys: email(),
            confirmable: None,
            allow_unconfirmed_access_for: Life::seconds(0),
            lockable: None,
            unlock_in: None,
            rememberable: None,
            // Devise's own default (lib/devise.rb, 4.8).
            remember_for: Life::seconds(14 * 86_400),
            remember_cookie_name: None,
            signed_cookie_digest: SignedDigestWord::Sha1,
            time_zone: None,
        }
    }
}

/// The keys that say what Redmine says itself.
const OF_DEVISE: [&str; 19] = [
    "scope",
    "pepper",
    "timeout_in",
    "user_table",
    "user_id_column",
    "username_column",
    "email_column",
    "password_column",
    "case_insensitive_keys",
    "strip_whitespace_keys",
    "confirmable",
    "allow_unconfirmed_access_for",
    "lockable",
    "unlock_in",
    "rememberable",
    "remember_for",
    "signed_cookie_digest",
    "session_prefix",
    "cache",
];

/// A Rails site.
#[derive(Debug)]
pub struct Rails {
    /// What its accounts and its logins are.
    pub application: Application,
    /// Where its sessions are.
    pub store: RailsStore,
    /// What the keys of its cookies are made of; `None` where they are not given.
    pub keys: Option<CookieKeys>,
    /// `signed_cookie_digest`
    pub signed_digest: SignedDigest,
    /// The name of its session cookie.
    pub cookie_name: Option<String>,
    /// Whether cookies may hold a dump of Marshal's.
    pub serializer: Serializer,
    /// The zone of times in the database; `None` for UTC.
    pub time_zone: Option<TimeZone>,
}

/// What an application's accounts and logins are.
#[derive(Debug)]
pub enum Application {
    /// Devise's.
    Devise(Box<Devise>),
    /// Redmine's own, and the name of its cookie `autologin`.
    Redmine(String),
}

/// Where sessions are.
#[derive(Debug)]
pub enum RailsStore {
    /// In the cookie itself.
    Cookie,
    /// In a table.
    Table(TableName),
    /// In Redis, with what stands before a session's id.
    Redis(Box<cache_store::Settings>, String),
}

/// What the keys of cookies are made of.
#[derive(Debug)]
pub struct CookieKeys {
    /// `secret_key_base`
    pub secret: Secret,
    /// Those of `cookies_rotations`.
    pub older: Vec<Secret>,
    /// The site's Rails.
    pub version: Version,
    /// What keys are derived with.
    pub digest: KeyDigest,
}

/// A model of Devise's.
#[derive(Clone, Debug)]
pub struct Devise {
    /// Warden's scope.
    pub scope: String,
    /// `pepper`; `None` where there is none.
    pub pepper: Option<Arc<Secret>>,
    /// `timeout_in`
    pub timeout_in: Option<Duration>,
    /// Its table, unquoted.
    pub table: String,
    /// Its primary key.
    pub id: String,
    /// What people log in with.
    pub username: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// The hash.
    pub password: String,
    /// `case_insensitive_keys`
    pub downcased: Vec<String>,
    /// `strip_whitespace_keys`
    pub stripped: Vec<String>,
    /// Whether it is `:confirmable`; `None` where the table's columns say.
    pub confirmable: Option<bool>,
    /// `allow_unconfirmed_access_for`
    pub unconfirmed_access: Duration,
    /// Whether it is `:lockable`; `None` where the table's columns say.
    pub lockable: Option<bool>,
    /// `unlock_in`; `None` where a lock does not end by itself.
    pub unlock_in: Option<Duration>,
    /// Whether it is `:rememberable`; `None` where the table's columns say.
    pub rememberable: Option<bool>,
    /// `remember_for`
    pub remember_for: Duration,
    /// The name of a remembered login's cookie.
    pub remember_cookie_name: String,
}

impl Rails {
    /// Whether the cookie of a remembered login may let in.
    pub(super) fn remembers(&self) -> bool {
        match &self.application {
            Application::Devise(devise) => {
                self.keys.is_some() && devise.rememberable != Some(false)
            }
            Application::Redmine(_) => true,
        }
    }

    pub(super) fn read(table: &Table<'_>) -> Result<Self, Error> {
        let mut given: RailsTable = table.read()?;
        let is_redmine = given.preset == Some(Preset::Redmine);
        if is_redmine && let Some(key) = OF_DEVISE.iter().find(|key| table.has(key)) {
            return Err(table.wrong(key, "has no effect with preset = \"redmine\""));
        }
        let version = match &given.version {
            None if is_redmine => Version(6, 1),
            None => Version(7, 0),
            Some(text) => version(text)
                .ok_or_else(|| table.wrong("version", "is not a version, as in \"7.0\""))?,
        };
        let digest = match given.key_generator_hash_digest_class {
            Some(DigestWord::Sha1) => KeyDigest::Sha1,
            Some(DigestWord::Sha256) => KeyDigest::Sha256,
            // It loads no defaults of any release (config/application.rb, 4.0 to 6.0).
            None if is_redmine => KeyDigest::Sha1,
            None => KeyDigest::of(version),
        };
        let serializer = match given.cookies_serializer {
            Some(SerializerWord::Json) => Serializer::Json,
            Some(_) => Serializer::Either,
            None if is_redmine => Serializer::Either,
            None => Serializer::Json,
        };
        let usual = is_redmine.then(|| "_redmine_session".to_owned());
        let cookie_name = given.session_cookie_name.take().or(usual);
        for (key, name) in [
            ("session_cookie_name", &cookie_name),
            ("remember_cookie_name", &given.remember_cookie_name),
        ] {
            if name.as_deref().is_some_and(|name| !is_token(name)) {
                return Err(table.wrong(key, "is not a valid cookie name"));
            }
        }
        let time_zone = match given.time_zone.as_deref() {
            None if is_redmine => Some(TimeZone::system()),
            None | Some("UTC") => None,
            Some(name) => Some(TimeZone::get(name).map_err(|_| {
                let message = "is unknown to this system's time zone database";
                table.wrong("time_zone", message)
            })?),
        };
        let keys = keys(table, &mut given, version, digest)?;
        Ok(Self {
            store: store(table, &mut given)?,
            keys,
            signed_digest: given.signed_cookie_digest.digest(),
            application: match is_redmine {
                true => Application::Redmine(
                    given
                        .remember_cookie_name
                        .unwrap_or_else(|| "autologin".to_owned()),
                ),
                false => Application::Devise(Box::new(devise(table, given)?)),
            },
            cookie_name,
            serializer,
            time_zone,
        })
    }
}

/// `7.0`, and what follows it.
fn version(text: &str) -> Option<Version> {
    let mut parts = text.split('.');
    let mut next = || parts.next().and_then(number);
    let version = Version(next()?, next()?);
    parts.all(|part| number(part).is_some()).then_some(version)
}

fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

fn keys(
    table: &Table<'_>,
    given: &mut RailsTable,
    version: Version,
    digest: KeyDigest,
) -> Result<Option<CookieKeys>, Error> {
    let mut older = Vec::new();
    for source in std::mem::take(&mut given.secret_key_bases) {
        older.extend(secret(table, "secret_key_bases", Some(source))?);
    }
    let base = secret(table, "secret_key_base", given.secret_key_base.take())?;
    if base.as_ref().is_some_and(|base| base.expose().is_empty()) {
        return Err(table.wrong("secret_key_base", "is empty"));
    }
    Ok(base.map(|secret| CookieKeys {
        secret,
        older,
        version,
        digest,
    }))
}

fn store(table: &Table<'_>, given: &mut RailsTable) -> Result<RailsStore, Error> {
    let word = given.session_store;
    for (key, of, title) in [
        ("session_table", StoreWord::ActiveRecord, "active_record"),
        ("session_prefix", StoreWord::Redis, "redis"),
        ("cache", StoreWord::Redis, "redis"),
    ] {
        if word != of && table.has(key) {
            let message = format!("has no effect without session_store = \"{title}\"");
            return Err(table.wrong(key, &message));
        }
    }
    Ok(match word {
        StoreWord::Cookie => RailsStore::Cookie,
        StoreWord::ActiveRecord => {
            let name = TableName::parse(&given.session_table);
            let message = "is not a valid table name";
            RailsStore::Table(name.ok_or_else(|| table.wrong("session_table", message))?)
        }
        StoreWord::Redis => match cache::resolve(&table.section("cache")?, given.cache.take())? {
            Some(CacheLocation::Server(settings))
                if matches!(settings.store, cache_store::Store::Redis { .. }) =>
            {
                RailsStore::Redis(settings, std::mem::take(&mut given.session_prefix))
            }
            Some(_) => return Err(table.wrong("cache", "is not the URL of a Redis")),
            None => {
                let message = "is missing: the Redis that has the sessions";
                return Err(table.wrong("cache", message));
            }
        },
    })
}

fn devise(table: &Table<'_>, given: RailsTable) -> Result<Devise, Error> {
    if TableName::parse(&given.user_table).is_none() {
        return Err(table.wrong("user_table", "is not a valid table name"));
    }
    let email = Some(given.email_column).filter(|name| !name.is_empty());
    for (key, name) in [
        ("user_id_column", Some(&given.user_id_column)),
        ("username_column", Some(&given.username_column)),
        ("email_column", email.as_ref()),
        ("password_column", Some(&given.password_column)),
    ] {
        if name.is_some_and(|name| sql::identifier(name).is_none()) {
            return Err(table.wrong(key, "is not a valid column name"));
        }
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if given.scope.is_empty() || !given.scope.bytes().all(plain) {
        return Err(table.wrong("scope", "is not a scope of Warden's, as in \"user\""));
    }
    // Devise takes a blank one for none.
    let pepper = secret(table, "pepper", given.pepper)?;
    let blank = |pepper: &Secret| pepper.expose().iter().all(u8::is_ascii_whitespace);
    let (scope, remember_cookie_name) = (given.scope.clone(), given.remember_cookie_name);
    Ok(Devise {
        scope: given.scope,
        pepper: pepper.filter(|pepper| !blank(pepper)).map(Arc::new),
        timeout_in: given.timeout_in.map(Life::get),
        table: given.user_table,
        id: given.user_id_column,
        username: given.username_column,
        email,
        password: given.password_column,
        downcased: given.case_insensitive_keys,
        stripped: given.strip_whitespace_keys,
        confirmable: given.confirmable,
        unconfirmed_access: given.allow_unconfirmed_access_for.get(),
        lockable: given.lockable,
        unlock_in: given.unlock_in.map(Life::get),
        rememberable: given.rememberable,
        remember_for: given.remember_for.get(),
        remember_cookie_name: remember_cookie_name
            .unwrap_or_else(|| format!("remember_{scope}_token")),
    })
}
