//! Several servers of Redis: copies, parts, and the one that Sentinels name.
#![allow(clippy::panic, clippy::unwrap_used)]

mod listener;
mod redis;

use hallpass_stores::cache::{Cache, Entry, RedisServers};
use hallpass_stores::{Address, Deadline};
use listener::{Listener, SHORT, nobody, soon};
use redis::{GET, Site, value};

fn having(answer: &'static [u8]) -> Listener {
    Listener::answering(GET, Box::leak(Box::new([answer])))
}

const ABSENT: &[u8] = b"$-1\r\n";

#[test]
fn of_copies_the_first_that_answers_decides() {
    let (absent, present) = (having(ABSENT), having(b"$2\r\nok\r\n"));
    let (loading, odd) = (having(b"-LOADING\r\n"), having(b"-WRONGTYPE\r\n"));
    for (addresses, expected) in [
        // A copy that lags behind knows a session that has ended.
        (vec![absent.address(), present.address()], Ok(None)),
        (vec![present.address(), absent.address()], Ok(Some("ok"))),
        (vec![nobody(), present.address()], Ok(Some("ok"))),
        (
            vec![nobody(), absent.address(), present.address()],
            Ok(None),
        ),
        (vec![loading.address(), present.address()], Ok(Some("ok"))),
        (vec![odd.address(), present.address()], Err("than a string")),
        (vec![loading.address(), nobody()], Err("loading")),
        (vec![], Err("no servers")),
    ] {
        let shown = format!("{addresses:?}");
        let mut cache = Site::new(RedisServers::Replicated(addresses)).cache();
        check(cache.get(b"key", soon()), expected, &shown);
    }
}

#[test]
fn of_parts_any_may_have_it_and_none_may_be_missing() {
    let (absent, present) = (having(ABSENT), having(b"$2\r\nok\r\n"));
    for (addresses, expected) in [
        (vec![absent.address(), present.address()], Ok(Some("ok"))),
        (vec![absent.address(), absent.address()], Ok(None)),
        (vec![nobody(), present.address()], Ok(Some("ok"))),
        (vec![nobody(), absent.address()], Err("cannot connect")),
        (vec![absent.address(), nobody()], Err("cannot connect")),
    ] {
        let shown = format!("{addresses:?}");
        let mut cache = Site::new(RedisServers::Sharded(addresses)).cache();
        check(cache.get(b"key", soon()), expected, &shown);
    }
}

#[test]
fn a_silent_server_leaves_time_for_the_next() {
    let silent = Listener::new(|_, peer| peer.wait());
    let present = having(b"$2\r\nok\r\n");
    let addresses = vec![silent.address(), present.address()];
    let mut cache = Site::new(RedisServers::Replicated(addresses)).cache();
    let got = cache.get(b"key", Deadline::after(10 * SHORT));
    check(got, Ok(Some("ok")), "silent, present");
}

fn check(
    got: Result<Option<Entry>, hallpass_stores::Unavailable>,
    expected: Result<Option<&str>, &str>,
    shown: &str,
) {
    match (got, expected) {
        (Ok(got), Ok(expected)) => assert_eq!(value(got).as_deref(), expected, "{shown}"),
        (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{shown}: {error}"),
        (got, expected) => panic!("{shown}: {got:?} {expected:?}"),
    }
}

fn sentinels(addresses: Vec<Address>) -> Cache {
    Site::new(RedisServers::Sentinel {
        sentinels: addresses,
        service: "mymaster".to_owned(),
        login: None,
    })
    .cache()
}

/// A Sentinel that names the server at `port`.
fn sentinel(port: u16) -> Listener {
    Listener::new(move |_, mut peer| {
        let question = peer.lines(7).unwrap();
        assert!(question.ends_with(b"mymaster\r\n"));
        let port = port.to_string();
        let answer = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len());
        peer.send(answer.as_bytes());
    })
}

#[test]
fn sentinels_name_the_master() {
    let master = having(b"$2\r\nok\r\n");
    let knowing = sentinel(master.port);
    let ignorant = Listener::answering(7, &[b"*-1\r\n"]);
    let silent = Listener::new(|_, peer| peer.wait());
    for addresses in [
        vec![knowing.address()],
        vec![nobody(), knowing.address()],
        vec![ignorant.address(), knowing.address()],
        vec![silent.address(), knowing.address()],
    ] {
        let shown = format!("{addresses:?}");
        let got = sentinels(addresses).get(b"key", Deadline::after(10 * SHORT));
        check(got, Ok(Some("ok")), &shown);
    }
    for (addresses, words) in [
        (
            vec![ignorant.address()],
            "knows no master called \"mymaster\"",
        ),
        (vec![having(b"-NOAUTH\r\n").address()], "password"),
        (
            vec![having(b"*2\r\n$1\r\na\r\n$1\r\nb\r\n").address()],
            "is this its address?",
        ),
        (
            vec![having(b"*1\r\n$1\r\na\r\n").address()],
            "is this its address?",
        ),
        // Nothing that a Sentinel has to say is as long as a value.
        (
            vec![having(b"*2\r\n$800000000\r\n").address()],
            "is this its address?",
        ),
        (
            vec![having(b"*800000000\r\n").address()],
            "is this its address?",
        ),
        (
            vec![nobody(), nobody()],
            "cannot connect to the Sentinel server",
        ),
        (vec![], "no Sentinels"),
    ] {
        check(sentinels(addresses).get(b"key", soon()), Err(words), words);
    }
}

#[test]
fn a_master_that_was_replaced_is_left() {
    let old = Listener::new(|_, mut peer| {
        peer.lines(GET);
        peer.send(b"$3\r\nold\r\n");
        peer.lines(GET);
        peer.close();
    });
    let new = having(b"$3\r\nnew\r\n");
    let ports = [old.port, new.port];
    let sentinel = Listener::new(move |index, mut peer| {
        peer.lines(7);
        let port = ports[index].to_string();
        let answer = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len());
        peer.send(answer.as_bytes());
    });
    let mut cache = sentinels(vec![sentinel.address()]);
    check(cache.get(b"key", soon()), Ok(Some("old")), "before");
    check(cache.get(b"key", soon()), Ok(Some("new")), "after");
}
