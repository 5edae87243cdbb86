//! A connection to PostgreSQL, or to a pooler of connections, and what it knows of statements.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::Oid;
use postgres_protocol::message::backend::{Message, RowDescriptionBody};
use postgres_protocol::message::frontend::{self, BindError};
use postgres_types::{Kind, Type};

use super::super::server::{Failure, MOST_STATEMENTS};
use super::super::sizes::Answer;
use super::super::statement::{Dialect, Statement};
use super::super::{Row, Value};
use super::ICU;
use super::error::{
    Error, ServerError, is_away, is_farewell, is_outdated, is_unknown_statement, reading,
};
use super::parameter::{Bound, bind, is_no_value};
use super::value::{is_readable, row};
use super::wire::{UNEXPECTED, Wire};

/// How many domains may be made of each other.
const DEEPEST_DOMAIN: usize = 16;

/// What `ReadyForQuery` says where no transaction is open.
const IDLE: u8 = b'I';

const UNDEFINED_OBJECT: &str = "42704";

/// Takes back, for one transaction, what another client of a pooler has set in the session and that
/// changes which tables a statement reads, and as whom. The defaults are those of the role, the
/// database and the server, as `ALTER ROLE … SET` gives them.
const OWN_DEFAULTS: [&str; 3] = [
    "SET LOCAL session_authorization TO DEFAULT",
    "SET LOCAL role TO DEFAULT",
    "SET LOCAL search_path TO DEFAULT",
];

/// What stands between this connection and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Not known yet: the first statement asks.
    Unknown,
    /// Nothing. The session is as it was asked to be, and keeps what is prepared.
    Direct,
    /// A pooler: the next statement may be run by another session, which other programs use, too.
    /// Each is a transaction of its own that says all that it needs.
    Pooled,
    /// Within the one transaction that the connection is.
    Changing,
}

pub(in super::super) struct Connection {
    wire: Wire,
    standing: Standing,
    query_timeout: Duration,
    statements: BTreeMap<String, Ready>,
    /// Prepared statements that are not needed any more.
    closing: Vec<String>,
    /// The database's own types.
    types: BTreeMap<Oid, Type>,
    /// What the names of prepared statements begin with, which no other connection's do.
    prefix: String,
    prepared: u64,
    /// Whether a transaction is open, as the server says after every exchange.
    status: u8,
    /// Whether the connection has ended, or is not to be used any more.
    ended: bool,
}

/// What is known of a statement.
struct Ready {
    statement: Statement,
    /// What the server calls it; `None` where it is not prepared.
    name: Option<String>,
    parameters: Vec<Type>,
    columns: Vec<Column>,
    /// What it was before some of its columns were cast.
    original: Option<Original>,
}

impl Ready {
    fn names(&self) -> Vec<String> {
        let original = self.original.as_ref();
        let columns = original.map_or(&self.columns, |original| &original.columns);
        columns.iter().map(|column| column.name.clone()).collect()
    }
}

/// A statement some of whose columns cannot be read. It is described each time, since the one that
/// casts them calls them by their places alone.
struct Original {
    text: String,
    columns: Vec<Column>,
}

#[derive(Debug, PartialEq)]
struct Column {
    name: String,
    kind: Type,
}

/// What came of running a statement.
enum Outcome {
    Rows(Vec<Row>),
    /// A parameter is not a value of its type.
    NoValue,
    /// Its columns have other names or types than they had.
    Changed,
    Failed(Error),
}

