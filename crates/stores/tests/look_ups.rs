//! Look-ups of which two are read together, over a real SQLite file. Those of servers are compared
//! with Django in `tests/end_to_end`.
#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hallpass_stores::sql::{Database, Location, LookUp, Queries, Row, Settings};
use hallpass_stores::{Deadline, Trace, TraceEvent, Tracer, Unavailable};
use rusqlite::Connection;

/// Takes note of the statements.
#[derive(Default)]
struct Statements(Mutex<Vec<String>>);

impl Trace for Statements {
    fn step(&self, step: TraceEvent) {
        self.0.lock().unwrap().push(step.said);
    }
}

struct Site {
    directory: tempfile::TempDir,
    database: Database,
    statements: Arc<Statements>,
    session: LookUp,
    account: LookUp,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("site.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE session (id TEXT, data TEXT);
                 CREATE TABLE user (id INTEGER, name TEXT);
                 INSERT INTO session VALUES ('one', 'a'), ('two', 'b'), ('twice', 'c'), ('twice', 'd');
                 INSERT INTO user VALUES (1, 'alice'), (2, 'bob'), (3, 'carol'), (3, 'carl');",
            )
            .unwrap();
        let statements = Arc::new(Statements::default());
        let database = Database::new(&Settings::new(Location::Sqlite(path)));
        Self {
            directory,
            database: database.traced(Tracer::new(statements.clone())),
            statements,
            session: LookUp::new(&["\"data\"", "NULL"], "\"session\"", "\"id\"", ":key"),
            account: LookUp::new(&["\"id\"", "\"name\"", "1"], "\"user\"", "\"id\"", ":id"),
        }
    }

    /// What `ask` answers, and how many statements that took.
    fn ask<T>(
        &mut self,
        ask: impl FnOnce(&mut Queries<'_>, &LookUp, &LookUp) -> Result<T, Unavailable>,
    ) -> (T, usize) {
        self.statements.0.lock().unwrap().clear();
        let deadline = Deadline::after(Duration::from_secs(20));
        let (session, account) = (&self.session, &self.account);
        let answer = self.database.ask(deadline, |it| ask(it, session, account));
        (answer.unwrap(), self.statements.0.lock().unwrap().len())
    }

    /// The data of the session `key` and the names of the accounts `id`, read one after the other;
    /// and how many statements that took.
    fn each(&mut self, key: &str, id: i64) -> (Vec<String>, Vec<String>, usize) {
        let ((data, names), count) = self.ask(|queries, session, account| {
            let data = queries.look_up(session, key.into())?;
            let names = queries.look_up(account, id.into())?;
            Ok((texts(data, 0), texts(names, 1)))
        });
        (data, names, count)
    }

    /// The same, after the session `key` and the account `together` have been read together, and the
    /// number of columns that were shown then.
    fn both(
        &mut self,
        together: i64,
        key: &str,
        id: i64,
    ) -> (Vec<String>, Vec<String>, usize, Option<usize>) {
        let mut seen = None;
        let ((data, names), count) = self.ask(|queries, session, account| {
            let two = (account, together.into());
            queries.together((session, key.into()), two, |row| seen = Some(columns(row)))?;
            let data = queries.look_up(session, key.into())?;
            let names = queries.look_up(account, id.into())?;
            assert!(data.iter().all(|row| columns(row) == 2));
            assert!(names.iter().all(|row| columns(row) == 3));
            Ok((texts(data, 0), texts(names, 1)))
        });
        (data, names, count, seen)
    }
}

fn texts(rows: Vec<Row>, column: usize) -> Vec<String> {
    let texts = rows.into_iter().map(|mut row| row.text(column).unwrap());
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts
}

/// How many values a row has, of which the types are shown.
fn columns(row: &Row) -> usize {
    format!("{row:?}").matches(", ").count() + 1
}

#[test]
fn two_that_are_looked_up_together_are_shown_as_one_row() {
    let mut site = Site::new();
    for (key, id, shown, statements) in [
        ("one", 1, Some(5), 1),
        ("two", 2, Some(5), 1),
        ("two", 3, None, 3),
        ("twice", 1, None, 3),
        ("one", 9, Some(5), 2),
        ("none", 1, None, 3),
    ] {
        let (_, _, count, seen) = site.both(id, key, id);
        assert_eq!((seen, count), (shown, statements), "{key} {id}");
    }
}

#[test]
fn whatever_was_read_together_the_answers_are_those_of_each_by_itself() {
    let mut site = Site::new();
    for key in ["one", "two", "twice", "none", "ONE", ""] {
        for id in 0..5 {
            let (data, names, _) = site.each(key, id);
            for together in 0..5 {
                let (found, called, ..) = site.both(together, key, id);
                assert_eq!((&found, &called), (&data, &names), "{key} {together} {id}");
            }
        }
    }
}

#[test]
fn what_was_read_together_is_taken_once_and_not_by_the_next_request() {
    let mut site = Site::new();
    let (rows, statements) = site.ask(|queries, session, account| {
        let two = (account, 1.into());
        queries.together((session, "one".into()), two, |_| ())?;
        queries.look_up(account, 1.into())?;
        queries.look_up(account, 1.into())
    });
    assert_eq!((&*texts(rows, 1)[0], statements), ("alice", 2));
    let (rows, statements) = site.ask(|queries, session, _| queries.look_up(session, "one".into()));
    assert_eq!((rows.len(), statements), (1, 1));
}

/// By the same hasher, rows differ where a value does, or its type, or where one ends.
#[test]
fn rows_that_differ_have_different_digests() {
    use std::hash::{BuildHasher, RandomState};
    let mut site = Site::new();
    let key = RandomState::new();
    let mut digests = Vec::new();
    for columns in [
        ["'ab'", "'c'"],
        ["'a'", "'bc'"],
        ["'abc'", "''"],
        ["'abc'", "NULL"],
        ["NULL", "'abc'"],
        ["x'616263'", "''"],
        ["1", "0"],
        ["0", "1"],
        ["1.0", "0"],
        ["'1'", "0"],
        ["1", "NULL"],
    ] {
        let statement = format!("SELECT {}", columns.join(", "));
        let (rows, _) = site.ask(|queries, _, _| queries.rows(&statement, &[], 1));
        digests.push(key.hash_one(&rows[0]));
        let (rows, _) = site.ask(|queries, _, _| queries.rows(&statement, &[], 1));
        assert_eq!(digests.last(), Some(&key.hash_one(&rows[0])), "{statement}");
    }
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 11);
}

#[test]
fn a_change_between_two_questions_is_seen() {
    let mut site = Site::new();
    assert_eq!(site.both(1, "one", 1).1, ["alice"]);
    let path = site.directory.path().join("site.db");
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "UPDATE user SET name = 'eve' WHERE id = 1; DELETE FROM session WHERE id = 'two'",
        )
        .unwrap();
    assert_eq!(site.both(1, "one", 1).1, ["eve"]);
    assert_eq!(site.both(2, "two", 2).0, [""; 0]);
}
