//! What PostgreSQL and MySQL have in common: servers, of which one is connected to; a connection
//! that may be lost at any moment; and a clock that runs all the while.
//!
//! The drivers are asynchronous, which is what lets a deadline bound everything that they do: a
//! server that falls silent, or that sends a byte now and then, is left where it stands. They run
//! on the thread that asks, and between two questions nothing runs.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};

use super::sizes::TooLong;
use super::{Column, Row, Settings, Value};
use crate::backoff::Backoff;
use crate::{Address, Deadline, Unavailable};

/// The longest that saying goodbye to a server may take.
const GOODBYE: Duration = Duration::from_millis(100);

/// How much longer than `query_timeout` a statement is waited for: the server ends it then, and
/// the connection can be kept.
const GRACE: Duration = Duration::from_millis(200);

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
            Self::TooLong(too_long) => {
                formatter.write_str(&too_long.told(super::sizes::LARGEST_DATA))
            }
        }
    }
}

/// How one kind of database is spoken with.
pub(super) trait Driver {
    /// What a connection is.
    type Connection;

    /// The database in words, as in `the PostgreSQL database shop`.
    fn name(&self) -> String;

    /// Connects and logs in.
    ///
    /// # Errors
    /// What came of it, and what to do about it.
    async fn connect(&self, address: &Address) -> Result<Self::Connection, String>;

    /// The first `limit` rows that `statement` gives.
    async fn rows(
        &self,
        connection: &mut Self::Connection,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Row>, Failure>;

    /// Runs `statement`; how many rows it changed.
    async fn execute(
        &self,
        connection: &mut Self::Connection,
        statement: &str,
        parameters: &[(&str, Value)],
    ) -> Result<u64, Failure>;

    /// Ends the transaction that the connection has been in since it was made.
    async fn commit(&self, connection: &mut Self::Connection) -> Result<(), Failure>;

    /// The names of the columns that `statement` gives, without running it.
    async fn names(
        &self,
        connection: &mut Self::Connection,
        statement: &str,
    ) -> Result<Vec<String>, Failure>;

    /// The statement that describes the columns of the table `:table`: name, type as the database
    /// writes it, and whether a new row must have a value for it.
    const COLUMNS: &'static str;

    /// The statement that names the columns that the indexes of the table `:table` begin with.
    const INDEXED: &'static str;

    /// Whether the user may have no right to know of the table `table`, of which
    /// [`COLUMNS`](Self::COLUMNS) tells nothing: there may be such a table all the same.
    async fn hides(
        &self,
        _connection: &mut Self::Connection,
        _table: &str,
    ) -> Result<bool, Failure> {
        Ok(false)
    }

    /// `table` as [`COLUMNS`](Self::COLUMNS) and [`INDEXED`](Self::INDEXED) want it.
    fn table(table: &str) -> String;

    /// A type in the words that all databases share.
    fn kind(kind: &str) -> String;

    /// Says goodbye.
    async fn close(connection: Self::Connection);
}

/// A database on one of several servers, connected to when it is first asked.
pub(super) struct Server<D: Driver> {
    driver: D,
    places: Vec<Place>,
    connect_timeout: Duration,
    query_timeout: Duration,
    /// Whether a connection is a transaction that changes something, and cannot be replaced.
    writable: bool,
    /// The connection, and which of the places it leads to.
    connection: Option<(D::Connection, usize)>,
    runtime: Option<Runtime>,
}

struct Place {
    address: Address,
    health: Backoff,
}

impl<D: Driver> Server<D> {
    pub(super) fn new(
        driver: D,
        addresses: &[Address],
        settings: &Settings,
        writable: bool,
    ) -> Self {
        let place = |address: &Address| Place {
            address: address.clone(),
            health: Backoff::default(),
        };
        Self {
            driver,
            places: addresses.iter().map(place).collect(),
            connect_timeout: settings.connect_timeout,
            query_timeout: settings.query_timeout,
            writable,
            connection: None,
            runtime: None,
        }
    }

    pub(super) fn rows(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
        deadline: Deadline,
    ) -> Result<Result<Vec<Row>, TooLong>, Unavailable> {
        if limit == 0 {
            return Ok(Ok(Vec::new()));
        }
        let rows = self.ask(deadline, async |driver, connection| {
            match driver.rows(connection, statement, parameters, limit).await {
                Err(Failure::TooLong(too_long)) => Ok(Err(too_long)),
                rows => rows.map(Ok),
            }
        })?;
        if rows.is_err() {
            self.connection = None;
        }
        Ok(rows)
    }

    /// As [`rows`](Self::rows), of the database's own tables.
    fn own_rows(
        &mut self,
        statement: &str,
        table: &str,
        deadline: Deadline,
    ) -> Result<Vec<Row>, Unavailable> {
        let table = [(":table", Value::from(&*D::table(table)))];
        let rows = self.rows(statement, &table, usize::MAX, deadline)?;
        rows.map_err(|too_long| {
            let told = too_long.told(super::sizes::LARGEST_DATA);
            Unavailable::too_long(format!("{}: {told}", self.driver.name()))
        })
    }

    /// The database in words.
    pub(super) fn name(&self) -> String {
        self.driver.name()
    }

    pub(super) fn execute(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        deadline: Deadline,
    ) -> Result<u64, Unavailable> {
        self.ask(deadline, async |driver, connection| {
            driver.execute(connection, statement, parameters).await
        })
    }

    pub(super) fn commit(&mut self, deadline: Deadline) -> Result<(), Unavailable> {
        self.ask(deadline, async |driver, connection| {
            driver.commit(connection).await
        })
    }

