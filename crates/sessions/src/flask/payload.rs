//! Finds members of Flask's sessions.

use crate::json::{self, Dialect, Place};
use crate::{Invalid, MAX_INPUT, MAX_PAYLOAD, Member, MemberPath, Value, msgpack, pickle};

/// The value that `path` leads to in the payload of a cookie: JSON with tags for types that JSON has
/// not (`TaggedJSONSerializer` in json/tag.py, Flask 3.1). A UUID and marked-up text are texts.
///
/// # Errors
/// [`Invalid::Format`] when `payload` is not a JSON object.
pub fn read_cookie(payload: &[u8], path: &MemberPath) -> Result<Member, Invalid> {
    if payload.len() > MAX_PAYLOAD {
        return Err(Invalid::TooLarge(MAX_PAYLOAD));
    }
    let place = json::at(payload, Dialect::Python, path.names());
    Ok(
        match place.ok_or(Invalid::Format("the payload is not a JSON object"))? {
            Some(Place::Compound(written)) => tagged(written),
            Some(Place::Scalar(value)) => value.into(),
            None => Member::Nothing,
        },
    )
}

/// The value that `path` leads to in what Flask-Session keeps: MessagePack or JSON from 0.7 on, a
/// pickle before; which of them, it shows by itself (`MsgSpecSerializer.decode` in base.py, 0.8).
///
/// # Errors
/// [`Invalid`] when `stored` is not a map in any of these forms, or larger than [`MAX_INPUT`].
pub fn read_stored(stored: &[u8], path: &MemberPath) -> Result<Member, Invalid> {
    if stored.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    let names = path.names();
    match stored.first() {
        // Of MessagePack and of a pickle these are a number, a blank and a mark that begin no map.
        Some(b'{' | b' ' | b'\t' | b'\n' | b'\r') => {
            let place = json::at(stored, Dialect::Python, names);
            Ok(
                match place.ok_or(Invalid::Format("it is not a JSON object"))? {
                    Some(Place::Scalar(value)) => value.into(),
                    Some(Place::Compound(_)) => Member::Unclear,
                    None => Member::Nothing,
                },
            )
        }
        // MessagePack's maps; a pickle of protocol 2 and later begins as an empty one.
        Some(0x80) if stored.len() > 1 => Ok(pickle::at(stored, names)?.into()),
        Some(0x80..=0x8f | 0xde | 0xdf) => Ok(msgpack::at(stored, names)?.into()),
        Some(b'(' | b'}' | b'c') => Ok(pickle::at(stored, names)?.into()),
        _ => Err(Invalid::Format(
            "it is neither MessagePack, JSON nor a pickle",
        )),
    }
}

/// The text in an object that is a tag of Flask's: `{" u":"…"}` or `{" m":"…"}`.
fn tagged(written: &[u8]) -> Member {
    let text = |tag| match json::scalar(json::only_member(written, tag)?)? {
        Value::Text(text) => Some(text),
        _ => None,
    };
    if let Some(text) = text(" m") {
        return Value::Text(text).into();
    }
    match text(" u").and_then(|text| uuid(&text)) {
        Some(uuid) => Member::Text(uuid),
        None => Member::Unclear,
    }
}

/// The canonical form of a UUID of 32 hexadecimal digits.
fn uuid(digits: &str) -> Option<String> {
    let valid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let part = |from: usize, to: usize| digits.get(from..to);
    let parts = [
        part(0, 8)?,
        part(8, 12)?,
        part(12, 16)?,
        part(16, 20)?,
        part(20, 32)?,
    ];
    valid.then(|| parts.join("-").to_ascii_lowercase())
}

impl From<Value> for Member {
    fn from(value: Value) -> Self {
        match value {
            Value::Null | Value::Boolean(false) => Self::Nothing,
            Value::Boolean(true) => Self::True,
            Value::Text(text) if text.is_empty() => Self::Nothing,
            Value::Text(text) => Self::Text(text),
            Value::Integer(number) => Self::Integer(number),
            Value::Fraction(_) | Value::DateTime(_) | Value::Other => Self::Unclear,
        }
    }
}

impl From<Option<Value>> for Member {
    fn from(value: Option<Value>) -> Self {
        value.map_or(Self::Nothing, Self::from)
    }
}
