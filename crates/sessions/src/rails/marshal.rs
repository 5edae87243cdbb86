//! Reads Ruby's Marshal format 4.8 as data (`marshal.c` of Ruby 3.1). No object is built and no
//! class is looked up: classes and their contents are passed over, and only texts, numbers, lists
//! and hashes that are asked for are kept.
//!
//! An object may stand as a link to one that came before, by its number; so may a symbol. The first
//! pass checks the whole input and notes where each numbered object begins: four bytes an object.

use super::node::{DEPTH, LONGEST_LIST, LONGEST_MAP, Node, assign};
use crate::{Invalid, LONGEST_TEXT, MAX_INPUT};

/// What a dump begins with: the version 4.8.
pub(super) const SIGNATURE: &[u8] = b"\x04\x08";
/// The deepest nesting that is read. No session comes near it.
const NESTING: usize = 128;

const INVALID: Invalid = Invalid::Format("it is not a Marshal dump");

/// The members called `wanted` of the hash that `input` is a dump of.
pub(super) fn members<const N: usize>(
    input: &[u8],
    wanted: [&str; N],
) -> Result<[Option<Node>; N], Invalid> {
    if input.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    let dump = Dump::index(input).ok_or(INVALID)?;
    let (mut reader, count) = dump
        .hash(SIGNATURE.len())
        .ok_or(Invalid::Kind("it is not a hash"))?;
    let mut found = [const { None }; N];
    for _ in 0..count {
        let key = dump.text(reader.at).ok_or(INVALID)?;
        reader.pass(0).ok_or(INVALID)?;
        let slot = wanted
            .iter()
            .position(|wanted| key == Some(wanted.as_bytes()));
        if let Some(slot) = slot.and_then(|slot| found.get_mut(slot)) {
            *slot = Some(dump.node(reader.at, 0).ok_or(INVALID)?);
        }
        reader.pass(0).ok_or(INVALID)?;
    }
    Ok(found)
}

/// The value that `input` is a dump of.
pub(super) fn value(input: &[u8]) -> Result<Node, Invalid> {
    if input.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    let dump = Dump::index(input).ok_or(INVALID)?;
    dump.node(SIGNATURE.len(), 0).ok_or(INVALID)
}

/// The text that `input` is a dump of; `None` for anything else.
pub(super) fn text(input: &[u8]) -> Option<Vec<u8>> {
    if input.len() > MAX_INPUT {
        return None;
    }
    let dump = Dump::index(input)?;
    dump.text(SIGNATURE.len())?.map(<[u8]>::to_vec)
}

/// A dump that has been checked, and where its numbered objects and symbols are.
struct Dump<'a> {
    input: &'a [u8],
    objects: Vec<u32>,
    symbols: Vec<u32>,
}

/// A place in a dump.
struct Reader<'a, 'd> {
    input: &'a [u8],
    at: usize,
    tables: Tables<'d>,
}

enum Tables<'d> {
    /// They are being made.
    Made {
        objects: &'d mut Vec<u32>,
        symbols: &'d mut Vec<u32>,
    },
    /// They have been made.
    Complete,
}

impl<'a> Dump<'a> {
    /// Checks the whole of `input`.
    fn index(input: &'a [u8]) -> Option<Self> {
        input.strip_prefix(SIGNATURE)?;
        let (mut objects, mut symbols) = (Vec::new(), Vec::new());
        let mut reader = Reader {
            input,
            at: SIGNATURE.len(),
            tables: Tables::Made {
                objects: &mut objects,
                symbols: &mut symbols,
            },
        };
        reader.pass(0)?;
        (reader.at == input.len()).then_some(Self {
            input,
            objects,
            symbols,
        })
    }

    fn reader(&self, at: usize) -> Reader<'a, 'static> {
        Reader {
            input: self.input,
            at,
            tables: Tables::Complete,
        }
    }

