//! A recorded Joomla 4.4.0, and each of its sessions and accounts with something wrong.
#![allow(clippy::unwrap_used)]

mod recorded;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallpass_core::Authenticator;

use self::recorded::{
    Site, ask, ask_after, explained, identity, in_group, password, session, session_of, vouched,
};

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
    // Two that are one name are nobody's, exact or not.
    site.run("UPDATE jos_users SET username = 'Alice' WHERE username = 'erin'");
    for name in ["ALICE", "Alice", "alice"] {
        assert_eq!(ask(&mut joomla, &vouched(name), TIME), "unknown-user");
    }
    assert_eq!(
        ask(&mut joomla, &vouched("alice@example.org"), TIME),
        "alice"
    );
    let named = session_of(ALICE, "alice");
    assert_eq!(ask(&mut joomla, &named, TIME), "wrong-user");
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "alice");
}

#[test]
fn a_name_that_is_anothers_address_is_neithers() {
    let site = site();
    site.run("UPDATE jos_users SET username = 'alice@example.org' WHERE username = 'erin'");
    for login in ["\"username\", \"email\"", "\"email\", \"username\""] {
        let text = toml(&format!("[access]\nlogin = [{login}]"));
        let mut joomla = site.authenticator(&text);
        for (name, expected) in [
            ("alice@example.org", "unknown-user"),
            ("alice", "alice"),
            ("erin@example.org", "alice@example.org"),
        ] {
            assert_eq!(ask(&mut joomla, &vouched(name), TIME), expected, "{name}");
        }
    }
    // One account by both is one.
    site.run("UPDATE jos_users SET username = 'erin' WHERE email LIKE 'erin%'");
    site.run("UPDATE jos_users SET username = email WHERE username = 'alice'");
    let text = toml("[access]\nlogin = [\"username\", \"email\"]");
    let mut joomla = site.authenticator(&text);
    let name = "alice@example.org";
    assert_eq!(ask(&mut joomla, &vouched(name), TIME), name);
}

#[test]
fn rows_that_are_nobodys_hide_no_account() {
    let site = site();
    // Between two accounts that one address is of.
    site.run(
        "INSERT INTO jos_users (id, name, username, email, password, block) VALUES
             (278000, '', '', 'alice@example.org', '', 0),
             (278001, '', 'second', 'alice@example.org', '', 0);
         CREATE INDEX by_email ON jos_users (email)",
    );
    for ignore_case in [false, true] {
        let text = toml(&format!(
            "[access]\nignore_case = {ignore_case}\nlogin = [\"email\"]"
        ));
        let mut joomla = site.authenticator(&text);
        let request = password("alice@example.org", PASSWORD);
        assert_eq!(ask(&mut joomla, &request, TIME), "unknown-user");
        site.run("UPDATE jos_users SET email = '' WHERE id = 278001");
        assert_eq!(ask(&mut joomla, &request, TIME), "alice");
        site.run("UPDATE jos_users SET email = 'alice@example.org' WHERE id = 278001");
    }
}

#[test]
fn accounts_that_do_not_meet_the_condition_are_inactive() {
    let site = site();
    let text = toml("[access]\nwhere = \"account.name NOT LIKE '%(left)'\"");
    let mut joomla = site.authenticator(&text);
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "alice");
    site.run("UPDATE jos_users SET name = name || ' (left)' WHERE username = 'alice'");
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "inactive");
    let request = password("alice", PASSWORD);
    assert_eq!(ask(&mut joomla, &request, TIME), "inactive");
    let request = password("zoë", PASSWORD);
    assert_eq!(ask(&mut joomla, &request, TIME), "zoë");
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
            let request = session_of(token, name);
            assert_eq!(ask(&mut joomla, &request, TIME), expected, "{owner} {name}");
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
        explained(&mut joomla, &password("alice", PASSWORD), TIME),
        "unusable-password second-factor"
    );
    assert_eq!(ask(&mut joomla, &password("zoë", PASSWORD), TIME), "zoë");
    let mut lenient = authenticator(&site, "allow_missing_second_factor = true");
    assert_eq!(
        ask(&mut lenient, &password("alice", PASSWORD), TIME),
        "alice"
    );
    site.run("UPDATE jos_session SET data = NULL");
    assert_eq!(
        explained(&mut joomla, &session(ALICE), TIME),
        "invalid-session second-factor"
    );
    assert_eq!(ask(&mut joomla, &session(ZOE), TIME), "zoë");
    assert_eq!(ask(&mut lenient, &session(ALICE), TIME), "alice");
    // Joomla 3.2 to 4.1.
    site.run("DROP TABLE jos_user_mfa; UPDATE jos_users SET otpKey = 'totp:x' WHERE id = 277");
    let mut older = authenticator(&site, "");
    assert_eq!(
        explained(&mut older, &password("alice", PASSWORD), TIME),
        "unusable-password second-factor"
    );
    assert_eq!(ask(&mut older, &session(ALICE), TIME), "alice");
}

