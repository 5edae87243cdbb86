//! Reads two look-ups in one statement, where both will be wanted: that spares a way to the server
//! and back. Results never depend on it.

use std::sync::Arc;

use super::look_up::{LookUp, MOST, Parts};
use super::sizes::longest;
use super::{Queries, Row, Value};
use crate::Unavailable;

/// What has been read before it was asked for, and will be.
#[derive(Debug)]
pub(super) struct ReadAhead<'a> {
    joined: &'a mut Joined,
    foreseen: Option<(LookUp, Value)>,
    /// What look-ups gave that have not been asked for yet.
    read: Vec<(LookUp, Value, Vec<Row>)>,
}

impl<'a> ReadAhead<'a> {
    pub(super) fn new(joined: &'a mut Joined) -> Self {
        Self {
            joined,
            foreseen: None,
            read: Vec::new(),
        }
    }

    /// What `look_up` gave for `value`. A second call has it read anew.
    fn take(&mut self, look_up: &LookUp, value: &Value) -> Option<Vec<Row>> {
        let is = |(read, of, _): &(LookUp, Value, _)| read == look_up && of == value;
        let place = self.read.iter().position(is)?;
        Some(self.read.swap_remove(place).2)
    }
}

impl Queries<'_> {
    /// The rows that `look_up` gives for `value`, two at most. A look-up that is
    /// [foreseen](Self::foresee) is read in the same statement, where it can be.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn look_up(&mut self, look_up: &LookUp, value: Value) -> Result<Vec<Row>, Unavailable> {
        if let Some(rows) = self.read_ahead.take(look_up, &value) {
            return Ok(rows);
        }
        if let Some((other, other_value)) = self.read_ahead.foreseen.take()
            && other != *look_up
        {
            self.together((look_up, value.clone()), (&other, other_value), |_| ())?;
            if let Some(rows) = self.read_ahead.take(look_up, &value) {
                return Ok(rows);
            }
        }
        self.look_up_alone(look_up, &[(look_up.0.parameter, value)])
    }

    fn look_up_alone(
        &mut self,
        look_up: &LookUp,
        parameters: &[(&str, Value)],
    ) -> Result<Vec<Row>, Unavailable> {
        self.bounded(&look_up.0.statement, parameters, MOST, look_up.0.bound)
    }

    /// Reads what two look-ups give in one statement. Where that is one row of the first, and one or
    /// none of the second, `look` is shown both as one row, and they are kept for
    /// [`look_up`](Self::look_up).
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn together(
        &mut self,
        one: (&LookUp, Value),
        two: (&LookUp, Value),
        look: impl FnOnce(&Row),
    ) -> Result<(), Unavailable> {
        let statement = self.read_ahead.joined.statement(one.0, two.0);
        let parameters = [(one.0.0.parameter, one.1), (two.0.0.parameter, two.1)];
        let bound = one.0.0.bound.max(two.0.0.bound);
        let mut rows = match self.bounded(&statement, &parameters, MOST, bound) {
            // Which of the two it is tells what comes of it.
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
        let read = &mut self.read_ahead.read;
        read.push((one.0.clone(), value, vec![Row(values)]));
        // The first column is NULL where the second look-up gives no row.
        if other.first().is_some_and(|first| *first != Value::Null) {
            read.push((two.0.clone(), other_value, vec![Row(other)]));
        }
        Ok(())
    }

    /// Hints that what `look_up` gives for `value` will probably be wanted, after another look-up.
    pub fn foresee(&mut self, look_up: &LookUp, value: Value) {
        self.read_ahead.foreseen = Some((look_up.clone(), value));
    }

    /// Reads what is [foreseen](Self::foresee) by itself, while another store is awaited, which half
    /// of the time is left to. What cannot be read is read again when it is wanted.
    pub fn read_foreseen(&mut self) {
        let Some((look_up, value)) = self.read_ahead.foreseen.take() else {
            return;
        };
        let deadline = self.deadline;
        self.deadline = deadline.at_most(deadline.remaining() / 2);
        let parameters = [(look_up.0.parameter, value)];
        let rows = self.look_up_alone(&look_up, &parameters);
        self.deadline = deadline;
        let [(_, value)] = parameters;
        if let Ok(rows) = rows {
            self.read_ahead.read.push((look_up, value, rows));
        }
    }
}

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
/// `two`. Each is a derived table, so that no name in one can mean a
/// column of the other.
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
