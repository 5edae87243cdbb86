//! Any site with SQL tables: the statements of `[custom]`.

mod accounts;
mod rows;
mod sessions;

use hallpass_passwords::Rules;

pub(super) use self::accounts::CustomAccounts;
use self::sessions::Sessions;
use super::Site;
use crate::configuration::{Access, Custom};

/// Django's rules, and PHP's for what Django does not know.
pub(super) const ANY_RULES: [Rules; 2] = [Rules::Django, Rules::Php];

/// The site that `custom` describes.
pub(super) fn site(custom: &Custom, access: &Access) -> Site {
    Site {
        accounts: Box::new(CustomAccounts::new(custom, access)),
        sessions: Box::new(Sessions::new(custom)),
        rules: &ANY_RULES,
        algorithms: None,
    }
}
