//! Reads tables of a parsed file into structs, and says where an error is.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::reader::{Fallback, TableReader, line_at, line_of};
use crate::{Error, SecretPlace};

/// A parsed file, and what was noticed while it was read.
pub struct Document<'text> {
    path: PathBuf,
    text: &'text str,
    table: Spanned<DeTable<'text>>,
    warnings: RefCell<Vec<String>>,
    secrets: RefCell<Vec<SecretPlace>>,
    files: RefCell<Vec<PathBuf>>,
}

impl<'text> Document<'text> {
    /// Parses `text` as if it stood in the file at `path`.
    ///
    /// # Errors
    /// [`Error`] with the line on which `text` is not TOML.
    pub fn parse(path: &Path, text: &'text str) -> Result<Self, Error> {
        let table = DeTable::parse(text).map_err(|error| {
            let line = line_at(text, error.span().map_or(0, |span| span.start));
            Error::new(path, Some(line), None, error.message().to_owned())
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
            table,
            warnings: RefCell::default(),
            secrets: RefCell::default(),
            files: RefCell::new(vec![path.to_owned()]),
        })
    }

    /// The keys outside any table.
    #[must_use]
    pub fn top(&self) -> Table<'_> {
        Table {
            document: self,
            name: String::new(),
            table: Some(self.table.get_ref()),
            url_line: None,
        }
    }

    /// Where the secrets are that have been read so far.
    #[must_use]
    pub fn secrets(&self) -> Vec<SecretPlace> {
        self.secrets.borrow().clone()
    }

    /// The files that what has been read so far stands in: this one, and those that it names.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.files.borrow().clone()
    }

    /// What is worth a warning in the log, though nothing is wrong with it.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().clone()
    }
}

/// A table of a [`Document`], or the absence of one, which reads as a table without keys.
pub struct Table<'a> {
    pub(crate) document: &'a Document<'a>,
    /// With those that it is in: `django.cache`.
    name: String,
    pub(crate) table: Option<&'a DeTable<'a>>,
    /// The line on which a URL stands in place of the table; see [`UrlOr`](crate::UrlOr).
    url_line: Option<usize>,
}

impl<'a> Table<'a> {
    /// The file, for what is relative to it.
    #[must_use]
    pub fn path(&self) -> &'a Path {
        &self.document.path
    }

    /// `path` as it stands in the file: relative to it, unless absolute.
    #[must_use]
    pub fn beside(&self, path: impl AsRef<Path>) -> PathBuf {
        let directory = self.path().parent().unwrap_or(Path::new(""));
        directory.join(path)
    }

    /// Takes note that settings stand in the file at `path`, too.
    pub fn note_file(&self, path: &Path) {
        self.document.files.borrow_mut().push(path.to_owned());
    }

    /// Whether the document has the table.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.table.is_some() || self.url_line.is_some()
    }

    /// Whether it is written as a table, and not as a URL.
    #[must_use]
    pub fn is_a_table(&self) -> bool {
        self.table.is_some()
    }

    /// Whether the table has the key.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// What stands at `key`, as it is written in the file, and on which line.
    #[must_use]
    pub fn written(&self, key: &str) -> Option<(usize, &'a str)> {
        let (key, value) = self.entry(key)?;
        let text = self.document.text.get(value.span())?;
        Some((line_of(self.document.text, key), text))
    }

    /// The table called `name`, which may be absent, or have a URL in its place.
    ///
    /// # Errors
    /// [`Error`] where `name` is neither.
    pub fn section(&self, name: &str) -> Result<Self, Error> {
        let (table, url_line) = match self.entry(name) {
            None => (None, None),
            Some((key, value)) => match value.get_ref() {
                DeValue::Table(table) => (Some(table), None),
                DeValue::String(_) => (None, Some(line_of(self.document.text, key))),
                _ => return Err(self.wrong(name, "is not a table")),
            },
        };
        Ok(Self {
            document: self.document,
            name: self.full(name),
            table,
            url_line,
        })
    }

    /// Reads the table.
    ///
    /// # Errors
    /// [`Error`] where a key is unknown or missing, or a value is not what it should be.
    pub fn read<T: Deserialize<'a>>(&self) -> Result<T, Error> {
        self.read_beside(&[], None)
    }

    /// Reads the table, in which the keys `others` may stand as well. What it does not say, the
    /// `fallback` may.
    ///
    /// # Errors
    /// As [`read`](Self::read), and those of `fallback`.
    pub fn read_beside<T: Deserialize<'a>>(
        &self,
        others: &[&str],
        fallback: Option<&dyn Fallback>,
    ) -> Result<T, Error> {
        if self.url_line.is_some() {
            return Err(self.wrong("", "is not a table"));
        }
        let reader = TableReader {
            text: self.document.text,
            table: self.table,
            fallback,
            others,
        };
        T::deserialize(reader).map_err(|error| {
            let error = match self.name.as_str() {
                "" => error,
                name => error.under(name, None),
            };
            error.of(self.path())
        })
    }

    /// The error that says that `word`, which stands at `key`, is none of the `known` ones.
    #[must_use]
    pub fn unknown_word(&self, key: &str, word: &str, known: &[&str]) -> Error {
        self.wrong(key, &crate::words::unknown_word(word, known))
    }

    /// The error that says what is wrong with `key`.
    #[must_use]
    pub fn wrong(&self, key: &str, message: &str) -> Error {
        let (key, line) = match self.url_line {
            Some(line) => (self.name.clone(), Some(line)),
            None => {
                let line = self
                    .entry(key)
                    .map(|(key, _)| line_of(self.document.text, key));
                (self.full(key), line)
            }
        };
        Error::new(self.path(), line, Some(key), message.to_owned())
    }

    /// Takes note of what is worth a warning, though nothing is wrong with it.
    pub fn warn(&self, key: &str, message: &str) {
        let warning = self.wrong(key, message).to_string();
        self.document.warnings.borrow_mut().push(warning);
    }

    /// As [`warn`](Self::warn), of the file at `path` as a whole.
    pub fn warn_of_file(&self, path: &Path, message: &str) {
        let warning = Error::file(path, message).to_string();
        self.document.warnings.borrow_mut().push(warning);
    }

    /// Takes note of where the secret `key` is: in `file`, or in the document itself.
    pub(crate) fn note_secret(&self, key: &str, file: Option<&Path>) {
        let key = match self.url_line {
            Some(_) => self.name.clone(),
            None => self.full(key),
        };
        let file = file.map(Path::to_path_buf);
        let place = SecretPlace { key, file };
        self.document.secrets.borrow_mut().push(place);
    }

    fn entry(&self, key: &str) -> Option<(&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)> {
        self.table?.get_key_value(key)
    }

    fn full(&self, key: &str) -> String {
        match self.name.as_str() {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }
}
