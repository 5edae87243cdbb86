//! phpBB 3.0 to 3.3: its users, groups and bans, and the sessions of its own pages.

mod accounts;
mod bans;
mod checks;
mod cookies;
mod escape;
mod sessions;
mod settings;
mod username;

use hallpass_passwords::Rules;
use hallpass_stores::sql::Value;

use self::accounts::PhpbbAccounts;
use self::sessions::Sessions;
use super::{Site, quoted};
use crate::configuration::{Access, Phpbb};

/// The board that `phpbb` describes.
pub(super) fn site(phpbb: &Phpbb, access: &Access) -> Site {
    Site {
        accounts: Box::new(PhpbbAccounts::new(phpbb, access)),
        sessions: Box::new(Sessions::new(phpbb)),
        rules: &[Rules::Phpbb],
        algorithms: None,
    }
}

/// The table that phpBB calls `name` behind its prefix, quoted.
fn table(prefix: &str, name: &str) -> String {
    quoted(&format!("{prefix}{name}"))
}

fn integer(value: &Value) -> Option<i64> {
    value.integer_like()
}
