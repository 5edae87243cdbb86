//! Parses MediaWiki's stored passwords (1.39 `includes/password`): `:TYPE:` and what the class of that
//! type in `$wgPasswordConfig` stores, for the types of its default.
//!
//! MediaWiki computes the hash anew with the stored parameters and compares the texts, so a text that
//! it would write differently never matches.

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::php;
use crate::algorithms::bcrypt::BcryptHash;
use crate::algorithms::digest::{Hex, Kind, is_hex};
use crate::algorithms::encodings::{base64, unpadded};
use crate::algorithms::pbkdf2::Pbkdf2Hash;
use crate::parsed::{Input, Parsed};
use crate::php_strings::integer;

/// MediaWiki fails on longer texts (`MAX_HASH_SIZE`).
const LENGTH: usize = 255;

/// The form of a typed password that is tried: what `WebRequest` makes of a field of a form, in
/// Unicode's NFC.
pub(super) fn forms(password: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(match std::str::from_utf8(password) {
        Ok(text) => Zeroizing::new(text.nfc().collect::<String>())
            .as_bytes()
            .to_vec(),
        Err(_) => password.to_vec(),
    })
}

pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    let (kind, rest) = encoded.strip_prefix(':')?.split_once(':')?;
    if encoded.len() > LENGTH {
        return None;
    }
    match kind {
        "A" | "B" => old(kind, rest),
        "pbkdf2" => {
            let (parameters, rest) = rest.rsplit_once(':')?;
            let (parameters, salt) = parameters.rsplit_once(':')?;
            pbkdf2(parameters, salt, rest)
        }
        "pbkdf2-legacyA" => layered("A", rest),
        "pbkdf2-legacyB" => layered("B", rest),
        "bcrypt" => bcrypt(rest),
        "argon2" => php::password_verify(rest),
        _ => None,
    }
}

/// `SALT:HEX`, MD5 of the salt, a hyphen and the MD5 of the password; an `A` without a salt is the
/// MD5 of the password alone.
fn old(kind: &str, rest: &str) -> Option<Parsed> {
    let (salt, stored) = match rest.split_once(':') {
        Some((salt, stored)) => (Some(salt), stored),
        None if kind == "A" => (None, rest),
        None => return None,
    };
    if !is_hex(stored, 32) {
        return None;
    }
    Some(match salt {
        Some(salt) => Parsed::new(
            "mediawiki_b",
            Hex::salted(Kind::Md5, &format!("{salt}-"), "", stored),
        )
        .given(Input::Hex(Kind::Md5, Vec::new())),
        None => Parsed::new("mediawiki_a", Hex::plain(Kind::Md5, stored)),
    })
}

/// `DIGEST:ITERATIONS:LENGTH`, a salt and a key in Base64.
fn pbkdf2(parameters: &str, salt: &str, key: &str) -> Option<Parsed> {
    let mut fields = parameters.split(':');
    let (digest, iterations, length) = (fields.next()?, fields.next()?, fields.next()?);
    let (digest, name) = match digest {
        "sha1" => (Kind::Sha1, "pbkdf2_sha1"),
        "sha256" => (Kind::Sha256, "pbkdf2_sha256"),
        "sha512" => (Kind::Sha512, "pbkdf2_sha512"),
        _ => return None,
    };
    let length = match integer(length) {
        0 => digest.length(),
        length => usize::try_from(length).ok()?,
    };
    let key = base64(key).filter(|key| key.len() == length && fields.next().is_none())?;
    // The salt's padding is not looked at.
    let salt = unpadded(salt.trim_end_matches('='))?;
    let iterations = u32::try_from(integer(iterations)).ok()?;
    let hash = Pbkdf2Hash::of_key(digest, iterations, salt, key)?;
    Some(Parsed::new(name, hash))
}

/// A hash of the type `A` or `B` that was hashed once more, without the password
/// (`LayeredParameterizedPassword`): the parameters of both, the salts of both, and the key.
fn layered(kind: &str, rest: &str) -> Option<Parsed> {
    let mut fields = rest.split('!');
    let (inner, parameters) = (fields.next()?, fields.next()?);
    let (salt, outer_salt, key) = (fields.next()?, fields.next()?, fields.next()?);
    if !inner.is_empty() || fields.next().is_some() {
        return None;
    }
    let outer = pbkdf2(parameters, outer_salt, key)?;
    let md5 = Input::Hex(Kind::Md5, Vec::new());
    match (kind, salt) {
        ("A", "") => Some(outer.named("mediawiki_pbkdf2_a").given(md5)),
        (_, "") => None,
        _ => {
            let salted = Input::Hex(Kind::Md5, format!("{salt}-").into_bytes());
            Some(outer.named("mediawiki_pbkdf2_b").given(salted).given(md5))
        }
    }
}

/// `COST$SALT$HASH`.
fn bcrypt(rest: &str) -> Option<Parsed> {
    let mut fields = rest.split('$');
    let (cost, salt, hash) = (fields.next()?, fields.next()?, fields.next()?);
    let cost = integer(cost);
    if fields.next().is_some() || salt.len() != 22 {
        return None;
    }
    let bcrypt = BcryptHash::parse_crypt(&format!("$2y${cost:02}${salt}{hash}"))?;
    Some(Parsed::new("bcrypt", bcrypt).given(Input::ToNul))
}
