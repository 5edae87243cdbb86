//! PHP's `password_verify` and `crypt`, and the phpass library that plain PHP sites carry along.

use crate::algorithms::Parsed;
use crate::algorithms::UpTo;
use crate::algorithms::argon2::Argon2Hash;
use crate::algorithms::crypt;
use crate::algorithms::phpass::Kind;
use crate::algorithms::phpass::PhpassHash;

/// phpass refuses longer passwords (`PasswordHash.php` 0.4 and later).
pub(crate) const PHPASS_LENGTH: usize = 4096;

/// Everything a plain PHP site may have stored.
pub(crate) fn parse(encoded: &str) -> Parsed<'_> {
    if encoded.starts_with("$P$") || encoded.starts_with("$H$") {
        phpass(encoded)
    } else {
        password_verify(encoded)
    }
}

/// What `password_verify` knows (PHP 8.2 `ext/standard/password.c`): argon2 by its name, and all
/// else is left to `crypt`.
pub(crate) fn password_verify(encoded: &str) -> Parsed<'_> {
    if encoded.starts_with("$argon2i$") || encoded.starts_with("$argon2id$") {
        Some(Box::new(Argon2Hash::parse(encoded, None)?))
    } else {
        crypt::php(encoded)
    }
}

/// A portable hash of the phpass library.
pub(crate) fn phpass(encoded: &str) -> Parsed<'_> {
    let inner = Box::new(PhpassHash::parse(encoded, Kind::Md5, "phpass")?);
    Some(Box::new(UpTo {
        length: PHPASS_LENGTH,
        inner,
    }))
}
