//! Joomla's `UserHelper::verifyPassword` (3.10 and 4.4 `libraries/src/User/UserHelper.php`).
//!
//! The typed password is taken as it is; an empty one is refused before it is hashed
//! (`plugins/authentication/joomla`).

use crate::Limits;
use crate::Outcome;
use crate::algorithms::Parsed;
use crate::algorithms::Scheme;
use crate::algorithms::check;
use crate::algorithms::crypt;
use crate::algorithms::digest::Hex;
use crate::algorithms::digest::Kind;
use crate::algorithms::digest::is_hex;
use crate::rules::php;
use crate::typed;

/// Checks a password typed at Joomla's login.
pub(crate) fn verify(scheme: &dyn Scheme, password: &[u8], limits: &Limits) -> Outcome {
    if typed::is_empty(password) {
        Outcome::Mismatch
    } else {
        check(scheme, password, limits)
    }
}

/// In how many forms a password is tried.
pub(crate) fn attempts(password: &[u8]) -> usize {
    usize::from(!typed::is_empty(password))
}

/// Joomla 4 and 5: the prefixes it looks for, and a chain of all its handlers for the rest.
pub(crate) fn parse(encoded: &str) -> Parsed<'_> {
    if encoded.starts_with("$H$") {
        php::phpass(encoded)
    } else {
        prefixed(encoded)
            .or_else(|| md5(encoded))
            .or_else(|| crypt::php(encoded))
    }
}

/// Joomla 1.5 to 3.
pub(crate) fn parse_3(encoded: &str) -> Parsed<'_> {
    prefixed(encoded)
        .or_else(|| sha256(encoded))
        .or_else(|| md5(encoded))
}

fn prefixed(encoded: &str) -> Parsed<'_> {
    if encoded.starts_with("$P$") {
        php::phpass(encoded)
    } else if encoded.starts_with("$argon2i") || encoded.starts_with("$2") {
        php::password_verify(encoded)
    } else {
        None
    }
}

/// `md5(password + salt):salt`, `md5(password):` and `md5(password)` (Joomla 1.0.13 to 3.1).
fn md5(encoded: &str) -> Parsed<'_> {
    let (stored, salt) = match encoded.split_once(':') {
        Some((stored, salt)) => (stored, salt),
        None => (encoded, ""),
    };
    salted("md5", Kind::Md5, stored, salt).filter(|_| is_hex(stored, 32))
}

/// `{SHA256}` + sha256(password + salt) + `:salt` (Joomla 3.2's first days).
fn sha256(encoded: &str) -> Parsed<'_> {
    let (stored, salt) = encoded.strip_prefix("{SHA256}")?.split_once(':')?;
    let salt = Some(salt).filter(|salt| !salt.is_empty())?;
    salted("sha256", Kind::Sha256, stored, salt).filter(|_| is_hex(stored, 64))
}

/// The salt ends at the next colon, but the whole text is compared; and PHP takes the salt `0`
/// for none when it writes the text.
fn salted<'a>(algorithm: &'static str, kind: Kind, stored: &'a str, after: &'a str) -> Parsed<'a> {
    let unmatchable = after.contains(':') || after == "0";
    let scheme = Hex {
        algorithm,
        kind,
        before: "",
        after,
        stored,
    };
    if unmatchable {
        None
    } else {
        Some(Box::new(scheme))
    }
}
