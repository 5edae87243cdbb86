//! Sessions by real PHP, read as PHP reads them: `tests/data/README.md` says where each file comes
//! from.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallpass_sessions::Invalid;
use hallpass_sessions::php::{Handler, Path, Scalar, find};
use serde_json::Value;

const PHP: &str = include_str!("data/php-8.2.json");

fn vectors() -> Value {
    serde_json::from_str(PHP).unwrap()
}

fn rows<'a>(vectors: &'a Value, key: &str) -> &'a [Value] {
    vectors[key].as_array().unwrap()
}

fn bytes(text: &Value) -> Vec<u8> {
    STANDARD.decode(text.as_str().unwrap()).unwrap()
}

fn path(text: &Value) -> Option<Path> {
    text.as_str().unwrap().parse().ok()
}

fn handler(row: &Value) -> Handler {
    Handler::from_name(row["handler"].as_str().unwrap()).unwrap()
}

/// What PHP found, or `None` where it found nothing.
fn expected(value: &Value) -> Option<Scalar> {
    let value = value.as_object()?;
    let (kind, inner) = value.iter().find(|(kind, _)| *kind != "true").unwrap();
    let scalar = match kind.as_str() {
        "text" => Scalar::Text(inner.as_str().unwrap().into()),
        "base64" => Scalar::Text(bytes(inner)),
        "integer" => Scalar::Integer(inner.as_str().unwrap().parse().unwrap()),
        "float" => Scalar::Float(inner.as_str().unwrap().parse().unwrap()),
        "boolean" => Scalar::Boolean(inner.as_bool().unwrap()),
        "null" => Scalar::Null,
        "compound" => Scalar::Compound {
            empty: inner["empty"].as_bool().unwrap(),
        },
        kind => panic!("{kind}"),
    };
    assert_eq!(scalar.is_true(), value["true"], "{scalar:?}");
    Some(scalar)
}

/// Equality in which a number that is not one equals itself.
fn same(one: Option<&Scalar>, other: Option<&Scalar>) -> bool {
    match (one, other) {
        (Some(Scalar::Float(one)), Some(Scalar::Float(other))) => {
            one.to_bits() == other.to_bits() || one.is_nan() && other.is_nan()
        }
        _ => one == other,
    }
}

/// Bytes that no name begins with, or that no name holds: such a session needs its handler told.
fn begins_with_a_name(session: &[u8]) -> bool {
    let (Some(first), printable) = (session.first(), |byte: &u8| !byte.is_ascii_control()) else {
        return true;
    };
    let name = match first {
        0 => return true,
        ..0x20 => session.get(1..=usize::from(*first)).unwrap(),
        _ => session.split(|byte| *byte == b'|').next().unwrap(),
    };
    name.iter().all(printable)
}

#[test]
fn what_php_wrote_is_read_as_php_reads_it() {
    let vectors = vectors();
    let (mut checked, mut recognised) = (0, 0);
    for row in rows(&vectors, "sessions") {
        let session = bytes(&row["session"]);
        for answer in row["paths"].as_array().unwrap() {
            let Some(path) = path(&answer[0]) else {
                continue;
            };
            let shown = || format!("{} {} {}", row["note"], row["handler"], answer[0]);
            let expected = expected(&answer[1]);
            let found = find(&session, Some(handler(row)), &path);
            let found = found.unwrap_or_else(|error| panic!("{}: {error}", shown()));
            assert!(
                same(found.as_ref(), expected.as_ref()),
                "{}: {found:?}, not {expected:?}",
                shown()
            );
            checked += 1;
            match find(&session, None, &path) {
                Ok(found) => {
                    assert!(same(found.as_ref(), expected.as_ref()), "{}", shown());
                    recognised += 1;
                }
                Err(error) => assert!(!begins_with_a_name(&session), "{}: {error}", shown()),
            }
        }
    }
    assert!(
        checked > 2500 && recognised > checked * 9 / 10,
        "{checked} {recognised}"
    );
}

/// Where PHP reads what it never writes, and this reader does not: bytes after the value, a value
/// beyond 64 bits (PHP takes the nearest), a length beyond them (PHP drops the upper bits), an
/// object in place of the session's array, and a reference to a key that is there twice.
const STRICTER: [&str; 5] = [
    "something follows the value",
    "more than 64 bits",
    "a length that is not a number",
    "the session is not an array",
    "a reference leads to a key that is there twice",
];

fn is_stricter(error: Invalid) -> bool {
    let reason = error.to_string();
    STRICTER.iter().any(|stricter| reason.contains(stricter))
}

/// What is found where PHP finds something else, or nothing at all. A refusal is never wrong.
fn contradiction(
    session: &[u8],
    handler: Handler,
    path: &Path,
    verdict: &Value,
) -> Option<Option<Scalar>> {
    let found = find(session, Some(handler), path).ok()?;
    let agrees = if verdict == "refused" {
        matches!(found, None | Some(Scalar::Null))
    } else {
        same(found.as_ref(), expected(verdict).as_ref())
    };
    (!agrees).then_some(found)
}

#[test]
fn what_no_php_writes_is_refused_or_read_as_php_reads_it() {
    let vectors = vectors();
    let mut wrong = Vec::new();
    let (mut agreed, mut stricter) = (0, 0);
    for row in rows(&vectors, "raw") {
        let session = bytes(&row["session"]);
        let (Some(path), handler) = (path(&row["path"]), handler(row)) else {
            continue;
        };
        if let Some(found) = contradiction(&session, handler, &path, &row["expected"]) {
            wrong.push(format!("{found:?} {row}"));
        }
        match find(&session, Some(handler), &path) {
            Err(error) if row["expected"].is_object() => {
                assert!(is_stricter(error), "{error}: {row}");
                stricter += 1;
            }
            Ok(found) if found.is_some() => agreed += 1,
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(agreed > 200 && stricter < 30, "{agreed} {stricter}");
}

#[test]
fn what_was_damaged_is_refused_or_read_as_php_reads_it() {
    let vectors = vectors();
    let mut wrong = Vec::new();
    let (mut refused, mut agreed, mut stricter) = (0, 0, 0);
    for row in rows(&vectors, "damaged") {
        let session = bytes(&row["session"]);
        let path = path(&row["path"]).unwrap();
        for change in row["changes"].as_array().unwrap() {
            let (at, byte) = (change[1].as_u64().unwrap(), change[2].as_u64().unwrap());
            let (at, byte) = (usize::try_from(at).unwrap(), u8::try_from(byte).unwrap());
            let mut session = session.clone();
            match change[0].as_str().unwrap() {
                "cut" => session.truncate(at),
                "set" => session[at] = byte,
                "insert" => session.insert(at, byte),
                "drop" if at < session.len() => drop(session.remove(at)),
                _ => {}
            }
            let verdict = &change[3];
            if let Some(found) = contradiction(&session, handler(row), &path, verdict) {
                wrong.push(format!(
                    "{found:?} {} {} {change}",
                    row["note"], row["handler"]
                ));
            }
            match (
                verdict == "refused",
                find(&session, Some(handler(row)), &path),
            ) {
                (true, _) => refused += 1,
                (false, Ok(_)) => agreed += 1,
                (false, Err(error)) => {
                    assert!(is_stricter(error), "{error}: {} {change}", row["note"]);
                    stricter += 1;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        refused > 5000 && agreed > 3000 && stricter < 50,
        "{refused} {agreed} {stricter}"
    );
}
