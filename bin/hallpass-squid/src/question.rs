//! What a line asks.

use std::net::IpAddr;

use hallpass_core::cookie::{self, Cookie};
use hallpass_core::{Client, Conditions, Credential, Question, Reason, Requirement, Secret};
use hallpass_program::lines::Line;
use hallpass_program::requirement;
use zeroize::Zeroizing;

use crate::line;
use crate::options::{Asked, External};

/// What Squid writes where there is nothing, also for an acl line that has no words.
const NOTHING: &str = "-";

/// The line is not what Squid writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A line, read.
pub struct Input {
    subject: Subject,
    conditions: Conditions,
    /// The client's address, where the line tells it.
    pub client: Option<IpAddr>,
}

/// Whom a line is about.
enum Subject {
    Name(String),
    Password {
        name: String,
        password: Secret,
    },
    /// Whoever sent these Cookie headers.
    Visitor(Zeroizing<Vec<u8>>),
}

/// The channel that a line came by, for its answer, and what follows it.
///
/// In an access list the number of words says nothing, and a user may be called 7: so there it must
/// be known whether there are channels.
///
/// # Errors
/// [`Malformed`] when there must be a channel, and is none.
pub fn channel<'a>(asked: &Asked, line: &'a Line) -> Result<(Option<u32>, &'a [u8]), Malformed> {
    let split = || line::split_channel(&line.bytes);
    let split = match asked {
        Asked::Basic { client, .. } => {
            let blanks = line.bytes.iter().filter(|byte| **byte == b' ').count();
            let one_more = blanks > 1 + usize::from(*client);
            one_more.then(split).flatten()
        }
        Asked::Group(External { concurrency, .. })
        | Asked::Session(External { concurrency, .. }) => match concurrency {
            true => Some(split().ok_or(Malformed)?),
            false => None,
        },
    };
    Ok(split.map_or((None, &line.bytes), |(channel, rest)| (Some(channel), rest)))
}

impl Input {
    /// Reads `rest`, a line without its channel.
    pub fn parse(asked: &Asked, rest: &[u8]) -> Result<Self, Malformed> {
        let words = line::words(rest).ok_or(Malformed)?;
        let mut words = words.into_iter().map(line::unescape);
        let mut next = || words.next().ok_or(Malformed);
        let first = next()?;
        let (subject, tells_client) = match asked {
            Asked::Basic { client, .. } => {
                let (name, password) = (text(&first), Secret::new(text(&next()?)));
                (Subject::Password { name, password }, *client)
            }
            Asked::Group(_) if first.is_empty() => return Err(Malformed),
            Asked::Group(external) => (Subject::Name(text(&first)), external.client),
            Asked::Session(external) => (Subject::Visitor(first), external.client),
        };
        let client = if tells_client {
            address(&next()?)?
        } else {
            None
        };
        let conditions = match asked {
            Asked::Basic { .. } if words.len() > 0 => return Err(Malformed),
            Asked::Basic { conditions, .. } => conditions.clone().into(),
            Asked::Group(_) | Asked::Session(_) => Conditions {
                any: listed(words.map(|word| text(&word)).collect()),
                all: Vec::new(),
            },
        };
        Ok(Self {
            subject,
            conditions,
            client,
        })
    }

    /// The name that it holds, for the log.
    pub fn user(&self) -> Option<&str> {
        match &self.subject {
            Subject::Name(name) | Subject::Password { name, .. } => Some(name),
            Subject::Visitor(_) => None,
        }
    }

    /// The question, by the site's session cookie, where its name is known.
    ///
    /// # Errors
    /// The reason, where the answer is no without a question.
    pub fn question(self, session_cookie: Option<Cookie<'_>>) -> Result<Question, Reason> {
        let credential = match self.subject {
            Subject::Password { name, password } => Credential::Password { name, password },
            // Nobody has logged in.
            Subject::Name(name) if name == NOTHING => return Err(Reason::UnknownUser),
            // In any of no groups is nobody.
            Subject::Name(_) if self.conditions.any.is_empty() => return Err(Reason::NotPermitted),
            Subject::Name(name) => Credential::Vouched { name },
            Subject::Visitor(cookies) => {
                let found = cookie::credential([cookies.as_slice()], session_cookie);
                found.ok_or(Reason::NoSession)?
            }
        };
        Ok(Question {
            conditions: self.conditions,
            client: Client::at(self.client),
            ..Question::new(credential)
        })
    }
}

/// The client's address; none where Squid knows none.
fn address(word: &[u8]) -> Result<Option<IpAddr>, Malformed> {
    let word = text(word);
    if word == NOTHING {
        return Ok(None);
    }
    word.parse().map(Some).map_err(|_| Malformed)
}

/// What the words of an acl line ask for.
fn listed(words: Vec<String>) -> Vec<Requirement> {
    if words == [NOTHING] {
        return Vec::new();
    }
    words.into_iter().map(requirement).collect()
}

/// Browsers send UTF-8, and old clients Latin-1: bytes that are not the one are the other.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests;
