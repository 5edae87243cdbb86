//! Reads the cookies and sessions of Laravel, 8 to 12.
//!
//! The session cookie is the session's id, encrypted. Whose session it is stands in a payload that the
//! server keeps, under a key that is called after the guard:
//!
//! ```
//! use hallpass_sessions::laravel::{Cipher, Cookie, Encrypter, Guard, app_key, read};
//! use hallpass_sessions::laravel::{seal_cookie, session_id};
//!
//! let key = app_key(b"base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
//! let encrypter = Encrypter::new(Cipher::Aes256Cbc, vec![key]).ok_or("the key is too short")?;
//! let id = b"2s9BYZd8oFnWY13A6qNXVGAHouGZwDpCaTnVs2i2";
//! let value = seal_cookie("laravel_session", id, &encrypter).ok_or("it is not sealed")?;
//!
//! let cookie = Cookie::open(value.as_bytes(), &encrypter)?;
//! let found = cookie.value_of("laravel_session", &encrypter);
//! assert!(found.and_then(session_id).is_some());
//! // A value counts in its own cookie alone.
//! assert_eq!(cookie.value_of("XSRF-TOKEN", &encrypter), None);
//!
//! let guard: Guard = "web".parse()?;
//! let payload = br#"a:1:{s:50:"login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d";i:7;}"#;
//! assert_eq!(read(payload, &guard, None)?.user.as_deref(), Some("7"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Sources: src/Illuminate/{Encryption,Cookie,Session,Auth} of laravel/framework 8.83, 11.22 and
//! 12.x.

mod base64;
mod cookie;
mod encrypter;
mod payload;

pub use self::cookie::{Cookie, LONGEST_COOKIE, Recaller, seal_cookie, session_id};
pub use self::encrypter::{Cipher, Encrypter, app_key};
pub use self::payload::{
    Facts, Guard, InvalidGuard, Serialization, decrypt, from_cookie, from_redis, from_row, read,
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::hexadecimal::hexadecimal;

/// Whether `stored`, which a session or a cookie has of a password, is of the hash `password`: the
/// hash itself or, since 12, its code under the text of `APP_KEY`
/// (`SessionGuard::hashPasswordForCookie`).
#[must_use]
pub fn is_of_password(stored: &[u8], password: &[u8], app_key: &[u8]) -> bool {
    // An HMAC takes keys of every length.
    let code = Hmac::<Sha256>::new_from_slice(app_key)
        .map(|code| hexadecimal(&code.chain_update(password).finalize().into_bytes()));
    let of_code = code.is_ok_and(|code| stored.ct_eq(code.as_bytes()).into());
    of_code || stored.ct_eq(password).into()
}
