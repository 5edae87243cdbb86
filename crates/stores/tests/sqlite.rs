//! The SQL layer over real SQLite files.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use hallpass_stores::Deadline;
use hallpass_stores::sql::{Database, Location, LookUp, Settings, Value};
use rusqlite::Connection;

struct Site {
    directory: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        site.write("site.db", "Alice");
        site
    }

    fn write(&self, file: &str, name: &str) {
        let connection = Connection::open(self.directory.path().join(file)).unwrap();
        connection
            .execute_batch("CREATE TABLE user (id INTEGER, name TEXT)")
            .unwrap();
        connection
            .execute("INSERT INTO user VALUES (1, ?1)", [name])
            .unwrap();
    }

    fn database(&self) -> Database {
        let location = Location::Sqlite(self.directory.path().join("site.db"));
        Database::new(&Settings {
            query_timeout: Duration::from_secs(20),
            ..Settings::new(location)
        })
    }
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

fn names(database: &mut Database, condition: &str, name: &str) -> Result<Vec<String>, String> {
    let statement = format!("SELECT name FROM user WHERE {condition}");
    let answer = database.ask(deadline(), |queries| {
        queries.rows(&statement, &[(":name", name.into())], 9)
    });
    match answer {
        Ok(rows) => Ok(rows.into_iter().filter_map(|mut row| row.text(0)).collect()),
        Err(unavailable) => Err(unavailable.to_string()),
    }
}

#[test]
fn parameters_are_bound() {
    let site = Site::new();
    let mut database = site.database();
    assert_eq!(
        names(&mut database, "name = :name", "Alice").unwrap(),
        ["Alice"]
    );
    assert!(
        names(&mut database, "name = :name", "' OR 1=1 --")
            .unwrap()
            .is_empty()
    );
    assert!(
        names(&mut database, "name = :name", "alice")
            .unwrap()
            .is_empty()
    );
}

#[test]
fn names_that_differ_in_case_alone_are_found() {
    let site = Site::new();
    let mut database = site.database();
    let connection = Connection::open(site.directory.path().join("site.db")).unwrap();
    connection
        .execute("INSERT INTO user VALUES (2, 'Zoë')", [])
        .unwrap();
    for (typed, found) in [("ALICE", "Alice"), ("zOË", "Zoë")] {
        let condition = database
            .ask(deadline(), |queries| {
                Ok(queries.same_but_for_case("name", typed))
            })
            .unwrap();
        assert_eq!(names(&mut database, &condition, typed).unwrap(), [found]);
    }
}

#[test]
fn a_misspelt_column_is_no_string() {
    let site = Site::new();
    let answer = names(&mut site.database(), "\"nmae\" = :name", "nmae");
    assert!(answer.unwrap_err().contains("no such column"));
}

#[test]
fn nothing_is_created_where_nothing_is() {
    let site = Site::new();
    let path = site.directory.path().join("site.db");
    std::fs::remove_file(&path).unwrap();
    assert!(names(&mut site.database(), "name = :name", "Alice").is_err());
    assert!(!path.exists());
}

#[test]
fn nothing_can_be_written() {
    let site = Site::new();
    let mut database = site.database();
    let answer = database.ask(deadline(), |queries| {
        queries.rows(
            "INSERT INTO user VALUES (9, 'mallory') RETURNING name",
            &[],
            9,
        )
    });
    assert!(answer.is_err());
    assert_eq!(
        names(&mut database, "name = :name", "mallory")
            .unwrap()
            .len(),
        0
    );
}

#[test]
fn a_file_put_in_place_of_the_open_one_is_the_one_that_is_read() {
    let site = Site::new();
    let mut database = site.database();
    assert_eq!(
        names(&mut database, "name = :name", "Alice").unwrap(),
        ["Alice"]
    );
    site.write("restored.db", "Bob");
    let path = site.directory.path();
    std::fs::rename(path.join("restored.db"), path.join("site.db")).unwrap();
    assert!(
        names(&mut database, "name = :name", "Alice")
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        names(&mut database, "name = :name", "Bob").unwrap(),
        ["Bob"]
    );
}

