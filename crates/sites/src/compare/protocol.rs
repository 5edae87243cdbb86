//! Writes the questions to a site's own software, and reads its answers: a line of JSON each, and
//! several for a list. Of the output, lines that begin with [`MARK`] are answers; others are what
//! something else has printed.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What a line begins with that is an answer.
pub const MARK: &[u8] = b"hallpass:";
/// The longest line, in bytes. A list is told a thousand accounts or sessions a line.
pub const LONGEST_LINE: usize = 16 << 20;
/// The longest list, in bytes of all its lines: of some ten million accounts.
pub const LONGEST_LIST: usize = 1 << 30;
/// The most that may be printed besides answers, in bytes.
pub const MOST_JUNK: usize = 64 << 10;

/// A question.
#[derive(Serialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
pub enum Question<'a> {
    /// Which accounts and sessions there are: at most so many, or all.
    List {
        /// How many accounts.
        accounts: Option<usize>,
        /// How many sessions.
        sessions: Option<usize>,
    },
    /// The account that the site calls so, where it may log in.
    Account {
        /// The login name.
        name: &'a str,
    },
    /// Whom a name and the right password let in.
    Login {
        /// The name as typed.
        name: &'a str,
    },
    /// Whom a name and this password let in.
    Password {
        /// The name as typed.
        name: &'a str,
        /// The password as typed.
        password: &'a str,
    },
    /// Whom a name and a password that is made up let in.
    Wrong {
        /// The name as typed.
        name: &'a str,
    },
    /// Whose a live session is.
    Session {
        /// The cookie's value.
        token: &'a str,
    },
}

/// What the software says of itself.
#[derive(Debug, Deserialize)]
pub struct About {
    /// Its name and version.
    pub software: String,
    /// What it does that no question is about.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Whether it knows accounts, and not only sessions.
    #[serde(default = "yes")]
    pub accounts: bool,
}

fn yes() -> bool {
    true
}

/// An answer.
#[derive(Debug, Deserialize)]
#[serde(untagged, bound = "T: Deserialize<'de>")]
pub enum Answer<T> {
    /// There is none, and why not.
    Cannot {
        /// In words.
        cannot: String,
    },
    /// What was asked for.
    Given {
        /// Itself; `None` for nobody, which is said and not left out.
        #[serde(deserialize_with = "Option::deserialize")]
        answer: Option<T>,
        /// The name of the exception, where the site fails: it shows a page that says so then, and
        /// lets nobody in.
        #[serde(default)]
        raised: Option<String>,
        /// Whether the next line goes on with this answer, which only a list does.
        #[serde(default)]
        more: bool,
    },
}

/// Somebody.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Person {
    /// The primary key, as the site writes it; empty where it is not known.
    pub id: String,
    /// The login name; empty where it is not known.
    pub name: String,
}

/// An account that may log in.
#[derive(Debug, Deserialize)]
pub struct Account {
    /// Who it is.
    #[serde(flatten)]
    pub person: Person,
    /// Its groups; `None` where the site has none.
    #[serde(default)]
    pub groups: Option<Vec<String>>,
    /// Some permissions, and whether it holds them.
    #[serde(default)]
    pub permissions: BTreeMap<String, bool>,
    /// Whether it is staff; `None` where the site has no such thing.
    #[serde(default)]
    pub staff: Option<bool>,
    /// Whether it is a superuser; `None` where the site has no such thing.
    #[serde(default)]
    pub superuser: Option<bool>,
}

/// Accounts and sessions of the site.
#[derive(Deserialize)]
pub struct Listing {
    /// Its accounts.
    pub accounts: Listed,
    /// The tokens of sessions.
    pub sessions: Vec<Zeroizing<String>>,
    /// Why sessions cannot be listed, where they cannot.
    pub unlisted: Option<String>,
}

/// Accounts.
#[derive(Deserialize)]
pub struct Listed {
    /// Some of them.
    pub names: Vec<Name>,
    /// How many there are.
    pub count: u64,
}

/// What people type to say who they are.
#[derive(Deserialize)]
pub struct Name {
    /// The login name.
    pub name: String,
    /// The e-mail address; empty where there is none.
    #[serde(default)]
    pub email: String,
}

/// A list, put together from its lines.
pub struct Gathering {
    listing: Option<Listing>,
    /// How many bytes may still come.
    room: usize,
}

