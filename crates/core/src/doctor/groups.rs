//! Lists the groups that the site has.

use hallpass_sites::MOST_GROUPS;
use hallpass_stores::Deadline;
use hallpass_stores::sql::Database;

use crate::configuration::Configuration;

/// The names of the site's groups; `None` where they cannot be listed, or are too many. A database
/// that cannot be asked is a finding of its own.
#[must_use]
pub fn group_names(configuration: &Configuration) -> Option<Vec<String>> {
    let mut site = configuration.open(&configuration.access.lookup);
    let mut database = Database::new(&configuration.database);
    let deadline = Deadline::after(configuration.limits.deadline);
    let known = database.ask(deadline, |queries| site.accounts.group_names(queries));
    let known = known.ok().flatten()?;
    (known.len() < MOST_GROUPS).then_some(known)
}
