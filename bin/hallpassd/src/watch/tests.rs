//! Tests of what is watched, on a SQLite site with a table of sessions.

use std::fs;
use std::path::Path;

use hallpass_core::{Authenticator, ClaimedName, Client, Conditions, Deadline, Verdict};

use tempfile::TempDir;

use super::*;

/// A site with the accounts 1 and 2, and the sessions of the tokens `one` and `two`.
struct TestSite {
    directory: TempDir,
    configuration: Arc<Configuration>,
}

const TABLES: &str = "
CREATE TABLE account (id INTEGER PRIMARY KEY, name TEXT, password TEXT, active INTEGER);
CREATE TABLE session (token TEXT PRIMARY KEY, account INTEGER, expires INTEGER);
CREATE TABLE member (account INTEGER, club TEXT);
INSERT INTO account VALUES (1, 'alice', 'x', 1), (2, 'bob', 'x', 1);
INSERT INTO session VALUES ('token one', 1, 99999999999), ('token two', 2, 99999999999);
INSERT INTO member VALUES (1, 'chess');";

/// The configuration of the site in `directory`.
fn configuration(directory: &Path) -> Configuration {
    let text = format!(
        "framework = \"custom\"\ndatabase = \"sqlite:{}/db\"\n[custom]\ncookie = \"c\"\n\
         user = \"SELECT id, name AS username, password, active AS is_active FROM account \
         WHERE name = :username\"\n\
         user_by_id = \"SELECT id, name AS username, password, active AS is_active FROM account \
         WHERE id = :id\"\n\
         groups = \"SELECT club AS name FROM member WHERE account = :id\"\n\
         session = \"SELECT account AS user_id FROM session WHERE token = :session AND expires > :now\"\n\
         [access]\npasswords = false\n[daemon]\nwatch_interval = \"100ms\"\n[log]\nlevel = \"error\"\n",
        directory.display()
    );
    Configuration::parse(&directory.join("hallpass.toml"), &text).unwrap()
}

impl TestSite {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let site = Self {
            configuration: Arc::new(configuration(directory.path())),
            directory,
        };
        site.execute(TABLES);
        site
    }

    fn execute(&self, statements: &str) {
        let database = rusqlite::Connection::open(self.directory.path().join("db")).unwrap();
        database.execute_batch(statements).unwrap();
    }

    fn watch(&self) -> Watch {
        let watch = Watch::default();
        watch.serve(&self.configuration);
        watch
    }

    /// Subscribes to what `token` proves.
    fn subscribe(&self, watch: &Watch, token: &str, group: Option<&str>) -> Subscription {
        let request = || Request {
            conditions: Conditions {
                any: group.iter().map(|group| group.parse().unwrap()).collect(),
                all: Vec::new(),
            },
            ..request(token)
        };
        let mut authenticator = Authenticator::new(&self.configuration);
        let deadline = Deadline::after(Duration::from_secs(10));
        match authenticator.answer(&request(), SystemTime::now(), deadline) {
            Verdict::Granted(identity) => watch.subscribe(request(), &identity).unwrap(),
            verdict => panic!("{verdict:?}"),
        }
    }
}

fn request(token: &str) -> Request {
    let credential = Credential::Session(Secret::new(token));
    Request::new(ClaimedName::Nameless, credential)
}

/// How `subscription` ends, within a while.
fn end_of(mut subscription: Subscription) -> Ended {
    for _ in 0..1_000 {
        match subscription.ended.try_recv() {
            Ok(ended) => return ended,
            Err(oneshot::error::TryRecvError::Empty) => thread::sleep(Duration::from_millis(20)),
            Err(lost) => panic!("{lost}"),
        }
    }
    panic!("it goes on")
}

fn goes_on(subscription: &mut Subscription) -> bool {
    matches!(
        subscription.ended.try_recv(),
        Err(oneshot::error::TryRecvError::Empty)
    )
}

fn pause() {
    thread::sleep(Duration::from_millis(500));
}

#[test]
fn each_way_to_end_is_told_and_others_go_on() {
    for (statement, group, expected) in [
        ("DELETE FROM session WHERE account = 1", None, Ended::Logout),
        (
            "UPDATE session SET account = 2 WHERE account = 1",
            None,
            Ended::Logout,
        ),
        (
            "UPDATE account SET active = 0 WHERE id = 1",
            None,
            Ended::Closed,
        ),
        ("DELETE FROM account WHERE id = 1", None, Ended::Closed),
        (
            "DELETE FROM member WHERE account = 1",
            Some("chess"),
            Ended::Conditions,
        ),
    ] {
        let site = TestSite::new();
        let watch = site.watch();
        let one = site.subscribe(&watch, "token one", group);
        let mut two = site.subscribe(&watch, "token two", None);
        let mut twin = site.subscribe(&watch, "token one", group);
        pause();
        assert!(goes_on(&mut two) && goes_on(&mut twin), "{statement}");
        site.execute(statement);
        assert_eq!(end_of(one), expected, "{statement}");
        assert_eq!(end_of(twin), expected, "{statement}");
        assert!(goes_on(&mut two), "{statement}");
        let statistics = watch.statistics();
        assert_eq!((statistics.watched, statistics.subscriptions), (1, 1));
        let count = ENDED.iter().position(|ended| *ended == expected).unwrap();
        assert_eq!(statistics.ended[count], 1);
    }
}