    /// A reader behind the type of the object at `at`, and that type: behind links, instance
    /// variables and the names of subclasses. Links may go round in a circle.
    fn typed(&self, mut at: usize) -> Option<(Reader<'a, 'static>, u8)> {
        for _ in 0..NESTING {
            let mut reader = self.reader(at);
            match reader.byte()? {
                b'I' => at = reader.at,
                b'C' => {
                    reader.symbol()?;
                    at = reader.at;
                }
                b'@' => {
                    let number = usize::try_from(reader.long()?).ok()?;
                    at = usize::try_from(*self.objects.get(number)?).ok()?;
                }
                kind => return Some((reader, kind)),
            }
        }
        None
    }

    /// A reader at the first key of the hash at `at`, and how many pairs it has.
    fn hash(&self, at: usize) -> Option<(Reader<'a, 'static>, usize)> {
        let (mut reader, kind) = self.typed(at)?;
        let count = match kind {
            b'{' | b'}' => reader.count()?,
            _ => return None,
        };
        Some((reader, count))
    }

    /// The bytes of the string or symbol at `at`; `Some(None)` for anything else.
    fn text(&self, at: usize) -> Option<Option<&'a [u8]>> {
        let (mut reader, kind) = self.typed(at)?;
        Some(match kind {
            b'"' | b':' => Some(reader.bytes()?),
            b';' => {
                let number = usize::try_from(reader.long()?).ok()?;
                let at = usize::try_from(*self.symbols.get(number)?).ok()?;
                Some(self.reader(at).bytes()?)
            }
            _ => None,
        })
    }

    /// The object at `at`, as far as it is of use.
    fn node(&self, at: usize, depth: usize) -> Option<Node> {
        let (mut reader, kind) = self.typed(at)?;
        Some(match kind {
            b'0' => Node::Null,
            b'T' => Node::Boolean(true),
            b'F' => Node::Boolean(false),
            b'i' => Node::Integer(reader.long()?),
            b'l' => reader.big()?.map_or(Node::Other, Node::Integer),
            b'"' => {
                let text = std::str::from_utf8(reader.bytes()?).ok();
                let text = text.filter(|text| text.len() <= LONGEST_TEXT);
                text.map_or(Node::Other, |text| Node::Text(text.to_owned()))
            }
            b'[' if depth < DEPTH => {
                let count = reader.count()?;
                if count > LONGEST_LIST {
                    return Some(Node::Other);
                }
                let mut list = Vec::new();
                for _ in 0..count {
                    list.push(self.node(reader.at, depth + 1)?);
                    reader.pass(0)?;
                }
                Node::List(list)
            }
            b'{' | b'}' if depth == 0 => {
                let count = reader.count()?;
                if count > LONGEST_MAP {
                    return Some(Node::Other);
                }
                let mut map = Vec::new();
                for _ in 0..count {
                    let key = self.text(reader.at)?;
                    reader.pass(0)?;
                    let key = key.and_then(|key| std::str::from_utf8(key).ok());
                    if let Some(key) = key.filter(|key| key.len() <= LONGEST_TEXT) {
                        assign(&mut map, key.to_owned(), self.node(reader.at, DEPTH)?);
                    }
                    reader.pass(0)?;
                }
                Node::Map(map)
            }
            _ => Node::Other,
        })
    }
}

