//! Reads that are recorded and read again: over a real SQLite file, and against caches that behave
//! and that do not. PostgreSQL, MariaDB, Redis and memcached themselves are asked in
//! `tests/end_to_end/test_watching_stores.py`.
#![allow(clippy::panic, clippy::unwrap_used)]

mod listener;
mod redis;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hallpass_stores::cache::{self, Cache, RedisServers, Settings, Store};
use hallpass_stores::sql::{self, Database, Location, LookUp};
use hallpass_stores::{Address, Deadline};
use listener::{LONG, Listener, nobody, soon};
use redis::Site;
use rusqlite::Connection;

/// What a server answers for a key, as raw bytes.
type Answers = Arc<Mutex<BTreeMap<&'static str, String>>>;

const KEYS: [&str; 4] = ["one", "two", "three", "absent"];

fn answers(answer: fn(&str) -> String) -> Answers {
    let known = KEYS.iter().filter(|key| **key != "absent");
    Arc::new(Mutex::new(known.map(|key| (*key, answer(key))).collect()))
}

fn bulk(value: &str) -> String {
    format!("${}\r\n{value}\r\n", value.len())
}

fn item(key: &str, flags: u32, value: &str) -> String {
    format!("VALUE {key} {flags} {}\r\n{value}\r\nEND\r\n", value.len())
}

/// A server that takes questions of `lines` lines, with the key in the last of them.
fn server(lines: usize, answers: &Answers, absent: &'static str) -> Listener {
    let answers = Arc::clone(answers);
    Listener::new(move |_, mut peer| {
        while let Some(question) = peer.lines(lines) {
            let question = String::from_utf8(question).unwrap();
            let key = question.trim_end().rsplit(['\n', ' ']).next().unwrap();
            let known = answers.lock().unwrap();
            let answer = known.get(key).map_or(absent, String::as_str);
            if answer.is_empty() {
                return;
            }
            peer.send(answer.as_bytes());
        }
    })
}

fn redis(answers: &Answers) -> Listener {
    server(redis::GET, answers, "$-1\r\n")
}

fn memcached(addresses: &[Address]) -> Cache {
    Cache::new(&Settings {
        store: Store::Memcached(addresses.to_vec()),
        connect_timeout: LONG,
        query_timeout: LONG,
    })
}

/// Reads all keys, and returns what was recorded of each.
fn record(cache: &mut Cache) -> Vec<cache::Recorded> {
    cache.begin_recording();
    for key in KEYS {
        cache.get(key.as_bytes(), soon()).unwrap();
    }
    let recorded = cache.take_recorded().unwrap();
    assert_eq!(recorded.len(), KEYS.len());
    assert!(!format!("{recorded:?}").contains("one"));
    recorded
}

fn unchanged(cache: &mut Cache, recorded: &[cache::Recorded]) -> Result<[bool; 4], String> {
    let recorded: Vec<_> = recorded.iter().collect();
    let unchanged = cache.unchanged(&recorded, soon());
    let unchanged = unchanged.map_err(|cause| cause.to_string())?;
    Ok(unchanged.try_into().unwrap())
}

#[test]
fn what_is_the_same_in_a_redis_is_told_from_what_is_not() {
    for (key, answer, expected) in [
        ("one", bulk("one"), [true, true, true, true]),
        ("one", bulk("One"), [false, true, true, true]),
        ("two", bulk("two "), [true, false, true, true]),
        ("two", bulk(""), [true, false, true, true]),
        ("three", "$-1\r\n".to_owned(), [true, true, false, true]),
        ("absent", bulk("absent"), [true, true, true, false]),
        ("absent", bulk(""), [true, true, true, false]),
        // Each has to be asked about by itself.
        (
            "one",
            "-WRONGTYPE it is a list\r\n".to_owned(),
            [false, true, true, true],
        ),
        (
            "one",
            "-NOPERM no\r\n".to_owned(),
            [false, true, true, true],
        ),
        (
            "absent",
            "-LOADING\r\n".to_owned(),
            [true, true, true, false],
        ),
        (
            "two",
            "-MOVED 3999 127.0.0.1:6381\r\n".to_owned(),
            [true, false, true, true],
        ),
    ] {
        let answers = answers(bulk);
        let listener = redis(&answers);
        let mut cache = Site::at(listener.address()).cache();
        let recorded = record(&mut cache);
        assert_eq!(unchanged(&mut cache, &recorded), Ok([true; 4]));
        answers.lock().unwrap().insert(key, answer.clone());
        assert_eq!(
            unchanged(&mut cache, &recorded),
            Ok(expected),
            "{key} {answer}"
        );
        assert_eq!(listener.accepted(), 1, "on the connection that there is");
    }
}

