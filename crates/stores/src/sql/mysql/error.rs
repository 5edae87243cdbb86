//! Explains the errors of MySQL and MariaDB, and what to do about them. Numbers are those of
//! MariaDB's `mysqld_error.h`, and above 3000 those of MySQL.

use std::io;

use mysql_async::{DriverError, Error, IoError, ServerError};
use rustls::CertificateError;
use rustls::pki_types::ServerName;

use super::super::sizes::capped;
use crate::{Cause, Explained};

/// Explains a failed connection.
pub(super) fn connecting(error: &Error) -> Explained {
    let (kind, fix) = match error {
        Error::Server(error) => match error.code {
            1045 | 1698 => (
                Cause::Login,
                "; are the user and the `password` right, and may that user log in from here?",
            ),
            1044 => (
                Cause::Privilege,
                "; `hallpass grants` prints the statements that give a user what it needs",
            ),
            1049 => (Cause::NoDatabase, "; is the name of the database right?"),
            1040 | 1203 => (Cause::Other, "; the server's max_connections is reached"),
            1129 => (
                Cause::Other,
                "; the server counted too many failures: FLUSH HOSTS there",
            ),
            3159 => (Cause::Tls, "; ask for TLS with `tls`"),
            _ => (Cause::Other, ""),
        },
        Error::Driver(DriverError::NoClientSslFlagFromServer) => (
            Cause::Tls,
            "; switch TLS on there, or ask for less with `tls`",
        ),
        Error::Driver(DriverError::UnknownAuthPlugin { .. }) => (
            Cause::Login,
            "; give the user a password of another kind, as in caching_sha2_password or ed25519",
        ),
        Error::Io(IoError::Tls(_)) => (Cause::Tls, TLS),
        Error::Io(IoError::Io(error)) if is_tls(error) => (Cause::Tls, TLS),
        Error::Io(IoError::Io(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
            (Cause::Permission, "")
        }
        Error::Io(IoError::Io(_)) => (
            Cause::Away,
            "; is the server running, and does it listen there?",
        ),
        _ => (Cause::Other, ""),
    };
    Explained {
        message: format!("{}{fix}", cause(error)),
        cause: kind,
    }
}

const TLS: &str = "; did the authority in `ca` sign the server's certificate, and does that name \
                   the host?";

/// The message for a failed statement.
pub(super) fn reading(error: &Error) -> String {
    let fix = match error {
        Error::Server(error) => match error.code {
            1044 | 1142 | 1143 | 1370 => {
                "; `hallpass grants` prints the statements that give a user what it needs"
            }
            1049 | 1054 | 1109 | 1146 => {
                "; is this the site's database, migrated, with the tables that the configuration \
                 names?"
            }
            1317 | 1969 | 3024 => "; it took longer than `query_timeout`",
            _ => "",
        },
        _ => "",
    };
    format!("{}{fix}", cause(error))
}

/// Whether a connection that only prefers TLS may be made without it: where the server has none,
/// and where TLS fails; unless it `verifies` the server's identity.
pub(super) fn goes_on_without_tls(error: &Error, verifies: bool) -> bool {
    match error {
        Error::Driver(DriverError::NoClientSslFlagFromServer) | Error::Io(IoError::Tls(_)) => {
            !verifies
        }
        Error::Io(IoError::Io(error)) => !verifies && is_tls(error),
        _ => false,
    }
}

/// A name in the server's certificate, where that is trusted but lacks the requested name.
pub(super) fn name_of_trusted(error: &Error) -> Option<String> {
    let Error::Io(IoError::Io(error)) = error else {
        return None;
    };
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            presented,
            ..
        }) => presented.iter().find_map(|name| plain_name(name)),
        _ => None,
    }
}

/// The name in webpki's message: `DnsName("db.example.org")`, `IpAddress(192.0.2.1)`.
fn plain_name(said: &str) -> Option<String> {
    let (_, name) = said.strip_suffix(')')?.split_once('(')?;
    let name = name.trim_matches('"').replace('*', "any");
    ServerName::try_from(name.as_str()).ok()?;
    Some(name)
}

fn is_tls(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.is::<rustls::Error>())
}

/// Whether a statement may have failed because it was prepared before the schema changed: its
/// handle is unknown, it must be prepared again, or it names something that no longer exists.
pub(super) fn is_outdated(error: &Error) -> bool {
    matches!(error, Error::Server(error)
        if matches!(error.code, 1054 | 1146 | 1243 | 1412 | 1461 | 1615))
}

/// Whether the user has no right to a table, which may or may not exist.
pub(super) fn is_denied(error: &Error) -> bool {
    matches!(error, Error::Server(error) if error.code == 1142)
}

/// Whether the table does not exist.
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Server(error) if error.code == 1146)
}

/// Whether the server ends the connection with it: at shutdown, on request, or after a timeout.
pub(super) fn is_farewell(error: &ServerError) -> bool {
    matches!(
        error.code,
        1053 | 1077 | 1079 | 1152 | 1158..=1161 | 1184 | 1927 | 4031 | 1080
    ) || error.state == "08S01"
}

/// Whether the server takes no statements for now: a node of a Galera cluster that has lost the
/// others (`ER_UNKNOWN_COM_ERROR`, 1047, "WSREP has not yet prepared node for application use"), or
/// one that is being shut down.
pub(super) fn is_away(error: &ServerError) -> bool {
    matches!(error.code, 1047 | 1053)
}

/// Whether a row is longer than the driver's limit. The driver's type for it is not public, but its
/// message is.
pub(super) fn is_too_long(error: &Error) -> bool {
    matches!(error, Error::Io(IoError::Io(error))
        if error.to_string() == "Packet is larger than max_allowed_packet")
}

/// Whether a parameter has characters that the compared column cannot have.
pub(super) fn is_no_value(error: &Error) -> bool {
    matches!(error, Error::Server(error) if matches!(error.code, 1267 | 3854 | 3988))
}

/// Whether a warning is that `text`, a parameter, was read as the number that it begins with, or as
/// zero. `7 or so` would equal a key of 7.
pub(super) fn is_no_number(code: u16, warning: &str, text: &str) -> bool {
    // Long values are compared by their beginning.
    let beginning = text.chars().take(16).collect::<String>();
    code == 1292 && warning.contains(&format!("'{beginning}"))
}

/// The server's own words. Those of the driver would quote what was received.
fn cause(error: &Error) -> String {
    match error {
        Error::Server(error) => capped(&error.message),
        Error::Io(IoError::Io(error)) => error.to_string(),
        Error::Io(IoError::Tls(error)) => format!("TLS: {error}"),
        Error::Driver(error) => error.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_out_of_what_webpki_says() {
        for (said, name) in [
            ("DnsName(\"db.example.org\")", Some("db.example.org")),
            ("DnsName(\"*.example.org\")", Some("any.example.org")),
            ("IpAddress(192.0.2.1)", Some("192.0.2.1")),
            ("IpAddress(2001:db8::1)", Some("2001:db8::1")),
            ("UniformResourceIdentifier(\"http://x/\")", None),
            ("DnsName(\"\")", None),
            ("db.example.org", None),
            ("", None),
        ] {
            assert_eq!(plain_name(said).as_deref(), name, "{said}");
        }
    }
}
