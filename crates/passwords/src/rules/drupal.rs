//! Drupal 7's `user_check_password` (`includes/password.inc`) and Drupal 8 to 11's
//! `PhpassHashedPassword` and `PhpPassword` (`core/lib/Drupal/Core/Password`).
//!
//! The login form trims what was typed, and so does the form that sets it; the REST login of core
//! (`/user/login?_format=json`) does not, and lets in by the text as it is. Both are tried.

use zeroize::Zeroizing;

use super::php;
use crate::algorithms::digest;
use crate::algorithms::phpass::Kind;
use crate::algorithms::phpass::PhpassHash;
use crate::parsed::{Input, Parsed};
use crate::php_strings;

/// Drupal refuses longer passwords (`PASSWORD_MAX_LENGTH`).
pub(super) const LENGTH: usize = 512;

/// The forms of a typed password that are tried: trimmed, then as it is.
pub(super) fn forms(password: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let trimmed = php_strings::trim(password);
    let forms = match trimmed {
        [] => &[][..],
        _ if trimmed == password => &[trimmed],
        _ => &[trimmed, password],
    };
    forms
        .iter()
        .map(|form| Zeroizing::new(form.to_vec()))
        .collect()
}

/// The form that the login form alone tries: Drupal 7 has no other way in, and 8 to 10.0 none that
/// can set a password with blanks around it.
pub(super) fn trimmed(password: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    match php_strings::trim(password) {
        [] => Vec::new(),
        trimmed => vec![Zeroizing::new(trimmed.to_vec())],
    }
}

/// `$S$`, `$P$` and `$H$`, also over an MD5; what `password_verify` knows is refused.
pub(super) fn parse_7(encoded: &str) -> Option<Parsed> {
    let plain = encoded.strip_prefix('U').unwrap_or(encoded);
    let known = ["$S$", "$P$", "$H$"].iter().any(|it| plain.starts_with(it));
    known.then(|| parse(encoded)).flatten()
}

/// What `password_verify` knows, and nothing else.
pub(super) fn parse_10(encoded: &str) -> Option<Parsed> {
    Some(php::password_verify(encoded)?.given(Input::UpTo(LENGTH)))
}

/// `$S$`, `$P$`, `$H$` and, from 10.1, what `password_verify` knows; all of them also over the MD5
/// of the password with a `U` before (`user_update_7000`: accounts from Drupal 6).
pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    if encoded.starts_with("U$") {
        let md5 = |password: &[u8]| digest::Kind::Md5.hex(&[password]);
        return Some(plain(encoded.get(1..)?)?.given(Input::Digest(md5)));
    }
    plain(encoded)
}

fn plain(encoded: &str) -> Option<Parsed> {
    let hash = match encoded.as_bytes() {
        [b'$', b'S', b'$', ..] => {
            Parsed::new("phpass_sha512", PhpassHash::parse(encoded, Kind::Sha512)?)
        }
        [b'$', b'P' | b'H', b'$', ..] => {
            Parsed::new("phpass", PhpassHash::parse(encoded, Kind::Md5)?)
        }
        _ => php::password_verify(encoded)?,
    };
    Some(hash.given(Input::UpTo(LENGTH)))
}