/// Why a list is not one.
#[derive(Debug)]
pub enum Unlisted {
    /// A line is not an answer.
    NotAnAnswer(serde_json::Error),
    /// It is longer than the limit.
    TooLong,
}

impl Gathering {
    /// One of at most `room` bytes.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Self {
            listing: None,
            room,
        }
    }

    /// Takes the next line, and gives the answer when it is complete.
    ///
    /// # Errors
    /// When it is not an answer, or the list is too long.
    pub fn push(&mut self, line: &[u8]) -> Result<Option<Answer<Listing>>, Unlisted> {
        self.room = self.room.checked_sub(line.len()).ok_or(Unlisted::TooLong)?;
        let (answer, more) = match read(line).map_err(Unlisted::NotAnAnswer)? {
            Answer::Given {
                answer: Some(part),
                raised: None,
                more,
            } => (part, more),
            // Half a list is none.
            other => return Ok(Some(other)),
        };
        match &mut self.listing {
            Some(listing) => listing.append(answer),
            None => self.listing = Some(answer),
        }
        Ok((!more).then(|| Answer::Given {
            answer: self.listing.take(),
            raised: None,
            more,
        }))
    }
}

impl Listing {
    fn append(&mut self, other: Self) {
        self.accounts.names.extend(other.accounts.names);
        self.accounts.count = self.accounts.count.max(other.accounts.count);
        self.sessions.extend(other.sessions);
        self.unlisted = self.unlisted.take().or(other.unlisted);
    }
}

/// `question` as a line.
///
/// # Errors
/// None that a question can cause.
pub fn line(question: &impl Serialize) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(1024));
    serde_json::to_writer(&mut *line, question)?;
    line.push(b'\n');
    Ok(line)
}

/// What `line` says, where it is an answer.
///
/// # Errors
/// When it is none of the kind that was asked for.
pub fn read<T: DeserializeOwned>(line: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(line.strip_prefix(MARK).unwrap_or(line))
}

/// Splits what a software prints into lines, within limits.
#[derive(Default)]
pub struct Lines {
    pending: Zeroizing<Vec<u8>>,
    junk: usize,
}

/// What is printed is too much, or no answer.
#[derive(Debug, PartialEq, Eq)]
pub struct TooMuch;

