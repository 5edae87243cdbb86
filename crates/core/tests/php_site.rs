//! Plain PHP sites: sessions in files and in tables, as PHP and Symfony left them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod shared;

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallpass_core::{ClaimedName, Credential, Request, Secret};
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use shared::{Site, ask, ask_at, granted, password, session, vouched};

/// Sessions that Symfony wrote, in each of PHP's formats.
const SYMFONY: &str = include_str!("../../sessions/tests/data/symfony.json");

const ID: &str = "b443rg8i0mq1csd5a2uk6t7f9e";
const ALICE: &[u8] = b"user|a:2:{s:8:\"username\";s:5:\"alice\";s:2:\"id\";i:1;}in|b:1;";
const BOB: &[u8] = b"user|a:2:{s:8:\"username\";s:3:\"bob\";s:2:\"id\";i:2;}in|b:1;";

const FILES: &str = r#"
    framework = "php"
    [php]
    save_path = "sessions"
    user = "user.username"
"#;

fn files(configuration: &str) -> Site {
    let site = Site::new(configuration);
    fs::create_dir(site.path("sessions")).unwrap();
    site
}

fn put(site: &Site, id: &str, bytes: &[u8]) {
    fs::write(site.path("sessions").join(format!("sess_{id}")), bytes).unwrap();
}

#[test]
fn a_session_file_says_who_is_logged_in() {
    let site = files(FILES);
    put(&site, ID, ALICE);
    let mut asked = site.authenticator("");
    let identity = granted(&mut asked, &session(ID, None));
    assert_eq!((&*identity.name, &*identity.id), ("alice", ""));
    assert!(identity.groups.is_empty());
    let expires = identity.session.unwrap().expires.unwrap();
    let left = expires.duration_since(SystemTime::now()).unwrap();
    assert!(left <= Duration::from_secs(1440) && left > Duration::from_secs(1200));
}

#[test]
fn what_is_no_id_reaches_no_file() {
    let site = files(FILES);
    put(&site, ID, ALICE);
    put(&site, "a.b", ALICE);
    fs::write(site.path("sess_outside"), ALICE).unwrap();
    fs::create_dir(site.path("sessions").join("sess_")).unwrap();
    fs::write(site.path("sessions").join("sess_").join("x"), ALICE).unwrap();
    let mut asked = site.authenticator("");
    for token in [
        "",
        "../sess_outside",
        "/../../sess_outside",
        "/x",
        "%2Fx",
        "a.b",
        "b443rg8i0mq1csd5a2uk6t7f9",
        "B443RG8I0MQ1CSD5A2UK6T7F9E",
        "b443rg8i0mq1csd5a2uk6t7f9e ",
        "b443rg8i0mq1csd5a2uk6t7f9e\0",
        "b443rg8i0mq1csd5a2uk6t7f9e%00",
        "*",
        &"a".repeat(257),
        &"a".repeat(256),
    ] {
        assert_eq!(
            ask(&mut asked, &session(token, None)),
            "no-session",
            "{token:?}"
        );
    }
}

#[test]
fn a_session_lives_as_long_as_its_last_use() {
    let site = files(FILES);
    put(&site, ID, ALICE);
    let path = site.path("sessions").join(format!("sess_{ID}"));
    let used = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000);
    let times = FileTimes::new().set_modified(used);
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_times(times)
        .unwrap();
    for (more, last) in [("", 11_440), ("gc_maxlifetime = 60", 10_060)] {
        let mut asked = site.authenticator(more);
        assert_eq!(ask_at(&mut asked, &session(ID, None), last), "alice");
        let verdict = ask_at(&mut asked, &session(ID, None), last + 1);
        assert_eq!(verdict, "expired-session");
    }
}

