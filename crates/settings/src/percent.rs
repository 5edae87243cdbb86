//! Decodes percent-encoded parts of URLs.

use percent_encoding::percent_decode_str;

/// `text` with each `%XX` replaced by the byte that it stands for; `None` where a `%` stands for
/// nothing, which the crate would leave as it is.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let whole = text.split('%').skip(1).all(is_escape);
    // Room for all of it at once: of a password no copy is left behind.
    let mut bytes = Vec::with_capacity(text.len());
    bytes.extend(percent_decode_str(text));
    whole.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_percent_sign_stands_for_a_byte() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("a+b", Some(b"a+b")),
            ("%41%c3%BF%00", Some(b"A\xc3\xbf\0")),
            ("%25%", None),
            ("%4", None),
            ("%+4", None),
            ("%4x", None),
            ("%%41", None),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
    }
}
