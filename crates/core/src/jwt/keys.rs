//! Reads keys, and verifies signatures by them.
//!
//! Each key is of one kind, and each algorithm is for one: a secret is never taken for a public key,
//! nor a public key for a secret. Public keys are `SubjectPublicKeyInfo` in PEM (RFC 5280, 7468) or
//! the members of a JWK Set (RFC 7517); ring verifies with them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use sha2::Sha256;

use super::Algorithm;
use super::json::Json;
use crate::Secret;

/// The fewest bytes of a secret: as many as the hash has (RFC 7518, section 3.2).
const SHORTEST_SECRET: usize = 32;
/// The bits that an RSA key must and may have.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// The longest file of keys.
const LONGEST_FILE: usize = 256 << 10;
/// The most keys of a set.
const MOST_KEYS: usize = 64;

/// What may have made a signature.
pub struct Keys(Vec<Key>);

struct Key {
    /// What the set calls it.
    id: Option<String>,
    material: Material,
}

enum Material {
    Secret(Secret),
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The point, uncompressed.
    P256([u8; 65]),
    Ed25519([u8; 32]),
}

/// Why a key cannot be used, to follow the setting that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKey(pub &'static str);

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Keys({} of them)", self.0.len())
    }
}

impl Keys {
    /// A secret that both sides know.
    ///
    /// # Errors
    /// [`InvalidKey`] where it is short, or a key of another kind.
    pub fn secret(secret: Secret) -> Result<Self, InvalidKey> {
        if secret.expose().len() < SHORTEST_SECRET {
            return Err(InvalidKey(
                "is shorter than 32 bytes, and HS256 is no stronger than its secret",
            ));
        }
        // With a public key as the secret, every client that knows that key could sign tokens.
        let begins = |with: &[u8]| secret.expose().trim_ascii_start().starts_with(with);
        if begins(b"-----BEGIN") || begins(b"ssh-") {
            return Err(InvalidKey(
                "is a key for signatures, not a secret; a public one belongs into `public_key`",
            ));
        }
        Ok(Self(vec![Key {
            id: None,
            material: Material::Secret(secret),
        }]))
    }

    /// One public key, in PEM.
    ///
    /// # Errors
    /// [`InvalidKey`].
    pub fn public(pem: &[u8]) -> Result<Self, InvalidKey> {
        let der = from_pem(pem)?;
        let material = public_key_info(&der).ok_or(InvalidKey(
            "is not an RSA key of 2048 to 8192 bits, a P-256 key or an Ed25519 key",
        ))?;
        Ok(Self(vec![Key { id: None, material }]))
    }

    /// A set of public keys, in JSON. Those for other uses and of other kinds are left out.
    ///
    /// # Errors
    /// [`InvalidKey`] where it is not a set, or none of its keys can be used.
    pub fn set(json: &[u8]) -> Result<Self, InvalidKey> {
        let set = (json.len() <= LONGEST_FILE).then(|| Json::object(json));
        let set = set.flatten().ok_or(InvalidKey("is not a JWK Set"))?;
        let Some(Json::List(members)) = set.member("keys") else {
            return Err(InvalidKey("is not a JWK Set: it has no list `keys`"));
        };
        if members.len() > MOST_KEYS {
            return Err(InvalidKey("has more than 64 keys"));
        }
        let keys: Vec<Key> = members.iter().filter_map(jwk).collect();
        let named = |key: &Key| (key.id.clone(), key.algorithm());
        for (at, key) in keys.iter().enumerate() {
            let twice = keys
                .iter()
                .skip(at + 1)
                .any(|other| named(other) == named(key));
            if key.id.is_some() && twice {
                return Err(InvalidKey("has two keys of one kid and kind"));
            }
        }
        if keys.is_empty() {
            return Err(InvalidKey(
                "has no key for signatures of RSA (2048 to 8192 bits), P-256 or Ed25519",
            ));
        }
        Ok(Self(keys))
    }

    /// The algorithms that they are for.
    #[must_use]
    pub fn fit(&self, algorithm: Algorithm) -> bool {
        self.0.iter().any(|key| key.algorithm() == algorithm)
    }

    /// Whether the key that is meant made `signature` of `signed`. The key is the only one of the
    /// algorithm's kind or, in a set, the one that is called `id`.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), &'static str> {
        let of_kind = || self.0.iter().filter(|key| key.algorithm() == algorithm);
        let mut meant = of_kind().filter(|key| match (&key.id, id) {
            (Some(own), Some(id)) => own == id,
            // A single key that has no name, or a token that names none.
            _ => true,
        });
        let key = meant
            .next()
            .ok_or("no configured key is of its kid and algorithm")?;
        if meant.next().is_some() {
            return Err("it names no key by a kid, and there are several");
        }
        match key.made(signed, signature) {
            true => Ok(()),
            false => Err("its signature is not that of the configured key"),
        }
    }
}

