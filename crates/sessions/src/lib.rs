//! Session payloads of web frameworks, as pure functions.
//!
//! What a framework keeps for a logged-in visitor is read here as data: bytes in, facts out. No
//! input or output, no configuration and no clock. Every reader takes hostile bytes: it has a limit
//! on size and depth, and answers with an error, never with a panic.
#![forbid(unsafe_code)]

pub mod django;
mod json;

/// Why a session's bytes do not hold a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// No configured key made this signature: the data was changed, or made by somebody else.
    #[error("the signature is by none of the configured keys")]
    Signature,
    /// The bytes are not of the format that the framework writes.
    #[error("the session data is not of the expected format: {0}")]
    Format(&'static str),
    /// The data is larger than any session that this reader takes.
    #[error("the session data is larger than {0} bytes")]
    TooLarge(usize),
}
