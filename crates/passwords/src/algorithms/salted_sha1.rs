//! Verifies SHA-1 of a salt and of the password's SHA-1, where the salt is in a column of its own.

use crate::algorithms::digest::Kind;
use crate::hash::{Cost, Hash, Outcome, compare};

/// `sha1(salt + sha1(password))`, in hexadecimal.
pub(crate) struct SaltedSha1 {
    stored: String,
}

impl SaltedSha1 {
    pub(crate) fn new(stored: &str) -> Self {
        Self {
            stored: stored.to_owned(),
        }
    }

    /// Checks `password` with the row's salt.
    pub(crate) fn verify(&self, password: &[u8], salt: Option<&str>) -> Outcome {
        let salt = salt.unwrap_or_default().as_bytes();
        let computed = Kind::Sha1.hex(&[salt, &Kind::Sha1.hex(&[password])]);
        compare(self.stored.as_bytes(), &computed)
    }
}

impl Hash for SaltedSha1 {
    fn cost(&self) -> Cost {
        Cost { work: 1, memory: 0 }
    }

    fn parameters(&self) -> String {
        String::new()
    }

    /// Without a salt.
    fn check(&self, password: &[u8]) -> Outcome {
        self.verify(password, None)
    }
}
