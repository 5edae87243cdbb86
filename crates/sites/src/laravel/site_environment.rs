//! Says what a site's `.env` means under the configuration that Laravel ships: config/session.php,
//! cache.php and database.php of laravel/laravel, 8.x to 12.x.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hallpass_settings::{Error, Table, percent_decode};
use hallpass_stores::cache::{self, Login, RedisServers, Store};
use hallpass_stores::sql::{self, Location};
use hallpass_stores::{Address, Secret, Tls, TlsMode};
use zeroize::Zeroizing;

use super::environment::{Environment, Variable};
use crate::site_file::{Kind, addresses, settings};

/// How long a cache may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A site's `.env`; an empty one where none is named.
#[derive(Debug, Default)]
pub(super) struct SiteEnvironment {
    variables: Environment,
    /// The directory of the site, where it is known.
    directory: Option<PathBuf>,
}

impl SiteEnvironment {
    /// Reads the file at `path`, which the key `environment` names.
    pub(super) fn read(table: &Table<'_>, path: Option<&str>) -> Result<Self, Error> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let path = table.beside(path);
        table.note_file(&path);
        let wrong = |error: &dyn std::fmt::Display| {
            let message = format!("cannot be read: {}: {error}", path.display());
            table.wrong("environment", &message)
        };
        let text = std::fs::read_to_string(&path).map(Zeroizing::new);
        let text = text.map_err(|error| wrong(&error).unread(&path))?;
        let variables = Environment::parse(&text)
            .map_err(|it| wrong(&format_args!("line {}: {}", it.line, it.reason)))?;
        Ok(Self {
            variables,
            directory: path.parent().map(Path::to_owned),
        })
    }

    #[cfg(feature = "init")]
    pub(super) fn of(variables: Environment, directory: PathBuf) -> Self {
        Self {
            variables,
            directory: Some(directory),
        }
    }

