//! Decodes the variants of Base64 that stored hashes are written in.
//!
//! All of them are read strictly, spare bits included, so that a damaged text is never taken for a
//! sound one.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// The standard alphabet, with padding (RFC 4648 section 4).
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The standard alphabet, with padding or without.
pub(crate) fn either_base64(text: &str) -> Option<Vec<u8>> {
    unpadded(text).or_else(|| base64(text))
}

/// The standard alphabet, without padding.
pub(crate) fn unpadded(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok()
}

/// What passlib reads: padding is left out as a rule (1.7.4 `b64s_decode`).
pub(crate) fn stripped(text: &str) -> Option<Vec<u8>> {
    unpadded(text.trim_end_matches('='))
}

/// passlib's "adapted" Base64, `.` for `+` (1.7.4 `ab64_decode`, which takes `+` as well).
pub(crate) fn adapted(text: &str) -> Option<Vec<u8>> {
    stripped(&text.replace('.', "+"))
}
