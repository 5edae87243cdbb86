//! Parses what PHP's `password_verify` and `crypt` know, and the hashes of the phpass library that
//! plain PHP sites carry along; does to a typed password what PHP's string functions do.

use zeroize::Zeroizing;

use crate::algorithms::Input;
use crate::algorithms::Parsed;
use crate::algorithms::argon2::Argon2Hash;
use crate::algorithms::crypt;
use crate::algorithms::phpass::Kind;
use crate::algorithms::phpass::PhpassHash;

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

/// What `password_verify` knows (PHP 8.2 `ext/standard/password.c`): argon2 by its name, and all
/// else is left to `crypt`.
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

/// PHP's `trim`: these six bytes at both ends.
pub(super) fn trim(password: &[u8]) -> &[u8] {
    let trimmed = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0 | 0x0b);
    let Some(first) = password.iter().position(|byte| !trimmed(byte)) else {
        return &[];
    };
    let last = password
        .iter()
        .rposition(|byte| !trimmed(byte))
        .unwrap_or(first);
    password.get(first..=last).unwrap_or_default()
}

/// PHP's `addslashes`: a backslash before quotes and backslashes, NUL as `\0`.
pub(super) fn add_slashes(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut slashed = Zeroizing::new(Vec::with_capacity(2 * password.len()));
    for byte in password {
        match byte {
            0 => slashed.extend(b"\\0"),
            b'\'' | b'"' | b'\\' => slashed.extend([b'\\', *byte]),
            _ => slashed.push(*byte),
        }
    }
    slashed
}

/// PHP's `empty` on a string, which a login form that asks it refuses: nothing, or a single 0.
pub(super) fn is_empty(password: &[u8]) -> bool {
    matches!(password, b"" | b"0")
}
