//! Keeps a connection to one of several database servers, and replaces it when it is lost.
//!
//! The drivers are asynchronous, because only so a deadline bounds everything that they do: a
//! server that falls silent, or that sends a byte now and then, is left where it stands. They run
//! on the thread of the caller, and nothing runs between two calls.

use std::future::Future;
use std::hash::RandomState;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use super::recorded::{Recorded, RowsDigest};
use super::replica::{Following, Measured};
use super::settings::{Servers, Settings};
use super::sizes::{LARGEST_DATA, TooLong};
use super::store::{Column, ReadError, State, Store, place};
use super::value::{Row, Value};
use crate::backoff::Backoff;
use crate::{Address, Deadline, Explained, Tls, Unavailable};

/// The longest that saying goodbye to a server may take.
const GOODBYE: Duration = Duration::from_millis(100);

/// How much longer than `query_timeout` a statement is waited for: the server ends it then, and
/// the connection can be kept.
pub(super) const GRACE: Duration = Duration::from_millis(200);

/// How many unwanted rows are read, so that a connection can be kept.
pub(super) const MOST_UNWANTED_ROWS: usize = 256;

/// How many statements a connection keeps prepared.
pub(super) const MOST_STATEMENTS: usize = 64;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection is lost, or is not to be used any more.
    Lost(String),
    /// The server takes no statements for now, as one that starts, or that has lost the others of
    /// its cluster. Another may.
    Away(String),
    /// The server answered with an error. The connection is as good as before.
    Refused(String),
    /// The server answers with more than is read. The connection is not to be used any more, since
    /// the rest is still on its way.
    TooLong(TooLong),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lost(cause) | Self::Away(cause) | Self::Refused(cause) => {
                formatter.write_str(cause)
            }
            Self::TooLong(too_long) => formatter.write_str(&too_long.describe(LARGEST_DATA)),
        }
    }
}

/// How to connect to servers of one kind, and what for.
#[derive(Debug)]
pub(super) struct ConnectOptions {
    pub(super) servers: Servers,
    pub(super) tls: Tls,
    /// The longest that connecting to one server may take.
    pub(super) connect_timeout: Duration,
    /// The longest that one statement may take.
    pub(super) query_timeout: Duration,
    /// Whether a connection is a transaction that changes something, and cannot be replaced.
    pub(super) writable: bool,
}

/// A connection to one kind of database, and what is special about its SQL.
pub(super) trait Driver: Sized + Send {
    /// The kind, as in `PostgreSQL`.
    const NAME: &'static str;

    /// The statement that describes the columns of the table at its [`place`](Self::place): name, type as the database
    /// writes it, and whether a new row must have a value for it.
    const COLUMNS: &'static str;

    /// The statement that names the columns that the indexes of such a table begin with.
    const INDEXED: &'static str;

    /// The statement that names the schemas that have a table called `:table`; `None` where tables
    /// are not searched for in schemas.
    const SCHEMAS_WITH: Option<&'static str>;

    /// See [`Store::indexed_but_for_case`].
    const INDEXED_BUT_FOR_CASE: &'static str;

    /// See [`Store::folds_by_collation`].
    const FOLDS_BY_COLLATION: bool;

    /// See [`Store::clock`].
    const CLOCK: &'static str;

    /// See [`Store::replication`].
    const REPLICATION: &'static str;

    /// The statement that gives two numbers which stay the same only as long as all that is read
    /// does; no row where that cannot be told. `None` where there is none.
    const STATE: Option<&'static str>;

    /// See [`Store::joins_tables`].
    const JOINS_TABLES: bool;

    /// Connects to the server at `address` and logs in.
    ///
    /// # Errors
    /// The cause and its fix, in words.
    async fn connect(options: &ConnectOptions, address: &Address) -> Result<Self, Explained>;

