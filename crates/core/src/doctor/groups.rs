//! Compares names of groups with those that the site has.

use hallpass_stores::Deadline;
use hallpass_stores::sql::Database;

use crate::configuration::Configuration;
use hallpass_sites::MOST_GROUPS;

/// Those of `names` that no group of the site is called; none where its groups cannot be listed.
#[must_use]
pub fn unknown_groups(configuration: &Configuration, names: &[String]) -> Vec<String> {
    if names.is_empty() {
        return Vec::new();
    }
    let mut site = configuration.open(&configuration.access.lookup);
    let mut database = Database::new(&configuration.database);
    let deadline = Deadline::after(configuration.limits.deadline);
    // A database that cannot be asked is a finding of its own.
    let known = database.ask(deadline, |queries| site.accounts.group_names(queries));
    let Ok(Some(known)) = known else {
        return Vec::new();
    };
    if known.len() >= MOST_GROUPS {
        return Vec::new();
    }
    let mut unknown: Vec<String> = Vec::new();
    for name in names {
        if !known.contains(name) && !unknown.contains(name) {
            unknown.push(name.clone());
        }
    }
    unknown
}
