//! Any site with SQL tables: the statements of `[custom]`.

mod accounts;
mod rows;
mod sessions;

use hallpass_passwords::Rules;

pub(super) use self::accounts::CustomAccounts;
use self::sessions::Sessions;
use super::Site;
use crate::configuration::{Access, Custom};

/// The site that `custom` describes.
pub(super) fn site(custom: &Custom, access: &Access) -> Site {
    Site {
        accounts: Box::new(CustomAccounts::new(custom, access)),
        sessions: Box::new(Sessions::new(custom)),
        rules: Rules::Django,
        algorithms: None,
    }
}
