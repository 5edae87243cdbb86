//! Sites as they were recorded: the tables that Joomla 4.4.0 and phpBB 3.3.10 wrote into MariaDB
//! (`data/*.sql`, by `mysqldump`), loaded into SQLite.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use hallpass_core::{
    Authenticator, ClaimedName, Client, Conditions, Configuration, Credential, Deadline, Identity,
    Request, Requirement, Secret, Verdict,
};
use rusqlite::Connection;

pub struct Site {
    pub directory: tempfile::TempDir,
}

impl Site {
    /// A site with the tables of `dump`.
    pub fn load(dump: &str) -> Self {
        let site = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        site.run(&translate(dump));
        site
    }

    pub fn run(&self, statements: &str) {
        let path = self.directory.path().join("db.sqlite3");
        let database = Connection::open(path).unwrap();
        database.execute_batch(statements).unwrap();
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    pub fn configuration(&self, text: &str) -> Result<Configuration, String> {
        let path = self.directory.path().join("hallpass.toml");
        Configuration::parse(&path, text).map_err(|error| error.to_string())
    }

    pub fn authenticator(&self, text: &str) -> Authenticator {
        Authenticator::new(&self.configuration(text).unwrap())
    }
}

/// What `mysqldump` writes, in SQLite's words.
fn translate(dump: &str) -> String {
    let mut translated = String::from("BEGIN;\n");
    let mut creating = false;
    let mut columns: Vec<String> = Vec::new();
    for line in dump.lines() {
        if line.starts_with("CREATE TABLE") {
            creating = true;
            columns.clear();
            translated.push_str(line);
        } else if creating && line.starts_with("  `") {
            let name = line.split('`').nth(1).unwrap();
            let kind = line.split_whitespace().nth(1).unwrap();
            let kind = if kind.contains("int") {
                "INTEGER"
            } else {
                "TEXT"
            };
            columns.push(format!("\"{name}\" {kind}"));
        } else if creating && line.starts_with(')') {
            creating = false;
            translated.push_str(&columns.join(", "));
            translated.push_str(");\n");
        } else if line.starts_with("INSERT INTO") || line.starts_with('(') {
            translated.push_str(&values(line));
            translated.push('\n');
        }
    }
    translated + "COMMIT;"
}

/// Strings without MySQL's escapes; bytes in hexadecimal become the text that they are.
fn values(line: &str) -> String {
    let mut out = String::new();
    let mut letters = line.chars().peekable();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if quoted => match letters.next().unwrap() {
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                '0' => panic!("a NUL in the dump"),
                '\'' => out.push_str("''"),
                other => out.push(other),
            },
            '\'' => {
                quoted = !quoted;
                out.push('\'');
            }
            '0' if !quoted && letters.peek() == Some(&'x') => {
                letters.next();
                let mut digits = String::new();
                while let Some(digit) = letters.next_if(char::is_ascii_hexdigit) {
                    digits.push(digit);
                }
                let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
                let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
                out.push_str(&format!("'{}'", String::from_utf8(bytes).unwrap()));
            }
            _ => out.push(letter),
        }
    }
    out
}

pub fn password(name: &str, password: &str) -> Request {
    let credential = Credential::Password(Secret::new(password));
    Request::new(ClaimedName::Named(name.to_owned()), credential)
}

pub fn session(token: &str) -> Request {
    Request::new(
        ClaimedName::Nameless,
        Credential::Session(Secret::new(token)),
    )
}

pub fn session_of(token: &str, owner: &str) -> Request {
    let name = ClaimedName::Named(owner.to_owned());
    Request::new(name, Credential::Session(Secret::new(token)))
}

pub fn vouched(name: &str) -> Request {
    Request::new(ClaimedName::Named(name.to_owned()), Credential::Vouched)
}

pub fn in_group(request: Request, group: &str) -> Request {
    Request {
        conditions: Conditions {
            any: vec![Requirement::Group(group.to_owned())],
            all: Vec::new(),
        },
        ..request
    }
}

pub fn from(request: Request, address: &str, browser: Option<&str>) -> Request {
    let address: Option<IpAddr> = Some(address.parse().unwrap());
    Request {
        client: Client {
            browser: browser.map(str::to_owned),
            ..Client::at(address)
        },
        ..request
    }
}

pub fn identity(site: &mut Authenticator, request: Request, seconds: u64) -> Box<Identity> {
    let request = Request {
        wants_groups: true,
        ..request
    };
    match answer(site, &request, seconds) {
        Verdict::Granted(identity) => identity,
        other => panic!("{other:?}"),
    }
}

/// The verdict: the name, or the reason.
pub fn ask(site: &mut Authenticator, request: &Request, seconds: u64) -> String {
    match answer(site, request, seconds) {
        Verdict::Granted(identity) => identity.name,
        Verdict::Denied(reason) => reason.word().to_owned(),
        Verdict::Unavailable(cause) => format!("unavailable: {cause}"),
    }
}

/// The same of a question that is put so many seconds later, by the machine's clock.
pub fn ask_after(site: &mut Authenticator, request: &Request, seconds: u64, later: u64) -> String {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let deadline = Deadline::after(Duration::from_secs(300 + later));
    match site.answer(request, now, deadline) {
        Verdict::Granted(identity) => identity.name,
        Verdict::Denied(reason) => reason.word().to_owned(),
        Verdict::Unavailable(cause) => format!("unavailable: {cause}"),
    }
}

/// The verdict: the name, or the reason and its detail.
pub fn explained(site: &mut Authenticator, request: &Request, seconds: u64) -> String {
    match answer(site, request, seconds) {
        Verdict::Denied(reason) => match reason.detail() {
            Some(detail) => format!("{} {detail}", reason.word()),
            None => reason.word().to_owned(),
        },
        _ => ask(site, request, seconds),
    }
}

fn answer(site: &mut Authenticator, request: &Request, seconds: u64) -> Verdict {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let deadline = Deadline::after(Duration::from_secs(300));
    site.answer(request, now, deadline)
}
