//! One small layer over the databases that sites use.
//!
//! Statements name their parameters (`:name`), which are always bound, never pasted in;
//! identifiers from a configuration go through [`identifier`].

mod change;
mod civil;
mod grants;
mod look_up;
pub(crate) mod mysql;
pub(crate) mod postgres;
mod queries;
mod server;
mod settings;
mod sizes;
mod sqlite;
mod statement;
mod value;

use std::time::Duration;

pub use self::change::{Changes, change};
pub use self::grants::grants;
use self::look_up::Joined;
pub use self::look_up::LookUp;
use self::mysql::Mysql;
use self::postgres::Postgres;
pub use self::queries::Queries;
use self::server::Server;
pub use self::settings::{Location, Servers, Settings};
pub use self::sqlite::State;
use self::statement::{Dialect, Statement};
pub use self::value::{Row, Value};
use crate::{Deadline, Tracer, Unavailable};

/// A column of a table, as the database describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// The declared type in lower case and in the words of most databases, as in `integer`,
    /// `bigint`, `uuid`, `char(32)` or `varchar(128)`.
    pub kind: String,
    /// Whether a new row must have a value for it: it may not be NULL, and there is no default.
    pub required: bool,
}

/// A database, connected when it is first asked and again whenever the connection is lost.
///
/// To be asked by threads that may wait, and by those of an asynchronous runtime only where it
/// [is at hand](Database::is_at_hand) and [impatient](Database::impatient).
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    query_timeout: Duration,
    tracer: Tracer,
    joined: Joined,
}

#[derive(Debug)]
enum Connection {
    Nowhere,
    Sqlite(Box<sqlite::Sqlite>),
    Postgres(Box<Server<Postgres>>),
    Mysql(Box<Server<Mysql>>),
}

impl Database {
    /// A database that nothing has been asked of yet: nothing is opened here.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self::with(settings, false)
    }

    fn with(settings: &Settings, writable: bool) -> Self {
        let connection = match &settings.location {
            Location::Nowhere => Connection::Nowhere,
            Location::Sqlite(path) => {
                Connection::Sqlite(Box::new(sqlite::Sqlite::new(path.clone(), writable)))
            }
            Location::Postgres(servers) => {
                let driver = Postgres::new(servers, settings, writable);
                let server = Server::new(driver, &servers.addresses, settings, writable);
                Connection::Postgres(Box::new(server))
            }
            Location::Mysql(servers) => {
                let driver = Mysql::new(servers, settings, writable);
                let server = Server::new(driver, &servers.addresses, settings, writable);
                Connection::Mysql(Box::new(server))
            }
        };
        Self {
            connection,
            query_timeout: settings.query_timeout,
            tracer: Tracer::default(),
            joined: Joined::default(),
        }
    }

    /// Has `tracer` told of what is asked, and of what comes of it.
    #[must_use]
    pub fn traced(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
    }

    /// Whether it is a file on this machine, so that asking it takes no longer than reading it.
    #[must_use]
    pub fn is_at_hand(&self) -> bool {
        match &self.connection {
            Connection::Sqlite(sqlite) => sqlite.is_at_hand(),
            _ => false,
        }
    }

    /// Waits for no lock of a local database: what needs one that another program holds is
    /// [`Unavailable`] at once.
    #[must_use]
    pub fn impatient(mut self) -> Self {
        if let Connection::Sqlite(sqlite) = &mut self.connection {
            sqlite.be_impatient();
        }
        self
    }

    /// Runs `ask`, whose queries must all be answered by `deadline`. A local database is locked at
    /// the first of them and unlocked after the last, so that it is done once, and what they see
    /// belongs together.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be reached in time, and what `ask` returns.
    pub fn ask<T>(
        &mut self,
        deadline: Deadline,
        ask: impl FnOnce(&mut Queries<'_>) -> Result<T, Unavailable>,
    ) -> Result<T, Unavailable> {
        let answer = ask(&mut self.queries(deadline));
        if let Connection::Sqlite(sqlite) = &mut self.connection {
            sqlite.end(answer.is_ok());
        }
        answer
    }

    fn queries(&mut self, deadline: Deadline) -> Queries<'_> {
        Queries {
            connection: &mut self.connection,
            query_timeout: self.query_timeout,
            deadline,
            tracer: self.tracer.clone(),
            joined: &mut self.joined,
            foreseen: None,
            read_ahead: Vec::new(),
        }
    }
}

/// The names of the parameters of `statement`, with their colons, as the database at `location`
/// reads it.
///
/// # Errors
/// [`Unavailable`] when a quote or comment does not end, or a parameter has no name.
pub fn parameters(statement: &str, location: &Location) -> Result<Vec<String>, Unavailable> {
    let statement = Statement::new(statement, Dialect::of(location))?;
    Ok(statement.parameters)
}

/// Checks that `text` is one expression, as the database at `location` reads it: it could not end
/// the statement that it is put into.
///
/// # Errors
/// What is wrong with it, in words that follow its name.
pub fn is_expression(text: &str, location: &Location) -> Result<(), String> {
    Statement::is_expression(text, Dialect::of(location))
}

/// `name` with differences of case taken away: full folding, so that `ß` equals `SS`.
#[must_use]
pub fn fold_case(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

/// `name` as a quoted identifier, for a table or column that a configuration names. `None` when
/// no database could have an identifier like it: it is empty, longer than 128 bytes, or holds a
/// control character. A dot is a part of the name, not a separator.
#[must_use]
pub fn identifier(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
        return None;
    }
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for character in name.chars() {
        if character == '"' {
            quoted.push('"');
        }
        quoted.push(character);
    }
    quoted.push('"');
    Some(quoted)
}

/// The name that an [`identifier`] quotes.
#[must_use]
pub fn unquoted(identifier: &str) -> String {
    let inner = identifier.strip_prefix('"').unwrap_or(identifier);
    inner
        .strip_suffix('"')
        .unwrap_or(inner)
        .replace("\"\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_quoted() {
        assert_eq!(identifier("auth_user").as_deref(), Some("\"auth_user\""));
        assert_eq!(identifier("a\"; DROP").as_deref(), Some("\"a\"\"; DROP\""));
        for name in ["auth_user", "a\"b", "\"", "\"\""] {
            assert_eq!(unquoted(&identifier(name).unwrap()), name);
        }
        assert_eq!(identifier(""), None);
        assert_eq!(identifier("a\0b"), None);
        assert_eq!(identifier(&"a".repeat(129)), None);
    }

    #[test]
    fn folding_is_full() {
        assert_eq!(fold_case("STRASSE"), fold_case("straße"));
        assert_eq!(fold_case("ZOË"), fold_case("zoë"));
        assert_ne!(fold_case("zoe"), fold_case("zoë"));
    }
}
