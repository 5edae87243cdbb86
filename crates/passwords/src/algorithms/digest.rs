//! Verifies single, fast digests, with the salt before the password, after it, as the key of an
//! HMAC, or missing.

use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::Md4;
use md5::Digest;
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use zeroize::{Zeroize as _, Zeroizing};

use crate::hash::{Cost, Hash, Outcome, compare};

/// A digest in lower-case hexadecimal, compared as text.
pub(crate) struct Hex {
    kind: Kind,
    before: Vec<u8>,
    after: Vec<u8>,
    /// The key of an HMAC, which is taken in place of the digest.
    key: Option<Vec<u8>>,
    stored: Vec<u8>,
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
            before: before.into(),
            after: after.into(),
            key: None,
            stored: stored.into(),
        }
    }

    /// `stored` is the HMAC of the password under the key `salt`.
    pub(crate) fn keyed(kind: Kind, salt: &str, stored: &str) -> Self {
        Self {
            key: Some(salt.into()),
            ..Self::plain(kind, stored)
        }
    }

    /// `digest` is the digest, as bytes, of the password with the bytes `salt` after it.
    pub(crate) fn of_bytes(kind: Kind, salt: &[u8], digest: &[u8]) -> Self {
        Self {
            kind,
            before: Vec::new(),
            after: salt.to_vec(),
            key: None,
            stored: hex(digest).to_vec(),
        }
    }
}

/// A digest function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Md4,
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Kind {
    /// Bytes of the digest.
    pub(crate) fn length(self) -> usize {
        match self {
            Self::Md4 | Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The digest of all `parts` in a row.
    pub(crate) fn digest(self, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Md4 => digest::<Md4>(parts),
            Self::Md5 => digest::<Md5>(parts),
            Self::Sha1 => digest::<Sha1>(parts),
            Self::Sha224 => digest::<Sha224>(parts),
            Self::Sha256 => digest::<Sha256>(parts),
            Self::Sha384 => digest::<Sha384>(parts),
            Self::Sha512 => digest::<Sha512>(parts),
        }
    }

    /// The lower-case hexadecimal digest of all `parts` in a row.
    pub(crate) fn hex(self, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
        hex(&self.digest(parts))
    }

    /// The HMAC (RFC 2104) of `message` under `key`.
    pub(crate) fn hmac(self, key: &[u8], message: &[u8]) -> Zeroizing<Vec<u8>> {
        // Keyed with any length, so neither fails.
        macro_rules! hmac {
            ($digest:ty) => {
                Hmac::<$digest>::new_from_slice(key).map_or_else(
                    |_| Zeroizing::default(),
                    |mac| {
                        let mut code = mac.chain_update(message).finalize().into_bytes();
                        let copy = Zeroizing::new(code.to_vec());
                        code.as_mut_slice().zeroize();
                        copy
                    },
                )
            };
        }
        match self {
            Self::Md4 => hmac!(Md4),
            Self::Md5 => hmac!(Md5),
            Self::Sha1 => hmac!(Sha1),
            Self::Sha224 => hmac!(Sha224),
            Self::Sha256 => hmac!(Sha256),
            Self::Sha384 => hmac!(Sha384),
            Self::Sha512 => hmac!(Sha512),
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
        let computed = match &self.key {
            Some(key) => hex(&self.kind.hmac(key, password)),
            None => self.kind.hex(&[&self.before, password, &self.after]),
        };
        compare(&self.stored, &computed)
    }
}

/// Whether `text` is a digest of `length` lower-case hexadecimal characters.
pub(crate) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The bytes that `text` writes in lower-case hexadecimal.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !is_hex(text, text.len()) || !text.len().is_multiple_of(2) {
        return None;
    }
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit - b'a' + 10,
    };
    let bytes = pairs
        .iter()
        .map(|&[high, low]| nibble(high) << 4 | nibble(low));
    Some(bytes.collect())
}

fn digest<D: Digest>(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut state = D::new();
    for part in parts {
        state.update(part);
    }
    let mut digest = state.finalize();
    let copy = Zeroizing::new(digest.to_vec());
    digest.as_mut_slice().zeroize();
    copy
}

/// `bytes` in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(2 * bytes.len()));
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(match nibble {
                0..=9 => b'0' + nibble,
                _ => b'a' - 10 + nibble,
            });
        }
    }
    text
}
