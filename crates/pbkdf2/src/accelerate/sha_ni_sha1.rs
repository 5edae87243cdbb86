//! Iterates PBKDF2-HMAC-SHA1 with the SHA instructions.
//!
//! The instructions keep the state (a, b, c, d, e) in two vectors, named by their words from the
//! highest lane down: `abcd`, and `e` with zeros below. Words of the message are in the same order.

use super::sha_ni::{ShaNi, Vectors};
use crate::hash::SHA1_WORDS as WORDS;
use crate::stream::{Stream, digest_padding};

impl ShaNi {
    /// Does `iterations` iterations of up to three streams.
    pub(crate) fn iterate_sha1(self, streams: &mut [&mut Stream<WORDS>], iterations: u32) {
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
            abcd: machine.gather(|index| {
                let [a, b, c, d, _] = stream(index);
                [d, c, b, a]
            }),
            e: machine.gather(|index| {
                let [.., e] = stream(index);
                [0, 0, 0, e]
            }),
        }
    };
    let inner = load(|stream| &stream.inner);
    let outer = load(|stream| &stream.outer);
    let mut link = load(|stream| &stream.link);
    let mut sum = load(|stream| &stream.sum);

    machine.clear_upper_halves();
    for _ in 0..iterations {
        link = compress(machine, &inner, link);
        link = compress(machine, &outer, link);
        sum = State {
            abcd: machine.xor(sum.abcd, link.abcd),
            e: machine.xor(sum.e, link.e),
        };
    }

    let link = link.words(machine);
    let sum = sum.words(machine);
    for ((stream, link), sum) in streams.iter_mut().zip(link).zip(sum) {
        stream.link = link;
        stream.sum = sum;
    }
}

/// A state of each stream.
#[derive(Clone, Copy)]
struct State<const N: usize> {
    abcd: Vectors<N>,
    e: Vectors<N>,
}

impl<const N: usize> State<N> {
    #[inline(always)]
    fn words(self, machine: ShaNi) -> [[u32; WORDS]; N] {
        let mut e = machine.scatter(self.e).into_iter();
        machine.scatter(self.abcd).map(|[d, c, b, a]| {
            let [_, _, _, e] = e.next().unwrap_or_default();
            [a, b, c, d, e]
        })
    }
}

/// Compresses `digest` from `start`.
#[inline(always)]
fn compress<const N: usize>(machine: ShaNi, start: &State<N>, digest: State<N>) -> State<N> {
    let [.., p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15] = digest_padding::<WORDS>();
    let mut w0 = digest.abcd;
    let mut w1 = machine.xor(digest.e, machine.splat([p7, p6, p5, 0]));
    let mut w2 = machine.splat([p11, p10, p9, p8]);
    let mut w3 = machine.splat([p15, p14, p13, p12]);

    // The first e is the start's as it is; those that follow are an a of four rounds earlier.
    let e = machine.add(start.e, w0);
    let mut state = (machine.sha1_rounds::<N, 0>(start.abcd, e), start.abcd);
    state = rounds::<N, 0>(machine, state, w1);
    state = rounds::<N, 0>(machine, state, w2);
    state = rounds::<N, 0>(machine, state, w3);
    w0 = expand(machine, w0, w1, w2, w3);
    state = rounds::<N, 0>(machine, state, w0);

    w1 = expand(machine, w1, w2, w3, w0);
    state = rounds::<N, 1>(machine, state, w1);
    w2 = expand(machine, w2, w3, w0, w1);
    state = rounds::<N, 1>(machine, state, w2);
    w3 = expand(machine, w3, w0, w1, w2);
    state = rounds::<N, 1>(machine, state, w3);
    w0 = expand(machine, w0, w1, w2, w3);
    state = rounds::<N, 1>(machine, state, w0);
    w1 = expand(machine, w1, w2, w3, w0);
    state = rounds::<N, 1>(machine, state, w1);

    w2 = expand(machine, w2, w3, w0, w1);
    state = rounds::<N, 2>(machine, state, w2);
    w3 = expand(machine, w3, w0, w1, w2);
    state = rounds::<N, 2>(machine, state, w3);
    w0 = expand(machine, w0, w1, w2, w3);
    state = rounds::<N, 2>(machine, state, w0);
    w1 = expand(machine, w1, w2, w3, w0);
    state = rounds::<N, 2>(machine, state, w1);
    w2 = expand(machine, w2, w3, w0, w1);
    state = rounds::<N, 2>(machine, state, w2);

    w3 = expand(machine, w3, w0, w1, w2);
    state = rounds::<N, 3>(machine, state, w3);
    w0 = expand(machine, w0, w1, w2, w3);
    state = rounds::<N, 3>(machine, state, w0);
    w1 = expand(machine, w1, w2, w3, w0);
    state = rounds::<N, 3>(machine, state, w1);
    w2 = expand(machine, w2, w3, w0, w1);
    state = rounds::<N, 3>(machine, state, w2);
    w3 = expand(machine, w3, w0, w1, w2);
    state = rounds::<N, 3>(machine, state, w3);

    let (abcd, earlier) = state;
    State {
        abcd: machine.add(abcd, start.abcd),
        e: machine.sha1_next(earlier, start.e),
    }
}

/// Four rounds of a kind: `abcd` now and four rounds ago give it and `abcd` now.
#[inline(always)]
fn rounds<const N: usize, const KIND: i32>(
    machine: ShaNi,
    (abcd, earlier): (Vectors<N>, Vectors<N>),
    words: Vectors<N>,
) -> (Vectors<N>, Vectors<N>) {
    let e = machine.sha1_next(earlier, words);
    (machine.sha1_rounds::<N, KIND>(abcd, e), abcd)
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
    machine.sha1_message2(machine.xor(machine.sha1_message1(w0, w1), w2), w3)
}
