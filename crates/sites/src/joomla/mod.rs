//! Joomla: `#__users` for accounts, `#__session` and what the session handler keeps for sessions.

mod accounts;
mod extensions;
mod groups;
mod keys;
mod second_step;
mod sessions;
mod statements;

use std::time::Duration;

use hallpass_passwords::Rules;
use hallpass_stores::Deadline;
use hallpass_stores::sql::{Queries, Value};

use self::accounts::JoomlaAccounts;
use self::sessions::Sessions;
use super::{Site, quoted};
use crate::configuration::{Access, Joomla};

/// The site that `joomla` describes.
pub(super) fn site(joomla: &Joomla, access: &Access) -> Site {
    Site {
        accounts: Box::new(JoomlaAccounts::new(joomla, access)),
        sessions: Box::new(Sessions::new(joomla)),
        rules: if joomla.major.is_some_and(|major| major < 4) {
            &[Rules::Joomla3]
        } else {
            &[Rules::Joomla]
        },
        algorithms: None,
    }
}

/// How long what was learned of a site's tables counts. A site may be upgraded while programs run,
/// and have second factors in another table then.
const LASTS: Duration = Duration::from_secs(60);

/// What was learned of a site's tables.
#[derive(Debug)]
struct Learned<T> {
    known: T,
    /// When the question was to be answered that it was learned for. Deadlines run with the clock.
    by: Deadline,
}

impl<T> Learned<T> {
    fn new(known: T, queries: &Queries<'_>) -> Self {
        Self {
            known,
            by: queries.deadline(),
        }
    }

    fn lasts(&self, queries: &Queries<'_>) -> bool {
        let (then, now) = (self.by.instant(), queries.deadline().instant());
        now.max(then).duration_since(now.min(then)) < LASTS
    }
}

/// The table that Joomla calls `#__name`, quoted.
fn table(prefix: &str, name: &str) -> String {
    quoted(&format!("{prefix}{name}"))
}

/// A number, which old tables keep as text.
fn integer(value: &Value) -> Option<i64> {
    value.integer_like()
}
