//! PBKDF2-HMAC (RFC 8018 section 5.2) with SHA-1 and SHA-256, as fast as the processor allows:
//! one key with [`hmac_sha1`] and [`hmac_sha256`], the keys of many who wait with an [`Engine`].
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
//! registers; which of them runs is decided by what the processor says it has when it is asked, so
//! that one program serves all processors. One key can be no faster than that chain of rounds.
//! Keys that wait together are interleaved, or put side by side in the lanes of vectors, until the
//! units that do the rounds are busy. `benches/compare.rs` measures all of it against OpenSSL.
//!
//! The portable kernel is plain safe Rust and runs anywhere, Miri included: that knows nothing of
//! these instructions, and `cargo miri test -p hallpass-pbkdf2` checks everything else.
//!
//! # Secrets
//!
//! No branch and no address depends on a password, a salt or a key, but for their lengths. What is kept of a password
//! while its key is derived is overwritten when dropped; copies that the compiler makes in
//! registers and on the stack are not.
//!
//! # Unsafe code
//!
//! It is there for instructions that not every processor has, and to move vectors to and from
//! memory. To call such an instruction on a processor without it is undefined behaviour. A value
//! of the types `ShaNi`, `Avx2`, `Avx512` (`Sha2` on AArch64) is made by a check of the processor
//! and nothing else, and every use is by a method of one.

#![deny(unsafe_op_in_unsafe_fn)]

/// Repeats a block for `$i` from 0 to 15, a constant each time.
macro_rules! sixteen {
    ($i:ident => $body:block) => {
        sixteen!($i => $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    ($i:ident => $body:block, $($value:literal)*) => {
        $({ const $i: usize = $value; $body })*
    };
}

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod costs;
mod engine;
mod hash;
mod kernel;
mod machine;
mod request;
mod sha1;
mod sha256;
mod stream;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use engine::{Derived, Engine, RequestId, SLICE};
pub use kernel::Kernel;
pub use request::Request;

use hash::Hash;
use sha1::Sha1;
use sha256::Sha256;
use stream::{Key, Stream};

/// Fills `output` with PBKDF2-HMAC-SHA1 (RFC 8018 section 5.2, RFC 6070) of `password` and
/// `salt`, repeating `iterations` times.
///
/// No iterations count as one. Every 20 bytes begun of `output` cost as much as the first; of
/// more than 2^32 - 1 such blocks, which RFC 8018 does not allow, the rest is left as it is.
pub fn hmac_sha1(password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
    let kernel = kernel_for(iterations);
    derive::<Sha1, { sha1::WORDS }>(kernel, password, salt, iterations, output);
}

/// Fills `output` with PBKDF2-HMAC-SHA256 (RFC 8018 section 5.2, RFC 7914 section 11) of
/// `password` and `salt`, repeating `iterations` times.
///
/// No iterations count as one. Every 32 bytes begun of `output` cost as much as the first; of
/// more than 2^32 - 1 such blocks, which RFC 8018 does not allow, the rest is left as it is.
pub fn hmac_sha256(password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
    let kernel = kernel_for(iterations);
    derive::<Sha256, { sha256::WORDS }>(kernel, password, salt, iterations, output);
}

/// So few iterations are done with plain integers sooner than the processor says what it can do:
/// each CPUID instruction takes a microsecond on a virtual machine, and there are several.
const FEW: u32 = 32;

fn kernel_for(iterations: u32) -> Kernel {
    if iterations < FEW {
        return Kernel::Portable;
    }
    [Kernel::ShaNiThrice, Kernel::Aarch64]
        .into_iter()
        .find(|kernel| kernel.is_available())
        .unwrap_or(Kernel::Portable)
}

/// Derives a key, three of its blocks at a time.
fn derive<H: Hash<WORDS>, const WORDS: usize>(
    kernel: Kernel,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    output: &mut [u8],
) {
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

/// Derives `N` blocks of a key, of which the first is block `index`, counted from 1.
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
