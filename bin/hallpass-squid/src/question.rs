//! What a line asks.

use std::net::IpAddr;

use hallpass_core::cookie::{self, Cookie};
use hallpass_core::{
    ClaimedName, Client, Conditions, Credential, InvalidCondition, Reason, Request, Requirement,
    Secret,
};
use hallpass_runtime::lines::Line;
use zeroize::Zeroizing;

use crate::line;
use crate::options::{Asked, External};

/// What Squid writes where there is nothing, also for an acl line that has no words.
const NOTHING: &str = "-";

/// Why a line is not a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It is not what Squid writes.
    Line,
    /// A word of the acl line in squid.conf is not a condition.
    Condition(InvalidCondition),
}

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
    /// The client that sent these Cookie headers, and the name that Squid has authenticated.
    Visitor {
        login: ClaimedName,
        cookies: Zeroizing<Vec<u8>>,
    },
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
        | Asked::Session {
            external: External { concurrency, .. },
            ..
        } => match concurrency {
            true => Some(split().ok_or(Malformed::Line)?),
            false => None,
        },
    };
    Ok(split.map_or((None, &line.bytes), |(channel, rest)| (Some(channel), rest)))
}

impl Input {
    /// Reads `rest`, a line without its channel.
    pub fn parse(asked: &Asked, rest: &[u8]) -> Result<Self, Malformed> {
        let words = line::words(rest).ok_or(Malformed::Line)?;
        let mut words = words.into_iter().map(line::unescape);
        let mut next = || words.next().ok_or(Malformed::Line);
        let first = next()?;
        let (subject, tells_client) = match asked {
            Asked::Basic { client, .. } => {
                let (name, password) = (text(&first), Secret::new(text(&next()?)));
                (Subject::Password { name, password }, *client)
            }
            Asked::Group(_) if first.is_empty() => return Err(Malformed::Line),
            Asked::Group(external) => (Subject::Name(text(&first)), external.client),
            Asked::Session { login, external } => {
                let (login, cookies) = match login {
                    true => (claimed(&first)?, next()?),
                    false => (ClaimedName::Nameless, first),
                };
                (Subject::Visitor { login, cookies }, external.client)
            }
        };
        let client = if tells_client {
            address(&next()?)?
        } else {
            None
        };
        let conditions = match asked {
            Asked::Basic { .. } if words.len() > 0 => return Err(Malformed::Line),
            Asked::Basic { conditions, .. } => conditions.clone().into(),
            Asked::Group(_) | Asked::Session { .. } => Conditions {
                any: listed(&words.map(|word| text(&word)).collect::<Vec<_>>())?,
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
            Subject::Visitor { login, .. } => login.as_deref(),
        }
    }

    /// The question, by the site's session cookie, where its name is known.
    ///
    /// # Errors
    /// The reason, where the answer is no without a question.
    pub fn question(self, session_cookie: Option<Cookie<'_>>) -> Result<Request, Reason> {
        let (name, credential) = match self.subject {
            Subject::Password { name, password } => {
                (ClaimedName::Named(name), Credential::Password(password))
            }
            // Nobody has logged in.
            Subject::Name(name) if name == NOTHING => return Err(Reason::UnknownUser),
            // In any of no groups is nobody.
            Subject::Name(_) if self.conditions.any.is_empty() => return Err(Reason::NotPermitted),
            Subject::Name(name) => (ClaimedName::Named(name), Credential::Vouched),
            Subject::Visitor { login, cookies } => {
                let found = cookie::credential([cookies.as_slice()], session_cookie);
                (login, found.ok_or(Reason::NoSession)?)
            }
        };
        Ok(Request {
            conditions: self.conditions,
            client: Client::at(self.client),
            ..Request::new(name, credential)
        })
    }
}

/// The client's address; none where Squid knows none.
fn address(word: &[u8]) -> Result<Option<IpAddr>, Malformed> {
    let word = text(word);
    if word == NOTHING {
        return Ok(None);
    }
    word.parse().map(Some).map_err(|_| Malformed::Line)
}

/// The name that Squid has authenticated; none where it has not asked for one.
fn claimed(word: &[u8]) -> Result<ClaimedName, Malformed> {
    match word {
        b"" => Err(Malformed::Line),
        b"-" => Ok(ClaimedName::Nameless),
        name => Ok(ClaimedName::Named(text(name))),
    }
}

/// What the words of an acl line ask for.
fn listed(words: &[String]) -> Result<Vec<Requirement>, Malformed> {
    if words == [NOTHING] {
        return Ok(Vec::new());
    }
    let listed: Result<_, InvalidCondition> = words.iter().map(|word| word.parse()).collect();
    listed.map_err(Malformed::Condition)
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
