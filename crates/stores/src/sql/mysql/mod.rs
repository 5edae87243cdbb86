//! Speaks with MySQL and MariaDB, through mysql_async.

mod error;
mod login;
mod replica;
pub(crate) mod value;

use std::collections::BTreeMap;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Params, Statement as Prepared};

use self::error::{
    is_away, is_denied, is_farewell, is_missing, is_no_number, is_no_value, is_outdated,
    is_too_long, reading,
};
use self::value::{parameter, row};
use super::names::TableName;
use super::replica::Following;
use super::server::{ConnectOptions, Driver, Failure, MOST_STATEMENTS, MOST_UNWANTED_ROWS};
use super::sizes::{Answer, TooLong};
use super::statement::{Dialect, Statement};
use super::value::{Row, Value};
use crate::{Address, Explained, Unavailable};

/// A connection to MySQL or MariaDB, and the statements that it has prepared.
pub(super) struct Mysql {
    /// `None` when it must not be used any more.
    connection: Option<Conn>,
    statements: BTreeMap<String, (Statement, Prepared)>,
    writable: bool,
    /// Whether the session is known to be set up as requested.
    checked: bool,
}

impl Driver for Mysql {
    const NAME: &'static str = "MySQL";

    const COLUMNS: &'static str = "SELECT column_name, column_type, is_nullable = \
        'NO' AND column_default IS NULL AND extra NOT LIKE '%auto_increment%' FROM \
        information_schema.columns WHERE table_schema = COALESCE(:schema, DATABASE()) AND \
        table_name = :table ORDER BY ordinal_position";

    const INDEXED: &'static str = "SELECT column_name FROM information_schema.statistics WHERE \
        table_schema = COALESCE(:schema, DATABASE()) AND table_name = :table AND \
        seq_in_index = 1";

    const SCHEMAS_WITH: Option<&'static str> = None;

    /// Of a column whose collation ignores case: the exact comparison finds what
    /// [`same_but_for_case`](Self::same_but_for_case) would, for names in ASCII. Some collations tell
    /// the cases of an ASCII letter apart all the same: `I` and `i` are two letters in Turkish, and
    /// two tables of MariaDB's lack `j` and `t` (as 10.11 compares all its collations).
    const INDEXED_BUT_FOR_CASE: &'static str = "SELECT 1 FROM information_schema.columns c JOIN \
         information_schema.statistics s ON s.table_schema = c.table_schema AND s.table_name = \
         c.table_name AND s.column_name = c.column_name WHERE c.table_schema = \
         COALESCE(:schema, DATABASE()) AND c.table_name = :table AND c.column_name = :column AND \
         s.seq_in_index = 1 AND \
         c.collation_name LIKE '%!_ci' ESCAPE '!' AND c.collation_name NOT LIKE '%turkish%' AND \
         c.collation_name NOT LIKE '%!_tr!_%' ESCAPE '!' AND c.collation_name NOT LIKE \
         'cp866!_general%' ESCAPE '!' AND c.collation_name NOT LIKE 'latin7!_general%' ESCAPE '!'";

    const FOLDS_BY_COLLATION: bool = true;

    const CLOCK: &'static str = "SELECT CAST(UNIX_TIMESTAMP() AS SIGNED)";

    // MariaDB's; MySQL has no such variable, and tells users without a privilege nothing of it.
    const REPLICATION: &'static str = "SELECT CASE WHEN @@global.gtid_slave_pos = '' OR \
         @@global.read_only = 0 THEN 'primary' WHEN (SELECT VARIABLE_VALUE FROM \
         information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'SLAVE_RUNNING') = 'OFF' \
         THEN 'alone' ELSE 'current' END, 0";

    // Counters of changes there are count before the commit, or only with a binary log.
    const STATE: Option<&'static str> = None;

    // MariaDB 10.11 takes half as long again for derived tables.
    const JOINS_TABLES: bool = true;

    async fn connect(options: &ConnectOptions, address: &Address) -> Result<Self, Explained> {
        login::connect(options, address).await
    }

    async fn following(&mut self) -> Result<Following, Failure> {
        let connection = self.connection.as_mut().ok_or_else(lost)?;
        match replica::following(connection).await {
            Ok(following) => Ok(following),
            Err(error) if replica::is_denied(&error) => {
                Err(Failure::Refused(replica::PRIVILEGE.to_owned()))
            }
            Err(error) => Err(failure(&error)),
        }
    }

