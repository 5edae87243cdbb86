//! The one cookie that matters, out of a Cookie header.

use crate::{Credential, Secret};

/// What leads the token that stands for whole Cookie headers. No cookie begins so as a browser
/// sends it.
const WHOLE: &[u8] = b"\0cookies\0";

/// The session that the Cookie headers of a request hold, in the cookie called `name`; where its
/// name is not known, the headers themselves.
#[must_use]
pub fn credential<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
    name: Option<&str>,
) -> Option<Credential> {
    let owner = None;
    match name {
        Some(name) => {
            let token = Secret::new(value(headers, name)?);
            Some(Credential::Session { token, owner })
        }
        None => {
            let header = joined(headers)?;
            Some(Credential::Cookies { header, owner })
        }
    }
}

/// What a ticket stands for: the token in the cookie called `name` or, where its name is not known,
/// all cookies.
#[must_use]
pub fn token<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
    name: Option<&str>,
) -> Option<Secret> {
    match name {
        Some(name) => value(headers, name).map(Secret::new),
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

/// The value of the cookie called `name` in the Cookie headers of a request, in their order.
///
/// Read as Django's `parse_cookie` reads them (http/cookie.py, 5.2): pairs end at semicolons, a
/// pair without an equals sign has an empty name, white space around names and values does not
/// count, of two cookies of one name the last counts, and a value in double quotes is taken out
/// of them with its backslash escapes undone. `None` when there is no such cookie.
#[must_use]
pub fn value<'a>(headers: impl IntoIterator<Item = &'a [u8]>, name: &str) -> Option<Vec<u8>> {
    let mut found = None;
    for pair in headers
        .into_iter()
        .flat_map(|header| header.split(|byte| *byte == b';'))
    {
        let (key, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (pair.get(..at)?, pair.get(at + 1..)?),
            None => (&b""[..], pair),
        };
        if key.trim_ascii() == name.as_bytes() {
            found = Some(value.trim_ascii());
        }
    }
    found.map(unquote)
}

/// `http.cookies._unquote` of Python: `"a\"b\054c"` is `a"b,c`.
fn unquote(value: &[u8]) -> Vec<u8> {
    let quoted = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    let Some(mut rest) = quoted else {
        return value.to_vec();
    };
    let mut plain = Vec::with_capacity(rest.len());
    while let Some((first, tail)) = rest.split_first() {
        let (byte, tail) = match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), tail)
            }
            (b'\\', [escaped, tail @ ..]) => (*escaped, tail),
            _ => (*first, tail),
        };
        plain.push(byte);
        rest = tail;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_without_a_name_are_kept_whole() {
        let headers = [&b"a=1; b=2"[..], b"c=3"];
        let Some(Credential::Cookies {
            header,
            owner: None,
        }) = credential(headers, None)
        else {
            panic!("these are cookies");
        };
        assert_eq!(header.expose(), b"a=1; b=2; c=3");
        let token = token(headers, None).unwrap();
        assert_eq!(header_in(&token).unwrap().expose(), b"a=1; b=2; c=3");
        assert!(credential([], None).is_none());
        assert!(super::token([], None).is_none());
        let Some(Credential::Session { token, .. }) = credential(headers, Some("b")) else {
            panic!("this is a session");
        };
        assert_eq!(token.expose(), b"2");
        assert!(header_in(&token).is_none());
        assert!(credential(headers, Some("d")).is_none());
    }

    fn find(header: &str) -> Option<String> {
        value([header.as_bytes()], "sessionid").map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        for header in [
            "sessionid=abc",
            "a=1; sessionid=abc; b=2",
            "a=1;sessionid=abc;",
            " sessionid = abc ",
            "sessionid=\"abc\"",
            "sessionid=\"a\\b\\143\"",
            "sessionid=first; sessionid=abc",
        ] {
            assert_eq!(find(header).as_deref(), Some("abc"), "{header}");
        }
    }

    #[test]
    fn other_cookies_are_not_it() {
        for header in [
            "",
            ";",
            "=",
            "sessionid",
            "Sessionid=abc",
            "xsessionid=abc",
            "a=sessionid",
        ] {
            assert_eq!(find(header), None, "{header}");
        }
    }

    #[test]
    fn odd_values_are_taken_as_they_are() {
        for (header, expected) in [
            ("sessionid=", ""),
            ("sessionid=a=b", "a=b"),
            ("sessionid=\"", "\""),
            ("sessionid=\"\"", ""),
            ("sessionid=a\"b\"", "a\"b\""),
            ("sessionid=\"a\\\"", "a\\"),
        ] {
            assert_eq!(find(header).as_deref(), Some(expected), "{header}");
        }
    }

    #[test]
    fn several_headers_are_one() {
        let headers = [&b"sessionid=a"[..], b"x=1", b"sessionid=b"];
        assert_eq!(value(headers, "sessionid").as_deref(), Some(&b"b"[..]));
    }
}
