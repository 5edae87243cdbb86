//! Records what a question reads of a database, so that the same can be read again, for many
//! questions at a time.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use zeroize::Zeroize;

use super::store::{ReadError, Store};
use super::value::{Row, Value};
use crate::{Deadline, Unavailable};

/// The most statements that are kept: more differ by what stands in them, and are not asked again.
const MOST_STATEMENTS: usize = 256;
/// The most reads of one question that are kept.
const MOST_READS: usize = 16;

/// One read: a statement with its parameters, and a digest of the rows that it gave.
pub struct Recorded {
    pub(super) statement: Arc<str>,
    pub(super) parameters: Vec<(Box<str>, Value)>,
    pub(super) limit: usize,
    /// Whether the database of the sessions was asked, where that is another.
    pub(super) of_sessions: bool,
    digest: u64,
}

impl Recorded {
    pub(super) fn parameters(&self) -> Vec<(&str, Value)> {
        let parameters = self.parameters.iter();
        parameters
            .map(|(name, value)| (&**name, value.clone()))
            .collect()
    }
}

/// Parameters may be the keys of sessions.
impl Drop for Recorded {
    fn drop(&mut self) {
        for (_, value) in &mut self.parameters {
            match value {
                Value::Text(text) => text.zeroize(),
                Value::Bytes(bytes) => bytes.zeroize(),
                Value::Null | Value::Integer(_) | Value::Real(_) | Value::Moment(_) => {}
            }
        }
    }
}

/// Parameters may be the keys of sessions, so only the statement is shown.
impl std::fmt::Debug for Recorded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Recorded({})", self.statement)
    }
}

/// Records the reads of one question after another.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    /// The key of the digests, so that other rows have the same digest by chance alone, which is one
    /// in 2^64.
    hasher: RandomState,
    statements: HashSet<Arc<str>>,
    /// `None` while nothing is recorded, and where something was read that cannot be.
    reads: Option<Vec<Recorded>>,
}

impl Recorder {
    pub(super) fn begin(&mut self) {
        self.reads = Some(Vec::new());
    }

    /// What has been read since [`begin`](Self::begin); `None` where that is not all.
    pub(super) fn take(&mut self) -> Option<Vec<Recorded>> {
        self.reads.take()
    }

    /// Notes that something is read that is not recorded.
    pub(super) fn miss(&mut self) {
        self.reads = None;
    }

    pub(super) fn note(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
        of_sessions: bool,
        rows: &[Row],
    ) {
        let Some(reads) = &mut self.reads else { return };
        let known = self.statements.get(statement).map(Arc::clone);
        let statement = match known {
            Some(statement) => statement,
            None if self.statements.len() < MOST_STATEMENTS => {
                let statement: Arc<str> = statement.into();
                self.statements.insert(Arc::clone(&statement));
                statement
            }
            None => return self.miss(),
        };
        if reads.len() >= MOST_READS {
            return self.miss();
        }
        let mut digest = RowsDigest::new(&self.hasher);
        rows.iter().for_each(|row| digest.add(row));
        let parameters = parameters.iter();
        let parameters = parameters.map(|(name, value)| ((*name).into(), value.clone()));
        reads.push(Recorded {
            statement,
            parameters: parameters.collect(),
            limit,
            of_sessions,
            digest: digest.finish(),
        });
    }

    /// Whether each of `reads` gives the same rows again.
    pub(super) fn unchanged(
        &self,
        store: Option<&mut (dyn Store + 'static)>,
        reads: &[&Recorded],
        deadline: Deadline,
    ) -> Result<Vec<bool>, Unavailable> {
        let (Some(store), false) = (store, reads.is_empty()) else {
            return Ok(vec![false; reads.len()]);
        };
        let digests = store.digests(reads, &self.hasher, deadline);
        let digests = digests.map_err(|error: ReadError| error.into_unavailable(&store.name()))?;
        let reads = reads.iter().map(|read| read.digest);
        Ok(reads
            .zip(digests)
            .map(|(one, other)| one == other)
            .collect())
    }
}

/// The digest of the rows of one statement.
pub(super) struct RowsDigest {
    hasher: std::hash::DefaultHasher,
    count: usize,
}

impl RowsDigest {
    pub(super) fn new(key: &RandomState) -> Self {
        Self {
            hasher: key.build_hasher(),
            count: 0,
        }
    }

    pub(super) fn add(&mut self, row: &Row) {
        row.hash(&mut self.hasher);
        self.count += 1;
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn finish(mut self) -> u64 {
        self.count.hash(&mut self.hasher);
        self.hasher.finish()
    }
}

/// The digests of what `reads` give, each asked by itself with `rows`.
pub(super) fn one_by_one<E>(
    reads: &[&Recorded],
    key: &RandomState,
    mut rows: impl FnMut(&Recorded) -> Result<Vec<Row>, E>,
) -> Result<Vec<u64>, E> {
    let digest = |read: &&Recorded| {
        let mut digest = RowsDigest::new(key);
        rows(read)?.iter().for_each(|row| digest.add(row));
        Ok(digest.finish())
    };
    reads.iter().map(digest).collect()
}
