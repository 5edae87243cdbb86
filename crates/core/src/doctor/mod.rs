//! Checks every assumption about a site against the site itself.
//!
//! Nothing is changed. What cannot be examined is a finding, too.

mod accounts;
mod files;
mod finding;
mod groups;
mod passwords;
mod sessions;
mod stores;
mod tables;

use std::time::SystemTime;

use hallpass_stores::sql::{Database, Location};
use hallpass_stores::{Deadline, Unavailable};

pub use self::files::barrier;
pub use self::finding::{Finding, Status};
pub use self::groups::group_names;
use crate::configuration::Configuration;
use hallpass_sites::{Problem, Site};

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
    let mut examination = Examination {
        configuration,
        site: configuration.open(&lookup),
        database: Database::new(&configuration.database),
        now,
        findings: Vec::new(),
    };
    examination.configured();
    if let Location::Sqlite(path) = &configuration.database.location {
        examination.sqlite(path);
    }
    let mut complete = matches!(configuration.database.location, Location::Nowhere);
    if examination.servers() {
        examination.clock();
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

    /// Finds that a store could not be asked.
    fn unavailable(&mut self, check: &'static str, tried: &str, cause: &Unavailable, mend: &str) {
        self.add(Finding::problem(check, tried, cause.to_string(), mend).unreachable());
    }
}
