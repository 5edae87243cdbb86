//! Encodes commands and decodes replies in RESP2, the protocol of Redis:
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>.
//! Pure: bytes in, bytes out.

use zeroize::Zeroizing;

use crate::cache::connection::{Decoded, Malformed};

/// The longest line. Errors may quote the command.
const LONGEST_LINE: usize = 4096;

/// The most elements of a reply, in all of its arrays. `SCAN` answers with about as many keys as it
/// is to look at, and the map of a cluster has some for each range of slots.
const MOST_ELEMENTS: usize = 32_768;

/// How deep arrays are nested. The map of a cluster has four.
const DEEPEST: usize = 5;

/// The answer of a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// `+`: success.
    Status(String),
    /// `-`: an error. The first word is its code.
    Error(String),
    /// `:`
    Integer(i64),
    /// `$`: bytes, or null.
    Bulk(Option<Zeroizing<Vec<u8>>>),
    /// `*`: replies, or null.
    Array(Option<Vec<Self>>),
}

/// A command and its arguments.
pub(crate) fn command(words: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    // Allocated once, so that no copy of a password is left behind.
    let length = words.iter().map(|word| word.len() + 32).sum::<usize>();
    let mut bytes = Zeroizing::new(Vec::with_capacity(32 + length));
    length_line(&mut bytes, b'*', words.len());
    for word in words {
        length_line(&mut bytes, b'$', word.len());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn length_line(bytes: &mut Vec<u8>, kind: u8, length: usize) {
    bytes.push(kind);
    bytes.extend_from_slice(length.to_string().as_bytes());
    bytes.extend_from_slice(b"\r\n");
}

/// The reply that `bytes` begin with. No bulk of more than `longest` bytes is taken.
pub(crate) fn decode(bytes: &[u8], longest: usize) -> Decoded<Reply> {
    Decoder {
        longest,
        elements: MOST_ELEMENTS,
    }
    .reply(bytes, DEEPEST)
}

/// What a reply may still hold.
struct Decoder {
    /// The longest bulk.
    longest: usize,
    elements: usize,
}

impl Decoder {
    fn reply(&mut self, bytes: &[u8], depth: usize) -> Decoded<Reply> {
        let Some((line, length)) = line(bytes)? else {
            return Ok(None);
        };
        let reply = match bytes.first().copied().unwrap_or_default() {
            b'+' => Reply::Status(text(line)),
            b'-' => Reply::Error(text(line)),
            b':' => Reply::Integer(integer(line)?),
            b'$' => {
                let bulk = bulk(bytes, self.longest)?;
                return Ok(bulk.map(|(bulk, length)| (Reply::Bulk(bulk), length)));
            }
            b'*' => match count(line)? {
                Some(count) => return self.array(bytes, length, count, depth),
                None => Reply::Array(None),
            },
            _ => return Err(Malformed::Garbage),
        };
        Ok(Some((reply, length)))
    }

    /// The array of `count` elements, the first of which begins at `start`.
    fn array(&mut self, bytes: &[u8], start: usize, count: usize, depth: usize) -> Decoded<Reply> {
        let left = self.elements.checked_sub(count);
        self.elements = left.ok_or(Malformed::Garbage)?;
        let depth = depth.checked_sub(1).ok_or(Malformed::Garbage)?;
        let mut length = start;
        let mut elements = Vec::new();
        for _ in 0..count {
            let rest = bytes.get(length..).unwrap_or_default();
            let Some((element, more)) = self.reply(rest, depth)? else {
                return Ok(None);
            };
            elements.push(element);
            length += more;
        }
        Ok(Some((Reply::Array(Some(elements)), length)))
    }
}

fn bulk(bytes: &[u8], longest: usize) -> Decoded<Option<Zeroizing<Vec<u8>>>> {
    let Some((line, start)) = line(bytes)? else {
        return Ok(None);
    };
    let Some(count) = count(line)? else {
        return Ok(Some((None, start)));
    };
    if count > longest {
        return Err(Malformed::TooLong);
    }
    let Some(rest) = bytes.get(start..).filter(|rest| rest.len() >= count + 2) else {
        return Ok(None);
    };
    let (value, end) = rest.split_at_checked(count).ok_or(Malformed::Garbage)?;
    if !end.starts_with(b"\r\n") {
        return Err(Malformed::Garbage);
    }
    Ok(Some((
        Some(Zeroizing::new(value.to_vec())),
        start + count + 2,
    )))
}

/// The first line: its text after the first byte, and its length with the line end.
fn line(bytes: &[u8]) -> Decoded<&[u8]> {
    let Some((kind, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    if !matches!(kind, b'+' | b'-' | b':' | b'$' | b'*') {
        return Err(Malformed::Garbage);
    }
    let Some(end) = rest
        .iter()
        .take(LONGEST_LINE)
        .position(|byte| *byte == b'\n')
    else {
        return if rest.len() < LONGEST_LINE {
            Ok(None)
        } else {
            Err(Malformed::Garbage)
        };
    };
    let line = rest.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.ok_or(Malformed::Garbage)?;
    Ok(Some((line, end + 2)))
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

/// A length; `None` for -1, which means null.
fn count(line: &[u8]) -> Result<Option<usize>, Malformed> {
    if line == b"-1" {
        return Ok(None);
    }
    // The longest valid line has far fewer digits than this.
    if line.is_empty() || line.len() > 19 || !line.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::Garbage);
    }
    let count = str::from_utf8(line).ok().and_then(|line| line.parse().ok());
    count.map(Some).ok_or(Malformed::Garbage)
}

fn integer(line: &[u8]) -> Result<i64, Malformed> {
    let integer = str::from_utf8(line).ok().and_then(|line| line.parse().ok());
    integer.ok_or(Malformed::Garbage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk_of(bytes: &[u8]) -> Reply {
        Reply::Bulk(Some(Zeroizing::new(bytes.to_vec())))
    }

    /// The examples of the protocol's specification, and their like.
    #[test]
    fn replies_are_decoded() {
        let bulks = vec![bulk_of(b"hello"), bulk_of(b"world")];
        let page = vec![bulk_of(b"17"), Reply::Array(Some(vec![bulk_of(b"a")]))];
        let mixed = vec![Reply::Integer(1), Reply::Bulk(None), Reply::Array(None)];
        for (bytes, expected) in [
            (&b"+OK\r\n"[..], Reply::Status("OK".to_owned())),
            (
                b"-ERR unknown command 'asdf'\r\n",
                Reply::Error("ERR unknown command 'asdf'".to_owned()),
            ),
            (b":0\r\n", Reply::Integer(0)),
            (b":-1000\r\n", Reply::Integer(-1000)),
            (b"$5\r\nhello\r\n", bulk_of(b"hello")),
            (b"$0\r\n\r\n", bulk_of(b"")),
            (b"$2\r\n\r\n\r\n", bulk_of(b"\r\n")),
            (b"$-1\r\n", Reply::Bulk(None)),
            (
                b"*2\r\n$5\r\nhello\r\n$5\r\nworld\r\n",
                Reply::Array(Some(bulks)),
            ),
            (
                b"*2\r\n$2\r\n17\r\n*1\r\n$1\r\na\r\n",
                Reply::Array(Some(page)),
            ),
            (b"*3\r\n:1\r\n$-1\r\n*-1\r\n", Reply::Array(Some(mixed))),
            (b"*0\r\n", Reply::Array(Some(Vec::new()))),
            (b"*-1\r\n", Reply::Array(None)),
        ] {
            let shown = String::from_utf8_lossy(bytes);
            for end in 0..bytes.len() {
                let half = decode(&bytes[..end], 9);
                assert_eq!(half, Ok(None), "{shown:?} up to {end}");
            }
            let more = [bytes, b"+OK\r\n"].concat();
            assert_eq!(
                decode(&more, 9),
                Ok(Some((expected, bytes.len()))),
                "{shown:?}"
            );
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\r\n",
            b"\n",
            b"\0",
            b"VALUE a 0 1\r\n",
            b"%1\r\n",
            b"_\r\n",
            b"+OK\n",
            b"$x\r\n",
            b"$\r\n",
            b"$-2\r\n",
            b"$+1\r\na\r\n",
            b"$1 \r\na\r\n",
            b"$-1000000000000\r\n",
            b"$99999999999999999999999\r\n",
            b"$1\r\nab\r\n",
            b":\r\n",
            b":1.5\r\n",
            b"*x\r\n",
            b"*32769\r\n",
            b"*1\r\nx\r\n",
            b"*1\r\n*-2\r\n",
            b"*2\r\n*32767\r\n",
            b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
            b"*1000000000\r\n",
        ] {
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(decode(bytes, 9), Err(Malformed::Garbage), "{shown:?}");
        }
        assert_eq!(
            decode(&[b'-'; LONGEST_LINE + 1], 9),
            Err(Malformed::Garbage)
        );
    }

    #[test]
    fn long_values_are_refused_by_their_announcement() {
        assert_eq!(decode(b"$10\r\n", 9), Err(Malformed::TooLong));
        assert_eq!(decode(b"$4294967296\r\n", 9), Err(Malformed::TooLong));
        assert_eq!(
            decode(b"$9223372036854775807\r\n", 9),
            Err(Malformed::TooLong)
        );
        assert_eq!(decode(b"*1\r\n$10\r\n", 9), Err(Malformed::TooLong));
        assert_eq!(decode(b"*1\r\n*1\r\n$10\r\n", 9), Err(Malformed::TooLong));
        assert_eq!(decode(b"$9\r\n", 9), Ok(None));
    }

    #[test]
    fn commands_are_encoded() {
        assert_eq!(
            command(&[b"GET", b":1:a b\r\n\xff"]).as_slice(),
            b"*2\r\n$3\r\nGET\r\n$9\r\n:1:a b\r\n\xff\r\n"
        );
        assert_eq!(
            command(&[b"AUTH", b""]).as_slice(),
            b"*2\r\n$4\r\nAUTH\r\n$0\r\n\r\n"
        );
    }
}