#[test]
fn a_file_that_goes_and_comes_back_is_found_again() {
    let site = Site::new();
    let mut database = site.database();
    assert_eq!(
        names(&mut database, "name = :name", "Alice").unwrap(),
        ["Alice"]
    );
    let (here, away) = (
        site.directory.path().join("site.db"),
        site.directory.path().join("away.db"),
    );
    std::fs::rename(&here, &away).unwrap();
    assert!(names(&mut database, "name = :name", "Alice").is_err());
    std::fs::rename(&away, &here).unwrap();
    assert_eq!(
        names(&mut database, "name = :name", "Alice").unwrap(),
        ["Alice"]
    );
}

#[test]
fn a_file_that_is_no_database_is_unavailable() {
    let site = Site::new();
    std::fs::write(
        site.directory.path().join("site.db"),
        "no database at all".repeat(99),
    )
    .unwrap();
    let error = names(&mut site.database(), "name = :name", "Alice").unwrap_err();
    assert!(
        error.contains("is this the site's database file?"),
        "{error}"
    );
}

#[test]
fn a_lock_that_is_held_is_waited_for_until_the_deadline() {
    let site = Site::new();
    let writer = Connection::open(site.directory.path().join("site.db")).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut database = site.database();
    let soon = Deadline::after(Duration::from_millis(50));
    let answer = database.ask(soon, |queries| queries.rows("SELECT * FROM user", &[], 9));
    assert!(answer.unwrap_err().to_string().contains("lock"));
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(
        names(&mut database, "name = :name", "Alice").unwrap(),
        ["Alice"]
    );
}

#[test]
fn a_query_without_end_is_interrupted() {
    let site = Site::new();
    let mut database = site.database();
    let soon = Deadline::after(Duration::from_millis(50));
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                   SELECT max(i) FROM n";
    let answer = database.ask(soon, |queries| queries.rows(endless, &[], 9));
    assert!(answer.unwrap_err().to_string().contains("query_timeout"));
    assert_eq!(
        names(&mut database, "name = :name", "Alice").unwrap(),
        ["Alice"]
    );
}

#[test]
fn columns_are_described() {
    let site = Site::new();
    let mut database = site.database();
    let columns = database
        .ask(deadline(), |queries| queries.columns("user"))
        .unwrap();
    let described: Vec<_> = columns
        .iter()
        .map(|column| (column.name.as_str(), column.kind.as_str()))
        .collect();
    assert_eq!(described, [("id", "integer"), ("name", "text")]);
    let none = database
        .ask(deadline(), |queries| queries.columns("nothing"))
        .unwrap();
    assert!(none.is_empty());
}

#[test]
fn values_are_not_shown() {
    assert_eq!(format!("{:?}", Value::from("pbkdf2_sha256$…")), "Text(…)");
}

#[test]
fn who_is_impatient_waits_for_no_lock() {
    let site = Site::new();
    let mut database = site.database().impatient();
    assert!(
        database.is_at_hand(),
        "tests are not run on network file systems"
    );
    let mut others = [site.database().impatient(), site.database()];
    assert_eq!(
        names(&mut database, "name = :name", "Alice").unwrap(),
        ["Alice"]
    );
    assert_eq!(
        names(&mut others[0], "name = :name", "Alice").unwrap(),
        ["Alice"]
    );

    let writer = Connection::open(site.directory.path().join("site.db")).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    writer.execute("UPDATE user SET name = 'Bob'", []).unwrap();
    for _ in 0..3 {
        let error = names(&mut database, "name = :name", "Alice").unwrap_err();
        assert!(error.contains("lock"), "{error}");
    }
    // Others wait until it is there.
    let waiting = std::thread::spawn(move || names(&mut others[1], "name = :name", "Bob"));
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(waiting.join().unwrap().unwrap(), ["Bob"]);
    assert_eq!(
        names(&mut database, "name = :name", "Bob").unwrap(),
        ["Bob"]
    );
    assert!(
        names(&mut database, "name = :name", "Alice")
            .unwrap()
            .is_empty()
    );
}

