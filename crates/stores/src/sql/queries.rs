//! Queries a database until a request's deadline, within the limits of what is read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::look_up::{Joined, LookUp, MOST, ReadRow};
use super::names::{TableName, identifier};
use super::recorded::Recorder;
use super::replica::Following;
use super::sizes::{self, LARGEST_DATA, LARGEST_VALUE, TooLong, longest};
use super::store::{Column, ReadError, State, Store};
use super::value::{Row, Value};
use crate::{Deadline, Tracer, Unavailable};

/// How well a replica follows its primary; times are those since the last change that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replication {
    /// It has all that it was sent.
    Current,
    /// It was sent more than it has applied.
    Behind(Duration),
    /// It applies nothing, because it was told so.
    Paused(Duration),
    /// It is not connected to its primary.
    Alone(Duration),
}

/// The queries of one request to a [`Database`](super::Database).
#[derive(Debug)]
pub struct Queries<'a> {
    /// `None` where no database is configured.
    pub(super) store: Option<&'a mut (dyn Store + 'static)>,
    /// The database of the sessions, where that is another.
    pub(super) sessions: Option<&'a mut (dyn Store + 'static)>,
    pub(super) deadline: Deadline,
    pub(super) tracer: Tracer,
    pub(super) joined: &'a mut Joined,
    pub(super) recorder: &'a mut Recorder,
    /// Whether `store` and `sessions` have changed places.
    pub(super) at_sessions: bool,
    /// Rows that were read together with others, and have not been asked for yet.
    pub(super) read: Vec<ReadRow>,
}

