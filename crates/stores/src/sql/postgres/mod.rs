//! PostgreSQL, and poolers of connections to it, in its own protocol.

mod channel_binding;
mod connection;
mod error;
mod parameter;
pub(crate) mod value;
mod wire;

use std::time::Duration;

use self::connection::{Connection, milliseconds};
use self::error::{Error, connecting, is_about_tls, refuses_parameters};
use self::wire::{Login, Protection, Wire};
use super::server::{Driver, Failure};
use super::{Row, Servers, Settings, Value};
use crate::{Address, Tls, TlsMode};

/// What makes an expression compared by the rules of all languages.
const ICU: &str = " COLLATE \"und-x-icu\"";

/// PostgreSQL, and how to log in.
#[derive(Debug)]
pub(super) struct Postgres {
    servers: Servers,
    tls: Tls,
    query_timeout: Duration,
    writable: bool,
}

impl Postgres {
    pub(super) fn new(servers: &Servers, settings: &Settings, writable: bool) -> Self {
        Self {
            servers: servers.clone(),
            tls: settings.tls.clone(),
            query_timeout: settings.query_timeout,
            writable,
        }
    }

    /// Logs in at `address`. What is asked of the session is asked once more without, where a
    /// pooler does not let it pass: each statement says then what it needs.
    async fn log_in(&self, address: &Address, protection: &Protection) -> Result<Wire, Error> {
        let options = format!(
            "-c default_transaction_read_only={} -c standard_conforming_strings=on \
             -c statement_timeout={}",
            if self.writable { "off" } else { "on" },
            milliseconds(self.query_timeout)
        );
        let parameters = [
            ("client_encoding", "UTF8"),
            ("application_name", "hallpass"),
            ("options", options.as_str()),
        ];
        let user = match &self.servers.user {
            Some(user) => user.clone(),
            None => whoami::username().map_err(|error| Error::Io(error.into()))?,
        };
        let login = Login {
            user: &user,
            password: self.servers.password.as_deref(),
            database: &self.servers.database,
            parameters: &parameters,
            in_the_clear: self.tls.mode == TlsMode::Disable,
        };
        let mut wire = Wire::connect(address, protection).await?;
        match wire.log_in(&login).await {
            Err(error) if refuses_parameters(&error) => {}
            done => return done.map(|()| wire),
        }
        let mut wire = Wire::connect(address, protection).await?;
        let login = Login {
            parameters: parameters.get(..2).unwrap_or_default(),
            ..login
        };
        wire.log_in(&login).await?;
        Ok(wire)
    }

    async fn connect_as(&self, address: &Address) -> Result<Wire, String> {
        let protection = match (address, self.tls.mode) {
            (Address::Unix(_), _) | (_, TlsMode::Disable) => Protection::Plain,
            (_, mode) => {
                let client = self.tls.client().map_err(|error| error.to_string())?;
                match mode {
                    // Whoever says which certificates to trust trusts no server without one.
                    TlsMode::Prefer if self.tls.ca.is_none() => Protection::Preferred(client),
                    _ => Protection::Required(client),
                }
            }
        };
        match self.log_in(address, &protection).await {
            Ok(wire) => Ok(wire),
            // What libpq goes on without TLS after. Nobody asked who the server is, so that
            // nothing is lost.
            Err(error)
                if matches!(protection, Protection::Preferred(_))
                    && (is_about_tls(&error) || error.code() == "28000") =>
            {
                let plain = self.log_in(address, &Protection::Plain).await;
                plain.map_err(|error| connecting(&error))
            }
            Err(error) => Err(connecting(&error)),
        }
    }
}

/// Gives a row where an index of the table `:table` begins with `:column` as
/// [`same_but_for_case`] compares names in ASCII.
pub(super) const INDEXED_BUT_FOR_CASE: &str = "SELECT 1 FROM pg_catalog.pg_index i JOIN \
     pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attname = :column::text WHERE \
     i.indrelid = pg_catalog.to_regclass(:table::text) AND i.indisvalid AND i.indpred IS NULL AND \
     i.indkey[0] = 0 AND pg_catalog.replace(pg_catalog.pg_get_indexdef(i.indexrelid, 1, true), \
     '::text', '') = 'upper(' || pg_catalog.quote_ident(a.attname) || ')'";

/// As Django's `iexact` compares (db/backends/postgresql/operations.py, 5.2), so that the index
/// helps that was made for it. In a database whose locale is `C` that knows ASCII alone, so that
/// names beyond it are left to ICU where the server has it.
pub(super) fn same_but_for_case(column: &str, name: &str) -> String {
    let collation = if name.is_ascii() { "" } else { ICU };
    format!("UPPER({column}::text{collation}) = UPPER(:name::text{collation})")
}

impl Driver for Postgres {
    type Connection = Connection;

    const COLUMNS: &'static str = "SELECT attname, format_type(atttypid, atttypmod), attnotnull \
        AND NOT atthasdef AND attidentity = '' FROM \
        pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass(:table::text) AND \
        attnum > 0 AND NOT attisdropped ORDER BY attnum";

    const INDEXED: &'static str = "SELECT a.attname FROM pg_catalog.pg_index i JOIN \
        pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE \
        i.indrelid = pg_catalog.to_regclass(:table::text) AND i.indisvalid AND i.indpred IS NULL";

    fn name(&self) -> String {
        format!("the PostgreSQL database {}", self.servers.database)
    }

    async fn connect(&self, address: &Address) -> Result<Connection, String> {
        let wire = self.connect_as(address).await?;
        let connection = Connection::new(wire, self.query_timeout);
        let mut connection = connection.map_err(|error| connecting(&error))?;
        if self.writable {
            // A hot standby refuses it here, where another server can still be asked.
            let begun = connection.begin_change().await;
            begun.map_err(|failure| failure.to_string())?;
        }
        Ok(connection)
    }

    async fn rows(
        &self,
        connection: &mut Connection,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Row>, Failure> {
        connection.rows(statement, parameters, limit).await
    }

    async fn execute(
        &self,
        connection: &mut Connection,
        statement: &str,
        parameters: &[(&str, Value)],
    ) -> Result<u64, Failure> {
        connection.execute(statement, parameters).await
    }

    async fn commit(&self, connection: &mut Connection) -> Result<(), Failure> {
        connection.commit().await
    }

    async fn names(
        &self,
        connection: &mut Connection,
        statement: &str,
    ) -> Result<Vec<String>, Failure> {
        connection.names(statement).await
    }

    /// Quoted, so that it is one name and not a path.
    fn table(table: &str) -> String {
        super::identifier(table).unwrap_or_default()
    }

    fn kind(kind: &str) -> String {
        let kind = kind.replace("character varying", "varchar");
        kind.replace("character(", "char(")
    }

    async fn close(connection: Connection) {
        connection.close().await;
    }
}
