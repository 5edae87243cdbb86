//! Reads rows by the names of their columns.

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Row, Value};

/// The rows that a statement gave.
#[derive(Debug)]
pub(super) struct Rows {
    /// The statement's key in the configuration.
    key: &'static str,
    names: Vec<String>,
    rows: Vec<Row>,
}

impl Rows {
    /// The first `limit` rows that `statement`, the value of `key`, gives.
    pub(super) fn read(
        queries: &mut Queries<'_>,
        key: &'static str,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Self, Unavailable> {
        let rows = queries.rows(statement, parameters, limit)?;
        // Asked for afterwards: a table that has changed shows when the statement is run.
        let names = if rows.is_empty() {
            Vec::new()
        } else {
            queries.names(statement)?
        };
        Ok(Self { key, names, rows })
    }

    /// Where the column called `name` is, in whatever case.
    pub(super) fn column(&self, name: &str) -> Result<Option<usize>, Unavailable> {
        let mut found = self
            .names
            .iter()
            .enumerate()
            .filter(|(_, column)| column.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => Err(Unavailable::new(format!(
                "[custom] {}: the statement gives two columns called {name}; `AS` names them",
                self.key
            ))),
            (found, _) => Ok(found.map(|(at, _)| at)),
        }
    }

    /// Where the column called `name` is; or the only column, whatever it is called.
    pub(super) fn only_column(&self, name: &str) -> Result<usize, Unavailable> {
        match self.column(name)? {
            Some(at) => Ok(at),
            None if self.names.len() == 1 => Ok(0),
            None => Err(self.missing(name)),
        }
    }

    /// Where the column called `name` is, which must be there.
    pub(super) fn needed_column(&self, name: &str) -> Result<usize, Unavailable> {
        self.column(name)?.ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &str) -> Unavailable {
        Unavailable::new(format!(
            "[custom] {}: the statement gives no column called {name}; `AS {name}` names one so",
            self.key
        ))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }
}

/// A key as text, as a session would spell it; `None` for what is not a key. It is of the column
/// `column` that the statement `key` gives.
///
/// # Errors
/// [`Unavailable`] for bytes, which no session spells.
pub(super) fn key_text(
    value: &Value,
    key: &str,
    column: &str,
) -> Result<Option<String>, Unavailable> {
    match value {
        Value::Integer(key) => Ok(Some(key.to_string())),
        Value::Text(key) if !key.is_empty() => Ok(Some(key.clone())),
        Value::Bytes(_) => Err(Unavailable::new(format!(
            "[custom] {key}: the column {column} gives bytes; have the statement write them as \
             text, as in `HEX({column}) AS {column}`"
        ))),
        _ => Ok(None),
    }
}

/// The value in the database of a key that is spelt `text`. Digits are a number there, in nearly
/// all of them; a database with a text column finds it all the same.
pub(super) fn key_value(text: &str) -> Value {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => Value::Integer(number),
        _ => Value::from(text),
    }
}

/// Whether a column is true. What may be either is not.
pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Integer(number) => *number != 0,
        Value::Text(text) => {
            let yes = ["1", "t", "true", "y", "yes", "on"];
            yes.iter().any(|yes| text.eq_ignore_ascii_case(yes))
        }
        // A bit of MySQL.
        Value::Bytes(bytes) => matches!(bytes.as_slice(), [1 | b'1']),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_spelling() {
        for text in [
            "7",
            "-7",
            "0",
            "007",
            "+7",
            "7abc",
            "1.0",
            "9223372036854775808",
            "ä",
        ] {
            let key = key_text(&key_value(text), "user", "id").unwrap();
            assert_eq!(key.as_deref(), Some(text));
        }
        assert_eq!(key_value("7"), Value::Integer(7));
        assert_eq!(key_value("007"), Value::from("007"));
        for value in [Value::Null, Value::Real(7.0), Value::from("")] {
            assert_eq!(key_text(&value, "user", "id"), Ok(None));
        }
        let bytes = key_text(&Value::Bytes(vec![7]), "user", "id").unwrap_err();
        assert!(bytes.to_string().contains("HEX(id) AS id"), "{bytes}");
    }

    #[test]
    fn only_what_says_yes_is_true() {
        for value in [1.into(), (-1).into(), "1".into(), "T".into(), "yes".into()] {
            assert!(truth(&value));
        }
        assert!(truth(&Value::Bytes(vec![1])));
        for value in [
            0.into(),
            "0".into(),
            "".into(),
            "f".into(),
            "no".into(),
            "2".into(),
        ] {
            assert!(!truth(&value));
        }
        for value in [
            Value::Null,
            Value::Bytes(vec![0]),
            Value::Bytes(vec![]),
            Value::Real(1.0),
        ] {
            assert!(!truth(&value));
        }
    }
}
