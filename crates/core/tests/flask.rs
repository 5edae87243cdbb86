//! Flask sites: what Flask 3.1, Flask-Login 0.6 and Flask-Session 0.5 and 0.8 answered themselves.
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
const RECORDED: &str = include_str!("data/flask.json");

const HEAD: &str = r#"
    framework = "flask"
    database = "sqlite:site.db"
    [custom]
    user = "SELECT id, username, email, is_active, password FROM users WHERE username = :username"
    user_by_id = "SELECT id, username, email, is_active, password FROM users WHERE id = :id"
    accounts = "SELECT id, username, email, is_active, password FROM users WHERE id > :id ORDER BY id LIMIT 1000"
    [flask]
"#;

fn recorded() -> Value {
    serde_json::from_str(RECORDED).unwrap()
}

fn site(users: &Value) -> Site {
    let site = Site::new(HEAD);
    let database = site.database("site.db");
    database
        .execute_batch(
            "PRAGMA synchronous = OFF;
            CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, email TEXT, is_active INTEGER, password TEXT)",
        )
        .unwrap();
    for user in users.as_array().unwrap() {
        let text = |at: usize| user[at].as_str().unwrap();
        database
            .execute(
                "INSERT INTO users VALUES (?, ?, ?, ?, ?)",
                (
                    user[0].as_i64().unwrap(),
                    text(1),
                    text(2),
                    user[3].as_i64().unwrap(),
                    text(4),
                ),
            )
            .unwrap();
    }
    site
}

/// What Hallpass says of a recorded case; `None` where no account is granted.
fn verdict(asked: &mut Authenticator, case: &Value) -> Option<String> {
    let request = cookies(case["cookie"].as_str().unwrap());
    let word = ask_at(asked, &request, case["at"].as_u64().unwrap());
    assert!(!word.starts_with("unavailable"), "{}: {word}", case["name"]);
    let is_reason = word == "inactive" || word == "unknown-user" || word.ends_with("-session");
    (!is_reason).then_some(word)
}

fn expected(case: &Value) -> Option<String> {
    case["verdict"].as_str().map(str::to_owned)
}

/// `[flask]` for a recorded case.
fn keys(case: &Value) -> String {
    let mut keys = format!("secret_key = {}\n", case["secret_key"]);
    for key in [
        "secret_key_fallbacks",
        "session_cookie_name",
        "permanent_session_lifetime",
    ] {
        if !case[key].is_null() {
            keys.push_str(&format!("{key} = {}\n", case[key]));
        }
    }
    keys
}

#[test]
fn cookies_are_believed_as_flask_believes_them() {
    let recorded = recorded();
    let cases = recorded["cases"].as_array().unwrap();
    assert!(cases.len() > 30);
    for case in cases {
        let site = site(&recorded["users"]);
        for inactive in case["inactive"].as_array().into_iter().flatten() {
            let id = inactive.as_i64().unwrap();
            let statement = "UPDATE users SET is_active = 0 WHERE id = ?";
            site.database("site.db").execute(statement, [id]).unwrap();
        }
        let mut asked = site.authenticator(&keys(case));
        assert_eq!(
            verdict(&mut asked, case),
            expected(case),
            "{}",
            case["name"]
        );
    }
}

