//! Reads a site's own PHP file, and the settings of the configuration that may replace it: secrets,
//! numbers, prefixes, addresses of servers.

use std::path::{Path, PathBuf};

use hallpass_php_literals::{Literal, Literals, NotLiteral};
use hallpass_settings::{Error, Fallback, Given, LooseText, SecretSource, Table};
use hallpass_stores::sql::{Location, Servers, Settings};
use hallpass_stores::{Address, Secret};
use zeroize::Zeroizing;

/// Where Debian's MySQL and MariaDB have their socket, and so what PHP means by `localhost`.
const MYSQL_SOCKET: &str = "/run/mysqld/mysqld.sock";
/// Where Debian's PostgreSQL has its own.
const POSTGRES_SOCKET: &str = "/run/postgresql/.s.PGSQL.5432";
/// The longest prefix of table names.
const LONGEST_PREFIX: usize = 64;

/// A site's own file, whose settings count where the configuration has none of the same name.
pub struct SiteFile<'a> {
    table: &'a Table<'a>,
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub(crate) literals: Literals,
    names: Names,
}

/// What the settings of a file are.
#[derive(Clone, Copy)]
pub(crate) enum Names {
    /// Variables.
    Variables,
    /// Properties of a class.
    Properties(&'static str),
    /// Constants in capitals, but for some variables.
    Constants {
        /// Those that are variables.
        variables: &'static [&'static str],
        /// Those that count as not given where the file does not give them in a literal.
        optional: &'static [&'static str],
    },
    /// Elements of arrays in variables; no others are read.
    Elements(&'static [Element]),
}

/// The key of a setting, and the variable and its keys that lead to it in the site's own file.
pub(crate) type Element = (&'static str, &'static str, &'static [&'static str]);

impl<'a> SiteFile<'a> {
    /// Reads the file at `path`, which the key `configuration` names.
    pub(crate) fn read(
        table: &'a Table<'a>,
        path: &str,
        class: Option<&'static str>,
    ) -> Result<Self, Error> {
        let path = table.beside(path);
        table.note_file(&path);
        let wrong = |error: &dyn std::fmt::Display| {
            let message = format!("cannot be read: {}: {error}", path.display());
            table.wrong("configuration", &message)
        };
        let source = std::fs::read(&path).map(Zeroizing::new);
        let source = source.map_err(|error| wrong(&error).unread(&path))?;
        let literals = hallpass_php_literals::read(&source).map_err(|error| wrong(&error))?;
        Ok(Self {
            table,
            path,
            literals,
            names: class.map_or(Names::Variables, Names::Properties),
        })
    }

    /// The file at `path`, which says `literals` by these `names`.
    pub(crate) fn of(
        table: &'a Table<'a>,
        path: PathBuf,
        literals: Literals,
        names: Names,
    ) -> Self {
        Self {
            table,
            path,
            literals,
            names,
        }
    }

    /// What it says of `key`.
    pub(crate) fn find(&self, key: &str) -> Result<Option<&Literal>, NotLiteral> {
        match self.names {
            Names::Variables => self.literals.variable(key),
            Names::Properties(class) => self.literals.property(class, key),
            Names::Constants { variables, .. } if variables.contains(&key) => {
                self.literals.variable(key)
            }
            Names::Constants { .. } => self.literals.constant(&key.to_ascii_uppercase()),
            Names::Elements(elements) => match element(elements, key) {
                Some((_, variable, keys)) => self.literals.element(variable, keys),
                None => Ok(None),
            },
        }
    }

    /// The value at the key `key`.
    pub(crate) fn literal(&self, key: &str) -> Result<Option<&Literal>, Error> {
        self.find(key).map_err(|error| {
            let (path, called) = (self.path.display(), self.called(key));
            let message = format!("{path}: `{called}`: {error}; give `{key}` here");
            self.table.wrong("configuration", &message)
        })
    }

    /// What `key` is called in it.
    fn called(&self, key: &str) -> String {
        match self.names {
            Names::Constants { variables, .. } if !variables.contains(&key) => {
                key.to_ascii_uppercase()
            }
            Names::Elements(elements) => match element(elements, key) {
                Some((_, variable, keys)) => {
                    let keys = keys.iter().map(|key| format!("['{key}']"));
                    format!("${variable}{}", keys.collect::<String>())
                }
                None => format!("${key}"),
            },
            _ => format!("${key}"),
        }
    }
}

