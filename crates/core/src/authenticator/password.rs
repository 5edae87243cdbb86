//! The way from a name and a password to a verdict.

use std::time::{Instant, SystemTime};

use hallpass_passwords::{Outcome, identify};
use hallpass_stores::sql::Queries;
use hallpass_stores::{Deadline, Unavailable};

use super::admission::{Found, admit};
use super::check::{Begun, Check, Computation, Conclusion, Known, Next, Stage};
use super::{Authenticator, told, well_formed_name};
use crate::account::Beside;
use crate::{Question, Reason, Secret, Verdict};

impl Authenticator {
    pub(super) fn password(
        &mut self,
        password: &Secret,
        question: &Question,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Verdict, Unavailable> {
        let (mut computation, conclusion) = match self.check(password, question, now, deadline)? {
            Begun::Answered(verdict) => return Ok(verdict),
            Begun::Check(check) => (check.computation, check.conclusion),
        };
        told::hash(&self.witness, &computation);
        let started = Instant::now();
        let checked = loop {
            // Whoever is let in costs no look at what others would cost.
            if computation.misses_a_cost() {
                let stored = computation.encoded.as_deref();
                computation.costliest = Some(self.cost_of_denials(stored, deadline)?);
            }
            match computation.advance() {
                Next::Done(outcome) => break outcome,
                Next::Derivation(_) | Next::Run => computation.run(deadline)?,
            }
        };
        told::password(&self.witness, checked, started.elapsed());
        Ok(conclusion.conclude(checked, now))
    }

    /// Asks the stores all there is to ask about a name and a password.
    pub(super) fn check(
        &mut self,
        password: &Secret,
        question: &Question,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Begun, Unavailable> {
        let shared = self.shared.clone();
        let client = question.client.address;
        let refused = |reason| Ok(Begun::Answered(Verdict::Denied(reason)));
        if !self.access.passwords {
            self.refuses("passwords", Reason::UnusablePassword);
            return refused(Reason::UnusablePassword);
        }
        let Some(name) = well_formed_name(&question.name) else {
            self.refuses("question", Reason::Malformed);
            return refused(Reason::Malformed);
        };
        if let Some(shared) = &shared
            && !shared.throttle.admits(name, client, now)
        {
            self.refuses("throttle", Reason::Throttled);
            return refused(Reason::Throttled);
        }
        if self.malformed_password(password.expose()) {
            self.refuses("question", Reason::Malformed);
            return refused(Reason::Malformed);
        }
        let directory = &mut *self.site.directory;
        // What the account must be is looked up first, so that the database is not held while the
        // hash is computed, and so that a group costs a wrong password no less than a right one.
        let found = self.database.ask(deadline, |queries| {
            let account = directory.by_name(queries, name)?;
            told::account(queries.witness(), account.as_ref());
            let Some(account) = account else {
                return Ok(None);
            };
            let found = Found::by_name(&account, name);
            let admitted = admit(directory, queries, found, &self.access, question, now)?;
            let refused = directory.refuses_passwords(queries, &account)?;
            told::refused(queries.witness(), refused);
            let beside = directory.beside(queries, &account)?;
            Ok(Some((account, refused, beside, admitted)))
        })?;
        let (encoded, beside, admitted) = match found {
            Some((account, refused, beside, admitted)) => {
                // Where no password is good, there is nothing to compare one with.
                let encoded = account.encoded.filter(|_| refused.is_none());
                (Some(encoded.unwrap_or_default()), beside, admitted)
            }
            None => (None, Beside::default(), Err(Reason::UnknownUser)),
        };
        let fingerprint = shared.as_ref().and_then(|shared| {
            let stored = encoded.as_deref().map_or(name.as_bytes(), str::as_bytes);
            let kind = match (&encoded, &admitted) {
                (None, _) => &b"nobody"[..],
                (Some(_), Ok(_)) => b"account",
                (Some(_), Err(_)) => b"in vain",
            };
            let fingerprints = shared.fingerprints.as_ref()?;
            let beside = beside.context();
            let [login_name, salt] =
                [beside.login_name, beside.salt].map(|text| text.unwrap_or_default().as_bytes());
            Some(fingerprints.of(&[kind, stored, login_name, salt, password.expose()]))
        });
        let conclusion = Conclusion {
            name: name.to_owned(),
            client,
            account: match encoded.as_deref() {
                None => Known::NoAccount,
                Some("") => Known::NoPassword,
                Some(_) => Known::Hash,
            },
            fingerprint,
            shared: shared.clone(),
            admitted,
        };
        if conclusion.admitted.is_ok()
            && let (Some(shared), Some(fingerprint)) = (&shared, &fingerprint)
            && let Some(verified) = &shared.verified
            && verified.knows(fingerprint, now)
        {
            let verdict = conclusion.conclude(Outcome::Match, now);
            return Ok(Begun::Answered(verdict));
        }
        let computation = Computation {
            rules: encoded
                .as_deref()
                .map_or(self.site.rules, |encoded| self.site.rules_of(encoded)),
            limits: self.passwords.limits.clone(),
            password: Secret::new(password.expose()),
            allowed: encoded
                .as_deref()
                .is_none_or(|encoded| self.allows(encoded)),
            in_vain: conclusion.admitted.is_err(),
            encoded,
            beside,
            costliest: None,
            fingerprint,
            shared,
            stage: Stage::Verify,
        };
        Ok(Begun::Check(Box::new(Check {
            computation,
            conclusion,
        })))
    }

    pub(super) fn malformed_password(&self, password: &[u8]) -> bool {
        password.len() > self.longest_password
            || password.contains(&0)
            || std::str::from_utf8(password).is_err()
    }

    /// Whether the configuration allows the algorithm of this stored hash. What is no hash at all
    /// is for the rules to say.
    fn allows(&self, encoded: &str) -> bool {
        let Some(allowed) = &self.site.algorithms else {
            return true;
        };
        encoded.starts_with('!')
            || identify(self.site.rules_of(encoded), encoded)
                .is_none_or(|it| allowed.iter().any(|name| name == it.algorithm))
    }

    /// What a denial costs: as much as the site's costliest hash, `stored` among them, so that the
    /// time tells nobody which accounts there are.
    pub(super) fn cost_of_denials(
        &mut self,
        stored: Option<&str>,
        deadline: Deadline,
    ) -> Result<String, Unavailable> {
        if let Some(dummy) = &self.passwords.dummy {
            return Ok(dummy.clone());
        }
        self.learn(stored, deadline)?;
        Ok(self.costliest.hash().to_owned())
    }

    /// Learns what hashes cost: that of `checked`, and the first time those of a few others, so
    /// that a program that answers once knows what it must cost, too.
    pub(super) fn learn(
        &mut self,
        checked: Option<&str>,
        deadline: Deadline,
    ) -> Result<(), Unavailable> {
        let others = if self.costliest.seen().is_none() {
            let directory = &mut *self.site.directory;
            let ask = |queries: &mut Queries<'_>| directory.some_hashes(queries);
            self.database.ask(deadline, ask)?
        } else {
            Vec::new()
        };
        for encoded in others.iter().map(String::as_str).chain(checked) {
            let rules = self.site.rules_of(encoded);
            self.costliest.learn(rules, &self.passwords.limits, encoded);
        }
        Ok(())
    }
}
