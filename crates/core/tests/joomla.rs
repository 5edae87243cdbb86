//! A recorded Joomla 4.4.0, and each of its sessions and accounts with something wrong.
#![allow(clippy::unwrap_used)]

mod recorded;

use hallpass_core::Authenticator;

use self::recorded::{Site, ask, identity, in_group, password, session, session_of, vouched};

const DUMP: &str = include_str!("data/joomla-4.4.0.sql");
const CONFIGURATION: &str = r#"<?php
class JConfig {
    public $offline = false;
    public $dbtype = 'mysqli';
    public $host = '127.0.0.1:33971';
    public $user = 'joomla';
    public $password = 'it\'s "secret"';
    public $db = 'joomla44';
    public $dbprefix = 'jos_';
    public $secret = 'TK0JI2K0m4hXPWcE';
    public $lifetime = 15;
    public $session_handler = 'database';
    public $shared_session = false;
    public $session_metadata = true;
}
"#;

/// What the browsers held, and the times that Joomla wrote beside.
const ALICE: &str = "4c7qc9vb79uef402kj974gqs1j";
const CAROL: &str = "ggg4j7d5jpmg7c3d6itidqutrn";
const ZOE: &str = "pndbq8o91shr291s62gss42j0r";
const ADMIN: &str = "7i4liqttiu6864fg3lllldc0ko";
const NOBODY: &str = "mhhh9v3o58hmo6bo2fs7soba2l";
const TIME: u64 = 1_795_296_485;
const PASSWORD: &str = "pässw0rd-ä";

fn site() -> Site {
    let site = Site::load(DUMP);
    site.write("configuration.php", CONFIGURATION);
    site
}

fn toml(more: &str) -> String {
    format!(
        "framework = \"joomla\"\ndatabase = \"sqlite:db.sqlite3\"\npasswords.dummy = \"\"\n\
         [joomla]\nconfiguration = \"configuration.php\"\n{more}"
    )
    .replace("passwords.dummy = \"\"\n", "")
}

fn authenticator(site: &Site, more: &str) -> Authenticator {
    site.authenticator(&toml(more))
}

#[test]
fn passwords_are_right_or_wrong_as_joomla_said() {
    let site = site();
    let mut joomla = authenticator(&site, "");
    for (name, typed, expected) in [
        ("admin", "Correct-Horse-9", "admin"),
        ("alice", PASSWORD, "alice"),
        ("zoë", PASSWORD, "zoë"),
        ("erin", PASSWORD, "erin"),
        // Asking for a new password sets `activation`, and anybody can ask.
        ("actonly", PASSWORD, "actonly"),
        ("alice", "pässw0rd-a", "wrong-password"),
        ("alice", "", "wrong-password"),
        ("zoe", PASSWORD, "unknown-user"),
        ("ALICE", PASSWORD, "unknown-user"),
        ("nobody", PASSWORD, "unknown-user"),
        ("", PASSWORD, "malformed"),
        ("bob", PASSWORD, "inactive"),
        ("dave", PASSWORD, "inactive"),
        ("bob", "wrong", "wrong-password"),
        ("carol", PASSWORD, "inactive"),
    ] {
        assert_eq!(
            ask(&mut joomla, &password(name, typed), TIME),
            expected,
            "{name}"
        );
    }
    let mut lenient = authenticator(&site, "allow_require_reset = true");
    assert_eq!(
        ask(&mut lenient, &password("carol", PASSWORD), TIME),
        "carol"
    );
    assert_eq!(
        ask(&mut lenient, &password("bob", PASSWORD), TIME),
        "inactive"
    );
}

