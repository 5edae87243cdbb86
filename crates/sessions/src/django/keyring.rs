//! Opens containers with the keys of a site's sessions.

use std::fmt;

use super::Version;
use super::legacy::{self, LegacyKey};
use super::signing::{self, Opened, SigningKey};
use crate::Invalid;

/// The salt of sessions that the visitor's own cookie holds (`load` in
/// contrib/sessions/backends/signed_cookies.py, 1.4 to 6.1). It does not go by the class.
const COOKIE_SALT: &str = "django.contrib.sessions.backends.signed_cookies";

/// The keys of a site's sessions: made of its secrets once, then used for every container.
#[derive(Clone)]
pub struct Keyring {
    signed: Vec<SigningKey>,
    legacy: Vec<LegacyKey>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keyring(…)")
    }
}

impl Keyring {
    /// The keys of sessions that the server keeps: `db`, `cached_db` in the database, `file`.
    ///
    /// `secret_keys` are `SECRET_KEY` and after it the fallbacks, which count from Django 4.1 on.
    /// `salt` is the `key_salt` of Django 3.1 and later, [`SESSION_SALT`](super::SESSION_SALT)
    /// unless the site's `SessionStore` has another name: `django.contrib.sessions.` and the
    /// class's `__qualname__`. For containers before 3.1 the salt that goes with it is
    /// `django.contrib.sessions` and the class's name, without the dot; a salt that does not begin
    /// so is taken as it is.
    #[must_use]
    pub fn stored<'a>(
        version: Version,
        salt: &str,
        secret_keys: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut keyring = Self::empty();
        for secret_key in counted(version, secret_keys) {
            if version.reads_signed() {
                keyring.add_signed(version, salt, secret_key);
            }
            if version.reads_legacy() {
                keyring.legacy.push(LegacyKey::new(secret_key, salt));
            }
        }
        keyring
    }

    /// The keys of sessions that the visitor's cookie holds: `signed_cookies`.
    #[must_use]
    pub fn cookies<'a>(version: Version, secret_keys: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut keyring = Self::empty();
        for secret_key in counted(version, secret_keys) {
            keyring.add_signed(version, COOKIE_SALT, secret_key);
        }
        keyring
    }

    fn empty() -> Self {
        Self {
            signed: Vec::new(),
            legacy: Vec::new(),
        }
    }

    fn add_signed(&mut self, version: Version, salt: &str, secret_key: &[u8]) {
        let digests = version.digests().iter();
        self.signed
            .extend(digests.map(|digest| SigningKey::with_digest(*digest, secret_key, salt)));
    }

    /// Checks the signature of `container`, and gives its contents.
    ///
    /// # Errors
    /// [`Invalid`] when none of the keys made the signature, or the container is malformed or too
    /// large.
    pub fn open(&self, container: &[u8]) -> Result<Opened, Invalid> {
        if self.legacy.is_empty() {
            return signing::unseal(container, &self.signed);
        }
        if self.signed.is_empty() {
            return legacy::unseal(container, &self.legacy);
        }
        // A container that is not signed in the new way may be signed in the old one (`decode` in
        // contrib/sessions/backends/base.py, 3.2).
        signing::unseal(container, &self.signed)
            .or_else(|error| legacy::unseal(container, &self.legacy).map_err(|_| error))
    }
}

/// `SECRET_KEY`, and the fallbacks after it where this version has some.
pub(super) fn counted<'a>(
    version: Version,
    secret_keys: impl IntoIterator<Item = &'a [u8]>,
) -> impl Iterator<Item = &'a [u8]> {
    let counted = if version.reads_fallbacks() {
        usize::MAX
    } else {
        1
    };
    secret_keys.into_iter().take(counted)
}

/// Gives the contents of a container of a session that the server keeps, without checking its
/// signature: for stores that only the site can write to.
///
/// # Errors
/// [`Invalid`] when `container` is of no kind that a Django of this version reads, or too large.
pub fn open_trusted(version: Version, container: &[u8]) -> Result<Opened, Invalid> {
    if !version.reads_legacy() {
        return signing::unseal_unsigned(container);
    }
    let legacy = || legacy::unseal_unsigned(container);
    if !version.reads_signed() {
        return legacy();
    }
    signing::unseal_unsigned(container).or_else(|error| legacy().map_err(|_| error))
}
