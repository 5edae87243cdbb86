//! Django: `django.contrib.auth` for accounts, `django.contrib.sessions` for sessions.

mod cache;
mod changes;
mod datetime;
mod directory;
mod remembered;
mod second_factor;
mod sessions;
mod statements;

use hallpass_passwords::Rules;

use self::directory::Accounts;
use self::sessions::Sessions;
use super::Site;
use crate::configuration::{Access, Django};

/// The site that `django` describes.
pub(super) fn site(django: &Django, access: &Access) -> Site {
    Site {
        directory: Box::new(Accounts::new(django, access)),
        sessions: Box::new(Sessions::new(django)),
        rules: &[Rules::Django],
        algorithms: django.password_hashers.clone(),
    }
}
