//! MySQL and MariaDB, through mysql_async.

mod connection;
mod error;
pub(crate) mod value;

use std::time::Duration;

use mysql_async::{Opts, OptsBuilder, SslOpts};
use rustls::crypto::ring;

use self::connection::Connection;
use self::error::{connecting, goes_on_without_tls, name_of_trusted};
use super::server::{Driver, Failure};
use super::sizes::LARGEST_ROW;
use super::{Row, Servers, Settings, Value};
use crate::{Address, Tls, TlsMode};

/// The longest packet that is received. A row is one.
const LARGEST_PACKET: usize = LARGEST_ROW;

/// MySQL or MariaDB, and how to log in.
#[derive(Debug)]
pub(super) struct Mysql {
    servers: Servers,
    tls: Tls,
    query_timeout: Duration,
    writable: bool,
}

impl Mysql {
    pub(super) fn new(servers: &Servers, settings: &Settings, writable: bool) -> Self {
        Self {
            servers: servers.clone(),
            tls: settings.tls.clone(),
            query_timeout: settings.query_timeout,
            writable,
        }
    }

    fn options(&self, address: &Address) -> Result<OptsBuilder, String> {
        let password = self.servers.password.as_ref().map(|password| {
            let text = std::str::from_utf8(password.expose());
            text.map(str::to_owned)
                .map_err(|_| "the `password` is no UTF-8".to_owned())
        });
        let user = self.servers.user.clone().or_else(system_user);
        let options = OptsBuilder::default()
            .user(user)
            .pass(password.transpose()?)
            .db_name(Some(&self.servers.database))
            // What is asked for here is not asked of the server.
            .max_allowed_packet(Some(LARGEST_PACKET))
            .wait_timeout(Some(28_800))
            .prefer_socket(false)
            .stmt_cache_size(0_usize);
        Ok(match address {
            Address::Tcp { host, port } => options.ip_or_hostname(host.clone()).tcp_port(*port),
            Address::Unix(path) => options.socket(path.to_str()),
        })
    }

    /// The driver makes its own of what the other stores do by [`Tls::client`].
    fn tls(&self) -> Result<SslOpts, String> {
        let full = self.tls.mode == TlsMode::VerifyFull;
        let options = SslOpts::default();
        let trusted = match &self.tls.ca {
            // The driver wants some roots, though it looks at none of them then.
            None if !full => return Ok(options.with_danger_accept_invalid_certs(true)),
            _ => self.tls.trusted().map_err(|error| error.to_string())?,
        };
        let trusted = trusted.into_iter();
        let trusted = trusted.map(|root| root.as_ref().to_vec().into());
        Ok(options
            .with_disable_built_in_roots(true)
            .with_root_certs(trusted.collect())
            .with_danger_skip_domain_validation(!full))
    }

    async fn log_in(&self, options: OptsBuilder) -> Result<Connection, mysql_async::Error> {
        let connection = mysql_async::Conn::new(Opts::from(options)).await?;
        Connection::new(connection, self.query_timeout, self.writable).await
    }
}

/// Gives a row where an index of the table `:table` begins with `:column`, whose collation ignores
/// case: the exact comparison finds what [`same_but_for_case`] would, for names in ASCII. Some
/// collations tell the cases of an ASCII letter apart all the same: `I` and `i` are two letters in
/// Turkish, and two tables of MariaDB's lack `j` and `t` (as 10.11 compares all its collations).
pub(super) const INDEXED_BUT_FOR_CASE: &str = "SELECT 1 FROM information_schema.columns c JOIN \
     information_schema.statistics s ON s.table_schema = c.table_schema AND s.table_name = \
     c.table_name AND s.column_name = c.column_name WHERE c.table_schema = DATABASE() AND \
     c.table_name = :table AND c.column_name = :column AND s.seq_in_index = 1 AND \
     c.collation_name LIKE '%!_ci' ESCAPE '!' AND c.collation_name NOT LIKE '%turkish%' AND \
     c.collation_name NOT LIKE '%!_tr!_%' ESCAPE '!' AND c.collation_name NOT LIKE \
     'cp866!_general%' ESCAPE '!' AND c.collation_name NOT LIKE 'latin7!_general%' ESCAPE '!'";

/// Binary collations alone tell the cases apart; all others answered the exact name.
pub(super) fn same_but_for_case(column: &str) -> String {
    let folded = |text| format!("LOWER(CONVERT({text} USING utf8mb4)) COLLATE utf8mb4_bin");
    format!("{} = {}", folded(column), folded(":name"))
}

impl Driver for Mysql {
    type Connection = Connection;

    const COLUMNS: &'static str = "SELECT column_name, column_type, is_nullable = \
        'NO' AND column_default IS NULL AND extra NOT LIKE '%auto_increment%' FROM \
        information_schema.columns WHERE table_schema = DATABASE() AND table_name = :table \
        ORDER BY ordinal_position";

    const INDEXED: &'static str = "SELECT column_name FROM information_schema.statistics WHERE \
        table_schema = DATABASE() AND table_name = :table AND seq_in_index = 1";

    fn name(&self) -> String {
        format!("the MySQL database {}", self.servers.database)
    }

    async fn connect(&self, address: &Address) -> Result<Connection, String> {
        let options = self.options(address)?;
        if matches!(address, Address::Unix(_)) || self.tls.mode == TlsMode::Disable {
            let connected = self.log_in(options).await;
            return connected.map_err(|error| connecting(&error));
        }
        // The driver takes the one that the process has.
        let _ = ring::default_provider().install_default();
        let tls = self.tls()?;
        let mut connected = self.log_in(options.clone().ssl_opts(tls.clone())).await;
        // The driver, asked not to look at the name, looks at it all the same (up to 0.37.1).
        let name = connected.as_ref().err().and_then(name_of_trusted);
        if let (Some(name), true) = (name, self.tls.mode != TlsMode::VerifyFull) {
            let tls = tls.with_danger_tls_hostname_override(Some(name));
            connected = self.log_in(options.clone().ssl_opts(tls)).await;
        }
        match connected {
            Ok(connection) => Ok(connection),
            Err(error)
                if self.tls.mode == TlsMode::Prefer
                    && goes_on_without_tls(&error, self.tls.ca.is_some()) =>
            {
                let connected = self.log_in(options).await;
                connected.map_err(|error| connecting(&error))
            }
            Err(error) => Err(connecting(&error)),
        }
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

    async fn hides(&self, connection: &mut Connection, table: &str) -> Result<bool, Failure> {
        connection.hides(table).await
    }

    fn table(table: &str) -> String {
        table.to_owned()
    }

    /// Integers say how wide they would like to be shown: `int(11)`. `tinyint(1)` is left alone,
    /// being what booleans are made of.
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

    async fn close(connection: Connection) {
        connection.close().await;
    }
}

/// The servers' own clients log in by the name of the system's user.
fn system_user() -> Option<String> {
    whoami::username().ok()
}
