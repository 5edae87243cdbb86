//! The nodes of a Redis Cluster, which name each other: those that mean well, and those that do not.
#![allow(clippy::panic, clippy::unwrap_used)]

mod listener;
mod redis;

use std::time::Instant;

use hallpass_stores::cache::{Cache, RedisServers};
use hallpass_stores::{Address, Deadline, Unavailable};
use listener::{LONG, Listener, Peer, SHORT, nobody, soon};
use redis::{GET, Site, value};

/// The slot of `key`, as `CLUSTER KEYSLOT` of Redis 7.0.15 says.
const SLOT: u16 = 12_539;

/// How many lines `ASKING` has.
const ASKING: usize = 3;

fn moved(port: u16) -> Vec<u8> {
    format!("-MOVED {SLOT} 127.0.0.1:{port}\r\n").into_bytes()
}

fn ask(port: u16) -> Vec<u8> {
    format!("-ASK {SLOT} 127.0.0.1:{port}\r\n").into_bytes()
}

/// Answers every question by `answer`.
fn node(answer: impl Into<Vec<u8>>) -> Listener {
    let answer = answer.into();
    Listener::new(move |_, mut peer| serve(&mut peer, &answer))
}

fn serve(peer: &mut Peer, answer: &[u8]) {
    while peer.lines(GET).is_some() {
        peer.send(answer);
    }
}

fn cluster(seeds: Vec<Address>) -> Cache {
    Site::new(RedisServers::Replicated(seeds)).cache()
}

fn get(cache: &mut Cache) -> Result<Option<String>, String> {
    shown(cache.get(b"key", soon()))
}

fn shown(
    got: Result<Option<hallpass_stores::cache::Entry>, Unavailable>,
) -> Result<Option<String>, String> {
    got.map(value).map_err(|error| error.to_string())
}

#[test]
fn the_node_that_has_the_key_is_asked_and_remembered() {
    let having = node(*b"$2\r\nok\r\n");
    let seed = node(moved(having.port));
    let mut cache = cluster(vec![seed.address()]);
    for _ in 0..3 {
        assert_eq!(get(&mut cache), Ok(Some("ok".to_owned())));
    }
    assert_eq!((seed.accepted(), having.accepted()), (1, 1));
    // Its absence there is an absence.
    let lacking = node(*b"$-1\r\n");
    let seed = node(moved(lacking.port));
    assert_eq!(get(&mut cluster(vec![seed.address()])), Ok(None));
}

#[test]
fn a_slot_that_has_moved_on_is_followed() {
    let new = node(*b"$3\r\nnew\r\n");
    let answer = moved(new.port);
    let old = Listener::new(move |_, mut peer| {
        peer.lines(GET);
        peer.send(b"$3\r\nold\r\n");
        serve(&mut peer, &answer);
    });
    let seed = node(moved(old.port));
    let mut cache = cluster(vec![seed.address()]);
    assert_eq!(get(&mut cache), Ok(Some("old".to_owned())));
    assert_eq!(get(&mut cache), Ok(Some("new".to_owned())));
    assert_eq!(get(&mut cache), Ok(Some("new".to_owned())));
    assert_eq!((old.accepted(), new.accepted()), (1, 1));
}

#[test]
fn a_node_that_takes_a_slot_over_is_asked_with_asking_and_not_remembered() {
    let taking = Listener::new(|_, mut peer| {
        while let Some(question) = peer.lines(ASKING + GET) {
            let well = question == b"*1\r\n$6\r\nASKING\r\n*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
            peer.send(if well {
                b"+OK\r\n$2\r\nok\r\n"
            } else {
                b"-ERR\r\n"
            });
        }
    });
    let seed = node(ask(taking.port));
    let mut cache = cluster(vec![seed.address()]);
    for _ in 0..3 {
        assert_eq!(get(&mut cache), Ok(Some("ok".to_owned())));
    }
    assert_eq!((seed.accepted(), taking.accepted()), (1, 1));
    // Who does not know the command answers twice, and neither answer is the value.
    let old = Listener::new(|_, mut peer| {
        peer.lines(ASKING + GET);
        peer.send(b"-ERR unknown command\r\n$6\r\nforged\r\n");
        peer.wait();
    });
    let seed = node(ask(old.port));
    let error = get(&mut cluster(vec![seed.address()])).unwrap_err();
    assert!(error.contains("answers ERR"), "{error}");
}

#[test]
fn a_node_that_answers_too_much_is_left() {
    for answer in [
        &b"$800000000\r\n"[..],
        b"$2\r\nok\r\n$2\r\nok\r\n$2\r\nok\r\n",
        b"+OK\r\n+OK\r\n",
    ] {
        let having = node(answer);
        for redirection in [moved(having.port), ask(having.port)] {
            let seed = node(redirection);
            let mut cache = cluster(vec![seed.address()]);
            // What comes after the first answer is never an answer to the next question.
            for _ in 0..3 {
                let got = get(&mut cache);
                assert!(got.is_err() || got == Ok(Some("ok".to_owned())), "{got:?}");
            }
        }
    }
}

