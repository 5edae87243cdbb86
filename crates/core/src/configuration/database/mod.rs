//! Reads `database`: where the site's tables are.

mod server;
mod url;

use hallpass_settings::{Error, Number, SecretSource, Table, UrlOr, Wait};
use hallpass_stores::TlsMode;
use hallpass_stores::sql::{Location, Settings, identifier};
use serde::Deserialize;
use zeroize::Zeroizing;

use hallpass_sites::secret;

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct DatabaseTable {
    /// Where the database is: see above.
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("writeOnly" = true)))]
    url: Zeroizing<String>,
    /// PostgreSQL's schemas in which tables are looked for, in this order, as `search_path`: a name,
    /// or a list.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the database user's own")))]
    schema: Option<Schemas>,
    /// The user's password, a secret. It may be part of the URL instead, where everyone who can
    /// read the file sees it.
    password: Option<SecretSource>,
    /// Whether connections use TLS: see below. Not for unix sockets.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "\"prefer\"")))]
    tls: Option<TlsWord>,
    /// A PEM file of trusted certificates.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the system's")))]
    ca: Option<String>,
    /// The longest that connecting to one server may take.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "\"2s\"")))]
    connect_timeout: Option<Wait>,
    /// The longest that one query may take.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "\"2s\"")))]
    query_timeout: Option<Wait>,
    /// How far behind its primary a replica may be to be asked, as in `"5s"`: see
    /// [many machines](many-machines.md). Without, its age does not matter.
    max_lag: Option<Wait>,
    /// How many threads of `hallpassd` query the stores, each with a connection of its own.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "4")))]
    pool: Option<Number<1, 10_000>>,
}

/// What is asked of a connection.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "kebab-case")]
enum TlsWord {
    Disable,
    Prefer,
    Require,
    VerifyFull,
}

/// A schema, or several in the order of the search path.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(
    untagged,
    expecting = "is neither the name of a schema nor a list of names"
)]
enum Schemas {
    One(String),
    Several(Vec<String>),
}

/// The database that `table` describes; without it there is none.
pub(super) fn resolve(
    table: &Table<'_>,
    database: Option<UrlOr<DatabaseTable>>,
) -> Result<Settings, Error> {
    let Some(UrlOr(database)) = database else {
        return Ok(Settings::new(Location::Nowhere));
    };
    let mut settings = settings(table, &database.url)?;
    add(table, database, &mut settings)?;
    Ok(settings)
}

/// What the URL says.
fn settings(table: &Table<'_>, url: &str) -> Result<Settings, Error> {
    const KEY: &str = "url";
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(table.wrong(KEY, "is not a URL, as in \"sqlite:/srv/site/db.sqlite3\""));
    };
    match scheme {
        // Words of dj-database-url, django-environ, Doctrine and Laravel, too.
        "sqlite" | "sqlite3" | "spatialite" => {
            // `sqlite:relative`, `sqlite:/absolute` and, as dj-database-url writes it,
            // `sqlite:///absolute`.
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() {
                return Err(table.wrong(KEY, "names no file, as in \"sqlite:/srv/db.sqlite3\""));
            }
            Ok(Settings::new(Location::Sqlite(table.beside(path))))
        }
        "postgres" | "postgresql" | "pgsql" | "postgis" | "mysql" | "mysql2" | "mysqlgis"
        | "mariadb" => {
            let settings = if scheme.starts_with('p') {
                server::postgres(rest, table)
            } else {
                server::mysql(rest, table)
            };
            let settings = settings.map_err(|wrong| table.wrong(KEY, &wrong))?;
            if has_password(&settings) {
                table.warn_of_secret(KEY);
            }
            Ok(settings)
        }
        _ => {
            let message = "starts with none of sqlite:, postgres:, mysql:, mariadb:";
            Err(table.wrong(KEY, message))
        }
    }
}

fn has_password(settings: &Settings) -> bool {
    match &settings.location {
        Location::Nowhere | Location::Sqlite(_) => false,
        Location::Postgres(servers) | Location::Mysql(servers) => servers.password.is_some(),
    }
}

/// What stands in the table beside the URL.
fn add(table: &Table<'_>, given: DatabaseTable, settings: &mut Settings) -> Result<(), Error> {
    let password = secret(table, "password", given.password)?;
    if let Some(schemas) = given.schema {
        let schemas = match schemas {
            Schemas::One(schema) => vec![schema],
            Schemas::Several(schemas) => schemas,
        };
        let Location::Postgres(servers) = &mut settings.location else {
            return Err(table.wrong("schema", "has no effect but for PostgreSQL"));
        };
        if schemas.is_empty() || schemas.iter().any(|name| identifier(name).is_none()) {
            return Err(table.wrong("schema", "holds no name, or one that is not valid"));
        }
        if !servers.search_path.is_empty() {
            return Err(table.wrong("schema", "is given here and in the URL; give it once"));
        }
        servers.search_path = schemas;
    }
    let wait = |key, wait: Option<Wait>| match wait.map(Wait::get) {
        Some(wait) if wait.is_zero() => Err(table.wrong(key, "must be longer than 0s")),
        wait => Ok(wait),
    };
    if let Some(timeout) = wait("query_timeout", given.query_timeout)? {
        settings.query_timeout = timeout;
    }
    settings.max_lag = wait("max_lag", given.max_lag)?;
    settings.pool = given.pool.map(Number::count);
    let servers = match &mut settings.location {
        Location::Postgres(servers) | Location::Mysql(servers) => servers,
        Location::Nowhere => return Ok(()),
        Location::Sqlite(_) => {
            for key in ["password", "tls", "ca", "connect_timeout", "max_lag"] {
                if table.has(key) {
                    return Err(table.wrong(key, "has no effect for SQLite, which has no server"));
                }
            }
            return Ok(());
        }
    };
    if let Some(password) = password {
        if servers.password.is_some() {
            return Err(table.wrong("password", "is given here and in the URL; give it once"));
        }
        servers.password = Some(password.into());
    }
    if let Some(tls) = given.tls {
        settings.tls.mode = match tls {
            TlsWord::Disable => TlsMode::Disable,
            TlsWord::Prefer => TlsMode::Prefer,
            TlsWord::Require => TlsMode::Require,
            TlsWord::VerifyFull => TlsMode::VerifyFull,
        };
    }
    if let Some(ca) = given.ca {
        if settings.tls.mode == TlsMode::Disable {
            return Err(table.wrong("ca", "is for TLS, which `tls` switches off"));
        }
        settings.tls.ca = Some(table.beside(ca));
    }
    if let Some(timeout) = wait("connect_timeout", given.connect_timeout)? {
        settings.connect_timeout = timeout;
    }
    Ok(())
}
