//! Keys that fit a pattern, of servers that behave, and of servers that do not.
#![allow(clippy::panic, clippy::unwrap_used)]

mod listener;
mod redis;

use std::time::Instant;

use hallpass_stores::cache::{KeyPattern, Keys, RedisServers};
use hallpass_stores::{Address, Deadline};
use listener::{LONG, Listener, Peer, SHORT, nobody, soon, tcp};
use redis::Site;

const ALONE: &[u8] = b"$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n";
const CLUSTERED: &[u8] = b"$19\r\ncluster_enabled:1\r\n\r\n";
const DENIED: &[u8] = b"-NOPERM this user has no permissions\r\n";

/// A command, as its words.
fn command(peer: &mut Peer) -> Option<Vec<String>> {
    let count = peer.lines(1)?;
    let count: usize = str::from_utf8(&count).unwrap()[1..].trim().parse().unwrap();
    let words = (0..count).map(|_| {
        peer.lines(1)?;
        let word = String::from_utf8(peer.lines(1)?).unwrap();
        Some(word.trim_end().to_owned())
    });
    words.collect()
}

fn page(cursor: u64, keys: &[&str]) -> Vec<u8> {
    let cursor = cursor.to_string();
    let mut page = format!("*2\r\n${}\r\n{cursor}\r\n*{}\r\n", cursor.len(), keys.len());
    for key in keys {
        page += &format!("${}\r\n{key}\r\n", key.len());
    }
    page.into_bytes()
}

/// A server that answers `SCAN` with the pages by their cursors.
fn server(info: &'static [u8], slots: Vec<u8>, pages: Vec<Vec<u8>>) -> Listener {
    Listener::new(move |_, mut peer| {
        while let Some(words) = command(&mut peer) {
            match &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["SCAN", cursor, "MATCH", "a\\*b*", "COUNT", "1000"] => {
                    peer.send(pages.get(cursor.parse::<usize>().unwrap()).unwrap());
                }
                ["INFO", "cluster"] => peer.send(info),
                ["CLUSTER", "SLOTS"] => peer.send(&slots),
                other => panic!("{other:?}"),
            }
        }
    })
}

fn alone(pages: Vec<Vec<u8>>) -> Listener {
    server(ALONE, Vec::new(), pages)
}

fn found(servers: RedisServers, most: usize, deadline: Deadline) -> Option<(Vec<String>, bool)> {
    let mut cache = Site::new(servers).cache();
    let pattern = KeyPattern::beginning(b"a*b");
    let is_wanted = |key: &[u8]| !key.ends_with(b"_LOCK");
    let Keys { keys, all } = cache.keys(&pattern, &is_wanted, most, deadline)?;
    let text = |key| String::from_utf8(key).unwrap();
    Some((keys.into_iter().map(text).collect(), all))
}

fn at(addresses: Vec<Address>) -> Option<(Vec<String>, bool)> {
    found(RedisServers::Replicated(addresses), 20, soon())
}

fn some(keys: &[&str], all: bool) -> Option<(Vec<String>, bool)> {
    Some((keys.iter().map(|&key| key.to_owned()).collect(), all))
}

#[test]
fn an_iteration_goes_on_to_its_end() {
    let server = alone(vec![
        page(2, &[]),
        page(0, &["a*b1", "a*b2"]),
        page(1, &["a*b2", "a*b3_LOCK", "a*b3"]),
    ]);
    assert_eq!(
        at(vec![server.address()]),
        some(&["a*b1", "a*b2", "a*b3"], true)
    );
    let empty = alone(vec![page(0, &[])]);
    assert_eq!(at(vec![empty.address()]), some(&[], true));
}

#[test]
fn enough_is_not_all() {
    let server = alone(vec![page(1, &["a*b1", "a*b2"]), page(0, &["a*b3"])]);
    for (most, keys) in [
        (1, &["a*b1"][..]),
        (2, &["a*b1", "a*b2"]),
        (3, &["a*b1", "a*b2", "a*b3"]),
    ] {
        let servers = RedisServers::Replicated(vec![server.address()]);
        assert_eq!(found(servers, most, soon()), some(keys, false), "{most}");
    }
}

