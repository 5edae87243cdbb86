//! Reads the members of a session that say who is logged in, and until when:
//! `{"_auth_user_id":"7","_auth_user_backend":"django.contrib.auth.backends.ModelBackend",…}`.

use crate::datetime::DateTime;
use crate::json::Encoding;
use crate::{Invalid, MAX_PAYLOAD, Value, json, pickle};

/// Who logged in, as `django.contrib.auth.login` wrote it (contrib/auth/__init__.py, 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// `_auth_user_id`: the user's primary key.
    pub user: PrimaryKey,
    /// `_auth_user_backend`: the dotted path of the authentication backend.
    pub backend: String,
    /// `_auth_user_hash`: see [`auth_hash`](super::auth_hash). Absent where Django 1.6 or
    /// earlier, or something other than Django's `login`, made the session.
    pub hash: Option<String>,
    /// `_session_expiry`: only the `file` engine goes by it.
    pub expiry: Expiry,
    /// `otp_device_id`: the device of django-otp's that was shown as a second factor, as
    /// `Device.persistent_id` writes it (django_otp/models.py, 1.7).
    pub otp_device: Option<String>,
}

/// A primary key as a session spells it: text since Django 1.8, a number before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrimaryKey {
    /// An integer.
    Integer(i64),
    /// The text of an integer, a UUID or any other key of the user model.
    Text(String),
}

/// What `set_expiry` put into a session (contrib/sessions/backends/base.py, 4.0 and 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Nothing, or a value that is false, such as 0 for "until the browser closes":
    /// `SESSION_COOKIE_AGE` counts from the last write.
    Default,
    /// So many seconds, never 0. The `file` engine takes them for what is left at any time: it
    /// never ends such a session, unless the number is below zero (`load` and `_expiry_date` in
    /// contrib/sessions/backends/file.py, 1.5 to 6.1). Rounded away from zero.
    Seconds(i64),
    /// A point in time: pickled up to Django 4.0, as ISO 8601 text from 4.1 on.
    At(DateTime),
    /// Something else, at which Django raises.
    Unreadable,
}

const WANTED: [&str; 5] = [
    "_auth_user_id",
    "_auth_user_backend",
    "_auth_user_hash",
    "_session_expiry",
    "otp_device_id",
];

/// Fractions beyond this have no exact whole part.
const LARGEST: f64 = (1_u64 << 53) as f64;

/// Reads a payload, JSON or a pickle: which of them, it shows by itself. `Ok(None)` is an
/// anonymous session.
///
/// # Errors
/// [`Invalid::Format`] when `payload` is neither JSON nor a pickle; [`Invalid::Kind`] when it is
/// not that of a dict, or its login members are not of the types that Django writes;
/// [`Invalid::TooLarge`].
pub fn read(payload: &[u8]) -> Result<Option<Login>, Invalid> {
    // No pickle begins with a brace or a blank, and no JSON object with anything else.
    match payload.first() {
        Some(b'{' | b' ' | b'\t' | b'\n' | b'\r') | None => read_json(payload),
        Some(_) => read_pickle(payload),
    }
}

/// Reads a JSON payload. `Ok(None)` is an anonymous session.
///
/// # Errors
/// [`Invalid::Format`] when `payload` is not a JSON object; [`Invalid::Kind`] when its login
/// members are not of the types that Django writes; [`Invalid::TooLarge`].
pub fn read_json(payload: &[u8]) -> Result<Option<Login>, Invalid> {
    read_encoded_json(payload, Encoding::Latin1)
}

pub(super) fn read_encoded_json(
    payload: &[u8],
    encoding: Encoding,
) -> Result<Option<Login>, Invalid> {
    if payload.len() > MAX_PAYLOAD {
        return Err(Invalid::TooLarge(MAX_PAYLOAD));
    }
    let members = json::members(payload, encoding, WANTED);
    login(members.ok_or(Invalid::Format("the payload is not JSON"))?)
}

pub(super) fn read_pickle(payload: &[u8]) -> Result<Option<Login>, Invalid> {
    login(pickle::members(payload, WANTED)?)
}

pub(super) fn read_msgpack(payload: &[u8]) -> Result<Option<Login>, Invalid> {
    login(crate::msgpack::members(payload, WANTED)?)
}

