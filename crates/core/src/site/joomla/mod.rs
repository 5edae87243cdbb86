//! Joomla: `#__users` for accounts, `#__session` and what the session handler keeps for sessions.

mod directory;
mod extensions;
mod groups;
mod keys;
mod second_step;
mod sessions;
mod statements;

use hallpass_passwords::Rules;
use hallpass_stores::sql::Value;

use self::directory::Accounts;
use self::sessions::Sessions;
use super::{Site, quoted};
use crate::configuration::{Access, Joomla};

/// The site that `joomla` describes.
pub(super) fn site(joomla: &Joomla, access: &Access) -> Site {
    Site {
        directory: Box::new(Accounts::new(joomla, access)),
        sessions: Box::new(Sessions::new(joomla)),
        rules: if joomla.major.is_some_and(|major| major < 4) {
            Rules::Joomla3
        } else {
            Rules::Joomla
        },
        algorithms: None,
    }
}

/// The table that Joomla calls `#__name`, quoted.
fn table(prefix: &str, name: &str) -> String {
    quoted(&format!("{prefix}{name}"))
}

/// A number, which old tables keep as text.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Text(text) => text.trim().parse().ok(),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.trim().parse().ok(),
        _ => None,
    }
}
