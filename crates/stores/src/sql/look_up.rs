//! Describes a look-up in one table by the value of one column.

use std::sync::Arc;

use super::sizes::{LARGEST_DATA, LARGEST_VALUE};

/// How many rows a look-up gives at most: one is the answer, and two are as good as many.
pub(super) const MOST: usize = 2;

/// A look-up in one table by the value of one column. Copies of it are the same look-up.
#[derive(Clone, Debug)]
pub struct LookUp(pub(super) Arc<Parts>);

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) columns: Vec<String>,
    pub(super) table: String,
    pub(super) by: String,
    /// What the parameter is called, with the colon.
    pub(super) parameter: &'static str,
    /// The statement.
    pub(super) statement: String,
    /// The longest value that is read, in bytes.
    pub(super) bound: usize,
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
