//! Parses what passlib's hashers verify (passlib 1.7.4 `passlib/handlers`), told apart by their
//! beginnings.
//!
//! passlib refuses passwords over 4096 bytes, and those with a NUL for bcrypt and crypt(3)'s formats.

use zeroize::Zeroizing;

use super::{crypt, ldap, php};
use crate::algorithms::argon2::Argon2Hash;
use crate::algorithms::bcrypt::BcryptHash;
use crate::algorithms::crypt64;
use crate::algorithms::digest::Kind;
use crate::algorithms::encodings::{adapted, stripped};
use crate::algorithms::pbkdf2::Pbkdf2Hash;
use crate::algorithms::scrypt::{ScryptHash, Settings};
use crate::hash::{plain_number, positive_number};
use crate::parsed::{Input, Parsed};

/// `PASSLIB_MAX_PASSWORD_SIZE`: longer passwords raise.
const LENGTH: usize = 4096;

/// The longest salt of PBKDF2 and scrypt (`max_salt_size`).
const LONGEST_SALT: usize = 1024;

/// The form of a typed password that is tried, if any.
pub(super) fn forms(password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    (password.len() <= LENGTH).then(|| Zeroizing::new(password.to_vec()))
}

pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    if let Some(rest) = encoded.strip_prefix("$pbkdf2$") {
        pbkdf2(Kind::Sha1, rest, adapted)
    } else if let Some(rest) = encoded.strip_prefix("$pbkdf2-sha256$") {
        pbkdf2(Kind::Sha256, rest, adapted)
    } else if let Some(rest) = encoded.strip_prefix("$pbkdf2-sha512$") {
        pbkdf2(Kind::Sha512, rest, adapted)
    } else if let Some(rest) = encoded.strip_prefix("$bcrypt-sha256$") {
        bcrypt_sha256(rest)
    } else if let Some(rest) = encoded.strip_prefix("$scrypt$") {
        scrypt(rest)
    } else if let Some(rest) = encoded.strip_prefix("$7$") {
        scrypt_7(rest)
    } else if let Some(rest) = encoded.strip_prefix("{PKCS5S2}") {
        atlassian(rest)
    } else if encoded.starts_with("$argon2") {
        Some(Parsed::new("argon2", Argon2Hash::parse(encoded)?))
    } else if encoded.starts_with("$2") {
        Some(Parsed::new("bcrypt", BcryptHash::parse(encoded)?).given(Input::NoNul))
    } else if encoded.starts_with("$P$") || encoded.starts_with("$H$") {
        php::phpass(encoded)
    } else if encoded.starts_with('{') {
        ldap::parse(encoded)
    } else if encoded.starts_with('$') {
        crypt::passlib(encoded)
    } else {
        None
    }
}

/// `ROUNDS$SALT$KEY` (`pbkdf2.py` `Pbkdf2DigestHandler`), also behind LDAP's schemes, in the Base64 that
/// `decode` reads.
pub(super) fn pbkdf2(
    digest: Kind,
    rest: &str,
    decode: fn(&str) -> Option<Vec<u8>>,
) -> Option<Parsed> {
    let mut fields = rest.split('$');
    let iterations = positive_number(fields.next()?)?;
    let salt = decode(fields.next()?).filter(|salt| salt.len() <= LONGEST_SALT)?;
    let key = decode(fields.next()?).filter(|key| key.len() == digest.length())?;
    let name = match digest {
        Kind::Sha1 => "pbkdf2_sha1",
        Kind::Sha256 => "pbkdf2_sha256",
        _ => "pbkdf2_sha512",
    };
    let hash = Pbkdf2Hash::of_key(digest, iterations, salt, key)?;
    fields.next().is_none().then(|| Parsed::new(name, hash))
}

