//! Reads the visitor from a session of Joomla's.
//!
//! | Joomla | where | user |
//! |---|---|---|
//! | 1.5 to 3.4.6 | `__default`, an array with dots in its keys | a `JUser` with `id`, `username`, `guest` |
//! | 3.4.7 to 3.x | `joomla`, Base64 of a serialized `Registry`, under `data.__default` | a user object; `id` may be text |
//! | 4.x, 5.x | the same, under `data` | a `User` with `id` alone, 0 for a guest |
//!
//! The bytes are the same in the column `data` of `#__session` and with every session handler of
//! Joomla's. With a handler other than the database's, Joomla writes a row with userid, guest,
//! client and time for each session all the same (unless `session_metadata` is off) and leaves
//! `data` NULL.
//!
//! What is here is what the visitor's requests see: Joomla itself asks these bytes, not the row,
//! who the visitor is and whether the session has run out. Which client (site or administrator) a
//! session belongs to, the row alone says. That the account is blocked, neither does.
//!
//! Sources: libraries/src/Session/SessionFactory.php and plugins of Joomla 4.4,
//! libraries/joomla/session/handler/native.php of 3.10, libraries/joomla/session/session.php of
//! 2.5, and recorded sessions.

use super::find::{self, Scalar};
use super::path::Path;
use super::session::Handler;
use super::tree::{Failure, Tree};
use crate::Invalid;

/// The visitor of a session of Joomla's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// `#__users.id` of who is logged in; `None` for a guest.
    pub user_id: Option<i64>,
    /// Whether the second factor was passed, or found not to be needed (Joomla 4.2 and later). A
    /// session without it belongs to a user already, whom Joomla lets see nothing but the
    /// question for the second factor.
    pub mfa_checked: bool,
    /// Whether the account must set up a second factor that one of its groups demands (Joomla 4.2
    /// and later): `mfa_checked` counts for nothing then.
    pub mfa_mandatory: bool,
    /// When the session's last request began, in Unix seconds: it runs out `$lifetime` minutes
    /// later.
    pub last_request: Option<i64>,
}

/// The places of the variables, and of the time of the last request below each.
const PLACES: [(&str, &str); 3] = [
    ("joomla.data", "session.timer.now"),
    ("joomla.data.__default", "session.timer.now"),
    ("__default", r"session\.timer\.now"),
];

/// Reads what Joomla keeps in a session, by PHP's `handler` or by any.
///
/// # Errors
/// [`Invalid`] where [`find`](super::find()) says so, or when the session speaks of users in more
/// than one place.
pub fn read(session: &[u8], handler: Option<Handler>) -> Result<Session, Invalid> {
    find::read(session, handler, facts).map(Option::unwrap_or_default)
}

fn facts(tree: &Tree<'_>) -> Result<Session, Failure> {
    let mut found = None;
    for (place, last_request) in PLACES {
        let at = |key: &str| {
            let path: Result<Path, _> = format!("{place}.{key}").parse();
            let path = path.map_err(|_| Failure::Broken("a path of Joomla's"))?;
            find::from_root(tree, &path)
        };
        let Some(user_id) = at("user.id")? else {
            continue;
        };
        if found.is_some() {
            return Err(Failure::Broken("Joomla's user is there twice"));
        }
        let guest = at("user.guest")?.is_some_and(|guest| guest.is_true());
        found = Some(Session {
            user_id: integer(&user_id).filter(|id| *id > 0 && !guest),
            mfa_checked: at("com_users.mfa_checked")?.is_some_and(|checked| checked.is_true()),
            mfa_mandatory: at("com_users.mandatory_mfa_setup")?
                .is_some_and(|mandatory| mandatory.is_true()),
            last_request: at(last_request)?.as_ref().and_then(integer),
        });
    }
    Ok(found.unwrap_or_default())
}

fn integer(value: &Scalar) -> Option<i64> {
    match value {
        Scalar::Integer(number) => Some(*number),
        Scalar::Text(text) => super::path::integer(text),
        _ => None,
    }
}
