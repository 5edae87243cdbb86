//! Sites in Express: what express-session 1.19 with its stores, and Passport, answered themselves.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod shared;
mod tampered;

use self::tampered::{Good, refuse_what_is_made_of};
use hallpass_core::Authenticator;
use serde_json::Value;
use shared::redis::Redis;
use shared::{Site, ask, ask_at, cookies, from_hex, session};

/// The real applications' own verdicts.
const RECORDED: &str = include_str!("data/express.json");

const HEAD: &str = r#"
    framework = "express"
    database = "sqlite:site.db"
    [custom]
    user = "SELECT id, username FROM users WHERE username = :username"
    user_by_id = "SELECT id, username FROM users WHERE id = :id"
    accounts = "SELECT id, username FROM users WHERE id > :id ORDER BY id LIMIT 1000"
    [express]
"#;

fn recorded() -> Value {
    serde_json::from_str(RECORDED).unwrap()
}

/// A site with the recorded users, but for those called `gone`.
fn site(gone: &Value) -> Site {
    let site = Site::new(HEAD);
    let database = site.database("site.db");
    database
        .execute_batch(
            "PRAGMA synchronous = OFF; CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT)",
        )
        .unwrap();
    for user in recorded()["users"].as_array().unwrap() {
        let gone = gone.as_array().into_iter().flatten();
        if gone
            .into_iter()
            .all(|gone| *gone != user["id"] && *gone != user["username"])
        {
            let values = (
                user["id"].as_i64().unwrap(),
                user["username"].as_str().unwrap(),
            );
            database
                .execute("INSERT INTO users VALUES (?, ?)", values)
                .unwrap();
        }
    }
    site
}

/// Puts the rows of a store in, and gives the keys of `[express]` that say where.
fn store(site: &Site, redis: &Redis, case: &Value) -> String {
    let rows = &case["rows"];
    let database = site.database("site.db");
    match case["store"].as_str().unwrap() {
        "redis" => {
            let entry = |(key, value): (&String, &Value)| {
                let value = value[0].as_str().unwrap();
                (key.clone().into_bytes(), value.as_bytes().to_vec())
            };
            redis.hold(rows.as_object().unwrap().iter().map(entry));
            let prefix = case["prefix"].as_str().unwrap_or("sess:");
            format!(
                "cache = \"{}\"\nsession_prefix = \"{prefix}\"\n",
                redis.url()
            )
        }
        "pg" => {
            let table = "CREATE TABLE session (sid TEXT PRIMARY KEY, sess TEXT, expire REAL)";
            database.execute_batch(table).unwrap();
            for row in rows.as_array().unwrap() {
                let values = (
                    row[0].as_str().unwrap(),
                    row[1].to_string(),
                    row[2].as_f64().unwrap(),
                );
                let statement = "INSERT INTO session VALUES (?, ?, ?)";
                database.execute(statement, values).unwrap();
            }
            String::new()
        }
        _ => {
            let table =
                "CREATE TABLE sessions (session_id TEXT PRIMARY KEY, expires INTEGER, data TEXT)";
            database.execute_batch(table).unwrap();
            for row in rows.as_array().unwrap() {
                let data = String::from_utf8(from_hex(&row[2].as_str().unwrap().to_lowercase()));
                let expires: i64 = row[1].as_str().unwrap().parse().unwrap();
                let values = (row[0].as_str().unwrap(), expires, data.unwrap());
                let statement = "INSERT INTO sessions VALUES (?, ?, ?)";
                database.execute(statement, values).unwrap();
            }
            String::new()
        }
    }
}

fn keys(case: &Value) -> String {
    format!(
        "secrets = {}\nsession_cookie_name = {}\n",
        case["secrets"], case["session_cookie_name"]
    )
}

fn verdict(asked: &mut Authenticator, case: &Value) -> Option<String> {
    let request = cookies(case["cookie"].as_str().unwrap());
    let word = ask_at(asked, &request, case["at"].as_u64().unwrap());
    assert!(!word.starts_with("unavailable"), "{}: {word}", case["name"]);
    let is_reason = word == "unknown-user" || word.ends_with("-session");
    (!is_reason).then_some(word)
}