#[test]
fn what_is_nowhere_is_not_at_hand() {
    let location = Location::Sqlite("/nowhere/at/all/site.db".into());
    assert!(!Database::new(&Settings::new(location)).is_at_hand());
    assert!(!Database::new(&Settings::new(Location::Nowhere)).is_at_hand());
    let proc = Location::Sqlite("/proc/self/maps".into());
    assert!(!Database::new(&Settings::new(proc)).is_at_hand());
}

#[test]
fn the_state_is_the_same_until_something_is_committed() {
    let site = Site::new();
    let mut database = site.database();
    let mut state = || database.ask(deadline(), |queries| queries.state()).unwrap();
    let mut last = state().unwrap();
    assert_eq!(state(), Some(last));
    let path = site.directory.path().join("site.db");
    let writer = Connection::open(&path).unwrap();
    for (statement, changes) in [
        ("BEGIN; UPDATE user SET name = 'Bob'; ROLLBACK", false),
        ("SELECT name FROM user", false),
        ("UPDATE user SET name = 'Bob'", true),
        ("BEGIN; UPDATE user SET name = 'Carol'", false),
        ("COMMIT", true),
        ("CREATE TABLE other (id INTEGER)", true),
        ("PRAGMA journal_mode = wal", true),
        ("UPDATE user SET name = 'Dave'", true),
        ("BEGIN IMMEDIATE; UPDATE user SET name = 'Eve'", false),
        ("COMMIT", true),
        ("VACUUM", true),
    ] {
        writer.execute_batch(statement).unwrap();
        let now = state().unwrap();
        assert_eq!(now != last, changes, "{statement}");
        assert_eq!(state(), Some(now), "{statement}");
        last = now;
    }
    drop(writer);
    // The same bytes in another file are another database.
    let copy = site.directory.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::rename(&copy, &path).unwrap();
    assert_ne!(state(), Some(last));
}

#[test]
fn what_is_nowhere_is_in_no_state() {
    let mut database = Database::new(&Settings::new(Location::Nowhere));
    let state = database.ask(deadline(), |queries| queries.state());
    assert_eq!(state.unwrap(), None);
}

/// Writes what the file `from` holds into the file `to`, which stays the same file.
fn overwrite(site: &Site, from: &str, to: &str) {
    let contents = std::fs::read(site.directory.path().join(from)).unwrap();
    std::fs::write(site.directory.path().join(to), contents).unwrap();
}

#[test]
fn a_file_overwritten_in_place_is_read_anew_though_it_had_as_many_commits() {
    let site = Site::new();
    site.write("backup.db", "Mallory");
    for wal in [false, true] {
        let mode = if wal { "WAL" } else { "DELETE" };
        for file in ["site.db", "backup.db"] {
            let connection = Connection::open(site.directory.path().join(file)).unwrap();
            connection
                .pragma_update(None, "journal_mode", mode)
                .unwrap();
        }
        let mut database = site.database();
        let everything = "name <> :name";
        let first = names(&mut database, everything, "").unwrap();
        let before = database.ask(deadline(), |queries| queries.state()).unwrap();
        assert!(before.is_some());
        overwrite(&site, "site.db", "kept.db");
        overwrite(&site, "backup.db", "site.db");
        let after = database.ask(deadline(), |queries| queries.state()).unwrap();
        assert_ne!(after, before, "{mode}");
        assert_ne!(names(&mut database, everything, "").unwrap(), first);
        overwrite(&site, "kept.db", "site.db");
        assert_eq!(names(&mut database, everything, "").unwrap(), first);
    }
}

