//! Explains PostgreSQL's errors, and what to do about them. Codes are those of its manual's
//! appendix A.

use std::io;

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorResponseBody;

use super::super::sizes::{TooLong, capped};
use crate::{Cause, Explained};

/// An error of a connection.
#[derive(Debug)]
pub(super) enum Error {
    /// The server's own error.
    Server(ServerError),
    /// The connection failed.
    Io(io::Error),
    /// The peer is not a PostgreSQL server.
    Protocol(&'static str),
    /// A connection pooler answers, with a session that is not set up as requested.
    Pooler(String),
    TooLong(TooLong),
}

/// An error of the server.
#[derive(Debug)]
pub(super) struct ServerError {
    code: String,
    message: String,
}

impl ServerError {
    /// A detail could quote a row, and is left out.
    pub(super) fn read(body: &ErrorResponseBody) -> io::Result<Self> {
        let (mut code, mut message) = (String::new(), String::new());
        let mut fields = body.fields();
        while let Some(field) = fields.next()? {
            let value = || capped(&String::from_utf8_lossy(field.value_bytes()));
            match field.type_() {
                b'C' => code = value(),
                b'M' => message = value(),
                _ => {}
            }
        }
        Ok(Self { code, message })
    }
}

impl Error {
    /// The server's code for it; empty where it is not the server's.
    pub(super) fn code(&self) -> &str {
        match self {
            Self::Server(error) => &error.code,
            _ => "",
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ServerError> for Error {
    fn from(error: ServerError) -> Self {
        Self::Server(error)
    }
}

impl From<TooLong> for Error {
    fn from(too_long: TooLong) -> Self {
        Self::TooLong(too_long)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // A message about a value quotes it, and it may be as good as a password.
            Self::Server(error) if error.code.starts_with("22") => {
                write!(
                    formatter,
                    "the server refuses a value (SQLSTATE {})",
                    error.code
                )
            }
            Self::Server(error) => formatter.write_str(&error.message),
            Self::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                formatter.write_str("the connection was closed")
            }
            Self::Io(error) => error.fmt(formatter),
            Self::Protocol(cause) => formatter.write_str(cause),
            Self::Pooler(cause) => write!(formatter, "a connection pooler answered: {cause}"),
            Self::TooLong(too_long) => {
                formatter.write_str(&too_long.describe(super::super::sizes::LARGEST_DATA))
            }
        }
    }
}

/// The message of a pooler that splits a transaction.
const POOLER: &str = "; a connection pooler answered: set pool_mode = session or transaction, or \
                      connect to PostgreSQL directly";

/// Explains a failed connection.
pub(super) fn connecting(error: &Error) -> Explained {
    let (cause, fix) = match (error, error.code()) {
        (_, "28P01") => (Cause::Login, "; are the user and the `password` right?"),
        (_, "28000") => (
            Cause::Login,
            "; are the user and the `password` right, and does the server's pg_hba.conf let this \
             machine in?",
        ),
        (_, "3D000") => (Cause::NoDatabase, "; is the name of the database right?"),
        (_, "42501") => (
            Cause::Privilege,
            "; `hallpass grants` prints the statements that give a role what it needs",
        ),
        (_, "53300") => (Cause::Other, "; the server's max_connections is reached"),
        (_, "08P01") => (Cause::Other, POOLER),
        (Error::Io(error), _) if is_tls(error) => (
            Cause::Tls,
            "; did the authority in `ca` sign the server's certificate, and does that name the \
             host?",
        ),
        (Error::Io(error), _) if error.kind() == io::ErrorKind::PermissionDenied => {
            (Cause::Permission, "")
        }
        (Error::Io(error), _)
            if matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
            ) =>
        {
            (
                Cause::Away,
                "; is the server running, and does it listen there?",
            )
        }
        (Error::Protocol(cause), _) if cause.contains("password missing") => {
            (Cause::Login, "; give it as `password`")
        }
        (Error::Protocol(cause), _) if cause.contains("does not support TLS") => (
            Cause::Tls,
            "; switch it on there (`ssl = on`), or ask for less with `tls`",
        ),
        _ => (Cause::Other, ""),
    };
    Explained {
        message: format!("{error}{fix}"),
        cause,
    }
}

/// The message for a failed statement.
pub(super) fn reading(error: &Error) -> String {
    let fix = match error.code() {
        "42501" => "; `hallpass grants` prints the statements that give a role what it needs",
        "42P01" | "42703" | "3F000" => {
            "; is this the site's database, migrated, with the tables that the configuration names?"
        }
        "57014" => "; it took longer than `query_timeout`",
        "08P01" => POOLER,
        _ => "",
    };
    format!("{error}{fix}")
}

/// Whether TLS failed.
pub(super) fn is_about_tls(error: &Error) -> bool {
    matches!(error, Error::Io(error) if is_tls(error))
}

fn is_tls(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.is::<rustls::Error>())
}

/// Whether a pooler or server may have refused the login because of the session's parameters.
pub(super) fn refuses_parameters(error: &Error) -> bool {
    matches!(error.code(), "08P01" | "0A000")
}

/// Whether a statement may have failed because it was prepared before the schema changed, or by a
/// session that has ended, or on another server connection of a pooler.
pub(super) fn is_outdated(error: &Error) -> bool {
    let code = error.code();
    matches!(code, "0A000" | "26000" | "XX000") || code.starts_with("42")
}

/// Whether a prepared statement is unknown to the server connection that was asked.
pub(super) fn is_unknown_statement(error: &Error) -> bool {
    error.code() == "26000"
}

/// Whether the server ends the connection with it.
pub(super) fn is_farewell(error: &Error) -> bool {
    let code = error.code();
    code.starts_with("08") || code.starts_with("57P")
}

/// Whether the server takes no statements for now, as while it starts or recovers.
pub(super) fn is_away(error: &Error) -> bool {
    error.code() == "57P03"
}
