//! Reads SQLite databases, opened for reading alone unless something is to be changed.

mod file;

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql};

use self::file::Open;
use super::civil::utc;
use super::sizes::{Answer, LARGEST_DATA, TooLong};
use super::statement::unknown;
use super::store::{Column, ReadError, State, Store, place};
use super::value::{Row, Value};
use crate::{Deadline, Unavailable};

/// A SQLite file.
#[derive(Debug)]
pub(super) struct Sqlite {
    path: PathBuf,
    query_timeout: Duration,
    writable: bool,
    /// Whether another program's lock is waited for.
    waits_for_locks: bool,
    open: Option<Open>,
    /// How often the file has been opened.
    opened: u64,
}

/// Why a statement gave no rows.
enum Failure {
    Sqlite(rusqlite::Error),
    TooLong(TooLong),
    /// The statement has a parameter of this name, which nothing is given for.
    Parameter(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<TooLong> for Failure {
    fn from(too_long: TooLong) -> Self {
        Self::TooLong(too_long)
    }
}

impl Store for Sqlite {
    fn name(&self) -> String {
        format!("the SQLite database {}", self.path.display())
    }

    fn rows(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
        deadline: Deadline,
    ) -> Result<Vec<Row>, ReadError> {
        let deadline = deadline.at_most(self.query_timeout);
        self.read(statement, parameters, limit, deadline)
    }

    fn execute(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        deadline: Deadline,
    ) -> Result<u64, Unavailable> {
        self.own_rows(statement, parameters, deadline)?;
        Ok(self.connected()?.connection.changes())
    }

    fn commit(&mut self, deadline: Deadline) -> Result<(), Unavailable> {
        let done = self.read("COMMIT", &[], usize::MAX, deadline);
        done.map_err(|error| error.into_unavailable(&self.name()))?;
        self.open = None;
        Ok(())
    }

    fn names(&mut self, statement: &str, deadline: Deadline) -> Result<Vec<String>, Unavailable> {
        self.begin(deadline.at_most(self.query_timeout))?;
        let prepared = self.connected()?.connection.prepare_cached(statement);
        let names = prepared.map(|prepared| {
            let names = prepared.column_names();
            names.map(str::to_owned).collect()
        });
        names.map_err(|error| self.failed("reading it", &error))
    }

    fn columns(&mut self, table: &str, deadline: Deadline) -> Result<Vec<Column>, Unavailable> {
        let statement = "SELECT name, lower(type), \"notnull\" AND dflt_value IS NULL AND NOT (pk AND \
                         lower(type) = 'integer') FROM pragma_table_info(:table, :schema)";
        let rows = self.own_rows(statement, &place(table), deadline)?;
        let column = |mut row: Row| {
            Some(Column {
                name: row.text(0)?,
                kind: row.text(1).unwrap_or_default(),
                required: row.truth(2),
            })
        };
        Ok(rows.into_iter().filter_map(column).collect())
    }

    /// The rowid, where a column is one, is an index by itself.
    fn indexed(&mut self, table: &str, deadline: Deadline) -> Result<Vec<String>, Unavailable> {
        let statement = "SELECT i.name FROM pragma_index_list(:table, :schema) l, \
                         pragma_index_info(l.name) i WHERE i.seqno = 0 AND l.partial = 0 UNION \
                         SELECT name FROM pragma_table_info(:table, :schema) WHERE pk = 1";
        let rows = self.own_rows(statement, &place(table), deadline)?;
        Ok(rows.into_iter().filter_map(|mut row| row.text(0)).collect())
    }

    /// SQLite's own word for it, which it empties its memory of pages by, too: it counts what other
    /// connections have committed, those of other programs included, and means something on the
    /// connection alone that it comes from (<https://sqlite.org/pragma.html#pragma_data_version>).
    fn state(&mut self, deadline: Deadline) -> Result<Option<State>, Unavailable> {
        let mut rows = self.own_rows("PRAGMA data_version", &[], deadline)?;
        let data_version = rows.pop().map_or(Value::Null, |mut row| row.take(0));
        let Value::Integer(data_version) = data_version else {
            return Ok(None);
        };
        Ok(Some(State {
            since: self.opened,
            version: data_version,
        }))
    }

    fn end(&mut self, well: bool) {
        self.unlock(well);
    }

    fn is_at_hand(&self) -> bool {
        self.is_on_this_machine()
    }

    fn wait_for_no_lock(&mut self) {
        self.waits_for_locks = false;
    }

    fn indexed_but_for_case(&self) -> &'static str {
        "SELECT 1 FROM pragma_index_list(:table, :schema) l, pragma_index_xinfo(l.name) i WHERE \
         i.seqno = 0 AND l.partial = 0 AND i.name = :column AND lower(i.coll) = 'nocase'"
    }

    fn key_but_for_case(&self, column: &str) -> Option<String> {
        Some(format!("{column} COLLATE NOCASE"))
    }

    /// ASCII names, which nearly all are, are left to SQLite's own comparison: it is several times
    /// faster over a table of a million names.
    fn same_but_for_case(&self, column: &str, name: &str) -> String {
        if name.is_ascii() {
            format!("{column} = :name COLLATE NOCASE")
        } else {
            format!("hallpass_fold_case({column}) = hallpass_fold_case(:name)")
        }
    }
}

impl Sqlite {
    pub(super) fn new(path: PathBuf, query_timeout: Duration, writable: bool) -> Self {
        Self {
            path,
            query_timeout,
            writable,
            waits_for_locks: true,
            open: None,
            opened: 0,
        }
    }

