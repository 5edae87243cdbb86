//! Looks for the keys that fit a pattern, by `SCAN` (Redis 2.8).
//!
//! Which keys come first is chance, but an iteration that came to its end has seen every key that
//! was there all the time. One that did not says nothing of the keys that it has not seen.

use zeroize::Zeroizing;

use super::cluster::{SLOTS, node_address};
use super::conversation::{refused, reply};
use super::node::{MOST_NODES, Node};
use super::resp::{self, Reply};
use crate::cache::connection::{Connection, Failure, Malformed};
use crate::cache::keys::{KeyPattern, Keys};
use crate::{Address, Deadline};

/// How many keys the server is to look at for one answer. This takes it less than a millisecond.
const COUNT: &[u8] = b"1000";

/// The most answers of one server.
const MOST_ROUNDS: usize = 4096;

/// The longest cursor: a number of 64 bits.
const LONGEST_CURSOR: usize = 20;

/// What is looked for.
pub(crate) struct Wanted<'a> {
    pub(crate) pattern: &'a KeyPattern,
    /// Which of the keys that fit the pattern count.
    pub(crate) is_wanted: &'a dyn Fn(&[u8]) -> bool,
    /// The most keys.
    pub(crate) most: usize,
}

impl Node {
    /// The keys of the server; where it is a node of a cluster, also those of the other nodes.
    pub(crate) fn keys(
        &mut self,
        wanted: &Wanted<'_>,
        deadline: Deadline,
    ) -> Result<Keys, Failure> {
        let mut keys = Keys::default();
        let half = deadline.at_most(deadline.remaining() / 2);
        let server = &mut self.server;
        let mut all = server.apart(half, |connection| {
            walk(connection, wanted, &mut keys.keys, half)
        })?;
        if keys.keys.len() < wanted.most {
            match server.apart(deadline, |connection| cluster(connection, deadline)) {
                Ok(others) => {
                    let count = others.len();
                    for (index, address) in others.iter().enumerate() {
                        let left = u32::try_from(count - index).unwrap_or(u32::MAX);
                        let share = deadline.at_most(deadline.remaining() / left);
                        let node = self.other(address);
                        all &= node
                            .apart(share, |connection| {
                                walk(connection, wanted, &mut keys.keys, share)
                            })
                            .unwrap_or(false);
                    }
                }
                // Whether there are other nodes is not known.
                Err(_) => all = false,
            }
        }
        keys.all = all && keys.keys.len() < wanted.most;
        Ok(keys)
    }
}

/// Adds keys to `keys`, and returns whether the server was asked to the end. Only when the first
/// answer fails is this a failure.
fn walk(
    connection: &mut Connection,
    wanted: &Wanted<'_>,
    keys: &mut Vec<Vec<u8>>,
    deadline: Deadline,
) -> Result<bool, Failure> {
    let mut cursor = Zeroizing::new(b"0".to_vec());
    for round in 0..MOST_ROUNDS {
        let page = match page(connection, &cursor, wanted.pattern, deadline) {
            Ok(page) => page,
            Err(failure) if round == 0 => return Err(failure),
            Err(_) => return Ok(false),
        };
        for key in page.keys {
            if keys.len() >= wanted.most {
                return Ok(false);
            }
            if (wanted.is_wanted)(&key) && !keys.iter().any(|it| **it == **key) {
                keys.push(key.to_vec());
            }
        }
        if page.cursor.as_slice() == b"0" {
            return Ok(true);
        }
        cursor = page.cursor;
    }
    Ok(false)
}

/// An answer to `SCAN`.
struct Page {
    /// Where the next one begins; `0` after the last.
    cursor: Zeroizing<Vec<u8>>,
    keys: Vec<Zeroizing<Vec<u8>>>,
}

fn page(
    connection: &mut Connection,
    cursor: &[u8],
    pattern: &KeyPattern,
    deadline: Deadline,
) -> Result<Page, Failure> {
    let words = [
        b"SCAN",
        cursor,
        b"MATCH",
        pattern.as_bytes(),
        b"COUNT",
        COUNT,
    ];
    connection.send(&resp::command(&words), deadline)?;
    match reply(connection, deadline)? {
        Reply::Array(Some(parts)) => {
            page_of(parts).ok_or_else(|| connection.malformed(Malformed::Garbage))
        }
        Reply::Error(error) => Err(refused(connection, &error)),
        _ => Err(connection.malformed(Malformed::Garbage)),
    }
}

fn page_of(parts: Vec<Reply>) -> Option<Page> {
    let [cursor, keys] = <[Reply; 2]>::try_from(parts).ok()?;
    let Reply::Bulk(Some(cursor)) = cursor else {
        return None;
    };
    let Reply::Array(Some(keys)) = keys else {
        return None;
    };
    let is_number =
        (1..=LONGEST_CURSOR).contains(&cursor.len()) && cursor.iter().all(u8::is_ascii_digit);
    let bulk = |key| match key {
        Reply::Bulk(key) => key,
        _ => None,
    };
    let keys = keys.into_iter().map(bulk).collect::<Option<_>>()?;
    is_number.then_some(Page { cursor, keys })
}

