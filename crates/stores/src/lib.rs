//! Where a site keeps its users and sessions. Everything that Hallpass reads from outside a host's
//! own protocol is read here, within a [`Deadline`], or is an [`Unavailable`] with its cause.
#![forbid(unsafe_code)]

mod deadline;
mod secret;
pub mod sql;

pub use self::deadline::Deadline;
pub use self::secret::Secret;

/// A store could not be asked. Never a "no": whoever gets this knows nothing about the account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(String);

impl Unavailable {
    /// Says what was being done, to what, what came of it and what to do about it.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}
