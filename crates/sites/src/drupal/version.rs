//! Reads the version of a Drupal, and says what goes by it.

/// A version of Drupal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    major: u32,
    minor: Option<u32>,
}

impl Version {
    /// `10`, `10.3`, `10.3.10`, `7.105`, and the same with another word behind.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split(['.', '-']);
        let major = parts.next()?.parse().ok()?;
        let minor = match parts.next() {
            None | Some("x" | "dev") => None,
            Some(minor) => Some(minor.parse().ok()?),
        };
        (7..=99).contains(&major).then_some(Self { major, minor })
    }

    /// Whether it is Drupal 7, which has other tables.
    pub(super) fn is_7(self) -> bool {
        self.major == 7
    }

    /// Whether it checks the hashes of its own phpass, and no others: before 10.1.
    pub(super) fn checks_by_phpass(self) -> bool {
        self.major < 10 || self.major == 10 && self.minor == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_say_how_hashes_are_checked() {
        for (text, is_7, by_phpass) in [
            ("7", true, true),
            ("7.105", true, true),
            ("8", false, true),
            ("8.9.20", false, true),
            ("9.5", false, true),
            ("10.0", false, true),
            ("10.0.11", false, true),
            ("10", false, false),
            ("10.x-dev", false, false),
            ("10.1", false, false),
            ("10.3.10", false, false),
            ("11", false, false),
            ("11.4-dev", false, false),
        ] {
            let version = Version::parse(text).unwrap();
            let read = (version.is_7(), version.checks_by_phpass());
            assert_eq!(read, (is_7, by_phpass), "{text}");
        }
        for text in ["", "6", "6.38", "x", "10,3", "-7", "100", "10.a"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
