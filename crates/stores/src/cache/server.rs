//! Keeps a connection to one cache server, and pauses after a failure.

use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::connection::{Connection, Failure};
use crate::backoff::Backoff;
use crate::{Deadline, Explained};

/// The protocol of a server.
pub(super) trait Protocol {
    /// A query.
    type Query: ?Sized;

    /// The answer to it.
    type Answer;

    /// Connects and logs in.
    fn connect(&mut self, deadline: Deadline) -> Result<Connection, Failure>;

    /// Sends `query`, and receives the answer.
    fn ask(
        &mut self,
        connection: &mut Connection,
        query: &Self::Query,
        deadline: Deadline,
    ) -> Result<Self::Answer, Failure>;
}

/// A value. Its memory is cleared on drop.
pub struct Entry {
    /// The bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// memcached's flags, which the client that wrote the value has set.
    pub flags: Option<u32>,
}

/// Values may be sessions, so only their length is shown.
impl std::fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Entry({} bytes, ", self.bytes.len())?;
        write!(formatter, "flags {:?})", self.flags)
    }
}

/// A server that has values under keys.
pub(super) trait Source {
    /// The value of `key`.
    fn get(
        &mut self,
        key: &[u8],
        query_timeout: Duration,
        deadline: Deadline,
    ) -> Result<Option<Entry>, Failure>;
}

#[derive(Debug)]
pub(super) struct Server<P> {
    protocol: P,
    connect_timeout: Duration,
    connection: Option<Connection>,
    backoff: Backoff,
}

impl<P: Protocol> Server<P> {
    pub(super) fn new(protocol: P, connect_timeout: Duration) -> Self {
        Self {
            protocol,
            connect_timeout,
            connection: None,
            backoff: Backoff::default(),
        }
    }

    pub(super) fn protocol(&self) -> &P {
        &self.protocol
    }

    /// Asks on a connection of its own.
    pub(super) fn apart<T>(
        &mut self,
        deadline: Deadline,
        ask: impl FnOnce(&mut Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let until = deadline.at_most(self.connect_timeout);
        ask(&mut self.protocol.connect(until)?)
    }

    /// Sends `query`. A connection that ended while it was idle is replaced once, within the same
    /// deadline.
    pub(super) fn query(
        &mut self,
        query: &P::Query,
        query_timeout: Duration,
        deadline: Deadline,
    ) -> Result<P::Answer, Failure> {
        self.exchange(
            query_timeout,
            deadline,
            &mut |protocol, connection, until| protocol.ask(connection, query, until),
        )
    }

    /// Has `ask` send queries, and receive all of the answers. It may be called again, on a new
    /// connection.
    pub(super) fn exchange<T>(
        &mut self,
        query_timeout: Duration,
        deadline: Deadline,
        ask: &mut dyn FnMut(&mut P, &mut Connection, Deadline) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if deadline.passed() {
            // The server is not at fault.
            return Err(Failure::Down(
                "the cache was not asked: the time for the answer is over".to_owned(),
            ));
        }
        // Taken out, so that any failure drops it: a late answer cannot be read as that to a later
        // query.
        let answer = match self.connection.take() {
            Some(idle) => match self.ask(idle, ask, query_timeout, deadline) {
                Err(Failure::Closed(_)) => self.connect_and_ask(ask, query_timeout, deadline),
                answer => answer,
            },
            None => self.connect_and_ask(ask, query_timeout, deadline),
        };
        self.note(&answer);
        answer
    }

    /// As [`query`](Self::query), but only on an open connection; `None` where it has ended,
    /// because another server may listen at the address by now.
    pub(super) fn query_connected(
        &mut self,
        query: &P::Query,
        query_timeout: Duration,
        deadline: Deadline,
    ) -> Option<Result<P::Answer, Failure>> {
        let idle = self.connection.take()?;
        let ask = &mut |protocol: &mut P, connection: &mut Connection, until| {
            protocol.ask(connection, query, until)
        };
        let answer = self.ask(idle, ask, query_timeout, deadline);
        if let Err(Failure::Closed(_)) = answer {
            return None;
        }
        self.note(&answer);
        Some(answer)
    }

    fn note<T>(&mut self, answer: &Result<T, Failure>) {
        match answer {
            Ok(_) | Err(Failure::Value(_)) => self.backoff.answered(),
            Err(failure) => {
                let now = Instant::now();
                // A failure that was answered from the pause is not a new one.
                if self.backoff.check(now).is_ok() {
                    self.backoff.failed(now, failure.clone().into());
                }
            }
        }
    }

    fn connect_and_ask<T>(
        &mut self,
        ask: &mut dyn FnMut(&mut P, &mut Connection, Deadline) -> Result<T, Failure>,
        query_timeout: Duration,
        deadline: Deadline,
    ) -> Result<T, Failure> {
        self.backoff.check(Instant::now()).map_err(|failed| {
            Failure::Refused(Explained {
                message: failed.to_string(),
                cause: failed.cause(),
            })
        })?;
        let connection = self
            .protocol
            .connect(deadline.at_most(self.connect_timeout))?;
        self.ask(connection, ask, query_timeout, deadline)
    }

    fn ask<T>(
        &mut self,
        mut connection: Connection,
        ask: &mut dyn FnMut(&mut P, &mut Connection, Deadline) -> Result<T, Failure>,
        query_timeout: Duration,
        deadline: Deadline,
    ) -> Result<T, Failure> {
        let until = deadline.at_most(query_timeout);
        let answer = ask(&mut self.protocol, &mut connection, until)?;
        self.connection = Some(connection);
        Ok(answer)
    }
}
