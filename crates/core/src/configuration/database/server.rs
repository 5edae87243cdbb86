//! Reads `postgres:` and `mysql:` URLs, with the parameters of their own clients.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hallpass_settings::Table;
use hallpass_stores::sql::{Location, Servers, SessionOptions, Settings};
use hallpass_stores::{Address, Secret, TlsMode};

use super::url::{Url, host, port_number};

/// Where Debian's PostgreSQL has its sockets.
const POSTGRES_SOCKETS: &str = "/run/postgresql";
const POSTGRES_PORT: u16 = 5432;
const MYSQL_PORT: u16 = 3306;

/// Reads a URL as libpq does (PostgreSQL 15, 34.1.1.2): parameters replace what stands before
/// them.
///
/// # Errors
/// What is wrong, to follow the key.
pub(super) fn postgres(rest: &str, table: &Table<'_>) -> Result<Settings, String> {
    let mut url = Url::parse(rest)?;
    let mut settings = Settings::new(Location::Sqlite(PathBuf::new()));
    let mut ports = Vec::new();
    let mut search_path = Vec::new();
    let mut verify_ca = false;
    for (name, value) in std::mem::take(&mut url.parameters) {
        match name.as_str() {
            "host" => {
                let plain = |host: &str| (host.trim_matches(['[', ']']).to_owned(), None);
                url.hosts = value.split(',').map(plain).collect();
            }
            "port" => {
                ports = value
                    .split(',')
                    .map(port_number)
                    .collect::<Result<_, _>>()?;
            }
            "user" => url.user = Some(value),
            "password" => url.password = Some(value.into_bytes().into()),
            "dbname" => url.database = value,
            "sslmode" => {
                verify_ca = value == "verify-ca";
                settings.tls.mode = match value.as_str() {
                    "disable" => TlsMode::Disable,
                    "allow" | "prefer" => TlsMode::Prefer,
                    // With certificates to trust, `require` verifies as `verify-ca` does.
                    "require" | "verify-ca" => TlsMode::Require,
                    "verify-full" => TlsMode::VerifyFull,
                    _ => return Err("has an unknown `sslmode`; libpq's are disable, allow, prefer, require, verify-ca, verify-full".to_owned()),
                };
            }
            "sslrootcert" if value == "system" => settings.tls.mode = TlsMode::VerifyFull,
            "sslrootcert" => settings.tls.ca = Some(table.beside(&value)),
            "connect_timeout" => settings.connect_timeout = seconds(&value)?,
            "options" => {
                let options = SessionOptions::parse(&value)?;
                if let Some(other) = options.others.first() {
                    return Err(format!(
                        "has `options` that set {other}; only search_path is"
                    ));
                }
                search_path = options.search_path.unwrap_or_default();
            }
            _ => {
                return Err(unknown(
                    &name,
                    "host, port, user, password, dbname, sslmode, sslrootcert, connect_timeout, \
                     options=-csearch_path=…",
                ));
            }
        }
    }
    if verify_ca && settings.tls.ca.is_none() {
        return Err("has `sslmode=verify-ca`, but no `sslrootcert` to verify by".to_owned());
    }
    if url.hosts.is_empty() {
        url.hosts.push((POSTGRES_SOCKETS.to_owned(), None));
    }
    // One port for all hosts, or one for each.
    if ports.len() > 1 && ports.len() != url.hosts.len() {
        return Err("does not have as many ports as hosts".to_owned());
    }
    let mut addresses = Vec::new();
    for (index, (host, port)) in std::mem::take(&mut url.hosts).into_iter().enumerate() {
        let given = ports.get(index).or(ports.first()).copied();
        let port = port.or(given).unwrap_or(POSTGRES_PORT);
        addresses.push(if host.starts_with('/') {
            Address::Unix(Path::new(&host).join(format!(".s.PGSQL.{port}")))
        } else {
            tcp(host, port)
        });
    }
    settings.location = Location::Postgres(Servers {
        search_path,
        ..servers(url, addresses)?
    });
    Ok(settings)
}

