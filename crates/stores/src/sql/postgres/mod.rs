//! PostgreSQL, through tokio-postgres.

mod connection;
mod error;
mod parameter;
mod value;

use std::time::Duration;

use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::connection::Connection;
use self::error::{connecting, is_about_tls};
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

    fn config(&self, address: &Address) -> Config {
        let mut config = Config::new();
        match address {
            Address::Tcp { host, port } => {
                config.host(host).port(*port);
            }
            Address::Unix(path) => {
                let file = path.file_name().and_then(std::ffi::OsStr::to_str);
                let port = file.and_then(|file| file.rsplit_once('.')?.1.parse().ok());
                config.host_path(path.parent().unwrap_or(path));
                config.port(port.unwrap_or(5432));
            }
        }
        config.dbname(&self.servers.database);
        if let Some(user) = &self.servers.user {
            config.user(user);
        }
        if let Some(password) = &self.servers.password {
            config.password(password.expose());
        }
        config.application_name("hallpass");
        config.options(format!(
            "-c default_transaction_read_only={} -c standard_conforming_strings=on \
             -c statement_timeout={}",
            if self.writable { "off" } else { "on" },
            self.query_timeout.as_millis().clamp(1, 2_147_483_647)
        ));
        config
    }

    async fn connect_with(
        &self,
        config: &mut Config,
        mode: SslMode,
    ) -> Result<Connection, (String, bool)> {
        config.ssl_mode(mode);
        let failed = |error: tokio_postgres::Error| {
            // What libpq goes on without TLS after.
            let plain = is_about_tls(&error)
                || error.code()
                    == Some(&tokio_postgres::error::SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
            (connecting(&error), plain)
        };
        if mode == SslMode::Disable {
            let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
            return Ok(Connection::new(client, connection));
        }
        let tls = self
            .tls
            .client()
            .map_err(|error| (error.to_string(), false))?;
        let tls = MakeRustlsConnect::new((*tls).clone());
        let (client, connection) = config.connect(tls).await.map_err(failed)?;
        Ok(Connection::new(client, connection))
    }

    async fn connect_as(
        &self,
        config: &mut Config,
        address: &Address,
    ) -> Result<Connection, String> {
        let mode = match (address, self.tls.mode) {
            (Address::Unix(_), _) | (_, TlsMode::Disable) => SslMode::Disable,
            (_, TlsMode::Prefer) => SslMode::Prefer,
            (_, TlsMode::Require | TlsMode::VerifyFull) => SslMode::Require,
        };
        match self.connect_with(config, mode).await {
            Ok(connection) => Ok(connection),
            // Nobody asked who the server is, so that nothing is lost.
            Err((_, true)) if mode == SslMode::Prefer && self.tls.ca.is_none() => {
                let plain = self.connect_with(config, SslMode::Disable).await;
                plain.map_err(|(cause, _)| cause)
            }
            Err((cause, _)) => Err(cause),
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
        let mut config = self.config(address);
        let mut connection = self.connect_as(&mut config, address).await?;
        if self.writable {
            // A hot standby refuses it here, where another server can still be asked.
            let begun = connection.simple("BEGIN READ WRITE").await;
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
        connection.simple("COMMIT").await
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
