//! Reads the sessions of PHP, as data.
//!
//! PHP writes `$_SESSION` in one of four formats ([`Handler`]); [`find()`] follows a [`Path`] into
//! any of them, through arrays, objects, references and strings that are themselves serialized,
//! to a [`Scalar`]. [`joomla::read`] and [`drupal::user`] know the place of the user in it.
//!
//! Nothing is ever built: no class is known here, and an object is its properties. The whole
//! session is checked before anything is believed, so one that PHP itself would throw away yields
//! no user. Where PHP is lenient about what it never writes (bytes after the value, numbers past
//! 64 bits), this reader is not.
//!
//! ```
//! use hallpass_sessions::php::{Path, Scalar, find};
//!
//! let path: Path = "user.username".parse()?;
//! for session in [
//!     // `php`, PHP's default
//!     &br#"user|a:1:{s:8:"username";s:5:"alice";}"#[..],
//!     // `php_binary`
//!     b"\x04usera:1:{s:8:\"username\";s:5:\"alice\";}",
//!     // `php_serialize`
//!     br#"a:1:{s:4:"user";a:1:{s:8:"username";s:5:"alice";}}"#,
//!     // `igbinary`
//!     b"\0\0\0\x02\x14\x01\x11\x04user\x14\x01\x11\x08username\x11\x05alice",
//! ] {
//!     let name = find(session, None, &path)?;
//!     assert_eq!(name, Some(Scalar::Text(b"alice".to_vec())));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Files are called `sess_…`; in Redis the key is `PHPREDIS_SESSION:…`, in memcached
//! `memc.sess.key.…`.
//!
//! Sources: `ext/standard/var_unserializer.re` and `ext/session/session.c` of PHP 8.2, and
//! `src/php7/igbinary.c` of igbinary 3.2.

mod data;
pub mod drupal;
mod find;
mod igbinary;
pub mod joomla;
mod lexer;
mod memcached;
mod path;
mod serialize;
mod session;
mod symfony;
mod tree;

pub use self::data::{Data, DataKey};
pub use self::find::{Scalar, find};
pub use self::memcached::{Client as MemcachedClient, unwrap_memcached};
pub use self::path::{InvalidPath, Path};
pub use self::session::Handler;
