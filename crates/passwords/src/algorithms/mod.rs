//! Holds the parsed fields of a stored hash, one type for each algorithm, and hashes a password by
//! it.

pub(crate) mod argon2;
pub(crate) mod bcrypt;
pub(crate) mod beside;
pub(crate) mod chain;
pub(crate) mod crypt64;
pub(crate) mod des_crypt;
pub(crate) mod digest;
pub(crate) mod encodings;
pub(crate) mod iterated;
pub(crate) mod md5_crypt;
pub(crate) mod pbkdf2;
pub(crate) mod phpass;
pub(crate) mod phpbb_combined;
pub(crate) mod phpbb_converted;
pub(crate) mod salted_sha1;
pub(crate) mod scrypt;
pub(crate) mod sha_crypt;
