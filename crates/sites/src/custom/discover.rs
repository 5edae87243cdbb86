//! Builds the configuration of any other site from its `.env` or its SQLite file, and the names of
//! its table and columns.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use zeroize::Zeroizing;

use crate::init::Page;
use crate::init::url::{User, encode, without_user};
use crate::init::{environment, site_file};

/// What an SQLite file begins with (the file format, 1.3).
const SQLITE: &[u8] = b"SQLite format 3\0";
/// Parameters of Doctrine's URLs that say nothing about which database it is.
const HARMLESS: [&str; 3] = ["charset", "serverVersion", "server_version"];

/// Variables of the environment.
pub(crate) type Variables = BTreeMap<String, Zeroizing<String>>;

/// Of any other site, by its .env or SQLite file, and the names of its table and columns
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hallpass init custom /srv/app --table users --username-column email
  hallpass init custom /srv/app/db.sqlite3 --table members --password-column hash")]
pub(super) struct DiscoverCustom {
    /// The site's .env, the directory that has it, or an SQLite file
    path: PathBuf,
    #[command(flatten)]
    accounts: AccountColumns,
}

/// The table of accounts, and its columns.
#[derive(Debug, Args)]
pub(crate) struct AccountColumns {
    /// The table of accounts
    #[arg(long, value_name = "NAME", default_value = "users")]
    pub(crate) table: String,
    /// Its primary key
    #[arg(long, value_name = "NAME", default_value = "id")]
    pub(crate) id_column: String,
    /// The login name
    #[arg(long, value_name = "NAME", default_value = "username")]
    pub(crate) username_column: String,
    /// The hash of the password
    #[arg(long, value_name = "NAME", default_value = "password")]
    pub(crate) password_column: Option<String>,
    /// Whether an account may log in
    #[arg(long, value_name = "NAME")]
    pub(crate) active_column: Option<String>,
    /// The e-mail address
    #[arg(long, value_name = "NAME")]
    pub(crate) email_column: Option<String>,
}

/// Reads what stands at the path, and writes what it says.
pub(super) fn write(page: &mut Page, options: &DiscoverCustom) -> anyhow::Result<()> {
    let path = std::path::absolute(&options.path).context("cannot tell where the site is")?;
    page.note(&format!("The site in {}.", path.display()));
    page.blank();
    page.string("framework", "custom", "see docs/custom.md for all keys");
    if is_sqlite(&path) {
        let url = format!("sqlite:{}", site_file::text(&path)?);
        page.string("database", &url, "the file itself");
    } else {
        let (directory, variables) = variables(&path)?;
        // Laravel's is DB_URL since 11, and DATABASE_URL before.
        let url = ["DATABASE_URL", "DB_URL"]
            .into_iter()
            .find_map(|key| Some((key, variables.get(key)?)))
            .filter(|(_, url)| !url.is_empty());
        match url {
            Some((key, url)) => from_url(page, "database", key, url, &directory)?,
            None => from_parts(page, &variables, &directory)?,
        }
    }
    write_accounts(page, &options.accounts, true)?;
    page.note("Where ids are not numbers, set [passwords] dummy in place of accounts.");
    page.note("groups = \"SELECT … WHERE … = :id\"  # would tell the names of its groups");
    Ok(())
}

/// Writes `[custom]` for the table of accounts that `options` name; with a statement that lists them
/// where their ids are `numbered`.
///
/// # Errors
/// When a name cannot stand in a statement.
pub(crate) fn write_accounts(
    page: &mut Page,
    options: &AccountColumns,
    numbered: bool,
) -> anyhow::Result<()> {
    page.table("custom", "the SQL that finds accounts");
    let (id, table) = (name(&options.id_column)?, name(&options.table)?);
    let username = name(&options.username_column)?;
    let mut columns = format!("{id} AS id, {username} AS username");
    for (column, title) in [
        (&options.password_column, "password"),
        (&options.active_column, "is_active"),
        (&options.email_column, "email"),
    ] {
        if let Some(column) = column {
            columns.push_str(&format!(", {} AS {title}", name(column)?));
        }
    }
    let select = format!("SELECT {columns} FROM {table} WHERE");
    let comment = "the account of a login name";
    page.string("user", &format!("{select} {username} = :username"), comment);
    let comment = "the account of a session";
    page.string("user_by_id", &format!("{select} {id} = :id"), comment);
    if !numbered {
        return Ok(());
    }
    page.string(
        "accounts",
        &format!("{select} {id} > :id ORDER BY {id} LIMIT 1000"),
        "for `hallpass audit`, and to learn what a check of an unknown name has to cost",
    );
    Ok(())
}

/// A table or column as it stands in a statement.
///
/// # Errors
/// When it cannot stand there.
pub(crate) fn name(name: &str) -> anyhow::Result<String> {
    if name.is_empty() || name.contains(['"', ':', '?', '\\']) || name.contains(char::is_control) {
        bail!("{name:?} is not a valid name of a table or column here");
    }
    Ok(format!("\"{name}\""))
}

