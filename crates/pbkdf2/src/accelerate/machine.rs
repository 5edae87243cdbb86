//! Names the word operations that SHA-1 and SHA-256 need, so that both are written once for the
//! vectors of every processor.

/// A processor that works on one word of every lane with each operation.
///
/// A value of an implementing type is proof that this processor has the instructions: only a check
/// at run time makes one. This is why these methods are safe.
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

    /// `x`, opaque to the compiler.
    ///
    /// It keeps sums from being put into another order: left alone, the compiler moves additions
    /// onto the path that the next round waits for.
    fn pin(self, x: Self::Vector) -> Self::Vector;
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
