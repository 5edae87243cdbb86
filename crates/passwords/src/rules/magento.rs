//! Parses what Magento 2's `Encryptor::isValidHash` verifies
//! (`lib/internal/Magento/Framework/Encryption/Encryptor.php`): `HEX:SALT:VERSION`, and one version
//! more for each time that the hash was upgraded.
//!
//! Version 0 is MD5 and 1 SHA-256 of the salt and the password; 2 is Argon2id with libsodium's
//! interactive limits, 32 bytes; `3_LENGTH_PASSES_BYTES` names them. A hash without a version is an
//! HMAC under the site's key, or Magento 1's, and is refused.

use crate::algorithms::argon2::Argon2Hash;
use crate::algorithms::chain::{Chain, Layer};
use crate::algorithms::digest::Kind;
use crate::parsed::Parsed;
use crate::php_strings::integer;

/// `SODIUM_CRYPTO_PWHASH_SALTBYTES`.
const SALT: usize = 16;

/// `SODIUM_CRYPTO_SIGN_SEEDBYTES`, `SODIUM_CRYPTO_PWHASH_OPSLIMIT_INTERACTIVE` and
/// `…MEMLIMIT_INTERACTIVE`.
const INTERACTIVE: (usize, u32, u32) = (32, 2, 67_108_864);

/// The longest key that is derived.
const LONGEST_KEY: usize = 1024;

/// The most versions that are read: one for each algorithm that there is.
const VERSIONS: usize = 4;

pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    let mut fields = encoded.splitn(3, ':');
    let (stored, salt, versions) = (fields.next()?, fields.next()?, fields.next()?);
    let versions: Vec<&str> = versions.split(':').take(VERSIONS + 1).collect();
    if versions.len() > VERSIONS {
        return None;
    }
    let layers = versions.iter().map(|version| layer(version, salt));
    let chain = Chain::new(layers.collect::<Option<_>>()?, stored)?;
    let name = match versions.last()? {
        version if agnostic(version).is_some() => "magento_argon2id",
        version => match integer(version) {
            0 => "magento_md5",
            1 => "magento_sha256",
            _ => "magento_argon2id",
        },
    };
    Some(Parsed::new(name, chain))
}

fn layer(version: &str, salt: &str) -> Option<Layer> {
    let salt = salt.as_bytes();
    if let Some(settings) = agnostic(version) {
        return argon2(settings, salt);
    }
    match integer(version) {
        0 => Some(Layer::Digest(Kind::Md5, salt.to_vec())),
        1 => Some(Layer::Digest(Kind::Sha256, salt.to_vec())),
        2 => argon2(INTERACTIVE, salt),
        _ => None,
    }
}

/// `3_LENGTH_PASSES_BYTES`; a pattern's `$` matches before a line feed at the end.
fn agnostic(version: &str) -> Option<(usize, u32, u32)> {
    let version = version.strip_suffix('\n').unwrap_or(version);
    let mut fields = version.strip_prefix("3_")?.split('_');
    let mut number = || {
        let field = fields.next()?;
        let digits = field.bytes().all(|digit| digit.is_ascii_digit());
        field.parse::<u32>().ok().filter(|_| digits)
    };
    let (length, passes, memory) = (number()?, number()?, number()?);
    let length = usize::try_from(length)
        .ok()
        .filter(|it| *it <= LONGEST_KEY)?;
    fields.next().is_none().then_some((length, passes, memory))
}

/// The salt is repeated, or cut, to what libsodium takes.
fn argon2((length, passes, memory): (usize, u32, u32), salt: &[u8]) -> Option<Layer> {
    if salt.is_empty() {
        return None;
    }
    let salt = salt.iter().copied().cycle().take(SALT).collect();
    let hash = Argon2Hash::of_settings((memory / 1024, passes, 1), salt, length)?;
    Some(Layer::Argon2(hash))
}
