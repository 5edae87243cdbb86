//! A recorded Redmine, its one session and its accounts with something wrong.
#![allow(clippy::unwrap_used)]

mod recorded;

use hallpass_core::{Authenticator, Conditions, Request, Requirement};

use self::recorded::{
    Site, ask, explained, identity, in_group, password, session, session_of, vouched,
};

const DUMP: &str = include_str!("data/redmine-5.0.4.sql");
/// What alice's browser held: AES-256-CBC, and in it a dump of Marshal's.
const COOKIE: &str = "U0RBUXMyL3dKRkpsRkZpcjRVd0FqNUt6d21LSGtveFU2TFczWE8xZHpIZ3RZL2tWSE1Id0FMZkQvd0FFZGRsS3JEbGZTaTRxZXJjWkpJZnYrUE11a0RjZHBkb2JqYnp2cDZFMVJmRDBHRnB4eTI2eWh2OVJnZi9jNzlJMW51SDZ2ZmVwMk8xa1ZjWmc2UnR2bCsvYUZNclI4TjBIL0lBa2xCY0k0QmY3cTc1L01qdTBMeENjbHUrdGZCOU50RWZDKzlMNGMxVGh5WmFrdUVQbXdEOGpXVHh5bSsweGNwZEpVN2piTFNIdzNVRT0tLXpCcXhKY3hvcGlqQkxWbmtSbkZZOVE9PQ%3D%3D--96fa4b5b99cc85fea0ed01c14e73835d374b248c";
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// A second after the login, 2026-11-30 12:26:09.756.
const NOW: u64 = 1_796_041_570;

fn fresh() -> Site {
    let site = Site::load("");
    site.run(DUMP);
    site
}

fn redmine(site: &Site, more: &str) -> Authenticator {
    site.authenticator(&format!(
        "framework = \"rails\"\ndatabase = \"sqlite:db.sqlite3\"\npasswords.dummy = \"pbkdf2_sha256$1\"\n\
         [rails]\npreset = \"redmine\"\nsecret_key_base = \"{SECRET}\"\ntime_zone = \"UTC\"\n\
         session_cookie_name = \"Redmine\"\n{more}"
    ))
}

#[test]
fn the_recorded_session_is_alices() {
    let site = fresh();
    let mut authenticator = redmine(&site, "");
    let found = identity(&mut authenticator, session(COOKIE), NOW);
    assert_eq!((&*found.name, &*found.id), ("alice", "5"));
    assert_eq!(
        (&*found.email, &*found.full_name),
        ("alice@example.org", "Alice Example")
    );
    assert_eq!(found.groups, ["editors"]);
    for (owner, expected) in [
        ("alice", "alice"),
        ("ALICE", "alice"),
        ("bob", "wrong-user"),
        ("alice@example.org", "wrong-user"),
        ("editors", "wrong-user"),
    ] {
        let found = ask(&mut authenticator, &session_of(COOKIE, owner), NOW);
        assert_eq!(found, expected, "{owner}");
    }
    for at in (0..COOKIE.len()).step_by(7) {
        let mut changed = COOKIE.as_bytes().to_vec();
        changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
        let changed = String::from_utf8(changed).unwrap();
        let found = ask(&mut authenticator, &session(&changed), NOW);
        assert_eq!(found, "invalid-session", "{at}");
    }
    let mut json = redmine(&site, "cookies_serializer = \"json\"\n");
    assert_eq!(ask(&mut json, &session(COOKIE), NOW), "invalid-session");
    let mut newer = redmine(&site, "key_generator_hash_digest_class = \"SHA256\"\n");
    assert_eq!(ask(&mut newer, &session(COOKIE), NOW), "invalid-session");
}

#[test]
fn a_session_needs_its_token_and_an_open_account() {
    for (change, expected) in [
        ("DELETE FROM tokens", "no-session"),
        ("UPDATE tokens SET action = 'autologin'", "no-session"),
        ("UPDATE tokens SET action = 'api'", "no-session"),
        ("UPDATE tokens SET user_id = 6", "no-session"),
        ("UPDATE tokens SET value = upper(value)", "no-session"),
        ("UPDATE users SET status = 3 WHERE id = 5", "inactive"),
        ("UPDATE users SET status = 2 WHERE id = 5", "inactive"),
        (
            "UPDATE users SET type = 'Group' WHERE id = 5",
            "unknown-user",
        ),
        (
            "UPDATE users SET type = 'AnonymousUser' WHERE id = 5",
            "unknown-user",
        ),
        ("DELETE FROM users WHERE id = 5", "unknown-user"),
        ("UPDATE users SET login = 'alicia' WHERE id = 5", "alicia"),
        // Redmine deletes the tokens with a new password, and compares nothing else.
        (
            "UPDATE users SET hashed_password = 'x' WHERE id = 5",
            "alice",
        ),
        // Asked for at the next login alone.
        (
            "UPDATE users SET must_change_passwd = 1 WHERE id = 5",
            "alice",
        ),
        ("UPDATE users SET auth_source_id = 1 WHERE id = 5", "alice"),
    ] {
        let site = fresh();
        let mut authenticator = redmine(&site, "");
        assert_eq!(ask(&mut authenticator, &session(COOKIE), NOW), "alice");
        site.run(change);
        let found = ask(&mut authenticator, &session(COOKIE), NOW);
        assert_eq!(found, expected, "{change}");
    }
}

