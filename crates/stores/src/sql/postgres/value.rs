//! Reads values as PostgreSQL gives them: in the binary form of their types (src/backend/utils/adt in
//! PostgreSQL 15, the `*send` functions).

use std::time::{Duration, UNIX_EPOCH};

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::DataRowBody;
use postgres_types::{Kind, Type};

use super::super::civil::{date, decimals, text, time};
use super::super::value::{Row, Value};
use super::error::Error;
use super::wire::UNEXPECTED;

/// The first of January 2000, which PostgreSQL counts from.
const EPOCH_SECONDS: i64 = 946_684_800;
const EPOCH_DAYS: i64 = 10_957;

/// A row in our values, whose columns are of the types `kinds`.
pub(super) fn row<'a>(
    body: &DataRowBody,
    kinds: impl Iterator<Item = &'a Type>,
) -> Result<Row, Error> {
    let mut values = Vec::new();
    let (mut ranges, mut kinds) = (body.ranges(), kinds);
    while let Some(range) = ranges.next()? {
        let kind = kinds.next().ok_or(UNEXPECTED)?;
        values.push(match range {
            Some(range) => {
                let raw = body.buffer().get(range).ok_or(UNEXPECTED)?;
                read(kind, raw).ok_or(Error::Protocol("a value is not of its column's type"))?
            }
            None => Value::Null,
        });
    }
    match kinds.next() {
        Some(_) => Err(UNEXPECTED),
        None => Ok(Row(values)),
    }
}

/// Whether columns of the type `kind` can be read.
pub(super) fn is_readable(kind: &Type) -> bool {
    match kind.kind() {
        Kind::Domain(base) => return is_readable(base),
        Kind::Enum(_) => return true,
        _ => {}
    }
    kind.name() == "citext"
        || matches!(
            *kind,
            Type::BOOL
                | Type::INT2
                | Type::INT4
                | Type::INT8
                | Type::OID
                | Type::FLOAT4
                | Type::FLOAT8
                | Type::NUMERIC
                | Type::TEXT
                | Type::VARCHAR
                | Type::BPCHAR
                | Type::NAME
                | Type::CHAR
                | Type::UNKNOWN
                | Type::UUID
                | Type::TIMESTAMPTZ
                | Type::TIMESTAMP
                | Type::DATE
                | Type::TIME
                | Type::BYTEA
                | Type::JSON
                | Type::JSONB
        )
}

pub(crate) fn read(kind: &Type, raw: &[u8]) -> Option<Value> {
    if let Kind::Domain(base) = kind.kind() {
        return read(base, raw);
    }
    Some(match *kind {
        Type::BOOL => Value::Integer(u8::from_be_bytes(raw.try_into().ok()?).into()),
        Type::INT2 => Value::Integer(i16::from_be_bytes(raw.try_into().ok()?).into()),
        Type::INT4 => Value::Integer(i32::from_be_bytes(raw.try_into().ok()?).into()),
        Type::INT8 => Value::Integer(integer(raw)?),
        Type::OID => Value::Integer(u32::from_be_bytes(raw.try_into().ok()?).into()),
        Type::FLOAT4 => Value::Real(f32::from_be_bytes(raw.try_into().ok()?).into()),
        Type::FLOAT8 => Value::Real(f64::from_be_bytes(raw.try_into().ok()?)),
        Type::NUMERIC => Value::Text(numeric(raw)?),
        Type::UUID => Value::Text(uuid(raw.try_into().ok()?)),
        Type::TIMESTAMPTZ => moment(integer(raw)?),
        Type::TIMESTAMP => Value::Text(match integer(raw)? {
            i64::MAX => "infinity".to_owned(),
            i64::MIN => "-infinity".to_owned(),
            micros => text(micros.checked_add(EPOCH_SECONDS * 1_000_000)?),
        }),
        Type::DATE => Value::Text(match i32::from_be_bytes(raw.try_into().ok()?) {
            i32::MAX => "infinity".to_owned(),
            i32::MIN => "-infinity".to_owned(),
            days => date(i64::from(days) + EPOCH_DAYS),
        }),
        Type::TIME => {
            let micros = integer(raw)?;
            let decimals = decimals(micros.rem_euclid(1_000_000));
            Value::Text(time(micros.div_euclid(1_000_000)) + &decimals)
        }
        Type::BYTEA => Value::Bytes(raw.to_vec()),
        // A version comes first; there is one.
        Type::JSONB => words(raw.strip_prefix(&[1])?),
        _ => words(raw),
    })
}

fn integer(raw: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(raw.try_into().ok()?))
}

/// A database without an encoding (`SQL_ASCII`) may hold what is not text.
fn words(raw: &[u8]) -> Value {
    match std::str::from_utf8(raw) {
        Ok(text) => Value::Text(text.to_owned()),
        Err(_) => Value::Bytes(raw.to_vec()),
    }
}

/// The infinite timestamps stay words.
fn moment(micros: i64) -> Value {
    let word = match micros {
        i64::MAX => "infinity",
        i64::MIN => "-infinity",
        _ => {
            let since = Duration::from_micros(micros.unsigned_abs());
            let epoch = UNIX_EPOCH + Duration::from_secs(EPOCH_SECONDS.unsigned_abs());
            let moment = match micros < 0 {
                true => epoch.checked_sub(since),
                false => epoch.checked_add(since),
            };
            return moment.map_or(Value::Null, Value::Moment);
        }
    };
    Value::Text(word.to_owned())
}

fn uuid(bytes: [u8; 16]) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    let part = |range| digits.get(range).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32)
    )
}

