//! Computes the slow hash of a password check, and decides the verdict that follows from it.
//!
//! Neither part touches a store, so a program can run many on threads of its own.

use std::sync::Arc;
use std::time::SystemTime;

use hallpass_passwords::{Encoded, Limits, Outcome, Spending};
use hallpass_stores::{Deadline, Unavailable};

use crate::memory::MemoryPermit;
use crate::throttle::{Attempt, Turn};
use crate::verified::Fingerprint;
use crate::{Identity, Reason, Secret, Shared, Verdict};
use hallpass_sites::HashContext;

/// How far a request could be answered without computing a hash.
#[derive(Debug)]
pub enum Progress {
    /// The verdict is known.
    Answered(Verdict),
    /// A hash is to be computed first.
    Pending(Box<Pending>),
}

/// A check of a password whose hash is to be computed.
#[derive(Debug)]
pub struct Pending {
    /// The hash to be computed.
    pub job: HashJob,
    /// What follows from its outcome.
    pub decision: Decision,
}

impl Pending {
    /// The verdict if the password is right, without a look at it. For comparisons with the site's own
    /// verdicts; never for a host.
    #[must_use]
    pub fn verdict_if_right(self, now: SystemTime) -> Verdict {
        let job = self.job;
        let outcome = match (job.state, &job.stored) {
            (JobState::Verify, Ok(stored)) if stored.fits(&job.limits) => Outcome::Match,
            (JobState::Verify, Ok(_)) => Outcome::Unsupported,
            (JobState::Verify, Err(outcome)) => *outcome,
            (JobState::Spend { outcome, .. } | JobState::Done(outcome), _) => outcome,
        };
        self.decision.conclude(outcome, now)
    }
}

/// A hash to be computed. Equal jobs, by their [`fingerprint`](Self::fingerprint), have the same
/// outcome.
pub struct HashJob {
    /// The stored hash; the outcome where there is none that may be computed.
    pub(super) stored: Result<Arc<Encoded>, Outcome>,
    pub(super) context: HashContext,
    pub(super) limits: Limits,
    pub(super) password: Secret,
    /// True if the account is refused whatever the password. The hash is still computed, so that
    /// timing does not reveal it.
    pub(super) in_vain: bool,
    /// What a denial costs, once that is known.
    pub(super) denial_cost: Option<Arc<Encoded>>,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) shared: Option<Arc<Shared>>,
    pub(super) state: JobState,
}

/// How far a [`HashJob`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobState {
    /// The stored hash is to be computed.
    Verify,
    /// The rest of what a denial costs is to be spent; `checked` says whether the stored hash has
    /// been computed.
    Spend {
        outcome: Outcome,
        checked: bool,
    },
    Done(Outcome),
}

/// The next step of a [`HashJob`].
pub enum Step {
    /// Derive this key; [`HashJob::derived`] takes it.
    Derivation(hallpass_passwords::Request),
    /// The outcome is known.
    Done(Outcome),
    /// Call [`HashJob::run`].
    Run,
}

impl HashJob {
    /// Names what is computed; `None` where the system gives no random bytes to name it with.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// About how much work the job is at most, in PBKDF2-HMAC-SHA256 iterations that take as long.
    #[must_use]
    pub fn work(&self) -> u64 {
        let work = |encoded: &Encoded| encoded.cost().work;
        let of_hash = self.stored().filter(|_| self.state == JobState::Verify);
        let of_denial = self.denial_cost.as_deref();
        of_hash.map_or(0, work).max(of_denial.map_or(0, work))
    }

    /// The next step of the job.
    pub fn advance(&mut self) -> Step {
        match self.state {
            JobState::Done(outcome) => Step::Done(outcome),
            JobState::Verify => match self.stored().and_then(|it| it.derivation(&self.limits)) {
                Some(derivation) => Step::Derivation(derivation.request(self.password.expose())),
                None => Step::Run,
            },
            JobState::Spend { outcome, checked } => match self.spending(checked) {
                Spending::Derivation(request) => Step::Derivation(request),
                Spending::Other => Step::Run,
                Spending::Nothing => {
                    self.state = JobState::Done(outcome);
                    Step::Done(outcome)
                }
            },
        }
    }

    /// Takes the key that was to be derived.
    pub fn derived(&mut self, key: &[u8]) {
        match self.state {
            JobState::Verify => {
                let derivation = self.stored().and_then(|it| it.derivation(&self.limits));
                self.verified(derivation.map_or(Outcome::Unsupported, |it| it.outcome(key)));
            }
            JobState::Spend { outcome, .. } => self.state = JobState::Done(outcome),
            JobState::Done(_) => {}
        }
    }

    /// Does the next step, however long it takes. It waits until `deadline` at most for the memory
    /// that the hash needs.
    ///
    /// # Errors
    /// [`Unavailable`] when other checks hold that memory until `deadline`.
    pub fn run(&mut self, deadline: Deadline) -> Result<(), Unavailable> {
        let password = self.password.expose();
        match self.state {
            JobState::Verify => {
                let outcome = match &self.stored {
                    Ok(stored) => {
                        let _permit = self.hold_memory(stored, deadline)?;
                        stored.verify(password, &self.context.context(), &self.limits)
                    }
                    Err(outcome) => *outcome,
                };
                self.verified(outcome);
            }
            JobState::Spend { outcome, checked } => {
                if let Some(denial_cost) = &self.denial_cost {
                    let _permit = self.hold_memory(denial_cost, deadline)?;
                    denial_cost.spend(password, self.checked(checked), &self.limits);
                }
                self.state = JobState::Done(outcome);
            }
            JobState::Done(_) => {}
        }
        Ok(())
    }

