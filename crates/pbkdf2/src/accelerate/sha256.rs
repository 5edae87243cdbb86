//! Compresses with SHA-256 (FIPS 180-4 section 6.2) on every lane of a [`Machine`].

use super::constants;
use super::machine::{Machine, sum};

/// The words of a state, and of a digest.
const WORDS: usize = 8;

/// The state after a block, begun from `start`, in each lane.
#[inline(always)]
pub(super) fn compress<M: Machine>(
    machine: M,
    start: &[M::Vector; WORDS],
    mut words: [M::Vector; 16],
) -> [M::Vector; WORDS] {
    let [first, second, rest @ ..] = &constants::SHA256;
    let mut state = *start;
    sixteen!(I => {
        state = round(machine, state, words[I], first[I]);
    });
    // The second sixteen apart from the rest, so that the constant words of a block with known
    // padding are folded.
    sixteen!(I => {
        expand!(machine, words, I);
        state = round(machine, state, words[I], second[I]);
    });
    for constants in rest {
        sixteen!(I => {
            expand!(machine, words, I);
            state = round(machine, state, words[I], constants[I]);
        });
    }
    sum(machine, state, start)
}

/// Replaces word `$i` of the message schedule by the one sixteen places later.
macro_rules! expand {
    ($machine:ident, $words:ident, $i:ident) => {
        let near = $machine.add($words[$i], $words[($i + 9) % 16]);
        let far = $machine.add(
            sigma0($machine, $words[($i + 1) % 16]),
            sigma1($machine, $words[($i + 14) % 16]),
        );
        $words[$i] = $machine.add(near, far);
    };
}
use expand;

#[inline(always)]
fn round<M: Machine>(
    machine: M,
    [a, b, c, d, e, f, g, h]: [M::Vector; WORDS],
    word: M::Vector,
    constant: u32,
) -> [M::Vector; WORDS] {
    let early = machine.add(h, machine.add(word, machine.splat(constant)));
    let early = machine.pin(machine.add(early, machine.choose(e, f, g)));
    let first = machine.pin(machine.add(early, big_sigma1(machine, e)));
    let second = machine.pin(machine.add(big_sigma0(machine, a), machine.majority(a, b, c)));
    [
        machine.add(first, second),
        a,
        b,
        c,
        machine.add(d, first),
        e,
        f,
        g,
    ]
}

#[inline(always)]
fn big_sigma0<M: Machine>(machine: M, x: M::Vector) -> M::Vector {
    machine.parity(
        machine.rotate_right::<2>(x),
        machine.rotate_right::<13>(x),
        machine.rotate_right::<22>(x),
    )
}

#[inline(always)]
fn big_sigma1<M: Machine>(machine: M, x: M::Vector) -> M::Vector {
    machine.parity(
        machine.rotate_right::<6>(x),
        machine.rotate_right::<11>(x),
        machine.rotate_right::<25>(x),
    )
}

#[inline(always)]
fn sigma0<M: Machine>(machine: M, x: M::Vector) -> M::Vector {
    machine.parity(
        machine.rotate_right::<7>(x),
        machine.rotate_right::<18>(x),
        machine.shift_right::<3>(x),
    )
}

#[inline(always)]
fn sigma1<M: Machine>(machine: M, x: M::Vector) -> M::Vector {
    machine.parity(
        machine.rotate_right::<17>(x),
        machine.rotate_right::<19>(x),
        machine.shift_right::<10>(x),
    )
}
