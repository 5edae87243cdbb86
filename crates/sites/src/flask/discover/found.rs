//! Defines what the site's own Python reports.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::init::cookie::SessionCookie;

/// A secret: each character is one of its bytes.
pub type Secret = Zeroizing<Vec<u8>>;

/// All of it.
#[derive(Deserialize)]
pub struct Found {
    pub versions: BTreeMap<String, Option<String>>,
    /// The module of the application.
    pub app: String,
    #[serde(deserialize_with = "secrets")]
    pub secret_keys: Vec<Secret>,
    pub lifetime: u64,
    pub cookie_name: String,
    pub cookie: SessionCookie,
    pub sessions: Sessions,
    pub login: Option<Login>,
    pub accounts: Accounts,
    /// Extensions that have a say in who gets in.
    pub extensions: Vec<String>,
}

/// How sessions are kept.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Sessions {
    /// In a way that is not read here.
    Other {
        /// Which.
        other: String,
    },
    /// Flask's own, or Flask-Session's.
    Known {
        store: Store,
        #[serde(default)]
        prefix: String,
        #[serde(default)]
        use_signer: bool,
        redis: Option<Redis>,
        table: Option<String>,
        /// The URL of the table's database.
        database: Option<Zeroizing<String>>,
    },
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    Cookie,
    Redis,
    Sql,
}

/// How redis-py connects.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Redis {
    Other {
        other: String,
    },
    Known {
        /// `tcp`, `tls` or `unix`.
        by: String,
        host: String,
        port: u16,
        path: Option<String>,
        db: u32,
        username: Option<String>,
        #[serde(deserialize_with = "secret", default)]
        password: Option<Secret>,
        /// Whether the server's certificate is checked.
        checks: bool,
    },
}

/// Flask-Login's settings.
#[derive(Deserialize)]
pub struct Login {
    /// `basic`, `strong`, or none.
    pub protection: Option<String>,
    pub usual_identifier: bool,
    pub id_attribute: String,
    pub request_loader: bool,
    /// `REMEMBER_COOKIE_NAME`
    pub remember_cookie_name: String,
}

/// The accounts.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Accounts {
    Other { other: String },
    Known(Box<Model>),
}

/// The class of accounts.
#[derive(Deserialize)]
pub struct Model {
    pub model: String,
    pub table: String,
    pub columns: Vec<String>,
    pub is_inherited: bool,
    /// The column that a session has; `None` where code makes its id.
    pub key: Option<String>,
    /// The column that says whether an account is active, empty where all are; `None` where code
    /// says it.
    pub active: Option<String>,
    pub groups: Option<Groups>,
    /// The URL of the database.
    pub database: Zeroizing<String>,
    /// The columns of whole numbers.
    pub numbers: Vec<String>,
    /// Whether there is a user loader.
    #[serde(default)]
    pub loader: bool,
    /// Some active accounts that the user loader refuses.
    #[serde(default)]
    pub refused: Vec<String>,
    /// Some for which it gives another.
    #[serde(default)]
    pub others: Vec<String>,
    /// Whether it loads accounts that are not active; `None` where none was seen.
    #[serde(default)]
    pub loads_inactive: Option<bool>,
}

/// A relationship to roles or groups.
#[derive(Deserialize)]
pub struct Groups {
    pub relation: String,
    pub table: String,
    pub pairs: String,
    /// A column of the accounts, and that of the pairs.
    pub own: (String, String),
    /// The same of the groups.
    pub other: (String, String),
}

/// The bytes that `text` spells.
fn bytes(text: &str) -> Option<Secret> {
    let bytes: Option<Vec<u8>> = text.chars().map(|it| u8::try_from(it).ok()).collect();
    bytes.map(Zeroizing::new)
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<Zeroizing<String>>::deserialize(deserializer)?;
    Ok(text.and_then(|text| bytes(&text)))
}

fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Secret>, D::Error> {
    let texts = Vec::<Zeroizing<String>>::deserialize(deserializer)?;
    Ok(texts.iter().filter_map(|text| bytes(text)).collect())
}
