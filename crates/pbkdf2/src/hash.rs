//! What PBKDF2 needs of a hash function.

#[cfg(target_arch = "aarch64")]
use crate::aarch64::Sha2;
use crate::machine::Machine;
use crate::stream::Stream;
#[cfg(target_arch = "x86_64")]
use crate::x86_64::ShaNi;

/// A hash of the Merkle–Damgård kind with blocks of sixteen big-endian 32-bit words and a state
/// of `WORDS` words.
pub(crate) trait Hash<const WORDS: usize>: Sized {
    /// The state before the first block.
    const INITIAL: [u32; WORDS];

    /// The state after `block`, begun from `start`, in each lane.
    fn compress<M: Machine>(
        machine: M,
        start: &[M::Vector; WORDS],
        block: [M::Vector; 16],
    ) -> [M::Vector; WORDS];

    /// Does `iterations` iterations of a stream.
    #[cfg(target_arch = "aarch64")]
    fn iterate_sha2(machine: Sha2, stream: &mut Stream<WORDS>, iterations: u32);

    /// Does `iterations` iterations of up to three streams, interleaved.
    #[cfg(target_arch = "x86_64")]
    fn iterate_sha_ni(machine: ShaNi, streams: &mut [&mut Stream<WORDS>], iterations: u32);
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
