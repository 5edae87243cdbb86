//! Describes the answers of a dialect.

use std::borrow::Cow;

use hallpass_core::{Identity, Verdict};
use serde_json::Value;

/// An answer: a status, a content type, and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Cow<'static, str>,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

impl Reply {
    /// A text, without a line end, because programs compare all of it.
    pub const fn text(status: u16, body: &'static str) -> Self {
        Self {
            status,
            content_type: TEXT,
            body: Cow::Borrowed(body),
        }
    }

    /// JSON.
    pub const fn json(status: u16, body: &'static str) -> Self {
        Self {
            status,
            content_type: JSON,
            body: Cow::Borrowed(body),
        }
    }

    fn of(value: &Value) -> Self {
        Self {
            status: 200,
            content_type: JSON,
            body: Cow::Owned(value.to_string()),
        }
    }
}

/// The answers to the questions at one path. Only `granted` is a yes.
#[derive(Debug)]
pub struct Answers {
    pub granted: Granted,
    pub denied: Reply,
    /// To a question that is left to the program's next authority.
    pub next: Reply,
    pub unavailable: Reply,
    pub malformed: Reply,
}

/// The answer to a question that is granted.
#[derive(Debug)]
pub enum Granted {
    /// The same for all.
    Same(Reply),
    /// JSON with the identity in it, and with what the question wants back. `None` for an identity
    /// that it cannot express, which is denied.
    Made(fn(&Identity, &str) -> Option<Value>),
    /// No question there is ever granted.
    Never,
}

impl Answers {
    /// The answer to a question with this `verdict`, that wants `echo` back.
    pub fn to(&self, verdict: &Verdict, echo: &str) -> Reply {
        match verdict {
            Verdict::Granted(identity) => match &self.granted {
                Granted::Same(reply) => reply.clone(),
                Granted::Made(make) => {
                    let made = make(identity, echo);
                    made.map_or_else(|| self.denied.clone(), |value| Reply::of(&value))
                }
                Granted::Never => self.denied.clone(),
            },
            Verdict::Denied(_) => self.denied.clone(),
            Verdict::Unavailable(_) => self.unavailable.clone(),
        }
    }
}