#[test]
fn what_is_no_session_lets_nobody_in() {
    let site = files(FILES);
    let mut asked = site.authenticator("");
    for (bytes, reason) in [
        (&b""[..], "anonymous-session"),
        (b"cart|a:0:{}", "anonymous-session"),
        (b"user|a:1:{s:8:\"username\";N;}", "anonymous-session"),
        (
            b"user|a:1:{s:8:\"username\";s:0:\"\";}",
            "anonymous-session",
        ),
        (b"user|s:5:\"alice\";", "anonymous-session"),
        (b"user|a:1:{s:8:\"username\";b:1;}", "invalid-session"),
        (
            b"user|a:1:{s:8:\"username\";s:5:\"al\nce\";}",
            "invalid-session",
        ),
        (&ALICE[..ALICE.len() - 1], "invalid-session"),
        (
            b"user|a:2:{s:8:\"username\";s:5:\"alice\";}",
            "invalid-session",
        ),
        (b"\0\0\0\x02\x14", "invalid-session"),
        (b"<?php exit;", "invalid-session"),
    ] {
        put(&site, ID, bytes);
        let verdict = ask(&mut asked, &session(ID, None));
        assert_eq!(verdict, reason, "{}", bytes.escape_ascii());
    }
}

#[test]
fn being_authenticated_is_asked_for_as_well() {
    let site = files(FILES);
    let mut asked = site.authenticator("authenticated = \"in\"");
    put(&site, ID, ALICE);
    assert_eq!(ask(&mut asked, &session(ID, None)), "alice");
    for end in ["b:0;", "s:1:\"0\";", "N;", "a:0:{}"] {
        let bytes = [&ALICE[..ALICE.len() - 4], end.as_bytes()].concat();
        put(&site, ID, &bytes);
        assert_eq!(ask(&mut asked, &session(ID, None)), "anonymous-session");
    }
    put(&site, ID, &ALICE[..ALICE.len() - 7]);
    assert_eq!(ask(&mut asked, &session(ID, None)), "anonymous-session");
}

#[test]
fn directories_lie_in_between() {
    let site = Site::new(&FILES.replace("\"sessions\"", "\"2;0640;sessions\""));
    let deep = site.path("sessions/b/4");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join(format!("sess_{ID}")), ALICE).unwrap();
    fs::write(site.path("sessions/sess_b4"), ALICE).unwrap();
    let mut asked = site.authenticator("");
    assert_eq!(ask(&mut asked, &session(ID, None)), "alice");
    for none in ["b4", "b", "b444", "c443rg8i0mq1csd5a2uk6t7f9e"] {
        assert_eq!(ask(&mut asked, &session(none, None)), "no-session");
    }
    // Nothing that is unreadable tells the id.
    fs::remove_file(deep.join(format!("sess_{ID}"))).unwrap();
    symlink("/dev/null", deep.join(format!("sess_{ID}"))).unwrap();
    let verdict = ask(&mut asked, &session(ID, None));
    assert!(verdict.starts_with("unavailable"), "{verdict}");
    assert!(
        verdict.contains("a file in ") && !verdict.contains("443rg"),
        "{verdict}"
    );
    assert!(!verdict.contains("b/4"), "{verdict}");
}

#[test]
fn where_everybody_may_put_files_their_owners_count() {
    let site = files(FILES);
    put(&site, ID, ALICE);
    let directory = site.path("sessions");
    fs::set_permissions(&directory, Permissions::from_mode(0o1733)).unwrap();
    assert_eq!(
        ask(&mut site.authenticator(""), &session(ID, None)),
        "alice"
    );
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let file = directory.join(format!("sess_{ID}"));
    let give = |owner| std::os::unix::fs::chown(&file, Some(owner), None).unwrap();
    give(4321);
    let mut asked = site.authenticator("");
    assert_eq!(ask(&mut asked, &session(ID, None)), "invalid-session");
    let mut trusting = site.authenticator("owner = \"4321\"");
    assert_eq!(ask(&mut trusting, &session(ID, None)), "alice");
    give(0);
    assert_eq!(ask(&mut asked, &session(ID, None)), "alice");
    fs::set_permissions(&directory, Permissions::from_mode(0o750)).unwrap();
    give(4321);
    assert_eq!(ask(&mut asked, &session(ID, None)), "alice");
    let mut other = site.authenticator("owner = \"33\"");
    assert_eq!(ask(&mut other, &session(ID, None)), "invalid-session");
}

