//! A password check after all I/O is done: the slow hash, and the verdict that follows from it.
//!
//! Neither part touches a store, so a program can run many on threads of its own.

use std::sync::Arc;
use std::time::SystemTime;

use hallpass_passwords::{
    Derivation, Limits, Outcome, Rules, Spending, describe_cost, identify, is_affordable,
    spend_with, spending, verify_with,
};
use hallpass_stores::{Deadline, Unavailable};

use crate::memory::MemoryPermit;
use crate::site::HashContext;
use crate::throttle::{Attempt, Turn};
use crate::verified::Fingerprint;
use crate::{Identity, Reason, Secret, Shared, Verdict};

/// A question as far as it could be answered without computing for long.
#[derive(Debug)]
pub enum Progress {
    /// It has been answered.
    Answered(Verdict),
    /// A password is to be checked.
    Pending(Box<Pending>),
}

/// A check of a password.
#[derive(Debug)]
pub struct Pending {
    /// What is to be computed.
    pub job: HashJob,
    /// What follows from it.
    pub decision: Decision,
}

/// What is to be computed. Equal ones, by their [`fingerprint`](Self::fingerprint), have the same
/// outcome.
pub struct HashJob {
    pub(super) rules: Rules,
    pub(super) limits: Limits,
    pub(super) password: Secret,
    /// The stored hash; `None` where there is no such account.
    pub(super) encoded: Option<String>,
    /// What the account's row keeps beside it.
    pub(super) beside: HashContext,
    /// Whether the stored hash is of an algorithm that is allowed.
    pub(super) allowed: bool,
    /// Whether even the right password lets nobody in, and must take as long as a wrong one.
    pub(super) in_vain: bool,
    /// What a denial costs, once that is known.
    pub(super) denial_cost: Option<String>,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) shared: Option<Arc<Shared>>,
    pub(super) state: State,
}

/// How far a hash job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Verify,
    /// What a denial costs has not been spent; whether the stored hash has been computed.
    Spend {
        outcome: Outcome,
        checked: bool,
    },
    Done(Outcome),
}

/// What comes next of a job.
pub enum Step {
    /// A key is to be derived; [`HashJob::derived`] takes it.
    Derivation(hallpass_passwords::Request),
    /// The outcome is known.
    Done(Outcome),
    /// Something that only [`HashJob::run`] can do.
    Run,
}

impl HashJob {
    /// Names what is computed; `None` where the system gives no random bytes to name it with.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// About how much work it is at most, in PBKDF2-HMAC-SHA256 iterations that take as long.
    #[must_use]
    pub fn work(&self) -> u64 {
        let of_hash = self
            .hash()
            .and_then(|encoded| identify(self.rules, encoded));
        let of_denial = self.denial_cost.as_deref().and_then(describe_cost);
        let work = |description: hallpass_passwords::Description| description.work;
        of_hash.map_or(0, work).max(of_denial.map_or(0, work))
    }

    /// What comes next.
    pub fn advance(&mut self) -> Step {
        loop {
            match self.state {
                State::Done(outcome) => return Step::Done(outcome),
                State::Verify => {
                    let Some(encoded) = self.hash() else {
                        let outcome = match self.encoded {
                            // It is as good as any other: nobody matches.
                            None => Outcome::Mismatch,
                            Some(_) => Outcome::Unsupported,
                        };
                        self.state = State::Spend {
                            outcome,
                            checked: false,
                        };
                        continue;
                    };
                    return match Derivation::of(self.rules, encoded, &self.limits) {
                        Some(derivation) => {
                            Step::Derivation(derivation.request(self.password.expose()))
                        }
                        None => Step::Run,
                    };
                }
                State::Spend { outcome, checked } => match self.spending(checked) {
                    Spending::Nothing => self.state = State::Done(outcome),
                    Spending::Derivation(request) => return Step::Derivation(request),
                    Spending::Other => return Step::Run,
                },
            }
        }
    }

    /// Takes the key that was to be derived.
    pub fn derived(&mut self, key: &[u8]) {
        match self.state {
            State::Verify => {
                let derivation = self
                    .hash()
                    .and_then(|encoded| Derivation::of(self.rules, encoded, &self.limits));
                let outcome = derivation.map_or(Outcome::Unsupported, |it| it.outcome(key));
                self.verified(outcome);
            }
            State::Spend { outcome, .. } => self.state = State::Done(outcome),
            State::Done(_) => {}
        }
    }

    /// Does what comes next, which takes as long as it takes, but for the memory it needs: that it
    /// gets by `deadline`, or not at all.
    ///
    /// # Errors
    /// [`Unavailable`] when it does not get it.
    pub fn run(&mut self, deadline: Deadline) -> Result<(), Unavailable> {
        match self.state {
            State::Verify => {
                let encoded = self.hash().unwrap_or_default();
                let affordable = is_affordable(self.rules, encoded, &self.limits);
                let held = hold(
                    self.shared.as_deref(),
                    affordable.then_some(encoded),
                    deadline,
                )?;
                let (password, context) = (self.password.expose(), self.beside.context());
                let outcome = verify_with(self.rules, password, encoded, &context, &self.limits);
                drop(held);
                self.verified(outcome);
            }
            State::Spend { outcome, checked } => {
                let denial_cost = self.denial_cost.as_deref().unwrap_or_default();
                let checked = self.hash().filter(|_| checked);
                let _held = hold(self.shared.as_deref(), Some(denial_cost), deadline)?;
                let password = self.password.expose();
                spend_with(self.rules, password, denial_cost, checked, &self.limits);
                self.state = State::Done(outcome);
            }
            State::Done(_) => {}
        }
        Ok(())
    }

