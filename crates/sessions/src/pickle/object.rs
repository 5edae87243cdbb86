//! Reads datetimes, the only objects that are needed, and their zones.
//!
//! By `__reduce_ex__` of `datetime`, `timedelta` and `timezone` (Lib/_pydatetime.py, Python 3.12),
//! of `zoneinfo.ZoneInfo` (Lib/zoneinfo/_zoneinfo.py) and of pytz (pytz/__init__.py `_UTC` and
//! `_p`, pytz/tzinfo.py, 2025.2).

use super::scalar::{Scalar, raw_unicode_escape, string_escape, text};
use crate::datetime::{DateTime, Zone};

/// The most members of small tuples that are kept. Only a datetime's have a use.
const CELLS: usize = 1 << 17;
/// The longest argument that is read, as it is written: ten bytes, or the name of a zone.
const SHORT: usize = 256;

/// A value, as the machine has it on its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// A number, text, bytes, a boolean or `None`: where its opcode stands in the stream.
    Scalar(u32),
    /// A dict, by a number of its own: the same dict may be in several places.
    Dict(u32),
    List,
    Set,
    /// A tuple of `length` cells from `start` on.
    Tuple {
        length: u8,
        start: u32,
    },
    /// A larger tuple, a frozenset or a bytearray.
    Fixed,
    Global(Global),
    /// The result of a known callable on a tuple.
    Made {
        by: Global,
        length: u8,
        start: u32,
    },
    /// Anything that only Python could make.
    Opaque,
}

/// A callable that makes a datetime or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    DateTime,
    TimeDelta,
    TimeZone,
    /// The class, and the one method of it that pickles name.
    ZoneInfo,
    ZoneInfoUnpickle,
    /// How a method of a class is pickled.
    GetAttribute,
    PytzUtc,
    PytzZone,
    /// `_codecs.encode`: how Python 3 pickles bytes for Python 2.
    Encode,
    Other,
}

impl Global {
    pub(super) fn named(module: &[u8], name: &[u8]) -> Self {
        match (module, name) {
            (b"datetime", b"datetime") => Self::DateTime,
            (b"datetime", b"timedelta") => Self::TimeDelta,
            (b"datetime", b"timezone") => Self::TimeZone,
            (b"zoneinfo" | b"backports.zoneinfo", b"ZoneInfo") => Self::ZoneInfo,
            (b"builtins" | b"__builtin__", b"getattr") => Self::GetAttribute,
            (b"pytz", b"_UTC") => Self::PytzUtc,
            (b"pytz", b"_p") => Self::PytzZone,
            (b"_codecs", b"encode") => Self::Encode,
            _ => Self::Other,
        }
    }
}

/// The members of the tuples that may be the arguments of such a callable.
#[derive(Default)]
pub(super) struct Objects {
    cells: Vec<Slot>,
}

impl Objects {
    /// A tuple of `members`. Where it is too large to be of use, or there have been too many,
    /// only that it is one.
    pub(super) fn tuple(&mut self, members: &[Slot]) -> Slot {
        let start = u32::try_from(self.cells.len());
        let length = u8::try_from(members.len());
        match (start, length) {
            (Ok(start), Ok(length @ 0..=4)) if self.cells.len() + members.len() <= CELLS => {
                self.cells.extend_from_slice(members);
                Slot::Tuple { length, start }
            }
            _ => Slot::Fixed,
        }
    }

    /// The result of `callable` on `arguments`.
    pub(super) fn reduced(&self, callable: Slot, arguments: Slot) -> Slot {
        let (Slot::Global(by), Slot::Tuple { length, start }) = (callable, arguments) else {
            return Slot::Opaque;
        };
        let made = Slot::Made { by, length, start };
        match by {
            Global::Other => Slot::Opaque,
            Global::GetAttribute => match self.arguments(by, made) {
                Some([Slot::Global(Global::ZoneInfo), _]) => Slot::Global(Global::ZoneInfoUnpickle),
                _ => Slot::Opaque,
            },
            _ => made,
        }
    }

