//! What a value of a session is, in little room.

/// Why bytes are not a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// They are not what the format allows.
    Broken(&'static str),
    /// They may be, but there is more of it than is read. Another reading of the same bytes must
    /// not be believed then.
    Limit(&'static str),
}

/// A stretch of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// A number in eight bytes of any alignment: it keeps a [`Node`] at 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed([u8; 8]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The value is in no array or object, or under a key that the site's code cannot reach.
    Unreachable,
    Integer(Packed),
    Text(Span),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Integer(Packed),
    Float(Packed),
    Text(Span),
    Array,
    /// Of the class named.
    Object(Span),
    /// An object that wrote itself down: its one child is the text it wrote.
    Custom(Span),
    Enumeration,
    /// The same value as another, which is never itself a reference.
    Reference(Id),
    /// A reference whose target cannot be known.
    Lost,
}

/// The number of a value in its tree.
pub(super) type Id = u32;

#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) key: Key,
    pub(super) value: Value,
    /// The first value after this one and all that is in it.
    pub(super) end: Id,
    pub(super) depth: u16,
}

/// Where the numbers in `R:` and `r:` begin to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// At the beginning of this text.
    Own,
    /// So many values before it: the text is what an object wrote inside another text.
    After(u32),
    /// At a place that this text does not tell.
    Unknown,
    /// igbinary's own, which no text inside shares.
    Igbinary,
}

impl Span {
    /// From `start` to `end`. Both fit: no text is longer than [`crate::MAX_INPUT`], and what
    /// is unescaped no longer than it was.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let number = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self {
            start: number(start),
            end: number(end),
        }
    }
}

impl Packed {
    pub(super) fn from_integer(number: i64) -> Self {
        Self(number.to_ne_bytes())
    }

    pub(super) fn from_float(number: f64) -> Self {
        Self(number.to_ne_bytes())
    }

    pub(super) fn integer(self) -> i64 {
        i64::from_ne_bytes(self.0)
    }

    pub(super) fn float(self) -> f64 {
        f64::from_ne_bytes(self.0)
    }
}