#[test]
fn a_group_that_no_host_asked_for_ends_nothing() {
    let site = TestSite::new();
    let watch = site.watch();
    let mut one = site.subscribe(&watch, "token one", None);
    site.execute("DELETE FROM member");
    pause();
    assert!(goes_on(&mut one));
}

#[test]
fn a_database_that_is_away_ends_nothing_until_it_is_back() {
    let site = TestSite::new();
    let watch = site.watch();
    let mut one = site.subscribe(&watch, "token one", None);
    let mut two = site.subscribe(&watch, "token two", None);
    let (path, away) = (
        site.directory.path().join("db"),
        site.directory.path().join("away"),
    );
    fs::rename(&path, &away).unwrap();
    fs::create_dir(&path).unwrap();
    pause();
    pause();
    assert!(goes_on(&mut one) && goes_on(&mut two));
    fs::remove_dir(&path).unwrap();
    fs::rename(&away, &path).unwrap();
    site.execute("DELETE FROM session WHERE account = 1");
    assert_eq!(end_of(one), Ended::Logout);
    assert!(goes_on(&mut two));
}

#[test]
fn what_ended_while_nothing_looked_is_told_once_it_is_looked_at() {
    let site = TestSite::new();
    let watch = Watch::default();
    let one = site.subscribe(&watch, "token one", None);
    site.execute("DELETE FROM session");
    watch.serve(&site.configuration);
    assert_eq!(end_of(one), Ended::Logout);
}

#[test]
fn a_site_that_is_no_longer_served_ends_nothing() {
    let site = TestSite::new();
    let watch = site.watch();
    let mut one = site.subscribe(&watch, "token one", None);
    drop(watch);
    let lost = one.ended.try_recv();
    assert_eq!(lost, Err(oneshot::error::TryRecvError::Closed));
}

#[test]
fn an_end_is_remembered_until_the_session_lives_again() {
    let site = TestSite::new();
    let watch = site.watch();
    let one = site.subscribe(&watch, "token one", None);
    assert_eq!(watch.ended(&request("token one")), None);
    site.execute("DELETE FROM session WHERE account = 1");
    end_of(one);
    assert_eq!(watch.ended(&request("token one")), Some(Ended::Logout));
    assert_eq!(watch.ended(&request("token two")), None);
    assert_eq!(watch.ended(&request("token never")), None);
    site.execute("INSERT INTO session VALUES ('token one', 1, 99999999999)");
    let mut again = site.subscribe(&watch, "token one", None);
    assert_eq!(watch.ended(&request("token one")), None);
    pause();
    assert!(goes_on(&mut again));
}

#[test]
fn hints_are_looked_at_at_once_and_never_believed() {
    let site = TestSite::new();
    let mut configuration = configuration(site.directory.path());
    configuration.daemon.watch_interval = Duration::from_secs(3600);
    let watch = Watch::default();
    watch.serve(&Arc::new(configuration));
    let mut one = site.subscribe(&watch, "token one", None);
    let mut two = site.subscribe(&watch, "token two", None);
    for (hint, count) in [
        (Hint::Session(b"token one"), 1),
        (Hint::Session(b"token"), 0),
        (Hint::Session(b"a token of nobody"), 0),
        (Hint::User("ALICE"), 1),
        (Hint::User("nobody"), 0),
        (Hint::User(""), 0),
    ] {
        assert_eq!(watch.look(&hint), count, "{hint:?}");
    }
    pause();
    assert!(goes_on(&mut one) && goes_on(&mut two));
    // As Django does: first the hint, and then the end.
    assert_eq!(watch.look(&Hint::User("alice")), 1);
    thread::sleep(Duration::from_millis(50));
    site.execute("DELETE FROM session");
    assert_eq!(end_of(one), Ended::Logout);
    assert!(goes_on(&mut two), "nothing hinted at it");
}

#[test]
fn whatever_may_change_a_verdict_is_part_of_the_key() {
    let named = |name: &str| ClaimedName::Named(name.to_owned());
    let at = |address: &str| Client::at(address.parse().ok());
    let group = |group: &str| Conditions {
        any: vec![group.parse().unwrap()],
        all: Vec::new(),
    };
    let requests = [
        request("a"),
        request("ab"),
        request(""),
        Request::new(ClaimedName::Nameless, Credential::Cookies(Secret::new("a"))),
        Request::new(ClaimedName::Nameless, Credential::Jwt(Secret::new("a"))),
        Request::new(named("a"), Credential::Session(Secret::new("a"))),
        Request::new(named("Nameless"), Credential::Session(Secret::new("a"))),
        Request {
            client: at("192.0.2.1"),
            ..request("a")
        },
        Request {
            client: at("192.0.2.2"),
            ..request("a")
        },
        Request {
            conditions: group("a"),
            ..request("a")
        },
        Request {
            conditions: group("a\", \"b"),
            ..request("a")
        },
    ];
    let keys: Vec<Key> = requests.iter().map(key).collect();
    for (place, one) in keys.iter().enumerate() {
        assert!(!keys[..place].contains(one), "{:?}", requests[place]);
    }
    assert_eq!(key(&request("a")), key(&request("a")));
}

#[test]
fn nobody_who_left_is_counted() {
    let site = TestSite::new();
    let watch = site.watch();
    let one = site.subscribe(&watch, "token one", None);
    let twin = site.subscribe(&watch, "token one", None);
    assert_eq!(watch.statistics().watched, 1);
    drop(one);
    assert_eq!(watch.statistics().watched, 1);
    drop(twin);
    let statistics = watch.statistics();
    assert_eq!((statistics.watched, statistics.subscriptions), (0, 0));
}
