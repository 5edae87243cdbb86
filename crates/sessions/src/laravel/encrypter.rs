//! Opens and seals what `Illuminate\Encryption\Encrypter` encrypts (src/Illuminate/Encryption of
//! laravel/framework 8.83 and 12.x): the Base64 of a JSON object with `iv`, `value`, `mac`, `tag`.

use std::borrow::Cow;

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockCipherEncrypt, BlockModeEncrypt, KeyInit, KeyIvInit};
use aes::{Aes128, Aes256};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::base64::{decode, decode_strictly};
use crate::aes::{decrypt_cbc, decrypt_gcm};
use crate::hexadecimal::hexadecimal;
use crate::{Invalid, MAX_INPUT};

/// `config('app.cipher')`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// `aes-128-cbc`
    Aes128Cbc,
    /// `aes-256-cbc`
    Aes256Cbc,
    /// `aes-128-gcm`
    Aes128Gcm,
    /// `aes-256-gcm`
    Aes256Gcm,
}

impl Cipher {
    /// The names that a configuration may have, in lower case.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("aes-128-cbc", Self::Aes128Cbc),
        ("aes-256-cbc", Self::Aes256Cbc),
        ("aes-128-gcm", Self::Aes128Gcm),
        ("aes-256-gcm", Self::Aes256Gcm),
    ];

    /// The cipher called `name`, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let is_it = |(known, _): &&(&str, Self)| known.eq_ignore_ascii_case(name);
        Self::NAMES.iter().find(is_it).map(|(_, cipher)| *cipher)
    }

    /// How many bytes its keys have.
    #[must_use]
    pub fn key_length(self) -> usize {
        match self {
            Self::Aes128Cbc | Self::Aes128Gcm => 16,
            Self::Aes256Cbc | Self::Aes256Gcm => 32,
        }
    }

    fn is_aead(self) -> bool {
        matches!(self, Self::Aes128Gcm | Self::Aes256Gcm)
    }
}

/// The key that `APP_KEY` is: `base64:…`, or the key itself.
#[must_use]
pub fn app_key(text: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(match text.strip_prefix(b"base64:") {
        Some(encoded) => decode(encoded),
        None => text.to_vec(),
    })
}

/// Opens what a site encrypts, with the site's key or an older one.
#[derive(Clone)]
pub struct Encrypter {
    cipher: Cipher,
    /// The current key first.
    keys: Vec<Key>,
}

/// A key, and what is made of it once.
#[derive(Clone)]
struct Key {
    cipher: Zeroizing<Vec<u8>>,
    /// Authenticates what CBC encrypts.
    mac: Hmac<Sha256>,
    /// Ties values to the names of cookies.
    names: Hmac<Sha1>,
}

impl Key {
    fn new(cipher: Zeroizing<Vec<u8>>) -> Option<Self> {
        Some(Self {
            mac: <Hmac<Sha256> as KeyInit>::new_from_slice(&cipher).ok()?,
            names: <Hmac<Sha1> as KeyInit>::new_from_slice(&cipher).ok()?,
            cipher,
        })
    }

    /// The code of an initialization vector and what was encrypted with it, both in Base64.
    fn mac_of(&self, iv: &str, value: &str) -> Zeroizing<String> {
        let mac = self.mac.clone().chain_update(iv).chain_update(value);
        hexadecimal(&mac.finalize().into_bytes())
    }

    /// What leads the value of the cookie `name` (`CookieValuePrefix`).
    fn prefix_of(&self, name: &str) -> Zeroizing<String> {
        let code = self.names.clone().chain_update(name).chain_update("v2");
        let mut prefix = hexadecimal(&code.finalize().into_bytes());
        prefix.push('|');
        prefix
    }
}

/// Never shows the keys.
impl std::fmt::Debug for Encrypter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "Encrypter({:?}, {} keys)",
            self.cipher,
            self.keys.len()
        )
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    iv: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[serde(borrow)]
    mac: Cow<'a, str>,
    #[serde(borrow, default)]
    tag: Option<Cow<'a, str>>,
}

impl Encrypter {
    /// `keys` with the current one first. `None` where one has another length than `cipher` wants,
    /// or there is none.
    #[must_use]
    pub fn new(cipher: Cipher, keys: Vec<Zeroizing<Vec<u8>>>) -> Option<Self> {
        let fits = |key: &Zeroizing<Vec<u8>>| key.len() == cipher.key_length();
        if keys.is_empty() || !keys.iter().all(fits) {
            return None;
        }
        let keys: Option<Vec<Key>> = keys.into_iter().map(Key::new).collect();
        keys.map(|keys| Self { cipher, keys })
    }

