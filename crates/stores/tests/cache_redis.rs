//! The client of Redis against servers that behave, and servers that do not.
#![allow(clippy::panic, clippy::unwrap_used)]

mod listener;
mod redis;

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use hallpass_stores::cache::{Cache, LONGEST_VALUE, RedisServers, Settings, Store};
use hallpass_stores::{Address, Deadline, Tls, TlsMode};
use listener::{LONG, Listener, SHORT, nobody, soon};
use redis::{GET, Site, value};
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketType};

/// What one question to a server that answers `answer` comes to.
fn answered(answer: &'static [&'static [u8]]) -> Result<Option<String>, String> {
    let listener = Listener::answering(GET, answer);
    let mut cache = Site::at(listener.address()).cache();
    let got = cache.get(b"key", soon());
    got.map(value).map_err(|error| error.to_string())
}

#[test]
fn values_and_their_absence_are_told_apart() {
    assert_eq!(answered(&[b"$5\r\nhello\r\n"]), Ok(Some("hello".into())));
    assert_eq!(answered(&[b"$0\r\n\r\n"]), Ok(Some(String::new())));
    assert_eq!(answered(&[b"$-1\r\n"]), Ok(None));
}

#[test]
fn the_key_is_sent_as_it_is() {
    let listener = Listener::new(|_, mut peer| {
        let question = peer.lines(6).unwrap();
        assert_eq!(question, b"*2\r\n$3\r\nGET\r\n$6\r\na b\r\nc\r\n");
        peer.send(b"$2\r\nok\r\n");
    });
    let mut cache = Site::at(listener.address()).cache();
    let got = cache.get(b"a b\r\nc", soon()).unwrap();
    assert_eq!(value(got).as_deref(), Some("ok"));
}

#[test]
fn refusals_are_unavailable_in_words_of_their_own() {
    for (answer, words) in [
        (
            &b"-NOAUTH Authentication required.\r\n"[..],
            "wants a password",
        ),
        (
            b"-LOADING Redis is loading the dataset in memory\r\n",
            "loading",
        ),
        (
            b"-MASTERDOWN Link with MASTER is down\r\n",
            "lost its master",
        ),
        (
            b"-CLUSTERDOWN Hash slot not served\r\n",
            "Redis Cluster does not serve this key",
        ),
        (
            b"-NOPERM this user has no permissions\r\n",
            "may not do that",
        ),
        (b"-READONLY You can't write\r\n", "replica"),
        (
            b"-DENIED Redis is running in protected mode\r\n",
            "protected mode",
        ),
        (
            b"-ERR max number of clients reached\r\n",
            "too many clients",
        ),
        (
            b"-WRONGTYPE Operation against a key\r\n",
            "something else than a string",
        ),
        (b"-WHATEVER\x1b[2J secret\r\n", "answers WHATEVER[2J"),
        (b"-\r\n", "answers"),
    ] {
        let error = answered(Box::leak(Box::new([answer]))).unwrap_err();
        assert!(error.contains(words), "{error}");
        assert!(error.contains("the Redis server 127.0.0.1:"), "{error}");
        assert!(
            !error.contains("secret") && !error.contains('\x1b'),
            "{error}"
        );
    }
}

#[test]
fn garbage_is_unavailable() {
    for answer in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0\0\0\0",
        b"+OK\r\n",
        b":1\r\n",
        b"*-1\r\n",
        b"*1\r\n$1\r\na\r\n",
        b"$5\r\nhello, world\r\n",
        b"VALUE key 0 1\r\na\r\nEND\r\n",
    ] {
        let error = answered(Box::leak(Box::new([answer]))).unwrap_err();
        assert!(error.contains("is this its address?"), "{error}");
    }
}

