//! Sessions of `django.contrib.sessions.backends.db`.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::time::SystemTime;

use hallpass_sessions::django::{
    self as format, PrimaryKey, SigningKey, auth_hash_is_by, open, open_unsigned, read_json,
};
use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Value};
use sha2::{Digest, Sha256};

use super::datetime::Clock;
use crate::configuration::Django;
use crate::site::{Login, SessionSource};
use crate::{Account, Reason, Secret};

/// The longest session key that is looked up, in bytes. Django's own have 32 letters and digits.
const LONGEST_KEY: usize = 128;
/// Keys of fewer characters are no keys (`SessionBase._validate_session_key`, 1.9 and later).
const SHORTEST_KEY: usize = 8;

/// How many containers are remembered with what was in them.
const MOST_OPENED: usize = 1024;

/// Sessions in a table of the site's database.
#[derive(Debug)]
pub(super) struct DatabaseSessions {
    statement: String,
    secret_keys: Vec<Secret>,
    salt: String,
    /// Made of the secret keys when the first session is read: a program that is started for one
    /// password has no use for them.
    keys: OnceCell<Vec<SigningKey>>,
    /// Who is logged in by containers opened before, by the containers' digests. Every row is
    /// read anew; but the same text, under the same keys, says the same.
    opened: HashMap<[u8; 32], format::Login>,
    backends: Option<Vec<String>>,
    trust_store: bool,
    clock: Clock,
}

impl DatabaseSessions {
    pub(super) fn new(django: &Django) -> Self {
        let secrets = django.secret_keys.iter().map(Secret::expose);
        Self {
            statement: format!(
                "SELECT \"session_data\", \"expire_date\" FROM {} WHERE \"session_key\" = :key",
                django.session_table
            ),
            secret_keys: secrets.map(Secret::new).collect(),
            salt: django.session_key_salt.clone(),
            keys: OnceCell::new(),
            opened: HashMap::new(),
            backends: django.authentication_backends.clone(),
            trust_store: django.trust_session_store,
            clock: Clock::new(django.time_zone.clone()),
        }
    }

    fn payload(&self, container: &[u8]) -> Result<Vec<u8>, Reason> {
        let payload = if self.trust_store && self.secret_keys.is_empty() {
            open_unsigned(container)
        } else {
            let key = |secret: &Secret| SigningKey::new(secret.expose(), &self.salt);
            open(
                container,
                self.keys
                    .get_or_init(|| self.secret_keys.iter().map(key).collect()),
            )
        };
        payload.map_err(|_| Reason::InvalidSession)
    }
}

impl SessionSource for DatabaseSessions {
    fn read(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        now: SystemTime,
    ) -> Result<Result<Login, Reason>, Unavailable> {
        if self.secret_keys.is_empty() && !self.trust_store {
            return Err(Unavailable::new(
                "sessions cannot be read: [django] secret_key is not configured",
            ));
        }
        let key = match std::str::from_utf8(token) {
            Ok(key)
                if key.chars().count() >= SHORTEST_KEY
                    && key.len() <= LONGEST_KEY
                    && !key.contains(char::is_control) =>
            {
                key
            }
            _ => return Ok(Err(Reason::NoSession)),
        };
        let mut rows = queries.rows(&self.statement, &[(":key", key.into())], 2)?;
        let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
            return Ok(Err(Reason::NoSession));
        };
        let Value::Text(container) = row.take(0) else {
            return Ok(Err(Reason::InvalidSession));
        };
        let Some(expires) = row.text(1).and_then(|text| self.clock.read(&text)) else {
            return Ok(Err(Reason::InvalidSession));
        };
        if self.clock.ended(&expires, now) {
            return Ok(Err(Reason::ExpiredSession));
        }
        Ok(self.login(container.as_bytes(), expires.time))
    }

    /// The session's hash of the password, under any of the keys (`get_user` in
    /// contrib/auth/__init__.py, 5.2).
    fn confirms(&self, login: &Login, account: &Account) -> bool {
        if self.trust_store && self.secret_keys.is_empty() {
            return true;
        }
        let (Some(hash), Some(password)) = (&login.auth_hash, &account.encoded) else {
            return false;
        };
        self.secret_keys
            .iter()
            .any(|key| auth_hash_is_by(key.expose(), password, hash))
    }
}

impl DatabaseSessions {
    fn login(&mut self, container: &[u8], expires: SystemTime) -> Result<Login, Reason> {
        let digest: [u8; 32] = Sha256::digest(container).into();
        let login = match self.opened.get(&digest) {
            Some(login) => login.clone(),
            None => {
                let login = self.open(container)?;
                if self.opened.len() >= MOST_OPENED {
                    self.opened.clear();
                }
                self.opened.insert(digest, login.clone());
                login
            }
        };
        Ok(Login {
            key: match login.user {
                PrimaryKey::Integer(key) => key.to_string(),
                PrimaryKey::Text(key) => key,
            },
            auth_hash: login.hash,
            expires: Some(expires),
            decoded: if self.secret_keys.is_empty() {
                "the database's row, signature not checked, JSON"
            } else {
                "the database's row, signed, JSON"
            },
        })
    }

    fn open(&self, container: &[u8]) -> Result<format::Login, Reason> {
        let payload = self.payload(container)?;
        let login = read_json(&payload).map_err(|_| Reason::InvalidSession)?;
        let login = login.ok_or(Reason::AnonymousSession)?;
        let listed = |listed: &Vec<String>| listed.contains(&login.backend);
        if !self.backends.as_ref().is_none_or(listed) {
            return Err(Reason::InvalidSession);
        }
        Ok(login)
    }
}
