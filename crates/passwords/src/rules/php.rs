//! Parses the hashes that PHP's `password_verify` and `crypt` know, and those of the phpass library
//! that plain PHP sites carry along.

use super::crypt;
use crate::algorithms::argon2::Argon2Hash;
use crate::algorithms::phpass::Kind;
use crate::algorithms::phpass::PhpassHash;
use crate::parsed::{Input, Parsed};

/// phpass refuses longer passwords (`PasswordHash.php` 0.4 and later).
const PHPASS_LENGTH: usize = 4096;

/// Everything a plain PHP site may have stored.
pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    if encoded.starts_with("$P$") || encoded.starts_with("$H$") {
        phpass(encoded)
    } else {
        password_verify(encoded)
    }
}

/// The hashes that `password_verify` knows (PHP 8.2 `ext/standard/password.c`): argon2 by its name,
/// and all others by `crypt`.
pub(super) fn password_verify(encoded: &str) -> Option<Parsed> {
    let argon2 = |algorithm| Some(Parsed::new(algorithm, Argon2Hash::parse(encoded)?));
    if encoded.starts_with("$argon2i$") {
        argon2("argon2i")
    } else if encoded.starts_with("$argon2id$") {
        argon2("argon2id")
    } else {
        crypt::php(encoded)
    }
}

/// A portable hash of the phpass library.
pub(super) fn phpass(encoded: &str) -> Option<Parsed> {
    let hash = PhpassHash::parse(encoded, Kind::Md5)?;
    Some(Parsed::new("phpass", hash).given(Input::UpTo(PHPASS_LENGTH)))
}
