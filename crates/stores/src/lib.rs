//! Reads what a site keeps: its databases, caches, files and pages.
//!
//! Every call blocks, until a [`Deadline`] at the latest; takes no more than a limit into memory;
//! and only reads, but for [`sql::change`] and [`cache::Counters`]. What cannot be read is [`Unavailable`] with its cause
//! and what to do about it, and never an empty answer.
//!
//! | What | Where |
//! |---|---|
//! | SQLite, PostgreSQL, MySQL and MariaDB | [`sql`] |
//! | Redis and memcached | [`cache`] |
//! | Sessions in files | [`Files`] |
//! | The site's own page, by HTTP | [`http`] |
//! | Servers, and how connections to them are protected | [`Address`], [`Tls`] |
//! | Passwords and keys | [`Secret`] |
//! | What is read, told to the operator | [`Tracer`] |
//!
//! ```
//! use std::time::Duration;
//!
//! use hallpass_stores::Deadline;
//! use hallpass_stores::sql::{Database, Location, Settings};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("site.db");
//! # rusqlite::Connection::open(&path)?.execute_batch(
//! #     "CREATE TABLE auth_user (username TEXT, is_active BOOL);
//! #      INSERT INTO auth_user VALUES ('alice', TRUE)",
//! # )?;
//! let mut database = Database::new(&Settings::new(Location::Sqlite(path)));
//! let deadline = Deadline::after(Duration::from_secs(2));
//! let mut rows = database.ask(deadline, |queries| {
//!     let statement = "SELECT is_active FROM auth_user WHERE username = :name";
//!     queries.rows(statement, &[(":name", "alice".into())], 2)
//! })?;
//! assert!(rows.pop().is_some_and(|mut row| row.truth(0)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
// The example of the README is a test, too.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

mod address;
mod backoff;
pub mod cache;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod http;
pub mod sql;
mod stream;
mod tls;
mod tracer;

use std::time::{Duration, Instant};

use zeroize::Zeroizing;

pub use self::address::Address;
pub use self::files::{File, Files};
pub use self::stream::connect_unix;
pub use self::tls::{Tls, TlsMode};
pub use self::tracer::{Trace, TraceEvent, Tracer};

/// A store could not be read. It is never a "no": nothing is known about the account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    message: String,
    too_long: bool,
    cause: Cause,
}

/// Why a store could not be read, where each reason has a fix of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Any other, which the message explains.
    #[default]
    Other,
    /// No server answers at the address.
    Away,
    /// The server refuses the user or the password.
    Login,
    /// The server has no database of that name or number.
    NoDatabase,
    /// The server's user lacks a privilege there.
    Privilege,
    /// The system's user may not open the server's socket.
    Permission,
    /// The encrypted connection failed.
    Tls,
    /// The configuration does not say how to ask.
    Unconfigured,
}

/// A message that explains a failure, and what kind of failure it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Explained {
    pub(crate) message: String,
    pub(crate) cause: Cause,
}

impl From<String> for Explained {
    fn from(message: String) -> Self {
        Self {
            message,
            cause: Cause::Other,
        }
    }
}

impl Unavailable {
    /// Says what was being done, to what, what came of it and what to do about it.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            too_long: false,
            cause: Cause::Other,
        }
    }

    /// The same, for the reason `cause`.
    #[must_use]
    pub fn because(self, cause: Cause) -> Self {
        Self { cause, ..self }
    }

    /// The reason, where each has a fix of its own.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// As [`new`](Self::new), where the store answers with more than is read.
    pub(crate) fn too_long(message: impl Into<String>) -> Self {
        Self {
            too_long: true,
            ..Self::new(message)
        }
    }

    /// Whether the only error is that the store answers with more than is read. Reading again does
    /// not help.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.too_long
    }
}

/// The time by which a request must be answered. Stores give up at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline that is `duration` from now. A duration past what the clock can hold is a
    /// day, which is longer than any caller waits.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        let now = Instant::now();
        Self(
            now.checked_add(duration)
                .unwrap_or(now + Duration::from_secs(86_400)),
        )
    }

    /// This deadline or the one that is `duration` from now, whichever is sooner.
    #[must_use]
    pub fn at_most(self, duration: Duration) -> Self {
        self.min(Self::after(duration))
    }

    /// The remaining time; zero when it has passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    #[must_use]
    pub fn passed(self) -> bool {
        self.remaining().is_zero()
    }

    /// The moment itself.
    #[must_use]
    pub fn instant(self) -> Instant {
        self.0
    }
}

/// A password, a token or a key. It cannot be printed or cloned, and its memory is cleared on drop.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes `bytes` over.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes, for the one place that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}
