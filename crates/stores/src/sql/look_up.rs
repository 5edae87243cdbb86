//! Rows that are looked up by one column: those of one table, or of two tables at once.

use std::sync::Arc;

use super::sizes::{LARGEST_DATA, LARGEST_VALUE, longest};
use super::{Row, Value};

/// How many rows a look-up gives at most: one is the answer, and two are as good as many.
pub(super) const MOST: usize = 2;

/// A look-up in one table by the value of one column. Copies of it are the same look-up.
#[derive(Clone, Debug)]
pub struct LookUp(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    columns: Vec<String>,
    table: String,
    by: String,
    parameter: &'static str,
    alone: String,
    /// The longest value that is read, in bytes.
    bound: usize,
}

impl LookUp {
    /// The look-up that reads `columns` of `table` where the column `by` is `parameter`, which is
    /// written `:name`. Names are quoted identifiers; a column may be an expression, and a table may
    /// have an alias after it for expressions to name. The first column is NULL in no row.
    #[must_use]
    pub fn new(columns: &[&str], table: &str, by: &str, parameter: &'static str) -> Self {
        Self::bounded(columns, table, by, parameter, LARGEST_VALUE)
    }

    /// As [`new`](Self::new), where the row holds a session's data.
    #[must_use]
    pub fn of_data(columns: &[&str], table: &str, by: &str, parameter: &'static str) -> Self {
        Self::bounded(columns, table, by, parameter, LARGEST_DATA)
    }

    fn bounded(
        columns: &[&str],
        table: &str,
        by: &str,
        parameter: &'static str,
        bound: usize,
    ) -> Self {
        let alone = format!(
            "SELECT {} FROM {table} WHERE {by} = {parameter}",
            columns.join(", ")
        );
        Self(Arc::new(Parts {
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            table: table.to_owned(),
            by: by.to_owned(),
            parameter,
            alone,
            bound,
        }))
    }

    /// Its statement.
    pub(super) fn alone(&self) -> &str {
        &self.0.alone
    }

    /// The longest value that is read, in bytes.
    pub(super) fn bound(&self) -> usize {
        self.0.bound
    }

    /// What its parameter is called, with the colon.
    pub(super) fn parameter(&self) -> &'static str {
        self.0.parameter
    }

    /// The statement that reads a row of this look-up and the one of `other` beside it, or NULL
    /// for each of that one's columns. Each is a derived table, so that no name in one can mean a
    /// column of the other.
    fn beside(&self, other: &Self) -> String {
        let derived = |look_up: &Self, alias: &str| {
            let Parts {
                columns,
                table,
                by,
                parameter,
                ..
            } = &*look_up.0;
            let column = |(number, column)| format!("{column} AS c{number}");
            let columns: Vec<String> = columns.iter().enumerate().map(column).collect();
            let columns = columns.join(", ");
            format!("(SELECT {columns} FROM {table} WHERE {by} = {parameter}) {alias}")
        };
        let columns = |look_up: &Self, alias: &str| {
            let column = |number| format!("{alias}.c{number}");
            let columns: Vec<String> = (0..look_up.0.columns.len()).map(column).collect();
            columns.join(", ")
        };
        format!(
            "SELECT {}, {} FROM {} LEFT JOIN {} ON 1 = 1",
            columns(self, "a"),
            columns(other, "b"),
            derived(self, "a"),
            derived(other, "b"),
        )
    }

    /// The longest value of this look-up's columns, and of another's at the end of `row`, in bytes.
    pub(super) fn lengths(&self, row: &Row) -> (usize, usize) {
        let (own, other) = row.0.split_at(self.0.columns.len().min(row.0.len()));
        (longest(own), longest(other))
    }

    /// Takes the row of another look-up off the end of this one's. The other's is `None` where it
    /// has none.
    pub(super) fn split(&self, row: Row) -> (Row, Option<Row>) {
        let Row(mut values) = row;
        let other = values.split_off(self.0.columns.len().min(values.len()));
        let there = other.first().is_some_and(|first| *first != Value::Null);
        (Row(values), there.then_some(Row(other)))
    }
}

impl PartialEq for LookUp {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A look-up that will probably be asked for later in the same question.
#[derive(Debug)]
pub(super) struct Foreseen {
    pub(super) look_up: LookUp,
    pub(super) value: Value,
}

/// What a look-up gave that has not been asked for yet.
#[derive(Debug)]
pub(super) struct ReadAhead {
    pub(super) look_up: LookUp,
    pub(super) value: Value,
    pub(super) rows: Vec<Row>,
}

/// The last two look-ups that were put in one statement, and that statement.
#[derive(Debug, Default)]
pub(super) struct Joined(Option<(LookUp, LookUp, Arc<str>)>);

impl Joined {
    pub(super) fn statement(&mut self, one: &LookUp, two: &LookUp) -> Arc<str> {
        if let Some((last_one, last_two, statement)) = &self.0
            && last_one == one
            && last_two == two
        {
            return Arc::clone(statement);
        }
        let statement: Arc<str> = one.beside(two).into();
        self.0 = Some((one.clone(), two.clone(), Arc::clone(&statement)));
        statement
    }
}