#[test]
fn a_redis_that_does_not_answer_says_of_none_that_it_is_the_same() {
    for answer in [
        "",
        "+OK\r\n",
        ":1\r\n",
        "HTTP/1.1 400\r\n",
        "$99999999\r\n",
        "*0\r\n",
    ] {
        let answers = answers(bulk);
        let listener = redis(&answers);
        let mut cache = Site::at(listener.address()).cache();
        let recorded = record(&mut cache);
        answers.lock().unwrap().insert("two", answer.to_owned());
        assert!(unchanged(&mut cache, &recorded).is_err(), "{answer:?}");
    }
}

#[test]
fn a_copy_is_asked_where_the_first_does_not_answer() {
    let answers = answers(bulk);
    let listener = redis(&answers);
    let servers = RedisServers::Replicated(vec![nobody(), listener.address()]);
    let mut cache = Site::new(servers).cache();
    let recorded = record(&mut cache);
    assert_eq!(unchanged(&mut cache, &recorded), Ok([true; 4]));
    answers.lock().unwrap().remove("one");
    assert_eq!(
        unchanged(&mut cache, &recorded),
        Ok([false, true, true, true])
    );
}

#[test]
fn what_is_the_same_in_memcached_is_told_from_what_is_not() {
    for (key, answer, expected) in [
        ("one", item("one", 7, "one"), [true, true, true, true]),
        ("one", item("one", 7, "One"), [false, true, true, true]),
        ("one", item("one", 8, "one"), [false, true, true, true]),
        ("three", "END\r\n".to_owned(), [true, true, false, true]),
        ("absent", item("absent", 0, ""), [true, true, true, false]),
    ] {
        let answers = answers(|key| item(key, 7, key));
        let listener = server(1, &answers, "END\r\n");
        let mut cache = memcached(&[listener.address()]);
        let recorded = record(&mut cache);
        assert_eq!(unchanged(&mut cache, &recorded), Ok([true; 4]));
        answers.lock().unwrap().insert(key, answer.clone());
        assert_eq!(
            unchanged(&mut cache, &recorded),
            Ok(expected),
            "{key} {answer}"
        );
    }
    for answer in [
        "",
        "SERVER_ERROR busy\r\n",
        "STORED\r\n",
        "VALUE three 7 3\r\ntwo\r\nEND\r\n",
    ] {
        let answers = answers(|key| item(key, 7, key));
        let listener = server(1, &answers, "END\r\n");
        let mut cache = memcached(&[listener.address()]);
        let recorded = record(&mut cache);
        answers.lock().unwrap().insert("two", answer.to_owned());
        assert!(unchanged(&mut cache, &recorded).is_err(), "{answer:?}");
    }
}

/// Another server of several may have what one does not; an absence is known of all alone.
#[test]
fn several_servers_of_memcached_have_a_part_of_the_keys_each() {
    let (one, two) = (
        answers(|key| item(key, 0, key)),
        answers(|key| item(key, 0, key)),
    );
    for key in ["two", "three"] {
        one.lock().unwrap().remove(key);
    }
    two.lock().unwrap().remove("one");
    let first = server(1, &one, "END\r\n");
    let second = server(1, &two, "END\r\n");
    let mut cache = memcached(&[first.address(), second.address()]);
    let recorded = record(&mut cache);
    assert_eq!(unchanged(&mut cache, &recorded), Ok([true; 4]));
    two.lock().unwrap().remove("three");
    assert_eq!(
        unchanged(&mut cache, &recorded),
        Ok([true, true, false, true])
    );
    // The connection ends in the middle.
    two.lock().unwrap().insert("two", String::new());
    assert_eq!(
        unchanged(&mut cache, &recorded),
        Ok([true, false, false, false])
    );
}

#[test]
fn a_read_that_failed_is_not_recorded() {
    let mut cache = memcached(&[nobody()]);
    cache.begin_recording();
    cache.get(b"key", soon()).unwrap_err();
    assert!(cache.take_recorded().is_none());
    cache.begin_recording();
    // What no client can write is not asked for.
    assert!(cache.get(b"a key", soon()).unwrap().is_none());
    assert_eq!(cache.take_recorded().unwrap().len(), 0);
    assert!(
        cache.take_recorded().is_none(),
        "nothing is recorded any more"
    );
}

struct Tables {
    _directory: tempfile::TempDir,
    connection: Connection,
    database: Database,
}