#[test]
fn sessions_end_by_the_settings_of_the_site() {
    for (name, value, at, expected) in [
        ("session_lifetime", "60", 3599, "alice"),
        ("session_lifetime", "60", 3600, "expired-session"),
        ("session_timeout", "60", 3599, "alice"),
        ("session_timeout", "60", 3600, "expired-session"),
        ("session_timeout", "0", 1_000_000, "alice"),
        ("session_timeout", "", 1_000_000, "alice"),
        ("session_timeout", "60 minutes", 3600, "expired-session"),
        (
            "session_timeout",
            "99999999999999999999999",
            1_000_000,
            "alice",
        ),
    ] {
        let site = fresh();
        site.run(&format!(
            "INSERT INTO settings (name, value) VALUES ('{name}', '{value}')"
        ));
        let mut authenticator = redmine(&site, "");
        let found = ask(&mut authenticator, &session(COOKIE), NOW + at);
        assert_eq!(found, expected, "{name} {value} {at}");
    }
    let site = fresh();
    site.run("INSERT INTO settings (name, value) VALUES ('session_lifetime', '60'); UPDATE tokens SET created_on = 'once'");
    let mut authenticator = redmine(&site, "");
    assert_eq!(
        ask(&mut authenticator, &session(COOKIE), NOW),
        "invalid-session"
    );
}

#[test]
fn passwords_are_right_where_the_login_page_asks_for_no_more() {
    let site = fresh();
    let mut authenticator = redmine(&site, "");
    for (name, typed, expected) in [
        ("alice", "Pw-alice", "alice"),
        ("ALICE", "Pw-alice", "alice"),
        (" carol ", "Pw-Carol", "Carol"),
        ("alice", "Pw-alice ", "wrong-password"),
        ("alice", "Pw-bob", "wrong-password"),
        (
            "alice",
            "9d6e3528f728e1b5ea626075b4be3ea9b48ae4e1",
            "wrong-password",
        ),
        ("editors", "x", "unknown-user"),
        ("Anonymous", "x", "unknown-user"),
        ("alice@example.org", "Pw-alice", "unknown-user"),
        ("admin", "admin", "inactive new-password"),
    ] {
        let found = explained(&mut authenticator, &password(name, typed), NOW);
        assert_eq!(found, expected, "{name} {typed}");
    }
    for (change, expected) in [
        (
            "SET twofa_scheme = 'totp' WHERE id = 5",
            "unusable-password second-factor",
        ),
        ("SET twofa_scheme = '' WHERE id = 5", "alice"),
        (
            "SET auth_source_id = 1 WHERE id = 5",
            "unusable-password password-elsewhere",
        ),
        (
            "SET must_change_passwd = 1 WHERE id = 5",
            "inactive new-password",
        ),
        (
            "SET twofa_required = 1 WHERE id = 9",
            "unusable-password second-factor-set-up",
        ),
        ("SET twofa_required = 1 WHERE id = 10", "alice"),
        ("SET salt = NULL WHERE id = 5", "wrong-password"),
        (
            "SET hashed_password = upper(hashed_password) WHERE id = 5",
            "unsupported-hash",
        ),
        ("SET hashed_password = '' WHERE id = 5", "unusable-password"),
        ("SET status = 3 WHERE id = 5", "inactive"),
        ("SET login = 'ALICE' WHERE id = 6", "unknown-user"),
    ] {
        let site = fresh();
        site.run(&format!("UPDATE users {change}"));
        let mut authenticator = redmine(&site, "");
        let found = explained(&mut authenticator, &password("alice", "Pw-alice"), NOW);
        assert_eq!(found, expected, "{change}");
    }
    for (name, value, expected) in [
        ("twofa", "2", "unusable-password second-factor-set-up"),
        ("twofa", "3", "alice"),
        ("twofa", "0", "alice"),
        ("password_max_age", "0", "alice"),
        ("password_max_age", "36500", "alice"),
    ] {
        let site = fresh();
        site.run(&format!(
            "INSERT INTO settings (name, value) VALUES ('{name}', '{value}')"
        ));
        let mut authenticator = redmine(&site, "");
        let found = explained(&mut authenticator, &password("alice", "Pw-alice"), NOW);
        assert_eq!(found, expected, "{name} {value}");
    }
}

#[test]
fn groups_count_and_administrators_are_superusers() {
    let site = fresh();
    let mut authenticator = redmine(&site, "");
    let in_editors = in_group(session(COOKIE), "editors");
    assert_eq!(ask(&mut authenticator, &in_editors, NOW), "alice");
    let in_staff = in_group(session(COOKIE), "staff");
    assert_eq!(ask(&mut authenticator, &in_staff, NOW), "not-permitted");
    site.run("DELETE FROM groups_users WHERE user_id = 5");
    assert_eq!(ask(&mut authenticator, &in_editors, NOW), "not-permitted");
    for (name, expected) in [("zoe", "zoe"), ("bob", "not-permitted")] {
        let asked = Request {
            conditions: Conditions {
                any: Vec::new(),
                all: vec![Requirement::Superuser],
            },
            ..vouched(name)
        };
        assert_eq!(ask(&mut authenticator, &asked, NOW), expected, "{name}");
    }
}