    /// The first `limit` rows that `statement` gives.
    async fn rows(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Row>, Failure>;

    /// See [`Store::digests`].
    async fn digests(
        &mut self,
        reads: &[&Recorded],
        key: &RandomState,
    ) -> Result<Vec<u64>, Failure> {
        digests_in_turn(self, reads, key).await
    }

    /// Runs `statement`, which changes something; how many rows it changed.
    async fn execute(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
    ) -> Result<u64, Failure>;

    /// Ends the transaction that the connection has been in since it was made.
    async fn commit(&mut self) -> Result<(), Failure>;

    /// The names of the columns that `statement` gives, without running it.
    async fn names(&mut self, statement: &str) -> Result<Vec<String>, Failure>;

    /// Whether the user may have no right to know of the table `table`, of which
    /// [`COLUMNS`](Self::COLUMNS) tells nothing: there may be such a table all the same.
    async fn hides(&mut self, _table: &str) -> Result<bool, Failure> {
        Ok(false)
    }

    /// How the server follows another.
    async fn following(&mut self) -> Result<Following, Failure>;

    /// Ends the session.
    async fn close(self);

    /// See [`Store::place`].
    fn place(table: &str) -> [(&'static str, Value); 2] {
        place(table)
    }

    /// A type in the words that all databases share.
    fn kind(kind: &str) -> String;

    /// See [`Store::seconds_of`].
    fn seconds_of(_column: &str, _kind: &str) -> Option<String> {
        None
    }

    /// See [`Store::key_but_for_case`].
    fn key_but_for_case(column: &str) -> Option<String>;

    /// See [`Store::same_but_for_case`].
    fn same_but_for_case(column: &str, name: &str) -> String;
}

/// A database on one of several servers, connected to when it is first asked.
pub(super) struct Server<D: Driver> {
    pub(super) options: ConnectOptions,
    pub(super) places: Vec<Place>,
    /// The connection, and which of the places it leads to.
    pub(super) connection: Option<(D, usize)>,
    /// How far behind its primary a replica may be.
    pub(super) max_lag: Option<Duration>,
    /// What was last measured of the server that is asked.
    pub(super) measured: Option<Measured>,
    pub(super) runtime: Option<Runtime>,
}

pub(super) struct Place {
    pub(super) address: Address,
    pub(super) health: Backoff,
}

impl<D: Driver> Server<D> {
    pub(super) fn new(servers: &Servers, settings: &Settings, writable: bool) -> Self {
        let place = |address: &Address| Place {
            address: address.clone(),
            health: Backoff::default(),
        };
        Self {
            places: servers.addresses.iter().map(place).collect(),
            options: ConnectOptions {
                servers: servers.clone(),
                tls: settings.tls.clone(),
                connect_timeout: settings.connect_timeout,
                query_timeout: settings.query_timeout,
                writable,
            },
            connection: None,
            // A change goes to a server that can write, and to no replica.
            max_lag: settings.max_lag.filter(|_| !writable),
            measured: None,
            runtime: None,
        }
    }

    /// Puts one question, and once more where the connection was lost: servers are restarted, and
    /// idle connections cut. Where a server takes no statements, the next is asked. A transaction
    /// ends with its connection, so that nothing is put twice.
    fn ask<T>(
        &mut self,
        deadline: Deadline,
        question: impl AsyncFn(&mut D) -> Result<T, Failure>,
    ) -> Result<T, ReadError> {
        if Handle::try_current().is_ok() {
            return Err(ReadError::Unavailable(Unavailable::new(
                "a database was asked by a thread that must not wait",
            )));
        }
        let (mut again, mut silent, mut away) = (self.options.writable, None, 0);
        loop {
            let (mut connection, place) = match self.recent_connection(deadline)? {
                Some(connected) => connected,
                None => self.connect(silent, deadline)?,
            };
            let until = deadline.at_most(self.options.query_timeout.saturating_add(GRACE));
            let answer = run(&mut self.runtime, until, question(&mut connection))?;
            let cause = match answer {
                Some(Ok(answer)) => {
                    self.connection = Some((connection, place));
                    return Ok(answer);
                }
                Some(Err(Failure::Refused(cause))) => {
                    self.connection = Some((connection, place));
                    return Err(self.failed(place, "reading", &cause).into());
                }
                Some(Err(Failure::TooLong(too_long))) => return Err(too_long.into()),
                // A connection that is lost as soon as it is made is no better.
                Some(Err(failure @ (Failure::Lost(_) | Failure::Away(_))))
                    if again || matches!(failure, Failure::Away(_)) =>
                {
                    let cause = failure.to_string();
                    let cause = self.failed(place, "reading", &cause);
                    // It is left alone for a moment, so that this ends at the last of them.
                    self.place_failed(place, &cause);
                    away += 1;
                    let asked_all = away >= self.places.len();
                    let writable = self.options.writable;
                    if writable || asked_all || deadline.passed() || !self.has_another() {
                        return Err(cause.into());
                    }
                    continue;
                }
                Some(Err(Failure::Lost(cause) | Failure::Away(cause))) => {
                    self.failed(place, "reading", &cause)
                }
                None => {
                    let cause = "no answer in time; is the server very busy, or the table without \
                                 an index? `query_timeout` says how long it may take";
                    // Another server may know more. This one would only be silent again.
                    silent = Some(place);
                    self.failed(place, "reading", cause)
                }
            };
            let others = self.places.len() > usize::from(silent.is_some());
            if again || !others || deadline.passed() {
                return Err(cause.into());
            }
            again = true;
        }
    }
}

impl<D: Driver> Store for Server<D> {
    fn name(&self) -> String {
        format!("the {} database {}", D::NAME, self.options.servers.database)
    }

    fn rows(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
        deadline: Deadline,
    ) -> Result<Vec<Row>, ReadError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        self.ask(deadline, async |connection| {
            connection.rows(statement, parameters, limit).await
        })
    }

    fn digests(
        &mut self,
        reads: &[&Recorded],
        key: &RandomState,
        deadline: Deadline,
    ) -> Result<Vec<u64>, ReadError> {
        self.ask(deadline, async |connection| {
            connection.digests(reads, key).await
        })
    }

    fn execute(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        deadline: Deadline,
    ) -> Result<u64, Unavailable> {
        let done = self.ask(deadline, async |connection| {
            connection.execute(statement, parameters).await
        });
        done.map_err(|error| error.into_unavailable(&self.name()))
    }

    fn commit(&mut self, deadline: Deadline) -> Result<(), Unavailable> {
        let done = self.ask(deadline, D::commit);
        done.map_err(|error| error.into_unavailable(&self.name()))
    }

    fn names(&mut self, statement: &str, deadline: Deadline) -> Result<Vec<String>, Unavailable> {
        let names = self.ask(deadline, async |connection| {
            connection.names(statement).await
        });
        names.map_err(|error| error.into_unavailable(&self.name()))
    }

    fn columns(&mut self, table: &str, deadline: Deadline) -> Result<Vec<Column>, Unavailable> {
        let rows = self.own_rows(D::COLUMNS, &D::place(table), deadline)?;
        let column = |mut row: Row| {
            Some(Column {
                name: row.text(0)?,
                kind: D::kind(&row.text(1)?),
                required: row.truth(2),
            })
        };
        Ok(rows.into_iter().filter_map(column).collect())
    }

    fn indexed(&mut self, table: &str, deadline: Deadline) -> Result<Vec<String>, Unavailable> {
        let rows = self.own_rows(D::INDEXED, &D::place(table), deadline)?;
        Ok(rows.into_iter().filter_map(|mut row| row.text(0)).collect())
    }

    fn seconds_of(&self, column: &str, kind: &str) -> Option<String> {
        D::seconds_of(column, kind)
    }

    fn schemas_with(
        &mut self,
        table: &str,
        deadline: Deadline,
    ) -> Result<Vec<String>, Unavailable> {
        let Some(statement) = D::SCHEMAS_WITH else {
            return Ok(Vec::new());
        };
        let rows = self.own_rows(statement, &place(table), deadline)?;
        Ok(rows.into_iter().filter_map(|mut row| row.text(0)).collect())
    }

    fn hides(&mut self, table: &str, deadline: Deadline) -> Result<bool, Unavailable> {
        let hides = self.ask(deadline, async |connection| connection.hides(table).await);
        hides.map_err(|error| error.into_unavailable(&self.name()))
    }

    fn asked_state(&mut self, deadline: Deadline) -> Result<Option<State>, Unavailable> {
        let Some(statement) = D::STATE else {
            return Ok(None);
        };
        let mut rows = self.own_rows(statement, &[], deadline)?;
        let numbers = rows.pop().map(|mut row| (row.take(0), row.take(1)));
        Ok(match numbers {
            Some((Value::Integer(since), Value::Integer(version))) => Some(State {
                since: since.cast_unsigned(),
                version,
            }),
            _ => None,
        })
    }

    fn joins_tables(&self) -> bool {
        D::JOINS_TABLES
    }

    fn clock(&self) -> Option<&'static str> {
        Some(D::CLOCK)
    }

