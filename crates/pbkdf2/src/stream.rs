//! One output block of PBKDF2 on its way.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::hash::{Hash, digest_padding};
use crate::machine::Scalar;

/// HMAC (RFC 2104) keyed with a password: the states of the inner and the outer hash after their
/// first block, the padded key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Key<const WORDS: usize> {
    inner: [u32; WORDS],
    outer: [u32; WORDS],
}

impl<const WORDS: usize> Key<WORDS> {
    pub(crate) fn new<H: Hash<WORDS>>(password: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; 16]);
        if password.len() > BLOCK {
            let digest = Zeroizing::new(finish::<H, WORDS>(&H::INITIAL, 0, &[password]));
            for (word, digest) in block.iter_mut().zip(*digest) {
                *word = digest;
            }
        } else {
            for (word, bytes) in block.iter_mut().zip(password.chunks(4)) {
                *word = big_endian(bytes);
            }
        }
        let padded = |pad: u32| {
            let block = Zeroizing::new(block.map(|word| word ^ pad));
            compress_portable::<H, WORDS>(&H::INITIAL, &block)
        };
        Self {
            inner: padded(0x3636_3636),
            outer: padded(0x5c5c_5c5c),
        }
    }
}

/// The block `T_i` of RFC 8018 section 5.2 after some of its iterations.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Stream<const WORDS: usize> {
    /// The state that the inner hash of every HMAC begins from.
    pub(crate) inner: [u32; WORDS],
    /// The state that the outer hash of every HMAC begins from.
    pub(crate) outer: [u32; WORDS],
    /// The last `U_j`.
    pub(crate) link: [u32; WORDS],
    /// All `U_j` so far, added by exclusive or.
    pub(crate) sum: [u32; WORDS],
}

impl<const WORDS: usize> Stream<WORDS> {
    /// Output block `index`, counted from 1, after the first iteration.
    pub(crate) fn new<H: Hash<WORDS>>(key: &Key<WORDS>, salt: &[u8], index: u32) -> Self {
        let parts: [&[u8]; 2] = [salt, &index.to_be_bytes()];
        let inner = Zeroizing::new(finish::<H, WORDS>(&key.inner, BLOCK, &parts));
        let mut block = Zeroizing::new(digest_padding::<WORDS>());
        let link = finish_portable::<H, WORDS>(&key.outer, &inner, &mut block);
        Self {
            inner: key.inner,
            outer: key.outer,
            link,
            sum: link,
        }
    }

    /// Writes the block, or as much of it as `output` takes.
    pub(crate) fn write(&self, output: &mut [u8]) {
        for (bytes, word) in output.chunks_mut(4).zip(self.sum) {
            for (byte, value) in bytes.iter_mut().zip(word.to_be_bytes()) {
                *byte = value;
            }
        }
    }
}

/// The bytes of a block that is hashed.
const BLOCK: usize = 64;

/// The digest of a message of which `before` bytes, whole blocks, led to `state`, and `parts` are
/// the rest.
fn finish<H: Hash<WORDS>, const WORDS: usize>(
    state: &[u32; WORDS],
    before: usize,
    parts: &[&[u8]],
) -> [u32; WORDS] {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    // A one bit, then zeros up to eight bytes of length.
    let blocks = (length + 1 + 8).div_ceil(BLOCK);
    let zeros = blocks * BLOCK - (length + 1 + 8);
    let bits = (before as u64 + length as u64) * 8;
    let mut bytes = parts
        .iter()
        .flat_map(|part| part.iter().copied())
        .chain([0x80])
        .chain(std::iter::repeat_n(0, zeros))
        .chain(bits.to_be_bytes());

    let mut state = *state;
    for _ in 0..blocks {
        let block: Zeroizing<[u32; 16]> = Zeroizing::new(std::array::from_fn(|_| {
            u32::from_be_bytes(std::array::from_fn(|_| bytes.next().unwrap_or(0)))
        }));
        state = compress_portable::<H, WORDS>(&state, &block);
    }
    state
}

/// Up to four bytes as the beginning of a word.
fn big_endian(bytes: &[u8]) -> u32 {
    let mut word = [0; 4];
    for (target, byte) in word.iter_mut().zip(bytes) {
        *target = *byte;
    }
    u32::from_be_bytes(word)
}

/// Does `iterations` iterations of each stream with plain integers.
pub(crate) fn iterate_portable<H: Hash<WORDS>, const WORDS: usize>(
    streams: &mut [&mut Stream<WORDS>],
    iterations: u32,
) {
    let mut block = Zeroizing::new(digest_padding::<WORDS>());
    for stream in streams {
        for _ in 0..iterations {
            for start in [&stream.inner, &stream.outer] {
                stream.link = finish_portable::<H, WORDS>(start, &stream.link, &mut block);
            }
            for (sum, link) in stream.sum.iter_mut().zip(&stream.link) {
                *sum ^= link;
            }
        }
    }
}

/// The digest of a block and `digest`, where the block led to `start`; `block` holds the padding.
fn finish_portable<H: Hash<WORDS>, const WORDS: usize>(
    start: &[u32; WORDS],
    digest: &[u32; WORDS],
    block: &mut [u32; 16],
) -> [u32; WORDS] {
    for (target, word) in block.iter_mut().zip(digest) {
        *target = *word;
    }
    compress_portable::<H, WORDS>(start, block)
}

/// The hash's compression with plain integers.
///
/// Kept whole: a program that derives one key of few iterations should touch few pages of code.
#[inline(never)]
fn compress_portable<H: Hash<WORDS>, const WORDS: usize>(
    start: &[u32; WORDS],
    block: &[u32; 16],
) -> [u32; WORDS] {
    H::compress(Scalar, start, *block)
}
