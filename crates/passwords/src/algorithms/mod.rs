//! Holds the parsed fields of a stored hash, one type for each algorithm, and computes what a
//! password comes to under it.

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
use zeroize::Zeroizing;

use crate::Cost;
use crate::Limits;
use crate::Outcome;
use crate::rules::phpbb::combined::Combined;
use crate::rules::phpbb::converted::Converted;

/// A stored hash, and what its software does to a password before it is hashed.
pub(crate) struct Parsed {
    pub(crate) algorithm: &'static str,
    pub(crate) scheme: Scheme,
    /// The last is done first.
    inputs: Vec<Input>,
}

impl Parsed {
    pub(crate) fn new(algorithm: &'static str, scheme: impl Into<Scheme>) -> Self {
        Self {
            algorithm,
            scheme: scheme.into(),
            inputs: Vec::new(),
        }
    }

    /// The same by another name.
    pub(crate) fn named(self, algorithm: &'static str) -> Self {
        Self { algorithm, ..self }
    }

    /// The same with `input` done before all that is done already.
    pub(crate) fn given(mut self, input: Input) -> Self {
        self.inputs.push(input);
        self
    }

    /// Whether a check of a password of `length` bytes keeps within the limits.
    pub(crate) fn fits(&self, limits: &Limits, length: usize) -> bool {
        let inputs = self.inputs.iter().rev();
        let length = inputs.fold(length, |length, input| match input {
            Input::UpTo(longest) => length.min(*longest),
            Input::Digest(digest) => digest(b"").len(),
            Input::Libxcrypt => length.min(LIBXCRYPT_LENGTH),
            Input::ToNul | Input::AsciiEnd => length,
        });
        self.scheme.hash().fits(limits, length)
    }

    /// Checks one form of a password, within the limits.
    pub(crate) fn check(&self, password: &[u8], limits: &Limits) -> Outcome {
        if self.fits(limits, password.len()) {
            check_given(&self.inputs, self.scheme.hash(), password)
        } else {
            Outcome::Unsupported
        }
    }

    /// The hash, where it is PBKDF2 of the password itself.
    pub(crate) fn pbkdf2(&self) -> Option<&pbkdf2::Pbkdf2Hash> {
        match &self.scheme {
            Scheme::Pbkdf2(hash) => Some(hash),
            _ => None,
        }
    }

    /// The cost, where the hash is bcrypt, whatever the password goes through before. Two of one
    /// cost take as long as one of the next.
    pub(crate) fn bcrypt_cost(&self) -> Option<u32> {
        match &self.scheme {
            Scheme::Bcrypt(hash) => hash.exact_cost(),
            Scheme::Converted(Converted::Doubled(hash)) => hash.exact_cost().map(|cost| cost + 1),
            _ => None,
        }
    }
}

fn check_given(inputs: &[Input], hash: &dyn Hash, password: &[u8]) -> Outcome {
    let Some((input, rest)) = inputs.split_last() else {
        return hash.check(password);
    };
    let acceptable = match input {
        Input::UpTo(longest) => password.len() <= *longest,
        Input::Libxcrypt => !password.contains(&0) && password.len() < LIBXCRYPT_LENGTH,
        Input::AsciiEnd => password.last().is_some_and(u8::is_ascii),
        Input::Digest(digest) => return check_given(rest, hash, &digest(password)),
        Input::ToNul => {
            let password = password.split(|byte| *byte == 0).next();
            return check_given(rest, hash, password.unwrap_or_default());
        }
    };
    if acceptable {
        check_given(rest, hash, password)
    } else {
        Outcome::Mismatch
    }
}

/// What software does to a password before it is hashed.
pub(crate) enum Input {
    /// Refuses one that is longer than so many bytes.
    UpTo(usize),
    /// Hashes a digest of it instead.
    Digest(fn(&[u8]) -> Zeroizing<Vec<u8>>),
    /// Ends it at its first NUL.
    ToNul,
    /// Refuses one with a NUL, or one that is too long for libxcrypt.
    Libxcrypt,
    /// Refuses one that ends in a byte beyond ASCII.
    AsciiEnd,
}

/// libxcrypt's `CRYPT_MAX_PASSPHRASE_SIZE`: longer passwords fail.
const LIBXCRYPT_LENGTH: usize = 512;

/// A stored hash whose fields are parsed and in range.
pub(crate) trait Hash {
    /// What one check costs.
    fn cost(&self) -> Cost;

    /// The cost parameters as a person reads them; empty where there are none.
    fn parameters(&self) -> String;

    /// Whether a check of a password of `length` bytes keeps within the limits.
    fn fits(&self, limits: &Limits, _length: usize) -> bool {
        self.cost().fits(limits)
    }

    /// Whether it is of this password, as the software's own hash function gets it.
    fn check(&self, password: &[u8]) -> Outcome;
}

/// Declares [`Scheme`]: one variant for each type that implements [`Hash`].
macro_rules! schemes {
    ($($name:ident($hash:ty),)*) => {
        /// A stored hash of any algorithm.
        pub(crate) enum Scheme {
            $($name($hash),)*
        }

        impl Scheme {
            pub(crate) fn hash(&self) -> &dyn Hash {
                match self {
                    $(Self::$name(hash) => hash,)*
                }
            }
        }

        $(impl From<$hash> for Scheme {
            fn from(hash: $hash) -> Self {
                Self::$name(hash)
            }
        })*
    };
}

schemes! {
    Argon2(argon2::Argon2Hash),
    Bcrypt(bcrypt::BcryptHash),
    Combined(Combined),
    Converted(Converted),
    Des(des_crypt::DesCrypt),
    Hex(digest::Hex),
    Md5(md5_crypt::Md5Crypt),
    Pbkdf2(pbkdf2::Pbkdf2Hash),
    Phpass(phpass::PhpassHash),
    Scrypt(scrypt::ScryptHash),
    Sha(sha_crypt::ShaCrypt),
}

impl Scheme {
    pub(crate) fn converted(&self) -> Option<&Converted> {
        match self {
            Self::Converted(converted) => Some(converted),
            _ => None,
        }
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
/// for the algorithms that hash the password anew in each round.
fn rounds_fit(work: u64, limits: &Limits, length: usize) -> bool {
    let blocks = u64::try_from(length / 64)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    work.saturating_mul(blocks) <= u64::from(limits.max_iterations)
}

/// A decimal number as C's and Python's `%d` write it: no sign, no space, no leading zero.
fn plain_number(text: &str) -> Option<u32> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits {
        text.parse().ok()
    } else {
        None
    }
}

/// As [`plain_number`], and not 0.
fn positive_number(text: &str) -> Option<u32> {
    plain_number(text).filter(|number| *number > 0)
}
