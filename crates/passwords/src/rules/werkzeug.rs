//! Parses what Werkzeug's `check_password_hash` verifies (3.1 `werkzeug/security.py`, and the digests
//! that were gone with 3.0).
//!
//! `METHOD$SALT$HEX`: the salt is text, the method is `scrypt:N:R:P`, `pbkdf2:DIGEST:ITERATIONS`, or
//! the name of a digest in either case, which is then an HMAC of the password under the salt.

use crate::algorithms::digest::{Hex, Kind, from_hex, is_hex};
use crate::algorithms::pbkdf2::Pbkdf2Hash;
use crate::algorithms::scrypt::{ScryptHash, Settings};
use crate::hash::python_number;
use crate::parsed::Parsed;

/// Iterations where the method names none (`DEFAULT_PBKDF2_ITERATIONS` of 3.1).
const ITERATIONS: u32 = 1_000_000;

/// N, r and p where the method names none.
const SCRYPT: Settings = Settings {
    work_factor: 1 << 15,
    block_size: 8,
    parallelism: 1,
};

/// What Python's `maxmem` may be.
const MAXMEM: u64 = (1 << 31) - 1;

pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    let mut fields = encoded.splitn(3, '$');
    let (method, salt, stored) = (fields.next()?, fields.next()?, fields.next()?);
    let mut arguments = method.split(':');
    let name = arguments.next()?;
    let arguments: Vec<&str> = arguments.take(4).collect();
    match (name, &*arguments) {
        ("scrypt", []) => scrypt(SCRYPT, salt, stored),
        ("scrypt", [work_factor, block_size, parallelism]) => {
            let settings = Settings {
                work_factor: python_number(work_factor)?,
                block_size: python_number(block_size)?,
                parallelism: python_number(parallelism)?,
            };
            scrypt(settings, salt, stored)
        }
        ("pbkdf2", []) => pbkdf2("sha256", ITERATIONS, salt, stored),
        ("pbkdf2", [digest]) => pbkdf2(digest, ITERATIONS, salt, stored),
        ("pbkdf2", [digest, iterations]) => {
            pbkdf2(digest, python_number(iterations)?, salt, stored)
        }
        (digest, []) => keyed(digest, salt, stored),
        _ => None,
    }
}

/// Python gives OpenSSL 132·N·r·p bytes, and refuses where that is more than an `int` holds.
fn scrypt(settings: Settings, salt: &str, stored: &str) -> Option<Parsed> {
    let Settings {
        work_factor,
        block_size,
        parallelism,
    } = settings;
    let most = [block_size, parallelism]
        .into_iter()
        .try_fold(132 * u64::from(work_factor), |most, factor| {
            most.checked_mul(u64::from(factor))
        })?;
    let key = from_hex(stored).filter(|key| key.len() == 64 && most <= MAXMEM)?;
    let hash = ScryptHash::of_key(settings, most, salt.into(), key)?;
    Some(Parsed::new("scrypt", hash))
}

fn pbkdf2(digest: &str, iterations: u32, salt: &str, stored: &str) -> Option<Parsed> {
    let (digest, name) = match digest.to_ascii_lowercase().as_str() {
        "md5" => (Kind::Md5, "pbkdf2_md5"),
        "sha1" => (Kind::Sha1, "pbkdf2_sha1"),
        "sha224" => (Kind::Sha224, "pbkdf2_sha224"),
        "sha256" => (Kind::Sha256, "pbkdf2_sha256"),
        "sha384" => (Kind::Sha384, "pbkdf2_sha384"),
        "sha512" => (Kind::Sha512, "pbkdf2_sha512"),
        _ => return None,
    };
    let key = from_hex(stored).filter(|key| key.len() == digest.length())?;
    let hash = Pbkdf2Hash::of_key(digest, iterations, salt.into(), key)?;
    Some(Parsed::new(name, hash))
}

/// Before 3.0; without a salt it is the digest alone.
fn keyed(digest: &str, salt: &str, stored: &str) -> Option<Parsed> {
    let (kind, name) = match digest.to_ascii_lowercase().as_str() {
        "md5" => (Kind::Md5, "hmac_md5"),
        "sha1" => (Kind::Sha1, "hmac_sha1"),
        "sha224" => (Kind::Sha224, "hmac_sha224"),
        "sha256" => (Kind::Sha256, "hmac_sha256"),
        "sha384" => (Kind::Sha384, "hmac_sha384"),
        "sha512" => (Kind::Sha512, "hmac_sha512"),
        _ => return None,
    };
    let hash = match salt {
        "" => Hex::plain(kind, stored),
        _ => Hex::keyed(kind, salt, stored),
    };
    is_hex(stored, 2 * kind.length()).then(|| Parsed::new(name, hash))
}
