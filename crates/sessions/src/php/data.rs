//! Reads one serialized value as a whole, for sites that keep settings so.

use super::find::Scalar;
use super::serialize;
use super::tree::{Id, Key, Numbering, Tree, Value};
use crate::Invalid;

/// The deepest nesting of arrays.
const MAX_DEPTH: usize = 16;

/// A value that PHP's `serialize` wrote: scalars, and arrays of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// A string, a number, a boolean or null.
    Scalar(Scalar),
    /// An array, in its order. A key that is there twice has its last value.
    Array(Vec<(DataKey, Data)>),
    /// An object, a reference, or an array that lies too deep: nothing that is looked into.
    Other,
}

/// A key of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataKey {
    /// An integer.
    Integer(i64),
    /// A string.
    Text(Vec<u8>),
}

impl DataKey {
    /// The key as a text, as PHP writes it.
    #[must_use]
    pub fn into_text(self) -> Option<String> {
        match self {
            Self::Integer(number) => Some(number.to_string()),
            Self::Text(text) => String::from_utf8(text).ok(),
        }
    }
}

impl Data {
    /// Reads `text`, which `serialize` wrote.
    ///
    /// ```
    /// use hallpass_sessions::php::{Data, Scalar};
    ///
    /// let list = Data::unserialize(br#"a:1:{i:0;s:5:"admin";}"#)?;
    /// let admin = Data::Scalar(Scalar::Text(b"admin".to_vec()));
    /// assert_eq!(list.into_values(), Some(vec![admin]));
    /// assert!(Data::unserialize(b"admin").is_err());
    /// # Ok::<(), hallpass_sessions::Invalid>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`] when it is not one value and nothing else, or too long.
    pub fn unserialize(text: &[u8]) -> Result<Self, Invalid> {
        let tree = serialize::read(text, Numbering::Own)?;
        Ok(read(&tree, 0, MAX_DEPTH))
    }

    /// The elements, where it is an array.
    #[must_use]
    pub fn into_array(self) -> Option<Vec<(DataKey, Self)>> {
        match self {
            Self::Array(elements) => Some(elements),
            Self::Scalar(_) | Self::Other => None,
        }
    }

    /// The values of the elements, where it is an array.
    #[must_use]
    pub fn into_values(self) -> Option<Vec<Self>> {
        let elements = self.into_array()?;
        Some(elements.into_iter().map(|(_, value)| value).collect())
    }

    /// The element `$array[$key]`, where it is an array that has one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Array(elements) = self else {
            return None;
        };
        let is_it = |key_found: &DataKey| matches!(key_found, DataKey::Text(text) if text == key.as_bytes());
        let found = elements.iter().rev().find(|(found, _)| is_it(found));
        found.map(|(_, value)| value)
    }

    /// The text, where it is one in UTF-8.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Scalar(Scalar::Text(text)) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// Whether PHP takes it for true.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Scalar(scalar) => scalar.is_true(),
            Self::Array(elements) => !elements.is_empty(),
            Self::Other => false,
        }
    }
}

fn read(tree: &Tree<'_>, id: Id, depth: usize) -> Data {
    let Some(node) = tree.node(id) else {
        return Data::Other;
    };
    Data::Scalar(match node.value {
        Value::Null => Scalar::Null,
        Value::Boolean(boolean) => Scalar::Boolean(boolean),
        Value::Integer(number) => Scalar::Integer(number.integer()),
        Value::Float(number) => Scalar::Float(number.float()),
        Value::Text(span) => Scalar::Text(tree.bytes(span).to_vec()),
        Value::Array => {
            let Some(depth) = depth.checked_sub(1) else {
                return Data::Other;
            };
            let element = |(child, node): (Id, &super::tree::Node)| {
                let key = match node.key {
                    Key::Integer(number) => DataKey::Integer(number.integer()),
                    Key::Text(span) => DataKey::Text(tree.bytes(span).to_vec()),
                    Key::Unreachable => return None,
                };
                Some((key, read(tree, child, depth)))
            };
            return Data::Array(tree.children(id).filter_map(element).collect());
        }
        Value::Object(_) | Value::Custom(_) | Value::Enumeration => return Data::Other,
        Value::Reference(_) | Value::Lost => return Data::Other,
    })
}
