//! Names what PBKDF2 needs of a hash function, and takes it from RustCrypto.
//!
//! Within HMAC, SHA-1 is not known to be weak; sites that hashed passwords with it still need it.

use crate::accelerate::Accelerated;

/// The words of a state, and of a digest, of SHA-1 (FIPS 180-4 section 6.1).
pub(crate) const SHA1_WORDS: usize = 5;

/// The words of a state, and of a digest, of SHA-256 (FIPS 180-4 section 6.2).
pub(crate) const SHA256_WORDS: usize = 8;

/// A hash of the Merkle–Damgård kind with blocks of sixteen big-endian 32-bit words and a state
/// of `WORDS` words.
pub(crate) trait Hash<const WORDS: usize>: Accelerated<WORDS> {
    /// The state before the first block (FIPS 180-4 section 5.3).
    const INITIAL: [u32; WORDS];

    /// Replaces `state` by the one after `block`.
    fn compress(state: &mut [u32; WORDS], block: &[u8; BLOCK]);

    /// Fills `output` with PBKDF2-HMAC, one block after the other.
    fn derive(password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]);
}

/// The bytes of a block that is hashed.
pub(crate) const BLOCK: usize = 64;

/// SHA-1.
pub(crate) struct Sha1;

impl Hash<SHA1_WORDS> for Sha1 {
    const INITIAL: [u32; SHA1_WORDS] = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];

    fn compress(state: &mut [u32; SHA1_WORDS], block: &[u8; BLOCK]) {
        sha1::block_api::compress(state, std::slice::from_ref(block));
    }

    fn derive(password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
        pbkdf2::pbkdf2_hmac::<sha1::Sha1>(password, salt, iterations, output);
    }
}

/// SHA-256.
pub(crate) struct Sha256;

impl Hash<SHA256_WORDS> for Sha256 {
    const INITIAL: [u32; SHA256_WORDS] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];

    fn compress(state: &mut [u32; SHA256_WORDS], block: &[u8; BLOCK]) {
        sha2::block_api::compress256(state, std::slice::from_ref(block));
    }

    fn derive(password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password, salt, iterations, output);
    }
}
