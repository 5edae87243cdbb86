//! The client of memcached against servers that behave, and servers that do not.
#![allow(clippy::panic, clippy::unwrap_used)]

mod listener;

use std::time::Instant;

use hallpass_stores::cache::{Cache, Entry, LONGEST_VALUE, Settings, Store};
use hallpass_stores::{Address, Deadline, Unavailable};
use listener::{LONG, Listener, SHORT, nobody, soon};

fn cache(addresses: &[Address]) -> Cache {
    Cache::new(&Settings {
        store: Store::Memcached(addresses.to_vec()),
        connect_timeout: LONG,
        query_timeout: LONG,
    })
}

fn having(answer: &'static [u8]) -> Listener {
    Listener::answering(1, Box::leak(Box::new([answer])))
}

/// What one question for `key` to a server that answers `answer` comes to.
fn answered(answer: &'static [u8]) -> Result<Option<Entry>, Unavailable> {
    let listener = having(answer);
    cache(&[listener.address()]).get(b"key", soon())
}

fn check(got: Result<Option<Entry>, Unavailable>, expected: Result<Option<&str>, &str>) {
    match (got, expected) {
        (Ok(got), Ok(expected)) => {
            let got = got.map(|entry| String::from_utf8(entry.bytes.to_vec()).unwrap());
            assert_eq!(got.as_deref(), expected);
        }
        (Err(error), Err(words)) => {
            let error = error.to_string();
            assert!(error.contains(words), "{error}");
            assert!(error.contains("the memcached server "), "{error}");
        }
        (got, expected) => panic!("{got:?} {expected:?}"),
    }
}

#[test]
fn values_their_flags_and_their_absence_are_told_apart() {
    check(answered(b"END\r\n"), Ok(None));
    let entry = answered(b"VALUE key 17 5\r\nhello\r\nEND\r\n");
    assert_eq!(entry.as_ref().unwrap().as_ref().unwrap().flags, Some(17));
    check(entry, Ok(Some("hello")));
    let within = b"VALUE key 0 12\r\nEND\r\nEND\r\n\r\n\r\nEND\r\n";
    check(answered(within), Ok(Some("END\r\nEND\r\n\r\n")));
    check(answered(b"VALUE key 0 0\r\n\r\nEND\r\n"), Ok(Some("")));
}

