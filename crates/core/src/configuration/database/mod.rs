//! `database`: where the site's tables are.

mod server;
mod url;

use hallpass_stores::TlsMode;
use hallpass_stores::sql::{Location, Settings};
use toml::de::DeValue;

use super::Error;
use super::secret::beside;
use super::section::Section;
use super::values::Most;

/// The most connections that a program may have.
const MOST_CONNECTIONS: u64 = 10_000;

/// Reads the key `database`: a URL, or a table with the URL and more. Without it there is none.
pub(super) fn read(top: &mut Section<'_>) -> Result<Settings, Error> {
    match top.value("database") {
        None => Ok(Settings::new(Location::Nowhere)),
        Some(DeValue::String(url)) => settings(top, "database", url.as_ref()),
        Some(DeValue::Table(table)) => {
            let mut section = top.table_of("database", Some(table));
            let url = section.required_string("url")?;
            let mut settings = settings(&section, "url", &url)?;
            add(&mut section, &mut settings)?;
            section.finish()?;
            Ok(settings)
        }
        Some(_) => Err(top.wrong("database", "is neither a URL nor a table with one")),
    }
}

/// What the URL says that is the value of `key`.
fn settings(section: &Section<'_>, key: &str, url: &str) -> Result<Settings, Error> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(section.wrong(key, "is not a URL, as in \"sqlite:/srv/site/db.sqlite3\""));
    };
    match scheme {
        "sqlite" | "sqlite3" => {
            // `sqlite:relative`, `sqlite:/absolute` and, as dj-database-url writes it,
            // `sqlite:///absolute`.
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() {
                return Err(section.wrong(key, "names no file, as in \"sqlite:/srv/db.sqlite3\""));
            }
            let path = beside(section.path(), path);
            Ok(Settings::new(Location::Sqlite(path)))
        }
        "postgres" | "postgresql" | "mysql" | "mariadb" => {
            let wrong = |message: String| section.wrong(key, &message);
            let settings = if scheme.starts_with("postgres") {
                server::postgres(rest, section.path()).map_err(wrong)?
            } else {
                server::mysql(rest, section.path()).map_err(wrong)?
            };
            if has_password(&settings) {
                section.warn_of_secret(key);
            }
            Ok(settings)
        }
        _ => Err(section.wrong(
            key,
            "starts with none of sqlite:, postgres:, mysql:, mariadb:",
        )),
    }
}

fn has_password(settings: &Settings) -> bool {
    match &settings.location {
        Location::Nowhere | Location::Sqlite(_) => false,
        Location::Postgres(servers) | Location::Mysql(servers) => servers.password.is_some(),
    }
}

/// What stands in the table beside the URL.
fn add(section: &mut Section<'_>, settings: &mut Settings) -> Result<(), Error> {
    let password = section.secret("password")?;
    let (tls, ca) = (section.string("tls")?, section.string("ca")?);
    let connect_timeout = section.duration("connect_timeout", Most::Wait)?;
    if let Some(timeout) = section.duration("query_timeout", Most::Wait)? {
        if timeout.is_zero() {
            return Err(section.wrong("query_timeout", "leaves no time"));
        }
        settings.query_timeout = timeout;
    }
    if let Some(pool) = section.integer("pool", 1..MOST_CONNECTIONS + 1)? {
        settings.pool = usize::try_from(pool).ok();
    }
    let servers = match &mut settings.location {
        Location::Postgres(servers) | Location::Mysql(servers) => servers,
        Location::Nowhere => return Ok(()),
        Location::Sqlite(_) => {
            for (key, given) in [
                ("password", password.is_some()),
                ("tls", tls.is_some()),
                ("ca", ca.is_some()),
                ("connect_timeout", connect_timeout.is_some()),
            ] {
                if given {
                    return Err(section.wrong(key, "means nothing to SQLite, which has no server"));
                }
            }
            return Ok(());
        }
    };
    if let Some(password) = password {
        if servers.password.is_some() {
            return Err(section.wrong("password", "is given here and in the URL; give it once"));
        }
        servers.password = Some(password.into());
    }
    if let Some(tls) = tls {
        let Some(mode) = mode(&tls) else {
            let modes = "is none of \"disable\", \"prefer\", \"require\", \"verify-full\"";
            return Err(section.wrong("tls", modes));
        };
        settings.tls.mode = mode;
    }
    if let Some(ca) = ca {
        if settings.tls.mode == TlsMode::Disable {
            return Err(section.wrong("ca", "is for TLS, which `tls` switches off"));
        }
        settings.tls.ca = Some(beside(section.path(), &ca));
    }
    if let Some(timeout) = connect_timeout {
        if timeout.is_zero() {
            return Err(section.wrong("connect_timeout", "leaves no time"));
        }
        settings.connect_timeout = timeout;
    }
    Ok(())
}

fn mode(word: &str) -> Option<TlsMode> {
    Some(match word {
        "disable" => TlsMode::Disable,
        "prefer" => TlsMode::Prefer,
        "require" => TlsMode::Require,
        "verify-full" => TlsMode::VerifyFull,
        _ => return None,
    })
}