    pub(super) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.variables.text(name)
    }

    /// Whether PHP takes the variable for true.
    pub(super) fn truth(&self, name: &str) -> bool {
        match self.variables.get(name) {
            Some(Variable::Boolean(truth)) => truth,
            Some(Variable::Text(text)) => !matches!(text, "" | "0"),
            Some(Variable::Null) | None => false,
        }
    }

    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        self.text(name).map(Secret::new)
    }

    pub(super) fn previous_keys(&self) -> Vec<Secret> {
        let keys = self
            .text("APP_PREVIOUS_KEYS")
            .unwrap_or_default()
            .split(',');
        keys.filter(|key| !key.is_empty())
            .map(Secret::new)
            .collect()
    }

    /// `SESSION_LIFETIME`, in minutes.
    pub(super) fn lifetime(&self, table: &Table<'_>) -> Result<Option<u32>, Error> {
        let Some(text) = self.text("SESSION_LIFETIME") else {
            return Ok(None);
        };
        let minutes = text.trim().parse().map(Some);
        minutes.map_err(|_| {
            let message = "SESSION_LIFETIME is not a whole number; give `session_lifetime` here";
            table.wrong("environment", message)
        })
    }

    /// Whether a table of sessions is in the same database as the accounts.
    pub(super) fn is_in_its_database(&self) -> bool {
        let sessions = self.text("SESSION_CONNECTION");
        sessions.is_none() || sessions == self.text("DB_CONNECTION")
    }

    /// The words of `APP_NAME` with `_` between them; `None` where that needs tables of letters.
    fn slug(&self) -> Option<String> {
        slug(self.text("APP_NAME").unwrap_or("laravel"))
    }

    pub(super) fn session_cookie(&self) -> Option<String> {
        let given = self.text("SESSION_COOKIE").map(str::to_owned);
        given.or_else(|| Some(format!("{}_session", self.slug()?)))
    }

    pub(super) fn cache_prefix(&self) -> Option<String> {
        self.prefix("CACHE_PREFIX", "_cache_")
    }

    pub(super) fn redis_prefix(&self) -> Option<String> {
        self.prefix("REDIS_PREFIX", "_database_")
    }

    fn prefix(&self, name: &str, ending: &str) -> Option<String> {
        match self.variables.get(name) {
            Some(Variable::Text(text)) => Some(text.to_owned()),
            Some(Variable::Boolean(true)) => Some("1".to_owned()),
            Some(Variable::Boolean(false) | Variable::Null) => Some(String::new()),
            None => Some(format!("{}{ending}", self.slug()?)),
        }
    }

    /// The Redis that has the sessions: the connection `default`, unless `SESSION_CONNECTION` names
    /// `cache`.
    pub(super) fn redis(&self, table: &Table<'_>) -> Result<Option<cache::Settings>, Error> {
        if self.directory.is_none() || self.text("REDIS_URL").is_some() {
            return Ok(None);
        }
        let database = match self.text("SESSION_CONNECTION") {
            None | Some("default") => self.number(table, "REDIS_DB", 0)?,
            Some("cache") => self.number(table, "REDIS_CACHE_DB", 1)?,
            Some(_) => return Ok(None),
        };
        let host = self.text("REDIS_HOST").unwrap_or("127.0.0.1");
        let (host, mode) = match host.split_once("://") {
            Some(("tls" | "rediss", host)) => (host, TlsMode::VerifyFull),
            Some((_, host)) => (host, TlsMode::Disable),
            None => (host, TlsMode::Disable),
        };
        let address = self.address(table, host, "REDIS_PORT", 6379)?;
        let login = self.secret("REDIS_PASSWORD").map(|password| {
            Arc::new(Login {
                username: self.text("REDIS_USERNAME").map(str::to_owned),
                password,
            })
        });
        Ok(Some(cached(Store::Redis {
            servers: RedisServers::Replicated(vec![address]),
            login,
            database,
            tls: Tls {
                mode,
                ..Tls::default()
            },
        })))
    }

    pub(super) fn memcached(&self, table: &Table<'_>) -> Result<Option<cache::Settings>, Error> {
        if self.directory.is_none() {
            return Ok(None);
        }
        let host = self.text("MEMCACHED_HOST").unwrap_or("127.0.0.1");
        let address = self.address(table, host, "MEMCACHED_PORT", 11211)?;
        Ok(Some(cached(Store::Memcached(vec![address]))))
    }

    fn address(
        &self,
        table: &Table<'_>,
        host: &str,
        port: &str,
        usual: u32,
    ) -> Result<Address, Error> {
        if host.starts_with('/') {
            return Ok(Address::Unix(host.into()));
        }
        let number = self.number(table, port, usual)?;
        let number = u16::try_from(number).ok().filter(|number| *number > 0);
        let number = number
            .ok_or_else(|| table.wrong("environment", &format!("{port} is not from 1 to 65535")))?;
        Ok(Address::Tcp {
            host: host.to_owned(),
            port: number,
        })
    }

    fn number(&self, table: &Table<'_>, name: &str, usual: u32) -> Result<u32, Error> {
        let Some(text) = self.text(name) else {
            return Ok(usual);
        };
        text.trim()
            .parse()
            .map_err(|_| table.wrong("environment", &format!("{name} is not a whole number")))
    }

    /// The site's database.
    pub(super) fn database(&self, table: &Table<'_>) -> Result<sql::Settings, Error> {
        let Some(directory) = &self.directory else {
            return Ok(sql::Settings::new(Location::Nowhere));
        };
        let wrong = |message: &str| table.wrong("environment", message);
        // `DATABASE_URL` until 10.
        let url = self.text("DB_URL").or_else(|| self.text("DATABASE_URL"));
        let url = url.map(Url::parse).transpose().map_err(wrong)?;
        let url = url.unwrap_or_default();
        let driver = url.scheme.as_deref().or_else(|| self.text("DB_CONNECTION"));
        let kind = match driver.unwrap_or("sqlite") {
            "mysql" | "mysql2" | "mariadb" => Kind::Mysql,
            "pgsql" | "postgres" | "postgresql" => Kind::Postgres,
            "sqlite" | "sqlite3" => {
                let path = url.database.as_deref().or_else(|| self.text("DB_DATABASE"));
                let path = path.unwrap_or("database/database.sqlite");
                return Ok(sql::Settings::new(Location::Sqlite(directory.join(path))));
            }
            _ => {
                return Err(wrong(
                    "DB_CONNECTION is none of \"sqlite\", \"mysql\", \"mariadb\", \"pgsql\", which \
                     are read here; give `database`",
                ));
            }
        };
        let host = url.host.as_deref().or_else(|| self.text("DB_HOST"));
        let port = url.port.as_deref().or_else(|| self.text("DB_PORT"));
        let socket = self.text("DB_SOCKET").filter(|_| kind == Kind::Mysql);
        let addresses = addresses(kind, host.unwrap_or("127.0.0.1"), socket.or(port))
            .map_err(|message| wrong(&format!("DB_HOST or DB_PORT {message}")))?;
        let database = url.database.as_deref().or_else(|| self.text("DB_DATABASE"));
        let user = url.user.as_deref().or_else(|| self.text("DB_USERNAME"));
        let password = match &url.password {
            Some(password) => Some(Secret::new(password.as_str())),
            None => self.secret("DB_PASSWORD"),
        };
        Ok(settings(
            kind,
            addresses,
            database.unwrap_or("laravel").to_owned(),
            Some(user.unwrap_or("root").to_owned()),
            password,
        ))
    }
}

