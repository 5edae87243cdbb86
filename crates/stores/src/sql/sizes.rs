//! Bounds how much of an answer is read into memory.
//!
//! A visitor fills some columns, a session's data above all. A value that is too large must cost
//! neither the time nor the memory that it would take to read it.

use super::value::{Row, Value};

/// The longest value of a column, in bytes, unless the column holds a session's data.
pub(super) const LARGEST_VALUE: usize = 64 << 10;

/// The longest value of a column that holds a session's data, in bytes. Readers of sessions take
/// less than this.
pub(super) const LARGEST_DATA: usize = 2 << 20;

/// The longest row that is received from a server, in bytes.
pub(super) const LARGEST_ROW: usize = 4 << 20;

/// How much all rows of one answer may be together, in bytes.
const LARGEST_ANSWER: usize = 64 << 20;

/// What is too long to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TooLong {
    /// The value of the column at this place.
    Value(usize),
    /// A value of the column of this name.
    Named(String),
    /// A row, as a whole.
    Row,
    /// All rows together.
    Answer,
}

impl TooLong {
    /// Names the column, where `names` are those of all.
    pub(super) fn named(self, names: &[String]) -> Self {
        match self {
            Self::Value(index) => names.get(index).cloned().map_or(self, Self::Named),
            other => other,
        }
    }

    /// The message, where `bound` is the longest value in bytes.
    pub(super) fn describe(&self, bound: usize) -> String {
        match self {
            Self::Named(name) => {
                format!("a value of the column {name} is longer than {bound} bytes")
            }
            Self::Value(_) => format!("a value is longer than {bound} bytes"),
            Self::Row => format!("a row is longer than {LARGEST_ROW} bytes"),
            Self::Answer => format!("the rows are longer than {LARGEST_ANSWER} bytes together"),
        }
    }
}

/// The longest part of a server's message that is kept, in bytes.
const LONGEST_MESSAGE: usize = 1 << 10;

/// `message`, cut where it is longer than any that a person reads.
pub(super) fn capped(message: &str) -> String {
    if message.len() <= LONGEST_MESSAGE {
        return message.to_owned();
    }
    // A character has at most four bytes.
    let start = (LONGEST_MESSAGE - 3..=LONGEST_MESSAGE)
        .rev()
        .find_map(|end| message.get(..end));
    format!("{}…", start.unwrap_or_default())
}

/// The rows of an answer, none larger than what is taken into memory.
#[derive(Debug, Default)]
pub(super) struct Answer {
    rows: Vec<Row>,
    size: usize,
}

impl Answer {
    /// # Errors
    /// [`TooLong`] where `row` is, or all rows are together.
    pub(super) fn add(&mut self, row: Row) -> Result<(), TooLong> {
        check(&row, LARGEST_DATA)?;
        // What holds them counts: of values without a length of their own there can be millions.
        let held = size_of::<Row>() + row.0.len() * size_of::<Value>();
        let sizes: usize = row.0.iter().map(size).sum();
        self.size = self.size.saturating_add(held + sizes);
        if self.size > LARGEST_ANSWER {
            return Err(TooLong::Answer);
        }
        self.rows.push(row);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }
}

/// # Errors
/// [`TooLong`] where a value of `row` is longer than `bound`.
pub(super) fn check(row: &Row, bound: usize) -> Result<(), TooLong> {
    match row.0.iter().position(|value| size(value) > bound) {
        Some(index) => Err(TooLong::Value(index)),
        None => Ok(()),
    }
}

/// The longest of `values`, in bytes.
pub(super) fn longest(values: &[Value]) -> usize {
    values.iter().map(size).max().unwrap_or(0)
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Null | Value::Integer(_) | Value::Real(_) | Value::Moment(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(lengths: &[usize]) -> Row {
        let text = |length: &usize| Value::Text("a".repeat(*length));
        Row(lengths.iter().map(text).collect())
    }

    #[test]
    fn the_column_that_is_too_long_is_named() {
        let names = ["id", "email"].map(str::to_owned);
        let bound = LARGEST_VALUE;
        assert_eq!(check(&row(&[1, bound]), bound), Ok(()));
        let too_long = check(&row(&[1, bound + 1]), bound).unwrap_err();
        assert_eq!(too_long, TooLong::Value(1));
        let told = too_long.clone().named(&[]).describe(bound);
        assert_eq!(told, "a value is longer than 65536 bytes");
        let told = too_long.named(&names).describe(bound);
        assert!(told.contains("the column email is longer than 65536 bytes"));
    }

    #[test]
    fn an_answer_is_bounded_by_value_and_in_all() {
        let mut answer = Answer::default();
        let too_long = answer.add(row(&[0, LARGEST_DATA + 1]));
        assert_eq!(too_long, Err(TooLong::Value(1)));
        for _ in 1..LARGEST_ANSWER / LARGEST_DATA {
            assert_eq!(answer.add(row(&[LARGEST_DATA])), Ok(()));
        }
        assert_eq!(answer.add(row(&[LARGEST_DATA])), Err(TooLong::Answer));
        assert_eq!(answer.len(), LARGEST_ANSWER / LARGEST_DATA - 1);
    }

    #[test]
    fn values_without_a_length_of_their_own_are_bounded_too() {
        for value in [Value::Null, Value::Integer(1), Value::Text("a".to_owned())] {
            let wide = || Row(vec![value.clone(); 1_000]);
            let mut answer = Answer::default();
            let most = LARGEST_ANSWER / (1_000 * size_of::<Value>());
            while answer.len() < most && answer.add(wide()) == Ok(()) {}
            assert!(answer.len() < most, "{value:?}");
        }
    }
}