/// `ln=LOG,r=R,p=P$SALT$KEY` (`scrypt.py` `_parse_scrypt_string`).
fn scrypt(rest: &str) -> Option<Parsed> {
    let mut fields = rest.split('$');
    let mut costs = fields.next()?.split(',');
    let exponent = plain_number(costs.next()?.strip_prefix("ln=")?)?;
    let block_size = positive_number(costs.next()?.strip_prefix("r=")?)?;
    let parallelism = positive_number(costs.next()?.strip_prefix("p=")?)?;
    let salt = stripped(fields.next()?).filter(|salt| salt.len() <= LONGEST_SALT)?;
    let key = stripped(fields.next()?).filter(|key| key.len() == 32)?;
    if costs.next().is_some() || fields.next().is_some() {
        return None;
    }
    let settings = Settings {
        work_factor: 1_u32.checked_shl(exponent).filter(|it| *it > 0)?,
        block_size,
        parallelism,
    };
    let hash = ScryptHash::of_key(settings, u64::MAX, salt, key)?;
    Some(Parsed::new("scrypt", hash))
}

/// `$7$`, a character for the exponent of N, five each for r and p, the salt as it is, `$` and the key
/// (`scrypt.py` `_parse_7_string`).
fn scrypt_7(rest: &str) -> Option<Parsed> {
    let (settings, key) = rest.split_once('$').filter(|_| rest.is_ascii())?;
    let (exponent, settings) = settings.as_bytes().split_at_checked(1)?;
    let (block_size, settings) = settings.split_at_checked(5)?;
    let (parallelism, salt) = settings.split_at_checked(5)?;
    let key = crypt64::decode(key.as_bytes()).filter(|key| key.len() == 32)?;
    let exponent = crypt64::number(exponent)?;
    let settings = Settings {
        work_factor: 1_u32.checked_shl(exponent)?,
        block_size: crypt64::number(block_size)?,
        parallelism: crypt64::number(parallelism)?,
    };
    let salt = (salt.len() <= LONGEST_SALT).then(|| salt.to_vec())?;
    let hash = ScryptHash::of_key(settings, u64::MAX, salt, key)?;
    Some(Parsed::new("scrypt", hash))
}

/// Base64 of 16 bytes of salt and 32 of PBKDF2-HMAC-SHA1 after 10,000 iterations, as Atlassian's
/// programs store it (`pbkdf2.py` `atlassian_pbkdf2_sha1`).
fn atlassian(rest: &str) -> Option<Parsed> {
    let stored = stripped(rest).filter(|stored| stored.len() == 16 + 32)?;
    let (salt, key) = stored.split_at_checked(16)?;
    let hash = Pbkdf2Hash::of_key(Kind::Sha1, 10_000, salt.into(), key.into())?;
    Some(Parsed::new("atlassian_pbkdf2_sha1", hash))
}

/// `v=2,t=2b,r=COST$SALT$HASH`, and before 1.7.3 `2b,COST$SALT$HASH`: bcrypt of the Base64 of a
/// digest (`bcrypt.py` `bcrypt_sha256`).
fn bcrypt_sha256(rest: &str) -> Option<Parsed> {
    let mut fields = rest.split('$');
    let (settings, salt, hash) = (fields.next()?, fields.next()?, fields.next()?);
    // Python's `$` matches before a line feed at the end.
    let hash = hash.strip_suffix('\n').unwrap_or(hash);
    if fields.next().is_some() {
        return None;
    }
    let (variant, cost, input) = match settings.strip_prefix("v=2,") {
        Some(settings) => {
            let (variant, cost) = settings.split_once(',')?;
            let variant = variant.strip_prefix("t=").filter(|it| *it == "2b")?;
            let key = salt.as_bytes().to_vec();
            (variant, cost.strip_prefix("r=")?, Input::Base64Hmac(key))
        }
        None => {
            let (variant, cost) = settings.split_once(',')?;
            let variant = Some(variant).filter(|it| matches!(*it, "2a" | "2b"))?;
            (variant, cost, Input::Base64Sha256)
        }
    };
    let cost = plain_number(cost)?;
    let bcrypt = BcryptHash::parse(&format!("${variant}${cost:02}${salt}{hash}"))?;
    Some(Parsed::new("bcrypt_sha256", bcrypt).given(input))
}
