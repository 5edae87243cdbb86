//! A recorded application of Laravel 11.22, and each of its sessions and accounts with something
//! wrong.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod recorded;
mod tampered;

use hallpass_core::{
    Authenticator, ClaimedName, Conditions, Credential, Request, Requirement, Secret,
};
use hallpass_sessions::laravel::{Cipher, Encrypter, app_key, seal_cookie};
use serde_json::Value;

use self::recorded::{Site, ask, explained, identity, in_group, password, session, session_of};
use self::tampered::{Good, refuse_what_is_made_of};

const RECORDED: &str = include_str!("../../sessions/tests/data/laravel-11.22.json");
const KEY: &str = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const REMEMBER: &str = "remember_web_59ba36addc2b2f9401580f014c7f58ea4e30989d";
const LOGIN: &str = "login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d";
/// When the sessions of the driver `database` were written.
const WRITTEN: u64 = 1_795_982_217;
const LIFETIME: u64 = 7200;
/// As PHP 8.2 made them of `pässw0rd-ä`.
const BCRYPT: &str = "$2y$04$fcjl.Y9GK57ZxcyX4pPDuOwCXtXwZtpwg/lOtuLcLm9J94IcFgjg6";
const ARGON2ID: &str = "$argon2id$v=19$m=64,t=1,p=1$dzRzLjJ5UWd2Rm9FcUJTWg$xROG705eXOc9bkgX2WBbC1EvmusqtIp5J1cV89p1vlE";
const SHA512_CRYPT: &str = "$6$rounds=1000$saltsalt$d3I/Y8wK3GLK2OsIwgqJLDDKR4xnjI6dGB7GnEAxptnAMNgpQ81elUKul8vtSJDs.oVkeQFJCYhnGHFE83w9k0";
const PASSWORD: &str = "pässw0rd-ä";

const TABLES: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE, password TEXT,
                        remember_token TEXT);
    CREATE TABLE sessions (id TEXT PRIMARY KEY, user_id INTEGER, ip_address TEXT, user_agent TEXT,
                           payload TEXT, last_activity INTEGER);";

const ROLES: &str = "
    CREATE TABLE roles (id INTEGER PRIMARY KEY, name TEXT, guard_name TEXT);
    CREATE TABLE permissions (id INTEGER PRIMARY KEY, name TEXT, guard_name TEXT);
    CREATE TABLE model_has_roles (role_id INTEGER, model_type TEXT, model_id INTEGER);
    CREATE TABLE model_has_permissions (permission_id INTEGER, model_type TEXT, model_id INTEGER);
    CREATE TABLE role_has_permissions (permission_id INTEGER, role_id INTEGER);
    INSERT INTO roles VALUES (1, 'editor', 'web'), (2, 'editor-api', 'api'), (3, 'admin', 'web');
    INSERT INTO permissions VALUES (1, 'edit posts', 'web'), (2, 'ban users', 'web'),
                                   (3, 'edit posts', 'api'), (4, 'see reports', 'web');
    INSERT INTO role_has_permissions VALUES (1, 1), (2, 3);
    INSERT INTO model_has_roles VALUES (1, 'App\\Models\\User', 1), (2, 'App\\Models\\User', 1),
                                       (3, 'App\\Models\\Admin', 1), (3, 'App\\Models\\User', 2);
    INSERT INTO model_has_permissions VALUES (2, 'App\\Models\\User', 1),
                                             (4, 'App\\Models\\Admin', 1);";