/// Digits to the base of 10,000: how many, how many before the point less one, the sign, and how
/// many decimals to show (`numeric_send` in numeric.c).
fn numeric(raw: &[u8]) -> Option<String> {
    let words: Vec<u16> = raw
        .chunks_exact(2)
        .map(|pair| {
            pair.iter()
                .fold(0, |word, byte| word << 8 | u16::from(*byte))
        })
        .collect();
    let [count, weight, sign, scale, digits @ ..] = words.as_slice() else {
        return None;
    };
    if usize::from(*count) != digits.len() {
        return None;
    }
    let mut text = match sign {
        0x0000 => String::new(),
        0x4000 => "-".to_owned(),
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    let weight = i32::from(weight.cast_signed());
    let digit = |place: i32| {
        let index = usize::try_from(weight - place).ok();
        index
            .and_then(|index| digits.get(index))
            .copied()
            .unwrap_or(0)
    };
    if weight < 0 {
        text.push('0');
    }
    for place in (0..=weight).rev() {
        match place == weight {
            true => text.push_str(&digit(place).to_string()),
            false => text.push_str(&format!("{:04}", digit(place))),
        }
    }
    let scale = usize::from(*scale);
    if scale > 0 {
        let mut decimals = String::new();
        let mut place = -1;
        while decimals.len() < scale {
            decimals.push_str(&format!("{:04}", digit(place)));
            place -= 1;
        }
        decimals.truncate(scale);
        text.push('.');
        text.push_str(&decimals);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes by `SELECT encode(…_send(…), 'hex')` of PostgreSQL 15.
    #[test]
    fn values_are_read() {
        let hex = |digits: &str| -> Vec<u8> {
            let pair = |place| u8::from_str_radix(&digits[place..place + 2], 16).unwrap();
            (0..digits.len()).step_by(2).map(pair).collect()
        };
        for (kind, digits, expected) in VECTORS {
            assert!(is_readable(kind));
            let Some(Value::Text(text)) = read(kind, &hex(digits)) else {
                panic!("{kind} {digits}");
            };
            assert_eq!(text, *expected);
        }
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let moment = |digits| read(&Type::TIMESTAMPTZ, &hex(digits));
        assert_eq!(
            moment("0003bdfc0e552000"),
            Some(Value::Moment(at(2_000_000_000)))
        );
        assert_eq!(moment("fffca2fec4c82000"), Some(Value::Moment(at(0))));
        assert_eq!(moment("7fffffffffffffff"), Some("infinity".into()));
        assert_eq!(read(&Type::BOOL, &[1]), Some(Value::Integer(1)));
        assert_eq!(
            read(&Type::TEXT, b"a\xff"),
            Some(Value::Bytes(b"a\xff".to_vec()))
        );
    }

    /// Fractions of seconds are written in six digits here.
    const VECTORS: &[(Type, &str, &str)] = &[
        (Type::NUMERIC, "0000000000000000", "0"),
        (Type::NUMERIC, "00010000000000000001", "1"),
        (Type::NUMERIC, "00010000400000000001", "-1"),
        (Type::NUMERIC, "000300010000000204d2162e2328", "12345678.90"),
        (Type::NUMERIC, "0001ffff000000040001", "0.0001"),
        (Type::NUMERIC, "0000000000000002", "0.00"),
        (Type::NUMERIC, "00010001000000000001", "10000"),
        (
            Type::NUMERIC,
            "0006000440000003270f270f270f270f270f2706",
            "-99999999999999999999.999",
        ),
        (Type::NUMERIC, "00010003000000000001", "1000000000000"),
        (Type::NUMERIC, "0001fffe00000008000c", "0.00000012"),
        (Type::NUMERIC, "00000000c0000000", "NaN"),
        (
            Type::NUMERIC,
            "0008000700000000000c0d801ed204d2162e23340d801ed2",
            "123456789012345678901234567890",
        ),
        (
            Type::UUID,
            "0123456789abcdef0123456789abcdef",
            "01234567-89ab-cdef-0123-456789abcdef",
        ),
        (Type::TIMESTAMP, "0003bdfc0e552000", "2033-05-18 03:33:20"),
        (
            Type::TIMESTAMP,
            "ffffffffffffffff",
            "1999-12-31 23:59:59.999999",
        ),
        (
            Type::TIMESTAMP,
            "000000000003d090",
            "2000-01-01 00:00:00.250000",
        ),
        (Type::TIMESTAMP, "7fffffffffffffff", "infinity"),
        (Type::DATE, "00002f9f", "2033-05-18"),
        (Type::DATE, "ffffffff", "1999-12-31"),
        (Type::DATE, "00000000", "2000-01-01"),
        (Type::DATE, "7fffffff", "infinity"),
        (Type::TIME, "0000000000000000", "00:00:00"),
        (Type::TIME, "000000141dc81dc1", "23:59:59.000001"),
        (Type::JSONB, "017b2261223a20317d", "{\"a\": 1}"),
    ];

    #[test]
    fn what_is_none_is_refused() {
        for (kind, raw) in [
            (Type::BOOL, &b""[..]),
            (Type::INT4, b"123"),
            (Type::INT8, b"123456789"),
            (Type::UUID, b"123"),
            (Type::TIMESTAMPTZ, b""),
            (Type::JSONB, b"\x02{}"),
            (Type::NUMERIC, b""),
            (Type::NUMERIC, b"\0\x01\0\0\0\0\0\0"),
            (Type::NUMERIC, b"\0\0\0\0\x12\x34\0\0"),
        ] {
            assert_eq!(read(&kind, raw), None, "{kind}");
        }
        assert!(!is_readable(&Type::INET));
        assert!(!is_readable(&Type::INT4_ARRAY));
    }
}