fn is_sqlite(path: &Path) -> bool {
    let mut start = [0; SQLITE.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == SQLITE
}

/// What the site's `.env` says, `.env.local` last, and the directory that has it.
///
/// # Errors
/// When there is none.
pub(crate) fn variables(path: &Path) -> anyhow::Result<(PathBuf, Variables)> {
    let (directory, files) = if path.is_dir() {
        let files = [path.join(".env"), path.join(".env.local")];
        let there: Vec<PathBuf> = files.into_iter().filter(|file| file.is_file()).collect();
        (path.to_owned(), there)
    } else {
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        (directory, vec![path.to_owned()])
    };
    if files.is_empty() {
        bail!("there is no .env in {}", path.display());
    }
    let mut variables = Variables::new();
    for file in &files {
        variables.extend(environment::read(file)?);
    }
    Ok((directory, variables))
}

/// Writes as `table` the URL at `key`, as Doctrine, Rails, Laravel, SQLAlchemy and dj-database-url
/// have it. A relative path is one in `directory`.
///
/// # Errors
/// When it is not the URL of a database that is read here.
pub(crate) fn from_url(
    page: &mut Page,
    table: &str,
    key: &str,
    url: &str,
    directory: &Path,
) -> anyhow::Result<()> {
    let project = directory.to_string_lossy();
    let url = Zeroizing::new(url.replace("%kernel.project_dir%", &project));
    if url.contains("${") {
        bail!("{key} refers to other variables: write the whole URL");
    }
    let (url, user) = without_user(&url);
    let (scheme, rest) = url
        .split_once(':')
        .with_context(|| format!("{key} is not a URL"))?;
    // SQLAlchemy names the driver behind a plus.
    let scheme = match scheme.split('+').next().unwrap_or_default() {
        "sqlite" | "sqlite3" | "pdo-sqlite" | "spatialite" => {
            let path = rest.split('?').next().unwrap_or_default();
            // The first slash ends the host that there is none of: a path follows, which is
            // absolute with one more. Rails writes a path alone.
            let path = match path.strip_prefix("//") {
                Some(path) => path.strip_prefix('/').unwrap_or(path),
                None => path,
            };
            let url = format!("sqlite:{}", site_file::text(&directory.join(path))?);
            if table == "database" {
                page.string(table, &url, key);
            } else {
                page.table(table, key);
                page.string("url", &url, "the file");
            }
            return Ok(());
        }
        "mysql" | "mysql2" | "mysqli" | "mysqlgis" | "mariadb" | "pdo-mysql" => "mysql",
        "postgres" | "postgresql" | "pgsql" | "psql" | "postgis" | "pdo-pgsql" => "postgres",
        _ => bail!("{key} is of {scheme}; supported are SQLite, PostgreSQL, MySQL and MariaDB"),
    };
    let rest = rest
        .strip_prefix("//")
        .with_context(|| format!("{key} is not a URL"))?;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut kept = Vec::new();
    let mut schema = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split('=').next().unwrap_or_default() {
            // Prisma's.
            "schema" if scheme == "postgres" => {
                schema = pair.split_once('=').map(|(_, value)| value.to_owned());
            }
            "options" if scheme == "postgres" => kept.push(pair.to_owned()),
            "unix_socket" => kept.push(pair.replacen("unix_socket", "socket", 1)),
            "host" | "port" | "sslmode" | "sslrootcert" => kept.push(pair.to_owned()),
            option if HARMLESS.contains(&option) => {}
            option => page.warn(&format!(
                "{option} of {key} has no equivalent here, and is left out"
            )),
        }
    }
    let query = if kept.is_empty() {
        String::new()
    } else {
        format!("?{}", kept.join("&"))
    };
    server(page, table, scheme, &user, &format!("{place}{query}"), key);
    if let Some(schema) = schema.filter(|schema| !schema.is_empty()) {
        page.string("schema", &schema, "where its tables are");
    }
    Ok(())
}

/// `DB_CONNECTION` and its companions, as Laravel has them (config/database.php of 11).
fn from_parts(page: &mut Page, variables: &Variables, directory: &Path) -> anyhow::Result<()> {
    let text = |key: &str| {
        variables
            .get(key)
            .map(|text| text.as_str())
            .unwrap_or_default()
    };
    let scheme = match text("DB_CONNECTION") {
        "sqlite" => {
            let path = match text("DB_DATABASE") {
                "" => "database/database.sqlite",
                path => path,
            };
            let path = directory.join(path);
            let url = format!("sqlite:{}", site_file::text(&path)?);
            page.string("database", &url, "DB_DATABASE");
            return Ok(());
        }
        "mysql" | "mariadb" => "mysql",
        "pgsql" => "postgres",
        "" => bail!("the .env names neither DATABASE_URL, DB_URL nor DB_CONNECTION"),
        other => bail!("DB_CONNECTION is {other}; supported are sqlite, mysql, mariadb and pgsql"),
    };
    let user = User {
        name: Some(text("DB_USERNAME").to_owned()).filter(|name| !name.is_empty()),
        password: Some(Zeroizing::new(text("DB_PASSWORD").as_bytes().to_vec()))
            .filter(|password| !password.is_empty()),
    };
    let host = match text("DB_HOST") {
        "" => "127.0.0.1",
        host => host,
    };
    let port = match text("DB_PORT") {
        "" => String::new(),
        port => format!(":{port}"),
    };
    let mut place = format!("{host}{port}/{}", encode(text("DB_DATABASE")));
    if !text("DB_SOCKET").is_empty() && scheme == "mysql" {
        place.push_str(&format!("?socket={}", encode(text("DB_SOCKET"))));
    }
    server(
        page,
        "database",
        scheme,
        &user,
        &place,
        "DB_CONNECTION and its companions",
    );
    Ok(())
}

fn server(page: &mut Page, table: &str, scheme: &str, user: &User, place: &str, from: &str) {
    let name = user
        .name
        .as_deref()
        .map(|name| format!("{}@", encode(name)));
    page.table(table, from);
    let url = format!("{scheme}://{}{place}", name.unwrap_or_default());
    page.string("url", &url, "the server, the user and the database");
    if let Some(password) = &user.password {
        page.secret(
            "password",
            &format!("{table}_password"),
            password,
            "and its password",
        );
    }
}
