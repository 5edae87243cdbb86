//! Binds values in the forms that PostgreSQL takes.
//!
//! It gives every parameter a type, and a value must be of that type where other databases compare
//! whatever they are given. Here a value that cannot be of the type equals nothing, so that the
//! statement has no rows.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_types::{Kind, Type};

use super::super::Value;
use super::super::civil::utc;
use super::error::Error;

/// A value in the form of its parameter's type.
#[derive(Debug, PartialEq)]
pub(super) enum Bound {
    Null,
    /// As PostgreSQL itself would write it.
    Text(String),
    /// Text of which the server says whether it is a value of the type.
    Unchecked(String),
    Binary(Vec<u8>),
}

impl Bound {
    pub(super) fn is_unchecked(&self) -> bool {
        matches!(self, Self::Unchecked(_))
    }

    /// Its format in a message: 0 is text, and 1 the binary form of its type.
    pub(super) fn format(&self) -> i16 {
        i16::from(matches!(self, Self::Binary(_)))
    }

    /// Writes its bytes at the end of `out`.
    pub(super) fn write(&self, out: &mut BytesMut) -> IsNull {
        match self {
            Self::Null => return IsNull::Yes,
            Self::Text(text) | Self::Unchecked(text) => out.extend_from_slice(text.as_bytes()),
            Self::Binary(bytes) => out.extend_from_slice(bytes),
        }
        IsNull::No
    }
}

/// `values` in the form of `types`; `None` when one cannot be of its type.
///
/// # Errors
/// A value that could be of its type, but only by a guess.
pub(super) fn bind(values: &[&Value], types: &[Type]) -> Result<Option<Vec<Bound>>, String> {
    let bound = values
        .iter()
        .zip(types)
        .map(|(value, kind)| one(value, kind));
    bound.collect::<Result<Option<Vec<_>>, _>>()
}

fn one(value: &Value, kind: &Type) -> Result<Option<Bound>, String> {
    if let Kind::Domain(base) = kind.kind() {
        return one(value, base);
    }
    let bound = match (value, kind) {
        (Value::Null, _) => Some(Bound::Null),
        (Value::Text(text), _) if text.contains('\0') => None,
        (Value::Integer(_) | Value::Moment(_), &(Type::TIMESTAMP | Type::DATE | Type::TIME)) => {
            return Err(format!(
                "a moment is compared with a {kind}, which could be any zone's; in the statement, \
                 write what the site means, as in `to_timestamp(:now) AT TIME ZONE 'UTC'`"
            ));
        }
        (Value::Text(text), _) => of_text(text, kind),
        (Value::Integer(integer), _) => of_integer(*integer, kind),
        (Value::Real(real), _) => of_real(*real, kind),
        (Value::Bytes(bytes), &Type::BYTEA) => Some(Bound::Binary(bytes.clone())),
        (Value::Bytes(bytes), _) if is_text(kind) => std::str::from_utf8(bytes)
            .ok()
            .filter(|text| !text.contains('\0'))
            .map(|text| Bound::Text(text.to_owned())),
        (Value::Bytes(_), _) => None,
        (Value::Moment(moment), &Type::TIMESTAMPTZ) => {
            Some(Bound::Text(format!("{}+00", utc(*moment))))
        }
        (Value::Moment(moment), _) if is_text(kind) => Some(Bound::Text(utc(*moment))),
        (Value::Moment(moment), _) => {
            seconds(*moment).and_then(|seconds| of_integer(seconds, kind))
        }
    };
    Ok(bound)
}

fn of_text(text: &str, kind: &Type) -> Option<Bound> {
    let trimmed = text.trim();
    match *kind {
        _ if is_text(kind) => Some(Bound::Text(text.to_owned())),
        Type::BYTEA => Some(Bound::Binary(text.as_bytes().to_vec())),
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => of_integer(trimmed.parse().ok()?, kind),
        Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => {
            let number: f64 = trimmed.parse().ok()?;
            number.is_finite().then(|| Bound::Text(trimmed.to_owned()))
        }
        Type::BOOL => match trimmed.to_ascii_lowercase().as_str() {
            "t" | "true" | "1" | "y" | "yes" | "on" => Some(Bound::Text("t".to_owned())),
            "f" | "false" | "0" | "n" | "no" | "off" => Some(Bound::Text("f".to_owned())),
            _ => None,
        },
        Type::UUID => {
            let digits = trimmed.trim_matches(['{', '}']).replace('-', "");
            let whole = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            whole.then_some(Bound::Text(digits))
        }
        _ => Some(Bound::Unchecked(text.to_owned())),
    }
}

fn of_integer(integer: i64, kind: &Type) -> Option<Bound> {
    let fits = match *kind {
        Type::INT2 => i16::try_from(integer).is_ok(),
        Type::INT4 => i32::try_from(integer).is_ok(),
        Type::OID => u32::try_from(integer).is_ok(),
        Type::BOOL => (0..=1).contains(&integer),
        Type::TIMESTAMPTZ => {
            let moment = UNIX_EPOCH.checked_add(std::time::Duration::from_secs(
                u64::try_from(integer)
                    .ok()
                    .filter(|seconds| *seconds < 253_402_300_800)?,
            ))?;
            return Some(Bound::Text(format!("{}+00", utc(moment))));
        }
        Type::INT8 | Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => true,
        _ => is_text(kind),
    };
    fits.then(|| Bound::Text(integer.to_string()))
}

