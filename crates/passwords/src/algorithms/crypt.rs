//! The family of crypt(3): DES, MD5, SHA-256, SHA-512 and bcrypt, told apart by their beginnings.
//!
//! crypt(3) writes its result down whole, and callers compare the texts, so settings that it would
//! write differently (a salt that is too long, rounds with a leading zero) never match.

use crate::Description;
use crate::Limits;
use crate::Outcome;
use crate::algorithms::Parsed;
use crate::algorithms::Scheme;
use crate::algorithms::bcrypt::BcryptHash;
use crate::algorithms::des_crypt;
use crate::algorithms::md5_crypt;
use crate::algorithms::sha_crypt;

/// libxcrypt's `CRYPT_MAX_PASSPHRASE_SIZE`: longer passwords fail.
const LIBXCRYPT_LENGTH: usize = 512;

/// Names of the algorithms in descriptions.
struct Names {
    des: [&'static str; 2],
    md5: &'static str,
    sha: [&'static str; 2],
    bcrypt: &'static str,
}

/// PHP's own `crypt` (PHP 8.2 `ext/standard/crypt.c`); a password ends at its first NUL.
pub(crate) fn php(encoded: &str) -> Parsed<'_> {
    let names = Names {
        des: ["crypt_std_des", "crypt_ext_des"],
        md5: "crypt_md5",
        sha: ["crypt_sha256", "crypt_sha512"],
        bcrypt: "bcrypt",
    };
    Some(Box::new(Php {
        inner: parse(encoded, &names)?,
    }))
}

/// The C library's `crypt` on today's Linux systems (libxcrypt 4.4), as Python's `crypt` module
/// calls it; every algorithm goes by `algorithm`.
pub(crate) fn libxcrypt<'a>(encoded: &'a str, algorithm: &'static str) -> Parsed<'a> {
    let names = Names {
        des: [algorithm; 2],
        md5: algorithm,
        sha: [algorithm; 2],
        bcrypt: algorithm,
    };
    let acceptable = |byte| matches!(byte, b'!'..=b'~') && !b"!*:;\\".contains(&byte);
    if !encoded.bytes().all(acceptable) {
        return None;
    }
    Some(Box::new(Libxcrypt {
        inner: parse(encoded, &names)?,
    }))
}

fn parse<'a>(encoded: &'a str, names: &Names) -> Parsed<'a> {
    match encoded.as_bytes() {
        [b'$', b'1', b'$', ..] => Some(Box::new(md5_crypt::Md5Crypt::parse(encoded, names.md5)?)),
        [b'$', b'2', ..] => Some(Box::new(BcryptHash::parse_crypt(encoded, names.bcrypt)?)),
        [b'$', b'5' | b'6', b'$', ..] => {
            Some(Box::new(sha_crypt::ShaCrypt::parse(encoded, names.sha)?))
        }
        _ => Some(Box::new(des_crypt::DesCrypt::parse(encoded, names.des)?)),
    }
}

struct Php<'a> {
    inner: Box<dyn Scheme + 'a>,
}

impl Scheme for Php<'_> {
    fn description(&self) -> Description {
        self.inner.description()
    }

    fn permitted(&self, limits: &Limits, length: usize) -> bool {
        self.inner.permitted(limits, length)
    }

    fn check(&self, password: &[u8]) -> Outcome {
        let password = password.split(|byte| *byte == 0).next().unwrap_or_default();
        self.inner.check(password)
    }
}

struct Libxcrypt<'a> {
    inner: Box<dyn Scheme + 'a>,
}

impl Scheme for Libxcrypt<'_> {
    fn description(&self) -> Description {
        self.inner.description()
    }

    fn permitted(&self, limits: &Limits, length: usize) -> bool {
        self.inner.permitted(limits, length.min(LIBXCRYPT_LENGTH))
    }

    fn check(&self, password: &[u8]) -> Outcome {
        if password.contains(&0) || password.len() >= LIBXCRYPT_LENGTH {
            return Outcome::Mismatch;
        }
        self.inner.check(password)
    }
}
