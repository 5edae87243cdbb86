//! Reads `[phpbb]`: what the board's `config.php` says, under the same names.

use hallpass_settings::{Error, Fallback, LooseText, Number, SecretSource, Table, fields};
use hallpass_stores::sql::{self, Location, Settings};
use serde::Deserialize;

use crate::http::is_token;
use crate::secret;
use crate::site_file::{self, Kind, SiteFile, filled, prefix};

/// What its file's settings are in place of a class's properties: variables.
pub(super) const CLASS: Option<&str> = None;

/// The keys that are Hallpass' own. What is not given is what the board's table of settings says.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct PhpbbTable {
    /// The board's own file, relative to this one.
    pub(super) configuration: Option<String>,
    /// The prefix of the cookies' names.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the board's own")))]
    cookie_name: Option<String>,
    /// How many parts of the address a session is bound to; 0 for none.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the board's own")))]
    ip_check: Option<Number<0, 8>>,
    /// Whether a session is bound to its browser.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the board's own")))]
    browser_check: Option<bool>,
    /// Whether a session is bound to `X-Forwarded-For`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the board's own")))]
    forwarded_for_check: Option<bool>,
}

/// The keys that stand in the board's own file under the same names.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct PhpbbFile {
    /// `mysqli`, `postgres` or `sqlite3`, by the name of the board's driver.
    dbms: Option<LooseText>,
    /// The database server; with `sqlite3` the file.
    dbhost: Option<LooseText>,
    /// Its port, or the path of its socket.
    dbport: Option<LooseText>,
    /// The database's name.
    dbname: Option<LooseText>,
    /// The database's user.
    dbuser: Option<LooseText>,
    /// The database's password.
    dbpasswd: Option<SecretSource>,
    /// The prefix of the names of the board's tables.
    table_prefix: Option<LooseText>,
}

/// A phpBB board. `None` is what the board's table of settings says.
#[derive(Clone, Debug)]
pub struct Phpbb {
    /// `$table_prefix`: letters, digits and underscores.
    pub prefix: String,
    /// `cookie_name`: what the names of its cookies begin with.
    pub cookie_name: Option<String>,
    /// `ip_check`: how many parts of the client's address a session is bound to.
    pub ip_check: Option<u32>,
    /// `browser_check`: whether a session is bound to its browser.
    pub browser_check: Option<bool>,
    /// `forwarded_for_check`: whether a session is bound to `X-Forwarded-For`.
    pub forwarded_for_check: Option<bool>,
}

impl Phpbb {
    /// Reads the table; the board's database is what comes with it, unless one is `given`.
    pub(super) fn read(
        table: &Table<'_>,
        given: Option<Settings>,
    ) -> Result<(Self, Settings), Error> {
        let own: PhpbbTable = table.read_beside(fields::<PhpbbFile>(), None)?;
        let path = own.configuration.as_deref();
        let site_file = path
            .map(|path| SiteFile::read(table, path, CLASS))
            .transpose()?;
        let fallback = site_file.as_ref().map(|file| file as &dyn Fallback);
        let mut file: PhpbbFile = table.read_beside(fields::<PhpbbTable>(), fallback)?;
        let database = file.database(table, own.configuration.as_deref())?;
        let database = match given {
            Some(given) => given,
            None => database?,
        };
        if let Some(name) = &own.cookie_name
            && !is_token(name)
        {
            return Err(table.wrong("cookie_name", "is not a valid cookie name"));
        }
        let phpbb = Self {
            prefix: prefix(table, "table_prefix", &file.table_prefix)?,
            cookie_name: own.cookie_name,
            ip_check: own.ip_check.map(|parts| parts.0),
            browser_check: own.browser_check,
            forwarded_for_check: own.forwarded_for_check,
        };
        Ok((phpbb, database))
    }
}

/// The board's own file, where `table` names one.
pub(super) fn site_file<'a>(table: &'a Table<'a>) -> Result<Option<SiteFile<'a>>, Error> {
    let own: PhpbbTable = table.read_beside(fields::<PhpbbFile>(), None)?;
    let path = own.configuration.as_deref();
    path.map(|path| SiteFile::read(table, path, CLASS))
        .transpose()
}