#[test]
fn a_page_that_holds_the_lock_is_not_waited_for() {
    let site = files(FILES);
    put(&site, ID, ALICE);
    let page = File::open(site.path("sessions").join(format!("sess_{ID}"))).unwrap();
    flock(&page, FlockOperation::LockExclusive).unwrap();
    let mut asked = site.authenticator("");
    assert_eq!(ask(&mut asked, &session(ID, None)), "alice");
    put(&site, ID, &ALICE[..20]);
    assert_eq!(ask(&mut asked, &session(ID, None)), "invalid-session");
}

#[test]
fn a_directory_that_is_not_there_is_unavailable() {
    let site = Site::new(FILES);
    let verdict = ask(&mut site.authenticator(""), &session(ID, None));
    assert!(verdict.starts_with("unavailable"), "{verdict}");
    assert!(!verdict.contains(ID), "{verdict}");
}

#[test]
fn without_accounts_there_are_sessions_alone() {
    let site = files(FILES);
    put(&site, ID, ALICE);
    let mut asked = site.authenticator("");
    for request in [password("alice", "x"), vouched("alice")] {
        let verdict = ask(&mut asked, &request);
        assert!(verdict.contains("[custom] user"), "{verdict}");
    }
    for (owner, expected) in [
        ("alice", "alice"),
        ("Alice", "wrong-user"),
        ("bob", "wrong-user"),
    ] {
        assert_eq!(ask(&mut asked, &session(ID, Some(owner))), expected);
    }
    let mut request = session(ID, None);
    let staff = hallpass_core::Requirement::Group("staff".to_owned());
    request.conditions.any.push(staff);
    assert_eq!(ask(&mut asked, &request), "not-permitted");
}

const ACCOUNTS: &str = r#"
    [custom]
    user = "SELECT id, username, password, is_active FROM users WHERE username = :username"
    user_by_id = "SELECT id, username, is_active FROM users WHERE id = :id"
    groups = "SELECT name FROM groups WHERE user_id = :id"
    [passwords]
    dummy = "pbkdf2_sha256$1"
"#;

fn with_accounts(configuration: &str) -> Site {
    let site = files(&format!("database = \"sqlite:site.db\"\n{configuration}"));
    let tables = "
        CREATE TABLE users (id INTEGER, username TEXT, password TEXT, is_active INTEGER);
        CREATE TABLE groups (user_id INTEGER, name TEXT);
        INSERT INTO users VALUES
            (1, 'alice', '$2y$04$4xtdyTmFH9cAh1SBRITfCOrHTvOcVqcXnZo1aiBiUx5Am.8rBTcly', 1),
            (2, 'bob', '', 0);
        INSERT INTO groups VALUES (1, 'staff'), (2, 'staff');";
    site.database("site.db").execute_batch(tables).unwrap();
    site
}

#[test]
fn accounts_are_looked_up_where_there_are_any() {
    let site = with_accounts(FILES);
    let mut asked = site.authenticator(ACCOUNTS);
    put(&site, ID, ALICE);
    let mut request = session(ID, None);
    request.wants_groups = true;
    let identity = granted(&mut asked, &request);
    assert_eq!(
        (&*identity.id, &*identity.groups),
        ("1", &["staff".to_owned()][..])
    );
    assert_eq!(ask(&mut asked, &password("alice", "secret")), "alice");
    assert_eq!(
        ask(&mut asked, &password("alice", "Secret")),
        "wrong-password"
    );
    assert_eq!(ask(&mut asked, &session(ID, Some("bob"))), "wrong-user");
    put(&site, ID, BOB);
    assert_eq!(ask(&mut asked, &session(ID, None)), "inactive");
    put(&site, ID, b"user|a:1:{s:8:\"username\";s:5:\"carol\";}");
    assert_eq!(ask(&mut asked, &session(ID, None)), "unknown-user");
}

#[test]
fn ids_are_looked_up() {
    let by_id = FILES.replace("user = \"user.username\"", "user_id = \"user.id\"");
    let site = with_accounts(&by_id);
    let mut asked = site.authenticator(ACCOUNTS);
    put(&site, ID, ALICE);
    assert_eq!(ask(&mut asked, &session(ID, None)), "alice");
    put(&site, ID, b"user|a:1:{s:2:\"id\";s:1:\"1\";}");
    assert_eq!(ask(&mut asked, &session(ID, None)), "alice");
    for (id, reason) in [
        ("s:2:\"01\"", "unknown-user"),
        ("s:4:\"1abc\"", "unknown-user"),
        ("s:2:\"1 \"", "unknown-user"),
        ("s:5:\"alice\"", "unknown-user"),
        ("i:3", "unknown-user"),
        ("i:2", "inactive"),
        ("i:0", "anonymous-session"),
        ("d:1", "invalid-session"),
        ("b:1", "invalid-session"),
    ] {
        put(
            &site,
            ID,
            format!("user|a:1:{{s:2:\"id\";{id};}}").as_bytes(),
        );
        assert_eq!(ask(&mut asked, &session(ID, None)), reason, "{id}");
    }
}