#[test]
fn a_commit_as_a_question_begins_does_not_hide_that_the_file_is_overwritten_after_it() {
    let site = Site::new();
    site.write("backup.db", "Mallory");
    let renamed = |file: &str, name: &str| {
        let connection = Connection::open(site.directory.path().join(file)).unwrap();
        let rename = "UPDATE user SET name = ?1";
        connection.execute(rename, [name]).unwrap();
    };
    let mut database = site.database();
    assert_eq!(names(&mut database, "1", "").unwrap(), ["Alice"]);
    let statement = "SELECT name FROM user";
    let read = database.ask(deadline(), |queries| {
        // The file has been looked at, and nothing of it been read.
        queries.names(statement)?;
        renamed("site.db", "Bob");
        queries.rows(statement, &[], 9)
    });
    let read: Vec<_> = read
        .unwrap()
        .into_iter()
        .filter_map(|mut row| row.text(0))
        .collect();
    assert_eq!(read, ["Bob"]);
    renamed("backup.db", "Mary");
    overwrite(&site, "backup.db", "site.db");
    assert_eq!(names(&mut database, "1", "").unwrap(), ["Mary"]);
}

#[test]
fn a_file_that_is_only_touched_or_committed_to_is_not_opened_anew_at_every_question() {
    let site = Site::new();
    let path = site.directory.path().join("site.db");
    let mut database = site.database();
    let mut state = || database.ask(deadline(), |queries| queries.state()).unwrap();
    let first = state();
    assert_eq!(state(), first);
    // Its times change, and SQLite knows of no commit.
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let touched = state();
    assert_ne!(touched, first);
    assert_eq!(state(), touched);
    let connection = Connection::open(&path).unwrap();
    connection.execute("UPDATE user SET id = 7", []).unwrap();
    let committed = state();
    assert_ne!(committed, touched);
    assert_eq!(state(), committed);
}

/// Puts a row of `length` letters into the file, and what comes of reading it by a look-up of
/// `columns`.
fn of_length(length: usize, data: bool) -> Result<usize, hallpass_stores::Unavailable> {
    let site = Site::new();
    let connection = Connection::open(site.directory.path().join("site.db")).unwrap();
    connection
        .execute("UPDATE user SET name = ?1", ["a".repeat(length)])
        .unwrap();
    let columns = ["\"id\"", "\"name\""];
    let look_up = match data {
        true => LookUp::of_data(&columns, "\"user\"", "\"id\"", ":id"),
        false => LookUp::new(&columns, "\"user\"", "\"id\"", ":id"),
    };
    let mut database = site.database();
    let rows = database.ask(deadline(), |queries| queries.look_up(&look_up, 1.into()))?;
    let text = rows.into_iter().next().unwrap().text(1);
    Ok(text.unwrap().len())
}

#[test]
fn values_that_are_too_long_are_told_by_their_column_and_not_read() {
    for (length, data) in [(64 << 10, false), (64 << 10, true), (2 << 20, true)] {
        assert_eq!(of_length(length, data), Ok(length));
    }
    for (length, data) in [
        ((64 << 10) + 1, false),
        (2 << 20, false),
        ((2 << 20) + 1, false),
        (100 << 20, false),
        ((2 << 20) + 1, true),
        (100 << 20, true),
    ] {
        let error = of_length(length, data).unwrap_err();
        assert!(error.is_too_long());
        let told = error.to_string();
        assert!(told.contains("the column name is longer"), "{told}");
    }
}

#[test]
fn who_is_impatient_leaves_long_values_to_others() {
    let site = Site::new();
    let connection = Connection::open(site.directory.path().join("site.db")).unwrap();
    let mut database = site.database().impatient();
    for (length, is_read) in [(60_000, true), (70_000, false), (3, true)] {
        connection
            .execute("UPDATE user SET name = ?1", ["a".repeat(length)])
            .unwrap();
        let look_up = LookUp::of_data(&["\"name\""], "\"user\"", "\"id\"", ":id");
        let rows = database.ask(deadline(), |queries| queries.look_up(&look_up, 1.into()));
        assert_eq!(rows.is_ok(), is_read);
        // It says nothing about the row: who may wait reads it.
        assert!(!rows.is_err_and(|error| error.is_too_long()));
    }
}

#[test]
fn rows_are_bounded_together() {
    let site = Site::new();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT \
                   printf('%060000d', i) FROM n";
    let mut database = site.database();
    let rows = database.ask(deadline(), |queries| queries.rows(endless, &[], usize::MAX));
    assert!(rows.unwrap_err().is_too_long());
}
