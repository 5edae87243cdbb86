//! Defines why a request is denied or unavailable.

use hallpass_stores::Unavailable;

/// Why a request is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The request is denied.
    Denied(Reason),
    /// A store cannot be asked, so that there is no answer.
    Unavailable(Unavailable),
}

impl Stop {
    /// Takes a denial for a result like any other, where something else depends on it; a store that
    /// cannot be asked stops the caller as before.
    ///
    /// # Errors
    /// [`Unavailable`] when a store cannot be asked.
    pub fn settle<T>(answer: Result<T, Self>) -> Result<Result<T, Reason>, Unavailable> {
        match answer {
            Ok(answer) => Ok(Ok(answer)),
            Err(Self::Denied(reason)) => Ok(Err(reason)),
            Err(Self::Unavailable(cause)) => Err(cause),
        }
    }
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Denied(reason)
    }
}

impl From<Unavailable> for Stop {
    fn from(cause: Unavailable) -> Self {
        Self::Unavailable(cause)
    }
}

/// Why a request is denied.
///
/// The [`word`](Self::word) is one of a few stable ones. Some reasons share a word, and have a
/// [`detail`](Self::detail) that tells them apart in logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// No account is logged in to the session.
    AnonymousSession,
    /// The account, or the address that it comes from, is banned.
    Banned,
    /// The session has ended.
    ExpiredSession,
    /// The account is switched off.
    Inactive,
    /// The session has a bad signature, or cannot be decoded, or the site would not take it.
    InvalidSession,
    /// The request is malformed: not text, too long, or with control characters.
    Malformed,
    /// The site wants a new password chosen before the account does anything else.
    NewPassword,
    /// There is no such session.
    NoSession,
    /// A group, a permission or an `[access]` rule is missing.
    NotPermitted,
    /// The session is of another application of the site.
    OtherApplication,
    /// The account has a second factor, and a password does not show it.
    PasswordAlone,
    /// The account must set up a second factor, and a password does not show it.
    PasswordBeforeSetUp,
    /// The site has its passwords checked elsewhere, such as by LDAP; its stored hashes do not count.
    PasswordElsewhere,
    /// The account has a second factor, which the session has not shown.
    SecondFactor,
    /// The account must set up a second factor before the session counts.
    SecondFactorSetUp,
    /// The password has changed since the session was made.
    StaleSession,
    /// The stored hash is of an unknown algorithm or allowed, or costs more than allowed.
    UnsupportedHash,
    /// There were too many wrong passwords lately, for this name or from this address.
    Throttled,
    /// There is no such account, or more than one that the name could mean.
    UnknownUser,
    /// The account has no password.
    UnusablePassword,
    /// The password is wrong.
    WrongPassword,
    /// The session belongs to another account.
    WrongUser,
}

impl Reason {
    /// All of them. Of those that share a word, the one without a detail is first.
    pub const ALL: [Self; 22] = [
        Self::AnonymousSession,
        Self::ExpiredSession,
        Self::Inactive,
        Self::Banned,
        Self::NewPassword,
        Self::InvalidSession,
        Self::OtherApplication,
        Self::SecondFactor,
        Self::SecondFactorSetUp,
        Self::Malformed,
        Self::NoSession,
        Self::NotPermitted,
        Self::StaleSession,
        Self::Throttled,
        Self::UnsupportedHash,
        Self::UnknownUser,
        Self::UnusablePassword,
        Self::PasswordAlone,
        Self::PasswordBeforeSetUp,
        Self::PasswordElsewhere,
        Self::WrongPassword,
        Self::WrongUser,
    ];

    /// The reason of that [`word`](Self::word) and [`detail`](Self::detail).
    #[must_use]
    pub fn from_words(word: &str, detail: Option<&str>) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.word() == word && reason.detail() == detail)
    }

    /// The stable word that logs, `--json` and metrics use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AnonymousSession => "anonymous-session",
            Self::ExpiredSession => "expired-session",
            Self::Banned | Self::Inactive | Self::NewPassword => "inactive",
            Self::InvalidSession
            | Self::OtherApplication
            | Self::SecondFactor
            | Self::SecondFactorSetUp => "invalid-session",
            Self::Malformed => "malformed",
            Self::NoSession => "no-session",
            Self::NotPermitted => "not-permitted",
            Self::StaleSession => "stale-session",
            Self::Throttled => "throttled",
            Self::UnsupportedHash => "unsupported-hash",
            Self::UnknownUser => "unknown-user",
            Self::PasswordAlone
            | Self::PasswordBeforeSetUp
            | Self::PasswordElsewhere
            | Self::UnusablePassword => "unusable-password",
            Self::WrongPassword => "wrong-password",
            Self::WrongUser => "wrong-user",
        }
    }

    /// The word beside it in logs that tells apart what shares a [`word`](Self::word).
    #[must_use]
    pub fn detail(self) -> Option<&'static str> {
        match self {
            Self::Banned => Some("banned"),
            Self::NewPassword => Some("new-password"),
            Self::OtherApplication => Some("other-application"),
            Self::PasswordAlone | Self::SecondFactor => Some("second-factor"),
            Self::PasswordBeforeSetUp | Self::SecondFactorSetUp => Some("second-factor-set-up"),
            Self::PasswordElsewhere => Some("password-elsewhere"),
            _ => None,
        }
    }

    /// What it means, as `hallpass explain` says it.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::AnonymousSession => "nobody is logged in to the session",
            Self::Banned => "the account or the address is banned",
            Self::ExpiredSession => "the session has ended",
            Self::Inactive => "the account is switched off",
            Self::InvalidSession => {
                "the signature is wrong, or it cannot be decoded, or the site would not take it"
            }
            Self::Malformed => "the name or the password is empty, too long, or not text",
            Self::NewPassword => "the site wants a new password chosen first",
            Self::NoSession => "there is no such session",
            Self::NotPermitted => "a group, a permission or an [access] rule is missing",
            Self::OtherApplication => "the session is of another application of the site",
            Self::PasswordAlone => "the account has a second factor, so that no password is enough",
            Self::PasswordBeforeSetUp => {
                "one of the account's groups demands a second factor, and it is not set up"
            }
            Self::PasswordElsewhere => "the site does not check its passwords itself",
            Self::SecondFactor => "the account's second factor has not been shown",
            Self::SecondFactorSetUp => {
                "one of the account's groups demands a second factor, and it is not set up"
            }
            Self::StaleSession => "the password has changed since the session was made",
            Self::Throttled => "there were too many wrong passwords lately",
            Self::UnknownUser => "there is no such account",
            Self::UnsupportedHash => "the stored hash's algorithm is unknown or not allowed",
            Self::UnusablePassword => "the account has no password",
            Self::WrongPassword => "the password is wrong",
            Self::WrongUser => "the session belongs to another account",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_details_name_every_reason() {
        for reason in Reason::ALL {
            let named = Reason::from_words(reason.word(), reason.detail());
            assert_eq!(named, Some(reason));
        }
        assert_eq!(Reason::from_words("inactive", Some("second-factor")), None);
        assert_eq!(Reason::from_words("banned", None), None);
    }
}
