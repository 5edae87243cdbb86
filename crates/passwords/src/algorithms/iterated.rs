//! Verifies a salted digest that is digested again and again: Spring Security's
//! `StandardPasswordEncoder`.

use zeroize::Zeroizing;

use super::digest::Kind;
use crate::hash::{Cost, Hash, Limits, Outcome, compare};

/// The rounds that `StandardPasswordEncoder` makes (`DEFAULT_ITERATIONS`).
const ROUNDS: u32 = 1024;

/// SHA-256 of salt and password, then of itself.
pub(crate) struct Iterated {
    salt: Vec<u8>,
    stored: Vec<u8>,
}

impl Iterated {
    pub(crate) fn new(salt: &[u8], stored: &[u8]) -> Self {
        Self {
            salt: salt.to_vec(),
            stored: stored.to_vec(),
        }
    }
}

impl Hash for Iterated {
    fn cost(&self) -> Cost {
        Cost {
            work: u64::from(ROUNDS),
            memory: 0,
        }
    }

    fn parameters(&self) -> String {
        format!("{ROUNDS} rounds")
    }

    fn fits(&self, limits: &Limits, _length: usize) -> bool {
        self.cost().fits(limits)
    }

    fn check(&self, password: &[u8]) -> Outcome {
        let first = Kind::Sha256.digest(&[&self.salt, password]);
        let digest: Zeroizing<Vec<u8>> =
            (1..ROUNDS).fold(first, |digest, _| Kind::Sha256.digest(&[&digest]));
        compare(&self.stored, &digest)
    }
}
