//! `[phpbb]`: what the board's `config.php` says, under the same names.

use hallpass_stores::sql::{Location, Settings};

use super::Error;
use super::http::is_token;
use super::section::Section;
use super::site_file::{self, Kind, SiteFile};

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
    /// Reads the section; the board's database is what comes with it, unless one is `given`.
    pub(super) fn read(
        section: Section<'_>,
        given: Option<Settings>,
    ) -> Result<(Self, Settings), Error> {
        let mut file = SiteFile::read(section, None)?;
        let database = database(&mut file)?;
        let database = match given {
            Some(given) => given,
            None => database?,
        };
        let cookie_name = file.section.string("cookie_name")?;
        if let Some(name) = &cookie_name
            && !is_token(name)
        {
            let message = "no cookie can be called that";
            return Err(file.section.wrong("cookie_name", message));
        }
        let ip_check = file.section.integer("ip_check", 0..9)?;
        let phpbb = Self {
            prefix: file.prefix("table_prefix")?,
            cookie_name,
            ip_check: ip_check.and_then(|parts| parts.try_into().ok()),
            browser_check: file.section.boolean("browser_check")?,
            forwarded_for_check: file.section.boolean("forwarded_for_check")?,
        };
        file.finish()?;
        Ok((phpbb, database))
    }
}

/// What the file says about the database; why it cannot be used, where another is given, does not
/// matter.
fn database(file: &mut SiteFile<'_>) -> Result<Result<Settings, Error>, Error> {
    let dbms = file.filled("dbms")?;
    let host = file.text("dbhost")?.unwrap_or_default();
    let port = file.filled("dbport")?;
    let (name, user) = (file.filled("dbname")?, file.filled("dbuser")?);
    let password = file.secret("dbpasswd")?;
    let missing = |file: &SiteFile<'_>, key| {
        let message = "is missing; it stands in the board's config.php, which `configuration` \
                       names";
        file.section.wrong(key, message)
    };
    // A class since 3.1, a word before.
    let driver = dbms
        .as_deref()
        .map(|dbms| dbms.rsplit('\\').next().unwrap_or(dbms));
    let kind = match driver {
        Some("mysqli" | "mysql" | "mysql4") => Kind::Mysql,
        Some("postgres") => Kind::Postgres,
        Some("sqlite3") if !host.is_empty() => {
            let path = file.directory().join(&host);
            return Ok(Ok(Settings::new(Location::Sqlite(path))));
        }
        Some("sqlite3") => return Ok(Err(missing(file, "dbhost"))),
        None => return Ok(Err(missing(file, "dbms"))),
        Some(_) => {
            let message = "is none of mysqli, postgres and sqlite3, which are read here";
            return Ok(Err(file.section.wrong("dbms", message)));
        }
    };
    let Some(name) = name else {
        return Ok(Err(missing(file, "dbname")));
    };
    // PostgreSQL's driver takes a port in the host, too.
    let (host, port) = match (kind, host.split_once(':'), &port) {
        (Kind::Postgres, Some((host, port)), None) if !port.contains(':') => {
            (host.to_owned(), Some(port.to_owned()))
        }
        _ => (host, port),
    };
    Ok(match site_file::addresses(kind, &host, port.as_deref()) {
        Ok(addresses) => Ok(site_file::settings(kind, addresses, name, user, password)),
        Err(message) => Err(file.section.wrong("dbport", message)),
    })
}
