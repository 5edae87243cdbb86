//! Where a site keeps its users and sessions. Everything that Hallpass reads from outside a host's
//! own protocol is read here, within a [`Deadline`], or is an [`Unavailable`] with its cause.
#![forbid(unsafe_code)]

mod address;
mod backoff;
pub mod cache;
mod deadline;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod http;
mod secret;
pub mod sql;
mod stream;
mod tls;
mod tracer;

pub use self::address::Address;
pub use self::deadline::Deadline;
pub use self::files::{File, Files};
pub use self::secret::Secret;
pub use self::tls::{Tls, TlsMode};
pub use self::tracer::{Trace, TraceEvent, Tracer};

/// A store could not be asked. Never a "no": whoever gets this knows nothing about the account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    message: String,
    too_long: bool,
}

impl Unavailable {
    /// Says what was being done, to what, what came of it and what to do about it.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            too_long: false,
        }
    }

    /// As [`new`](Self::new), where the store answers with more than is read.
    pub(crate) fn too_long(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            too_long: true,
        }
    }

    /// Whether the store answers with more than is read, and nothing else is wrong. Asking again
    /// changes nothing.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.too_long
    }
}