fn data() -> Value {
    serde_json::from_str(RECORDED).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The site with its accounts, and the session of the driver whose rows were recorded.
fn site(driver: &str) -> Site {
    let data = data();
    let site = Site {
        directory: tempfile::tempdir().unwrap(),
    };
    site.run(TABLES);
    for user in data["users"].as_array().unwrap() {
        site.run(&format!(
            "INSERT INTO users VALUES ({}, '{}', '{}', '{}', '{}')",
            text(&user["id"]),
            text(&user["name"]),
            text(&user["email"]),
            text(&user["password"]),
            user["remember_token"].as_str().unwrap_or_default(),
        ));
    }
    if let Some(rows) = data["drivers"][driver]["store"].as_array() {
        for row in rows {
            insert(
                &site,
                text(&row["id"]),
                text(&row["payload"]),
                text(&row["last_activity"]),
            );
        }
    }
    site
}

fn insert(site: &Site, id: &str, payload: &str, last_activity: &str) {
    site.run(&format!(
        "INSERT OR REPLACE INTO sessions VALUES ('{id}', NULL, '', '', '{payload}', {last_activity})"
    ));
}

fn authenticator(site: &Site, more: &str) -> Authenticator {
    site.authenticator(&format!(
        "framework = \"laravel\"\ndatabase = \"sqlite:db.sqlite3\"\n\
         passwords.dummy = \"pbkdf2_sha256$1\"\n[laravel]\napp_key = \"{KEY}\"\n{more}"
    ))
}

fn valid(driver: &str) -> Request {
    cookies(vector(&data(), driver, "valid"))
}

fn cookies(vector: &Value) -> Request {
    let pairs = vector["cookies"].as_object().unwrap();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", text(value)))
        .collect();
    cookie_header(&pairs.join("; "))
}

fn cookie_header(header: &str) -> Request {
    Request::new(
        ClaimedName::Nameless,
        Credential::Cookies(Secret::new(header)),
    )
}

fn vector<'a>(data: &'a Value, driver: &str, name: &str) -> &'a Value {
    let vectors = data["drivers"][driver]["vectors"].as_array().unwrap();
    vectors.iter().find(|it| it["name"] == name).unwrap()
}

fn encrypter() -> Encrypter {
    Encrypter::new(Cipher::Aes256Cbc, vec![app_key(KEY.as_bytes())]).unwrap()
}

