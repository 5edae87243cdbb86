//! Reads a session where it is: in the cookie itself, in Active Record's table, or in Redis.

use std::time::SystemTime;

use hallpass_sessions::Invalid;
use hallpass_sessions::rails::{Container, Keyring, private_id, stored};
use hallpass_stores::cache::Cache;
use hallpass_stores::sql::{Queries, TableName, Value};
use zeroize::Zeroizing;

use super::settings::{CookieKeys, RailsStore};
use crate::{Decoding, Reason, Required, RestsOn, Stop, session_rows};

/// The longest id of a session, in bytes: that of the table's column.
const LONGEST_ID: usize = 255;
/// The columns of activerecord-session_store.
const COLUMNS: [&str; 2] = ["session_id", "data"];

/// Where sessions are.
#[derive(Debug)]
pub(super) enum Store {
    Cookie(Option<Keyring>),
    Table { name: String, statement: String },
    Redis { cache: Box<Cache>, prefix: String },
}

/// A session that was found.
pub(super) struct Found {
    pub(super) payload: Zeroizing<Vec<u8>>,
    /// When it ends, where the store says.
    pub(super) expires: Option<SystemTime>,
    pub(super) decoded: Decoding,
    /// Whether the store, and not the client, holds it: then its form is the site's own to say.
    pub(super) of_store: bool,
}

impl Store {
    pub(super) fn new(store: &RailsStore, keys: Option<&CookieKeys>) -> Self {
        match store {
            RailsStore::Cookie => Self::Cookie(keys.map(keyring)),
            RailsStore::Table(table) => Self::Table {
                statement: statement(table),
                name: table.to_string(),
            },
            RailsStore::Redis(settings, prefix) => Self::Redis {
                cache: Box::new(Cache::new(settings)),
                prefix: prefix.clone(),
            },
        }
    }

    pub(super) fn rests_on(&mut self) -> RestsOn<'_> {
        match self {
            Self::Cookie(_) | Self::Table { .. } => RestsOn::Database,
            Self::Redis { cache, .. } => RestsOn::Cache(cache),
        }
    }

    pub(super) fn needs(&self) -> Vec<Required> {
        match self {
            Self::Table { name, .. } => {
                vec![Required::table(name, "rails.session_table", &COLUMNS)]
            }
            Self::Cookie(_) | Self::Redis { .. } => Vec::new(),
        }
    }

    /// The session of `cookie`, the value of the cookie `name` with its percent-encoding undone.
    pub(super) fn find(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
        cookie: &str,
    ) -> Result<Found, Stop> {
        let keyring = match self {
            Self::Cookie(keyring) => keyring,
            _ => return self.find_by_id(queries, cookie),
        };
        let Some(keyring) = keyring else {
            return Err(Reason::InvalidSession.into());
        };
        if cookie.is_empty() {
            return Err(Reason::NoSession.into());
        }
        let opened = keyring.open(name, cookie);
        let told = || match &opened {
            Ok(_) => "secret_key_base, or an older one, opens the cookie".to_owned(),
            Err(invalid) => invalid.to_string(),
        };
        queries.tracer().decided("signature", opened.is_ok(), told);
        let opened = opened.map_err(|_| Reason::InvalidSession)?;
        Ok(Found {
            payload: opened.payload,
            expires: opened.expires,
            decoded: Decoding {
                store: "the cookie",
                container: match opened.container {
                    Container::Gcm => "AES-256-GCM",
                    Container::Cbc => "AES-256-CBC",
                },
                format: "",
            },
            of_store: false,
        })
    }

    /// Looks for the private id first, and then for the public one, as the stores themselves do: it is
    /// that of a session that an older release of them wrote.
    fn find_by_id(&mut self, queries: &mut Queries<'_>, id: &str) -> Result<Found, Stop> {
        let plain = |byte: u8| byte.is_ascii_graphic();
        // A private id is for the server alone to know, and is never taken from a client.
        let is_private = id
            .trim_start_matches(|it: char| it.is_ascii_digit())
            .starts_with("::");
        if id.is_empty() || id.len() > LONGEST_ID || is_private || !id.bytes().all(plain) {
            return Err(Reason::NoSession.into());
        }
        for id in [private_id(id), Zeroizing::new(id.to_owned())] {
            if let Some(data) = self.data(queries, &id)? {
                return found(&data, self.title());
            }
        }
        Err(Reason::NoSession.into())
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Redis { .. } => "Redis",
            _ => "the table of sessions",
        }
    }

    fn data(
        &mut self,
        queries: &mut Queries<'_>,
        id: &str,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Stop> {
        match self {
            Self::Cookie(_) => Ok(None),
            Self::Table { statement, .. } => {
                let parameters = [(":id", id.into())];
                let ask =
                    |queries: &mut Queries<'_>| queries.rows_of_data(statement, &parameters, 2);
                let mut rows = session_rows(queries.in_sessions(ask))?;
                let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
                    return Ok(None);
                };
                // A collation may take another id for the same.
                if row.text(0).as_deref() != Some(id) {
                    return Ok(None);
                }
                Ok(Some(Zeroizing::new(match row.take(1) {
                    Value::Text(text) => text.into_bytes(),
                    Value::Bytes(bytes) => bytes,
                    _ => Vec::new(),
                })))
            }
            Self::Redis { cache, prefix } => {
                let key = Zeroizing::new(format!("{prefix}{id}"));
                let entry = cache.get(key.as_bytes(), queries.deadline())?;
                Ok(entry.map(|entry| entry.bytes))
            }
        }
    }
}

fn found(data: &[u8], store: &'static str) -> Result<Found, Stop> {
    // A session without data is one where nobody is logged in.
    if data.is_empty() {
        return Err(Reason::AnonymousSession.into());
    }
    let payload = stored(data).map_err(|_: Invalid| Reason::InvalidSession)?;
    Ok(Found {
        payload,
        expires: None,
        decoded: Decoding {
            store,
            ..Decoding::default()
        },
        of_store: true,
    })
}

pub(super) fn keyring(keys: &CookieKeys) -> Keyring {
    let older = keys.older.iter().map(|secret| secret.expose());
    Keyring::new(keys.secret.expose(), older, keys.version, keys.digest)
}

fn statement(table: &TableName) -> String {
    format!(
        "SELECT \"session_id\", \"data\" FROM {} WHERE \"session_id\" = :id",
        table.quoted()
    )
}
