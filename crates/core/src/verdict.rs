//! Defines the verdict on a request.

use std::time::SystemTime;

use hallpass_stores::Unavailable;

use crate::{Account, Decoding, PasswordStamp, Reason};
use hallpass_sites::Stop;

/// The answer to a request. A failed store is an outcome of its own, and never a denial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The client is who it claims to be, and is let in.
    Granted(Box<Identity>),
    /// The client is not let in. The reason goes to logs only, not to hosts or clients.
    Denied(Reason),
    /// A store could not be asked. Nothing is known, so the client is not let in.
    Unavailable(Unavailable),
}

impl Verdict {
    /// The stable word for logs and programs: `granted`, `denied` or `unavailable`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Granted(_) => "granted",
            Self::Denied(_) => "denied",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// The stable word for why not; `None` when granted.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Granted(_) => None,
            Self::Denied(reason) => Some(reason.word()),
            Self::Unavailable(_) => Some("unavailable"),
        }
    }
}

impl From<Unavailable> for Verdict {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

impl From<Result<Identity, Stop>> for Verdict {
    fn from(answer: Result<Identity, Stop>) -> Self {
        match answer {
            Ok(identity) => Self::Granted(Box::new(identity)),
            Err(Stop::Denied(reason)) => Self::Denied(reason),
            Err(Stop::Unavailable(cause)) => Self::Unavailable(cause),
        }
    }
}

impl From<Verdict> for Result<Identity, Stop> {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Granted(identity) => Ok(*identity),
            Verdict::Denied(reason) => Err(reason.into()),
            Verdict::Unavailable(cause) => Err(cause.into()),
        }
    }
}

/// The account that a client proved to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The login name as the site stores it, whatever was typed.
    pub name: String,
    /// The primary key, as the site writes it into its sessions.
    pub id: String,
    /// The e-mail address; empty where the site has none.
    pub email: String,
    /// The person's full name; empty where the site has none.
    pub full_name: String,
    /// The groups the account is in, in alphabetical order.
    pub groups: Vec<String>,
    /// The session that proved it, where one did.
    pub session: Option<Session>,
    /// A stamp of the account's password, where a name was [asked about
    /// again](crate::Authenticator::recheck).
    pub stamp: Option<PasswordStamp>,
}

/// Without groups and session.
impl From<&Account> for Identity {
    fn from(account: &Account) -> Self {
        Self {
            name: account.name.clone(),
            id: account.id.text.clone(),
            email: account.email.clone(),
            full_name: account.full_name.clone(),
            ..Self::default()
        }
    }
}

/// A live session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names the session for as long as it lives, and tells nothing of its key.
    pub digest: String,
    /// When the site lets it end, if nothing renews it.
    pub expires: Option<SystemTime>,
    /// How it was read, in words for the administrator.
    pub decoded: Decoding,
}
