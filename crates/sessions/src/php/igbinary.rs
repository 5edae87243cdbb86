//! Reads the format of the igbinary extension, versions 1 and 2 (`enum igbinary_type` and
//! `igbinary_unserialize_zval` in src/php7/igbinary.c, 3.2):
//! `\0\0\0\x02\x14\x01\x11\x04user\x14\x01\x11\x08username\x11\x05alice`.
//!
//! Four bytes of version, then one value: a byte of kind, and big-endian numbers. A string is
//! written once and named by its number afterwards; arrays, objects and scalars that are PHP
//! references have numbers of their own, each in the order of the text.

use super::serialize::is_never_read;
use super::tree::{Failure, Id, Key, Numbering, Packed, Span, Tree, Value};

/// The first bytes of a session in this format.
pub(super) const VERSIONS: [[u8; 4]; 2] = [[0, 0, 0, 1], [0, 0, 0, 2]];

/// Reads `text` as one value, to the end.
pub(super) fn read(text: &[u8]) -> Result<Tree<'_>, Failure> {
    let body = VERSIONS
        .iter()
        .find_map(|version| text.strip_prefix(version));
    let body = body.ok_or(Failure::Broken("not igbinary of version 1 or 2"))?;
    let mut tree = Tree::new(text, Numbering::Igbinary)?;
    let mut reader = Reader {
        text,
        at: text.len() - body.len(),
        strings: Vec::new(),
    };
    reader.value(&mut tree)?;
    if reader.at < text.len() {
        return Err(Failure::Broken("something follows the value"));
    }
    Ok(tree)
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    strings: Vec<Span>,
}

/// An array or an object that is being read.
struct Open {
    id: Id,
    /// How many values are still to come.
    left: u64,
}

/// The numbers of 1, 2, 4 and 8 bytes that a kind of value goes on with.
const ONE: usize = 1;
const TWO: usize = 2;
const FOUR: usize = 4;
const EIGHT: usize = 8;

const ENDED: Failure = Failure::Broken("the text ends within a value");

