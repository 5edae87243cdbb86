//! Iterates one stream in each 32-bit lane of a vector.

use zeroize::{Zeroize, Zeroizing};

use super::machine::Machine;
use crate::hash::Hash;
use crate::stream::{Stream, digest_padding};

/// A machine whose vectors have several lanes.
pub(crate) trait Lanes: Machine {
    /// How many lanes there are.
    const LANES: usize;

    /// The first words of `lanes`, one to a lane; zeros if they are too few.
    fn load(self, lanes: &[u32]) -> Self::Vector;

    /// Puts the word of each lane into `lanes`; leaves it alone if it is too short.
    fn store(self, x: Self::Vector, lanes: &mut [u32]);
}

/// Does `iterations` iterations of each stream, one stream to a lane.
///
/// There may be fewer streams than lanes, which costs as much; streams beyond
/// [`Lanes::LANES`] are left as they are.
#[inline(always)]
pub(crate) fn iterate<M: Lanes, H: Hash<WORDS>, const WORDS: usize>(
    machine: M,
    streams: &mut [&mut Stream<WORDS>],
    iterations: u32,
) {
    let mut table = Zeroizing::new(Table::<WORDS>::default());
    let inner = table.load(machine, streams, |stream| &stream.inner);
    let outer = table.load(machine, streams, |stream| &stream.outer);
    let mut link = table.load(machine, streams, |stream| &stream.link);
    let mut sum = table.load(machine, streams, |stream| &stream.sum);

    for _ in 0..iterations {
        // A loop of two, so that the processor holds the code of one compression only.
        for start in [&inner, &outer] {
            link = compress_digest::<M, H, WORDS>(machine, start, link);
        }
        for (sum, link) in sum.iter_mut().zip(link) {
            *sum = machine.xor(*sum, link);
        }
    }

    table.store(machine, &link, streams, |stream| &mut stream.link);
    table.store(machine, &sum, streams, |stream| &mut stream.sum);
}

/// The state after the last block of HMAC in each lane: a digest, which follows one block of key.
#[inline(always)]
fn compress_digest<M: Lanes, H: Hash<WORDS>, const WORDS: usize>(
    machine: M,
    start: &[M::Vector; WORDS],
    digest: [M::Vector; WORDS],
) -> [M::Vector; WORDS] {
    let mut block = digest_padding::<WORDS>().map(|word| machine.splat(word));
    for (word, digest) in block.iter_mut().zip(digest) {
        *word = digest;
    }
    H::compress_lanes(machine, start, block)
}

/// A part of each stream's state, the same words of all streams side by side.
#[derive(Zeroize)]
struct Table<const WORDS: usize>([[u32; MOST_LANES]; WORDS]);

/// The most lanes that any kernel has.
const MOST_LANES: usize = 32;

impl<const WORDS: usize> Default for Table<WORDS> {
    fn default() -> Self {
        Self([[0; MOST_LANES]; WORDS])
    }
}

impl<const WORDS: usize> Table<WORDS> {
    #[inline(always)]
    fn load<M: Lanes>(
        &mut self,
        machine: M,
        streams: &[&mut Stream<WORDS>],
        field: fn(&Stream<WORDS>) -> &[u32; WORDS],
    ) -> [M::Vector; WORDS] {
        self.fill(streams, field);
        self.0.each_ref().map(|lanes| machine.load(lanes))
    }

    #[inline(always)]
    fn store<M: Lanes>(
        &mut self,
        machine: M,
        vectors: &[M::Vector; WORDS],
        streams: &mut [&mut Stream<WORDS>],
        field: fn(&mut Stream<WORDS>) -> &mut [u32; WORDS],
    ) {
        for (lanes, vector) in self.0.iter_mut().zip(vectors) {
            machine.store(*vector, lanes);
        }
        self.empty(streams, field);
    }

