//! Defines what every kind of database does for [`Queries`](super::Queries), blocking, by a deadline.

use std::hash::RandomState;

use super::names::TableName;
use super::recorded::{Recorded, one_by_one};
use super::replica::Following;
use super::sizes::{LARGEST_DATA, TooLong};
use super::value::{Row, Value};
use crate::{Deadline, Unavailable};

/// A database of one kind, connected when it is first used and again whenever the connection is
/// lost. `deadline` bounds each call, and so does the `query_timeout` of the settings.
pub(super) trait Store: std::fmt::Debug + Send {
    /// The database in words, as in `the PostgreSQL database shop`.
    fn name(&self) -> String;

    /// The first `limit` rows that `statement` gives, each bounded by what is read at all.
    fn rows(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
        deadline: Deadline,
    ) -> Result<Vec<Row>, ReadError>;

    /// The digests, with the key `key`, of the rows that each of `reads` gives now.
    fn digests(
        &mut self,
        reads: &[&Recorded],
        key: &RandomState,
        deadline: Deadline,
    ) -> Result<Vec<u64>, ReadError> {
        one_by_one(reads, key, |read| {
            self.rows(&read.statement, &read.parameters(), read.limit, deadline)
        })
    }

    /// Runs `statement` in the connection's transaction, and returns how many rows it changed.
    fn execute(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        deadline: Deadline,
    ) -> Result<u64, Unavailable>;

    /// Commits what was [executed](Self::execute), and ends the transaction.
    fn commit(&mut self, deadline: Deadline) -> Result<(), Unavailable>;

    /// The names of the columns that `statement` gives, without running it.
    fn names(&mut self, statement: &str, deadline: Deadline) -> Result<Vec<String>, Unavailable>;

    /// The columns of `table`, none where there is no such table.
    fn columns(&mut self, table: &str, deadline: Deadline) -> Result<Vec<Column>, Unavailable>;

    /// The columns of `table` that an index begins with.
    fn indexed(&mut self, table: &str, deadline: Deadline) -> Result<Vec<String>, Unavailable>;

    /// The Unix seconds of the quoted `column` of the type `kind`, where that is a type of moments
    /// that would be shown by some zone's clock.
    fn seconds_of(&self, _column: &str, _kind: &str) -> Option<String> {
        None
    }

    /// The schemas that have a table `table`, wherever it is searched for; none where there are no
    /// schemas to search.
    fn schemas_with(
        &mut self,
        _table: &str,
        _deadline: Deadline,
    ) -> Result<Vec<String>, Unavailable> {
        Ok(Vec::new())
    }

    /// Whether a table `table` may exist even where [`columns`](Self::columns) gives none.
    fn hides(&mut self, _table: &str, _deadline: Deadline) -> Result<bool, Unavailable> {
        Ok(false)
    }

    /// The state of the database; `None` where it does not report one, or only to a statement that
    /// costs as much as what it could spare.
    fn state(&mut self, _deadline: Deadline) -> Result<Option<State>, Unavailable> {
        Ok(None)
    }

    /// The state of the database, whatever it costs; `None` where it does not report one.
    fn asked_state(&mut self, deadline: Deadline) -> Result<Option<State>, Unavailable> {
        self.state(deadline)
    }

    /// Whether two tables are better joined as they are than as derived tables.
    fn joins_tables(&self) -> bool {
        false
    }

    /// Ends what the first query began; `well` says whether all of them were answered.
    fn end(&mut self, _well: bool) {}

    /// Whether it is a file on this machine, so that a query takes no longer than reading it.
    fn is_at_hand(&self) -> bool {
        false
    }

    /// Stops waiting for locks of other programs.
    fn wait_for_no_lock(&mut self) {}

    /// The statement that gives the seconds since 1970 by the server's clock; `None` without a
    /// server.
    fn clock(&self) -> Option<&'static str> {
        None
    }

    /// The statement that gives a word for how well the server follows another, and the seconds since
    /// the last change that it has; `None` without a server.
    fn replication(&self) -> Option<&'static str> {
        None
    }

    /// How the server that was asked last followed another, where that is measured.
    fn following(&self) -> Option<Following> {
        None
    }

    /// How the server follows another; `None` without a server.
    fn measure_following(&mut self, _deadline: Deadline) -> Result<Option<Following>, Unavailable> {
        Ok(None)
    }

    /// The parameters `:schema` and `:table` by which statements about `table` find it.
    fn place(&self, table: &str) -> [(&'static str, Value); 2] {
        place(table)
    }

    /// The statement that gives a row where an index of the table at its [`place`](Self::place) begins with `:column` as
    /// [`same_but_for_case`](Self::same_but_for_case) compares names in ASCII.
    fn indexed_but_for_case(&self) -> &'static str;

    /// The key of such an index, for the quoted `column`; `None` where there cannot be one.
    fn key_but_for_case(&self, column: &str) -> Option<String>;

    /// Whether the exact comparison finds the same where there is such an index.
    fn folds_by_collation(&self) -> bool {
        false
    }

    /// The condition that the quoted `column` is the parameter `:name`, whose value is `name`, when
    /// case is ignored. It may match more.
    fn same_but_for_case(&self, column: &str, name: &str) -> String;

    /// As [`rows`](Self::rows), of the database's own tables.
    fn own_rows(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        deadline: Deadline,
    ) -> Result<Vec<Row>, Unavailable> {
        let rows = self.rows(statement, parameters, usize::MAX, deadline);
        rows.map_err(|error| error.into_unavailable(&self.name()))
    }
}

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

/// The state of a database: while it is the same, so is everything that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Which connection, or which start of a server, `version` belongs to.
    pub(super) since: u64,
    pub(super) version: i64,
}

/// Why there are no rows.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The database answers with more than is read.
    TooLong(TooLong),
    /// The database cannot be read.
    Unavailable(Unavailable),
}

impl ReadError {
    /// The error of the database called `name`.
    pub(super) fn into_unavailable(self, name: &str) -> Unavailable {
        match self {
            Self::TooLong(too_long) => {
                Unavailable::too_long(format!("{name}: {}", too_long.describe(LARGEST_DATA)))
            }
            Self::Unavailable(cause) => cause,
        }
    }
}

impl From<TooLong> for ReadError {
    fn from(too_long: TooLong) -> Self {
        Self::TooLong(too_long)
    }
}

impl From<Unavailable> for ReadError {
    fn from(cause: Unavailable) -> Self {
        Self::Unavailable(cause)
    }
}

/// The schema, NULL where the name has none, and the table of its own name.
pub(super) fn place(table: &str) -> [(&'static str, Value); 2] {
    let (schema, table) = match TableName::parse(table) {
        Some(name) => (name.schema.map_or(Value::Null, Value::Text), name.table),
        None => (Value::Null, table.to_owned()),
    };
    [(":schema", schema), (":table", table.into())]
}
