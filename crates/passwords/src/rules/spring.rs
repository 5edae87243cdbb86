//! Parses what Spring Security's `DelegatingPasswordEncoder` verifies with the encoders of
//! `PasswordEncoderFactories` (5.0 to 7): `{ID}` and what that encoder stores.
//!
//! `{noop}`, the password itself, is refused, and so are values without an id. Encoders with settings
//! of their own (a secret, a salt of another length) cannot be told from the defaults: their hashes
//! never match.

use crate::algorithms::argon2::Argon2Hash;
use crate::algorithms::bcrypt::BcryptHash;
use crate::algorithms::digest::{Hex, Kind, from_hex, is_hex};
use crate::algorithms::encodings::{base64, either_base64};
use crate::algorithms::iterated::Iterated;
use crate::algorithms::pbkdf2::Pbkdf2Hash;
use crate::algorithms::scrypt::{ScryptHash, Settings};
use crate::parsed::Parsed;

pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    let (id, rest) = encoded.strip_prefix('{')?.split_once('}')?;
    match id {
        "bcrypt" => bcrypt(rest),
        "ldap" => ldap(rest),
        "MD4" => digest("md4", Kind::Md4, rest),
        "MD5" => digest("md5", Kind::Md5, rest),
        "SHA-1" => digest("sha1", Kind::Sha1, rest),
        "SHA-256" => digest("sha256", Kind::Sha256, rest),
        "pbkdf2" => pbkdf2("pbkdf2_sha1", Kind::Sha1, 8, 185_000, rest),
        "pbkdf2@SpringSecurity_v5_8" => pbkdf2("pbkdf2_sha256", Kind::Sha256, 16, 310_000, rest),
        "scrypt" | "scrypt@SpringSecurity_v5_8" => scrypt(rest),
        "sha256" => {
            let stored = hex(rest).filter(|stored| stored.len() == 8 + 32)?;
            let (salt, digest) = stored.split_at_checked(8)?;
            Some(Parsed::new("standard_sha256", Iterated::new(salt, digest)))
        }
        "argon2" | "argon2@SpringSecurity_v5_8" => {
            // What stands before the first `$` is not looked at, and padding is optional.
            let rest = rest.get(rest.find('$')?..)?;
            either_base64(rest.rsplit('$').next()?)?;
            let unpadded = rest.trim_end_matches('=');
            Some(Parsed::new("argon2", Argon2Hash::parse(unpadded)?))
        }
        _ => None,
    }
}

/// `BCryptPasswordEncoder`: crypt_blowfish's own handling of `$2a$`, and not its `$2x$`.
fn bcrypt(rest: &str) -> Option<Parsed> {
    let known = ["$2a$", "$2b$", "$2y$"];
    if !known.iter().any(|variant| rest.starts_with(variant)) {
        return None;
    }
    Some(Parsed::new("bcrypt", BcryptHash::parse_crypt(rest)?))
}

/// `LdapShaPasswordEncoder`; what has no scheme is the password itself there, and refused.
fn ldap(rest: &str) -> Option<Parsed> {
    let (scheme, rest) = rest.strip_prefix('{')?.split_once('}')?;
    let stored = base64(rest)?;
    let (digest, salt) = stored.split_at_checked(20)?;
    let name = match scheme {
        "SHA" | "sha" if salt.is_empty() => "ldap_sha1",
        "SSHA" | "ssha" if !salt.is_empty() => "ldap_salted_sha1",
        _ => return None,
    };
    Some(Parsed::new(name, Hex::of_bytes(Kind::Sha1, salt, digest)))
}

/// `MessageDigestPasswordEncoder`: the salt is hashed after the password, with the braces that it is
/// stored in.
fn digest(name: &'static str, kind: Kind, rest: &str) -> Option<Parsed> {
    let (salt, stored) = match rest.find('}') {
        Some(end) if rest.starts_with('{') => rest.split_at_checked(end + 1)?,
        _ => ("", rest),
    };
    let sound = is_hex(stored, 2 * kind.length());
    sound.then(|| Parsed::new(name, Hex::salted(kind, "", salt, stored)))
}

/// `Pbkdf2PasswordEncoder`: salt and key in hexadecimal, 32 bytes of key whatever the digest.
fn pbkdf2(
    name: &'static str,
    kind: Kind,
    salt: usize,
    iterations: u32,
    rest: &str,
) -> Option<Parsed> {
    let stored = hex(rest).filter(|stored| stored.len() == salt + 32)?;
    let (salt, key) = stored.split_at_checked(salt)?;
    let hash = Pbkdf2Hash::of_key(kind, iterations, salt.into(), key.into())?;
    Some(Parsed::new(name, hash))
}

/// `SCryptPasswordEncoder`: `$PARAMETERS$SALT$KEY`, where the parameters are a number in hexadecimal
/// of 16 bits for the exponent of N, 8 for r and 8 for p.
fn scrypt(rest: &str) -> Option<Parsed> {
    // What stands before the first `$` is not looked at.
    let mut fields = rest.split('$').skip(1);
    let parameters = fields.next()?;
    let plain = (1..=8).contains(&parameters.len())
        && parameters.bytes().all(|digit| digit.is_ascii_hexdigit());
    let parameters = u32::from_str_radix(parameters, 16).ok().filter(|_| plain)?;
    let salt = either_base64(fields.next()?)?;
    let key = either_base64(fields.next()?).filter(|key| key.len() == 32)?;
    if fields.next().is_some() {
        return None;
    }
    let settings = Settings {
        work_factor: 1_u32.checked_shl(parameters >> 16)?,
        block_size: parameters >> 8 & 0xff,
        parallelism: parameters & 0xff,
    };
    let hash = ScryptHash::of_key(settings, u64::MAX, salt, key)?;
    Some(Parsed::new("scrypt", hash))
}

/// Spring reads hexadecimal of either case.
fn hex(text: &str) -> Option<Vec<u8>> {
    from_hex(&text.to_ascii_lowercase())
}
