//! What a site's own PHP file says, and what the configuration says in its place.

use std::path::{Path, PathBuf};

use hallpass_php_literals::{Literal, Literals};
use hallpass_stores::sql::{Location, Servers, Settings};
use hallpass_stores::{Address, Secret};
use toml::de::DeValue;

use super::Error;
use super::secret::beside;
use super::section::Section;

/// Where Debian's MySQL and MariaDB have their socket, and so what PHP means by `localhost`.
const MYSQL_SOCKET: &str = "/run/mysqld/mysqld.sock";
/// Where Debian's PostgreSQL has its own.
const POSTGRES_SOCKET: &str = "/run/postgresql/.s.PGSQL.5432";
/// The longest prefix of table names.
const LONGEST_PREFIX: usize = 64;

/// The settings of a site: each stands in the configuration, or else in the site's own file under
/// the same name.
pub(super) struct SiteFile<'document> {
    pub(super) section: Section<'document>,
    file: Option<(PathBuf, Literals)>,
    /// The class whose properties the settings are; variables where there is none.
    class: Option<&'static str>,
}

impl<'document> SiteFile<'document> {
    /// Reads the file that the key `configuration` names, where it names one.
    pub(super) fn read(
        mut section: Section<'document>,
        class: Option<&'static str>,
    ) -> Result<Self, Error> {
        let file = match section.string("configuration")? {
            None => None,
            Some(path) => {
                let path = beside(section.path(), &path);
                let wrong = |message: String| {
                    section.wrong("configuration", &format!("cannot be read: {message}"))
                };
                let source = std::fs::read(&path)
                    .map(zeroize::Zeroizing::new)
                    .map_err(|error| wrong(format!("{}: {error}", path.display())))?;
                let literals = hallpass_php_literals::read(&source)
                    .map_err(|error| wrong(format!("{}: {error}", path.display())))?;
                Some((path, literals))
            }
        };
        Ok(Self {
            section,
            file,
            class,
        })
    }

    /// The directory that the site's own file is in.
    pub(super) fn directory(&self) -> &Path {
        let path = match &self.file {
            Some((path, _)) => path,
            None => self.section.path(),
        };
        path.parent().unwrap_or(Path::new(""))
    }

    fn literal(&self, key: &str) -> Result<Option<&Literal>, Error> {
        let Some((path, literals)) = &self.file else {
            return Ok(None);
        };
        let found = match self.class {
            Some(class) => literals.property(class, key),
            None => literals.variable(key),
        };
        found.map_err(|error| {
            let path = path.display();
            let message = format!("{path}: `${key}`: {error}; give `{key}` here");
            self.section.wrong("configuration", &message)
        })
    }

