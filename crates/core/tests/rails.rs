//! A recorded Rails with Devise, each of its cookies and accounts with something wrong, and rows around
//! them that Devise's rules tell apart.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod recorded;
mod tampered;

use hallpass_core::{Authenticator, ClaimedName, Credential, Request, Secret};
use serde_json::Value;

use self::recorded::{
    Site, ask, explained, identity, in_group, password, session, session_of, vouched,
};
use self::tampered::{Good, refuse_what_is_made_of};

const RECORDED: &str = include_str!("data/rails-devise.json");
const USERS: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, email varchar DEFAULT '' NOT NULL, \
     encrypted_password varchar DEFAULT '' NOT NULL, remember_created_at datetime, confirmed_at datetime, \
     confirmation_sent_at datetime, confirmation_token varchar, unconfirmed_email varchar, \
     failed_attempts integer DEFAULT 0 NOT NULL, unlock_token varchar, locked_at datetime, \
     created_at datetime, updated_at datetime);
     CREATE UNIQUE INDEX index_users_on_email ON users (email);";
/// When all that was recorded is right.
const NOW: u64 = 1_795_986_449;

/// Under which a store keeps the session `0123456789abcdef0123456789abcdef`.
const PRIVATE: &str = "2::3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9";

fn sites() -> Vec<Value> {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    recorded["sites"].as_array().unwrap().clone()
}

fn labelled(label: &str) -> Value {
    sites()
        .into_iter()
        .find(|site| site["label"] == label)
        .unwrap()
}

fn quoted(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    }
}

/// The recorded accounts, in SQLite.
fn accounts(recorded: &Value) -> Site {
    let site = Site::load("");
    site.run(USERS);
    for user in recorded["users"].as_array().unwrap() {
        let user = user.as_object().unwrap();
        let columns: Vec<&str> = user.keys().map(String::as_str).collect();
        let values: Vec<String> = user.values().map(quoted).collect();
        let (columns, values) = (columns.join(", "), values.join(", "));
        site.run(&format!("INSERT INTO users ({columns}) VALUES ({values})"));
    }
    site
}

fn configured(recorded: &Value, more: &str) -> String {
    let mut text = format!(
        "framework = \"rails\"\ndatabase = \"sqlite:db.sqlite3\"\npasswords.dummy = \"pbkdf2_sha256$1\"\n\
         [rails]\nversion = {}\nsecret_key_base = {}\nsecret_key_bases = {}\nsession_cookie_name = {}\n",
        recorded["version"],
        recorded["secret_key_base"],
        recorded["rotated"],
        recorded["session_cookie_name"],
    );
    if !recorded["pepper"].is_null() {
        text += &format!("pepper = {}\n", recorded["pepper"]);
    }
    if !recorded["timeout_in"].is_null() {
        text += &format!("timeout_in = \"{}s\"\n", recorded["timeout_in"]);
    }
    if recorded["serializer"] == "marshal" {
        text += "cookies_serializer = \"marshal\"\n";
    }
    text + more
}

