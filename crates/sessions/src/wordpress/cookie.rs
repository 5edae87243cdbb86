//! Takes the cookie apart, and checks who signed it (`wp_validate_auth_cookie`, `wp_hash`).

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::hexadecimal::hexadecimal;

/// The longest cookie that is looked at, in bytes: browsers keep none of more than 4096.
const LONGEST: usize = 4096;

/// The version of WordPress that made a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    /// From here on a cookie has a token.
    pub const TOKENS: Self = Self::new(4, 0);
    /// From here on passwords are hashed by bcrypt, and fragments come from the end of a hash.
    pub const BCRYPT: Self = Self::new(6, 8);

    /// The version `major.minor`.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Reads `6.9`, `6.9.1` or `6.9-RC1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(|letter: char| !letter.is_ascii_digit());
        let mut number = || numbers.next()?.parse::<u16>().ok().map(u32::from);
        let major = number()?;
        let minor = match text.contains('.') {
            true => number()?,
            false if text.bytes().all(|byte| byte.is_ascii_digit()) => 0,
            false => return None,
        };
        Some(Self::new(major, minor))
    }
}

/// The newest rules.
impl Default for Version {
    fn default() -> Self {
        Self::new(u32::MAX, 0)
    }
}

/// A cookie of the scheme `logged_in`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AuthCookie<'a> {
    /// The login name, as it stands in the cookie.
    pub login: &'a str,
    /// The last second in which it counts, in Unix seconds.
    pub expiration: u64,
    /// The same as it stands in the cookie.
    written: &'a str,
    /// What names the session; `None` before 4.0.
    pub token: Option<&'a str>,
    hmac: &'a str,
}

/// Never shows what it could be made again from.
impl std::fmt::Debug for AuthCookie<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "AuthCookie({:?}, {}, …)",
            self.login, self.expiration
        )
    }
}

impl<'a> AuthCookie<'a> {
    /// `None` for what WordPress of this version calls malformed, and for an expiration that it
    /// never writes.
    #[must_use]
    pub fn parse(cookie: &'a [u8], version: Version) -> Option<Self> {
        if cookie.len() > LONGEST {
            return None;
        }
        let mut parts = std::str::from_utf8(cookie).ok()?.split('|');
        let (login, written) = (parts.next()?, parts.next()?);
        let token = match version >= Version::TOKENS {
            true => Some(parts.next()?),
            false => None,
        };
        let hmac = parts.next()?;
        let digits = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit());
        if login.is_empty() || !digits || parts.next().is_some() {
            return None;
        }
        // WordPress slashes all cookies before it reads any.
        if cookie
            .iter()
            .any(|byte| matches!(byte, b'\'' | b'"' | b'\\' | 0))
        {
            return None;
        }
        Some(Self {
            login,
            expiration: written.parse().ok()?,
            written,
            token,
            hmac,
        })
    }

    /// Whether it was signed with `salt`, the site's key and salt in a row, for an account whose
    /// hash has this `fragment`.
    #[must_use]
    pub fn is_signed(&self, salt: &[u8], fragment: &str) -> bool {
        let Self {
            login,
            written,
            token,
            ..
        } = self;
        let signed = match token {
            None => {
                let key = md5(salt, &format!("{login}{fragment}|{written}"));
                md5(key.as_bytes(), &format!("{login}|{written}"))
            }
            Some(token) => {
                let key = md5(salt, &format!("{login}|{fragment}|{written}|{token}"));
                sha256(key.as_bytes(), &format!("{login}|{written}|{token}"))
            }
        };
        !salt.is_empty() && bool::from(signed.as_bytes().ct_eq(self.hmac.as_bytes()))
    }
}

/// The part of a stored hash that signatures depend on.
#[must_use]
pub fn fragment(stored: &str, version: Version) -> &str {
    let middle =
        version < Version::BCRYPT || stored.starts_with("$P$") || stored.starts_with("$2y$");
    let found = match middle {
        true => stored.get(8.min(stored.len())..12.min(stored.len())),
        false => stored.get(stored.len().saturating_sub(4)..),
    };
    found.unwrap_or_default()
}

fn md5(key: &[u8], text: &str) -> Zeroizing<String> {
    let mac = Hmac::<Md5>::new_from_slice(key).map(|mac| mac.chain_update(text));
    hexadecimal(
        mac.map(|mac| mac.finalize().into_bytes())
            .unwrap_or_default()
            .as_slice(),
    )
}

