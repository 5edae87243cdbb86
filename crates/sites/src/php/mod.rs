//! Plain PHP: sessions as PHP's save handlers keep them. Accounts, where there are any to look up,
//! are `[custom]`'s.

mod cached;
mod file;
mod sessions;
mod table;

use self::sessions::Sessions;
use super::Site;
use super::custom::{ANY_RULES, CustomAccounts};
use crate::configuration::{Access, Custom, Php};

/// The site that `php` describes, with the accounts of `custom`.
pub(super) fn site(php: &Php, custom: &Custom, access: &Access) -> Site {
    Site {
        accounts: Box::new(CustomAccounts::new(custom, access)),
        sessions: Box::new(Sessions::new(php)),
        rules: &ANY_RULES,
        algorithms: None,
    }
}
