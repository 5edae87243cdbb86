//! The question.

use std::net::IpAddr;

use crate::Secret;

/// What a host wants to know.
#[derive(Debug)]
pub struct Question {
    /// What somebody shows to prove who they are.
    pub credential: Credential,
    /// What they must be, on top of that.
    pub conditions: Conditions,
    /// Whether the host wants the groups in the answer.
    pub wants_groups: bool,
    /// Where somebody asks from, as far as the host tells.
    pub client: Client,
}

impl Question {
    /// Asks about `credential` alone: no conditions, and no groups in the answer.
    #[must_use]
    pub fn new(credential: Credential) -> Self {
        Self {
            credential,
            conditions: Conditions::default(),
            wants_groups: false,
            client: Client::default(),
        }
    }
}

/// Where somebody asks from, as far as the host tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The address.
    pub address: Option<IpAddr>,
    /// The browser, as it names itself in `User-Agent`: empty where it does not, or not in UTF-8,
    /// which PHP's `htmlspecialchars` makes the same. `None` where the host knows nothing of it.
    pub browser: Option<String>,
    /// All of `X-Forwarded-For`, empty where there is none; its last address is that of `address`
    /// where the proxy in front of Hallpass added it. `None` where the host knows nothing of it.
    pub forwarded_for: Option<String>,
}

impl Client {
    /// A client of which the address alone is known, or nothing.
    #[must_use]
    pub fn at(address: Option<IpAddr>) -> Self {
        Self {
            address,
            ..Self::default()
        }
    }
}

/// What somebody shows to prove who they are.
#[derive(Debug)]
pub enum Credential {
    /// A login name and a password.
    Password {
        /// The name as typed.
        name: String,
        /// The password as typed.
        password: Secret,
    },
    /// The value of the site's session cookie.
    Session {
        /// The cookie's value.
        token: Secret,
        /// The name that the session must belong to, where the host has one.
        owner: Option<String>,
    },
    /// Whatever cookies there are, for sites whose session cookie has a name that they alone know.
    Cookies {
        /// The value of the header `Cookie`.
        header: Secret,
        /// The name that the session must belong to, where the host has one.
        owner: Option<String>,
    },
    /// A ticket, which stands for a session for a short while.
    Ticket {
        /// The ticket.
        ticket: Secret,
        /// The name that the session must belong to, where the host has one.
        owner: Option<String>,
    },
    /// A token that the site gave to a program of somebody's, in place of a password.
    Token {
        /// The token.
        token: Secret,
        /// The name that the token must belong to, where the host has one.
        owner: Option<String>,
    },
    /// Nothing: the host knows who it is and vouches for the name. The answer says whether there
    /// is such an account, and whether it is let in; it proves nothing about who asks.
    Vouched {
        /// The name.
        name: String,
    },
}

impl Credential {
    /// The name that was given, for the log.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Password { name, .. } | Self::Vouched { name } => Some(name),
            Self::Session { owner, .. }
            | Self::Cookies { owner, .. }
            | Self::Ticket { owner, .. }
            | Self::Token { owner, .. } => owner.as_deref(),
        }
    }
}

/// What an account must be, on top of a valid credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// At least one of these must hold, unless the list is empty.
    pub any: Vec<Requirement>,
    /// All of these must hold.
    pub all: Vec<Requirement>,
}

/// One thing that an account can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// A member of the group of this name.
    Group(String),
    /// Holder of this permission, written `app.codename`.
    Permission(String),
    /// Staff, in Django's sense.
    Staff,
    /// A superuser, in Django's sense.
    Superuser,
}
