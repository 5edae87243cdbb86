//! Django's sessions: the signed container, the payload, and the hash that ties a session to the
//! password it was made with.

mod auth_hash;
mod payload;
mod signing;

pub use self::auth_hash::{auth_hash, auth_hash_is_by};
pub use self::payload::{Login, PrimaryKey, read_json};
pub use self::signing::{SESSION_SALT, SigningKey, open, open_unsigned, seal};
