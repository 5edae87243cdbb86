//! Derives many keys at a time, each a slice after the other.

use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;

use zeroize::Zeroizing;

use crate::hash::{Hash, SHA1_WORDS, SHA256_WORDS, Sha1, Sha256};
use crate::kernel::{Costs, Kernels};
use crate::stream::{Key, Stream};

/// Derives the keys of many requests together, as fast as the processor can.
///
/// It has no thread and no clock of its own: the caller gives it requests at any time and calls
/// [`step`](Self::step) while it is not [empty](Self::is_empty). A step is a slice of at most
/// [`SLICE`] iterations for as many requests as the kernel has lanes, which are taken in turn, so
/// that a short request never waits for long ones and a late one joins at once. With
/// [measured](Kernels::measure) kernels, the fastest for as many as wait is chosen anew for each
/// slice.
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
    sha1: Queue<Sha1, SHA1_WORDS>,
    sha256: Queue<Sha256, SHA256_WORDS>,
    keys: BTreeMap<RequestId, Unfinished>,
    /// Requests for keys of no length.
    empty: Vec<RequestId>,
    next: RequestId,
    /// Whether SHA-1 is to have the next slice if both have requests.
    sha1_next: bool,
    kernels: Kernels,
}

/// The most iterations that one [`Engine::step`] does of a request: about a millisecond for the
/// most lanes.
pub const SLICE: u32 = 1000;

/// A request that was given to an [`Engine`], which gives each its own.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestId(u64);

/// A key to be derived by an [`Engine`].
///
/// Making one does the first iteration; it holds no password, only what the others need of it,
/// which is overwritten when it is dropped.
pub struct Request {
    blocks: Blocks,
    /// The iterations left, the same for every block.
    remaining: u32,
    /// The length of the key in bytes.
    length: usize,
}

/// The blocks of a key in their order, each in a place of its own: no copy stays behind where a
/// block was moved from.
#[expect(
    clippy::vec_box,
    reason = "keys must not be copied when the vector is moved"
)]
enum Blocks {
    Sha1(Vec<Box<Stream<SHA1_WORDS>>>),
    Sha256(Vec<Box<Stream<SHA256_WORDS>>>),
}

impl Request {
    /// The key of `length` bytes that [`hmac_sha1`](crate::hmac_sha1) derives.
    ///
    /// Every 20 bytes begun cost as much as the first.
    pub fn hmac_sha1(password: &[u8], salt: &[u8], iterations: u32, length: usize) -> Self {
        let blocks = Blocks::Sha1(blocks::<Sha1, _>(password, salt, length));
        Self {
            blocks,
            remaining: iterations.saturating_sub(1),
            length,
        }
    }

    /// The key of `length` bytes that [`hmac_sha256`](crate::hmac_sha256) derives.
    ///
    /// Every 32 bytes begun cost as much as the first.
    pub fn hmac_sha256(password: &[u8], salt: &[u8], iterations: u32, length: usize) -> Self {
        let blocks = Blocks::Sha256(blocks::<Sha256, _>(password, salt, length));
        Self {
            blocks,
            remaining: iterations.saturating_sub(1),
            length,
        }
    }
}

fn blocks<H: Hash<WORDS>, const WORDS: usize>(
    password: &[u8],
    salt: &[u8],
    length: usize,
) -> Vec<Box<Stream<WORDS>>> {
    let key = Key::new::<H>(password);
    (1..=u32::MAX)
        .take(length.div_ceil(4 * WORDS))
        .map(|index| Box::new(Stream::new::<H>(&key, salt, index)))
        .collect()
}

/// A key that was derived.
pub struct Derived {
    /// Which request it is for.
    pub request: RequestId,
    /// The key, of the requested length; overwritten when dropped.
    pub key: Zeroizing<Vec<u8>>,
}

impl Engine {
    /// An engine with the kernel that is the fastest for one key, for few requests at a time.
    pub fn new() -> Self {
        Self::with_kernels(&Kernels::default())
    }

    /// An engine that chooses among `kernels`.
    pub fn with_kernels(kernels: &Kernels) -> Self {
        Self {
            sha1: Queue::default(),
            sha256: Queue::default(),
            keys: BTreeMap::new(),
            empty: Vec::new(),
            next: RequestId(0),
            sha1_next: false,
            kernels: kernels.clone(),
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
            let finished = self.sha1.step(&self.kernels.sha1);
            collect(&mut self.keys, finished, &mut derived);
        } else {
            let finished = self.sha256.step(&self.kernels.sha256);
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
    fn step(&mut self, costs: &Costs) -> Vec<Block<WORDS>> {
        let kernel = costs.fastest(self.waiting.len());
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