impl<'a> Reader<'a> {
    fn value(&mut self, tree: &mut Tree<'a>) -> Result<(), Failure> {
        let mut open: Vec<Open> = Vec::new();
        let mut key = Key::Unreachable;
        loop {
            if let Some(opened) = self.one(tree, key, open.len())? {
                open.push(opened);
            }
            'next: loop {
                let depth = open.len();
                let Some(innermost) = open.last_mut() else {
                    return Ok(());
                };
                while innermost.left > 0 {
                    innermost.left -= 1;
                    if let Some(found) = self.key()? {
                        // PHP takes no variables with integer names out of a session.
                        let lost = depth == 1 && matches!(found, Key::Integer(_));
                        key = if lost { Key::Unreachable } else { found };
                        break 'next;
                    }
                }
                tree.close(innermost.id);
                open.pop();
            }
        }
    }

    /// Reads a scalar whole, and an array or an object up to its first key.
    fn one(
        &mut self,
        tree: &mut Tree<'a>,
        key: Key,
        depth: usize,
    ) -> Result<Option<Open>, Failure> {
        let mut kind = self.byte()?;
        let by_reference = kind == 0x25;
        while kind == 0x25 {
            kind = self.byte()?;
        }
        let value = match kind {
            0x00 => Value::Null,
            0x04 => Value::Boolean(false),
            0x05 => Value::Boolean(true),
            0x06..=0x0b | 0x20 | 0x21 => Value::Integer(Packed::from_integer(self.integer(kind)?)),
            0x0c => Value::Float(Packed::from_float(f64::from_bits(self.number(EIGHT)?))),
            0x0d..=0x13 | 0x26 => Value::Text(self.string(kind)?),
            0x14..=0x16 => {
                let left = self.count(kind)?;
                let id = tree.push(key, Value::Array, depth)?;
                tree.take_slot(id);
                return Ok(Some(Open { id, left }));
            }
            0x17..=0x1c => return self.object(tree, kind, key, depth),
            0x01 | 0x22 => self.reference(tree, ONE)?,
            0x02 | 0x23 => self.reference(tree, TWO)?,
            0x03 | 0x24 => self.reference(tree, FOUR)?,
            _ => return Err(Failure::Broken("a value of an unknown kind")),
        };
        let id = tree.push(key, value, depth)?;
        if by_reference && !matches!(value, Value::Reference(_)) {
            tree.take_slot(id);
        }
        Ok(None)
    }

    /// The class's name, then its properties, its own text or its case.
    fn object(
        &mut self,
        tree: &mut Tree<'a>,
        kind: u8,
        key: Key,
        depth: usize,
    ) -> Result<Option<Open>, Failure> {
        let class = match kind {
            0x17 => self.new_string(ONE)?,
            0x18 => self.new_string(TWO)?,
            0x19 => self.new_string(FOUR)?,
            0x1a => self.old_string(ONE)?,
            0x1b => self.old_string(TWO)?,
            _ => self.old_string(FOUR)?,
        };
        if is_never_read(tree.bytes(class)) {
            return Err(Failure::Broken("an object that cannot be"));
        }
        let kind = self.byte()?;
        let value = match kind {
            0x14..=0x16 => Value::Object(class),
            0x1d..=0x1f => Value::Custom(class),
            0x27 => Value::Enumeration,
            _ => return Err(Failure::Broken("an object of an unknown kind")),
        };
        let id = tree.push(key, value, depth)?;
        tree.take_slot(id);
        match kind {
            0x14..=0x16 => {
                let left = self.count(kind)?;
                return Ok(Some(Open { id, left }));
            }
            0x27 => {
                let case = self.byte()?;
                if case == 0x0d {
                    return Err(Failure::Broken("an enum case without a name"));
                }
                self.string(case)?;
            }
            _ => {
                let length = self.number(1 << (kind - 0x1d))?;
                let body = self.stretch(length)?;
                tree.push(Key::Unreachable, Value::Text(body), depth + 1)?;
                tree.close(id);
            }
        }
        Ok(None)
    }

    /// A key, or none for an element that was left out.
    fn key(&mut self) -> Result<Option<Key>, Failure> {
        match self.byte()? {
            0x00 => Ok(None),
            kind @ (0x06..=0x0b | 0x20 | 0x21) => Ok(Some(Key::Integer(Packed::from_integer(
                self.integer(kind)?,
            )))),
            kind @ (0x0d..=0x13 | 0x26) => Ok(Some(Key::Text(self.string(kind)?))),
            _ => Err(Failure::Broken("a key is neither an integer nor a string")),
        }
    }

    fn string(&mut self, kind: u8) -> Result<Span, Failure> {
        match kind {
            0x0d => Ok(Span::default()),
            0x0e => self.old_string(ONE),
            0x0f => self.old_string(TWO),
            0x10 => self.old_string(FOUR),
            0x11 => self.new_string(ONE),
            0x12 => self.new_string(TWO),
            0x13 => self.new_string(FOUR),
            0x26 => self.new_string(EIGHT),
            _ => Err(Failure::Broken("a string of an unknown kind")),
        }
    }

    fn new_string(&mut self, width: usize) -> Result<Span, Failure> {
        let length = self.number(width)?;
        let found = self.stretch(length)?;
        self.strings.push(found);
        Ok(found)
    }

    fn old_string(&mut self, width: usize) -> Result<Span, Failure> {
        let number = usize::try_from(self.number(width)?).ok();
        let found = number.and_then(|number| self.strings.get(number).copied());
        found.ok_or(Failure::Broken("a string that was not written before"))
    }

    fn reference(&mut self, tree: &Tree<'a>, width: usize) -> Result<Value, Failure> {
        // The session itself is number 0.
        let number = usize::try_from(self.number(width)?).ok();
        let found = number.and_then(|number| tree.target(number.checked_add(1)?));
        found.ok_or(Failure::Broken("a reference to no value"))
    }

    /// The number of values in an array or an object of this kind.
    fn count(&mut self, kind: u8) -> Result<u64, Failure> {
        self.number(1 << (kind - 0x14))
    }

    /// The sign is in the kind, the magnitude follows.
    fn integer(&mut self, kind: u8) -> Result<i64, Failure> {
        let magnitude = self.number(match kind {
            0x06 | 0x07 => ONE,
            0x08 | 0x09 => TWO,
            0x0a | 0x0b => FOUR,
            _ => EIGHT,
        })?;
        let number = if kind.is_multiple_of(2) {
            i64::try_from(magnitude).ok()
        } else {
            0_i64.checked_sub_unsigned(magnitude)
        };
        number.ok_or(Failure::Broken("an integer of more than 64 bits"))
    }

    fn byte(&mut self) -> Result<u8, Failure> {
        let byte = self.text.get(self.at).copied().ok_or(ENDED)?;
        self.at += 1;
        Ok(byte)
    }

    /// A big-endian number of `width` bytes, at most eight.
    fn number(&mut self, width: usize) -> Result<u64, Failure> {
        let bytes = self.text.get(self.at..self.at + width).ok_or(ENDED)?;
        self.at += width;
        Ok(bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn stretch(&mut self, length: u64) -> Result<Span, Failure> {
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| self.at.checked_add(length));
        let end = end.filter(|end| *end <= self.text.len()).ok_or(ENDED)?;
        let start = std::mem::replace(&mut self.at, end);
        Ok(Span::new(start, end))
    }
}
