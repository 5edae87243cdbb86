//! Joins the cookie of a session and that of a remembered login in one token, for frameworks whose
//! sites let in by either.

use hallpass_stores::Secret;

use crate::cookie::{self, Cookie, Reader};

/// What stands between the two. No value of either has one.
const BETWEEN: u8 = b';';

/// The token in a header `Cookie`: of the session's cookie, and of a remembered login's where one
/// counts.
pub(crate) fn token(
    header: &[u8],
    reader: Reader,
    session: &str,
    remembered: Option<&str>,
) -> Option<Secret> {
    let value = |name: &str| cookie::value([header], Cookie { name, reader });
    match (value(session), remembered.and_then(value)) {
        (session, Some(remembered)) => {
            let parts = [session.unwrap_or_default(), remembered];
            Some(Secret::new(parts.join(&BETWEEN)))
        }
        (session, None) => session.map(Secret::new),
    }
}

/// The session's cookie in `token`, empty where there is none, and that of a remembered login.
pub(crate) fn cookies(token: &[u8]) -> (&[u8], Option<&[u8]>) {
    match token.iter().position(|byte| *byte == BETWEEN) {
        Some(at) => token
            .split_at_checked(at)
            .map_or((token, None), |(session, rest)| (session, rest.get(1..))),
        None => (token, None),
    }
}

/// What stays the same for a session's life, where that is not all of `token`: a site makes another
/// cookie of a remembered login now and then.
pub(crate) fn lasting(token: &[u8]) -> Option<Secret> {
    match cookies(token) {
        (_, None) | (b"", Some(_)) => None,
        (session, Some(_)) => Some(Secret::new(session)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_the_two_cookies_that_count() {
        for (header, name, expected) in [
            ("s=1", Some("r"), Some("1")),
            ("s=1; r=2", Some("r"), Some("1;2")),
            ("r=2; s=1", Some("r"), Some("1;2")),
            ("r=2", Some("r"), Some(";2")),
            ("s=1; r=2", None, Some("1")),
            ("r=2", None, None),
            ("x=1", Some("r"), None),
            ("", Some("r"), None),
        ] {
            let token = token(header.as_bytes(), Reader::Rack, "s", name);
            let token = token.as_ref().map(Secret::expose);
            assert_eq!(token, expected.map(str::as_bytes), "{header}");
        }
    }

    #[test]
    fn a_token_is_taken_apart_again() {
        for (token, session, remembered, lasting_part) in [
            ("1", "1", None, None),
            ("1;2", "1", Some("2"), Some("1")),
            (";2", "", Some("2"), None),
            ("1;", "1", Some(""), Some("1")),
            ("1;2;3", "1", Some("2;3"), Some("1")),
            ("", "", None, None),
        ] {
            let parts = (session.as_bytes(), remembered.map(str::as_bytes));
            assert_eq!(cookies(token.as_bytes()), parts, "{token}");
            let found = lasting(token.as_bytes());
            let found = found.as_ref().map(Secret::expose);
            assert_eq!(found, lasting_part.map(str::as_bytes), "{token}");
        }
    }
}
