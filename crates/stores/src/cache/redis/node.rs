//! Queries a configured server, and follows the redirections of a Redis Cluster.

use std::collections::HashMap;
use std::time::Duration;

use zeroize::Zeroizing;

use super::cluster::Redirection;
use super::conversation::{refused, reply};
use super::resp::{self, Reply};
use super::{Answer, Get, Redis};
use crate::cache::connection::{Connection, Failure, Malformed};
use crate::cache::recorded::{Found, Limits};
use crate::cache::server::{Entry, Server, Source};
use crate::{Address, Deadline, Explained};

/// The most redirections followed for one query. A stable cluster needs one, and one more while a
/// slot migrates.
const MOST_REDIRECTIONS: usize = 5;

/// The most nodes that are remembered. A cluster has a thousand at most, and few have a tenth of
/// that.
pub(super) const MOST_NODES: usize = 128;

/// A server that the configuration names. Where it is a node of a cluster, also the nodes it
/// redirected to, which are queried first from then on.
#[derive(Debug)]
pub(crate) struct Node {
    pub(super) server: Server<Redis>,
    /// The other nodes, by their addresses.
    others: HashMap<Address, Server<Redis>>,
    /// The node that answered for a slot.
    slots: HashMap<u16, Address>,
    connect_timeout: Duration,
}

impl Node {
    pub(crate) fn new(redis: Redis, connect_timeout: Duration) -> Self {
        Self {
            server: Server::new(redis, connect_timeout),
            others: HashMap::new(),
            slots: HashMap::new(),
            connect_timeout,
        }
    }

    /// The numbers of the databases that have keys, with the number of keys: `INFO keyspace`
    /// (Redis 2.6).
    pub(crate) fn databases(&mut self, deadline: Deadline) -> Result<Vec<(u32, u64)>, Failure> {
        self.server.apart(deadline, |connection| {
            connection.send(&resp::command(&[b"INFO", b"keyspace"]), deadline)?;
            match reply(connection, deadline)? {
                Reply::Bulk(Some(text)) => Ok(keyspace(&String::from_utf8_lossy(&text))),
                Reply::Error(error) => Err(refused(connection, &error)),
                _ => Err(connection.malformed(Malformed::Garbage)),
            }
        })
    }

    /// Sends a query for each of `keys`, and then receives the answers. In a cluster, each key is
    /// to be asked for by itself.
    pub(in crate::cache) fn query_all(
        &mut self,
        keys: &[&[u8]],
        limits: Limits,
        each: &mut dyn FnMut(usize, Found),
    ) -> Result<(), Failure> {
        if !self.others.is_empty() {
            (0..keys.len()).for_each(|index| each(index, Found::Unclear));
            return Ok(());
        }
        let ask = &mut |_: &mut Redis, connection: &mut Connection, until| {
            let queries = keys.iter().map(|key| resp::command(&[b"GET", key]));
            let queries: Vec<Zeroizing<Vec<u8>>> = queries.collect();
            let queries: Vec<&[u8]> = queries.iter().map(|query| query.as_slice()).collect();
            connection.send(&Zeroizing::new(queries.concat()), until)?;
            for index in 0..keys.len() {
                let found = match reply(connection, until)? {
                    Reply::Bulk(Some(bytes)) => Found::Value(Entry { bytes, flags: None }),
                    Reply::Bulk(None) => Found::Absent,
                    Reply::Error(_) => Found::Unclear,
                    _ => return Err(connection.malformed(Malformed::Garbage)),
                };
                each(index, found);
            }
            Ok(())
        };
        self.server
            .exchange(limits.query_timeout, limits.deadline, ask)
    }

