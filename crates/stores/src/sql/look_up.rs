//! Looks rows up in one table by the value of one column, or in two tables in one statement, which
//! spares a way to the server and back.

use std::sync::Arc;

use super::sizes::{LARGEST_DATA, LARGEST_VALUE, longest};
use super::{Queries, Row, Value};
use crate::Unavailable;

/// How many rows a look-up gives at most: one is the answer, and two are as good as many.
const MOST: usize = 2;

/// A look-up in one table by the value of one column. Copies of it are the same look-up.
#[derive(Clone, Debug)]
pub struct LookUp(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    columns: Vec<String>,
    table: String,
    by: String,
    /// What the parameter is called, with the colon.
    parameter: &'static str,
    /// The statement.
    statement: String,
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

impl Queries<'_> {
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
        let LookUp(parts) = look_up;
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
        let statement = self.joined.statement(one.0, two.0);
        let parameters = [(one.0.0.parameter, one.1), (two.0.0.parameter, two.1)];
        let bound = one.0.0.bound.max(two.0.0.bound);
        let mut rows = match self.bounded(&statement, &parameters, MOST, bound) {
            // Each look-up by itself tells whose value it is.
            Err(cause) if cause.is_too_long() => return Ok(()),
            rows => rows?,
        };
        // Several rows do not tell which of the two there are several of, and none may be for a
        // value that the other's column cannot have.
        let (Some(row), true) = (rows.pop(), rows.is_empty()) else {
            return Ok(());
        };
        let count = one.0.0.columns.len().min(row.0.len());
        let (first, second) = row.0.split_at(count);
        if longest(first) > one.0.0.bound || longest(second) > two.0.0.bound {
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
}

/// A row that was read together with another, and what look-up gives it for what value.
pub(super) type ReadRow = (LookUp, Value, Row);

/// The last two look-ups that were put in one statement, and that statement.
#[derive(Debug, Default)]
pub(super) struct Joined(Option<(LookUp, LookUp, Arc<str>)>);

impl Joined {
    fn statement(&mut self, one: &LookUp, two: &LookUp) -> Arc<str> {
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
/// `two`. Each is a derived table, so that no name in one can mean a column of the other.
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
