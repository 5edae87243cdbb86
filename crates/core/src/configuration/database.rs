//! `database`: where the site's tables are.

use std::time::Duration;

use hallpass_stores::sql::{Location, Settings};
use toml::de::DeValue;

use super::Error;
use super::secret::beside;
use super::section::Section;

/// Reads the key `database`: a URL, or a table with the URL and more.
pub(super) fn read(top: &mut Section<'_>) -> Result<Settings, Error> {
    let mut settings = Settings {
        location: Location::Sqlite(Default::default()),
        query_timeout: Duration::from_secs(2),
    };
    match top.value("database") {
        None => return Err(top.wrong("database", "is missing")),
        Some(DeValue::String(url)) => {
            settings.location = location(top, "database", url.as_ref())?;
        }
        Some(DeValue::Table(table)) => {
            let mut section = top.table_of("database", Some(table));
            let url = section.required_string("url")?;
            settings.location = location(&section, "url", &url)?;
            if let Some(timeout) = section.duration("query_timeout")? {
                settings.query_timeout = timeout;
            }
            section.finish()?;
        }
        Some(_) => return Err(top.wrong("database", "is neither a URL nor a table with one")),
    }
    Ok(settings)
}

fn location(section: &Section<'_>, key: &str, url: &str) -> Result<Location, Error> {
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
            Ok(Location::Sqlite(beside(section.path(), path)))
        }
        "postgres" | "postgresql" | "mysql" | "mariadb" => {
            Err(section.wrong(key, "this version reads \"sqlite:\" databases alone"))
        }
        _ => Err(section.wrong(
            key,
            "starts with none of sqlite:, postgres:, mysql:, mariadb:",
        )),
    }
}
