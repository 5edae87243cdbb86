//! Defines what the site's own Python reports: the object that site.py prints.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::init::cookie::SessionCookie;
use crate::init::mapping::{self, Mapping};

/// The bytes of a secret.
pub type Secret = Zeroizing<Vec<u8>>;

/// A Django site. Not for showing: there are secrets in it.
#[derive(Deserialize)]
pub struct Found {
    /// As in `5.2`.
    pub version: String,
    /// The settings module.
    pub settings: String,
    pub database: Database,
    pub tenants: Option<Tenants>,
    pub user: User,
    pub sessions: Sessions,
    /// `SECRET_KEY`, then its fallbacks.
    pub secret_keys: Vec<Secret>,
    /// What stands outside the columns.
    pub rules: Rules,
    /// The algorithms of `PASSWORD_HASHERS`.
    pub hashers: Vec<String>,
    /// Whether Django REST framework's tokens are installed.
    pub authtoken: bool,
}

/// What is said first: of a site with tenants there is nothing more before one is chosen.
#[derive(Deserialize)]
pub struct Answer {
    pub tenants: Option<Tenants>,
}

/// The tenants of a site, each of which has schemas of its own.
#[derive(Deserialize)]
pub struct Tenants {
    /// `TENANT_MODEL`
    pub model: String,
    /// The schemas of the one that was chosen, in the order in which they are looked into.
    pub schemas: Vec<String>,
}

/// An entry of `DATABASES`.
#[derive(Deserialize)]
pub struct Database {
    pub alias: String,
    pub engine: String,
    /// `sqlite`, `postgresql`, `mysql` or another.
    pub vendor: String,
    pub name: String,
    pub host: String,
    pub port: String,
    pub user: String,
    pub password: Option<Secret>,
    pub options: BTreeMap<String, Value>,
    /// The zone of datetimes without one.
    pub zone: String,
}

impl Database {
    /// Whether `other` is the same database: another entry for it may have another user.
    pub fn is_same(&self, other: &Self) -> bool {
        let place = |it: &Self| {
            let schemas = it.options.get("options").and_then(text);
            let words = [&it.vendor, &it.name, &it.host, &it.port];
            (words.map(String::clone), schemas)
        };
        place(self) == place(other)
    }
}

impl Found {
    /// Calls servers and paths as they are called here.
    pub fn map(&mut self, mappings: &[Mapping]) {
        let sessions = &mut self.sessions;
        let caches = sessions.cache.iter_mut();
        let tables = caches.filter_map(|cache| cache.database.as_mut());
        let databases = [&mut self.database].into_iter().chain(tables);
        for database in databases.chain(sessions.database.as_mut()) {
            database.map(mappings);
        }
        if let Some(cache) = &mut sessions.cache {
            for location in &mut cache.location {
                let mapped = mapping::location(mappings, location);
                replace(location, mapped);
            }
        }
        let files = mapping::path(mappings, &sessions.file_path);
        replace(&mut sessions.file_path, files);
        if let Some(redis) = &mut sessions.redis {
            map_redis(redis, mappings);
        }
    }
}

impl Database {
    fn map(&mut self, mappings: &[Mapping]) {
        let usual = match self.vendor.as_str() {
            "postgresql" => Some(5432),
            "mysql" => Some(3306),
            _ => None,
        };
        let (name, socket) = (
            mapping::path(mappings, &self.name),
            mapping::path(mappings, &self.host),
        );
        replace(&mut self.name, name);
        replace(&mut self.host, socket);
        if let Some((host, port)) = mapping::server(mappings, &self.host, &self.port, usual) {
            (self.host, self.port) = (host, port);
        }
    }
}

/// The settings of django-redis-sessions: `url`, else `host` and `port`, else `unix_domain_socket_path`.
fn map_redis(redis: &mut BTreeMap<String, Value>, mappings: &[Mapping]) {
    let word = |redis: &BTreeMap<String, Value>, key: &str| redis.get(key).and_then(text);
    let (host, port) = (word(redis, "host"), word(redis, "port").unwrap_or_default());
    let server = host.and_then(|host| mapping::server(mappings, &host, &port, Some(6379)));
    if let Some((host, port)) = server {
        redis.insert("host".to_owned(), host.into());
        redis.insert("port".to_owned(), port.into());
    }
    for key in ["url", "unix_domain_socket_path"] {
        let mapped = word(redis, key).and_then(|it| mapping::location(mappings, &it));
        redis.extend(mapped.map(|mapped| (key.to_owned(), mapped.into())));
    }
}

fn replace(text: &mut String, mapped: Option<String>) {
    if let Some(mapped) = mapped {
        *text = mapped;
    }
}

/// A column, in the table of the model that declares it.
#[derive(Deserialize)]
pub struct Column {
    pub table: String,
    pub column: String,
    /// What it holds in place of the site's own values: see `stored_as` in site.py.
    pub form: Option<String>,
}

/// A table between users and something else.
#[derive(Deserialize)]
pub struct Many {
    pub table: String,
    /// The column of users.
    pub user: String,
    /// The column of the others.
    pub other: String,
    /// Whether the others are Django's own model.
    pub usual: bool,
}

