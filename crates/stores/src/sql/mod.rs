//! Reads and changes the databases that sites use: SQLite, PostgreSQL, MySQL and MariaDB.
//!
//! Statements name their parameters (`:name`), which are always bound, never pasted in;
//! identifiers from a configuration go through [`identifier`].

mod change;
mod civil;
mod grants;
mod look_up;
pub(crate) mod mysql;
mod names;
pub(crate) mod postgres;
mod queries;
mod reach;
mod recorded;
mod replica;
mod search_path;
mod server;
mod settings;
mod sizes;
mod sqlite;
mod statement;
mod store;
mod value;

pub use self::change::{Changes, change};
pub use self::grants::{grants, monitor_grant};
use self::look_up::Joined;
pub use self::look_up::LookUp;
use self::mysql::Mysql;
pub use self::names::{TableName, fold_case, identifier, unquoted};
use self::postgres::Postgres;
pub use self::queries::{Queries, Replication};
pub use self::recorded::Recorded;
use self::recorded::Recorder;
pub use self::replica::Following;
pub use self::search_path::{SessionOptions, schemas};
use self::server::Server;
pub use self::settings::{Location, Servers, Settings};
use self::sqlite::Sqlite;
use self::statement::{Dialect, Statement};
use self::store::Store;
pub use self::store::{Column, State};
pub use self::value::{Row, Value};
use crate::{Deadline, Tracer, Unavailable};

/// A database, connected at the first query and again whenever the connection is lost.
///
/// Threads that may block can query it; those of an asynchronous runtime only where it [is at
/// hand](Database::is_at_hand) and [impatient](Database::impatient).
#[derive(Debug)]
pub struct Database {
    /// `None` where none is configured.
    store: Option<Box<dyn Store>>,
    /// The database of the sessions, where that is another.
    sessions: Option<Box<dyn Store>>,
    tracer: Tracer,
    joined: Joined,
    recorder: Recorder,
}

impl Database {
    /// A database. It connects at the first query.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self::with(settings, false)
    }

    fn with(settings: &Settings, writable: bool) -> Self {
        let sessions = settings.sessions.as_deref();
        Self {
            store: store(settings, writable),
            sessions: sessions.and_then(|settings| store(settings, false)),
            tracer: Tracer::default(),
            joined: Joined::default(),
            recorder: Recorder::default(),
        }
    }

    /// Reports each statement and its result to `tracer`.
    #[must_use]
    pub fn traced(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
    }

    /// Whether it is a file on this machine, so that a query takes no longer than reading it.
    #[must_use]
    pub fn is_at_hand(&self) -> bool {
        let is_at_hand = |store: &dyn Store| store.is_at_hand();
        self.store.as_deref().is_some_and(is_at_hand)
            && self.sessions.as_deref().is_none_or(is_at_hand)
    }

    /// How the server that was asked last followed another; `None` where that is not measured, because
    /// no `max_lag` is set.
    #[must_use]
    pub fn following(&self) -> Option<Following> {
        self.store.as_ref()?.following()
    }

    /// Whether the sessions are in a database of their own.
    #[must_use]
    pub fn keeps_sessions_elsewhere(&self) -> bool {
        self.sessions.is_some()
    }

    /// Does not wait for locks of a local database: a query that needs one that another program
    /// holds is [`Unavailable`] at once.
    #[must_use]
    pub fn impatient(mut self) -> Self {
        for store in self.store.iter_mut().chain(&mut self.sessions) {
            store.wait_for_no_lock();
        }
        self
    }

    /// Runs `ask`, whose queries must all be answered by `deadline`. A local database is locked
    /// once, from the first of them to the last, so that they see one state.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be reached in time, and what `ask` returns.
    pub fn ask<T>(
        &mut self,
        deadline: Deadline,
        ask: impl FnOnce(&mut Queries<'_>) -> Result<T, Unavailable>,
    ) -> Result<T, Unavailable> {
        let answer = ask(&mut self.queries(deadline));
        for store in self.store.iter_mut().chain(&mut self.sessions) {
            store.end(answer.is_ok());
        }
        answer
    }

    /// Records what is read from now on.
    pub fn begin_recording(&mut self) {
        self.recorder.begin();
    }

    /// Ends the recording, and returns what has been read; `None` where that is not all, because
    /// something was asked that gives no rows, or a query failed.
    pub fn take_recorded(&mut self) -> Option<Vec<Recorded>> {
        self.recorder.take()
    }

    /// Whether each of `reads`, which this database has recorded, gives the same rows again. They
    /// are asked for together where that saves time.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be read in time; which of them is at fault is not
    /// known.
    pub fn unchanged(
        &mut self,
        reads: &[&Recorded],
        deadline: Deadline,
    ) -> Result<Vec<bool>, Unavailable> {
        let mut unchanged = vec![false; reads.len()];
        let mut answer = Ok(());
        let stores = [(&mut self.store, false), (&mut self.sessions, true)];
        for (store, of_sessions) in stores {
            let read = reads.iter().enumerate();
            let read = read.filter(|(_, read)| read.of_sessions == of_sessions);
            let (places, read): (Vec<usize>, Vec<&Recorded>) = read.unzip();
            let store = store.as_deref_mut();
            match self.recorder.unchanged(store, &read, deadline) {
                Ok(same) => {
                    for (place, same) in places.into_iter().zip(same) {
                        if let Some(unchanged) = unchanged.get_mut(place) {
                            *unchanged = same;
                        }
                    }
                }
                Err(cause) => answer = Err(cause),
            }
        }
        for store in self.store.iter_mut().chain(&mut self.sessions) {
            store.end(answer.is_ok());
        }
        answer.map(|()| unchanged)
    }

    fn queries(&mut self, deadline: Deadline) -> Queries<'_> {
        Queries {
            store: self.store.as_deref_mut(),
            sessions: self.sessions.as_deref_mut(),
            deadline,
            tracer: self.tracer.clone(),
            joined: &mut self.joined,
            recorder: &mut self.recorder,
            at_sessions: false,
            read: Vec::new(),
        }
    }
}

/// The database that `settings` describe; `None` where they name none.
fn store(settings: &Settings, writable: bool) -> Option<Box<dyn Store>> {
    Some(match &settings.location {
        Location::Nowhere => return None,
        Location::Sqlite(path) => {
            let timeout = settings.query_timeout;
            Box::new(Sqlite::new(path.clone(), timeout, writable))
        }
        Location::Postgres(servers) => {
            Box::new(Server::<Postgres>::new(servers, settings, writable))
        }
        Location::Mysql(servers) => Box::new(Server::<Mysql>::new(servers, settings, writable)),
    })
}

/// The names of the parameters of `statement`, with their colons, as the database at `location`
/// reads it.
///
/// # Errors
/// [`Unavailable`] when a quote or comment does not end, or a parameter has no name.
pub fn parameters(statement: &str, location: &Location) -> Result<Vec<String>, Unavailable> {
    let statement = Statement::new(statement, Dialect::of(location))?;
    Ok(statement.parameters)
}

/// Checks that `text` is one expression, as the database at `location` reads it: it cannot end the
/// statement that contains it.
///
/// # Errors
/// What is wrong with it, in words that follow its name.
pub fn is_expression(text: &str, location: &Location) -> Result<(), String> {
    Statement::is_expression(text, Dialect::of(location))
}
