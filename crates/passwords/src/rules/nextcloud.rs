//! Parses what Nextcloud's `Hasher::verify` knows (`lib/private/Security/Hasher.php`): a version and
//! `|` before what PHP's `password_verify` knows, and ownCloud's hashes without a version.

use super::php;
use crate::algorithms::bcrypt::BcryptHash;
use crate::algorithms::beside::Beside;
use crate::algorithms::digest::{Hex, Kind, is_hex};
use crate::parsed::{Input, Parsed};

pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    match encoded.split_once('|') {
        Some((version, rest)) if php_integer(version) > 0 => match php_integer(version) {
            1..=3 => php::password_verify(rest),
            _ => None,
        },
        _ if is_hex(encoded, 40) => Some(Parsed::new("sha1", Hex::plain(Kind::Sha1, encoded))),
        _ if encoded.len() == 60 => {
            let bcrypt = BcryptHash::parse_crypt(encoded)?;
            Some(Parsed::new("bcrypt", Beside::Suffixed(bcrypt)).given(Input::ToNul))
        }
        _ => None,
    }
}

/// PHP's `(int)` of a text, as far as the versions go: the number that it begins with.
fn php_integer(text: &str) -> u32 {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text.len()
        - text
            .trim_start_matches(|it: char| it.is_ascii_digit())
            .len();
    let (number, rest) = text.split_at_checked(digits).unwrap_or_default();
    // A number with a point or an exponent is one that Nextcloud never writes.
    if rest.starts_with(['.', 'e', 'E']) {
        return 0;
    }
    number.parse().unwrap_or(0)
}
