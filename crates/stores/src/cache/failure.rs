//! Why a server gave no answer.

use crate::Unavailable;

/// Why a server gave no answer, in words that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The connection ended before the first byte of an answer came: it may have done so long ago.
    Closed(String),
    /// The server cannot be reached, is silent, refuses to answer or does not speak the protocol.
    Down(String),
    /// What it has under that key is of no use. The server is well.
    Value(String),
}

impl From<Failure> for Unavailable {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Closed(message) | Failure::Down(message) | Failure::Value(message) => {
                Self::new(message)
            }
        }
    }
}
