//! What one question asks of a database.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::look_up::{self, Foreseen, Joined, ReadAhead};
use super::sizes::{self, LARGEST_DATA, LARGEST_VALUE, TooLong};
use super::{Column, Connection, LookUp, Row, State, Value, mysql, postgres, sqlite};
use crate::{Deadline, Tracer, Unavailable};

/// What one question asks of a [`Database`].
#[derive(Debug)]
pub struct Queries<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) query_timeout: Duration,
    pub(super) deadline: Deadline,
    pub(super) tracer: Tracer,
    pub(super) joined: &'a mut Joined,
    pub(super) foreseen: Option<Foreseen>,
    pub(super) read_ahead: Vec<ReadAhead>,
}

impl Queries<'_> {
    /// The rows that `statement` gives. Its parameters are named `:name`, and are given here
    /// with the colon; what is given and not named is left out. At most `limit` rows are read.
    ///
    /// A value that is not of the type that the database compares it with, text that is no number
    /// say, equals nothing: there are no rows then.
    ///
    /// # Errors
    /// [`Unavailable`] when the statement cannot be run in time, a missing table included, and when
    /// a value [is too long](Unavailable::is_too_long).
    pub fn rows(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Row>, Unavailable> {
        self.bounded(statement, parameters, limit, LARGEST_VALUE)
    }

    /// As [`rows`](Self::rows), where a column holds a session's data, which may be longer.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn rows_of_data(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Row>, Unavailable> {
        self.bounded(statement, parameters, limit, LARGEST_DATA)
    }

    fn bounded(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
        bound: usize,
    ) -> Result<Vec<Row>, Unavailable> {
        let answer = self.read(statement, parameters, limit, bound);
        self.tracer
            .read("database", || told(statement, parameters, &answer));
        answer
    }

    fn read(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
        bound: usize,
    ) -> Result<Vec<Row>, Unavailable> {
        let deadline = self.deadline;
        let answer = match self.connection {
            Connection::Nowhere => return Err(nowhere()),
            Connection::Sqlite(sqlite) => {
                let deadline = deadline.at_most(self.query_timeout);
                sqlite.rows(statement, parameters, limit, deadline)?
            }
            Connection::Postgres(server) => server.rows(statement, parameters, limit, deadline)?,
            Connection::Mysql(server) => server.rows(statement, parameters, limit, deadline)?,
        };
        let (too_long, bound) = match answer {
            Ok(rows) => match rows.iter().try_for_each(|row| sizes::check(row, bound)) {
                Ok(()) => return Ok(rows),
                Err(too_long) => (too_long, bound),
            },
            Err(too_long) => (too_long, LARGEST_DATA),
        };
        let too_long = match too_long {
            // Where the names cannot be had, the column is not named.
            TooLong::Value(_) => too_long.named(&self.names(statement).unwrap_or_default()),
            _ => too_long,
        };
        let told = too_long.told(bound);
        let place = match self.connection {
            Connection::Nowhere => String::new(),
            Connection::Sqlite(sqlite) => sqlite.name(),
            Connection::Postgres(server) => server.name(),
            Connection::Mysql(server) => server.name(),
        };
        Err(Unavailable::too_long(format!(
            "{place}: {told}, which is not read"
        )))
    }

    /// The rows that `look_up` gives for `value`, two at most. A look-up that is foreseen is asked
    /// in the same statement, where it can be: that spares it a way to the server and back.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn look_up(&mut self, look_up: &LookUp, value: Value) -> Result<Vec<Row>, Unavailable> {
        if let Some(rows) = self.has_read(look_up, &value) {
            return Ok(rows);
        }
        let foreseen = self.foreseen.take();
        if let Some(foreseen) = foreseen.filter(|foreseen| foreseen.look_up != *look_up) {
            let other = (&foreseen.look_up, foreseen.value);
            self.together((look_up, value.clone()), other, |_| ())?;
            if let Some(rows) = self.has_read(look_up, &value) {
                return Ok(rows);
            }
        }
        self.bounded(
            look_up.alone(),
            &[(look_up.parameter(), value)],
            look_up::MOST,
            look_up.bound(),
        )
    }

    /// Reads what two look-ups give in one statement. Where that is one row of the first, and one or
    /// none of the second, `look` is shown both as one row, and they are kept for this question.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn together(
        &mut self,
        one: (&LookUp, Value),
        two: (&LookUp, Value),
        look: impl FnOnce(&Row),
    ) -> Result<(), Unavailable> {
        let statement = self.joined.statement(one.0, two.0);
        let parameters = [(one.0.parameter(), one.1), (two.0.parameter(), two.1)];
        let bound = one.0.bound().max(two.0.bound());
        let mut rows = match self.bounded(&statement, &parameters, look_up::MOST, bound) {
            // Which of the two it is tells what comes of it.
            Err(cause) if cause.is_too_long() => return Ok(()),
            rows => rows?,
        };
        // Several rows do not tell which of the two there are several of, and none may be for a
        // value that the other's column cannot have.
        let (Some(row), true) = (rows.pop(), rows.is_empty()) else {
            return Ok(());
        };
        let (first, second) = one.0.lengths(&row);
        if first > one.0.bound() || second > two.0.bound() {
            return Ok(());
        }
        look(&row);
        let [(_, value), (_, other_value)] = parameters;
        let (row, other) = one.0.split(row);
        self.keep(one.0.clone(), value, vec![row]);
        if let Some(other) = other {
            self.keep(two.0.clone(), other_value, vec![other]);
        }
        Ok(())
    }

    fn keep(&mut self, look_up: LookUp, value: Value, rows: Vec<Row>) {
        self.read_ahead.push(ReadAhead {
            look_up,
            value,
            rows,
        });
    }

    /// What `look_up` gave for `value` ahead. Whoever asks again has it read anew.
    fn has_read(&mut self, look_up: &LookUp, value: &Value) -> Option<Vec<Row>> {
        let is = |read: &ReadAhead| read.look_up == *look_up && read.value == *value;
        let place = self.read_ahead.iter().position(is)?;
        Some(self.read_ahead.swap_remove(place).rows)
    }

    /// Says that this question will probably ask for what `look_up` gives for `value`, after
    /// another look-up. Nothing else comes of it, whether it does or not.
    pub fn foresee(&mut self, look_up: &LookUp, value: Value) {
        self.foreseen = Some(Foreseen {
            look_up: look_up.clone(),
            value,
        });
    }

    /// Asks for what is foreseen by itself, while another store is awaited, which half of the time
    /// is left to. Where it cannot be had, it is asked for again when it is wanted.
    pub fn read_foreseen(&mut self) {
        let Some(Foreseen { look_up, value }) = self.foreseen.take() else {
            return;
        };
        let deadline = self.deadline;
        self.deadline = deadline.at_most(deadline.remaining() / 2);
        let parameters = [(look_up.parameter(), value)];
        let bound = look_up.bound();
        let rows = self.bounded(look_up.alone(), &parameters, look_up::MOST, bound);
        self.deadline = deadline;
        let [(_, value)] = parameters;
        if let Ok(rows) = rows {
            self.keep(look_up, value, rows);
        }
    }

    /// The state that the database is in for this question; `None` where it does not tell.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn state(&mut self) -> Result<Option<State>, Unavailable> {
        match self.connection {
            Connection::Sqlite(sqlite) => sqlite.state(self.deadline.at_most(self.query_timeout)),
            Connection::Nowhere | Connection::Postgres(_) | Connection::Mysql(_) => Ok(None),
        }
    }

    /// Whoever looks on.
    #[must_use]
    pub fn tracer(&self) -> &Tracer {
        &self.tracer
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

    /// Whether rows of `table` are found by [`same_but_for_case`](Self::same_but_for_case) of
    /// `column` without reading all of them, for names in ASCII.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be asked in time.
    pub fn indexed_but_for_case(&mut self, table: &str, column: &str) -> Result<bool, Unavailable> {
        let parameters = |table: &str| {
            [
                (":table", Value::from(table)),
                (":column", Value::from(column)),
            ]
        };
        let rows = match self.connection {
            Connection::Nowhere => return Err(nowhere()),
            Connection::Sqlite(_) => {
                self.rows(sqlite::INDEXED_BUT_FOR_CASE, &parameters(table), 1)?
            }
            Connection::Postgres(_) => {
                let table = super::identifier(table).unwrap_or_default();
                self.rows(postgres::INDEXED_BUT_FOR_CASE, &parameters(&table), 1)?
            }
            Connection::Mysql(_) => {
                self.rows(mysql::INDEXED_BUT_FOR_CASE, &parameters(table), 1)?
            }
        };
        Ok(!rows.is_empty())
    }

    /// The SQL that makes the index of [`indexed_but_for_case`](Self::indexed_but_for_case);
    /// `None` where the database can have none.
    #[must_use]
    pub fn index_but_for_case(&self, table: &str, column: &str) -> Option<String> {
        let plain: String = table.chars().filter(|it| is_word(*it)).collect();
        let name = format!("{plain}_{column}_any_case");
        let (name, table, column) = (
            super::identifier(&name)?,
            super::identifier(table)?,
            super::identifier(column)?,
        );
        match self.connection {
            Connection::Sqlite(_) => Some(format!(
                "CREATE INDEX {name} ON {table} ({column} COLLATE NOCASE);"
            )),
            Connection::Postgres(_) => Some(format!(
                "CREATE INDEX {name} ON {table} (UPPER({column}::text));"
            )),
            Connection::Mysql(_) | Connection::Nowhere => None,
        }
    }

    /// Whether comparing exactly ignores case wherever [`indexed_but_for_case`] is true of a column
    /// and the name is in ASCII, so that nothing else need be asked.
    ///
    /// [`indexed_but_for_case`]: Self::indexed_but_for_case
    #[must_use]
    pub fn folds_by_collation(&self) -> bool {
        matches!(self.connection, Connection::Mysql(_))
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

    /// Whether there may be a table `table`, though [`columns`](Self::columns) gives none: MySQL
    /// tells a user nothing of tables that it has no right to.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be asked in time.
    pub fn hides(&mut self, table: &str) -> Result<bool, Unavailable> {
        match self.connection {
            Connection::Nowhere => Err(nowhere()),
            Connection::Sqlite(_) => Ok(false),
            Connection::Postgres(server) => server.hides(table, self.deadline),
            Connection::Mysql(server) => server.hides(table, self.deadline),
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

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
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

pub(super) fn nowhere() -> Unavailable {
    Unavailable::new("no database is configured; `database` says where the site's tables are")
}
