//! The literals in a PHP file: what Joomla's `configuration.php` and phpBB's `config.php` say,
//! without running PHP.
//!
//! Read are `$name = …;` at the top level, properties with defaults in a class, `define('NAME', …)`
//! and `const NAME = …;`, where the value is a string of any kind without variables in it, a
//! number, a boolean, null, an array of such, or a concatenation of such.
//!
//! Everything else leaves a mark instead of a guess: a variable that is computed, that stands in
//! a branch, or that any statement mentions which is not understood, is known not to be a literal,
//! and asking for it is an error with the line that made it so. A statement that may change any
//! variable (`include`, `eval`, `extract`, `$$name`) marks all that came before.
//!
//! Grammar: Zend/zend_language_scanner.l and Zend/zend_language_parser.y of PHP 8.2.
#![forbid(unsafe_code)]

mod classes;
mod expression;
mod literal;
mod mentions;
mod numbers;
mod scanner;
mod statements;
mod strings;

use std::collections::BTreeMap;

pub use self::literal::{Key, Literal};

/// The largest file that is read, in bytes. What is made of it takes up to 64 times as much.
const MAX_FILE: usize = 128 << 10;

/// What a PHP file says in literals.
#[derive(Debug, Default)]
pub struct Literals {
    variables: BTreeMap<String, Entry>,
    /// By class, in lower case, and property.
    properties: BTreeMap<String, BTreeMap<String, Entry>>,
    constants: BTreeMap<String, Entry>,
    /// The last statement that may have made any variable or constant.
    spoilt: Option<NotLiteral>,
    /// The same for the properties of a class.
    spoilt_classes: BTreeMap<String, NotLiteral>,
}

type Entry = Result<Literal, NotLiteral>;

/// A name whose value the file does not say in a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: this is not a literal value, and PHP is not run to compute it")]
pub struct NotLiteral {
    /// The line, from 1, of what decides the value.
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
    /// What `$name` is at the end of the file. `None` when the file does not mention it.
    ///
    /// # Errors
    /// [`NotLiteral`] when the file does not say it in a literal.
    pub fn variable(&self, name: &str) -> Result<Option<&Literal>, NotLiteral> {
        look_up(self.variables.get(name), self.spoilt)
    }

    /// What `$name` is in a new object of `class`. `None` when the class, if there is one, does
    /// not declare it.
    ///
    /// # Errors
    /// [`NotLiteral`] when the file does not say it in a literal.
    pub fn property(&self, class: &str, name: &str) -> Result<Option<&Literal>, NotLiteral> {
        let class = class.to_ascii_lowercase();
        let spoilt = self.spoilt_classes.get(&class).copied();
        let properties = self.properties.get(&class);
        look_up(
            properties.and_then(|properties| properties.get(name)),
            spoilt,
        )
    }

    /// What the constant `name` is.
    ///
    /// # Errors
    /// [`NotLiteral`] when the file does not say it in a literal.
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
