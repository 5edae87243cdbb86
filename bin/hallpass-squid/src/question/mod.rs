//! Decodes the request in a line.

use std::net::IpAddr;

use hallpass_core::{
    ClaimedName, Client, Conditions, Credential, InvalidCondition, Reason, Request, Requirement,
    Secret,
};
use hallpass_runtime::lines::Line;
use zeroize::Zeroizing;

use crate::line;
use crate::options::{External, Kind};

/// What Squid writes for an absent value, and for an acl line without words.
const NOTHING: &str = "-";

/// Why a line is not a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Squid does not write such a line.
    Line,
    /// A word of the acl line in squid.conf is not a condition.
    Condition(InvalidCondition),
}

/// The request in a line.
pub struct Input {
    subject: Subject,
    conditions: Conditions,
    /// The client's address, if the line holds it.
    pub client: Option<IpAddr>,
}

/// The account that a line is about.
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

/// Splits a line into its channel, which its answer needs, and the rest.
///
/// The lines of an access list may have any number of words, and a user may be called 7: so the
/// command line must say whether they have channels.
///
/// # Errors
/// [`Malformed`] when a channel is missing.
pub fn channel<'a>(kind: &Kind, line: &'a Line) -> Result<(Option<u32>, &'a [u8]), Malformed> {
    let split = || line::split_channel(&line.bytes);
    let split = match kind {
        Kind::Basic { client, .. } => {
            let blanks = line.bytes.iter().filter(|byte| **byte == b' ').count();
            let one_more = blanks > 1 + usize::from(*client);
            one_more.then(split).flatten()
        }
        Kind::Group(External { concurrency, .. })
        | Kind::Session {
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
    /// Parses `rest`, a line without its channel.
    pub fn parse(kind: &Kind, rest: &[u8]) -> Result<Self, Malformed> {
        let words = line::words(rest).ok_or(Malformed::Line)?;
        let mut words = words.into_iter().map(line::unescape);
        let mut next = || words.next().ok_or(Malformed::Line);
        let first = next()?;
        let (subject, tells_client) = match kind {
            Kind::Basic { client, .. } => {
                let (name, password) = (text(&first), Secret::new(text(&next()?)));
                (Subject::Password { name, password }, *client)
            }
            Kind::Group(_) if first.is_empty() => return Err(Malformed::Line),
            Kind::Group(external) => (Subject::Name(text(&first)), external.client),
            Kind::Session { login, external } => {
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
        let conditions = match kind {
            Kind::Basic { .. } if words.len() > 0 => return Err(Malformed::Line),
            Kind::Basic { conditions, .. } => conditions.clone().into(),
            Kind::Group(_) | Kind::Session { .. } => Conditions {
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

    /// The name in it, for the log.
    pub fn user(&self) -> Option<&str> {
        match &self.subject {
            Subject::Name(name) | Subject::Password { name, .. } => Some(name),
            Subject::Visitor { login, .. } => login.as_deref(),
        }
    }

    /// The request. `shown` finds the credential in a header `Cookie`: the site's session, or a token that
    /// the site signed.
    ///
    /// # Errors
    /// The reason of a denial that needs no request.
    pub fn request(self, shown: impl Fn(&[u8]) -> Option<Credential>) -> Result<Request, Reason> {
        let (name, credential) = match self.subject {
            Subject::Password { name, password } => {
                (ClaimedName::Named(name), Credential::Password(password))
            }
            // The client has not logged in.
            Subject::Name(name) if name == NOTHING => return Err(Reason::UnknownUser),
            // No account is in any of no groups.
            Subject::Name(_) if self.conditions.any.is_empty() => return Err(Reason::NotPermitted),
            Subject::Name(name) => (ClaimedName::Named(name), Credential::Vouched),
            Subject::Visitor { login, cookies } => {
                (login, shown(&cookies).ok_or(Reason::NoSession)?)
            }
        };
        Ok(Request {
            conditions: self.conditions,
            client: Client::at(self.client),
            ..Request::new(name, credential)
        })
    }
}

/// The client's address; `None` where Squid does not know it.
fn address(word: &[u8]) -> Result<Option<IpAddr>, Malformed> {
    let word = text(word);
    if word == NOTHING {
        return Ok(None);
    }
    word.parse().map(Some).map_err(|_| Malformed::Line)
}

/// The name that Squid has authenticated; nameless where it has not authenticated one.
fn claimed(word: &[u8]) -> Result<ClaimedName, Malformed> {
    match word {
        b"" => Err(Malformed::Line),
        b"-" => Ok(ClaimedName::Nameless),
        name => Ok(ClaimedName::Named(text(name))),
    }
}

/// The requirements in the words of an acl line.
fn listed(words: &[String]) -> Result<Vec<Requirement>, Malformed> {
    if words == [NOTHING] {
        return Ok(Vec::new());
    }
    let listed: Result<_, InvalidCondition> = words.iter().map(|word| word.parse()).collect();
    listed.map_err(Malformed::Condition)
}

/// Decodes UTF-8, which browsers send, and else Latin-1, which old clients send.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests;
