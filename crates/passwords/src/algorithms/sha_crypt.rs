//! SHA crypt, `$5$` and `$6$` (Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512").
//!
//! The digest is the sha-crypt library's; what is read and written around it is here, because the
//! stored text must be compared as a whole.

use sha_crypt::Params;
use zeroize::Zeroizing;

use super::crypt64;
use crate::hash::{Cost, Hash, Limits, Outcome, compare, plain_number};

/// Rounds where the text names none.
const DEFAULT_ROUNDS: u32 = 5000;

/// A stored SHA crypt hash.
pub(crate) struct ShaCrypt {
    kind: Kind,
    params: Params,
    rounds: u32,
    salt: String,
    hash: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sha256,
    Sha512,
}

impl ShaCrypt {
    /// Parses `$5$[rounds=N$]SALT$HASH`.
    pub(crate) fn parse(encoded: &str) -> Option<Self> {
        let (kind, length, rest) = match encoded.split_at_checked(3)? {
            ("$5$", rest) => (Kind::Sha256, 43, rest),
            ("$6$", rest) => (Kind::Sha512, 86, rest),
            _ => return None,
        };
        let (rounds, rest) = match rest.strip_prefix("rounds=") {
            Some(rest) => {
                let (rounds, rest) = rest.split_once('$')?;
                (plain_number(rounds)?, rest)
            }
            None => (DEFAULT_ROUNDS, rest),
        };
        // Out of range is refused by PHP and libxcrypt, and pulled into it by glibc, which then
        // writes another number than was stored.
        let params = Params::new(rounds).ok()?;
        let (salt, hash) = rest.split_once('$')?;
        let plausible = salt.len() <= 16 && crypt64::is_encoded(hash.as_bytes(), length);
        plausible.then(|| Self {
            kind,
            params,
            rounds,
            salt: salt.to_owned(),
            hash: hash.to_owned(),
        })
    }
}

impl Hash for ShaCrypt {
    fn cost(&self) -> Cost {
        Cost {
            work: u64::from(self.rounds) * 4,
            memory: 0,
        }
    }

    fn parameters(&self) -> String {
        format!("{} rounds", self.rounds)
    }

    fn fits(&self, limits: &Limits, length: usize) -> bool {
        // Each round takes in the password about twice, and before them it is hashed once for
        // each of its own bytes.
        let blocks = u64::try_from(length / 64).unwrap_or(u64::MAX);
        let rounds = self.cost().work.saturating_mul(blocks.saturating_add(1));
        let before = blocks.saturating_mul(u64::try_from(length).unwrap_or(u64::MAX));
        rounds.saturating_add(before) <= u64::from(limits.max_iterations)
    }

    fn check(&self, password: &[u8]) -> Outcome {
        let salt = self.salt.as_bytes();
        let mut computed = Zeroizing::new(Vec::with_capacity(86));
        match self.kind {
            Kind::Sha256 => {
                let digest = Zeroizing::new(sha_crypt::sha256_crypt(password, salt, self.params));
                crypt64::encode_triples(&*digest, &order::<10>(), &mut computed);
                let [.., low, high] = *digest;
                let bits = u32::from(high) << 8 | u32::from(low);
                computed.extend([0, 6, 12].map(|shift| crypt64::character(bits >> shift)));
            }
            Kind::Sha512 => {
                let digest = Zeroizing::new(sha_crypt::sha512_crypt(password, salt, self.params));
                crypt64::encode_triples(&*digest, &order::<21>(), &mut computed);
                let [.., last] = *digest;
                computed.extend([0, 6].map(|shift| crypt64::character(u32::from(last) >> shift)));
            }
        }
        compare(self.hash.as_bytes(), &computed)
    }
}

/// The order of bytes: the digest in thirds, each triple turned by one against the last; to the
/// left for SHA-512 (21 triples), to the right for SHA-256 (10).
fn order<const TRIPLES: usize>() -> [[usize; 3]; TRIPLES] {
    let mut order = [[0; 3]; TRIPLES];
    for (position, triple) in order.iter_mut().enumerate() {
        let turns = if TRIPLES == 21 {
            position
        } else {
            2 * position
        };
        *triple = [position, position + TRIPLES, position + 2 * TRIPLES];
        triple.rotate_left(turns % 3);
    }
    order
}
