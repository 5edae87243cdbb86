//! What a verdict on a session rests on: read again, it is the same until something changes that the
//! verdict could depend on.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::time::{Duration, SystemTime};

use hallpass_core::{
    Authenticator, ClaimedName, Conditions, Configuration, Credential, Deadline, Request, Secret,
    Verdict,
};
use rusqlite::Connection;
use tempfile::TempDir;

const TABLES: &str = r#"
CREATE TABLE "Session" ("sessionToken" TEXT PRIMARY KEY, "userId" INTEGER, expires INTEGER);
CREATE TABLE account (id INTEGER PRIMARY KEY, name TEXT, active INTEGER, motto TEXT);
CREATE TABLE member (account INTEGER, club TEXT);
INSERT INTO "Session" VALUES ('token-one', 1, 99999999999), ('token-two', 2, 99999999999);
INSERT INTO account VALUES (1, 'alice', 1, ''), (2, 'bob', 1, '');
INSERT INTO member VALUES (1, 'chess'), (2, 'chess');"#;

struct Site {
    directory: TempDir,
    authenticator: Authenticator,
}

impl Site {
    fn new(session: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let account = "SELECT id, name AS username, active AS is_active FROM account WHERE";
        let text = format!(
            "framework = \"{}\"\ndatabase = \"sqlite:{}/db\"\n{session}\n\
             user = \"{account} name = :username\"\nuser_by_id = \"{account} id = :id\"\n\
             groups = \"SELECT club AS name FROM member WHERE account = :id\"\n\
             [access]\npasswords = false\n",
            if session.contains("[express]") {
                "express"
            } else {
                "custom"
            },
            directory.path().display(),
        );
        let path = directory.path().join("hallpass.toml");
        let configuration = Configuration::parse(&path, &text).unwrap();
        let site = Self {
            authenticator: Authenticator::new(&configuration),
            directory,
        };
        site.execute(TABLES);
        site
    }

    fn execute(&self, statements: &str) {
        let database = Connection::open(self.directory.path().join("db")).unwrap();
        database.execute_batch(statements).unwrap();
    }

    fn record(&mut self, token: &str, group: Option<&str>) -> Option<hallpass_core::Recorded> {
        let credential = Credential::Session(Secret::new(token));
        let request = Request {
            conditions: Conditions {
                any: group.iter().map(|group| group.parse().unwrap()).collect(),
                all: Vec::new(),
            },
            ..Request::new(ClaimedName::Nameless, credential)
        };
        let (now, deadline) = (SystemTime::now(), soon());
        let (verdict, recorded) = self.authenticator.recheck_recorded(&request, now, deadline);
        assert!(matches!(verdict, Verdict::Granted(_)), "{verdict:?}");
        recorded
    }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

const AUTHJS: &str = "[express]\npreset = \"authjs\"\n[custom]";

#[test]
fn a_change_that_a_verdict_could_depend_on_is_noticed_and_others_are_not() {
    for (statement, expected) in [
        ("SELECT 1", [true, true, true]),
        (
            r#"DELETE FROM "Session" WHERE "userId" = 1"#,
            [false, false, true],
        ),
        (r#"UPDATE "Session" SET "userId" = 2"#, [false, false, true]),
        (
            r#"UPDATE "Session" SET expires = 1 WHERE "userId" = 2"#,
            [true, true, false],
        ),
        (
            r#"INSERT INTO "Session" VALUES ('token-three', 1, 1)"#,
            [true, true, true],
        ),
        (
            "UPDATE account SET active = 0 WHERE id = 1",
            [false, false, true],
        ),
        (
            "UPDATE account SET name = 'alicia' WHERE id = 1",
            [false, false, true],
        ),
        ("UPDATE account SET motto = 'x'", [true, true, true]),
        ("DELETE FROM account WHERE id = 2", [true, true, false]),
        // The second session was let in because of its account's group.
        ("DELETE FROM member", [true, false, true]),
        ("INSERT INTO member VALUES (1, 'go')", [true, false, true]),
        ("INSERT INTO member VALUES (2, 'go')", [true, true, true]),
    ] {
        let mut site = Site::new(AUTHJS);
        // The first verdict looks at the columns as well, which is not read again.
        assert!(site.record("token-one", None).is_none());
        let recorded = [
            site.record("token-one", None).unwrap(),
            site.record("token-one", Some("chess")).unwrap(),
            site.record("token-two", None).unwrap(),
        ];
        let recorded: Vec<_> = recorded.iter().collect();
        for _ in 0..2 {
            let before = site.authenticator.unchanged(&recorded, soon()).unwrap();
            assert_eq!(before, [true; 3], "{statement}");
        }
        site.execute(statement);
        let after = site.authenticator.unchanged(&recorded, soon()).unwrap();
        assert_eq!(after, expected, "{statement}");
    }
}

#[test]
fn a_database_that_is_away_says_nothing() {
    let mut site = Site::new(AUTHJS);
    site.record("token-one", None);
    let recorded = site.record("token-one", None).unwrap();
    site.execute("ALTER TABLE account RENAME TO accounts");
    site.authenticator
        .unchanged(&[&recorded], soon())
        .unwrap_err();
    site.execute("ALTER TABLE accounts RENAME TO account");
    let after = site.authenticator.unchanged(&[&recorded], soon());
    assert_eq!(after.unwrap(), [true]);
}

/// A statement of the configuration may ask for the time.
#[test]
fn a_verdict_that_rests_on_more_is_not_recorded() {
    let session = "[custom]\ncookie = \"c\"\nsession = \"SELECT \\\"userId\\\" AS user_id FROM \
                   \\\"Session\\\" WHERE \\\"sessionToken\\\" = :session AND expires > :now\"";
    let mut site = Site::new(session);
    for _ in 0..3 {
        assert!(site.record("token-one", None).is_none());
    }
}
