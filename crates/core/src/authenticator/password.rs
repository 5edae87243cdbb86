//! The way from a name and a password to a verdict.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use hallpass_passwords::{Encoded, Outcome};
use hallpass_stores::sql::Queries;
use hallpass_stores::{Deadline, Unavailable};

use super::admission::{Found, admit};
use super::check::{Decision, HashJob, Known, Pending, Progress, State};
use super::denial_cost;
use super::{Authenticator, scan, trace};
use crate::{Identity, Reason, Request, Secret};
use hallpass_sites::{HashContext, Stop};

impl Authenticator {
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

    /// Asks the stores all there is to ask about a name and a password.
    pub(super) fn check(
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
            let beside = accounts.hash_context(queries, &account)?;
            Ok(Some((account, refused, beside, admitted)))
        })?;
        drop(scan);
        let mut in_vain = false;
        let (encoded, refused, beside, admitted) = match found {
            Some((account, refused, beside, admitted)) => {
                if let Some((shared, attempt)) = shared.as_ref().zip(attempt.as_mut()) {
                    *attempt = shared.throttle.of_account(*attempt, &account.id);
                    in_vain = !shared.throttle.admits_account(attempt, now);
                }
                // Where no password is good, there is nothing to compare one with.
                let encoded = account.encoded.filter(|_| refused.is_none());
                let encoded = Some(encoded.unwrap_or_default());
                (encoded, refused, beside, admitted)
            }
            None if name.is_empty() => {
                return Err(self.refuses("question", Reason::Malformed).into());
            }
            None => (None, None, HashContext::default(), Err(Reason::UnknownUser)),
        };
        in_vain |= admitted.is_err();
        let fingerprint = shared.as_ref().and_then(|shared| {
            let stored = encoded.as_deref().map_or(name.as_bytes(), str::as_bytes);
            let kind = match (&encoded, in_vain) {
                (None, _) => &b"nobody"[..],
                (Some(_), false) => b"account",
                (Some(_), true) => b"in vain",
            };
            let fingerprints = shared.fingerprints.as_ref()?;
            let beside = beside.context();
            let [login_name, salt] =
                [beside.login_name, beside.salt].map(|text| text.unwrap_or_default().as_bytes());
            Some(fingerprints.of(&[kind, stored, login_name, salt, password.expose()]))
        });
        let decision = Decision {
            counted: shared.clone().zip(attempt),
            account: match encoded.as_deref() {
                None => Known::NoAccount,
                Some("") => Known::NoPassword(refused.unwrap_or(Reason::UnusablePassword)),
                Some(_) => Known::Hash,
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
            context: beside,
            limits: self.passwords.limits.clone(),
            password: Secret::new(password.expose()),
            in_vain,
            denial_cost: None,
            fingerprint,
            shared,
            state: unchecked.map_or(State::Verify, |outcome| State::Spend {
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

    /// What a denial costs: as much as the site's costliest hash, `stored` among them, so that the
    /// time tells nobody which accounts there are.
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
        Ok(costliest.or_else(|| self.site.parse_cost(denial_cost::DEFAULT).map(Arc::new)))
    }

    /// Learns what hashes cost: that of `checked`, and the first time those of a few others, so
    /// that a program that answers once knows what it must cost, too.
    pub(super) fn learn(
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
