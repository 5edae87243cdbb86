//! Describes which database is read, and how it is reached.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::names::identifier;
use crate::{Address, Secret, Tls};

/// Which database, and how to reach it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the database is.
    pub location: Location,
    /// How connections to a server are protected. Unix sockets need no protection and have none.
    pub tls: Tls,
    /// The longest that connecting to one server may take.
    pub connect_timeout: Duration,
    /// The longest that one query may take.
    pub query_timeout: Duration,
    /// How far behind its primary a replica may be to be asked; `None` where that does not matter.
    pub max_lag: Option<Duration>,
    /// How many connections a program that answers many at a time may have; `None` leaves it to
    /// the program.
    pub pool: Option<usize>,
    /// The database that has the sessions, where that is another.
    pub sessions: Option<Box<Settings>>,
}

impl Settings {
    /// The settings of each server alone, those with sessions included, so that each can be tested;
    /// a file is one.
    #[must_use]
    pub fn one_by_one(&self) -> Vec<Self> {
        let only = |servers: &Servers, place: &Address| Servers {
            addresses: vec![place.clone()],
            ..servers.clone()
        };
        let each = |servers: &Servers, location: fn(Servers) -> Location| {
            let settings = |place| Self {
                location: location(only(servers, place)),
                sessions: None,
                ..self.clone()
            };
            servers.addresses.iter().map(settings).collect()
        };
        let mut all: Vec<Self> = match &self.location {
            Location::Nowhere => Vec::new(),
            Location::Sqlite(_) => vec![Self {
                sessions: None,
                ..self.clone()
            }],
            Location::Postgres(servers) => each(servers, Location::Postgres),
            Location::Mysql(servers) => each(servers, Location::Mysql),
        };
        let sessions = self.sessions.iter();
        all.extend(sessions.flat_map(|sessions| sessions.one_by_one()));
        all
    }

    /// The database at `location`, with the defaults for all else.
    #[must_use]
    pub fn new(location: Location) -> Self {
        Self {
            location,
            tls: Tls::default(),
            connect_timeout: Duration::from_secs(2),
            query_timeout: Duration::from_secs(2),
            max_lag: None,
            pool: None,
            sessions: None,
        }
    }
}

/// Where a database is.
#[derive(Clone, Debug)]
pub enum Location {
    /// No database. Every query is unavailable.
    Nowhere,
    /// A file of SQLite 3, opened for reading alone.
    Sqlite(PathBuf),
    /// PostgreSQL 10 or later.
    Postgres(Servers),
    /// MySQL 5.6 or later, or MariaDB 10.0 or later.
    Mysql(Servers),
}

impl std::fmt::Display for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, servers) = match self {
            Self::Nowhere => return formatter.write_str("no database"),
            Self::Sqlite(path) => return write!(formatter, "SQLite, {}", path.display()),
            Self::Postgres(servers) => ("PostgreSQL", servers),
            Self::Mysql(servers) => ("MySQL", servers),
        };
        let places: Vec<String> = servers.addresses.iter().map(Address::to_string).collect();
        write!(
            formatter,
            "{kind} at {}, {}",
            places.join(" or "),
            servers.database
        )
    }
}

/// The servers that have a database, and the login.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Where they are. The first that answers is asked. PostgreSQL's sockets are files such as
    /// `/run/postgresql/.s.PGSQL.5432`.
    pub addresses: Vec<Address>,
    /// The database's name.
    pub database: String,
    /// PostgreSQL's schemas in which tables are looked for, in this order: `search_path`. Empty for
    /// the role's own.
    pub search_path: Vec<String>,
    /// The name to log in with; `None` for that of the operating system's user.
    pub user: Option<String>,
    /// The password to log in with, where the server asks for one.
    pub password: Option<Arc<Secret>>,
}

impl Servers {
    /// `search_path` as SQL has it: identifiers with commas between. `None` for the role's own.
    pub(super) fn quoted_search_path(&self) -> Option<String> {
        let schemas = self.search_path.iter();
        let schemas: Vec<String> = schemas.filter_map(|name| identifier(name)).collect();
        (!schemas.is_empty()).then(|| schemas.join(", "))
    }
}
