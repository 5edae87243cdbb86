//! Django's encoded passwords (`django/contrib/auth/hashers.py`, 1.4 to 6.1).
//!
//! Django takes the parameters out of the stored text, hashes the typed password with them,
//! writes the result down again and compares the two texts as a whole. So a stored hash that is
//! not written as Django writes it (`01000` iterations, missing padding, a trailing newline)
//! never matches, however right its digest is. Passwords are neither trimmed nor normalised.

use zeroize::Zeroizing;

use crate::algorithms::Parsed;
use crate::algorithms::Prehashed;
use crate::algorithms::Scheme;
use crate::algorithms::argon2::Argon2Hash;
use crate::algorithms::bcrypt::BcryptHash;
use crate::algorithms::crypt;
use crate::algorithms::digest;
use crate::algorithms::digest::Hex;
use crate::algorithms::pbkdf2::Pbkdf2Hash;
use crate::algorithms::scrypt::ScryptHash;

/// Whether the account has no password, or is locked: `is_password_usable` (5.2:`hashers.py` line
/// 24). Before 1.6 the whole text was `!`; a `!` before a hash locks the account.
pub(crate) fn is_unusable(encoded: &str) -> bool {
    encoded.starts_with('!')
}

/// `identify_hasher` and the `decode` of each hasher (5.2:`hashers.py` line 167; 4.2 for those
/// that are gone since).
pub(crate) fn parse(encoded: &str) -> Parsed<'_> {
    let characters = encoded.chars().count();
    if characters == 32 && !encoded.contains('$') {
        return hex("unsalted_md5", digest::Kind::Md5, "", encoded);
    }
    if let (37, Some(stored)) = (characters, encoded.strip_prefix("md5$$")) {
        return hex("unsalted_md5", digest::Kind::Md5, "", stored);
    }
    if let (46, Some(stored)) = (characters, encoded.strip_prefix("sha1$$")) {
        return hex("unsalted_sha1", digest::Kind::Sha1, "", stored);
    }
    let (algorithm, rest) = encoded.split_once('$')?;
    match algorithm {
        // The leading `$` of what argon2-cffi makes doubles as the separator.
        "argon2" => {
            let phc = encoded.strip_prefix("argon2")?;
            Some(Box::new(Argon2Hash::parse(phc, Some("argon2"))?))
        }
        "bcrypt" => Some(Box::new(BcryptHash::parse(rest, "bcrypt")?)),
        "bcrypt_sha256" => Some(Box::new(Prehashed {
            algorithm: "bcrypt_sha256",
            prehash: hex_sha256,
            inner: Box::new(BcryptHash::parse(rest, "bcrypt_sha256")?),
        })),
        // The salt field is ignored: the stored result has it too.
        "crypt" => crypt::libxcrypt(rest.split_once('$')?.1, "crypt"),
        "md5" => salted("md5", digest::Kind::Md5, rest),
        "pbkdf2_sha1" | "pbkdf2_sha256" => Some(Box::new(Pbkdf2Hash::parse(encoded)?)),
        "scrypt" => Some(Box::new(ScryptHash::parse(encoded)?)),
        "sha1" => salted("sha1", digest::Kind::Sha1, rest),
        _ => None,
    }
}

/// `SALT$HEX`, where the salt is not empty.
fn salted<'a>(algorithm: &'static str, kind: digest::Kind, rest: &'a str) -> Parsed<'a> {
    let (salt, stored) = rest.split_once('$')?;
    if salt.is_empty() {
        None
    } else {
        hex(algorithm, kind, salt, stored)
    }
}

fn hex<'a>(
    algorithm: &'static str,
    kind: digest::Kind,
    before: &'a str,
    stored: &'a str,
) -> Parsed<'a> {
    Some(Box::new(Hex {
        algorithm,
        kind,
        before,
        after: "",
        stored,
    }) as Box<dyn Scheme>)
}

/// What `bcrypt_sha256` gives bcrypt: the digest in hexadecimal, so that it holds no NUL.
pub(crate) fn hex_sha256(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = digest::Kind::Sha256.hex(&[password]);
    Zeroizing::new(std::mem::take(&mut *text).into_bytes())
}
