//! The credentials that a request carries.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hallpass_core::configuration::Accepted;
use hallpass_core::{Credential, Secret, cookie};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE};
use zeroize::Zeroizing;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The credentials in `headers` that are accepted, the cheapest to check first: the value of the
/// cookie called `cookie_name`, then Basic authentication. Headers that claim an identity are
/// not credentials, whoever sent them.
pub fn credentials(headers: &HeaderMap, accept: Accepted, cookie_name: &str) -> Vec<Credential> {
    let mut found = Vec::new();
    if accept.session {
        let cookies = headers
            .get_all(COOKIE)
            .iter()
            .map(|header| header.as_bytes());
        if let Some(token) = cookie::value(cookies, cookie_name) {
            found.push(Credential::Session {
                token: Secret::new(token),
                owner: None,
            });
        }
    }
    if accept.password {
        found.extend(basic(headers));
    }
    found
}

/// Basic authentication (RFC 7617), in UTF-8. Two Authorization headers are none.
fn basic(headers: &HeaderMap) -> Option<Credential> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, encoded) = value.as_bytes().split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = BASE64
        .decode(encoded.trim_ascii())
        .map(Zeroizing::new)
        .ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (name, password) = decoded.split_at_checked(colon)?;
    let name = std::str::from_utf8(name).ok()?.to_owned();
    Some(Credential::Password {
        name,
        password: Secret::new(password.get(1..)?),
    })
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const BOTH: Accepted = Accepted {
        password: true,
        session: true,
    };

    fn asked(accept: Accepted, lines: &[(&'static str, &[u8])]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        let show = |credential| match credential {
            Credential::Password { name, password } => {
                format!("{name}:{}", password.expose().escape_ascii())
            }
            Credential::Session { token, .. } => format!("{}", token.expose().escape_ascii()),
            Credential::Vouched { .. } => panic!("nobody vouches"),
        };
        credentials(&headers, accept, "sessionid")
            .into_iter()
            .map(show)
            .collect()
    }

    #[test]
    fn credentials_are_found() {
        let basic = ("authorization", &b"Basic YWxpY2U6c2U6Y3JldA=="[..]);
        let cookie = ("cookie", &b"a=b; sessionid=abc"[..]);
        assert_eq!(asked(BOTH, &[basic, cookie]), ["abc", "alice:se:cret"]);
        let sessions = Accepted {
            password: false,
            session: true,
        };
        assert_eq!(asked(sessions, &[basic, cookie]), ["abc"]);
        let passwords = Accepted {
            password: true,
            session: false,
        };
        assert_eq!(asked(passwords, &[basic, cookie]), ["alice:se:cret"]);
        assert_eq!(
            asked(BOTH, &[("authorization", b"bAsIc  YWxpY2U6")]),
            ["alice:"]
        );
        assert_eq!(
            asked(BOTH, &[cookie, ("cookie", b"sessionid=last")]),
            ["last"]
        );
    }

    #[test]
    fn what_is_no_credential_is_not_taken_for_one() {
        for value in [
            &b""[..],
            b"Basic",
            b"Basic ",
            b"Basic YWxpY2U=",
            b"Basic YWxpY2U6c2!",
            b"Basic alice:secret",
            b"Basic /zpzZWNyZXQ=",
            b"Bearer YWxpY2U6c2VjcmV0",
            b"Digest username=\"alice\"",
            b"YWxpY2U6c2VjcmV0",
            b"\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(asked(BOTH, &[("authorization", value)]).is_empty());
        }
        let basic = ("authorization", &b"Basic YWxpY2U6c2VjcmV0"[..]);
        assert!(asked(BOTH, &[basic, basic]).is_empty());
        for name in ["remote-user", "x-remote-user", "x-forwarded-user"] {
            assert!(asked(BOTH, &[(name, b"alice")]).is_empty());
        }
    }
}