fn of_real(real: f64, kind: &Type) -> Option<Bound> {
    match *kind {
        _ if !real.is_finite() => None,
        Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => Some(Bound::Text(real.to_string())),
        _ if is_text(kind) => Some(Bound::Text(real.to_string())),
        // A whole number is written without a point.
        _ => of_integer(real.to_string().parse().ok()?, kind),
    }
}

fn seconds(moment: SystemTime) -> Option<i64> {
    let since = moment.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

fn is_text(kind: &Type) -> bool {
    matches!(
        *kind,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN
    ) || kind.name() == "citext"
}

/// Whether a statement failed because a parameter is not a value of its type, or because its
/// characters cannot be in the database at all.
pub(super) fn is_no_value(error: &Error, unchecked: bool) -> bool {
    match error.code() {
        // The characters cannot be in the database, or not be written in its encoding.
        "22P05" | "22021" => true,
        // Not of the type: by its text, as a datetime, out of a datetime's or a number's range.
        "22P02" | "22007" | "22008" | "22003" => unchecked,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bound(value: impl Into<Value>, kind: Type) -> Option<Bound> {
        one(&value.into(), &kind).unwrap()
    }

    fn text(text: &str) -> Option<Bound> {
        Some(Bound::Text(text.to_owned()))
    }

    #[test]
    fn values_take_the_form_of_the_type() {
        assert_eq!(bound("a", Type::VARCHAR), text("a"));
        assert_eq!(bound(" 7 ", Type::INT4), text("7"));
        assert_eq!(bound(7, Type::TEXT), text("7"));
        assert_eq!(bound(7, Type::FLOAT8), text("7"));
        assert_eq!(bound(1, Type::BOOL), text("1"));
        assert_eq!(bound("TRUE", Type::BOOL), text("t"));
        let uuid = "{01234567-89ab-cdef-0123-456789ABCDEF}";
        let digits = "0123456789abcdef0123456789ABCDEF";
        assert_eq!(bound(uuid, Type::UUID), text(digits));
        assert_eq!(bound(digits, Type::UUID), text(digits));
        let moment = text("2033-05-18 03:33:20+00");
        assert_eq!(bound(2_000_000_000, Type::TIMESTAMPTZ), moment);
        let value = Value::Moment(UNIX_EPOCH + Duration::from_secs(2_000_000_000));
        assert_eq!(one(&value, &Type::TIMESTAMPTZ), Ok(moment));
        assert_eq!(one(&value, &Type::INT4), Ok(text("2000000000")));
        assert_eq!(one(&Value::Null, &Type::UUID), Ok(Some(Bound::Null)));
        let bytes = Value::Bytes(b"a\xff".to_vec());
        let binary = Some(Bound::Binary(b"a\xff".to_vec()));
        assert_eq!(one(&bytes, &Type::BYTEA), Ok(binary));
        assert_eq!(one(&bytes, &Type::TEXT), Ok(None));
        assert_eq!(one(&Value::Real(7.0), &Type::INT4), Ok(text("7")));
        let unchecked = Some(Bound::Unchecked("sad".to_owned()));
        assert_eq!(bound("sad", Type::INET), unchecked);
    }

    #[test]
    fn what_cannot_be_of_the_type_equals_nothing() {
        for (value, kind) in [
            ("abc", Type::INT4),
            ("1; DROP TABLE", Type::INT8),
            ("99999999999", Type::INT4),
            ("", Type::INT4),
            ("1.5", Type::INT8),
            ("nan", Type::NUMERIC),
            ("2", Type::BOOL),
            ("01234567", Type::UUID),
            ("0123456789abcdef0123456789abcdeg", Type::UUID),
            ("a\0b", Type::TEXT),
            ("a\0b", Type::BYTEA),
            ("a\0b", Type::INET),
        ] {
            assert_eq!(bound(value, kind.clone()), None, "{value} {kind}");
        }
        assert_eq!(bound(i64::MAX, Type::INT4), None);
        assert_eq!(bound(2, Type::BOOL), None);
        assert_eq!(bound(7, Type::UUID), None);
        assert_eq!(bound(i64::MAX, Type::TIMESTAMPTZ), None);
        assert_eq!(bound(-1, Type::TIMESTAMPTZ), None);
        assert_eq!(one(&Value::Real(7.5), &Type::INT4), Ok(None));
        assert_eq!(one(&Value::Real(f64::NAN), &Type::FLOAT8), Ok(None));
    }

    #[test]
    fn zones_are_not_guessed() {
        assert!(one(&Value::Integer(7), &Type::TIMESTAMP).is_err());
        assert!(one(&Value::Moment(UNIX_EPOCH), &Type::DATE).is_err());
    }
}
