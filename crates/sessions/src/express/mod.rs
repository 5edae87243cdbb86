//! Reads the sessions of express-session: its signed cookies, and the JSON that its stores keep.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::json::{self, Dialect, Place};
use crate::{Invalid, MAX_INPUT, Member, MemberPath, Value};

/// The longest cookie that is read, in bytes. No browser keeps a longer one.
const LONGEST_COOKIE: usize = 4096;
/// Up to here JavaScript's numbers are exact (`Number.MAX_SAFE_INTEGER`).
const LARGEST: i64 = (1 << 53) - 1;

/// The secrets that sign a site's session cookies (the option `secret` of express-session).
#[derive(Clone)]
pub struct Secrets(Vec<Hmac<Sha256>>);

impl Secrets {
    /// The keys that `secrets` make, each of which may have signed a cookie.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let key = |secret| Hmac::new_from_slice(secret).ok();
        Self(secrets.into_iter().filter_map(key).collect())
    }

    /// The id of the session in the cookie `value`, as it stands in the Cookie header:
    /// `s:ID.SIGNATURE`, percent-encoded (`getcookie` in index.js of express-session 1.19, `parse` of
    /// cookie 0.7, `unsign` of cookie-signature 1.0). It is never empty.
    ///
    /// # Errors
    /// [`Invalid::Format`] when `value` is not signed, [`Invalid::Signature`] when it is signed with
    /// another secret.
    pub fn unsign(&self, value: &[u8]) -> Result<Zeroizing<String>, Invalid> {
        const UNSIGNED: Invalid = Invalid::Format("the cookie is not signed");
        if value.len() > LONGEST_COOKIE {
            return Err(Invalid::TooLarge(LONGEST_COOKIE));
        }
        let value = decoded(value).ok_or(Invalid::Format("the cookie is not text"))?;
        let signed = value.strip_prefix("s:").ok_or(UNSIGNED)?;
        let (id, signature) = signed.rsplit_once('.').ok_or(UNSIGNED)?;
        let by_any = self.0.iter().any(|key| {
            let expected = signature_of(key, id);
            bool::from(expected.as_bytes().ct_eq(signature.as_bytes()))
        });
        if !by_any {
            return Err(Invalid::Signature);
        }
        // express-session takes an empty one for none.
        if id.is_empty() {
            return Err(Invalid::Format("the session's id is empty"));
        }
        Ok(Zeroizing::new(id.to_owned()))
    }

    /// The cookie of the session `id`, as express-session would sign it; `None` without a secret.
    #[must_use]
    pub fn sign(&self, id: &str) -> Option<Zeroizing<String>> {
        let signature = signature_of(self.0.first()?, id);
        Some(Zeroizing::new(format!("s:{id}.{signature}")))
    }
}

/// `sign` of cookie-signature 1.0: Base64 without its padding.
fn signature_of(key: &Hmac<Sha256>, id: &str) -> String {
    let signature = key.clone().chain_update(id.as_bytes()).finalize();
    STANDARD_NO_PAD.encode(signature.into_bytes())
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secrets(…)")
    }
}

/// `decodeURIComponent`, or the text as it stands where that raises. Node reads a byte past ASCII as
/// Latin-1, so there is none in what it has written itself.
fn decoded(value: &[u8]) -> Option<Zeroizing<String>> {
    let text = std::str::from_utf8(value)
        .ok()
        .filter(|text| text.is_ascii())?;
    let as_it_stands = || Some(Zeroizing::new(text.to_owned()));
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len()));
    let mut rest = value;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = rest.split_at_checked(2).and_then(|(digits, after)| {
            rest = after;
            let digits = digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)?;
            u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        });
        match digits {
            Some(byte) => bytes.push(byte),
            None => return as_it_stands(),
        }
    }
    match std::str::from_utf8(&bytes) {
        Ok(decoded) => Some(Zeroizing::new(decoded.to_owned())),
        Err(_) => as_it_stands(),
    }
}

/// The value that `path` leads to in the JSON of a session, as JavaScript reads it: 0 is nothing, and
/// a number that JavaScript would round is unclear.
///
/// # Errors
/// [`Invalid::Format`] when `session` is not a JSON object; [`Invalid::Kind`] when its `cookie` is not
/// an object, at which express-session raises (`createSession` in session/store.js, 1.19);
/// [`Invalid::TooLarge`].
pub fn read(session: &[u8], path: &MemberPath) -> Result<Member, Invalid> {
    const NOT_JSON: Invalid = Invalid::Format("the session is not a JSON object");
    if session.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    let find = |names: &[String]| json::at(session, Dialect::JavaScript, names).ok_or(NOT_JSON);
    match find(&["cookie".to_owned()])? {
        Some(Place::Compound(_)) => {}
        _ => return Err(Invalid::Kind("its member `cookie` is not an object")),
    }
    Ok(match find(path.names())? {
        None => Member::Nothing,
        Some(Place::Compound(_)) => Member::Unclear,
        Some(Place::Scalar(Value::Fraction(number))) => whole(number),
        Some(Place::Scalar(value)) => match value.into() {
            Member::Integer(0) => Member::Nothing,
            Member::Integer(number) if !(-LARGEST..=LARGEST).contains(&number) => Member::Unclear,
            member => member,
        },
    })
}

/// The whole number that a number with a point or an exponent is.
fn whole(number: f64) -> Member {
    if number == 0.0 {
        return Member::Nothing;
    }
    let whole = number as i64;
    if whole as f64 == number && (-LARGEST..=LARGEST).contains(&whole) {
        Member::Integer(whole)
    } else {
        Member::Unclear
    }
}

#[cfg(test)]
mod tests;
