//! Reads values from Redis.
//!
//! Written by hand, because no client can be held to a deadline: the timeout of the `redis` crate
//! begins anew with every byte that arrives, and it takes answers of any size into memory. A
//! handful of commands is all that is needed.

mod cluster;
mod conversation;
mod node;
pub(crate) mod resp;
mod scan;
mod script;
mod sentinel;

use std::sync::Arc;

use zeroize::Zeroizing;

use self::cluster::{Redirection, redirection, slot_of};
use self::conversation::{done, greet, open, refused, reply};
pub(super) use self::node::Node;
use self::resp::Reply;
pub(super) use self::scan::Wanted;
pub(super) use self::script::{Redirected, reply_to_script};
pub(super) use self::sentinel::Sentinels;
use super::connection::{Connection, Failure, Malformed};
use super::server::{Entry, Protocol};
use super::settings::Login;
use crate::{Address, Deadline, Tls};

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
    pub(super) fn at(&self, address: Address) -> Self {
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

/// The answer of a node to a query for a key.
pub(super) enum Answer {
    /// The value; `None` where there is none.
    Value(Option<Entry>),
    /// Another node of the cluster has the key.
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
}
