//! Reads the wanted members of a MessagePack map, and keeps nothing else.
//!
//! django-redis can keep sessions so (`MSGPackSerializer`). The reader walks the whole value (the
//! MessagePack specification of 2017) with a count of what is left instead of recursion.

use crate::{Invalid, LONGEST_TEXT, MAX_PAYLOAD, Value};

const CUT: Invalid = Invalid::Format("the MessagePack is cut");

/// An item's head, and the scalar if it is one.
enum Item<'a> {
    Text(&'a [u8]),
    Integer(i64),
    Null,
    Boolean(bool),
    Fraction(f64),
    /// Bytes, an extension, or a whole number past 63 bits.
    Other,
    /// A collection of this many items: a map has two for each member.
    Items(u64),
}

/// Reads the members called `wanted` of the map that `bytes` are. As in Python, the last of several
/// members of one name counts.
///
/// # Errors
/// [`Invalid`] when `bytes` are not one map, or too many.
pub(crate) fn members<const N: usize>(
    bytes: &[u8],
    wanted: [&str; N],
) -> Result<[Option<Value>; N], Invalid> {
    if bytes.len() > MAX_PAYLOAD {
        return Err(Invalid::TooLarge(MAX_PAYLOAD));
    }
    let mut reader = Reader(bytes);
    let count = reader.map()?;
    let mut found = [const { None }; N];
    for _ in 0..count {
        let name = match reader.whole()? {
            Item::Text(name) => wanted.iter().position(|wanted| wanted.as_bytes() == name),
            _ => None,
        };
        let value = reader.whole()?;
        if let Some(slot) = name.and_then(|name| found.get_mut(name)) {
            *slot = Some(match value {
                Item::Text(text) if text.len() <= LONGEST_TEXT => {
                    let text = std::str::from_utf8(text).ok();
                    text.map_or(Value::Other, |text| Value::Text(text.to_owned()))
                }
                Item::Integer(number) => Value::Integer(number),
                Item::Null => Value::Null,
                Item::Boolean(truth) => Value::Boolean(truth),
                Item::Fraction(number) => Value::Fraction(number),
                Item::Text(_) | Item::Other | Item::Items(_) => Value::Other,
            });
        }
    }
    if !reader.0.is_empty() {
        return Err(Invalid::Format("the MessagePack goes on after its end"));
    }
    Ok(found)
}

/// The member of the map `bytes` that `names` lead to; `None` when there is none. The whole map is
/// checked.
///
/// # Errors
/// As [`members`].
pub(crate) fn at(bytes: &[u8], names: &[String]) -> Result<Option<Value>, Invalid> {
    let Some((name, inner)) = names.split_first() else {
        return Ok(None);
    };
    let [found] = members(bytes, [name])?;
    if inner.is_empty() {
        return Ok(found);
    }
    let mut place = bytes;
    for name in names.split_last().map_or(names, |(_, outer)| outer) {
        match Reader(place).member(name)? {
            Some(found) => place = found,
            None => return Ok(None),
        }
    }
    if Reader(place).map().is_err() {
        return Ok(None);
    }
    let [found] = members(place, [names.last().map_or("", |name| name)])?;
    Ok(found)
}

/// Whether `bytes` are one MessagePack value, of whatever kind but nil.
pub(crate) fn is_value(bytes: &[u8]) -> bool {
    let mut reader = Reader(bytes);
    let value = reader.whole();
    reader.0.is_empty() && value.is_ok_and(|value| !matches!(value, Item::Null))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: u64) -> Result<&'a [u8], Invalid> {
        let length = usize::try_from(length).map_err(|_| CUT)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, length: u64) -> Result<u64, Invalid> {
        let bytes = self.take(length)?;
        Ok(bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn map(&mut self) -> Result<u64, Invalid> {
        match self.number(1)? {
            head @ 0x80..=0x8f => Ok(head & 15),
            0xde => self.number(2),
            0xdf => self.number(4),
            _ => Err(Invalid::Format("the MessagePack is not a map")),
        }
    }

    /// The last value called `name` of the map that the bytes begin with, as it is written. `None`
    /// where they are not a map or have no such member.
    fn member(mut self, name: &str) -> Result<Option<&'a [u8]>, Invalid> {
        let Ok(count) = self.map() else {
            return Ok(None);
        };
        let mut found = None;
        for _ in 0..count {
            let is = matches!(self.whole()?, Item::Text(text) if text == name.as_bytes());
            let start = self.0;
            self.whole()?;
            if is {
                found = start.get(..start.len() - self.0.len());
            }
        }
        Ok(found)
    }

    /// An item with all that is in it.
    fn whole(&mut self) -> Result<Item<'a>, Invalid> {
        let item = self.item()?;
        let mut left = match item {
            Item::Items(count) => count,
            _ => 0,
        };
        while left > 0 {
            left -= 1;
            if let Item::Items(count) = self.item()? {
                left = left.saturating_add(count);
            }
        }
        Ok(item)
    }

    fn item(&mut self) -> Result<Item<'a>, Invalid> {
        let head = self.number(1)?;
        Ok(match head {
            0x00..=0x7f => Item::Integer(i64::try_from(head).unwrap_or_default()),
            0x80..=0x8f => Item::Items((head & 15) * 2),
            0x90..=0x9f => Item::Items(head & 15),
            0xa0..=0xbf => Item::Text(self.take(head & 31)?),
            0xc0 => Item::Null,
            0xc2 | 0xc3 => Item::Boolean(head == 0xc3),
            0xc4..=0xc6 => self.counted(1 << (head - 0xc4), 0)?,
            0xc7..=0xc9 => self.counted(1 << (head - 0xc7), 1)?,
            0xca => {
                let bits = u32::try_from(self.number(4)?).unwrap_or_default();
                Item::Fraction(f64::from(f32::from_bits(bits)))
            }
            0xcb => Item::Fraction(f64::from_bits(self.number(8)?)),
            0xcc..=0xcf => {
                let number = self.number(1 << (head - 0xcc))?;
                i64::try_from(number).map_or(Item::Other, Item::Integer)
            }
            0xd0..=0xd3 => {
                let length = 1 << (head - 0xd0);
                let unused = 64 - 8 * length;
                let number = self.number(length)? << unused;
                Item::Integer(number.cast_signed() >> unused)
            }
            0xd4..=0xd8 => {
                self.take(1 + (1 << (head - 0xd4)))?;
                Item::Other
            }
            0xd9..=0xdb => {
                let length = self.number(1 << (head - 0xd9))?;
                Item::Text(self.take(length)?)
            }
            0xdc => Item::Items(self.number(2)?),
            0xdd => Item::Items(self.number(4)?),
            0xde => Item::Items(self.number(2)? * 2),
            0xdf => Item::Items(self.number(4)? * 2),
            0xe0..=0xff => {
                let byte = u8::try_from(head).unwrap_or_default();
                Item::Integer(i64::from(byte.cast_signed()))
            }
            _ => return Err(Invalid::Format("the MessagePack has an unknown head")),
        })
    }

    /// Bytes after a length of `width` bytes and `more` bytes of an extension's type.
    fn counted(&mut self, width: u64, more: u64) -> Result<Item<'a>, Invalid> {
        let length = self.number(width)?;
        self.take(length + more)?;
        Ok(Item::Other)
    }
}
