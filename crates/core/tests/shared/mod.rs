//! Sites that a configuration alone describes, in a temporary directory.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail so"
)]

pub mod redis;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use hallpass_core::configuration::Error;
use hallpass_core::{
    Authenticator, ClaimedName, Configuration, Credential, Deadline, Identity, Request, Secret,
    Verdict,
};
use rusqlite::Connection;

pub struct Site {
    pub directory: tempfile::TempDir,
    text: String,
}

impl Site {
    pub fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let text = text.to_owned();
        Self { directory, text }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn database(&self, name: &str) -> Connection {
        Connection::open(self.path(name)).unwrap()
    }

    pub fn parse(&self, text: &str) -> Result<Configuration, Error> {
        Configuration::parse(&self.path("hallpass.toml"), text)
    }

    /// With `more` at the end of the configuration.
    pub fn authenticator(&self, more: &str) -> Authenticator {
        self.authenticator_of(&format!("{}\n{more}", self.text))
    }

    pub fn authenticator_of(&self, text: &str) -> Authenticator {
        Authenticator::new(&self.parse(text).unwrap())
    }
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

/// The verdict now: the name, or the reason.
pub fn ask(authenticator: &mut Authenticator, request: &Request) -> String {
    word(authenticator, request, SystemTime::now())
}

pub fn ask_at(authenticator: &mut Authenticator, request: &Request, seconds: u64) -> String {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    word(authenticator, request, now)
}

fn word(authenticator: &mut Authenticator, request: &Request, now: SystemTime) -> String {
    let deadline = Deadline::after(Duration::from_secs(60));
    match authenticator.answer(request, now, deadline) {
        Verdict::Granted(identity) => identity.name,
        Verdict::Denied(reason) => reason.word().to_owned(),
        Verdict::Unavailable(cause) => format!("unavailable: {cause}"),
    }
}

pub fn granted(authenticator: &mut Authenticator, request: &Request) -> Identity {
    let deadline = Deadline::after(Duration::from_secs(60));
    match authenticator.answer(request, SystemTime::now(), deadline) {
        Verdict::Granted(identity) => *identity,
        other => panic!("{other:?}"),
    }
}

/// A request with a header `Cookie`.
pub fn cookies(header: &str) -> Request {
    Request::new(
        ClaimedName::Nameless,
        Credential::Cookies(Secret::new(header)),
    )
}

/// The bytes that `text` spells in hexadecimal.
pub fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().map(|it| it.to_digit(16).unwrap()).collect();
    let (pairs, odd) = digits.as_chunks::<2>();
    assert!(odd.is_empty());
    let byte = |[high, low]: &[u32; 2]| u8::try_from(high << 4 | low).unwrap();
    pairs.iter().map(byte).collect()
}
