//! What PHP keeps in a session, read as data.
//!
//! PHP writes `$_SESSION` in one of four formats ([`Handler`]); [`find`] follows a [`Path`] into
//! any of them, through arrays, objects, references and strings that are themselves serialized,
//! to a [`Scalar`]. [`joomla::read`] knows the place of Joomla's user in it.
//!
//! Nothing is ever built: no class is known here, and an object is its properties. The whole
//! session is checked before anything is believed, so one that PHP itself would throw away yields
//! nobody. Where PHP is lenient about what it never writes (bytes after the value, numbers past
//! 64 bits), this reader is not.
//!
//! Sources: `ext/standard/var_unserializer.re` and `ext/session/session.c` of PHP 8.2, and
//! `src/php7/igbinary.c` of igbinary 3.2.

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

pub use self::find::{Scalar, find};
pub use self::memcached::{Client as MemcachedClient, unwrap_memcached};
pub use self::path::{InvalidPath, Path};
pub use self::session::Handler;
