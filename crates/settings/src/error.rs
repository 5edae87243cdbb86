//! Describes an error in a file of settings: the file, the line, the key, and never a value.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use serde::de::{Expected, Unexpected};

use crate::words;

/// What is wrong with a file of settings: the file, the line and the key where they are known, and
/// what to do about it. Never the value, which could be a secret.
///
/// As serde's error it takes what a visitor expects for the message, which follows the key:
/// `deadline: is not a duration`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    path: PathBuf,
    line: Option<usize>,
    key: Option<String>,
    message: String,
    /// Whether the key is not there, and so on no line.
    missing: bool,
    /// The file that cannot be read, where that is all.
    unread: Option<PathBuf>,
}

impl Error {
    /// An error of the file at `path` as a whole.
    pub fn file(path: &Path, message: impl Into<String>) -> Self {
        Self::new(path, None, None, message.into())
    }

    pub(crate) fn new(
        path: &Path,
        line: Option<usize>,
        key: Option<String>,
        message: String,
    ) -> Self {
        Self {
            path: path.to_owned(),
            line,
            key,
            message,
            missing: false,
            unread: None,
        }
    }

    /// The same, because the file at `path` cannot be read.
    #[must_use]
    pub fn unread(self, path: &Path) -> Self {
        Self {
            unread: Some(path.to_owned()),
            ..self
        }
    }

    /// The file that cannot be read, where nothing else is wrong.
    #[must_use]
    pub fn unread_file(&self) -> Option<&Path> {
        self.unread.as_deref()
    }

    /// An error whose place is not known yet.
    pub(crate) fn words(message: impl Into<String>) -> Self {
        Self::new(Path::new(""), None, None, message.into())
    }

    /// This error, of something in the value of `key`, which stands on `line`.
    pub(crate) fn under(mut self, key: &str, line: Option<usize>) -> Self {
        self.key = Some(match self.key {
            None => key.to_owned(),
            Some(inner) => format!("{key}.{inner}"),
        });
        self.on(line)
    }

    /// This error, which is on `line`, unless it is known to be on another.
    pub(crate) fn on(mut self, line: Option<usize>) -> Self {
        if !self.missing {
            self.line = self.line.or(line);
        }
        self
    }

    /// This error, of the file at `path`.
    pub(crate) fn of(mut self, path: &Path) -> Self {
        self.path = path.to_owned();
        self
    }
}

impl Display for Error {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        if let Some(key) = &self.key {
            write!(formatter, ": {key}")?;
        }
        write!(formatter, ": {}", self.message)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self::words(message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::words(expected.to_string())
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::words(expected.to_string())
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::words(expected.to_string())
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::words(words::unknown_word(word, known))
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::words(words::unknown_key(key, known.iter().copied())).under(key, None)
    }

    fn missing_field(key: &'static str) -> Self {
        let missing = Self {
            missing: true,
            ..Self::words("is missing")
        };
        missing.under(key, None)
    }
}
