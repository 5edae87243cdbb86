//! Asserts what holds for every answer of a store, from any server. Fuzz targets call these
//! functions, and the test below replays their corpora.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use mysql_async::Column;
use mysql_async::consts::ColumnType;
use postgres_types::Type;

use crate::cache::connection::{Decoded, Malformed};
use crate::cache::{memcached, redis};
use crate::http::probe;
use crate::sql::{SessionOptions, Value, mysql, postgres, schemas};

/// The most bytes of a value that the decoders are told to take.
const LONGEST: usize = 64;

/// RESP: a reply is the same with more bytes behind it, is not another one with fewer, and holds
/// nothing that is too long; and a command is read back as the words that it was made of.
pub fn resp(input: &[u8]) {
    use redis::resp::{Reply, command, decode};
    prefixes(input, |bytes| decode(bytes, LONGEST));
    if let Ok(Some((reply, length))) = decode(input, LONGEST) {
        let mut replies = vec![(reply, 0)];
        let mut count = 0;
        while let Some((reply, depth)) = replies.pop() {
            count += 1;
            match reply {
                Reply::Bulk(Some(bulk)) => assert!(bulk.len() <= LONGEST),
                Reply::Array(Some(array)) => {
                    assert!(depth < 5);
                    replies.extend(array.into_iter().map(|reply| (reply, depth + 1)));
                }
                _ => {}
            }
        }
        // None is shorter than `+\r\n`.
        assert!(3 * count <= length, "{count} replies in {length} bytes");
    }
    let words: Vec<&[u8]> = input.split(|byte| *byte == b' ').take(16).collect();
    let written = command(&words);
    let Ok(Some((Reply::Array(Some(read)), length))) = decode(&written, input.len()) else {
        panic!("a command is an array");
    };
    assert_eq!((length, read.len()), (written.len(), words.len()));
    for (word, read) in words.iter().zip(read) {
        assert_eq!(read, Reply::Bulk(Some(word.to_vec().into())));
    }
}

/// memcached: as for RESP, and no value of another key is taken.
pub fn memcached(input: &[u8]) {
    use memcached::text::{Line, decode};
    prefixes(input, |bytes| decode(bytes, b"k", LONGEST));
    if let Ok(Some((Line::Value { bytes, .. }, length))) = decode(input, b"k", LONGEST) {
        assert!(input.starts_with(b"VALUE k ") && bytes.len() <= LONGEST);
        assert!(input[..length].ends_with(&[&bytes[..], b"\r\n"].concat()));
    }
}

/// The answer of a page: its head is where it ends, whatever follows, and chunks are a part of what
/// came, as far as it came.
pub fn http_replies(input: &[u8]) {
    if let Ok(Some((reply, length))) = probe::parse(input) {
        let (head, _) = input.split_at(length);
        let again = probe::parse(head).expect("a head").expect("a whole one");
        assert_eq!((again.0.status, again.1), (reply.status, length));
        for end in 0..length.min(1024) {
            let part = probe::parse(&head[..end]);
            assert!(!matches!(part, Ok(Some(_))), "a part of a head is none");
        }
    }
    let (body, whole) = probe::unchunked(input);
    assert!(body.len() <= input.len());
    for end in 0..input.len().min(1024) {
        let (part, ended) = probe::unchunked(&input[..end]);
        assert!(body.starts_with(&part));
        assert!(!ended || (whole && part == body));
    }
}

/// PostgreSQL's search_path: names are read back as they were quoted, by themselves and in options.
pub fn search_path(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = (schemas(&text), SessionOptions::parse(&text));
    let names: Vec<&str> = text
        .split('\n')
        .filter(|name| !name.is_empty() && !name.contains(char::is_control))
        .collect();
    let quoted = |name: &&str| format!("\"{}\"", name.replace('"', "\"\""));
    let list = names.iter().map(quoted).collect::<Vec<_>>().join(", ");
    assert_eq!(schemas(&list).expect("a list of names"), names);
    let escape = |letter: char| match letter {
        '\\' => "\\\\".to_owned(),
        letter if letter.is_ascii_whitespace() => format!("\\{letter}"),
        letter => letter.to_string(),
    };
    let escaped: String = list.chars().map(escape).collect();
    let options = SessionOptions::parse(&format!("-c search_path={escaped}"));
    let read = options.expect("options").search_path.expect("a path");
    assert_eq!(read, names);
}

/// Asserts that what `decode` makes of `input` does not depend on how its bytes come in.
fn prefixes<T: PartialEq + std::fmt::Debug>(input: &[u8], decode: impl Fn(&[u8]) -> Decoded<T>) {
    let whole = decode(input);
    for end in 0..input.len().min(1024) {
        match (decode(&input[..end]), &whole) {
            (Ok(Some((part, length))), Ok(Some((whole, same)))) => {
                assert_eq!((&part, length), (whole, *same));
            }
            (Ok(Some(_)), other) => panic!("{other:?} where fewer bytes are an answer"),
            (Ok(None), Ok(Some((_, length)))) => assert!(end < *length),
            (Ok(None), _) => {}
            // What is wrong with a value comes out once it is there; that it is too long, before.
            (Err(_), Err(Malformed::Garbage | Malformed::TooLong)) => {}
            (Err(error), other) => panic!("{error:?}, and with more bytes {other:?}"),
        }
    }
}