impl Lines {
    /// Takes `bytes` that were read, and gives the answers that are complete with them.
    ///
    /// # Errors
    /// [`TooMuch`] when a line is longer than any answer, or there is too much besides answers.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Zeroizing<Vec<u8>>>, TooMuch> {
        let mut answers = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            self.pending.extend_from_slice(line);
            rest = after.get(1..).unwrap_or_default();
            let line = std::mem::take(&mut self.pending);
            if line.starts_with(MARK) {
                answers.push(line);
            } else {
                self.junk += line.len() + 1;
            }
        }
        self.pending.extend_from_slice(rest);
        let begins = self.pending.len().min(MARK.len());
        let may_be = self.pending.get(..begins) == MARK.get(..begins);
        let junk = self.junk + if may_be { 0 } else { self.pending.len() };
        if junk > MOST_JUNK || self.pending.len() > LONGEST_LINE {
            return Err(TooMuch);
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_person(text: &str) -> Option<Answer<Person>> {
        read(format!("hallpass:{text}").as_bytes()).ok()
    }

    #[test]
    fn questions_are_one_line_whatever_is_in_them() {
        let password = Question::Password {
            name: "a\"b\n",
            password: "ü\r\n\0",
        };
        let line = line(&password).unwrap();
        let expected =
            "{\"ask\":\"password\",\"name\":\"a\\\"b\\n\",\"password\":\"ü\\r\\n\\u0000\"}\n";
        assert_eq!(std::str::from_utf8(&line), Ok(expected));
    }

    #[test]
    fn answers_are_told_apart() {
        let alice = read_person(r#"{"answer": {"id": "1", "name": "alice"}}"#);
        assert!(
            matches!(alice, Some(Answer::Given { answer: Some(it), .. }) if it.name == "alice")
        );
        let nobody = read_person(r#"{"answer": null, "raised": "KeyError"}"#);
        let Some(Answer::Given { answer, raised, .. }) = nobody else {
            panic!("{nobody:?}");
        };
        assert_eq!((answer, raised.as_deref()), (None, Some("KeyError")));
        let cannot = read_person(r#"{"cannot": "the database is away"}"#);
        assert!(matches!(cannot, Some(Answer::Cannot { .. })));
    }

    #[test]
    fn what_is_not_an_answer_is_an_error() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            "{\"answer\": 1}",
            "{\"answer\": {\"id\": 1, \"name\": \"alice\"}}",
            "{\"answer\": {\"id\": \"1\"}}",
            "{\"cannot\": 1}",
            "{\"answer\": null",
        ] {
            assert!(read_person(text).is_none(), "{text}");
        }
    }

    #[test]
    fn answers_are_found_between_what_else_is_printed() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"Hello!\nhall").unwrap().len(), 0);
        let answers = lines.push(b"pass:1\nhallpas\nhallpass:2\nh").unwrap();
        let answers: Vec<&[u8]> = answers.iter().map(|it| it.as_slice()).collect();
        assert_eq!(answers, [b"hallpass:1", b"hallpass:2"]);
    }

    /// A line of a list with these names and tokens.
    fn part(names: &[&str], tokens: &[&str], more: bool) -> Vec<u8> {
        let names: Vec<_> = names.iter().map(|it| json!({ "name": it })).collect();
        let accounts = json!({ "names": names, "count": 3 });
        let listing = json!({ "accounts": accounts, "sessions": tokens, "unlisted": null });
        format!("hallpass:{}", json!({ "answer": listing, "more": more })).into_bytes()
    }

    #[test]
    fn a_list_is_the_sum_of_its_lines() {
        let mut list = Gathering::new(LONGEST_LIST);
        assert!(matches!(list.push(&part(&["a", "b"], &[], true)), Ok(None)));
        assert!(matches!(list.push(&part(&["c"], &["s"], true)), Ok(None)));
        let Ok(Some(Answer::Given {
            answer: Some(listing),
            raised: None,
            more: false,
        })) = list.push(&part(&[], &["t"], false))
        else {
            panic!("the last line ends the list");
        };
        let names: Vec<_> = listing.accounts.names.iter().map(|it| &*it.name).collect();
        let tokens: Vec<_> = listing.sessions.iter().map(|it| it.as_str()).collect();
        assert_eq!((names, tokens), (vec!["a", "b", "c"], vec!["s", "t"]));
        assert_eq!((listing.accounts.count, listing.unlisted), (3, None));
    }

    #[test]
    fn half_a_list_is_none() {
        for (last, expected) in [
            (r#"hallpass:{"cannot": "the database is away"}"#, "cannot"),
            (r#"hallpass:{"answer": null, "raised": "Error"}"#, "nothing"),
            (r#"hallpass:{"answer": {"accounts": 1}}"#, "error"),
            ("hallpass:{", "error"),
            ("", "error"),
        ] {
            let mut list = Gathering::new(LONGEST_LIST);
            assert!(matches!(list.push(&part(&["a"], &[], true)), Ok(None)));
            let found = match list.push(last.as_bytes()) {
                Ok(Some(Answer::Cannot { .. })) => "cannot",
                Ok(Some(Answer::Given { answer: None, .. })) => "nothing",
                Err(Unlisted::NotAnAnswer(_)) => "error",
                _ => "other",
            };
            assert_eq!(found, expected, "{last}");
        }
    }

    #[test]
    fn a_list_never_passes_its_limit() {
        let line = part(&["a"], &[], true);
        let mut list = Gathering::new(3 * line.len() - 1);
        assert!(matches!(list.push(&line), Ok(None)));
        assert!(matches!(list.push(&line), Ok(None)));
        assert!(matches!(list.push(&line), Err(Unlisted::TooLong)));
    }

    #[test]
    fn output_never_passes_the_limits() {
        let mut lines = Lines::default();
        for _ in 0..MOST_JUNK / 2 {
            assert_eq!(lines.push(b"y\n").map(|it| it.len()), Ok(0));
        }
        assert_eq!(lines.push(b"y\n"), Err(TooMuch));
        let mut lines = Lines::default();
        assert_eq!(lines.push(&vec![b'y'; MOST_JUNK + 1]), Err(TooMuch));
        let mut lines = Lines::default();
        let mut line = MARK.to_vec();
        line.resize(LONGEST_LINE, b'1');
        assert_eq!(lines.push(&line).map(|it| it.len()), Ok(0));
        assert_eq!(lines.push(b"11"), Err(TooMuch));
    }
}