fn login(members: [Option<Value>; 5]) -> Result<Option<Login>, Invalid> {
    let [user, backend, hash, expiry, otp_device] = members;
    let user = match user {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Integer(number)) => PrimaryKey::Integer(number),
        Some(Value::Text(text)) => PrimaryKey::Text(text),
        // `int()`, which an integer key's field calls, drops the fraction.
        Some(Value::Fraction(number)) if number.abs() < LARGEST => {
            PrimaryKey::Integer(number.trunc() as i64)
        }
        Some(Value::Boolean(_) | Value::Fraction(_) | Value::DateTime(_) | Value::Other) => {
            return Err(Invalid::Kind("the user id is not text or a number"));
        }
    };
    let backend = match backend {
        None => return Ok(None),
        Some(Value::Text(text)) => text,
        Some(_) => return Err(Invalid::Kind("the backend is not text")),
    };
    let hash = match hash {
        None | Some(Value::Null) => None,
        Some(Value::Text(text)) => Some(text),
        Some(_) => return Err(Invalid::Kind("the session's auth hash is not text")),
    };
    Ok(Some(Login {
        user,
        backend,
        hash,
        expiry: expires(expiry),
        otp_device: match otp_device {
            Some(Value::Text(device)) => Some(device),
            // Anything else names no device.
            _ => None,
        },
    }))
}

fn expires(value: Option<Value>) -> Expiry {
    match value {
        None | Some(Value::Null | Value::Integer(0)) => Expiry::Default,
        Some(Value::Fraction(0.0)) => Expiry::Default,
        Some(Value::Text(text)) if text.is_empty() => Expiry::Default,
        Some(Value::Integer(seconds)) => Expiry::Seconds(seconds),
        // A cast is at the nearest number that there is room for.
        Some(Value::Fraction(seconds)) if seconds > 0.0 => Expiry::Seconds(seconds.ceil() as i64),
        Some(Value::Fraction(seconds)) if seconds < 0.0 => Expiry::Seconds(seconds.floor() as i64),
        Some(Value::DateTime(moment)) => Expiry::At(moment),
        Some(Value::Text(text)) => DateTime::from_iso(&text).map_or(Expiry::Unreadable, Expiry::At),
        Some(Value::Boolean(_) | Value::Fraction(_) | Value::Other) => Expiry::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_read() {
        let payload = br#"{"_auth_user_id":"7","_auth_user_backend":"b","_auth_user_hash":"h"}"#;
        let login = read_json(payload).unwrap().unwrap();
        assert_eq!(login.user, PrimaryKey::Text("7".into()));
        assert_eq!(
            (login.backend.as_str(), login.hash.as_deref()),
            ("b", Some("h"))
        );
    }

    #[test]
    fn a_device_is_one_that_is_named_by_text() {
        for (device, expected) in [
            (r#""otp_totp.totpdevice/1""#, Some("otp_totp.totpdevice/1")),
            ("null", None),
            ("true", None),
            ("1", None),
            (r#"["otp_totp.totpdevice/1"]"#, None),
        ] {
            let payload = format!(
                r#"{{"_auth_user_id":"7","_auth_user_backend":"b","otp_device_id":{device}}}"#
            );
            let login = read_json(payload.as_bytes()).unwrap().unwrap();
            assert_eq!(login.otp_device.as_deref(), expected, "{device}");
        }
    }

    #[test]
    fn anonymous_sessions_hold_no_login() {
        for payload in [
            &b"{}"[..],
            br#"{"_auth_user_id":null,"_auth_user_backend":"b"}"#,
            br#"{"_auth_user_id":"1"}"#,
            br#"{"_auth_user_backend":"b","_auth_user_hash":"h"}"#,
        ] {
            assert_eq!(read_json(payload), Ok(None));
        }
    }

    #[test]
    fn strange_types_are_refused() {
        for payload in [
            &br#"{"_auth_user_id":true,"_auth_user_backend":"b"}"#[..],
            br#"{"_auth_user_id":["1"],"_auth_user_backend":"b"}"#,
            br#"{"_auth_user_id":1e300,"_auth_user_backend":"b"}"#,
            br#"{"_auth_user_id":"1","_auth_user_backend":1}"#,
            br#"{"_auth_user_id":"1","_auth_user_backend":"b","_auth_user_hash":1}"#,
            b"[]",
            b"",
            b"\x80\x05}",
        ] {
            assert!(read_json(payload).is_err());
        }
    }
}