impl PhpbbFile {
    /// What it says about the database; why that cannot be used, where another is given, does not
    /// matter. `file` is the board's own.
    fn database(
        &mut self,
        table: &Table<'_>,
        file: Option<&str>,
    ) -> Result<Result<Settings, Error>, Error> {
        let password = secret(table, "dbpasswd", self.dbpasswd.take())?;
        let host = filled(&self.dbhost).unwrap_or_default();
        let port = filled(&self.dbport);
        let missing = |key| {
            let message = "is missing; it stands in the board's config.php, which \
                           `configuration` names";
            Ok(Err(table.wrong(key, message)))
        };
        // A class since 3.1, a word before.
        let driver = filled(&self.dbms).and_then(|dbms| dbms.rsplit('\\').next());
        let kind = match driver {
            Some("mysqli" | "mysql" | "mysql4") => Kind::Mysql,
            Some("postgres") => Kind::Postgres,
            Some("sqlite3") if !host.is_empty() => {
                let path = site_file::directory(table, file).join(host);
                return Ok(Ok(Settings::new(Location::Sqlite(path))));
            }
            Some("sqlite3") => return missing("dbhost"),
            None => return missing("dbms"),
            Some(_) => {
                let message = "is unsupported; supported are mysqli, postgres and sqlite3";
                return Ok(Err(table.wrong("dbms", message)));
            }
        };
        let Some(name) = filled(&self.dbname) else {
            return missing("dbname");
        };
        let host = host.strip_prefix("p:").unwrap_or(host);
        let (host, port) = host_and_port(kind, host, port);
        let user = filled(&self.dbuser).map(str::to_owned);
        // The driver takes the name apart, and looks for tables in that schema alone (`sql_connect`
        // in phpbb/db/driver/postgres.php, 3.3).
        let (name, schemas) = match (kind, name.split_once('.')) {
            (Kind::Postgres, Some((name, schema))) => {
                let schema = schema.split('.').next().unwrap_or_default();
                match sql::schemas(schema) {
                    Ok(schemas) => (name, schemas),
                    Err(wrong) => return Ok(Err(table.wrong("dbname", &wrong))),
                }
            }
            _ => (name, Vec::new()),
        };
        Ok(match site_file::addresses(kind, host, port) {
            Ok(addresses) => {
                let name = name.to_owned();
                let mut settings = site_file::settings(kind, addresses, name, user, password);
                if let Location::Postgres(servers) = &mut settings.location {
                    servers.search_path = schemas;
                }
                Ok(settings)
            }
            Err(message) => Err(table.wrong("dbport", message)),
        })
    }
}

/// The host and the port that the board's driver connects to, where the host may have a port behind
/// it, which then counts. PHP takes it from behind the first colon, or behind a bracket
/// (`parse_ip_address_ex` in main/streams/xp_socket.c, 8.2); phpBB's own driver of PostgreSQL, where
/// there is one colon.
fn host_and_port<'a>(
    kind: Kind,
    host: &'a str,
    port: Option<&'a str>,
) -> (&'a str, Option<&'a str>) {
    let named = match kind {
        Kind::Mysql if host.starts_with('[') => host
            .split_once(']')
            .map(|(_, rest)| rest)
            .and_then(|rest| Some((host.strip_suffix(rest)?, rest.strip_prefix(':')?))),
        Kind::Mysql => host.split_once(':').map(|(host, rest)| {
            let other = rest.find(|letter: char| !letter.is_ascii_digit());
            (
                host,
                rest.get(..other.unwrap_or(rest.len())).unwrap_or(rest),
            )
        }),
        Kind::Postgres => host.split_once(':').filter(|(_, port)| !port.contains(':')),
    };
    match named {
        // A path is not a host with a port, and nobody's host is empty.
        Some((host, number)) if !host.is_empty() && !host.starts_with('/') => (host, Some(number)),
        _ => (host, port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As PHP 8.2's `mysqli_connect` and phpBB 3.3.10's drivers connect.
    #[test]
    fn hosts_may_have_a_port() {
        use Kind::{Mysql, Postgres};
        for (kind, host, port, expected) in [
            (Mysql, "db", None, ("db", None)),
            (Mysql, "db", Some("3307"), ("db", Some("3307"))),
            (Mysql, "127.0.0.1:33061", None, ("127.0.0.1", Some("33061"))),
            (Mysql, "db:33061", Some("3306"), ("db", Some("33061"))),
            (Mysql, "[::1]:33061", None, ("[::1]", Some("33061"))),
            (Mysql, "[::1]", Some("1"), ("[::1]", Some("1"))),
            (Mysql, "/run/a:b.sock", None, ("/run/a:b.sock", None)),
            (Mysql, "localhost:33061", None, ("localhost", Some("33061"))),
            (Postgres, "db:5433", Some("1"), ("db", Some("5433"))),
            (Postgres, "::1", Some("1"), ("::1", Some("1"))),
            (Postgres, "/run/pg", None, ("/run/pg", None)),
        ] {
            assert_eq!(host_and_port(kind, host, port), expected, "{host}");
        }
    }
}