    /// Prepared statements outlive the tables that they were made for. An outdated one is prepared
    /// again, once.
    async fn rows(
        &mut self,
        text: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Row>, Failure> {
        let cached = self.statements.contains_key(text);
        match self.run(text, parameters, limit).await? {
            Err(error) if cached && is_outdated(&error) => {
                self.forget(text).await;
                let again = self.run(text, parameters, limit).await?;
                again.map_err(|error| failure(&error))
            }
            answer => answer.map_err(|error| failure(&error)),
        }
    }

    async fn execute(&mut self, text: &str, parameters: &[(&str, Value)]) -> Result<u64, Failure> {
        self.prepare(text).await?;
        let (Some((statement, prepared)), Some(connection)) =
            (self.statements.get(text), &mut self.connection)
        else {
            return Err(lost());
        };
        let values = statement.values(parameters).map_err(refused)?;
        let values = Params::Positional(values.into_iter().map(parameter).collect());
        let done = connection.exec_drop(prepared, values).await;
        done.map_err(|error| failure(&error))?;
        Ok(connection.affected_rows())
    }

    async fn commit(&mut self) -> Result<(), Failure> {
        let connection = self.connection.as_mut().ok_or_else(lost)?;
        let done = connection.query_drop("COMMIT").await;
        done.map_err(|error| failure(&error))
    }

    async fn names(&mut self, text: &str) -> Result<Vec<String>, Failure> {
        self.prepare(text).await?;
        let Some((_, prepared)) = self.statements.get(text) else {
            return Err(lost());
        };
        let columns = prepared.columns();
        let names = columns.iter().map(|column| column.name_str().into_owned());
        Ok(names.collect())
    }

    /// That there is no such table, the server tells only a user who may read the whole database.
    async fn hides(&mut self, table: &str) -> Result<bool, Failure> {
        self.check().await?;
        let connection = self.connection.as_mut().ok_or_else(lost)?;
        let Some(table) = TableName::parse(table).map(|name| name.quoted()) else {
            return Ok(false);
        };
        let read = connection.query_drop(format!("SELECT 1 FROM {table} LIMIT 0"));
        match read.await {
            // It has been created meanwhile.
            Ok(()) => Ok(true),
            Err(error) if is_denied(&error) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(failure(&error)),
        }
    }

    async fn close(self) {
        if let Some(connection) = self.connection {
            // A server that misses it sees the connection end.
            let _ = connection.disconnect().await;
        }
    }

    /// Integer types have a display width: `int(11)`. `tinyint(1)` is kept, because it is the type
    /// of booleans.
    fn kind(kind: &str) -> String {
        let kind = kind.to_lowercase();
        let Some((name, rest)) = kind.split_once('(') else {
            return kind.replacen("int", "integer", usize::from(kind == "int"));
        };
        let after = rest.split_once(')').map_or("", |(_, after)| after);
        match name {
            "int" => format!("integer{after}"),
            "bigint" | "smallint" | "mediumint" => format!("{name}{after}"),
            _ => kind,
        }
    }

    /// `DATETIME` has no zone.
    fn seconds_of(column: &str, kind: &str) -> Option<String> {
        kind.starts_with("timestamp")
            .then(|| format!("CAST(UNIX_TIMESTAMP({column}) AS SIGNED)"))
    }

    fn key_but_for_case(_column: &str) -> Option<String> {
        None
    }

    /// Only binary collations distinguish case; all others found the exact name.
    fn same_but_for_case(column: &str, _name: &str) -> String {
        let folded = |text| format!("LOWER(CONVERT({text} USING utf8mb4)) COLLATE utf8mb4_bin");
        format!("{} = {}", folded(column), folded(":name"))
    }
}

impl Mysql {
    /// Makes the session read alone, or be one transaction that writes, and strictly; and has it
    /// read statements as all databases are given them: identifiers in double quotes, and
    /// backslashes in strings that mean what the reader of [`Statement`] takes them for. Each
    /// server skips the comments that are for the other.
    async fn new(
        mut connection: Conn,
        query_timeout: Duration,
        writable: bool,
    ) -> Result<Self, Error> {
        let milliseconds = query_timeout.as_millis().clamp(1, 31_536_000_000);
        let seconds = query_timeout.as_secs_f64().clamp(0.001, 31_536_000.0);
        let mode = match writable {
            // Strictly: else what is too long for a column would be cut to fit. A replica that is
            // read only refuses it here, where another server can still be asked.
            true => {
                "SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',STRICT_ALL_TABLES'), \
                 autocommit = 0; START TRANSACTION READ WRITE"
            }
            false => "SET SESSION TRANSACTION READ ONLY",
        };
        let setup = format!(
            "SET SESSION sql_mode = CONCAT_WS(',', NULLIF(REPLACE(@@SESSION.sql_mode, \
             'NO_BACKSLASH_ESCAPES', ''), ''), 'ANSI_QUOTES') /*M!100101 , max_statement_time = \
             {seconds} */ /*!50708 , max_execution_time = {milliseconds} */; {mode}"
        );
        connection.query_drop(setup).await?;
        Ok(Self {
            connection: Some(connection),
            statements: BTreeMap::new(),
            writable,
            checked: false,
        })
    }

