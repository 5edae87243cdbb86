//! Drupal 7's `user_check_password` (`includes/password.inc`) and Drupal 8 to 11's
//! `PhpassHashedPassword` and `PhpPassword` (`core/lib/Drupal/Core/Password`).
//!
//! The login form trims what was typed, and so does the form that sets it; the REST login of core
//! (`/user/login?_format=json`) does not, and lets in by the text as it is. Both are tried.

use crate::Limits;
use crate::Outcome;
use crate::algorithms::Parsed;
use crate::algorithms::Prehashed;
use crate::algorithms::Scheme;
use crate::algorithms::UpTo;
use crate::algorithms::check;
use crate::algorithms::digest;
use crate::algorithms::phpass::Kind;
use crate::algorithms::phpass::PhpassHash;
use crate::rules::php;
use crate::typed;

/// Drupal refuses longer passwords (`PASSWORD_MAX_LENGTH`).
const LENGTH: usize = 512;

/// Checks a password typed at Drupal's login.
pub(crate) fn verify(scheme: &dyn Scheme, password: &[u8], limits: &Limits) -> Outcome {
    let trimmed = typed::trim(password);
    if trimmed.is_empty() {
        return Outcome::Mismatch;
    }
    match check(scheme, trimmed, limits) {
        Outcome::Mismatch if trimmed != password => check(scheme, password, limits),
        outcome => outcome,
    }
}

/// In how many forms a wrong password is tried.
pub(crate) fn attempts(password: &[u8]) -> usize {
    let trimmed = typed::trim(password);
    if trimmed.is_empty() {
        return 0;
    }
    let plain = trimmed != password && password.len() <= LENGTH;
    usize::from(trimmed.len() <= LENGTH) + usize::from(plain)
}

/// `$S$`, `$P$`, `$H$` and, from 10.1, what `password_verify` knows; all of them also over the MD5
/// of the password with a `U` before (`user_update_7000`: accounts from Drupal 6).
pub(crate) fn parse(encoded: &str) -> Parsed<'_> {
    if encoded.starts_with("U$") {
        let inner = plain(encoded.get(1..)?)?;
        let prehash = |password: &[u8]| {
            let mut text = digest::Kind::Md5.hex(&[password]);
            zeroize::Zeroizing::new(std::mem::take(&mut *text).into_bytes())
        };
        let algorithm = inner.description().algorithm;
        return Some(Box::new(Prehashed {
            algorithm,
            prehash,
            inner,
        }));
    }
    plain(encoded)
}

fn plain(encoded: &str) -> Parsed<'_> {
    let inner: Box<dyn Scheme> = match encoded.as_bytes() {
        [b'$', b'S', b'$', ..] => {
            Box::new(PhpassHash::parse(encoded, Kind::Sha512, "phpass_sha512")?)
        }
        [b'$', b'P' | b'H', b'$', ..] => Box::new(PhpassHash::parse(encoded, Kind::Md5, "phpass")?),
        _ => php::password_verify(encoded)?,
    };
    Some(Box::new(UpTo {
        length: LENGTH,
        inner,
    }))
}
