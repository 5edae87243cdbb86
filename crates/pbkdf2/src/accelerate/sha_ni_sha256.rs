//! Iterates PBKDF2-HMAC-SHA256 with the SHA instructions.
//!
//! The instructions keep the state (a, b, … h) in two vectors, named by their words from the
//! highest lane down: `abef` and `cdgh`.

use super::constants::SHA256 as CONSTANTS;
use super::sha_ni::{ShaNi, Vectors};
use crate::hash::SHA256_WORDS as WORDS;
use crate::stream::{Stream, digest_padding};

impl ShaNi {
    /// Does `iterations` iterations of up to three streams.
    pub(crate) fn iterate_sha256(self, streams: &mut [&mut Stream<WORDS>], iterations: u32) {
        match streams {
            [] => {}
            // SAFETY: `self` proves that the processor has what the function is compiled for.
            [x] => unsafe { iterate(self, [x], iterations) },
            // SAFETY: `self` proves that the processor has what the function is compiled for.
            [x, y] => unsafe { iterate(self, [x, y], iterations) },
            // SAFETY: `self` proves that the processor has what the function is compiled for.
            [x, y, z, ..] => unsafe { iterate(self, [x, y, z], iterations) },
        }
    }
}

#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn iterate<const N: usize>(machine: ShaNi, mut streams: [&mut Stream<WORDS>; N], iterations: u32) {
    let load = |words: fn(&Stream<WORDS>) -> &[u32; WORDS]| {
        let stream = |index: usize| {
            streams
                .get(index)
                .map_or([0; WORDS], |stream| *words(stream))
        };
        State::<N> {
            abef: machine.gather(|index| {
                let [a, b, _, _, e, f, _, _] = stream(index);
                [f, e, b, a]
            }),
            cdgh: machine.gather(|index| {
                let [_, _, c, d, _, _, g, h] = stream(index);
                [h, g, d, c]
            }),
        }
    };
    let inner = Start::new(machine, load(|stream| &stream.inner));
    let outer = Start::new(machine, load(|stream| &stream.outer));
    let mut sum = load(|stream| &stream.sum);
    // What the outer hash came to before its start was added.
    let link = load(|stream| &stream.link);
    let mut last = State {
        abef: machine.subtract(link.abef, outer.state.abef),
        cdgh: machine.subtract(link.cdgh, outer.state.cdgh),
    };

    machine.clear_upper_halves();
    for _ in 0..iterations {
        last = compress(machine, &inner, last, &outer);
        last = compress(machine, &outer, last, &inner);
        let link = last.add(machine, outer.state);
        sum = State {
            abef: machine.xor(sum.abef, link.abef),
            cdgh: machine.xor(sum.cdgh, link.cdgh),
        };
    }

    let link = last.add(machine, outer.state).words(machine);
    let sum = sum.words(machine);
    for ((stream, link), sum) in streams.iter_mut().zip(link).zip(sum) {
        stream.link = link;
        stream.sum = sum;
    }
}

/// A state of each stream.
#[derive(Clone, Copy)]
struct State<const N: usize> {
    abef: Vectors<N>,
    cdgh: Vectors<N>,
}

impl<const N: usize> State<N> {
    #[inline(always)]
    fn add(self, machine: ShaNi, other: Self) -> Self {
        Self {
            abef: machine.add(self.abef, other.abef),
            cdgh: machine.add(self.cdgh, other.cdgh),
        }
    }

    #[inline(always)]
    fn words(self, machine: ShaNi) -> [[u32; WORDS]; N] {
        let mut cdgh = machine.scatter(self.cdgh).into_iter();
        machine.scatter(self.abef).map(|[f, e, b, a]| {
            let [h, g, d, c] = cdgh.next().unwrap_or_default();
            [a, b, c, d, e, f, g, h]
        })
    }
}

/// A state that a compression begins from, and what it lends to the compression after it, whose
/// block is the digest that came of it.
///
/// Every instruction between the last rounds of one compression and the first of the next is
/// waited for. To shorten that way, the sum of the digest, which those last rounds and this state
/// make up, and of the first constants is taken of the two that are known beforehand.
struct Start<const N: usize> {
    state: State<N>,
    /// Words a and b, in that order from the lowest lane, with the constants of rounds 0 and 1.
    rounds01: Vectors<N>,
    /// Words c and d with the constants of rounds 2 and 3.
    rounds23: Vectors<N>,
}