    /// Checks once whether the session is set up as requested. A server does as requested;
    /// otherwise a pooler is in between, which runs statements in sessions of other clients.
    async fn check(&mut self) -> Result<(), Failure> {
        if self.checked {
            return Ok(());
        }
        let connection = self.connection.as_mut().ok_or_else(lost)?;
        let shown = connection.query::<(String, String), _>(
            "SHOW SESSION VARIABLES WHERE Variable_name IN ('sql_mode', 'tx_read_only', \
             'transaction_read_only')",
        );
        let shown = shown.await.map_err(|error| failure(&error))?;
        let (mut mode, mut reads_only) = (false, false);
        for (name, value) in shown {
            let as_asked = match name.to_ascii_lowercase().as_str() {
                "sql_mode" => {
                    mode = true;
                    let mut modes = value.split(',');
                    let quotes = modes.clone().any(|mode| mode == "ANSI_QUOTES");
                    quotes && modes.all(|mode| mode != "NO_BACKSLASH_ESCAPES")
                }
                _ => {
                    reads_only = true;
                    self.writable || value == "ON"
                }
            };
            if !as_asked {
                return Err(Failure::Refused(format!(
                    "a connection pooler answered: {name} is {value:?}, not what was asked for; \
                     have it keep a client's session together, or connect to the server directly"
                )));
            }
        }
        if !mode || !reads_only {
            return Err(Failure::Refused(
                "the server does not show how the session is set: sql_mode and tx_read_only or \
                 transaction_read_only; connect to MySQL or MariaDB directly"
                    .to_owned(),
            ));
        }
        self.checked = true;
        Ok(())
    }

    async fn run(
        &mut self,
        text: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Result<Vec<Row>, Error>, Failure> {
        self.prepare(text).await?;
        let (Some((statement, prepared)), Some(connection)) =
            (self.statements.get(text), &mut self.connection)
        else {
            return Err(lost());
        };
        let values = statement.values(parameters).map_err(refused)?;
        let texts = values.clone().into_iter().filter_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        });
        let values: Vec<_> = values.into_iter().map(parameter).collect();
        let values = match values.is_empty() {
            true => Params::Empty,
            false => Params::Positional(values),
        };
        let read = async {
            let mut result = connection.exec_iter(prepared, values).await?;
            let (mut rows, mut unwanted) = (Answer::default(), 0);
            while let Some(found) = result.next().await? {
                if rows.len() < limit {
                    if let Err(too_long) = rows.add(row(found)) {
                        return Ok(Err(too_long));
                    }
                } else {
                    unwanted += 1;
                    if unwanted > MOST_UNWANTED_ROWS {
                        return Ok(Ok((rows.into_rows(), false)));
                    }
                }
            }
            let mut rows = rows.into_rows();
            let warnings = result.warnings();
            result.drop_result().await?;
            if warnings > 0 && texts.clone().next().is_some() {
                let shown: Vec<(String, u16, String)> = connection.query("SHOW WARNINGS").await?;
                let told = |text| {
                    shown
                        .iter()
                        .any(|(_, code, told)| is_no_number(*code, told, text))
                };
                if texts.clone().any(told) {
                    rows.clear();
                }
            }
            Ok(Ok((rows, true)))
        };
        match read.await {
            Ok(Err(too_long)) => {
                let columns = prepared.columns();
                let names = columns.iter();
                let names: Vec<_> = names.map(|column| column.name_str().into_owned()).collect();
                Err(Failure::TooLong(too_long.named(&names)))
            }
            Ok(Ok((rows, finished))) => {
                if !finished {
                    // The rest has not arrived yet.
                    self.connection = None;
                }
                Ok(Ok(rows))
            }
            Err(error) if is_no_value(&error) => Ok(Ok(Vec::new())),
            Err(error) if is_too_long(&error) => Err(Failure::TooLong(TooLong::Row)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn prepare(&mut self, text: &str) -> Result<(), Failure> {
        self.check().await?;
        if self.statements.contains_key(text) {
            return Ok(());
        }
        if self.statements.len() >= MOST_STATEMENTS {
            let texts: Vec<String> = self.statements.keys().cloned().collect();
            for text in texts {
                self.forget(&text).await;
            }
        }
        let statement = Statement::new(text, Dialect::Mysql).map_err(refused)?;
        let connection = self.connection.as_mut().ok_or_else(lost)?;
        let prepared = connection.prep(statement.text.as_str()).await;
        let prepared = prepared.map_err(|error| failure(&error))?;
        self.statements
            .insert(text.to_owned(), (statement, prepared));
        Ok(())
    }

    async fn forget(&mut self, text: &str) {
        if let (Some((_, prepared)), Some(connection)) =
            (self.statements.remove(text), &mut self.connection)
        {
            // If that fails, so does the next statement.
            let _ = connection.close(prepared).await;
        }
    }
}

fn failure(error: &Error) -> Failure {
    let cause = reading(error);
    match error {
        Error::Server(error) if is_away(error) => Failure::Away(cause),
        Error::Server(error) if !is_farewell(error) => Failure::Refused(cause),
        _ => Failure::Lost(cause),
    }
}

fn refused(error: Unavailable) -> Failure {
    Failure::Refused(error.to_string())
}

fn lost() -> Failure {
    Failure::Lost("the connection is closed".to_owned())
}
