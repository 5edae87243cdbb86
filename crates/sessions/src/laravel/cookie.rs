//! Reads what an encrypted cookie says: a session's id, a remembered login.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::encrypter::Encrypter;
use super::payload::unserialized;
use crate::{Invalid, LONGEST_TEXT};

/// The longest cookie that is read, in bytes: more than browsers keep, and PHP's servers take.
pub const LONGEST_COOKIE: usize = 16 << 10;
/// The length of a session's id (`Store::isValidId`).
const SESSION_ID: usize = 40;

/// A cookie, decrypted. It still begins with the code that ties the value to the cookie's name.
pub struct Cookie(Zeroizing<Vec<u8>>);

/// Never shows the value.
impl std::fmt::Debug for Cookie {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Cookie(…)")
    }
}

impl Cookie {
    /// Decrypts the `value` of a cookie as a browser sends it: percent-encoded, as PHP decodes it.
    ///
    /// # Errors
    /// [`Invalid`] when it is longer than [`LONGEST_COOKIE`], or the site did not encrypt it.
    pub fn open(value: &[u8], encrypter: &Encrypter) -> Result<Self, Invalid> {
        if value.len() > LONGEST_COOKIE {
            return Err(Invalid::TooLarge(LONGEST_COOKIE));
        }
        let plain = encrypter.open(&Zeroizing::new(urldecode(value)))?;
        // Applications that were upgraded from 5.5 and before may serialize cookies
        // (`EncryptCookies::$serialize`). A code in hexadecimal never looks so.
        Ok(Self(match plain.starts_with(b"s:") {
            true => Zeroizing::new(unserialized(&plain)?),
            false => plain,
        }))
    }

    /// The value, where the site made it for the cookie `name` (`EncryptCookies::validateValue`).
    #[must_use]
    pub fn value_of(&self, name: &str, encrypter: &Encrypter) -> Option<&[u8]> {
        encrypter.prefixes(name).find_map(|prefix| {
            let (start, value) = self.0.split_at_checked(prefix.len())?;
            bool::from(start.ct_eq(prefix.as_bytes())).then_some(value)
        })
    }
}

/// The value of a cookie called `name` that holds `value`, percent-encoded as PHP writes it.
#[must_use]
pub fn seal_cookie(name: &str, value: &[u8], encrypter: &Encrypter) -> Option<String> {
    let prefix = encrypter.prefixes(name).next()?;
    let sealed = encrypter.seal(&[prefix.as_bytes(), value].concat())?;
    Some(
        sealed
            .replace('=', "%3D")
            .replace('+', "%2B")
            .replace('/', "%2F"),
    )
}

/// The id of a session, where `value` is one; the site makes a new session otherwise.
#[must_use]
pub fn session_id(value: &[u8]) -> Option<&str> {
    let valid = value.len() == SESSION_ID && value.iter().all(u8::is_ascii_alphanumeric);
    valid.then(|| std::str::from_utf8(value).ok()).flatten()
}

/// A remembered login: `id|token|hash` (src/Illuminate/Auth/Recaller.php).
#[derive(PartialEq, Eq)]
pub struct Recaller {
    /// The primary key of the account.
    pub user: String,
    /// What the account's row must have as `remember_token`.
    pub token: Zeroizing<Vec<u8>>,
    /// The password's hash when it was made, or a code of it.
    pub password: Zeroizing<Vec<u8>>,
}

/// Never shows the token.
impl std::fmt::Debug for Recaller {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Recaller({}, …)", self.user)
    }
}

impl Recaller {
    /// `None` for what the site would not take for one.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        // It unserializes what is serialized first.
        let plain = match value.starts_with(b"s:") {
            true => Zeroizing::new(unserialized(value).ok()?),
            false => Zeroizing::new(value.to_vec()),
        };
        let mut segments = plain.split(|byte| *byte == b'|');
        let (user, token, password) = (segments.next()?, segments.next()?, segments.next()?);
        let blank = |segment: &[u8]| segment.iter().all(|byte| b" \t\n\r\0\x0b".contains(byte));
        if blank(user) || blank(token) || plain.len() > LONGEST_TEXT {
            return None;
        }
        Some(Self {
            user: std::str::from_utf8(user).ok()?.to_owned(),
            token: Zeroizing::new(token.to_vec()),
            password: Zeroizing::new(password.to_vec()),
        })
    }
}

/// As PHP decodes a cookie's value (`php_raw_url_decode` and `+`, in main/php_variables.c).
fn urldecode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'+', after) => (b' ', after),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'%', rest.get(1..).unwrap_or_default()),
            },
            (byte, after) => (*byte, after),
        };
        decoded.push(byte);
        rest = after;
    }
    decoded
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_as_php_does() {
        for (text, decoded) in [
            ("abc%3D", "abc="),
            ("a+b", "a b"),
            ("%2b%2B", "++"),
            ("%", "%"),
            ("%3", "%3"),
            ("%zz%41", "%zzA"),
            ("%%41", "%A"),
        ] {
            assert_eq!(urldecode(text.as_bytes()), decoded.as_bytes(), "{text}");
        }
    }

    #[test]
    fn only_forty_letters_and_digits_are_an_id() {
        let id = "2s9BYZd8oFnWY13A6qNXVGAHouGZwDpCaTnVs2i2";
        assert_eq!(session_id(id.as_bytes()), Some(id));
        for other in [
            "",
            "abc",
            &id[1..],
            &format!("{id}a"),
            &format!("{}_", &id[1..]),
        ] {
            assert_eq!(session_id(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn recallers_have_three_parts() {
        let recaller = Recaller::parse(b"3|token|hash").unwrap();
        assert_eq!(recaller.user, "3");
        assert_eq!(
            (&**recaller.token, &**recaller.password),
            (&b"token"[..], &b"hash"[..])
        );
        assert_eq!(Recaller::parse(b"s:12:\"3|token|hash\";"), Some(recaller));
        assert!(Recaller::parse(b"3|token|").is_some());
        assert!(Recaller::parse(b"3|token|hash|more").is_some());
        for other in [
            "",
            "3",
            "3|token",
            "|token|hash",
            "3||hash",
            " |token|hash",
            "3| \t|hash",
        ] {
            assert_eq!(Recaller::parse(other.as_bytes()), None, "{other}");
        }
        assert_eq!(Recaller::parse(b"\xff|token|hash"), None);
        assert_eq!(Recaller::parse(b"s:99:\"3|token|hash\";"), None);
        let long = format!("3|{}|hash", "t".repeat(LONGEST_TEXT));
        assert_eq!(Recaller::parse(long.as_bytes()), None);
    }

    #[test]
    fn nothing_secret_is_shown() {
        let recaller = Recaller::parse(b"3|token|hash").unwrap();
        assert_eq!(format!("{recaller:?}"), "Recaller(3, …)");
    }
}