    /// Queries the node at `to`, then the one that it names, and so on.
    fn follow(
        &mut self,
        mut to: Redirection,
        key: &[u8],
        query_timeout: Duration,
        deadline: Deadline,
    ) -> Result<Option<Entry>, Failure> {
        for _ in 0..MOST_REDIRECTIONS {
            let get = Get::new(key, to.asking);
            let node = self.other(&to.address);
            let answer = node.query(&get, query_timeout, deadline);
            match answer.map_err(of_a_cluster)? {
                Answer::Value(value) => {
                    if !to.asking {
                        self.slots.insert(get.slot, to.address);
                    }
                    return Ok(value);
                }
                Answer::Elsewhere(next) => to = next,
            }
        }
        Err(Failure::Down(format!(
            "the nodes of a Redis Cluster redirect a request without end, the last of \
             them to {}; see what `redis-cli --cluster check` says",
            to.address
        )))
    }

    pub(super) fn other(&mut self, address: &Address) -> &mut Server<Redis> {
        if self.others.len() >= MOST_NODES && !self.others.contains_key(address) {
            self.others.clear();
            self.slots.clear();
        }
        let redis = self.server.protocol().at(address.clone());
        let connect_timeout = self.connect_timeout;
        self.others
            .entry(address.clone())
            .or_insert_with(|| Server::new(redis, connect_timeout))
    }
}

impl Source for Node {
    /// A node that answered for the slot before is queried first, and gets half of the time. Where
    /// it does not answer, or its connection has ended, the configured server says which node has
    /// the slot now: the server at the node's address may meanwhile belong to another cluster.
    fn get(
        &mut self,
        key: &[u8],
        query_timeout: Duration,
        deadline: Deadline,
    ) -> Result<Option<Entry>, Failure> {
        let get = Get::new(key, false);
        if let Some(address) = self.slots.get(&get.slot).cloned() {
            let half = deadline.at_most(deadline.remaining() / 2);
            let node = self.others.get_mut(&address);
            let answer = node.and_then(|node| node.query_connected(&get, query_timeout, half));
            let answer = answer.map(|answer| match answer.map_err(of_a_cluster)? {
                Answer::Value(value) => Ok(value),
                Answer::Elsewhere(to) => self.follow(to, key, query_timeout, half),
            });
            match answer {
                Some(Ok(value)) => return Ok(value),
                Some(Err(Failure::Value(cause))) => return Err(Failure::Value(cause)),
                Some(Err(_)) | None => {
                    self.slots.retain(|_, node| *node != address);
                }
            }
        }
        match self.server.query(&get, query_timeout, deadline)? {
            Answer::Value(value) => Ok(value),
            Answer::Elsewhere(to) => self.follow(to, key, query_timeout, deadline),
        }
    }
}

/// Adds to a node's failure that another node named it.
fn of_a_cluster(failure: Failure) -> Failure {
    let more = |message| {
        format!(
            "{message} (a node of this Redis Cluster; this machine must reach each of them under \
             the address that it announces to the others)"
        )
    };
    match failure {
        Failure::Closed(message) => Failure::Closed(more(message)),
        Failure::Down(message) => Failure::Down(more(message)),
        Failure::Refused(refused) => Failure::Refused(Explained {
            message: more(refused.message),
            cause: refused.cause,
        }),
        Failure::Value(message) => Failure::Value(message),
    }
}

/// The databases of `INFO keyspace`: lines such as `db5:keys=3,expires=3,avg_ttl=0`.
fn keyspace(text: &str) -> Vec<(u32, u64)> {
    let database = |line: &str| {
        let (number, facts) = line.trim_end().strip_prefix("db")?.split_once(':')?;
        let keys = facts.split(',').find_map(|it| it.strip_prefix("keys="))?;
        Some((number.parse().ok()?, keys.parse().ok()?))
    };
    text.lines().filter_map(database).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_those_of_info() {
        // As Redis 7 writes it.
        let text = "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n\
                    db15:keys=3,expires=3,avg_ttl=1209599000,subexpiry=0\r\n";
        assert_eq!(keyspace(text), [(0, 1), (15, 3)]);
        for text in [
            "",
            "# Keyspace\r\n",
            "dbx:keys=1",
            "db1",
            "db1:expires=1",
            "db1:keys=",
            "1:keys=1",
        ] {
            assert!(keyspace(text).is_empty(), "{text:?}");
        }
    }
}