fn cookies(header: &str) -> Request {
    let credential = Credential::Cookies(Secret::new(header));
    Request::new(ClaimedName::Nameless, credential)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

/// The value of the cookie of the case called `name`.
fn token(recorded: &Value, name: &str) -> String {
    let cases = recorded["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["name"] == name).unwrap();
    let (_, value) = text(case, "cookie").split_once('=').unwrap();
    value.to_owned()
}

#[test]
fn recorded_cookies_have_the_verdict_of_the_application() {
    let mut seen = 0;
    for recorded in sites() {
        for case in recorded["cases"].as_array().unwrap() {
            let site = accounts(&recorded);
            for (key, change) in [
                ("locked", "SET locked_at = '2026-11-29 21:07:28'"),
                ("unconfirmed", "SET confirmed_at = NULL"),
                ("password_changed", "SET encrypted_password = '$2a$04$.'"),
            ] {
                if let Some(id) = case[key].as_u64() {
                    site.run(&format!("UPDATE users {change} WHERE id = {id}"));
                }
            }
            if let Some(id) = case["gone"].as_u64() {
                site.run(&format!("DELETE FROM users WHERE id = {id}"));
            }
            let mut rails = site.authenticator(&configured(&recorded, ""));
            let request = cookies(text(case, "cookie"));
            let found = ask(&mut rails, &request, case["at"].as_u64().unwrap());
            let expected = case["verdict"].as_str();
            let granted = Some(found.as_str()).filter(|found| found.contains('@'));
            assert_eq!(
                granted, expected,
                "{}: {}: {found}",
                recorded["label"], case["name"]
            );
            assert!(!found.contains("unavailable"), "{found}");
            seen += 1;
        }
    }
    assert!(seen > 130, "{seen}");
}

#[test]
fn recorded_passwords_have_devises_verdict() {
    let mut seen = 0;
    for recorded in sites() {
        let site = accounts(&recorded);
        let mut rails = site.authenticator(&configured(&recorded, ""));
        for row in recorded["passwords"].as_array().into_iter().flatten() {
            let request = password(row[0].as_str().unwrap(), row[1].as_str().unwrap());
            let found = ask(&mut rails, &request, NOW);
            let expected = row[2].as_bool().unwrap();
            let granted = row[3].as_str() == Some(&found);
            assert_eq!(granted, expected, "{}: {row}: {found}", recorded["label"]);
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn a_session_is_its_owners_alone() {
    let recorded = labelled("61");
    let site = accounts(&recorded);
    let mut rails = site.authenticator(&configured(&recorded, ""));
    let alice = token(&recorded, "valid alice");
    let found = identity(&mut rails, session(&alice), NOW);
    assert_eq!((&*found.name, &*found.id), ("alice@example.org", "1"));
    assert_eq!(found.email, "alice@example.org");
    let of = |name: &str| session_of(&alice, name);
    for (name, expected) in [
        ("alice@example.org", "alice@example.org"),
        ("ALICE@example.org", "alice@example.org"),
        ("bob@example.org", "wrong-user"),
        ("alice", "wrong-user"),
        ("locked@example.org", "wrong-user"),
    ] {
        assert_eq!(ask(&mut rails, &of(name), NOW), expected, "{name}");
    }
    for (cookie, expected) in [
        (format!("a=1; _app_session={alice}; b"), "alice@example.org"),
        (
            format!("_app_session=x; _app_session={alice}"),
            "invalid-session",
        ),
        (format!("_app_session; _app_session={alice}"), "no-session"),
        (format!("a=1;\t_app_session={alice}"), "no-session"),
        (format!("_app_session=\"{alice}\""), "invalid-session"),
        (format!("_app_session={alice} ; b=1"), "invalid-session"),
        (format!("_App_session={alice}"), "no-session"),
    ] {
        assert_eq!(
            ask(&mut rails, &cookies(&cookie), NOW),
            expected,
            "{cookie}"
        );
    }
}

#[test]
fn what_changes_meanwhile_ends_a_session() {
    let recorded = labelled("61");
    let alice = token(&recorded, "valid alice");
    for (change, expected) in [
        ("SET email = 'new@example.org'", "new@example.org"),
        (
            "SET encrypted_password = '$2a$04$0123456789012345678901abcdefghijklmnopqrstuvwxyz01234'",
            "stale-session",
        ),
        ("SET encrypted_password = ''", "stale-session"),
        (
            "SET encrypted_password = upper(encrypted_password)",
            "stale-session",
        ),
        // The same salt with another hash: what Devise compares is the salt.
        (
            "SET encrypted_password = substr(encrypted_password, 1, 29) || 'x'",
            "alice@example.org",
        ),
        ("SET confirmed_at = NULL", "inactive"),
        ("SET locked_at = '2026-11-29 20:00:00'", "inactive"),
        ("SET locked_at = ''", "inactive"),
        ("SET id = 77", "unknown-user"),
    ] {
        let site = accounts(&recorded);
        let mut rails = site.authenticator(&configured(&recorded, ""));
        let who = ask(&mut rails, &session(&alice), NOW);
        assert_eq!(who, "alice@example.org");
        site.run(&format!("UPDATE users {change} WHERE id = 1"));
        assert_eq!(ask(&mut rails, &session(&alice), NOW), expected, "{change}");
    }
}

#[test]
fn locks_and_confirmations_end_by_themselves_where_devise_says_so() {
    let recorded = labelled("61");
    let alice = token(&recorded, "valid alice");
    // At 21:07:29.
    for (more, change, expected) in [
        (
            "unlock_in = \"1h\"",
            "locked_at = '2026-11-29 20:07:28.5'",
            "alice@example.org",
        ),
        (
            "unlock_in = \"1h\"",
            "locked_at = '2026-11-29 20:07:29.0'",
            "inactive",
        ),
        ("unlock_in = \"1h\"", "locked_at = 'some time'", "inactive"),
        (
            "unlock_in = \"1h\"",
            "locked_at = NULL",
            "alice@example.org",
        ),
        ("unlock_in = \"1h\"", "confirmed_at = NULL", "inactive"),
        (
            "lockable = false",
            "locked_at = '2026-11-29 21:00:00'",
            "alice@example.org",
        ),
        ("lockable = false", "confirmed_at = NULL", "inactive"),
        (
            "confirmable = false",
            "confirmed_at = NULL",
            "alice@example.org",
        ),
        (
            "allow_unconfirmed_access_for = \"2d\"",
            "confirmed_at = NULL",
            "inactive",
        ),
        (
            "allow_unconfirmed_access_for = \"2d\"",
            "confirmed_at = NULL, confirmation_sent_at = '2026-11-27 21:07:29'",
            "alice@example.org",
        ),
        (
            "allow_unconfirmed_access_for = \"2d\"",
            "confirmed_at = NULL, confirmation_sent_at = '2026-11-27 21:07:28'",
            "inactive",
        ),
        (
            "allow_unconfirmed_access_for = \"2d\"",
            "confirmed_at = NULL, confirmation_sent_at = 'soon'",
            "inactive",
        ),
        (
            "allow_unconfirmed_access_for = \"2d\"",
            "locked_at = '2026-11-29 20:00:00'",
            "inactive",
        ),
        (
            "time_zone = \"Europe/Warsaw\"\nunlock_in = \"1h\"",
            "locked_at = '2026-11-29 21:07:28.5'",
            "alice@example.org",
        ),
    ] {
        let site = accounts(&recorded);
        site.run(&format!("UPDATE users SET {change} WHERE id = 1"));
        let mut rails = site.authenticator(&configured(&recorded, more));
        assert_eq!(
            ask(&mut rails, &session(&alice), NOW),
            expected,
            "{more} {change}"
        );
        let typed = ask(&mut rails, &password("alice@example.org", "Pw-alice"), NOW);
        assert_eq!(typed, expected, "{more} {change}");
    }
}

#[test]
fn columns_that_are_asked_for_must_be_there() {
    let recorded = labelled("61");
    let alice = token(&recorded, "valid alice");
    for (column, key) in [("confirmed_at", "confirmable"), ("locked_at", "lockable")] {
        let site = accounts(&recorded);
        site.run(&format!("ALTER TABLE users DROP COLUMN {column}"));
        let mut rails = site.authenticator(&configured(&recorded, ""));
        assert_eq!(ask(&mut rails, &session(&alice), NOW), "alice@example.org");
        let mut rails = site.authenticator(&configured(&recorded, &format!("{key} = true")));
        let found = ask(&mut rails, &session(&alice), NOW);
        assert!(found.starts_with("unavailable"), "{found}");
    }
}

#[test]
fn sessions_time_out_at_their_second() {
    let recorded = labelled("timeout");
    let site = accounts(&recorded);
    let alice = token(&recorded, "last request 0 s ago");
    let mut rails = site.authenticator(&configured(&recorded, ""));
    let at = 1_795_986_477;
    for (later, expected) in [
        (0, "alice@example.org"),
        (599, "alice@example.org"),
        (600, "expired-session"),
        (601, "expired-session"),
        (1_000_000, "expired-session"),
    ] {
        assert_eq!(
            ask(&mut rails, &session(&alice), at + later),
            expected,
            "{later}"
        );
    }
    let found = identity(&mut rails, session(&alice), at);
    let end = std::time::UNIX_EPOCH + std::time::Duration::from_secs(at + 600);
    assert_eq!(found.session.unwrap().expires, Some(end));
    let other = configured(&recorded, "").replace("timeout_in", "# timeout_in");
    let mut rails = site.authenticator(&other);
    assert_eq!(
        ask(&mut rails, &session(&alice), at + 1_000_000),
        "alice@example.org"
    );
}

#[test]
fn names_are_looked_up_as_devise_does_and_mean_one_account() {
    let recorded = labelled("61");
    let site = accounts(&recorded);
    let mut rails = site.authenticator(&configured(&recorded, ""));
    for (name, expected) in [
        ("alice@example.org", "alice@example.org"),
        ("ALICE@EXAMPLE.ORG", "alice@example.org"),
        (" alice@example.org  ", "alice@example.org"),
        ("alice@example.org.", "unknown-user"),
        ("alice", "unknown-user"),
        ("%", "unknown-user"),
        ("' OR 1=1 --", "unknown-user"),
    ] {
        assert_eq!(ask(&mut rails, &vouched(name), NOW), expected, "{name}");
    }
    // A row that no form of the site's finds, and that a host would take for another's.
    site.run("INSERT INTO users (id, email, confirmed_at) VALUES (9, 'Alice@example.org', 1)");
    for (name, expected) in [
        ("alice@example.org", "alice@example.org"),
        ("Alice@example.org", "unknown-user"),
        ("ALICE@example.org", "alice@example.org"),
    ] {
        assert_eq!(ask(&mut rails, &vouched(name), NOW), expected, "{name}");
    }
    let as_typed = "case_insensitive_keys = []\nstrip_whitespace_keys = []\n";
    let mut rails = site.authenticator(&configured(&recorded, as_typed));
    for (name, expected) in [
        ("alice@example.org", "alice@example.org"),
        ("Alice@example.org", "Alice@example.org"),
        ("ALICE@example.org", "unknown-user"),
        (" alice@example.org", "unknown-user"),
    ] {
        assert_eq!(ask(&mut rails, &vouched(name), NOW), expected, "{name}");
    }
    let mut rails = site.authenticator(&format!(
        "{}[access]\nignore_case = true\n",
        configured(&recorded, "")
    ));
    assert_eq!(
        ask(&mut rails, &vouched("alice@example.org"), NOW),
        "unknown-user"
    );
    assert_eq!(
        ask(&mut rails, &vouched("BOB@example.org"), NOW),
        "bob@example.org"
    );
}

#[test]
fn roles_are_rolifys_or_customs() {
    let recorded = labelled("61");
    let site = accounts(&recorded);
    site.run(
        "CREATE TABLE roles (id INTEGER PRIMARY KEY, name varchar, resource_type varchar, resource_id integer);
         CREATE TABLE users_roles (user_id integer, role_id integer);
         INSERT INTO roles VALUES (1, 'editor', NULL, NULL), (2, 'admin', NULL, NULL), (3, 'owner', 'Page', 7);
         INSERT INTO users_roles VALUES (1, 1), (1, 3), (2, 2)",
    );
    let alice = || session(&token(&recorded, "valid alice"));
    let mut rails = site.authenticator(&configured(&recorded, ""));
    assert_eq!(identity(&mut rails, alice(), NOW).groups, ["editor"]);
    for (group, expected) in [
        ("editor", "alice@example.org"),
        ("admin", "not-permitted"),
        ("owner", "not-permitted"),
        ("Editor", "not-permitted"),
    ] {
        assert_eq!(
            ask(&mut rails, &in_group(alice(), group), NOW),
            expected,
            "{group}"
        );
    }
    site.run("DELETE FROM users_roles WHERE user_id = 1");
    let asked = in_group(alice(), "editor");
    assert_eq!(ask(&mut rails, &asked, NOW), "not-permitted");
    let custom = "[custom]\ngroups = \"SELECT 'all' AS name WHERE :id > 0\"\n";
    let mut rails = site.authenticator(&configured(&recorded, custom));
    assert_eq!(identity(&mut rails, alice(), NOW).groups, ["all"]);
}

/// `sha256("0123…")` by coreutils.
#[test]
fn a_private_id_is_racks() {
    let private = hallpass_sessions::rails::private_id("0123456789abcdef0123456789abcdef");
    assert_eq!(*private, PRIVATE);
}

#[test]
fn keys_may_be_of_any_type() {
    let recorded = labelled("61");
    let salt = "$2a$04$SFTFi2wke1i3zQMVQkgCFu";
    let key = |key: &str| format!("{{\"warden.user.user.key\":[[{key}],\"{salt}\"]}}");
    let uuid = "8f14e45f-ceea-467f-9c8a-0242ac120002";
    for (column, id, spelled, expected) in [
        ("id INTEGER PRIMARY KEY", "1", "1", "alice@example.org"),
        ("id bigint", "1", "1", "alice@example.org"),
        ("id", "1", "1", "alice@example.org"),
        ("id", "'1'", "1", "unknown-user"),
        ("id INTEGER PRIMARY KEY", "1", "\"1\"", "alice@example.org"),
        ("id INTEGER PRIMARY KEY", "1", "\"1abc\"", "unknown-user"),
        ("id INTEGER PRIMARY KEY", "1", "2", "unknown-user"),
        ("id varchar", "'1'", "1", "alice@example.org"),
        (
            "id varchar",
            &format!("'{uuid}'"),
            &format!("\"{uuid}\""),
            "alice@example.org",
        ),
        (
            "id varchar COLLATE NOCASE",
            &format!("'{uuid}'"),
            &format!("\"{}\"", uuid.to_uppercase()),
            "unknown-user",
        ),
    ] {
        let site = Site::load("");
        site.run(&USERS.replace("id INTEGER PRIMARY KEY", column));
        site.run(&format!(
            "INSERT INTO users (id, email, encrypted_password, confirmed_at) VALUES ({id}, 'alice@example.org', \
             '{salt}.hash', 1); CREATE TABLE sessions (session_id varchar, data text); \
             INSERT INTO sessions VALUES ('{PRIVATE}', '{}')",
            key(spelled)
        ));
        let stored = configured(&recorded, "session_store = \"active_record\"\n");
        let mut rails = site.authenticator(&stored);
        let found = ask(
            &mut rails,
            &session("0123456789abcdef0123456789abcdef"),
            NOW,
        );
        assert_eq!(found, expected, "{column} {id} {spelled}");
    }
}

/// As activerecord-session_store's serializers write them: `Base64.encode64(Marshal.dump(…))` and
/// `JSON.dump(value: …)`.
#[test]
fn sessions_in_active_record_are_found_by_their_private_id() {
    let recorded = labelled("61");
    let salt = "$2a$04$SFTFi2wke1i3zQMVQkgCFu";
    let public = "0123456789abcdef0123456789abcdef";
    let private = hallpass_sessions::rails::private_id(public);
    let json = format!("{{\"value\":{{\"warden.user.user.key\":[[1],\"{salt}\"]}}}}");
    let site = accounts(&recorded);
    site.run(&format!(
        "CREATE TABLE sessions (id INTEGER PRIMARY KEY, session_id varchar, data text, created_at, updated_at);
         INSERT INTO sessions (session_id, data) VALUES ('{}', '{json}'), ('old', '{json}'),
         ('nobody', '{{\"value\":{{}}}}'), ('none', NULL), ('broken', 'BAh7'), ('2::known', '{json}')",
        *private
    ));
    let stored = configured(&recorded, "session_store = \"active_record\"\n")
        .replace("_app_session", "_session_id")
        .replace("secret_key_base = ", "# ");
    let mut rails = site.authenticator(&stored);
    for (id, expected) in [
        (public, "alice@example.org"),
        ("old", "alice@example.org"),
        ("nobody", "anonymous-session"),
        ("none", "anonymous-session"),
        ("broken", "invalid-session"),
        ("2::known", "no-session"),
        ("22::known", "no-session"),
        (&private, "no-session"),
        ("OLD", "no-session"),
        ("another", "no-session"),
        ("", "no-session"),
        (&"a".repeat(300), "no-session"),
    ] {
        assert_eq!(ask(&mut rails, &session(id), NOW), expected, "{id}");
    }
    site.run("DELETE FROM sessions");
    assert_eq!(ask(&mut rails, &session(public), NOW), "no-session");
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let site = Site::load("");
    let top = "framework = \"rails\"\ndatabase = \"sqlite:db.sqlite3\"\n";
    for (settings, expected) in [
        (
            "[rails]\nversion = \"seven\"",
            "rails.version: is not a version",
        ),
        (
            "[rails]\nsession_cookie_name = \"a b\"",
            "is not a valid cookie name",
        ),
        (
            "[rails]\nsession_store = \"redis\"",
            "rails.cache: is missing",
        ),
        (
            "[rails]\nsession_store = \"redis\"\ncache = \"memcached://h\"",
            "is not the URL of a Redis",
        ),
        (
            "[rails]\ncache = \"redis://h\"",
            "has no effect without session_store",
        ),
        (
            "[rails]\nsession_table = \"t\"",
            "has no effect without session_store",
        ),
        ("[rails]\nsession_store = \"cache\"", "rails.session_store"),
        ("[rails]\nscope = \"a b\"", "is not a scope of Warden's"),
        ("[rails]\nsecret_key_base = \"\"", "is empty"),
        (
            "[rails]\ntime_zone = \"Nowhere\"",
            "is unknown to this system's time zone database",
        ),
        (
            "[rails]\nuser_table = \"a.b.c\"",
            "is not a valid table name",
        ),
        ("[rails]\npreset = \"gitlab\"", "rails.preset"),
        (
            "[rails]\npreset = \"redmine\"\npepper = \"p\"",
            "has no effect with preset",
        ),
        (
            "[rails]\npreset = \"redmine\"\n[custom]\ngroups = \"SELECT 1 WHERE :id\"",
            "has no effect with preset",
        ),
        (
            "[custom]\nuser = \"SELECT 1 WHERE :username\"",
            "has no effect here",
        ),
    ] {
        let error = site
            .configuration(&format!("{top}{settings}\n"))
            .unwrap_err();
        assert!(error.contains(expected), "{settings}: {error}");
    }
}

fn explain(site: &mut Authenticator, request: &Request) -> String {
    explained(site, request, NOW)
}

#[test]
fn a_site_without_its_secret_reads_no_session() {
    let recorded = labelled("61");
    let site = accounts(&recorded);
    let alice = token(&recorded, "valid alice");
    let without = configured(&recorded, "").replace("secret_key_base", "# secret_key_base");
    let mut rails = site.authenticator(&without.replace("# secret_key_bases", "secret_key_bases"));
    let found = explain(&mut rails, &session(&alice));
    assert_eq!(found, "invalid-session");
}

#[test]
fn each_part_of_each_recorded_cookie_counts() {
    for recorded in sites() {
        let site = accounts(&recorded);
        let mut rails = site.authenticator(&configured(&recorded, ""));
        let cases = recorded["cases"].as_array().unwrap();
        let valid =
            |case: &&Value| text(case, "name").starts_with("valid ") && case["verdict"].is_string();
        let good: Vec<&Value> = cases.iter().filter(valid).collect();
        for (at, case) in good.iter().enumerate() {
            let good = Good {
                header: text(case, "cookie"),
                owner: text(case, "verdict"),
                another: text(good[(at + 1) % good.len()], "cookie"),
            };
            refuse_what_is_made_of(&good, 0, |header| {
                ask(&mut rails, &cookies(header), case["at"].as_u64().unwrap())
            });
        }
    }
}
