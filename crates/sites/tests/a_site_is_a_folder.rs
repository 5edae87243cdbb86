//! A framework is its folder, its line in a list, and its page: a dummy is added to `FRAMEWORKS`
//! here, and no other source changes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

/// Stands as it could stand in `crates/sites/src`: what it names of the crate is named as there.
mod dummy;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Command;
use hallpass_core::configuration::schema::{self, KeyDefault, Origin};
use hallpass_core::doctor::{self, Finding, Status};
use hallpass_core::{
    Authenticator, ClaimedName, Configuration, Credential, Deadline, Identity, Request,
    Requirement, Verdict,
};
use hallpass_settings::Error;
use hallpass_sites::*;
use hallpass_stores::Secret;
use rusqlite::Connection;

/// Hashes of "correct horse" and "tr0ub4dor", by Python's `hashlib.pbkdf2_hmac`.
const TABLES: &str = "
    CREATE TABLE club_members
        (id INTEGER PRIMARY KEY, login TEXT UNIQUE, hash TEXT, state TEXT, email TEXT);
    CREATE TABLE club_groups (member INTEGER, name TEXT);
    CREATE INDEX club_groups_member ON club_groups (member);
    CREATE TABLE club_logins (token TEXT PRIMARY KEY, member INTEGER, stamp TEXT, expires INTEGER);
    INSERT INTO club_members VALUES
        (1, 'alice', 'pbkdf2_sha256$1000$pepper$gQV4o8bSAk9lLV90oJ74VRcTZ9w9mWIZJC4kEwODp3Y=',
         'member', 'alice@example.org'),
        (2, 'bob', 'pbkdf2_sha256$1000$salt$4VYWj4HsOR672OBuZLuDKrvP69YC/qvZRvsFTtpsHY8=',
         'left', 'bob@example.org'),
        (3, 'carol', 'pbkdf2_sha256$1000$salt$4VYWj4HsOR672OBuZLuDKrvP69YC/qvZRvsFTtpsHY8=',
         'pending', ''),
        (4, 'dave', NULL, 'member', '');
    INSERT INTO club_groups VALUES (1, 'chess'), (1, 'board'), (2, 'chess');
    INSERT INTO club_logins VALUES
        ('a11ce000000000000000000000000000', 1, 'EwODp3Y=', 2000),
        ('b0b00000000000000000000000000000', 2, 'TtpsHY8=', 2000),
        ('01d00000000000000000000000000000', 1, 'EwODp3Y=', 1000),
        ('9e570000000000000000000000000000', NULL, '', 2000);
";
const ALICE: &str = "a11ce000000000000000000000000000";
const NOW: u64 = 1500;

const TEXT: &str = "
    framework = \"dummy\"
    database = \"sqlite:club.db\"
    [dummy]
    table_prefix = \"club_\"
    session_cookie_name = \"club\"
";

fn frameworks() -> Vec<&'static dyn Framework> {
    [FRAMEWORKS, &[&dummy::DummyFramework]].concat()
}

/// A site of the dummy, in a temporary directory.
struct Club(tempfile::TempDir);

impl Club {
    fn new() -> Self {
        let club = Self(tempfile::tempdir().unwrap());
        club.run(TABLES);
        let ini = "login = members\ndatabase = club.db\ntable_prefix = club_\ncookie = club\n";
        fs::write(club.path("dummy.ini"), ini).unwrap();
        club
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, sql: &str) {
        let database = Connection::open(self.path("club.db")).unwrap();
        database.execute_batch(sql).unwrap();
    }

    fn parse(&self, text: &str) -> Result<Configuration, Error> {
        Configuration::parse_of(&frameworks(), &self.path("hallpass.toml"), text)
    }

    fn authenticator(&self, more: &str) -> Authenticator {
        Authenticator::new(&self.parse(&format!("{TEXT}{more}")).unwrap())
    }

