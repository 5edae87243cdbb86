//! Describes what is around a file: where it is, what is set before it runs, and what it includes.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::literal::Literal;

/// The longest text that is made of names, and not written down, in bytes.
pub(crate) const MAX_MADE: usize = 1024;
/// How deep files include each other.
pub(crate) const MAX_INCLUDED: usize = 8;
/// How many files are included in all.
pub(crate) const MAX_FILES: usize = 32;

/// What is around a file.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// Its absolute path, which `__FILE__` and `__DIR__` come from.
    pub path: String,
    /// Constants that are defined before it runs.
    pub constants: BTreeMap<String, Literal>,
    /// Variables that are set before it runs.
    pub variables: BTreeMap<String, Literal>,
}

/// The files around a file.
pub trait Files {
    /// What a file of this absolute path is to an `include`.
    fn include(&mut self, path: &str) -> Included;

    /// Whether there is a file or a directory of this absolute path; `None` where that cannot be
    /// told.
    fn exists(&mut self, path: &str) -> Option<bool>;

    /// Whether there is a file of this absolute path; `None` where that cannot be told.
    fn is_file(&mut self, path: &str) -> Option<bool>;
}

/// What a file is to an `include`.
pub enum Included {
    /// Its bytes, which are read in its place.
    File(Zeroizing<Vec<u8>>),
    /// It changes nothing that is asked for.
    Nothing,
    /// It cannot be read: it may change any variable.
    Unknown,
}

/// PHP's `dirname`.
pub(crate) fn dirname(path: &[u8], levels: usize) -> Vec<u8> {
    let mut path = path;
    for _ in 0..levels.min(MAX_MADE) {
        let end = path.iter().rposition(|byte| *byte != b'/');
        let trimmed = path.get(..end.map_or(0, |end| end + 1)).unwrap_or_default();
        let Some(slash) = trimmed.iter().rposition(|byte| *byte == b'/') else {
            return match path.first() {
                Some(b'/') => b"/".to_vec(),
                Some(_) => b".".to_vec(),
                None => Vec::new(),
            };
        };
        let parent = trimmed.get(..slash).unwrap_or_default();
        let end = parent.iter().rposition(|byte| *byte != b'/');
        let Some(end) = end else {
            return b"/".to_vec();
        };
        path = parent.get(..=end).unwrap_or_default();
    }
    path.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As PHP 8.2 answers.
    #[test]
    fn directories_are_phps() {
        for (path, levels, expected) in [
            ("/srv/site/wp-config.php", 1, "/srv/site"),
            ("/srv/site/", 1, "/srv"),
            ("/srv/site//sites//", 1, "/srv/site"),
            ("/srv/site/wp-config.php", 2, "/srv"),
            ("/srv", 1, "/"),
            ("/", 1, "/"),
            ("/srv", 9, "/"),
            ("file", 1, "."),
            ("", 1, ""),
        ] {
            let found = dirname(path.as_bytes(), levels);
            assert_eq!(String::from_utf8(found).as_deref(), Ok(expected), "{path}");
        }
    }
}
