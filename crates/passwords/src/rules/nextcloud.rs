//! Parses what Nextcloud's `Hasher::verify` knows (`lib/private/Security/Hasher.php`): a version and
//! `|` before what PHP's `password_verify` knows, and ownCloud's hashes without a version.

use super::php;
use crate::algorithms::bcrypt::BcryptHash;
use crate::algorithms::beside::Beside;
use crate::algorithms::digest::{Hex, Kind, is_hex};
use crate::parsed::{Input, Parsed};
use crate::php_strings::integer;

pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    match encoded.split_once('|') {
        Some((version, rest)) if integer(version) > 0 => match integer(version) {
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
