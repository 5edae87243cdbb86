//! Makes the demonstration's site: a Django database in SQLite, and its configuration.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use hallpass_passwords::{Algorithm, make};
use hallpass_sessions::django::{SESSION_SALT, SigningKey, auth_hash, seal};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::terminal;

/// The tables of django.contrib.auth, contenttypes and sessions that are asked.
const TABLES: &str = include_str!("tables.sql");

const SECRET_KEY: &str = "the demonstration's own secret key";

/// A site in a temporary directory, which is removed on drop.
pub struct Site {
    directory: TempDir,
    /// The key of alice's session.
    pub session_key: String,
}

impl Site {
    pub fn make() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("hallpass-demo-")
            .tempdir()?;
        let site = Self {
            directory,
            session_key: session_key()?,
        };
        std::fs::write(site.configuration(), CONFIGURATION)?;
        std::fs::write(site.path().join("secret_key"), SECRET_KEY)?;
        site.fill().context("filling the database")?;
        Ok(site)
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn configuration(&self) -> PathBuf {
        self.path().join("hallpass.toml")
    }

    pub fn socket(&self) -> PathBuf {
        self.path().join("http.sock")
    }

    fn fill(&self) -> anyhow::Result<()> {
        let database = Connection::open(self.path().join("db.sqlite3"))?;
        database.execute_batch(TABLES)?;
        let alice = hash("correct horse")?;
        for (id, name, encoded, active) in [
            (1, "alice", &alice, true),
            (2, "bob", &hash("pa:ss wörd")?, true),
            (3, "carol", &hash("deactivated")?, false),
        ] {
            database.execute(
                "INSERT INTO auth_user VALUES (?1, ?2, NULL, 0, ?3, '', ?3 || '@example.com', 0, \
                 ?4, '2026-01-01 00:00:00', '')",
                (id, encoded, name, active),
            )?;
        }
        let now = SystemTime::now();
        let payload = format!(
            "{{\"_auth_user_id\":\"1\",\"_auth_user_backend\":\
             \"django.contrib.auth.backends.ModelBackend\",\"_auth_user_hash\":\"{}\"}}",
            auth_hash(SECRET_KEY.as_bytes(), &alice)
        );
        let key = SigningKey::new(SECRET_KEY.as_bytes(), SESSION_SALT);
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let container = seal(payload.as_bytes(), &key, seconds);
        let expires = terminal::time(now + Duration::from_secs(3_600));
        let expires = expires.context("the clock is past the year 9999")?;
        let expires = expires.trim_end_matches('Z').replace('T', " ");
        database.execute(
            "INSERT INTO django_session VALUES (?1, ?2, ?3)",
            (&self.session_key, container, expires),
        )?;
        Ok(())
    }
}

const CONFIGURATION: &str = "\
framework = \"django\"
database  = \"sqlite:db.sqlite3\"

[django]
secret_key = { file = \"secret_key\" }

[daemon]
listen    = [\"unix:http.sock?mode=0600\"]
login_url = \"https://site.example/login/?next={url}\"
";

fn hash(password: &str) -> anyhow::Result<String> {
    let mut result = Ok(());
    let mut random = |bytes: &mut [u8]| {
        if let Err(error) = getrandom::fill(bytes) {
            result = Err(error);
        }
    };
    let encoded = make(
        Algorithm::Pbkdf2Sha256,
        password.as_bytes(),
        None,
        &mut random,
    );
    result.map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
    encoded.map_err(|error| anyhow!("{error}"))
}

/// A session key in Django's format: 32 letters and digits.
fn session_key() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
    let digit = |byte: &u8| char::from_digit(u32::from(byte % 36), 36).unwrap_or('0');
    Ok(bytes.iter().map(digit).collect())
}