/// The nodes of the server's cluster that own slots, apart from the server itself where it tells;
/// none where it is not part of one.
fn cluster(connection: &mut Connection, deadline: Deadline) -> Result<Vec<Address>, Failure> {
    connection.send(&resp::command(&[b"INFO", b"cluster"]), deadline)?;
    let enabled = match reply(connection, deadline)? {
        Reply::Bulk(Some(text)) => text
            .split(|byte| *byte == b'\n')
            .any(|line| line.trim_ascii() == b"cluster_enabled:1"),
        Reply::Error(error) => return Err(refused(connection, &error)),
        _ => return Err(connection.malformed(Malformed::Garbage)),
    };
    if !enabled {
        return Ok(Vec::new());
    }
    connection.send(&resp::command(&[b"CLUSTER", b"SLOTS"]), deadline)?;
    match reply(connection, deadline)? {
        Reply::Array(Some(ranges)) => owners(&ranges, connection.address())
            .ok_or_else(|| connection.down("does not name each node of its Redis Cluster")),
        Reply::Error(error) => Err(refused(connection, &error)),
        _ => Err(connection.malformed(Malformed::Garbage)),
    }
}

/// The owners of the slots, without the server at `here`: `CLUSTER SLOTS` (Redis 3.0) answers with
/// the first and the last slot of each range, its owner, and the owner's replicas. `None` where one
/// has no address, or some slots have no owner.
fn owners(ranges: &[Reply], here: &Address) -> Option<Vec<Address>> {
    let mut owners = Vec::new();
    let mut slots = 0;
    for range in ranges {
        let Reply::Array(Some(range)) = range else {
            return None;
        };
        let [Reply::Integer(first), Reply::Integer(last), owner, ..] = &**range else {
            return None;
        };
        slots += last
            .checked_sub(*first)?
            .checked_add(1)
            .filter(|it| *it > 0)?;
        let Reply::Array(Some(owner)) = owner else {
            return None;
        };
        let [host, Reply::Integer(port), ..] = &**owner else {
            return None;
        };
        let host = match host {
            Reply::Bulk(None) => "",
            Reply::Bulk(Some(host)) => str::from_utf8(host).ok()?,
            _ => return None,
        };
        let owner = node_address(&format!("{host}:{port}"), here)?;
        if owner != *here && !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    (slots == i64::from(SLOTS) && owners.len() <= MOST_NODES).then_some(owners)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Reply {
        Reply::Bulk(Some(Zeroizing::new(text.into())))
    }

    fn array(replies: impl Into<Vec<Reply>>) -> Reply {
        Reply::Array(Some(replies.into()))
    }

    fn here() -> Address {
        Address::Tcp {
            host: "10.0.0.1".to_owned(),
            port: 7000,
        }
    }

    fn range(first: i64, last: i64, host: Reply, port: i64) -> Reply {
        let node = |host, port| array([host, Reply::Integer(port), bulk("id"), array([])]);
        let replica = node(bulk("10.0.0.9"), 7009);
        array([
            Reply::Integer(first),
            Reply::Integer(last),
            node(host, port),
            replica,
        ])
    }

    #[test]
    fn a_page_is_a_cursor_and_keys() {
        let page = page_of(vec![
            bulk("18446744073709551615"),
            array([bulk("a"), bulk("")]),
        ]);
        let page = page.unwrap();
        assert_eq!(page.cursor.as_slice(), b"18446744073709551615");
        assert_eq!(page.keys.len(), 2);
        for parts in [
            vec![],
            vec![bulk("0")],
            vec![array([]), bulk("0")],
            vec![bulk(""), array([])],
            vec![bulk("-1"), array([])],
            vec![bulk("0 MATCH *"), array([])],
            vec![bulk("184467440737095516150"), array([])],
            vec![Reply::Integer(0), array([])],
            vec![bulk("0"), Reply::Array(None)],
            vec![bulk("0"), array([Reply::Bulk(None)])],
            vec![bulk("0"), array([Reply::Integer(1)])],
            vec![bulk("0"), array([]), array([])],
        ] {
            let shown = format!("{parts:?}");
            assert!(page_of(parts).is_none(), "{shown}");
        }
    }

    #[test]
    fn owners_are_the_nodes_that_have_slots() {
        let shown = |ranges: &[Reply]| -> Option<Vec<String>> {
            let owners = owners(ranges, &here())?;
            Some(owners.iter().map(ToString::to_string).collect())
        };
        let all = [
            range(0, 5460, bulk("10.0.0.1"), 7000),
            range(5461, 10_922, bulk("redis-2.example.org"), 7001),
            range(10_923, 16_000, Reply::Bulk(None), 7002),
            range(16_001, 16_383, bulk("redis-2.example.org"), 7001),
        ];
        let others = ["redis-2.example.org:7001", "10.0.0.1:7002"];
        assert_eq!(shown(&all).unwrap(), others);
        // Some slots have no owner.
        assert_eq!(shown(&all[..3]), None);
        assert_eq!(shown(&[]), None);
        for wrong in [
            range(0, 16_383, bulk("?"), 7001),
            range(0, 16_383, bulk("a@b"), 7001),
            range(0, 16_383, bulk("10.0.0.2"), 0),
            range(0, 16_383, bulk("10.0.0.2"), -1),
            range(0, 16_383, bulk("10.0.0.2"), 65_536),
            range(0, 16_383, Reply::Integer(1), 7001),
            range(16_383, 0, bulk("10.0.0.2"), 7001),
            range(i64::MIN, i64::MAX, bulk("10.0.0.2"), 7001),
            array([Reply::Integer(0), Reply::Integer(16_383)]),
            array([bulk("0"), bulk("16383"), array([])]),
            Reply::Array(None),
        ] {
            assert_eq!(shown(&[wrong]), None);
        }
    }
}