    /// The text of the setting `key`, numbers and booleans written as PHP writes them.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, Error> {
        let given = match self.section.value(key) {
            None => None,
            Some(DeValue::String(text)) => Some(text.as_ref().to_owned()),
            Some(DeValue::Integer(_)) => {
                let number = self.section.integer(key, 0..u64::from(u32::MAX))?;
                number.map(|number| number.to_string())
            }
            Some(DeValue::Boolean(boolean)) => Some(if *boolean { "1" } else { "" }.to_owned()),
            Some(_) => return Err(self.section.wrong(key, "is not a string")),
        };
        if given.is_some() {
            return Ok(given);
        }
        let text = match self.literal(key)? {
            None => return Ok(None),
            Some(Literal::Text(bytes)) => String::from_utf8(bytes.to_vec()).ok(),
            Some(Literal::Integer(number)) => Some(number.to_string()),
            Some(Literal::Boolean(true)) => Some("1".to_owned()),
            Some(Literal::Boolean(false) | Literal::Null) => Some(String::new()),
            Some(Literal::Float(_) | Literal::Array(_)) => None,
        };
        text.map(Some).ok_or_else(|| {
            self.section
                .wrong(key, "is not text in the site's own file")
        })
    }

    /// The text of the setting `key`, where it is not empty.
    pub(super) fn filled(&mut self, key: &'static str) -> Result<Option<String>, Error> {
        Ok(self.text(key)?.filter(|text| !text.is_empty()))
    }

    pub(super) fn required(&mut self, key: &'static str) -> Result<String, Error> {
        self.filled(key)?.ok_or_else(|| {
            let message = "is missing; it stands in the site's own file, which `configuration` \
                           names";
            self.section.wrong(key, message)
        })
    }

    /// The secret `key`, where it is not empty.
    pub(super) fn secret(&mut self, key: &'static str) -> Result<Option<Secret>, Error> {
        if let Some(secret) = self.section.secret(key)? {
            return Ok(Some(secret));
        }
        Ok(match self.literal(key)? {
            Some(Literal::Text(bytes)) if !bytes.is_empty() => Some(Secret::new(bytes.as_slice())),
            Some(Literal::Integer(number)) => Some(Secret::new(number.to_string())),
            _ => None,
        })
    }

    /// A whole number, which may be written as text.
    pub(super) fn number(&mut self, key: &'static str) -> Result<Option<u32>, Error> {
        let Some(text) = self.filled(key)? else {
            return Ok(None);
        };
        let number = text.trim().parse().ok();
        number
            .map(Some)
            .ok_or_else(|| self.section.wrong(key, "is not a whole number"))
    }

    /// What PHP takes for true.
    pub(super) fn truth(&mut self, key: &'static str) -> Result<Option<bool>, Error> {
        let text = self.text(key)?;
        Ok(text.map(|text| !text.is_empty() && text != "0"))
    }

    /// The prefix of the site's tables.
    pub(super) fn prefix(&mut self, key: &'static str) -> Result<String, Error> {
        let prefix = match self.text(key)? {
            Some(prefix) => prefix,
            // It may be empty, but it may not be forgotten.
            None => self.required(key)?,
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if prefix.len() > LONGEST_PREFIX || !prefix.bytes().all(plain) {
            let message = "may hold letters, digits and `_` alone, 64 at most";
            return Err(self.section.wrong(key, message));
        }
        Ok(prefix)
    }

    pub(super) fn finish(self) -> Result<(), Error> {
        self.section.finish()
    }
}

/// Which database a PHP driver speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Mysql,
    Postgres,
}

/// Where a PHP driver looks for a server: `host` by name or address, with `port`, which may be the
/// path of a socket. What PHP calls `localhost` is a socket first of all.
///
/// # Errors
/// What is wrong, to follow the key.
pub(super) fn addresses(
    kind: Kind,
    host: &str,
    port: Option<&str>,
) -> Result<Vec<Address>, &'static str> {
    let (usual, socket) = match kind {
        Kind::Mysql => (3306, MYSQL_SOCKET),
        Kind::Postgres => (5432, POSTGRES_SOCKET),
    };
    let port = port.map(str::trim).filter(|port| !port.is_empty());
    if let Some(port) = port
        && port.starts_with('/')
    {
        return Ok(vec![Address::Unix(port.into())]);
    }
    let number = match port {
        None => usual,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or("has a port that is neither from 1 to 65535 nor the path of a socket")?,
    };
    let host = host.strip_prefix("p:").unwrap_or(host);
    if host.starts_with('/') {
        return Ok(vec![Address::Unix(match kind {
            Kind::Mysql => host.into(),
            Kind::Postgres => Path::new(host).join(format!(".s.PGSQL.{number}")),
        })]);
    }
    let named = match host {
        "" => "localhost",
        host => host.trim_matches(['[', ']']),
    };
    let server = Address::Tcp {
        host: named.to_owned(),
        port: number,
    };
    Ok(match port {
        None if named == "localhost" => vec![Address::Unix(socket.into()), server],
        _ => vec![server],
    })
}

/// The database called `database` at `addresses`.
pub(super) fn settings(
    kind: Kind,
    addresses: Vec<Address>,
    database: String,
    user: Option<String>,
    password: Option<Secret>,
) -> Settings {
    let servers = Servers {
        addresses,
        database,
        user,
        password: password.map(Into::into),
    };
    Settings::new(match kind {
        Kind::Mysql => Location::Mysql(servers),
        Kind::Postgres => Location::Postgres(servers),
    })
}
