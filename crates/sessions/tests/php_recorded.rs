//! Sessions recorded from real sites, and as Joomla's own classes make them: `tests/data/README.md`
//! says where they come from.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallpass_sessions::php::{Handler, Scalar, find, joomla};
use serde_json::Value;

const RECORDED: &str = include_str!("data/php-recorded.json");
const JOOMLA: &str = include_str!("data/joomla.json");

fn recorded(what: &str) -> Vec<Value> {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    recorded[what].as_array().unwrap().clone()
}

fn session(row: &Value) -> Vec<u8> {
    STANDARD
        .decode(row["session"].as_str().unwrap_or_default())
        .unwrap()
}

/// The scalars in what PHP read back, with the paths to them.
fn scalars(value: &Value, path: &str, found: &mut Vec<(String, Scalar)>) {
    let scalar = match value {
        Value::Null => Scalar::Null,
        Value::Bool(boolean) => Scalar::Boolean(*boolean),
        Value::Number(number) => Scalar::Integer(number.as_i64().unwrap()),
        Value::String(text) => Scalar::Text(text.clone().into()),
        Value::Object(typed) => {
            for pair in typed
                .get("array")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let key = match &pair[0] {
                    Value::String(key) => key.replace('\\', r"\\").replace('.', r"\."),
                    key => key.to_string(),
                };
                let dot = if path.is_empty() { "" } else { "." };
                scalars(&pair[1], &format!("{path}{dot}{key}"), found);
            }
            match (typed.get("float"), typed.get("bytes_b64")) {
                (Some(float), _) => Scalar::Float(float.as_str().unwrap().parse().unwrap()),
                (_, Some(bytes)) => Scalar::Text(STANDARD.decode(bytes.as_str().unwrap()).unwrap()),
                _ => return,
            }
        }
        Value::Array(_) => return,
    };
    found.push((path.to_owned(), scalar));
}

#[test]
fn sessions_of_php() {
    let mut checked = 0;
    for row in recorded("php") {
        let session = session(&row);
        let handler = Handler::from_name(row["serializer"].as_str().unwrap());
        let mut expected = Vec::new();
        scalars(&row["expected"], "", &mut expected);
        for (path, expected) in expected.into_iter().filter(|(path, _)| !path.is_empty()) {
            let shown = format!("{} {} {path}", row["serializer"], row["case"]);
            let path = path.parse().unwrap();
            let Some(handler) = handler else {
                // msgpack.
                assert!(find(&session, None, &path).is_err(), "{shown}");
                continue;
            };
            for handler in [Some(handler), None] {
                let found =
                    find(&session, handler, &path).unwrap_or_else(|e| panic!("{shown}: {e}"));
                let both_nan = matches!(
                    (&found, &expected),
                    (Some(Scalar::Float(one)), Scalar::Float(other)) if one.is_nan() && other.is_nan()
                );
                assert!(
                    both_nan || found.as_ref() == Some(&expected),
                    "{shown}: {found:?}"
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 200, "{checked}");
}

#[test]
fn sessions_of_symfony() {
    let rows = recorded("symfony");
    for row in &rows {
        let path = match row["case"].as_str().unwrap() {
            "silex" | "no_user" => "_sf2_attributes.user.username",
            _ => "_sf2_attributes._security_main",
        };
        let found = find(&session(row), None, &path.parse().unwrap()).unwrap();
        let expected = row["expected"]
            .as_str()
            .map(|name| Scalar::Text(name.into()));
        assert_eq!(found, expected, "{} {}", row["symfony"], row["case"]);
    }
    assert_eq!(rows.len(), 16);
}

#[test]
fn sessions_of_joomla() {
    let rows = recorded("joomla");
    for row in &rows {
        let text = row["session"].as_str().unwrap();
        let found = joomla::read(text.as_bytes(), None).unwrap();
        assert_eq!(
            found.user_id,
            row["userid"].as_i64().filter(|id| *id > 0),
            "{row}"
        );
        assert_eq!(found.last_request, row["time"].as_i64(), "{row}");
        assert_eq!(found.mfa_checked, row["guest"] == 0, "{row}");
        for length in 0..text.len() {
            let cut = joomla::read(&text.as_bytes()[..length], None);
            assert!(length == 0 || cut.is_err(), "{length}: {cut:?}");
        }
    }
    assert_eq!(rows.len(), 5);
}

#[test]
fn sessions_of_every_joomla() {
    let rows: Vec<Value> = serde_json::from_str(JOOMLA).unwrap();
    for row in &rows {
        let handler = Handler::from_name(row["handler"].as_str().unwrap());
        for handler in [handler, None] {
            let found = joomla::read(&session(row), handler).unwrap();
            let expected = joomla::Session {
                mfa_mandatory: false,
                user_id: row["user_id"].as_i64(),
                mfa_checked: row["mfa_checked"].as_bool().unwrap(),
                last_request: row["last_request"].as_i64(),
            };
            assert_eq!(found, expected, "{} {}", row["note"], row["handler"]);
        }
    }
    assert_eq!(rows.len(), 40);
}

#[test]
fn two_users_in_one_joomla_session_are_nobody() {
    let both = concat!(
        r#"__default|a:1:{s:4:"user";O:5:"JUser":1:{s:2:"id";i:1;}}"#,
        r#"joomla|a:1:{s:4:"data";a:1:{s:4:"user";a:1:{s:2:"id";i:2;}}}"#,
    );
    assert!(joomla::read(both.as_bytes(), None).is_err());
}
