//! SHA-1 (FIPS 180-4 section 6.1) on every lane of a [`Machine`].
//!
//! Within HMAC it is not known to be weak; sites that hashed passwords with it still need it.

#[cfg(target_arch = "aarch64")]
use crate::aarch64::Sha2;
use crate::hash::Hash;
use crate::machine::{Machine, sum};
use crate::stream::Stream;
#[cfg(target_arch = "x86_64")]
use crate::x86_64::ShaNi;

/// The words of a state, and of a digest.
pub(crate) const WORDS: usize = 5;

/// SHA-1.
pub(crate) struct Sha1;

impl Hash<WORDS> for Sha1 {
    const INITIAL: [u32; WORDS] = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];

    #[inline(always)]
    fn compress<M: Machine>(
        machine: M,
        start: &[M::Vector; WORDS],
        mut words: [M::Vector; 16],
    ) -> [M::Vector; WORDS] {
        let mut state = *start;
        sixteen!(I => {
            state = round::<M, 0, I>(machine, state, words[I]);
        });
        sixteen!(I => {
            expand!(machine, words, I);
            state = round::<M, 16, I>(machine, state, words[I]);
        });
        sixteen!(I => {
            expand!(machine, words, I);
            state = round::<M, 32, I>(machine, state, words[I]);
        });
        sixteen!(I => {
            expand!(machine, words, I);
            state = round::<M, 48, I>(machine, state, words[I]);
        });
        sixteen!(I => {
            expand!(machine, words, I);
            state = round::<M, 64, I>(machine, state, words[I]);
        });
        sum(machine, state, start)
    }

    #[cfg(target_arch = "aarch64")]
    fn iterate_sha2(machine: Sha2, stream: &mut Stream<WORDS>, iterations: u32) {
        machine.iterate_sha1(stream, iterations);
    }

    #[cfg(target_arch = "x86_64")]
    fn iterate_sha_ni(machine: ShaNi, streams: &mut [&mut Stream<WORDS>], iterations: u32) {
        machine.iterate_sha1(streams, iterations);
    }
}

/// Replaces word `$i` of the message schedule by the one sixteen places later.
macro_rules! expand {
    ($machine:ident, $words:ident, $i:ident) => {
        let sum = $machine.parity($words[$i], $words[($i + 2) % 16], $words[($i + 8) % 16]);
        $words[$i] = $machine.rotate_right::<31>($machine.xor(sum, $words[($i + 13) % 16]));
    };
}
use expand;

/// Round `FIRST + INDEX`.
#[inline(always)]
fn round<M: Machine, const FIRST: usize, const INDEX: usize>(
    machine: M,
    [a, b, c, d, e]: [M::Vector; WORDS],
    word: M::Vector,
) -> [M::Vector; WORDS] {
    let mixed = match (FIRST + INDEX) / 20 {
        0 => machine.choose(b, c, d),
        2 => machine.majority(b, c, d),
        _ => machine.parity(b, c, d),
    };
    let constant = machine.splat(constant(FIRST + INDEX));
    let early = machine.add(e, machine.add(word, constant));
    let early = machine.pin(machine.add(early, mixed));
    let sum = machine.add(early, machine.rotate_right::<27>(a));
    [sum, a, machine.rotate_right::<2>(b), c, d]
}

/// The constant of a round, 0 to 79.
pub(crate) const fn constant(round: usize) -> u32 {
    match round / 20 {
        0 => 0x5a82_7999,
        1 => 0x6ed9_eba1,
        2 => 0x8f1b_bcdc,
        _ => 0xca62_c1d6,
    }
}
