//! Reads who is logged in to a session: by Warden, as Devise has it log in, or by Redmine's own keys.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::node::{Node, Serializer, members};
use super::{marshal, node};
use crate::hexadecimal::hexadecimal;
use crate::{Invalid, MAX_INPUT};

/// `Base64.decode64` of Ruby, but for characters that are not of the alphabet and not line ends.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A login of Devise's, as `serialize_into_session` writes it.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviseLogin {
    /// The account's primary key.
    pub key: String,
    /// `authenticatable_salt`: the first 29 characters of `encrypted_password` at the time of the
    /// login; `None` where that was NULL.
    pub salt: Option<String>,
    /// When the session was last used.
    pub last_request: LastRequest,
}

/// Does not print the salt, which is a part of the stored hash.
impl std::fmt::Debug for DeviseLogin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("DeviseLogin")
            .field("key", &self.key)
            .field("last_request", &self.last_request)
            .finish_non_exhaustive()
    }
}

/// `last_request_at`, which Devise's `timeoutable` writes at each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastRequest {
    /// It is not there: such a session does not time out.
    Never,
    /// In Unix seconds.
    At(i64),
    /// It is not a time.
    Unclear,
}

/// A login of Redmine's (`start_user_session` in `application_controller.rb`, 5.0).
#[derive(Clone, PartialEq, Eq)]
pub struct RedmineLogin {
    /// `user_id`: the account's primary key.
    pub user: String,
    /// `tk`: the value of the row in `tokens`.
    pub token: String,
    /// `pwd`: the account had to change its password at the login.
    pub new_password: bool,
    /// `must_activate_twofa`: the account had to set up a second factor at the login.
    pub second_factor: bool,
}

/// Does not print the token, which is the session's key.
impl std::fmt::Debug for RedmineLogin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RedmineLogin")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The login of Warden's scope `scope` in a session; `None` where nobody is logged in.
///
/// # Errors
/// [`Invalid`] where `payload` is not a session, or Devise would fail on its login.
pub fn devise(
    payload: &[u8],
    serializer: Serializer,
    scope: &str,
) -> Result<Option<DeviseLogin>, Invalid> {
    let key = format!("warden.user.{scope}.key");
    let session = format!("warden.user.{scope}.session");
    let [key, session] = members(payload, serializer, [&key, &session])?;
    let Some(key) = key.filter(Node::is_true) else {
        return Ok(None);
    };
    let Node::List(parts) = key else {
        return Err(Invalid::Kind("its login is not a list"));
    };
    let [key, salt] = parts.as_slice() else {
        return Err(Invalid::Kind("its login is not a key and a salt"));
    };
    let key = match key {
        Node::List(keys) => keys.first().unwrap_or(&Node::Null),
        key => key,
    };
    let Some(key) = key.key() else {
        return Err(Invalid::Kind("its login has no primary key"));
    };
    let salt = match salt {
        Node::Null => None,
        Node::Text(salt) => Some(salt.clone()),
        _ => return Err(Invalid::Kind("its login's salt is not a text")),
    };
    Ok(Some(DeviseLogin {
        key,
        salt,
        last_request: last_request(session.as_ref()),
    }))
}

/// As the hook of `timeoutable` reads it (`hooks/timeoutable.rb`, Devise 4.8).
fn last_request(session: Option<&Node>) -> LastRequest {
    let at = match session {
        None | Some(Node::Null) => return LastRequest::Never,
        Some(Node::Map(_)) => session.and_then(|session| session.member("last_request_at")),
        Some(_) => return LastRequest::Unclear,
    };
    match at {
        None => LastRequest::Never,
        Some(at) if !at.is_true() => LastRequest::Never,
        Some(Node::Integer(seconds)) => LastRequest::At(*seconds),
        Some(Node::Text(text)) => seconds(text).map_or(LastRequest::Unclear, LastRequest::At),
        Some(_) => LastRequest::Unclear,
    }
}

/// The Unix seconds of a time with its offset, as in `2026-11-29 21:07:28 UTC`.
fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = text
        .strip_suffix(" UTC")
        .map_or_else(|| text.to_owned(), |civil| format!("{}Z", civil.trim_end()));
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.as_second())
}

/// The login of Redmine's in a session; `None` where nobody is logged in.
///
/// # Errors
/// [`Invalid`] where `payload` is not a session.
pub fn redmine(payload: &[u8], serializer: Serializer) -> Result<Option<RedmineLogin>, Invalid> {
    let wanted = ["user_id", "tk", "pwd", "must_activate_twofa"];
    let [user, token, new_password, second_factor] = members(payload, serializer, wanted)?;
    let Some(user) = user.filter(Node::is_true) else {
        return Ok(None);
    };
    let Some(user) = user.key() else {
        return Err(Invalid::Kind("its user_id is not a primary key"));
    };
    let Some(Node::Text(token)) = token.filter(|token| *token != Node::Text(String::new())) else {
        return Err(Invalid::Kind("its login has no token"));
    };
    let is_set = |flag: Option<Node>| flag.is_some_and(|flag| flag.is_true());
    Ok(Some(RedmineLogin {
        user,
        token,
        new_password: is_set(new_password),
        second_factor: is_set(second_factor),
    }))
}

/// The session in a row of activerecord-session_store, or in a value of a Redis store: a Marshal
/// dump, the same in Base64, or JSON. What stands there the application itself wrote, so that its
/// form is its own to say.
///
/// # Errors
/// [`Invalid`] where it is none of these.
pub fn stored(data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Invalid> {
    if data.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    if data.starts_with(marshal::SIGNATURE) {
        return Ok(Zeroizing::new(data.to_vec()));
    }
    if data.trim_ascii_start().starts_with(b"{") {
        // `JsonSerializer` of the gem has all of it in a member `value`.
        let value = node::json_value(data);
        return Ok(Zeroizing::new(value.unwrap_or(data).to_vec()));
    }
    let mut text = Zeroizing::new(data.to_vec());
    text.retain(|byte| !byte.is_ascii_whitespace());
    let decoded = LENIENT.decode(text.as_slice()).map(Zeroizing::new);
    let decoded = decoded.map_err(|_| Invalid::Format("it is neither Marshal nor JSON"))?;
    match decoded.starts_with(marshal::SIGNATURE) {
        true => Ok(decoded),
        false => Err(Invalid::Format("it is neither Marshal nor JSON")),
    }
}

/// The id under which a store keeps the session whose cookie says `public_id`
/// (`Rack::Session::SessionId#private_id`, Rack 2.0.8 and later).
#[must_use]
pub fn private_id(public_id: &str) -> Zeroizing<String> {
    let digest = Sha256::digest(public_id.as_bytes());
    Zeroizing::new(["2::", &hexadecimal(&digest)].concat())
}
