//! Sends statements to the server, and reads its answers.

use bytes::BytesMut;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend::{self, BindError};
use postgres_types::Type;

use super::super::Value;
use super::super::server::Failure;
use super::error::{Error, ServerError};
use super::parameter::Bound;
use super::value::row;
use super::wire::UNEXPECTED;
use super::{Postgres, Standing, milliseconds};

/// The state in `ReadyForQuery` outside of a transaction.
pub(super) const IDLE: u8 = b'I';

impl Postgres {
    /// Resets, for one transaction, what another client of a pooler may have set in the session: the
    /// settings that decide which tables a statement reads, and as which role. The defaults are
    /// those of the role, the database and the server, as `ALTER ROLE … SET` gives them.
    fn own_settings(&self) -> [String; 3] {
        let search_path = self.search_path.as_deref().unwrap_or("DEFAULT");
        [
            "SET LOCAL session_authorization TO DEFAULT".to_owned(),
            "SET LOCAL role TO DEFAULT".to_owned(),
            format!("SET LOCAL search_path TO {search_path}"),
        ]
    }

    /// Begins the connection's one transaction.
    pub(super) async fn begin_change(&mut self) -> Result<(), Failure> {
        let timeout = milliseconds(self.query_timeout);
        self.standing = Standing::Changing;
        let limit = format!("SET LOCAL statement_timeout = {timeout}");
        let own = self.own_settings();
        let mut statements = vec!["BEGIN READ WRITE"];
        statements.extend(own.iter().map(String::as_str));
        statements.push(&limit);
        self.simple(&statements).await
    }

    /// Runs statements without parameters, as `COMMIT`.
    pub(super) async fn simple(&mut self, statements: &[&str]) -> Result<(), Failure> {
        let done = self.run_all(statements).await;
        done.map_err(|error| self.failure(error))
    }

    async fn run_all(&mut self, statements: &[&str]) -> Result<(), Error> {
        self.settle().await?;
        frontend::query(&statements.join("; "), &mut self.wire.out)?;
        self.wire.flush().await?;
        let mut commands = statements.iter().map(|text| text.split(' ').next());
        let done = self.answers(statements.len(), |message| {
            let Message::CommandComplete(body) = message else {
                return Ok(());
            };
            match (body.tag()?, commands.next().flatten()) {
                (tag, Some(command)) if tag == command => Ok(()),
                // This is the answer to a transaction in which a statement failed.
                ("ROLLBACK", _) => Err(Error::Protocol("the server has taken the change back")),
                _ => Err(UNEXPECTED),
            }
        });
        done.await
    }

    /// Ensures that no bytes of earlier answers are left.
    async fn settle(&mut self) -> Result<(), Error> {
        if self.ended {
            return Err(Error::Protocol("the connection is closed"));
        }
        let settled = self.wire.settle().await;
        self.ended = settled.is_err();
        settled
    }

    /// Sends `messages`, which run `count` statements, and gives `take` what is answered. Through a
    /// pooler they are a transaction of their own: read-only, with a time limit and the role's own
    /// settings.
    pub(super) async fn exchange(
        &mut self,
        messages: &[u8],
        count: usize,
        mut take: impl FnMut(Message) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.settle().await?;
        let wraps = matches!(self.standing, Standing::Unknown | Standing::Pooled);
        let own = wraps.then(|| self.own_settings());
        let out = &mut self.wire.out;
        let closing = std::mem::take(&mut self.closing);
        if self.standing == Standing::Direct {
            for name in closing {
                frontend::close(b'S', &name, out)?;
            }
        }
        let asks = self.standing == Standing::Unknown;
        // How many statements come before those of the messages.
        let mut before = 0;
        if let Some(own) = own {
            let timeout = milliseconds(self.query_timeout);
            let begin = "BEGIN READ ONLY";
            let limit = format!("SET LOCAL statement_timeout = {timeout}");
            let session = asks.then(|| session(timeout, self.search_path.as_deref()));
            let mut statements = vec![begin];
            statements.extend(session.as_deref());
            statements.extend(own.iter().map(String::as_str));
            statements.push(&limit);
            for statement in statements {
                parse("", statement, &[], out)?;
                run("", &[], 0, false, out)?;
                before += 1;
            }
        }
        out.extend_from_slice(messages);
        if wraps {
            parse("", "COMMIT", &[], out)?;
            run("", &[], 0, false, out)?;
        }
        frontend::sync(out);
        self.wire.flush().await?;
        let process = Value::Integer(self.wire.process.into());
        let mut as_asked = None;
        let count = before + count + usize::from(wraps);
        let done = self.answers(count, |message| match message {
            message if before > 0 && completes(&message) => {
                before -= 1;
                Ok(())
            }
            Message::DataRow(body) if before > 0 => {
                let mut row = row(&body, [Type::INT4, Type::BOOL].iter())?;
                as_asked = Some(row.take(0) == process && row.truth(1));
                Ok(())
            }
            _ if before > 0 => Ok(()),
            message => take(message),
        });
        let done = done.await;
        self.standing = match as_asked {
            Some(true) => Standing::Direct,
            Some(false) => Standing::Pooled,
            None => self.standing,
        };
        if !self.ended {
            self.wire.check()?;
        }
        if wraps && !self.ended && self.status != IDLE {
            let taken_back = self.run_all(&["ROLLBACK"]).await;
            self.ended |= taken_back.is_err() || self.status != IDLE;
            taken_back?;
        }
        done
    }

