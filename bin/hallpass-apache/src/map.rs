//! Decodes and encodes the lines of a `prg:` map of mod_rewrite.
//!
//! A key comes in as a line, and a value goes out as one: the key is a Cookie header or the value of
//! the session cookie, and the value is `u:NAME`. Source: mod_rewrite.c of Apache 2.4,
//! `lookup_map_program`.

use hallpass_core::cookie::{self, Cookie};
use hallpass_core::{Credential, Reason, Secret, Verdict};

/// The answer that means no value to mod_rewrite.
const NOTHING: &[u8] = b"NULL\n";

/// The credential in `line`, where `cookie` is the site's session cookie, if that is known.
///
/// A line with an equals sign is a Cookie header if it holds that cookie. Any other line that could
/// be the cookie's value counts as one: Base64 may end in equals signs, too.
///
/// # Errors
/// The reason of a denial that needs no request.
pub fn credential(line: &[u8], cookie: Option<Cookie<'_>>) -> Result<Credential, Reason> {
    if line.is_empty() {
        return Err(Reason::NoSession);
    }
    if line.iter().any(u8::is_ascii_control) {
        return Err(Reason::Malformed);
    }
    if line.contains(&b'=')
        && let Some(credential) = cookie::credential([line], cookie)
    {
        return Ok(credential);
    }
    let several = line.iter().any(|byte| b"; ".contains(byte));
    if several {
        return Err(Reason::NoSession);
    }
    Ok(Credential::Session(Secret::new(line)))
}

/// The line of the answer: `u:NAME` of a granted account, so that no name looks like a missing
/// answer, and no missing answer like a name.
pub fn answer(verdict: &Verdict) -> Vec<u8> {
    match verdict {
        Verdict::Granted(identity) if stands_in_a_line(&identity.name) => {
            format!("u:{}\n", identity.name).into_bytes()
        }
        _ => NOTHING.to_vec(),
    }
}

/// Whether `name` fits into one line: the rest of a name with a line end would answer the next
/// request.
fn stands_in_a_line(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use hallpass_core::cookie::Reader;
    use hallpass_core::{Identity, Unavailable};

    use super::*;

    /// The token or header that a line shows.
    fn shown(line: &[u8], name: Option<&str>) -> Result<(&'static str, Vec<u8>), Reason> {
        let reader = Reader::Django;
        let cookie = name.map(|name| Cookie { name, reader });
        credential(line, cookie).map(|credential| match credential {
            Credential::Session(token) => ("token", token.expose().to_vec()),
            Credential::Cookies(header) => ("header", header.expose().to_vec()),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_line_is_a_cookie_header_or_a_token() {
        for (line, token) in [
            (&b"sessionid=abc"[..], &b"abc"[..]),
            (b"theme=dark; sessionid=abc; lang=de", b"abc"),
            (b"sessionid=\"a\\\"b\"", b"a\"b"),
            (b"sessionid=a; sessionid=b", b"b"),
            (b"sessionid=", b""),
            (b"abc", b"abc"),
            (b"eyJhIjoxfQ:1abc:x-_", b"eyJhIjoxfQ:1abc:x-_"),
            (b"YWI=", b"YWI="),
            (b"YQ==", b"YQ=="),
        ] {
            let shown = shown(line, Some("sessionid"));
            assert_eq!(
                shown,
                Ok(("token", token.to_vec())),
                "{}",
                line.escape_ascii()
            );
        }
        let header = b"a_u=2; a_sid=x";
        assert_eq!(shown(header, None), Ok(("header", header.to_vec())));
        assert_eq!(shown(b"abc", None), Ok(("token", b"abc".to_vec())));
    }

    #[test]
    fn other_lines_show_nothing() {
        for (line, reason) in [
            (&b""[..], Reason::NoSession),
            (b"theme=dark; lang=de", Reason::NoSession),
            (b"two words", Reason::NoSession),
            (b";", Reason::NoSession),
            (b"sessionid=a\rb", Reason::Malformed),
            (b"sessionid=a\0b", Reason::Malformed),
            (b"\x7f", Reason::Malformed),
        ] {
            let shown = shown(line, Some("sessionid"));
            assert_eq!(shown, Err(reason), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn an_answer_is_one_line() {
        let granted = |name: &str| {
            answer(&Verdict::Granted(Box::new(Identity {
                name: name.to_owned(),
                ..Identity::default()
            })))
        };
        for (name, line) in [
            ("alice", "u:alice\n"),
            ("null", "u:null\n"),
            ("NULL", "u:NULL\n"),
            ("two  words ", "u:two  words \n"),
            ("zoë", "u:zoë\n"),
            ("u:bob", "u:u:bob\n"),
            ("", "NULL\n"),
            ("al\nu:root", "NULL\n"),
            ("al\r", "NULL\n"),
            ("al\u{85}ice", "NULL\n"),
            ("al\0", "NULL\n"),
        ] {
            assert_eq!(granted(name), line.as_bytes(), "{name:?}");
        }
        for reason in Reason::ALL {
            assert_eq!(answer(&Verdict::Denied(reason)), b"NULL\n");
        }
        assert_eq!(answer(&Unavailable::new("gone").into()), b"NULL\n");
    }
}
