//! phpBB's password manager (3.3 `phpbb/passwords/manager.php` and its drivers), for a password
//! typed at the login page.

mod combined;
mod converted;
mod request;

use crate::Context;
use crate::Limits;
use crate::Outcome;
use crate::algorithms::Parsed;
use crate::algorithms::Scheme;
use crate::algorithms::bcrypt::BcryptHash;
use crate::algorithms::check;
use crate::algorithms::crypt;
use crate::algorithms::digest::Hex;
use crate::algorithms::digest::Kind;
use crate::algorithms::digest::is_hex;
use crate::algorithms::phpass;
use crate::algorithms::phpass::PhpassHash;
use crate::rules::php;
use crate::typed;

/// phpBB refuses longer passwords.
const LENGTH: usize = 4096;

/// Checks a password typed at phpBB's login page, in the one form that the page makes of it.
pub(crate) fn verify(
    password: &[u8],
    encoded: &str,
    context: &Context<'_>,
    limits: &Limits,
) -> Outcome {
    let escaped = request::escape(password);
    if typed::is_empty(&escaped) {
        return Outcome::Mismatch;
    }
    if escaped.len() > LENGTH {
        return Outcome::Mismatch;
    }
    match encoded.strip_prefix("$CP$") {
        Some(rest) => converted::verify(password, &escaped, rest, context, limits),
        None => match parse(encoded) {
            Some(scheme) => check(&*scheme, &escaped, limits),
            None => Outcome::Unsupported,
        },
    }
}

/// In how many forms a wrong password is tried.
pub(crate) fn attempts(password: &[u8]) -> usize {
    let escaped = request::escape(password);
    usize::from(!typed::is_empty(&escaped) && escaped.len() <= LENGTH)
}

/// What is stored, but for the converted hashes, which are several formats at once.
pub(crate) fn parse(encoded: &str) -> Parsed<'_> {
    match kind(encoded) {
        Some("argon2i" | "argon2id") => php::password_verify(encoded),
        Some("2a") => Some(Box::new(Ascii {
            inner: bcrypt(encoded)?,
        })),
        Some("2y") => bcrypt(encoded),
        Some("CP") => converted::parse(encoded.get(4..)?),
        Some("H" | "P") => portable(encoded),
        Some(kind) if kind.contains('\\') => combined::parse(encoded),
        _ => portable(encoded).or_else(|| md5(encoded)),
    }
}

/// What stands between the first two dollar signs (`detect_algorithm`).
fn kind(encoded: &str) -> Option<&str> {
    let (kind, _) = encoded.strip_prefix('$')?.split_once('$')?;
    let plain = kind
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'\\');
    plain.then_some(kind)
}

/// A hash of 34 characters, whatever the first three: the driver does not look at them.
fn portable(encoded: &str) -> Parsed<'_> {
    let name = if encoded.starts_with("$P$") {
        "phpass"
    } else {
        "salted_md5"
    };
    Some(Box::new(PhpassHash::parse(
        encoded,
        phpass::Kind::Md5,
        name,
    )?))
}

/// The installer's and phpBB 2's unsalted MD5.
fn md5(encoded: &str) -> Parsed<'_> {
    let stored = is_hex(encoded, 32).then_some(encoded)?;
    Some(Box::new(Hex {
        algorithm: "md5",
        kind: Kind::Md5,
        before: "",
        after: "",
        stored,
    }))
}

fn bcrypt(encoded: &str) -> Parsed<'_> {
    BcryptHash::parse(encoded, "bcrypt")?;
    crypt::php(encoded)
}

/// The driver of `$2a$`, which refuses passwords that end in a byte beyond ASCII.
struct Ascii<'a> {
    inner: Box<dyn Scheme + 'a>,
}

impl Scheme for Ascii<'_> {
    fn description(&self) -> crate::Description {
        self.inner.description()
    }

    fn permitted(&self, limits: &Limits, length: usize) -> bool {
        self.inner.permitted(limits, length)
    }

    fn check(&self, password: &[u8]) -> Outcome {
        match password.last() {
            Some(last) if last.is_ascii() => self.inner.check(password),
            _ => Outcome::Mismatch,
        }
    }
}
