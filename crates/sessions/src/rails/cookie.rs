//! Opens encrypted cookies: `data--iv--tag` of AES-256-GCM, and `base64(data--iv)--digest` of
//! AES-256-CBC with an HMAC, as Rails 5.1 and earlier wrote them and later ones still read.
//!
//! Sources: `MessageEncryptor` (message_encryptor.rb), `MessageVerifier` (message_verifier.rb),
//! `Messages::Metadata` (messages/metadata.rb) and `EncryptedKeyRotatingCookieJar`
//! (middleware/cookies.rb), 5.2, 6.1, 7.0, 7.1 and 8.1.

use std::fmt;
use std::sync::OnceLock;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::hexadecimal::hexadecimal;
use crate::{Invalid, aes};

/// The longest cookie that is opened, in bytes. Rails writes none of more than 4096, and no browser
/// sends one.
const LONGEST: usize = 16 << 10;
/// How many times a key is derived (`key_generator` of Railties' application.rb).
const ITERATIONS: u32 = 1000;
/// `authenticated_encrypted_cookie_salt`, `encrypted_cookie_salt`, `encrypted_signed_cookie_salt` and
/// `signed_cookie_salt` of Railties' application/configuration.rb and Action Dispatch's railtie.rb.
const GCM_SALT: &[u8] = b"authenticated encrypted cookie";
const CBC_SALT: &[u8] = b"encrypted cookie";
const HMAC_SALT: &[u8] = b"signed encrypted cookie";
const SIGNED_SALT: &[u8] = b"signed cookie";
const SEPARATOR: &str = "--";
/// The length of a GCM tag, and those of it and of the nonce in Base64.
const TAG: usize = 16;
const ENCODED_TAG: usize = 24;
const ENCODED_NONCE: usize = 16;
/// That of a SHA-1 in hexadecimal.
const HEX_DIGEST: usize = 40;

/// The application's Rails, as in 7.0: it decides how strictly a cookie is taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    /// The part of a CBC cookie that is the digest is found by its length from here on. Earlier
    /// releases split it, and pay no heed to a third part.
    const DIGEST_BY_LENGTH: Self = Self(7, 0);
    /// The parts of a GCM cookie are found by their lengths from here on. Earlier releases split it,
    /// and pay no heed to a fourth part.
    const BY_LENGTH: Self = Self(7, 1);
}

/// `key_generator_hash_digest_class`: the digest that keys are derived with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyDigest {
    /// Until Rails 6.1, and where an application does not load the defaults of a later one.
    Sha1,
    /// By the defaults of Rails 7.0 and later.
    Sha256,
}

impl KeyDigest {
    /// What `config.load_defaults` of `version` says.
    #[must_use]
    pub fn of(version: Version) -> Self {
        match version >= Version(7, 0) {
            true => Self::Sha256,
            false => Self::Sha1,
        }
    }
}

/// `signed_cookie_digest`: the digest that signed cookies are signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedDigest {
    /// Of every Rails, unless the application says another.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl SignedDigest {
    /// The code of `text` in hexadecimal.
    fn code(self, key: &[u8; 64], text: &[u8]) -> Zeroizing<String> {
        fn code<Code: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Zeroizing<String> {
            // An HMAC takes keys of every length.
            let code = <Code as KeyInit>::new_from_slice(key).map(|code| code.chain_update(text));
            code.map(|code| hexadecimal(&code.finalize().into_bytes()))
                .unwrap_or_default()
        }
        match self {
            Self::Sha1 => code::<Hmac<Sha1>>(key, text),
            Self::Sha256 => code::<Hmac<Sha256>>(key, text),
            Self::Sha512 => code::<Hmac<Sha512>>(key, text),
        }
    }

    /// How long such a code is.
    fn length(self) -> usize {
        match self {
            Self::Sha1 => HEX_DIGEST,
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// How a cookie was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// AES-256-GCM.
    Gcm,
    /// AES-256-CBC with an HMAC of SHA-1.
    Cbc,
}

/// An open cookie.
pub struct Opened {
    /// The serialized value.
    pub payload: Zeroizing<Vec<u8>>,
    /// When the value expires, where its envelope says.
    pub expires: Option<SystemTime>,
    /// How it was sealed.
    pub container: Container,
}

/// Does not print the payload, which is private to the visitor.
impl fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Opened")
            .field("expires", &self.expires)
            .field("container", &self.container)
            .finish_non_exhaustive()
    }
}