#[test]
fn a_site_that_is_upgraded_meanwhile_has_its_second_factors_honoured() {
    let site = site();
    let mut joomla = authenticator(&site, "");
    assert_eq!(
        ask(&mut joomla, &password("alice", PASSWORD), TIME),
        "alice"
    );
    site.run("UPDATE jos_session SET data = NULL");
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "alice");
    site.run(
        "CREATE TABLE jos_user_mfa (id INTEGER, user_id INTEGER, method TEXT);
         INSERT INTO jos_user_mfa VALUES (1, 277, 'totp')",
    );
    for (request, expected) in [
        (password("alice", PASSWORD), "unusable-password"),
        (session(ALICE), "invalid-session"),
    ] {
        assert_eq!(ask_after(&mut joomla, &request, TIME, 61), expected);
    }
}

/// The tables and rows of a Joomla 4.4.0 that the recorded site lacks, with all plug-ins on.
const EXTENSIONS: &str = r#"
    CREATE TABLE jos_user_mfa (id INTEGER, user_id INTEGER, method TEXT, options TEXT);
    CREATE TABLE jos_viewlevels (id INTEGER, rules TEXT);
    INSERT INTO jos_viewlevels VALUES
        (1, '[1]'), (2, '[6,2,8]'), (3, '[6,3,8]'), (5, '[9]'), (6, '[8]');
    CREATE TABLE jos_extensions (type TEXT, folder TEXT, element TEXT, enabled INTEGER,
        access INTEGER, params TEXT, state INTEGER);
    INSERT INTO jos_extensions VALUES
        ('component', '', 'com_users', 1, 1, '{"guest_usergroup":"9"}', 0),
        ('component', '', 'com_content', 1, 1, '{"forceMFAUserGroups":["2"]}', 0),
        ('plugin', 'authentication', 'joomla', 1, 1, '{}', 0),
        ('plugin', 'authentication', 'ldap', 0, 1, '{}', 0),
        ('plugin', 'multifactorauth', 'totp', 1, 1, '{}', 0),
        ('plugin', 'multifactorauth', 'email', 1, 1, '{}', 0),
        ('plugin', 'twofactorauth', 'totp', 1, 1, '{}', 0),
        ('plugin', 'user', 'joomla', 1, 1, '{}', 0);
"#;

/// A factor of alice's, and one by which it is told that nothing else has one.
const TOTP: &str = "INSERT INTO jos_user_mfa VALUES (1, 277, 'totp', '###AES128###x')";

fn options(json: &str) -> String {
    format!("UPDATE jos_extensions SET params = '{json}' WHERE element = 'com_users'")
}

