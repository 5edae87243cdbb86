//! Reads numbers, text and bytes where they stand in a pickle.

use crate::Invalid;

const CUT: Invalid = Invalid::Format("the pickle is cut");

/// The rest of the stream, and its place.
pub(super) struct Stream<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Stream<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// How many bytes have been read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next `length` bytes. A length that is lied about is found out before anything is made
    /// to hold them.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Invalid> {
        let end = self.at.checked_add(length).ok_or(CUT)?;
        let taken = self.bytes.get(self.at..end).ok_or(CUT)?;
        self.at = end;
        Ok(taken)
    }

    /// Leaves the read position where it is, but makes sure that `length` bytes follow.
    pub(super) fn require(&self, length: usize) -> Result<(), Invalid> {
        let left = self.bytes.len().saturating_sub(self.at);
        if length <= left { Ok(()) } else { Err(CUT) }
    }

    /// A line without its end.
    pub(super) fn line(&mut self) -> Result<&'a [u8], Invalid> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or(CUT)?;
        let line = self.take(length)?;
        self.at += 1;
        Ok(line)
    }

    /// A whole number of `N` bytes, the lowest first.
    pub(super) fn number<const N: usize>(&mut self) -> Result<u64, Invalid> {
        let bytes = self.take(N)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// As many bytes as the number of `N` bytes before them says.
    pub(super) fn counted<const N: usize>(&mut self) -> Result<&'a [u8], Invalid> {
        let length = self.number::<N>()?;
        self.take(usize::try_from(length).map_err(|_| CUT)?)
    }

    /// The same with a signed length of four bytes, as protocols 1 and 2 write it.
    pub(super) fn counted_signed(&mut self) -> Result<&'a [u8], Invalid> {
        let length = self.number::<4>()?;
        let length = u32::try_from(length)
            .ok()
            .and_then(|length| i32::try_from(length).ok());
        let length = length.and_then(|length| usize::try_from(length).ok());
        self.take(length.ok_or(Invalid::Format("a length in the pickle is negative"))?)
    }
}

/// A value that stands in the stream by itself. Borrowed: nothing is copied until it is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    /// A whole number past 64 bits.
    Large,
    Fraction(f64),
    /// Unicode text in UTF-8.
    Text(&'a [u8]),
    /// Unicode text as protocol 0 writes it: Latin-1 with `\u` and `\U` escapes.
    EscapedText(&'a [u8]),
    Bytes(&'a [u8]),
    /// A `str` of Python 2: text, as long as it is ASCII, and bytes.
    Native(&'a [u8]),
    /// The same as protocol 0 writes it: the inside of a Python literal.
    EscapedNative(&'a [u8]),
}

/// An opcode with a length of eight bytes, or with quotes and the end of a line.
const AROUND: usize = 9;

impl<'a> Scalar<'a> {
    /// Reads the argument of `opcode`; `None` when it is not the opcode of a scalar.
    pub(super) fn read(opcode: u8, stream: &mut Stream<'a>) -> Result<Option<Self>, Invalid> {
        Ok(Some(match opcode {
            b'N' => Self::Null,
            b'\x88' => Self::Boolean(true),  // NEWTRUE
            b'\x89' => Self::Boolean(false), // NEWFALSE
            b'I' => match stream.line()? {
                b"00" => Self::Boolean(false),
                b"01" => Self::Boolean(true),
                line => decimal(line)?,
            },
            b'L' => {
                let line = stream.line()?;
                decimal(line.strip_suffix(b"L").unwrap_or(line))?
            }
            b'J' => {
                let bits = u32::try_from(stream.number::<4>()?).unwrap_or_default();
                Self::Integer(i64::from(bits.cast_signed()))
            }
            b'K' => Self::Integer(i64::try_from(stream.number::<1>()?).unwrap_or_default()),
            b'M' => Self::Integer(i64::try_from(stream.number::<2>()?).unwrap_or_default()),
            b'\x8a' => two_complement(stream.counted::<1>()?), // LONG1
            b'\x8b' => two_complement(stream.counted_signed()?), // LONG4
            b'F' => fraction(stream.line()?)?,
            b'G' => {
                let bits = stream.number::<8>()?.swap_bytes();
                Self::Fraction(f64::from_bits(bits))
            }
            b'V' => Self::EscapedText(stream.line()?),
            b'X' => Self::Text(stream.counted::<4>()?),
            b'\x8c' => Self::Text(stream.counted::<1>()?), // SHORT_BINUNICODE
            b'\x8d' => Self::Text(stream.counted::<8>()?), // BINUNICODE8
            b'B' => Self::Bytes(stream.counted::<4>()?),
            b'C' => Self::Bytes(stream.counted::<1>()?),
            b'\x8e' => Self::Bytes(stream.counted::<8>()?), // BINBYTES8
            b'S' => Self::EscapedNative(unquoted(stream.line()?)?),
            b'T' => Self::Native(stream.counted_signed()?),
            b'U' => Self::Native(stream.counted::<1>()?),
            _ => return Ok(None),
        }))
    }

    /// The scalar whose opcode stands at `at`, if no more than `longest` bytes write its value: how
    /// much of a stream is looked at must not go by how often it is referred to.
    pub(super) fn at(bytes: &'a [u8], at: u32, longest: usize) -> Option<Self> {
        let rest = bytes.get(usize::try_from(at).ok()?..)?;
        let window = rest.get(..longest + AROUND).unwrap_or(rest);
        let mut stream = Stream::new(window, 0);
        let [opcode] = *stream.take(1).ok()? else {
            return None;
        };
        Self::read(opcode, &mut stream).ok()?
    }
}

fn decimal<'a>(line: &[u8]) -> Result<Scalar<'a>, Invalid> {
    let digits = line.strip_prefix(b"-").unwrap_or(line);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Invalid::Format("a number in the pickle is not one"));
    }
    let number = std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.parse().ok());
    Ok(number.map_or(Scalar::Large, Scalar::Integer))
}

fn fraction<'a>(line: &[u8]) -> Result<Scalar<'a>, Invalid> {
    let number = std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.parse().ok());
    let number = number.ok_or(Invalid::Format("a number in the pickle is not one"))?;
    Ok(Scalar::Fraction(number))
}

