//! The family of crypt(3): DES, MD5, SHA-256, SHA-512 and bcrypt, told apart by their beginnings.
//!
//! crypt(3) writes its result down whole, and callers compare the texts, so settings that it would
//! write differently (a salt that is too long, rounds with a leading zero) never match.

pub(crate) mod base64;
mod des;
mod md5;
mod sha;

use crate::Description;
use crate::Limits;
use crate::Outcome;
use crate::bcrypt::BcryptHash;
use crate::scheme::Parsed;
use crate::scheme::Scheme;

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
    let modified = encoded.starts_with("$2a$");
    Some(Box::new(Php {
        modified,
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
        [b'$', b'1', b'$', ..] => Some(Box::new(md5::Md5Crypt::parse(encoded, names.md5)?)),
        [b'$', b'2', ..] => Some(Box::new(BcryptHash::parse(encoded, names.bcrypt)?)),
        [b'$', b'5' | b'6', b'$', ..] => Some(Box::new(sha::ShaCrypt::parse(encoded, names.sha)?)),
        _ => Some(Box::new(des::DesCrypt::parse(encoded, names.des)?)),
    }
}

struct Php<'a> {
    /// `$2a$`, which differs from `$2y$` for a few passwords.
    modified: bool,
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
        if self.modified && is_countered(password) {
            return Outcome::Unsupported;
        }
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

/// Whether crypt_blowfish turns a bit of its state for this password under `$2a$`.
///
/// Its `$2a$` is made to differ from the broken `$2x$` wherever the two would agree although a
/// byte beyond ASCII was in a place where sign extension matters: that is, where every such byte
/// follows bytes 0xff up to the beginning of its word of four. No UTF-8 text is like that.
fn is_countered(password: &[u8]) -> bool {
    let mut key = password.iter().copied().chain([0]).cycle();
    let (mut matters, mut differ) = (false, 0);
    for _ in 0..18 {
        let (mut right, mut extended) = (0u32, 0u32);
        for position in 0..4 {
            let byte = key.next().unwrap_or(0);
            right = right << 8 | u32::from(byte);
            extended = extended << 8 | i32::from(byte.cast_signed()).cast_unsigned();
            matters |= position > 0 && byte >= 0x80;
        }
        differ |= right ^ extended;
    }
    matters && differ == 0
}