fn cached(store: Store) -> cache::Settings {
    cache::Settings {
        store,
        connect_timeout: TIMEOUT,
        query_timeout: TIMEOUT,
    }
}

/// The parts of a URL of a database (src/Illuminate/Support/ConfigurationUrlParser.php).
#[derive(Default)]
struct Url {
    scheme: Option<String>,
    user: Option<String>,
    password: Option<Zeroizing<String>>,
    host: Option<String>,
    port: Option<String>,
    database: Option<String>,
}

impl Url {
    fn parse(url: &str) -> Result<Self, &'static str> {
        const WRONG: &str = "the database's URL cannot be read; give `database`";
        let (scheme, rest) = url.split_once("://").ok_or(WRONG)?;
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (user, password) = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
            Some((user, password)) => (Some(user), Some(password)),
            None => (None, None),
        };
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (host, None),
        };
        let filled = |text: Option<&str>| -> Result<Option<String>, &'static str> {
            let Some(text) = text.filter(|text| !text.is_empty()) else {
                return Ok(None);
            };
            let bytes = percent_decode(text).ok_or(WRONG)?;
            String::from_utf8(bytes).map(Some).map_err(|_| WRONG)
        };
        Ok(Self {
            scheme: Some(scheme.to_ascii_lowercase()),
            user: filled(user)?,
            password: filled(password)?.map(Zeroizing::new),
            host: filled(Some(host))?,
            port: filled(port)?,
            database: filled(Some(path))?,
        })
    }
}

/// `Str::slug($name, '_')` of a name in ASCII.
fn slug(name: &str) -> Option<String> {
    slug_with(name, '_')
}

/// `Str::slug($name, $separator)` of a name in ASCII.
pub(super) fn slug_with(name: &str, separator: char) -> Option<String> {
    if !name.is_ascii() {
        return None;
    }
    let mut slug = String::new();
    let other = if separator == '-' { '_' } else { '-' };
    let at = format!("{separator}at{separator}");
    let name = name
        .replace(other, &separator.to_string())
        .replace('@', &at)
        .to_ascii_lowercase();
    for letter in name.chars() {
        match letter {
            'a'..='z' | '0'..='9' => slug.push(letter),
            // Several become one, and none stands at an end.
            letter if letter == separator => part(&mut slug, separator),
            ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' => part(&mut slug, separator),
            _ => {}
        }
    }
    slug.truncate(slug.trim_end_matches(separator).len());
    Some(slug)
}

/// Several separators become one, and none stands at an end.
fn part(slug: &mut String, separator: char) {
    if !slug.is_empty() && !slug.ends_with(separator) {
        slug.push(separator);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `Str::slug` of laravel/framework 8.83 made these.
    #[test]
    fn names_become_slugs() {
        for (name, expected) in [
            ("Laravel", "laravel"),
            ("My Shop", "my_shop"),
            ("My-Shop 2", "my_shop_2"),
            ("  a  b__c - d ", "a_b_c_d"),
            ("O'Brien & Sons", "obrien_sons"),
            ("me@home", "me_at_home"),
            ("shop.example.org", "shopexampleorg"),
            ("", ""),
        ] {
            assert_eq!(slug(name).as_deref(), Some(expected), "{name}");
        }
        // These need tables of letters.
        assert_eq!(slug("O'Brien & Söhne"), None);
    }
}
