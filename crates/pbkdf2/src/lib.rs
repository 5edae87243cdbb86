//! Derives keys with PBKDF2-HMAC (RFC 8018 section 5.2) and SHA-1 or SHA-256, as fast as the
//! processor allows: one key with [`hmac_sha1`] and [`hmac_sha256`], many keys at a time with an
//! [`Engine`].
//!
//! ```
//! // RFC 7914 section 11, the first 8 of 64 bytes.
//! let mut key = [0; 8];
//! hallpass_pbkdf2::hmac_sha256(b"passwd", b"salt", 1, &mut key);
//! assert_eq!(key, [0x55, 0xac, 0x04, 0x6e, 0x56, 0xe3, 0x08, 0x9f]);
//! ```
//!
//! # Kernels
//!
//! An iteration is two compressions of blocks of known length that begin from states known
//! beforehand, and each waits for the one before it. The [`Kernel`]s keep these states in
//! registers; the processor says which of them it can run, so that one program serves all
//! processors. One key can be no faster than that chain of rounds. Keys that wait together are
//! interleaved, or put side by side in the lanes of vectors, until the units that do the rounds are
//! busy. How many at a time pay, and with which kernel, differs between processors, so [`Kernels`]
//! measures it. `benches/compare.rs` measures all of it against OpenSSL.
//!
//! The portable kernel is RustCrypto's: its `pbkdf2` for one key, its compression functions for
//! many. It runs anywhere, and the tests compare every other kernel with it.
//!
//! # Features
//!
//! `accelerate` (default) adds the kernels that are not portable, and with them the only `unsafe`
//! code: for instructions that not every processor has, and to move vectors to and from memory.
//! To call such an instruction on a processor without it is undefined behaviour; the module
//! `accelerate` says how that is ruled out. Without the feature there is no `unsafe` here.
//!
//! # Secrets
//!
//! No branch and no address depends on a password, a salt or a key, but for their lengths. What is
//! kept of a password while its key is derived is overwritten when dropped; copies that the
//! compiler makes in registers and on the stack, and what RustCrypto's types hold where the
//! portable kernel derives one key, are not.

// The example of the README is a test, too.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "accelerate"), forbid(unsafe_code))]
#![deny(unsafe_op_in_unsafe_fn)]

#[cfg(all(
    feature = "accelerate",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
mod accelerate;
mod engine;
mod hash;
mod kernel;
mod stream;

/// Stands for the kernels where there are none but the portable one.
#[cfg(not(all(
    feature = "accelerate",
    any(target_arch = "aarch64", target_arch = "x86_64")
)))]
mod accelerate {
    use crate::hash::Hash;
    use crate::kernel::Kernel;
    use crate::stream::Stream;

    pub(crate) trait Accelerated<const WORDS: usize>: Sized {}

    impl<H, const WORDS: usize> Accelerated<WORDS> for H {}

    pub(crate) fn is_available(_kernel: Kernel) -> bool {
        false
    }

    pub(crate) fn iterate<H: Hash<WORDS>, const WORDS: usize>(
        _kernel: Kernel,
        _streams: &mut [&mut Stream<WORDS>],
        _iterations: u32,
    ) -> Option<()> {
        None
    }
}

pub use engine::{Derived, Engine, Request, RequestId, SLICE};
pub use kernel::{Kernel, Kernels};

use hash::{Hash, SHA1_WORDS, SHA256_WORDS, Sha1, Sha256};
use stream::{Key, Stream};

/// Fills `output` with PBKDF2-HMAC-SHA1 (RFC 8018 section 5.2, RFC 6070) of `password` and
/// `salt`, repeating `iterations` times.
///
/// No iterations count as one. Every 20 bytes begun of `output` cost as much as the first; of
/// more than 2^32 - 1 such blocks, which RFC 8018 does not allow, the rest is left as it is.
pub fn hmac_sha1(password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
    let kernel = kernel_for(iterations);
    derive::<Sha1, SHA1_WORDS>(kernel, password, salt, iterations, output);
}

/// Fills `output` with PBKDF2-HMAC-SHA256 (RFC 8018 section 5.2, RFC 7914 section 11) of
/// `password` and `salt`, repeating `iterations` times.
///
/// No iterations count as one. Every 32 bytes begun of `output` cost as much as the first; of
/// more than 2^32 - 1 such blocks, which RFC 8018 does not allow, the rest is left as it is.
pub fn hmac_sha256(password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
    let kernel = kernel_for(iterations);
    derive::<Sha256, SHA256_WORDS>(kernel, password, salt, iterations, output);
}

/// So few iterations are done portably sooner than the processor says what it can do: each CPUID
/// instruction takes a microsecond on a virtual machine, and there are several.
const FEW: u32 = 32;

fn kernel_for(iterations: u32) -> Kernel {
    if iterations < FEW {
        Kernel::Portable
    } else {
        Kernel::of_one_key()
    }
}

/// Derives a key, three of its blocks at a time.
fn derive<H: Hash<WORDS>, const WORDS: usize>(
    kernel: Kernel,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    output: &mut [u8],
) {
    if kernel == Kernel::Portable {
        let longest = (u32::MAX as usize).saturating_mul(4 * WORDS);
        let length = output.len().min(longest);
        let output = output.get_mut(..length).unwrap_or_default();
        return H::derive(password, salt, iterations, output);
    }
    let key = Key::new::<H>(password);
    let groups = output.chunks_mut(3 * 4 * WORDS);
    for (output, index) in groups.zip((1..=u32::MAX).step_by(3)) {
        match output.len().div_ceil(4 * WORDS) {
            1 => derive_blocks::<H, WORDS, 1>(kernel, &key, salt, iterations, index, output),
            2 => derive_blocks::<H, WORDS, 2>(kernel, &key, salt, iterations, index, output),
            _ => derive_blocks::<H, WORDS, 3>(kernel, &key, salt, iterations, index, output),
        }
    }
}

/// Derives `N` blocks of a key from block `index` on, counted from 1.
fn derive_blocks<H: Hash<WORDS>, const WORDS: usize, const N: usize>(
    kernel: Kernel,
    key: &Key<WORDS>,
    salt: &[u8],
    iterations: u32,
    index: u32,
    output: &mut [u8],
) {
    let mut indices = index..=u32::MAX;
    let mut streams: [Stream<WORDS>; N] =
        std::array::from_fn(|_| Stream::new::<H>(key, salt, indices.next().unwrap_or(u32::MAX)));
    kernel.iterate::<H, WORDS>(&mut streams.each_mut(), iterations.saturating_sub(1));
    for (stream, output) in streams.iter().zip(output.chunks_mut(4 * WORDS)) {
        stream.write(output);
    }
}
