//! Parses the way from a session to a value in it: names of members with dots between them.

use std::str::FromStr;

/// The most names in a path.
const MAX_NAMES: usize = 32;

/// Names of members, outermost first, as in `passport.user`.
///
/// A dot inside a name is written `\.` and a backslash `\\`; any other backslash stands for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberPath(Vec<String>);

/// Why a text is not a [`MemberPath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMemberPath {
    /// A name is empty, or there is none.
    #[error("each name in a path has at least one character")]
    Empty,
    /// More names than any session is deep.
    #[error("a path has at most {MAX_NAMES} names")]
    TooLong,
}

impl MemberPath {
    /// The names, outermost first. There is at least one.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl FromStr for MemberPath {
    type Err = InvalidMemberPath;

    fn from_str(text: &str) -> Result<Self, InvalidMemberPath> {
        let mut names = Vec::new();
        let mut name = String::new();
        let mut rest = text.chars().peekable();
        while let Some(letter) = rest.next() {
            match letter {
                '\\' => name.push(
                    rest.next_if(|next| matches!(next, '.' | '\\'))
                        .unwrap_or(letter),
                ),
                '.' => names.push(std::mem::take(&mut name)),
                _ => name.push(letter),
            }
        }
        names.push(name);
        if names.iter().any(String::is_empty) {
            return Err(InvalidMemberPath::Empty);
        }
        if names.len() > MAX_NAMES {
            return Err(InvalidMemberPath::TooLong);
        }
        Ok(Self(names))
    }
}

/// What stands at the end of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// Nothing: the member is missing, null, false or an empty text.
    Nothing,
    /// A text that is not empty.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true`.
    True,
    /// Anything else, which names no account for certain: a list, an object, a fraction, a
    /// number or a text too long.
    Unclear,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_separate_and_backslashes_escape() {
        let names = |path: &str| path.parse::<MemberPath>().unwrap().0;
        assert_eq!(names("_user_id"), ["_user_id"]);
        assert_eq!(names("passport.user.id"), ["passport", "user", "id"]);
        assert_eq!(names(r"a\.b.c\\"), ["a.b", r"c\"]);
        assert_eq!(names(r"a\b"), [r"a\b"]);
    }

    #[test]
    fn empty_names_and_long_paths_are_refused() {
        for path in ["", ".", "a.", ".a", "a..b"] {
            let parsed = path.parse::<MemberPath>();
            assert_eq!(parsed, Err(InvalidMemberPath::Empty), "{path}");
        }
        assert!(["a"; 32].join(".").parse::<MemberPath>().is_ok());
        let long = ["a"; 33].join(".").parse::<MemberPath>();
        assert_eq!(long, Err(InvalidMemberPath::TooLong));
    }
}
