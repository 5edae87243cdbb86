//! Values that a PHP file can say without being run.

use std::fmt;

use zeroize::Zeroizing;

/// A value.
#[derive(PartialEq)]
pub enum Literal {
    /// A string: bytes. It may be a password, so it is wiped when dropped and never shown.
    Text(Zeroizing<Vec<u8>>),
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// A boolean.
    Boolean(bool),
    /// `null`.
    Null,
    /// An array, in the order in which its keys came first.
    Array(Vec<(Key, Literal)>),
}

/// A key of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// An integer, or a string that is the decimal form of one.
    Integer(i64),
    /// Any other string.
    Text(Vec<u8>),
}

impl Literal {
    pub(super) fn text(bytes: Vec<u8>) -> Self {
        Self::Text(Zeroizing::new(bytes))
    }

    /// The string that the value is when it stands beside a `.`; none for those whose form is
    /// not worth knowing.
    pub(super) fn into_text(self) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(number) => Some(Zeroizing::new(number.to_string().into_bytes())),
            Self::Boolean(true) => Some(Zeroizing::new(b"1".to_vec())),
            Self::Boolean(false) | Self::Null => Some(Zeroizing::default()),
            Self::Float(_) | Self::Array(_) => None,
        }
    }

    /// The array key that the value becomes; none for those that PHP rounds or refuses.
    pub(super) fn into_key(self) -> Option<Key> {
        match self {
            Self::Text(text) => {
                let integer = std::str::from_utf8(&text).ok();
                let integer = integer.and_then(|text| text.parse::<i64>().ok());
                let integer = integer.filter(|integer| integer.to_string().as_bytes() == *text);
                Some(integer.map_or_else(|| Key::Text(text.to_vec()), Key::Integer))
            }
            Self::Integer(number) => Some(Key::Integer(number)),
            Self::Boolean(boolean) => Some(Key::Integer(boolean.into())),
            Self::Null => Some(Key::Text(Vec::new())),
            Self::Float(_) | Self::Array(_) => None,
        }
    }
}

impl fmt::Debug for Literal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Text(_) => "Text(…)",
            Self::Integer(_) => "Integer(…)",
            Self::Float(_) => "Float(…)",
            Self::Boolean(_) => "Boolean(…)",
            Self::Null => "Null",
            Self::Array(_) => "Array(…)",
        })
    }
}