impl Connection {
    pub(super) fn new(wire: Wire, query_timeout: Duration) -> Result<Self, Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|_| Error::Protocol("the system gives no random numbers"))?;
        Ok(Self {
            wire,
            standing: Standing::Unknown,
            query_timeout,
            statements: BTreeMap::new(),
            closing: Vec::new(),
            types: BTreeMap::new(),
            prefix: format!("hallpass_{:032x}", u128::from_ne_bytes(random)),
            prepared: 0,
            status: IDLE,
            ended: false,
        })
    }

    pub(super) async fn close(self) {
        self.wire.close().await;
    }

    /// Begins the one transaction that the connection is from now on.
    pub(super) async fn begin_change(&mut self) -> Result<(), Failure> {
        let timeout = milliseconds(self.query_timeout);
        self.standing = Standing::Changing;
        let limit = format!("SET LOCAL statement_timeout = {timeout}");
        let mut statements = vec!["BEGIN READ WRITE"];
        statements.extend(OWN_DEFAULTS);
        statements.push(&limit);
        self.simple(&statements).await
    }

    pub(super) async fn commit(&mut self) -> Result<(), Failure> {
        self.simple(&["COMMIT"]).await
    }

    pub(super) async fn names(&mut self, statement: &str) -> Result<Vec<String>, Failure> {
        self.know(statement).await?;
        let ready = self.statements.get(statement);
        Ok(ready.map(Ready::names).unwrap_or_default())
    }

    /// What is known of a statement outlives the tables that it was learned from. One that fails
    /// for being out of date is learned anew, once.
    pub(super) async fn rows(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Row>, Failure> {
        let known = self.statements.contains_key(statement);
        let mut outcome = self.run(statement, parameters, limit).await?;
        let outdated = match &outcome {
            Outcome::Rows(_) => false,
            // The parameter's type may be another by now.
            Outcome::NoValue => known,
            Outcome::Changed => true,
            Outcome::Failed(error) => {
                if is_unknown_statement(error) && self.standing == Standing::Direct {
                    self.is_pooled();
                }
                known && is_outdated(error)
            }
        };
        if outdated && !self.ended && self.standing != Standing::Changing {
            self.forget(statement);
            self.types.clear();
            outcome = self.run(statement, parameters, limit).await?;
        }
        match outcome {
            Outcome::Rows(rows) => Ok(rows),
            Outcome::NoValue => Ok(Vec::new()),
            Outcome::Changed => Err(Failure::Refused(
                "the statement's columns are others each time; does a connection pooler \
                 ask several databases?"
                    .to_owned(),
            )),
            Outcome::Failed(error) => Err(self.failure(error)),
        }
    }

    /// Runs a statement that changes something; how many rows it changed.
    pub(super) async fn execute(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
    ) -> Result<u64, Failure> {
        self.know(statement).await?;
        let Some(ready) = self.statements.get(statement) else {
            return Err(unknown());
        };
        let values = ready.statement.values(parameters).map_err(refused)?;
        let values = bind(&values, &ready.parameters).map_err(Failure::Refused)?;
        let Some(values) = values else {
            let cause = "a value is not of its column's type";
            return Err(Failure::Refused(cause.to_owned()));
        };
        let (text, kinds) = (&ready.statement.text, &ready.parameters);
        let mut out = BytesMut::new();
        let put =
            parse("", text, kinds, &mut out).and_then(|()| run("", &values, 0, false, &mut out));
        put.map_err(lost)?;
        let mut changed = 0;
        let done = self.exchange(&out, 1, |message| {
            if let Message::CommandComplete(body) = message {
                let count = body
                    .tag()?
                    .rsplit(' ')
                    .next()
                    .and_then(|count| count.parse().ok());
                changed = count.unwrap_or(0);
            }
            Ok(())
        });
        match done.await {
            Ok(()) => Ok(changed),
            Err(error) => Err(self.failure(error)),
        }
    }

    async fn run(
        &mut self,
        text: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Outcome, Failure> {
        self.know(text).await?;
        let Some(ready) = self.statements.get_mut(text) else {
            return Err(unknown());
        };
        let values = ready.statement.values(parameters).map_err(refused)?;
        let Some(values) = bind(&values, &ready.parameters).map_err(Failure::Refused)? else {
            return Ok(Outcome::NoValue);
        };
        let unchecked = values.iter().any(Bound::is_unchecked);
        let most = i32::try_from(limit).unwrap_or(0);
        let mut out = BytesMut::new();
        if let Some(original) = &ready.original {
            let put = parse("", &original.text, &ready.parameters, &mut out);
            put.and_then(|()| Ok(frontend::describe(b'S', "", &mut out)?))
                .map_err(lost)?;
        }
        let put = match (&ready.name, self.standing) {
            (Some(name), Standing::Direct) => run(name, &values, most, false, &mut out),
            (None, Standing::Direct) => {
                self.prepared += 1;
                let name = format!("{}_{}", self.prefix, self.prepared);
                let text = &ready.statement.text;
                let put = parse(&name, text, &ready.parameters, &mut out)
                    .and_then(|()| run(&name, &values, most, true, &mut out));
                ready.name = Some(name);
                put
            }
            _ => parse("", &ready.statement.text, &ready.parameters, &mut out)
                .and_then(|()| run("", &values, most, true, &mut out)),
        };
        put.map_err(lost)?;
        let mut statements = std::mem::take(&mut self.statements);
        let (mut answer, mut changed) = (Answer::default(), false);
        let ready = statements.get(text);
        let columns = ready.map(|ready| ready.columns.as_slice());
        let columns = columns.unwrap_or_default();
        let original = ready.and_then(|ready| ready.original.as_ref());
        let mut described = original.map(|original| original.columns.as_slice());
        let done = self.exchange(&out, 1, |message| {
            match message {
                Message::RowDescription(body) => {
                    changed |= !is_of(&body, described.take().unwrap_or(columns))?;
                }
                Message::NoData => changed |= !described.take().unwrap_or(columns).is_empty(),
                Message::DataRow(_) if answer.len() >= limit => return Err(UNEXPECTED),
                Message::DataRow(body) if !changed => {
                    let kinds = columns.iter().map(|column| &column.kind);
                    answer.add(row(&body, kinds)?)?;
                }
                _ => {}
            }
            Ok(())
        });
        let done = done.await;
        if done.is_err()
            && let Some(ready) = statements.get_mut(text)
        {
            // Whether it is prepared is not known.
            self.closing.extend(ready.name.take());
        }
        self.statements = statements;
        Ok(match done {
            Ok(()) if changed => Outcome::Changed,
            Ok(()) => Outcome::Rows(answer.into_rows()),
            Err(Error::TooLong(too_long)) => {
                let names = self.statements.get(text).map(Ready::names);
                Outcome::Failed(Error::TooLong(too_long.named(&names.unwrap_or_default())))
            }
            Err(error) if !self.ended && is_no_value(&error, unchecked) => Outcome::NoValue,
            Err(error) => Outcome::Failed(error),
        })
    }

    /// Asks the server once what the statement `text` is.
    async fn know(&mut self, text: &str) -> Result<(), Failure> {
        if !self.statements.contains_key(text) {
            let ready = self.learn(text).await?;
            if self.statements.len() >= MOST_STATEMENTS {
                let all: Vec<String> = self.statements.keys().cloned().collect();
                all.iter().for_each(|text| self.forget(text));
            }
            self.statements.insert(text.to_owned(), ready);
        }
        Ok(())
    }

    fn forget(&mut self, text: &str) {
        let ready = self.statements.remove(text);
        self.closing.extend(ready.and_then(|ready| ready.name));
    }

    /// What was prepared is on another session, whose it is to forget.
    fn is_pooled(&mut self) {
        self.standing = Standing::Pooled;
        self.closing.clear();
        for ready in self.statements.values_mut() {
            ready.name = None;
        }
    }

    async fn learn(&mut self, text: &str) -> Result<Ready, Failure> {
        let mut statement = Statement::new(text, Dialect::Postgres).map_err(refused)?;
        let mut described = self.describe(&statement.text).await;
        if let Err(error) = &described
            && error.code() == UNDEFINED_OBJECT
            && statement.text.contains(ICU)
            && self.standing != Standing::Changing
        {
            statement.text = statement.text.replace(ICU, "");
            described = self.describe(&statement.text).await;
        }
        let (parameters, mut columns) = described.map_err(|error| self.failure(error))?;
        let mut original = None;
        if let Some(column) = columns.iter().find(|column| !is_readable(&column.kind)) {
            let cause = format!(
                "the column {} is of the type {}, which cannot be read; write it as text in the \
                 statement (`::text`)",
                column.name, column.kind
            );
            let text = as_text(&statement.text, &columns);
            let text = std::mem::replace(&mut statement.text, text);
            let described = self.describe(&statement.text).await;
            let described = described.map_err(|error| match self.failure(error) {
                Failure::Refused(_) => Failure::Refused(cause),
                other => other,
            })?;
            let columns = std::mem::replace(&mut columns, described.1);
            original = Some(Original { text, columns });
        }
        Ok(Ready {
            statement,
            name: None,
            parameters,
            columns,
            original,
        })
    }

    /// The types of the parameters of `sql`, and its columns.
    async fn describe(&mut self, sql: &str) -> Result<(Vec<Type>, Vec<Column>), Error> {
        let mut out = BytesMut::new();
        parse("", sql, &[], &mut out)?;
        frontend::describe(b'S', "", &mut out)?;
        let (mut parameters, mut columns) = (Vec::new(), Vec::new());
        self.exchange(&out, 0, |message| {
            match message {
                Message::ParameterDescription(body) => parameters = body.parameters().collect()?,
                Message::RowDescription(body) => {
                    let field = body.fields();
                    let field = field.map(|field| Ok((field.name().to_owned(), field.type_oid())));
                    columns = field.collect::<Vec<_>>()?;
                }
                _ => {}
            }
            Ok(())
        })
        .await?;
        let (mut kinds, mut described) = (Vec::new(), Vec::new());
        for oid in parameters {
            kinds.push(self.kind(oid).await?);
        }
        for (name, oid) in columns {
            let kind = self.kind(oid).await?;
            described.push(Column { name, kind });
        }
        Ok((kinds, described))
    }

    /// The type that the database has under the number `oid`.
    async fn kind(&mut self, oid: Oid) -> Result<Type, Error> {
        let mut domains = Vec::new();
        let mut next = oid;
        let mut kind = loop {
            if let Some(kind) = Type::from_oid(next).or_else(|| self.types.get(&next).cloned()) {
                break kind;
            }
            let (name, schema, category, base) = self.look_up_type(next).await?;
            match category.as_str() {
                "d" if domains.len() < DEEPEST_DOMAIN => {
                    domains.push((name, next, schema));
                    next = base;
                }
                "e" => break Type::new(name, next, Kind::Enum(Vec::new()), schema),
                _ => break Type::new(name, next, Kind::Simple, schema),
            }
        };
        while let Some((name, oid, schema)) = domains.pop() {
            kind = Type::new(name, oid, Kind::Domain(kind), schema);
        }
        self.types.insert(oid, kind.clone());
        Ok(kind)
    }

    async fn look_up_type(&mut self, oid: Oid) -> Result<(String, String, String, Oid), Error> {
        const STATEMENT: &str = "SELECT t.typname::text, n.nspname::text, t.typtype::text, \
             t.typbasetype FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON \
             n.oid = t.typnamespace WHERE t.oid = $1";
        let mut out = BytesMut::new();
        parse("", STATEMENT, &[Type::OID], &mut out)?;
        run("", &[Bound::Text(oid.to_string())], 1, false, &mut out)?;
        let mut found = None;
        self.exchange(&out, 1, |message| {
            if let Message::DataRow(body) = message {
                let kinds = [Type::TEXT, Type::TEXT, Type::TEXT, Type::OID];
                found = Some(row(&body, kinds.iter())?);
            }
            Ok(())
        })
        .await?;
        let mut row = found.ok_or(Error::Protocol("a type is not in pg_type"))?;
        let mut text = |index| row.text(index).ok_or(UNEXPECTED);
        let (name, schema, category) = (text(0)?, text(1)?, text(2)?);
        match row.take(3) {
            Value::Integer(base) => {
                let base = Oid::try_from(base).map_err(|_| UNEXPECTED)?;
                Ok((name, schema, category, base))
            }
            _ => Err(UNEXPECTED),
        }
    }

    /// Runs statements without parameters, as `COMMIT`.
    async fn simple(&mut self, statements: &[&str]) -> Result<(), Failure> {
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
                // So a transaction is answered in which something failed.
                ("ROLLBACK", _) => Err(Error::Protocol("the server has taken the change back")),
                _ => Err(UNEXPECTED),
            }
        });
        done.await
    }

    /// Makes sure that nothing is left of the answers to what was asked before.
    async fn settle(&mut self) -> Result<(), Error> {
        if self.ended {
            return Err(Error::Protocol("the connection is closed"));
        }
        let settled = self.wire.settle().await;
        self.ended = settled.is_err();
        settled
    }

    /// Sends `messages`, which run `count` statements, and gives `take` what is answered. Through a pooler
    /// they are a transaction of their own, that reads alone, has its time limit, and the role's own
    /// settings.
    async fn exchange(
        &mut self,
        messages: &[u8],
        count: usize,
        mut take: impl FnMut(Message) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.settle().await?;
        let out = &mut self.wire.out;
        let closing = std::mem::take(&mut self.closing);
        if self.standing == Standing::Direct {
            for name in closing {
                frontend::close(b'S', &name, out)?;
            }
        }
        let wraps = matches!(self.standing, Standing::Unknown | Standing::Pooled);
        let asks = self.standing == Standing::Unknown;
        // How many statements come before those of the messages.
        let mut before = 0;
        if wraps {
            let timeout = milliseconds(self.query_timeout);
            let begin = "BEGIN READ ONLY";
            let limit = format!("SET LOCAL statement_timeout = {timeout}");
            let session = asks.then(|| session(timeout));
            let mut statements = vec![begin];
            statements.extend(session.as_deref());
            statements.extend(OWN_DEFAULTS);
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
                    // What the server said before it hung up tells more.
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

    fn failure(&self, error: Error) -> Failure {
        let cause = reading(&error);
        match error {
            Error::TooLong(too_long) => Failure::TooLong(too_long),
            error if is_away(&error) => Failure::Away(cause),
            Error::Server(_) if !self.ended && !is_farewell(&error) => Failure::Refused(cause),
            _ => Failure::Lost(cause),
        }
    }
}

/// Whether a statement's answer ends with `message`.
fn completes(message: &Message) -> bool {
    matches!(
        message,
        Message::CommandComplete(_) | Message::PortalSuspended | Message::EmptyQueryResponse
    )
}

/// The statement that says which process answers, and whether the session is as it was asked to be
/// when the connection was made.
fn session(timeout: u128) -> String {
    format!(
        "SELECT pg_catalog.pg_backend_pid(), \
         pg_catalog.current_setting('default_transaction_read_only') = 'on' AND \
         pg_catalog.current_setting('statement_timeout')::pg_catalog.interval = \
         '{timeout} ms'::pg_catalog.interval"
    )
}

/// A time limit as PostgreSQL takes it; zero would be none.
pub(super) fn milliseconds(timeout: Duration) -> u128 {
    timeout.as_millis().clamp(1, 2_147_483_647)
}

/// Writes that the statement `text` is called `name`. Parameters of the database's own types are
/// left for the server to find: their numbers are another database's in a copy of it.
fn parse(name: &str, text: &str, kinds: &[Type], out: &mut BytesMut) -> Result<(), Error> {
    let number = |kind: &Type| Type::from_oid(kind.oid()).map_or(0, |kind| kind.oid());
    Ok(frontend::parse(name, text, kinds.iter().map(number), out)?)
}

/// Writes that the statement called `name` is run with `values`, and gives its first `most` rows,
/// or all where that is zero; and says what its columns are, where `describes`.
fn run(
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

fn refused(error: crate::Unavailable) -> Failure {
    Failure::Refused(error.to_string())
}

fn lost(error: Error) -> Failure {
    Failure::Lost(reading(&error))
}

fn unknown() -> Failure {
    Failure::Lost("what is known of a statement is gone".to_owned())
}

/// Whether `body` describes `columns`, by name and type: a view or table that was made anew may
/// have others of the same types in their places.
fn is_of(body: &RowDescriptionBody, columns: &[Column]) -> io::Result<bool> {
    let fields = body.fields();
    let fields = fields.map(|field| Ok((field.name().to_owned(), field.type_oid())));
    let known = columns.iter();
    let known = known.map(|column| (column.name.clone(), column.kind.oid()));
    Ok(fields.collect::<Vec<_>>()? == known.collect::<Vec<_>>())
}

/// `text` with the columns cast that cannot be read as they are.
fn as_text(text: &str, columns: &[Column]) -> String {
    let (mut names, mut casts) = (Vec::new(), Vec::new());
    for (index, column) in columns.iter().enumerate() {
        names.push(format!("c{index}"));
        let cast = if is_readable(&column.kind) {
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
