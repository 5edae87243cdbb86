//! An account, as a site's directory describes it.

use hallpass_passwords::Context;
use hallpass_stores::sql::Value;

use crate::{Identity, Reason};

/// An account of the site.
#[derive(Clone)]
pub struct Account {
    /// The primary key.
    pub id: Id,
    /// The login name as stored.
    pub name: String,
    /// The encoded password hash; `None` where the column is NULL.
    pub encoded: Option<String>,
    /// Whether the account may be used.
    pub active: bool,
    /// Why not, where it is not.
    pub inactive: Reason,
    /// Whether it is staff.
    pub staff: bool,
    /// Whether it holds every permission.
    pub superuser: bool,
    /// The e-mail address; empty where there is none.
    pub email: String,
    /// The person's full name; empty where there is none.
    pub full_name: String,
}

/// What the row of an account keeps beside the hash, where the hash wants it.
#[derive(Clone, Default)]
pub(crate) struct HashContext {
    pub(crate) login_name: Option<String>,
    pub(crate) salt: Option<String>,
}

impl HashContext {
    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            login_name: self.login_name.as_deref(),
            salt: self.salt.as_deref(),
        }
    }
}

/// A primary key: its value in the database, and its text as the site writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Id {
    pub(crate) value: Value,
    pub(crate) text: String,
}

impl std::fmt::Display for Id {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Account {
    /// The identity of this account, without groups and session.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            name: self.name.clone(),
            id: self.id.text.clone(),
            email: self.email.clone(),
            full_name: self.full_name.clone(),
            ..Identity::default()
        }
    }
}

/// Never shows the password hash.
impl std::fmt::Debug for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Account")
            .field("id", &self.id.text)
            .field("name", &self.name)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}