impl<'a> Reader<'a, '_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.input.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.input.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// `r_long`: a number of up to 32 bits.
    fn long(&mut self) -> Option<i64> {
        let first = i64::from(self.byte()?.cast_signed());
        match first {
            0 => Some(0),
            5..=127 => Some(first - 5),
            -128..=-5 => Some(first + 5),
            _ => {
                let length = usize::try_from(first.unsigned_abs()).ok()?;
                let bytes = self.take(length)?.iter().rev();
                let start = if first < 0 { -1 } else { 0 };
                Some(bytes.fold(start, |number, byte| number << 8 | i64::from(*byte)))
            }
        }
    }

    /// The whole number of a bignum; `None` inside where it has no place in 64 bits.
    fn big(&mut self) -> Option<Option<i64>> {
        let negative = match self.byte()? {
            b'+' => false,
            b'-' => true,
            _ => return None,
        };
        let length = self.length()?.checked_mul(2)?;
        let bytes = self.take(length)?;
        if length > 8 {
            return Some(None);
        }
        let number = bytes.iter().rev();
        let number = number.fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        let number = i64::try_from(number).ok();
        Some(number.map(|number| if negative { -number } else { number }))
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.long()?).ok()
    }

    /// A number of objects, of which each takes a byte at least.
    fn count(&mut self) -> Option<usize> {
        let count = self.length()?;
        (count <= self.input.len() - self.at).then_some(count)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    /// Numbers the object that begins at `at`.
    fn number_object(&mut self, at: usize) -> Option<()> {
        if let Tables::Made { objects, .. } = &mut self.tables {
            objects.push(u32::try_from(at).ok()?);
        }
        Some(())
    }

    /// Passes over a symbol.
    fn symbol(&mut self) -> Option<()> {
        match self.byte()? {
            b':' => self.new_symbol(),
            b';' => self.symbol_link(),
            b'I' => {
                (self.byte()? == b':').then_some(())?;
                self.new_symbol()?;
                // Its encoding, of which a symbol has no more.
                for _ in 0..self.count()? {
                    self.symbol()?;
                    match self.byte()? {
                        b'T' | b'F' => {}
                        b'"' => {
                            self.number_object(self.at - 1)?;
                            self.bytes()?;
                        }
                        _ => return None,
                    }
                }
                Some(())
            }
            _ => None,
        }
    }

    fn new_symbol(&mut self) -> Option<()> {
        let at = self.at;
        self.bytes()?;
        if let Tables::Made { symbols, .. } = &mut self.tables {
            symbols.push(u32::try_from(at).ok()?);
        }
        Some(())
    }

    fn symbol_link(&mut self) -> Option<()> {
        let number = self.length()?;
        match &self.tables {
            Tables::Made { symbols, .. } => (number < symbols.len()).then_some(()),
            Tables::Complete => Some(()),
        }
    }

    /// Passes over pairs of a symbol and an object.
    fn variables(&mut self, depth: usize) -> Option<()> {
        for _ in 0..self.count()? {
            self.symbol()?;
            self.pass(depth)?;
        }
        Some(())
    }

    fn objects(&mut self, count: usize, depth: usize) -> Option<()> {
        (0..count).try_for_each(|_| self.pass(depth))
    }

    /// Passes over an object, within `outer` others.
    fn pass(&mut self, outer: usize) -> Option<()> {
        let depth = outer + 1;
        if depth > NESTING {
            return None;
        }
        let at = self.at;
        match self.byte()? {
            b'0' | b'T' | b'F' => {}
            b'i' => self.long().map(drop)?,
            b':' => self.new_symbol()?,
            b';' => self.symbol_link()?,
            b'@' => {
                let number = self.length()?;
                if let Tables::Made { objects, .. } = &self.tables {
                    (number < objects.len()).then_some(())?;
                }
            }
            b'I' if self.input.get(self.at) == Some(&b'u') => {
                self.at += 1;
                self.symbol()?;
                self.bytes()?;
                self.variables(depth)?;
                // What `_load` makes is numbered when it is made.
                self.number_object(at)?;
            }
            b'I' => {
                self.pass(depth)?;
                self.variables(depth)?;
            }
            b'"' | b'f' | b'c' | b'm' | b'M' => {
                self.number_object(at)?;
                self.bytes()?;
            }
            b'/' => {
                self.number_object(at)?;
                self.bytes()?;
                self.byte()?;
            }
            b'l' => {
                self.number_object(at)?;
                self.big()?;
            }
            b'[' => {
                self.number_object(at)?;
                let count = self.count()?;
                self.objects(count, depth)?;
            }
            kind @ (b'{' | b'}') => {
                self.number_object(at)?;
                let pairs = self.count()?;
                self.objects(pairs.checked_mul(2)?, depth)?;
                if kind == b'}' {
                    self.pass(depth)?;
                }
            }
            b'o' | b'S' => {
                self.number_object(at)?;
                self.symbol()?;
                self.variables(depth)?;
            }
            b'u' => {
                self.symbol()?;
                self.bytes()?;
                self.number_object(at)?;
            }
            b'U' | b'd' => {
                self.symbol()?;
                self.number_object(at)?;
                self.pass(depth)?;
            }
            b'C' | b'e' => {
                self.symbol()?;
                self.pass(depth)?;
            }
            _ => return None,
        }
        Some(())
    }
}