/// `decode_long` of Lib/pickle.py: two's complement, the lowest byte first, none for zero.
fn two_complement<'a>(bytes: &[u8]) -> Scalar<'a> {
    let negative = bytes.last().is_some_and(|high| high & 0x80 != 0);
    let filling = if negative { 0xff } else { 0 };
    let mut number = [filling; 8];
    for (to, from) in number.iter_mut().zip(bytes) {
        *to = *from;
    }
    let number = i64::from_le_bytes(number);
    let beyond = bytes.get(8..).unwrap_or_default();
    if beyond.iter().all(|byte| *byte == filling) && (number < 0) == negative {
        Scalar::Integer(number)
    } else {
        Scalar::Large
    }
}

fn unquoted(line: &[u8]) -> Result<&[u8], Invalid> {
    let [quote @ (b'\'' | b'"'), inside @ .., end] = line else {
        return Err(Invalid::Format("text in the pickle is not quoted"));
    };
    if quote != end {
        return Err(Invalid::Format("text in the pickle is not quoted"));
    }
    Ok(inside)
}

/// The text that a scalar is, if it is text. `bytes` are not; the `str` of Python 2 is where it is
/// ASCII, as Python 3 reads it.
pub(super) fn text(scalar: Scalar<'_>) -> Option<String> {
    match scalar {
        Scalar::Text(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
        Scalar::Native(bytes) => ascii(bytes.to_vec()),
        Scalar::EscapedText(line) => raw_unicode_escape(line),
        Scalar::EscapedNative(inside) => ascii(string_escape(inside)?),
        _ => None,
    }
}

fn ascii(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| text.is_ascii())
}

/// Undoes Python's `raw-unicode-escape`.
pub(super) fn raw_unicode_escape(line: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let digits = match (byte, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                text.push(char::from(*byte));
                continue;
            }
        };
        let (digits, after) = after.get(1..)?.split_at_checked(digits)?;
        text.push(char::from_u32(hexadecimal(digits)?)?);
        rest = after;
    }
    Some(text)
}

/// Undoes what Python 2's `repr` does to a `str`.
pub(super) fn string_escape(inside: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(inside.len());
    let mut rest = inside.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                byte @ (b'\\' | b'\'' | b'"') => *byte,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'x' => {
                    let (digits, after) = rest.as_slice().split_at_checked(2)?;
                    rest = after.iter();
                    u8::try_from(hexadecimal(digits)?).ok()?
                }
                _ => return None,
            },
            byte => *byte,
        });
    }
    Some(bytes)
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        number.checked_mul(16)?.checked_add(digit)
    })
}
