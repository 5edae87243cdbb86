//! Shared counts against servers that behave, and servers that do not.
#![allow(clippy::panic, clippy::unwrap_used)]

mod listener;

use std::time::{Duration, Instant};

use hallpass_stores::cache::{Counted, Counter, Counters, RedisServers, Settings, Store};
use hallpass_stores::{Address, Deadline, Tls, TlsMode, Unavailable};
use listener::{LONG, Listener, SHORT, nobody, soon};

fn counters(addresses: Vec<Address>) -> Counters {
    let settings = Settings {
        store: Store::Redis {
            servers: RedisServers::Replicated(addresses),
            login: None,
            database: 0,
            tls: Tls {
                mode: TlsMode::Disable,
                ca: None,
            },
        },
        connect_timeout: LONG,
        query_timeout: LONG,
    };
    Counters::new(&settings).unwrap()
}

fn counter(add: u32) -> [Counter; 1] {
    [Counter {
        key: b"hallpass:{x}:y".to_vec(),
        add,
        lifetime: Duration::from_secs(60),
        renewed: false,
    }]
}

/// The number in a line such as `$12`.
fn number(line: &[u8]) -> usize {
    let line = String::from_utf8(line.to_vec()).unwrap();
    line.trim().trim_start_matches(['*', '$']).parse().unwrap()
}

/// Takes one script after the other, and answers `answer` to each.
fn answering(answer: &'static [u8]) -> Listener {
    Listener::new(move |_, mut peer| {
        while let Some(head) = peer.lines(1) {
            for _ in 0..number(&head) {
                // A script has lines of its own.
                let mut left = number(&peer.lines(1).unwrap()) + 2;
                while left > 0 {
                    left -= peer.lines(1).unwrap().len();
                }
            }
            peer.send(answer);
        }
    })
}

fn answered(answer: &'static [u8]) -> Result<Vec<Option<Counted>>, String> {
    let listener = answering(answer);
    let counted = counters(vec![listener.address()]).count(&counter(1), soon());
    counted.map_err(|error: Unavailable| error.to_string())
}

#[test]
fn counts_are_read() {
    let counted = |count, left| {
        Ok(vec![Some(Counted {
            count,
            left: Duration::from_millis(left),
        })])
    };
    assert_eq!(answered(b"*2\r\n:3\r\n:59000\r\n"), counted(3, 59_000));
    assert_eq!(answered(b"*2\r\n:0\r\n:-2\r\n"), counted(0, 0));
    // The key holds something else.
    assert_eq!(answered(b"*2\r\n:-1\r\n:-1\r\n"), Ok(vec![None]));
}

#[test]
fn what_is_no_count_is_unavailable_and_says_why() {
    for (answer, words) in [
        (&b"*0\r\n"[..], "does not speak its protocol"),
        (b"*3\r\n:1\r\n:2\r\n:3\r\n", "does not speak its protocol"),
        (b"*2\r\n$1\r\n3\r\n:5\r\n", "does not speak its protocol"),
        (b"*2\r\n*1\r\n:3\r\n:5\r\n", "does not speak its protocol"),
        (b"*-1\r\n", "does not speak its protocol"),
        (b":1\r\n", "does not speak its protocol"),
        (b"+OK\r\n", "does not speak its protocol"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "does not speak its protocol",
        ),
        (b"-OOM command not allowed\r\n", "its memory is full"),
        (b"-MISCONF Redis is configured to save\r\n", "cannot save"),
        (b"-READONLY You can't write\r\n", "it is a replica"),
        (
            b"-NOAUTH Authentication required.\r\n",
            "it wants a password",
        ),
        (b"-NOPERM no permissions to run 'eval'\r\n", "+eval"),
        (b"-ERR ACL failure in script: no\r\n", "+eval"),
        (b"-LOADING Redis is loading\r\n", "still loading"),
        (b"-MOVED 1 127.0.0.1:1\r\n", "another slot"),
        (b"-MOVED nonsense\r\n", "another slot"),
        (b"-ERR hallpass:{x}:y said so\r\n", "answers ERR"),
    ] {
        let told = answered(answer).unwrap_err();
        let shown = String::from_utf8_lossy(answer);
        assert!(told.contains(words), "{shown}: {told}");
        assert!(!told.contains("hallpass:{x}"), "{told}");
    }
}

#[test]
fn a_replica_is_passed_over() {
    let replica = answering(b"-READONLY You can't write against a read only replica.\r\n");
    let primary = answering(b"*2\r\n:1\r\n:60000\r\n");
    let mut both = counters(vec![nobody(), replica.address(), primary.address()]);
    for _ in 0..2 {
        let counted = both.count(&counter(1), soon()).unwrap();
        assert_eq!(counted[0].unwrap().count, 1);
    }
    // The connection to the one that counts is kept.
    assert_eq!((replica.accepted(), primary.accepted()), (1, 1));
}

#[test]
fn a_connection_that_was_closed_is_made_anew() {
    let listener = Listener::new(|_, mut peer| {
        // Up to the end of the last argument.
        let _ = peer.lines(3 + 2 * 4);
        peer.send(b"*2\r\n:1\r\n:60000\r\n");
        peer.close();
    });
    let mut counters = counters(vec![listener.address()]);
    for _ in 0..3 {
        assert!(counters.count(&counter(1), soon()).is_ok());
    }
    assert_eq!(listener.accepted(), 3);
}

#[test]
fn a_silent_or_slow_server_is_left_in_time() {
    let silent = Listener::new(|_, peer| peer.wait());
    let slow = Listener::new(|_, mut peer| peer.drip(b"*2\r\n:1\r\n"));
    for listener in [silent, slow] {
        let mut counters = counters(vec![listener.address()]);
        let begun = Instant::now();
        assert!(counters.count(&counter(1), Deadline::after(SHORT)).is_err());
        assert!(begun.elapsed() < 3 * SHORT, "{:?}", begun.elapsed());
    }
}

#[test]
fn redirections_end() {
    let here = |port: u16| -> &'static [u8] {
        // The slot of {x} (Redis 7.0.15's CLUSTER KEYSLOT).
        format!("-MOVED 16287 127.0.0.1:{port}\r\n")
            .leak()
            .as_bytes()
    };
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in free.incoming() {
            use std::io::{Read, Write};
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(here(port));
        }
    });
    let address = Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port,
    };
    let error = counters(vec![address]).count(&counter(1), soon());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("without end"), "{error}");
}

#[test]
fn memcached_counts_nothing() {
    let settings = Settings {
        store: Store::Memcached(vec![nobody()]),
        connect_timeout: LONG,
        query_timeout: LONG,
    };
    assert!(Counters::new(&settings).is_none());
}
