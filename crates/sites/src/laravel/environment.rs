//! Reads a site's `.env` as phpdotenv does (src/Parser of vlucas/phpdotenv 5.4), and its values as
//! `env()` gives them (src/Illuminate/Support/Env.php of laravel/framework 8.83).

use std::collections::BTreeMap;

use zeroize::Zeroizing;

/// The longest file that is read, in bytes.
pub(super) const LONGEST_FILE: usize = 256 << 10;

/// The variables of a file.
#[derive(Default)]
pub(crate) struct Environment(BTreeMap<String, Zeroizing<String>>);

/// Never shows a value.
impl std::fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// A value, as `env()` gives it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Variable<'a> {
    /// Text.
    Text(&'a str),
    /// `true`, `(true)`, `false` or `(false)`.
    Boolean(bool),
    /// `null` or `(null)`.
    Null,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The line, from 1, that the variable begins at.
    pub(crate) line: usize,
    /// What is wrong, to follow the line.
    pub(crate) reason: &'static str,
}

impl Environment {
    /// Reads `text`. As there, one line that is wrong spoils all.
    ///
    /// # Errors
    /// [`Wrong`] for the first such line.
    pub(crate) fn parse(text: &str) -> Result<Self, Wrong> {
        let mut read = Self::default();
        if text.len() > LONGEST_FILE {
            return Err(Wrong {
                line: 1,
                reason: "the file is larger than 256 KiB",
            });
        }
        for (line, entry) in entries(text) {
            let wrong = |reason| Wrong { line, reason };
            let (name, value) = match entry.split_once('=') {
                Some((name, value)) => (name.trim_matches(BLANK), Some(value.trim_matches(BLANK))),
                None => (entry.trim_matches(BLANK), None),
            };
            let name = variable_name(name).ok_or_else(|| wrong("the name is not valid"))?;
            // `NAME` alone sets nothing.
            let Some(value) = value else {
                read.0.remove(name);
                continue;
            };
            let value = read.value(value).map_err(wrong)?;
            read.0.insert(name.to_owned(), value);
        }
        Ok(read)
    }

    /// What `env(name)` gives; `None` where there is no such variable.
    pub(crate) fn get(&self, name: &str) -> Option<Variable<'_>> {
        let text = self.0.get(name)?.as_str();
        Some(match text.to_ascii_lowercase().as_str() {
            "true" | "(true)" => Variable::Boolean(true),
            "false" | "(false)" => Variable::Boolean(false),
            "null" | "(null)" => Variable::Null,
            "empty" | "(empty)" => Variable::Text(""),
            _ => Variable::Text(unquoted(text).unwrap_or(text)),
        })
    }

    /// The text of `name`, where it has one that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Variable::Text(text) => Some(text).filter(|text| !text.is_empty()),
            Variable::Boolean(_) | Variable::Null => None,
        }
    }

    /// A value, with quotes, escapes, comments and variables undone.
    fn value(&self, value: &str) -> Result<Zeroizing<String>, &'static str> {
        let mut text = Zeroizing::new(String::with_capacity(value.len()));
        // Where a dollar sign stands that may begin a variable.
        let mut dollars = Vec::new();
        let mut letters = value.chars();
        let mut state = State::Initial;
        while let Some(letter) = letters.next() {
            state = match (state, letter) {
                (State::Initial, '\'') => State::Single,
                (State::Initial, '"') => State::Double,
                (State::Initial | State::Unquoted | State::After, '#') => break,
                (State::Unquoted | State::After, letter) if is_space(letter) => State::After,
                (State::After, _) => return Err("something follows white space or a quote"),
                (State::Single, '\'') | (State::Double, '"') => State::After,
                (State::Double, '\\') => {
                    text.push(match letters.next() {
                        Some(letter @ ('"' | '\\' | '$')) => letter,
                        Some('n') => '\n',
                        Some('r') => '\r',
                        Some('t') => '\t',
                        Some('f') => '\u{c}',
                        Some('v') => '\u{b}',
                        Some(_) => return Err("an escape sequence is unknown"),
                        None => return Err("a closing quote is missing"),
                    });
                    State::Double
                }
                (State::Initial | State::Unquoted, letter) => {
                    if letter == '$' {
                        dollars.push(text.len());
                    }
                    text.push(letter);
                    State::Unquoted
                }
                (State::Double, letter) => {
                    if letter == '$' {
                        dollars.push(text.len());
                    }
                    text.push(letter);
                    State::Double
                }
                (State::Single, letter) => {
                    text.push(letter);
                    State::Single
                }
            };
        }
        if matches!(state, State::Single | State::Double) {
            return Err("a closing quote is missing");
        }
        // From the end, so that nothing is replaced in what was put there.
        for at in dollars.into_iter().rev() {
            let (before, after) = text.split_at_checked(at).unwrap_or((&text, ""));
            let Some((name, rest)) = after.strip_prefix("${").and_then(|it| it.split_once('}'))
            else {
                continue;
            };
            let Some(known) = self.0.get(name).filter(|_| is_name(name)) else {
                continue;
            };
            if before.len() + known.len() + rest.len() > LONGEST_FILE {
                return Err("the value is larger than 256 KiB");
            }
            text = Zeroizing::new([before, known, rest].concat());
        }
        Ok(text)
    }
}

