//! Redis.
//!
//! An own client of four commands, because none that exists can be held to a deadline: the timeout
//! of the `redis` crate begins anew with every byte that arrives, and it takes answers of any
//! size into memory.

mod resp;
mod sentinel;

use std::sync::Arc;

use self::resp::Reply;
pub(super) use self::sentinel::Sentinels;
use super::connection::{Connection, Malformed};
use super::server::Protocol;
use super::{Entry, Failure, LONGEST_VALUE, Login};
use crate::{Address, Deadline, Tls, TlsMode};

/// One server, or the one that Sentinels name.
#[derive(Debug)]
pub(super) struct Redis {
    location: Location,
    login: Option<Arc<Login>>,
    database: u32,
    tls: Tls,
}

#[derive(Debug)]
pub(super) enum Location {
    Address(Address),
    Sentinels(Sentinels),
}

impl Redis {
    pub(super) fn new(
        location: Location,
        login: Option<Arc<Login>>,
        database: u32,
        tls: Tls,
    ) -> Self {
        Self {
            location,
            login,
            database,
            tls,
        }
    }
}

impl Protocol for Redis {
    fn connect(&mut self, deadline: Deadline) -> Result<Connection, Failure> {
        let named;
        let address = match &mut self.location {
            Location::Address(address) => address,
            Location::Sentinels(sentinels) => {
                named = sentinels.master(deadline)?;
                &named
            }
        };
        let mut connection = open("Redis", address, &self.tls, deadline)?;
        greet(
            &mut connection,
            self.login.as_deref(),
            self.database,
            deadline,
        )?;
        Ok(connection)
    }

    /// `GET` (Redis 1.0).
    fn ask(
        &mut self,
        connection: &mut Connection,
        key: &[u8],
        deadline: Deadline,
    ) -> Result<(), Failure> {
        connection.send(&resp::command(&[b"GET", key]), deadline)
    }

    fn answer(
        &mut self,
        connection: &mut Connection,
        _key: &[u8],
        deadline: Deadline,
    ) -> Result<Option<Entry>, Failure> {
        match reply(connection, deadline)? {
            Reply::Bulk(bytes) => Ok(bytes.map(|bytes| Entry { bytes, flags: None })),
            Reply::Error(error) if error.starts_with("WRONGTYPE") => Err(Failure::Value(format!(
                "{} has something else than a string under that key; is this the site's database, \
                 and its key prefix?",
                connection.name()
            ))),
            Reply::Error(error) => Err(refused(connection, &error)),
            _ => Err(connection.malformed(Malformed::Garbage)),
        }
    }

    /// `RANDOMKEY` (Redis 1.0).
    fn any_key(
        &mut self,
        connection: &mut Connection,
        deadline: Deadline,
    ) -> Result<Option<Vec<u8>>, Failure> {
        connection.send(&resp::command(&[b"RANDOMKEY"]), deadline)?;
        match reply(connection, deadline)? {
            Reply::Bulk(key) => Ok(key.map(|key| key.to_vec())),
            Reply::Error(error) => Err(refused(connection, &error)),
            _ => Err(connection.malformed(Malformed::Garbage)),
        }
    }
}

/// Connects to the server at `address`, a `kind` of server.
fn open(
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
fn greet(
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
fn order(connection: &mut Connection, command: &[u8], deadline: Deadline) -> Result<(), Failure> {
    connection.send(command, deadline)?;
    match reply(connection, deadline)? {
        Reply::Status(status) if status == "OK" => Ok(()),
        Reply::Error(error) => Err(refused(connection, &error)),
        _ => Err(connection.malformed(Malformed::Garbage)),
    }
}

fn reply(connection: &mut Connection, deadline: Deadline) -> Result<Reply, Failure> {
    connection.receive(|bytes| resp::decode(bytes, LONGEST_VALUE), deadline)
}

/// What a server's error means. It may quote what it was sent, so of what is not known here the
/// first word is told alone.
fn refused(connection: &Connection, error: &str) -> Failure {
    let code = error.split(' ').next().unwrap_or_default();
    let code: String = code
        .chars()
        .filter(char::is_ascii_graphic)
        .take(32)
        .collect();
    let mend = match code.as_str() {
        "NOAUTH" => "it wants a password",
        "WRONGPASS" => "it does not know this username and password",
        "ERR" if error.contains("AUTH") => "it knows no password for this user, and was given one",
        "ERR" if error.contains("invalid password") => "it does not know this password",
        "ERR" if error.contains("DB index") => "it has no database of this number",
        "ERR" if error.contains("max number of clients") => "it has too many clients",
        "NOPERM" => "this user may not do that there: it needs +auth, +select, +get and the keys",
        "LOADING" => "it is still loading its data",
        "MASTERDOWN" => "it has lost its master, and answers nothing without",
        "MOVED" | "ASK" | "CLUSTERDOWN" => {
            "it is part of a Redis Cluster, which this version does not read"
        }
        "READONLY" => "it is a replica",
        "DENIED" => "it is in protected mode and takes local clients alone",
        "BUSY" => "it runs a script",
        _ => "",
    };
    let separator = if mend.is_empty() { "" } else { ": " };
    connection.down(&format!("answers {code}{separator}{mend}"))
}