    /// Gives `take` the answers to what has been sent, which are those to `count` statements unless
    /// one fails: otherwise they are not the answers to these, and no more is asked here.
    async fn answers(
        &mut self,
        count: usize,
        mut take: impl FnMut(Message) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (mut failed, mut completed) = (None, 0);
        loop {
            let message = match self.wire.receive().await {
                Ok(message) => message,
                Err(error) => {
                    // A message before the server closed the connection tells more.
                    self.ended = true;
                    return Err(failed.unwrap_or(error));
                }
            };
            let taken = match message {
                Message::ErrorResponse(body) => match ServerError::read(&body) {
                    Ok(error) => {
                        failed.get_or_insert(Error::Server(error));
                        Ok(())
                    }
                    Err(error) => Err(error.into()),
                },
                Message::ReadyForQuery(body) => {
                    self.status = body.status();
                    match failed {
                        Some(error) => return Err(error),
                        None if completed == count => return Ok(()),
                        None => Err(UNEXPECTED),
                    }
                }
                _ if failed.is_some() => Ok(()),
                message => {
                    completed += usize::from(completes(&message));
                    take(message)
                }
            };
            if let Err(error) = taken {
                self.ended = true;
                return Err(error);
            }
        }
    }
}

/// Whether a statement's answer ends with `message`.
pub(super) fn completes(message: &Message) -> bool {
    matches!(
        message,
        Message::CommandComplete(_) | Message::PortalSuspended | Message::EmptyQueryResponse
    )
}

/// The statement that says which process answers, and whether the session is as it was asked to be
/// when the connection was made.
fn session(timeout: u128, search_path: Option<&str>) -> String {
    let schemas = search_path.map_or(String::new(), |schemas| {
        let schemas = schemas.replace('\'', "''");
        format!(" AND pg_catalog.current_setting('search_path') = '{schemas}'")
    });
    format!(
        "SELECT pg_catalog.pg_backend_pid(), \
         pg_catalog.current_setting('default_transaction_read_only') = 'on' AND \
         pg_catalog.current_setting('statement_timeout')::pg_catalog.interval = \
         '{timeout} ms'::pg_catalog.interval{schemas}"
    )
}

/// Writes that the statement `text` is called `name`. Parameters of the database's own types are
/// left for the server to find: their numbers are another database's in a copy of it.
pub(super) fn parse(
    name: &str,
    text: &str,
    kinds: &[Type],
    out: &mut BytesMut,
) -> Result<(), Error> {
    let number = |kind: &Type| Type::from_oid(kind.oid()).map_or(0, |kind| kind.oid());
    Ok(frontend::parse(name, text, kinds.iter().map(number), out)?)
}

/// Writes that the statement called `name` is run with `values`, and gives its first `most` rows,
/// or all where that is zero; and says what its columns are, where `describes`.
pub(super) fn run(
    name: &str,
    values: &[Bound],
    most: i32,
    describes: bool,
    out: &mut BytesMut,
) -> Result<(), Error> {
    let formats = values.iter().map(Bound::format);
    let write = |value: &Bound, out: &mut BytesMut| Ok(value.write(out));
    // All columns in binary form.
    let bound = frontend::bind("", name, formats, values, write, [1], out);
    bound.map_err(|error| match error {
        BindError::Serialization(error) => Error::Io(error),
        BindError::Conversion(_) => Error::Protocol("a parameter cannot be sent"),
    })?;
    if describes {
        frontend::describe(b'P', "", out)?;
    }
    Ok(frontend::execute("", most, out)?)
}
