//! Answers requests that show a password.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use hallpass_passwords::{Encoded, Outcome};
use hallpass_stores::{Deadline, Unavailable};

use super::admission::{Found, admit};
use super::check::{Decision, HashJob, JobState, Pending, Progress, Stored};
use super::{Authenticator, scan, trace};
use crate::verified::{Fingerprint, Fingerprints};
use crate::{Credential, Identity, Reason, Request, Secret};
use hallpass_sites::{HashContext, Stop};

impl Authenticator {
    /// Checks `password`, and computes its hash on this thread.
    pub(super) fn password(
        &mut self,
        password: &Secret,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Identity, Stop> {
        let (mut job, decision) = match self.check(password, request, now, deadline)? {
            Progress::Answered(verdict) => return verdict.into(),
            Progress::Pending(check) => (check.job, check.decision),
        };
        trace::hash(&self.tracer, &job);
        let started = Instant::now();
        let outcome = loop {
            if let Some(outcome) = job.outcome() {
                break outcome;
            }
            // A granted login never needs the cost of a denial, so look it up only when a denial
            // is likely.
            if job.needs_denial_cost() {
                let stored = job.stored.as_ref().ok();
                job.denial_cost = self.cost_of_denials(stored, deadline)?;
            }
            job.run(deadline)?;
        };
        trace::password(&self.tracer, outcome, started.elapsed());
        decision.conclude(outcome, now).into()
    }

    /// As [`answer`](Self::answer), without the hash that a password takes: the caller computes it.
    pub fn begin(&mut self, request: &Request, now: SystemTime, deadline: Deadline) -> Progress {
        let Credential::Password(password) = &request.credential else {
            return Progress::Answered(self.answer(request, now, deadline));
        };
        match self.check_at_full_cost(password, request, now, deadline) {
            Ok(progress) => progress,
            Err(stop) => Progress::Answered(Err(stop).into()),
        }
    }

    /// As [`check`](Self::check), and looks up what a denial costs.
    fn check_at_full_cost(
        &mut self,
        password: &Secret,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Progress, Stop> {
        let mut progress = self.check(password, request, now, deadline)?;
        if let Progress::Pending(check) = &mut progress {
            let stored = check.job.stored.as_ref().ok();
            check.job.denial_cost = self.cost_of_denials(stored, deadline)?;
        }
        Ok(progress)
    }

    /// Asks the stores all there is to ask about a name and a password.
    fn check(
        &mut self,
        password: &Secret,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Progress, Stop> {
        let shared = self.shared.clone();
        let client = request.client.address;
        if !self.access.passwords {
            return Err(self.refuses("passwords", Reason::UnusablePassword).into());
        }
        let name = self.name_of(request);
        let name = name.ok_or_else(|| self.refuses("question", Reason::Malformed))?;
        let mut attempt = shared
            .as_ref()
            .map(|shared| shared.throttle.attempt(name, client));
        if let Some((shared, attempt)) = shared.as_ref().zip(attempt.as_ref())
            && !shared.throttle.admits(attempt, now)
        {
            return Err(self.refuses("throttle", Reason::Throttled).into());
        }
        if self.malformed_password(password.expose()) {
            return Err(self.refuses("question", Reason::Malformed).into());
        }
        if self.dummy.is_none() && !self.site.accounts.lists_hashes() {
            let cause = "passwords are not checked: an unknown name must cost as much as any other; \
                         set [custom] accounts or [passwords] dummy";
            return Err(Unavailable::new(cause).into());
        }
        let scan = scan(shared.as_deref(), &self.site, request, deadline)?;
        let accounts = &mut *self.site.accounts;
        // What the account must be is looked up first, so that the database is not held while the
        // hash is computed, and so that a group costs a wrong password no less than a right one.
        let found = self.database.ask(deadline, |queries| {
            let account = accounts.by_name(queries, name)?;
            trace::account(queries.tracer(), account.as_ref());
            let Some(account) = account else {
                return Ok(None);
            };
            let found = Found {
                account: &account,
                by: Some(name),
            };
            let admitted = admit(accounts, queries, found, &self.access, request, now);
            let admitted = Stop::settle(admitted)?;
            let refused = accounts.refuses_passwords(queries, &account)?;
            trace::refused(queries.tracer(), refused);
            let context = accounts.hash_context(queries, &account)?;
            Ok(Some((account, refused, context, admitted)))
        })?;
        drop(scan);
        let mut in_vain = false;
        let (encoded, refused, context, admitted) = match found {
            Some((account, refused, context, admitted)) => {
                if let Some((shared, attempt)) = shared.as_ref().zip(attempt.as_mut()) {
                    *attempt = shared.throttle.of_account(*attempt, &account.id);
                    in_vain = !shared.throttle.admits_account(attempt, now);
                }
                // Where no password is good, there is nothing to compare one with.
                let encoded = account.encoded.filter(|_| refused.is_none());
                let encoded = Some(encoded.unwrap_or_default());
                (encoded, refused, context, admitted)
            }
            None if name.is_empty() => {
                return Err(self.refuses("question", Reason::Malformed).into());
            }
            None => (None, None, HashContext::default(), Err(Reason::UnknownUser)),
        };
        in_vain |= admitted.is_err();
        let fingerprint = shared.as_ref().and_then(|shared| {
            let stored = encoded.as_deref().ok_or(name);
            let fingerprints = shared.fingerprints.as_ref()?;
            Some(fingerprint(
                fingerprints,
                stored,
                &context,
                password,
                in_vain,
            ))
        });
        let decision = Decision {
            counted: shared.clone().zip(attempt),
            stored: match encoded.as_deref() {
                None => Stored::NoAccount,
                Some("") => Stored::NoPassword(refused.unwrap_or(Reason::UnusablePassword)),
                Some(_) => Stored::Hash,
            },
            fingerprint,
            admitted,
        };
        if !in_vain
            && let (Some(shared), Some(fingerprint)) = (&shared, &fingerprint)
            && let Some(verified) = &shared.verified
            && verified.knows(fingerprint, now)
        {
            let verdict = decision.conclude(Outcome::Match, now);
            return Ok(Progress::Answered(verdict));
        }
        let stored = match &encoded {
            // As good as any other: no password matches.
            None => Err(Outcome::Mismatch),
            Some(encoded) => self.site.parse_hash(encoded).map_err(Outcome::from),
        }
        .map(Arc::new);
        let unchecked = match &stored {
            Ok(stored) if self.allows(stored) => None,
            Ok(_) => Some(Outcome::Unsupported),
            Err(outcome) => Some(*outcome),
        };
        let job = HashJob {
            stored,
            context,
            limits: self.passwords.limits.clone(),
            password: Secret::new(password.expose()),
            in_vain,
            denial_cost: None,
            fingerprint,
            shared,
            state: unchecked.map_or(JobState::Verify, |outcome| JobState::Spend {
                outcome,
                checked: false,
            }),
        };
        Ok(Progress::Pending(Box::new(Pending { job, decision })))
    }

    pub(super) fn malformed_password(&self, password: &[u8]) -> bool {
        password.len() > self.longest_password
            || password.contains(&0)
            || std::str::from_utf8(password).is_err()
    }

    /// Whether the configuration allows the algorithm of this stored hash.
    fn allows(&self, stored: &Encoded) -> bool {
        let allowed = self.site.algorithms.as_ref();
        allowed.is_none_or(|names| names.iter().any(|name| name == stored.algorithm()))
    }
}

/// Names a check by all that its outcome rests on: the `stored` text, or the name that nobody has,
/// what stands beside it in the account's row, and the password.
fn fingerprint(
    fingerprints: &Fingerprints,
    stored: Result<&str, &str>,
    context: &HashContext,
    password: &Secret,
    in_vain: bool,
) -> Fingerprint {
    let (kind, stored) = match stored {
        Err(name) => (&b"nobody"[..], name),
        Ok(stored) if in_vain => (&b"in vain"[..], stored),
        Ok(stored) => (&b"account"[..], stored),
    };
    let context = context.context();
    let [login_name, salt] =
        [context.login_name, context.salt].map(|text| text.unwrap_or_default().as_bytes());
    fingerprints.of(&[kind, stored.as_bytes(), login_name, salt, password.expose()])
}
