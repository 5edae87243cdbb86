//! `_auth_user_hash`: what makes a password change end the sessions made before it.

use subtle::ConstantTimeEq;

use super::hmac::SaltedHmac;
use super::{Digest, Version};

/// The salt of `AbstractBaseUser.get_session_auth_hash` (contrib/auth/base_user.py, 5.2; in
/// contrib/auth/models.py before 1.9).
const SALT: &[u8] = b"django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";

/// The hash that Django 4.0 and later put into a session at login: the hex HMAC-SHA256 of the
/// password column's text under `SHA256(salt ‖ SECRET_KEY)`.
#[must_use]
pub fn auth_hash(secret_key: &[u8], password_column: &str) -> String {
    auth_hash_with(Digest::Sha256, secret_key, password_column)
}

fn auth_hash_with(digest: Digest, secret_key: &[u8], password_column: &str) -> String {
    SaltedHmac::new(digest, &[SALT], secret_key).hex_of(password_column.as_bytes())
}

/// Whether `hash` is the [`auth_hash`] of `password_column` under `secret_key`, compared in
/// constant time.
#[must_use]
pub fn auth_hash_is_by(secret_key: &[u8], password_column: &str, hash: &str) -> bool {
    auth_hash_is_current(Version::NEWEST, [secret_key], password_column, hash)
}

/// Whether `hash` is what a Django of this version accepts for `password_column`: made with any
/// of its digests under `SECRET_KEY`, the first of `secret_keys`, or from 4.1 on under any of the
/// fallbacks after it (`get_user` in contrib/auth/__init__.py, 2.2, 3.2 and 5.2).
///
/// Compared in constant time. Sessions of Django 1.6 and earlier have no hash
/// ([`Version::hashes_password`]); 1.7 to 1.9 compare it only with `SessionAuthenticationMiddleware`.
#[must_use]
pub fn auth_hash_is_current<'a>(
    version: Version,
    secret_keys: impl IntoIterator<Item = &'a [u8]>,
    password_column: &str,
    hash: &str,
) -> bool {
    let counted = if version.reads_fallbacks() {
        usize::MAX
    } else {
        1
    };
    let is_by = |secret_key, digest: &Digest| {
        let expected = auth_hash_with(*digest, secret_key, password_column);
        bool::from(expected.as_bytes().ct_eq(hash.as_bytes()))
    };
    secret_keys
        .into_iter()
        .take(counted)
        .any(|key| version.digests().iter().any(|digest| is_by(key, digest)))
}
