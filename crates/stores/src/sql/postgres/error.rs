//! What PostgreSQL's errors mean, and what to do about them.

use std::error::Error as _;
use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// What came of connecting.
pub(super) fn connecting(error: &Error) -> String {
    let mend = match error.code() {
        Some(code) if *code == SqlState::INVALID_PASSWORD => {
            "; are the user and the `password` right?"
        }
        Some(code) if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "; are the user and the `password` right, and does the server's pg_hba.conf let this \
             machine in?"
        }
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => {
            "; is the name of the database right?"
        }
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            "; `hallpass grants` prints the statements that give a role what it needs"
        }
        Some(code) if *code == SqlState::TOO_MANY_CONNECTIONS => {
            "; the server's max_connections is reached"
        }
        Some(code) if *code == SqlState::PROTOCOL_VIOLATION => {
            "; a pooler must hand over sessions, and let the parameter `options` pass"
        }
        Some(_) => "",
        None if is_about_tls(error) => {
            "; is `ca` the certificate that the server's leads to, and does the server's name the \
             host?"
        }
        None => match cause(error).as_str() {
            cause if cause.contains("password missing") => "; give it as `password`",
            cause if cause.contains("does not support TLS") => {
                "; switch it on there (`ssl = on`), or ask for less with `tls`"
            }
            cause if cause.contains("onnection refused") || cause.contains("No such file") => {
                "; does the server run, and listen there?"
            }
            _ => "",
        },
    };
    format!("{}{mend}", cause(error))
}

/// What came of a statement.
pub(super) fn reading(error: &Error) -> String {
    let mend = match error.code() {
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            "; `hallpass grants` prints the statements that give a role what it needs"
        }
        Some(code)
            if *code == SqlState::UNDEFINED_TABLE
                || *code == SqlState::UNDEFINED_COLUMN
                || *code == SqlState::INVALID_SCHEMA_NAME =>
        {
            "; is this the site's database, migrated, with the tables that the configuration names?"
        }
        Some(code) if *code == SqlState::QUERY_CANCELED => "; it took longer than `query_timeout`",
        _ => "",
    };
    format!("{}{mend}", cause(error))
}

/// Whether TLS is what failed.
pub(super) fn is_about_tls(error: &Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        let inner = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        source = cause.source();
    }
    false
}

/// Whether a statement may have failed because it was prepared before the schema changed, or by a
/// session that is no more.
pub(super) fn is_outdated(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        *code == SqlState::FEATURE_NOT_SUPPORTED
            || *code == SqlState::INVALID_SQL_STATEMENT_NAME
            || code.code().starts_with("42")
            || code.code() == "XX000"
    })
}

/// Whether the server ends the connection by it.
pub(super) fn is_farewell(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        *code == SqlState::ADMIN_SHUTDOWN
            || *code == SqlState::CRASH_SHUTDOWN
            || *code == SqlState::CANNOT_CONNECT_NOW
            || code.code().starts_with("08")
            || code.code().starts_with("57P")
    })
}

/// The server's own words, or the chain of causes. A detail could hold what is in a row.
fn cause(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return error.message().to_owned();
    }
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_in_words = cause.to_string();
        if !words.contains(&cause_in_words) {
            words = format!("{words}: {cause_in_words}");
        }
        source = cause.source();
    }
    words
}
