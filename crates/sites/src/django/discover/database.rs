//! Writes `[database]`: where the site's accounts are.

use std::path::Path;

use anyhow::{anyhow, bail};
use hallpass_stores::sql::SessionOptions;
use serde_json::Value;

use super::found::{Database, text};
use crate::init::Page;
use crate::init::url::encode;

/// Where MySQL's and MariaDB's clients look for `localhost`: Debian's place, others'.
const MYSQL_SOCKETS: [&str; 4] = [
    "/run/mysqld/mysqld.sock",
    "/var/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",
    "/tmp/mysql.sock",
];

/// Options that say nothing about which database it is, or who may read it.
const HARMLESS: [&str; 24] = [
    "application_name",
    "assume_role",
    "autocommit",
    "charset",
    "client_encoding",
    "collation",
    "connect_timeout",
    "conv",
    "init_command",
    "isolation_level",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "pool",
    "read_timeout",
    "server_side_binding",
    "sql_mode",
    "target_session_attrs",
    "tcp_user_timeout",
    "timeout",
    "transaction_mode",
    "use_unicode",
    "write_timeout",
];

/// Writes the keys that say where `database` is, for a site in `directory`, whose tables are in the
/// `schemas` of a tenant.
///
/// # Errors
/// When it is none that is read here.
pub fn write(
    page: &mut Page,
    database: &Database,
    directory: &Path,
    schemas: Option<&[String]>,
) -> anyhow::Result<()> {
    write_to(page, "database", database, directory, schemas)
}

/// The same for the database of the sessions, where that is another.
///
/// # Errors
/// When it is none that is read here.
pub fn write_for_sessions(
    page: &mut Page,
    database: &Database,
    directory: &Path,
    schemas: Option<&[String]>,
) -> anyhow::Result<()> {
    write_to(page, "session_database", database, directory, schemas)
}

/// Writes them into the table called `table`.
fn write_to(
    page: &mut Page,
    table: &str,
    database: &Database,
    directory: &Path,
    schemas: Option<&[String]>,
) -> anyhow::Result<()> {
    let from = format!("DATABASES[\"{}\"], {}", database.alias, database.engine);
    let url = match database.vendor.as_str() {
        "sqlite" => return sqlite(page, table, database, directory, &from),
        "postgresql" => postgres(page, database)?,
        "mysql" => mysql(page, database)?,
        other => bail!(
            "the site's database is {other}; supported are SQLite, PostgreSQL, MySQL and MariaDB"
        ),
    };
    page.table(table, &from);
    page.string("url", &url, "HOST, PORT, NAME and USER");
    match (search_path(database)?, schemas) {
        (_, Some(schemas)) => {
            let schemas = schemas.iter().map(String::as_str);
            page.strings("schema", schemas, "of this tenant, then what all share");
        }
        (Some(schemas), None) => {
            let schemas = schemas.iter().map(String::as_str);
            page.strings("schema", schemas, "search_path of OPTIONS[\"options\"]");
        }
        (None, None) => {}
    }
    match &database.password {
        Some(password) => {
            page.secret(
                "password",
                &format!("{table}_password"),
                password,
                "PASSWORD",
            );
        }
        None => page.note(
            "The site has no password for it. Where the server goes by the system's user instead, \
             it must let in the one that the programs run as.",
        ),
    }
    Ok(())
}

/// The schemas that the site has its connections look for tables in, where it says so.
fn search_path(database: &Database) -> anyhow::Result<Option<Vec<String>>> {
    let options = database.options.get("options").and_then(text);
    let Some(options) = options.filter(|_| database.vendor == "postgresql") else {
        return Ok(None);
    };
    let read = SessionOptions::parse(&options)
        .map_err(|wrong| anyhow!("OPTIONS of the site's database {wrong}"))?;
    Ok(read.search_path.filter(|schemas| !schemas.is_empty()))
}

fn sqlite(
    page: &mut Page,
    table: &str,
    database: &Database,
    directory: &Path,
    from: &str,
) -> anyhow::Result<()> {
    let name = &database.name;
    if name.is_empty() || name.contains(":memory:") || name.starts_with("file:") {
        bail!("the site's database is {name:?}, which is not a file that other programs can read");
    }
    if Path::new(name).is_relative() {
        page.warn(&format!(
            "DATABASES names {name}, which is another file for every directory that the site is \
             started in; this one is in that of manage.py"
        ));
    }
    let path = directory.join(name);
    let Some(path) = path.to_str() else {
        bail!("the path of the site's database is not Unicode");
    };
    let url = format!("sqlite:{path}");
    if table == "database" {
        page.string(table, &url, from);
    } else {
        page.table(table, from);
        page.string("url", &url, "NAME");
    }
    Ok(())
}