fn sha256(key: &[u8], text: &str) -> Zeroizing<String> {
    let mac = Hmac::<Sha256>::new_from_slice(key).map(|mac| mac.chain_update(text));
    hexadecimal(
        mac.map(|mac| mac.finalize().into_bytes())
            .unwrap_or_default()
            .as_slice(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        for (text, expected) in [
            ("6.9.1", Some((6, 9))),
            ("6.8-RC1", Some((6, 8))),
            ("3.10", Some((3, 10))),
            ("6", Some((6, 0))),
            ("", None),
            ("six", None),
            ("6.", None),
            (".6", None),
            ("6-beta", None),
            ("99999999999.1", None),
        ] {
            let expected = expected.map(|(major, minor)| Version::new(major, minor));
            assert_eq!(Version::parse(text), expected, "{text}");
        }
        assert!(Version::new(6, 10) > Version::BCRYPT && Version::new(5, 9) < Version::BCRYPT);
    }

    /// The rule of `wp_validate_auth_cookie` of 6.9, and of 6.1.
    #[test]
    fn fragments_come_from_where_the_version_takes_them() {
        let old = Version::new(6, 7);
        for (stored, newest, before) in [
            ("$P$BsH7DchFkc.hsNBZSm71Xq3tpzydLm0", "chFk", "chFk"),
            ("$2y$10$5FwBPAaIjYMDqCnu0JK4RuUJg47vWz0E", "FwBP", "FwBP"),
            ("f0299188d21251962693eafdba287501", "7501", "d212"),
            ("$wp$2y$10$PogFNHvVm6OldHsZ0VJipe", "Jipe", "0$Po"),
            ("$argon2id$v=19$m=65536,t=4,p=1$c2$abcd", "abcd", "d$v="),
            ("abc", "abc", ""),
            ("", "", ""),
            ("ääää", "ää", ""),
        ] {
            assert_eq!(fragment(stored, Version::default()), newest, "{stored}");
            assert_eq!(fragment(stored, old), before, "{stored}");
        }
    }

    #[test]
    fn what_is_not_a_cookie_is_not_read() {
        let newest = Version::default();
        let token = "nQMJPba5GZT6FDnqVXQIQH2UOHjAESKkRsDl398mLSV";
        let hmac = "3e553da2abdbc8c9698914c1208ddff4556e0e71328d2ac95b35f3e0d4765a32";
        let sound = format!("admin|1780488000|{token}|{hmac}");
        assert!(AuthCookie::parse(sound.as_bytes(), newest).is_some());
        assert!(AuthCookie::parse(sound.as_bytes(), Version::new(3, 9)).is_none());
        for cookie in [
            String::new(),
            "|||".to_owned(),
            format!("admin|1780488000|{token}"),
            format!("Zoë|x|1780488000|{token}|{hmac}"),
            format!("|1780488000|{token}|{hmac}"),
            format!("admin||{token}|{hmac}"),
            format!("admin|-1|{token}|{hmac}"),
            format!("admin|+1780488000|{token}|{hmac}"),
            format!("admin|1780488000.0|{token}|{hmac}"),
            format!("admin|99999999999999999999|{token}|{hmac}"),
            format!("o'neil|1780488000|{token}|{hmac}"),
            format!("back\\slash|1780488000|{token}|{hmac}"),
            format!("admin\0|1780488000|{token}|{hmac}"),
            sound.replace('|', "%7C"),
            format!("{}|1780488000|{token}|{hmac}", "a".repeat(4096)),
        ] {
            assert_eq!(
                AuthCookie::parse(cookie.as_bytes(), newest),
                None,
                "{cookie}"
            );
        }
        assert_eq!(AuthCookie::parse(b"admin\xff|1|2|3", newest), None);
    }

    /// Without a key and a salt, anybody could sign.
    #[test]
    fn nothing_is_signed_with_nothing() {
        let key = md5(b"", "admin|frag|1|t");
        let hmac = sha256(key.as_bytes(), "admin|1|t");
        let cookie = format!("admin|1|t|{}", hmac.as_str());
        let cookie = AuthCookie::parse(cookie.as_bytes(), Version::default()).unwrap();
        assert!(!cookie.is_signed(b"", "frag"));
    }
}
