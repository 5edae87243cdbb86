//! Reads values from Redis.
//!
//! Written by hand, because no client can be held to a deadline: the timeout of the `redis` crate
//! begins anew with every byte that arrives, and it takes answers of any size into memory. Five
//! commands are all that is needed.

mod cluster;
pub(crate) mod resp;
mod sentinel;

use std::sync::Arc;

pub(super) use self::cluster::Node;
use self::cluster::{Redirection, redirection, slot_of};
use self::resp::Reply;
pub(super) use self::sentinel::Sentinels;
use super::connection::{Connection, Malformed};
use super::server::Protocol;
use super::{Entry, Failure, LONGEST_VALUE, Login};
use crate::{Address, Deadline, Tls, TlsMode};
use zeroize::Zeroizing;

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

    /// Another node of the same cluster, with the same users and the same protection.
    fn at(&self, address: Address) -> Self {
        Self {
            location: Location::Address(address),
            login: self.login.clone(),
            database: self.database,
            tls: self.tls.clone(),
        }
    }
}

/// `GET key` (Redis 1.0), at a node that takes over its slot after `ASKING` (3.0).
pub(super) struct Get {
    bytes: Zeroizing<Vec<u8>>,
    asking: bool,
    slot: u16,
}

impl Get {
    fn new(key: &[u8], asking: bool) -> Self {
        let get = resp::command(&[b"GET", key]);
        let bytes = if asking {
            Zeroizing::new([resp::command(&[b"ASKING"]).as_slice(), &get].concat())
        } else {
            get
        };
        Self {
            bytes,
            asking,
            slot: slot_of(key),
        }
    }
}

/// What a node has to say about a key.
pub(super) enum Answer {
    /// The value; `None` where there is none.
    Value(Option<Entry>),
    /// Another node of the cluster is to be asked.
    Elsewhere(Redirection),
}

impl Protocol for Redis {
    type Query = Get;
    type Answer = Answer;

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

    fn ask(
        &mut self,
        connection: &mut Connection,
        get: &Get,
        deadline: Deadline,
    ) -> Result<Answer, Failure> {
        connection.send(&get.bytes, deadline)?;
        if get.asking {
            done(connection, deadline)?;
        }
        match reply(connection, deadline)? {
            Reply::Bulk(bytes) => Ok(Answer::Value(
                bytes.map(|bytes| Entry { bytes, flags: None }),
            )),
            Reply::Error(error) if error.starts_with("WRONGTYPE") => Err(Failure::Value(format!(
                "{} has something else than a string under that key; is this the site's database, \
                 and its key prefix?",
                connection.name()
            ))),
            Reply::Error(error) => match redirection(&error, get.slot, connection.address()) {
                Some(Ok(to)) => Ok(Answer::Elsewhere(to)),
                Some(Err(wrong)) => Err(connection.down(&format!("answers MOVED or ASK, {wrong}"))),
                None => Err(refused(connection, &error)),
            },
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
    done(connection, deadline)
}

/// Receives an `OK`.
fn done(connection: &mut Connection, deadline: Deadline) -> Result<(), Failure> {
    match short_reply(connection, deadline)? {
        Reply::Status(status) if status == "OK" => Ok(()),
        Reply::Error(error) => Err(refused(connection, &error)),
        _ => Err(connection.malformed(Malformed::Garbage)),
    }
}

fn reply(connection: &mut Connection, deadline: Deadline) -> Result<Reply, Failure> {
    connection.receive(|bytes| resp::decode(bytes, LONGEST_VALUE), deadline)
}

/// Receives a reply that has no value in it: what is longer than the name of a host is garbage.
fn short_reply(connection: &mut Connection, deadline: Deadline) -> Result<Reply, Failure> {
    let decode =
        |bytes: &[u8]| resp::decode(bytes, cluster::LONGEST_HOST).map_err(|_| Malformed::Garbage);
    connection.receive(decode, deadline)
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
        "DENIED" => "it is in protected mode and takes local clients alone",
        "BUSY" => "it runs a script",
        _ => "",
    };
    let separator = if fix.is_empty() { "" } else { ": " };
    connection.down(&format!("answers {code}{separator}{fix}"))
}