impl<const N: usize> Start<N> {
    #[inline(always)]
    fn new(machine: ShaNi, state: State<N>) -> Self {
        let [[k0, k1, k2, k3, ..], ..] = CONSTANTS;
        Self {
            state,
            rounds01: machine.add(
                machine.shuffle::<N, HIGH_REVERSED>(state.abef),
                machine.splat([k0, k1, 0, 0]),
            ),
            rounds23: machine.add(
                machine.shuffle::<N, HIGH_REVERSED>(state.cdgh),
                machine.splat([k2, k3, 0, 0]),
            ),
        }
    }
}

/// Compresses, from `start`, the digest that is the sum of `last` and the state in `last_start`.
/// `start` is yet to be added to the result.
#[inline(always)]
fn compress<const N: usize>(
    machine: ShaNi,
    start: &Start<N>,
    last: State<N>,
    last_start: &Start<N>,
) -> State<N> {
    let digest = last.add(machine, last_start.state);
    let [.., p8, p9, p10, p11, p12, p13, p14, p15] = digest_padding::<WORDS>();
    let mut w0 =
        machine.shuffle::<N, PAIRS_REVERSED>(machine.high_halves(digest.abef, digest.cdgh));
    let mut w1 = machine.shuffle::<N, PAIRS_REVERSED>(machine.low_halves(digest.abef, digest.cdgh));
    let mut w2 = machine.splat([p8, p9, p10, p11]);
    let mut w3 = machine.splat([p12, p13, p14, p15]);

    let rounds01 = machine.add(
        machine.shuffle::<N, HIGH_REVERSED>(last.abef),
        last_start.rounds01,
    );
    let rounds23 = machine.add(
        machine.shuffle::<N, HIGH_REVERSED>(last.cdgh),
        last_start.rounds23,
    );
    let State { mut abef, mut cdgh } = start.state;
    cdgh = machine.sha256_rounds(cdgh, abef, rounds01);
    abef = machine.sha256_rounds(abef, cdgh, rounds23);

    let [first, rest @ ..] = CONSTANTS;
    let [_, _, _, _, first @ ..] = first;
    let mut state = State { abef, cdgh };
    for (words, constants) in [w1, w2, w3].into_iter().zip(first.as_chunks().0) {
        state = rounds(machine, state, words, *constants);
    }
    for constants in rest {
        let [
            k0,
            k1,
            k2,
            k3,
            k4,
            k5,
            k6,
            k7,
            k8,
            k9,
            k10,
            k11,
            k12,
            k13,
            k14,
            k15,
        ] = constants;
        w0 = expand(machine, w0, w1, w2, w3);
        state = rounds(machine, state, w0, [k0, k1, k2, k3]);
        w1 = expand(machine, w1, w2, w3, w0);
        state = rounds(machine, state, w1, [k4, k5, k6, k7]);
        w2 = expand(machine, w2, w3, w0, w1);
        state = rounds(machine, state, w2, [k8, k9, k10, k11]);
        w3 = expand(machine, w3, w0, w1, w2);
        state = rounds(machine, state, w3, [k12, k13, k14, k15]);
    }
    state
}

/// Four rounds.
#[inline(always)]
fn rounds<const N: usize>(
    machine: ShaNi,
    State { abef, cdgh }: State<N>,
    words: Vectors<N>,
    constants: [u32; 4],
) -> State<N> {
    let sums = machine.add(words, machine.splat(constants));
    let next = machine.sha256_rounds(cdgh, abef, sums);
    let sums = machine.shuffle::<N, HIGH_HALF>(sums);
    State {
        abef: machine.sha256_rounds(abef, next, sums),
        cdgh: next,
    }
}

/// The four words of the message schedule after these sixteen.
#[inline(always)]
fn expand<const N: usize>(
    machine: ShaNi,
    w0: Vectors<N>,
    w1: Vectors<N>,
    w2: Vectors<N>,
    w3: Vectors<N>,
) -> Vectors<N> {
    let sums = machine.add(machine.sha256_message1(w0, w1), machine.straddle(w3, w2));
    machine.sha256_message2(sums, w3)
}

/// The order that brings the two highest words down, the highest lowest.
const HIGH_REVERSED: i32 = 0b_00_00_10_11;

/// The order that changes the words of each half.
const PAIRS_REVERSED: i32 = 0b_10_11_00_01;

/// The order that brings the upper half down.
const HIGH_HALF: i32 = 0b_00_00_11_10;