    /// As [`rows`](Store::rows), which also bounds the time by `query_timeout`.
    fn read(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
        deadline: Deadline,
    ) -> Result<Vec<Row>, ReadError> {
        self.begin(deadline)?;
        let connection = &self.connected()?.connection;
        match run(connection, statement, parameters, limit) {
            Ok(rows) => Ok(rows),
            Err(Failure::TooLong(too_long)) => Err(too_long.into()),
            Err(Failure::Parameter(name)) => {
                let known: Vec<&str> = parameters.iter().map(|(name, _)| *name).collect();
                Err(Unavailable::new(unknown(&name, &known)).into())
            }
            Err(Failure::Sqlite(error)) if self.waits_for_locks && is_too_long(&error) => {
                Err(self.which_is_too_long(statement, parameters).into())
            }
            Err(Failure::Sqlite(error)) => {
                let failed = self.failed("reading it", &error);
                if let Some(open) = &mut self.open {
                    // Where something was to be written, what is left of it is not known. What is
                    // too long to be read at once is left to a thread that may wait.
                    open.busy = !self.waits_for_locks
                        && !self.writable
                        && (error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                            || is_too_long(&error));
                }
                Err(failed.into())
            }
        }
    }

    /// The column that is too long in what `statement` gives. SQLite says only that one is; lengths
    /// it tells without reading what is so long.
    fn which_is_too_long(&self, statement: &str, parameters: &[(&str, Value)]) -> TooLong {
        let find = |connection: &Connection| -> rusqlite::Result<Option<usize>> {
            let columns = connection.prepare(statement)?.column_count();
            let names: Vec<String> = (0..columns).map(|index| format!("c{index}")).collect();
            let lengths = names.iter();
            let lengths = lengths.map(|name| format!("max(octet_length({name})) > {LARGEST_DATA}"));
            let mut found = connection.prepare(&format!(
                "WITH hallpass ({}) AS ({}\n) SELECT {} FROM hallpass",
                names.join(", "),
                statement.trim_end().trim_end_matches(';'),
                lengths.collect::<Vec<_>>().join(", ")
            ))?;
            for (name, value) in parameters {
                if let Some(index) = found.parameter_index(name)? {
                    found.raw_bind_parameter(index, value)?;
                }
            }
            let mut rows = found.raw_query();
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            for index in 0..columns {
                if row.get::<_, Option<bool>>(index)?.unwrap_or(false) {
                    return Ok(Some(index));
                }
            }
            Ok(None)
        };
        let found = self.open.as_ref().map(|open| find(&open.connection));
        match found {
            Some(Ok(Some(index))) => TooLong::Value(index),
            _ => TooLong::Row,
        }
    }

    fn connected(&self) -> Result<&Open, Unavailable> {
        self.open.as_ref().ok_or_else(|| self.closed())
    }

    fn closed(&self) -> Unavailable {
        Unavailable::new(format!(
            "the SQLite database {} is not open",
            self.path.display()
        ))
    }

    fn failed(&self, doing: &str, error: &rusqlite::Error) -> Unavailable {
        let fix = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "; another program holds its lock for longer than `query_timeout`"
            }
            Some(ErrorCode::OperationInterrupted) => "; it took longer than `query_timeout`",
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
                "; where the site uses WAL mode, the user that this program runs as must be able \
                 to write beside the database file, or the site must be running"
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                "; is this the site's database file?"
            }
            _ if error.to_string().contains("no such table")
                || error.to_string().contains("no such column") =>
            {
                "; is this the site's database, migrated, with the tables that the configuration \
                 names?"
            }
            _ => "",
        };
        let path = self.path.display();
        Unavailable::new(format!(
            "the SQLite database {path}: {doing} failed: {error}{fix}"
        ))
    }
}

/// The first `limit` rows that `statement` gives.
fn run(
    connection: &Connection,
    statement: &str,
    parameters: &[(&str, Value)],
    limit: usize,
) -> Result<Vec<Row>, Failure> {
    let mut statement = connection.prepare_cached(statement)?;
    for index in 1..=statement.parameter_count() {
        let name = statement.parameter_name(index).unwrap_or("?");
        let Some((_, value)) = parameters.iter().find(|(given, _)| *given == name) else {
            return Err(Failure::Parameter(name.to_owned()));
        };
        statement.raw_bind_parameter(index, value)?;
    }
    let mut found = statement.raw_query();
    let mut rows = Answer::default();
    while let Some(row) = found.next()? {
        // Not known before: a table that has changed shows when the statement is run.
        let columns = row.as_ref().column_count();
        let values = (0..columns).map(|index| row.get_ref(index).map(Value::from));
        rows.add(Row(values.collect::<rusqlite::Result<_>>()?))?;
        if rows.len() >= limit {
            break;
        }
    }
    Ok(rows.into_rows())
}

fn is_too_long(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::TooBig)
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(real) => Self::Real(real),
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => Self::Text(text.to_owned()),
                Err(_) => Self::Bytes(text.to_owned()),
            },
            ValueRef::Blob(bytes) => Self::Bytes(bytes.to_owned()),
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(integer) => ValueRef::Integer(*integer),
            Self::Real(real) => ValueRef::Real(*real),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Moment(moment) => return Ok(utc(*moment).into()),
        }))
    }
}
