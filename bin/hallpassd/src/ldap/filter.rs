//! Reads filters of searches, and evaluates them in three values (RFC 4511, section 4.5.1.7).

use super::ber::{Malformed, OCTET_STRING, Reader, SEQUENCE};
use super::entry::{Comparable, Entry};
use super::schema::AttributeType;

/// How deep filters may be nested. OpenLDAP's clients send no more than a few.
const DEEPEST: usize = 32;
/// How many parts a filter may have altogether.
const MOST_PARTS: usize = 512;

/// A filter. Parts that no entry of a site can decide are undefined from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Equal(Assertion),
    /// The pieces that the value begins with, holds in this order, and ends with.
    Substrings(String, Pieces),
    /// The attribute has a value.
    Present(String),
    Undefined,
}

/// An attribute, as its client describes it, and a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    pub attribute: String,
    pub value: Vec<u8>,
}

/// The pieces of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pieces {
    pub first: Option<Vec<u8>>,
    pub within: Vec<Vec<u8>>,
    pub last: Option<Vec<u8>>,
}

/// Why a filter is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    Malformed,
    /// It is nested too deep, or has too many parts.
    TooLarge,
}

impl From<Malformed> for Unreadable {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl Filter {
    /// Reads the next value of `reader`.
    ///
    /// # Errors
    /// [`Unreadable`] where it is not a filter, or too large.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        Self::read_within(reader, DEEPEST, &mut 0)
    }

