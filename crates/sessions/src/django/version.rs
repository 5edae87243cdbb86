//! Tells the versions of Django apart whose sessions differ.

use std::fmt;
use std::str::FromStr;

/// A version of Django: its rules say which containers and digests are legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    major: u16,
    minor: u16,
}

/// A digest that Django signs and hashes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// Django 3.0 and earlier; still accepted by 3.1 and 3.2.
    Sha1,
    /// Django 3.1 and later.
    Sha256,
}

/// The text is not a version of Django.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a version of Django is two numbers, as in \"3.2\"")]
pub struct NoVersion;

impl Version {
    /// The rules of the newest Django: those since 4.1.
    pub const NEWEST: Self = Self::new(u16::MAX, u16::MAX);

    /// `major.minor`.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// The digests of signatures and of the auth hash, the likelier first (`Signer.unsign` in
    /// core/signing.py and `get_user` in contrib/auth/__init__.py, 3.0, 3.1 and 4.0).
    #[must_use]
    pub fn digests(self) -> &'static [Digest] {
        if self >= Self::new(4, 0) {
            &[Digest::Sha256]
        } else if self >= Self::new(3, 1) {
            &[Digest::Sha256, Digest::Sha1]
        } else {
            &[Digest::Sha1]
        }
    }

    /// Whether sessions that the server keeps may be in the signed container (3.1 and later).
    #[must_use]
    pub fn reads_signed(self) -> bool {
        self >= Self::new(3, 1)
    }

    /// Whether they may be in the container before it (3.2 and earlier).
    #[must_use]
    pub fn reads_legacy(self) -> bool {
        self < Self::new(4, 0)
    }

    /// Whether `SECRET_KEY_FALLBACKS` counts (4.1 and later).
    #[must_use]
    pub fn reads_fallbacks(self) -> bool {
        self >= Self::new(4, 1)
    }

    /// Whether `login` writes `_auth_user_hash` (1.7 and later).
    #[must_use]
    pub fn hashes_password(self) -> bool {
        self >= Self::new(1, 7)
    }
}

impl FromStr for Version {
    type Err = NoVersion;

    /// Reads `3.2`, or `3.2.25`: Django's patch releases all have the rules of their minor.
    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let mut parts = text.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten().ok_or(NoVersion)
        });
        let major = parts.next().ok_or(NoVersion)??;
        let minor = parts.next().ok_or(NoVersion)??;
        let _patch: u16 = parts.next().unwrap_or(Ok(0))?;
        if major == 0 || parts.next().is_some() {
            return Err(NoVersion);
        }
        Ok(Self { major, minor })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEWEST {
            return formatter.write_str("the newest");
        }
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!("3.2".parse(), Ok(Version::new(3, 2)));
        assert_eq!("1.11.29".parse(), Ok(Version::new(1, 11)));
        assert!(Version::new(1, 11) > Version::new(1, 4));
        assert!(Version::NEWEST > Version::new(6, 1));
        assert_eq!(Version::new(4, 2).to_string(), "4.2");
        for text in [
            "", "3", "3.", ".2", "v3.2", "3.2.", "3.2.1.0", "3,2", "+3.2", "3.2rc1", " 3.2", "3.٢",
            "0.96", "3.65536",
        ] {
            assert_eq!(text.parse::<Version>(), Err(NoVersion), "{text}");
        }
    }

    #[test]
    fn digests_and_containers_go_by_the_version() {
        use Digest::{Sha1, Sha256};
        let rules = |major, minor| {
            let version = Version::new(major, minor);
            let containers = (version.reads_signed(), version.reads_legacy());
            (version.digests(), containers, version.reads_fallbacks())
        };
        assert_eq!(rules(1, 4), (&[Sha1][..], (false, true), false));
        assert_eq!(rules(3, 0), (&[Sha1][..], (false, true), false));
        assert_eq!(rules(3, 1), (&[Sha256, Sha1][..], (true, true), false));
        assert_eq!(rules(3, 2), (&[Sha256, Sha1][..], (true, true), false));
        assert_eq!(rules(4, 0), (&[Sha256][..], (true, false), false));
        assert_eq!(rules(4, 1), (&[Sha256][..], (true, false), true));
        assert_eq!(rules(6, 1), (&[Sha256][..], (true, false), true));
        assert!(Version::new(1, 7).hashes_password() && !Version::new(1, 6).hashes_password());
    }
}
