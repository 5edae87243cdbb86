//! Reads and writes records, of which every message is made (FastCGI 1.0, section 3.3).

/// The protocol version.
const VERSION: u8 = 1;
/// Bytes of a record's header.
const HEADER: usize = 8;
/// The most content that a record has.
const LONGEST_CONTENT: usize = 0xffff;

pub const BEGIN_REQUEST: u8 = 1;
pub const ABORT_REQUEST: u8 = 2;
pub const END_REQUEST: u8 = 3;
pub const PARAMS: u8 = 4;
pub const STDIN: u8 = 5;
pub const STDOUT: u8 = 6;
pub const DATA: u8 = 8;
pub const GET_VALUES: u8 = 9;
pub const GET_VALUES_RESULT: u8 = 10;
pub const UNKNOWN_TYPE: u8 = 11;

/// The request id of records that concern the connection.
pub const MANAGEMENT: u16 = 0;

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub kind: u8,
    pub request: u16,
    pub content: &'a [u8],
}

/// The peer speaks another protocol or version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("version {0} of FastCGI is not supported")]
pub struct UnknownVersion(u8);

impl<'a> Record<'a> {
    /// The record at the beginning of `bytes`, and how many of them it takes; `None` while some of
    /// it is missing.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, UnknownVersion> {
        match bytes.first() {
            Some(&VERSION) | None => {}
            Some(&version) => return Err(UnknownVersion(version)),
        }
        let Some((&[_, kind, r1, r0, l1, l0, padding, _], rest)) =
            bytes.split_first_chunk::<HEADER>()
        else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([l1, l0]));
        let whole = HEADER + length + usize::from(padding);
        match rest.get(..length) {
            Some(content) if bytes.len() >= whole => Ok(Some((
                Self {
                    kind,
                    request: u16::from_be_bytes([r1, r0]),
                    content,
                },
                whole,
            ))),
            _ => Ok(None),
        }
    }
}

/// Writes `content` in as many records as it takes, none where it is empty, each padded to eight
/// bytes, as the specification recommends.
pub fn write(output: &mut Vec<u8>, kind: u8, request: u16, content: &[u8]) {
    for content in content.chunks(LONGEST_CONTENT) {
        write_one(output, kind, request, content);
    }
}

/// Writes the record that ends a stream.
pub fn write_end(output: &mut Vec<u8>, kind: u8, request: u16) {
    write_one(output, kind, request, &[]);
}

fn write_one(output: &mut Vec<u8>, kind: u8, request: u16, content: &[u8]) {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    let padding = (8 - length % 8) % 8;
    let [r1, r0] = request.to_be_bytes();
    let [l1, l0] = length.to_be_bytes();
    output.extend_from_slice(&[VERSION, kind, r1, r0, l1, l0, padding as u8, 0]);
    output.extend_from_slice(content);
    output.extend(std::iter::repeat_n(0, padding.into()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_once_it_is_whole() {
        let bytes = b"\x01\x04\x01\x02\x00\x03\x05\x00abc.....rest";
        let whole = bytes.len() - 4;
        for length in 0..whole {
            assert_eq!(Record::parse(&bytes[..length]), Ok(None), "{length}");
        }
        let record = Record {
            kind: PARAMS,
            request: 0x102,
            content: b"abc",
        };
        assert_eq!(Record::parse(bytes), Ok(Some((record, whole))));
    }

    #[test]
    fn other_versions_are_known_by_their_first_byte() {
        for first in [b"\0", b"\x02", b"G"] {
            assert!(Record::parse(first).is_err());
        }
    }

    #[test]
    fn long_content_takes_several_records() {
        let mut output = Vec::new();
        write(&mut output, STDOUT, 1, &[b'x'; 70_000]);
        write_end(&mut output, STDOUT, 1);
        let mut rest = &output[..];
        let mut lengths = Vec::new();
        while let Some((record, whole)) = Record::parse(rest).unwrap() {
            assert_eq!((record.kind, record.request, whole % 8), (STDOUT, 1, 0));
            lengths.push(record.content.len());
            rest = &rest[whole..];
        }
        assert_eq!(lengths, [65_535, 4_465, 0]);
        assert!(rest.is_empty());
    }
}