    fn findings(&self, text: &str) -> Vec<Finding> {
        doctor::examine(&self.parse(text).unwrap(), now())
    }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

fn answer(authenticator: &mut Authenticator, request: &Request) -> Verdict {
    authenticator.answer(request, now(), Deadline::after(Duration::from_secs(60)))
}

/// The name that is granted, or why none is.
fn word(authenticator: &mut Authenticator, request: &Request) -> String {
    match answer(authenticator, request) {
        Verdict::Granted(identity) => identity.name,
        Verdict::Denied(reason) => reason.word().to_owned(),
        Verdict::Unavailable(cause) => panic!("{cause}"),
    }
}

fn password(name: &str, password: &str) -> Request {
    let credential = Credential::Password(Secret::new(password));
    Request::new(ClaimedName::Named(name.to_owned()), credential)
}

fn session(token: &str) -> Request {
    let credential = Credential::Session(Secret::new(token));
    Request::new(ClaimedName::Nameless, credential)
}

#[test]
fn its_tables_are_read_and_what_is_wrong_in_them_is_said() {
    let club = Club::new();
    let configuration = club.parse(TEXT).unwrap();
    assert_eq!(configuration.session_cookie_name(), Some("club"));
    assert!(configuration.reads_sessions());
    for (wrong, with, expected) in [
        (
            "table_prefix",
            "tabel_prefix",
            "5: dummy.tabel_prefix: no such key; did you mean `table_prefix`?",
        ),
        (
            "table_prefix = \"club_\"",
            "",
            " dummy.table_prefix: is missing",
        ),
        ("\"club_\"", "7", "5: dummy.table_prefix: is not a string"),
        (
            "club_",
            "\\u0000",
            "5: dummy.table_prefix: is not valid in a table name",
        ),
        (
            "\"dummy\"",
            "\"dumy\"",
            "2: framework: unknown \"dumy\"; did you mean \"dummy\"? ",
        ),
        (
            "[dummy]",
            "[joomla]\n[dummy]",
            "4: joomla: has no effect with framework = \"dummy\"",
        ),
        (
            "[dummy]",
            "[ejabberd]\naccount_changes = true\n[dummy]",
            " ejabberd.account_changes: has no effect with framework = \"dummy\": its accounts \
             are not changed",
        ),
        ("database =", "# database =", " database: is missing"),
    ] {
        let error = club.parse(&TEXT.replacen(wrong, with, 1)).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(expected), "{error}");
    }
    // Where the list does not have it, nothing knows it.
    let error = Configuration::parse(Path::new("hallpass.toml"), TEXT).unwrap_err();
    assert!(error.to_string().contains("dummy: no such key"), "{error}");
}

#[test]
fn passwords_are_checked() {
    let club = Club::new();
    let mut asked = club.authenticator("");
    for (name, typed, expected) in [
        ("alice", "correct horse", "alice"),
        ("alice", "Correct horse", "wrong-password"),
        ("alice", "", "wrong-password"),
        ("Alice", "correct horse", "unknown-user"),
        ("alice@example.org", "correct horse", "unknown-user"),
        ("mallory", "correct horse", "unknown-user"),
        ("bob", "tr0ub4dor", "inactive"),
        ("bob", "correct horse", "wrong-password"),
        ("carol", "tr0ub4dor", "inactive"),
        ("dave", "", "unusable-password"),
    ] {
        assert_eq!(
            word(&mut asked, &password(name, typed)),
            expected,
            "{name} {typed}"
        );
    }
    let mut asked = club.authenticator("allow_pending = true");
    assert_eq!(word(&mut asked, &password("carol", "tr0ub4dor")), "carol");
}

