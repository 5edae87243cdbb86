//! Computes `salted_hmac` of utils/crypto.py: an HMAC under `digest(salt ‖ secret)`.
//!
//! SHA-1 up to Django 3.0; the caller's choice from 3.1 on.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::Digest;
use crate::hexadecimal::hexadecimal;

/// A key that is derived once, for many texts.
#[derive(Clone)]
pub(super) enum SaltedHmac {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
}

impl SaltedHmac {
    /// The key that the parts of the salt, one after another, and `secret` make.
    pub(super) fn new(digest: Digest, salt: &[&[u8]], secret: &[u8]) -> Self {
        match digest {
            Digest::Sha1 => {
                let key: Zeroizing<[u8; 20]> = Zeroizing::new(derive::<Sha1>(salt, secret).into());
                let mut block = padded(&*key);
                let keyed = Hmac::new(&block.into());
                block.zeroize();
                Self::Sha1(keyed)
            }
            Digest::Sha256 => {
                let key: Zeroizing<[u8; 32]> =
                    Zeroizing::new(derive::<Sha256>(salt, secret).into());
                let mut block = padded(&*key);
                let keyed = Hmac::new(&block.into());
                block.zeroize();
                Self::Sha256(keyed)
            }
        }
    }

    /// The HMAC of `text`: 20 or 32 bytes.
    pub(super) fn of(&self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1(key) => key
                .clone()
                .chain_update(text)
                .finalize()
                .into_bytes()
                .to_vec(),
            Self::Sha256(key) => key
                .clone()
                .chain_update(text)
                .finalize()
                .into_bytes()
                .to_vec(),
        }
    }

    /// The same in hexadecimal, lower case.
    pub(super) fn hex_of(&self, text: &[u8]) -> String {
        let digest = self.of(text);
        std::mem::take(&mut *hexadecimal(&digest))
    }
}

fn derive<D: sha2::Digest>(salt: &[&[u8]], secret: &[u8]) -> sha2::digest::Output<D> {
    let mut hash = D::new();
    for part in salt {
        hash.update(part);
    }
    hash.update(secret);
    hash.finalize()
}

/// An HMAC key shorter than a block is filled up with zeros (RFC 2104 section 2), so the block is
/// the same key.
fn padded(key: &[u8]) -> [u8; 64] {
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    block
}