#[test]
fn two_answers_to_one_question_are_garbage() {
    let listener = Listener::answering(GET, &[b"$1\r\na\r\n$1\r\nb\r\n"]);
    let mut cache = Site::at(listener.address()).cache();
    // The first answer may come alone, but what comes after it never answers another question.
    for _ in 0..4 {
        if let Ok(got) = cache.get(b"key", soon()) {
            assert_eq!(value(got).as_deref(), Some("a"));
        }
    }
}

#[test]
fn long_values_are_not_read() {
    let half = answered(&[b"$1073741824\r\n"]).unwrap_err();
    assert!(half.contains("more than 1048576 bytes"), "{half}");
    let longest = LONGEST_VALUE;
    let listener = Listener::new(move |_, mut peer| {
        while peer.lines(GET).is_some() {
            peer.send(format!("${longest}\r\n").as_bytes());
            peer.send(&vec![b'a'; longest]);
            peer.send(b"\r\n");
        }
    });
    let mut cache = Site::at(listener.address()).cache();
    for _ in 0..2 {
        let entry = cache.get(b"key", soon()).unwrap().unwrap();
        assert_eq!(entry.bytes.len(), LONGEST_VALUE);
        assert!(entry.bytes.iter().all(|byte| *byte == b'a'));
        assert_eq!(entry.flags, None);
    }
    assert_eq!(listener.accepted(), 1);
}

#[test]
fn a_line_without_end_is_not_read() {
    let listener = Listener::new(|_, mut peer| {
        peer.lines(GET);
        peer.send(b"-");
        peer.flood(&[b'a'; 4096]);
    });
    let mut cache = Site::at(listener.address()).cache();
    assert!(cache.get(b"key", soon()).is_err());
}

#[test]
fn nobody_is_waited_for_past_the_deadline() {
    let silent = Listener::new(|_, peer| peer.wait());
    let dripping = Listener::new(|_, mut peer| {
        peer.lines(GET);
        peer.send(b"$100000\r\n");
        peer.drip(b"a");
    });
    let slow_line = Listener::new(|_, mut peer| peer.drip(b"$"));
    for (listener, words) in [
        (&silent, "does not answer in time"),
        (&dripping, "end of its answer in time"),
        (&slow_line, ""),
    ] {
        let begun = Instant::now();
        let mut cache = Site::at(listener.address()).cache();
        let error = cache.get(b"key", Deadline::after(SHORT)).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(begun.elapsed() < LONG / 2, "{words}");
    }
}

#[test]
fn the_answer_to_a_question_that_was_given_up_is_never_taken_for_another() {
    let listener = Listener::new(|_, mut peer| {
        while let Some(question) = peer.lines(GET) {
            let key = question.split(|byte| *byte == b'\n').nth(4).unwrap();
            if key == b"slow\r" {
                std::thread::sleep(2 * SHORT);
                peer.send(b"$4\r\nslow\r\n");
            } else {
                peer.send(b"$4\r\nfast\r\n");
            }
        }
    });
    let mut cache = Site::at(listener.address()).cache();
    assert!(cache.get(b"slow", Deadline::after(SHORT)).is_err());
    let fast = loop {
        match cache.get(b"fast", soon()) {
            Ok(entry) => break entry,
            Err(error) => assert!(error.to_string().contains("in time"), "{error}"),
        }
    };
    assert_eq!(value(fast).as_deref(), Some("fast"));
    assert_eq!(listener.accepted(), 2);
}

#[test]
fn half_an_answer_is_no_answer() {
    let listener = Listener::new(|_, mut peer| {
        peer.lines(GET);
        peer.send(b"$5\r\nhel");
        peer.close();
    });
    let mut cache = Site::at(listener.address()).cache();
    let error = cache.get(b"key", soon()).unwrap_err();
    assert!(error.to_string().contains("mid-answer"), "{error}");
    assert_eq!(listener.accepted(), 1);
}

