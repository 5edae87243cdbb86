//! Checks Flask-Login's remember-me cookie: `id|code` (`encode_cookie` and `decode_cookie` in utils.py,
//! 0.6.3).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::hexadecimal::hexadecimal;
use crate::{Invalid, LONGEST_TEXT};

/// The key that signs the cookie.
#[derive(Clone)]
pub struct RememberKey(Vec<Hmac<Sha512>>);

impl RememberKey {
    /// The key that `SECRET_KEY` makes. Flask-Login writes a text in Latin-1, which it cannot write
    /// where other letters are in it; whether a key was a text or bytes does not show here, so either
    /// counts.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let text = std::str::from_utf8(secret).unwrap_or_default();
        let latin: Option<Vec<u8>> = text.chars().map(|it| u8::try_from(it).ok()).collect();
        let latin = latin.map(Zeroizing::new);
        let latin = latin.filter(|latin| !secret.is_ascii() && !latin.is_empty());
        let latin = latin.as_deref().map(Vec::as_slice);
        // An HMAC takes keys of every length.
        let keys = [Some(secret), latin].into_iter().flatten();
        Self(
            keys.filter_map(|key| Hmac::new_from_slice(key).ok())
                .collect(),
        )
    }

    /// The id of the account that `cookie` remembers.
    ///
    /// # Errors
    /// [`Invalid::Signature`] when the key did not sign it, [`Invalid::Format`] when nothing did.
    pub fn open<'a>(&self, cookie: &'a [u8]) -> Result<&'a str, Invalid> {
        if cookie.len() > LONGEST_TEXT {
            return Err(Invalid::TooLarge(LONGEST_TEXT));
        }
        let text = std::str::from_utf8(cookie).map_err(|_| Invalid::Format("it is not UTF-8"))?;
        let (id, code) = text
            .rsplit_once('|')
            .ok_or(Invalid::Format("it is not signed"))?;
        let made = |key: &Hmac<Sha512>| {
            let own = key.clone().chain_update(id).finalize().into_bytes();
            bool::from(hexadecimal(&own).as_bytes().ct_eq(code.as_bytes()))
        };
        self.0
            .iter()
            .any(made)
            .then_some(id)
            .ok_or(Invalid::Signature)
    }
}

impl fmt::Debug for RememberKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RememberKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `encode_cookie(id, key)` of Flask-Login 0.6.3: the key, and the cookie.
    const MADE: [(&str, &str); 4] = [
        (
            "f1ask-s3cret",
            "1|7bcb541c479e05999792eee9ed3d876b20c0d75d41b626c986c76a364d0372b6a90806f046a0113be80ebd925189b757deacc0cff8c33847de723df5449e1b2b",
        ),
        (
            "f1ask-s3cret",
            "zoë|7|31eb458cd70d5459d25d5b395d6189552d97bc35207054a1d6f6373be13271e154d1a7d5781be1ea139c9854a944947d3c44de431e9b333be652d9c5ef064cd9",
        ),
        (
            "schlüssel",
            "42|7acbcfc165798737a74004e1e4e686b30bd16dd2923152236a6ec80aaf484fc114d86aac96a52f4bd7b6afd16d2c6edd3167ffe96cf68503c812f72ae7b05d7a",
        ),
        (
            "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
            "9c5b94b1-35ad-49bb-b118-8e8fc24abf80|6c2edb9f872a17c8ca39f3a41c9e8dc45357903d8baa212c8a7bc2e108f0b9b8e415b47edd04354ce828ee8ec110d4a02d937ca71525250353d5eed57f3e8841",
        ),
    ];

    #[test]
    fn cookies_of_flask_login_are_opened_and_no_others() {
        for (secret, cookie) in MADE {
            let key = RememberKey::new(secret.as_bytes());
            let (id, _) = cookie.rsplit_once('|').unwrap();
            assert_eq!(key.open(cookie.as_bytes()), Ok(id), "{cookie}");
            for at in 0..cookie.len() {
                let mut other = cookie.as_bytes().to_vec();
                other[at] ^= 1;
                assert!(key.open(&other).is_err(), "{cookie} {at}");
                assert!(key.open(&cookie.as_bytes()[..at]).is_err(), "{cookie} {at}");
            }
            let (_, code) = cookie.rsplit_once('|').unwrap();
            for other in [
                format!("{cookie}0"),
                format!("{cookie}|"),
                format!(" {cookie}"),
                format!("{id}|{}", code.to_ascii_uppercase()),
                format!("2|{code}"),
                format!("|{code}"),
                code.to_owned(),
                String::new(),
                "|".to_owned(),
            ] {
                assert!(key.open(other.as_bytes()).is_err(), "{other}");
            }
            let long = [&b"1".repeat(LONGEST_TEXT)[..], b"|", code.as_bytes()].concat();
            assert_eq!(key.open(&long), Err(Invalid::TooLarge(LONGEST_TEXT)));
            for other in ["", "another key", &secret[1..]] {
                assert!(
                    RememberKey::new(other.as_bytes())
                        .open(cookie.as_bytes())
                        .is_err()
                );
            }
        }
        assert_eq!(format!("{:?}", RememberKey::new(b"key")), "RememberKey(…)");
    }
}
