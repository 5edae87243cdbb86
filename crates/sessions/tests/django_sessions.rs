//! Sessions made by real Djangos from 1.4 to 6.1, and what each of them read out of every one:
//! `tests/vectors/django_sessions.py` says how.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use std::collections::HashSet;

use hallpass_sessions::Invalid;
use hallpass_sessions::django::{
    AuthHashes, DateTime, Expiry, Keyring, Login, PrimaryKey, Version, Zone, open_trusted, read,
};
use serde_json::Value;

const VECTORS: &str = include_str!("data/django_sessions.json");

const LOGIN: [(&str, &str); 3] = [
    ("_auth_user_id", "7"),
    (
        "_auth_user_backend",
        "django.contrib.auth.backends.ModelBackend",
    ),
    (
        "_auth_user_hash",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
];

fn text<'a>(case: &'a Value, key: &str, otherwise: &'a str) -> &'a str {
    case[key].as_str().unwrap_or(otherwise)
}

fn texts(values: &Value) -> impl Iterator<Item = &str> {
    values
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// The versions of Django and Python in `1.11/2.7 2.2/3.8`.
fn readers(list: &Value) -> impl Iterator<Item = (&str, Version)> {
    let readers = list.as_str().unwrap().split_whitespace();
    readers.map(|reader| (reader, reader.split('/').next().unwrap().parse().unwrap()))
}

/// What a Django of `version` makes of a case, by our reader.
fn judge(case: &Value, version: Version) -> Result<Option<Login>, Invalid> {
    let first = text(case, "secret_key", "first");
    let secret_keys: Vec<&[u8]> = std::iter::once(first)
        .chain(texts(&case["fallbacks"]))
        .map(str::as_bytes)
        .collect();
    let salt = format!(
        "django.contrib.sessions.{}",
        text(case, "class", "SessionStore")
    );
    let container = case["container"].as_str().unwrap().as_bytes();
    if case["kind"] != "cookie" {
        return read(
            &Keyring::stored(version, &salt, secret_keys)
                .open(container)?
                .payload,
        );
    }
    let opened = Keyring::cookies(version, secret_keys).open(container)?;
    let age = case["age"].as_u64().unwrap_or(1_209_600);
    if opened.is_older_than(age, case["now"].as_f64().unwrap_or(1_790_000_000.0)) {
        return Err(Invalid::Format("too old"));
    }
    read(&opened.payload)
}

/// A member as the vectors spell it.
fn member<'a>(reading: &'a Value, key: &str) -> Option<(&'a str, &'a str)> {
    match &reading[key] {
        Value::Null if reading.get(key).is_some() => None,
        Value::Null => {
            let ordinary = LOGIN.iter().find(|(name, _)| *name == key);
            ordinary.map(|(_, text)| ("text", *text))
        }
        spelled => Some((spelled[0].as_str().unwrap(), spelled[1].as_str().unwrap())),
    }
}

/// Whether this is a login whose members Django takes, or its database raises at, and we refuse: a
/// boolean, bytes or a number past 64 bits for a primary key; or a container that is not ASCII.
fn is_refused_by_choice(case: &Value, reading: &Value) -> bool {
    LOGIN.iter().any(|(key, _)| match member(reading, key) {
        Some(("other", _)) => true,
        Some(("integer", number)) => number.parse::<i64>().is_err(),
        _ => false,
    }) || !case["container"].as_str().unwrap().is_ascii()
}

fn check(login: &Login, reading: &Value, version: Version, case: &str) {
    let key = match &login.user {
        PrimaryKey::Integer(number) => number.to_string(),
        PrimaryKey::Text(text) => text.clone(),
    };
    match member(reading, "_auth_user_id").unwrap() {
        ("text", text) => assert_eq!(login.user, PrimaryKey::Text(text.into()), "{case}"),
        _ => assert_eq!(key, text(reading, "key", "7"), "{case}"),
    }
    let backend = member(reading, "_auth_user_backend").unwrap();
    assert_eq!(("text", login.backend.as_str()), backend, "{case}");
    let hash = login.hash.as_deref().map(|hash| ("text", hash));
    assert_eq!(hash, member(reading, "_auth_user_hash"), "{case}");
    check_expiry(&login.expiry, &reading["_session_expiry"], case);
    if let Some(file) = reading["file"].as_str() {
        // At the first of 2026 or so: the dates in the vectors are far from it.
        let verdict = match &login.expiry {
            Expiry::Default | Expiry::Seconds(1..) => "login",
            Expiry::Seconds(_) => "expired",
            Expiry::At(moment) if moment.civil.year() > 2030 => "login",
            Expiry::At(_) => "expired",
            Expiry::Unreadable => "raises",
        };
        // Text is a point in time from 4.1 on: before, Python 3 raises and Python 2 finds it to be
        // more than any number. And nothing here knows USE_TZ, without which a naive datetime raises.
        let kind = reading["_session_expiry"][0].as_str();
        let differs = match kind {
            Some("text") => version < Version::new(4, 1) || file == "raises",
            Some("datetime") => file == "raises",
            Some("other") => verdict == "raises",
            _ => false,
        };
        assert!(
            verdict == file || differs,
            "{case}: {verdict} is not {file}"
        );
    }
}

fn check_expiry(expiry: &Expiry, spelled: &Value, case: &str) {
    let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    match (spelled[0].as_str(), expiry) {
        (None, Expiry::Default) => {}
        (Some("integer" | "fraction"), Expiry::Default) => {
            assert_eq!(number(&spelled[1]), 0.0, "{case}")
        }
        (Some("integer"), Expiry::Seconds(seconds)) => {
            assert_eq!(*seconds as f64, number(&spelled[1]), "{case}");
        }
        (Some("fraction"), Expiry::Seconds(seconds)) => {
            let fraction = number(&spelled[1]);
            assert!((*seconds as f64 - fraction).abs() < 1.0, "{case}");
            assert_eq!(*seconds > 0, fraction > 0.0, "{case}");
        }
        (Some("datetime"), Expiry::At(moment)) => {
            assert_eq!(written(moment), spelled[1].as_str().unwrap(), "{case}");
            match &moment.zone {
                Zone::Site => assert!(spelled[2].is_null(), "{case}"),
                Zone::Offset(offset) => assert_eq!(Some(*offset), spelled[2].as_i64(), "{case}"),
                Zone::Named { name, fold } => {
                    let key = spelled[3].as_str();
                    assert!(key.is_none_or(|key| key == name), "{case}");
                    assert_eq!(*fold, spelled[4] == 1, "{case}");
                }
            }
        }
        (Some("text"), Expiry::At(moment)) => {
            assert!(
                spelled[1].as_str().unwrap().starts_with(&written(moment)),
                "{case}"
            );
        }
        (Some("text"), Expiry::Default) => assert_eq!(spelled[1], "", "{case}"),
        (Some("text"), Expiry::Unreadable) => {
            let known = ["tomorrow", "2040-07-01"];
            assert!(known.contains(&spelled[1].as_str().unwrap()), "{case}");
        }
        (Some("other"), Expiry::Unreadable) => {}
        _ => panic!("{case}: {expiry:?} is not {spelled}"),
    }
}

/// As `isoformat` writes it, without the zone.
fn written(moment: &DateTime) -> String {
    match moment.civil.subsec_nanosecond() {
        0 => moment.civil.to_string(),
        _ => format!("{:.6}", moment.civil),
    }
}

#[test]
fn every_session_is_read_as_every_django_reads_it() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let (mut logins, mut anonymous, mut refused) = (0, 0, 0);
    let mut versions = HashSet::new();
    for case in vectors["cases"].as_array().unwrap() {
        let readings = case["readings"].as_array().unwrap();
        let anybody_unpickles = readings
            .iter()
            .any(|reading| reading[0].is_object() || reading[0] == "anonymous");
        for reading in readings {
            for (reader, version) in readers(&reading[1]) {
                let name = format!(
                    "{} ({}, {}) by {reader}",
                    case["note"], case["by"], case["serializer"]
                );
                let found = judge(case, version);
                versions.insert(version);
                match (reading[0].as_str(), &found) {
                    (None, Ok(Some(login))) => {
                        check(login, &reading[0], version, &name);
                        logins += 1;
                    }
                    (None, Err(_)) => {
                        let refuse = is_refused_by_choice(case, &reading[0])
                            || reading[0]["key"].is_null() && reading[0].get("key").is_some();
                        assert!(refuse, "{name}: {found:?}");
                        refused += 1;
                    }
                    (Some("anonymous"), Ok(None)) => anonymous += 1,
                    (Some("refused"), Err(_)) => refused += 1,
                    // What another Python can load is read as data.
                    (Some("unpicklable"), Ok(_)) => assert!(anybody_unpickles, "{name}"),
                    (Some("unpicklable"), Err(_)) => refused += 1,
                    _ => panic!("{name}: {found:?} is not {}", reading[0]),
                }
            }
        }
    }
    assert!(
        versions.len() >= 15 && logins > 2500 && anonymous > 100 && refused > 10_000,
        "{logins} logins, {anonymous} anonymous, {refused} refused by {} versions",
        versions.len()
    );
}