    /// Whether there is no stored hash to compare, or it has been compared, and what a denial
    /// costs must be known to go on.
    pub(super) fn misses_a_cost(&self) -> bool {
        self.denial_cost.is_none()
            && match self.state {
                State::Verify => self.hash().is_none(),
                State::Spend { .. } => true,
                State::Done(_) => false,
            }
    }

    /// The stored hash, where it may be computed at all.
    fn hash(&self) -> Option<&str> {
        self.encoded.as_deref().filter(|_| self.allowed)
    }

    fn verified(&mut self, outcome: Outcome) {
        self.state = if outcome == Outcome::Match && !self.in_vain {
            State::Done(outcome)
        } else {
            let checked = matches!(outcome, Outcome::Match | Outcome::Mismatch);
            State::Spend { outcome, checked }
        };
    }

    fn spending(&self, checked: bool) -> Spending {
        let denial_cost = self.denial_cost.as_deref().unwrap_or_default();
        let checked = self.hash().filter(|_| checked);
        let password = self.password.expose();
        spending(self.rules, password, denial_cost, checked, &self.limits)
    }
}

/// Never shows the stored hash.
impl std::fmt::Debug for HashJob {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Computation")
            .field("rules", &self.rules)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// What follows from the outcome of a check.
#[derive(Debug)]
pub struct Decision {
    /// What the password is counted for, in a program that runs long.
    pub(super) counted: Option<(Arc<Shared>, Attempt)>,
    /// Who they are if the password is right; why they may not in even so.
    pub(super) admitted: Result<Identity, Reason>,
    pub(super) account: Known,
    pub(super) fingerprint: Option<Fingerprint>,
}

/// What is known of an account's password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Hash,
    NoAccount,
    /// No password is good for it, and why.
    NoPassword(Reason),
}

impl Decision {
    /// Whose turn the check takes, at the time `now`.
    #[must_use]
    pub fn turn(&self, now: SystemTime) -> Turn {
        let counted = self.counted.as_ref();
        counted.map_or_else(Turn::default, |(shared, attempt)| {
            shared.throttle.turn(attempt, now)
        })
    }

    /// Whether there have been so many wrong passwords by now that this one need not be looked at
    /// any more: for the name as typed, or from the address. It does not tell whether there is
    /// such an account.
    #[must_use]
    pub fn is_throttled(&self, now: SystemTime) -> bool {
        self.counted
            .as_ref()
            .is_some_and(|(shared, attempt)| !shared.throttle.admits(attempt, now))
    }

    /// The verdict that follows from `outcome`, at the time `now`. Wrong passwords are counted, and
    /// right ones remembered.
    #[must_use]
    pub fn conclude(self, outcome: Outcome, now: SystemTime) -> Verdict {
        let answer = self.answer(outcome);
        let Some((shared, attempt)) = &self.counted else {
            return verdict(answer);
        };
        let right = matches!(answer, Ok(_) | Err(Reason::NotPermitted));
        if !shared.throttle.settle(attempt, right, now) {
            return Verdict::Denied(Reason::Throttled);
        }
        if answer.is_ok()
            && let (Some(verified), Some(fingerprint)) = (&shared.verified, self.fingerprint)
        {
            verified.remember(fingerprint, now);
        }
        verdict(answer)
    }

    fn answer(&self, outcome: Outcome) -> Result<Identity, Reason> {
        match (self.account, outcome) {
            (Known::NoAccount, _) => Err(Reason::UnknownUser),
            (Known::NoPassword(reason), _) => Err(reason),
            (Known::Hash, Outcome::Match) => self.admitted.clone(),
            (Known::Hash, Outcome::Mismatch) => Err(Reason::WrongPassword),
            (Known::Hash, Outcome::Unusable) => Err(Reason::UnusablePassword),
            (Known::Hash, Outcome::Unsupported) => Err(Reason::UnsupportedHash),
        }
    }
}

fn verdict(answer: Result<Identity, Reason>) -> Verdict {
    match answer {
        Ok(identity) => Verdict::Granted(Box::new(identity)),
        Err(reason) => Verdict::Denied(reason),
    }
}

/// Holds the memory that a check of `encoded` takes, together with the other threads of the program.
fn hold<'a>(
    shared: Option<&'a Shared>,
    encoded: Option<&str>,
    deadline: Deadline,
) -> Result<Option<MemoryPermit<'a>>, Unavailable> {
    let memory = encoded
        .and_then(describe_cost)
        .map_or(0, |cost| cost.memory);
    match shared {
        Some(shared) if memory > 0 => shared.memory.hold(memory, deadline).map(Some),
        _ => Ok(None),
    }
}