/// Reads a URL, with the parameters of MySQL's and MariaDB's own clients.
///
/// # Errors
/// What is wrong, to follow the key.
pub(super) fn mysql(rest: &str, table: &Table<'_>) -> Result<Settings, String> {
    let mut url = Url::parse(rest)?;
    let mut settings = Settings::new(Location::Sqlite(PathBuf::new()));
    let mut socket = None;
    let mut verify_ca = false;
    for (name, value) in std::mem::take(&mut url.parameters) {
        match name.replace('_', "-").as_str() {
            "socket" | "unix-socket" => socket = Some(table.beside(&value)),
            "host" => url.hosts = value.split(',').map(host).collect::<Result<_, _>>()?,
            "ssl-mode" | "sslmode" => {
                let word = value.to_ascii_lowercase().replace('_', "-");
                verify_ca = word == "verify-ca";
                settings.tls.mode = match word.as_str() {
                    "disable" | "disabled" => TlsMode::Disable,
                    "prefer" | "preferred" => TlsMode::Prefer,
                    "require" | "required" | "verify-ca" => TlsMode::Require,
                    "verify-identity" | "verify-full" => TlsMode::VerifyFull,
                    _ => return Err("has an unknown `ssl-mode`; MySQL's are DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY".to_owned()),
                };
            }
            "ssl-ca" => settings.tls.ca = Some(table.beside(&value)),
            "connect-timeout" => settings.connect_timeout = seconds(&value)?,
            // No other is spoken.
            "charset" if value == "utf8mb4" => {}
            _ => {
                return Err(unknown(
                    &name,
                    "socket, host, ssl-mode, ssl-ca, connect-timeout, charset=utf8mb4",
                ));
            }
        }
    }
    if verify_ca && settings.tls.ca.is_none() {
        return Err("has `ssl-mode=VERIFY_CA`, but no `ssl-ca` to verify by".to_owned());
    }
    let addresses = match socket {
        Some(socket) => vec![Address::Unix(socket)],
        None if url.hosts.is_empty() => vec![tcp("localhost".to_owned(), MYSQL_PORT)],
        None => std::mem::take(&mut url.hosts)
            .into_iter()
            .map(|(host, port)| match host.starts_with('/') {
                true => Address::Unix(host.into()),
                false => tcp(host, port.unwrap_or(MYSQL_PORT)),
            })
            .collect(),
    };
    settings.location = Location::Mysql(servers(url, addresses)?);
    Ok(settings)
}

fn servers(url: Url, addresses: Vec<Address>) -> Result<Servers, String> {
    if url.database.is_empty() {
        return Err("names no database, as in \"postgres://user@host/name\"".to_owned());
    }
    let nowhere =
        |address: &Address| matches!(address, Address::Tcp { host, .. } if host.is_empty());
    if addresses.iter().any(nowhere) {
        return Err("has a host without a name".to_owned());
    }
    Ok(Servers {
        addresses,
        database: url.database,
        search_path: Vec::new(),
        user: url.user,
        password: url
            .password
            .map(|password| Secret::new(password.as_slice()).into()),
    })
}

fn tcp(host: String, port: u16) -> Address {
    Address::Tcp { host, port }
}

fn seconds(value: &str) -> Result<Duration, String> {
    let seconds = value
        .parse()
        .ok()
        .filter(|seconds| (1..=86_400).contains(seconds));
    let message = "has a connect timeout that is not a number of seconds, from 1 to 86400";
    seconds.map(Duration::from_secs).ok_or(message.to_owned())
}

fn unknown(name: &str, known: &str) -> String {
    let name: String = name
        .chars()
        .filter(|letter| !letter.is_control())
        .take(40)
        .collect();
    format!("has an unknown parameter `{name}`; known are {known}")
}
