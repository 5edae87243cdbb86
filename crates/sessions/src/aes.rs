//! Decrypts AES in the two modes that web frameworks seal cookies with.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use aes::{Aes128, Aes256};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use zeroize::Zeroizing;

/// Decrypts AES-128-CBC or AES-256-CBC, by the length of `key`, and removes the padding (PKCS #7).
/// `None` when a length does not fit or the padding is wrong: verify a signature first.
pub(crate) fn decrypt_cbc(key: &[u8], iv: &[u8], ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    match key.len() {
        16 => cbc::<Aes128>(key, iv, ciphertext),
        32 => cbc::<Aes256>(key, iv, ciphertext),
        _ => None,
    }
}

fn cbc<Cipher>(key: &[u8], iv: &[u8], ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>>
where
    Cipher: BlockCipherDecrypt + KeyInit,
{
    let cipher = cbc::Decryptor::<Cipher>::new_from_slices(key, iv).ok()?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let length = cipher.decrypt_padded::<Pkcs7>(&mut buffer).ok()?.len();
    buffer.truncate(length);
    Some(buffer)
}

/// Decrypts AES-128-GCM or AES-256-GCM, by the length of `key`, with a nonce of 12 bytes and a tag
/// of 16. `None` when a length does not fit or the tag is wrong.
pub(crate) fn decrypt_gcm(
    key: &[u8],
    nonce: &[u8],
    ciphertext: &[u8],
    tag: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    match key.len() {
        16 => gcm::<Aes128Gcm>(key, nonce, ciphertext, tag),
        32 => gcm::<Aes256Gcm>(key, nonce, ciphertext, tag),
        _ => None,
    }
}

fn gcm<Cipher>(
    key: &[u8],
    nonce: &[u8],
    ciphertext: &[u8],
    tag: &[u8],
) -> Option<Zeroizing<Vec<u8>>>
where
    Cipher: AeadInOut + KeyInit,
{
    let cipher = Cipher::new_from_slice(key).ok()?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let whole = buffer.as_mut_slice().into();
    cipher
        .decrypt_inout_detached(nonce.try_into().ok()?, b"", whole, tag.try_into().ok()?)
        .ok()?;
    Some(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(from: u8, length: u8) -> Vec<u8> {
        (from..from + length).collect()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(pair).collect()
    }

    /// Made by `openssl enc -aes-256-cbc` and `-aes-128-cbc` (OpenSSL 3.0).
    const CBC: [(u8, &str, &str); 2] = [
        (32, "96072ae21bd04115ad85e619f739a7cf", "alice|1|session"),
        (
            16,
            "277d33c9ea35dd21d98e6d8b5347728bcc1dcb18faf5beb32e5d4ec95ba30663",
            "sixteen bytes...",
        ),
    ];

    /// Made by `AESGCM` of Python's cryptography 48.0: ciphertext, then tag.
    const GCM: [(u8, &str); 2] = [
        (
            32,
            "1c92f1752cb50bcfb9107b6e6616076b082fd7acd1243f0e2614e1d0a193e1",
        ),
        (
            16,
            "a5426acc6a33879364b82e86ae48858114e1c4d32ac421bc08945a162b3df0",
        ),
    ];

    #[test]
    fn cbc_of_openssl_is_decrypted() {
        for (length, ciphertext, plaintext) in CBC {
            let (key, iv) = (counting(0, length), counting(16, 16));
            let decrypted = decrypt_cbc(&key, &iv, &bytes(ciphertext)).unwrap();
            assert_eq!(*decrypted, plaintext.as_bytes());
        }
    }

    #[test]
    fn cbc_with_wrong_padding_or_lengths_is_refused() {
        let (key, iv) = (counting(0, 32), counting(16, 16));
        let ciphertext = bytes(CBC[0].1);
        assert!(decrypt_cbc(&key[1..], &iv, &ciphertext).is_none());
        assert!(decrypt_cbc(&key[..24], &iv, &ciphertext).is_none());
        assert!(decrypt_cbc(b"", &iv, &ciphertext).is_none());
        assert!(decrypt_cbc(&key, &iv[1..], &ciphertext).is_none());
        assert!(decrypt_cbc(&key, &iv, &ciphertext[1..]).is_none());
        assert!(decrypt_cbc(&key, &iv, b"").is_none());
        let mut padding = iv.clone();
        padding[15] ^= 0xff;
        assert!(decrypt_cbc(&key, &padding, &ciphertext).is_none());
    }

    #[test]
    fn gcm_is_decrypted_and_each_tampered_byte_refused() {
        for (length, sealed) in GCM {
            let (key, nonce, mut sealed) = (counting(0, length), counting(16, 12), bytes(sealed));
            let open = |nonce: &[u8], sealed: &[u8]| {
                let (ciphertext, tag) = sealed.split_at(sealed.len() - 16);
                decrypt_gcm(&key, nonce, ciphertext, tag)
            };
            assert_eq!(*open(&nonce, &sealed).unwrap(), b"alice|1|session");
            for at in 0..sealed.len() {
                sealed[at] ^= 1;
                assert!(open(&nonce, &sealed).is_none(), "byte {at}");
                sealed[at] ^= 1;
            }
            assert!(open(&nonce[1..], &sealed).is_none());
            assert!(open(&counting(17, 12), &sealed).is_none());
        }
    }

    #[test]
    fn gcm_with_other_lengths_is_refused() {
        let (key, nonce, sealed) = (counting(0, 32), counting(16, 12), bytes(GCM[0].1));
        let (ciphertext, tag) = sealed.split_at(sealed.len() - 16);
        assert!(decrypt_gcm(&key[..31], &nonce, ciphertext, tag).is_none());
        assert!(decrypt_gcm(&key, b"", ciphertext, tag).is_none());
        assert!(decrypt_gcm(&key, &nonce, ciphertext, &tag[..12]).is_none());
        assert!(decrypt_gcm(&key, &nonce, ciphertext, b"").is_none());
    }
}