#[test]
fn what_is_no_answer_is_unavailable() {
    const GARBAGE: &str = "is this its address?";
    for (answer, words) in [
        (&b"ERROR\r\n"[..], "answers ERROR"),
        (
            b"SERVER_ERROR out of memory\r\n",
            "SERVER_ERROR out of memory",
        ),
        (b"CLIENT_ERROR bad\r\n", "answers CLIENT_ERROR bad"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", GARBAGE),
        (b"-ERR unknown command\r\n", GARBAGE),
        (b"VALUE other 0 1\r\na\r\nEND\r\n", GARBAGE),
        (b"VALUE key 0 1\r\nab\r\nEND\r\n", GARBAGE),
        (
            b"VALUE key 0 1\r\na\r\nVALUE key 0 1\r\nb\r\nEND\r\n",
            GARBAGE,
        ),
        (
            b"VALUE key 0 1\r\na\r\nSERVER_ERROR late\r\n",
            "SERVER_ERROR late",
        ),
        (b"VALUE key 0 1\r\na\r\n\0", GARBAGE),
        (b"VALUE key 0 1048577\r\n", "more than 1048576 bytes"),
        (b"VALUE key 0 99999999999\r\n", "more than 1048576 bytes"),
    ] {
        check(answered(answer), Err(words));
    }
}

#[test]
fn the_longest_value_is_read() {
    let listener = Listener::new(|_, mut peer| {
        while peer.lines(1).is_some() {
            peer.send(format!("VALUE key 0 {LONGEST_VALUE}\r\n").as_bytes());
            peer.send(&vec![b'a'; LONGEST_VALUE]);
            peer.send(b"\r\nEND\r\n");
        }
    });
    let mut cache = cache(&[listener.address()]);
    for _ in 0..2 {
        let entry = cache.get(b"key", soon()).unwrap().unwrap();
        assert_eq!(entry.bytes.len(), LONGEST_VALUE);
    }
    assert_eq!(listener.accepted(), 1);
}

#[test]
fn keys_that_cannot_be_are_absent_without_a_question() {
    let listener = having(b"VALUE key 0 1\r\na\r\nEND\r\n");
    let mut cache = cache(&[listener.address()]);
    for key in [&b""[..], b"a b", b"key\r\nget key", b"\0", &[b'a'; 251]] {
        check(cache.get(key, soon()), Ok(None));
    }
    assert_eq!(listener.accepted(), 0);
    check(cache.get(b"key", soon()), Ok(Some("a")));
}

#[test]
fn nobody_is_waited_for_past_the_deadline() {
    let silent = Listener::new(|_, peer| peer.wait());
    let dripping = Listener::new(|_, mut peer| {
        peer.lines(1);
        peer.send(b"VALUE key 0 1000000\r\n");
        peer.drip(b"a");
    });
    let without_end = Listener::new(|_, mut peer| {
        peer.lines(1);
        peer.send(b"VALUE key 0 1\r\na\r\n");
        peer.wait();
    });
    for (listener, words) in [
        (&silent, "does not answer in time"),
        (&dripping, "end of its answer in time"),
        (&without_end, "in time"),
    ] {
        let begun = Instant::now();
        let got = cache(&[listener.address()]).get(b"key", Deadline::after(SHORT));
        check(got, Err(words));
        assert!(begun.elapsed() < LONG / 2, "{words}");
    }
}

#[test]
fn the_answer_to_a_question_that_was_given_up_is_never_taken_for_another() {
    let listener = Listener::new(|index, mut peer| {
        while peer.lines(1).is_some() {
            if index == 0 {
                std::thread::sleep(2 * SHORT);
            }
            peer.send(format!("VALUE key 0 1\r\n{index}\r\nEND\r\n").as_bytes());
        }
    });
    let mut cache = cache(&[listener.address()]);
    assert!(cache.get(b"key", Deadline::after(SHORT)).is_err());
    let got = loop {
        match cache.get(b"key", soon()) {
            Err(error) => assert!(error.to_string().contains("in time"), "{error}"),
            got => break got,
        }
    };
    check(got, Ok(Some("1")));
}

#[test]
fn half_an_answer_is_no_answer() {
    for half in [
        &b"VALUE"[..],
        b"VALUE key 0 5\r\nhel",
        b"VALUE key 0 1\r\na\r\nEN",
        b"EN",
    ] {
        let listener = Listener::new(move |_, mut peer| {
            peer.lines(1);
            peer.send(half);
            peer.close();
        });
        check(
            cache(&[listener.address()]).get(b"key", soon()),
            Err("mid-answer"),
        );
        assert_eq!(listener.accepted(), 1);
    }
}

#[test]
fn a_value_without_its_end_is_no_answer() {
    let listener = Listener::new(|_, mut peer| {
        peer.lines(1);
        peer.send(b"VALUE key 0 1\r\na\r\n");
        peer.close();
    });
    let mut cache = cache(&[listener.address()]);
    assert!(cache.get(b"key", soon()).is_err());
}

#[test]
fn a_connection_that_ended_while_idle_is_replaced_once() {
    let listener = Listener::new(|_, mut peer| {
        peer.lines(1);
        peer.send(b"END\r\n");
        peer.close();
    });
    let mut cache = cache(&[listener.address()]);
    for _ in 0..3 {
        check(cache.get(b"key", soon()), Ok(None));
    }
    assert_eq!(listener.accepted(), 3);
}

#[test]
fn each_server_is_asked_until_one_has_it() {
    let absent = having(b"END\r\n");
    let present = having(b"VALUE key 0 2\r\nok\r\nEND\r\n");
    let failing = having(b"SERVER_ERROR out of memory\r\n");
    let long = having(b"VALUE key 0 1048577\r\n");
    for (addresses, expected) in [
        (vec![absent.address(), present.address()], Ok(Some("ok"))),
        (vec![nobody(), present.address()], Ok(Some("ok"))),
        (vec![failing.address(), present.address()], Ok(Some("ok"))),
        (vec![absent.address(), absent.address()], Ok(None)),
        // It may be where nobody answers.
        (vec![absent.address(), nobody()], Err("cannot connect")),
        (vec![nobody(), absent.address()], Err("cannot connect")),
        (
            vec![failing.address(), absent.address()],
            Err("out of memory"),
        ),
        (
            vec![long.address(), present.address()],
            Err("more than 1048576"),
        ),
    ] {
        check(cache(&addresses).get(b"key", soon()), expected);
    }
    assert!(cache(&[]).get(b"key", soon()).is_err());
}

#[test]
fn a_silent_server_leaves_time_for_the_others() {
    let silent = Listener::new(|_, peer| peer.wait());
    let present = having(b"VALUE key 0 2\r\nok\r\nEND\r\n");
    let mut cache = cache(&[silent.address(), present.address()]);
    check(
        cache.get(b"key", Deadline::after(10 * SHORT)),
        Ok(Some("ok")),
    );
}

#[test]
fn a_socket_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("memcached.sock");
    let got = cache(&[Address::Unix(path)]).get(b"key", soon());
    check(got, Err("memcached.sock: "));
}
