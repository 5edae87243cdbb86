//! Decodes the lines of Squid's helper protocol: words, escaped by RFC 1738.
//!
//! Source: helper.cc, external_acl.cc, auth/basic/UserRequest.cc and lib/rfc1738.c of Squid 5.7.

use percent_encoding::percent_decode;
use zeroize::Zeroizing;

/// Splits the channel id from the words of a line: a number, which Squid writes before each line
/// with `concurrency=`, and expects before the answer. `None` when there is not one.
pub fn split_channel(line: &[u8]) -> Option<(u32, &[u8])> {
    let end = line.iter().position(|byte| *byte == b' ')?;
    let (number, rest) = (line.get(..end)?, line.get(end + 1..)?);
    // `parse` would accept a sign, too.
    let digits = number.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    digits.then_some((number, rest))
}

/// The words of a line, between single blanks; a word may be empty. `None` for a line with a control
/// character, which Squid would have escaped.
pub fn words(line: &[u8]) -> Option<Vec<&[u8]>> {
    let escaped = !line.iter().any(u8::is_ascii_control);
    escaped.then(|| line.split(|byte| *byte == b' ').collect())
}

/// Decodes a word as Squid does: `%41` is A, `%%` is a percent sign, and so is one that neither
/// follows.
pub fn unescape(word: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(word.len()));
    let mut rest = word;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"%%") {
        let (before, after) = rest.split_at(at);
        plain.extend(percent_decode(before));
        plain.push(b'%');
        rest = after.get(2..).unwrap_or_default();
    }
    plain.extend(percent_decode(rest));
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_numbers() {
        for (line, expected) in [
            (&b"0 alice secret"[..], Some((0, &b"alice secret"[..]))),
            (b"17 ", Some((17, b""))),
            (b"007  x", Some((7, b" x"))),
            (b"4294967295 x", Some((u32::MAX, b"x"))),
            (b"4294967296 x", None),
            (b"99999999999999999999 x", None),
            (b"", None),
            (b" ", None),
            (b" 1 x", None),
            (b"1", None),
            (b"+1 x", None),
            (b"-1 x", None),
            (b"1a x", None),
            (b"%31 x", None),
            (b"\xd9\xa1 x", None),
        ] {
            assert_eq!(split_channel(line), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn words_are_between_single_blanks() {
        for (line, expected) in [
            (&b"alice secret"[..], vec![&b"alice"[..], b"secret"]),
            (b"alice ", vec![b"alice", b""]),
            (b" secret", vec![b"", b"secret"]),
            (b"a  b", vec![b"a", b"", b"b"]),
            (b"", vec![b""]),
        ] {
            assert_eq!(words(line), Some(expected), "{}", line.escape_ascii());
        }
        for line in [
            &b"alice\tsecret"[..],
            b"alice secret\r",
            b"a\0b c",
            b"a b\x7f",
            b"a\x0bb",
        ] {
            assert_eq!(words(line), None, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn escapes_are_undone_once_as_squid_undoes_them() {
        for (word, expected) in [
            (&b"alice"[..], &b"alice"[..]),
            (b"two%20words", b"two words"),
            (b"zo%C3%AB%c3%ab", "zoëë".as_bytes()),
            (b"%2541", b"%41"),
            (b"%%41", b"%41"),
            (b"100%", b"100%"),
            (b"100%%", b"100%"),
            (b"%4", b"%4"),
            (b"%g1%1g", b"%g1%1g"),
            (b"%+1", b"%+1"),
            (b"a%00b%0A", b"a\0b\n"),
            (b"a+b", b"a+b"),
            (b"", b""),
        ] {
            assert_eq!(&**unescape(word), expected, "{}", word.escape_ascii());
        }
    }
}
