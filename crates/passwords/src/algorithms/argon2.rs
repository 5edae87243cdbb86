//! Verifies Argon2 in the PHC string form, parsed as the reference library does.
//!
//! Both argon2-cffi (Django) and PHP hand the stored text to `argon2_verify` of libargon2, so its
//! `decode_string` (`src/encoding.c`) decides what is well-formed: parameters in the order m, t,
//! p, decimal without leading zeros, base64 without padding and with zero spare bits, nothing
//! after the hash. A missing `v=` means version 1.0 (16).

use crate::hash::{Cost, Hash, Outcome, compare, plain_number};
use argon2::Algorithm;
use argon2::Argon2;
use argon2::Params;
use argon2::Version;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

/// A stored argon2 hash.
pub(crate) struct Argon2Hash {
    kind: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Argon2Hash {
    /// Parses `$argon2id$v=19$m=…,t=…,p=…$SALT$HASH`.
    pub(crate) fn parse(encoded: &str) -> Option<Self> {
        let (name, rest) = encoded.strip_prefix('$')?.split_once('$')?;
        let kind = match name {
            "argon2d" => Algorithm::Argon2d,
            "argon2i" => Algorithm::Argon2i,
            "argon2id" => Algorithm::Argon2id,
            _ => return None,
        };
        let (version, rest) = match rest.strip_prefix("v=") {
            Some(rest) => rest.split_once('$')?,
            None => ("16", rest),
        };
        let version = match version {
            "16" => Version::V0x10,
            "19" => Version::V0x13,
            _ => return None,
        };
        let mut fields = rest.split('$');
        let mut costs = fields.next()?.split(',');
        let memory = plain_number(costs.next()?.strip_prefix("m=")?)?;
        let passes = plain_number(costs.next()?.strip_prefix("t=")?)?;
        let lanes = plain_number(costs.next()?.strip_prefix("p=")?)?;
        let salt = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
        let hash = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
        if costs.next().is_some() || fields.next().is_some() || salt.len() < argon2::MIN_SALT_LEN {
            return None;
        }
        let params = Params::new(memory, passes, lanes, Some(hash.len())).ok()?;
        Some(Self {
            kind,
            version,
            params,
            salt,
            hash,
        })
    }

    /// Argon2id 1.3 with these settings (memory in KiB, passes, lanes) and a key of `length` bytes,
    /// to be derived and compared by the caller. `None` where argon2 has no such settings.
    pub(crate) fn of_settings(
        (memory, passes, lanes): (u32, u32, u32),
        salt: Vec<u8>,
        length: usize,
    ) -> Option<Self> {
        let params = Params::new(memory, passes, lanes, Some(length)).ok()?;
        (salt.len() >= argon2::MIN_SALT_LEN).then(|| Self {
            kind: Algorithm::Argon2id,
            version: Version::V0x13,
            params,
            salt,
            hash: vec![0; length],
        })
    }

    /// Bytes of the key.
    pub(crate) fn length(&self) -> usize {
        self.hash.len()
    }

    /// The key of `password`; `None` where the memory cannot be had.
    pub(crate) fn derive(&self, password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let argon2 = Argon2::new(self.kind, self.version, self.params.clone());
        let mut key = Zeroizing::new(vec![0; self.hash.len()]);
        let derived = argon2.hash_password_into(password, &self.salt, &mut key);
        derived.is_ok().then_some(key)
    }
}

impl Hash for Argon2Hash {
    fn cost(&self) -> Cost {
        let memory = u64::from(self.params.m_cost());
        let touched = memory * u64::from(self.params.t_cost());
        Cost {
            work: touched.saturating_mul(28) / 3,
            memory: memory * 1024,
        }
    }

    fn parameters(&self) -> String {
        let params = &self.params;
        let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
        format!("m={memory} KiB, t={passes}, p={lanes}")
    }

    fn check(&self, password: &[u8]) -> Outcome {
        match self.derive(password) {
            Some(computed) => compare(&self.hash, &computed),
            None => Outcome::Unsupported,
        }
    }
}

/// Writes a new `$argon2id$` string.
pub(crate) fn encode(
    password: &[u8],
    salt: &[u8],
    (memory, passes, lanes): (u32, u32, u32),
) -> Option<Zeroizing<String>> {
    let params = Params::new(memory, passes, lanes, Some(32)).ok()?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut hash = Zeroizing::new([0; 32]);
    argon2.hash_password_into(password, salt, &mut *hash).ok()?;
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(*hash));
    let costs = format!("m={memory},t={passes},p={lanes}");
    Some(Zeroizing::new(format!(
        "$argon2id$v=19${costs}${salt}${hash}"
    )))
}
