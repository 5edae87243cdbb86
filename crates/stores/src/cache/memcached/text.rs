//! Decodes the answers to `get` in memcached's text protocol: `doc/protocol.txt` of memcached 1.6,
//! "Retrieval command". Pure: bytes in, an answer out.

use zeroize::Zeroizing;

use crate::cache::connection::{Decoded, Malformed};

/// The longest line: a key of 250 bytes and three numbers. Errors may be longer.
const LONGEST_LINE: usize = 1024;

/// A line of an answer, with the bytes that follow it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// The answer is complete.
    End,
    /// The server cannot answer.
    Error(String),
    /// A value.
    Value {
        /// The flags of the client that wrote it.
        flags: u32,
        /// The value.
        bytes: Zeroizing<Vec<u8>>,
    },
}

/// The line that `bytes` begin with, of an answer to `get key`. No value of more than `longest`
/// bytes is taken, and no value of another key.
pub(crate) fn decode(bytes: &[u8], key: &[u8], longest: usize) -> Decoded<Line> {
    let window = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    let Some(end) = window.iter().position(|byte| *byte == b'\n') else {
        let begins = |word: &[u8]| {
            let common = word.len().min(bytes.len());
            word.get(..common) == bytes.get(..common)
        };
        let words: [&[u8]; 5] = [
            b"VALUE ",
            b"END\r",
            b"ERROR",
            b"CLIENT_ERROR ",
            b"SERVER_ERROR ",
        ];
        return if bytes.len() < LONGEST_LINE && words.into_iter().any(begins) {
            Ok(None)
        } else {
            Err(Malformed::Garbage)
        };
    };
    let line = window.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.ok_or(Malformed::Garbage)?;
    let start = end + 1;
    if line == b"END" {
        return Ok(Some((Line::End, start)));
    }
    if line == b"ERROR" || line.starts_with(b"CLIENT_ERROR ") || line.starts_with(b"SERVER_ERROR ")
    {
        let text = String::from_utf8_lossy(line).escape_default().to_string();
        return Ok(Some((Line::Error(text), start)));
    }
    let (flags, count) = value(line, key)?;
    if count > longest {
        return Err(Malformed::TooLong);
    }
    let Some(rest) = bytes.get(start..).filter(|rest| rest.len() >= count + 2) else {
        return Ok(None);
    };
    let (value, rest) = rest.split_at_checked(count).ok_or(Malformed::Garbage)?;
    if !rest.starts_with(b"\r\n") {
        return Err(Malformed::Garbage);
    }
    let line = Line::Value {
        flags,
        bytes: Zeroizing::new(value.to_vec()),
    };
    Ok(Some((line, start + count + 2)))
}

/// Flags and length in `VALUE <key> <flags> <bytes>`, where the key is `key`.
fn value(line: &[u8], key: &[u8]) -> Result<(u32, usize), Malformed> {
    let words = line
        .strip_prefix(b"VALUE ")
        .and_then(|line| line.strip_prefix(key))
        .and_then(|line| line.strip_prefix(b" "))
        .ok_or(Malformed::Garbage)?;
    let mut numbers = words.split(|byte| *byte == b' ').map(number);
    let mut next = || numbers.next().ok_or(Malformed::Garbage)?;
    let flags = u32::try_from(next()?).map_err(|_| Malformed::Garbage)?;
    let count = usize::try_from(next()?).map_err(|_| Malformed::TooLong)?;
    if numbers.next().is_some() {
        return Err(Malformed::Garbage);
    }
    Ok((flags, count))
}

fn number(word: &[u8]) -> Result<u64, Malformed> {
    if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::Garbage);
    }
    let number = str::from_utf8(word).ok().and_then(|word| word.parse().ok());
    number.ok_or(Malformed::Garbage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(flags: u32, bytes: &[u8]) -> Line {
        Line::Value {
            flags,
            bytes: Zeroizing::new(bytes.to_vec()),
        }
    }

    #[test]
    fn lines_are_decoded() {
        for (bytes, expected) in [
            (&b"END\r\n"[..], Line::End),
            (b"VALUE k 0 5\r\nhello\r\n", value_of(0, b"hello")),
            (b"VALUE k 4294967295 0\r\n\r\n", value_of(u32::MAX, b"")),
            (
                b"VALUE k 1 7\r\nEND\r\n\r\n\r\n",
                value_of(1, b"END\r\n\r\n"),
            ),
            (b"ERROR\r\n", Line::Error("ERROR".to_owned())),
            (
                b"SERVER_ERROR out of memory\r\n",
                Line::Error("SERVER_ERROR out of memory".to_owned()),
            ),
            (
                b"CLIENT_ERROR \x1b[2J\r\n",
                Line::Error("CLIENT_ERROR \\u{1b}[2J".to_owned()),
            ),
        ] {
            let shown = String::from_utf8_lossy(bytes);
            for end in 0..bytes.len() {
                let half = decode(&bytes[..end], b"k", 9);
                assert_eq!(half, Ok(None), "{shown:?} up to {end}");
            }
            let more = [bytes, b"END\r\n"].concat();
            let decoded = decode(&more, b"k", 9);
            assert_eq!(decoded, Ok(Some((expected, bytes.len()))), "{shown:?}");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"HT",
            b"\r\n",
            b"\n",
            b"\0",
            b"+OK\r\n",
            b"$-1\r\n",
            b"END\n",
            b"END \r\n",
            b"STORED\r\n",
            b"VALUE k\r\n",
            b"VALUE k 0\r\n",
            b"VALUE k 0 \r\n",
            b"VALUE k 0 1 2\r\na\r\n",
            b"VALUE k 0 1 2 3\r\na\r\n",
            b"VALUE k  0 1\r\na\r\n",
            b"VALUE k -1 1\r\na\r\n",
            b"VALUE k 4294967296 1\r\na\r\n",
            b"VALUE k 0 x\r\n",
            b"VALUE k 0 99999999999999999999999\r\n",
            b"VALUE k 0 1\r\nab\r\n",
            b"VALUE other 0 1\r\na\r\n",
            b"VALUE kk 0 1\r\na\r\n",
            b"VALUE  0 1\r\na\r\n",
        ] {
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(decode(bytes, b"k", 9), Err(Malformed::Garbage), "{shown:?}");
        }
        let endless = [b"SERVER_ERROR ".to_vec(), vec![b'a'; LONGEST_LINE]].concat();
        assert_eq!(decode(&endless, b"k", 9), Err(Malformed::Garbage));
    }

    #[test]
    fn long_values_are_refused_by_their_announcement() {
        let refused = decode(b"VALUE k 0 10\r\n", b"k", 9);
        assert_eq!(refused, Err(Malformed::TooLong));
        let refused = decode(b"VALUE k 0 18446744073709551615\r\n", b"k", 9);
        assert_eq!(refused, Err(Malformed::TooLong));
        assert_eq!(decode(b"VALUE k 0 9\r\n", b"k", 9), Ok(None));
    }
}