    #[inline(never)]
    fn fill(&mut self, streams: &[&mut Stream<WORDS>], field: fn(&Stream<WORDS>) -> &[u32; WORDS]) {
        for (word, lanes) in self.0.iter_mut().enumerate() {
            for (lane, stream) in lanes.iter_mut().zip(streams) {
                *lane = field(stream).get(word).copied().unwrap_or(0);
            }
        }
    }

    #[inline(never)]
    fn empty(
        &self,
        streams: &mut [&mut Stream<WORDS>],
        field: fn(&mut Stream<WORDS>) -> &mut [u32; WORDS],
    ) {
        for (word, lanes) in self.0.iter().enumerate() {
            for (lane, stream) in lanes.iter().zip(streams.iter_mut()) {
                if let Some(target) = field(stream).get_mut(word) {
                    *target = *lane;
                }
            }
        }
    }
}

/// Two vectors of a machine side by side, each operation done on the one and then on the other.
#[derive(Clone, Copy)]
pub(crate) struct Twice<M>(pub(crate) M);

impl<M: Machine> Machine for Twice<M> {
    type Vector = [M::Vector; 2];

    #[inline(always)]
    fn splat(self, word: u32) -> Self::Vector {
        [self.0.splat(word); 2]
    }

    #[inline(always)]
    fn add(self, [x0, x1]: Self::Vector, [y0, y1]: Self::Vector) -> Self::Vector {
        [self.0.add(x0, y0), self.0.add(x1, y1)]
    }

    #[inline(always)]
    fn xor(self, [x0, x1]: Self::Vector, [y0, y1]: Self::Vector) -> Self::Vector {
        [self.0.xor(x0, y0), self.0.xor(x1, y1)]
    }

    #[inline(always)]
    fn parity(
        self,
        [x0, x1]: Self::Vector,
        [y0, y1]: Self::Vector,
        [z0, z1]: Self::Vector,
    ) -> Self::Vector {
        [self.0.parity(x0, y0, z0), self.0.parity(x1, y1, z1)]
    }

    #[inline(always)]
    fn choose(
        self,
        [x0, x1]: Self::Vector,
        [y0, y1]: Self::Vector,
        [z0, z1]: Self::Vector,
    ) -> Self::Vector {
        [self.0.choose(x0, y0, z0), self.0.choose(x1, y1, z1)]
    }

    #[inline(always)]
    fn majority(
        self,
        [x0, x1]: Self::Vector,
        [y0, y1]: Self::Vector,
        [z0, z1]: Self::Vector,
    ) -> Self::Vector {
        [self.0.majority(x0, y0, z0), self.0.majority(x1, y1, z1)]
    }

    #[inline(always)]
    fn rotate_right<const BITS: u32>(self, [x0, x1]: Self::Vector) -> Self::Vector {
        [
            self.0.rotate_right::<BITS>(x0),
            self.0.rotate_right::<BITS>(x1),
        ]
    }

    #[inline(always)]
    fn shift_right<const BITS: u32>(self, [x0, x1]: Self::Vector) -> Self::Vector {
        [
            self.0.shift_right::<BITS>(x0),
            self.0.shift_right::<BITS>(x1),
        ]
    }

    #[inline(always)]
    fn pin(self, [x0, x1]: Self::Vector) -> Self::Vector {
        [self.0.pin(x0), self.0.pin(x1)]
    }
}

impl<M: Lanes> Lanes for Twice<M> {
    const LANES: usize = 2 * M::LANES;

    #[inline(always)]
    fn load(self, lanes: &[u32]) -> Self::Vector {
        let (low, high) = lanes.split_at_checked(M::LANES).unwrap_or((lanes, &[]));
        [self.0.load(low), self.0.load(high)]
    }

    #[inline(always)]
    fn store(self, [x0, x1]: Self::Vector, lanes: &mut [u32]) {
        if let Some((low, high)) = lanes.split_at_mut_checked(M::LANES) {
            self.0.store(x0, low);
            self.0.store(x1, high);
        }
    }
}