#[test]
fn a_connection_that_ended_while_idle_is_replaced_once() {
    let listener = Listener::new(|index, mut peer| {
        peer.lines(GET);
        if index < 3 {
            peer.send(b"$2\r\nok\r\n");
        }
        peer.close();
    });
    let mut cache = Site::at(listener.address()).cache();
    for _ in 0..3 {
        let got = cache.get(b"key", soon()).unwrap();
        assert_eq!(value(got).as_deref(), Some("ok"));
    }
    assert_eq!(listener.accepted(), 3);
    // The fourth ends before it answers, and was made for this question.
    let error = cache.get(b"key", soon()).unwrap_err();
    assert!(error.to_string().contains("before it answered"), "{error}");
    assert_eq!(listener.accepted(), 4);
}

#[test]
fn who_cannot_be_reached_is_named() {
    let mut cache = Site::at(nobody()).cache();
    let error = cache.get(b"key", soon()).unwrap_err().to_string();
    assert!(
        error.contains("cannot connect to the Redis server 127.0.0.1:"),
        "{error}"
    );
    assert!(error.contains("is it running"), "{error}");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("redis.sock");
    let mut cache = Site::at(Address::Unix(path.clone())).cache();
    let error = cache.get(b"key", soon()).unwrap_err().to_string();
    assert!(
        error.contains("redis.sock") && error.contains("`unixsocket`"),
        "{error}"
    );

    let long = Address::Unix(directory.path().join("a".repeat(200)));
    assert!(Site::at(long).cache().get(b"key", soon()).is_err());

    let unresolved = Address::Tcp {
        host: "no-such-host.invalid".to_owned(),
        port: 6379,
    };
    assert!(Site::at(unresolved).cache().get(b"key", soon()).is_err());
}

#[test]
fn a_unix_socket_whose_queue_is_full_is_not_waited_for_past_the_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("redis.sock");
    // Nobody ever accepts.
    let socket = net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    net::bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    net::listen(&socket, 1).unwrap();
    let waiting: Vec<_> = (0..2).map(|_| UnixStream::connect(&path)).collect();
    assert!(waiting.iter().all(Result::is_ok));
    let begun = Instant::now();
    let mut cache = Site::at(Address::Unix(path)).cache();
    let error = cache
        .get(b"key", Deadline::after(SHORT))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot connect") && error.contains("in time"),
        "{error}"
    );
    assert!(begun.elapsed() < LONG / 2);
}

#[test]
fn while_a_server_is_down_it_is_asked_now_and_then() {
    let listener = Listener::new(|_, peer| peer.close());
    let mut cache = Site::at(listener.address()).cache();
    let end = Instant::now() + 2 * SHORT;
    let mut questions = 0;
    while Instant::now() < end {
        assert!(cache.get(b"key", soon()).is_err());
        questions += 1;
    }
    // It is asked after pauses of 50, 100, 200 and 400 milliseconds; the others cost nothing.
    let asked = listener.accepted();
    assert!(
        asked > 0 && 10 * asked < questions,
        "{asked} of {questions}"
    );
}

#[test]
fn a_deadline_that_has_passed_is_not_the_servers_fault() {
    let listener = Listener::answering(GET, &[b"$2\r\nok\r\n"]);
    let mut cache = Site::at(listener.address()).cache();
    let error = cache.get(b"key", Deadline::after(Duration::ZERO));
    assert!(error.unwrap_err().to_string().contains("not asked"));
    assert_eq!(listener.accepted(), 0);
    assert!(cache.get(b"key", soon()).is_ok());
}

#[test]
fn a_server_that_returns_is_asked_again() {
    let listener = Listener::new(|index, mut peer| {
        if index > 0 {
            while peer.lines(GET).is_some() {
                peer.send(b"$2\r\nok\r\n");
            }
        }
    });
    let mut cache = Site::at(listener.address()).cache();
    assert!(cache.get(b"key", soon()).is_err());
    let begun = Instant::now();
    while cache.get(b"key", soon()).is_err() {
        assert!(begun.elapsed() < LONG);
    }
    assert_eq!(listener.accepted(), 2);
}

