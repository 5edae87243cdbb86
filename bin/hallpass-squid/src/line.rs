//! Squid's helper protocol, as it comes in: lines of words, escaped after RFC 1738.
//!
//! Source: helper.cc, external_acl.cc, auth/basic/UserRequest.cc and lib/rfc1738.c of Squid 5.7.

use zeroize::Zeroizing;

/// The longest line that is kept, in bytes: more than Squid makes of the largest Cookie header that
/// it takes, all of it escaped.
pub const LONGEST: usize = 256 * 1024;

/// A line, without its end.
pub struct Line {
    /// Its bytes, or the first [`LONGEST`] of them.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Whether these are all.
    pub whole: bool,
}

/// Puts lines together from bytes that come in pieces of any size.
#[derive(Default)]
pub struct Decoder {
    line: Zeroizing<Vec<u8>>,
    cut: bool,
}

impl Decoder {
    /// Takes the bytes that were read, and gives each line that they end to `found`, which says
    /// whether to go on.
    pub fn push(&mut self, bytes: &[u8], mut found: impl FnMut(Line) -> bool) -> bool {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (piece, ends) = match piece.strip_suffix(b"\n") {
                Some(piece) => (piece, true),
                None => (piece, false),
            };
            self.keep(piece);
            if ends && !found(self.end()) {
                return false;
            }
        }
        true
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = LONGEST - self.line.len();
        let kept = piece.get(..room).unwrap_or(piece);
        self.cut |= kept.len() < piece.len();
        let needed = self.line.len() + kept.len();
        if needed > self.line.capacity() {
            // Growing in place would leave a copy with passwords in it behind.
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
            larger.extend_from_slice(&self.line);
            self.line = larger;
        }
        self.line.extend_from_slice(kept);
    }

    fn end(&mut self) -> Line {
        let mut bytes = std::mem::take(&mut self.line);
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        Line {
            bytes,
            whole: !std::mem::take(&mut self.cut),
        }
    }
}

/// Takes the channel id off the words of a line: a number, which Squid writes before each line
/// when it is told `concurrency=`, and wants back before its answer.
pub fn split_channel(line: &[u8]) -> Option<(u32, &[u8])> {
    let end = line.iter().position(|byte| *byte == b' ')?;
    let (number, rest) = (line.get(..end)?, line.get(end + 1..)?);
    // `parse` would take a sign, too.
    let digits = number.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    digits.then_some((number, rest))
}

/// The words of a line, between single blanks; a word may be empty. `None` where there is a control
/// character, which Squid would have escaped.
pub fn words(line: &[u8]) -> Option<Vec<&[u8]>> {
    let escaped = !line.iter().any(u8::is_ascii_control);
    escaped.then(|| line.split(|byte| *byte == b' ').collect())
}

/// Undoes the escapes of a word: `%41` is A, and `%%` a percent sign, as is one that nothing of
/// the kind follows.
pub fn unescape(word: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(word.len()));
    let mut rest = word;
    while let Some((first, tail)) = rest.split_first() {
        let (byte, tail) = match (first, tail) {
            (b'%', [b'%', tail @ ..]) => (b'%', tail),
            (b'%', [high, low, tail @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, tail),
                _ => (b'%', rest.get(1..).unwrap_or_default()),
            },
            _ => (*first, tail),
        };
        plain.push(byte);
        rest = tail;
    }
    plain
}

fn digit(character: u8) -> Option<u8> {
    char::from(character)
        .to_digit(16)
        .and_then(|value| value.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(decoder: &mut Decoder, bytes: &[u8]) -> Vec<(Vec<u8>, bool)> {
        let mut found = Vec::new();
        decoder.push(bytes, |line| {
            found.push((line.bytes.to_vec(), line.whole));
            true
        });
        found
    }

    #[test]
    fn lines_come_whole_however_they_are_split() {
        let bytes = b"alice secret\n\n0 bob pw\r\n \n\r\r\nx\ny\nhalf a li";
        let expected: Vec<_> = [
            &b"alice secret"[..],
            b"",
            b"0 bob pw",
            b" ",
            b"\r",
            b"x",
            b"y",
        ]
        .map(|line| (line.to_vec(), true))
        .into();
        for size in [1, 2, 3, 7, 4096] {
            let mut decoder = Decoder::default();
            let pieces = bytes.chunks(size);
            let found: Vec<_> = pieces
                .flat_map(|piece| lines(&mut decoder, piece))
                .collect();
            assert_eq!(found, expected, "{size}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_one_is_not() {
        let mut decoder = Decoder::default();
        for extra in [0, 1, 2, 100_000] {
            let long = vec![b'x'; LONGEST + extra];
            let mut found = Vec::new();
            for piece in long.chunks(5000) {
                found.extend(lines(&mut decoder, piece));
            }
            assert!(found.is_empty());
            found.extend(lines(&mut decoder, b"\nalice secret\n"));
            let kept = vec![b'x'; LONGEST];
            assert!(found == [(kept, extra == 0), (b"alice secret".to_vec(), true)]);
        }
    }

    #[test]
    fn nothing_is_read_on_when_nobody_wants_it() {
        let mut found = 0;
        let went_on = Decoder::default().push(b"a\nb\n", |_| {
            found += 1;
            false
        });
        assert_eq!((found, went_on), (1, false));
    }

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
