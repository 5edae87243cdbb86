//! Defines the literals of a file, what a value becomes as a string and as a key, and the errors.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use super::surroundings::Surroundings;

/// A value.
#[derive(Clone, PartialEq)]
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
    pub(crate) fn text(bytes: Vec<u8>) -> Self {
        Self::Text(Zeroizing::new(bytes))
    }

    /// The string that the value becomes beside a `.`; `None` for floats, whose form goes by PHP's
    /// settings, and arrays.
    pub(crate) fn into_text(self) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(number) => Some(Zeroizing::new(number.to_string().into_bytes())),
            Self::Boolean(true) => Some(Zeroizing::new(b"1".to_vec())),
            Self::Boolean(false) | Self::Null => Some(Zeroizing::default()),
            Self::Float(_) | Self::Array(_) => None,
        }
    }

    /// The array key that the value becomes; `None` for those that PHP rounds or refuses.
    pub(crate) fn into_key(self) -> Option<Key> {
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

/// The literals of a PHP file.
#[derive(Debug, Default)]
pub struct Literals {
    pub(crate) variables: BTreeMap<String, Entry>,
    /// By class, in lower case, and property.
    pub(crate) properties: BTreeMap<String, BTreeMap<String, Entry>>,
    pub(crate) constants: BTreeMap<String, Entry>,
    /// By variable, its elements whose values are not literals.
    pub(crate) holes: BTreeMap<String, Vec<Hole>>,
    /// The last statement that may have set any variable or constant.
    pub(crate) spoilt: Option<NotLiteral>,
    /// The same for the properties of a class.
    pub(crate) spoilt_classes: BTreeMap<String, NotLiteral>,
}

pub(crate) type Entry = Result<Literal, NotLiteral>;

/// An element of an array whose value is not a literal, and the keys that lead to it.
#[derive(Debug)]
pub(crate) struct Hole {
    pub(crate) path: Vec<Key>,
    pub(crate) not_literal: NotLiteral,
}

/// A name whose value the file does not give in a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: this is not a literal value, and PHP is not run to compute it")]
pub struct NotLiteral {
    /// The line, from 1, of the statement that decides the value.
    pub line: usize,
}

impl Literals {
    /// The value of `$name` at the end of the file. `None` when the file does not mention it.
    ///
    /// # Errors
    /// [`NotLiteral`] when the file does not give it in a literal.
    pub fn variable(&self, name: &str) -> Result<Option<&Literal>, NotLiteral> {
        self.element(name, &[])
    }

    /// The value of `$name['key']…` at the end of the file, a key for each of `keys`. `None` when
    /// there is no such element.
    ///
    /// # Errors
    /// [`NotLiteral`] when the file does not give it in a literal.
    pub fn element(&self, name: &str, keys: &[&str]) -> Result<Option<&Literal>, NotLiteral> {
        let mut found = look_up(self.variables.get(name), self.spoilt)?;
        let path: Vec<Key> = keys.iter().filter_map(|key| text_key(key)).collect();
        let holes = self.holes.get(name).into_iter().flatten();
        for hole in holes {
            if path.starts_with(&hole.path) || hole.path.starts_with(&path) {
                return Err(hole.not_literal);
            }
        }
        for key in &path {
            let Some(Literal::Array(elements)) = found else {
                return Ok(None);
            };
            let element = elements.iter().find(|(other, _)| other == key);
            found = element.map(|(_, value)| value);
        }
        Ok(found)
    }

    /// The value of the property `name` in a new object of `class`. `None` when the class, if the
    /// file has it, does not declare it.
    ///
    /// # Errors
    /// [`NotLiteral`] when the file does not give it in a literal.
    pub fn property(&self, class: &str, name: &str) -> Result<Option<&Literal>, NotLiteral> {
        let class = class.to_ascii_lowercase();
        let entry = self
            .properties
            .get(&class)
            .and_then(|properties| properties.get(name));
        look_up(entry, self.spoilt_classes.get(&class).copied())
    }

    /// The same, where `defaults` are set by another file that runs after it, and sets what is not set
    /// yet.
    #[must_use]
    pub fn or_else(mut self, defaults: Surroundings) -> Self {
        for (name, value) in defaults.constants {
            if let Ok(None) = self.constant(&name) {
                self.constants.insert(name, Ok(value));
            }
        }
        for (name, value) in defaults.variables {
            if let Ok(None | Some(Literal::Null)) = self.variable(&name) {
                self.variables.insert(name, Ok(value));
            }
        }
        self
    }

    /// Whether a statement in the file may set any name to anything.
    #[must_use]
    pub fn sets_anything(&self) -> bool {
        self.spoilt.is_some()
    }

    /// The value of the constant `name`. `None` when the file does not define it.
    ///
    /// # Errors
    /// [`NotLiteral`] when the file does not give it in a literal.
    pub fn constant(&self, name: &str) -> Result<Option<&Literal>, NotLiteral> {
        look_up(self.constants.get(name), self.spoilt)
    }
}

/// The array key that PHP makes of the text `key`.
fn text_key(key: &str) -> Option<Key> {
    Literal::text(key.as_bytes().to_vec()).into_key()
}

fn look_up(
    entry: Option<&Entry>,
    spoilt: Option<NotLiteral>,
) -> Result<Option<&Literal>, NotLiteral> {
    match (entry, spoilt) {
        (Some(Ok(literal)), _) => Ok(Some(literal)),
        (Some(Err(not_literal)), _) => Err(*not_literal),
        (None, Some(spoilt)) => Err(spoilt),
        (None, None) => Ok(None),
    }
}

/// A file that PHP itself would not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}