fn sealed(name: &str, value: &str) -> String {
    seal_cookie(name, value.as_bytes(), &encrypter()).unwrap()
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// The cases of the recording whose sessions are still there.
#[test]
fn cookies_have_the_verdict_of_the_site() {
    let data = data();
    for (driver, more) in [
        ("database", ""),
        ("database+gcm", "cipher = \"AES-256-GCM\""),
        ("database+encrypt", "session_encrypt = true"),
        ("cookie", "session_driver = \"cookie\""),
    ] {
        let site = site(driver);
        let mut laravel = authenticator(&site, more);
        let at = data["drivers"][driver]["vectors"][0]["at"]
            .as_u64()
            .unwrap();
        let mut granted = 0;
        for vector in data["drivers"][driver]["vectors"].as_array().unwrap() {
            let name = text(&vector["name"]);
            let verdict = ask(&mut laravel, &cookies(vector), at);
            match vector["verdict"]["user"].as_str() {
                None => assert!(!verdict.contains('@'), "{driver}, {name}: {verdict}"),
                Some(user) if name == "valid" || driver == "cookie" => {
                    granted += 1;
                    assert_eq!(verdict, user, "{driver}, {name}");
                }
                // Of a session that was not recorded.
                Some(user) => assert!(verdict == user || verdict == "no-session", "{verdict}"),
            }
        }
        assert!(granted > 0, "{driver}");
    }
}

#[test]
fn files_are_sessions_until_their_time_is_over() {
    let data = data();
    let site = site("file");
    let store = &data["drivers"]["file"]["store"];
    std::fs::create_dir_all(site.directory.path().join("storage/framework/sessions")).unwrap();
    site.write(
        ".env",
        &format!(
            "APP_KEY={KEY}\nSESSION_DRIVER=file\nDB_CONNECTION=sqlite\nDB_DATABASE=db.sqlite3\n"
        ),
    );
    site.write(text(&store["file"]), text(&store["bytes"]));
    let path = site.directory.path().join(text(&store["file"]));
    let written = store["mtime"].as_u64().unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(written * 1000 + 900);
    std::fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(time)
        .unwrap();
    let mut laravel =
        site.authenticator("framework = \"laravel\"\n[laravel]\nenvironment = \".env\"");
    let valid = cookies(vector(&data, "file", "valid"));
    for (now, expected) in [
        (written, "alice@example.org"),
        (written + LIFETIME, "alice@example.org"),
        (written + LIFETIME + 1, "expired-session"),
    ] {
        assert_eq!(ask(&mut laravel, &valid, now), expected, "{now}");
    }
}

#[test]
fn a_session_ends_after_the_last_second_of_its_lifetime() {
    let site = site("database");
    for (more, lifetime) in [
        ("", LIFETIME),
        ("session_lifetime = 1", 60),
        ("session_lifetime = 0", 0),
    ] {
        let mut laravel = authenticator(&site, more);
        assert_eq!(
            ask(&mut laravel, &valid("database"), WRITTEN + lifetime),
            "alice@example.org"
        );
        assert_eq!(
            ask(&mut laravel, &valid("database"), WRITTEN + lifetime + 1),
            "expired-session"
        );
        let found = identity(&mut laravel, valid("database"), WRITTEN);
        let expires = found.session.unwrap().expires.unwrap();
        let end = expires
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        assert_eq!(end, WRITTEN + lifetime);
    }
}

#[test]
fn a_token_alone_is_a_session_of_its_owner() {
    let site = site("database");
    let data = data();
    let token = text(&vector(&data, "database", "valid")["cookies"]["laravel_session"]);
    let mut laravel = authenticator(&site, "");
    for (request, expected) in [
        (session(token), "alice@example.org"),
        (session(&token.replace("%3D", "=")), "alice@example.org"),
        (session_of(token, "alice@example.org"), "alice@example.org"),
        (session_of(token, "bob@example.org"), "wrong-user"),
        (session_of(token, "ALICE@example.org"), "wrong-user"),
        (
            session("2s9BYZd8oFnWY13A6qNXVGAHouGZwDpCaTnVs2i2"),
            "invalid-session",
        ),
        (
            session(&sealed(
                "XSRF-TOKEN",
                "2s9BYZd8oFnWY13A6qNXVGAHouGZwDpCaTnVs2i2",
            )),
            "invalid-session",
        ),
        (
            session(&sealed(
                "laravel_session",
                "2s9BYZd8oFnWY13A6qNXVGAHouGZwDpCaTnVs2i2x",
            )),
            "invalid-session",
        ),
        (
            session(&sealed(
                "laravel_session",
                "2S9BYZd8oFnWY13A6qNXVGAHouGZwDpCaTnVs2i2",
            )),
            "no-session",
        ),
        (
            session(&sealed(
                "laravel_session",
                "../../../../../../../../../../etc/passwd",
            )),
            "invalid-session",
        ),
        (session(""), "invalid-session"),
        (session(";;;"), "invalid-session"),
    ] {
        assert_eq!(ask(&mut laravel, &request, WRITTEN), expected);
    }
    let mut named = authenticator(&site, "session_cookie = \"shop_session\"");
    assert_eq!(ask(&mut named, &session(token), WRITTEN), "invalid-session");
    let mut other = authenticator(&site, "guard = \"admin\"");
    assert_eq!(
        ask(&mut other, &session(token), WRITTEN),
        "anonymous-session"
    );
}

#[test]
fn of_two_cookies_of_one_name_the_first_counts() {
    let site = site("database");
    let data = data();
    let token = text(&vector(&data, "database", "valid")["cookies"]["laravel_session"]);
    let mut laravel = authenticator(&site, "");
    for (header, expected) in [
        (
            format!("laravel_session={token}; laravel_session=x"),
            "alice@example.org",
        ),
        (
            format!("laravel_session=x; laravel_session={token}"),
            "invalid-session",
        ),
        (format!("Laravel_session={token}"), "no-session"),
        ("a=b".to_owned(), "no-session"),
    ] {
        assert_eq!(
            ask(&mut laravel, &cookie_header(&header), WRITTEN),
            expected,
            "{header:.30}"
        );
    }
}

/// The site encrypts the id anew at each answer.
#[test]
fn a_session_is_called_the_same_whatever_cookie_carries_it() {
    let site = site("database");
    let data = data();
    let token = text(&vector(&data, "database", "valid")["cookies"]["laravel_session"]);
    let again = sealed(
        "laravel_session",
        "2s9BYZd8oFnWY13A6qNXVGAHouGZwDpCaTnVs2i2",
    );
    assert_ne!(token, again);
    let mut laravel = authenticator(&site, "");
    let mut digest = |token: &str| {
        let found = identity(&mut laravel, session(token), WRITTEN);
        found.session.unwrap().digest
    };
    assert_eq!(digest(token), digest(&again));
}

#[test]
fn a_session_that_ends_ends_at_once() {
    let site = site("database");
    let data = data();
    let valid = cookies(vector(&data, "database", "valid"));
    let mut laravel = authenticator(&site, "");
    for _ in 0..3 {
        assert_eq!(ask(&mut laravel, &valid, WRITTEN), "alice@example.org");
    }
    site.run("UPDATE users SET email = 'alice@example.com' WHERE id = 1");
    assert_eq!(ask(&mut laravel, &valid, WRITTEN), "alice@example.com");
    site.run("DELETE FROM sessions");
    assert_eq!(ask(&mut laravel, &valid, WRITTEN), "no-session");
}

#[test]
fn payloads_that_name_no_account_let_nobody_in() {
    let site = site("database");
    let id = "a".repeat(40);
    let shown = session(&sealed("laravel_session", &id));
    let with = |value: &str| base64(&format!("a:1:{{s:50:\"{LOGIN}\";{value}}}"));
    for (payload, expected) in [
        (with("i:1;"), "alice@example.org"),
        (with("s:1:\"1\";"), "alice@example.org"),
        (with("i:99;"), "unknown-user"),
        (with("s:4:\"1abc\";"), "unknown-user"),
        (with("s:2:\"01\";"), "unknown-user"),
        (with("s:3:\"1.0\";"), "unknown-user"),
        (with("N;"), "anonymous-session"),
        (with("b:1;"), "invalid-session"),
        (base64("a:0:{}"), "anonymous-session"),
        (base64(&format!("{{\"{LOGIN}\":1}}")), "alice@example.org"),
        (base64(&format!("{{\"{LOGIN}\":true}}")), "invalid-session"),
        (base64("x"), "invalid-session"),
        (String::new(), "anonymous-session"),
    ] {
        insert(&site, &id, &payload, &WRITTEN.to_string());
        let mut laravel = authenticator(&site, "");
        assert_eq!(ask(&mut laravel, &shown, WRITTEN), expected, "{payload}");
    }
    insert(
        &site,
        &id,
        &base64(&format!("{{\"{LOGIN}\":1}}")),
        &WRITTEN.to_string(),
    );
    let mut php = authenticator(&site, "session_serialization = \"php\"");
    assert_eq!(ask(&mut php, &shown, WRITTEN), "invalid-session");
    let mut encrypted = authenticator(&site, "session_encrypt = true");
    assert_eq!(ask(&mut encrypted, &shown, WRITTEN), "invalid-session");
}

#[test]
fn a_new_password_ends_sessions_where_the_site_uses_authenticate_session() {
    let site = site("database");
    let data = data();
    let hash = text(&data["users"][0]["password"]);
    let id = "b".repeat(40);
    let shown = session(&sealed("laravel_session", &id));
    let code = "6edd1bef6009e2d9e3591fde58893fc627c1088d70674beccbf0a21fa18df289";
    let with = |stored: &str| {
        base64(&format!(
            "a:2:{{s:50:\"{LOGIN}\";i:1;s:17:\"password_hash_web\";{stored}}}"
        ))
    };
    let text_of = |stored: &str| with(&format!("s:{}:\"{stored}\";", stored.len()));
    for (payload, expected) in [
        (text_of(hash), "alice@example.org"),
        (text_of(code), "alice@example.org"),
        (with("N;"), "alice@example.org"),
        (text_of(&hash[1..]), "stale-session"),
        (text_of(""), "stale-session"),
        (
            text_of(text(&data["users"][1]["password"])),
            "stale-session",
        ),
        (text_of(&code.to_uppercase()), "stale-session"),
        (with("i:1;"), "invalid-session"),
    ] {
        insert(&site, &id, &payload, &WRITTEN.to_string());
        let mut laravel = authenticator(&site, "authenticate_session = true");
        assert_eq!(ask(&mut laravel, &shown, WRITTEN), expected, "{payload}");
        let mut without = authenticator(&site, "");
        let expected = expected.replace("stale-session", "alice@example.org");
        assert_eq!(ask(&mut without, &shown, WRITTEN), expected, "{payload}");
    }
    insert(&site, &id, &text_of(hash), &WRITTEN.to_string());
    site.run("UPDATE users SET password = NULL WHERE id = 1");
    let mut laravel = authenticator(&site, "authenticate_session = true");
    assert_eq!(ask(&mut laravel, &shown, WRITTEN), "stale-session");
}

#[test]
fn remembered_logins_count_as_long_as_their_token() {
    let data = data();
    let alone = cookies(vector(&data, "database+gcm", "remember cookie alone"));
    let site = site("database+gcm");
    let token = text(&data["drivers"]["database+gcm"]["users_remember_token"]);
    let token = token.split('\t').nth(1).unwrap();
    site.run(&format!(
        "UPDATE users SET remember_token = '{token}' WHERE id = 3"
    ));
    let gcm = "cipher = \"aes-256-gcm\"\n";
    let mut laravel = authenticator(&site, gcm);
    assert_eq!(ask(&mut laravel, &alone, WRITTEN), "carl@example.org");
    let mut strict = authenticator(&site, &format!("{gcm}authenticate_session = true"));
    assert_eq!(ask(&mut strict, &alone, WRITTEN), "carl@example.org");
    let mut without = authenticator(&site, &format!("{gcm}remember = false"));
    assert_eq!(ask(&mut without, &alone, WRITTEN), "no-session");
    site.run("UPDATE users SET password = 'another' WHERE id = 3");
    assert_eq!(ask(&mut laravel, &alone, WRITTEN), "carl@example.org");
    assert_eq!(ask(&mut strict, &alone, WRITTEN), "stale-session");
    for changed in ["'another'", "''", "'0'", "NULL"] {
        site.run(&format!(
            "UPDATE users SET remember_token = {changed} WHERE id = 3"
        ));
        assert_eq!(
            ask(&mut laravel, &alone, WRITTEN),
            "no-session",
            "{changed}"
        );
    }
}

#[test]
fn a_remembered_login_counts_where_the_session_has_none() {
    let site = site("database");
    let data = data();
    site.run("UPDATE users SET remember_token = 'token-of-bob' WHERE id = 2");
    let valid = text(&vector(&data, "database", "valid")["cookies"]["laravel_session"]);
    let bob = sealed(REMEMBER, "2|token-of-bob|hash");
    let mut laravel = authenticator(&site, "");
    let anonymous = "c".repeat(40);
    insert(&site, &anonymous, &base64("a:0:{}"), &WRITTEN.to_string());
    let anonymous = sealed("laravel_session", &anonymous);
    let both = |session: &str, recaller: &str| {
        cookie_header(&format!("laravel_session={session}; {REMEMBER}={recaller}"))
    };
    for (request, now, expected) in [
        // The session's own user first.
        (both(valid, &bob), WRITTEN, "alice@example.org"),
        (both(valid, &bob), WRITTEN + LIFETIME + 1, "bob@example.org"),
        (both(&anonymous, &bob), WRITTEN, "bob@example.org"),
        (both("x", &bob), WRITTEN, "bob@example.org"),
        (both(valid, "x"), WRITTEN + LIFETIME + 1, "expired-session"),
        (
            both(&anonymous, &sealed(REMEMBER, "2|another|hash")),
            WRITTEN,
            "anonymous-session",
        ),
        (
            both(&anonymous, &sealed(REMEMBER, "1|token-of-bob|hash")),
            WRITTEN,
            "anonymous-session",
        ),
        (
            both(&anonymous, &sealed(REMEMBER, "2|token-of-bob")),
            WRITTEN,
            "anonymous-session",
        ),
        (
            both(&anonymous, &sealed(REMEMBER, "2 |token-of-bob|hash")),
            WRITTEN,
            "anonymous-session",
        ),
        (
            both(&anonymous, &sealed("remember_admin", "2|token-of-bob|hash")),
            WRITTEN,
            "anonymous-session",
        ),
        (
            both(&sealed(REMEMBER, "2|token-of-bob|hash"), "x"),
            WRITTEN,
            "bob@example.org",
        ),
    ] {
        assert_eq!(ask(&mut laravel, &request, now), expected);
    }
}

#[test]
fn passwords_are_right_or_wrong() {
    let site = site("database");
    site.run(&format!(
        "UPDATE users SET password = '{BCRYPT}' WHERE id = 1;
         UPDATE users SET password = '{ARGON2ID}' WHERE id = 2;
         UPDATE users SET password = '{SHA512_CRYPT}' WHERE id = 3;
         INSERT INTO users VALUES (4, 'Dora', 'dora@example.org', NULL, NULL),
                                  (5, 'Emil', 'emil@example.org', '', NULL),
                                  (6, 'Frieda', 'frieda@example.org', '{PASSWORD}', NULL),
                                  (7, 'Nobody', NULL, '{BCRYPT}', NULL);"
    ));
    let mut laravel = authenticator(&site, "");
    for (name, typed, expected) in [
        ("alice@example.org", PASSWORD, "alice@example.org"),
        ("bob@example.org", PASSWORD, "bob@example.org"),
        ("carl@example.org", PASSWORD, "carl@example.org"),
        ("alice@example.org", "wrong", "wrong-password"),
        ("alice@example.org", "", "wrong-password"),
        ("bob@example.org", "pässw0rd-a", "wrong-password"),
        ("ALICE@example.org", PASSWORD, "unknown-user"),
        ("alice", PASSWORD, "unknown-user"),
        ("Alice", PASSWORD, "unknown-user"),
        ("1", PASSWORD, "unknown-user"),
        ("dora@example.org", "", "unusable-password"),
        ("emil@example.org", "", "unusable-password"),
        ("frieda@example.org", PASSWORD, "unsupported-hash"),
        ("Nobody", PASSWORD, "unknown-user"),
        ("", PASSWORD, "malformed"),
    ] {
        let request = password(name, typed);
        assert_eq!(
            ask(&mut laravel, &request, WRITTEN),
            expected,
            "{name} {typed}"
        );
    }
    let mut bcrypt = authenticator(&site, "hashing_driver = \"bcrypt\"");
    for (name, expected) in [
        ("alice@example.org", "alice@example.org"),
        ("bob@example.org", "unsupported-hash"),
        ("carl@example.org", "unsupported-hash"),
    ] {
        assert_eq!(
            ask(&mut bcrypt, &password(name, PASSWORD), WRITTEN),
            expected
        );
    }
    let mut argon = authenticator(&site, "hashing_driver = \"argon2id\"");
    assert_eq!(
        ask(&mut argon, &password("bob@example.org", PASSWORD), WRITTEN),
        "bob@example.org"
    );
}

#[test]
fn deleted_accounts_are_none() {
    let site = site("database");
    let data = data();
    let valid = cookies(vector(&data, "database", "valid"));
    site.run(&format!(
        "UPDATE users SET password = '{BCRYPT}'; ALTER TABLE users ADD COLUMN deleted_at TEXT;"
    ));
    let alice = password("alice@example.org", PASSWORD);
    assert_eq!(
        ask(&mut authenticator(&site, ""), &alice, WRITTEN),
        "alice@example.org"
    );
    site.run("UPDATE users SET deleted_at = '2026-01-01 00:00:00' WHERE id = 1");
    let mut laravel = authenticator(&site, "");
    assert_eq!(ask(&mut laravel, &alice, WRITTEN), "unknown-user");
    assert_eq!(ask(&mut laravel, &valid, WRITTEN), "unknown-user");
    let mut without = authenticator(&site, "deleted_at_column = \"\"");
    assert_eq!(ask(&mut without, &alice, WRITTEN), "alice@example.org");
    let mut named = authenticator(&site, "deleted_at_column = \"closed_at\"");
    assert!(ask(&mut named, &alice, WRITTEN).starts_with("unavailable"));
    let rule = "[access]\nwhere = \"name <> 'Bob'\"";
    let mut rule = authenticator(&site, rule);
    assert_eq!(
        ask(&mut rule, &password("bob@example.org", PASSWORD), WRITTEN),
        "inactive"
    );
}

#[test]
fn a_password_alone_is_not_enough_beside_a_second_factor() {
    let site = site("database");
    let data = data();
    let valid = cookies(vector(&data, "database", "valid"));
    site.run(&format!(
        "UPDATE users SET password = '{BCRYPT}'; ALTER TABLE users ADD COLUMN two_factor_secret TEXT;
         UPDATE users SET two_factor_secret = 'x' WHERE id = 1;"
    ));
    let mut laravel = authenticator(&site, "");
    let alice = password("alice@example.org", PASSWORD);
    assert_eq!(
        explained(&mut laravel, &alice, WRITTEN),
        "unusable-password second-factor"
    );
    assert_eq!(ask(&mut laravel, &valid, WRITTEN), "alice@example.org");
    assert_eq!(
        ask(
            &mut laravel,
            &password("bob@example.org", PASSWORD),
            WRITTEN
        ),
        "bob@example.org"
    );
}

#[test]
fn names_without_case_mean_one_account_or_none() {
    let site = site("database");
    site.run(&format!("UPDATE users SET password = '{BCRYPT}'"));
    let folded = "[access]\nignore_case = true";
    let mut laravel = authenticator(&site, folded);
    let shout = password("ALICE@Example.org", PASSWORD);
    assert_eq!(ask(&mut laravel, &shout, WRITTEN), "alice@example.org");
    site.run(&format!(
        "INSERT INTO users VALUES (9, 'Twin', 'Alice@example.org', '{BCRYPT}', NULL)"
    ));
    let mut laravel = authenticator(&site, folded);
    for name in [
        "ALICE@Example.org",
        "alice@example.org",
        "Alice@example.org",
    ] {
        assert_eq!(
            ask(&mut laravel, &password(name, PASSWORD), WRITTEN),
            "unknown-user",
            "{name}"
        );
    }
}

fn permitted(request: Request, permission: &str) -> Request {
    Request {
        conditions: Conditions {
            any: Vec::new(),
            all: vec![Requirement::Permission(permission.to_owned())],
        },
        ..request
    }
}

#[test]
fn roles_are_those_of_the_model_and_the_guard() {
    let site = site("database");
    site.run(ROLES);
    let mut laravel = authenticator(&site, "");
    assert_eq!(
        identity(&mut laravel, valid("database"), WRITTEN).groups,
        ["editor"]
    );
    for (permission, holds) in [
        ("edit posts", true),
        ("ban users", true),
        ("see reports", false),
        ("EDIT POSTS", false),
        ("edit", false),
        ("*", false),
    ] {
        let verdict = ask(
            &mut laravel,
            &permitted(valid("database"), permission),
            WRITTEN,
        );
        let expected = if holds {
            "alice@example.org"
        } else {
            "not-permitted"
        };
        assert_eq!(verdict, expected, "{permission}");
    }
    for (group, holds) in [("editor", true), ("admin", false), ("editor-api", false)] {
        let verdict = ask(&mut laravel, &in_group(valid("database"), group), WRITTEN);
        assert_eq!(verdict == "alice@example.org", holds, "{group}");
    }
    site.run("DELETE FROM model_has_roles WHERE role_id = 1");
    let verdict = ask(
        &mut laravel,
        &permitted(valid("database"), "edit posts"),
        WRITTEN,
    );
    assert_eq!(verdict, "not-permitted");
    let mut other = authenticator(&site, "user_model = \"App\\\\Models\\\\Admin\"");
    assert_eq!(
        identity(&mut other, valid("database"), WRITTEN).groups,
        ["admin"]
    );
    site.run("ALTER TABLE model_has_roles ADD COLUMN team_id INTEGER");
    let mut teams = authenticator(&site, "user_model = \"App\\\\Models\\\\Admin\"");
    assert!(
        identity(&mut teams, valid("database"), WRITTEN)
            .groups
            .is_empty()
    );
    let verdict = ask(
        &mut teams,
        &permitted(valid("database"), "see reports"),
        WRITTEN,
    );
    assert_eq!(verdict, "not-permitted");
}

#[test]
fn tables_of_roles_have_the_names_that_the_configuration_says() {
    let site = site("database");
    let mut renamed = ROLES.to_owned();
    // The longer ones first, which have the shorter ones in them.
    for name in [
        "model_has_permissions",
        "role_has_permissions",
        "model_has_roles",
        "INTO permissions",
        "TABLE permissions",
        "INTO roles",
        "TABLE roles",
    ] {
        let (before, table) = name.split_at(name.find(' ').map_or(0, |at| at + 1));
        renamed = renamed.replace(name, &format!("{before}shop_{table}"));
    }
    site.run(&renamed);
    let names = "role_tables = [\"shop_roles\", \"shop_permissions\", \
                 \"shop_model_has_permissions\", \"shop_model_has_roles\", \
                 \"shop_role_has_permissions\"]";
    for (keys, groups) in [(names, vec!["editor"]), ("", vec![])] {
        let mut laravel = authenticator(&site, keys);
        let found = identity(&mut laravel, valid("database"), WRITTEN);
        assert_eq!(found.groups, groups, "{keys}");
        for (permission, holds) in [
            ("edit posts", true),
            ("ban users", true),
            ("see reports", false),
        ] {
            let request = permitted(valid("database"), permission);
            let verdict = ask(&mut laravel, &request, WRITTEN);
            let holds = holds && !keys.is_empty();
            assert_eq!(verdict == "alice@example.org", holds, "{permission}");
        }
    }
}

#[test]
fn groups_of_a_site_without_roles_come_from_statements() {
    let site = site("database");
    let custom = "[custom]\ngroups = \"SELECT 'all' AS name WHERE :id = 1\"\n\
                  permissions = \"SELECT 'read' AS name WHERE :id = 1\"";
    let mut laravel = authenticator(&site, custom);
    assert_eq!(
        identity(&mut laravel, valid("database"), WRITTEN).groups,
        ["all"]
    );
    let read = permitted(valid("database"), "read");
    assert_eq!(ask(&mut laravel, &read, WRITTEN), "alice@example.org");
    assert_eq!(
        ask(
            &mut laravel,
            &permitted(valid("database"), "write"),
            WRITTEN
        ),
        "not-permitted"
    );
}

#[test]
fn wrong_settings_are_named() {
    let site = site("database");
    site.write("bad.env", "APP_KEY='open\n");
    for (text, expected) in [
        ("[laravel]\napp_key = \"short\"", "laravel.app_key"),
        (
            "[laravel]\napp_key = \"base64:AAECAwQFBgcICQoLDA0ODw==\"",
            "laravel.app_key",
        ),
        ("[laravel]\ncipher = \"aes-256-ctr\"", "laravel.cipher"),
        (
            "[laravel]\nsession_driver = \"array\"",
            "laravel.session_driver",
        ),
        ("[laravel]\nguard = \"we b\"", "laravel.guard"),
        (
            "[laravel]\nsession_cookie = \"a b\"",
            "laravel.session_cookie",
        ),
        ("[laravel]\nsession_table = \"\"", "laravel.session_table"),
        ("[laravel]\nuser_table = \"\"", "laravel.user_table"),
        (
            "[laravel]\nusername_column = \"\"",
            "laravel.username_column",
        ),
        (
            "[laravel]\nenvironment = \"missing.env\"",
            "laravel.environment",
        ),
        (
            "[laravel]\nenvironment = \"bad.env\"",
            "laravel.environment",
        ),
        ("[laravel]\nredis_prefix = \"x\"", "laravel.redis_prefix"),
        (
            "[laravel]\nsession_cokie = \"x\"",
            "did you mean `session_cookie`",
        ),
        (
            "[custom]\nuser = \"SELECT 1 WHERE :username = 1\"",
            "custom.user",
        ),
    ] {
        let text = format!("framework = \"laravel\"\ndatabase = \"sqlite:db.sqlite3\"\n{text}");
        let error = site.configuration(&text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(!error.contains("open"), "{error}");
    }
}

#[test]
fn what_is_not_said_of_sessions_is_missing() {
    let site = site("database");
    for (environment, missing) in [
        ("", Some("laravel.app_key")),
        ("APP_KEY=KEY", None),
        (
            "APP_KEY=KEY\nAPP_NAME=Läden",
            Some("laravel.session_cookie"),
        ),
        (
            "APP_KEY=KEY\nSESSION_DRIVER=array",
            Some("laravel.session_driver"),
        ),
        (
            "APP_KEY=KEY\nSESSION_DRIVER=dynamodb",
            Some("laravel.session_driver"),
        ),
        (
            "APP_KEY=KEY\nSESSION_CONNECTION=other",
            Some("session_database"),
        ),
        ("APP_KEY=KEY\nSESSION_DRIVER=redis", None),
        (
            "APP_KEY=KEY\nSESSION_DRIVER=redis\nREDIS_URL=redis://a",
            Some("laravel.cache"),
        ),
        (
            "APP_KEY=KEY\nSESSION_DRIVER=redis\nSESSION_CONNECTION=mine",
            Some("laravel.cache"),
        ),
        ("APP_KEY=KEY\nSESSION_DRIVER=memcached", None),
        ("APP_KEY=KEY\nSESSION_DRIVER=cookie", None),
        ("APP_KEY=KEY\nSESSION_DRIVER=file", None),
    ] {
        let text = environment.replace("KEY=KEY", &format!("KEY={KEY}"));
        site.write(
            ".env",
            &format!("{text}\nDB_CONNECTION=sqlite\nDB_DATABASE=db.sqlite3\n"),
        );
        let text = "framework = \"laravel\"\n[laravel]\nenvironment = \".env\"";
        let configuration = site.configuration(text).unwrap();
        assert_eq!(
            configuration.missing_for_sessions(),
            missing,
            "{environment}"
        );
    }
}

#[test]
fn each_part_of_each_recorded_cookie_counts() {
    let data = data();
    let site = site("database");
    let mut laravel = authenticator(&site, "");
    let valid = vector(&data, "database", "valid");
    let value = text(&valid["cookies"]["laravel_session"]);
    let header = format!("laravel_session={value}");
    let other = sealed(
        "laravel_session",
        "2s9BYZd8oFnWY13A6qNXVGAHouGZwDpCaTnVs2i3",
    );
    let good = Good {
        header: &header,
        owner: "alice@example.org",
        another: &format!("laravel_session={other}"),
    };
    // Spare bits of Base64, and padding.
    refuse_what_is_made_of(&good, 24, |header| {
        ask(&mut laravel, &cookie_header(header), WRITTEN)
    });
}