#[test]
fn flask_sessions_stores_are_read_as_it_reads_them() {
    let redis = Redis::new();
    let mut seen = 0;
    for stores in recorded()["stores"].as_array().unwrap() {
        for case in stores["cases"].as_array().unwrap() {
            let site = site(&stores["users"]);
            let mut keys = keys(case);
            let store = case["store"].as_str().unwrap();
            if store.starts_with("sql") {
                keys.push_str("session_store = \"sql\"\n");
                put_rows(&site, &case["rows"]);
            } else {
                keys.push_str(&format!(
                    "session_store = \"redis\"\ncache = \"{}\"\n",
                    redis.url()
                ));
                let entry = |(key, value): (&String, &Value)| {
                    (
                        key.clone().into_bytes(),
                        from_hex(value[0].as_str().unwrap()),
                    )
                };
                redis.hold(case["rows"].as_object().unwrap().iter().map(entry));
            }
            if store == "redis prefix" {
                keys.push_str("session_prefix = \"shop:\"\n");
            }
            for signer in ["", "session_use_signer = "] {
                let mut keys = keys.clone();
                if !signer.is_empty() {
                    keys.push_str(&format!("{signer}{}\n", store == "redis signer"));
                }
                let mut asked = site.authenticator(&keys);
                let name = format!("{} {store} {} {signer}", stores["version"], case["name"]);
                assert_eq!(verdict(&mut asked, case), expected(case), "{name}");
            }
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

fn put_rows(site: &Site, rows: &Value) {
    let database = site.database("site.db");
    database
        .execute_batch(rows["ddl"].as_str().unwrap())
        .unwrap();
    for row in rows["rows"].as_array().unwrap() {
        database
            .execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?)",
                (
                    row[0].as_i64().unwrap(),
                    row[1].as_str().unwrap(),
                    from_hex(row[2].as_str().unwrap()),
                    row[3].as_str().unwrap(),
                ),
            )
            .unwrap();
    }
}

/// The recorded case called `name`.
fn case(name: &str) -> Value {
    let recorded = recorded();
    let mut cases = recorded["cases"].as_array().unwrap().iter();
    cases.find(|case| case["name"] == name).unwrap().clone()
}

/// The value of a recorded cookie.
fn token(case: &Value) -> String {
    let cookie = case["cookie"].as_str().unwrap();
    cookie.split_once('=').unwrap().1.to_owned()
}

#[test]
fn a_cookie_ends_to_the_second_and_does_not_begin_early() {
    let (recorded, case) = (recorded(), case("a day old"));
    let signed_at = 1_795_899_807;
    let site = site(&recorded["users"]);
    let request = session(&token(&case), None);
    for (lifetime, seconds) in [("31d", 31 * 86_400), ("10m", 600), ("1s", 1)] {
        let keys = format!("{}permanent_session_lifetime = \"{lifetime}\"", keys(&case));
        let mut asked = site.authenticator(&keys);
        assert_eq!(ask_at(&mut asked, &request, signed_at), "alice");
        assert_eq!(ask_at(&mut asked, &request, signed_at + seconds), "alice");
        let late = ask_at(&mut asked, &request, signed_at + seconds + 1);
        assert_eq!(late, "expired-session");
        let early = ask_at(&mut asked, &request, signed_at - 1);
        assert_eq!(early, "expired-session");
    }
}

#[test]
fn nothing_of_a_cookie_can_be_changed() {
    let recorded = recorded();
    let case = case("valid alice");
    let (site, at) = (site(&recorded["users"]), case["at"].as_u64().unwrap());
    let mut asked = site.authenticator(&keys(&case));
    let token = token(&case);
    assert_eq!(ask_at(&mut asked, &session(&token, None), at), "alice");
    // The last character has two bits that no decoder reads.
    for place in 0..token.len() - 1 {
        let mut changed = token.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let word = ask_at(&mut asked, &session(&changed, None), at);
        assert_eq!(word, "invalid-session", "{place}");
    }
    for length in 0..token.len() - 1 {
        let word = ask_at(&mut asked, &session(&token[..length], None), at);
        assert!(word.ends_with("-session"), "{length}: {word}");
    }
    // Another account's name with alice's session.
    let request = session(&token, Some("bob"));
    assert_eq!(ask_at(&mut asked, &request, at), "wrong-user");
}

#[test]
fn keys_that_are_missing_or_anothers_let_nobody_in() {
    let recorded = recorded();
    let case = case("valid alice");
    let (site, at) = (site(&recorded["users"]), case["at"].as_u64().unwrap());
    let request = session(&token(&case), None);
    let mut asked = site.authenticator("");
    assert!(ask_at(&mut asked, &request, at).starts_with("unavailable"));
    for keys in [
        "secret_key = \"flask-secret-2\"",
        "secret_key = \"Flask-secret-1\"",
        "secret_key = \"a\"\nsecret_key_fallbacks = [\"b\"]",
    ] {
        let mut asked = site.authenticator(keys);
        assert_eq!(
            ask_at(&mut asked, &request, at),
            "invalid-session",
            "{keys}"
        );
    }
    assert!(
        site.parse(&format!("{HEAD}secret_key_fallbacks = [\"a\"]"))
            .is_err()
    );
}

#[test]
fn a_signed_id_needs_its_signature_where_the_site_signs() {
    let recorded = recorded();
    let stores = &recorded["stores"][1];
    let find = |name: &str| {
        let mut cases = stores["cases"].as_array().unwrap().iter();
        let is = |case: &&Value| case["store"] == "redis signer" && case["name"] == name;
        cases.find(is).unwrap().clone()
    };
    let case = find("valid zoë");
    let redis = Redis::new();
    let entry = |(key, value): (&String, &Value)| {
        (
            key.clone().into_bytes(),
            from_hex(value[0].as_str().unwrap()),
        )
    };
    redis.hold(case["rows"].as_object().unwrap().iter().map(entry));
    let site = site(&stores["users"]);
    let keys = |signer: &str, secret: &str| {
        format!(
            "session_store = \"redis\"\ncache = \"{}\"\nsecret_key = \"{secret}\"\n{signer}",
            redis.url()
        )
    };
    let signed = token(&case);
    let unsigned = signed.split_once('.').unwrap().0.to_owned();
    let (yes, no) = ("session_use_signer = true", "session_use_signer = false");
    for (signer, secret, token, expected) in [
        (yes, "flask-secret-1", &signed, "zoë ö"),
        (yes, "flask-secret-1", &unsigned, "invalid-session"),
        (yes, "flask-secret-2", &signed, "invalid-session"),
        ("", "flask-secret-1", &signed, "zoë ö"),
        ("", "flask-secret-2", &signed, "invalid-session"),
        (no, "flask-secret-1", &signed, "no-session"),
        (no, "flask-secret-1", &unsigned, "zoë ö"),
    ] {
        let mut asked = site.authenticator(&keys(signer, secret));
        let word = ask(&mut asked, &session(token, None));
        assert_eq!(word, expected, "{signer} {secret} {token}");
    }
    // The key is needed, and no fall-back signs ids.
    let fallback = keys(yes, "a") + "\nsecret_key_fallbacks = [\"flask-secret-1\"]";
    let word = ask(&mut site.authenticator(&fallback), &session(&signed, None));
    assert_eq!(word, "invalid-session");
}

#[test]
fn what_is_not_a_session_in_a_store_lets_nobody_in() {
    let recorded = recorded();
    let site = site(&recorded["users"]);
    let redis = Redis::new();
    let keys = format!("session_store = \"redis\"\ncache = \"{}\"", redis.url());
    let mut asked = site.authenticator(&keys);
    let pickle = b"\x80\x04}\x94\x8c\x08_user_id\x94\x8c\x011\x94s.";
    for (value, word) in [
        (&b"{\"_user_id\":\"1\"}"[..], "alice"),
        (b"{\"_user_id\":1}", "alice"),
        (b"\x81\xa8_user_id\xa11", "alice"),
        (b"\x81\xa8_user_id\x01", "alice"),
        (pickle, "alice"),
        (b"(dp0\nV_user_id\np1\nV1\np2\ns.", "alice"),
        (b"", "no-session"),
        (b"{}", "anonymous-session"),
        (b"\x80", "anonymous-session"),
        (b"\x80\x04}\x94.", "anonymous-session"),
        (b"{\"_user_id\":null}", "anonymous-session"),
        (b"{\"_user_id\":\"\"}", "anonymous-session"),
        (b"{\"_user_id\":false}", "anonymous-session"),
        (b"\x81\xa8_user_id\xc0", "anonymous-session"),
        (b"{\"_user_id\":true}", "invalid-session"),
        (b"{\"_user_id\":[\"1\"]}", "invalid-session"),
        (b"{\"_user_id\":{\" u\":\"1\"}}", "invalid-session"),
        (b"{\"_user_id\":1.5}", "invalid-session"),
        (b"[[\"_user_id\",\"1\"]]", "invalid-session"),
        (b"{\"_user_id\":\"1\"", "invalid-session"),
        (b"{\"_user_id\":\"1\"}{}", "invalid-session"),
        (b"\x81\xa8_user_id", "invalid-session"),
        (b"\x81\xa8_user_id\xa11\0", "invalid-session"),
        (b"\x91\x81\xa8_user_id\xa11", "invalid-session"),
        (b"\xde\xff\xff\xa8_user_id\xa11", "invalid-session"),
        (b"cos\nsystem\n(S'id'\ntR.", "invalid-session"),
        (&pickle[..pickle.len() - 1], "invalid-session"),
        (b"{\"_user_id\":\"9\"}", "unknown-user"),
        (b"{\"_user_id\":\"01\"}", "unknown-user"),
        (b"{\"_user_id\":\"1 \"}", "unknown-user"),
        (b"{\"_user_id\":\"1\\u0000\"}", "invalid-session"),
        (b"{\"_user_id\":\"4\"}", "inactive"),
    ] {
        redis.hold([(b"session:abc".to_vec(), value.to_vec())]);
        let found = ask(&mut asked, &session("abc", None));
        assert_eq!(found, word, "{}", value.escape_ascii());
        for other in ["ABC", "abc ", " abc", "session:abc", "*", "", "a\0"] {
            let found = ask(&mut asked, &session(other, None));
            assert_eq!(found, "no-session", "{other:?}");
        }
    }
}

#[test]
fn the_id_may_be_anywhere_in_a_session() {
    let recorded = recorded();
    let site = site(&recorded["users"]);
    let redis = Redis::new();
    let keys = format!(
        "session_store = \"redis\"\ncache = \"{}\"\nuser_id = \"auth.user.id\"",
        redis.url()
    );
    let mut asked = site.authenticator(&keys);
    for (value, word) in [
        (&b"{\"auth\":{\"user\":{\"id\":2}}}"[..], "bob"),
        (b"\x81\xa4auth\x81\xa4user\x81\xa2id\x02", "bob"),
        (b"\x80\x02}U\x04auth}U\x04user}U\x02idK\x02sss.", "bob"),
        (b"{\"auth\":{\"user\":2}}", "anonymous-session"),
        (b"\x81\xa4auth\x81\xa4user\x02", "anonymous-session"),
        (b"\x80\x02}U\x04auth}U\x04userK\x02ss.", "anonymous-session"),
        (b"{\"id\":2,\"user\":{\"id\":2}}", "anonymous-session"),
        (b"\x81\xa4auth\x81\xa4user\x81\xa2id\xc3", "invalid-session"),
    ] {
        redis.hold([(b"session:abc".to_vec(), value.to_vec())]);
        let found = ask(&mut asked, &session("abc", None));
        assert_eq!(found, word, "{}", value.escape_ascii());
    }
}

#[test]
fn each_part_of_each_recorded_cookie_counts() {
    let recorded = recorded();
    let site = site(&recorded["users"]);
    let mut good: Vec<(&Value, String)> = Vec::new();
    for case in recorded["cases"].as_array().unwrap() {
        let mut asked = site.authenticator(&keys(case));
        if let Some(owner) = verdict(&mut asked, case) {
            good.push((case, owner));
        }
    }
    assert!(good.len() > 3, "{}", good.len());
    for (at, (case, owner)) in good.iter().enumerate() {
        let mut asked = site.authenticator(&keys(case));
        let (header, another) = [*case, good[(at + 1) % good.len()].0]
            .map(|case| case["cookie"].as_str().unwrap())
            .into();
        let good = Good {
            header,
            owner,
            another,
        };
        // Spare bits of the last letter.
        refuse_what_is_made_of(&good, 3, |header| {
            ask_at(&mut asked, &cookies(header), case["at"].as_u64().unwrap())
        });
    }
}
