//! Single, fast digests, the salt before or after the password or missing.

use md5::Digest;
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Description;
use crate::Outcome;
use crate::algorithms::Scheme;
use crate::algorithms::compare;

/// A digest in lower-case hexadecimal, compared as text.
pub(crate) struct Hex<'a> {
    pub(crate) algorithm: &'static str,
    pub(crate) kind: Kind,
    pub(crate) before: &'a str,
    pub(crate) after: &'a str,
    /// What is stored, without what surrounds it.
    pub(crate) stored: &'a str,
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
    pub(crate) fn hex(self, parts: &[&[u8]]) -> Zeroizing<String> {
        match self {
            Self::Md5 => hex::<Md5>(parts),
            Self::Sha1 => hex::<Sha1>(parts),
            Self::Sha256 => hex::<Sha256>(parts),
        }
    }
}

impl Scheme for Hex<'_> {
    fn description(&self) -> Description {
        Description {
            algorithm: self.algorithm,
            cost: String::new(),
            work: 1,
            memory: 0,
        }
    }

    fn check(&self, password: &[u8]) -> Outcome {
        let computed = self
            .kind
            .hex(&[self.before.as_bytes(), password, self.after.as_bytes()]);
        compare(self.stored.as_bytes(), computed.as_bytes())
    }
}

/// Whether `text` is a digest of `length` lower-case hexadecimal characters.
pub(crate) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex<D: Digest>(parts: &[&[u8]]) -> Zeroizing<String> {
    let mut state = D::new();
    for part in parts {
        state.update(part);
    }
    let mut digest = state.finalize();
    let mut text = Zeroizing::new(String::with_capacity(2 * digest.len()));
    for byte in &digest {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    zeroize::Zeroize::zeroize(digest.as_mut_slice());
    text
}
