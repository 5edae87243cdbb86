//! Holds a stored hash of any algorithm together with what its software does to a password first.

use zeroize::Zeroizing;

use crate::algorithms::phpbb_combined::Combined;
use crate::algorithms::phpbb_converted::Converted;
use crate::algorithms::{
    argon2, bcrypt, des_crypt, digest, md5_crypt, pbkdf2, phpass, scrypt, sha_crypt,
};
use crate::hash::{Hash, Limits, Outcome};

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

    /// The cost, where the hash is bcrypt, with or without inputs before it. Two of one cost take
    /// as long as one of the next.
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

/// A change that software makes to a password before it is hashed.
pub(crate) enum Input {
    /// Refuses one that is longer than this many bytes.
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
