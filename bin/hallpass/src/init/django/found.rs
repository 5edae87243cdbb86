//! What the site's own Python says: the object that site.py prints.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

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
    pub user: User,
    pub sessions: Sessions,
    /// `SECRET_KEY`, then its fallbacks.
    pub secret_keys: Vec<Secret>,
    /// `AUTHENTICATION_BACKENDS`
    pub backends: Vec<Backend>,
    /// The algorithms of `PASSWORD_HASHERS`.
    pub hashers: Vec<String>,
    /// Whether Django REST framework's tokens are installed.
    pub authtoken: bool,
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

/// A column, in the table of the model that declares it.
#[derive(Deserialize)]
pub struct Column {
    pub table: String,
    pub column: String,
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
    /// What of Django's own the model replaces.
    pub overridden: Vec<String>,
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
    pub file_path: String,
    /// The serializer and the classes that it is made of.
    pub serializer: Vec<String>,
    pub cache_key_prefix: Option<String>,
    /// What `SESSION_CACHE_ALIAS` names.
    pub cache: Option<Cache>,
    /// The table of sessions.
    pub table: Option<String>,
    /// The database that has it.
    pub alias: Option<String>,
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
    /// Whether the site makes the keys in a way of its own.
    pub own_keys: bool,
}

/// An entry of `AUTHENTICATION_BACKENDS`.
#[derive(Deserialize)]
pub struct Backend {
    pub path: String,
    /// Whether it checks passwords in a way of its own.
    pub own_passwords: bool,
}

/// A setting that is text, or a number.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