    fn read_within(
        reader: &mut Reader<'_>,
        depth: usize,
        parts: &mut usize,
    ) -> Result<Self, Unreadable> {
        let (tag, contents) = reader.any()?;
        *parts += 1;
        let Some(depth) = depth.checked_sub(1).filter(|_| *parts <= MOST_PARTS) else {
            return Err(Unreadable::TooLarge);
        };
        let mut inner = Reader::new(contents);
        let mut all = |mut inner: Reader<'_>| {
            let mut filters = Vec::new();
            while !inner.is_empty() {
                filters.push(Self::read_within(&mut inner, depth, parts)?);
            }
            Ok::<_, Unreadable>(filters)
        };
        Ok(match tag {
            0xa0 => Self::And(all(inner)?),
            0xa1 => Self::Or(all(inner)?),
            0xa2 => {
                let negated = Self::read_within(&mut inner, depth, parts)?;
                inner.end()?;
                Self::Not(Box::new(negated))
            }
            // Approximately equal is equal where nothing else is meant by it.
            0xa3 | 0xa8 => Self::Equal(Assertion::read(inner)?),
            0xa4 => {
                let attribute = description(inner.expect(OCTET_STRING)?)?;
                let pieces = Pieces::read(inner.within(SEQUENCE)?)?;
                inner.end()?;
                Self::Substrings(attribute, pieces)
            }
            // No attribute of a site has an order.
            0xa5 | 0xa6 => {
                Assertion::read(inner)?;
                Self::Undefined
            }
            0x87 => Self::Present(description(contents)?),
            // No matching rule can be chosen.
            0xa9 => Self::Undefined,
            _ => return Err(Unreadable::Malformed),
        })
    }

    /// Whether `entry` matches; `None` where that is undefined.
    pub fn matches(&self, entry: &Entry) -> Option<bool> {
        self.holds(&entry.comparable())
    }

    fn holds(&self, entry: &Comparable) -> Option<bool> {
        match self {
            // False decides before what is undefined, whatever their order.
            Self::And(filters) => {
                let mut result = Some(true);
                for filter in filters {
                    match filter.holds(entry) {
                        Some(false) => return Some(false),
                        None => result = None,
                        Some(true) => {}
                    }
                }
                result
            }
            Self::Or(filters) => {
                let mut result = Some(false);
                for filter in filters {
                    match filter.holds(entry) {
                        Some(true) => return Some(true),
                        None => result = None,
                        Some(false) => {}
                    }
                }
                result
            }
            Self::Not(filter) => filter.holds(entry).map(|it| !it),
            Self::Equal(assertion) => {
                let (kind, value) = assertion.normal()?;
                Some(entry.any(kind, |other| other == value))
            }
            Self::Substrings(attribute, pieces) => {
                let kind = AttributeType::of(attribute)?;
                let pieces = pieces.normal(kind)?;
                Some(entry.any(kind, |value| pieces.are_in(value)))
            }
            Self::Present(attribute) => {
                let kind = AttributeType::of(attribute)?;
                Some(entry.has(kind))
            }
            Self::Undefined => None,
        }
    }

    /// How many bytes of names and values it has, and some for each part: what it costs to compare it
    /// with an entry.
    pub fn weight(&self) -> usize {
        /// As much as comparing a short value.
        const PART: usize = 32;
        PART + match self {
            Self::And(filters) | Self::Or(filters) => filters.iter().map(Self::weight).sum(),
            Self::Not(filter) => filter.weight(),
            Self::Equal(assertion) => assertion.attribute.len() + assertion.value.len(),
            Self::Substrings(attribute, pieces) => {
                let all = pieces
                    .first
                    .iter()
                    .chain(&pieces.within)
                    .chain(&pieces.last);
                attribute.len() + all.map(|piece| PART + piece.len()).sum::<usize>()
            }
            Self::Present(attribute) => attribute.len(),
            Self::Undefined => 0,
        }
    }

    /// The values that `kind` is compared with anywhere in it.
    pub fn values_of(&self, kind: &AttributeType) -> Vec<Vec<u8>> {
        match self {
            Self::And(filters) | Self::Or(filters) => {
                filters.iter().flat_map(|it| it.values_of(kind)).collect()
            }
            Self::Not(filter) => filter.values_of(kind),
            Self::Equal(assertion) => match AttributeType::of(&assertion.attribute) {
                Some(of) if std::ptr::eq(of, kind) => vec![assertion.value.clone()],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// Whether `kind` stands anywhere in it.
    pub fn mentions(&self, kind: &AttributeType) -> bool {
        let is =
            |attribute: &str| AttributeType::of(attribute).is_some_and(|of| std::ptr::eq(of, kind));
        match self {
            Self::And(filters) | Self::Or(filters) => filters.iter().any(|it| it.mentions(kind)),
            Self::Not(filter) => filter.mentions(kind),
            Self::Equal(assertion) => is(&assertion.attribute),
            Self::Substrings(attribute, _) | Self::Present(attribute) => is(attribute),
            Self::Undefined => false,
        }
    }
}

impl Assertion {
    /// Reads the attribute and the value in `reader`, and nothing behind them.
    pub fn read(mut reader: Reader<'_>) -> Result<Self, Malformed> {
        let attribute = description(reader.expect(OCTET_STRING)?)?;
        let value = reader.expect(OCTET_STRING)?.to_vec();
        reader.end()?;
        Ok(Self { attribute, value })
    }

    /// The attribute's type, and the value as it is compared; `None` where the type is not known or
    /// has no such value.
    pub fn normal(&self) -> Option<(&'static AttributeType, String)> {
        let kind = AttributeType::of(&self.attribute)?;
        let value = std::str::from_utf8(&self.value).ok()?;
        Some((kind, kind.syntax.normal(value)?))
    }
}

impl Pieces {
    fn read(mut reader: Reader<'_>) -> Result<Self, Malformed> {
        let mut pieces = Self::default();
        while !reader.is_empty() {
            let (tag, piece) = reader.any()?;
            let place = match tag {
                0x80 if pieces == Self::default() => &mut pieces.first,
                0x81 if pieces.last.is_none() => {
                    pieces.within.push(piece.to_vec());
                    continue;
                }
                0x82 if pieces.last.is_none() => &mut pieces.last,
                _ => return Err(Malformed),
            };
            *place = Some(piece.to_vec());
        }
        match pieces == Self::default() {
            true => Err(Malformed),
            false => Ok(pieces),
        }
    }

    fn normal(&self, kind: &AttributeType) -> Option<NormalPieces> {
        let piece = |piece: &Vec<u8>| {
            let piece = std::str::from_utf8(piece).ok()?;
            kind.syntax.normal_piece(piece)
        };
        let option = |it: &Option<Vec<u8>>| match it {
            Some(it) => piece(it).map(Some),
            None => Some(None),
        };
        Some(NormalPieces {
            first: option(&self.first)?,
            within: self.within.iter().map(piece).collect::<Option<_>>()?,
            last: option(&self.last)?,
        })
    }
}

/// Pieces as they are compared.
#[derive(Debug)]
struct NormalPieces {
    first: Option<String>,
    within: Vec<String>,
    last: Option<String>,
}

impl NormalPieces {
    /// Whether `value` has them, in this order and none over another.
    fn are_in(&self, value: &str) -> bool {
        let mut rest = value;
        if let Some(first) = &self.first {
            match rest.strip_prefix(first.as_str()) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        if let Some(last) = &self.last {
            match rest.strip_suffix(last.as_str()) {
                Some(before) => rest = before,
                None => return false,
            }
        }
        for piece in &self.within {
            match rest.split_once(piece.as_str()) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }
}

/// The description of an attribute: its type, and options behind semicolons.
pub fn description(bytes: &[u8]) -> Result<String, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed)?;
    Ok(text.to_owned())
}
