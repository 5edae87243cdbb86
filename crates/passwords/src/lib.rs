//! Encoded password hashes as web frameworks store them: identify, verify, make.
//!
//! A stored hash is only as good as its reader: what one framework accepts, another refuses, and
//! each does something of its own to what was typed. So every check names the [`Rules`] it goes
//! by, and gives the verdict that the framework itself gives; where the framework would fail
//! with an exception, the verdict is [`Outcome::Unsupported`].
//!
//! Pure functions: no input or output, no configuration, no clock, no threads. Both the stored
//! hash and the password may be hostile: nothing panics, and nothing costs more than [`Limits`]
//! allow.
//!
//! ```
//! use hallpass_passwords::{Limits, Outcome, Rules, verify};
//!
//! let stored = "md5$salt$67a1e09bb1f83f5007dc119c14d663aa";
//! let limits = Limits::default();
//! assert_eq!(verify(Rules::Django, b"password", stored, &limits), Outcome::Match);
//! assert_eq!(verify(Rules::Django, b"Password", stored, &limits), Outcome::Mismatch);
//! ```
#![forbid(unsafe_code)]

mod algorithms;
mod denial;
mod derivation;
mod limits;
mod make;
mod number;
mod outcome;
mod rules;
mod typed;

pub use denial::Spending;
pub use denial::describe_cost;
pub use denial::spend;
pub use denial::spend_with;
pub use denial::spending;
pub use derivation::Derivation;
pub use hallpass_pbkdf2::Request;
pub use limits::Limits;
pub use make::Algorithm;
pub use make::MakeError;
pub use make::make;
pub use outcome::Description;
pub use outcome::Outcome;
pub use rules::Rules;
pub use rules::UnknownRules;

use algorithms::Parsed;
use rules::django;
use rules::drupal;
use rules::joomla;
use rules::php;
use rules::phpbb;
use rules::wordpress;

/// Longest stored hash that is looked at, in bytes; a longer one is [`Outcome::Unsupported`].
///
/// The longest that any of the frameworks writes has about 160.
pub const MAX_ENCODED: usize = 4096;

/// What a site's row keeps beside the hash; only phpBB's converted hashes (`$CP$`) ask for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context<'a> {
    /// The column `login_name` (boards that came from SMF, which hashed it with the password).
    pub login_name: Option<&'a str>,
    /// The column `user_passwd_salt` (boards that came from vBulletin, MyBB, XenForo, WoltLab).
    pub salt: Option<&'a str>,
}

/// Checks `password`, as typed, against `encoded`, as stored, the way `rules` say.
///
/// An empty `encoded` is an account without a password: [`Outcome::Unusable`].
pub fn verify(rules: Rules, password: &[u8], encoded: &str, limits: &Limits) -> Outcome {
    verify_with(rules, password, encoded, &Context::default(), limits)
}

/// As [`verify`], with what the user's row keeps beside the hash.
pub fn verify_with(
    rules: Rules,
    password: &[u8],
    encoded: &str,
    context: &Context<'_>,
    limits: &Limits,
) -> Outcome {
    if encoded.len() > MAX_ENCODED {
        return Outcome::Unsupported;
    }
    if encoded.is_empty() || (rules == Rules::Django && django::is_unusable(encoded)) {
        return Outcome::Unusable;
    }
    let Some(scheme) = parse(rules, encoded) else {
        return Outcome::Unsupported;
    };
    match rules {
        Rules::Django | Rules::Php => algorithms::check(&*scheme, password, limits),
        Rules::Drupal => drupal::verify(&*scheme, password, limits),
        Rules::Joomla | Rules::Joomla3 => joomla::verify(&*scheme, password, limits),
        Rules::Phpbb => phpbb::verify(password, encoded, context, limits),
        Rules::Wordpress => wordpress::verify(&*scheme, password, limits),
    }
}

/// Says what `encoded` is; `None` where `rules` know no such format or its fields are malformed.
///
/// A description is no promise that any password matches, only that the fields can be read. The
/// mark of an account without a password (Django's `!…`) is described as `unusable`.
pub fn identify(rules: Rules, encoded: &str) -> Option<Description> {
    if encoded.len() > MAX_ENCODED {
        return None;
    }
    if rules == Rules::Django && django::is_unusable(encoded) {
        let (algorithm, cost) = ("unusable", String::new());
        return Some(Description {
            algorithm,
            cost,
            work: 0,
            memory: 0,
        });
    }
    parse(rules, encoded).map(|scheme| scheme.description())
}

/// Whether a check of `encoded` keeps within `limits`; `false` too where `rules` do not know it.
///
/// bcrypt goes by [`Limits::max_cost`] alone, all others by [`Description::work`] and
/// [`Description::memory`].
pub fn is_affordable(rules: Rules, encoded: &str, limits: &Limits) -> bool {
    encoded.len() <= MAX_ENCODED
        && parse(rules, encoded).is_some_and(|scheme| scheme.permitted(limits, 0))
}

fn parse(rules: Rules, encoded: &str) -> Parsed<'_> {
    match rules {
        Rules::Django => django::parse(encoded),
        Rules::Drupal => drupal::parse(encoded),
        Rules::Joomla => joomla::parse(encoded),
        Rules::Joomla3 => joomla::parse_3(encoded),
        Rules::Php => php::parse(encoded),
        Rules::Phpbb => phpbb::parse(encoded),
        Rules::Wordpress => wordpress::parse(encoded),
    }
}
