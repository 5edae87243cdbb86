//! Reads the cookie of a WordPress site, and what WordPress keeps beside its accounts.
//!
//! The cookie is `login|expiration|token|hmac`. The hmac is made with the site's key and salt, and
//! with a fragment of the stored hash of the password, so that a new password makes it wrong. The
//! token must be among those in the account's `session_tokens`, from where a logout takes it.
//!
//! ```
//! use hallpass_sessions::wordpress::{AuthCookie, Version, fragment, session_end};
//!
//! let newest = Version::default();
//! let cookie = AuthCookie::parse(
//!     b"admin|1780488000|nQMJPba5GZT6FDnqVXQIQH2UOHjAESKkRsDl398mLSV|\
//!       3e553da2abdbc8c9698914c1208ddff4556e0e71328d2ac95b35f3e0d4765a32",
//!     newest,
//! ).unwrap();
//! assert_eq!((cookie.login, cookie.expiration), ("admin", 1_780_488_000));
//! let stored = "$wp$2y$10$PogFNHvVm6OldHsZ0V9ZLOhG7d07.mSzutQDjGoWJWHoyc14cJipe";
//! assert_eq!(fragment(stored, newest), "Jipe");
//! assert!(!cookie.is_signed(b"another key and salt", "Jipe"));
//! assert_eq!(session_end("a:0:{}", cookie.token.unwrap()), None);
//! ```
//!
//! Sources: `wp-includes/pluggable.php`, `class-wp-session-tokens.php`,
//! `class-wp-user-meta-session-tokens.php` and `class-wp-user.php` of 6.1 and 6.9.

mod cookie;
mod stored;

pub use self::cookie::{AuthCookie, Version, fragment};
pub use self::stored::{
    Capabilities, Roles, application_passwords, is_set, keys, list, session_end,
};
