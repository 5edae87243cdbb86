//! What a path leads to.

/// A value inside a session, as far as anybody here cares.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A string: bytes in whatever encoding the site uses.
    Text(Vec<u8>),
    /// An integer.
    Integer(i64),
    /// A floating-point number; may be infinite or not a number.
    Float(f64),
    /// A boolean.
    Boolean(bool),
    /// PHP's null: the key is there, and `isset` is false.
    Null,
    /// An array, an object or an enum case.
    Compound {
        /// Whether it is an array without elements. An object never is.
        empty: bool,
    },
}

impl Scalar {
    /// Whether PHP takes the value for true: everything but `false`, null, 0, 0.0, the empty
    /// string, the string `"0"` and the empty array (`zend_is_true` in Zend/zend_operators.c).
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Text(text) => !matches!(text.as_slice(), b"" | b"0"),
            Self::Integer(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Boolean(boolean) => *boolean,
            Self::Null => false,
            Self::Compound { empty } => !empty,
        }
    }
}
