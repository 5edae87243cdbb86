//! One small layer over the databases that sites use.
//!
//! Statements name their parameters (`:name`), which are always bound, never pasted in;
//! identifiers from a configuration go through [`identifier`].

mod change;
mod civil;
mod grants;
mod mysql;
mod postgres;
mod server;
mod settings;
mod sqlite;
mod statement;
mod value;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use self::change::{Changes, change};
pub use self::grants::grants;
use self::mysql::Mysql;
use self::postgres::Postgres;
use self::server::Server;
pub use self::settings::{Location, Servers, Settings};
use self::statement::{Dialect, Statement};
pub use self::value::{Row, Value};
use crate::{Deadline, Unavailable, Witness};

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
/// To be asked by threads that may wait, never by those of an asynchronous runtime.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    query_timeout: Duration,
    witness: Witness,
}

#[derive(Debug)]
enum Connection {
    Nowhere,
    Sqlite(sqlite::Sqlite),
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
                Connection::Sqlite(sqlite::Sqlite::new(path.clone(), writable))
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
            witness: Witness::default(),
        }
    }

    /// Has `witness` told of what is asked, and of what comes of it.
    #[must_use]
    pub fn witnessed(self, witness: Witness) -> Self {
        Self { witness, ..self }
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
        let answer = ask(&mut Queries {
            connection: &mut self.connection,
            query_timeout: self.query_timeout,
            deadline,
            witness: self.witness.clone(),
        });
        if let Connection::Sqlite(sqlite) = &mut self.connection {
            sqlite.end(answer.is_ok());
        }
        answer
    }
}

/// What one question asks of a [`Database`].
#[derive(Debug)]
pub struct Queries<'a> {
    connection: &'a mut Connection,
    query_timeout: Duration,
    deadline: Deadline,
    witness: Witness,
}