#[test]
fn every_recorded_hash_has_joomlas_verdict() {
    let site = site();
    let mut joomla = authenticator(&site, "");
    for (name, expected) in [
        ("u_bcrypt", "u_bcrypt"),
        ("u_bcrypt2a", "u_bcrypt2a"),
        ("u_argon2id", "u_argon2id"),
        ("u_argon2i", "u_argon2i"),
        ("u_phpass", "u_phpass"),
        ("u_md5salt32", "u_md5salt32"),
        ("u_md5salt16", "u_md5salt16"),
        ("u_md5", "u_md5"),
        ("u_md5colon", "u_md5colon"),
    ] {
        assert_eq!(ask(&mut joomla, &password(name, PASSWORD), TIME), expected);
    }
    // Joomla 4 knows none of these at login, and Joomla 3 the first alone.
    for name in ["u_sha256", "u_sha", "u_ssha"] {
        let verdict = ask(&mut joomla, &password(name, PASSWORD), TIME);
        assert!(
            ["unsupported-hash", "wrong-password"].contains(&&*verdict),
            "{name} {verdict}"
        );
    }
    let mut third = authenticator(&site, "version = \"3.10\"");
    assert_eq!(
        ask(&mut third, &password("u_sha256", PASSWORD), TIME),
        "u_sha256"
    );
}

#[test]
fn names_that_differ_in_case_are_the_same_where_they_shall_be() {
    let site = site();
    let text = toml("[access]\nignore_case = true\nlogin = [\"username\", \"email\"]");
    let mut joomla = site.authenticator(&text);
    for (name, expected) in [
        ("ALICE", "alice"),
        ("ZOË", "zoë"),
        ("alice@example.org", "alice"),
        ("zoe", "unknown-user"),
    ] {
        assert_eq!(ask(&mut joomla, &vouched(name), TIME), expected, "{name}");
    }
    // Two that the database takes for one name are nobody's, unless one is meant exactly.
    site.run("UPDATE jos_users SET username = 'Alice' WHERE username = 'erin'");
    assert_eq!(ask(&mut joomla, &vouched("ALICE"), TIME), "unknown-user");
    assert_eq!(ask(&mut joomla, &vouched("Alice"), TIME), "Alice");
}

#[test]
fn recorded_sessions_have_joomlas_verdict() {
    let site = site();
    let mut joomla = authenticator(&site, "");
    let found = identity(&mut joomla, session(ALICE), TIME);
    assert_eq!((&*found.name, &*found.id), ("alice", "277"));
    assert_eq!(
        (&*found.email, &*found.full_name),
        ("alice@example.org", "User alice")
    );
    assert_eq!(found.groups, ["Public", "Registered"]);
    for (token, expected) in [
        (ZOE, "zoë"),
        (CAROL, "inactive"),
        (NOBODY, "anonymous-session"),
        // The back end's session is none of the site's.
        (ADMIN, "invalid-session"),
        ("", "no-session"),
        ("5n8509ue4vtr2ihcofvq8iu4st", "no-session"),
        ("4C7QC9VB79UEF402KJ974GQS1J", "no-session"),
        ("4c7qc9vb79uef402kj974gqs1", "no-session"),
        ("4c7qc9vb79uef402kj974gqs1j'", "no-session"),
        ("4c7qc9vb79uef402kj974gqs1j ", "no-session"),
        ("4c7qc9vb79uef402kj974gqs1%", "no-session"),
        ("../4c7qc9vb79uef402kj974gqs1j", "no-session"),
    ] {
        assert_eq!(ask(&mut joomla, &session(token), TIME), expected, "{token}");
    }
    let mut reset = authenticator(&site, "allow_require_reset = true");
    assert_eq!(ask(&mut reset, &session(CAROL), TIME), "carol");
    let mut administrator = authenticator(&site, "client = \"administrator\"");
    assert_eq!(ask(&mut administrator, &session(ADMIN), TIME), "admin");
    assert_eq!(
        ask(&mut administrator, &session(ALICE), TIME),
        "invalid-session"
    );
}

#[test]
fn a_session_ends_fifteen_minutes_after_its_last_request() {
    let site = site();
    let mut joomla = authenticator(&site, "");
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME + 900), "alice");
    assert_eq!(
        ask(&mut joomla, &session(ALICE), TIME + 901),
        "expired-session"
    );
    let mut longer = authenticator(&site, "lifetime = 20");
    assert_eq!(ask(&mut longer, &session(ALICE), TIME + 1200), "alice");
    assert_eq!(
        ask(&mut longer, &session(ALICE), TIME + 1201),
        "expired-session"
    );
}