/// The user model.
#[derive(Deserialize)]
pub struct User {
    pub model: String,
    pub table: String,
    pub id: Column,
    pub username_field: String,
    pub username: Option<Column>,
    pub password: Option<Column>,
    pub active: Option<Column>,
    pub superuser: Option<Column>,
    pub staff: Option<Column>,
    pub email: Option<Column>,
    pub groups: Option<Many>,
    pub permissions: Option<Many>,
}

/// The session engine.
#[derive(Deserialize)]
pub struct Sessions {
    pub engine: String,
    /// The modules of the classes that its `SessionStore` is made of.
    pub modules: Vec<String>,
    pub salt: String,
    pub cookie_name: String,
    pub cookie_age: Value,
    /// `SESSION_COOKIE_DOMAIN`, `_PATH`, `_SAMESITE` and `_SECURE`.
    pub cookie: SessionCookie,
    pub file_path: String,
    pub serializer: String,
    /// `json` or `pickle`, as Django's own serializers write; else why that is not known.
    pub writes: String,
    /// What `SESSION_CACHE_ALIAS` names.
    pub cache: Option<Cache>,
    /// The table of sessions.
    pub table: Option<String>,
    /// The database that has it.
    pub database: Option<Database>,
    /// The settings of django-redis-sessions, `SESSION_REDIS_` dropped and in lower case.
    pub redis: Option<BTreeMap<String, Value>>,
}

/// An entry of `CACHES`.
#[derive(Deserialize)]
pub struct Cache {
    pub alias: String,
    /// The backend and the classes that it is made of.
    pub backend: Vec<String>,
    pub location: Vec<String>,
    pub options: BTreeMap<String, Value>,
    /// `CLIENT_CLASS` and the classes that it is made of.
    #[serde(default)]
    pub client: Vec<String>,
    pub key_prefix: String,
    pub version: Value,
    /// What is around a session's key in the cache's.
    pub key: CacheKey,
    /// The database of a cache that is a table.
    #[serde(default)]
    pub database: Option<Database>,
}

/// What is around a session's key in a key of the cache.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum CacheKey {
    /// What stands before it and after it.
    Around(String, String),
    /// Why that is not known.
    Unknown(String),
}

/// The site's rules that stand outside its columns: the object that rules.py makes.
#[derive(Default, Deserialize)]
pub struct Rules {
    /// `AUTHENTICATION_BACKENDS`
    pub backends: Vec<Backend>,
    /// What of Django's own the user model replaces.
    pub model: Vec<String>,
    pub manager: Manager,
    /// What of the session engine's decides in its own way whose a session is.
    pub sessions: Vec<String>,
    pub middleware: Vec<Middleware>,
    pub applications: Vec<Application>,
    pub second_factors: SecondFactors,
}

/// Whose a method is.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Django's, or one that does as it does.
    #[default]
    #[serde(alias = "like-django")]
    Django,
    /// The site's, and does nothing but look accounts up and check their passwords.
    Plain,
    /// The site's, and may do anything.
    Own,
    /// There is none, or it does nothing.
    None,
    /// It asks elsewhere than in the site's database.
    Elsewhere,
    /// It refuses for a while.
    Lockout,
    /// It says yes to everybody.
    All,
}

/// An entry of `AUTHENTICATION_BACKENDS`.
#[derive(Default, Deserialize)]
pub struct Backend {
    pub path: String,
    /// Whether Django gives it a name and a password.
    pub takes_passwords: bool,
    pub authenticate: Method,
    pub user_can_authenticate: Method,
    pub get_user: Method,
    /// What of Django's it replaces that says who holds which permission.
    pub permissions: Vec<String>,
    /// Whether it gives accounts the permissions of Django's tables.
    pub holds_permissions: bool,
}

/// The default manager of the user model.
#[derive(Default, Deserialize)]
pub struct Manager {
    pub name: String,
    /// How it finds an account by its name.
    pub natural_key: Method,
    /// The condition that the accounts meet which it gives.
    #[serde(rename = "where")]
    pub condition: Option<String>,
    /// Why there is a rule and no such condition.
    pub why: Option<String>,
    /// Whether as many accounts meet the condition as it gives; text that says why that is not
    /// known.
    pub counted: Value,
}

/// Middleware that ends sessions, or says in its own way whose they are.
#[derive(Deserialize)]
pub struct Middleware {
    pub path: String,
    pub does: String,
    /// A setting, or what went wrong.
    pub setting: Option<String>,
}

/// An application that has a rule of its own about who may log in.
#[derive(Deserialize)]
pub struct Application {
    pub application: String,
    pub does: String,
}

/// Where a site keeps second factors.
#[derive(Default, Deserialize)]
pub struct SecondFactors {
    pub tables: Vec<String>,
    /// What keeps them where they are not known.
    pub others: Vec<String>,
    /// Those of them with which a session begins before its owner has shown one.
    pub pending: Vec<String>,
}

/// A setting that is text, or a number.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