#[derive(Clone, Copy)]
enum State {
    Initial,
    Unquoted,
    Single,
    Double,
    After,
}

/// What PHP's `trim` takes away.
const BLANK: [char; 6] = [' ', '\t', '\n', '\r', '\0', '\u{b}'];

fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

fn is_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    !name.is_empty() && name.bytes().all(known)
}

/// `NAME`, `export NAME`, `"NAME"`.
fn variable_name(name: &str) -> Option<&str> {
    let exported = name
        .strip_prefix("export")
        .filter(|rest| name.len() > 8 && rest.starts_with(is_space));
    let name = exported.map_or(name, |rest| rest.trim_start_matches(is_space));
    let name = unquoted(name).filter(|it| !it.is_empty()).unwrap_or(name);
    is_name(name).then_some(name)
}

/// The text between two quotes of one kind, on one line.
fn unquoted(text: &str) -> Option<&str> {
    ['"', '\''].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains('\n')).then_some(inner)
    })
}

/// The entries of `text`, with the number of the line that each begins at: lines, and several of them
/// where a double quote is open (src/Parser/Lines.php).
fn entries(text: &str) -> Vec<(usize, String)> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut entries = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.split('\n').enumerate() {
        let starts = line.contains("=\"") && !closes(line, true);
        match open.take() {
            None if starts => open = Some((index + 1, line.to_owned())),
            None => {
                let trimmed = line.trim_matches(BLANK);
                if !trimmed.is_empty() && !trimmed.starts_with('#') {
                    entries.push((index + 1, line.to_owned()));
                }
            }
            Some((first, mut buffer)) => {
                buffer.push('\n');
                buffer.push_str(line);
                match closes(line, starts) {
                    true => entries.push((first, buffer)),
                    false => open = Some((first, buffer)),
                }
            }
        }
    }
    entries
}

/// Whether a line closes the quote that is open, or that it opens itself.
fn closes(line: &str, opens: bool) -> bool {
    if line == "\"" {
        return true;
    }
    let plain = line.replace("\\\\", "");
    let quotes = plain
        .as_bytes()
        .windows(2)
        .filter(|pair| matches!(pair, [before, b'"'] if *before != b'\\'))
        .count();
    quotes > usize::from(opens)
}

/// Asserts what holds for every file. How many variables there are.
#[cfg(all(feature = "init", any(test, fuzzing)))]
#[allow(clippy::panic)]
pub(crate) fn fuzzed(text: &str) -> usize {
    let Ok(read) = Environment::parse(text) else {
        return 0;
    };
    for (name, value) in &read.0 {
        assert!(is_name(name) && value.len() <= LONGEST_FILE);
    }
    let closed = !entries(&format!("{text}\n# more")).is_empty() || read.0.is_empty();
    assert!(closed);
    if let Ok(again) = Environment::parse(&format!("{text}\n\n   # more\n")) {
        assert_eq!(again.0, read.0);
    }
    read.0.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(line: &str) -> Option<String> {
        let text = format!("APP_NAME=Shop\n{line}\n");
        let read = Environment::parse(&text).ok()?;
        read.0.get("KEY").map(|it| it.as_str().to_owned())
    }

    /// As phpdotenv 5.4 itself read these (`tests/vectors/environment.php`).
    #[test]
    fn files_are_read_as_phpdotenv_does() {
        let vectors: Vec<(String, Option<String>)> =
            serde_json::from_str(include_str!("../../tests/data/environment.json")).unwrap();
        assert!(vectors.len() > 50);
        for (line, expected) in vectors {
            assert_eq!(value(&line), expected, "{line:?}");
        }
    }

    #[test]
    fn values_are_those_of_env() {
        let text = "A=true\nB=(FALSE)\nC=null\nD=empty\nE=\"'quoted'\"\nF=\nG='a \"b\"'\n";
        let read = Environment::parse(text).unwrap();
        for (name, expected) in [
            ("A", Some(Variable::Boolean(true))),
            ("B", Some(Variable::Boolean(false))),
            ("C", Some(Variable::Null)),
            ("D", Some(Variable::Text(""))),
            ("E", Some(Variable::Text("quoted"))),
            ("F", Some(Variable::Text(""))),
            ("G", Some(Variable::Text("a \"b\""))),
            ("H", None),
        ] {
            assert!(read.get(name) == expected, "{name}");
        }
        assert_eq!(
            (read.text("E"), read.text("F"), read.text("A")),
            (Some("quoted"), None, None)
        );
        assert!(!format!("{read:?}").contains("quoted"));
    }

    #[test]
    fn values_never_grow_past_the_limit() {
        let mut text = format!("A0={}\n", "x".repeat(1 << 10));
        for level in 1..20 {
            text += &format!("A{level}=\"${{A{0}}}${{A{0}}}\"\n", level - 1);
        }
        let wrong = Environment::parse(&text).unwrap_err();
        assert_eq!(wrong.line, 10);
        let long = "#".repeat(LONGEST_FILE + 1);
        assert!(Environment::parse(&long).is_err());
    }
}
