//! A connection to PostgreSQL, and the statements that it has prepared.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use futures_util::TryStreamExt;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{Client, Error, Socket, Statement as Prepared};

use super::super::server::{Failure, MOST_STATEMENTS, MOST_UNWANTED_ROWS};
use super::super::statement::{Dialect, Statement};
use super::super::{Row, Value};
use super::ICU;
use super::error::{is_outdated, reading};
use super::parameter::{Bound, bind, is_no_value};
use super::value::{is_readable, row};

/// What reads and writes on the socket.
type Traffic = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

pub(in super::super) struct Connection {
    client: Client,
    /// `None` once it has come to its end.
    traffic: Option<Traffic>,
    statements: BTreeMap<String, Ready>,
}

/// A prepared statement.
struct Ready {
    statement: Statement,
    prepared: Prepared,
    /// The names of its columns, as they were before some were cast.
    names: Vec<String>,
}

/// What came of running a statement.
enum Outcome {
    Rows(Vec<Row>),
    /// A parameter is no value of its type.
    NoValue,
    Failed(Error),
}

impl Connection {
    pub(super) fn new<T>(client: Client, traffic: tokio_postgres::Connection<Socket, T>) -> Self
    where
        T: TlsStream + Unpin + Send + 'static,
    {
        Self {
            client,
            traffic: Some(Box::pin(traffic)),
            statements: BTreeMap::new(),
        }
    }

    pub(super) async fn close(self) {
        drop(self.client);
        if let Some(traffic) = self.traffic {
            let _ = traffic.await;
        }
    }

    pub(super) async fn names(&mut self, statement: &str) -> Result<Vec<String>, Failure> {
        let ready = self.prepare(statement).await?;
        Ok(ready.names.clone())
    }