const TYPES: [Type; 17] = [
    Type::BOOL,
    Type::INT2,
    Type::INT4,
    Type::INT8,
    Type::OID,
    Type::FLOAT4,
    Type::FLOAT8,
    Type::NUMERIC,
    Type::UUID,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMP,
    Type::DATE,
    Type::TIME,
    Type::BYTEA,
    Type::TEXT,
    Type::JSONB,
    Type::CHAR,
];

/// PostgreSQL's values, the first byte choosing the type: a number is a number in digits, a date
/// has its form, and none is longer than its type allows.
pub fn postgres_values(input: &[u8]) {
    let Some((kind, raw)) = input.split_first() else {
        return;
    };
    let kind = &TYPES[usize::from(*kind) % TYPES.len()];
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match (postgres::value::read(kind, raw), kind) {
        (Some(Value::Text(text)), &Type::NUMERIC) => {
            let plain = text.strip_prefix('-').unwrap_or(&text);
            let (whole, decimals) = plain.split_once('.').unwrap_or((plain, "0"));
            let word = ["NaN", "Infinity"].contains(&plain);
            assert!(word || (digits(whole) && digits(decimals)), "{text}");
            assert!(
                text.len() <= 4 * 32_768 + 65_536 + 2,
                "{} digits",
                text.len()
            );
        }
        (Some(Value::Text(text)), &Type::UUID) => assert_eq!(text.len(), 36),
        (Some(Value::Text(text)), &(Type::DATE | Type::TIMESTAMP)) => {
            assert!(text.ends_with("infinity") || text.contains('-'), "{text}");
        }
        (Some(Value::Integer(integer)), &Type::BOOL) => assert!((0..=255).contains(&integer)),
        (Some(Value::Bytes(bytes)), _) => assert!(raw.ends_with(&bytes)),
        _ => {}
    }
}

/// MySQL's values: a date has its form, and bytes are text only where their column says so.
pub fn mysql_values(input: &[u8]) {
    let Some((kind, raw)) = input.split_first() else {
        return;
    };
    let byte = |place: usize| raw.get(place).copied().unwrap_or_default();
    let word = |place: usize| u32::from_be_bytes([0, 1, 2, 3].map(|more| byte(place + more)));
    let long = u64::from(word(0)) << 32 | u64::from(word(4));
    let column = Column::new(match kind >> 2 {
        0 => ColumnType::MYSQL_TYPE_DATE,
        1 => ColumnType::MYSQL_TYPE_BIT,
        2 => ColumnType::MYSQL_TYPE_NEWDECIMAL,
        3 => ColumnType::MYSQL_TYPE_BLOB,
        _ => ColumnType::MYSQL_TYPE_VAR_STRING,
    });
    let column = column.with_character_set(if kind & 128 == 0 { 63 } else { 45 });
    let given = match kind & 3 {
        0 => mysql_async::Value::UInt(long),
        1 => {
            let year = u16::from_be_bytes([byte(0), byte(1)]);
            let micros = word(7) % 1_000_000;
            mysql_async::Value::Date(year, byte(2), byte(3), byte(4), byte(5), byte(6), micros)
        }
        2 => {
            let micros = word(8) % 1_000_000;
            mysql_async::Value::Time(byte(0) > 127, word(1), byte(5), byte(6), byte(7), micros)
        }
        _ => mysql_async::Value::Bytes(raw.to_vec()),
    };
    match (mysql::value::value(given.clone(), &column), given) {
        (Value::Integer(integer), mysql_async::Value::UInt(given)) => {
            assert_eq!(u64::try_from(integer), Ok(given));
        }
        (Value::Text(text), mysql_async::Value::UInt(given)) => assert_eq!(text, given.to_string()),
        (Value::Text(text), mysql_async::Value::Date(..)) => {
            let year = text.split('-').next().unwrap_or_default();
            assert!(text.len() >= 10 && year.len() >= 4, "{text}");
        }
        (Value::Text(text), mysql_async::Value::Time(..)) => assert!(text.contains(':')),
        (Value::Text(text), mysql_async::Value::Bytes(given)) => assert_eq!(text.as_bytes(), given),
        (Value::Bytes(bytes), mysql_async::Value::Bytes(given)) => assert_eq!(bytes, given),
        (Value::Integer(_), mysql_async::Value::Bytes(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn properties_hold_for_the_corpora() {
    replay::replay("resp", resp);
    replay::replay("memcached", memcached);
    replay::replay("postgres_values", postgres_values);
    replay::replay("mysql_values", mysql_values);
    replay::replay("http_replies", http_replies);
    replay::replay("search_path", search_path);
}
