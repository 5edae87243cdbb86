//! Parses Django's encoded passwords (`django/contrib/auth/hashers.py`, 1.4 to 6.1).
//!
//! Django takes the parameters out of the stored text, hashes the typed password with them,
//! writes the result down again and compares the two texts as a whole. So a stored hash that is
//! not written as Django writes it (`01000` iterations, missing padding, a trailing newline)
//! never matches, however right its digest is. Passwords are neither trimmed nor normalised.

use zeroize::Zeroizing;

use super::crypt;
use crate::algorithms::argon2::Argon2Hash;
use crate::algorithms::bcrypt::BcryptHash;
use crate::algorithms::digest::Hex;
use crate::algorithms::digest::Kind;
use crate::algorithms::encodings::base64;
use crate::algorithms::pbkdf2::Pbkdf2Hash;
use crate::algorithms::scrypt::ScryptHash;
use crate::hash::positive_number;
use crate::parsed::{Input, Parsed};

/// Whether the account has no password, or is locked: `is_password_usable` (5.2:`hashers.py` line
/// 24). Before 1.6 the whole text was `!`; a `!` before a hash locks the account.
pub(super) fn is_unusable(encoded: &str) -> bool {
    encoded.starts_with('!')
}

/// `identify_hasher` and the `decode` of each hasher (5.2:`hashers.py` line 167; 4.2 for those
/// that are gone since).
pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    let unsalted = |algorithm, kind, stored| Some(Parsed::new(algorithm, Hex::plain(kind, stored)));
    let characters = encoded.chars().count();
    if characters == 32 && !encoded.contains('$') {
        return unsalted("unsalted_md5", Kind::Md5, encoded);
    }
    if let (37, Some(stored)) = (characters, encoded.strip_prefix("md5$$")) {
        return unsalted("unsalted_md5", Kind::Md5, stored);
    }
    if let (46, Some(stored)) = (characters, encoded.strip_prefix("sha1$$")) {
        return unsalted("unsalted_sha1", Kind::Sha1, stored);
    }
    let (algorithm, rest) = encoded.split_once('$')?;
    Some(match algorithm {
        // The leading `$` of what argon2-cffi makes doubles as the separator.
        "argon2" => Parsed::new(
            "argon2",
            Argon2Hash::parse(encoded.strip_prefix("argon2")?)?,
        ),
        "bcrypt" => Parsed::new("bcrypt", BcryptHash::parse(rest)?),
        "bcrypt_sha256" => {
            Parsed::new("bcrypt_sha256", BcryptHash::parse(rest)?).given(Input::Digest(hex_sha256))
        }
        // The salt field is ignored: the stored result has it too.
        "crypt" => crypt::libxcrypt(rest.split_once('$')?.1)?.named("crypt"),
        "md5" => Parsed::new("md5", salted(Kind::Md5, rest)?),
        "pbkdf2_sha1" | "pbkdf2_sha256" => {
            let hash = Pbkdf2Hash::parse(encoded)?;
            Parsed::new(hash.django_name()?, hash)
        }
        // The wrapped hashers that Django's documentation describes ("Password upgrading without
        // requiring a login"), under the names that it gives them.
        "pbkdf2_wrapped_md5" => wrapped("pbkdf2_wrapped_md5", Kind::Md5, rest)?,
        "pbkdf2_wrapped_sha1" => wrapped("pbkdf2_wrapped_sha1", Kind::Sha1, rest)?,
        "scrypt" => Parsed::new("scrypt", ScryptHash::parse(encoded)?),
        "sha1" => Parsed::new("sha1", salted(Kind::Sha1, rest)?),
        _ => return None,
    })
}

/// `SALT$HEX`, where the salt is not empty.
fn salted(kind: Kind, rest: &str) -> Option<Hex> {
    let (salt, stored) = rest.split_once('$')?;
    (!salt.is_empty()).then(|| Hex::salted(kind, salt, "", stored))
}

/// `ITERATIONS$SALT$BASE64`: PBKDF2 of the hexadecimal digest of the salt and the password, with the
/// same salt.
fn wrapped(name: &'static str, kind: Kind, rest: &str) -> Option<Parsed> {
    let mut fields = rest.split('$');
    let iterations = positive_number(fields.next()?)?;
    let salt = fields.next().filter(|salt| !salt.is_empty())?;
    let key = base64(fields.next()?).filter(|key| key.len() == 32 && fields.next().is_none())?;
    let hash = Pbkdf2Hash::of_key(Kind::Sha256, iterations, salt.into(), key)?;
    Some(Parsed::new(name, hash).given(Input::Hex(kind, salt.into())))
}

/// The input of bcrypt in `bcrypt_sha256`: the digest in hexadecimal, so that it holds no NUL.
pub(crate) fn hex_sha256(password: &[u8]) -> Zeroizing<Vec<u8>> {
    Kind::Sha256.hex(&[password])
}