#[test]
fn sessions_are_believed_as_express_believes_them() {
    let redis = Redis::new();
    let recorded = recorded();
    let cases = recorded["cases"].as_array().unwrap();
    assert!(cases.len() > 60);
    for case in cases {
        let site = site(&case["gone"]);
        let keys = keys(case) + &store(&site, &redis, case);
        for more in ["", "user = \"account.name\""] {
            let own = if more.is_empty() { "verdict" } else { "own" };
            let mut expected = case[own].as_str().map(str::to_owned);
            // The key of the application's own stays when the account has gone.
            if !case["gone"].is_null() {
                expected = None;
            }
            let mut asked = site.authenticator(&format!("{keys}{more}"));
            let name = format!("{} {} {more}", case["store"], case["name"]);
            assert_eq!(verdict(&mut asked, case), expected, "{name}");
        }
    }
}

/// The recorded case of a store.
fn case(store: &str, name: &str) -> Value {
    let recorded = recorded();
    let mut cases = recorded["cases"].as_array().unwrap().iter();
    let found = cases.find(|case| case["store"] == store && case["name"] == name);
    found.unwrap().clone()
}

/// The cookie's value, decoded.
fn token(case: &Value) -> String {
    let (_, value) = case["cookie"].as_str().unwrap().split_once('=').unwrap();
    value
        .replace("%3A", ":")
        .replace("%2F", "/")
        .replace("%2B", "+")
}

#[test]
fn the_stores_own_end_counts_to_the_second() {
    let redis = Redis::new();
    for (store_name, table, column, end) in [
        ("pg", "session", "expire", "1000.0"),
        ("pg", "session", "expire", "1000.9"),
        ("pg", "session", "expire", "'1970-01-01 00:16:40'"),
        ("pg", "session", "expire", "'1970-01-01T00:16:40.999Z'"),
        ("mysql", "sessions", "expires", "1000"),
    ] {
        let name = if store_name == "pg" {
            "valid bob"
        } else {
            "valid alice"
        };
        let case = case(store_name, name);
        let site = site(&Value::Null);
        let keys = keys(&case) + &store(&site, &redis, &case);
        let end_of = format!("UPDATE {table} SET {column} = {end}");
        site.database("site.db").execute_batch(&end_of).unwrap();
        let mut asked = site.authenticator(&keys);
        let request = session(&token(&case), None);
        assert_eq!(ask_at(&mut asked, &request, 1000), name[6..], "{end}");
        assert_eq!(
            ask_at(&mut asked, &request, 1001),
            "expired-session",
            "{end}"
        );
        for (broken, reason) in [
            ("NULL", "expired-session"),
            ("'soon'", "invalid-session"),
            ("-5", "invalid-session"),
        ] {
            let statement = format!("UPDATE {table} SET {column} = {broken}");
            site.database("site.db").execute_batch(&statement).unwrap();
            assert_eq!(ask_at(&mut asked, &request, 1000), reason, "{broken}");
        }
    }
}