/// The rules are those of `isHandlingMultiFactorAuthentication` and `getUserMfaRecords`. Alice is in
/// Registered (2), and so in Public (1).
#[test]
fn a_second_step_is_pending_where_joomla_asks_for_one() {
    const SHOW: &str = "second-factor";
    const SET_UP: &str = "second-factor-set-up";
    let off = |element: &str| {
        format!(
            "UPDATE jos_extensions SET enabled = 0 WHERE folder = 'multifactorauth' AND element = '{element}'"
        )
    };
    let forced = options(r#"{"forceMFAUserGroups":["2"]}"#);
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (vec![], ""),
        (vec![TOTP], SHOW),
        // The plug-in of the only method is off, or away, or not shown to her.
        (
            vec![TOTP, "DELETE FROM jos_extensions WHERE element = 'totp'"],
            "",
        ),
        (
            vec![
                TOTP,
                "UPDATE jos_extensions SET state = -1 WHERE element = 'totp'",
            ],
            "",
        ),
        (
            vec![
                TOTP,
                "UPDATE jos_extensions SET access = 6 WHERE element = 'totp'",
            ],
            "",
        ),
        // A level names accounts by negative numbers: alice is 277.
        (
            vec![
                TOTP,
                "UPDATE jos_extensions SET access = 6 WHERE element = 'totp'",
                "UPDATE jos_viewlevels SET rules = '[8,-277]' WHERE id = 6",
            ],
            SHOW,
        ),
        (
            vec![
                TOTP,
                "UPDATE jos_extensions SET access = 6 WHERE element = 'totp'",
                "UPDATE jos_viewlevels SET rules = '[277,-2,-278]' WHERE id = 6",
            ],
            "",
        ),
        (
            vec![
                TOTP,
                "UPDATE jos_extensions SET access = 2 WHERE element = 'totp'",
            ],
            SHOW,
        ),
        // A method of somebody else's, whatever its plug-in is called.
        (
            vec![
                "INSERT INTO jos_user_mfa VALUES (1, 277, 'sms', '###x')",
                "INSERT INTO jos_extensions VALUES ('plugin', 'multifactorauth', 'telephone', 1, 1, '', 0)",
            ],
            SHOW,
        ),
        (
            vec!["INSERT INTO jos_user_mfa VALUES (1, 277, 'sms', '###x')"],
            "",
        ),
        // Backup codes are no factor, and neither is what cannot be read.
        (
            vec!["INSERT INTO jos_user_mfa VALUES (1, 277, 'backupcodes', '###x')"],
            "",
        ),
        (
            vec!["INSERT INTO jos_user_mfa VALUES (1, 277, 'totp', '')"],
            "",
        ),
        (
            vec!["INSERT INTO jos_user_mfa VALUES (1, 277, 'totp', NULL)"],
            "",
        ),
        (
            vec!["INSERT INTO jos_user_mfa VALUES (1, 278, 'totp', '###x')"],
            "",
        ),
        // What Joomla 4.1 left moves into the table after the next login.
        (
            vec!["UPDATE jos_users SET otpKey = 'totp:x' WHERE id = 277"],
            SHOW,
        ),
        (
            vec!["UPDATE jos_users SET otpKey = 'yubikey:x' WHERE id = 277"],
            "",
        ),
        // Exempt groups, and mandatory ones, which are stronger.
        (
            vec![
                TOTP,
                r#"UPDATE jos_extensions SET params = '{"neverMFAUserGroups":["2"]}'"#,
            ],
            "",
        ),
        (
            vec![
                TOTP,
                r#"UPDATE jos_extensions SET params = '{"neverMFAUserGroups":[2]}'"#,
            ],
            "",
        ),
        (
            vec![
                TOTP,
                r#"UPDATE jos_extensions SET params = '{"neverMFAUserGroups":["8"]}'"#,
            ],
            SHOW,
        ),
        (
            vec![
                TOTP,
                r#"UPDATE jos_extensions SET params = '{"neverMFAUserGroups":"2"}'"#,
            ],
            SHOW,
        ),
        (
            vec![TOTP, "UPDATE jos_extensions SET params = 'no JSON'"],
            SHOW,
        ),
        (
            vec![
                TOTP,
                r#"UPDATE jos_extensions SET params = '{"neverMFAUserGroups":["2"],"forceMFAUserGroups":["1"]}'"#,
            ],
            SHOW,
        ),
        (vec![&forced], SET_UP),
        (vec![&forced, TOTP], SHOW),
        (
            vec![r#"UPDATE jos_extensions SET params = '{"forceMFAUserGroups":["1"]}'"#],
            SET_UP,
        ),
        (
            vec![r#"UPDATE jos_extensions SET params = '{"forceMFAUserGroups":["8"]}'"#],
            "",
        ),
    ];
    let also = [
        (vec![TOTP.to_owned(), off("totp")], ""),
        (vec![TOTP.to_owned(), off("email")], SHOW),
        (vec![TOTP.to_owned(), forced.clone(), off("totp")], SET_UP),
    ];
    let owned = |(changes, expected): (Vec<&str>, &'static str)| {
        let changes = changes.into_iter().map(str::to_owned);
        (changes.collect::<Vec<String>>(), expected)
    };
    for (changes, expected) in cases.into_iter().map(owned).chain(also) {
        let site = site();
        site.run(EXTENSIONS);
        changes.iter().for_each(|change| site.run(change));
        let (by_password, by_session) = match expected {
            "" => ("alice".to_owned(), "alice".to_owned()),
            step => (
                format!("unusable-password {step}"),
                format!("invalid-session {step}"),
            ),
        };
        let mut joomla = authenticator(&site, "");
        let typed = password("alice", PASSWORD);
        assert_eq!(
            explained(&mut joomla, &typed, TIME),
            by_password,
            "{changes:?}"
        );
        // Her session has passed: Joomla does not ask again.
        assert_eq!(
            ask(&mut joomla, &session(ALICE), TIME),
            "alice",
            "{changes:?}"
        );
        // One that has not, and one that must set one up whatever it has passed.
        for (checked, mandatory) in [(0, 0), (0, 1), (1, 1)] {
            with_flags(&site, checked, mandatory);
            let found = explained(&mut joomla, &session(ALICE), TIME);
            assert_eq!(found, by_session, "{changes:?} {checked} {mandatory}");
        }
        let mut lenient = authenticator(&site, "allow_missing_second_factor = true");
        assert_eq!(ask(&mut lenient, &typed, TIME), "alice");
        assert_eq!(ask(&mut lenient, &session(ALICE), TIME), "alice");
        // Whoever must choose a new password is told so first.
        site.run("UPDATE jos_users SET requireReset = 1");
        let inactive = explained(&mut joomla, &vouched("alice"), TIME);
        assert_eq!(inactive, "inactive new-password");
    }
}

/// Alice's session, with these in it.
fn with_flags(site: &Site, checked: u8, mandatory: u8) {
    let data = data_of(ALICE);
    let encoded = data.split('"').nth(1).unwrap();
    let plain = STANDARD.decode(encoded).unwrap();
    let passed = "s:9:\"com_users\";O:8:\"stdClass\":1:{s:11:\"mfa_checked\";i:1;}";
    let flags = format!(
        "s:9:\"com_users\";O:8:\"stdClass\":2:{{s:11:\"mfa_checked\";i:{checked};\
         s:19:\"mandatory_mfa_setup\";i:{mandatory};}}"
    );
    let changed = String::from_utf8(plain)
        .unwrap()
        .replacen(passed, &flags, 1);
    assert!(changed.contains(&flags));
    let text = STANDARD.encode(changed);
    site.run(&format!(
        "UPDATE jos_session SET data = 'joomla|s:{}:\"{text}\";' WHERE session_id = '{ALICE}'",
        text.len()
    ));
}

#[test]
fn no_password_is_good_while_joomlas_plug_in_for_them_is_off() {
    const ELSEWHERE: &str = "unusable-password password-elsewhere";
    for (change, expected) in [
        ("enabled = 1", "alice"),
        ("enabled = 0", ELSEWHERE),
        ("state = -1", ELSEWHERE),
        ("state = 1", "alice"),
        ("element = 'other'", ELSEWHERE),
        ("folder = 'user'", ELSEWHERE),
        // Whoever logs in is a guest until then.
        ("access = 5", "alice"),
        ("access = 2", ELSEWHERE),
        ("access = 99", ELSEWHERE),
    ] {
        let site = site();
        site.run(EXTENSIONS);
        site.run(&format!(
            "UPDATE jos_extensions SET {change} WHERE folder = 'authentication' AND element = 'joomla'"
        ));
        for more in ["", "allow_missing_second_factor = true"] {
            let mut joomla = authenticator(&site, more);
            let typed = password("alice", PASSWORD);
            assert_eq!(explained(&mut joomla, &typed, TIME), expected, "{change}");
            // LDAP, or whatever it is, may have let her in.
            assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "alice", "{change}");
        }
    }
}

/// Joomla 3.2 to 4.1 ask for no second factor where there is no method at all.
#[test]
fn an_old_second_factor_counts_while_there_is_a_method() {
    let site = site();
    site.run(EXTENSIONS);
    site.run("DROP TABLE jos_user_mfa; UPDATE jos_users SET otpKey = 'yubikey:x' WHERE id = 277");
    let mut joomla = authenticator(&site, "");
    let typed = password("alice", PASSWORD);
    let expected = "unusable-password second-factor";
    assert_eq!(explained(&mut joomla, &typed, TIME), expected);
    site.run("UPDATE jos_extensions SET enabled = 0 WHERE folder = 'twofactorauth'");
    assert_eq!(ask(&mut joomla, &typed, TIME), "alice");
}

/// With `session_metadata` off, the handler `database` writes rows as a new one is: a guest's. What
/// they hold is what counts, as on real Joomlas 4.4, 5.3 and 6.1.
#[test]
fn without_metadata_the_data_in_the_row_decides() {
    let site = site();
    site.run("UPDATE jos_session SET client_id = NULL, guest = 1, userid = 0, username = ''");
    let mut joomla = authenticator(&site, "session_metadata = false");
    for (token, expected) in [
        (ALICE, "alice"),
        (ZOE, "zoë"),
        (CAROL, "inactive"),
        (NOBODY, "anonymous-session"),
        ("5n8509ue4vtr2ihcofvq8iu4st", "no-session"),
        ("4C7QC9VB79UEF402KJ974GQS1J", "no-session"),
        ("", "no-session"),
    ] {
        assert_eq!(ask(&mut joomla, &session(token), TIME), expected, "{token}");
    }
    assert_eq!(
        ask(&mut joomla, &session_of(ALICE, "zoë"), TIME),
        "wrong-user"
    );
    // The time in the data is the site's clock, whatever the row's is.
    site.run("UPDATE jos_session SET time = 1");
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME + 900), "alice");
    assert_eq!(
        ask(&mut joomla, &session(ALICE), TIME + 901),
        "expired-session"
    );
    // Where there is metadata, such rows are a guest's.
    let mut with_metadata = authenticator(&site, "");
    assert_ne!(ask(&mut with_metadata, &session(ALICE), TIME), "alice");
    // What a row says that was written before counts for nothing.
    site.run("UPDATE jos_session SET client_id = 1, guest = 0, userid = 276");
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "alice");
    assert_eq!(
        ask(&mut joomla, &session(NOBODY), TIME),
        "anonymous-session"
    );
    for (change, expected) in [
        ("data = substr(data, 1, 500)", "invalid-session"),
        ("data = ''", "no-session"),
        ("data = NULL", "no-session"),
    ] {
        site.run(&format!("UPDATE jos_session SET {change}"));
        assert_eq!(
            ask(&mut joomla, &session(ALICE), TIME),
            expected,
            "{change}"
        );
    }
    site.run("DELETE FROM jos_session");
    assert_eq!(ask(&mut joomla, &session(ALICE), TIME), "no-session");
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
        let request = in_group(vouched(name), group);
        assert_eq!(ask(&mut joomla, &request, TIME), expected, "{name} {group}");
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
    for request in [
        session(ALICE),
        vouched("alice"),
        password("alice", PASSWORD),
    ] {
        let verdict = ask(&mut joomla, &request, TIME);
        assert!(verdict.starts_with("unavailable"), "{verdict}");
    }
}
