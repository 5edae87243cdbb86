//! What is wrong with a configuration, in words that say where.

use std::path::{Path, PathBuf};

/// What is wrong with a configuration: the file, the line and the key where they are known, and
/// what to do about it. Never the value: it could be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    path: PathBuf,
    line: Option<usize>,
    key: Option<String>,
    message: String,
}

impl Error {
    pub(super) fn file(path: &Path, message: String) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            key: None,
            message,
        }
    }

    pub(super) fn line(path: &Path, line: usize, message: String) -> Self {
        Self {
            path: path.to_owned(),
            line: Some(line),
            key: None,
            message,
        }
    }

    pub(super) fn key(path: &Path, line: Option<usize>, key: String, message: String) -> Self {
        Self {
            path: path.to_owned(),
            line,
            key: Some(key),
            message,
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