#[test]
fn what_is_not_a_session_in_a_store_lets_nobody_in() {
    let redis = Redis::new();
    let case = case("redis", "valid alice");
    let site = site(&Value::Null);
    let keys = keys(&case) + &store(&site, &redis, &case);
    let mut asked = site.authenticator(&keys);
    let key = b"sess:nEOyVomn0-I7dg65dgz982yl3N4ePgcS".to_vec();
    for (value, word) in [
        ("{\"cookie\":{},\"passport\":{\"user\":1}}", "alice"),
        ("{\"cookie\":{},\"passport\":{\"user\":\"1\"}}", "alice"),
        ("{\"cookie\":{},\"passport\":{\"user\":9}}", "unknown-user"),
        (
            "{\"cookie\":{},\"passport\":{\"user\":\"01\"}}",
            "unknown-user",
        ),
        (
            "{\"cookie\":{},\"passport\":{\"user\":\"1 OR 1=1\"}}",
            "unknown-user",
        ),
        (
            "{\"cookie\":{},\"passport\":{\"user\":{\"id\":1}}}",
            "invalid-session",
        ),
        (
            "{\"cookie\":{},\"passport\":{\"user\":true}}",
            "invalid-session",
        ),
        (
            "{\"cookie\":{},\"passport\":{\"user\":1.5}}",
            "invalid-session",
        ),
        ("{\"cookie\":{},\"passport\":1}", "anonymous-session"),
        ("{\"cookie\":{},\"passport\":{}}", "anonymous-session"),
        (
            "{\"cookie\":{},\"passport\":{\"user\":0}}",
            "anonymous-session",
        ),
        (
            "{\"cookie\":{},\"passport\":{\"user\":1},\"passport\":{}}",
            "anonymous-session",
        ),
        ("{\"passport\":{\"user\":1}}", "invalid-session"),
        (
            "{\"cookie\":null,\"passport\":{\"user\":1}}",
            "invalid-session",
        ),
        (
            "[{\"cookie\":{},\"passport\":{\"user\":1}}]",
            "invalid-session",
        ),
        (
            "\"{\\\"cookie\\\":{},\\\"passport\\\":{\\\"user\\\":1}}\"",
            "invalid-session",
        ),
        (
            "{\"cookie\":{},\"passport\":{\"user\":1}",
            "invalid-session",
        ),
        (
            "{\"cookie\":{},\"passport\":{\"user\":1}}x",
            "invalid-session",
        ),
        (
            "{\"cookie\":{},\"passport\":{\"user\":1},\"a\":Infinity}",
            "invalid-session",
        ),
        ("", "no-session"),
        ("null", "invalid-session"),
    ] {
        redis.hold([(key.clone(), value.as_bytes().to_vec())]);
        let found = ask(&mut asked, &session(&token(&case), None));
        assert_eq!(found, word, "{value}");
    }
    let deep = format!(
        "{{\"cookie\":{{}},\"a\":{}{}}}",
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    redis.hold([(key.clone(), deep.into_bytes())]);
    let found = ask(&mut asked, &session(&token(&case), None));
    assert_eq!(found, "invalid-session");
}

#[test]
fn a_session_lets_in_nobody_but_its_owner() {
    let redis = Redis::new();
    let case = case("redis", "valid alice");
    let site = site(&Value::Null);
    let keys = keys(&case) + &store(&site, &redis, &case);
    let token = token(&case);
    let mut asked = site.authenticator(&keys);
    for (owner, word) in [
        ("alice", "alice"),
        ("bob", "wrong-user"),
        ("zoë ö", "wrong-user"),
        ("nobody", "wrong-user"),
    ] {
        assert_eq!(
            ask(&mut asked, &session(&token, Some(owner))),
            word,
            "{owner}"
        );
    }
    let without = keys.replace("secrets = [\"express-secret-1\"]", "secrets = []");
    let mut unsigned = site.authenticator(&without);
    let word = ask(&mut unsigned, &session(&token, None));
    assert!(word.starts_with("unavailable"), "{word}");
    // An empty secret would sign for anybody.
    let empty = keys.replace("express-secret-1", "");
    assert!(site.parse(&format!("{HEAD}{empty}")).is_err());
}

#[test]
fn keys_that_have_no_effect_are_refused() {
    let site = site(&Value::Null);
    for (keys, named) in [
        (
            "cache = \"memcached://127.0.0.1:1\"\nsession_store = \"redis\"",
            "express.cache",
        ),
        ("session_store = \"redis\"", "express.cache"),
        ("session_store = \"mongo\"", "express.session_store"),
        (
            "cache = \"redis://127.0.0.1\"\nsession_table = \"s\"",
            "express.session_table",
        ),
        ("user = \"a\"\nuser_id = \"b\"", "express.user_id"),
        ("user_id = \"a..b\"", "express.user_id"),
        ("user = \"\"", "express.user"),
        ("session_table = \"\"", "express.session_table"),
        ("id_column = \"\"", "express.id_column"),
        (
            "session_cookie_name = \"a b\"",
            "express.session_cookie_name",
        ),
        ("time_zone = \"Middle/Earth\"", "express.time_zone"),
        ("user_column = \"a\"", "express.user_column"),
        ("preset = \"authjs\"\nsecrets = [\"a\"]", "express.secrets"),
        (
            "preset = \"authjs\"\ncache = \"redis://127.0.0.1\"",
            "express.cache",
        ),
        ("preset = \"nextauth\"", "express.preset"),
        ("secret = \"a\"", "did you mean `secrets`"),
    ] {
        let wrong = site
            .parse(&format!("{HEAD}{keys}"))
            .unwrap_err()
            .to_string();
        assert!(wrong.contains(named), "{keys}: {wrong}");
    }
}

/// The tables of Auth.js, as @auth/prisma-adapter makes them in SQLite: times are milliseconds.
#[test]
fn a_token_of_authjs_ends_to_the_millisecond() {
    let site = site(&Value::Null);
    site.database("site.db")
        .execute_batch(
            "CREATE TABLE \"Session\" (\"sessionToken\" TEXT UNIQUE, \"userId\" TEXT, expires DATETIME);
             INSERT INTO \"Session\" VALUES ('of-alice', '1', 1800000000500), ('of-bob', '2', 1800000001000),
                 ('of-a-ghost', '9', 1900000000000), ('of-nobody', NULL, 1900000000000), ('', '1', 1900000000000);",
        )
        .unwrap();
    let mut asked = site.authenticator("preset = \"authjs\"");
    for (token, at, word) in [
        ("of-alice", 1_800_000_000, "alice"),
        ("of-alice", 1_800_000_001, "expired-session"),
        ("of-bob", 1_800_000_001, "bob"),
        ("of-bob", 1_800_000_002, "expired-session"),
        ("of-a-ghost", 1, "unknown-user"),
        ("of-nobody", 1, "invalid-session"),
        ("", 1, "no-session"),
        ("OF-ALICE", 1, "no-session"),
        ("of-alice ", 1, "no-session"),
        ("s:of-alice", 1, "no-session"),
        ("of%2Dalice", 1, "no-session"),
        ("' OR '1'='1", 1, "no-session"),
    ] {
        let found = ask_at(&mut asked, &session(token, None), at);
        assert_eq!(found, word, "{token:?} {at}");
    }
    let header = |header| cookies(header);
    let live = |asked: &mut Authenticator, request| ask_at(asked, &request, 1_700_000_000);
    let found = live(&mut asked, header("authjs.session-token=of-alice"));
    assert_eq!(found, "alice");
    for other in [
        "next-auth.session-token=of-alice",
        "__Secure-authjs.session-token=of-alice",
        "authjs.session-token.0=of-alice",
        "Authjs.session-token=of-alice",
    ] {
        assert_ne!(live(&mut asked, header(other)), "alice", "{other}");
    }
    let more = "preset = \"authjs\"\nsession_cookie_name = \"__Secure-authjs.session-token\"";
    let mut secure = site.authenticator(more);
    let found = live(
        &mut secure,
        header("__Secure-authjs.session-token=of-alice"),
    );
    assert_eq!(found, "alice");
}

#[test]
fn each_part_of_each_recorded_cookie_counts() {
    let redis = Redis::new();
    let recorded = recorded();
    let cases = recorded["cases"].as_array().unwrap();
    let valid = |case: &&Value| case["name"].as_str().unwrap().starts_with("valid ");
    let good: Vec<&Value> = cases.iter().filter(valid).collect();
    assert!(good.len() > 3, "{}", good.len());
    for (at, case) in good.iter().enumerate() {
        let site = site(&case["gone"]);
        let keys = keys(case) + &store(&site, &redis, case);
        let mut asked = site.authenticator(&keys);
        let good = Good {
            header: case["cookie"].as_str().unwrap(),
            owner: case["verdict"].as_str().unwrap(),
            another: good[(at + 1) % good.len()]["cookie"].as_str().unwrap(),
        };
        refuse_what_is_made_of(&good, 0, |header| {
            ask_at(&mut asked, &cookies(header), case["at"].as_u64().unwrap())
        });
    }
}