impl Queries<'_> {
    /// The rows that `statement` gives. Its parameters are named `:name`, and are given here
    /// with the colon; what is given and not named is left out. At most `limit` rows are read.
    ///
    /// A value that is not of the type that the database compares it with, text that is not a number
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

    /// The rows that `look_up` gives for `value`, two at most. What [`together`](Self::together) has
    /// read is taken from there, once.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn look_up(&mut self, look_up: &LookUp, value: Value) -> Result<Vec<Row>, Unavailable> {
        let is = |(read, of, _): &ReadRow| read == look_up && *of == value;
        if let Some(place) = self.read.iter().position(is) {
            return Ok(vec![self.read.swap_remove(place).2]);
        }
        let parts = look_up.parts();
        let parameters = [(parts.parameter, value)];
        self.bounded(&parts.statement, &parameters, MOST, parts.bound)
    }

    /// Reads what two look-ups give in one statement. Where that is one row of the first, and one or
    /// none of the second, `look` is shown both as one row, and they are kept for
    /// [`look_up`](Self::look_up). Results never depend on it.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn together(
        &mut self,
        one: (&LookUp, Value),
        two: (&LookUp, Value),
        look: impl FnOnce(&Row),
    ) -> Result<(), Unavailable> {
        let plain = self
            .store
            .as_ref()
            .is_some_and(|store| store.joins_tables());
        let statement = self.joined.statement(one.0, two.0, plain);
        let parameters = [
            (one.0.parts().parameter, one.1),
            (two.0.parts().parameter, two.1),
        ];
        let bound = one.0.parts().bound.max(two.0.parts().bound);
        let mut rows = match self.bounded(&statement, &parameters, MOST, bound) {
            // Each look-up alone tells whose value is too long.
            Err(cause) if cause.is_too_long() => return Ok(()),
            rows => rows?,
        };
        // Several rows do not tell which look-up has several, and no row may come from a value that
        // the other's column cannot have.
        let (Some(row), true) = (rows.pop(), rows.is_empty()) else {
            return Ok(());
        };
        let count = one.0.parts().columns.len().min(row.0.len());
        let (first, second) = row.0.split_at(count);
        if longest(first) > one.0.parts().bound || longest(second) > two.0.parts().bound {
            return Ok(());
        }
        look(&row);
        let [(_, value), (_, other_value)] = parameters;
        let Row(mut values) = row;
        let other = values.split_off(count);
        self.read.push((one.0.clone(), value, Row(values)));
        // The first column is NULL where the second look-up gives no row.
        if other.first().is_some_and(|first| *first != Value::Null) {
            self.read.push((two.0.clone(), other_value, Row(other)));
        }
        Ok(())
    }

    fn bounded(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
        bound: usize,
    ) -> Result<Vec<Row>, Unavailable> {
        let answer = self.read(statement, parameters, limit, bound);
        match &answer {
            Ok(rows) => {
                let recorder = &mut self.recorder;
                recorder.note(statement, parameters, limit, self.at_sessions, rows);
            }
            Err(_) => self.recorder.miss(),
        }
        self.tracer
            .read("database", || describe(statement, parameters, &answer));
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
        let store = self.store()?;
        let (too_long, bound) = match store.rows(statement, parameters, limit, deadline) {
            Ok(rows) => match rows.iter().try_for_each(|row| sizes::check(row, bound)) {
                Ok(()) => return Ok(rows),
                Err(too_long) => (too_long, bound),
            },
            Err(ReadError::TooLong(too_long)) => (too_long, LARGEST_DATA),
            Err(ReadError::Unavailable(cause)) => return Err(cause),
        };
        let too_long = match too_long {
            // If the names cannot be read, the column is not named.
            TooLong::Value(_) => {
                too_long.named(&store.names(statement, deadline).unwrap_or_default())
            }
            _ => too_long,
        };
        Err(Unavailable::too_long(format!(
            "{}: {}, which is not read",
            store.name(),
            too_long.describe(bound)
        )))
    }

    pub(super) fn store(&mut self) -> Result<&mut (dyn Store + 'static), Unavailable> {
        self.store.as_deref_mut().ok_or_else(|| {
            Unavailable::new(
                "no database is configured; `database` says where the site's tables are",
            )
        })
    }

    /// Runs `ask`, whose queries are put to the database that has the sessions.
    pub fn in_sessions<T>(&mut self, ask: impl FnOnce(&mut Self) -> T) -> T {
        if self.sessions.is_none() {
            return ask(self);
        }
        let at_sessions = self.at_sessions;
        std::mem::swap(&mut self.store, &mut self.sessions);
        self.at_sessions = !at_sessions;
        let answer = ask(self);
        std::mem::swap(&mut self.store, &mut self.sessions);
        self.at_sessions = at_sessions;
        answer
    }

    /// The state of the database for this request; `None` where it does not report one.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn state(&mut self) -> Result<Option<State>, Unavailable> {
        self.recorder.miss();
        match &mut self.store {
            Some(store) => store.state(self.deadline),
            None => Ok(None),
        }
    }

    /// The state of the database for this request, by a statement of its own where that is needed;
    /// `None` where it does not report one.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn asked_state(&mut self) -> Result<Option<State>, Unavailable> {
        self.recorder.miss();
        match &mut self.store {
            Some(store) => store.asked_state(self.deadline),
            None => Ok(None),
        }
    }

    /// The tracer that each read is reported to.
    #[must_use]
    pub fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// The deadline of the request that they belong to.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// The names of the columns that `statement` gives. It is not run.
    ///
    /// # Errors
    /// [`Unavailable`] when the statement cannot be read in time.
    pub fn names(&mut self, statement: &str) -> Result<Vec<String>, Unavailable> {
        // Not recorded: a statement whose rows are the same has the names that it had, unless the
        // tables were made anew behind a `SELECT *`.
        let deadline = self.deadline;
        self.store()?.names(statement, deadline)
    }

    /// The columns of `table`, empty when there is no such table.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be asked in time.
    pub fn columns(&mut self, table: &str) -> Result<Vec<Column>, Unavailable> {
        self.recorder.miss();
        let deadline = self.deadline;
        self.store()?.columns(table, deadline)
    }

    /// Whether there may be a table `table`, though [`columns`](Self::columns) gives none: MySQL
    /// tells a user nothing of tables that it has no right to.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be asked in time.
    pub fn hides(&mut self, table: &str) -> Result<bool, Unavailable> {
        self.recorder.miss();
        let deadline = self.deadline;
        self.store()?.hides(table, deadline)
    }

    /// The SQL that gives `column` (an identifier already quoted) of the type `kind`, and its Unix
    /// seconds where the type has moments that the database would show by some zone's clock.
    #[must_use]
    pub fn seconds_of(&self, column: &str, kind: &str) -> String {
        let store = self.store.as_ref();
        let seconds = store.and_then(|store| store.seconds_of(column, kind));
        seconds.unwrap_or_else(|| column.to_owned())
    }

    /// The schemas of PostgreSQL that have a table `table`, wherever it is searched for.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be asked in time.
    pub fn schemas_with(&mut self, table: &str) -> Result<Vec<String>, Unavailable> {
        self.recorder.miss();
        let deadline = self.deadline;
        self.store()?.schemas_with(table, deadline)
    }

    /// The columns of `table` that an index begins with, by which rows are found without reading
    /// all of them.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be asked in time.
    pub fn indexed(&mut self, table: &str) -> Result<Vec<String>, Unavailable> {
        self.recorder.miss();
        let deadline = self.deadline;
        self.store()?.indexed(table, deadline)
    }

    /// What time it is by the server's clock; `None` where there is no server.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be asked in time.
    pub fn clock(&mut self) -> Result<Option<SystemTime>, Unavailable> {
        self.recorder.miss();
        let Some(statement) = self.store.as_ref().and_then(|store| store.clock()) else {
            return Ok(None);
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

    /// How the server follows another, however far it is behind; `None` where there is no server.
    ///
    /// # Errors
    /// [`Unavailable`] when the database does not tell, as where its user lacks the privilege.
    pub fn following(&mut self) -> Result<Option<Following>, Unavailable> {
        self.recorder.miss();
        let deadline = self.deadline;
        self.store()?.measure_following(deadline)
    }

    /// How well the server follows another; `None` where it is not known to follow any.
    ///
    /// # Errors
    /// [`Unavailable`] when the database does not tell.
    pub fn replication(&mut self) -> Result<Option<Replication>, Unavailable> {
        self.recorder.miss();
        let Some(statement) = self.store.as_ref().and_then(|store| store.replication()) else {
            return Ok(None);
        };
        let Some(mut row) = self.rows(statement, &[], 1)?.pop() else {
            return Ok(None);
        };
        let seconds = match row.take(1) {
            Value::Integer(seconds) => u64::try_from(seconds).unwrap_or_default(),
            _ => 0,
        };
        let since = Duration::from_secs(seconds);
        Ok(match row.text(0).as_deref() {
            Some("paused") => Some(Replication::Paused(since)),
            Some("alone") => Some(Replication::Alone(since)),
            Some("behind") => Some(Replication::Behind(since)),
            Some("current") => Some(Replication::Current),
            _ => None,
        })
    }

    /// The SQL condition that `column` (an identifier already quoted) is the parameter `:name`
    /// when case is ignored. It may let more rows through than differ in case alone; the caller
    /// compares [`fold_case`](super::fold_case) of both.
    #[must_use]
    pub fn same_but_for_case(&self, column: &str, name: &str) -> String {
        match &self.store {
            Some(store) => store.same_but_for_case(column, name),
            // It is never run.
            None => format!("{column} = :name"),
        }
    }

    /// Whether rows of `table` are found by [`same_but_for_case`](Self::same_but_for_case) of
    /// `column` without reading all of them, for names in ASCII.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be asked in time.
    pub fn indexed_but_for_case(&mut self, table: &str, column: &str) -> Result<bool, Unavailable> {
        let store = self.store()?;
        let [schema, table] = store.place(table);
        let parameters = [schema, table, (":column", Value::from(column))];
        let statement = store.indexed_but_for_case();
        Ok(!self.rows(statement, &parameters, 1)?.is_empty())
    }

    /// The SQL that makes the index of [`indexed_but_for_case`](Self::indexed_but_for_case);
    /// `None` where the database can have none.
    #[must_use]
    pub fn index_but_for_case(&self, table: &str, column: &str) -> Option<String> {
        let plain: String = table.chars().filter(|it| is_word(*it)).collect();
        let name = identifier(&format!("{plain}_{column}_any_case"))?;
        let key = identifier(column)?;
        let key = self.store.as_ref()?.key_but_for_case(&key)?;
        let table = TableName::parse(table)?.quoted();
        Some(format!("CREATE INDEX {name} ON {table} ({key});"))
    }

    /// Whether comparing exactly ignores case wherever [`indexed_but_for_case`] is true of a column
    /// and the name is in ASCII, so that nothing else need be asked.
    ///
    /// [`indexed_but_for_case`]: Self::indexed_but_for_case
    #[must_use]
    pub fn folds_by_collation(&self) -> bool {
        let store = self.store.as_ref();
        store.is_some_and(|store| store.folds_by_collation())
    }
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// A statement and what came of it, for the administrator. Of what was bound, names alone are
/// shown: all else may be as good as a password.
fn describe(
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