/// The keys of an application's cookies, derived once.
pub struct Keyring {
    version: Version,
    digest: KeyDigest,
    /// `secret_key_base`, and each older one.
    secrets: Vec<Zeroizing<Vec<u8>>>,
    /// One a secret. A program that checks only passwords needs none.
    gcm: OnceLock<Vec<Key>>,
    /// Few cookies need it.
    cbc: OnceLock<CbcKey>,
    /// One a secret, for cookies that are signed and not encrypted.
    signed: OnceLock<Vec<Zeroizing<[u8; 64]>>>,
}

type Key = Zeroizing<[u8; 32]>;

struct CbcKey {
    cipher: Key,
    hmac: Zeroizing<[u8; 64]>,
}

/// Does not print the keys.
impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Keyring")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Keyring {
    /// The keys of `secret_key_base`, and of `older` ones that the application's `cookies_rotations`
    /// still take. They are derived when the first cookie is opened.
    pub fn new<'s>(
        secret_key_base: &'s [u8],
        older: impl IntoIterator<Item = &'s [u8]>,
        version: Version,
        digest: KeyDigest,
    ) -> Self {
        let all = std::iter::once(secret_key_base).chain(older);
        Self {
            version,
            digest,
            secrets: all.map(|secret| Zeroizing::new(secret.to_vec())).collect(),
            gcm: OnceLock::new(),
            cbc: OnceLock::new(),
            signed: OnceLock::new(),
        }
    }

    /// Opens the cookie called `name`, whose value is `sealed`, percent-encoding undone.
    ///
    /// # Errors
    /// [`Invalid`] where no key opens it, or where it was sealed for another purpose.
    pub fn open(&self, name: &str, sealed: &str) -> Result<Opened, Invalid> {
        if sealed.len() > LONGEST {
            return Err(Invalid::TooLarge(LONGEST));
        }
        let (plain, container) = match self.gcm_parts(sealed) {
            Some(parts) => (self.open_gcm(&parts), Container::Gcm),
            None => (self.open_cbc(sealed), Container::Cbc),
        };
        let (payload, expires) = envelope(plain.ok_or(Invalid::Signature)?, name)?;
        Ok(Opened {
            payload,
            expires,
            container,
        })
    }

    /// Opens the cookie called `name` that is signed alone, whose value is `signed`, percent-encoding
    /// undone: what it holds, and when that ends where its envelope says.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_signed(
        &self,
        name: &str,
        signed: &str,
        digest: SignedDigest,
    ) -> Result<(Zeroizing<Vec<u8>>, Option<SystemTime>), Invalid> {
        if signed.len() > LONGEST {
            return Err(Invalid::TooLarge(LONGEST));
        }
        const UNSIGNED: Invalid = Invalid::Format("it is not signed");
        let (text, code) = self
            .signed_parts(signed, digest.length())
            .filter(|(text, _)| !text.is_empty())
            .ok_or(UNSIGNED)?;
        let derived = |secret: &Zeroizing<Vec<u8>>| derive(self.digest, secret, SIGNED_SALT);
        let keys = self
            .signed
            .get_or_init(|| self.secrets.iter().map(derived).collect());
        let made = |key: &Zeroizing<[u8; 64]>| {
            let expected = digest.code(key, text.as_bytes());
            !expected.is_empty() && bool::from(expected.as_bytes().ct_eq(code.as_bytes()))
        };
        if !keys.iter().any(made) {
            return Err(Invalid::Signature);
        }
        envelope(Zeroizing::new(decode(text).ok_or(UNSIGNED)?), name)
    }

    /// Ciphertext, nonce and tag; `None` where there are no such three.
    fn gcm_parts(&self, sealed: &str) -> Option<[Vec<u8>; 3]> {
        let [data, nonce, tag] = if self.version >= Version::BY_LENGTH {
            parts_by_length(sealed)?
        } else {
            let parts = split(sealed);
            // Each is decoded, and Ruby fails on any that cannot be.
            let rest = parts.get(3..).unwrap_or_default();
            rest.iter().try_for_each(|part| decode(part).map(drop))?;
            match parts.as_slice() {
                [data, nonce, tag, ..] => [*data, *nonce, *tag],
                _ => return None,
            }
        };
        let tag = decode(tag).filter(|tag| tag.len() == TAG)?;
        let data = decode(data).filter(|data| !data.is_empty())?;
        Some([data, decode(nonce)?, tag])
    }

    fn open_gcm(&self, [data, nonce, tag]: &[Vec<u8>; 3]) -> Option<Zeroizing<Vec<u8>>> {
        let open = |key: &Key| aes::decrypt_gcm(key.as_slice(), nonce, data, tag);
        let derived = |secret: &Zeroizing<Vec<u8>>| derive(self.digest, secret, GCM_SALT);
        let keys = self
            .gcm
            .get_or_init(|| self.secrets.iter().map(derived).collect());
        keys.iter().find_map(open)
    }

    /// What is signed, and the digest in hexadecimal, which is of this `length`.
    fn signed_parts<'c>(&self, sealed: &'c str, length: usize) -> Option<(&'c str, &'c str)> {
        if self.version >= Version::DIGEST_BY_LENGTH {
            let (rest, digest) = sealed.split_at_checked(sealed.len().checked_sub(length)?)?;
            return Some((rest.strip_suffix(SEPARATOR)?, digest));
        }
        match split(sealed)[..] {
            [signed, digest, ..] => Some((signed, digest)),
            _ => None,
        }
    }

    fn open_cbc(&self, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        let (signed, digest) = self.signed_parts(sealed, HEX_DIGEST)?;
        let secret = self.secrets.first()?;
        let key = self.cbc.get_or_init(|| CbcKey {
            cipher: derive(self.digest, secret, CBC_SALT),
            hmac: derive(self.digest, secret, HMAC_SALT),
        });
        let mut mac = Hmac::<Sha1>::new_from_slice(key.hmac.as_slice()).ok()?;
        mac.update(signed.as_bytes());
        let expected = hexadecimal(&mac.finalize().into_bytes());
        if !bool::from(expected.as_bytes().ct_eq(digest.as_bytes())) {
            return None;
        }
        let text = String::from_utf8(decode(signed)?).ok()?;
        let [data, iv, ..] = split(&text)[..] else {
            return None;
        };
        aes::decrypt_cbc(key.cipher.as_slice(), &decode(iv)?, &decode(data)?)
    }
}

