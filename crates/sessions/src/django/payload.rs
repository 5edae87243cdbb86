//! The payload's three texts that say who is logged in.

use crate::Invalid;
use crate::json::{self, Value};

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
}

/// A primary key as a session spells it: text since Django 1.8, a number before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrimaryKey {
    /// An integer.
    Integer(i64),
    /// The text of an integer, a UUID or whatever the user model's key is.
    Text(String),
}

/// Fractions beyond this have no exact whole part.
const LARGEST: f64 = (1_u64 << 53) as f64;

/// Reads a JSON payload. `Ok(None)` is an ordinary session in which nobody is logged in.
///
/// # Errors
/// [`Invalid::Format`] when `payload` is not a JSON object, or its login members are not of the
/// types that Django writes.
pub fn read_json(payload: &[u8]) -> Result<Option<Login>, Invalid> {
    let wanted = ["_auth_user_id", "_auth_user_backend", "_auth_user_hash"];
    let [user, backend, hash] =
        json::members(payload, wanted).ok_or(Invalid::Format("the payload is not JSON"))?;
    let user = match user {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Integer(number)) => PrimaryKey::Integer(number),
        Some(Value::Text(text)) => PrimaryKey::Text(text),
        // `int()`, which an integer key's field calls, drops the fraction.
        Some(Value::Fraction(number)) if number.abs() < LARGEST => {
            PrimaryKey::Integer(number.trunc() as i64)
        }
        Some(Value::Fraction(_) | Value::Other) => {
            return Err(Invalid::Format("the user id is not text or a number"));
        }
    };
    let backend = match backend {
        None => return Ok(None),
        Some(Value::Text(text)) => text,
        Some(_) => return Err(Invalid::Format("the backend is not text")),
    };
    let hash = match hash {
        None | Some(Value::Null) => None,
        Some(Value::Text(text)) => Some(text),
        Some(_) => return Err(Invalid::Format("the session's auth hash is not text")),
    };
    Ok(Some(Login {
        user,
        backend,
        hash,
    }))
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