fn postgres(page: &mut Page, database: &Database) -> anyhow::Result<String> {
    let mut parameters = Vec::new();
    for (key, value) in &database.options {
        match (key.as_str(), text(value)) {
            ("sslmode" | "sslrootcert", Some(value)) => parameters.push((key.as_str(), value)),
            ("options", _) => {}
            // The site's Python says what they come to, where it can.
            ("service", _) => bail!(
                "the site's database is a service of pg_service.conf, which could not be read; \
                 give HOST, NAME, USER and PASSWORD in the settings"
            ),
            ("passfile", _) => page.warn(
                "the password is in a file of libpq's, which could not be read: add `password` to \
                 [database]",
            ),
            ("sslcert" | "sslkey", _) => {
                page.warn("the site shows a certificate to the database, which is not done here");
            }
            (key, _) => other(page, key),
        }
    }
    // Parameters take several hosts, and paths.
    if !database.host.is_empty() && !is_plain(&database.host) {
        parameters.insert(0, ("host", database.host.clone()));
        if !database.port.is_empty() {
            parameters.insert(1, ("port", database.port.clone()));
        }
        return Ok(url("postgres", database, "", &parameters));
    }
    if database.host.is_empty() && !database.port.is_empty() {
        parameters.push(("port", database.port.clone()));
        return Ok(url("postgres", database, "", &parameters));
    }
    Ok(url("postgres", database, &authority(database), &parameters))
}

fn mysql(page: &mut Page, database: &Database) -> anyhow::Result<String> {
    let mut parameters = Vec::new();
    let mut socket = None;
    for (key, value) in &database.options {
        match (key.as_str(), value) {
            ("unix_socket", Value::String(path)) => socket = Some(path.clone()),
            ("ssl_mode", Value::String(mode)) => parameters.push(("ssl-mode", mode.clone())),
            ("ssl_disabled", Value::Bool(true)) => {
                parameters.push(("ssl-mode", "DISABLED".to_owned()));
            }
            ("ssl", Value::Object(ssl)) => {
                if let Some(Value::String(ca)) = ssl.get("ca") {
                    parameters.push(("ssl-ca", ca.clone()));
                    if !database.options.contains_key("ssl_mode") {
                        parameters.push(("ssl-mode", "VERIFY_CA".to_owned()));
                    }
                } else if !database.options.contains_key("ssl_mode") {
                    parameters.push(("ssl-mode", "REQUIRED".to_owned()));
                }
                if ssl.contains_key("cert") || ssl.contains_key("key") {
                    page.warn(
                        "the site shows a certificate to the database, which is not done here",
                    );
                }
            }
            (key, _) => other(page, key),
        }
    }
    if database.host.starts_with('/') {
        socket = Some(database.host.clone());
    } else if socket.is_none() && matches!(database.host.as_str(), "" | "localhost") {
        // Their clients take it for a socket.
        let there = MYSQL_SOCKETS.iter().find(|path| Path::new(path).exists());
        socket = there.map(|path| (*path).to_owned());
    }
    if let Some(socket) = socket {
        parameters.insert(0, ("socket", socket));
        return Ok(url("mysql", database, "", &parameters));
    }
    if !database.host.is_empty() && !is_plain(&database.host) {
        bail!(
            "the site's HOST is {:?}, which is not a server's name",
            database.host
        );
    }
    Ok(url("mysql", database, &authority(database), &parameters))
}

fn other(page: &mut Page, option: &str) {
    if !HARMLESS.contains(&option) {
        page.warn(&format!(
            "the database's option {option} has no equivalent here, and is left out"
        ));
    }
}

