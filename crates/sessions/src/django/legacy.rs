//! Opens the containers of sessions before Django 3.1, which 3.1 and 3.2 still read:
//! `ZTNmMzYyYWRhYzk4NGJmZDYyZjFlYzlkOGNjOWE1NjE5ZTQwNGU1ODp7Il9hdXRo…`.
//!
//! Base64 of `signature:payload`: the signature is the hex HMAC-SHA1 of the payload under
//! `SHA1(salt ‖ SECRET_KEY)`. Django 1.4 breaks the Base64 into lines. Sources: `encode` and
//! `decode` in contrib/sessions/backends/base.py, Django 1.4 and 2.2, and `_legacy_decode` in 3.2.

use subtle::ConstantTimeEq;

use super::Digest;
use super::hmac::SaltedHmac;
use super::signing::Opened;
use crate::python_base64::{self, Alphabet};
use crate::{Invalid, MAX_INPUT};

/// The prefix of the salt, without a dot before the class's name.
const PREFIX: &str = "django.contrib.sessions";

/// A key that signs legacy containers.
#[derive(Clone)]
pub(super) struct LegacyKey(SaltedHmac);

impl LegacyKey {
    /// Derives the key that `secret_key` makes with the salt that goes with `salt`, the
    /// `key_salt` of Django 3.1 and later.
    pub(super) fn new(secret_key: &[u8], salt: &str) -> Self {
        let salt = legacy_salt(salt);
        Self(SaltedHmac::new(
            Digest::Sha1,
            &[salt.as_bytes()],
            secret_key,
        ))
    }

    fn signed(&self, payload: &[u8], signature: &[u8]) -> bool {
        bool::from(self.0.hex_of(payload).as_bytes().ct_eq(signature))
    }
}

/// The salt of `_hash`, `"django.contrib.sessions" + self.__class__.__name__`, for a class whose
/// `key_salt` is `"django.contrib.sessions." + self.__class__.__qualname__`. Any other salt is a
/// site's own, and taken as it is.
fn legacy_salt(salt: &str) -> String {
    let qualified = salt.strip_prefix(PREFIX);
    match qualified.and_then(|rest| rest.strip_prefix('.')) {
        Some(name) => {
            let class = name.rsplit('.').next().unwrap_or(name);
            format!("{PREFIX}{class}")
        }
        None => salt.to_owned(),
    }
}

/// Checks the signature of `container` under any of `keys`, and gives the payload in it.
pub(super) fn unseal(container: &[u8], keys: &[LegacyKey]) -> Result<Opened, Invalid> {
    let mut decoded = decode(container)?;
    let colon = colon(&decoded)?;
    let (signature, payload) = decoded.split_at(colon);
    let payload = payload.get(1..).unwrap_or_default();
    if !keys.iter().any(|key| key.signed(payload, signature)) {
        return Err(Invalid::Signature);
    }
    decoded.drain(..=colon);
    Ok(Opened {
        payload: decoded,
        signed_at: None,
        digest: Some(Digest::Sha1),
    })
}

pub(super) fn unseal_unsigned(container: &[u8]) -> Result<Opened, Invalid> {
    let mut decoded = decode(container)?;
    decoded.drain(..=colon(&decoded)?);
    Ok(Opened {
        payload: decoded,
        signed_at: None,
        digest: None,
    })
}

fn decode(container: &[u8]) -> Result<Vec<u8>, Invalid> {
    if container.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    // 1.5 to 1.11 pass over other characters as well, but no Django writes any.
    if !container.is_ascii() {
        return Err(Invalid::Format("the Base64 is not ASCII"));
    }
    python_base64::decode(container, Alphabet::Standard)
}

fn colon(decoded: &[u8]) -> Result<usize, Invalid> {
    let colon = decoded.iter().position(|byte| *byte == b':');
    colon.ok_or(Invalid::Format("no signature"))
}

#[cfg(test)]
mod tests {
    use super::legacy_salt;

    #[test]
    fn the_salt_has_no_dot_before_the_class() {
        let salt = |salt| legacy_salt(salt);
        let own = "django.contrib.sessionsSessionStore";
        assert_eq!(salt("django.contrib.sessions.SessionStore"), own);
        assert_eq!(salt("django.contrib.sessions.Outer.SessionStore"), own);
        assert_eq!(salt(own), own);
        assert_eq!(salt("shop.sessions.Store"), "shop.sessions.Store");
        assert_eq!(salt(""), "");
    }
}