#[test]
fn the_cookie_is_decoded_once() {
    let site = files(FILES);
    put(&site, "a,b-c", ALICE);
    let mut asked = site.authenticator("");
    let mut of = |header: &str| {
        ask(
            &mut asked,
            &Request::new(
                ClaimedName::Nameless,
                Credential::Cookies(Secret::new(header)),
            ),
        )
    };
    assert_eq!(of("PHPSESSID=a%2Cb-c"), "alice");
    assert_eq!(of("PHPSESSID=a,b-c; x=y"), "alice");
    for none in [
        "PHPSESSID=a%252Cb-c",
        "PHPSESSID=a%2Cb%2Dc",
        "phpsessid=a,b-c",
        "SID=a,b-c",
    ] {
        assert_eq!(of(none), "no-session", "{none}");
    }
}

#[test]
fn symfonys_table_has_two_meanings_of_lifetime() {
    let site = Site::new(
        "framework = \"php\"\ndatabase = \"sqlite:site.db\"\n[php]\nsave_handler = \"pdo\"\n\
         user = \"user.username\"",
    );
    let database = site.database("site.db");
    let table = "CREATE TABLE sessions (sess_id TEXT PRIMARY KEY, sess_data BLOB, sess_lifetime \
                 INTEGER, sess_time INTEGER)";
    database.execute_batch(table).unwrap();
    let mut asked = site.authenticator("");
    let now = 1_700_000_000_i64;
    for (lifetime, time, reason) in [
        // Symfony before 4.4: seconds from then.
        (1440, now - 1440, "alice"),
        (1440, now - 1441, "expired-session"),
        (0, now, "alice"),
        (0, now - 1, "expired-session"),
        (315_576_000, now - 315_576_000, "alice"),
        // Since: the end.
        (now, now - 5000, "alice"),
        (now - 1, now - 5000, "expired-session"),
        (now + 1440, now, "alice"),
        (-5, now, "expired-session"),
        (i64::MIN, i64::MIN, "expired-session"),
    ] {
        let insert = "REPLACE INTO sessions VALUES (?1, ?2, ?3, ?4)";
        database
            .execute(insert, (ID, ALICE, lifetime, time))
            .unwrap();
        let verdict = ask_at(&mut asked, &session(ID, None), 1_700_000_000);
        assert_eq!(verdict, reason, "{lifetime} from {time}");
    }
    // The row that a page puts there before it writes.
    database
        .execute("UPDATE sessions SET sess_data = '', sess_lifetime = 0", ())
        .unwrap();
    let verdict = ask_at(&mut asked, &session(ID, None), 0);
    assert_eq!(verdict, "no-session");
    for wrong in ["sess_lifetime = 'x'", "sess_time = NULL", "sess_data = 7"] {
        let update = format!("UPDATE sessions SET {wrong}");
        database.execute(&update, ()).unwrap();
        let verdict = ask_at(&mut asked, &session(ID, None), 0);
        assert_eq!(verdict, "invalid-session", "{wrong}");
    }
    database.execute("DELETE FROM sessions", ()).unwrap();
    assert_eq!(ask_at(&mut asked, &session(ID, None), 0), "no-session");
    database.execute("DROP TABLE sessions", ()).unwrap();
    let verdict = ask_at(&mut asked, &session(ID, None), 0);
    assert!(
        verdict.starts_with("unavailable") && !verdict.contains(ID),
        "{verdict}"
    );
}