/// Whether `host` may stand in a URL as it is.
fn is_plain(host: &str) -> bool {
    host.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

fn authority(database: &Database) -> String {
    if database.port.is_empty() {
        database.host.clone()
    } else {
        format!("{}:{}", database.host, database.port)
    }
}

fn url(
    scheme: &str,
    database: &Database,
    authority: &str,
    parameters: &[(&str, String)],
) -> String {
    let user = match database.user.as_str() {
        "" => String::new(),
        user => format!("{}@", encode(user)),
    };
    let name = encode(&database.name);
    let mut url = format!("{scheme}://{user}{authority}/{name}");
    for (index, (key, value)) in parameters.iter().enumerate() {
        let sign = if index == 0 { '?' } else { '&' };
        url.push_str(&format!("{sign}{key}={}", encode(value)));
    }
    url
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is written of an entry of DATABASES, and whether all of it could be said.
    fn written(vendor: &str, more: Value) -> Result<(String, bool), String> {
        let mut entry = json!({
            "alias": "default", "engine": "e", "vendor": vendor, "name": "shop", "host": "",
            "port": "", "user": "site", "password": null, "options": {}, "zone": "UTC",
        });
        if let (Value::Object(entry), Value::Object(more)) = (&mut entry, more) {
            entry.extend(more);
        }
        let database: Database =
            serde_json::from_value(entry).map_err(|error| error.to_string())?;
        let mut page = Page::new("hallpass", |_| {});
        page.string("framework", "django", "");
        write(&mut page, &database, Path::new("/srv/shop"), None)
            .map_err(|error| error.to_string())?;
        // Whatever it is, it loads; there is no password that would have to be in a file.
        hallpass_core::Configuration::parse(Path::new("/nowhere.toml"), page.text())
            .map_err(|error| error.to_string())?;
        let url = page.text().lines().find_map(|line| {
            let value = line
                .strip_prefix("url = \"")
                .or(line.strip_prefix("database = \""))?;
            Some(value.split('"').next()?.to_owned())
        });
        Ok((url.ok_or("no URL")?, page.warnings.is_empty()))
    }

    #[test]
    fn entries_become_urls() {
        for (vendor, entry, expected) in [
            (
                "sqlite",
                json!({"name": "/srv/db.sqlite3"}),
                "sqlite:/srv/db.sqlite3",
            ),
            ("postgresql", json!({}), "postgres://site@/shop"),
            (
                "postgresql",
                json!({"host": "db.example", "port": "5433", "user": "a@b", "name": "a/b c"}),
                "postgres://a%40b@db.example:5433/a/b%20c",
            ),
            (
                "postgresql",
                json!({"host": "/run/pg", "port": "5433", "user": ""}),
                "postgres:///shop?host=/run/pg&port=5433",
            ),
            (
                "postgresql",
                json!({"host": "one,two", "port": "5432,5433"}),
                "postgres://site@/shop?host=one%2Ctwo&port=5432%2C5433",
            ),
            (
                "postgresql",
                json!({"host": "::1", "options": {"sslmode": "verify-full", "pool": true}}),
                "postgres://site@/shop?host=%3A%3A1&sslmode=verify-full",
            ),
            (
                "postgresql",
                json!({"port": "5433", "options": {"options": "-c statement_timeout=5"}}),
                "postgres://site@/shop?port=5433",
            ),
            (
                "mysql",
                json!({"host": "db", "port": "3307", "options": {"ssl_disabled": true}}),
                "mysql://site@db:3307/shop?ssl-mode=DISABLED",
            ),
            (
                "mysql",
                json!({"host": "/run/a b.sock", "options": {"charset": "utf8mb4"}}),
                "mysql://site@/shop?socket=/run/a%20b.sock",
            ),
            (
                "mysql",
                json!({"host": "db", "options": {"ssl": {"ca": "/ca.pem"}}}),
                "mysql://site@db/shop?ssl-ca=/ca.pem&ssl-mode=VERIFY_CA",
            ),
        ] {
            let found = written(vendor, entry);
            assert_eq!(found, Ok((expected.to_owned(), true)));
        }
    }

    #[test]
    fn what_cannot_be_said_is_said() {
        for (vendor, entry) in [
            ("sqlite", json!({"name": "db.sqlite3"})),
            ("postgresql", json!({"options": {"passfile": "/p"}})),
            ("postgresql", json!({"options": {"sslcert": "/c"}})),
            (
                "mysql",
                json!({"host": "db", "options": {"named_pipe": true}}),
            ),
        ] {
            let found = written(vendor, entry.clone());
            assert!(matches!(found, Ok((_, false))), "{entry}: {found:?}");
        }
        for (vendor, entry) in [
            ("oracle", json!({})),
            ("sqlite", json!({"name": ":memory:"})),
            ("sqlite", json!({"name": "file:shop?mode=memory"})),
            ("sqlite", json!({"name": ""})),
            (
                "postgresql",
                json!({"name": "", "options": {"service": "shop"}}),
            ),
            ("postgresql", json!({"name": ""})),
            ("postgresql", json!({"port": "x"})),
            ("mysql", json!({"host": "a/b"})),
        ] {
            let found = written(vendor, entry.clone());
            assert!(found.is_err(), "{entry}: {found:?}");
        }
    }
}
