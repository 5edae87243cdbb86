//! Parses the way from `$_SESSION` to a value: keys with dots between them.

use std::str::FromStr;

/// The most keys in a path.
const MAX_KEYS: usize = 32;

/// Keys, outermost first, as in `_sf2_attributes.user.username`.
///
/// A dot inside a key is written `\.` and a backslash `\\`; any other backslash stands for
/// itself. A key that PHP would take for an integer (`7`, `-7`, but not `07`) is one, as in
/// `$_SESSION['list']['7']`. Two dots in a row have the empty key between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Key>);

/// One key of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) text: Vec<u8>,
    /// The integer that PHP makes of `text` when it indexes an array with it.
    pub(super) integer: Option<i64>,
}

/// Why a text is not a [`Path`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// There is nothing between the quotes.
    #[error("a path needs at least one key")]
    Empty,
    /// More keys than any session is deep.
    #[error("a path has at most {MAX_KEYS} keys")]
    TooLong,
}

impl Path {
    pub(super) fn keys(&self) -> &[Key] {
        &self.0
    }
}

impl FromStr for Path {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        if text.is_empty() {
            return Err(InvalidPath::Empty);
        }
        let mut keys = Vec::new();
        let mut key = Vec::new();
        let mut rest = text.bytes().peekable();
        while let Some(byte) = rest.next() {
            match byte {
                b'\\' => key.push(
                    rest.next_if(|next| matches!(next, b'.' | b'\\'))
                        .unwrap_or(byte),
                ),
                b'.' => keys.push(Key::new(std::mem::take(&mut key))),
                _ => key.push(byte),
            }
        }
        keys.push(Key::new(key));
        if keys.len() > MAX_KEYS {
            return Err(InvalidPath::TooLong);
        }
        Ok(Self(keys))
    }
}

impl Key {
    pub(super) fn new(text: Vec<u8>) -> Self {
        let integer = integer(&text);
        Self { text, integer }
    }
}

/// The integer that an array key of this text becomes (`ZEND_HANDLE_NUMERIC_STR` in
/// Zend/zend_hash.h): decimal, with nothing that a round trip would lose.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.len() < 19 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(path: &str) -> Vec<String> {
        let path: Path = path.parse().unwrap();
        let text = |key: &Key| String::from_utf8(key.text.clone()).unwrap();
        path.keys().iter().map(text).collect()
    }

    #[test]
    fn dots_separate_and_backslashes_escape() {
        assert_eq!(keys("user"), ["user"]);
        assert_eq!(
            keys("_sf2_attributes.user.username"),
            ["_sf2_attributes", "user", "username"]
        );
        assert_eq!(
            keys(r"_security\.last_username"),
            ["_security.last_username"]
        );
        assert_eq!(keys(r"a\\.b"), [r"a\", "b"]);
        assert_eq!(keys(r"App\User.id"), [r"App\User", "id"]);
        assert_eq!(keys("symfony/user/sfUser/authenticated").len(), 1);
        assert_eq!(keys("a..b."), ["a", "", "b", ""]);
        assert_eq!(keys(r"a\"), [r"a\"]);
    }

    #[test]
    fn nothing_and_too_much_are_no_paths() {
        assert_eq!("".parse::<Path>(), Err(InvalidPath::Empty));
        assert!(["a"; 32].join(".").parse::<Path>().is_ok());
        assert_eq!(
            ["a"; 33].join(".").parse::<Path>(),
            Err(InvalidPath::TooLong)
        );
    }

    #[test]
    fn integers_are_those_of_php_arrays() {
        for (text, expected) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("-7", Some(-7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-0", None),
            ("07", None),
            ("+7", None),
            ("7 ", None),
            ("", None),
            ("-", None),
            ("1e3", None),
        ] {
            assert_eq!(integer(text.as_bytes()), expected, "{text}");
        }
    }
}