#[test]
fn users_log_in_and_databases_are_selected() {
    for (password, database, expected) in [
        (None, 0, &b""[..]),
        (Some((None, "p w")), 0, b"*2\r\n$4\r\nAUTH\r\n$3\r\np w\r\n"),
        (
            Some((Some("shop"), "pw")),
            12,
            b"*3\r\n$4\r\nAUTH\r\n$4\r\nshop\r\n$2\r\npw\r\n*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n",
        ),
    ] {
        let listener = Listener::new(move |_, mut peer| {
            let mut greeting = Vec::new();
            while greeting.len() < expected.len() {
                greeting.extend(peer.lines(1).unwrap());
                for end in [&b"pw\r\n"[..], b"p w\r\n", b"\r\n12\r\n"] {
                    if greeting.ends_with(end) {
                        peer.send(b"+OK\r\n");
                    }
                }
            }
            peer.lines(GET);
            let well: &[u8] = if greeting == expected {
                b"$2\r\nok\r\n"
            } else {
                b"-ERR\r\n"
            };
            peer.send(well);
        });
        let mut site = Site::at(listener.address());
        site.password = password;
        site.database = database;
        let got = site.cache().get(b"key", soon()).unwrap();
        assert_eq!(value(got).as_deref(), Some("ok"));
    }
}

#[test]
fn who_is_not_let_in_asks_nothing() {
    for (answer, words) in [
        (
            &b"-WRONGPASS invalid username-password pair\r\n"[..],
            "username and password",
        ),
        (
            b"-ERR AUTH <password> called without any password configured\r\n",
            "knows no password",
        ),
        (b"-ERR invalid password\r\n", "does not know this password"),
        (b"$2\r\nok\r\n", "is this its address?"),
        (b"$800000000\r\n", "is this its address?"),
    ] {
        let listener = Listener::new(move |_, mut peer| {
            peer.lines(5);
            peer.send(answer);
            // It would answer whatever else it is asked.
            while peer.lines(GET).is_some() {
                peer.send(b"$2\r\nok\r\n");
            }
        });
        let mut site = Site::at(listener.address());
        site.password = Some((None, "hunter2"));
        let error = site.cache().get(b"key", soon()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let listener = Listener::answering(GET, &[b"-ERR DB index is out of range\r\n"]);
    let mut site = Site::at(listener.address());
    site.database = 99;
    let error = site.cache().get(b"key", soon()).unwrap_err().to_string();
    assert!(error.contains("no database of this number"), "{error}");
    // The words of Redis 7.0.15.
    let listener = Listener::answering(GET, &[b"-ERR SELECT is not allowed in cluster mode\r\n"]);
    let mut site = Site::at(listener.address());
    site.database = 1;
    let error = site.cache().get(b"key", soon()).unwrap_err().to_string();
    assert!(error.contains("has the database 0 alone"), "{error}");
}

#[test]
fn a_server_without_tls_is_not_spoken_to_without() {
    let listener = Listener::answering(GET, &[b"$2\r\nok\r\n"]);
    let mut cache = Cache::new(&Settings {
        store: Store::Redis {
            servers: RedisServers::Replicated(vec![listener.address()]),
            login: None,
            database: 0,
            tls: Tls {
                mode: TlsMode::Require,
                ca: None,
            },
        },
        connect_timeout: SHORT,
        query_timeout: SHORT,
    });
    let error = cache.get(b"key", soon()).unwrap_err();
    assert!(error.to_string().contains("by TLS"), "{error}");
}

#[test]
fn values_are_not_shown() {
    let listener = Listener::answering(GET, &[b"$7\r\nhunter2\r\n"]);
    let mut cache = Site::at(listener.address()).cache();
    let entry = cache.get(b"key", soon()).unwrap().unwrap();
    assert_eq!(format!("{entry:?}"), "Entry(7 bytes, flags None)");
    assert!(!format!("{cache:?}").contains("hunter2"));
}
