//! Reads and writes name-value pairs (FastCGI 1.0, section 3.4): the length of a name and of a
//! value, in one byte up to 127 and in four with the highest bit set, then the two.

/// The bytes are not a list of pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name or a value is cut off")]
pub struct CutOff;

/// A name and a value.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// The pairs in `bytes`.
pub fn parse(mut bytes: &[u8]) -> Result<Vec<Pair<'_>>, CutOff> {
    let mut pairs = Vec::new();
    while !bytes.is_empty() {
        let (name, rest) = length(bytes).ok_or(CutOff)?;
        let (value, rest) = length(rest).ok_or(CutOff)?;
        let (name, rest) = rest.split_at_checked(name).ok_or(CutOff)?;
        let (value, rest) = rest.split_at_checked(value).ok_or(CutOff)?;
        pairs.push((name, value));
        bytes = rest;
    }
    Ok(pairs)
}

/// Writes a pair, both parts of which are shorter than 128 bytes.
pub fn write(output: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    output.extend([name, value].map(|part| u8::try_from(part.len()).unwrap_or(127) & 0x7f));
    output.extend_from_slice(name);
    output.extend_from_slice(value);
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [short @ 0..=0x7f, rest @ ..] => Some((usize::from(*short), rest)),
        [a, b, c, d, rest @ ..] => {
            let length = u32::from_be_bytes([a & 0x7f, *b, *c, *d]);
            Some((usize::try_from(length).ok()?, rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read() {
        assert_eq!(parse(b""), Ok(Vec::new()));
        let two = b"\x01\x02abb\x04\x00name";
        assert_eq!(
            parse(two),
            Ok(vec![(&b"a"[..], &b"bb"[..]), (b"name", b"")])
        );
        let mut long = b"\x01\x80\x00\x01\x00a".to_vec();
        long.extend([b'v'; 256]);
        assert_eq!(parse(&long), Ok(vec![(&b"a"[..], &[b'v'; 256][..])]));
        // What fits into one byte may be written in four.
        let four = b"\x80\x00\x00\x01\x80\x00\x00\x01ab";
        assert_eq!(parse(four), Ok(vec![(&b"a"[..], &b"b"[..])]));
    }

    #[test]
    fn what_is_cut_off_is_no_list() {
        let whole = b"\x01\x80\x00\x00\x03abcd";
        assert!(parse(whole).is_ok());
        for length in 1..whole.len() {
            assert_eq!(parse(&whole[..length]), Err(CutOff), "{length}");
        }
        assert_eq!(parse(b"\x01\xff\xff\xff\xffa"), Err(CutOff));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut output = Vec::new();
        write(&mut output, b"FCGI_MAX_REQS", b"1");
        assert_eq!(parse(&output), Ok(vec![(&b"FCGI_MAX_REQS"[..], &b"1"[..])]));
    }
}
