//! Picks the key and the salt of the cookie, as `wp_salt` does (`wp-includes/pluggable.php` of 6.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use hallpass_stores::Secret;
use zeroize::Zeroizing;

/// The constants that `wp_salt` looks at.
pub(super) const NAMES: [&str; 10] = [
    "auth_key",
    "auth_salt",
    "secure_auth_key",
    "secure_auth_salt",
    "logged_in_key",
    "logged_in_salt",
    "nonce_key",
    "nonce_salt",
    "secret_key",
    "secret_salt",
];
/// What the sample of wp-config.php has in their place.
const SAMPLE: &[u8] = b"put your unique phrase here";

/// The key and the salt of the cookie `logged_in`; `None` for one that stands in the site's options.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    key: Option<Arc<Secret>>,
    salt: Option<Arc<Secret>>,
}

impl Keys {
    /// Of those that are `given`, the ones that WordPress takes.
    pub(super) fn new(given: &BTreeMap<&'static str, Secret>) -> Self {
        let usable = |name: &str| {
            let value = given.get(name)?;
            let written = value.expose();
            let same = given.values().filter(|other| other.expose() == written);
            let refused = matches!(written, b"" | b"0") || written == SAMPLE || same.count() > 1;
            (!refused).then(|| Arc::new(Secret::new(written)))
        };
        Self {
            key: usable("logged_in_key").or_else(|| usable("secret_key")),
            salt: usable("logged_in_salt"),
        }
    }

    /// Both in a row, where `option` says what stands in the site's options. `None` where either is
    /// missing: WordPress makes one up then, which no cookie was signed with.
    pub(super) fn salt(
        &self,
        option: impl Fn(&str) -> Option<String>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let mut salt = Zeroizing::new(Vec::with_capacity(256));
        for (given, name) in [(&self.key, "logged_in_key"), (&self.salt, "logged_in_salt")] {
            match given {
                Some(given) => salt.extend_from_slice(given.expose()),
                None => {
                    let stored = Zeroizing::new(option(name)?);
                    if matches!(stored.as_str(), "" | "0") {
                        return None;
                    }
                    salt.extend_from_slice(stored.as_bytes());
                }
            }
        }
        Some(salt)
    }

    /// Whether nothing is read of the site's options.
    pub(super) fn are_complete(&self) -> bool {
        self.key.is_some() && self.salt.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(given: &[(&'static str, &str)]) -> Option<String> {
        let given = given.iter().map(|(name, key)| (*name, Secret::new(*key)));
        let keys = Keys::new(&given.collect());
        let salt = keys.salt(|name| Some(format!("<{name}>")))?;
        Some(String::from_utf8(salt.to_vec()).unwrap())
    }

    #[test]
    fn a_key_that_wordpress_does_not_take_is_the_sites_option() {
        for (given, expected) in [
            (&[("logged_in_key", "k"), ("logged_in_salt", "s")][..], "ks"),
            (
                &[("logged_in_key", "k"), ("logged_in_salt", "")],
                "k<logged_in_salt>",
            ),
            (
                &[("logged_in_key", "0"), ("logged_in_salt", "s")],
                "<logged_in_key>s",
            ),
            (&[], "<logged_in_key><logged_in_salt>"),
            (
                &[
                    ("logged_in_key", "put your unique phrase here"),
                    ("logged_in_salt", "s"),
                ],
                "<logged_in_key>s",
            ),
            (
                &[("logged_in_key", "k"), ("logged_in_salt", "k")],
                "<logged_in_key><logged_in_salt>",
            ),
            (
                &[
                    ("logged_in_key", "k"),
                    ("logged_in_salt", "s"),
                    ("nonce_salt", "s"),
                ],
                "k<logged_in_salt>",
            ),
            (&[("logged_in_salt", "s"), ("secret_key", "old")], "olds"),
            (
                &[
                    ("logged_in_key", "k"),
                    ("logged_in_salt", "s"),
                    ("secret_key", "old"),
                ],
                "ks",
            ),
            (
                &[
                    ("logged_in_key", ""),
                    ("logged_in_salt", "s"),
                    ("secret_key", "old"),
                ],
                "olds",
            ),
            (
                &[
                    ("logged_in_key", "k"),
                    ("logged_in_salt", "s"),
                    ("secret_key", "k"),
                ],
                "<logged_in_key>s",
            ),
        ] {
            assert_eq!(picked(given).as_deref(), Some(expected), "{given:?}");
        }
    }

    #[test]
    fn without_a_key_there_is_no_salt() {
        let keys = Keys::new(&BTreeMap::new());
        assert!(keys.salt(|_| None).is_none());
        assert!(keys.salt(|_| Some(String::new())).is_none());
        assert!(!format!("{keys:?}").contains("Secret(\""));
    }
}