/// Every session that Symfony wrote, in every format, which is found by itself.
#[test]
fn symfonys_own_sessions_name_their_users() {
    let recorded: Vec<Value> = serde_json::from_str(SYMFONY).unwrap();
    let site = files(&FILES.replace("user.username", "_sf2_attributes._security_main"));
    let mut asked = site.authenticator("");
    let mut somebody = 0;
    for row in &recorded {
        let case = row["case"].as_str().unwrap();
        // Of these the token does not tell which property is the name.
        let unclear = [
            "two names",
            "an entity that writes itself",
            "an entity of its own form",
            "a second factor",
        ];
        let expected = match row["identifier"].as_str() {
            _ if unclear.contains(&case) => "invalid-session",
            Some(name) => name,
            None => "anonymous-session",
        };
        for handler in ["php", "php_binary", "php_serialize", "igbinary"] {
            let Some(bytes) = row[handler].as_str() else {
                continue;
            };
            put(&site, ID, &STANDARD.decode(bytes).unwrap());
            let verdict = ask(&mut asked, &session(ID, None));
            assert_eq!(verdict, expected, "{handler}, {case}");
            somebody += usize::from(!verdict.ends_with("-session"));
        }
    }
    assert!(somebody >= 80, "{somebody}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let site = Site::new("");
    for (lines, word) in [
        ("", "php.user"),
        ("user = \"\"", "php.user"),
        ("user = \"a\"\nuser_id = \"b\"", "php.user_id"),
        ("user_id = \"b\"", "custom.user_by_id"),
        (
            "user = \"a\"\nsave_handler = \"sqlite\"",
            "php.save_handler",
        ),
        ("user = \"a\"\nsave_handler = \"redis\"", "php.save_path"),
        (
            "user = \"a\"\nsave_handler = \"redis\"\nsave_path = \"x\"",
            "php.save_path",
        ),
        (
            "user = \"a\"\nsave_handler = \"memcached\"\nsave_path = \"a:b\"",
            "php.save_path",
        ),
        ("user = \"a\"\nsave_path = \"x;/tmp\"", "php.save_path"),
        ("user = \"a\"\nsave_handler = \"pdo\"", "database"),
        ("user = \"a\"\ntable = \"sessions\"", "php.table"),
        ("user = \"a\"\nprefix = \"x\"", "php.prefix"),
        ("user = \"a\"\nowner = \"nobody at all\"", "php.owner"),
        (
            "user = \"a\"\nserialize_handler = \"wddx\"",
            "php.serialize_handler",
        ),
        ("user = \"a\"\nname = \"a b\"", "php.name"),
        ("user = \"a\"\ngc_maxlifetime = -1", "php.gc_maxlifetime"),
        ("user = \"a\"\nsavepath = \"x\"", "save_path"),
        // Its sessions give names, by which `user_by_id` finds nobody.
        (
            "user = \"a\"\n[database]\nurl = \"sqlite:x\"\n[custom]\nuser_by_id = \"SELECT :id\"\n\
             [access]\nwhere = \"1 = 1\"",
            "access.where: has no effect",
        ),
        ("user = \"a\"\n[django]\nversion = \"5.2\"", "django"),
    ] {
        let error = site
            .parse(&format!("framework = \"php\"\n[php]\n{lines}"))
            .unwrap_err();
        assert!(error.to_string().contains(word), "{lines}: {error}");
    }
    let of_ids = "framework = \"php\"\ndatabase = \"sqlite:x\"\n[php]\nuser_id = \"b\"\n[custom]\n\
                  user_by_id = \"SELECT :id\"\n[access]\nwhere = \"1 = 1\"";
    site.parse(of_ids).expect("accounts are looked up");
}

#[test]
fn no_secret_is_shown() {
    let site = Site::new("");
    let configuration = site
        .parse(
            "framework = \"php\"\n[php]\nuser = \"a\"\nsave_handler = \"redis\"\n\
             save_path = \"tcp://127.0.0.1:1?auth=hunter2\"",
        )
        .unwrap();
    assert!(!format!("{configuration:?}").contains("hunter2"));
    let mut asked = hallpass_core::Authenticator::new(&configuration);
    let verdict = ask(&mut asked, &session(ID, None));
    assert!(verdict.starts_with("unavailable"), "{verdict}");
    assert!(
        !verdict.contains("hunter2") && !verdict.contains(ID),
        "{verdict}"
    );
}
