//! Sessions as real cache clients keep them, whole and damaged, and what those read out of each:
//! `tests/vectors/django_sessions_caches.py` says how.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallpass_sessions::Invalid;
use hallpass_sessions::django::{
    Login, PrimaryKey, read_cache_file, read_cache_row, read_cache_value,
};
use serde_json::Value;

const VECTORS: &str = include_str!("data/django_sessions_caches.json");

fn read(row: &Value) -> Result<Option<Login>, Invalid> {
    let value = STANDARD.decode(row["value"].as_str().unwrap()).unwrap();
    match row["kind"].as_str().unwrap() {
        "row" => read_cache_row(&value),
        "file" => read_cache_file(&value).map(|file| file.login),
        _ => {
            let flags = row["flags"].as_u64().map(|flags| flags.try_into().unwrap());
            read_cache_value(&value, flags)
        }
    }
}

fn is(login: &Login, reading: &Value) -> bool {
    let user = match (&login.user, &reading["_auth_user_id"]) {
        (PrimaryKey::Text(text), Value::String(expected)) => text == expected,
        (PrimaryKey::Integer(number), expected) => Some(*number as f64) == expected.as_f64(),
        _ => false,
    };
    user && reading["_auth_user_backend"] == login.backend.as_str()
        && reading["_auth_user_hash"].as_str() == login.hash.as_deref()
}

#[test]
fn every_value_is_read_as_its_client_reads_it() {
    let rows: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for row in &rows {
        let name = format!("{} by {} ({})", row["note"], row["codec"], row["by"]);
        let found = read(row);
        let reading = &row["reading"];
        let outcome = match (reading.as_str(), reading[0].as_str(), &found) {
            (None, None, Ok(Some(login))) => {
                assert!(is(login, reading), "{name}: {found:?}");
                "login"
            }
            (Some("anonymous"), _, Ok(None)) => "anonymous",
            (Some("no session"), _, Err(_)) => "no session",
            (None, Some("raises"), Err(_)) => "refused",
            // Damage in text that nobody asks for, and pickles of another Python's protocol.
            (_, Some("raises"), Ok(login)) if is_harmless(row) => {
                let user = login.as_ref().map(|login| &login.user);
                assert!(
                    user.is_none_or(|user| *user == PrimaryKey::Text("7".into())),
                    "{name}"
                );
                "lenient"
            }
            // pymemcache says no more of what it cannot load.
            (Some("no session"), _, Ok(None)) if is_harmless(row) => "lenient",
            // pymemcache does not look at a flag that it never sets.
            (None, None, Err(_)) if row["flags"] == 9 => "ignored",
            _ => panic!("{name}: {found:?} is not {reading}"),
        };
        *counts.entry(outcome).or_default() += 1;
    }
    let count = |outcome| counts.get(outcome).copied().unwrap_or(0);
    assert!(
        count("login") > 250
            && count("anonymous") > 70
            && count("no session") > 100
            && count("refused") > 400
            && count("lenient") < 30
            && count("ignored") < 5,
        "{counts:?}"
    );
}

/// Django's cached_db goes by the row where its cache raises or says `None`, and by no row where
/// its cache has anything else.
#[test]
fn what_clients_cannot_read_is_told_from_what_is_no_session() {
    let rows: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for row in &rows {
        let (note, codec) = (
            row["note"].as_str().unwrap(),
            row["codec"].as_str().unwrap(),
        );
        let name = format!("{note} by {codec} ({})", row["by"]);
        let found = read(row);
        // Two of the clients log what they cannot load, and say `None`.
        let unread = row["reading"][0] == "raises" || note == "nothing";
        let values = [
            "a number",
            "a negative number",
            "a text",
            "a list",
            "a boolean",
        ];
        let outcome = match found {
            Err(Invalid::Format(_)) if unread => "not there",
            Err(Invalid::Kind(_)) if values.contains(&note) => "no session",
            Err(_) if unread => "denied, where Django reads the row",
            Err(_) if codec.contains("memcache") || codec.contains("pylibmc") => "either",
            Err(Invalid::Kind(_)) if row["reading"] == "no session" => "no session",
            Err(invalid) => panic!("{name}: {invalid:?} is not {}", row["reading"]),
            Ok(_) => "read",
        };
        *counts.entry(outcome).or_default() += 1;
    }
    let count = |outcome| counts.get(outcome).copied().unwrap_or(0);
    assert!(
        count("not there") > 500
            && count("no session") > 100
            && count("denied, where Django reads the row") < 100,
        "{counts:?}"
    );
}

/// Whether the value is damaged where only Python itself looks: at the encoding of text, at the
/// number of a protocol or an extension; or cut down to what MessagePack calls an empty map.
fn is_harmless(row: &Value) -> bool {
    let error = row["reading"][1].as_str().unwrap_or("UnicodeDecodeError");
    let changed = row["note"].as_str().unwrap().starts_with("byte");
    (changed && ["UnicodeDecodeError", "ValueError"].contains(&error)) || row["value"] == "gA=="
}
