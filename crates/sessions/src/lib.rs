//! Reads the session payloads of web frameworks, as pure functions.
//!
//! Reads the data that a framework keeps for a logged-in visitor: bytes in, facts out. There is no
//! input or output, no configuration and no clock, and nothing in a payload is ever run. Every
//! reader takes hostile bytes: it has a limit on size and depth, and answers with [`Invalid`],
//! never with a panic. No input of up to [`MAX_INPUT`] bytes makes a reader hold more than 16 MiB
//! at a time, however far it claims to expand.
//!
//! # Map
//!
//! | module | reads |
//! |---|---|
//! | [`django`] | signed containers, JSON and pickled payloads, values of caches; makes and checks auth hashes |
//! | [`express`] | express-session's signed cookies, and a member of its JSON by a [`MemberPath`] |
//! | [`flask`] | itsdangerous' cookies and signed ids, and a member of the tagged JSON, MessagePack or pickle |
//! | [`laravel`] | encrypted cookies and payloads, remembered logins |
//! | [`php`] | `$_SESSION` in each of PHP's four formats, by a path; Symfony's tokens, the users of Joomla and Drupal |
//! | [`rails`] | encrypted cookies, sessions in JSON and Marshal; Devise's and Redmine's logins |
//!
//! Below them, and private: JSON, pickle, MessagePack, Python's Base64 and datetimes, and
//! decompression with limits. They check a whole payload, and keep only the members asked for.
//!
//! # Django: a signed session
//!
//! ```
//! use hallpass_sessions::django::{Keyring, PrimaryKey, SESSION_SALT, SigningKey, Version};
//! use hallpass_sessions::django::{read, seal};
//!
//! // As Django writes it into `django_session.session_data`.
//! let payload = br#"{"_auth_user_id":"7","_auth_user_backend":"shop.auth.Backend"}"#;
//! let container = seal(payload, &SigningKey::new(b"SECRET_KEY", SESSION_SALT), 1_800_000_000);
//!
//! let keyring = Keyring::stored(Version::new(5, 2), SESSION_SALT, [&b"SECRET_KEY"[..]]);
//! let opened = keyring.open(container.as_bytes())?;
//! let login = read(&opened.payload)?;
//! assert_eq!(login.map(|login| login.user), Some(PrimaryKey::Text("7".to_owned())));
//!
//! let another = Keyring::stored(Version::new(5, 2), SESSION_SALT, [&b"another key"[..]]);
//! assert!(another.open(container.as_bytes()).is_err());
//! # Ok::<(), hallpass_sessions::Invalid>(())
//! ```
//!
//! # Pickle: what Django's caches keep
//!
//! ```
//! use hallpass_sessions::django::{PrimaryKey, read_cache_value};
//!
//! // pickle.dumps({"_auth_user_id": "7", "_auth_user_backend": "b"}, 5), as Redis has it.
//! let value = b"\x80\x05\x95\x32\0\0\0\0\0\0\0}\x94(\x8c\r_auth_user_id\x94\x8c\x017\x94\
//!     \x8c\x12_auth_user_backend\x94\x8c\x01b\x94u.";
//! let login = read_cache_value(value, None)?;
//! assert_eq!(login.map(|login| login.user), Some(PrimaryKey::Text("7".to_owned())));
//!
//! // cos.system("id"): there is no session in it, and nothing runs.
//! assert!(read_cache_value(b"cos\nsystem\n(S'id'\ntR.", None).is_err());
//! # Ok::<(), hallpass_sessions::Invalid>(())
//! ```
//!
//! # PHP: a value in `$_SESSION`
//!
//! ```
//! use hallpass_sessions::php::{Handler, Path, Scalar, find};
//!
//! // A file `sess_…`, or the value under `PHPREDIS_SESSION:…` in Redis.
//! let session = br#"cart|a:0:{}user|a:1:{s:8:"username";s:5:"alice";}"#;
//! let path: Path = "user.username".parse()?;
//! let name = find(session, Some(Handler::Php), &path)?;
//! assert_eq!(name, Some(Scalar::Text(b"alice".to_vec())));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
// The example of the README is a test, too.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

mod aes;
mod compression;
mod datetime;
pub mod django;
pub mod express;
pub mod flask;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod hexadecimal;
mod json;
pub mod laravel;
mod msgpack;
mod path;
pub mod php;
mod pickle;
mod python_base64;
pub mod rails;
pub mod wordpress;

use self::datetime::DateTime;
pub use self::path::{InvalidMemberPath, Member, MemberPath};

/// The longest session that is read, in bytes as it is stored.
pub const MAX_INPUT: usize = 1 << 20;
/// The longest session that is read, in bytes without compression.
pub const MAX_PAYLOAD: usize = 4 << 20;

/// Why a session's bytes do not hold a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// No configured key made this signature: the data was changed, or signed with another key.
    #[error("none of the configured keys made the signature")]
    Signature,
    /// The bytes are not of the format that the framework writes.
    #[error("the session data is not of the expected format: {0}")]
    Format(&'static str),
    /// The bytes are well-formed, but not a session: a list, say, or a login without a text where
    /// the framework writes one.
    #[error("the session data is not a session: {0}")]
    Kind(&'static str),
    /// The data is larger than any session that this reader takes.
    #[error("the session data is larger than {0} bytes")]
    TooLarge(usize),
}

/// The value of a wanted member, as far as it is of use.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Null,
    Boolean(bool),
    /// A number with a fraction or an exponent.
    Fraction(f64),
    DateTime(DateTime),
    /// Anything else: a collection, an object, a whole number past 64 bits, a text
    /// longer than [`LONGEST_TEXT`] or in an unknown encoding.
    Other,
}

/// The error for Python's `None` in place of a session. Django's caches return it for a missing
/// value, too.
pub(crate) const NONE: Invalid = Invalid::Format("it is None");

/// The longest text that is returned, in bytes. No primary key, backend or hash comes near it.
pub(crate) const LONGEST_TEXT: usize = 4096;
