//! The steps of an authenticator, in words. Without a witness none of them is put.

use std::time::Duration;

use hallpass_passwords::{Outcome, identify, is_affordable};
use hallpass_stores::Witness;

use super::check::Computation;
use crate::site::Login;
use crate::{Account, ClaimedName, Reason, Requirement, Verdict};

pub(super) fn account(witness: &Witness, account: Option<&Account>) {
    witness.decided("account", account.is_some(), || match account {
        Some(account) => format!("{:?} with the id {}", account.name, account.id),
        None => told_of_nobody(),
    });
}

fn told_of_nobody() -> String {
    "there is none, or more than one that it could mean".to_owned()
}

pub(super) fn active(witness: &Witness, active: bool) -> bool {
    witness.decided("active", active, || match active {
        true => "the account is active".to_owned(),
        false => reason(Reason::Inactive).to_owned(),
    })
}

pub(super) fn session(witness: &Witness, login: &Result<Login, Reason>) {
    witness.decided("session", login.is_ok(), || match login {
        Ok(login) => format!("of {:?}, read from {}", login.key, login.decoded),
        Err(why) => reason(*why).to_owned(),
    });
}

pub(super) fn confirmed(witness: &Witness, confirmed: bool) -> bool {
    witness.decided("session-password", confirmed, || match confirmed {
        true => {
            "the session is not older than the password, as far as the site can tell".to_owned()
        }
        false => reason(Reason::StaleSession).to_owned(),
    })
}

pub(super) fn claimed(
    witness: &Witness,
    answers: bool,
    claimed: &ClaimedName,
    account: &Account,
) -> bool {
    if let ClaimedName::Named(name) = claimed {
        witness.decided("name", answers, || {
            format!(
                "the host goes on with {name:?}; the account is {:?}",
                account.name
            )
        });
    }
    answers
}

pub(super) fn requirement(
    witness: &Witness,
    requirement: &Requirement,
    met: bool,
    groups: &[String],
) -> bool {
    witness.decided("access", met, || match requirement {
        Requirement::Group(name) => format!("in the group {name:?}? It is in {groups:?}"),
        Requirement::Permission(permission) => format!("holds the permission {permission:?}?"),
        Requirement::Staff => "is staff?".to_owned(),
        Requirement::Superuser => "is a superuser?".to_owned(),
    })
}

/// Why no password is good for an account, where none is.
pub(super) fn refused(witness: &Witness, refused: Option<Reason>) {
    if let Some(why) = refused {
        witness.decided("password-rule", false, || reason(why).to_owned());
    }
}

/// What is known of a stored hash before it is computed. Never the hash.
pub(super) fn hash(witness: &Witness, computation: &Computation) {
    if !witness.watches() {
        return;
    }
    let Some(encoded) = &computation.encoded else {
        witness.read("hash", || {
            "there is none; as much is computed as if there were".to_owned()
        });
        return;
    };
    let rules = computation.rules;
    let known = identify(rules, encoded);
    let affordable = is_affordable(rules, encoded, &computation.limits);
    let good = known.is_some() && computation.allowed && affordable;
    witness.decided("hash", good, || match known {
        _ if encoded.is_empty() || encoded.starts_with('!') => {
            reason(Reason::UnusablePassword).to_owned()
        }
        None => "of no algorithm that is known".to_owned(),
        Some(hash) if !computation.allowed => format!("{}, which is not allowed", hash.algorithm),
        Some(hash) if !affordable => {
            format!(
                "{}, {}: more than [passwords] allows",
                hash.algorithm, hash.cost
            )
        }
        Some(hash) => format!("{}, {}", hash.algorithm, hash.cost),
    });
}

pub(super) fn password(witness: &Witness, outcome: Outcome, took: Duration) {
    witness.decided("password", outcome == Outcome::Match, || {
        let came = match outcome {
            Outcome::Match => "it is the right one",
            Outcome::Mismatch => "it is not the right one",
            Outcome::Unsupported => "it could not be compared",
            Outcome::Unusable => "no password is right",
        };
        format!("{came}; that took {} ms", took.as_millis())
    });
}

pub(super) fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Granted(identity) => format!("granted: {:?}", identity.name),
        Verdict::Denied(why) => format!("denied: {}: {}", why.word(), reason(*why)),
        Verdict::Unavailable(cause) => format!("unavailable: {cause}"),
    }
}

/// What a reason means.
pub(super) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::AnonymousSession => "nobody is logged in to the session",
        Reason::ExpiredSession => "the session has ended",
        Reason::Inactive => "the account is switched off",
        Reason::InvalidSession => {
            "the signature is wrong, or it cannot be decoded, or the site would not take it"
        }
        Reason::Malformed => "the name or the password is empty, too long, or no text",
        Reason::NoSession => "there is no such session",
        Reason::NotPermitted => "a group, a permission or an [access] rule is missing",
        Reason::StaleSession => "the password has changed since the session was made",
        Reason::Throttled => "there were too many wrong passwords lately",
        Reason::UnknownUser => "there is no such account",
        Reason::UnsupportedHash => "the stored hash is of no algorithm that is known and allowed",
        Reason::UnusablePassword => "the account has no password",
        Reason::WrongPassword => "the password is wrong",
        Reason::WrongUser => "the session belongs to somebody else",
    }
}
