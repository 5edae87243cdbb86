//! `_auth_user_hash`: what makes a password change end the sessions made before it.

use hmac::Mac;
use subtle::ConstantTimeEq;

use super::signing::salted_hmac;

/// The salt of `AbstractBaseUser.get_session_auth_hash` (contrib/auth/base_user.py, 5.2).
const SALT: &[u8] = b"django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";

/// The hash that Django 4.0 and later put into a session at login: the hex HMAC-SHA256 of the
/// password column's text under `SHA256(salt ‖ SECRET_KEY)`.
#[must_use]
pub fn auth_hash(secret_key: &[u8], password_column: &str) -> String {
    let digest = salted_hmac(&[SALT], secret_key)
        .chain_update(password_column)
        .finalize();
    let mut hex = String::with_capacity(64);
    for byte in digest.into_bytes() {
        for nibble in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(u32::from(nibble), 16).unwrap_or_default());
        }
    }
    hex
}

/// Whether `hash` is the [`auth_hash`] of `password_column` under `secret_key`, compared in
/// constant time.
#[must_use]
pub fn auth_hash_is_by(secret_key: &[u8], password_column: &str, hash: &str) -> bool {
    bool::from(
        auth_hash(secret_key, password_column)
            .as_bytes()
            .ct_eq(hash.as_bytes()),
    )
}
