//! Defines a request: a claimed name, a credential, and conditions.

use crate::{Client, Secret};

/// A question of a host: may this client in?
#[derive(Debug)]
pub struct Request {
    /// The name that the host goes on with.
    pub name: ClaimedName,
    /// What the client shows to prove who it is.
    pub credential: Credential,
    /// What the account must be, on top of that.
    pub conditions: Conditions,
    /// Whether the host wants the groups in the answer.
    pub wants_groups: bool,
    /// What the host knows of the client.
    pub client: Client,
}

impl Request {
    /// Asks about `credential` alone: no conditions, and no groups in the answer.
    #[must_use]
    pub fn new(name: ClaimedName, credential: Credential) -> Self {
        Self {
            name,
            credential,
            conditions: Conditions::default(),
            wants_groups: false,
            client: Client::default(),
        }
    }
}

/// The name that the host goes on with once the answer is yes, whatever identity the answer holds.
/// Only the one account that this name means is granted, whichever credential comes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimedName {
    /// The host has this name from its client or its own protocol, and keeps it.
    Named(String),
    /// The host has no name, and takes the one in the answer.
    Nameless,
}

impl ClaimedName {
    /// The name, where there is one.
    #[must_use]
    pub fn as_deref(&self) -> Option<&str> {
        match self {
            Self::Named(name) => Some(name),
            Self::Nameless => None,
        }
    }
}

/// The longest name that is looked up, in bytes. Django's own are 150 characters at most, and an
/// e-mail address 254.
const LONGEST_NAME: usize = 1024;

/// Whether `name` cannot be looked up: empty, too long, or with control characters.
pub(crate) fn malformed_name(name: &str) -> bool {
    name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control)
}

/// What a client shows to prove who it is.
#[derive(Debug)]
pub enum Credential {
    /// The password, as typed, of the account that the question names.
    Password(Secret),
    /// The value of the site's session cookie.
    Session(Secret),
    /// The header `Cookie`, for sites whose session cookie has a name that they alone know.
    Cookies(Secret),
    /// A ticket, which stands for a session for a short while.
    Ticket(Secret),
    /// A token that the site gave to a program, in place of a password.
    Token(Secret),
    /// A JSON Web Token that the site signed, where `[jwt]` says which are believed.
    Jwt(Secret),
    /// Nothing: the host knows who it is and vouches for the name of the question. The answer says
    /// whether there is such an account, and whether it is let in; it proves nothing about the
    /// client.
    Vouched,
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

/// A word that is not a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a condition: write a group's name, perm:app.codename, is:staff or is:superuser"
)]
pub struct InvalidCondition(String);

impl Conditions {
    /// Any of the condition words `any`, and all of the permissions `permissions`.
    ///
    /// # Errors
    /// [`InvalidCondition`] for the first word that is not understood: none is ever ignored.
    pub fn parse(any: &[String], permissions: &[String]) -> Result<Self, InvalidCondition> {
        let permission = |name: &String| Requirement::permission(name);
        Ok(Self {
            any: any
                .iter()
                .map(|word| word.parse())
                .collect::<Result<_, _>>()?,
            all: permissions
                .iter()
                .map(permission)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Requirement {
    /// The permission called `name`: `app.codename` in Django, whatever the site's statement gives
    /// elsewhere. Superusers hold every permission, so a name that cannot be one must not pass.
    ///
    /// # Errors
    /// [`InvalidCondition`] when the name or a part of it is empty, or it is a condition word.
    pub fn permission(name: &str) -> Result<Self, InvalidCondition> {
        let whole = match name.split_once('.') {
            Some((application, codename)) => !application.is_empty() && !codename.is_empty(),
            None => !name.is_empty(),
        };
        let word = ["perm:", "is:"].iter().any(|word| name.starts_with(word));
        if !whole || word || name.chars().any(char::is_control) {
            return Err(InvalidCondition(name.to_owned()));
        }
        Ok(Self::Permission(name.to_owned()))
    }

    /// The flag called `name`.
    ///
    /// # Errors
    /// [`InvalidCondition`] when it is neither `staff` nor `superuser`.
    pub fn flag(name: &str) -> Result<Self, InvalidCondition> {
        match name {
            "staff" => Ok(Self::Staff),
            "superuser" => Ok(Self::Superuser),
            _ => Err(InvalidCondition(format!("is:{name}"))),
        }
    }
}

/// Reads a condition word: `perm:app.codename`, `is:staff`, `is:superuser`, or a group's name.
impl std::str::FromStr for Requirement {
    type Err = InvalidCondition;

    fn from_str(word: &str) -> Result<Self, InvalidCondition> {
        match word.split_once(':') {
            Some(("perm", permission)) => {
                Self::permission(permission).map_err(|_| InvalidCondition(word.to_owned()))
            }
            Some(("is", flag)) => Self::flag(flag),
            _ => Ok(Self::Group(word.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn condition_words_are_read() {
        for (word, expected) in [
            ("editors", Requirement::Group("editors".into())),
            ("two words", Requirement::Group("two words".into())),
            ("team:blue", Requirement::Group("team:blue".into())),
            ("Is:staff", Requirement::Group("Is:staff".into())),
            ("perm", Requirement::Group("perm".into())),
            ("is:staff", Requirement::Staff),
            ("is:superuser", Requirement::Superuser),
            ("perm:a.b", Requirement::Permission("a.b".into())),
            ("perm:a.b:c.d", Requirement::Permission("a.b:c.d".into())),
            ("perm:edit", Requirement::Permission("edit".into())),
        ] {
            assert_eq!(word.parse(), Ok(expected), "{word}");
        }
    }

    #[test]
    fn words_that_are_not_understood_are_errors() {
        for word in [
            "is:",
            "is:Staff",
            "is:staff ",
            "is:admin",
            "perm:",
            "perm:shop.",
            "perm:.view",
            "perm:.",
            "perm:perm:a.b",
            "perm:is:staff",
            "perm:a.b\n",
        ] {
            let error = word.parse::<Requirement>().unwrap_err();
            assert!(error.to_string().contains(&format!("{word:?}")), "{error}");
        }
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (any, all) in [
            (&["a", "is:x"][..], &[][..]),
            (&["a"], &["a.b", ""]),
            (&[], &["perm:a.b"]),
            (&[], &["is:staff"]),
        ] {
            assert!(Conditions::parse(&words(any), &words(all)).is_err());
        }
    }
}
