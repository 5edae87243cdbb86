//! Writes where the database is, by `config/database.yml`.

use std::path::Path;

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use super::application::{Application, NOT_READ};
use super::yaml::Yaml;
use super::{text, yaml};
use crate::init::Page;
use crate::init::site_file;
use crate::init::url::{encode, without_user};

/// Writes what `file` says of the application's environment.
pub(super) fn write(page: &mut Page, application: &Application, file: &Path) -> anyhow::Result<()> {
    if let Some(url) = application.variables.get("DATABASE_URL") {
        return from_url(page, application, url, "DATABASE_URL");
    }
    let name = file.display();
    let settings = yaml::read(&application.expanded(&text(file)?))
        .with_context(|| format!("cannot read {name}"))?;
    let environment = &application.environment;
    let Some(mut database) = settings.get(environment) else {
        bail!("{name} has no {environment}: give --environment");
    };
    // Where there are several, the accounts are in the first.
    if let Some(primary) = database.get("primary") {
        database = primary;
    }
    if let Some(url) = read(database, "url", file)? {
        return from_url(page, application, &url, &name.to_string());
    }
    let get = |key: &str| read(database, key, file);
    let Some(adapter) = get("adapter")? else {
        bail!("{name} has no adapter for {environment}");
    };
    let scheme = match adapter.as_str() {
        "sqlite3" => {
            let path = get("database")?.with_context(|| format!("{name} names no database"))?;
            return sqlite(page, application, &path, "database.yml");
        }
        "postgresql" | "postgis" => "postgres",
        "mysql2" | "trilogy" => "mysql",
        other => bail!(
            "{name} says adapter: {other}; supported are sqlite3, postgresql, mysql2, trilogy"
        ),
    };
    let database = get("database")?.with_context(|| format!("{name} names no database"))?;
    let user = get("username")?.map(|user| format!("{}@", encode(&user)));
    let host = get("host")?;
    let port = get("port")?.map(|port| format!(":{}", port.as_str()));
    let socket = match (get("socket")?, &host) {
        (Some(socket), _) => Some(format!("socket={}", encode(&socket))),
        // libpq's default, and MySQL's.
        (None, None) if scheme == "postgres" => Some("host=/run/postgresql".to_owned()),
        (None, None) => Some("socket=/run/mysqld/mysqld.sock".to_owned()),
        (None, Some(_)) => None,
    };
    let (host, socket) = match host {
        Some(host) if host.starts_with('/') => (None, Some(format!("host={}", encode(&host)))),
        host => (host, socket),
    };
    let mut url = format!(
        "{scheme}://{}{}{}/{}",
        user.unwrap_or_default(),
        host.as_deref().map_or("", String::as_str),
        port.unwrap_or_default(),
        encode(&database)
    );
    let mode = get("sslmode")?.map(|mode| format!("sslmode={}", encode(&mode)));
    let query: Vec<String> = socket.into_iter().chain(mode).collect();
    if !query.is_empty() {
        url.push_str(&format!("?{}", query.join("&")));
    }
    page.table("database", "config/database.yml");
    page.string("url", &url, "the server, the user and the database");
    if let Some(password) = get("password")? {
        let comment = "and its password";
        page.secret(
            "password",
            "database_password",
            password.as_bytes(),
            comment,
        );
    }
    if let Some(schema) = get("schema_search_path")? {
        page.string("schema", &schema, "schema_search_path");
    }
    Ok(())
}

/// The text at `key`, which must be known without Ruby.
fn read(database: &Yaml, key: &str, file: &Path) -> anyhow::Result<Option<Zeroizing<String>>> {
    let text = database.text(key);
    if text.is_some_and(|text| text.contains(NOT_READ)) {
        bail!(
            "{} has code at {key}, which only Ruby can run: give the variables that it reads with \
             --env-file, or the database with DATABASE_URL there",
            file.display()
        );
    }
    Ok(text.map(|text| Zeroizing::new(text.to_owned())))
}

fn sqlite(
    page: &mut Page,
    application: &Application,
    path: &str,
    from: &str,
) -> anyhow::Result<()> {
    let path = application.root.join(path);
    let url = format!("sqlite:{}", site_file::text(&path)?);
    page.string("database", &url, from);
    Ok(())
}

fn from_url(
    page: &mut Page,
    application: &Application,
    url: &str,
    from: &str,
) -> anyhow::Result<()> {
    let (url, user) = without_user(url);
    let (scheme, rest) = url
        .split_once(':')
        .with_context(|| format!("{from} has no URL of a database"))?;
    let scheme = match scheme {
        "sqlite3" => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            let path = path.split('?').next().unwrap_or_default();
            return sqlite(page, application, path, from);
        }
        "postgres" | "postgresql" | "postgis" => "postgres",
        "mysql2" | "trilogy" => "mysql",
        other => bail!("{from} is of {other}; supported are sqlite3, postgresql, mysql2, trilogy"),
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let known = |pair: &&str| {
        ["host=", "socket=", "sslmode="]
            .iter()
            .any(|it| pair.starts_with(it))
    };
    let kept: Vec<&str> = query.split('&').filter(known).collect();
    let query = match kept.is_empty() {
        true => String::new(),
        false => format!("?{}", kept.join("&")),
    };
    let name = user.name.map(|name| format!("{}@", encode(&name)));
    page.table("database", from);
    let url = format!("{scheme}://{}{place}{query}", name.unwrap_or_default());
    page.string("url", &url, "the server, the user and the database");
    if let Some(password) = user.password {
        page.secret(
            "password",
            "database_password",
            &password,
            "and its password",
        );
    }
    Ok(())
}
