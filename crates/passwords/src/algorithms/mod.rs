//! What every kind of stored hash can do once its fields have been read.

pub(crate) mod argon2;
pub(crate) mod bcrypt;
pub(crate) mod crypt;
pub(crate) mod crypt64;
mod des_crypt;
pub(crate) mod digest;
mod md5_crypt;
pub(crate) mod pbkdf2;
pub(crate) mod phpass;
pub(crate) mod scrypt;
mod sha_crypt;

use subtle::ConstantTimeEq as _;

use crate::Description;
use crate::Limits;
use crate::Outcome;

/// A stored hash whose fields have been read and are in range.
pub(crate) trait Scheme {
    /// What the hash says of itself.
    fn description(&self) -> Description;

    /// Whether a check of a password of `length` bytes keeps within the limits.
    fn permitted(&self, limits: &Limits, _length: usize) -> bool {
        let Description { work, memory, .. } = self.description();
        work <= u64::from(limits.max_iterations) && memory <= limits.max_memory
    }

    /// Whether it is of this password, as the software's own hash function gets it.
    fn check(&self, password: &[u8]) -> Outcome;
}

/// A stored hash, or `None` where the rules at hand cannot make sense of it.
pub(crate) type Parsed<'a> = Option<Box<dyn Scheme + 'a>>;

/// Checks a password as the hash function gets it, within the limits.
pub(crate) fn check(scheme: &dyn Scheme, password: &[u8], limits: &Limits) -> Outcome {
    if scheme.permitted(limits, password.len()) {
        scheme.check(password)
    } else {
        Outcome::Unsupported
    }
}

/// Compares what is stored with what the password came to, in constant time.
pub(crate) fn compare(stored: &[u8], computed: &[u8]) -> Outcome {
    if bool::from(stored.ct_eq(computed)) {
        Outcome::Match
    } else {
        Outcome::Mismatch
    }
}

/// Whether `work` for each block of 64 bytes that the password fills stays within the limits,
/// for the schemes that hash the password anew in each round.
pub(crate) fn rounds_permitted(work: u64, limits: &Limits, length: usize) -> bool {
    let blocks = u64::try_from(length / 64)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    work.saturating_mul(blocks) <= u64::from(limits.max_iterations)
}

/// A scheme that gets something else than the password itself: a digest of it, say.
pub(crate) struct Prehashed<'a> {
    pub(crate) algorithm: &'static str,
    pub(crate) prehash: fn(&[u8]) -> zeroize::Zeroizing<Vec<u8>>,
    pub(crate) inner: Box<dyn Scheme + 'a>,
}

impl Scheme for Prehashed<'_> {
    fn description(&self) -> Description {
        Description {
            algorithm: self.algorithm,
            ..self.inner.description()
        }
    }

    fn permitted(&self, limits: &Limits, _length: usize) -> bool {
        self.inner.permitted(limits, (self.prehash)(b"").len())
    }

    fn check(&self, password: &[u8]) -> Outcome {
        self.inner.check(&(self.prehash)(password))
    }
}

/// A scheme whose software refuses passwords longer than so many bytes.
pub(crate) struct UpTo<'a> {
    pub(crate) length: usize,
    pub(crate) inner: Box<dyn Scheme + 'a>,
}

impl Scheme for UpTo<'_> {
    fn description(&self) -> Description {
        self.inner.description()
    }

    fn permitted(&self, limits: &Limits, length: usize) -> bool {
        self.inner.permitted(limits, length.min(self.length))
    }

    fn check(&self, password: &[u8]) -> Outcome {
        if password.len() > self.length {
            Outcome::Mismatch
        } else {
            self.inner.check(password)
        }
    }
}