    fn replication(&self) -> Option<&'static str> {
        Some(D::REPLICATION)
    }

    fn following(&self) -> Option<Following> {
        self.measured.map(|measured| measured.following())
    }

    fn measure_following(&mut self, deadline: Deadline) -> Result<Option<Following>, Unavailable> {
        let following = self.ask(deadline, D::following);
        let following = following.map_err(|error| error.into_unavailable(&self.name()))?;
        Ok(Some(following))
    }

    fn place(&self, table: &str) -> [(&'static str, Value); 2] {
        D::place(table)
    }

    fn indexed_but_for_case(&self) -> &'static str {
        D::INDEXED_BUT_FOR_CASE
    }

    fn key_but_for_case(&self, column: &str) -> Option<String> {
        D::key_but_for_case(column)
    }

    fn folds_by_collation(&self) -> bool {
        D::FOLDS_BY_COLLATION
    }

    fn same_but_for_case(&self, column: &str, name: &str) -> String {
        D::same_but_for_case(column, name)
    }
}

/// The digests of the rows that `reads` give at `connection`, one after another.
pub(super) async fn digests_in_turn<D: Driver>(
    connection: &mut D,
    reads: &[&Recorded],
    key: &RandomState,
) -> Result<Vec<u64>, Failure> {
    let mut digests = Vec::with_capacity(reads.len());
    for read in reads {
        let parameters = read.parameters();
        let rows = connection.rows(&read.statement, &parameters, read.limit);
        let mut digest = RowsDigest::new(key);
        rows.await?.iter().for_each(|row| digest.add(row));
        digests.push(digest.finish());
    }
    Ok(digests)
}

/// Runs `future` here and now; `None` when it is not done at `until`, and will not be.
pub(super) fn run<T>(
    runtime: &mut Option<Runtime>,
    until: Deadline,
    future: impl Future<Output = T>,
) -> Result<Option<T>, Unavailable> {
    let runtime =
        match runtime {
            Some(runtime) => runtime,
            None => {
                let built = Builder::new_current_thread().enable_all().build();
                runtime.insert(built.map_err(|error| {
                    Unavailable::new(format!("no connection can be made: {error}"))
                })?)
            }
        };
    let until = tokio::time::Instant::from_std(until.instant());
    Ok(runtime.block_on(async { tokio::time::timeout_at(until, future).await.ok() }))
}

impl<D: Driver> Drop for Server<D> {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        if let Some((connection, _)) = self.connection.take()
            && Handle::try_current().is_err()
        {
            let goodbye = async { tokio::time::timeout(GOODBYE, connection.close()).await };
            // A server that misses it sees the connection end.
            let _ = runtime.block_on(goodbye);
        }
        // A resolver that does not answer is not waited for.
        runtime.shutdown_background();
    }
}

impl<D: Driver> std::fmt::Debug for Server<D> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Server({})", self.name())
    }
}
