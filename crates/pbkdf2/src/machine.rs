//! The word operations that SHA-1 and SHA-256 need.
//!
//! The hashes are written once over a [`Machine`]. One word at a time ([`Scalar`]) they are the
//! portable implementation, and with the vectors of a processor the kernels for many streams.

/// A processor that works on one word of every lane with each operation.
///
/// A value of an implementing type is proof that this processor has the instructions: it can be
/// had from a check at run time alone. That is what lets these methods be safe.
pub(crate) trait Machine: Copy {
    /// One word of every lane.
    type Vector: Copy;

    /// The same word in every lane.
    fn splat(self, word: u32) -> Self::Vector;

    /// `x + y` modulo 2^32.
    fn add(self, x: Self::Vector, y: Self::Vector) -> Self::Vector;

    /// `x ^ y`.
    fn xor(self, x: Self::Vector, y: Self::Vector) -> Self::Vector;

    /// `x ^ y ^ z`: Parity of FIPS 180-4.
    fn parity(self, x: Self::Vector, y: Self::Vector, z: Self::Vector) -> Self::Vector;

    /// `y` where `x` has ones, `z` where it has zeros: Ch of FIPS 180-4.
    fn choose(self, x: Self::Vector, y: Self::Vector, z: Self::Vector) -> Self::Vector;

    /// What two of the three have: Maj of FIPS 180-4.
    fn majority(self, x: Self::Vector, y: Self::Vector, z: Self::Vector) -> Self::Vector;

    /// `x` rotated right by `BITS`, 1 to 31.
    fn rotate_right<const BITS: u32>(self, x: Self::Vector) -> Self::Vector;

    /// `x` shifted right by `BITS`, 1 to 31.
    fn shift_right<const BITS: u32>(self, x: Self::Vector) -> Self::Vector;

    /// `x`, as a value that the compiler may not look behind.
    ///
    /// It keeps sums from being put into another order: left alone, the compiler moves additions
    /// onto the path that the next round waits for.
    fn pin(self, x: Self::Vector) -> Self::Vector;
}

/// Plain integers: the portable implementation.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

impl Machine for Scalar {
    type Vector = u32;

    #[inline(always)]
    fn splat(self, word: u32) -> u32 {
        word
    }

    #[inline(always)]
    fn add(self, x: u32, y: u32) -> u32 {
        x.wrapping_add(y)
    }

    #[inline(always)]
    fn xor(self, x: u32, y: u32) -> u32 {
        x ^ y
    }

    #[inline(always)]
    fn parity(self, x: u32, y: u32, z: u32) -> u32 {
        x ^ y ^ z
    }

    #[inline(always)]
    fn choose(self, x: u32, y: u32, z: u32) -> u32 {
        z ^ (x & (y ^ z))
    }

    #[inline(always)]
    fn majority(self, x: u32, y: u32, z: u32) -> u32 {
        // y ^ z is the x ^ y of the round before.
        y ^ ((x ^ y) & (y ^ z))
    }

    #[inline(always)]
    fn rotate_right<const BITS: u32>(self, x: u32) -> u32 {
        x.rotate_right(BITS)
    }

    #[inline(always)]
    fn shift_right<const BITS: u32>(self, x: u32) -> u32 {
        x >> BITS
    }

    #[inline(always)]
    fn pin(self, x: u32) -> u32 {
        x
    }
}

/// The sums of the words of two states.
#[inline(always)]
pub(crate) fn sum<M: Machine, const WORDS: usize>(
    machine: M,
    mut state: [M::Vector; WORDS],
    start: &[M::Vector; WORDS],
) -> [M::Vector; WORDS] {
    for (word, start) in state.iter_mut().zip(start) {
        *word = machine.add(*word, *start);
    }
    state
}
