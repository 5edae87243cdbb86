//! Reads the literal values in a PHP file, such as Joomla's `configuration.php` or phpBB's
//! `config.php`, without running PHP.
//!
//! Read are `$name = …;` at the top level, properties with defaults in a class, `define('NAME', …)`
//! and `const NAME = …;`, where the value is a string of any notation without variables in it, a
//! number, a boolean, null, an array of these, or a concatenation of these.
//!
//! Everything else leaves a mark instead of a guess. A variable that is computed, that is assigned
//! in a branch, or that occurs in any statement which is not understood, is known not to be a
//! literal; asking for it is an error with the line that made it so. A statement that may change
//! any variable (`include`, `eval`, `extract`, `$$name`) marks all that came before it.
//!
//! Strings may be passwords: they are wiped when dropped, and never shown by `Debug`. The input is
//! limited to 128 KiB, nesting to 64, and arrays to 1000 elements.
//!
//! ```
//! use hallpass_php_literals::{Literal, read};
//!
//! let literals = read(br#"<?php
//! $dbname = 'shop_' . "live";
//! $dbpasswd = getenv('DB_PASSWORD');
//! class JConfig {
//!     public $lifetime = 15;
//! }
//! "#)?;
//! let name = literals.variable("dbname")?;
//! assert!(matches!(name, Some(Literal::Text(text)) if **text == *b"shop_live"));
//! assert_eq!(literals.property("JConfig", "lifetime")?, Some(&Literal::Integer(15)));
//! assert_eq!(literals.variable("dbhost")?, None);
//! // It is set, but PHP would have to run to tell what to.
//! assert_eq!(literals.variable("dbpasswd").unwrap_err().line, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The file goes through the scanner (bytes to tokens), then the statements one by one. Written by
//! hand, because PHP parsers that are kept up are large and change often, and none evaluates
//! literals. Grammar: Zend/zend_language_scanner.l and Zend/zend_language_parser.y of PHP 8.2.
#![forbid(unsafe_code)]

mod classes;
mod expression;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod mentions;
mod scanner;
mod statements;
mod strings;

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

/// The largest file that is read, in bytes. What is made of it takes up to 64 times as much.
const MAX_FILE: usize = 128 << 10;

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

/// The literals of a PHP file.
#[derive(Debug, Default)]
pub struct Literals {
    variables: BTreeMap<String, Entry>,
    /// By class, in lower case, and property.
    properties: BTreeMap<String, BTreeMap<String, Entry>>,
    constants: BTreeMap<String, Entry>,
    /// The last statement that may have set any variable or constant.
    spoilt: Option<NotLiteral>,
    /// The same for the properties of a class.
    spoilt_classes: BTreeMap<String, NotLiteral>,
}

type Entry = Result<Literal, NotLiteral>;

/// A name whose value the file does not give in a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: this is not a literal value, and PHP is not run to compute it")]
pub struct NotLiteral {
    /// The line, from 1, of the statement that decides the value.
    pub line: usize,
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

/// Reads the literals in `source`, the bytes of a PHP file.
///
/// # Errors
/// [`SyntaxError`] when the file is larger than 128 KiB, or a string, a comment or a bracket in it
/// does not end.
pub fn read(source: &[u8]) -> Result<Literals, SyntaxError> {
    if source.len() > MAX_FILE {
        return Err(SyntaxError {
            line: 1,
            reason: "the file is larger than 128 KiB",
        });
    }
    statements::read(&scanner::tokens(source)?)
}

impl Literals {
    /// The value of `$name` at the end of the file. `None` when the file does not mention it.
    ///
    /// # Errors
    /// [`NotLiteral`] when the file does not give it in a literal.
    pub fn variable(&self, name: &str) -> Result<Option<&Literal>, NotLiteral> {
        look_up(self.variables.get(name), self.spoilt)
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

    /// The value of the constant `name`. `None` when the file does not define it.
    ///
    /// # Errors
    /// [`NotLiteral`] when the file does not give it in a literal.
    pub fn constant(&self, name: &str) -> Result<Option<&Literal>, NotLiteral> {
        look_up(self.constants.get(name), self.spoilt)
    }
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

impl Literal {
    fn text(bytes: Vec<u8>) -> Self {
        Self::Text(Zeroizing::new(bytes))
    }

    /// The string that the value becomes beside a `.`; `None` for floats, whose form goes by PHP's
    /// settings, and arrays.
    fn into_text(self) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(number) => Some(Zeroizing::new(number.to_string().into_bytes())),
            Self::Boolean(true) => Some(Zeroizing::new(b"1".to_vec())),
            Self::Boolean(false) | Self::Null => Some(Zeroizing::default()),
            Self::Float(_) | Self::Array(_) => None,
        }
    }

    /// The array key that the value becomes; `None` for those that PHP rounds or refuses.
    fn into_key(self) -> Option<Key> {
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
