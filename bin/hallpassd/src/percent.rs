//! Percent-encoding (RFC 3986 section 2.1).

use std::borrow::Cow;
use std::fmt::Write;

/// `bytes` with everything but `keep` and RFC 3986's unreserved characters percent-encoded.
pub fn encode<'a>(bytes: &'a [u8], keep: &[u8]) -> Cow<'a, str> {
    let kept =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || keep.contains(byte);
    if let Ok(text) = std::str::from_utf8(bytes)
        && bytes.iter().all(kept)
    {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(3 * bytes.len());
    for byte in bytes {
        if kept(byte) {
            text.push(char::from(*byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    Cow::Owned(text)
}

/// Undoes percent-encoding in a query, where a plus stands for a space. What is no escape stays
/// as it is; bytes that are no UTF-8 are `None`.
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escape = match (first, tail) {
            (b'%', [high, low, after @ ..]) => hex(*high)
                .zip(hex(*low))
                .map(|(high, low)| (high << 4 | low, after)),
            _ => None,
        };
        let plain = if *first == b'+' { b' ' } else { *first };
        let (byte, after) = escape.unwrap_or((plain, tail));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

/// Whether `text` holds what looks like an escape, so that a reader could take it for an encoded
/// text.
pub fn has_escape(text: &str) -> bool {
    text.as_bytes().windows(3).any(
        |bytes| matches!(bytes, [b'%', high, low] if hex(*high).is_some() && hex(*low).is_some()),
    )
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| digit.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_encoded() {
        assert_eq!(
            encode("/a b?c=d&é%20#".as_bytes(), b""),
            "%2Fa%20b%3Fc%3Dd%26%C3%A9%2520%23"
        );
        assert_eq!(encode(b"a@b.c", b"@"), "a@b.c");
    }

    #[test]
    fn escapes_are_found() {
        for text in ["%41", "a%c3%AB", "%%20", "x%ff"] {
            assert!(has_escape(text), "{text}");
        }
        for text in ["", "%", "100%", "%4", "%zz", "%4g", "% 41", "%é1", "41%"] {
            assert!(!has_escape(text), "{text}");
        }
    }

    #[test]
    fn queries_are_decoded() {
        for (text, plain) in [
            ("two+words", Some("two words")),
            ("two%20words", Some("two words")),
            ("%C3%A9", Some("é")),
            ("%c3%a9", Some("é")),
            ("100%", Some("100%")),
            ("%4", Some("%4")),
            ("%zz", Some("%zz")),
            ("%FF", None),
            ("", Some("")),
        ] {
            assert_eq!(decode(text).as_deref(), plain, "{text}");
        }
    }
}
