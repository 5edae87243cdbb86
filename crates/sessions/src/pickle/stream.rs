//! The bytes of a pickle, one after another.

use crate::Invalid;

const CUT: Invalid = Invalid::Format("the pickle is cut");

/// What is left to read, and where that is.
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