#[test]
fn an_iteration_without_end_ends_with_the_time() {
    let server = alone(vec![page(1, &[]), page(1, &["a*b"])]);
    let servers = || RedisServers::Replicated(vec![server.address()]);
    // It has as many pages as are asked for at most, or the time is over.
    let begun = Instant::now();
    let keys = found(servers(), 20, Deadline::after(2 * SHORT));
    assert!(keys == some(&["a*b"], false), "{keys:?}");
    assert!(begun.elapsed() < LONG / 2);
}

#[test]
fn a_server_that_falls_silent_or_breaks_off_says_nothing_of_the_rest() {
    for end in [
        &b""[..],
        b"-ERR invalid cursor\r\n",
        b"+OK\r\n",
        b"*2\r\n$1\r\n0\r\n*99999\r\n",
    ] {
        let server = alone(vec![page(1, &["a*b"]), end.to_vec()]);
        let servers = RedisServers::Replicated(vec![server.address()]);
        let keys = found(servers, 20, Deadline::after(4 * SHORT));
        assert_eq!(keys, some(&["a*b"], false), "{end:?}");
    }
}

#[test]
fn what_cannot_be_listed_is_none() {
    for answer in [
        DENIED.to_vec(),
        b"-ERR unknown command 'SCAN'\r\n".to_vec(),
        b"+OK\r\n".to_vec(),
        b"*0\r\n".to_vec(),
        b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n".to_vec(),
        b"*2\r\n$1\r\nx\r\n*0\r\n".to_vec(),
        b"*2\r\n$1\r\n0\r\n*1\r\n:1\r\n".to_vec(),
        b"*2\r\n$1\r\n0\r\n*-1\r\n".to_vec(),
        b"*2\r\n$21\r\n184467440737095516150\r\n*0\r\n".to_vec(),
    ] {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        let server = alone(vec![answer]);
        assert_eq!(at(vec![server.address()]), None, "{shown}");
    }
    assert_eq!(at(vec![nobody()]), None);
    assert_eq!(at(vec![]), None);
}

#[test]
fn of_copies_one_is_asked_and_of_parts_all() {
    let (one, two) = (
        alone(vec![page(0, &["a*b1"])]),
        alone(vec![page(0, &["a*b2"])]),
    );
    let both = || vec![one.address(), two.address()];
    assert_eq!(at(both()), some(&["a*b1"], true));
    assert_eq!(at(vec![nobody(), two.address()]), some(&["a*b2"], true));
    let parts = |addresses| found(RedisServers::Sharded(addresses), 20, soon());
    assert_eq!(parts(both()), some(&["a*b1", "a*b2"], true));
    assert_eq!(parts(vec![nobody(), two.address()]), some(&["a*b2"], false));
    assert_eq!(parts(vec![two.address(), nobody()]), some(&["a*b2"], false));
    assert_eq!(parts(vec![nobody(), nobody()]), None);
}

#[test]
fn every_node_of_a_cluster_is_asked() {
    let range = |first: u16, last: u16, port: u16| {
        format!("*3\r\n:{first}\r\n:{last}\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n")
    };
    let other = alone(vec![page(0, &["a*b2"])]);
    let away = match nobody() {
        Address::Tcp { port, .. } => port,
        Address::Unix(_) => panic!("it has a port"),
    };
    let map = |port| format!("*2\r\n{}{}", range(0, 99, port), range(100, 16_383, port));
    for (slots, keys, all) in [
        (map(other.port), &["a*b1", "a*b2"][..], true),
        (map(away), &["a*b1"], false),
        (
            format!("*1\r\n{}", range(0, 16_000, other.port)),
            &["a*b1"],
            false,
        ),
        ("*0\r\n".to_owned(), &["a*b1"], false),
        ("*1\r\n:1\r\n".to_owned(), &["a*b1"], false),
        (
            String::from_utf8_lossy(DENIED).into_owned(),
            &["a*b1"],
            false,
        ),
    ] {
        let seed = server(
            CLUSTERED,
            slots.clone().into_bytes(),
            vec![page(0, &["a*b1"])],
        );
        assert_eq!(at(vec![seed.address()]), some(keys, all), "{slots}");
        // The other seed is a node of the same cluster.
        assert_eq!(
            at(vec![seed.address(), tcp(away)]),
            some(keys, all),
            "{slots}"
        );
    }
    // Whether there are other nodes is not known.
    let seed = server(DENIED, Vec::new(), vec![page(0, &["a*b1"])]);
    assert_eq!(at(vec![seed.address()]), some(&["a*b1"], false));
}
