//! A table of the configuration, its keys asked for one by one.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Error, SecretPlace};

/// A parsed file.
pub(super) struct Document<'text> {
    path: PathBuf,
    text: &'text str,
    table: Spanned<DeTable<'text>>,
    warnings: RefCell<Vec<String>>,
    secrets: RefCell<Vec<SecretPlace>>,
}

impl<'text> Document<'text> {
    pub(super) fn parse(path: &Path, text: &'text str) -> Result<Self, Error> {
        // The parser counts nesting with the stack; a configuration has no use for much of it.
        let table = DeTable::parse(text).map_err(|error| {
            let line = line_of(text, error.span().map_or(0, |span| span.start));
            Error::line(path, line, error.message().to_owned())
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
            table,
            warnings: RefCell::default(),
            secrets: RefCell::default(),
        })
    }

    /// The keys outside any table.
    pub(super) fn top(&self) -> Section<'_> {
        Section {
            document: self,
            name: String::new(),
            table: Some(self.table.get_ref()),
            asked: Vec::new(),
        }
    }

    pub(super) fn secrets(&self) -> Vec<SecretPlace> {
        self.secrets.borrow().clone()
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().clone()
    }
}

/// A table, or the absence of one, which reads as a table without keys.
pub(super) struct Section<'document> {
    document: &'document Document<'document>,
    name: String,
    table: Option<&'document DeTable<'document>>,
    asked: Vec<&'static str>,
}

impl<'document> Section<'document> {
    /// Whether the document has the table.
    pub(super) fn is_there(&self) -> bool {
        self.table.is_some()
    }

    /// The value of `key`. From now on it is a known key.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'document DeValue<'document>> {
        self.asked.push(key);
        self.table?.get(key).map(Spanned::get_ref)
    }

    pub(super) fn string(&mut self, key: &'static str) -> Result<Option<String>, Error> {
        match self.value(key) {
            None => Ok(None),
            Some(DeValue::String(text)) => Ok(Some(text.as_ref().to_owned())),
            Some(_) => Err(self.wrong(key, "is not a string")),
        }
    }

    pub(super) fn required_string(&mut self, key: &'static str) -> Result<String, Error> {
        self.string(key)?
            .ok_or_else(|| self.wrong(key, "is missing"))
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Result<Option<bool>, Error> {
        match self.value(key) {
            None => Ok(None),
            Some(DeValue::Boolean(boolean)) => Ok(Some(*boolean)),
            Some(_) => Err(self.wrong(key, "is neither true nor false")),
        }
    }

    /// A whole number within `range`.
    pub(super) fn integer(
        &mut self,
        key: &'static str,
        range: Range<u64>,
    ) -> Result<Option<u64>, Error> {
        let number = match self.value(key) {
            None => return Ok(None),
            Some(DeValue::Integer(integer)) => {
                u64::from_str_radix(integer.as_str(), integer.radix()).ok()
            }
            Some(_) => return Err(self.wrong(key, "is not a whole number")),
        };
        let within = number.filter(|number| range.contains(number));
        let message = || {
            format!(
                "is not from {} to {}",
                range.start,
                range.end.saturating_sub(1)
            )
        };
        Ok(Some(within.ok_or_else(|| self.wrong(key, &message()))?))
    }

    pub(super) fn strings(&mut self, key: &'static str) -> Result<Option<Vec<String>>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let DeValue::Array(array) = value else {
            return Err(self.wrong(key, "is not a list of strings, as in [\"a\", \"b\"]"));
        };
        let text = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
            DeValue::String(text) => Ok(text.as_ref().to_owned()),
            _ => Err(self.wrong(key, "holds something that is not a string")),
        };
        array.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// The table called `name`, which may be absent.
    pub(super) fn section(&mut self, name: &'static str) -> Result<Self, Error> {
        let table = match self.value(name) {
            None => None,
            Some(DeValue::Table(table)) => Some(table),
            Some(_) => return Err(self.wrong(name, "is not a table")),
        };
        Ok(self.table_of(name, table))
    }

    /// The table called `name`, if it is there.
    pub(super) fn optional_section(&mut self, name: &'static str) -> Result<Option<Self>, Error> {
        let section = self.section(name)?;
        Ok(section.table.is_some().then_some(section))
    }

    /// The table that the value of `name` is.
    pub(super) fn table_of(
        &self,
        name: &str,
        table: Option<&'document DeTable<'document>>,
    ) -> Self {
        Self {
            document: self.document,
            name: self.full(name),
            table,
            asked: Vec::new(),
        }
    }

    /// The error that says what is wrong with `key`.
    pub(super) fn wrong(&self, key: &str, message: &str) -> Error {
        let span = self
            .table
            .and_then(|table| table.get_key_value(key))
            .map(|(key, _)| key.span());
        let line = span.map(|span| line_of(self.document.text, span.start));
        Error::key(
            &self.document.path,
            line,
            self.full(key),
            message.to_owned(),
        )
    }

    pub(super) fn warn(&self, key: &str, message: &str) {
        let warning = self.wrong(key, message).to_string();
        self.document.warnings.borrow_mut().push(warning);
    }

    /// Warns of the file at `path` as a whole.
    pub(super) fn warn_of_file(&self, path: &Path, message: &str) {
        let warning = Error::file(path, message.to_owned()).to_string();
        self.document.warnings.borrow_mut().push(warning);
    }

    /// Takes note of where the secret `key` is: in `file`, or in the configuration itself.
    pub(super) fn note_secret(&self, key: &str, file: Option<&Path>) {
        self.document.secrets.borrow_mut().push(SecretPlace {
            key: self.full(key),
            file: file.map(Path::to_path_buf),
        });
    }

    /// The file, for what is relative to it.
    pub(super) fn path(&self) -> &'document Path {
        &self.document.path
    }

    /// An error for the first key that is none of `known`.
    pub(super) fn only(&self, known: &[&'static str]) -> Result<(), Error> {
        let unknown = self.table.into_iter().flatten().find_map(|(key, _)| {
            let key = key.get_ref().as_ref();
            (!known.contains(&key)).then_some(key)
        });
        let Some(unknown) = unknown else {
            return Ok(());
        };
        let nearest = known.iter().min_by_key(|known| distance(known, unknown));
        let near = nearest.filter(|known| distance(known, unknown) <= 2 + unknown.len() / 3);
        let message = near.map_or_else(
            || "no such key; it is not known here".to_owned(),
            |near| format!("no such key; did you mean `{near}`?"),
        );
        Err(self.wrong(unknown, &message))
    }

    /// An error for the first key that nobody asked for.
    pub(super) fn finish(self) -> Result<(), Error> {
        self.only(&self.asked)
    }

    fn full(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour to make one
/// word of the other (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    let at = |rows: &[Vec<usize>], row: usize, column: usize| -> usize {
        rows.get(row)
            .and_then(|row| row.get(column))
            .copied()
            .unwrap_or(usize::MAX / 2)
    };
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let left = row.last().copied().unwrap_or_default();
            let replaced = at(&rows, i, j) + usize::from(a != b);
            let mut best = replaced.min(left + 1).min(at(&rows, i, j + 1) + 1);
            if i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a) {
                best = best.min(at(&rows, i - 1, j - 1) + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    at(&rows, one.len(), other.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_so_far_apart() {
        for (one, other, expected) in [
            ("secret_key", "secret_key", 0),
            ("sercet_key", "secret_key", 1),
            ("secretkey", "secret_key", 1),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }
}
