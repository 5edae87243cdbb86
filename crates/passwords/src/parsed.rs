//! Holds a stored hash of any algorithm together with what its software does to a password first.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::algorithms::beside::Beside;
use crate::algorithms::chain::Chain;
use crate::algorithms::iterated::Iterated;
use crate::algorithms::phpbb_combined::Combined;
use crate::algorithms::phpbb_converted::Converted;
use crate::algorithms::{
    argon2, bcrypt, des_crypt, digest, md5_crypt, pbkdf2, phpass, salted_sha1, scrypt, sha_crypt,
};
use crate::hash::{Context, Cost, Hash, Limits, Outcome};

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
            Input::Hex(digest, _) => 2 * digest.length(),
            Input::Base64Sha256 | Input::Base64Hmac(_) => 44,
            Input::Libxcrypt => length.min(LIBXCRYPT_LENGTH),
            Input::ToNul | Input::NoNul | Input::AsciiEnd => length,
        });
        self.scheme.hash().fits(limits, length)
    }

    /// Checks one form of a password, within the limits; converted hashes look at what was `typed`,
    /// too.
    pub(crate) fn check(
        &self,
        typed: &[u8],
        form: &[u8],
        context: &Context<'_>,
        limits: &Limits,
    ) -> Outcome {
        match &self.scheme {
            Scheme::Converted(converted) => converted.verify(typed, form, context, limits),
            Scheme::SaltedSha1(hash) => hash.verify(form, context.salt),
            _ if !self.fits(limits, form.len()) => Outcome::Unsupported,
            Scheme::Beside(beside) => {
                let bound = Bound {
                    beside,
                    context,
                    limits,
                };
                check_given(&self.inputs, &bound, form)
            }
            scheme => check_given(&self.inputs, scheme.hash(), form),
        }
    }

    /// The hash, where it is one block of PBKDF2 of the password itself, with its digest and its
    /// iterations.
    pub(crate) fn pbkdf2(&self) -> Option<(&pbkdf2::Pbkdf2Hash, pbkdf2::Kind, u32)> {
        match &self.scheme {
            Scheme::Pbkdf2(hash) if self.inputs.is_empty() => {
                let (kind, iterations) = hash.single()?;
                Some((hash, kind, iterations))
            }
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

/// A hash with the columns that stand beside it.
struct Bound<'a> {
    beside: &'a Beside,
    context: &'a Context<'a>,
    limits: &'a Limits,
}

impl Hash for Bound<'_> {
    fn cost(&self) -> Cost {
        self.beside.cost()
    }

    fn parameters(&self) -> String {
        self.beside.parameters()
    }

    fn check(&self, password: &[u8]) -> Outcome {
        self.beside.verify(password, self.context, self.limits)
    }
}

fn check_given(inputs: &[Input], hash: &dyn Hash, password: &[u8]) -> Outcome {
    let Some((input, rest)) = inputs.split_last() else {
        return hash.check(password);
    };
    let acceptable = match input {
        Input::UpTo(longest) => password.len() <= *longest,
        Input::Libxcrypt => !password.contains(&0) && password.len() < LIBXCRYPT_LENGTH,
        Input::NoNul => !password.contains(&0),
        Input::AsciiEnd => password.last().is_some_and(u8::is_ascii),
        Input::Hex(digest, before) => {
            return check_given(rest, hash, &digest.hex(&[before, password]));
        }
        Input::Base64Sha256 => {
            let digest = digest::Kind::Sha256.digest(&[password]);
            return check_given(rest, hash, &base64(&digest));
        }
        Input::Base64Hmac(key) => {
            let code = digest::Kind::Sha256.hmac(key, password);
            return check_given(rest, hash, &base64(&code));
        }
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

fn base64(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(STANDARD.encode(bytes).into_bytes())
}

/// A change that software makes to a password before it is hashed.
pub(crate) enum Input {
    /// Refuses one that is longer than this many bytes.
    UpTo(usize),
    /// Hashes a digest of it instead.
    Digest(fn(&[u8]) -> Zeroizing<Vec<u8>>),
    /// Hashes, in hexadecimal, the digest of these bytes and it.
    Hex(digest::Kind, Vec<u8>),
    /// Hashes the Base64 of its SHA-256.
    Base64Sha256,
    /// Hashes the Base64 of its HMAC-SHA-256 under this key.
    Base64Hmac(Vec<u8>),
    /// Refuses one with a NUL.
    NoNul,
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
    Beside(Beside),
    Chain(Chain),
    Combined(Combined),
    Converted(Converted),
    Des(des_crypt::DesCrypt),
    Hex(digest::Hex),
    Iterated(Iterated),
    Md5(md5_crypt::Md5Crypt),
    Pbkdf2(pbkdf2::Pbkdf2Hash),
    Phpass(phpass::PhpassHash),
    SaltedSha1(salted_sha1::SaltedSha1),
    Scrypt(scrypt::ScryptHash),
    Sha(sha_crypt::ShaCrypt),
}