#[test]
fn access_applies_as_to_every_framework() {
    let club = Club::new();
    let mut asked = club.authenticator(
        "[access]\nlogin = [\"username\", \"email\"]\nignore_case = true\nwhere = \"email <> ''\"",
    );
    for (name, typed, expected) in [
        ("ALICE", "correct horse", "alice"),
        ("Alice@Example.org", "correct horse", "alice"),
        ("dave", "", "unusable-password"),
    ] {
        assert_eq!(word(&mut asked, &password(name, typed)), expected, "{name}");
    }
    // Two accounts that a name could mean are none.
    club.run("UPDATE club_members SET email = 'alice' WHERE login = 'bob'");
    let verdict = word(&mut asked, &password("alice", "correct horse"));
    assert_eq!(verdict, "unknown-user");
    let mut asked = club.authenticator("[access]\nwhere = \"email = ''\"");
    let verdict = word(&mut asked, &password("alice", "correct horse"));
    assert_eq!(verdict, "inactive");
}

#[test]
fn groups_come_with_the_identity() {
    let club = Club::new();
    let mut asked = club.authenticator("");
    let mut request = Request {
        wants_groups: true,
        ..password("alice", "correct horse")
    };
    let Verdict::Granted(identity) = answer(&mut asked, &request) else {
        panic!("alice is not let in");
    };
    let Identity {
        id, email, groups, ..
    } = *identity;
    assert_eq!((&*id, &*email), ("1", "alice@example.org"));
    assert_eq!(groups, ["board", "chess"]);
    request
        .conditions
        .all
        .push(Requirement::Permission("news.add".to_owned()));
    assert_eq!(word(&mut asked, &request), "not-permitted");
}

#[test]
fn sessions_are_read_and_end() {
    let club = Club::new();
    let mut asked = club.authenticator("");
    for (token, expected) in [
        (ALICE, "alice"),
        ("b0b00000000000000000000000000000", "inactive"),
        ("01d00000000000000000000000000000", "expired-session"),
        ("9e570000000000000000000000000000", "anonymous-session"),
        ("00000000000000000000000000000000", "no-session"),
        ("", "no-session"),
        ("a11ce' OR '1'='1", "no-session"),
    ] {
        assert_eq!(word(&mut asked, &session(token)), expected, "{token}");
    }
    let mallory = Request {
        name: ClaimedName::Named("dave".to_owned()),
        ..session(ALICE)
    };
    assert_eq!(word(&mut asked, &mallory), "wrong-user");
    for (sql, expected) in [
        (
            "UPDATE club_members SET state = 'left' WHERE login = 'alice'",
            "inactive",
        ),
        (
            "UPDATE club_members SET state = 'member', hash = 'another'",
            "stale-session",
        ),
        ("DELETE FROM club_logins", "no-session"),
    ] {
        club.run(sql);
        assert_eq!(word(&mut asked, &session(ALICE)), expected, "{sql}");
    }
    let text = TEXT.replace("session_cookie_name", "# session_cookie_name");
    let configuration = club.parse(&text).unwrap();
    let missing = configuration.missing_for_sessions();
    assert_eq!(missing, Some("dummy.session_cookie_name"));
}

/// The page that `hallpass init dummy` writes about the site at `path`.
fn init(path: &Path) -> anyhow::Result<init::Page> {
    let frameworks = frameworks();
    let matches = Command::new("init")
        .subcommands(commands(&frameworks))
        .try_get_matches_from(["init".as_ref(), "dummy".as_ref(), path.as_os_str()])?;
    let (framework, arguments) = chosen(&frameworks, &matches).unwrap();
    let mut page = init::Page::new("hallpass", |warning| panic!("{warning}"));
    framework.discover(&mut page, arguments)?;
    Ok(page)
}