impl Key {
    /// The one algorithm that it is for.
    fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Secret(_) => Algorithm::Hs256,
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
            Material::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    fn made(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Secret(secret) => {
                let mac = Hmac::<Sha256>::new_from_slice(secret.expose());
                // The comparison takes as long whatever is wrong.
                mac.is_ok_and(|mac| mac.chain_update(signed).verify_slice(signature).is_ok())
            }
            Material::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
                .is_ok(),
            Material::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(signed, signature)
                .is_ok(),
            Material::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key)
                .verify(signed, signature)
                .is_ok(),
        }
    }
}

/// An RSA key of a fitting size.
fn rsa(n: &[u8], e: &[u8]) -> Option<Material> {
    let plain = |number: &[u8]| {
        let start = number.iter().position(|byte| *byte != 0)?;
        number.get(start..).map(<[u8]>::to_vec)
    };
    let (n, e) = (plain(n)?, plain(e)?);
    let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    // ring takes exponents from 3 to 33 bits, and odd ones alone.
    let odd = n.last()? & e.last()? & 1 == 1;
    let sound = RSA_BITS.contains(&bits) && odd && e.len() <= 4 && e != [1];
    sound.then_some(Material::Rsa { n, e })
}

/// A key of a set; `None` for one that is not for signatures, or of another kind.
fn jwk(key: &Json) -> Option<Key> {
    let text = |name: &str| key.member(name).and_then(Json::text);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    if key
        .member("use")
        .is_some_and(|usage| usage.text() != Some("sig"))
    {
        return None;
    }
    if let Some(operations) = key.member("key_ops") {
        let Json::List(operations) = operations else {
            return None;
        };
        operations.iter().find(|it| it.text() == Some("verify"))?;
    }
    let material = match (text("kty")?, text("crv")) {
        ("RSA", _) => rsa(&bytes("n")?, &bytes("e")?)?,
        ("EC", Some("P-256")) => {
            let (x, y): ([u8; 32], [u8; 32]) =
                (bytes("x")?.try_into().ok()?, bytes("y")?.try_into().ok()?);
            Material::P256([&[4], &x[..], &y].concat().try_into().ok()?)
        }
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x")?.try_into().ok()?),
        _ => return None,
    };
    let id = match key.member("kid") {
        None => None,
        Some(id) => Some(id.text()?.to_owned()),
    };
    let key_of = Key { id, material };
    // A key may say which algorithm it is for, and it is for no other then.
    let alg = key.member("alg");
    let fits = alg.is_none_or(|alg| alg.text() == Some(key_of.algorithm().name()));
    fits.then_some(key_of)
}

/// The bytes of the one block `PUBLIC KEY` in a file of PEM.
fn from_pem(pem: &[u8]) -> Result<Vec<u8>, InvalidKey> {
    let text = (pem.len() <= LONGEST_FILE).then(|| std::str::from_utf8(pem).ok());
    let text = text.flatten().ok_or(InvalidKey("is not PEM"))?.trim();
    if text.contains("PRIVATE KEY-----") {
        return Err(InvalidKey(
            "is a private key: it stays with who signs; `openssl pkey -pubout` gives the public one",
        ));
    }
    if text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(InvalidKey(
            "is a certificate; `openssl x509 -pubkey -noout` gives its public key",
        ));
    }
    let block = text.strip_prefix("-----BEGIN PUBLIC KEY-----");
    let block = block.and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"));
    let block = block.ok_or(InvalidKey("is not one block of PEM, `BEGIN PUBLIC KEY`"))?;
    let digits: String = block.split_ascii_whitespace().collect();
    STANDARD
        .decode(digits)
        .map_err(|_| InvalidKey("is not PEM: its Base64 is broken"))
}

/// `AlgorithmIdentifier` of RSA, of ECDSA on P-256, and of Ed25519, in DER.
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
const P256: &[u8] =
    b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const ED25519_KEY: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";

/// The key in a `SubjectPublicKeyInfo`.
fn public_key_info(der: &[u8]) -> Option<Material> {
    let (info, rest) = element(der, 0x30)?;
    if !rest.is_empty() {
        return None;
    }
    let key_of = |algorithm: &[u8]| {
        let (bits, rest) = element(info.strip_prefix(algorithm)?, 0x03)?;
        // No bits are left over in the last byte.
        bits.strip_prefix(b"\0").filter(|_| rest.is_empty())
    };
    if let Some(key) = key_of(RSA) {
        let (numbers, rest) = element(key, 0x30)?;
        let (n, numbers) = element(numbers, 0x02)?;
        let (e, numbers) = element(numbers, 0x02)?;
        return rsa(n, e).filter(|_| rest.is_empty() && numbers.is_empty());
    }
    if let Some(point) = key_of(P256) {
        let point: [u8; 65] = point.try_into().ok()?;
        return (point.first() == Some(&4)).then_some(Material::P256(point));
    }
    Some(Material::Ed25519(key_of(ED25519_KEY)?.try_into().ok()?))
}

/// The content of the element of DER with this `tag` at the beginning of `der`, and what follows.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81 => {
            let (one, rest) = rest.split_first()?;
            (usize::from(*one), rest)
        }
        0x82 => {
            let (two, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*two)), rest)
        }
        _ => return None,
    };
    (*first == tag)
        .then(|| rest.split_at_checked(length))
        .flatten()
}
