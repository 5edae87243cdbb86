//! What was made of bytes that a store keeps coming with.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// How much is remembered.
const MOST: usize = 1024;

/// Remembers what was made of bytes, by their digest: every session is read anew, but the same
/// bytes, under the same keys, say the same.
#[derive(Debug)]
pub(super) struct Remembered<T>(HashMap<[u8; 32], T>);

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Clone> Remembered<T> {
    /// What `make` makes of the bytes that `parts` are, one after another, or made of them before.
    ///
    /// # Errors
    /// What `make` gives. Failures are not remembered.
    pub(super) fn or_make<E>(
        &mut self,
        parts: &[&[u8]],
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        if let Some(made) = self.0.get(&digest) {
            return Ok(made.clone());
        }
        let made = make()?;
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(digest, made.clone());
        Ok(made)
    }
}
