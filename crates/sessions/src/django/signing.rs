//! Opens and makes the signed containers of `django.core.signing`:
//! `eyJfYXV0aF91c2VyX2lkIjoiNyJ9:1xocE4:bNpW9VX9TGA9zfqGq6HSDofJ5A3Xrd9leWXA6pqWKKs`.
//!
//! `[.]payload:timestamp:signature`: the payload is URL-safe Base64 without padding, of a zlib
//! stream where a dot leads; the timestamp is base 62; the signature is URL-safe Base64 of an
//! HMAC over everything before its colon, under the key `digest(salt ‖ "signer" ‖ SECRET_KEY)`.
//! Sessions that the server keeps are in it since Django 3.1, those of `signed_cookies` since 1.4.
//! Sources: `signing.dumps`, `TimestampSigner` and `Signer.sign_object` in core/signing.py and
//! `salted_hmac` in utils/crypto.py, Django 1.4, 2.2, 3.2 and 5.2.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use super::Digest;
use super::hmac::SaltedHmac;
use crate::python_base64::{self, Alphabet};
use crate::{Invalid, MAX_INPUT, compression};

/// The salt of a session in the database, a file or a cached database: the class's module and
/// `__qualname__` (`SessionBase.key_salt` in contrib/sessions/backends/base.py, 5.2).
pub const SESSION_SALT: &str = "django.contrib.sessions.SessionStore";

/// The contents of a container, and how it was made.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The serialized session: see [`read`](super::read).
    pub payload: Vec<u8>,
    /// When it was signed, in Unix seconds: only the signed container says so. Numbers past 64
    /// bits are the last that has a place there.
    pub signed_at: Option<i64>,
    /// The digest of the signature; `None` where the signature was not checked.
    pub digest: Option<Digest>,
}

/// Does not print the payload, which is private to the visitor.
impl fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Opened")
            .field("signed_at", &self.signed_at)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Opened {
    /// Whether the container was signed by Django 3.0 or earlier, or as they sign.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        self.signed_at.is_none()
    }

    /// Whether Django takes the signature for expired `now` (Unix seconds) under `max_age`
    /// seconds: at exactly that age not yet, and never where the timestamp is in the future
    /// (`TimestampSigner.unsign` in core/signing.py, 5.2). A container without a timestamp has
    /// no age.
    #[must_use]
    pub fn is_older_than(&self, max_age: u64, now: f64) -> bool {
        self.signed_at
            .is_some_and(|signed_at| now - signed_at as f64 > max_age as f64)
    }
}

/// A key that signs containers: made of one secret and one salt, once, then used many times.
#[derive(Clone)]
pub struct SigningKey {
    key: SaltedHmac,
    digest: Digest,
}

impl SigningKey {
    /// Derives the key that `salt` and `secret_key` (`SECRET_KEY` or one of its fallbacks) make
    /// with SHA-256.
    #[must_use]
    pub fn new(secret_key: &[u8], salt: &str) -> Self {
        Self::with_digest(Digest::Sha256, secret_key, salt)
    }

    pub(super) fn with_digest(digest: Digest, secret_key: &[u8], salt: &str) -> Self {
        let key = SaltedHmac::new(digest, &[salt.as_bytes(), b"signer"], secret_key);
        Self { key, digest }
    }

    /// The signature of `text`, as Django spells it.
    fn sign(&self, text: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.key.of(text))
    }

    fn signed(&self, text: &[u8], signature: &[u8]) -> bool {
        bool::from(self.sign(text).as_bytes().ct_eq(signature))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey(…)")
    }
}

/// Makes a container of `payload`, uncompressed, as signed at `timestamp` (Unix seconds).
#[must_use]
pub fn seal(payload: &[u8], key: &SigningKey, timestamp: u64) -> String {
    let signed = format!("{}:{}", URL_SAFE_NO_PAD.encode(payload), base62(timestamp));
    let signature = key.sign(signed.as_bytes());
    format!("{signed}:{signature}")
}

/// `b62_encode` of core/signing.py.
fn base62(mut number: u64) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::new();
    loop {
        let digit = usize::try_from(number % 62)
            .ok()
            .and_then(|digit| DIGITS.get(digit));
        digits.extend(digit.copied().map(char::from));
        number /= 62;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

/// `b62_decode` of core/signing.py (4.0; `baseconv.base62` before). Python's integers have no
/// end; a number past 64 bits becomes the last one that has a place there.
fn from_base62(text: &[u8]) -> Option<i64> {
    let (digits, sign) = match text.strip_prefix(b"-") {
        Some(digits) => (digits, -1),
        None if text.is_empty() => return None,
        None => (text, 1),
    };
    let digits = digits.iter().map(|byte| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'Z' => Some(byte - b'A' + 10),
        b'a'..=b'z' => Some(byte - b'a' + 36),
        _ => None,
    });
    let mut number = 0_i64;
    for digit in digits {
        number = number
            .saturating_mul(62)
            .saturating_add(i64::from(digit?) * sign);
    }
    Some(number)
}

/// Checks the signature of `container` under any of `keys`, and gives the payload in it.
///
/// The timestamp is not compared with anything: Django does not either for sessions that the
/// server keeps.
///
/// # Errors
/// [`Invalid`] when no key made the signature, or the container is malformed or too large.
pub fn open(container: &[u8], keys: &[SigningKey]) -> Result<Vec<u8>, Invalid> {
    unseal(container, keys).map(|opened| opened.payload)
}

/// Gives the payload of `container` without checking its signature, for stores that only the site
/// can write to.
///
/// # Errors
/// [`Invalid`] when the container is malformed or too large.
pub fn open_unsigned(container: &[u8]) -> Result<Vec<u8>, Invalid> {
    unseal_unsigned(container).map(|opened| opened.payload)
}

pub(super) fn unseal(container: &[u8], keys: &[SigningKey]) -> Result<Opened, Invalid> {
    let (signed, signature) = parts(container)?;
    let Some(key) = keys.iter().find(|key| key.signed(signed, signature)) else {
        return Err(Invalid::Signature);
    };
    Ok(Opened {
        digest: Some(key.digest),
        ..contents(signed)?
    })
}

pub(super) fn unseal_unsigned(container: &[u8]) -> Result<Opened, Invalid> {
    let (signed, _) = parts(container)?;
    contents(signed)
}

fn parts(container: &[u8]) -> Result<(&[u8], &[u8]), Invalid> {
    if container.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    split_last(container, b':').ok_or(Invalid::Format("no signature"))
}

fn contents(signed: &[u8]) -> Result<Opened, Invalid> {
    let (encoded, timestamp) = split_last(signed, b':').ok_or(Invalid::Format("no timestamp"))?;
    let timestamp =
        from_base62(timestamp).ok_or(Invalid::Format("the timestamp is not base 62"))?;
    let (encoded, compressed) = match encoded.strip_prefix(b".") {
        Some(encoded) => (encoded, true),
        None => (encoded, false),
    };
    let bytes = python_base64::decode(encoded, Alphabet::UrlSafe)?;
    Ok(Opened {
        payload: if compressed {
            compression::zlib(&bytes)?
        } else {
            bytes
        },
        signed_at: Some(timestamp),
        digest: None,
    })
}

fn split_last(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().rposition(|byte| *byte == separator)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}
