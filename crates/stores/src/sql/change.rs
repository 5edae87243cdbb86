//! Changes a database in one transaction, on a connection of its own that is closed after it. All
//! other connections only read.

use super::{Database, Queries, Settings, Value};
use crate::{Deadline, Unavailable};

/// The statements of one change, which is made whole or not at all.
#[derive(Debug)]
pub struct Changes<'a> {
    queries: Queries<'a>,
}

impl<'a> Changes<'a> {
    /// The queries within the transaction.
    pub fn queries(&mut self) -> &mut Queries<'a> {
        &mut self.queries
    }

    /// Runs `statement`, whose parameters are given as those of [`Queries::rows`], and returns how
    /// many rows it changed.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be run in time, or a value is not of its column's type.
    pub fn execute(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
    ) -> Result<u64, Unavailable> {
        let deadline = self.queries.deadline;
        let store = self.queries.store()?;
        store.execute(statement, parameters, deadline)
    }
}

/// Makes a change in the database that `settings` describe, by `deadline`. It is committed if
/// `make` returns `Ok(Ok(…))`, and rolled back otherwise.
///
/// # Errors
/// [`Unavailable`] when the database cannot be reached in time or refuses, and what `make` returns.
pub fn change<T, E>(
    settings: &Settings,
    deadline: Deadline,
    make: impl FnOnce(&mut Changes<'_>) -> Result<Result<T, E>, Unavailable>,
) -> Result<Result<T, E>, Unavailable> {
    let mut database = Database::with(settings, true);
    let made = make(&mut Changes {
        queries: database.queries(deadline),
    })?;
    if made.is_ok() {
        // Waiting for a lock may outlast the deadline, after which the caller has answered that
        // nothing was changed.
        if deadline.passed() {
            return Err(Unavailable::new(
                "the deadline had passed before the change was made",
            ));
        }
        if let Some(store) = &mut database.store {
            store.commit(deadline)?;
        }
    }
    // A connection that is closed before it commits rolls back.
    Ok(made)
}
