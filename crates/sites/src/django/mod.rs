//! Django: `django.contrib.auth` for accounts, `django.contrib.sessions` for sessions.

mod accounts;
mod cache;
mod changes;
mod datetime;
mod second_factor;
mod sessions;
mod statements;

use hallpass_passwords::Rules;

use self::accounts::DjangoAccounts;
use self::sessions::Sessions;
use super::Site;
use crate::configuration::{Access, Django};

/// The site that `django` describes.
pub(super) fn site(django: &Django, access: &Access) -> Site {
    Site {
        accounts: Box::new(DjangoAccounts::new(django, access)),
        sessions: Box::new(Sessions::new(django)),
        rules: &[Rules::Django],
        algorithms: django.password_hashers.clone(),
    }
}
