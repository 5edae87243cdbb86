//! Compresses with SHA-1 (FIPS 180-4 section 6.1) on every lane of a [`Machine`].

use super::constants;
use super::machine::{Machine, sum};

/// The words of a state, and of a digest.
const WORDS: usize = 5;

/// The state after a block, begun from `start`, in each lane.
#[inline(always)]
pub(super) fn compress<M: Machine>(
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
    let constant = machine.splat(constants::sha1(FIRST + INDEX));
    let early = machine.add(e, machine.add(word, constant));
    let early = machine.pin(machine.add(early, mixed));
    let sum = machine.add(early, machine.rotate_right::<27>(a));
    [sum, a, machine.rotate_right::<2>(b), c, d]
}