    /// Decrypts `payload`, as `Encrypter::decryptString` does.
    ///
    /// # Errors
    /// [`Invalid`] when it is not of this form, larger than [`MAX_INPUT`], or none of the keys made
    /// it.
    pub fn open(&self, payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, Invalid> {
        if payload.len() > MAX_INPUT {
            return Err(Invalid::TooLarge(MAX_INPUT));
        }
        let json = Zeroizing::new(decode(payload));
        let envelope: Envelope<'_> = serde_json::from_slice(&json)
            .map_err(|_| Invalid::Format("it is not an encrypted value"))?;
        let wrong_iv = Invalid::Format("the initialization vector has another length");
        let iv = decode_strictly(envelope.iv.as_bytes()).ok_or(wrong_iv)?;
        if iv.len() != if self.cipher.is_aead() { 12 } else { 16 } {
            return Err(wrong_iv);
        }
        // `empty` takes "0" for empty.
        let tag = envelope.tag.as_deref().unwrap_or_default();
        let tag = if matches!(tag, "" | "0") {
            None
        } else {
            Some(decode(tag.as_bytes()))
        };
        let value = decode(envelope.value.as_bytes());
        let opened = match (self.cipher.is_aead(), tag) {
            (true, Some(tag)) => self
                .keys
                .iter()
                .find_map(|key| decrypt_gcm(&key.cipher, &iv, &value, &tag)),
            (false, None) => {
                let made = |key: &&Key| {
                    let mac = key.mac_of(&envelope.iv, &envelope.value);
                    mac.as_bytes().ct_eq(envelope.mac.as_bytes()).into()
                };
                let key = self.keys.iter().find(made).ok_or(Invalid::Signature)?;
                decrypt_cbc(&key.cipher, &iv, &value)
            }
            _ => return Err(Invalid::Format("the tag is not one of this cipher")),
        };
        opened.ok_or(Invalid::Signature)
    }

    /// Encrypts `plain`, as `Encrypter::encryptString` does, but for the vector, which comes from the
    /// text: the same text gives the same value.
    #[must_use]
    pub fn seal(&self, plain: &[u8]) -> Option<String> {
        let first = self.keys.first()?;
        let vector = first.mac.clone().chain_update(b"vector\0");
        let vector = vector.chain_update(plain).finalize().into_bytes();
        let key = first.cipher.as_slice();
        let iv = vector.get(..if self.cipher.is_aead() { 12 } else { 16 })?;
        let (value, tag) = match self.cipher {
            Cipher::Aes128Cbc => (encrypt_cbc::<Aes128>(key, iv, plain)?, Vec::new()),
            Cipher::Aes256Cbc => (encrypt_cbc::<Aes256>(key, iv, plain)?, Vec::new()),
            Cipher::Aes128Gcm => encrypt_gcm::<Aes128Gcm>(key, iv, plain)?,
            Cipher::Aes256Gcm => encrypt_gcm::<Aes256Gcm>(key, iv, plain)?,
        };
        let (iv, value, tag) = (
            STANDARD.encode(iv),
            STANDARD.encode(value),
            STANDARD.encode(tag),
        );
        let mac = if self.cipher.is_aead() {
            Zeroizing::default()
        } else {
            first.mac_of(&iv, &value)
        };
        let json = serde_json::json!({"iv": iv, "value": value, "mac": *mac, "tag": tag});
        Some(STANDARD.encode(json.to_string()))
    }

    /// What leads the value of the cookie `name`, for each of the keys (`CookieValuePrefix`).
    pub(super) fn prefixes<'a>(
        &'a self,
        name: &'a str,
    ) -> impl Iterator<Item = Zeroizing<String>> + 'a {
        self.keys.iter().map(move |key| key.prefix_of(name))
    }
}

fn encrypt_cbc<Cipher>(key: &[u8], iv: &[u8], plain: &[u8]) -> Option<Vec<u8>>
where
    Cipher: BlockCipherEncrypt + KeyInit,
{
    let cipher = cbc::Encryptor::<Cipher>::new_from_slices(key, iv).ok()?;
    Some(cipher.encrypt_padded_vec::<Pkcs7>(plain))
}

fn encrypt_gcm<Cipher>(key: &[u8], nonce: &[u8], plain: &[u8]) -> Option<(Vec<u8>, Vec<u8>)>
where
    Cipher: AeadInOut + KeyInit,
{
    let cipher = Cipher::new_from_slice(key).ok()?;
    let mut buffer = plain.to_vec();
    let whole = buffer.as_mut_slice().into();
    let tag = cipher
        .encrypt_inout_detached(nonce.try_into().ok()?, b"", whole)
        .ok()?;
    Some((buffer, tag.to_vec()))
}
