//! Verifies hashes that need another column of the row: the salt, or the login name.

use zeroize::Zeroizing;

use super::bcrypt::BcryptHash;
use super::digest::Kind;
use crate::hash::{Context, Cost, Hash, Limits, Outcome, compare};

/// A stored hash, and what its software mixes with the password.
pub(crate) enum Beside {
    /// A digest in hexadecimal whose salt has a column of its own. Which software made it, and so
    /// how it mixed the two, cannot be seen: all that are known are tried.
    Salted(Kind, String),
    /// SHA-1 of the login name, in lower case, and the password (SMF 1.1 and 2.0).
    NamedDigest(String),
    /// bcrypt of the login name, in lower case, and the password (SMF 2.1).
    Named(BcryptHash),
    /// bcrypt of the password and the site's own salt, or without (ownCloud before 7).
    Suffixed(BcryptHash),
}

impl Beside {
    /// Checks `password`, within the limits.
    pub(crate) fn verify(
        &self,
        password: &[u8],
        context: &Context<'_>,
        limits: &Limits,
    ) -> Outcome {
        if !self.fits(limits, password.len()) {
            return Outcome::Unsupported;
        }
        match self {
            Self::Salted(kind, stored) => salted(*kind, stored, password, context),
            Self::NamedDigest(stored) => match context.login_name {
                Some(name) => {
                    let computed = Kind::Sha1.hex(&[lower(name).as_bytes(), password]);
                    compare(stored.as_bytes(), &computed)
                }
                None => Outcome::Unsupported,
            },
            Self::Named(hash) => match context.login_name {
                Some(name) => hash.check(&joined(lower(name).as_bytes(), password)),
                None => Outcome::Unsupported,
            },
            Self::Suffixed(hash) => match context.salt.filter(|salt| !salt.is_empty()) {
                Some(salt) if hash.check(&joined(password, salt.as_bytes())) == Outcome::Match => {
                    Outcome::Match
                }
                _ => hash.check(password),
            },
        }
    }
}

impl Hash for Beside {
    fn cost(&self) -> Cost {
        match self {
            Self::Salted(..) | Self::NamedDigest(_) => Cost { work: 1, memory: 0 },
            Self::Named(hash) => hash.cost(),
            Self::Suffixed(hash) => Cost {
                work: hash.cost().work.saturating_mul(2),
                memory: 0,
            },
        }
    }

    fn parameters(&self) -> String {
        match self {
            Self::Salted(..) | Self::NamedDigest(_) => String::new(),
            Self::Named(hash) | Self::Suffixed(hash) => hash.parameters(),
        }
    }

    /// The limits are those of each hash that a check computes.
    fn fits(&self, limits: &Limits, length: usize) -> bool {
        match self {
            Self::Salted(..) | Self::NamedDigest(_) => true,
            Self::Named(hash) | Self::Suffixed(hash) => hash.fits(limits, length),
        }
    }

    /// Only [`Beside::verify`] can: it takes more than the password.
    fn check(&self, _password: &[u8]) -> Outcome {
        Outcome::Unsupported
    }
}

/// Every candidate is computed, whichever is right. Without a salt, MD5 alone has one: a board that
/// came from another keeps plain MD5 until the account logs in.
fn salted(kind: Kind, stored: &str, password: &[u8], context: &Context<'_>) -> Outcome {
    let hex = |parts: &[&[u8]]| kind.hex(parts);
    let once = hex(&[password]);
    let candidates = match context.salt.filter(|salt| !salt.is_empty()) {
        None if kind == Kind::Md5 => vec![once],
        None => return Outcome::Unsupported,
        Some(salt) => {
            let salt = salt.as_bytes();
            // vBulletin 3 and 4; XenForo 1.0 and 1.1, whose digest is SHA-1 or SHA-256.
            let mut candidates = vec![hex(&[&once, salt])];
            match kind {
                // MyBB, IP.Board 2 and 3.
                Kind::Md5 => candidates.push(hex(&[&hex(&[salt]), &once])),
                // WoltLab Burning Board 3.
                Kind::Sha1 => candidates.push(hex(&[salt, &hex(&[salt, &once])])),
                _ => {}
            }
            // Sites of their own.
            candidates.push(hex(&[salt, password]));
            candidates.push(hex(&[password, salt]));
            candidates
        }
    };
    candidates
        .iter()
        .fold(Outcome::Mismatch, |outcome, candidate| {
            match compare(stored.as_bytes(), candidate) {
                Outcome::Match => Outcome::Match,
                _ => outcome,
            }
        })
}

/// PHP's `strtolower`: ASCII alone.
fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn joined(before: &[u8], after: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([before, after].concat())
}
