//! The signed container of `django.core.signing` (3.1 and later).
//!
//! `[.]payload:timestamp:signature`: the payload is URL-safe Base64 without padding, of a zlib
//! stream where a dot leads; the timestamp is base 62; the signature is URL-safe Base64 of an
//! HMAC-SHA256 over everything before its colon, under the key
//! `SHA256(salt ‖ "signer" ‖ SECRET_KEY)`. Sources: `signing.dumps`, `TimestampSigner` and
//! `Signer.sign_object` in core/signing.py and `salted_hmac` in utils/crypto.py, Django 5.2.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::Invalid;

/// The salt of a session in the database, a file or a cached database: the class's module and
/// `__qualname__` (`SessionBase.key_salt` in contrib/sessions/backends/base.py, 5.2).
pub const SESSION_SALT: &str = "django.contrib.sessions.SessionStore";

/// The longest container that is read, in bytes.
const MAX_CONTAINER: usize = 1 << 20;
/// The longest payload that is taken out of a compressed container, in bytes.
const MAX_PAYLOAD: usize = 4 << 20;

/// What `base64.urlsafe_b64decode` takes once Django has put the padding back, except that
/// bytes outside the alphabet, which Python drops, are refused.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A key that signs containers: made of one secret and one salt, once, then used many times.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Derives the key that `salt` and `secret_key` (`SECRET_KEY` or one of its fallbacks) make.
    #[must_use]
    pub fn new(secret_key: &[u8], salt: &str) -> Self {
        Self(salted_hmac(&[salt.as_bytes(), b"signer"], secret_key))
    }

    fn signed(&self, text: &[u8], signature: &[u8]) -> bool {
        let digest = self.0.clone().chain_update(text).finalize().into_bytes();
        let mut expected = [0; 43];
        // 32 bytes fill 43 characters of Base64 exactly, so the encoding cannot fail; if it ever
        // did, the text of zeros that is left equals no signature.
        let _ = URL_SAFE_NO_PAD.encode_slice(digest, &mut expected);
        bool::from(expected.ct_eq(signature))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SigningKey(…)")
    }
}

/// `salted_hmac` of utils/crypto.py: HMAC-SHA256 under `SHA256(salt ‖ secret)`.
pub(super) fn salted_hmac(salt: &[&[u8]], secret: &[u8]) -> Hmac<Sha256> {
    let mut hash = Sha256::new();
    for part in salt {
        hash.update(part);
    }
    hash.update(secret);
    let mut key: [u8; 32] = hash.finalize().into();
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(key) {
        *to = from;
    }
    key.zeroize();
    // An HMAC key shorter than a block is filled up with zeros (RFC 2104 section 2), so the block
    // is the same key.
    let keyed = Hmac::new(&block.into());
    block.zeroize();
    keyed
}

/// Makes a container of `payload`, uncompressed, as signed at `timestamp` (Unix seconds).
#[must_use]
pub fn seal(payload: &[u8], key: &SigningKey, timestamp: u64) -> String {
    let signed = format!("{}:{}", URL_SAFE_NO_PAD.encode(payload), base62(timestamp));
    let digest = key.0.clone().chain_update(&signed).finalize().into_bytes();
    format!("{signed}:{}", URL_SAFE_NO_PAD.encode(digest))
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

/// Checks the signature of `container` under any of `keys`, and gives the payload in it.
///
/// The timestamp is not compared with anything: Django does not either for sessions that the
/// server keeps.
///
/// # Errors
/// [`Invalid`] when no key made the signature, or the container is malformed or too large.
pub fn open(container: &[u8], keys: &[SigningKey]) -> Result<Vec<u8>, Invalid> {
    if container.len() > MAX_CONTAINER {
        return Err(Invalid::TooLarge(MAX_CONTAINER));
    }
    let (signed, signature) = split_last(container, b':').ok_or(Invalid::Format("no signature"))?;
    if !keys.iter().any(|key| key.signed(signed, signature)) {
        return Err(Invalid::Signature);
    }
    payload(signed)
}

/// Gives the payload of `container` without asking who signed it, for stores that nobody but the
/// site can write to.
///
/// # Errors
/// [`Invalid`] when the container is malformed or too large.
pub fn open_unsigned(container: &[u8]) -> Result<Vec<u8>, Invalid> {
    if container.len() > MAX_CONTAINER {
        return Err(Invalid::TooLarge(MAX_CONTAINER));
    }
    let (signed, _) = split_last(container, b':').ok_or(Invalid::Format("no signature"))?;
    payload(signed)
}

fn payload(signed: &[u8]) -> Result<Vec<u8>, Invalid> {
    let (encoded, timestamp) = split_last(signed, b':').ok_or(Invalid::Format("no timestamp"))?;
    let digits = timestamp.strip_prefix(b"-").unwrap_or(timestamp);
    if timestamp.is_empty() || !digits.iter().all(u8::is_ascii_alphanumeric) {
        return Err(Invalid::Format("the timestamp is not base 62"));
    }
    let (encoded, compressed) = match encoded.strip_prefix(b".") {
        Some(encoded) => (encoded, true),
        None => (encoded, false),
    };
    let bytes = URL_SAFE
        .decode(encoded)
        .map_err(|_| Invalid::Format("the payload is not Base64"))?;
    if !compressed {
        return Ok(bytes);
    }
    miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&bytes, MAX_PAYLOAD).map_err(|error| {
        match error.status {
            miniz_oxide::inflate::TINFLStatus::HasMoreOutput => Invalid::TooLarge(MAX_PAYLOAD),
            _ => Invalid::Format("the payload does not decompress"),
        }
    })
}

fn split_last(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().rposition(|byte| *byte == separator)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}
