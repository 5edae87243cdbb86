//! Verifies single, fast digests, with the salt before the password, after it, or missing.

use crate::hash::{Cost, Hash, Outcome, compare};
use md5::Digest;
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

/// A digest in lower-case hexadecimal, compared as text.
pub(crate) struct Hex {
    kind: Kind,
    before: String,
    after: String,
    stored: String,
}

impl Hex {
    /// `stored` is the digest of the password alone.
    pub(crate) fn plain(kind: Kind, stored: &str) -> Self {
        Self::salted(kind, "", "", stored)
    }

    /// `stored` is the digest of the password with salts `before` and `after` it.
    pub(crate) fn salted(kind: Kind, before: &str, after: &str, stored: &str) -> Self {
        Self {
            kind,
            before: before.to_owned(),
            after: after.to_owned(),
            stored: stored.to_owned(),
        }
    }
}

/// A digest function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Md5,
    Sha1,
    Sha256,
}

impl Kind {
    /// The lower-case hexadecimal digest of all `parts` in a row.
    pub(crate) fn hex(self, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Md5 => hex::<Md5>(parts),
            Self::Sha1 => hex::<Sha1>(parts),
            Self::Sha256 => hex::<Sha256>(parts),
        }
    }
}

impl Hash for Hex {
    fn cost(&self) -> Cost {
        Cost { work: 1, memory: 0 }
    }

    fn parameters(&self) -> String {
        String::new()
    }

    fn check(&self, password: &[u8]) -> Outcome {
        let computed = self
            .kind
            .hex(&[self.before.as_bytes(), password, self.after.as_bytes()]);
        compare(self.stored.as_bytes(), &computed)
    }
}

/// Whether `text` is a digest of `length` lower-case hexadecimal characters.
pub(crate) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex<D: Digest>(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut state = D::new();
    for part in parts {
        state.update(part);
    }
    let mut digest = state.finalize();
    let mut text = Zeroizing::new(Vec::with_capacity(2 * digest.len()));
    for byte in &digest {
        for nibble in [byte >> 4, byte & 15] {
            text.push(match nibble {
                0..=9 => b'0' + nibble,
                _ => b'a' - 10 + nibble,
            });
        }
    }
    zeroize::Zeroize::zeroize(digest.as_mut_slice());
    text
}
