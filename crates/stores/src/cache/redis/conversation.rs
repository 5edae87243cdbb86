//! Connects to a Redis server or a Sentinel, logs in, and reads replies and refusals.

use super::resp::{self, Reply};
use crate::cache::connection::{Connection, Failure, LONGEST_VALUE, Malformed};
use crate::cache::settings::Login;
use crate::{Address, Cause, Deadline, Explained, Tls, TlsMode};

/// The longest name of a host (RFC 1035).
pub(super) const LONGEST_HOST: usize = 255;

/// Connects to the server at `address`, a `kind` of server.
pub(super) fn open(
    kind: &str,
    address: &Address,
    tls: &Tls,
    deadline: Deadline,
) -> Result<Connection, Failure> {
    let name = format!("the {kind} server {address}");
    let tls = match (tls.mode, address) {
        (TlsMode::Disable, _) | (_, Address::Unix(_)) => None,
        _ => Some(
            tls.client()
                .map_err(|error| Failure::Down(error.to_string()))?,
        ),
    };
    Connection::open(name.into(), address, tls, deadline)
}

/// Logs in and selects the database: `AUTH` (Redis 1.0, with a name 6.0) and `SELECT`.
pub(super) fn greet(
    connection: &mut Connection,
    login: Option<&Login>,
    database: u32,
    deadline: Deadline,
) -> Result<(), Failure> {
    if let Some(login) = login {
        let password = login.password.expose();
        let auth = match &login.username {
            Some(username) => resp::command(&[b"AUTH", username.as_bytes(), password]),
            None => resp::command(&[b"AUTH", password]),
        };
        order(connection, &auth, deadline)?;
    }
    if database != 0 {
        let select = resp::command(&[b"SELECT", database.to_string().as_bytes()]);
        order(connection, &select, deadline)?;
    }
    Ok(())
}

/// Sends a command that is answered by `OK`.
pub(super) fn order(
    connection: &mut Connection,
    command: &[u8],
    deadline: Deadline,
) -> Result<(), Failure> {
    connection.send(command, deadline)?;
    done(connection, deadline)
}

/// Receives an `OK`.
pub(super) fn done(connection: &mut Connection, deadline: Deadline) -> Result<(), Failure> {
    match short_reply(connection, deadline)? {
        Reply::Status(status) if status == "OK" => Ok(()),
        Reply::Error(error) => Err(refused(connection, &error)),
        _ => Err(connection.malformed(Malformed::Garbage)),
    }
}

pub(super) fn reply(connection: &mut Connection, deadline: Deadline) -> Result<Reply, Failure> {
    connection.receive(|bytes| resp::decode(bytes, LONGEST_VALUE), deadline)
}

/// Receives a reply without a value: anything longer than a host name is malformed.
pub(super) fn short_reply(
    connection: &mut Connection,
    deadline: Deadline,
) -> Result<Reply, Failure> {
    let decode = |bytes: &[u8]| resp::decode(bytes, LONGEST_HOST).map_err(|_| Malformed::Garbage);
    connection.receive(decode, deadline)
}

/// The failure for a server's error. An error may quote what the server was sent, so only the first
/// word of an unknown one is shown.
pub(super) fn refused(connection: &Connection, error: &str) -> Failure {
    let code = error.split(' ').next().unwrap_or_default();
    let code: String = code
        .chars()
        .filter(char::is_ascii_graphic)
        .take(32)
        .collect();
    let fix = match code.as_str() {
        "NOAUTH" => "it wants a password",
        "WRONGPASS" => "it does not know this username and password",
        "ERR" if error.contains("AUTH") => "it knows no password for this user, and was given one",
        "ERR" if error.contains("invalid password") => "it does not know this password",
        "ERR" if error.contains("DB index") => "it has no database of this number",
        "ERR" if error.contains("cluster mode") => {
            "it is a node of a Redis Cluster, which has the database 0 alone"
        }
        "ERR" if error.contains("max number of clients") => "it has too many clients",
        "NOPERM" => {
            "this user may not do that there: it needs +auth, +select, +get and the keys, and \
             +asking in a Redis Cluster"
        }
        "LOADING" => "it is still loading its data",
        "MASTERDOWN" => "it has lost its master, and answers nothing without",
        "CLUSTERDOWN" => {
            "its Redis Cluster does not serve this key now; see what `redis-cli --cluster check` \
             says"
        }
        "READONLY" => "it is a replica",
        "DENIED" => "it is in protected mode and takes local clients only",
        "BUSY" => "it runs a script",
        _ => "",
    };
    let cause = match code.as_str() {
        "NOAUTH" | "WRONGPASS" => Cause::Login,
        "ERR" if error.contains("AUTH") || error.contains("invalid password") => Cause::Login,
        "ERR" if error.contains("DB index") || error.contains("cluster mode") => Cause::NoDatabase,
        "NOPERM" => Cause::Privilege,
        _ => Cause::Other,
    };
    let separator = if fix.is_empty() { "" } else { ": " };
    match connection.down(&format!("answers {code}{separator}{fix}")) {
        Failure::Down(message) if cause != Cause::Other => {
            Failure::Refused(Explained { message, cause })
        }
        failure => failure,
    }
}