impl Tables {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("site.db");
        let connection = Connection::open(&path).unwrap();
        let tables = "CREATE TABLE session (id TEXT PRIMARY KEY, data TEXT);
             CREATE TABLE member (user INTEGER, name TEXT);
             INSERT INTO session VALUES ('one', 'a'), ('two', 'b');
             INSERT INTO member VALUES (1, 'chess'), (1, 'words'), (2, 'chess');";
        connection.execute_batch(tables).unwrap();
        Self {
            _directory: directory,
            connection,
            database: Database::new(&sql::Settings::new(Location::Sqlite(path))),
        }
    }

    /// Reads a session and the groups of an account.
    fn record(&mut self, key: &str, user: i64) -> Option<Vec<sql::Recorded>> {
        let session = LookUp::new(&["\"data\""], "\"session\"", "\"id\"", ":key");
        self.database.begin_recording();
        let asked = self.database.ask(soon(), |queries| {
            queries.look_up(&session, key.into())?;
            let groups = "SELECT name FROM member WHERE user = :user";
            queries.rows(groups, &[(":user", user.into())], usize::MAX)
        });
        asked.unwrap();
        self.database.take_recorded()
    }
}

#[test]
fn what_is_the_same_in_a_database_is_told_from_what_is_not() {
    for (statement, expected) in [
        ("SELECT 1", [true, true, true, true, true, true]),
        (
            "UPDATE session SET data = 'b' WHERE id = 'one'",
            [false, true, true, true, true, true],
        ),
        (
            "UPDATE session SET data = NULL WHERE id = 'two'",
            [true, true, false, true, true, true],
        ),
        (
            "DELETE FROM session WHERE id = 'one'",
            [false, true, true, true, true, true],
        ),
        (
            "INSERT INTO session VALUES ('no', 'a')",
            [true, true, true, true, false, true],
        ),
        (
            "INSERT INTO member VALUES (1, 'go')",
            [true, false, true, true, true, true],
        ),
        (
            "INSERT INTO member VALUES (1, 'words')",
            [true, false, true, true, true, true],
        ),
        (
            "DELETE FROM member WHERE name = 'words'",
            [true, false, true, true, true, true],
        ),
        (
            "INSERT INTO member VALUES (3, 'go')",
            [true, true, true, true, true, false],
        ),
    ] {
        let mut tables = Tables::new();
        let mut recorded = Vec::new();
        for (key, user) in [("one", 1), ("two", 2), ("no", 3)] {
            recorded.extend(tables.record(key, user).unwrap());
        }
        assert!(!format!("{recorded:?}").contains("one"), "{recorded:?}");
        let recorded: Vec<_> = recorded.iter().collect();
        let before = tables.database.unchanged(&recorded, soon()).unwrap();
        assert_eq!(before, [true; 6]);
        tables.connection.execute_batch(statement).unwrap();
        let after = tables.database.unchanged(&recorded, soon()).unwrap();
        assert_eq!(after, expected, "{statement}");
    }
}

#[test]
fn a_database_that_cannot_be_read_says_of_none_that_it_is_the_same() {
    let mut tables = Tables::new();
    let recorded = tables.record("one", 1).unwrap();
    let recorded: Vec<_> = recorded.iter().collect();
    tables
        .connection
        .execute_batch("ALTER TABLE member RENAME TO members")
        .unwrap();
    tables.database.unchanged(&recorded, soon()).unwrap_err();
    tables
        .connection
        .execute_batch("ALTER TABLE members RENAME TO member")
        .unwrap();
    assert_eq!(
        tables.database.unchanged(&recorded, soon()).unwrap(),
        [true; 2]
    );
    let late = Deadline::after(std::time::Duration::ZERO);
    tables.connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
    tables.database.unchanged(&recorded, late).unwrap_err();
}

#[test]
fn what_is_not_all_that_was_read_is_not_recorded() {
    let mut tables = Tables::new();
    tables.database.begin_recording();
    let columns = tables
        .database
        .ask(soon(), |queries| queries.columns("session"));
    assert_eq!(columns.unwrap().len(), 2);
    assert!(tables.database.take_recorded().is_none());
    tables.database.begin_recording();
    let failed = tables
        .database
        .ask(soon(), |queries| queries.rows("SELECT", &[], 1));
    failed.unwrap_err();
    assert!(tables.database.take_recorded().is_none());
    tables.database.begin_recording();
    for _ in 0..100 {
        let read = tables
            .database
            .ask(soon(), |queries| queries.rows("SELECT 1", &[], 1));
        read.unwrap();
    }
    assert!(tables.database.take_recorded().is_none(), "it is too much");
    assert!(tables.record("one", 1).is_some());
}