    /// The outcome, once it is known.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self.state {
            JobState::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Whether the next step needs what a denial costs, which is not known yet.
    pub(super) fn needs_denial_cost(&self) -> bool {
        self.denial_cost.is_none() && matches!(self.state, JobState::Spend { .. })
    }

    pub(super) fn stored(&self) -> Option<&Encoded> {
        self.stored.as_deref().ok()
    }

    /// The stored hash, if it has been computed.
    fn checked(&self, checked: bool) -> Option<&Encoded> {
        self.stored().filter(|_| checked)
    }

    fn verified(&mut self, outcome: Outcome) {
        self.state = if outcome == Outcome::Match && !self.in_vain {
            JobState::Done(outcome)
        } else {
            let checked = matches!(outcome, Outcome::Match | Outcome::Mismatch);
            JobState::Spend { outcome, checked }
        };
    }

    fn spending(&self, checked: bool) -> Spending {
        let password = self.password.expose();
        self.denial_cost
            .as_ref()
            .map_or(Spending::Nothing, |denial_cost| {
                denial_cost.spending(password, self.checked(checked), &self.limits)
            })
    }

    /// Holds the memory that a check of `encoded` takes, together with the other threads of the
    /// program. One over the limits is never run, and takes none.
    fn hold_memory(
        &self,
        encoded: &Encoded,
        deadline: Deadline,
    ) -> Result<Option<MemoryPermit<'_>>, Unavailable> {
        let memory = encoded.cost().memory;
        match &self.shared {
            Some(shared) if memory > 0 && encoded.fits(&self.limits) => {
                shared.memory.hold(memory, deadline).map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// Never shows the request, from which the password could be guessed.
impl std::fmt::Debug for Step {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Derivation(_) => formatter.write_str("Derivation(…)"),
            Self::Done(outcome) => formatter.debug_tuple("Done").field(outcome).finish(),
            Self::Run => formatter.write_str("Run"),
        }
    }
}

/// Never shows the stored hash.
impl std::fmt::Debug for HashJob {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("HashJob")
            .field("stored", &self.stored)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// What follows from the outcome of a check.
#[derive(Debug)]
pub struct Decision {
    /// The attempt that a wrong password is counted for, in a program that runs long.
    pub(super) counted: Option<(Arc<Shared>, Attempt)>,
    /// The identity if the password is right, or the reason to deny it even so.
    pub(super) admitted: Result<Identity, Reason>,
    pub(super) stored: Stored,
    pub(super) fingerprint: Option<Fingerprint>,
}

/// What is stored of an account's password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
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

    /// Whether this very check has been verified lately.
    pub(super) fn is_verified(&self, now: SystemTime) -> bool {
        let Some(((shared, _), fingerprint)) = self.counted.as_ref().zip(self.fingerprint) else {
            return false;
        };
        let verified = shared.verified.as_ref();
        verified.is_some_and(|verified| verified.knows(&fingerprint, now))
    }

    /// The verdict that follows from `outcome`, at the time `now`. Wrong passwords are counted, and
    /// right ones remembered. Where several machines share one count, it waits for that, for a share
    /// of the deadline at most.
    #[must_use]
    pub fn conclude(self, outcome: Outcome, now: SystemTime) -> Verdict {
        if let Some((shared, attempt)) = &self.counted {
            let right = is_right(&self.answer(outcome));
            shared.throttle.exchange(attempt, right, now);
        }
        self.settle(outcome, now)
    }

    /// As [`conclude`](Self::conclude), but does not wait: `deliver` receives the verdict, perhaps
    /// from another thread.
    pub fn conclude_then(
        self,
        outcome: Outcome,
        now: SystemTime,
        deliver: impl FnOnce(Verdict) + Send + 'static,
    ) {
        match self.counted.clone() {
            Some((shared, attempt)) => {
                let right = is_right(&self.answer(outcome));
                let done = move || deliver(self.settle(outcome, now));
                let throttle = &shared.throttle;
                throttle.exchange_then(&attempt, right, now, Box::new(done));
            }
            None => deliver(self.settle(outcome, now)),
        }
    }

    /// The verdict, by what is counted on this machine.
    pub(super) fn settle(self, outcome: Outcome, now: SystemTime) -> Verdict {
        let answer = self.answer(outcome);
        let Some((shared, attempt)) = &self.counted else {
            return verdict(answer);
        };
        let right = is_right(&answer);
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
        match (self.stored, outcome) {
            (Stored::NoAccount, _) => Err(Reason::UnknownUser),
            (Stored::NoPassword(reason), _) => Err(reason),
            (Stored::Hash, Outcome::Match) => self.admitted.clone(),
            (Stored::Hash, Outcome::Mismatch) => Err(Reason::WrongPassword),
            (Stored::Hash, Outcome::Unusable) => Err(Reason::UnusablePassword),
            (Stored::Hash, Outcome::Unsupported) => Err(Reason::UnsupportedHash),
        }
    }
}

/// Whether the password was right, whatever becomes of the request.
fn is_right(answer: &Result<Identity, Reason>) -> bool {
    matches!(answer, Ok(_) | Err(Reason::NotPermitted))
}

fn verdict(answer: Result<Identity, Reason>) -> Verdict {
    match answer {
        Ok(identity) => Verdict::Granted(Box::new(identity)),
        Err(reason) => Verdict::Denied(reason),
    }
}