    fn arguments(&self, by: Global, slot: Slot) -> Option<&[Slot]> {
        match slot {
            Slot::Made {
                by: made_by,
                length,
                start,
            } if made_by == by => {
                let start = usize::try_from(start).ok()?;
                self.cells.get(start..start + usize::from(length))
            }
            _ => None,
        }
    }

    /// The datetime that `slot` is.
    pub(super) fn datetime(&self, stream: &[u8], slot: Slot) -> Option<DateTime> {
        let (state, zone) = match self.arguments(Global::DateTime, slot)? {
            [state] => (state, Zone::Site),
            [state, zone] => (state, self.zone(stream, *zone)?),
            _ => return None,
        };
        let (mut moment, folded) = DateTime::from_state(&self.bytes(stream, *state)?, zone)?;
        if let Zone::Named { fold, .. } = &mut moment.zone {
            *fold = folded;
        }
        Some(moment)
    }

    fn zone(&self, stream: &[u8], slot: Slot) -> Option<Zone> {
        let named = |slot: &Slot| {
            let Slot::Scalar(at) = *slot else {
                return None;
            };
            let name = text(Scalar::at(stream, at, SHORT)?)?;
            Some(Zone::Named { name, fold: false })
        };
        if matches!(slot, Slot::Scalar(at) if Scalar::at(stream, at, SHORT) == Some(Scalar::Null)) {
            return Some(Zone::Site);
        }
        if let Some([]) = self.arguments(Global::PytzUtc, slot) {
            return Some(Zone::Offset(0));
        }
        if let Some([offset] | [offset, _]) = self.arguments(Global::TimeZone, slot) {
            return self.microseconds(stream, *offset).map(Zone::Offset);
        }
        if let Some([name, _]) = self.arguments(Global::ZoneInfoUnpickle, slot) {
            return named(name);
        }
        match self.arguments(Global::PytzZone, slot)? {
            [name] => named(name),
            [_, offset, _, _] => Some(Zone::Offset(
                integer(stream, *offset)?.checked_mul(1_000_000)?,
            )),
            _ => None,
        }
    }

    /// The length of a `timedelta`.
    fn microseconds(&self, stream: &[u8], slot: Slot) -> Option<i64> {
        let [days, seconds, microseconds] = self.arguments(Global::TimeDelta, slot)? else {
            return None;
        };
        let seconds = integer(stream, *days)?
            .checked_mul(86_400)?
            .checked_add(integer(stream, *seconds)?)?;
        seconds
            .checked_mul(1_000_000)?
            .checked_add(integer(stream, *microseconds)?)
    }

    /// The bytes of a datetime's state: bytes, a Python 2 `str`, or encoded text.
    fn bytes(&self, stream: &[u8], slot: Slot) -> Option<Vec<u8>> {
        if let Slot::Scalar(at) = slot {
            return match Scalar::at(stream, at, SHORT)? {
                Scalar::Bytes(bytes) | Scalar::Native(bytes) => Some(bytes.to_vec()),
                Scalar::EscapedNative(inside) => string_escape(inside),
                _ => None,
            };
        }
        let [Slot::Scalar(at), _] = *self.arguments(Global::Encode, slot)? else {
            return None;
        };
        let text = match Scalar::at(stream, at, SHORT)? {
            Scalar::Text(bytes) => String::from_utf8(bytes.to_vec()).ok()?,
            Scalar::EscapedText(line) => raw_unicode_escape(line)?,
            _ => return None,
        };
        text.chars().map(|point| u8::try_from(point).ok()).collect()
    }
}

fn integer(stream: &[u8], slot: Slot) -> Option<i64> {
    match slot {
        Slot::Scalar(at) => match Scalar::at(stream, at, SHORT)? {
            Scalar::Integer(number) => Some(number),
            _ => None,
        },
        _ => None,
    }
}
