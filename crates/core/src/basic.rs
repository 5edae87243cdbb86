//! Reads a name and a password from the header `Authorization` of a request.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::Secret;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A name and a password.
#[derive(Debug)]
pub struct Basic {
    /// The name as typed.
    pub name: String,
    /// The password as typed.
    pub password: Secret,
}

/// The header is of Basic authentication, and its name cannot be read with certainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Reads the value `authorization` of the header; `None` when it is not one of Basic
/// authentication (RFC 7617).
///
/// # Errors
/// [`Unreadable`] when it is one, and not Base64 of a name and a password in UTF-8. Web servers
/// decode more leniently, and may read a name out of it.
#[must_use]
pub fn read(authorization: &[u8]) -> Option<Result<Basic, Unreadable>> {
    let (scheme, rest) = authorization.trim_ascii().split_at_checked(5)?;
    let ends = rest.first().is_none_or(|byte| !is_token(*byte));
    if !scheme.eq_ignore_ascii_case(b"basic") || !ends {
        return None;
    }
    let encoded = rest.strip_prefix(b" ").unwrap_or_default();
    Some(decode(encoded.trim_ascii()).ok_or(Unreadable))
}

/// Reads all `Authorization` headers of a request; `None` when there is no Basic authentication
/// in it.
///
/// # Errors
/// [`Unreadable`] as for [`read`], and when there is more than one: servers differ in which counts.
pub fn read_all<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<Basic>, Unreadable> {
    let mut headers = headers.into_iter();
    match (headers.next(), headers.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => read(one).transpose(),
        (Some(_), Some(_)) => Err(Unreadable),
    }
}

fn decode(encoded: &[u8]) -> Option<Basic> {
    let decoded = BASE64.decode(encoded).map(Zeroizing::new).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (name, password) = decoded.split_at_checked(colon)?;
    Some(Basic {
        name: std::str::from_utf8(name).ok()?.to_owned(),
        password: Secret::new(password.get(1..)?),
    })
}

/// Whether `byte` may stand in the name of a scheme (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_password_are_read() {
        for value in [
            &b"Basic YWxpY2U6c2U6Y3JldA=="[..],
            b"bAsIc  YWxpY2U6c2U6Y3JldA",
            b" basic YWxpY2U6c2U6Y3JldA== ",
        ] {
            let Basic { name, password } = read(value).unwrap().unwrap();
            assert_eq!((&*name, password.expose()), ("alice", &b"se:cret"[..]));
        }
        let Basic { name, password } = read(b"Basic Og==").unwrap().unwrap();
        assert_eq!((&*name, password.expose()), ("", &b""[..]));
    }

    #[test]
    fn a_name_that_a_server_might_read_otherwise_is_unreadable() {
        for value in [
            &b"Basic"[..],
            b"Basic ",
            b"Basic YWxpY2U=",
            b"Basic YWxpY2U6c2!",
            b"Basic YWRtaW46eA==YWxpY2U6eA==",
            b"Basic YWRt aW46eA==",
            b"Basic\tYWRtaW46eA==",
            b"Basic,YWRtaW46eA==",
            b"Basic alice:secret",
            // Latin-1: "\xff:secret".
            b"Basic /zpzZWNyZXQ=",
        ] {
            let read = read(value).unwrap();
            assert_eq!(read.unwrap_err(), Unreadable, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn other_schemes_are_not_basic() {
        for value in [
            &b""[..],
            b"Bas",
            b"BasicYWRtaW46eA==",
            b"Basic-YWRtaW46eA==",
            b"Bearer YWRtaW46eA==",
            b"Digest username=\"admin\"",
            b"YWxpY2U6c2VjcmV0",
            b"\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(read(value).is_none(), "{}", value.escape_ascii());
        }
    }
}
