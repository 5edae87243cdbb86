//! Records which values a question reads from a cache, so that they can be read again, for many
//! questions at a time.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use zeroize::Zeroizing;

use super::connection::Failure;
use super::redis::Node;
use super::server::{Entry, Server};
use super::{Cache, Memcached, Servers, Spread};
use crate::{Deadline, Unavailable};

/// The most reads of one question that are kept.
const MOST_READS: usize = 16;

/// The most keys that are asked for at once. All are sent before the first answer is read, so that
/// they must fit into the system's buffers.
const MOST_TOGETHER: usize = 256;

/// One read: a key, and a digest of its value or absence.
pub struct Recorded {
    key: Zeroizing<Vec<u8>>,
    digest: u64,
}

/// Keys may be those of sessions, so nothing is shown.
impl std::fmt::Debug for Recorded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Recorded(…)")
    }
}

/// Records the reads of one question after another.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    /// The key of the digests, so that another value has the same digest by chance alone, which is
    /// one in 2^64.
    hasher: RandomState,
    /// `None` while nothing is recorded, and where a read failed.
    reads: Option<Vec<Recorded>>,
}

impl Recorder {
    pub(super) fn note(&mut self, key: &[u8], answer: &Result<Option<Entry>, Unavailable>) {
        let Some(reads) = &mut self.reads else { return };
        match answer {
            Ok(entry) if reads.len() < MOST_READS => reads.push(Recorded {
                key: Zeroizing::new(key.to_vec()),
                digest: digest(&self.hasher, entry.as_ref()),
            }),
            _ => self.reads = None,
        }
    }
}

fn digest(hasher: &RandomState, entry: Option<&Entry>) -> u64 {
    hasher.hash_one(entry.map(|entry| (entry.bytes.as_slice(), entry.flags)))
}

/// What a server says of a key among others.
pub(super) enum Found {
    Value(Entry),
    Absent,
    /// It has to be asked by itself.
    Unclear,
}

/// A server that can be asked for several keys at a time.
trait Batch {
    fn get_all(
        &mut self,
        keys: &[&[u8]],
        limits: Limits,
        each: &mut dyn FnMut(usize, Found),
    ) -> Result<(), Failure>;
}

/// How long a server may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) query_timeout: Duration,
    pub(super) deadline: Deadline,
}

impl Batch for Server<Memcached> {
    fn get_all(
        &mut self,
        keys: &[&[u8]],
        limits: Limits,
        each: &mut dyn FnMut(usize, Found),
    ) -> Result<(), Failure> {
        self.exchange(
            limits.query_timeout,
            limits.deadline,
            &mut |_, connection, until| Memcached::ask_all(connection, keys, until, each),
        )
    }
}

impl Batch for Node {
    fn get_all(
        &mut self,
        keys: &[&[u8]],
        limits: Limits,
        each: &mut dyn FnMut(usize, Found),
    ) -> Result<(), Failure> {
        self.query_all(keys, limits, each)
    }
}

impl Cache {
    /// Records what is read from now on.
    pub fn begin_recording(&mut self) {
        self.recorder.reads = Some(Vec::new());
    }

    /// Ends the recording, and returns what has been read; `None` where that is not all, because a
    /// query failed.
    pub fn take_recorded(&mut self) -> Option<Vec<Recorded>> {
        self.recorder.reads.take()
    }

    /// Whether each of `reads`, which this cache has recorded, gives the same again. They are asked
    /// for together. What a server does not answer for is not the same.
    ///
    /// # Errors
    /// [`Unavailable`] when no server answers.
    pub fn unchanged(
        &mut self,
        reads: &[&Recorded],
        deadline: Deadline,
    ) -> Result<Vec<bool>, Unavailable> {
        let hasher = &self.recorder.hasher;
        let (spread, query_timeout) = (self.spread, self.query_timeout);
        let mut unchanged = Vec::with_capacity(reads.len());
        for reads in reads.chunks(MOST_TOGETHER) {
            let mut all = Reads {
                hasher,
                reads,
                unchanged: vec![false; reads.len()],
                left: (0..reads.len()).collect(),
            };
            match &mut self.servers {
                Servers::Memcached(servers) => all.ask(servers, spread, query_timeout, deadline),
                Servers::Redis(servers) => all.ask(servers, spread, query_timeout, deadline),
            }?;
            unchanged.append(&mut all.unchanged);
        }
        Ok(unchanged)
    }
}

/// What is asked for together.
struct Reads<'a> {
    hasher: &'a RandomState,
    reads: &'a [&'a Recorded],
    unchanged: Vec<bool>,
    /// Those that no server has answered for.
    left: Vec<usize>,
}

impl Reads<'_> {
    /// Asks the servers in the order in which each key by itself would be asked for.
    fn ask(
        &mut self,
        servers: &mut [impl Batch],
        spread: Spread,
        query_timeout: Duration,
        deadline: Deadline,
    ) -> Result<(), Unavailable> {
        let count = servers.len();
        let (mut answered, mut failed) = (0, None);
        for (index, server) in servers.iter_mut().enumerate() {
            let share = u32::try_from(count - index).unwrap_or(u32::MAX);
            let limits = Limits {
                query_timeout,
                deadline: deadline.at_most(deadline.remaining() / share),
            };
            match self.ask_one(server, limits) {
                Ok(()) => answered += 1,
                Err(failure) => failed = Some(failure),
            }
            // Each of several copies has all keys.
            if spread == Spread::Copies && answered > 0 {
                break;
            }
        }
        if let (0, Some(failure)) = (answered, failed) {
            return Err(failure.into());
        }
        let is_known = match spread {
            Spread::Copies => answered > 0,
            Spread::Parts => answered == count,
        };
        if is_known {
            let absent = digest(self.hasher, None);
            for place in std::mem::take(&mut self.left) {
                self.note(place, absent);
            }
        }
        Ok(())
    }

    /// Asks `server` for those that are left. Those that it does not have are left then.
    fn ask_one(&mut self, server: &mut impl Batch, limits: Limits) -> Result<(), Failure> {
        let asked = std::mem::take(&mut self.left);
        let reads = asked.iter().filter_map(|place| self.reads.get(*place));
        let keys: Vec<&[u8]> = reads.map(|read| read.key.as_slice()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        // A key that is not answered for is one that another server may have.
        let mut answers: Vec<Answer> = vec![Answer::Absent; keys.len()];
        let hasher = self.hasher;
        let done = server.get_all(&keys, limits, &mut |index, found| {
            if let Some(answer) = answers.get_mut(index) {
                *answer = match found {
                    Found::Value(entry) => Answer::Digest(digest(hasher, Some(&entry))),
                    Found::Absent => Answer::Absent,
                    Found::Unclear => Answer::Unclear,
                };
            }
        });
        for (place, answer) in asked.into_iter().zip(answers) {
            match answer {
                Answer::Digest(digest) => self.note(place, digest),
                Answer::Absent => self.left.push(place),
                Answer::Unclear => {}
            }
        }
        done
    }

    fn note(&mut self, place: usize, digest: u64) {
        let read = self.reads.get(place);
        let same = read.is_some_and(|read| read.digest == digest);
        if let Some(unchanged) = self.unchanged.get_mut(place) {
            *unchanged = same;
        }
    }
}

#[derive(Clone, Copy)]
enum Answer {
    Digest(u64),
    Absent,
    Unclear,
}
