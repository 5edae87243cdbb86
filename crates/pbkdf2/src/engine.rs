//! Many keys at a time.

use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;

use zeroize::Zeroizing;

use crate::costs::{Costs, fastest, width};
use crate::hash::Hash;
use crate::kernel::Kernel;
use crate::request::{Blocks, Request};
use crate::sha1::{self, Sha1};
use crate::sha256::{self, Sha256};
use crate::stream::Stream;

/// Derives the keys of many requests together, as fast as the processor can.
///
/// It has no thread and no clock of its own: the caller gives it requests at any time and calls
/// [`step`](Self::step) while it is not [empty](Self::is_empty). A step is a slice of at most
/// [`SLICE`] iterations for as many requests as the kernel has lanes, which are taken in turn, so
/// that a short request never waits for long ones and a late one joins at once. The kernel is
/// chosen anew for each slice by how many are waiting; one alone has the kernel that is the fastest
/// for one.
///
/// ```
/// use hallpass_pbkdf2::{Engine, Request};
///
/// let mut engine = Engine::new();
/// let alice = engine.submit(Request::hmac_sha256(b"wonderland", b"salt", 10_000, 32));
/// let bob = engine.submit(Request::hmac_sha1(b"builder", b"pepper", 1_000, 20));
/// let mut order = Vec::new();
/// while !engine.is_empty() {
///     for derived in engine.step() {
///         order.push(derived.request);
///     }
/// }
/// assert_eq!(order, [bob, alice]);
/// ```
pub struct Engine {
    sha1: Queue<Sha1, { sha1::WORDS }>,
    sha256: Queue<Sha256, { sha256::WORDS }>,
    keys: BTreeMap<RequestId, Unfinished>,
    /// Requests for keys of no length.
    empty: Vec<RequestId>,
    next: RequestId,
    /// Whether SHA-1 is to have the next slice if both have requests.
    sha1_next: bool,
    kernels: Vec<Kernel>,
    costs: Costs,
}

/// The most iterations that one [`Engine::step`] does of a request: about a millisecond for the
/// most lanes.
pub const SLICE: u32 = 1000;

/// A request that was given to an [`Engine`], which gives each its own.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestId(u64);

/// A key that was derived.
pub struct Derived {
    /// Which request it is for.
    pub request: RequestId,
    /// The key, as long as was asked for; overwritten when dropped.
    pub key: Zeroizing<Vec<u8>>,
}

impl Engine {
    /// An engine that chooses among the kernels of this processor.
    pub fn new() -> Self {
        Self::with_kernels(Kernel::available().collect())
    }

    /// An engine with this one kernel, for tests and measurements; `None` where this processor
    /// cannot run it.
    pub fn with_kernel(kernel: Kernel) -> Option<Self> {
        kernel
            .is_available()
            .then(|| Self::with_kernels(vec![kernel]))
    }

    fn with_kernels(kernels: Vec<Kernel>) -> Self {
        Self {
            sha1: Queue::default(),
            sha256: Queue::default(),
            keys: BTreeMap::new(),
            empty: Vec::new(),
            next: RequestId(0),
            sha1_next: false,
            kernels,
            costs: Costs::of_this_processor(),
        }
    }

    /// Adds a request, which is part of the next slice, or of one soon after if there are more
    /// requests than lanes.
    pub fn submit(&mut self, request: Request) -> RequestId {
        let id = self.next;
        self.next = RequestId(id.0 + 1);
        let blocks = match request.blocks {
            Blocks::Sha1(streams) => self.sha1.add(id, streams, request.remaining),
            Blocks::Sha256(streams) => self.sha256.add(id, streams, request.remaining),
        };
        if blocks == 0 {
            self.empty.push(id);
        } else {
            let key = Zeroizing::new(vec![0; request.length]);
            self.keys.insert(id, Unfinished { key, blocks });
        }
        id
    }

    /// Gives a request up. Returns whether it was still there: a request whose key was returned
    /// is not.
    pub fn cancel(&mut self, request: RequestId) -> bool {
        if self.keys.remove(&request).is_some() {
            self.sha1.waiting.retain(|block| block.request != request);
            self.sha256.waiting.retain(|block| block.request != request);
            return true;
        }
        let before = self.empty.len();
        self.empty.retain(|id| *id != request);
        self.empty.len() < before
    }

