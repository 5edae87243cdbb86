//! PBKDF2-HMAC (RFC 8018 section 5.2).

use sha2::Sha256;

/// Derives `output.len()` bytes from `password` and `salt` with PBKDF2-HMAC-SHA256
/// (RFC 8018 section 5.2, PRF as in RFC 4231), repeating `iterations` times.
pub fn hmac_sha256(password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
    pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, output);
}
