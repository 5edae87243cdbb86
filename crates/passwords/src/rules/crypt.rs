//! Parses the hashes of crypt(3): DES, MD5, SHA-256, SHA-512 and bcrypt, told apart by their
//! beginnings.
//!
//! crypt(3) writes its result down whole, and callers compare the texts, so settings that it would
//! write differently (a salt that is too long, rounds with a leading zero) never match.

use crate::algorithms::bcrypt::BcryptHash;
use crate::algorithms::des_crypt::DesCrypt;
use crate::algorithms::md5_crypt::Md5Crypt;
use crate::algorithms::sha_crypt::ShaCrypt;
use crate::parsed::{Input, Parsed};

/// PHP's own `crypt` (PHP 8.2 `ext/standard/crypt.c`); a password ends at its first NUL.
pub(crate) fn php(encoded: &str) -> Option<Parsed> {
    Some(parse(encoded)?.given(Input::ToNul))
}

/// The C library's `crypt` on today's Linux systems (libxcrypt 4.4), as Python's `crypt` module
/// calls it.
pub(crate) fn libxcrypt(encoded: &str) -> Option<Parsed> {
    let acceptable = |byte| matches!(byte, b'!'..=b'~') && !b"!*:;\\".contains(&byte);
    if encoded.bytes().all(acceptable) {
        Some(parse(encoded)?.given(Input::Libxcrypt))
    } else {
        None
    }
}

/// passlib's own hashers of crypt(3)'s formats (passlib 1.7.4 `handlers/md5_crypt.py`,
/// `handlers/sha2_crypt.py`), and Apache's of MD5, but for DES, which has no beginning of its own.
pub(crate) fn passlib(encoded: &str) -> Option<Parsed> {
    let modular = ["$1$", "$apr1$", "$5$", "$6$"]
        .iter()
        .any(|it| encoded.starts_with(it));
    let fields = encoded.split('$').skip(2);
    // Salts are of crypt(3)'s alphabet.
    let sound = fields
        .flat_map(str::bytes)
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'='));
    if !modular || !sound {
        return None;
    }
    let parsed = match encoded.starts_with("$apr1$") {
        true => Parsed::new("apache_md5", Md5Crypt::parse_apache(encoded)?),
        false => parse(encoded)?,
    };
    Some(parsed.given(Input::NoNul))
}

fn parse(encoded: &str) -> Option<Parsed> {
    Some(match encoded.as_bytes() {
        [b'$', b'1', b'$', ..] => Parsed::new("crypt_md5", Md5Crypt::parse(encoded)?),
        [b'$', b'2', ..] => Parsed::new("bcrypt", BcryptHash::parse_crypt(encoded)?),
        [b'$', b'5', b'$', ..] => Parsed::new("crypt_sha256", ShaCrypt::parse(encoded)?),
        [b'$', b'6', b'$', ..] => Parsed::new("crypt_sha512", ShaCrypt::parse(encoded)?),
        [b'_', ..] => Parsed::new("crypt_ext_des", DesCrypt::parse(encoded)?),
        _ => Parsed::new("crypt_std_des", DesCrypt::parse(encoded)?),
    })
}