    /// How many requests there are whose keys were not returned yet.
    pub fn len(&self) -> usize {
        self.keys.len() + self.empty.len()
    }

    /// How many requests are worth doing at a time, of those whose keys are no longer than a digest:
    /// with more of them hardly more are done in a time, and each takes longer.
    pub fn width(&self) -> usize {
        width(&self.kernels, self.costs.sha256)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Does one slice, and returns the keys that it finished.
    pub fn step(&mut self) -> Vec<Derived> {
        let mut derived: Vec<_> = self
            .empty
            .drain(..)
            .map(|request| Derived {
                request,
                key: Zeroizing::default(),
            })
            .collect();
        let sha1 =
            !self.sha1.waiting.is_empty() && (self.sha1_next || self.sha256.waiting.is_empty());
        self.sha1_next = !sha1;
        if sha1 {
            let finished = self.sha1.step(&self.kernels, self.costs.sha1);
            collect(&mut self.keys, finished, &mut derived);
        } else {
            let finished = self.sha256.step(&self.kernels, self.costs.sha256);
            collect(&mut self.keys, finished, &mut derived);
        }
        derived
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

/// A key of which some blocks are still waiting.
struct Unfinished {
    key: Zeroizing<Vec<u8>>,
    blocks: usize,
}

/// Puts blocks into their keys, and the keys that are whole into `derived`.
fn collect<const WORDS: usize>(
    keys: &mut BTreeMap<RequestId, Unfinished>,
    finished: Vec<Block<WORDS>>,
    derived: &mut Vec<Derived>,
) {
    for block in finished {
        let Some(unfinished) = keys.get_mut(&block.request) else {
            continue;
        };
        if let Some(output) = unfinished.key.chunks_mut(4 * WORDS).nth(block.index) {
            block.stream.write(output);
        }
        unfinished.blocks -= 1;
        if unfinished.blocks == 0
            && let Some(Unfinished { key, .. }) = keys.remove(&block.request)
        {
            derived.push(Derived {
                request: block.request,
                key,
            });
        }
    }
}

/// The blocks of one hash that are not finished, the next first.
struct Queue<H, const WORDS: usize> {
    waiting: VecDeque<Block<WORDS>>,
    hash: PhantomData<H>,
}

/// One block of a key.
struct Block<const WORDS: usize> {
    request: RequestId,
    /// Which block of the key, counted from 0.
    index: usize,
    /// How many iterations are left.
    remaining: u32,
    /// In a place of its own, so that no copy stays behind where it was.
    stream: Box<Stream<WORDS>>,
}

impl<H: Hash<WORDS>, const WORDS: usize> Queue<H, WORDS> {
    fn add(
        &mut self,
        request: RequestId,
        streams: Vec<Box<Stream<WORDS>>>,
        remaining: u32,
    ) -> usize {
        let blocks = streams.len();
        self.waiting.extend(
            streams
                .into_iter()
                .enumerate()
                .map(|(index, stream)| Block {
                    request,
                    index,
                    remaining,
                    stream,
                }),
        );
        blocks
    }

    /// Does one slice of the next blocks and puts them last. Returns those that are finished.
    fn step(&mut self, kernels: &[Kernel], cost: fn(Kernel) -> u32) -> Vec<Block<WORDS>> {
        let kernel = fastest(kernels, cost, self.waiting.len());
        let lanes = kernel.lanes().min(self.waiting.len());
        let mut chosen: Vec<_> = self.waiting.drain(..lanes).collect();
        let iterations = chosen
            .iter()
            .map(|block| block.remaining)
            .fold(SLICE, u32::min);
        let mut streams: Vec<_> = chosen.iter_mut().map(|block| &mut *block.stream).collect();
        kernel.iterate::<H, WORDS>(&mut streams, iterations);

        for block in &mut chosen {
            block.remaining -= iterations;
        }
        let finished = chosen
            .extract_if(.., |block| block.remaining == 0)
            .collect();
        self.waiting.extend(chosen);
        finished
    }
}

impl<H, const WORDS: usize> Default for Queue<H, WORDS> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            hash: PhantomData,
        }
    }
}
