//! Looks rows up in one table by the value of one column, or in two tables in one statement, which
//! saves a round trip.

use std::sync::Arc;

use super::sizes::{LARGEST_DATA, LARGEST_VALUE};
use super::value::{Row, Value};

/// The most rows that a look-up returns: one is the answer, and two mean several.
pub(super) const MOST: usize = 2;

/// A look-up in one table by the value of one column. Copies of it are the same look-up.
#[derive(Clone, Debug)]
pub struct LookUp(Arc<Parts>);

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) columns: Vec<String>,
    table: String,
    by: String,
    /// What the parameter is called, with the colon.
    pub(super) parameter: &'static str,
    /// The statement.
    pub(super) statement: String,
    /// The longest value that is read, in bytes.
    pub(super) bound: usize,
}

impl LookUp {
    /// The look-up that reads `columns` of `table` where the column `by` is `parameter`, which is
    /// written `:name`. Names are quoted identifiers; a column may be an expression, and a table
    /// may have an alias after it for expressions to name. The first column is never NULL.
    #[must_use]
    pub fn new(columns: &[&str], table: &str, by: &str, parameter: &'static str) -> Self {
        Self::bounded(columns, table, by, parameter, LARGEST_VALUE)
    }

    /// As [`new`](Self::new), where the row holds a session's data.
    #[must_use]
    pub fn of_data(columns: &[&str], table: &str, by: &str, parameter: &'static str) -> Self {
        Self::bounded(columns, table, by, parameter, LARGEST_DATA)
    }

    /// Its parts.
    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    fn bounded(
        columns: &[&str],
        table: &str,
        by: &str,
        parameter: &'static str,
        bound: usize,
    ) -> Self {
        let statement = format!(
            "SELECT {} FROM {table} WHERE {by} = {parameter}",
            columns.join(", ")
        );
        Self(Arc::new(Parts {
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            table: table.to_owned(),
            by: by.to_owned(),
            parameter,
            statement,
            bound,
        }))
    }
}

impl PartialEq for LookUp {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A row that was read together with another, with its look-up and value.
pub(super) type ReadRow = (LookUp, Value, Row);

/// The last two look-ups that were joined, and their statement.
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
        let statement: Arc<str> = join(one, two).into();
        self.0 = Some((one.clone(), two.clone(), Arc::clone(&statement)));
        statement
    }
}

/// The statement that reads a row of `one` and that of `two` beside it, or NULL for each column of
/// `two`. Each is a derived table, so that no name in one can refer to a column of the other.
fn join(one: &LookUp, two: &LookUp) -> String {
    let derived = |look_up: &LookUp, alias: &str| {
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
    let columns = |look_up: &LookUp, alias: &str| {
        let column = |number| format!("{alias}.c{number}");
        let columns: Vec<String> = (0..look_up.0.columns.len()).map(column).collect();
        columns.join(", ")
    };
    format!(
        "SELECT {}, {} FROM {} LEFT JOIN {} ON 1 = 1",
        columns(one, "a"),
        columns(two, "b"),
        derived(one, "a"),
        derived(two, "b"),
    )
}
