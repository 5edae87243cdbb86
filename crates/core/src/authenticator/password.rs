//! Answers requests that present a password.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use hallpass_passwords::{Encoded, Outcome};
use hallpass_stores::sql::Queries;
use hallpass_stores::{Deadline, Unavailable};

use super::admission::{Found, admit};
use super::check::{Decision, HashJob, JobState, Pending, Progress, Stored};
use super::{Authenticator, scan, trace};
use crate::throttle::Attempt;
use crate::verified::{Fingerprint, Fingerprints};
use crate::{Credential, Id, Identity, Reason, Request, Secret, Verdict};
use hallpass_sites::{HashContext, Stop, ask};

/// What a denial costs on a site without any account that has a password: what Django 5.2 would
/// make one cost.
const DEFAULT_COST: &str = "pbkdf2_sha256$1000000";

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
            trace::hash(&self.tracer, &check.job);
            let stored = check.job.stored.as_ref().ok();
            check.job.denial_cost = self.cost_of_denials(stored, deadline)?;
        }
        Ok(progress)
    }

    /// Asks the stores everything about a name and a password. What is left is to compute a hash,
    /// unless the same check has been verified before.
    fn check(
        &mut self,
        password: &Secret,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Progress, Stop> {
        let (name, mut attempt) = self.attempt(password, request, now)?;
        if let Some(identity) = self.of_program(name, password, request, now, deadline)? {
            return Ok(Progress::Answered(Verdict::Granted(Box::new(identity))));
        }
        let found = self.stored_password(name, request, now, deadline)?;
        if found.account.is_none() && name.is_empty() {
            return Err(self.refuses("question", Reason::Malformed).into());
        }
        let shared = self.shared.clone();
        let mut in_vain = found.admitted.is_err();
        if let (Some(shared), Some(attempt), Some(id)) = (&shared, &mut attempt, &found.account) {
            *attempt = shared.throttle.of_account(*attempt, id);
        }
        if let (Some(shared), Some(attempt)) = (&shared, &attempt) {
            shared.throttle.look_for_account(attempt, now);
            in_vain |= !shared.throttle.admits_account(attempt, now);
        }
        let fingerprints = shared.as_ref().and_then(|it| it.fingerprints.as_ref());
        let fingerprint = fingerprints.map(|it| found.fingerprint(it, name, password, in_vain));
        let (state, stored) = self.parse(found.encoded.as_deref());
        let decision = Decision {
            counted: shared.clone().zip(attempt),
            stored: found.stored,
            fingerprint,
            admitted: found.admitted,
        };
        if !in_vain && decision.is_verified(now) {
            // What is counted was asked for just now.
            let verdict = decision.settle(Outcome::Match, now);
            return Ok(Progress::Answered(verdict));
        }
        let job = HashJob {
            stored,
            context: found.context,
            limits: self.passwords.limits.clone(),
            password: Secret::new(password.expose()),
            in_vain,
            denial_cost: None,
            fingerprint,
            shared,
            state,
        };
        Ok(Progress::Pending(Box::new(Pending { job, decision })))
    }

    /// The identity that `password` proves where it is one that the site gave to a program; `None`
    /// where it is not, and may be the account's own.
    fn of_program(
        &mut self,
        name: &str,
        password: &Secret,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Option<Identity>, Stop> {
        if !self.site.accounts.is_for_programs(password.expose()) {
            return Ok(None);
        }
        let accounts = &mut *self.site.accounts;
        ask(&mut self.database, deadline, |queries| {
            let found = accounts.by_program_password(queries, name, password.expose())?;
            let Some(account) = found else {
                return Ok(None);
            };
            trace::account(queries.tracer(), Some(&account));
            if let Some(refused) = accounts.refuses_passwords(queries, &account)? {
                return Err(refused.into());
            }
            let found = Found {
                account: &account,
                by: Some(name),
            };
            admit(accounts, queries, found, &self.access, request, now).map(Some)
        })
    }

    /// The name of `request`, and the attempt that a wrong password counts as. Everything that
    /// refuses a password before any store is asked refuses it here.
    fn attempt<'a>(
        &self,
        password: &Secret,
        request: &'a Request,
        now: SystemTime,
    ) -> Result<(&'a str, Option<Attempt>), Stop> {
        if !self.access.passwords {
            return Err(self.refuses("passwords", Reason::UnusablePassword).into());
        }
        let name = self.name_of(request);
        let name = name.ok_or_else(|| self.refuses("question", Reason::Malformed))?;
        let attempt = self.admitted_attempt(name, request, now)?;
        if self.malformed_password(password.expose()) {
            return Err(self.refuses("question", Reason::Malformed).into());
        }
        if self.dummy.is_none() && !self.site.accounts.lists_hashes() {
            let cause = "passwords are not checked: an unknown name must cost as much as any other; \
                         set [custom] accounts or [passwords] dummy";
            return Err(Unavailable::new(cause).into());
        }
        Ok((name, attempt))
    }

    /// Reads what the site stores for `name`, and whether the account would be admitted. That is
    /// read before the hash is computed, so that the database is not held meanwhile, and so that a
    /// group costs a wrong password no less than a right one.
    fn stored_password(
        &mut self,
        name: &str,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<StoredPassword, Unavailable> {
        let shared = self.shared.clone();
        let _scan = scan(shared.as_deref(), &self.site, request, deadline)?;
        let accounts = &mut *self.site.accounts;
        self.database.ask(deadline, |queries| {
            let account = accounts.by_name(queries, name)?;
            trace::account(queries.tracer(), account.as_ref());
            let Some(account) = account else {
                return Ok(StoredPassword::of_nobody());
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
            // Where no password is accepted, there is nothing to compare one with.
            let encoded = account.encoded.filter(|_| refused.is_none());
            let encoded = encoded.unwrap_or_default();
            Ok(StoredPassword {
                account: Some(account.id),
                stored: match encoded.is_empty() {
                    true => Stored::NoPassword(refused.unwrap_or(Reason::UnusablePassword)),
                    false => Stored::Hash,
                },
                encoded: Some(encoded),
                context,
                admitted,
            })
        })
    }

    /// Parses a stored hash, and says whether it may be computed.
    fn parse(&self, encoded: Option<&str>) -> (JobState, Result<Arc<Encoded>, Outcome>) {
        let stored = match encoded {
            // As good as any other: no password matches.
            None => Err(Outcome::Mismatch),
            Some(encoded) => self.site.parse_hash(encoded).map_err(Outcome::from),
        };
        let skipped = |outcome| JobState::Spend {
            outcome,
            checked: false,
        };
        let state = match &stored {
            Ok(stored) if self.allows(stored) => JobState::Verify,
            Ok(_) => skipped(Outcome::Unsupported),
            Err(outcome) => skipped(*outcome),
        };
        (state, stored.map(Arc::new))
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

impl Authenticator {
    /// The costliest hash that the newest accounts have; `None` where none of them has a password.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked.
    pub fn denial_cost(&mut self, deadline: Deadline) -> Result<Option<Arc<Encoded>>, Unavailable> {
        self.learn(None, deadline)?;
        Ok(self.denial_cost.costliest())
    }

    /// What a denial costs: as much as the site's costliest hash, `stored` among them, so that the
    /// time does not tell which accounts there are.
    pub(super) fn cost_of_denials(
        &mut self,
        stored: Option<&Arc<Encoded>>,
        deadline: Deadline,
    ) -> Result<Option<Arc<Encoded>>, Unavailable> {
        if let Some(dummy) = &self.dummy {
            return Ok(Some(Arc::clone(dummy)));
        }
        self.learn(stored, deadline)?;
        let costliest = self.denial_cost.costliest();
        Ok(costliest.or_else(|| self.site.parse_cost(DEFAULT_COST).map(Arc::new)))
    }

    /// Learns what hashes cost: that of `checked`, and the first time those of a few others, so
    /// that a program that answers once knows what it must cost, too.
    fn learn(
        &mut self,
        checked: Option<&Arc<Encoded>>,
        deadline: Deadline,
    ) -> Result<(), Unavailable> {
        let others = if self.denial_cost.costliest().is_none() {
            let accounts = &mut *self.site.accounts;
            let ask = |queries: &mut Queries<'_>| accounts.sample_hashes(queries);
            self.database.ask(deadline, ask)?
        } else {
            Vec::new()
        };
        let others = others.iter().filter_map(|it| self.site.parse_hash(it).ok());
        for encoded in others.map(Arc::new).chain(checked.cloned()) {
            self.denial_cost.learn(&encoded, &self.passwords.limits);
        }
        Ok(())
    }
}

/// What the site stores for a name, read before the password is compared.
struct StoredPassword {
    /// The account's primary key; `None` where the name means no account.
    account: Option<Id>,
    stored: Stored,
    /// The stored hash, empty where no password is accepted; `None` without an account.
    encoded: Option<String>,
    context: HashContext,
    /// The identity that a right password proves, or why it is denied even so.
    admitted: Result<Identity, Reason>,
}

impl StoredPassword {
    fn of_nobody() -> Self {
        Self {
            account: None,
            stored: Stored::NoAccount,
            encoded: None,
            context: HashContext::default(),
            admitted: Err(Reason::UnknownUser),
        }
    }

    /// Names a check by everything that its outcome depends on: the stored hash, or the `name` that
    /// means no account, the columns beside the hash, and the password.
    fn fingerprint(
        &self,
        fingerprints: &Fingerprints,
        name: &str,
        password: &Secret,
        in_vain: bool,
    ) -> Fingerprint {
        let (kind, stored) = match &self.encoded {
            None => (&b"nobody"[..], name),
            Some(encoded) if in_vain => (&b"in vain"[..], encoded.as_str()),
            Some(encoded) => (&b"account"[..], encoded.as_str()),
        };
        let context = self.context.context();
        let [login_name, salt] =
            [context.login_name, context.salt].map(|text| text.unwrap_or_default().as_bytes());
        let pepper = context.pepper.unwrap_or_default();
        let stored = stored.as_bytes();
        fingerprints.of(&[kind, stored, login_name, salt, pepper, password.expose()])
    }
}
