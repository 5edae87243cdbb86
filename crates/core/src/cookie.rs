//! Reads a credential out of Cookie headers.

pub use hallpass_sites::cookie::{Cookie, Reader, value};

use crate::{Credential, Secret};

/// What leads the token that stands for whole Cookie headers. No cookie begins so as a browser
/// sends it.
const WHOLE: &[u8] = b"\0cookies\0";

/// The session that the Cookie headers of a request hold, in `cookie`; where that is not known, the
/// headers themselves.
#[must_use]
pub fn credential<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
    cookie: Option<Cookie<'_>>,
) -> Option<Credential> {
    match cookie {
        Some(cookie) => {
            let token = Secret::new(value(headers, cookie)?);
            Some(Credential::Session(token))
        }
        None => Some(Credential::Cookies(joined(headers)?)),
    }
}

/// What a ticket stands for: the token in `cookie` or, where that is not known, all cookies.
#[must_use]
pub fn token<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
    cookie: Option<Cookie<'_>>,
) -> Option<Secret> {
    match cookie {
        Some(cookie) => value(headers, cookie).map(Secret::new),
        None => joined(headers).map(|header| Secret::new([WHOLE, header.expose()].concat())),
    }
}

/// The Cookie header in a token that [`token`] made of one.
pub(crate) fn header_in(token: &Secret) -> Option<Secret> {
    token.expose().strip_prefix(WHOLE).map(Secret::new)
}

/// Several Cookie headers as one.
fn joined<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Option<Secret> {
    let mut whole = Vec::new();
    for header in headers {
        if !whole.is_empty() {
            whole.extend_from_slice(b"; ");
        }
        whole.extend_from_slice(header);
    }
    (!whole.is_empty()).then(|| Secret::new(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_without_a_name_are_kept_whole() {
        let headers = [&b"a=1; b=2"[..], b"c=3"];
        let Some(Credential::Cookies(header)) = credential(headers, None) else {
            panic!("these are cookies");
        };
        assert_eq!(header.expose(), b"a=1; b=2; c=3");
        let token = token(headers, None).unwrap();
        assert_eq!(header_in(&token).unwrap().expose(), b"a=1; b=2; c=3");
        assert!(credential([], None).is_none());
        assert!(super::token([], None).is_none());
        let named = |name| {
            Some(Cookie {
                name,
                reader: Reader::Django,
            })
        };
        let Some(Credential::Session(token)) = credential(headers, named("b")) else {
            panic!("this is a session");
        };
        assert_eq!(token.expose(), b"2");
        assert!(header_in(&token).is_none());
        assert!(credential(headers, named("d")).is_none());
    }
}
