//! Runs the stack machine that a pickle is a program for, without making any object.

use std::collections::BTreeMap;

use super::object::{Global, Objects, Slot};
use super::scalar::{Scalar, Stream, text};
use crate::{Invalid, MAX_PAYLOAD};

/// The most values on the stack at a time. Python's own pickler pushes at most a thousand members
/// of a list or dict at once, but a tuple whole.
const STACK: usize = 1 << 18;
/// The most collections begun at a time. The pickler's recursion ends far below.
const MARKS: usize = 1 << 16;
/// The most values that are remembered for later use.
const MEMO: usize = 1 << 18;
/// The most wanted members, over all the dicts in the stream. One dict has a handful.
const MEMBERS: usize = 1 << 12;
/// The most bytes of a dict's key that are compared with a wanted one, as it is written: protocol 0
/// may write six for a letter.
const KEY: usize = 128;

const EMPTY: Invalid = Invalid::Format("the pickle's stack is empty");
const KIND: Invalid = Invalid::Format("the pickle does to a value what its kind does not take");
/// Every limit of this machine is what a payload of the longest size may need.
const FULL: Invalid = Invalid::TooLarge(MAX_PAYLOAD);

pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    stream: Stream<'a>,
    wanted: &'a [&'a str],
    stack: Vec<Slot>,
    /// How high the stack was at each mark.
    marks: Vec<u32>,
    memo: Vec<Option<Slot>>,
    /// How many places of the memo are taken.
    memorized: usize,
    dicts: u32,
    members: BTreeMap<(u32, usize), Slot>,
    pub(super) objects: Objects,
}

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8], wanted: &'a [&'a str]) -> Self {
        Self {
            bytes,
            stream: Stream::new(bytes, 0),
            wanted,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
            memorized: 0,
            dicts: 0,
            members: BTreeMap::new(),
            objects: Objects::default(),
        }
    }

    /// The wanted member number `name` of a dict.
    pub(super) fn member(&self, dict: u32, name: usize) -> Option<Slot> {
        self.members.get(&(dict, name)).copied()
    }

    /// How many bytes have been read.
    pub(super) fn read(&self) -> usize {
        self.stream.at()
    }

    /// Runs until the STOP opcode, and gives what is on top of the stack then.
    pub(super) fn run(&mut self) -> Result<Slot, Invalid> {
        loop {
            let at = self.stream.at();
            let [opcode] = *self.stream.take(1)? else {
                return Err(EMPTY);
            };
            if opcode == b'.' {
                return self.pop();
            }
            if Scalar::read(opcode, &mut self.stream)?.is_some() {
                let at = u32::try_from(at).map_err(|_| FULL)?;
                self.push(Slot::Scalar(at))?;
            } else {
                self.step(opcode)?;
            }
        }
    }

    /// Opcodes by the names and meanings of Lib/pickletools.py.
    fn step(&mut self, opcode: u8) -> Result<(), Invalid> {
        match opcode {
            b'\x80' => self.protocol(),
            b'\x95' => self.frame(),
            b'(' => self.mark(),
            b'0' => self.discard(),
            b'1' => self.take_marked().map(drop),
            b'2' => self.top().and_then(|top| self.push(top)),
            b'g' | b'h' | b'j' => self.recall(opcode),
            b'p' | b'q' | b'r' | b'\x94' => self.memorize(opcode),
            b')' | b't' | b'\x85' | b'\x86' | b'\x87' => self.tuple(opcode),
            b']' => self.push(Slot::List),
            b'l' => self.collect(Slot::List),
            b'a' | b'e' => self.add(opcode, Slot::List),
            b'\x8f' => self.push(Slot::Set),        // EMPTY_SET
            b'\x90' => self.add(opcode, Slot::Set), // ADDITEMS
            b'\x91' => self.collect(Slot::Fixed),   // FROZENSET
            b'\x96' => {
                self.stream.counted::<8>()?; // BYTEARRAY8
                self.push(Slot::Fixed)
            }
            b'}' => self.dict(),
            b'd' => self.dict_of_marked(),
            b's' | b'u' => self.set(opcode),
            _ => self.object(opcode),
        }
    }

    /// The opcodes that have Python import and call: here they make nothing.
    fn object(&mut self, opcode: u8) -> Result<(), Invalid> {
        match opcode {
            b'c' => {
                let (module, name) = (self.stream.line()?, self.stream.line()?);
                self.push(Slot::Global(Global::named(module, name)))
            }
            b'\x93' => self.stack_global(),
            b'i' => {
                self.stream.line()?;
                self.stream.line()?;
                self.collect(Slot::Opaque)
            }
            b'o' => {
                let arguments = self.take_marked()?;
                if arguments.is_empty() {
                    return Err(EMPTY);
                }
                self.push(Slot::Opaque)
            }
            b'R' => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                let made = self.objects.reduced(callable, arguments);
                self.push(made)
            }
            b'\x81' => self.replace(2), // NEWOBJ
            b'\x92' => self.replace(3), // NEWOBJ_EX
            b'b' => {
                self.pop()?;
                self.expect(Slot::Opaque)
            }
            b'\x82' => self.extension::<1>(),
            b'\x83' => self.extension::<2>(),
            b'\x84' => self.extension::<4>(),
            b'P' => {
                self.stream.line()?;
                self.push(Slot::Opaque)
            }
            b'Q' => self.replace(1),
            b'\x97' => self.push(Slot::Opaque), // NEXT_BUFFER
            b'\x98' => self.top().map(drop),    // READONLY_BUFFER
            _ => Err(Invalid::Format("the pickle has an unknown opcode")),
        }
    }

    fn protocol(&mut self) -> Result<(), Invalid> {
        match self.stream.number::<1>()? {
            0..=5 => Ok(()),
            _ => Err(Invalid::Format("the pickle's protocol is unknown")),
        }
    }

    fn frame(&mut self) -> Result<(), Invalid> {
        let length = self.stream.number::<8>()?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.stream.require(length)
    }

    fn push(&mut self, slot: Slot) -> Result<(), Invalid> {
        if self.stack.len() >= STACK {
            return Err(FULL);
        }
        self.stack.push(slot);
        Ok(())
    }

    /// The height below which nothing may be taken: what is there belongs to a collection begun.
    fn floor(&self) -> usize {
        let mark = self.marks.last().copied().unwrap_or(0);
        usize::try_from(mark).unwrap_or(usize::MAX)
    }

    fn top(&self) -> Result<Slot, Invalid> {
        let above = self.stack.get(self.floor()..).unwrap_or_default();
        above.last().copied().ok_or(EMPTY)
    }

    fn pop(&mut self) -> Result<Slot, Invalid> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn replace(&mut self, arguments: usize) -> Result<(), Invalid> {
        for _ in 0..arguments {
            self.pop()?;
        }
        self.push(Slot::Opaque)
    }

    /// POP takes a mark, too, where one is on top (Modules/_pickle.c `load_pop`).
    fn discard(&mut self) -> Result<(), Invalid> {
        if !self.marks.is_empty() && self.stack.len() == self.floor() {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn mark(&mut self) -> Result<(), Invalid> {
        if self.marks.len() >= MARKS {
            return Err(FULL);
        }
        let height = u32::try_from(self.stack.len()).map_err(|_| FULL)?;
        self.marks.push(height);
        Ok(())
    }

    /// Takes everything above the last mark.
    fn take_marked(&mut self) -> Result<Vec<Slot>, Invalid> {
        let floor = self.floor();
        self.marks
            .pop()
            .ok_or(Invalid::Format("the pickle's stack has no mark"))?;
        Ok(self.stack.split_off(floor.min(self.stack.len())))
    }

    fn collect(&mut self, as_slot: Slot) -> Result<(), Invalid> {
        self.take_marked()?;
        self.push(as_slot)
    }

    /// Makes sure that the top of the stack is of `kind`, or opaque and may be of any.
    fn expect(&self, kind: Slot) -> Result<(), Invalid> {
        match self.top()? {
            Slot::Opaque | Slot::Made { .. } => Ok(()),
            top if top == kind => Ok(()),
            _ => Err(KIND),
        }
    }

    fn add(&mut self, opcode: u8, to: Slot) -> Result<(), Invalid> {
        if opcode == b'a' {
            self.pop()?;
        } else {
            self.take_marked()?;
        }
        self.expect(to)
    }

    fn tuple(&mut self, opcode: u8) -> Result<(), Invalid> {
        let count = match opcode {
            b')' => 0,
            b'\x85' => 1,
            b'\x86' => 2,
            b'\x87' => 3,
            _ => {
                let members = self.take_marked()?;
                let tuple = self.objects.tuple(&members);
                return self.push(tuple);
            }
        };
        let start = self.stack.len().checked_sub(count).ok_or(EMPTY)?;
        if start < self.floor() {
            return Err(EMPTY);
        }
        let members = self.stack.get(start..).unwrap_or_default();
        let tuple = self.objects.tuple(members);
        self.stack.truncate(start);
        self.push(tuple)
    }

    fn dict(&mut self) -> Result<(), Invalid> {
        let dict = self.dicts;
        self.dicts += 1;
        self.push(Slot::Dict(dict))
    }

    fn dict_of_marked(&mut self) -> Result<(), Invalid> {
        let entries = self.take_marked()?;
        self.dict()?;
        self.enter(&entries)
    }

    fn set(&mut self, opcode: u8) -> Result<(), Invalid> {
        if opcode == b's' {
            let (value, key) = (self.pop()?, self.pop()?);
            return self.enter(&[key, value]);
        }
        let entries = self.take_marked()?;
        self.enter(&entries)
    }

    /// Puts keys and values, by turns, into the dict on top of the stack.
    fn enter(&mut self, entries: &[Slot]) -> Result<(), Invalid> {
        let (pairs, odd) = entries.as_chunks::<2>();
        if !odd.is_empty() {
            return Err(Invalid::Format("the pickle has a key without a value"));
        }
        let Slot::Dict(dict) = self.top()? else {
            return self.expect(Slot::Opaque);
        };
        for [key, value] in pairs {
            let Some(name) = self.name(*key) else {
                continue;
            };
            self.members.insert((dict, name), *value);
            if self.members.len() > MEMBERS {
                return Err(FULL);
            }
        }
        Ok(())
    }

    /// Which of the wanted names `key` is. Text of Python 2 and 3 are equal; bytes are not text.
    fn name(&self, key: Slot) -> Option<usize> {
        let Slot::Scalar(at) = key else {
            return None;
        };
        let key = text(Scalar::at(self.bytes, at, KEY)?)?;
        self.wanted.iter().position(|wanted| *wanted == key)
    }

    fn place(&mut self, opcode: u8) -> Result<usize, Invalid> {
        let place = match opcode {
            b'g' | b'p' => {
                let line = self.stream.line()?;
                let digits = line.iter().all(u8::is_ascii_digit);
                let line = std::str::from_utf8(line).ok().filter(|_| digits);
                let place = line.and_then(|line| line.parse().ok());
                place.ok_or(Invalid::Format("the pickle's memo has no such place"))?
            }
            b'h' | b'q' => self.stream.number::<1>()?,
            b'\x94' => return Ok(self.memorized),
            _ => self.stream.number::<4>()?,
        };
        usize::try_from(place).map_err(|_| FULL)
    }

    fn recall(&mut self, opcode: u8) -> Result<(), Invalid> {
        let place = self.place(opcode)?;
        let slot = self.memo.get(place).copied().flatten();
        self.push(slot.ok_or(Invalid::Format("the pickle's memo has no such place"))?)
    }

    fn memorize(&mut self, opcode: u8) -> Result<(), Invalid> {
        let place = self.place(opcode)?;
        let top = self.top()?;
        if place >= MEMO {
            return Err(FULL);
        }
        if place >= self.memo.len() {
            self.memo.resize(place + 1, None);
        }
        if let Some(slot) = self.memo.get_mut(place) {
            self.memorized += usize::from(slot.is_none());
            *slot = Some(top);
        }
        Ok(())
    }

    fn stack_global(&mut self) -> Result<(), Invalid> {
        let (name, module) = (self.pop()?, self.pop()?);
        let written = |slot| match slot {
            Slot::Scalar(at) => match Scalar::at(self.bytes, at, KEY) {
                Some(Scalar::Text(text)) => text,
                _ => b"",
            },
            _ => b"",
        };
        let global = Global::named(written(module), written(name));
        self.push(Slot::Global(global))
    }

    fn extension<const N: usize>(&mut self) -> Result<(), Invalid> {
        self.stream.take(N)?;
        self.push(Slot::Opaque)
    }
}
