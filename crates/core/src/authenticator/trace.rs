//! Describes the steps of an authenticator for a tracer.

use std::time::Duration;

use hallpass_passwords::Outcome;
use hallpass_stores::Tracer;

use super::check::{HashJob, JobState};
use crate::{Account, ClaimedName, Reason, Requirement, Verdict};
use hallpass_sites::Login;

pub(super) fn account(tracer: &Tracer, account: Option<&Account>) {
    tracer.decided("account", account.is_some(), || match account {
        Some(account) => format!("{:?} with the id {}", account.name, account.id),
        None => no_account(),
    });
}

fn no_account() -> String {
    "no such account, or the name is ambiguous".to_owned()
}

pub(super) fn active(tracer: &Tracer, account: &Account) -> bool {
    tracer.decided("active", account.active, || match account.active {
        true => "the account is active".to_owned(),
        false => account.inactive.meaning().to_owned(),
    })
}

pub(super) fn session(tracer: &Tracer, login: &Result<Login, Reason>) {
    tracer.decided("session", login.is_ok(), || match login {
        Ok(login) => format!("of {:?}, read from {}", login.key, login.decoded),
        Err(why) => why.meaning().to_owned(),
    });
}

pub(super) fn confirmed(tracer: &Tracer, confirmed: bool) -> bool {
    tracer.decided("session-password", confirmed, || match confirmed {
        true => {
            "the session is not older than the password, as far as the site can tell".to_owned()
        }
        false => Reason::StaleSession.meaning().to_owned(),
    })
}

pub(super) fn claimed(
    tracer: &Tracer,
    answers: bool,
    claimed: &ClaimedName,
    account: &Account,
) -> bool {
    if let ClaimedName::Named(name) = claimed {
        tracer.decided("name", answers, || {
            format!(
                "the host goes on with {name:?}; the account is {:?}",
                account.name
            )
        });
    }
    answers
}

pub(super) fn requirement(
    tracer: &Tracer,
    requirement: &Requirement,
    met: bool,
    groups: &[String],
) -> bool {
    tracer.decided("access", met, || match requirement {
        Requirement::Group(name) => format!("in the group {name:?}? It is in {groups:?}"),
        Requirement::Permission(permission) => format!("holds the permission {permission:?}?"),
        Requirement::Staff => "is staff?".to_owned(),
        Requirement::Superuser => "is a superuser?".to_owned(),
    })
}

/// Why no password is good for an account, where none is.
pub(super) fn refused(tracer: &Tracer, refused: Option<Reason>) {
    if let Some(why) = refused {
        tracer.decided("password-rule", false, || why.meaning().to_owned());
    }
}

/// What is known of a stored hash before it is computed. Never the hash.
pub(super) fn hash(tracer: &Tracer, job: &HashJob) {
    match &job.stored {
        Err(Outcome::Mismatch) => tracer.read("hash", || {
            "there is none; as much is computed as if there were".to_owned()
        }),
        Err(outcome) => {
            tracer.decided("hash", false, || match outcome {
                Outcome::Unusable => Reason::UnusablePassword.meaning().to_owned(),
                _ => "of an unknown algorithm".to_owned(),
            });
        }
        Ok(hash) => {
            let (allowed, fits) = (job.state == JobState::Verify, hash.fits(&job.limits));
            tracer.decided("hash", allowed && fits, || {
                let (algorithm, cost) = (hash.algorithm(), hash.parameters());
                if !allowed {
                    format!("{algorithm}, which is not allowed")
                } else if !fits {
                    format!("{algorithm}, {cost}: more than [passwords] allows")
                } else {
                    format!("{algorithm}, {cost}")
                }
            });
        }
    }
}

pub(super) fn password(tracer: &Tracer, outcome: Outcome, took: Duration) {
    tracer.decided("password", outcome == Outcome::Match, || {
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
        Verdict::Denied(why) => format!("denied: {}: {}", why.word(), why.meaning()),
        Verdict::Unavailable(cause) => format!("unavailable: {cause}"),
    }
}
