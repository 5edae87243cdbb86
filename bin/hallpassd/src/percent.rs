//! Percent-encodes values (RFC 3986 section 2.1), by sets of our own.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// Everything but RFC 3986's unreserved characters.
pub const RESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The characters that are encoded in a header's value.
pub const IN_TEXT: AsciiSet = CONTROLS.add(b'%');
/// The characters that are encoded in a header's list, whose items are separated by commas.
pub const IN_LISTS: AsciiSet = IN_TEXT.add(b',');

/// `bytes` with the characters of `set` percent-encoded, and all that is not ASCII.
pub fn encode<'a>(bytes: &'a [u8], set: &'static AsciiSet) -> Cow<'a, str> {
    percent_encode(bytes, set).into()
}

/// Decodes percent-encoding in a query, where a plus is a space. An invalid escape stays as it is;
/// `None` where the result is not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8();
    decoded.ok().map(Cow::into_owned)
}

/// Whether `text` holds an escape, so that a reader could take it for an encoded text.
pub fn has_escape(text: &str) -> bool {
    matches!(Cow::from(percent_decode_str(text)), Cow::Owned(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_encoded() {
        assert_eq!(
            encode("/a b?c=d&é%20#".as_bytes(), &RESERVED),
            "%2Fa%20b%3Fc%3Dd%26%C3%A9%2520%23"
        );
        assert_eq!(encode(b"a-b.c_d~", &RESERVED), "a-b.c_d~");
        let visible: String = (b' '..=b'~').map(char::from).collect();
        for (set, encoded) in [
            (&IN_TEXT, visible.replace('%', "%25")),
            (&IN_LISTS, visible.replace('%', "%25").replace(',', "%2C")),
        ] {
            assert_eq!(encode(visible.as_bytes(), set), encoded);
            assert_eq!(encode("\0\n\u{7f}é".as_bytes(), set), "%00%0A%7F%C3%A9");
        }
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
