//! Session payloads of web frameworks, as pure functions.
//!
//! What a framework keeps for a logged-in visitor is read here as data: bytes in, facts out. No
//! input or output, no configuration and no clock. Every reader takes hostile bytes: it has a limit
//! on size and depth, and answers with an error, never with a panic.
//!
//! No input of up to [`MAX_INPUT`] bytes makes a reader hold more than 16 MiB at a time, however
//! far it claims to swell.
#![forbid(unsafe_code)]

mod compression;
mod datetime;
pub mod django;
mod json;
mod msgpack;
pub mod php;
mod pickle;
mod python_base64;

use self::datetime::DateTime;

/// The longest session that is read, in bytes as it is stored.
pub const MAX_INPUT: usize = 1 << 20;
/// The longest session that is read, in bytes without compression.
pub const MAX_PAYLOAD: usize = 4 << 20;

/// Why a session's bytes do not hold a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// No configured key made this signature: the data was changed, or made by somebody else.
    #[error("the signature is by none of the configured keys")]
    Signature,
    /// The bytes are not of the format that the framework writes.
    #[error("the session data is not of the expected format: {0}")]
    Format(&'static str),
    /// The bytes are well-formed, and no session: a list, say, or a login without a text where
    /// the framework writes one.
    #[error("the session data is no session: {0}")]
    Kind(&'static str),
    /// The data is larger than any session that this reader takes.
    #[error("the session data is larger than {0} bytes")]
    TooLarge(usize),
}

/// A wanted member's value, as far as anybody here cares.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Null,
    /// A number with a fraction or an exponent.
    Fraction(f64),
    DateTime(DateTime),
    /// Anything else: a collection, a boolean, an object, a whole number past 64 bits, a text
    /// longer than [`LONGEST_TEXT`] or in an unknown encoding.
    Other,
}

/// What comes of Python's `None` in place of a session. Its caches say it for nothing, too.
pub(crate) const NONE: Invalid = Invalid::Format("it is None");

/// The longest text that is handed on, in bytes. No primary key, backend or hash comes near it.
pub(crate) const LONGEST_TEXT: usize = 4096;
