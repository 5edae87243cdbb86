//! Reads the literal values in a PHP file, such as Joomla's `configuration.php` or phpBB's
//! `config.php`, without running PHP.
//!
//! Read are `$name = …;` and `$name['key']… = …;` at the top level, properties with defaults in a
//! class, `define('NAME', …)` and `const NAME = …;`, where the value is a string of any notation without variables in it, a
//! number, a boolean, null, an array of these, or a concatenation of these.
//!
//! Everything else leaves a mark instead of a guess. A variable that is computed, that is assigned
//! in a branch, or that occurs in any statement which is not understood, is known not to be a
//! literal; asking for it is an error with the line that made it so. A statement that may change
//! any variable (`include`, `eval`, `extract`, `$$name`) marks all that came before it.
//!
//! [`read_among`] knows what is around the file as well: it evaluates `__DIR__`, constants and
//! variables whose values it has read, `if` with `defined`, `isset` and `file_exists`, and reads the
//! files that are included.
//!
//! A file that returns an array of settings is read by [`returned`]: what it calls is asked of the
//! caller, and what is not known stays so, element by element.
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
// The example of the README is a test, too.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

mod classes;
mod conditions;
mod elements;
mod expression;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod included;
mod literal;
mod mentions;
mod returned;
mod scanner;
mod statements;
mod strings;
mod surroundings;

pub use self::literal::{Key, Literal, Literals, NotLiteral, SyntaxError};
pub use self::returned::{Call, Returned, returned, words};
pub use self::surroundings::{Files, Included, Surroundings};

/// The largest file that is read, in bytes. Its literals take up to 64 times as much memory.
const MAX_FILE: usize = 128 << 10;

/// Reads the literals in `source`, the bytes of a PHP file.
///
/// # Errors
/// [`SyntaxError`] when the file is larger than 128 KiB, or a string, a comment or a bracket in it
/// does not end.
pub fn read(source: &[u8]) -> Result<Literals, SyntaxError> {
    statements::read(&tokens(source)?, Surroundings::default(), None)
}

/// Reads the literals in `source` as [`read`] does, where `surroundings` and `files` are around it.
/// An error in an included file has the line that includes it.
///
/// ```
/// use hallpass_php_literals::{Files, Included, Literal, Surroundings, read_among};
///
/// struct NoFiles;
/// impl Files for NoFiles {
///     fn include(&mut self, path: &str) -> Included {
///         Included::Unknown
///     }
///     fn exists(&mut self, path: &str) -> Option<bool> {
///         Some(false)
///     }
///     fn is_file(&mut self, path: &str) -> Option<bool> {
///         Some(false)
///     }
/// }
///
/// let source = br"<?php if (!defined('ABSPATH')) { define('ABSPATH', __DIR__ . '/'); }";
/// let path = "/srv/site/wp-config.php".to_owned();
/// let surroundings = Surroundings { path, ..Surroundings::default() };
/// let literals = read_among(source, surroundings, &mut NoFiles)?;
/// let path = literals.constant("ABSPATH")?;
/// assert!(matches!(path, Some(Literal::Text(path)) if **path == *b"/srv/site/"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`read`], and when an included file is not PHP.
pub fn read_among(
    source: &[u8],
    surroundings: Surroundings,
    files: &mut dyn Files,
) -> Result<Literals, SyntaxError> {
    statements::read(&tokens(source)?, surroundings, Some(files))
}

fn tokens(source: &[u8]) -> Result<Vec<scanner::Token>, SyntaxError> {
    if source.len() > MAX_FILE {
        return Err(SyntaxError {
            line: 1,
            reason: "the file is larger than 128 KiB",
        });
    }
    scanner::tokens(source)
}
