//! Speaks with PostgreSQL, and with poolers of connections to it, in its own protocol.

mod batch;
mod channel_binding;
mod error;
mod exchange;
mod login;
mod parameter;
mod statements;
pub(crate) mod value;
mod wire;

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::Oid;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use postgres_types::Type;

use self::batch::MOST_TOGETHER;
use self::error::{
    Error, connecting, is_away, is_farewell, is_outdated, is_unknown_statement, reading,
};
use self::exchange::{IDLE, parse, run};
use self::parameter::{Bound, bind, is_no_value};
use self::statements::{Ready, is_of};
use self::value::row;
use self::wire::{UNEXPECTED, Wire};
use super::names::TableName;
use super::recorded::Recorded;
use super::replica::Following;
use super::server::{ConnectOptions, Driver, Failure, digests_in_turn};
use super::sizes::Answer;
use super::value::{Row, Value};
use crate::{Address, Explained, Unavailable};

/// What makes an expression compared by the rules of all languages.
const ICU: &str = " COLLATE \"und-x-icu\"";

/// Whether a pooler is between this connection and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Not known yet: the first statement finds out.
    Unknown,
    /// No pooler. The session is set up as requested, and keeps prepared statements.
    Direct,
    /// A pooler: the next statement may be run by another session, which other programs use, too.
    /// Each is a transaction of its own that says all that it needs.
    Pooled,
    /// Within the one transaction that the connection is.
    Changing,
}

/// A connection to PostgreSQL, or to a connection pooler, with its described statements.
pub(super) struct Postgres {
    wire: Wire,
    standing: Standing,
    query_timeout: Duration,
    /// The schemas in which tables are looked for, in SQL; `None` for the role's own.
    search_path: Option<String>,
    statements: BTreeMap<String, Ready>,
    /// Prepared statements that are not needed any more.
    closing: Vec<String>,
    /// The database's own types.
    types: BTreeMap<Oid, Type>,
    /// The prefix of the names of prepared statements, unique to the connection.
    prefix: String,
    prepared: u64,
    /// Whether a transaction is open, as the server says after every exchange.
    status: u8,
    /// Whether the connection has ended, or must not be used any more.
    ended: bool,
}

/// The result of running a statement.
enum Outcome {
    Rows(Vec<Row>),
    /// A parameter is not a value of its type.
    NoValue,
    /// The names or types of its columns have changed.
    Changed,
    Failed(Error),
}

impl Driver for Postgres {
    const NAME: &'static str = "PostgreSQL";

    const COLUMNS: &'static str = "SELECT attname, format_type(atttypid, atttypmod), attnotnull \
        AND NOT atthasdef AND attidentity = '' FROM \
        pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass(:table::text) AND \
        attnum > 0 AND NOT attisdropped ORDER BY attnum";

    const INDEXED: &'static str = "SELECT a.attname FROM pg_catalog.pg_index i JOIN \
        pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE \
        i.indrelid = pg_catalog.to_regclass(:table::text) AND i.indisvalid AND i.indpred IS NULL";

