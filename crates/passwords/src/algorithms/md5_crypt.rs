//! Verifies MD5 crypt, `$1$SALT$` + 22 characters (Poul-Henning Kamp, FreeBSD `lib/libcrypt`), and
//! Apache's, which begins with `$apr1$` (APR `crypto/apr_md5.c`).

use md5::Digest as _;
use md5::Md5;
use zeroize::Zeroize as _;
use zeroize::Zeroizing;

use super::crypt64;
use crate::hash::{Cost, Hash, Limits, Outcome, compare, rounds_fit};

const ROUNDS: u32 = 1000;

/// Bytes of the digest in the order in which they are written.
const ORDER: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];

/// A stored MD5 crypt hash.
pub(crate) struct Md5Crypt {
    /// What it begins with, which is hashed too.
    magic: &'static str,
    salt: String,
    encoded: String,
}

impl Md5Crypt {
    /// Parses a stored hash.
    pub(crate) fn parse(encoded: &str) -> Option<Self> {
        Self::beginning("$1$", encoded)
    }

    /// Parses a stored hash of Apache's.
    pub(crate) fn parse_apache(encoded: &str) -> Option<Self> {
        Self::beginning("$apr1$", encoded)
    }

    fn beginning(magic: &'static str, encoded: &str) -> Option<Self> {
        let (salt, hash) = encoded.strip_prefix(magic)?.split_once('$')?;
        let plausible = salt.len() <= 8 && crypt64::is_encoded(hash.as_bytes(), 22);
        plausible.then(|| Self {
            magic,
            salt: salt.to_owned(),
            encoded: encoded.to_owned(),
        })
    }
}

impl Hash for Md5Crypt {
    fn cost(&self) -> Cost {
        Cost {
            work: 2800,
            memory: 0,
        }
    }

    fn parameters(&self) -> String {
        format!("{ROUNDS} rounds")
    }

    fn fits(&self, limits: &Limits, length: usize) -> bool {
        rounds_fit(self.cost().work, limits, length)
    }

    fn check(&self, password: &[u8]) -> Outcome {
        let digest = digest(password, self.magic.as_bytes(), self.salt.as_bytes());
        let mut computed = Zeroizing::new(format!("{}{}$", self.magic, self.salt).into_bytes());
        crypt64::encode_triples(&*digest, &ORDER, &mut computed);
        let last = u32::from(digest.get(11).copied().unwrap_or(0));
        computed.extend([crypt64::character(last), crypt64::character(last >> 6)]);
        compare(self.encoded.as_bytes(), &computed)
    }
}

fn digest(password: &[u8], magic: &[u8], salt: &[u8]) -> Zeroizing<[u8; 16]> {
    let mut inner = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize();
    let mut state = Md5::new()
        .chain_update(password)
        .chain_update(magic)
        .chain_update(salt);
    for chunk in password.chunks(16) {
        state.update(inner.get(..chunk.len()).unwrap_or_default());
    }
    inner.as_mut_slice().zeroize();
    let mut bits = password.len();
    while bits > 0 {
        // A bit that is set adds a zero byte, not a byte of the digest: so it was first written.
        let first = password.first().copied().unwrap_or(0);
        state.update([if bits & 1 == 1 { 0 } else { first }]);
        bits >>= 1;
    }
    let mut digest = state.finalize();
    for round in 0..ROUNDS {
        let mut state = Md5::new();
        if round % 2 == 1 {
            state.update(password)
        } else {
            state.update(digest)
        }
        if round % 3 != 0 {
            state.update(salt);
        }
        if round % 7 != 0 {
            state.update(password);
        }
        if round % 2 == 1 {
            state.update(digest)
        } else {
            state.update(password)
        }
        digest = state.finalize();
    }
    Zeroizing::new(digest.into())
}
