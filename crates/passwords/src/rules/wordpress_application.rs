//! Checks WordPress's application passwords, which programs show in place of an account's own
//! (`wp_verify_fast_hash` in `wp-includes/functions.php` of 6.9,
//! `wp_authenticate_application_password` in `user.php`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use blake2::Blake2bMac;
use blake2::digest::consts::U30;
use blake2::digest::{KeyInit as _, Mac as _};
use zeroize::{Zeroize as _, Zeroizing};

use super::wordpress;
use crate::hash::{Context, Limits, Outcome, compare};

/// The key of the digest.
const KEY: &[u8] = b"wp_fast_hash_6.8+";
/// What the digest follows.
const MARK: &str = "$generic$";
/// How long application passwords are, in letters and digits.
const LENGTH: usize = 24;

/// An application password as typed: blanks and everything else that is not a letter or a digit is
/// dropped.
pub struct ApplicationPassword(Zeroizing<Vec<u8>>);

impl ApplicationPassword {
    /// `None` where WordPress gives out no such password.
    #[must_use]
    pub fn typed(password: &[u8]) -> Option<Self> {
        let kept = password.iter().filter(|byte| byte.is_ascii_alphanumeric());
        let mut letters = Zeroizing::new(Vec::with_capacity(LENGTH + 1));
        letters.extend(kept.take(LENGTH + 1));
        (letters.len() == LENGTH).then_some(Self(letters))
    }

    /// What WordPress 6.8 and later store of it.
    ///
    /// ```
    /// use hallpass_passwords::ApplicationPassword;
    ///
    /// let typed = ApplicationPassword::typed(b"WPOj qsJS io0U VQnc u3LD PAel").unwrap();
    /// assert_eq!(
    ///     typed.stored().as_str(),
    ///     "$generic$16iK-SMtKh_QKkE-iCUbATc---NH5VcNx65BrZLT",
    /// );
    /// ```
    #[must_use]
    pub fn stored(&self) -> Zeroizing<String> {
        let Ok(mac) = Blake2bMac::<U30>::new_from_slice(KEY) else {
            return Zeroizing::default();
        };
        let mut digest = mac.chain_update(&*self.0).finalize().into_bytes();
        let stored = Zeroizing::new(format!("{MARK}{}", URL_SAFE_NO_PAD.encode(digest)));
        digest.as_mut_slice().zeroize();
        stored
    }

    /// Whether it is the one that `stored` was made of, by any version.
    #[must_use]
    pub fn is(&self, stored: &str, limits: &Limits) -> bool {
        if stored.starts_with(MARK) {
            let computed = self.stored();
            return compare(stored.as_bytes(), computed.as_bytes()) == Outcome::Match;
        }
        let parsed = wordpress::parse(stored);
        let context = Context::default();
        parsed.is_some_and(|parsed| {
            parsed.check(&self.0, &self.0, &context, limits) == Outcome::Match
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by WordPress 6.9.1, and by `PasswordHash(8, true)` of its class-phpass.php.
    #[test]
    fn application_passwords_of_both_ages_match() {
        let limits = Limits::default();
        let new = "$generic$16iK-SMtKh_QKkE-iCUbATc---NH5VcNx65BrZLT";
        let old = "$P$BPuXShBjCsObJVONESQmSQ2Edn.1Ts0";
        for (typed, matches) in [
            ("WPOjqsJSio0UVQncu3LDPAel", true),
            ("WPOj qsJS io0U VQnc u3LD PAel", true),
            (" WPOj-qsJS_io0U VQnc u3LD PAel\n", true),
            ("WPOjqsJSio0UVQncu3LDPAeL", false),
            ("WPOjqsJSio0UVQncu3LDPAelx", false),
            ("WPOjqsJSio0UVQncu3LDPAe", false),
            ("", false),
        ] {
            let typed = ApplicationPassword::typed(typed.as_bytes());
            for stored in [new, old] {
                let found = typed.as_ref().is_some_and(|it| it.is(stored, &limits));
                assert_eq!(found, matches, "{stored}");
            }
        }
        let typed = ApplicationPassword::typed(b"WPOjqsJSio0UVQncu3LDPAel").unwrap();
        for stored in [
            "",
            "$generic$",
            "$generic$16iK-SMtKh_QKkE-iCUbATc---NH5VcNx65BrZLU",
            "$generic$16iK-SMtKh_QKkE-iCUbATc---NH5VcNx65BrZL",
            "$Generic$16iK-SMtKh_QKkE-iCUbATc---NH5VcNx65BrZLT",
            "16iK-SMtKh_QKkE-iCUbATc---NH5VcNx65BrZLT",
            "WPOjqsJSio0UVQncu3LDPAel",
        ] {
            assert!(!typed.is(stored, &limits), "{stored}");
        }
    }
}