    pub(super) fn names(
        &mut self,
        statement: &str,
        deadline: Deadline,
    ) -> Result<Vec<String>, Unavailable> {
        self.ask(deadline, async |driver, connection| {
            driver.names(connection, statement).await
        })
    }

    pub(super) fn columns(
        &mut self,
        table: &str,
        deadline: Deadline,
    ) -> Result<Vec<Column>, Unavailable> {
        let rows = self.own_rows(D::COLUMNS, table, deadline)?;
        let column = |mut row: Row| {
            Some(Column {
                name: row.text(0)?,
                kind: D::kind(&row.text(1)?),
                required: row.truth(2),
            })
        };
        Ok(rows.into_iter().filter_map(column).collect())
    }

    pub(super) fn hides(&mut self, table: &str, deadline: Deadline) -> Result<bool, Unavailable> {
        self.ask(deadline, async |driver, connection| {
            driver.hides(connection, table).await
        })
    }

    pub(super) fn indexed(
        &mut self,
        table: &str,
        deadline: Deadline,
    ) -> Result<Vec<String>, Unavailable> {
        let rows = self.own_rows(D::INDEXED, table, deadline)?;
        Ok(rows.into_iter().filter_map(|mut row| row.text(0)).collect())
    }

    /// Puts one question, and once more where the connection was lost: servers are restarted, and
    /// idle connections cut. Where a server takes no statements, the next is asked. A transaction
    /// ends with its connection, so that nothing is put twice.
    fn ask<T>(
        &mut self,
        deadline: Deadline,
        question: impl AsyncFn(&D, &mut D::Connection) -> Result<T, Failure>,
    ) -> Result<T, Unavailable> {
        if Handle::try_current().is_ok() {
            return Err(Unavailable::new(
                "a database was asked by a thread that must not wait",
            ));
        }
        let (mut again, mut silent, mut away) = (self.writable, None, 0);
        loop {
            let (mut connection, place) = match self.connection.take() {
                Some(connected) => connected,
                None => self.connect(silent, deadline)?,
            };
            let until = deadline.at_most(self.query_timeout.saturating_add(GRACE));
            let answer = question(&self.driver, &mut connection);
            let answer = run(&mut self.runtime, until, answer)?;
            let cause = match answer {
                Some(Ok(answer)) => {
                    self.connection = Some((connection, place));
                    return Ok(answer);
                }
                Some(Err(Failure::Refused(cause))) => {
                    self.connection = Some((connection, place));
                    return Err(self.failed(place, "reading", &cause));
                }
                Some(Err(Failure::TooLong(too_long))) => {
                    let told = too_long.told(super::sizes::LARGEST_DATA);
                    return Err(Unavailable::too_long(format!(
                        "{}: {told}",
                        self.driver.name()
                    )));
                }
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
                    if self.writable || asked_all || deadline.passed() || !self.has_another() {
                        return Err(cause);
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
                return Err(cause);
            }
            again = true;
        }
    }

    /// A connection to the first server that answers. Those that failed a moment ago are left
    /// alone, and so is the one at the place `silent`.
    fn connect(
        &mut self,
        silent: Option<usize>,
        deadline: Deadline,
    ) -> Result<(D::Connection, usize), Unavailable> {
        let now = Instant::now();
        let (mut causes, mut healthy) = (Vec::new(), Vec::new());
        for (index, place) in self.places.iter().enumerate() {
            if silent == Some(index) {
                continue;
            }
            match place.health.check(now) {
                Ok(()) => healthy.push(index),
                Err(cause) => causes.push(cause.to_string()),
            }
        }
        let mut left = u32::try_from(healthy.len()).unwrap_or(u32::MAX);
        for index in healthy {
            let Some(Place { address, .. }) = self.places.get(index) else {
                continue;
            };
            // Each gets its share, so that one that is silent leaves some to the others.
            let patience = self.connect_timeout.min(deadline.remaining() / left.max(1));
            left = left.saturating_sub(1);
            let connecting = self.driver.connect(address);
            let until = deadline.at_most(patience);
            let cause = match run(&mut self.runtime, until, connecting)? {
                Some(Ok(connection)) => {
                    if let Some(place) = self.places.get_mut(index) {
                        place.health.answered();
                    }
                    return Ok((connection, index));
                }
                Some(Err(cause)) => cause,
                None => "no answer in time; is a server there, and can it be reached?".to_owned(),
            };
            let cause = self.failed(index, "connecting", &cause);
            self.place_failed(index, &cause);
            causes.push(cause.to_string());
        }
        Err(Unavailable::new(causes.join("; ")))
    }

    /// Whether there is a server that did not fail a moment ago.
    fn has_another(&self) -> bool {
        let now = Instant::now();
        let mut places = self.places.iter();
        places.any(|place| place.health.check(now).is_ok())
    }

    fn place_failed(&mut self, place: usize, cause: &Unavailable) {
        if let Some(place) = self.places.get_mut(place) {
            place.health.failed(Instant::now(), cause.clone());
        }
    }

    fn failed(&self, place: usize, doing: &str, cause: &str) -> Unavailable {
        let name = self.driver.name();
        let at = self
            .places
            .get(place)
            .map(|place| place.address.to_string());
        let at = at.unwrap_or_default();
        Unavailable::new(format!("{name} at {at}: {doing} failed: {cause}"))
    }
}

/// Runs `future` here and now; `None` when it is not done at `until`, and will not be.
fn run<T>(
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
            let goodbye = async { tokio::time::timeout(GOODBYE, D::close(connection)).await };
            // Whoever does not hear it sees the connection end.
            let _ = runtime.block_on(goodbye);
        }
        // A resolver that does not answer is not waited for.
        runtime.shutdown_background();
    }
}

impl<D: Driver> std::fmt::Debug for Server<D> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Server({})", self.driver.name())
    }
}
