//! Checks what itsdangerous has signed: `payload.timestamp.signature`, and `id.signature`.
//!
//! By `Signer`, `TimestampSigner` and `URLSafeSerializerMixin` of itsdangerous 2.2 with HMAC-SHA-1,
//! as `SecureCookieSessionInterface` of Flask 3.1 (sessions.py) and Flask-Session 0.8 (base.py) call
//! them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::python_base64::{Alphabet, decode};
use crate::{Invalid, MAX_INPUT, compression};

/// `SecureCookieSessionInterface.salt`.
const COOKIE_SALT: &[u8] = b"cookie-session";
/// The salt of Flask-Session's signer.
const SID_SALT: &[u8] = b"flask-session";

/// A key derived from one secret for one purpose.
#[derive(Clone)]
struct Key(Hmac<Sha1>);

impl Key {
    /// `Signer.derive_key` with the derivation `hmac`.
    fn new(secret: &[u8], salt: &[u8]) -> Self {
        let mut secret_block = block(secret);
        let derived: Zeroizing<[u8; 20]> = Zeroizing::new(
            Hmac::<Sha1>::new(&secret_block.into())
                .chain_update(salt)
                .finalize()
                .into_bytes()
                .into(),
        );
        secret_block.zeroize();
        let mut key_block = block(&*derived);
        let key = Hmac::new(&key_block.into());
        key_block.zeroize();
        Self(key)
    }

    fn signed(&self, text: &[u8], signature: &[u8]) -> bool {
        let expected = self.0.clone().chain_update(text).finalize().into_bytes();
        bool::from(expected.as_slice().ct_eq(signature))
    }
}

/// The block that an HMAC key fills: its digest where it is longer (RFC 2104 section 2).
fn block(key: &[u8]) -> [u8; 64] {
    let mut block = [0; 64];
    let digest: Zeroizing<[u8; 20]>;
    let key = if key.len() > block.len() {
        digest = Zeroizing::new(<Sha1 as sha1::Digest>::digest(key).into());
        &digest[..]
    } else {
        key
    };
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    block
}

/// The keys of a site's session cookies: of `SECRET_KEY` and `SECRET_KEY_FALLBACKS`.
#[derive(Clone)]
pub struct CookieKeys(Vec<Key>);

/// What a cookie holds whose signature is right.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened {
    /// The payload, decompressed: JSON.
    pub payload: Vec<u8>,
    /// When it was signed, in Unix seconds.
    pub signed_at: u64,
}

impl CookieKeys {
    /// The keys that `secrets` make, the current one first.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let keys = secrets.into_iter().map(|it| Key::new(it, COOKIE_SALT));
        Self(keys.collect())
    }

    /// Opens the cookie `value`, however old it is.
    ///
    /// # Errors
    /// [`Invalid::Signature`] when none of the keys signed it; [`Invalid::Format`] when it is not a
    /// signed payload; [`Invalid::TooLarge`].
    pub fn open(&self, value: &[u8]) -> Result<Opened, Invalid> {
        if value.len() > MAX_INPUT {
            return Err(Invalid::TooLarge(MAX_INPUT));
        }
        let signed = unsign(&self.0, value)?;
        let (payload, timestamp) =
            split_last(signed).ok_or(Invalid::Format("the cookie has no timestamp"))?;
        let signed_at = seconds(timestamp)?;
        let (encoded, compressed) = match payload.strip_prefix(b".") {
            Some(encoded) => (encoded, true),
            None => (payload, false),
        };
        let bytes = decode(encoded, Alphabet::UrlSafe)?;
        let payload = if compressed {
            compression::zlib(&bytes)?
        } else {
            bytes
        };
        Ok(Opened { payload, signed_at })
    }
}

/// The key that signs Flask-Session's ids (`SESSION_USE_SIGNER`).
#[derive(Clone)]
pub struct SidKey(Key);

impl SidKey {
    /// The key that `SECRET_KEY` makes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(Key::new(secret, SID_SALT))
    }

    /// The id in a signed one.
    ///
    /// # Errors
    /// [`Invalid::Signature`] when the key did not sign it, [`Invalid::Format`] when nothing did.
    pub fn unsign<'a>(&self, sid: &'a [u8]) -> Result<&'a [u8], Invalid> {
        unsign(std::slice::from_ref(&self.0), sid)
    }

    /// The id `sid`, signed as Flask-Session would.
    #[must_use]
    pub fn sign(&self, sid: &str) -> String {
        let signature = self.0.0.clone().chain_update(sid).finalize().into_bytes();
        format!("{sid}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// `Signer.unsign`: what stands before the last dot, when what stands after it is its signature. As
/// there, the Base64 of a signature is read leniently.
fn unsign<'a>(keys: &[Key], value: &'a [u8]) -> Result<&'a [u8], Invalid> {
    let (signed, signature) = split_last(value).ok_or(Invalid::Format("it is not signed"))?;
    let signature = decode(signature, Alphabet::UrlSafe).map_err(|_| Invalid::Signature)?;
    let by_any = keys.iter().any(|key| key.signed(signed, &signature));
    by_any.then_some(signed).ok_or(Invalid::Signature)
}

/// `bytes_to_int` of a timestamp in Base64: eight bytes at most.
fn seconds(timestamp: &[u8]) -> Result<u64, Invalid> {
    const MALFORMED: Invalid = Invalid::Format("the cookie's timestamp is not a number");
    let bytes = decode(timestamp, Alphabet::UrlSafe).map_err(|_| MALFORMED)?;
    if bytes.len() > 8 {
        return Err(MALFORMED);
    }
    Ok(bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn split_last(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().rposition(|byte| *byte == b'.')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

impl fmt::Debug for CookieKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CookieKeys(…)")
    }
}

impl fmt::Debug for SidKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SidKey(…)")
    }
}