#[test]
fn init_finds_it_and_refuses_what_it_cannot_express() {
    let club = Club::new();
    for path in [club.path(""), club.path("dummy.ini")] {
        let page = init(&path).unwrap();
        let configuration = club.parse(page.text()).unwrap();
        assert!(configuration.reads_sessions() && page.warnings.is_empty());
        let mut asked = Authenticator::new(&configuration);
        let verdict = word(&mut asked, &password("alice", "correct horse"));
        assert_eq!(verdict, "alice");
    }
    for (ini, expected) in [
        (
            "login = ldap\n",
            "passwords are not checked against the site's members",
        ),
        ("login = members\n", "does not say database"),
    ] {
        fs::write(club.path("dummy.ini"), ini).unwrap();
        let error = init(&club.path("")).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = init(&club.path("elsewhere")).err().unwrap().to_string();
    assert!(error.contains("elsewhere"), "{error}");
}

#[test]
fn the_doctor_examines_it() {
    let club = Club::new();
    let findings = club.findings(TEXT);
    let complaint = findings.iter().find(|it| it.status != Status::Ok);
    assert_eq!(complaint, None);
    for check in ["tables", "accounts", "password-hashes", "sessions"] {
        assert!(
            findings.iter().any(|it| it.check == check),
            "{check}: {findings:?}"
        );
    }
    let mend = |text: &str, check: &str| {
        let findings = club.findings(text);
        let found = findings.into_iter().find(|it| it.check == check);
        found.and_then(|it| it.mend).unwrap()
    };
    let wrong = TEXT.replace("club_", "pub_");
    assert!(mend(&wrong, "tables").contains("[dummy] table_prefix"));
    // In the framework's own words.
    club.run("UPDATE club_logins SET stamp = 'of-a-copy' WHERE member = 1");
    assert!(mend(TEXT, "session-stale").contains("a copy of the site"));
    let server = TEXT.replace("sqlite:club.db", "mysql://hallpass@db.example.org/club");
    let grants = Authenticator::new(&club.parse(&server).unwrap()).grants_to("hallpass");
    for table in ["club_members", "club_groups", "club_logins"] {
        assert!(grants.contains(table), "{grants}");
    }
}

#[test]
fn its_settings_are_described() {
    let club = Club::new();
    let path = club.path("hallpass.toml");
    let settings = schema::settings(&frameworks(), &path, TEXT).unwrap();
    let own = settings.into_iter().filter(|it| it.table == "dummy");
    let told: Vec<_> = own
        .map(|setting| {
            let line = match setting.given {
                Some((_, Origin::Line(line))) => Some(line),
                _ => None,
            };
            (setting.key.name, line)
        })
        .collect();
    let expected = [
        ("table_prefix", Some(5)),
        ("session_cookie_name", Some(6)),
        ("allow_pending", None),
    ];
    assert_eq!(told, expected);

    let schema = schema::schema(&frameworks());
    let table = &schema["properties"]["dummy"];
    assert_eq!(table["additionalProperties"], false);
    assert_eq!(table["required"], serde_json::json!(["table_prefix"]));
    assert_eq!(table["properties"]["allow_pending"]["default"], false);
    let framework = &schema["properties"]["framework"];
    let names = framework["enum"].as_array().unwrap();
    assert_eq!(names.last().unwrap(), "dummy");
    // The sentence of the book.
    let description = framework["description"].as_str().unwrap();
    assert!(description.contains("[Dummy](dummy.md)"), "{description}");
}

/// As tests/end_to_end/test_book.py compares the pages of docs.
#[test]
fn its_page_has_the_table_of_its_settings() {
    let page = include_str!("dummy.md");
    let (_, marked) = page.split_once("<!-- settings of dummy -->").unwrap();
    let (marked, _) = marked.split_once("<!-- end of settings -->").unwrap();
    let tables = schema::tables(&frameworks());
    let table = tables.iter().find(|it| it.name == "dummy").unwrap();
    let rows = table.keys.iter().map(|key| {
        let default = match &key.default {
            KeyDefault::Needed => String::new(),
            KeyDefault::Nothing => "none".to_owned(),
            KeyDefault::Value(value) => format!("`{value}`"),
            KeyDefault::Words(words) => words.clone(),
        };
        format!("| `{}` | {default} | {} |\n", key.name, key.description)
    });
    let expected: String = rows.collect();
    assert_eq!(
        marked,
        format!("\n\n| key | default | |\n|---|---|---|\n{expected}\n")
    );
}
