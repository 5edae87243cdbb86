//! A Django site in a temporary directory, as its tables are; the hashes and sessions in it are
//! made by Hallpass's own crates, which are tested against real Djangos elsewhere.
#![allow(dead_code, clippy::unwrap_used)]

use std::time::{Duration, SystemTime};

use hallpass_core::{
    Authenticator, ClaimedName, Configuration, Credential, Deadline, Request, Secret, Verdict,
};
use hallpass_passwords::{Algorithm, make};
use hallpass_sessions::django::{SESSION_SALT, SigningKey, auth_hash, seal};
use rusqlite::Connection;

const TABLES: &str = include_str!("../../../../bin/hallpass/src/demo/tables.sql");
pub const SECRET_KEY: &str = "a secret key";

pub struct Site {
    pub directory: tempfile::TempDir,
}

impl Site {
    pub fn new() -> Self {
        let site = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        site.database().execute_batch(TABLES).unwrap();
        site
    }

    pub fn database(&self) -> Connection {
        Connection::open(self.directory.path().join("db.sqlite3")).unwrap()
    }

    pub fn add(&self, id: i64, name: &str, encoded: &str, active: bool) {
        self.database()
            .execute(
                "INSERT INTO auth_user VALUES (?1, ?2, NULL, 0, ?3, '', ?3 || '@example.com', 0, \
                 ?4, '2026-01-01 00:00:00', '')",
                (id, encoded, name, active),
            )
            .unwrap();
    }

    /// Adds a live session of the user `id`.
    pub fn log_in(&self, key: &str, id: i64) {
        let database = self.database();
        let statement = "SELECT password FROM auth_user WHERE id = ?1";
        let encoded: String = database
            .query_row(statement, [id], |row| row.get(0))
            .unwrap();
        let payload = format!(
            "{{\"_auth_user_id\":\"{id}\",\"_auth_user_backend\":\"a.Backend\",\
             \"_auth_user_hash\":\"{}\"}}",
            auth_hash(SECRET_KEY.as_bytes(), &encoded)
        );
        let signer = SigningKey::new(SECRET_KEY.as_bytes(), SESSION_SALT);
        let container = seal(payload.as_bytes(), &signer, 1_700_000_000);
        database
            .execute(
                "INSERT INTO django_session VALUES (?1, ?2, '2033-05-18 03:33:20')",
                (key, container),
            )
            .unwrap();
    }

    pub fn configuration(&self, more: &str) -> Configuration {
        let text = format!(
            "framework = \"django\"\ndatabase = \"sqlite:db.sqlite3\"\n\
             django.secret_key = \"{SECRET_KEY}\"\n{more}"
        );
        Configuration::parse(&self.directory.path().join("hallpass.toml"), &text).unwrap()
    }

    pub fn authenticator(&self, more: &str) -> Authenticator {
        Authenticator::new(&self.configuration(more))
    }
}

/// What Django would store for `password`.
pub fn encoded(password: &str, iterations: u32) -> String {
    let mut random = |bytes: &mut [u8]| bytes.fill(7);
    make(
        Algorithm::Pbkdf2Sha256,
        password.as_bytes(),
        Some(iterations),
        &mut random,
    )
    .unwrap()
}

pub fn password(name: &str, password: &str) -> Request {
    let credential = Credential::Password(Secret::new(password));
    Request::new(ClaimedName::Named(name.to_owned()), credential)
}

pub fn session(token: &str, owner: Option<&str>) -> Request {
    let name = owner.map_or(ClaimedName::Nameless, |name| {
        ClaimedName::Named(name.to_owned())
    });
    Request::new(name, Credential::Session(Secret::new(token)))
}

pub fn vouched(name: &str) -> Request {
    Request::new(ClaimedName::Named(name.to_owned()), Credential::Vouched)
}

/// The verdict at a time when the sessions of [`Site::log_in`] live: the name, or the reason.
pub fn ask(authenticator: &mut Authenticator, request: &Request) -> String {
    ask_at(authenticator, request, 2_000_000_000 - 1)
}

pub fn ask_at(authenticator: &mut Authenticator, request: &Request, seconds: u64) -> String {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let deadline = Deadline::after(Duration::from_secs(60));
    match authenticator.answer(request, now, deadline) {
        Verdict::Granted(identity) => identity.name,
        Verdict::Denied(reason) => reason.word().to_owned(),
        Verdict::Unavailable(cause) => format!("unavailable: {cause}"),
    }
}