#[test]
fn hostile_redirections_are_unavailable() {
    let long = format!("-ASK {SLOT} {}:1\r\n", "a".repeat(4000));
    let endless = format!("-ASK {SLOT} {}:1\r\n", "a".repeat(9000));
    for answer in [
        "-MOVED\r\n",
        "-MOVED x\r\n",
        "-MOVED 99999 :0\r\n",
        "-MOVED 12539 :0\r\n",
        "-MOVED 12540 127.0.0.1:1\r\n",
        "-MOVED 12539 ?:1\r\n",
        "-MOVED 12539 /etc/passwd:1\r\n",
        "-MOVED 12539 127.0.0.1:1 127.0.0.1:2\r\n",
        "-MOVED 12539 secret\x1b[2J:1\r\n",
        "-ASK 12539\r\n",
        &long,
        &endless,
    ] {
        let seed = node(answer);
        let error = get(&mut cluster(vec![seed.address()])).unwrap_err();
        assert!(error.contains(&seed.address().to_string()), "{error}");
        assert!(error.len() < 300, "{error}");
        assert!(
            !error.contains("secret") && !error.contains("aaaa"),
            "{error}"
        );
    }
}

#[test]
fn nodes_that_send_on_for_ever_are_left() {
    let loops = Listener::new(|_, mut peer| {
        let port = peer.port();
        serve(&mut peer, &moved(port));
    });
    let error = get(&mut cluster(vec![loops.address()])).unwrap_err();
    assert!(error.contains("without end"), "{error}");
    // A question is sent on five times at most.
    let mut next = node(*b"$2\r\nok\r\n");
    let mut chain = Vec::new();
    for _ in 0..6 {
        let before = node(moved(next.port));
        chain.push(next);
        next = before;
    }
    let error = get(&mut cluster(vec![next.address()])).unwrap_err();
    assert!(error.contains("without end"), "{error}");
    assert_eq!(
        get(&mut cluster(vec![chain[5].address()])),
        Ok(Some("ok".to_owned()))
    );
}

#[test]
fn silent_nodes_are_not_waited_for_past_the_deadline() {
    let silent = Listener::new(|_, peer| peer.wait());
    let seed = node(moved(silent.port));
    let begun = Instant::now();
    let error = shown(cluster(vec![seed.address()]).get(b"key", Deadline::after(SHORT)));
    assert!(error.unwrap_err().contains("in time"));
    assert!(begun.elapsed() < LONG / 2);
}

#[test]
fn a_node_that_is_away_leaves_it_to_the_other_seeds() {
    let having = node(*b"$2\r\nok\r\n");
    let knowing = node(moved(having.port));
    let down = node(*b"-CLUSTERDOWN The cluster is down\r\n");
    let lagging = node(moved(match nobody() {
        Address::Tcp { port, .. } => port,
        Address::Unix(_) => 0,
    }));
    for away in [nobody(), down.address(), lagging.address()] {
        let shown = away.to_string();
        let mut cache = cluster(vec![away, knowing.address()]);
        assert_eq!(get(&mut cache), Ok(Some("ok".to_owned())), "{shown}");
    }
    // With no other, it is said which node it is, and what is to be done.
    let error = get(&mut cluster(vec![lagging.address()])).unwrap_err();
    assert!(
        error.contains("cannot connect to the Redis server 127.0.0.1:"),
        "{error}"
    );
    assert!(error.contains("the address that it announces"), "{error}");
}

#[test]
fn a_node_that_went_away_is_replaced_by_whom_the_seed_names() {
    let new = node(*b"$3\r\nnew\r\n");
    let old = Listener::new(|index, mut peer| {
        peer.lines(GET);
        if index == 0 {
            peer.send(b"$3\r\nold\r\n");
        }
        peer.close();
    });
    let (first, second) = (moved(old.port), moved(new.port));
    let seed = Listener::new(move |_, mut peer| {
        peer.lines(GET);
        peer.send(&first);
        serve(&mut peer, &second);
    });
    let mut cache = cluster(vec![seed.address()]);
    assert_eq!(get(&mut cache), Ok(Some("old".to_owned())));
    assert_eq!(get(&mut cache), Ok(Some("new".to_owned())));
}

#[test]
fn what_listens_where_a_node_was_is_asked_only_where_the_seed_names_it() {
    let new = node(*b"$3\r\nnew\r\n");
    // The node is stopped; later another cluster's is started under its address.
    let old = Listener::new(|index, mut peer| {
        if index > 0 {
            return serve(&mut peer, b"$6\r\nforged\r\n");
        }
        peer.lines(GET);
        peer.send(b"$3\r\nold\r\n");
        peer.close();
    });
    let (first, second) = (moved(old.port), moved(new.port));
    let seed = Listener::new(move |_, mut peer| {
        peer.lines(GET);
        peer.send(&first);
        serve(&mut peer, &second);
    });
    let mut cache = cluster(vec![seed.address()]);
    assert_eq!(get(&mut cache), Ok(Some("old".to_owned())));
    for _ in 0..3 {
        assert_eq!(get(&mut cache), Ok(Some("new".to_owned())));
    }
    assert_eq!(old.accepted(), 1);
}

#[test]
fn every_node_is_logged_in_to() {
    let having = Listener::new(|_, mut peer| {
        let login = peer.lines(5).unwrap();
        let well = login == b"*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n";
        peer.send(if well { b"+OK\r\n" } else { b"-ERR\r\n" });
        serve(&mut peer, b"$2\r\nok\r\n");
    });
    let answer = moved(having.port);
    let seed = Listener::new(move |_, mut peer| {
        peer.lines(5);
        peer.send(b"+OK\r\n");
        serve(&mut peer, &answer);
    });
    let mut site = Site::at(seed.address());
    site.password = Some((None, "pw"));
    assert_eq!(get(&mut site.cache()), Ok(Some("ok".to_owned())));
}
