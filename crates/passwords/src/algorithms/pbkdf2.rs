//! `PBKDF2PasswordHasher` and `PBKDF2SHA1PasswordHasher` (5.2:`hashers.py` lines 311 to 376).
//!
//! `pbkdf2_sha256$ITERATIONS$SALT$BASE64`: PBKDF2-HMAC over the UTF-8 salt text, as many bytes as
//! the digest has, standard base64 with padding.

use crate::hash::{Cost, Hash, Limits, Outcome, compare, positive_number};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallpass_pbkdf2::Request;
use zeroize::Zeroizing;

/// A stored PBKDF2 hash.
pub(crate) struct Pbkdf2Hash {
    kind: Kind,
    iterations: u32,
    salt: String,
    encoded: String,
}

/// The digest of the HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sha1,
    Sha256,
}

impl Pbkdf2Hash {
    /// `decode` (5.2:`hashers.py` line 331). Counts that Python's `int` would read, but Django
    /// would not write again the same way, are left out: they never match.
    pub(crate) fn parse(encoded: &str) -> Option<Self> {
        let mut fields = encoded.splitn(4, '$');
        let kind = match fields.next()? {
            "pbkdf2_sha1" => Kind::Sha1,
            "pbkdf2_sha256" => Kind::Sha256,
            _ => return None,
        };
        let iterations = positive_number(fields.next()?)?;
        let salt = fields.next()?;
        fields.next()?;
        (!salt.is_empty()).then(|| Self {
            kind,
            iterations,
            salt: salt.to_owned(),
            encoded: encoded.to_owned(),
        })
    }

    /// The derivation of a check, for an engine that does many at a time.
    pub(crate) fn request(&self, password: &[u8]) -> Request {
        request(self.kind, password, self.salt.as_bytes(), self.iterations)
    }

    /// Compares the whole stored text with what the derived key makes.
    pub(crate) fn compare(&self, key: &[u8]) -> Outcome {
        let computed = write(self.kind, &self.salt, self.iterations, key);
        compare(self.encoded.as_bytes(), computed.as_bytes())
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn iterations(&self) -> u32 {
        self.iterations
    }
}

impl Hash for Pbkdf2Hash {
    fn cost(&self) -> Cost {
        let iterations = u64::from(self.iterations);
        Cost {
            work: match self.kind {
                Kind::Sha1 => iterations * 19 / 20,
                Kind::Sha256 => iterations,
            },
            memory: 0,
        }
    }

    fn parameters(&self) -> String {
        format!("{} iterations", self.iterations)
    }

    fn fits(&self, limits: &Limits, _length: usize) -> bool {
        self.iterations <= limits.max_iterations
    }

    fn check(&self, password: &[u8]) -> Outcome {
        self.compare(&derive(
            self.kind,
            password,
            self.salt.as_bytes(),
            self.iterations,
        ))
    }
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "pbkdf2_sha1",
            Self::Sha256 => "pbkdf2_sha256",
        }
    }

    /// Bytes of the digest.
    fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

/// Writes a hash as Django would.
pub(crate) fn encode(
    kind: Kind,
    password: &[u8],
    salt: &str,
    iterations: u32,
) -> Zeroizing<String> {
    let key = derive(kind, password, salt.as_bytes(), iterations);
    write(kind, salt, iterations, &key)
}

fn write(kind: Kind, salt: &str, iterations: u32, key: &[u8]) -> Zeroizing<String> {
    let key = Zeroizing::new(STANDARD.encode(key));
    Zeroizing::new(format!("{}${iterations}${salt}${}", kind.name(), *key))
}

/// The derivation of a key, for an engine that does many at a time.
pub(crate) fn request(kind: Kind, password: &[u8], salt: &[u8], iterations: u32) -> Request {
    match kind {
        Kind::Sha1 => Request::hmac_sha1(password, salt, iterations, kind.length()),
        Kind::Sha256 => Request::hmac_sha256(password, salt, iterations, kind.length()),
    }
}

/// The key itself.
pub(crate) fn derive(
    kind: Kind,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(vec![0; kind.length()]);
    match kind {
        Kind::Sha1 => hallpass_pbkdf2::hmac_sha1(password, salt, iterations, &mut key),
        Kind::Sha256 => hallpass_pbkdf2::hmac_sha256(password, salt, iterations, &mut key),
    }
    key
}
