//! Reads the sessions of Django 1.4 and later: containers, payloads, values of caches, and the hash
//! that ties a session to the password it was made with.
//!
//! A container is opened first, by a [`Keyring`] where signatures count and by [`open_trusted`]
//! where not; [`read`] then finds the [`Login`] in its payload. Caches have no container:
//! [`read_cache_value`], [`read_cache_row`] and [`read_cache_file`] find the login at once.
//! [`AuthHashes`] says whether a login still holds.

mod auth_hash;
mod cache;
mod hmac;
mod keyring;
mod legacy;
mod payload;
mod signing;
mod version;

pub use self::auth_hash::{AuthHashes, auth_hash, auth_hash_is_by};
pub use self::cache::{CacheFile, read_cache_file, read_cache_row, read_cache_value};
pub use self::keyring::{Keyring, open_trusted};
pub use self::payload::{Expiry, Login, PrimaryKey, read, read_json};
pub use self::signing::{Opened, SESSION_SALT, SigningKey, open, open_unsigned, seal};
pub use self::version::{Digest, NoVersion, Version};
pub use crate::datetime::{DateTime, Zone};