#[test]
fn a_session_lets_in_nobody_but_its_owner() {
    let site = site();
    let mut joomla = authenticator(&site, "");
    let sessions = [(ALICE, "alice"), (ZOE, "zoë")];
    for (token, owner) in sessions {
        for name in [
            "alice", "zoë", "admin", "bob", "carol", "nobody", "", "ALICE", "277",
        ] {
            let expected = if name == owner { owner } else { "wrong-user" };
            let question = session_of(token, name);
            assert_eq!(
                ask(&mut joomla, &question, TIME),
                expected,
                "{owner} {name}"
            );
        }
    }
}

#[test]
fn whatever_is_wrong_with_a_row_lets_nobody_in() {
    for (change, expected) in [
        ("DELETE FROM jos_session", "no-session"),
        ("UPDATE jos_session SET guest = 1", "anonymous-session"),
        ("UPDATE jos_session SET guest = NULL", "anonymous-session"),
        ("UPDATE jos_session SET userid = 0", "anonymous-session"),
        ("UPDATE jos_session SET userid = NULL", "anonymous-session"),
        ("UPDATE jos_session SET client_id = 1", "invalid-session"),
        ("UPDATE jos_session SET client_id = NULL", "invalid-session"),
        ("UPDATE jos_session SET time = ''", "invalid-session"),
        ("UPDATE jos_session SET time = -1", "invalid-session"),
        // The row says one thing and the data another.
        ("UPDATE jos_session SET userid = 276", "invalid-session"),
        (
            "UPDATE jos_session SET data = 'joomla|s:4:\"AAAA\";'",
            "anonymous-session",
        ),
        (
            "UPDATE jos_session SET data = substr(data, 1, 500)",
            "invalid-session",
        ),
        ("UPDATE jos_users SET block = 1", "inactive"),
        ("UPDATE jos_users SET block = NULL", "inactive"),
        ("UPDATE jos_users SET requireReset = 1", "inactive"),
        ("DELETE FROM jos_users", "unknown-user"),
    ] {
        let site = site();
        site.run(change);
        let mut joomla = authenticator(&site, "");
        assert_eq!(
            ask(&mut joomla, &session(ALICE), TIME),
            expected,
            "{change}"
        );
    }
}

#[test]
fn without_data_the_row_is_proof() {
    let site = site();
    site.run("UPDATE jos_session SET data = NULL");
    let mut joomla = authenticator(&site, "");
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "alice");
    site.run("UPDATE jos_session SET time = CAST(time AS TEXT)");
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "alice");
    assert_eq!(
        ask(&mut joomla, &session(NOBODY), TIME),
        "anonymous-session"
    );
}

#[test]
fn a_second_factor_that_was_not_shown_keeps_out() {
    let site = site();
    site.run(
        "CREATE TABLE jos_user_mfa (id INTEGER, user_id INTEGER, method TEXT);
         INSERT INTO jos_user_mfa VALUES (1, 277, 'totp')",
    );
    let mut joomla = authenticator(&site, "");
    // Alice's session has shown it; a password never does.
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "alice");
    assert_eq!(
        ask(&mut joomla, &password("alice", PASSWORD), TIME),
        "unusable-password"
    );
    assert_eq!(ask(&mut joomla, &password("zoë", PASSWORD), TIME), "zoë");
    let mut lenient = authenticator(&site, "allow_missing_second_factor = true");
    assert_eq!(
        ask(&mut lenient, &password("alice", PASSWORD), TIME),
        "alice"
    );
    site.run("UPDATE jos_session SET data = NULL");
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "invalid-session");
    assert_eq!(ask(&mut joomla, &session(ZOE), TIME), "zoë");
    assert_eq!(ask(&mut lenient, &session(ALICE), TIME), "alice");
    // Joomla 3.2 to 4.1.
    site.run("DROP TABLE jos_user_mfa; UPDATE jos_users SET otpKey = 'totp:x' WHERE id = 277");
    let mut older = authenticator(&site, "");
    assert_eq!(
        ask(&mut older, &password("alice", PASSWORD), TIME),
        "unusable-password"
    );
    assert_eq!(ask(&mut older, &session(ALICE), TIME), "alice");
}

