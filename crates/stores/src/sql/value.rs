//! Defines the values and rows of statements.

use std::hash::{Hash, Hasher};
use std::time::SystemTime;

/// One value of a row, or one parameter of a statement.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// SQL's NULL.
    Null,
    /// An integer. Booleans are 0 and 1.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes that are not text.
    Bytes(Vec<u8>),
    /// A moment, where the database keeps those and not what some clock showed. Where it has no
    /// type for them, a moment that is bound is UTC's clock as text.
    Moment(SystemTime),
}

impl Value {
    /// The integer that it is, or that its text or bytes spell in decimal digits, white space around
    /// them aside: a site's older tables may keep numbers so. `None` for anything else.
    #[must_use]
    pub fn integer_like(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.trim().parse().ok(),
            Self::Null | Self::Real(_) | Self::Moment(_) => None,
        }
    }
}

/// Of a number the bits, so that it may be another for an equal one.
impl Hash for Value {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        std::mem::discriminant(self).hash(hasher);
        match self {
            Self::Null => {}
            Self::Integer(integer) => integer.hash(hasher),
            Self::Real(real) => real.to_bits().hash(hasher),
            Self::Text(text) => text.hash(hasher),
            Self::Bytes(bytes) => bytes.hash(hasher),
            Self::Moment(moment) => moment.hash(hasher),
        }
    }
}

/// Values may be password hashes and session data, so only their types are shown.
impl std::fmt::Debug for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Null => "Null",
            Self::Integer(_) => "Integer(…)",
            Self::Real(_) => "Real(…)",
            Self::Text(_) => "Text(…)",
            Self::Bytes(_) => "Bytes(…)",
            Self::Moment(_) => "Moment(…)",
        })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

/// One row, its values in the order of the statement's columns.
#[derive(Clone, Debug, Hash, PartialEq)]
pub struct Row(pub(super) Vec<Value>);

impl Row {
    /// Takes the value of the column at `index` out of the row; NULL where there is none.
    pub fn take(&mut self, index: usize) -> Value {
        self.0
            .get_mut(index)
            .map_or(Value::Null, |value| std::mem::replace(value, Value::Null))
    }

    /// Takes the text of the column at `index`; `None` for anything but text.
    pub fn text(&mut self, index: usize) -> Option<String> {
        match self.take(index) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Takes what the column at `index` holds as the text that a site shows of it: names may be
    /// numbers, and text may be in a column of bytes. `None` for NULL, fractions and what is not
    /// UTF-8.
    pub fn words(&mut self, index: usize) -> Option<String> {
        match self.take(index) {
            Value::Text(text) => Some(text),
            Value::Integer(integer) => Some(integer.to_string()),
            Value::Bytes(bytes) => String::from_utf8(bytes).ok(),
            Value::Null | Value::Real(_) | Value::Moment(_) => None,
        }
    }

    /// Whether the column at `index` is true, as a framework reads a boolean: a number that is
    /// not zero.
    pub fn truth(&mut self, index: usize) -> bool {
        matches!(self.take(index), Value::Integer(number) if number != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_shows_numbers_and_bytes_as_text() {
        for (value, expected) in [
            (Value::from("alice"), Some("alice")),
            (Value::Integer(49_123), Some("49123")),
            (Value::Integer(-1), Some("-1")),
            (Value::Bytes("zoë".into()), Some("zoë")),
            (Value::Bytes(vec![0xff]), None),
            (Value::Real(1.5), None),
            (Value::Null, None),
            (Value::Moment(SystemTime::UNIX_EPOCH), None),
        ] {
            assert_eq!(Row(vec![value]).words(0).as_deref(), expected);
        }
        assert_eq!(Row(Vec::new()).words(0), None);
    }
}