impl Queries<'_> {
    /// The rows that `statement` gives. Its parameters are named `:name`, and are given here
    /// with the colon; what is given and not named is left out. At most `limit` rows are read.
    ///
    /// A value that is none of the type that the database compares it with, text that is no number
    /// say, equals nothing: there are no rows then.
    ///
    /// # Errors
    /// [`Unavailable`] when the statement cannot be run in time, a missing table included.
    pub fn rows(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Row>, Unavailable> {
        let deadline = self.deadline;
        let answer = match self.connection {
            Connection::Nowhere => Err(nowhere()),
            Connection::Sqlite(sqlite) => {
                let deadline = deadline.at_most(self.query_timeout);
                sqlite.rows(statement, parameters, limit, deadline)
            }
            Connection::Postgres(server) => server.rows(statement, parameters, limit, deadline),
            Connection::Mysql(server) => server.rows(statement, parameters, limit, deadline),
        };
        self.witness
            .read("database", || told(statement, parameters, &answer));
        answer
    }

    /// Whoever looks on.
    #[must_use]
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    /// The columns of `table` that an index begins with, by which rows are found without reading
    /// all of them.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be asked in time.
    pub fn indexed(&mut self, table: &str) -> Result<Vec<String>, Unavailable> {
        let deadline = self.deadline;
        match self.connection {
            Connection::Nowhere => Err(nowhere()),
            Connection::Sqlite(sqlite) => {
                sqlite.indexed(table, deadline.at_most(self.query_timeout))
            }
            Connection::Postgres(server) => server.indexed(table, deadline),
            Connection::Mysql(server) => server.indexed(table, deadline),
        }
    }

    /// What time it is by the server's clock; `None` where there is no server.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be asked in time.
    pub fn clock(&mut self) -> Result<Option<SystemTime>, Unavailable> {
        let statement = match self.connection {
            Connection::Nowhere | Connection::Sqlite(_) => return Ok(None),
            Connection::Postgres(_) => {
                "SELECT CAST(extract(epoch FROM clock_timestamp()) AS bigint)"
            }
            Connection::Mysql(_) => "SELECT CAST(UNIX_TIMESTAMP() AS SIGNED)",
        };
        let mut rows = self.rows(statement, &[], 1)?;
        let seconds = rows.pop().map_or(Value::Null, |mut row| row.take(0));
        let Value::Integer(seconds) = seconds else {
            return Err(Unavailable::new(
                "the database does not say what time it is",
            ));
        };
        let since_1970 = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        Ok(UNIX_EPOCH.checked_add(since_1970))
    }

    /// The names of the columns that `statement` gives. It is not run.
    ///
    /// # Errors
    /// [`Unavailable`] when the statement cannot be read in time.
    pub fn names(&mut self, statement: &str) -> Result<Vec<String>, Unavailable> {
        let deadline = self.deadline;
        match self.connection {
            Connection::Nowhere => Err(nowhere()),
            Connection::Sqlite(sqlite) => {
                sqlite.names(statement, deadline.at_most(self.query_timeout))
            }
            Connection::Postgres(server) => server.names(statement, deadline),
            Connection::Mysql(server) => server.names(statement, deadline),
        }
    }

    /// When the question that they belong to is to be answered.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// The columns of `table`, empty when there is no such table.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be asked in time.
    pub fn columns(&mut self, table: &str) -> Result<Vec<Column>, Unavailable> {
        let deadline = self.deadline;
        match self.connection {
            Connection::Nowhere => Err(nowhere()),
            Connection::Sqlite(sqlite) => {
                sqlite.columns(table, deadline.at_most(self.query_timeout))
            }
            Connection::Postgres(server) => server.columns(table, deadline),
            Connection::Mysql(server) => server.columns(table, deadline),
        }
    }

    /// The SQL condition that `column` (an identifier already quoted) is the parameter `:name`
    /// when case is ignored. It may let more rows through than differ in case alone; the caller
    /// compares [`fold_case`] of both.
    #[must_use]
    pub fn same_but_for_case(&self, column: &str, name: &str) -> String {
        match self.connection {
            Connection::Nowhere | Connection::Sqlite(_) => sqlite::same_but_for_case(column, name),
            Connection::Postgres(_) => postgres::same_but_for_case(column, name),
            Connection::Mysql(_) => mysql::same_but_for_case(column),
        }
    }
}

/// A statement and what came of it, for the administrator. Of what was bound, names alone are
/// shown: all else may be as good as a password.
fn told(
    statement: &str,
    parameters: &[(&str, Value)],
    answer: &Result<Vec<Row>, Unavailable>,
) -> String {
    let shown = |(name, value): &(&str, Value)| match (*name, value) {
        (":name" | ":username", Value::Text(text)) => format!("{name} = {text:?}"),
        (_, Value::Integer(number)) => format!("{name} = {number}"),
        _ => format!("{name} = …"),
    };
    let bound: Vec<String> = parameters.iter().map(shown).collect();
    let with = if bound.is_empty() { "" } else { ", with " };
    let came = match answer {
        Ok(rows) if rows.len() == 1 => "1 row".to_owned(),
        Ok(rows) => format!("{} rows", rows.len()),
        Err(cause) => cause.to_string(),
    };
    format!("{statement}{with}{}: {came}", bound.join(", "))
}

fn nowhere() -> Unavailable {
    Unavailable::new("no database is configured; `database` says where the site's tables are")
}

/// The names of the parameters of `statement`, with their colons, as the database at `location`
/// reads it.
///
/// # Errors
/// [`Unavailable`] when a quote or comment does not end, or a parameter has no name.
pub fn parameters(statement: &str, location: &Location) -> Result<Vec<String>, Unavailable> {
    let dialect = match location {
        Location::Mysql(_) => Dialect::Mysql,
        Location::Nowhere | Location::Postgres(_) | Location::Sqlite(_) => Dialect::Postgres,
    };
    Statement::new(statement, dialect).map(|statement| statement.parameters)
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