    const SCHEMAS_WITH: Option<&'static str> = Some(
        "SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = \
         c.relnamespace WHERE c.relname = :table::text AND c.relkind IN ('r', 'v', 'm', 'p', 'f') \
         AND n.nspname !~ '^pg_' ORDER BY 1",
    );

    const INDEXED_BUT_FOR_CASE: &'static str = "SELECT 1 FROM pg_catalog.pg_index i JOIN \
         pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attname = :column::text WHERE \
         i.indrelid = pg_catalog.to_regclass(:table::text) AND i.indisvalid AND i.indpred IS NULL AND \
         i.indkey[0] = 0 AND pg_catalog.replace(pg_catalog.pg_get_indexdef(i.indexrelid, 1, true), \
         '::text', '') = 'upper(' || pg_catalog.quote_ident(a.attname) || ')'";

    const FOLDS_BY_COLLATION: bool = false;

    const CLOCK: &'static str = "SELECT CAST(extract(epoch FROM clock_timestamp()) AS bigint)";

    // Each user may call these functions, and see that there is a receiver (monitoring statistics
    // and recovery information functions in PostgreSQL 15's manual).
    const REPLICATION: &'static str = "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 'primary' \
         WHEN pg_is_wal_replay_paused() THEN 'paused' \
         WHEN pg_last_wal_receive_lsn() IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM pg_catalog.pg_stat_wal_receiver) THEN 'alone' \
         WHEN pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn() THEN 'behind' \
         ELSE 'current' END, CAST(coalesce(extract(epoch FROM clock_timestamp() - \
         pg_last_xact_replay_timestamp()), 0) AS bigint)";

    // A snapshot says which transactions it sees. While none is in progress and none has ended since
    // the last one, it sees the same rows (Transaction ID and Snapshot Information Functions in
    // PostgreSQL 15's manual). Rows of foreign tables change elsewhere.
    const STATE: Option<&'static str> = Some(
        "SELECT CAST(1000000 * extract(epoch FROM pg_postmaster_start_time()) AS bigint), \
         txid_snapshot_xmax(now) FROM txid_current_snapshot() AS now \
         WHERE txid_snapshot_xmin(now) = txid_snapshot_xmax(now) \
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_foreign_table)",
    );

    // There `a.name` is the row `a` as a text of the type `name`, if the table has no such column.
    const JOINS_TABLES: bool = false;

    /// By functions that each user may call. A change that has been received and not applied is as
    /// old as the last one that was applied, at most.
    async fn following(&mut self) -> Result<Following, Failure> {
        const STATEMENT: &str = "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 'primary' \
             WHEN pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn() THEN 'behind' \
             WHEN NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_wal_receiver) THEN 'alone' \
             ELSE 'current' END, CAST(1000 * extract(epoch FROM clock_timestamp() - \
             pg_last_xact_replay_timestamp()) AS bigint)";
        let mut rows = self.rows(STATEMENT, &[], 1).await?;
        let Some(mut row) = rows.pop() else {
            return Err(unknown());
        };
        let lag = match row.take(1) {
            Value::Integer(lag) => Duration::from_millis(u64::try_from(lag).unwrap_or_default()),
            // Nothing has been applied yet.
            _ => Duration::MAX,
        };
        Ok(match row.text(0).as_deref() {
            Some("primary") => Following::Primary,
            Some("current") => Following::Behind(Duration::ZERO),
            Some("behind") => Following::Behind(lag),
            Some("alone") => Following::Alone,
            _ => Following::Stopped,
        })
    }

    async fn connect(options: &ConnectOptions, address: &Address) -> Result<Self, Explained> {
        let wire = login::connect(options, address).await?;
        let search_path = options.servers.quoted_search_path();
        let connection = Self::new(wire, options.query_timeout, search_path);
        let mut connection = connection.map_err(|error| connecting(&error))?;
        if options.writable {
            // A hot standby refuses it here, where another server can still be asked.
            let begun = connection.begin_change().await;
            begun.map_err(|failure| failure.to_string())?;
        }
        Ok(connection)
    }

    /// A description outlives the tables that it was made from. An outdated one is renewed, once.
    async fn rows(
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
                    self.note_pooler();
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

    async fn digests(
        &mut self,
        reads: &[&Recorded],
        key: &RandomState,
    ) -> Result<Vec<u64>, Failure> {
        let mut digests = Vec::with_capacity(reads.len());
        for reads in reads.chunks(MOST_TOGETHER) {
            digests.extend(match self.digests_together(reads, key).await? {
                Some(digests) => digests,
                None => digests_in_turn(self, reads, key).await?,
            });
        }
        Ok(digests)
    }

    async fn execute(
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

    async fn commit(&mut self) -> Result<(), Failure> {
        self.simple(&["COMMIT"]).await
    }

    async fn names(&mut self, statement: &str) -> Result<Vec<String>, Failure> {
        self.know(statement).await?;
        let ready = self.statements.get(statement);
        Ok(ready.map(Ready::names).unwrap_or_default())
    }

    async fn close(self) {
        self.wire.close().await;
    }

    /// Quoted, as `to_regclass` looks it up: by the search path, where it has no schema.
    fn place(table: &str) -> [(&'static str, Value); 2] {
        let quoted = TableName::parse(table).map(|name| name.quoted());
        let table = Value::from(quoted.unwrap_or_default());
        [(":schema", Value::Null), (":table", table)]
    }

    fn kind(kind: &str) -> String {
        let kind = kind.replace("character varying", "varchar");
        kind.replace("character(", "char(")
    }

    fn key_but_for_case(column: &str) -> Option<String> {
        Some(format!("UPPER({column}::text)"))
    }

    /// As Django's `iexact` compares (db/backends/postgresql/operations.py, 5.2), so that the index
    /// helps that was made for it. In a database whose locale is `C` that knows ASCII alone, so that
    /// names beyond it are left to ICU where the server has it.
    fn same_but_for_case(column: &str, name: &str) -> String {
        let collation = if name.is_ascii() { "" } else { ICU };
        format!("UPPER({column}::text{collation}) = UPPER(:name::text{collation})")
    }
}

impl Postgres {
    fn new(
        wire: Wire,
        query_timeout: Duration,
        search_path: Option<String>,
    ) -> Result<Self, Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|_| Error::Protocol("the system gives no random numbers"))?;
        Ok(Self {
            wire,
            standing: Standing::Unknown,
            query_timeout,
            search_path,
            statements: BTreeMap::new(),
            closing: Vec::new(),
            types: BTreeMap::new(),
            prefix: format!("hallpass_{:032x}", u128::from_ne_bytes(random)),
            prepared: 0,
            status: IDLE,
            ended: false,
        })
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

/// A time limit as PostgreSQL takes it; zero would be none.
fn milliseconds(timeout: Duration) -> u128 {
    timeout.as_millis().clamp(1, 2_147_483_647)
}

fn refused(error: Unavailable) -> Failure {
    Failure::Refused(error.to_string())
}

fn lost(error: Error) -> Failure {
    Failure::Lost(reading(&error))
}

fn unknown() -> Failure {
    Failure::Lost("what is known of a statement is gone".to_owned())
}
