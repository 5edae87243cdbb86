//! A key to be derived.

use crate::hash::Hash;
use crate::sha1::{self, Sha1};
use crate::sha256::{self, Sha256};
use crate::stream::{Key, Stream};

/// A key to be derived by an [`Engine`](crate::Engine).
///
/// Making one does the first iteration; it holds no password, only what the others need of it,
/// which is overwritten when it is dropped.
pub struct Request {
    pub(crate) blocks: Blocks,
    /// The iterations left, the same for every block.
    pub(crate) remaining: u32,
    /// The length of the key in bytes.
    pub(crate) length: usize,
}

/// The blocks of a key in their order, each in a place of its own: no copy stays behind where a
/// block was moved from.
#[expect(
    clippy::vec_box,
    reason = "keys must not be copied when the vector is moved"
)]
pub(crate) enum Blocks {
    Sha1(Vec<Box<Stream<{ sha1::WORDS }>>>),
    Sha256(Vec<Box<Stream<{ sha256::WORDS }>>>),
}

impl Request {
    /// The key of `length` bytes that [`hmac_sha1`](crate::hmac_sha1) derives.
    ///
    /// Every 20 bytes begun cost as much as the first.
    pub fn hmac_sha1(password: &[u8], salt: &[u8], iterations: u32, length: usize) -> Self {
        let blocks = Blocks::Sha1(blocks::<Sha1, _>(password, salt, length));
        Self {
            blocks,
            remaining: iterations.saturating_sub(1),
            length,
        }
    }

    /// The key of `length` bytes that [`hmac_sha256`](crate::hmac_sha256) derives.
    ///
    /// Every 32 bytes begun cost as much as the first.
    pub fn hmac_sha256(password: &[u8], salt: &[u8], iterations: u32, length: usize) -> Self {
        let blocks = Blocks::Sha256(blocks::<Sha256, _>(password, salt, length));
        Self {
            blocks,
            remaining: iterations.saturating_sub(1),
            length,
        }
    }
}

fn blocks<H: Hash<WORDS>, const WORDS: usize>(
    password: &[u8],
    salt: &[u8],
    length: usize,
) -> Vec<Box<Stream<WORDS>>> {
    let key = Key::new::<H>(password);
    (1..=u32::MAX)
        .take(length.div_ceil(4 * WORDS))
        .map(|index| Box::new(Stream::new::<H>(&key, salt, index)))
        .collect()
}
