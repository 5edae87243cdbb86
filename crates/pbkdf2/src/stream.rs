//! Keeps one output block of PBKDF2 on its way, and iterates it with RustCrypto's compression.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::hash::{BLOCK, Hash};

/// HMAC (RFC 2104) keyed with a password: the states of the inner and the outer hash after their
/// first block, the padded key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Key<const WORDS: usize> {
    inner: [u32; WORDS],
    outer: [u32; WORDS],
}

impl<const WORDS: usize> Key<WORDS> {
    pub(crate) fn new<H: Hash<WORDS>>(password: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; BLOCK]);
        if password.len() > BLOCK {
            let digest = Zeroizing::new(finish::<H, WORDS>(&H::INITIAL, 0, &[password]));
            write_words(&*digest, &mut *block);
        } else {
            for (target, byte) in block.iter_mut().zip(password) {
                *target = *byte;
            }
        }
        let padded = |pad: u8| {
            let block = Zeroizing::new(block.map(|byte| byte ^ pad));
            let mut state = H::INITIAL;
            H::compress(&mut state, &block);
            state
        };
        Self {
            inner: padded(0x36),
            outer: padded(0x5c),
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
        let mut block = Zeroizing::new(padded_digest::<WORDS>());
        let link = hash_digest::<H, WORDS>(&key.outer, &inner, &mut block);
        Self {
            inner: key.inner,
            outer: key.outer,
            link,
            sum: link,
        }
    }

    /// Writes the block, or as much of it as `output` takes.
    pub(crate) fn write(&self, output: &mut [u8]) {
        write_words(&self.sum, output);
    }
}

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
        let block: Zeroizing<[u8; BLOCK]> =
            Zeroizing::new(std::array::from_fn(|_| bytes.next().unwrap_or(0)));
        H::compress(&mut state, &block);
    }
    state
}

/// Does `iterations` iterations of each stream, one stream after the other.
pub(crate) fn iterate_portable<H: Hash<WORDS>, const WORDS: usize>(
    streams: &mut [&mut Stream<WORDS>],
    iterations: u32,
) {
    let mut block = Zeroizing::new(padded_digest::<WORDS>());
    for stream in streams {
        for _ in 0..iterations {
            for start in [&stream.inner, &stream.outer] {
                stream.link = hash_digest::<H, WORDS>(start, &stream.link, &mut block);
            }
            for (sum, link) in stream.sum.iter_mut().zip(&stream.link) {
                *sum ^= link;
            }
        }
    }
}

/// The digest of a block and `digest`, where the block led to `start`; `block` holds the padding.
fn hash_digest<H: Hash<WORDS>, const WORDS: usize>(
    start: &[u32; WORDS],
    digest: &[u32; WORDS],
    block: &mut [u8; BLOCK],
) -> [u32; WORDS] {
    write_words(digest, block);
    let mut state = *start;
    H::compress(&mut state, block);
    state
}

/// The block of a digest that follows one whole block, with zeros for the digest: a one bit, and
/// the length of the message in bits (FIPS 180-4 section 5.1.1).
#[inline(always)]
pub(crate) fn digest_padding<const WORDS: usize>() -> [u32; 16] {
    let mut block = [0; 16];
    if let Some(first) = block.get_mut(WORDS) {
        *first = 0x8000_0000;
    }
    let [.., last] = &mut block;
    *last = 512 + 32 * WORDS as u32;
    block
}

/// The same as bytes.
fn padded_digest<const WORDS: usize>() -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    write_words(&digest_padding::<WORDS>(), &mut block);
    block
}

/// Writes words in big-endian order, as many as `output` takes.
fn write_words(words: &[u32], output: &mut [u8]) {
    for (bytes, word) in output.chunks_mut(4).zip(words) {
        for (byte, value) in bytes.iter_mut().zip(word.to_be_bytes()) {
            *byte = value;
        }
    }
}
