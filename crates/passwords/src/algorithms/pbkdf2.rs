//! Verifies PBKDF2-HMAC (RFC 8018 section 5.2), whatever the format it is stored in.
//!
//! Django's `PBKDF2PasswordHasher` and `PBKDF2SHA1PasswordHasher` (5.2:`hashers.py` lines 311 to
//! 376) write `pbkdf2_sha256$ITERATIONS$SALT$BASE64`: over the UTF-8 salt text, as many bytes as the
//! digest has, standard base64 with padding. They compare the text; others compare the key.

use crate::algorithms::digest;
use crate::hash::{Cost, Hash, Limits, Outcome, compare, positive_number};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallpass_pbkdf2::Request;
use md4::Md4;
use md5::Md5;
use sha2::{Sha224, Sha384, Sha512};
use zeroize::Zeroizing;

/// Largest key that is derived: no software asks for more.
const LONGEST_KEY: usize = 1024;

/// A stored PBKDF2 hash.
pub(crate) struct Pbkdf2Hash {
    digest: digest::Kind,
    iterations: u32,
    salt: Vec<u8>,
    stored: Stored,
}

/// What the derived key is compared with.
enum Stored {
    /// The whole text, as Django writes it.
    Text(Kind, String),
    /// The key itself.
    Key(Vec<u8>),
}

/// The digest of the HMAC, where many derivations can be done at a time.
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
            digest: kind.digest(),
            iterations,
            salt: salt.into(),
            stored: Stored::Text(kind, encoded.to_owned()),
        })
    }

    /// A hash whose software compares the derived key with `key`. `None` where the key is empty or
    /// overlong, or `iterations` is 0.
    pub(crate) fn of_key(
        digest: digest::Kind,
        iterations: u32,
        salt: Vec<u8>,
        key: Vec<u8>,
    ) -> Option<Self> {
        let sound = iterations > 0 && (1..=LONGEST_KEY).contains(&key.len());
        sound.then_some(Self {
            digest,
            iterations,
            salt,
            stored: Stored::Key(key),
        })
    }

    /// The name of Django's hasher; `None` of other software's hashes.
    pub(crate) fn django_name(&self) -> Option<&'static str> {
        match &self.stored {
            Stored::Text(kind, _) => Some(kind.name()),
            Stored::Key(_) => None,
        }
    }

    /// The digest and the iterations, where the derivation is one block of a digest that an engine
    /// can do many of at a time.
    pub(crate) fn single(&self) -> Option<(Kind, u32)> {
        let kind = Kind::of(self.digest)?;
        (self.length() == kind.length()).then_some((kind, self.iterations))
    }

    /// The derivation of a check of one block with `kind`, for an engine that does many at a time.
    pub(crate) fn request(&self, kind: Kind, password: &[u8]) -> Request {
        request(kind, password, &self.salt, self.iterations)
    }

    /// Compares what is stored with what the derived key makes.
    pub(crate) fn compare(&self, key: &[u8]) -> Outcome {
        match &self.stored {
            Stored::Text(kind, encoded) => {
                let computed = write(*kind, &self.salt, self.iterations, key);
                compare(encoded.as_bytes(), computed.as_bytes())
            }
            Stored::Key(stored) => compare(stored, key),
        }
    }

    /// Bytes of the derived key.
    fn length(&self) -> usize {
        match &self.stored {
            Stored::Text(kind, _) => kind.length(),
            Stored::Key(key) => key.len(),
        }
    }

    /// Iterations of all blocks of the key.
    fn rounds(&self) -> u64 {
        let blocks = self.length().div_ceil(self.digest.length());
        u64::from(self.iterations).saturating_mul(u64::try_from(blocks).unwrap_or(u64::MAX))
    }
}

impl Hash for Pbkdf2Hash {
    fn cost(&self) -> Cost {
        let rounds = self.rounds();
        Cost {
            work: match self.digest {
                digest::Kind::Sha1 => rounds.saturating_mul(19) / 20,
                digest::Kind::Sha224 | digest::Kind::Sha256 => rounds,
                digest::Kind::Md4 | digest::Kind::Md5 => rounds.saturating_mul(2),
                digest::Kind::Sha384 | digest::Kind::Sha512 => rounds.saturating_mul(6),
            },
            memory: 0,
        }
    }

    fn parameters(&self) -> String {
        format!("{} iterations", self.iterations)
    }

    fn fits(&self, limits: &Limits, _length: usize) -> bool {
        let work = match self.digest {
            digest::Kind::Sha1 => self.rounds(),
            _ => self.cost().work,
        };
        work <= u64::from(limits.max_iterations)
    }

    fn check(&self, password: &[u8]) -> Outcome {
        let mut key = Zeroizing::new(vec![0; self.length()]);
        let (salt, iterations) = (&*self.salt, self.iterations);
        match self.digest {
            digest::Kind::Sha1 => hallpass_pbkdf2::hmac_sha1(password, salt, iterations, &mut key),
            digest::Kind::Sha256 => {
                hallpass_pbkdf2::hmac_sha256(password, salt, iterations, &mut key);
            }
            digest::Kind::Md4 => pbkdf2::pbkdf2_hmac::<Md4>(password, salt, iterations, &mut key),
            digest::Kind::Md5 => pbkdf2::pbkdf2_hmac::<Md5>(password, salt, iterations, &mut key),
            digest::Kind::Sha224 => {
                pbkdf2::pbkdf2_hmac::<Sha224>(password, salt, iterations, &mut key);
            }
            digest::Kind::Sha384 => {
                pbkdf2::pbkdf2_hmac::<Sha384>(password, salt, iterations, &mut key);
            }
            digest::Kind::Sha512 => {
                pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut key);
            }
        }
        self.compare(&key)
    }
}

impl Kind {
    fn of(digest: digest::Kind) -> Option<Self> {
        match digest {
            digest::Kind::Sha1 => Some(Self::Sha1),
            digest::Kind::Sha256 => Some(Self::Sha256),
            _ => None,
        }
    }

    fn digest(self) -> digest::Kind {
        match self {
            Self::Sha1 => digest::Kind::Sha1,
            Self::Sha256 => digest::Kind::Sha256,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "pbkdf2_sha1",
            Self::Sha256 => "pbkdf2_sha256",
        }
    }

    /// Bytes of the digest.
    fn length(self) -> usize {
        self.digest().length()
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
    write(kind, salt.as_bytes(), iterations, &key)
}

/// The salt was read as text.
fn write(kind: Kind, salt: &[u8], iterations: u32, key: &[u8]) -> Zeroizing<String> {
    let key = Zeroizing::new(STANDARD.encode(key));
    let salt = String::from_utf8_lossy(salt);
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
