//! Reads and writes the part of BER that LDAP uses: tags of one byte and definite lengths (RFC 4511,
//! section 5.1).

/// The tags of the universal types that LDAP uses.
pub const BOOLEAN: u8 = 0x01;
pub const INTEGER: u8 = 0x02;
pub const OCTET_STRING: u8 = 0x04;
pub const ENUMERATED: u8 = 0x0a;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;

/// How many bytes of a length are read: the lengths that follow are bounded by the message.
const LENGTH_BYTES: usize = 4;

/// Bytes that are not the BER of what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not BER as LDAP has it")]
pub struct Malformed;

/// Reads values one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

/// The tag and the length at the start of `bytes`: the tag, how long both are, and how long the
/// contents are. `None` where they are not whole yet.
fn head(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, Malformed> {
    let Some((&tag, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    // A tag of several bytes.
    if tag & 0x1f == 0x1f {
        return Err(Malformed);
    }
    let Some((&first, rest)) = rest.split_first() else {
        return Ok(None);
    };
    if first < 0x80 {
        return Ok(Some((tag, 2, usize::from(first))));
    }
    let count = usize::from(first & 0x7f);
    // An indefinite length has none of them.
    if count == 0 || count > LENGTH_BYTES {
        return Err(Malformed);
    }
    let Some(bytes) = rest.get(..count) else {
        return Ok(None);
    };
    let length = bytes
        .iter()
        .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    Ok(Some((tag, 2 + count, length)))
}

/// How long the message at the start of `bytes` is, `most` bytes at most; `None` where its length
/// is not there yet.
///
/// # Errors
/// [`Malformed`] where it is not a sequence, or longer.
pub fn message_length(bytes: &[u8], most: usize) -> Result<Option<usize>, Malformed> {
    match bytes.first() {
        None => return Ok(None),
        Some(&SEQUENCE) => {}
        Some(_) => return Err(Malformed),
    }
    match head(bytes)? {
        None => Ok(None),
        Some((_, head, length)) => match head.checked_add(length) {
            Some(whole) if whole <= most => Ok(Some(whole)),
            _ => Err(Malformed),
        },
    }
}

impl<'a> Reader<'a> {
    /// Reads the values in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether there is no further value.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next value; `None` where there is no further one.
    pub fn peek(self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next value, of any tag: its tag and its contents.
    pub fn any(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let (tag, head, length) = head(self.0)?.ok_or(Malformed)?;
        let rest = self.0.get(head..).ok_or(Malformed)?;
        let (contents, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok((tag, contents))
    }

    /// The contents of the next value, whose tag is `tag`.
    pub fn expect(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        match self.any()? {
            (found, contents) if found == tag => Ok(contents),
            _ => Err(Malformed),
        }
    }

    /// The contents of the next value, if its tag is `tag`.
    pub fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Malformed> {
        match self.peek() {
            Some(next) if next == tag => self.expect(tag).map(Some),
            _ => Ok(None),
        }
    }

    /// The values within the next value, whose tag is `tag`.
    pub fn within(&mut self, tag: u8) -> Result<Self, Malformed> {
        self.expect(tag).map(Self)
    }

    /// The number that the next value is, whose tag is `tag`.
    pub fn number(&mut self, tag: u8) -> Result<i32, Malformed> {
        number(self.expect(tag)?)
    }

    /// The truth that the next value is. Any byte but 0 is true.
    pub fn truth(&mut self) -> Result<bool, Malformed> {
        match *self.expect(BOOLEAN)? {
            [byte] => Ok(byte != 0),
            _ => Err(Malformed),
        }
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`Malformed`] where there is a further value.
    pub fn end(self) -> Result<(), Malformed> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(Malformed),
        }
    }
}

/// The number whose contents are `bytes`.
pub fn number(bytes: &[u8]) -> Result<i32, Malformed> {
    let (&first, rest) = bytes.split_first().ok_or(Malformed)?;
    if rest.len() > 3 {
        return Err(Malformed);
    }
    let start = i32::from(first.cast_signed());
    Ok(rest
        .iter()
        .fold(start, |number, byte| number << 8 | i32::from(*byte)))
}

/// Writes values one after the other.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// What has been written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Writes a value with these contents.
    pub fn value(&mut self, tag: u8, contents: &[u8]) -> &mut Self {
        self.0.push(tag);
        let length = contents.len();
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => self.0.push(short),
            _ => {
                let bytes = length.to_be_bytes();
                let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                let significant = bytes.get(zeros..).unwrap_or_default();
                // A length has 8 bytes at most.
                let count = u8::try_from(significant.len()).unwrap_or_default();
                self.0.push(0x80 | count);
                self.0.extend_from_slice(significant);
            }
        }
        self.0.extend_from_slice(contents);
        self
    }

    /// Writes a value whose contents are the values that `write` writes.
    pub fn within(&mut self, tag: u8, write: impl FnOnce(&mut Self)) -> &mut Self {
        let mut inner = Self::default();
        write(&mut inner);
        self.value(tag, &inner.0)
    }

    /// Writes text.
    pub fn text(&mut self, tag: u8, text: &str) -> &mut Self {
        self.value(tag, text.as_bytes())
    }

    /// Writes a number, in as few bytes as it takes.
    pub fn number(&mut self, tag: u8, number: i32) -> &mut Self {
        let bytes = number.to_be_bytes();
        let sign = if number < 0 { 0xff } else { 0 };
        let fits = |skipped: usize| {
            let (before, after) = bytes.split_at(skipped);
            let same_sign = after
                .first()
                .is_some_and(|byte| (byte & 0x80 != 0) == (number < 0));
            same_sign && before.iter().all(|byte| *byte == sign)
        };
        let skipped = (0..bytes.len()).rev().find(|skipped| fits(*skipped));
        self.value(tag, bytes.get(skipped.unwrap_or(0)..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_x690_has_them() {
        for (number, bytes) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0, 0x80]),
            (256, &[1, 0]),
            (-1, &[0xff]),
            (-128, &[0x80]),
            (-129, &[0xff, 0x7f]),
            (i32::MAX, &[0x7f, 0xff, 0xff, 0xff]),
            (i32::MIN, &[0x80, 0, 0, 0]),
        ] {
            let mut writer = Writer::default();
            writer.number(INTEGER, number);
            let written = writer.into_bytes();
            assert_eq!(&written[2..], bytes, "{number}");
            assert_eq!(Reader::new(&written).number(INTEGER), Ok(number));
        }
    }

    #[test]
    fn lengths_are_read_in_every_form_and_written_in_the_shortest() {
        for length in [0, 1, 127, 128, 255, 256, 65535, 65536] {
            let contents = vec![7; length];
            let mut writer = Writer::default();
            writer.value(OCTET_STRING, &contents);
            let written = writer.into_bytes();
            let mut reader = Reader::new(&written);
            assert_eq!(reader.expect(OCTET_STRING).unwrap(), contents);
            assert!(reader.is_empty());
        }
        let mut long = Reader::new(&[4, 0x84, 0, 0, 0, 1, b'x']);
        assert_eq!(long.expect(OCTET_STRING), Ok(&b"x"[..]));
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [
            &[][..],
            &[4],
            &[4, 2, 0],
            &[4, 0x80, 0, 0],
            &[4, 0x85, 0, 0, 0, 0, 1, 0],
            &[4, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x1f, 1, 0],
            &[0xff, 0x81, 1, 0],
        ] {
            assert_eq!(Reader::new(bytes).any(), Err(Malformed), "{bytes:?}");
        }
        assert_eq!(number(&[]), Err(Malformed));
        assert_eq!(number(&[0, 0, 0, 0, 1]), Err(Malformed));
    }

    #[test]
    fn a_message_is_bounded_before_it_is_there() {
        let most = 1000;
        assert_eq!(message_length(&[], most), Ok(None));
        assert_eq!(message_length(&[0x30], most), Ok(None));
        assert_eq!(message_length(&[0x30, 0x82, 3], most), Ok(None));
        assert_eq!(message_length(&[0x30, 5], most), Ok(Some(7)));
        assert_eq!(message_length(&[0x30, 0x82, 3, 0xe4], most), Ok(Some(1000)));
        for bytes in [
            &[0x30, 0x82, 3, 0xe5][..],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x80],
            &[0x16, 3, 1],
            b"GET / HTTP/1.1",
        ] {
            assert_eq!(message_length(bytes, most), Err(Malformed), "{bytes:?}");
        }
    }
}
