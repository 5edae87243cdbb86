//! Makes and checks `_auth_user_hash`, by which a password change ends the sessions before it.

use std::fmt;

use subtle::ConstantTimeEq;

use super::hmac::SaltedHmac;
use super::keyring::counted;
use super::{Digest, Version};

/// The salt of `AbstractBaseUser.get_session_auth_hash` (contrib/auth/base_user.py, 5.2; in
/// contrib/auth/models.py before 1.9).
const SALT: &[u8] = b"django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";

/// The hash that Django 4.0 and later put into a session at login: the hex HMAC-SHA256 of the
/// password column's text under `SHA256(salt ‖ SECRET_KEY)`.
#[must_use]
pub fn auth_hash(secret_key: &[u8], password_column: &str) -> String {
    SaltedHmac::new(Digest::Sha256, &[SALT], secret_key).hex_of(password_column.as_bytes())
}

/// Whether `hash` is the [`auth_hash`] of `password_column` under `secret_key`, compared in
/// constant time.
#[must_use]
pub fn auth_hash_is_by(secret_key: &[u8], password_column: &str, hash: &str) -> bool {
    AuthHashes::new(Version::NEWEST, [secret_key]).is_current(password_column, hash)
}

/// The keys of the hashes in a site's sessions: derived from its secrets once, then used for every
/// session.
#[derive(Clone)]
pub struct AuthHashes(Vec<SaltedHmac>);

impl fmt::Debug for AuthHashes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AuthHashes(…)")
    }
}

impl AuthHashes {
    /// Those that a Django of this version accepts: made with any of its digests under
    /// `SECRET_KEY`, the first of `secret_keys`, or from 4.1 on under any of the fallbacks after it
    /// (`get_user` in contrib/auth/__init__.py, 2.2, 3.2 and 5.2).
    #[must_use]
    pub fn new<'a>(version: Version, secret_keys: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let digests = version.digests();
        let keys = counted(version, secret_keys).flat_map(|secret_key| {
            let key = move |digest: &Digest| SaltedHmac::new(*digest, &[SALT], secret_key);
            digests.iter().map(key)
        });
        Self(keys.collect())
    }

    /// Whether `hash` is one for `password_column`, compared in constant time.
    ///
    /// Sessions of Django 1.6 and earlier have no hash ([`Version::hashes_password`]); 1.7 to 1.9
    /// compare it only with `SessionAuthenticationMiddleware`.
    #[must_use]
    pub fn is_current(&self, password_column: &str, hash: &str) -> bool {
        self.0.iter().any(|key| {
            let expected = key.hex_of(password_column.as_bytes());
            bool::from(expected.as_bytes().ct_eq(hash.as_bytes()))
        })
    }
}