fn element(elements: &'static [Element], key: &str) -> Option<&'static Element> {
    elements.iter().find(|(name, ..)| *name == key)
}

impl Fallback for SiteFile<'_> {
    fn get(&self, key: &str) -> Result<Option<Given>, Error> {
        let found = match self.names {
            Names::Constants { optional, .. } if optional.contains(&key) => {
                self.find(key).unwrap_or_default()
            }
            _ => self.literal(key)?,
        };
        // As PHP makes text of them.
        let text: Vec<u8> = match found {
            None => return Ok(None),
            Some(Literal::Text(bytes)) => bytes.to_vec(),
            Some(Literal::Integer(number)) => number.to_string().into(),
            Some(Literal::Boolean(true)) => b"1".into(),
            Some(Literal::Boolean(false) | Literal::Null) => Vec::new(),
            Some(Literal::Float(_) | Literal::Array(_)) => return Ok(Some(Given::Other)),
        };
        Ok(Some(Given::Text(Zeroizing::new(text))))
    }
}

/// The secret that stands at `key` of `table`; `None` where there is none.
///
/// # Errors
/// [`Error`] when the file or the variable that it is in cannot be read.
pub fn secret(
    table: &Table<'_>,
    key: &str,
    source: Option<SecretSource>,
) -> Result<Option<Secret>, Error> {
    let Some(source) = source else {
        return Ok(None);
    };
    let bytes = table.secret(key, source)?;
    Ok(bytes.map(|mut bytes| Secret::new(std::mem::take(&mut *bytes))))
}

/// The database at the top, where there is one: it replaces what the site's own file says.
pub(crate) fn given(database: &Settings) -> Option<Settings> {
    let nowhere = matches!(database.location, Location::Nowhere);
    (!nowhere).then(|| database.clone())
}

/// The directory that the site's own file is in; the configuration's where there is none.
pub(crate) fn directory(table: &Table<'_>, file: Option<&str>) -> PathBuf {
    let path = file.map_or(table.path().to_owned(), |file| table.beside(file));
    path.parent().unwrap_or(Path::new("")).to_owned()
}

/// The text, where it is not empty.
pub(crate) fn filled(text: &Option<LooseText>) -> Option<&str> {
    text.as_ref().and_then(LooseText::filled)
}

/// A whole number, which may be written as text.
pub(crate) fn number(
    table: &Table<'_>,
    key: &str,
    text: &Option<LooseText>,
) -> Result<Option<u32>, Error> {
    let Some(text) = filled(text) else {
        return Ok(None);
    };
    let number = text.trim().parse().map(Some);
    number.map_err(|_| table.wrong(key, "is not a whole number"))
}

/// The prefix of the site's tables. It may be empty, but it may not be forgotten.
pub(crate) fn prefix(
    table: &Table<'_>,
    key: &str,
    text: &Option<LooseText>,
) -> Result<String, Error> {
    let Some(prefix) = text.as_ref().map(LooseText::as_str) else {
        let message = "is missing; it stands in the site's own file, which `configuration` names";
        return Err(table.wrong(key, message));
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if prefix.len() > LONGEST_PREFIX || !prefix.bytes().all(plain) {
        let message = "must consist of at most 64 letters, digits and `_`";
        return Err(table.wrong(key, message));
    }
    Ok(prefix.to_owned())
}

/// Which database a PHP driver speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Mysql,
    Postgres,
}

/// Where a PHP driver looks for a server: `host` by name or address, with `port`, which may be the
/// path of a socket. What PHP calls `localhost` is a socket first of all.
///
/// # Errors
/// What is wrong, to follow the key.
pub(crate) fn addresses(
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
        // libpq's socket has the port in its name.
        Some(_) if named == "localhost" && kind == Kind::Postgres => {
            let socket = Path::new(socket).with_extension(number.to_string());
            vec![Address::Unix(socket), server]
        }
        _ => vec![server],
    })
}

/// The database called `database` at `addresses`.
pub(crate) fn settings(
    kind: Kind,
    addresses: Vec<Address>,
    database: String,
    user: Option<String>,
    password: Option<Secret>,
) -> Settings {
    let servers = Servers {
        addresses,
        database,
        search_path: Vec::new(),
        user,
        password: password.map(Into::into),
    };
    Settings::new(match kind {
        Kind::Mysql => Location::Mysql(servers),
        Kind::Postgres => Location::Postgres(servers),
    })
}