#[test]
fn sessions_of_both_applications_may_be_shared() {
    let site = site();
    site.run("UPDATE jos_session SET client_id = NULL");
    let mut joomla = authenticator(&site, "shared_session = true");
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "alice");
    assert_eq!(ask(&mut joomla, &session(ADMIN), TIME), "admin");
}

#[test]
fn groups_are_inherited() {
    let site = site();
    let mut joomla = authenticator(&site, "");
    let groups = |joomla: &mut Authenticator, name| identity(joomla, vouched(name), TIME).groups;
    assert_eq!(
        groups(&mut joomla, "erin"),
        [
            "Author",
            "Editor",
            "Manager",
            "Public",
            "Publisher",
            "Registered"
        ]
    );
    assert_eq!(groups(&mut joomla, "admin"), ["Public", "Super Users"]);
    for (name, group, expected) in [
        ("erin", "Author", "erin"),
        ("erin", "3", "erin"),
        ("erin", "Administrator", "not-permitted"),
        ("erin", "7", "not-permitted"),
        ("erin", "", "not-permitted"),
        ("alice", "Author", "not-permitted"),
        ("alice", "registered", "not-permitted"),
        ("alice", "2", "alice"),
        ("alice", "8", "not-permitted"),
        ("admin", "8", "admin"),
    ] {
        let question = in_group(vouched(name), group);
        assert_eq!(
            ask(&mut joomla, &question, TIME),
            expected,
            "{name} {group}"
        );
    }
    // Who is in none is everybody.
    site.run("DELETE FROM jos_user_usergroup_map");
    assert_eq!(groups(&mut joomla, "erin"), ["Public"]);
}

#[test]
fn the_data_of_other_handlers_must_be_there() {
    let site = site();
    let data = "session_handler = \"filesystem\"\nsession_filesystem_path = \"sessions\"";
    std::fs::create_dir(site.directory.path().join("sessions")).unwrap();
    let mut joomla = authenticator(&site, data);
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "no-session");
    site.write(&format!("sessions/sess_{ALICE}"), &data_of(ALICE));
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "alice");
    site.write(&format!("sessions/sess_{ALICE}"), &data_of(ZOE));
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "invalid-session");
    site.write(&format!("sessions/sess_{ALICE}"), &data_of(NOBODY));
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "anonymous-session");
    // Without rows the data alone is proof, and says until when.
    let mut bare = authenticator(&site, &format!("{data}\nsession_metadata = false"));
    site.run("DELETE FROM jos_session");
    site.write(&format!("sessions/sess_{ALICE}"), &data_of(ALICE));
    assert_eq!(ask(&mut bare, &session(ALICE), TIME + 900), "alice");
    assert_eq!(
        ask(&mut bare, &session(ALICE), TIME + 901),
        "expired-session"
    );
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "no-session");
    let mut unknown = authenticator(
        &site,
        "session_handler = \"apcu\"\nsession_metadata = false",
    );
    assert!(ask(&mut unknown, &session(ALICE), TIME).starts_with("unavailable"));
}

/// The data of the session `id`, as the dump has it.
fn data_of(id: &str) -> String {
    let path = site();
    let database = path.directory.path().join("db.sqlite3");
    let database = rusqlite::Connection::open(database).unwrap();
    let statement = "SELECT data FROM jos_session WHERE session_id = ?1";
    database
        .query_row(statement, [id], |row| row.get(0))
        .unwrap()
}

#[test]
fn another_prefix_is_another_site() {
    let site = site();
    let mut joomla = authenticator(&site, "dbprefix = \"other_\"");
    for question in [
        session(ALICE),
        vouched("alice"),
        password("alice", PASSWORD),
    ] {
        let verdict = ask(&mut joomla, &question, TIME);
        assert!(verdict.starts_with("unavailable"), "{verdict}");
    }
}