fn derive<const N: usize>(digest: KeyDigest, secret: &[u8], salt: &[u8]) -> Zeroizing<[u8; N]> {
    let mut key = Zeroizing::new([0; N]);
    let derive = match digest {
        KeyDigest::Sha1 => hallpass_pbkdf2::hmac_sha1,
        KeyDigest::Sha256 => hallpass_pbkdf2::hmac_sha256,
    };
    derive(secret, salt, ITERATIONS, key.as_mut_slice());
    key
}

/// As Ruby's `split`, which drops empty parts at the end.
fn split(text: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = text.split(SEPARATOR).collect();
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}

/// `extract_parts` of message_encryptor.rb, 7.1 and later.
fn parts_by_length(sealed: &str) -> Option<[&str; 3]> {
    let (rest, tag) = sealed.split_at_checked(sealed.len().checked_sub(ENCODED_TAG)?)?;
    let rest = rest.strip_suffix(SEPARATOR)?;
    let (rest, nonce) = rest.split_at_checked(rest.len().checked_sub(ENCODED_NONCE)?)?;
    Some([rest.strip_suffix(SEPARATOR)?, nonce, tag])
}

/// `Base64.strict_decode64`.
fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[derive(Deserialize)]
struct Enveloped {
    #[serde(default, rename = "_rails", deserialize_with = "present")]
    rails: Option<serde_json::Value>,
}

/// `null` is there, too.
fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

/// The value in the envelope that says for what and until when it is good, or `plain` itself where
/// there is none: Rails looks for either (`AbstractCookieJar#[]`).
fn envelope(
    plain: Zeroizing<Vec<u8>>,
    name: &str,
) -> Result<(Zeroizing<Vec<u8>>, Option<SystemTime>), Invalid> {
    let enveloped = serde_json::from_slice::<Enveloped>(&plain);
    let Some(envelope) = enveloped.ok().and_then(|it| it.rails) else {
        return Ok((plain, None));
    };
    const WRONG: Invalid = Invalid::Format("its envelope cannot be read");
    let Some(serde_json::Value::String(message)) = envelope.get("message") else {
        return Err(WRONG);
    };
    let purpose = match envelope.get("pur") {
        None | Some(serde_json::Value::Null) => "",
        Some(serde_json::Value::String(purpose)) => purpose,
        Some(_) => return Err(WRONG),
    };
    let of_this_cookie = purpose.strip_prefix("cookie.") == Some(name);
    if !purpose.is_empty() && !of_this_cookie {
        return Err(Invalid::Kind("it was sealed for another purpose"));
    }
    let expires = match envelope.get("exp") {
        None | Some(serde_json::Value::Null) => None,
        Some(serde_json::Value::String(time)) => {
            let time: jiff::Timestamp = time.parse().map_err(|_| WRONG)?;
            Some(time.into())
        }
        Some(_) => return Err(WRONG),
    };
    let payload = decode(message).ok_or(WRONG)?;
    Ok((Zeroizing::new(payload), expires))
}
