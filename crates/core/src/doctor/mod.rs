//! Checks every assumption about a site against the site itself.
//!
//! Nothing is changed. What cannot be examined is a finding, too.

mod accounts;
mod files;
mod finding;
mod groups;
mod jwt;
mod logouts;
mod machines;
mod passwords;
mod permission;
mod sessions;
mod stores;
mod tables;

use std::time::SystemTime;

use hallpass_stores::sql::{self, Database, Location};
use hallpass_stores::{Deadline, Unavailable};

pub use self::finding::{Finding, Status};
pub use self::groups::group_names;
pub use self::permission::{barrier, group_name, permit_reading, this_user, user_name};
use crate::configuration::Configuration;
use hallpass_sites::{Overlooked, Problem, Site};

/// `count` of `what`, with an s where that is right.
fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// What is examined, and what has been found.
struct Examination<'a> {
    configuration: &'a Configuration,
    site: Site,
    database: Database,
    now: SystemTime,
    findings: Vec<Finding>,
}

/// Examines the site that `configuration` describes, at the time `now`: the files, the database
/// and what is in it, the caches and the sessions.
#[must_use]
pub fn examine(configuration: &Configuration, now: SystemTime) -> Vec<Finding> {
    let mut lookup = configuration.access.lookup.clone();
    // As the host takes names that takes the most for the same.
    lookup.ignore_case |= configuration.ejabberd.configured && configuration.ejabberd.ignore_case;
    // Names of LDAP have no case.
    lookup.ignore_case |= configuration.is_directory();
    let mut examination = Examination {
        configuration,
        site: configuration.open(&lookup),
        // What is there is looked at however old it is. A replica's lag is a finding of its own.
        database: Database::new(&sql::Settings {
            max_lag: None,
            ..configuration.database.clone()
        }),
        now,
        findings: Vec::new(),
    };
    examination.configured();
    examination.signed_tokens();
    examination.logouts();
    let mut complete = matches!(configuration.database.location, Location::Nowhere);
    let is_readable = match &configuration.database.location {
        Location::Sqlite(path) => examination.sqlite(path),
        _ => true,
    };
    if is_readable && examination.servers() {
        examination.clock();
        examination.replica();
        complete = examination.tables();
        if complete {
            complete = examination.condition();
            let count = examination.accounts();
            if complete {
                examination.names(count);
            }
            examination.passwords();
            examination.overlooked();
        }
    }
    let before = examination.findings.len();
    examination.caches();
    examination.directories();
    let kept = examination.findings.get(before..).unwrap_or_default();
    // What keeps sessions from being read is said, and said once.
    if complete && !kept.iter().any(|finding| finding.unreachable) {
        examination.sessions();
    }
    examination.shared_limits();
    examination.findings
}

impl Examination<'_> {
    fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// What the site's framework says can be done about `problem`.
    fn advice(&self, problem: Problem<'_>) -> String {
        let advice = self.configuration.framework.advice(problem);
        advice.unwrap_or_else(|| "compare the configuration with the site's own".to_owned())
    }

    /// When what is asked now must be answered.
    fn deadline(&self) -> Deadline {
        Deadline::after(self.configuration.limits.deadline)
    }

    /// Adds what a store shows and the configuration does not honour.
    fn add_overlooked(&mut self, rules: Vec<Overlooked>) {
        for rule in rules {
            let finding = match rule.problem {
                true => Finding::problem(rule.check, rule.tried, rule.seen, rule.mend),
                false => Finding::warning(rule.check, rule.tried, rule.seen, rule.mend),
            };
            self.add(finding);
        }
    }

    /// Finds that a store could not be asked.
    fn unavailable(&mut self, check: &'static str, tried: &str, cause: &Unavailable, mend: &str) {
        self.add(Finding::problem(check, tried, cause.to_string(), mend).unreachable());
    }
}
