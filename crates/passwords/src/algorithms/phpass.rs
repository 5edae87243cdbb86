//! phpass, "portable hashes": `$P$` (phpass, WordPress, Joomla), `$H$` (phpBB 3.0), `$S$` (Drupal
//! 7, with SHA-512).
//!
//! The third character counts rounds as a power of two, eight characters of salt follow, then
//! the digest in crypt's little-endian base64. (Openwall `PasswordHash.php`,
//! Drupal 7 `includes/password.inc`.)

use md5::Digest;
use md5::Md5;
use sha2::Sha512;
use zeroize::Zeroize as _;
use zeroize::Zeroizing;

use super::crypt64;
use crate::hash::{Cost, Hash, Limits, Outcome, compare, rounds_fit};

/// The part before the digest: prefix, rounds and salt.
const SETTINGS: usize = 12;

/// Hashes of SHA-512 are cut to this many characters.
const SHA512_LENGTH: usize = 55;

/// A stored phpass hash.
pub(crate) struct PhpassHash {
    kind: Kind,
    exponent: u32,
    encoded: Vec<u8>,
}

/// The digest in the rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Md5,
    Sha512,
}

impl PhpassHash {
    /// Parses a stored hash without its first three characters, which the caller has checked.
    pub(crate) fn parse(encoded: &str, kind: Kind) -> Option<Self> {
        let encoded = encoded.as_bytes();
        let length = match kind {
            Kind::Md5 => SETTINGS + 22,
            Kind::Sha512 => SHA512_LENGTH,
        };
        let (settings, hash) = encoded.split_at_checked(SETTINGS)?;
        if !crypt64::is_encoded(hash, length - SETTINGS) {
            return None;
        }
        let exponent = crypt64::value(*settings.get(3)?)?;
        (7..=30).contains(&exponent).then(|| Self {
            kind,
            exponent,
            encoded: encoded.to_owned(),
        })
    }

    /// The text that the hash function would store for `password`.
    pub(crate) fn encode(&self, password: &[u8]) -> Zeroizing<Vec<u8>> {
        let settings = self.encoded.get(..SETTINGS).unwrap_or_default();
        let salt = settings.get(4..).unwrap_or_default();
        let digest = match self.kind {
            Kind::Md5 => iterate::<Md5>(salt, password, 1 << self.exponent),
            Kind::Sha512 => iterate::<Sha512>(salt, password, 1 << self.exponent),
        };
        let mut computed = Zeroizing::new(Vec::with_capacity(SETTINGS + 86));
        computed.extend_from_slice(settings);
        crypt64::encode(&digest, &mut computed);
        computed.truncate(self.encoded.len());
        computed
    }
}

impl Hash for PhpassHash {
    fn cost(&self) -> Cost {
        let rounds = 1 << self.exponent;
        Cost {
            work: match self.kind {
                Kind::Md5 => rounds * 4 / 3,
                Kind::Sha512 => rounds * 4,
            },
            memory: 0,
        }
    }

    fn parameters(&self) -> String {
        format!("{} rounds", 1u64 << self.exponent)
    }

    fn fits(&self, limits: &Limits, length: usize) -> bool {
        rounds_fit(self.cost().work, limits, length)
    }

    fn check(&self, password: &[u8]) -> Outcome {
        compare(&self.encoded, &self.encode(password))
    }
}

fn iterate<D: Digest>(salt: &[u8], password: &[u8], rounds: u32) -> Zeroizing<Vec<u8>> {
    let mut digest = D::new()
        .chain_update(salt)
        .chain_update(password)
        .finalize();
    for _ in 0..rounds {
        digest = D::new()
            .chain_update(&digest)
            .chain_update(password)
            .finalize();
    }
    let result = Zeroizing::new(digest.to_vec());
    digest.as_mut_slice().zeroize();
    result
}
