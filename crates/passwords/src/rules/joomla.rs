//! Joomla's `UserHelper::verifyPassword` (3.10 and 4.4 `libraries/src/User/UserHelper.php`).
//!
//! The typed password is taken as it is; an empty one is refused before it is hashed
//! (`plugins/authentication/joomla`).

use zeroize::Zeroizing;

use super::crypt;
use super::php;
use crate::algorithms::digest::Hex;
use crate::algorithms::digest::Kind;
use crate::algorithms::digest::is_hex;
use crate::parsed::Parsed;
use crate::php_strings;

/// The form of a typed password that is tried, if any.
pub(super) fn forms(password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    (!php_strings::is_empty(password)).then(|| Zeroizing::new(password.to_vec()))
}

/// Joomla 4 and 5: the prefixes it looks for, and a chain of all its handlers for the rest.
pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    if encoded.starts_with("$H$") {
        php::phpass(encoded)
    } else {
        prefixed(encoded)
            .or_else(|| md5(encoded))
            .or_else(|| crypt::php(encoded))
    }
}

/// Joomla 1.5 to 3.
pub(super) fn parse_3(encoded: &str) -> Option<Parsed> {
    prefixed(encoded)
        .or_else(|| sha256(encoded))
        .or_else(|| md5(encoded))
}

fn prefixed(encoded: &str) -> Option<Parsed> {
    if encoded.starts_with("$P$") {
        php::phpass(encoded)
    } else if encoded.starts_with("$argon2i") || encoded.starts_with("$2") {
        php::password_verify(encoded)
    } else {
        None
    }
}

/// `md5(password + salt):salt`, `md5(password):` and `md5(password)` (Joomla 1.0.13 to 3.1).
fn md5(encoded: &str) -> Option<Parsed> {
    let (stored, salt) = encoded.split_once(':').unwrap_or((encoded, ""));
    let hash = salted(Kind::Md5, stored, salt).filter(|_| is_hex(stored, 32))?;
    Some(Parsed::new("md5", hash))
}

/// `{SHA256}` + sha256(password + salt) + `:salt` (Joomla 3.2's first days).
fn sha256(encoded: &str) -> Option<Parsed> {
    let (stored, salt) = encoded.strip_prefix("{SHA256}")?.split_once(':')?;
    let hash = salted(Kind::Sha256, stored, salt);
    let hash = hash.filter(|_| is_hex(stored, 64) && !salt.is_empty())?;
    Some(Parsed::new("sha256", hash))
}

/// The salt ends at the next colon, but the whole text is compared; and PHP takes the salt `0`
/// for none when it writes the text.
fn salted(kind: Kind, stored: &str, salt: &str) -> Option<Hex> {
    let unmatchable = salt.contains(':') || salt == "0";
    (!unmatchable).then(|| Hex::salted(kind, "", salt, stored))
}
