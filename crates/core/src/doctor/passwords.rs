//! Examines the hashes of the newest accounts: whether they can be checked, and what a check costs
//! on this machine.

use std::collections::BTreeMap;
use std::time::Instant;

use hallpass_passwords::{Context, Encoded};

use hallpass_sites::Problem;

use super::{Examination, Finding, Status};

impl Examination<'_> {
    /// Looks at the algorithms in use, and times the costliest.
    pub(super) fn passwords(&mut self) {
        let deadline = self.deadline();
        let accounts = &mut *self.site.accounts;
        let asked = self
            .database
            .ask(deadline, |queries| accounts.sample_hashes(queries));
        let Ok(hashes) = asked else {
            return;
        };
        let accounts = &mut *self.site.accounts;
        let elsewhere = self
            .database
            .ask(deadline, |queries| accounts.passwords_elsewhere(queries));
        let tried = "see who checks the site's passwords";
        if let Err(cause) = &elsewhere {
            self.add(Finding::problem(
                "rights",
                tried,
                format!("no password can be answered: {cause}"),
                "run what `hallpass grants` prints, as the database's administrator",
            ));
        }
        if let Ok(Some(why)) = elsewhere {
            self.add(Finding::warning(
                "passwords-elsewhere",
                tried,
                format!(
                    "{why}: what the site stores is not what counts, and no password is good here"
                ),
                "nothing, if only sessions are to be accepted; otherwise, ask the service that the site asks",
            ));
        }
        let limits = &self.configuration.passwords.limits;
        let tried = match hashes.len() {
            1 => "look at the hash of the newest account".to_owned(),
            count => format!("look at the hashes of the {count} newest accounts"),
        };
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        let (mut unknown, mut costly, mut refused) = (0, 0, BTreeMap::new());
        let mut costliest: Option<Encoded> = None;
        for encoded in hashes
            .iter()
            .filter(|it| !it.is_empty() && !it.starts_with('!'))
        {
            let Ok(hash) = self.site.parse_hash(encoded) else {
                unknown += 1;
                continue;
            };
            let allowed = self.site.algorithms.as_ref();
            let (algorithm, parameters) = (hash.algorithm(), hash.parameters());
            if allowed.is_some_and(|allowed| !allowed.iter().any(|it| it == algorithm)) {
                *refused.entry(algorithm).or_insert(0) += 1;
            } else if !hash.fits(limits) {
                costly += 1;
            } else {
                let work = |hash: &Encoded| hash.cost().work;
                if costliest.as_ref().is_none_or(|it| work(&hash) > work(it)) {
                    costliest = Some(hash);
                }
                let comma = if parameters.is_empty() { "" } else { ", " };
                let kind = format!("{algorithm}{comma}{parameters}");
                *kinds.entry(kind).or_insert(0) += 1;
            }
        }
        let cost = costliest.map(|hash| {
            let started = Instant::now();
            hash.verify(b"hallpass doctor", &Context::default(), limits);
            started.elapsed()
        });
        // Where no hash is good, everybody is locked out.
        let status = match kinds.is_empty() {
            true => Status::Problem,
            false => Status::Warning,
        };
        let mut found = Vec::new();
        if unknown > 0 {
            let seen = match unknown {
                1 => "1 is of an unknown algorithm: its owner cannot log in".to_owned(),
                _ => format!("{unknown} are of an unknown algorithm: their owners cannot log in"),
            };
            let mend = match status {
                Status::Problem => {
                    "see that the configuration names the column of the hashes; `hallpass hash \
                     identify` looks at one hash"
                }
                _ => {
                    "have their owners choose new passwords; `hallpass hash identify` looks at one \
                     hash"
                }
            };
            let finding = Finding::warning("password-hashes", &tried, seen, mend);
            found.push(Finding { status, ..finding });
        }
        for (algorithm, count) in refused {
            let are = if count == 1 { "is" } else { "are" };
            let finding = Finding::warning(
                "password-hashers",
                &tried,
                format!("{count} {are} of {algorithm}, which is not allowed"),
                self.advice(Problem::AlgorithmNotAllowed(algorithm)),
            );
            found.push(Finding { status, ..finding });
        }
        if costly > 0 {
            found.push(Finding::problem(
                "password-limits",
                &tried,
                match costly {
                    1 => "1 costs more than [passwords] allows".to_owned(),
                    _ => format!("{costly} cost more than [passwords] allows"),
                },
                "raise [passwords] max_iterations, max_memory or max_cost",
            ));
        }
        if found.is_empty() && !kinds.is_empty() {
            let kinds: Vec<String> = kinds
                .into_iter()
                .map(|(kind, count)| format!("{count} of {kind}"))
                .collect();
            found.push(Finding::ok("password-hashes", tried, kinds.join("; ")));
        }
        if let Some(cost) = cost {
            let tried = "check one password of the costliest kind";
            let seen = format!("takes {} ms here", cost.as_millis());
            let limit = self.configuration.limits.deadline;
            found.push(if cost >= limit {
                let mend = "raise [limits] deadline, or have the site's hashes made cheaper";
                let seen = format!("{seen}, longer than the deadline");
                Finding::problem("password-cost", tried, seen, mend)
            } else {
                Finding::ok("password-cost", tried, seen)
            });
        }
        self.findings.extend(found);
    }
}
