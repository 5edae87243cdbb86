//! Which database, and how to reach it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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
    /// How many connections a program that answers many at a time may have; `None` leaves it to
    /// the program.
    pub pool: Option<usize>,
}

impl Settings {
    /// The database at `location`, and for all else what is usual.
    #[must_use]
    pub fn new(location: Location) -> Self {
        Self {
            location,
            tls: Tls::default(),
            connect_timeout: Duration::from_secs(2),
            query_timeout: Duration::from_secs(2),
            pool: None,
        }
    }
}

/// Where a database is.
#[derive(Clone, Debug)]
pub enum Location {
    /// There is no database. Whatever is asked of it is unavailable.
    Nowhere,
    /// A file of SQLite 3, opened for reading alone.
    Sqlite(PathBuf),
    /// PostgreSQL 10 or later.
    Postgres(Servers),
    /// MySQL 5.6 or later, or MariaDB 10.0 or later.
    Mysql(Servers),
}

/// The servers that have a database, and who asks them.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Where they are. The first that answers is asked. PostgreSQL's sockets are files such as
    /// `/run/postgresql/.s.PGSQL.5432`.
    pub addresses: Vec<Address>,
    /// The database's name.
    pub database: String,
    /// The name to log in with; `None` for that of the operating system's user.
    pub user: Option<String>,
    /// The password to log in with, where the server asks for one.
    pub password: Option<Arc<Secret>>,
}
