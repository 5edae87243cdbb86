//! What the readers of every serialization hand on.

use crate::Invalid;
use crate::datetime::DateTime;

/// A wanted member's value, as far as anybody here cares.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Null,
    /// A number with a fraction or an exponent.
    Fraction(f64),
    DateTime(DateTime),
    /// Anything else: a collection, a boolean, an object, a whole number past 64 bits, a text
    /// longer than [`LONGEST_TEXT`] or in an unknown encoding.
    Other,
}

/// What comes of Python's `None` in place of a session. Its caches say it for nothing, too.
pub(crate) const NONE: Invalid = Invalid::Format("it is None");

/// The longest text that is handed on, in bytes. No primary key, backend or hash comes near it.
pub(crate) const LONGEST_TEXT: usize = 4096;
