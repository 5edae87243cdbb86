//! Verifies a chain of hashes, each of the one before in hexadecimal: what Magento stores after it
//! has upgraded a hash without knowing the password.

use zeroize::Zeroizing;

use super::argon2::Argon2Hash;
use super::digest::{self, Kind};
use crate::hash::{Cost, Hash, Limits, Outcome, compare};

/// A stored chain, whose layers are computed in order.
pub(crate) struct Chain {
    layers: Vec<Layer>,
    stored: String,
}

/// One hash of the chain.
pub(crate) enum Layer {
    /// A digest of the salt and of what came before.
    Digest(Kind, Vec<u8>),
    /// Argon2 of what came before.
    Argon2(Argon2Hash),
}

impl Chain {
    /// `stored` is what the last of `layers` writes, in lower-case hexadecimal; `None` without any.
    pub(crate) fn new(layers: Vec<Layer>, stored: &str) -> Option<Self> {
        let length = match layers.last()? {
            Layer::Digest(kind, _) => kind.length(),
            Layer::Argon2(hash) => hash.length(),
        };
        digest::is_hex(stored, 2 * length).then(|| Self {
            layers,
            stored: stored.to_owned(),
        })
    }
}

impl Hash for Chain {
    fn cost(&self) -> Cost {
        let costs = self.layers.iter().map(|layer| match layer {
            Layer::Digest(..) => Cost { work: 1, memory: 0 },
            Layer::Argon2(hash) => hash.cost(),
        });
        costs.fold(Cost { work: 0, memory: 0 }, |sum, cost| Cost {
            work: sum.work.saturating_add(cost.work),
            memory: sum.memory.max(cost.memory),
        })
    }

    fn parameters(&self) -> String {
        let parameters = self.layers.iter().filter_map(|layer| match layer {
            Layer::Digest(..) => None,
            Layer::Argon2(hash) => Some(hash.parameters()),
        });
        parameters.collect::<Vec<_>>().join("; ")
    }

    fn fits(&self, limits: &Limits, _length: usize) -> bool {
        self.cost().fits(limits)
    }

    fn check(&self, password: &[u8]) -> Outcome {
        let mut text = Zeroizing::new(password.to_vec());
        for layer in &self.layers {
            text = match layer {
                Layer::Digest(kind, salt) => kind.hex(&[salt, &text]),
                Layer::Argon2(hash) => match hash.derive(&text) {
                    Some(key) => digest::hex(&key),
                    None => return Outcome::Unsupported,
                },
            };
        }
        compare(self.stored.as_bytes(), &text)
    }
}