    /// Prepared statements outlive the tables that they were made for. One that fails for being
    /// out of date is made anew, once.
    pub(super) async fn rows(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Row>, Failure> {
        let cached = self.statements.contains_key(statement);
        let mut outcome = self.run(statement, parameters, limit).await?;
        let outdated = match &outcome {
            Outcome::Rows(_) => false,
            // The parameter's type may be another by now.
            Outcome::NoValue => true,
            Outcome::Failed(error) => is_outdated(error),
        };
        if cached && outdated {
            self.statements.remove(statement);
            self.client.clear_type_cache();
            outcome = self.run(statement, parameters, limit).await?;
        }
        match outcome {
            Outcome::Rows(rows) => Ok(rows),
            Outcome::NoValue => Ok(Vec::new()),
            Outcome::Failed(error) => Err(self.failure(&error)),
        }
    }

    async fn run(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Outcome, Failure> {
        let ready = self.prepare(statement).await?;
        let values = ready.statement.values(parameters).map_err(refused)?;
        let Some(values) = bind(&values, ready.prepared.params()).map_err(Failure::Refused)? else {
            return Ok(Outcome::NoValue);
        };
        let prepared = ready.prepared.clone();
        let unchecked = values.iter().any(Bound::is_unchecked);
        let client = &self.client;
        let work = async {
            let mut stream = pin!(client.query_raw(&prepared, values).await?);
            let (mut rows, mut unwanted) = (Vec::new(), 0);
            while let Some(found) = stream.try_next().await? {
                if rows.len() < limit {
                    rows.push(row(&found)?);
                } else {
                    unwanted += 1;
                    if unwanted > MOST_UNWANTED_ROWS {
                        return Ok((rows, false));
                    }
                }
            }
            Ok((rows, true))
        };
        match drive(&mut self.traffic, work).await {
            Ok((rows, finished)) => {
                if !finished {
                    // The rest is still on its way. The next statement finds no connection.
                    self.traffic = None;
                }
                Ok(Outcome::Rows(rows))
            }
            Err(error) if is_no_value(&error, unchecked) => Ok(Outcome::NoValue),
            Err(error) => Ok(Outcome::Failed(error)),
        }
    }

    /// Runs a statement that changes something; how many rows it changed.
    pub(super) async fn execute(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
    ) -> Result<u64, Failure> {
        let ready = self.prepare(statement).await?;
        let values = ready.statement.values(parameters).map_err(refused)?;
        let values = bind(&values, ready.prepared.params()).map_err(Failure::Refused)?;
        let Some(values) = values else {
            let cause = "a value is none of its column's type";
            return Err(Failure::Refused(cause.to_owned()));
        };
        let prepared = ready.prepared.clone();
        let work = self.client.execute_raw(&prepared, values);
        let changed = drive(&mut self.traffic, work).await;
        changed.map_err(|error| self.failure(&error))
    }

    /// Runs a statement without parameters, as `BEGIN`.
    pub(super) async fn simple(&mut self, statement: &str) -> Result<(), Failure> {
        let done = drive(&mut self.traffic, self.client.batch_execute(statement)).await;
        done.map_err(|error| self.failure(&error))
    }

    async fn prepare(&mut self, text: &str) -> Result<&Ready, Failure> {
        if !self.statements.contains_key(text) {
            let ready = self.make(text).await?;
            if self.statements.len() >= MOST_STATEMENTS {
                self.statements.clear();
            }
            self.statements.insert(text.to_owned(), ready);
        }
        let ready = self.statements.get(text);
        ready.ok_or_else(|| Failure::Lost("a prepared statement is gone".to_owned()))
    }

    async fn make(&mut self, text: &str) -> Result<Ready, Failure> {
        let mut statement = Statement::new(text, Dialect::Postgres).map_err(refused)?;
        let mut prepared = self.prepare_text(&statement.text).await;
        if let Err(error) = &prepared
            && error.code() == Some(&SqlState::UNDEFINED_OBJECT)
            && statement.text.contains(ICU)
        {
            statement.text = statement.text.replace(ICU, "");
            prepared = self.prepare_text(&statement.text).await;
        }
        let mut prepared = prepared.map_err(|error| self.failure(&error))?;
        let names = prepared
            .columns()
            .iter()
            .map(|column| column.name().to_owned());
        let names: Vec<String> = names.collect();
        let foreign = prepared
            .columns()
            .iter()
            .find(|column| !is_readable(column.type_()));
        if let Some(column) = foreign {
            let cause = format!(
                "the column {} is of the type {}, which cannot be read; write it as text in the \
                 statement (`::text`)",
                column.name(),
                column.type_()
            );
            let cast = as_text(&statement.text, &prepared);
            let cast = self.prepare_text(&cast).await;
            prepared = cast.map_err(|error| match self.failure(&error) {
                Failure::Refused(_) => Failure::Refused(cause),
                lost => lost,
            })?;
        }
        Ok(Ready {
            statement,
            prepared,
            names,
        })
    }

    async fn prepare_text(&mut self, text: &str) -> Result<Prepared, Error> {
        drive(&mut self.traffic, self.client.prepare(text)).await
    }

    fn failure(&self, error: &Error) -> Failure {
        let cause = reading(error);
        let answered = error.as_db_error().is_some() && self.traffic.is_some();
        if answered && !self.client.is_closed() && !super::error::is_farewell(error) {
            Failure::Refused(cause)
        } else {
            Failure::Lost(cause)
        }
    }
}

fn refused(error: crate::Unavailable) -> Failure {
    Failure::Refused(error.to_string())
}

/// `text` with the columns cast that cannot be read as they are.
fn as_text(text: &str, prepared: &Prepared) -> String {
    let (mut names, mut casts) = (Vec::new(), Vec::new());
    for (index, column) in prepared.columns().iter().enumerate() {
        names.push(format!("c{index}"));
        let cast = if is_readable(column.type_()) {
            ""
        } else {
            "::text"
        };
        casts.push(format!("c{index}{cast}"));
    }
    let text = text.trim_end().trim_end_matches(';');
    // A comment may stand at its end.
    let (names, casts) = (names.join(", "), casts.join(", "));
    format!("SELECT {casts} FROM ({text}\n) AS hallpass ({names})")
}

/// Does `work` while the connection's traffic goes on.
async fn drive<T>(
    traffic: &mut Option<Traffic>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut work = pin!(work);
    poll_fn(|context| {
        // What there is to send, then the sending and receiving, then what was received.
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        if let Some(running) = traffic
            && let Poll::Ready(ended) = running.as_mut().poll(context)
        {
            *traffic = None;
            if let Err(error) = ended {
                return Poll::Ready(Err(error));
            }
        }
        work.as_mut().poll(context)
    })
    .await
}
