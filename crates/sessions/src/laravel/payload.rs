//! Reads a session's payload: who is logged in to a guard, and by which password.

use std::str::FromStr;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::base64::decode;
use super::encrypter::Encrypter;
use crate::json::{self, Encoding};
use crate::php::{Handler, Path, Scalar, find};
use crate::{Invalid, MAX_INPUT, Value};

/// The SHA-1 of `Illuminate\Auth\SessionGuard`, which is part of the names of keys and cookies
/// (`SessionGuard::getName`).
const GUARD_CLASS: &str = "59ba36addc2b2f9401580f014c7f58ea4e30989d";

/// How a site writes its sessions down: `config('session.serialization')`, since 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serialization {
    /// PHP's `serialize`, the only one before 9.
    Php,
    /// JSON.
    Json,
}

/// A guard whose users sessions name, with the names that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    login: String,
    password: String,
    recaller: String,
    paths: [Path; 2],
}

/// A name that no guard can have here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a guard's name has letters, digits, `_` and `-` alone")]
pub struct InvalidGuard;

impl FromStr for Guard {
    type Err = InvalidGuard;

    fn from_str(name: &str) -> Result<Self, InvalidGuard> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(InvalidGuard);
        }
        let login = format!("login_{name}_{GUARD_CLASS}");
        let password = format!("password_hash_{name}");
        let path = |key: &str| key.parse().map_err(|_| InvalidGuard);
        Ok(Self {
            paths: [path(&login)?, path(&password)?],
            recaller: format!("remember_{name}_{GUARD_CLASS}"),
            login,
            password,
        })
    }
}

impl Guard {
    /// What the cookie of a remembered login is called.
    #[must_use]
    pub fn recaller_name(&self) -> &str {
        &self.recaller
    }
}

/// What a session says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The primary key of the account that is logged in; `None` where none is.
    pub user: Option<String>,
    /// What ties the session to a password: the password's hash, or a code of it. `None` where there
    /// is none yet.
    pub password: Option<String>,
    /// How it was written.
    pub serialization: Serialization,
}

/// Reads the `payload` of a session, in the `serialization` of the site, or else in the one that it
/// is in.
///
/// # Errors
/// [`Invalid`] when it cannot be read, or what it has in the place of a user or a password is none.
pub fn read(
    payload: &[u8],
    guard: &Guard,
    serialization: Option<Serialization>,
) -> Result<Facts, Invalid> {
    if payload.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    let serialization = serialization.unwrap_or(match payload.first() {
        Some(b'{' | b'[') => Serialization::Json,
        _ => Serialization::Php,
    });
    let [user, password] = match serialization {
        Serialization::Php => php(payload, guard)?,
        Serialization::Json => in_json(payload, guard)?,
    };
    Ok(Facts {
        user,
        password,
        serialization,
    })
}

fn php(payload: &[u8], guard: &Guard) -> Result<[Option<String>; 2], Invalid> {
    let [user, password] = &guard.paths;
    let at = |path| find(payload, Some(Handler::PhpSerialize), path);
    let user = match at(user)? {
        None | Some(Scalar::Null) => None,
        Some(Scalar::Integer(id)) => Some(id.to_string()),
        Some(Scalar::Text(id)) => Some(String::from_utf8(id).map_err(|_| NO_USER)?),
        Some(_) => return Err(NO_USER),
    };
    let password = match at(password)? {
        None | Some(Scalar::Null) => None,
        Some(Scalar::Text(text)) => Some(String::from_utf8(text).map_err(|_| NO_PASSWORD)?),
        Some(_) => return Err(NO_PASSWORD),
    };
    Ok([user, password])
}

fn in_json(payload: &[u8], guard: &Guard) -> Result<[Option<String>; 2], Invalid> {
    // PHP writes an empty array so.
    if payload == b"[]" {
        return Ok([None, None]);
    }
    let wanted = [guard.login.as_str(), guard.password.as_str()];
    let [user, password] = json::members(payload, Encoding::Utf8, wanted)
        .ok_or(Invalid::Format("it is not a JSON object"))?;
    let user = match user {
        None | Some(Value::Null) => None,
        Some(Value::Integer(id)) => Some(id.to_string()),
        Some(Value::Text(id)) => Some(id),
        Some(_) => return Err(NO_USER),
    };
    let password = match password {
        None | Some(Value::Null) => None,
        Some(Value::Text(text)) => Some(text),
        Some(_) => return Err(NO_PASSWORD),
    };
    Ok([user, password])
}

const NO_USER: Invalid = Invalid::Kind("the user in it is neither a number nor text");
const NO_PASSWORD: Invalid = Invalid::Kind("the password's hash in it is not text");

/// The payload in the column `payload` of the table of sessions: Base64.
#[must_use]
pub fn from_row(column: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(decode(column))
}

/// The payload in the value that Redis has: PHP's `serialize` of it once more (`RedisStore`).
///
/// # Errors
/// [`Invalid`] when it is not that of a string.
pub fn from_redis(value: &[u8]) -> Result<Zeroizing<Vec<u8>>, Invalid> {
    unserialized(value).map(Zeroizing::new)
}

/// The payload of a site that encrypts its sessions (`session.encrypt`).
///
/// # Errors
/// [`Invalid`] when none of the keys made it.
pub fn decrypt(payload: &[u8], encrypter: &Encrypter) -> Result<Zeroizing<Vec<u8>>, Invalid> {
    let plain = encrypter.open(payload)?;
    unserialized(&plain).map(Zeroizing::new)
}

#[derive(Deserialize)]
struct InCookie {
    data: String,
    expires: u64,
}

/// The payload in a cookie's value, and until when it counts, in Unix seconds
/// (`CookieSessionHandler`).
///
/// # Errors
/// [`Invalid`] when there is none in it.
pub fn from_cookie(value: &[u8]) -> Result<(Zeroizing<Vec<u8>>, u64), Invalid> {
    let InCookie { data, expires } = serde_json::from_slice(value)
        .map_err(|_| Invalid::Format("it is not JSON with `data` and `expires`"))?;
    Ok((Zeroizing::new(data.into_bytes()), expires))
}

/// The string that PHP's `serialize` wrote.
pub(super) fn unserialized(text: &[u8]) -> Result<Vec<u8>, Invalid> {
    const NO_STRING: Invalid = Invalid::Format("it is not a serialized string");
    let rest = text.strip_prefix(b"s:").ok_or(NO_STRING)?;
    let colon = rest
        .iter()
        .position(|byte| *byte == b':')
        .ok_or(NO_STRING)?;
    let (digits, rest) = rest.split_at(colon);
    let length = std::str::from_utf8(digits)
        .ok()
        .filter(|digits| digits.bytes().all(|it| it.is_ascii_digit()));
    let length: usize = length.and_then(|it| it.parse().ok()).ok_or(NO_STRING)?;
    let string = rest
        .strip_prefix(b":\"")
        .and_then(|rest| rest.strip_suffix(b"\";"))
        .filter(|string| string.len() == length);
    string.map(<[u8]>::to_vec).ok_or(NO_STRING)
}