#[test]
fn a_trusted_store_is_read_whoever_signed() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let mut opened = 0;
    for case in vectors["cases"].as_array().unwrap() {
        if case["kind"] == "cookie" {
            continue;
        }
        for reading in case["readings"].as_array().unwrap() {
            for (reader, version) in readers(&reading[1]) {
                let container = case["container"].as_str().unwrap().as_bytes();
                let trusted =
                    open_trusted(version, container).and_then(|opened| read(&opened.payload));
                // Whoever is believed with a signature is believed without.
                if let Ok(login) = judge(case, version) {
                    assert_eq!(trusted, Ok(login), "{} by {reader}", case["note"]);
                    opened += 1;
                }
            }
        }
    }
    assert!(opened > 2500, "{opened}");
}

#[test]
fn the_auth_hash_goes_by_the_version() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for row in vectors["hashes"].as_array().unwrap() {
        let secret_keys: Vec<&[u8]> = std::iter::once("first")
            .chain(texts(&row["fallbacks"]))
            .map(str::as_bytes)
            .collect();
        for (verdict, count) in [("accepted_by", &mut accepted), ("refused_by", &mut refused)] {
            for (reader, version) in readers(&row[verdict]) {
                let (password, hash) = (text(row, "password", ""), text(row, "hash", ""));
                let hashes = AuthHashes::new(version, secret_keys.iter().copied());
                let current = hashes.is_current(password, hash);
                assert_eq!(current, verdict == "accepted_by", "{row} by {reader}");
                *count += 1;
            }
        }
    }
    assert!(accepted > 100 && refused > 1000, "{accepted}, {refused}");
}
