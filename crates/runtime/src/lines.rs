//! Splits the input of hosts that send a request per line.

use zeroize::Zeroizing;

use crate::append;
use crate::conversation::Framing;

/// The longest line that is kept, in bytes: more than Squid makes of the largest Cookie header that
/// it accepts, with every byte escaped.
pub const LONGEST: usize = 256 * 1024;

/// A line, without its line end.
pub struct Line {
    /// Its first [`LONGEST`] bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Whether the line has no more bytes.
    pub whole: bool,
}

impl Line {
    /// Removes a carriage return from its end, for hosts that may end their lines with CR LF.
    pub fn drop_return(&mut self) {
        if self.bytes.last() == Some(&b'\r') {
            self.bytes.pop();
        }
    }
}

/// Assembles lines from bytes that come in pieces of any size.
#[derive(Default)]
pub struct Decoder {
    line: Zeroizing<Vec<u8>>,
    cut: bool,
}

impl Framing for Decoder {
    type Message = Line;

    fn push(&mut self, bytes: &[u8], found: &mut dyn FnMut(Line) -> bool) -> bool {
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
}

impl Decoder {
    fn keep(&mut self, piece: &[u8]) {
        let room = LONGEST - self.line.len();
        let kept = piece.get(..room).unwrap_or(piece);
        self.cut |= kept.len() < piece.len();
        append(&mut self.line, kept);
    }

    fn end(&mut self) -> Line {
        Line {
            bytes: std::mem::take(&mut self.line),
            whole: !std::mem::take(&mut self.cut),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(decoder: &mut Decoder, bytes: &[u8]) -> Vec<(Vec<u8>, bool)> {
        let mut found = Vec::new();
        decoder.push(bytes, &mut |line| {
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
            b"0 bob pw\r",
            b" ",
            b"\r\r",
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
        let went_on = Decoder::default().push(b"a\nb\n", &mut |_| {
            found += 1;
            false
        });
        assert_eq!((found, went_on), (1, false));
    }

    #[test]
    fn one_carriage_return_may_belong_to_the_end() {
        for (bytes, expected) in [
            (&b"a\r"[..], &b"a"[..]),
            (b"a\r\r", b"a\r"),
            (b"\ra", b"\ra"),
            (b"", b""),
        ] {
            let bytes = Zeroizing::new(bytes.to_vec());
            let mut line = Line { bytes, whole: true };
            line.drop_return();
            assert_eq!(**line.bytes, *expected);
        }
    }
}
